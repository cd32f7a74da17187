"""The layout of a file, by its first line and its name."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Any, BinaryIO, Final

import click

from mizzle_async.cli.files.documents import holds_items
from mizzle_async.cli.files.json_cursor import DECODER
from mizzle_async.cli.files.opening import READ_ERRORS, restored
from mizzle_async.cli.files.rows import unreadable
from mizzle_async.cli.files.shapes import (
    is_change,
    is_manifest,
    is_reject,
    is_schema,
    is_stored_item,
    is_wrapped_item,
)
from mizzle_async.cli.formats import STANDARD, Format, format_of_name, need_pyarrow
from mizzle_async.marshalling import parse_json

FIRST_LINE_BYTES: Final = 4 * 1024 * 1024
"""The longest first line that is looked into: the largest item, with each character of it escaped, is shorter."""

ION_MARKS: Final = (b"$ion_1_0", b"\xe0\x01\x00\xea")

OTHER_OUTPUT: Final = re.compile(rb"(?:Items|Count|ConsumedCapacity|ScannedCount):|ITEMS\b|-{5}")
"""The first line of a scan of the AWS CLI in YAML, in text, or as a table."""


class Layout(StrEnum):
    """The layouts that are read."""

    LINES = "lines"
    """Plain JSON, one item per line."""

    STORED_LINES = "stored lines"
    """DynamoDB's JSON, one item per line, with and without ``{"Item": …}``."""

    CHANGES = "changes"
    """Lines of an incremental export."""

    REJECTS = "rejects"
    """Lines of a rejects file."""

    DOCUMENT = "document"
    """JSON over several lines: an array, or the output of another tool."""

    CSV = "csv"
    PARQUET = "parquet"
    ION = "ion"


def layout_of(name: str, stream: BinaryIO, argument: str | None) -> tuple[Layout, BinaryIO]:
    """Return the layout of a file, and a stream that still has its first line.

    Args:
        name: The file.
        stream: Its contents, decompressed.
        argument: The format that the user names, or None.

    Raises:
        click.UsageError: If the layout is unknown, or known as one without items.
    """
    named = Format(argument) if argument is not None else format_of_name(name)
    if named is Format.CSV:
        return Layout.CSV, stream
    try:
        head, line = _first_line(stream)
    except READ_ERRORS as error:
        raise unreadable(name, error) from error
    stream = restored(head, stream)
    if line.startswith(b"PAR1") or named is Format.PARQUET:
        need_pyarrow()
        return Layout.PARQUET, stream
    if line.startswith(ION_MARKS):
        return Layout.ION, stream
    if named is None and line[:1] not in {b"{", b"["}:
        if name == STANDARD or not line:
            return Layout.LINES, stream
        other = "; of the AWS CLI the output is read with --output json" if OTHER_OUTPUT.match(line) else ""
        raise click.UsageError(
            f"{name}: neither the name nor the first line shows the format: name it with --format {'|'.join(Format)}"
            f"{other}"
        )
    return _json_layout(name, line, explicit=argument is not None, named=named), stream


def _first_line(stream: BinaryIO) -> tuple[bytes, bytes]:
    """Return the bytes up to the end of the first line that is not blank, and that line."""
    head = b""
    while True:
        line = stream.readline(FIRST_LINE_BYTES)
        head += line
        if not line or line.strip():
            return head, line.strip()


def _json_layout(name: str, line: bytes, *, explicit: bool, named: Format | None) -> Layout:
    lines = Layout.STORED_LINES if named is Format.DYNAMODB else Layout.LINES
    try:
        value = parse_json(line) if line.startswith(b"{") else None
    except ValueError:
        value = None
    if line.startswith(b"[") or (value is None and line.startswith(b"{") and _goes_on(line)):
        return Layout.DOCUMENT
    if not isinstance(value, dict):
        return lines
    if is_manifest(value):
        raise click.UsageError(f"{name} is the manifest of an export, and has no items: name its folder")
    if is_schema(value):
        raise click.UsageError(f"{name} describes a table, and has no items: it is read by `create --like`")
    if explicit and not holds_items(value):
        return lines
    return _layout_of_object(value)


def _layout_of_object(value: dict[str, Any]) -> Layout:
    """Return the layout of a file by the object on its first line."""
    if holds_items(value):
        return Layout.DOCUMENT
    if is_reject(value):
        return Layout.REJECTS
    if is_change(value):
        return Layout.CHANGES
    if is_wrapped_item(value) or is_stored_item(value):
        return Layout.STORED_LINES
    return Layout.LINES


def _goes_on(line: bytes) -> bool:
    """Return whether an object that begins on a line ends on a later one, or is followed by another one."""
    if len(line) >= FIRST_LINE_BYTES - 1:
        return True
    text = line.decode("utf-8", "replace")
    try:
        _, end = DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(text) and "string" not in error.msg
    except (ValueError, ArithmeticError, RecursionError):
        return False
    return text[end:].lstrip().startswith("{")
