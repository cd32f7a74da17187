"""Rows of CSV: the delimiter and the header of a file are looked at before its first row."""

from __future__ import annotations

import csv
import difflib
import io
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final

import click
from attrs import frozen

from mizzle_async.cli.files.opening import READ_ERRORS
from mizzle_async.cli.files.rows import STORED_TYPES, ReadOptions, Row, unreadable
from mizzle_async.cli.formats import Format, plain_suffix

DELIMITERS: Final = (",", ";", "\t", "|")
"""The delimiters that are guessed, the usual one first."""

LONGEST_RECORD: Final = 8 * 1024 * 1024
"""Characters of one row, beyond which a quote must have been left open: no item is as large."""

COLUMNS_SHOWN: Final = 10

TYPED_COLUMN: Final = re.compile(rf"(?P<name>.+) \((?P<type>{'|'.join(STORED_TYPES)})\)")
"""A column as the AWS console heads it, with the type of its cells."""

Needed = Sequence[Sequence[str]]
"""The columns that a file must have, each with its other names."""


@frozen
class Header:
    """The header of a file.

    Attributes:
        names: The name of each column. An empty one belongs to a column that must be empty.
        types: The stored types of columns, if the file names them.
    """

    names: tuple[str, ...]
    types: Mapping[str, str]


def csv_rows(name: str, stream: BinaryIO, options: ReadOptions, needed: Needed) -> Iterator[Row]:
    """Yield the rows of a file.

    Args:
        name: The file.
        stream: Its contents, in UTF-8.
        options: The options for reading it.
        needed: The columns that it must have.

    Raises:
        click.UsageError: If its header cannot be that of items for the table.
        click.ClickException: If it is damaged.
    """
    csv.field_size_limit(sys.maxsize)
    # Bytes that are not UTF-8 become surrogates and make their line bad, but the lines after it are read.
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    lines = TextLines(name, text)
    first = lines.take_first()
    try:
        delimiter = options.delimiter or _delimiter(name, first, needed)
        reader = csv.reader(lines, delimiter=delimiter)
        cells = next(reader, None)
        if cells is None:
            return
        header = _header(name, cells, delimiter, options, needed)
        yield from _Body(name, lines, reader, header, options).rows()
    finally:
        text.detach()


class TextLines:
    """The lines of a file, and whether a reader asked for more than there are."""

    def __init__(self, name: str, text: io.TextIOWrapper) -> None:
        self._name = name
        self._text = text
        self._first: str | None = None
        self._passed = 0
        self.taken: int = 0
        self.ended: bool = False

    def __iter__(self) -> TextLines:
        return self

    def __next__(self) -> str:
        line = self._next_line()
        if not line:
            self.ended = True
            raise StopIteration
        self.taken += len(line)
        if self.taken > LONGEST_RECORD:
            raise click.ClickException(
                f"{self._name} cannot be read to its end: a quote is opened and never closed, or a row has more than"
                f" {LONGEST_RECORD:,} characters"
            )
        return line

    def _next_line(self) -> str:
        first, self._first = self._first, None
        return self._read() if first is None else first

    def _read(self) -> str:
        try:
            return self._text.readline()
        except READ_ERRORS as error:
            raise unreadable(self._name, error) from error

    @property
    def passed(self) -> int:
        """The number of lines before the first that a reader sees."""
        return self._passed

    def take_first(self) -> str:
        """Return the first line, which stays. A line such as ``sep=;`` is returned once, and passed."""
        line = self._read()
        if re.match(r"sep=.\r?\n?$", line):
            self._passed = 1
            return line
        self._first = line
        return line


def _delimiter(name: str, first: str, needed: Needed) -> str:
    """Return the delimiter, by the first line."""
    declared = re.match(r"sep=(.)\r?\n?$", first)
    if declared:
        return declared[1]
    if plain_suffix(name) in {".tsv", ".tab"}:
        return "\t"
    columns = {sign: next(csv.reader([first], delimiter=sign), []) for sign in DELIMITERS}
    for sign in DELIMITERS:
        if needed and not _missing(columns[sign], needed):
            return sign
    return max(DELIMITERS, key=lambda sign: len(columns[sign]))


