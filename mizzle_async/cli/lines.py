"""Rows of files: one per line, with its origin. A bad line is a row, too."""

from __future__ import annotations

import csv
import io
import sys
import zlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final

import click
from attrs import define, field, frozen

from mizzle_async.cli.formats import STANDARD, Format, format_of, open_bytes
from mizzle_async.cli.values import check_dynamodb_item, json_bytes
from mizzle_async.errors import MizzleError
from mizzle_async.marshalling import parse_json

PARQUET_ROWS: Final = 1_000
"""The number of rows that are read from a Parquet file at a time."""


@frozen
class Row:
    """A row of input.

    Attributes:
        file: The file.
        line: Its first line, from 1 (Parquet: the row).
        values: The values by name, or None for a bad line.
        problem: The fault of a bad line, without its content.
        attribute: The bad attribute, if it is one attribute.
        text: The text of a bad line.
        format: The format of the file.
    """

    file: str
    line: int
    values: Mapping[str, Any] | None = field(repr=False)
    problem: str = ""
    attribute: str = ""
    text: str | None = field(default=None, repr=False)
    format: Format = Format.JSONL


@define
class Source:
    """Files of items, read one after the other, again whenever it is iterated.

    Attributes:
        files: Their names. ``-`` is standard input, which can be read once.
        format: The format that the user names, or None.
        position: The number of bytes read so far.
    """

    files: tuple[str, ...]
    format: str | None = None
    position: int = field(default=0, init=False)

    def check(self) -> None:
        """Check every file before any is read.

        Raises:
            click.UsageError: If a file does not exist or its format is unknown.
        """
        for name in self.files:
            if name != STANDARD and not Path(name).is_file():
                raise click.UsageError(f"{name} is not a file; to read a pipe, name it {STANDARD}")
        self.formats()

    def check_spared(self, path: Path) -> None:
        """Check that the rejects do not overwrite an input file.

        Raises:
            click.UsageError: If they would.
        """
        if path.exists() and any(path.samefile(name) for name in self.files if name != STANDARD):
            raise click.UsageError(f"{path} is an input file: name another file for the rejects, with --rejects")

    def formats(self) -> dict[str, Format]:
        """Return the format of each file.

        Raises:
            click.UsageError: If the format of a file is unknown.
        """
        return {name: format_of(name, self.format, reading=True) for name in self.files}

    @property
    def is_repeatable(self) -> bool:
        """Whether it can be read again."""
        return STANDARD not in self.files

    @property
    def size(self) -> int | None:
        """The size in bytes, or None if it is unknown."""
        return sum(Path(name).stat().st_size for name in self.files) if self.is_repeatable else None

    def __iter__(self) -> Iterator[Row]:
        done = 0
        for name, kind in self.formats().items():
            with open_bytes(name) as (stream, raw):
                for row in _READERS[kind](name, stream):
                    self.position = done + (raw.tell() if raw.seekable() else 0)
                    yield row
                if self.is_repeatable:
                    done += Path(name).stat().st_size


def _json_rows(name: str, stream: BinaryIO) -> Iterator[Row]:
    for number, line in enumerate(_lines(name, stream), 1):
        if not line.strip():
            continue
        try:
            values = parse_json(line)
            problem = "" if isinstance(values, dict) else 'expected an object, such as {"id": 1}'
        except ValueError as error:
            values, problem = None, str(error)
        if problem:
            yield Row(name, number, None, problem, text=line.decode("utf-8", "replace").rstrip("\r\n"))
        else:
            yield Row(name, number, values)


def _dynamodb_rows(name: str, stream: BinaryIO) -> Iterator[Row]:
    for row in _json_rows(name, stream):
        if row.values is None:
            yield row
            continue
        try:
            item = check_dynamodb_item(row.values.get("Item", row.values))
        except ValueError as error:
            path = getattr(error, "path", "")
            reason = error.message if isinstance(error, MizzleError) else str(error)
            yield Row(name, row.line, None, reason.removeprefix(f"{path}: "), path, json_bytes(row.values).decode())
        else:
            yield Row(name, row.line, item, format=Format.DYNAMODB)


def _lines(name: str, stream: BinaryIO) -> Iterator[bytes]:
    """Yield lines. A truncated file and a false gzip are a bad file, not a bad line."""
    try:
        yield from stream
    except (EOFError, OSError, zlib.error) as error:
        raise click.ClickException(f"{name} cannot be read to its end: {error}") from error


def _csv_rows(name: str, stream: BinaryIO) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)
    # Bytes that are not UTF-8 become surrogates and make their line bad, but the lines after it are read.
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    lines = _TextLines(name, text)
    reader = csv.reader(lines)
    try:
        header = next(reader, None)
        if header is None:
            return
        if not _is_clean(header):
            raise click.UsageError(f"{name} is not UTF-8")
        if "" in header or len(set(header)) < len(header):
            raise click.UsageError(f"{name}: the first line must name every column, and each once")
        yield from _csv_body(name, lines, reader, header)
    finally:
        text.detach()


class _TextLines:
    """The lines of a file, and whether a reader asked for more than there are."""

    def __init__(self, name: str, text: io.TextIOWrapper) -> None:
        self._name = name
        self._text = text
        self.ended: bool = False

    def __iter__(self) -> _TextLines:
        return self

    def __next__(self) -> str:
        try:
            line = self._text.readline()
        except (EOFError, OSError, zlib.error) as error:
            raise click.ClickException(f"{self._name} cannot be read to its end: {error}") from error
        if not line:
            self.ended = True
            raise StopIteration
        return line


def _csv_body(name: str, lines: _TextLines, reader: Any, header: list[str]) -> Iterator[Row]:
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        if not cells:
            continue
        problem = ""
        if lines.ended:  # the file ended in the middle of a row: everything since the quote is in it
            problem = "a quote is opened and never closed"
        elif len(cells) != len(header):
            problem = f"expected {len(header)} columns, got {len(cells)}"
        elif not _is_clean(cells):
            problem = "not UTF-8"
        if problem:
            shown = io.StringIO()
            csv.writer(shown, lineterminator="").writerow(cells)
            yield Row(name, line, None, problem, text=shown.getvalue().encode("utf-8", "replace").decode())
        else:
            yield Row(name, line, dict(zip(header, cells, strict=True)), format=Format.CSV)


def _is_clean(cells: list[str]) -> bool:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True


def _parquet_rows(name: str, stream: BinaryIO) -> Iterator[Row]:
    from mizzle_async.cli.parquet import read_rows

    try:
        for number, values in enumerate(read_rows(stream, PARQUET_ROWS), 1):
            yield Row(name, number, {key: _plain(value) for key, value in values.items() if value is not None})
    except (OSError, ValueError) as error:  # as the errors of pyarrow are
        raise click.ClickException(f"{name} cannot be read to its end: {error}") from error


def _plain(value: Any) -> Any:
    """Return a value of Parquet for plain JSON: a float as its shortest number, a date as text."""
    match value:
        case float():
            return Decimal(repr(value))
        case list():
            return [_plain(element) for element in value]
        case dict():
            return {name: _plain(member) for name, member in value.items() if member is not None}
        case _ if hasattr(value, "isoformat"):
            return value.isoformat()
        case _:
            return value


_READERS: Final = {
    Format.JSONL: _json_rows,
    Format.DYNAMODB: _dynamodb_rows,
    Format.CSV: _csv_rows,
    Format.PARQUET: _parquet_rows,
}
