"""How single values are stored: one type descriptor, one payload.

Each type is a `Scalar`: a careful function in each direction, and where it pays an expression for the common case.
"""

# ruff: noqa: D102  (Shape documents the methods of shapes)

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from attrs import field, frozen

from mizzle_async.limits import NUMBER_DIGITS
from mizzle_async.marshalling.shapes import numbers, temporal
from mizzle_async.marshalling.shapes.binary import read_bytes, read_str, write_bytes, write_str
from mizzle_async.marshalling.shapes.misfit import LimitMisfit, Misfit, not_a, not_stored_as
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.marshalling.shapes.shape import Levels, Shape
from mizzle_async.types import AttributeValue

UTF8_BYTES = 4
"""A character takes no more."""

Write = Callable[[Any], Any]
Read = Callable[[Any], Any]


@frozen(eq=False, repr=False)
class Scalar(Shape):
    """A type that is stored as one payload under one descriptor.

    In the expressions, ``{v}`` is the variable that is encoded, ``{p}`` the payload that is decoded (once), ``{t}`` a
    variable of their own, ``{write}`` and ``{read}`` the careful functions, and every key of ``names`` stands for its
    value.

    Attributes:
        python: The type as messages name it.
        tag: Its descriptor.
        write: Returns the payload of a value, or raises a `Misfit`.
        read: Returns the value of a payload, or raises a `Misfit`.
        write_source: The expression for the common case, or nothing.
        read_source: As above.
        names: What else the expressions use.
        json_source: The expression for what orjson writes as the payload, where that is less work than the payload.
    """

    python: str
    tag: str
    write: Write
    read: Read
    write_source: str = "{write}({v})"
    read_source: str = "{read}({p})"
    names: Mapping[str, Any] = field(factory=dict)
    json_source: str = ""

    @property
    def tags(self) -> frozenset[str]:  # type: ignore[override]  # derived here
        return frozenset({self.tag})

    def encode(self, value: Any, levels: int) -> AttributeValue:
        del levels
        return {self.tag: self.write(value)}

    def decode(self, stored: AttributeValue) -> Any:
        payload = stored.get(self.tag)
        if payload is None:
            raise not_stored_as(self.tag, stored)
        return self.read(payload)

    def payload_source(self, program: Program, value: str, *, as_json: bool = False) -> str:
        """Return an expression for the payload of a variable, or for what orjson writes as it."""
        source = self.json_source if as_json and self.json_source else self.write_source
        return source.format(
            v=value, t=program.fresh(), write=program.bind(self.write, "write"), **self._bound(program)
        )

    def value_source(self, program: Program, payload: str) -> str:
        """Return an expression for the value of a payload's expression."""
        return self.read_source.format(
            p=payload, t=program.fresh(), read=program.bind(self.read, "read"), **self._bound(program)
        )

    def _bound(self, program: Program) -> dict[str, str]:
        return {name: program.bind(value, name) for name, value in self.names.items()}

    def encode_source(self, program: Program, value: str, levels: Levels) -> str:
        del levels
        return f'{{"{self.tag}": {self.payload_source(program, value)}}}'

    def payload_parts(self, program: Program, value: str, levels: Levels, *, as_json: bool) -> tuple[str, str] | None:
        del levels
        return self.tag, self.payload_source(program, value, as_json=as_json)

    def decode_source(self, program: Program, stored: str) -> str:
        return self.value_source(program, f'{stored}["{self.tag}"]')


def write_bool(value: object) -> bool:
    """Return a ``bool``; numbers are none."""
    if not isinstance(value, bool):
        raise not_a("bool", value)
    return value


def read_bool(payload: object) -> bool:
    """Return a stored truth value."""
    if not isinstance(payload, bool):
        raise Misfit("true or false", "something else")
    return payload


