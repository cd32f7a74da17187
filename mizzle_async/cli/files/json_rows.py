"""Rows of JSON: of lines, and of one document."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final, NamedTuple

from mizzle_async.cli.files.documents import Document, Entry, several_tables
from mizzle_async.cli.files.json_cursor import DocumentError, JsonCursor
from mizzle_async.cli.files.opening import READ_ERRORS
from mizzle_async.cli.files.rows import Row, unreadable
from mizzle_async.cli.files.shapes import is_change, is_request, is_stored_item, is_wrapped_item
from mizzle_async.cli.formats import Format
from mizzle_async.cli.values import check_dynamodb_item
from mizzle_async.errors import MizzleError
from mizzle_async.marshalling import parse_json

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

NO_OBJECT: Final = 'expected an object, such as {"id": 1}'


class RawLine(NamedTuple):
    """A line of JSON that is not read.

    Attributes:
        file: The file.
        line: Its number, from 1.
        content: Its bytes.
        is_stored: Whether it is in DynamoDB's JSON.
    """

    file: str
    line: int
    content: bytes
    is_stored: bool


def raw_lines(name: str, stream: BinaryIO, *, is_stored: bool) -> Iterator[RawLine]:
    """Yield the lines that are not blank, as they are."""
    for number, line in enumerate(_lines(name, stream), 1):
        if line.strip():
            yield RawLine(name, number, line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line, is_stored)


def line_row(line: RawLine) -> Row:
    """Return the row of a line."""
    values: Any
    try:
        values = parse_json(line.content)
        problem = "" if isinstance(values, dict) else NO_OBJECT
    except ValueError as error:
        values, problem = None, str(error)
    if problem:
        text = line.content.decode("utf-8", "replace").rstrip("\r\n")
        return Row(file=line.file, line=line.line, problem=problem, content=text)
    if line.is_stored:
        return stored_row(line.file, line.line, unwrapped(values))
    return Row(file=line.file, line=line.line, values=values)


def line_rows(name: str, stream: BinaryIO) -> Iterator[Row]:
    """Yield the rows of lines of plain JSON."""
    return map(line_row, raw_lines(name, stream, is_stored=False))


def stored_line_rows(name: str, stream: BinaryIO) -> Iterator[Row]:
    """Yield the rows of lines of DynamoDB's JSON, with and without ``{"Item": …}``."""
    return map(line_row, raw_lines(name, stream, is_stored=True))


def unwrapped(value: Mapping[str, Any]) -> Any:
    """Return the item of ``{"Item": …}``, or the value itself."""
    return value["Item"] if len(value) == 1 and "Item" in value else value


def stored_row(name: str, line: int, value: Any, *, is_deletion: bool = False, written_at: int | None = None) -> Row:
    """Return the row of an item in DynamoDB's JSON."""
    try:
        item = check_dynamodb_item(value)
    except ValueError as error:
        path = getattr(error, "path", "")
        reason = error.message if isinstance(error, MizzleError) else str(error)
        return Row(
            file=name,
            line=line,
            problem=reason.removeprefix(f"{path}: "),
            attribute=path,
            content=value,
            format=Format.DYNAMODB,
        )
    return Row(
        file=name,
        line=line,
        values=item,
        format=Format.DYNAMODB,
        is_deletion=is_deletion,
        written_at=written_at,
    )


def change_rows(name: str, stream: BinaryIO) -> Iterator[Row]:
    """Yield the rows of lines of an incremental export: items, and keys of items that were deleted."""
    for row in line_rows(name, stream):
        if row.values is None:
            yield row
        elif is_change(row.values):
            yield change_row(name, row.line, row.values)
        else:
            problem = "expected a line of an incremental export, with Metadata and Keys"
            yield Row(file=name, line=row.line, problem=problem, content=row.values)


def change_row(name: str, line: int, change: Mapping[str, Any]) -> Row:
    """Return the row of a change of an incremental export."""
    moment = change["Metadata"]["WriteTimestampMicros"]
    try:
        written_at = int(moment["N"] if isinstance(moment, Mapping) else moment)
    except (KeyError, TypeError, ValueError):
        return Row(file=name, line=line, problem="WriteTimestampMicros is not a number", content=dict(change))
    image = change.get("NewImage")
    if image is None:
        return stored_row(name, line, change["Keys"], is_deletion=True, written_at=written_at)
    return stored_row(name, line, image, written_at=written_at)