def _header(name: str, cells: list[str], delimiter: str, options: ReadOptions, needed: Needed) -> Header:
    """Return the header.

    Raises:
        click.UsageError: If it cannot be one.
    """
    if not is_clean(cells):
        raise click.UsageError(f"{name} is not UTF-8: name its encoding with --encoding, such as cp1252")
    if options.strip:
        cells = [cell.strip() for cell in cells]
    typed = [TYPED_COLUMN.fullmatch(cell) for cell in cells]
    types: dict[str, str] = {}
    if all(typed) and cells:
        types = {match["name"]: match["type"] for match in typed if match is not None}
        cells = [match["name"] for match in typed if match is not None]
    named = [cell for cell in cells if cell]
    repeated = sorted({cell for cell in named if named.count(cell) > 1})
    if repeated:
        raise click.UsageError(f"{name}: the first line names the column {repeated[0]!r} twice")
    missing = _missing(cells, needed)
    if missing:
        raise click.UsageError(_lacks(name, missing[0], named, delimiter))
    return Header(tuple(cells), types)


def _missing(cells: Sequence[str], needed: Needed) -> list[str]:
    """Return the first name of each column that is needed and not there."""
    present = {match["name"] if (match := TYPED_COLUMN.fullmatch(cell)) else cell for cell in cells}
    return [names[0] for names in needed if present.isdisjoint({*names, *(name.strip() for name in names)})]


def _lacks(name: str, missing: str, columns: list[str], delimiter: str) -> str:
    folded = {column.strip().casefold(): column for column in columns}
    close = difflib.get_close_matches(missing.casefold(), folded, n=1)
    alike = f"; {folded[close[0]]!r} is spelled alike" if close else ""
    shown = ", ".join(map(repr, columns[:COLUMNS_SHOWN])) + (", …" if len(columns) > COLUMNS_SHOWN else "")
    return (
        f"{name}: the first line has no column {missing!r}, which every item of the table needs; its columns, separated"
        f" by {delimiter!r}: {shown}{alike}. Another separator is named with --delimiter"
    )


def is_clean(cells: Sequence[str]) -> bool:
    """Return whether cells are UTF-8."""
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True


class _Body:
    """The rows below a header."""

    def __init__(self, name: str, lines: TextLines, reader: Any, header: Header, options: ReadOptions) -> None:
        self._name = name
        self._lines = lines
        self._reader = reader
        self._header = header
        self._options = options
        self._types = dict(header.types)

    def rows(self) -> Iterator[Row]:
        is_first = True
        while True:
            line = self._reader.line_num + self._lines.passed + 1
            self._lines.taken = 0
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            if not cells:
                continue
            if is_first and self._names_types(cells):
                self._types = dict(zip(self._header.names, cells, strict=True))
            else:
                yield self._row(line, cells)
            is_first = False

    def _names_types(self, cells: list[str]) -> bool:
        """Return whether the second line of the file names the types of columns, as NoSQL Workbench's does."""
        return len(cells) == len(self._header.names) > 1 and all(cell in STORED_TYPES for cell in cells)

    def _row(self, line: int, cells: list[str]) -> Row:
        names = self._header.names
        if self._options.strip:
            cells = [cell.strip() for cell in cells]
        if self._options.short_rows:
            cells += [""] * (len(names) - len(cells))
        problem = self._problem(cells)
        if problem:
            shown = io.StringIO()
            csv.writer(shown, lineterminator="").writerow(cells)
            text = shown.getvalue().encode("utf-8", "replace").decode()
            return Row(file=self._name, line=line, problem=problem, content=text, format=Format.CSV, columns=names)
        values = {name: cell for name, cell in zip(names, cells, strict=True) if name}
        return Row(file=self._name, line=line, values=values, format=Format.CSV, types=self._types)

    def _problem(self, cells: list[str]) -> str:
        names = self._header.names
        if self._lines.ended:  # the file ended in the middle of a row: everything since the quote is in it
            return "a quote is opened and never closed"
        if len(cells) < len(names):
            return f"expected {len(names)} columns, got {len(cells)}: --short-rows takes missing cells as absent"
        if len(cells) > len(names):
            return f"expected {len(names)} columns, got {len(cells)}"
        if not is_clean(cells):
            return "not UTF-8: --encoding names another encoding"
        if any(cell for name, cell in zip(names, cells, strict=True) if not name):
            return "a cell stands in a column without a name"
        return ""
