"""Values of files in a stored type that the user, or the file, names."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from mizzle_async.cli.files.shapes import is_stored_value
from mizzle_async.marshalling import decimal_from_text, encode_any, parse_json, value_from_plain
from mizzle_async.types import AttributeValue

PARSED: Final = {"BOOL", "NULL", "SS", "NS", "BS", "L", "M"}
"""Types whose values are JSON in a cell of text."""

BOOLEANS: Final = {"true": True, "false": False}


def typed_value(value: Any, code: str, *, is_text: bool) -> AttributeValue:
    """Return a value in a stored type.

    Args:
        value: A value of plain JSON, or the text of a cell.
        code: The type.
        is_text: Whether it is the text of a cell.

    Raises:
        ValueError: If it cannot be one of this type.
    """
    if is_text and code in PARSED and isinstance(value, str):
        text = value.strip()
        value = BOOLEANS[text.lower()] if text.lower() in BOOLEANS else parse_json(text)
    if code in SCALARS:
        return encode_any(SCALARS[code](value))
    match code:
        case "BOOL" if isinstance(value, bool):
            return {"BOOL": value}
        case "NULL" if value is None or value is True:
            return {"NULL": True}
        case "SS" | "NS" | "BS" if isinstance(value, list) and value:
            return _set(value, code)
        case "L" if isinstance(value, list):
            return {"L": [_member(element) for element in value]}
        case "M" if isinstance(value, dict):
            return {"M": {name: _member(member) for name, member in value.items()}}
        case _:
            raise ValueError(f"expected a value of type {code}")


def _set(elements: list[Any], code: str) -> AttributeValue:
    convert = {"SS": _text_only, "NS": _number, "BS": _binary}[code]
    values = {convert(element) for element in elements}
    if len(values) < len(elements):
        raise ValueError("a set has an element twice")
    return encode_any(values)


def _member(value: Any) -> AttributeValue:
    """Return a member of a collection, which may have its type beside it, as the AWS console writes it."""
    return dict(value) if isinstance(value, Mapping) and is_stored_value(value) else value_from_plain(value, None)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    raise ValueError("expected text")


def _text_only(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected text in the set")  # noqa: TRY004  (the input is wrong, not the program)
    return value


def _number(value: Any) -> Decimal:
    if isinstance(value, bool):
        raise ValueError("expected a number")  # noqa: TRY004  (the input is wrong, not the program)
    if isinstance(value, str):
        return decimal_from_text(value)
    try:
        return Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise ValueError("expected a number") from None


def _binary(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return b64decode(value, validate=True)
    except (TypeError, ValueError):
        raise ValueError("expected base64 text") from None


SCALARS: Final[dict[str, Callable[[Any], Any]]] = {"S": _text, "N": _number, "B": _binary}


def cell_value(text: str) -> Any:
    """Return the value of a cell that is JSON, else its text. A number with leading zeros stays text."""
    try:
        return parse_json(text)
    except ValueError:
        return text