def reject_rows(name: str, stream: BinaryIO) -> Iterator[Row]:
    """Yield the rows that a rejects file has kept, with its own lines as their origin."""
    for row in line_rows(name, stream):
        if row.values is None:
            yield row
        elif "content" not in row.values:
            yield Row(file=name, line=row.line, problem="expected a line of a rejects file", content=row.values)
        else:
            yield _kept_row(name, row.line, row.values)


def _kept_row(name: str, line: int, entry: Mapping[str, Any]) -> Row:
    content, kind = entry["content"], entry.get("format")
    columns = entry.get("columns")
    if isinstance(content, str) and columns:
        content, kind = _cells(content, columns), Format.CSV
    elif isinstance(content, str):
        try:
            content = parse_json(content)
        except ValueError as error:
            return Row(file=name, line=line, problem=str(error), content=content)
    if not isinstance(content, dict):
        return Row(file=name, line=line, problem=NO_OBJECT, content=entry["content"])
    if kind == Format.DYNAMODB or is_wrapped_item(content) or is_stored_item(content):
        return stored_row(name, line, unwrapped(content))
    return Row(file=name, line=line, values=content, format=Format.CSV if kind == Format.CSV else Format.JSONL)


def _cells(text: str, columns: Any) -> dict[str, str] | None:
    """Return the cells of a row of CSV by column, or None if they are not as many as columns."""
    cells = next(csv.reader([text]), [])
    return dict(zip(columns, cells, strict=True)) if len(cells) == len(columns) else None


def _lines(name: str, stream: BinaryIO) -> Iterator[bytes]:
    """Yield lines. A truncated file and a false compression are a bad file, not a bad line."""
    try:
        yield from stream
    except READ_ERRORS as error:
        raise unreadable(name, error) from error


def tables_of(name: str, stream: BinaryIO) -> set[str]:
    """Return the names of tables that a document has."""
    document = Document(JsonCursor(stream))
    try:
        return {entry.table for entry in document.entries() if entry.table is not None}
    except (*READ_ERRORS, DocumentError) as error:
        raise unreadable(name, error) from error


class DocumentRows:
    """The rows of one document.

    Args:
        name: The file.
        stream: Its contents.
        kind: The format that the user names, or None, so that the first item shows it.
        table: The table to read, of several, or None for the first one.
    """

    def __init__(self, name: str, stream: BinaryIO, kind: Format | None, table: str | None) -> None:
        self._name = name
        self._document = Document(JsonCursor(stream))
        self._stored = None if kind is None else kind is Format.DYNAMODB
        self._table = table
        self._is_chosen = table is not None

    @property
    def is_part(self) -> bool:
        """Whether the document says that it is only a part of a table."""
        return self._document.is_part

    def __iter__(self) -> Iterator[Row]:
        try:
            number = 0
            for entry in self._document.entries():
                if self._is_wanted(entry):
                    number += 1
                    yield self._row(number, entry.value)
        except (*READ_ERRORS, DocumentError) as error:
            raise unreadable(self._name, error) from error

    def _is_wanted(self, entry: Entry) -> bool:
        if entry.table is None:
            return True
        if self._table is None:
            self._table = entry.table
        if entry.table != self._table and not self._is_chosen:
            raise several_tables(self._name, {entry.table, self._table})
        return entry.table == self._table

    def _row(self, number: int, value: Any) -> Row:
        if not isinstance(value, dict):
            return Row(file=self._name, line=number, problem=NO_OBJECT, content=value)
        if is_request(value):
            request = value.get("PutRequest")
            if request is not None:
                return stored_row(self._name, number, request["Item"])
            return stored_row(self._name, number, value["DeleteRequest"]["Key"], is_deletion=True)
        if is_change(value):
            return change_row(self._name, number, value)
        if self._stored is None:
            self._stored = is_wrapped_item(value) or is_stored_item(value)
        if self._stored:
            return stored_row(self._name, number, unwrapped(value))
        return Row(file=self._name, line=number, values=value)
