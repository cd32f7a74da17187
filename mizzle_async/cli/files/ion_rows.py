"""Rows of Amazon Ion, as exports to S3 have it: an item on each line."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import Any, BinaryIO, Final

import click

from mizzle_async.cli.files.json_rows import change_row, stored_row
from mizzle_async.cli.files.opening import READ_ERRORS
from mizzle_async.cli.files.rows import Row, unreadable
from mizzle_async.cli.files.shapes import is_change

SETS: Final = {"$dynamodb_SS": "SS", "$dynamodb_NS": "NS", "$dynamodb_BS": "BS"}
"""The annotations of lists that are sets."""


def ion_rows(name: str, stream: BinaryIO) -> Iterator[Row]:
    """Yield the rows of a file.

    Raises:
        click.UsageError: If the library that reads it is missing.
        click.ClickException: If it is damaged.
    """
    try:
        ion = import_module("amazon.ion.simpleion")
        errors = import_module("amazon.ion.exceptions").IonException
    except ImportError:
        raise click.UsageError(
            f"{name} is Amazon Ion, which needs the extra `ion` on Python 3.13 or older: pip install"
            " 'mizzle-async[ion]'; or export the table as DYNAMODB_JSON"
        ) from None
    try:
        for number, value in enumerate(ion.load(stream, single_value=False, parse_eagerly=False), 1):
            yield _row(name, number, value)
    except (*READ_ERRORS, errors, ValueError) as error:
        raise unreadable(name, error) from error


def _row(name: str, number: int, value: Any) -> Row:
    if not isinstance(value, Mapping):
        return Row(file=name, line=number, problem='expected a struct, such as {Item:{id:"1"}}', content=str(value))
    members = {str(key): member for key, member in value.items()}
    if "Keys" in members and "Metadata" in members:
        change = {part: _item(members[part]) for part in ("Metadata", "Keys", "NewImage") if members.get(part)}
        if is_change(change):
            return change_row(name, number, change)
    item = members["Item"] if members.keys() == {"Item"} else members
    return stored_row(name, number, _item(item) if isinstance(item, Mapping) else item)


def _item(struct: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): _stored(value) for name, value in struct.items()}


def _stored(value: Any) -> dict[str, Any]:
    """Return the stored value of a value of Ion."""
    if isinstance(value, Mapping):
        return {"M": _item(value)}
    if isinstance(value, list | tuple):
        marks = [getattr(mark, "text", mark) for mark in getattr(value, "ion_annotations", ())]
        tag = next((SETS[mark] for mark in marks if mark in SETS), None)
        elements = [_stored(element) for element in value]
        return {"L": elements} if tag is None else {tag: [next(iter(each.values())) for each in elements]}
    return _scalar(value)


def _scalar(value: Any) -> dict[str, Any]:
    kind = getattr(getattr(value, "ion_type", None), "name", "")
    match value:
        case _ if value is None or kind == "NULL":
            return {"NULL": True}
        case _ if isinstance(value, bool) or kind == "BOOL":
            return {"BOOL": bool(value)}
        case bytes() | bytearray():
            return {"B": b64encode(bytes(value)).decode()}
        case float():
            return {"N": str(Decimal(repr(float(value))))}
        case int() | Decimal():
            return {"N": str(Decimal(value))}
        case _:
            return {"S": value.isoformat() if isinstance(value, datetime) else str(getattr(value, "text", value))}
