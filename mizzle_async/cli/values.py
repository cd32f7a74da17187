"""Conversions between texts and stored values, and items as JSON with every digit."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import orjson

from mizzle_async.errors import MarshallingError
from mizzle_async.marshalling import decimal_from_text, decode_any, encode_any, parse_json, plain_item, value_from_plain
from mizzle_async.types import AttributeValue, Item

LARGEST_INTEGER: Final = 2**63 - 1
"""The largest integer, of either sign, that orjson takes. Larger ones are written as text."""

_NAME = re.compile(r"(?:\\.|[^\\.\[\]])+")
_POSITION = re.compile(r"\[([0-9]+)\]")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: 1 item, 2,000 items."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def json_line(item: Item) -> bytes:
    """Return an item as a line of plain JSON."""
    return json_bytes(plain_item(item)) + b"\n"


def dynamodb_line(item: Item) -> bytes:
    """Return an item as a line of DynamoDB's JSON, as in its exports to S3."""
    return orjson.dumps({"Item": item}) + b"\n"


def json_bytes(value: Any, *, indent: bool = False) -> bytes:
    """Return plain JSON as bytes, with every digit of every number."""
    return orjson.dumps(_exact(value), option=orjson.OPT_INDENT_2 if indent else None)


def _exact(value: Any) -> Any:
    match value:
        case dict():
            return {name: _exact(member) for name, member in value.items()}
        case list():
            return [_exact(element) for element in value]
        case bytes():
            return b64encode(value).decode()
        case Decimal():
            return orjson.Fragment(str(value)) if value.is_finite() else str(value)
        case int() if not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
            return orjson.Fragment(str(value))
        case _:
            return value


def cell(value: AttributeValue | None) -> str:
    """Return a stored value as the text of a cell: text and numbers unchanged, null empty, the rest as JSON."""
    if value is None or "NULL" in value:
        return ""
    tag, content = next(iter(value.items()))
    if tag in {"S", "N", "B"}:
        return str(content)
    return json_bytes(plain_item({"": value})[""]).decode()


def any_from_text(text: str) -> AttributeValue:
    """Return the value of a text without a declared type: JSON if it is valid JSON, else the text.

    Raises:
        MarshallingError: If it is JSON that cannot be stored.
    """
    try:
        value = parse_json(text)
    except ValueError:
        value = text
    return encode_any(value)


def of_type(text: str, code: str) -> AttributeValue:
    """Return the value of a key attribute, in the type of the table.

    Raises:
        MarshallingError: If it is not of this type. The message does not contain it.
    """
    try:
        match code:
            case "N":
                return encode_any(decimal_from_text(text))
            case "B":
                return encode_any(b64decode(text, validate=True))
            case _:
                return encode_any(text)
    except ValueError:
        expected = "a number" if code == "N" else "base64 text"
        raise MarshallingError(f"expected {expected}") from None


def from_shape(text: str, shape: Any) -> AttributeValue:
    """Return the value of a text with a declared type.

    Raises:
        MarshallingError: If it cannot be converted.
    """
    try:
        return value_from_plain(text, shape, is_text=True)
    except MarshallingError:
        raise
    except ValueError as error:
        raise MarshallingError(str(error)) from None


def parse_path(text: str) -> tuple[str | int, ...]:
    r"""Return the segments of a path such as ``a.b[0].c``. A dot within a name is written ``\.``.

    Raises:
        ValueError: If it is not a path.
    """
    segments: list[str | int] = []
    at = 0
    while at < len(text):
        if segments and (position := _POSITION.match(text, at)):
            segments.append(int(position[1]))
            at = position.end()
            continue
        at += bool(segments) and text[at] == "."
        name = _NAME.match(text, at)
        if name is None:
            break
        segments.append(re.sub(r"\\(.)", r"\1", name[0]))
        at = name.end()
        if at < len(text) and text[at] not in ".[":
            break
    if at < len(text) or not segments or (text.endswith(".") and not text.endswith("\\.")):
        raise ValueError(f"{text!r} is not a path: write a.b[0].c")
    return tuple(segments)


def check_dynamodb_item(value: Any) -> Item:
    """Return an item from DynamoDB's JSON.

    Raises:
        ValueError: If it is not an item. It is a `MarshallingError`, with the path, if an attribute is wrong.
    """
    if not isinstance(value, Mapping):
        raise ValueError("expected an object of attributes")  # noqa: TRY004  (the input is wrong, not the program)
    for name, stored in value.items():
        _check_stored(stored, name)
    return dict(value)


def _check_stored(stored: Any, path: str) -> None:
    if not isinstance(stored, Mapping) or len(stored) != 1:
        raise MarshallingError(f'{path}: expected a value with its type, such as {{"S": …}}', path=path)
    tag, content = next(iter(stored.items()))
    match tag:
        case "L" if isinstance(content, list):
            for position, element in enumerate(content):
                _check_stored(element, f"{path}[{position}]")
        case "M" if isinstance(content, Mapping):
            for name, member in content.items():
                _check_stored(member, f"{path}.{name}")
        case "SS" | "NS" | "BS" if isinstance(content, list) and content:
            if not all(_is_scalar(element, tag[0]) for element in content):
                raise MarshallingError(f"{path}: the elements of {tag} are not of this type", path=path)
        case _:
            if not _is_scalar(content, tag):
                raise MarshallingError(f"{path}: this is not a value of type {tag[:4]!r}", path=path)


def _is_scalar(content: Any, tag: str) -> bool:
    """Return whether a value has the form of a type in DynamoDB's JSON."""
    match tag:
        case "BOOL":
            return isinstance(content, bool)
        case "NULL":
            return content is True
        case "S" | "N" | "B" if isinstance(content, str):
            try:
                encode_any(decode_any({tag: content}))
            except MarshallingError:
                return False
            return True
        case _:
            return False
