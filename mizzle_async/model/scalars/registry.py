"""The one registry of scalar types.

How a type is stored, which keys it can be, which expressions take it, and whether a path can lead into it: all
of that is read from its row here, by the model and by the marshaller. Another type takes a row, and nothing else.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from mizzle_async.expressions.names import KEY_WRITERS
from mizzle_async.limits import NUMBER_DIGITS
from mizzle_async.model.scalars import numbers, temporal, texts
from mizzle_async.model.scalars.binary import read_bool, read_bytes, read_str, write_bool, write_bytes, write_str
from mizzle_async.model.scalars.formats import is_text_format, text_format
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.model.scalars.scalar_type import LOOKS_LIKE_TEXT, ScalarCode, ScalarType, Sources

__all__ = [
    "DATETIME_FORMATS",
    "SCALAR_TYPES",
    "ScalarCode",
    "datetime_type",
    "is_datetime_format",
    "registered",
    "scalar_type",
]

SCALAR_TYPES: Final[tuple[ScalarType, ...]] = (
    ScalarType(
        str, "S", write_str, read_str,
        is_plain=True,
        sources=Sources(
            "{v} if type({v}) is str and {v}.isascii() else {write}({v})",
            "{p}",
            json="{v} if type({v}) is str else {write}({v})",  # orjson refuses what UTF-8 cannot carry
        ),
    ),
    ScalarType(
        bytes, "B", write_bytes, read_bytes,
        exact_types=(bytes, bytearray, memoryview),
        is_plain=True,
        sources=Sources(
            "{to_base64}({v}, newline=False).decode('ascii') if type({v}) is bytes else {write}({v})",
            "{from_base64}({p}, strict_mode=True)",
            {"to_base64": b2a_base64, "from_base64": a2b_base64},
        ),
    ),
    ScalarType(
        bool, "BOOL", write_bool, read_bool,
        is_plain=True,
        sources=Sources("{v} if {v} is True or {v} is False else {write}({v})", "{p}"),
    ),
    ScalarType(
        int, "N", numbers.write_int, numbers.read_int,
        is_plain=True,
        sources=Sources(
            f"{{t}} if type({{v}}) is int and len({{t}} := str({{v}})) <= {NUMBER_DIGITS} else {{write}}({{v}})",
            "{parse_int}({p})",
            {"parse_int": numbers.parse_int},
        ),
    ),
    ScalarType(
        float, "N", numbers.write_float, numbers.read_float,
        is_plain=True,
        sources=Sources(
            "{float_text}({v}) if type({v}) is float else {write}({v})",
            "{parse_float}({p})",
            {"float_text": numbers.float_text, "parse_float": numbers.parse_float},
        ),
    ),
    ScalarType(
        Decimal, "N", numbers.write_decimal, numbers.read_decimal,
        is_plain=True,
        sources=Sources(
            f'{{t}} if type({{v}}) is {{Decimal}} and len({{t}} := str({{v}})) <= {NUMBER_DIGITS}'
            ' and {t}[-1] != "0" and {v}.is_finite()'
            ' and "E" not in {t} and "e" not in {t} else {write}({v})',
            "{t} if ({t} := {p}).isascii() and ({t} := {parse_decimal}({t})).is_finite() else {read}({t})",
            {"Decimal": Decimal, "parse_decimal": numbers.parse_decimal},
        ),
    ),
    ScalarType(
        datetime, "S", temporal.write_datetime, temporal.read_datetime,
        datetime_format="iso",
        sources=Sources(
            "{dumps}({v}, None, {utc_as_z})[1:-1].decode()"
            " if type({v}) is {datetime} and {v}.tzinfo is {utc} and {v}.microsecond else {write}({v})",
            # Six digits of a fraction, in UTC, as this library and Python's isoformat() write it.
            '{parse_datetime}({t}) if ({t} := {p})[19] == "." and {t}[26:] in ("Z", "+00:00") else {read}({t})',
            {
                "dumps": temporal.dumps,
                "utc_as_z": temporal.UTC_AS_Z,
                "datetime": datetime,
                "utc": UTC,
                "parse_datetime": temporal.parse_datetime,
            },
            "{v} if type({v}) is {datetime} and {v}.tzinfo is {utc} and {v}.microsecond else {write}({v})",
        ),
    ),
    ScalarType(
        datetime, "S", temporal.write_iso_ms, temporal.read_datetime,
        datetime_format="iso_ms",
        stamp=temporal.stamp_iso_ms,
        sources=Sources(
            "{write}({v})",
            '{parse_datetime}({t}) if ({t} := {p})[19] == "." and {t}[23:] == "Z" else {read}({t})',
            {"parse_datetime": temporal.parse_datetime},
        ),
    ),
    ScalarType(datetime, "N", temporal.write_epoch, temporal.read_epoch, datetime_format="epoch"),
    ScalarType(datetime, "N", temporal.write_epoch_ms, temporal.read_epoch_ms, datetime_format="epoch_ms"),
    ScalarType(datetime, "N", temporal.write_whole_seconds, temporal.read_epoch, datetime_format="whole_seconds"),
    ScalarType(
        date, "S", temporal.write_date, temporal.read_date,
        sources=Sources(
            "{v}.isoformat() if type({v}) is {date} else {write}({v})",
            "{parse_date}({p})",
            {"date": date, "parse_date": date.fromisoformat},
            "{v} if type({v}) is {date} else {write}({v})",
        ),
    ),
    ScalarType(time, "S", temporal.write_time, temporal.read_time),
    ScalarType(timedelta, "N", temporal.write_timedelta, temporal.read_timedelta),
    ScalarType(
        UUID, "S", texts.write_uuid, texts.read_uuid,
        sources=Sources(names={"UUID": UUID}, json="{v} if type({v}) is {UUID} else {write}({v})"),
    ),
    ScalarType(IPv4Address, "S", texts.write_ipv4, texts.read_ipv4, uses=LOOKS_LIKE_TEXT),
    ScalarType(IPv6Address, "S", texts.write_ipv6, texts.read_ipv6, uses=LOOKS_LIKE_TEXT),
    ScalarType(ZoneInfo, "S", texts.write_zone, texts.read_zone, uses=LOOKS_LIKE_TEXT),
    ScalarType(
        Path, "S", texts.write_path, texts.read_path,
        uses=LOOKS_LIKE_TEXT,
        exact_types=texts.PATH_TYPES,
    ),
)  # fmt: skip
"""Every scalar type: a datetime has one row for each way of storing it, the usual one first."""

_BY_ANNOTATION: Final[Mapping[type[Any], ScalarType]] = {
    kind: row for row in reversed(SCALAR_TYPES) for kind in (row.python, *row.exact_types)
}
DATETIME_FORMATS: Final = ("iso", "iso_ms", "epoch", "epoch_ms")
"""The formats that have a name of their own."""

_DATETIMES: Final[Mapping[Any, ScalarType]] = {
    row.datetime_format: row for row in SCALAR_TYPES if row.datetime_format is not None
}


def scalar_type(annotation: Any, datetime_format: Any = None) -> ScalarType | None:
    """Return the row of exactly a type, None where it has none.

    Args:
        annotation: A class.
        datetime_format: How datetimes are stored where it stands, None for the usual way.
    """
    if annotation is datetime:
        return datetime_type(datetime_format)
    return _BY_ANNOTATION.get(annotation) if isinstance(annotation, type) else None


def datetime_type(datetime_format: Any = None) -> ScalarType:
    """Return the row of datetimes that are stored in a certain way.

    Args:
        datetime_format: The way, None for the usual one.
    """
    row = _DATETIMES.get("iso" if datetime_format is None else datetime_format)
    return text_format(datetime_format) if row is None else row


def is_datetime_format(datetime_format: Any) -> bool:
    """Return whether datetimes can be declared to be stored in a way."""
    return datetime_format in DATETIME_FORMATS or is_text_format(datetime_format)


def registered(kind: type[Any]) -> Iterator[ScalarType]:
    """Yield the rows of a class, or of the nearest class that it derives from: several for datetimes, else one or none.

    Args:
        kind: A class, which may be a subclass of a registered one.
    """
    nearest = next((base for base in kind.__mro__ if base in _BY_ANNOTATION), None)
    if nearest is datetime:
        yield from _DATETIMES.values()
    elif nearest is not None:
        yield _BY_ANNOTATION[nearest]


def _key_writer(row: ScalarType) -> Callable[[Any], str | None]:
    def write(key: Any) -> str | None:
        try:
            text: str = row.write(key)
        except Misfit:
            return None
        return text

    return write


KEY_WRITERS.update({kind: _key_writer(row) for kind, row in _BY_ANNOTATION.items() if row.tag == "S"})