STR = Scalar(
    "str", "S", write_str, read_str,
    "{v} if type({v}) is str and {v}.isascii() else {write}({v})",
    "{p}",
    json_source="{v} if type({v}) is str else {write}({v})",  # orjson refuses what UTF-8 cannot carry
)  # fmt: skip
BYTES = Scalar(
    "bytes", "B", write_bytes, read_bytes,
    "{to_base64}({v}, newline=False).decode('ascii') if type({v}) is bytes else {write}({v})",
    "{from_base64}({p}, strict_mode=True)",
    {"to_base64": b2a_base64, "from_base64": a2b_base64},
)  # fmt: skip
BOOL = Scalar(
    "bool", "BOOL", write_bool, read_bool,
    "{v} if {v} is True or {v} is False else {write}({v})",
    "{p}",
)  # fmt: skip
INT = Scalar(
    "int", "N", numbers.write_int, numbers.read_int,
    f"{{t}} if type({{v}}) is int and len({{t}} := str({{v}})) <= {NUMBER_DIGITS} else {{write}}({{v}})",
    "int({p})",
)  # fmt: skip
FLOAT = Scalar(
    "float", "N", numbers.write_float, numbers.read_float,
    "{float_text}({v}) if type({v}) is float else {write}({v})",
    f"float({{t}}) if len({{t}} := {{p}}) <= {numbers.FLOAT_SAFE_LENGTH} else {{read}}({{t}})",
    {"float_text": numbers.float_text},
)  # fmt: skip
DECIMAL = Scalar(
    "Decimal", "N", numbers.write_decimal, numbers.read_decimal,
    f'{{t}} if type({{v}}) is {{Decimal}} and len({{t}} := str({{v}})) <= {NUMBER_DIGITS}'
    ' and {t}[-1] != "0" and {v}.is_finite()'
    ' and "E" not in {t} and "e" not in {t} else {write}({v})',
    "{Decimal}({p})",
    {"Decimal": Decimal},
)  # fmt: skip
DATETIME = Scalar(
    "datetime", "S", temporal.write_datetime, temporal.read_datetime,
    "{dumps}({v}, None, {utc_as_z})[1:-1].decode()"
    " if type({v}) is {datetime} and {v}.tzinfo is {utc} and {v}.microsecond else {write}({v})",
    # Six digits of a fraction, in UTC, as we and Python's isoformat() write it.
    '{parse_datetime}({t}) if ({t} := {p})[19] == "." and {t}[26:] in ("Z", "+00:00") else {read}({t})',
    {
        "dumps": temporal.dumps,
        "utc_as_z": temporal.UTC_AS_Z,
        "datetime": datetime,
        "utc": UTC,
        "parse_datetime": temporal.parse_datetime,
    },
    "{v} if type({v}) is {datetime} and {v}.tzinfo is {utc} and {v}.microsecond else {write}({v})",
)  # fmt: skip
DATETIME_EPOCH = Scalar("datetime", "N", temporal.write_epoch, temporal.read_epoch)
DATETIME_EPOCH_MS = Scalar("datetime", "N", temporal.write_epoch_ms, temporal.read_epoch_ms)
DATETIME_WHOLE_SECONDS = Scalar("datetime", "N", temporal.write_whole_seconds, temporal.read_epoch)
DATE = Scalar(
    "date", "S", temporal.write_date, temporal.read_date,
    "{v}.isoformat() if type({v}) is {date} else {write}({v})",
    "{parse_date}({p})",
    {"date": date, "parse_date": date.fromisoformat},
    "{v} if type({v}) is {date} else {write}({v})",
)  # fmt: skip
TIMEDELTA = Scalar("timedelta", "N", temporal.write_timedelta, temporal.read_timedelta)
UUID_TEXT = Scalar(
    "UUID", "S", temporal.write_uuid, temporal.read_uuid,
    names={"UUID": UUID},
    json_source="{v} if type({v}) is {UUID} else {write}({v})",
)  # fmt: skip


def sized(scalar: Scalar, limit: int, role: str) -> Scalar:
    """Return a scalar that refuses what a key attribute may not hold: nothing, or too many bytes.

    Nor does it read what it would write otherwise: under what it would write there is another item, or none.

    Args:
        scalar: The type's.
        limit: How many bytes it may have.
        role: What messages call the attribute's role, such as ``a partition key``.
    """
    if scalar.tag == "N":
        return scalar

    def write(value: Any) -> Any:
        payload: str = scalar.write(value)
        size = len(payload.encode()) if scalar.tag == "S" else len(a2b_base64(payload))
        if not 1 <= size <= limit:
            raise LimitMisfit(f"{role} of 1 to {limit:,} bytes", f"one of {size:,}")
        return payload

    def read(payload: Any) -> Any:
        value = scalar.read(payload)
        if scalar.write(value) != payload:
            raise Misfit(f"{role} as {scalar.python} is written", "another text for it", "declare the attribute str")
        return value

    source, json_source = "{write}({v})", ""
    # The payloads of an Enum are what it writes.
    read_source = scalar.read_source if scalar.tag == "B" or "by_payload" in scalar.names else "{read}({p})"
    if scalar is STR:
        read_source = scalar.read_source
        fits = f"{{v}} and len({{v}}) <= {limit}"
        source = f"{{v}} if type({{v}}) is str and {{v}}.isascii() and {fits} else {{write}}({{v}})"
        # Without a look at its characters, a text is short enough where each may take four bytes.
        fits = f"{{v}} and len({{v}}) <= {limit // UTF8_BYTES}"
        json_source = f"{{v}} if type({{v}}) is str and {fits} else {{write}}({{v}})"
    return Scalar(scalar.python, scalar.tag, write, read, source, read_source, scalar.names, json_source)
