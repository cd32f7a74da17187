"""Texts of keys that are made of several attributes: written from values, read back, exact or refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, localcontext
from enum import Enum
from typing import Any, Final
from uuid import UUID

from mizzle_async.errors import MarshallingError
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.model.scalars.temporal import read_date, read_datetime, write_date, write_datetime
from mizzle_async.model.scalars.texts import read_uuid, write_uuid
from mizzle_async.model.shared.formats import KeyFormat, KeyPart
from mizzle_async.model.shared.parts import BUCKET_WIDTHS, DATETIME_WIDTHS

STEPS: Final = {
    "microseconds": timedelta(microseconds=1),
    "milliseconds": timedelta(milliseconds=1),
    "seconds": timedelta(seconds=1),
}
FRACTION_END: Final = 26
"""Where the fraction of a second ends in the text of a point in time."""

CASES: Final[Mapping[str, Callable[[str], str]]] = {"lower": str.lower, "upper": str.upper}
ESCAPED: Final = re.compile("%([0-9A-F]{2})")
NUMBER_PRECISION: Final = 60


def write_part(part: KeyPart, value: Any) -> str:
    """Return the text of a value inside a key.

    Raises:
        MarshallingError: The value is absent, empty, of another type, or has no exact text in this format.
    """
    if value is None:
        raise misfit(part, "a value", "None: a part of a key is never absent")
    try:
        text = _WRITERS[part.kind](part, value)
    except Misfit as error:
        raise error.to_error(part.where) from None
    return text


def read_part(part: KeyPart, text: str) -> Any:
    """Return the value of a text inside a key.

    Raises:
        MarshallingError: No value is written so.
    """
    if part.escape:
        text = ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    try:
        value = _READERS[part.kind](part, text)
    except (Misfit, ValueError, ArithmeticError):
        raise misfit(part, f"a {part.kind}", "text that is none") from None
    return value


def write_key(key_format: KeyFormat, values: Mapping[str, Any]) -> str:
    """Return the text of a key from values by Python name.

    Raises:
        MarshallingError: A value does not fit.
    """
    return "".join(
        piece if isinstance(piece, str) else write_part(piece, values[piece.field]) for piece in key_format.pieces
    )


def read_key(key_format: KeyFormat, text: str, where: str) -> dict[str, Any]:
    """Return the values that a key's text has, by Python name. Parts without the whole value are left out.

    Raises:
        MarshallingError: The text has another format, or these values are written otherwise.
    """
    match = key_format.pattern.fullmatch(text)
    if match is None:
        raise MarshallingError(
            f"{where}: expected a key of the format {key_format.text}, found another text", path=where
        )
    values: dict[str, Any] = {}
    for part, group in zip(key_format.parts, match.groups(), strict=True):
        if not part.lossless:
            continue
        value = read_part(part, group)
        if write_part(part, value) != group:
            raise misfit(part, f"the form of {key_format.text}", "another form of the same value")
        if values.setdefault(part.field, value) != value:
            raise misfit(part, "one value in the whole key", "two")
    return values


def value_below(part: KeyPart, value: Any) -> Any:
    """Return the value just below one of a discrete part, None for the smallest."""
    try:
        match part.kind:
            case "integer":
                return value - 1 if value > 0 else None
            case "decimal":
                with localcontext(prec=NUMBER_PRECISION):
                    below = value - Decimal(1).scaleb(-int(part.spec.partition(".")[2]))
                return below if below >= 0 else None
            case "date":
                return value - timedelta(days=1)
            case _:
                return value - STEPS[part.spec]
    except OverflowError:
        return None


def misfit(part: KeyPart, expected: str, found: str, advice: str = "") -> MarshallingError:
    """Return the error for a value that does not fit its part of a key. It never shows the value."""
    ending = f": {advice}" if advice else ""
    return MarshallingError(f"{part.where}: in a key, expected {expected}, found {found}{ending}", path=part.where)


# ── writing ──


def _write_text(part: KeyPart, value: Any) -> str:
    if not isinstance(value, str) or isinstance(value, Enum):
        raise misfit(part, "a str", f"a value of type {type(value).__name__}")
    text: str = CASES.get(part.spec, str)(value)
    if not text:
        raise misfit(part, "a text that is not empty", "an empty one")
    if part.escape:
        for character in f"%{part.forbidden}":
            text = text.replace(character, f"%{ord(character):02X}")
    elif any(character in text for character in part.forbidden):
        separators = " or ".join(map(repr, part.forbidden))
        raise misfit(
            part,
            f"a text without {separators}",
            "one with it",
            "it separates parts of the key; SharedTable(…, escape=True) escapes it, chosen before the table has items",
        )
    return text


def _write_choice(part: KeyPart, value: Any) -> str:
    text = getattr(value, "value", value)
    if text not in (part.choices or ()):
        raise misfit(part, "one of the listed values", "another one")
    return str(text)


def _write_integer(part: KeyPart, value: Any) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        raise misfit(part, "an int", f"a value of type {type(value).__name__}")
    if not part.spec:
        return str(int(value))
    digits = int(part.spec)
    if not 0 <= value < 10**digits:
        raise misfit(part, f"an int of at most {digits} digits, not negative", "another one")
    return f"{int(value):0{digits}}"


def _write_decimal(part: KeyPart, value: Any) -> str:
    if not isinstance(value, Decimal):
        raise misfit(part, "a Decimal", f"a value of type {type(value).__name__}")
    width, _, places = part.spec.partition(".")
    fits = value.is_finite() and value >= 0
    with localcontext(prec=NUMBER_PRECISION):
        text = f"{abs(value):0{int(width)}.{int(places)}f}" if fits else ""
        if not text or len(text) > int(width) or Decimal(text) != value:
            raise misfit(part, f"a Decimal that fits {part.spec} exactly, not negative", "another one")
    return text


def _write_datetime(part: KeyPart, value: Any) -> str:
    text = write_datetime(value)
    end = DATETIME_WIDTHS[part.spec] - 1
    if text[end:FRACTION_END].strip("0."):
        raise misfit(part, f"a datetime in whole {part.spec}", "a finer one")
    return f"{text[:end]}Z"


def _write_bucket(part: KeyPart, value: Any) -> str:
    return write_datetime(value)[: BUCKET_WIDTHS[part.spec]]


_WRITERS: Final[Mapping[str, Callable[[KeyPart, Any], str]]] = {
    "text": _write_text,
    "choice": _write_choice,
    "integer": _write_integer,
    "decimal": _write_decimal,
    "datetime": _write_datetime,
    "bucket": _write_bucket,
    "date": lambda _part, value: write_date(value),
    "uuid": lambda _part, value: write_uuid(value),
}


# ── reading ──


def _read_decimal(_part: KeyPart, text: str) -> Decimal:
    with localcontext(prec=NUMBER_PRECISION):
        value = Decimal(text).normalize()
    return value + 0 if value else Decimal(0)


def _read_date(_part: KeyPart, text: str) -> date:
    return read_date(text)


def _read_datetime(_part: KeyPart, text: str) -> datetime:
    return read_datetime(text)


def _read_uuid(_part: KeyPart, text: str) -> UUID:
    return read_uuid(text)


_READERS: Final[Mapping[str, Callable[[KeyPart, str], Any]]] = {
    "text": lambda _part, text: text,
    "choice": lambda _part, text: text,
    "integer": lambda _part, text: int(text),
    "decimal": _read_decimal,
    "datetime": _read_datetime,
    "date": _read_date,
    "uuid": _read_uuid,
}
