"""The files of a command as one sequence of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import click
from attrs import define, field

from mizzle_async.cli.files.csv_rows import csv_rows
from mizzle_async.cli.files.documents import choose_table
from mizzle_async.cli.files.folders import InputFile, expand
from mizzle_async.cli.files.ion_rows import ion_rows
from mizzle_async.cli.files.json_rows import (
    DocumentRows,
    RawLine,
    change_rows,
    line_rows,
    raw_lines,
    reject_rows,
    stored_line_rows,
    tables_of,
)
from mizzle_async.cli.files.layouts import Layout, layout_of
from mizzle_async.cli.files.opening import READ_ERRORS, open_input
from mizzle_async.cli.files.parquet_rows import parquet_rows
from mizzle_async.cli.files.rows import ReadOptions, Row, unreadable
from mizzle_async.cli.formats import STANDARD, Format, format_of_name
from mizzle_async.cli.rejects import say_aside

RowT = TypeVar("RowT")

LINE_READERS: dict[Layout, Callable[[str, BinaryIO], Iterator[Row]]] = {
    Layout.LINES: line_rows,
    Layout.STORED_LINES: stored_line_rows,
    Layout.CHANGES: change_rows,
    Layout.REJECTS: reject_rows,
    Layout.ION: ion_rows,
}


@define
class Source:
    """Files of items, read one after the other, again whenever it is iterated.

    Attributes:
        names: Their names, as the user gives them. ``-`` is standard input, which can be read once.
        options: The options for reading them.
        needed: The columns that a CSV file must have, each with its other names.
        target: The table that is loaded.
        say: Prints a line for the user.
        position: The number of bytes read so far.
    """

    names: tuple[str, ...]
    options: ReadOptions = field(factory=ReadOptions)
    needed: tuple[tuple[str, ...], ...] = ()
    target: str = ""
    say: Callable[[str], object] = say_aside
    position: int = field(default=0, init=False)
    files: list[InputFile] = field(factory=list, init=False)
    _tables: dict[str, str | None] = field(factory=dict, init=False)
    _noted: set[str] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        """Find the files.

        Raises:
            click.UsageError: If one does not exist.
        """
        self.files = expand(self.names)

    def check(self) -> None:
        """Check every file before any is read: that it is whole, and of a layout that is known.

        Raises:
            click.UsageError: If it is not.
        """
        for file in self.files:
            if _is_stream(file.name):
                if Format.PARQUET in {self.options.format, format_of_name(file.name)}:
                    raise click.UsageError("Parquet is read from a file, not from a pipe: its end is read first")
                continue
            file.check()
            with self._open(file.name) as (contents, _):
                layout, stream = layout_of(file.name, contents, self.options.format)
                if layout is Layout.DOCUMENT:
                    tables = tables_of(file.name, stream) if self._may_have_tables(file.name) else set[str]()
                    self._tables[file.name] = choose_table(file.name, tables, self.target, self.options.source_table)

    def check_spared(self, path: Path) -> None:
        """Check that the rejects do not overwrite an input file.

        Raises:
            click.UsageError: If they would.
        """
        if path.exists() and self.has(path):
            raise click.UsageError(f"{path} is an input file: name another file for the rejects, with --rejects")

    def has(self, path: Path) -> bool:
        """Return whether a file that exists is one of the input."""
        return any(path.samefile(file.name) for file in self.files if file.name != STANDARD)

    @property
    def is_repeatable(self) -> bool:
        """Whether it can be read again."""
        return not any(_is_stream(file.name) for file in self.files)

    @property
    def size(self) -> int | None:
        """The size in bytes, or None if it is unknown."""
        return sum(Path(file.name).stat().st_size for file in self.files) if self.is_repeatable else None

    def again(self) -> Source:
        """Return the same files, to read them from the beginning meanwhile."""
        again = Source(self.names, self.options, self.needed, self.target)
        again._tables, again._noted = self._tables, self._noted
        return again

    def __iter__(self) -> Iterator[Row]:
        return self._each(self._rows)

    def unread(self) -> Iterator[RawLine | Row]:
        """Yield lines of JSON as they are, and rows of other layouts, in the same order."""
        return self._each(self._unread_rows)

    def _each(self, rows_of: Callable[[str, Layout, BinaryIO, BinaryIO], Iterator[RowT]]) -> Iterator[RowT]:
        """Yield the rows of all files.

        Args:
            rows_of: Returns the rows of a file, by its name, its layout, its contents and its bytes.
        """
        done = 0
        for file in self.files:
            with self._open(file.name) as (contents, raw):
                count = 0
                layout, stream = layout_of(file.name, contents, self.options.format)
                for row in rows_of(file.name, layout, stream, raw):
                    self.position = done + (raw.tell() if raw.seekable() else 0)
                    count += 1
                    yield row
                if file.items is not None and count != file.items:
                    raise click.ClickException(f"{file.name} has {count:,} items, and its manifest says {file.items:,}")
                if not count:
                    self._note(f"{file.name} has no items")
                if not _is_stream(file.name):
                    done += Path(file.name).stat().st_size

    def _unread_rows(self, name: str, layout: Layout, stream: BinaryIO, raw: BinaryIO) -> Iterator[RawLine | Row]:
        if layout in {Layout.LINES, Layout.STORED_LINES}:
            return raw_lines(name, stream, is_stored=layout is Layout.STORED_LINES)
        return self._rows(name, layout, stream, raw)

    def _rows(self, name: str, layout: Layout, stream: BinaryIO, raw: BinaryIO) -> Iterator[Row]:
        if layout is Layout.CSV:
            yield from csv_rows(name, stream, self.options, self.needed)
        elif layout is Layout.PARQUET:
            if not raw.seekable():
                raise click.UsageError("Parquet is read from a file, not from a pipe: its end is read first")
            raw.seek(0)
            yield from parquet_rows(name, raw, self.options.nan)
        elif layout is Layout.DOCUMENT:
            kind = None if self.options.format is None else Format(self.options.format)
            document = DocumentRows(name, stream, kind, self._tables.get(name) or self.options.source_table)
            yield from document
            if document.is_part:
                self._note(f"{name} is one page of a table: its NextToken or LastEvaluatedKey says that more follows")
        else:
            yield from LINE_READERS[layout](name, stream)

    def _open(self, name: str) -> open_input:
        return open_input(name, self.options.encoding)

    def _may_have_tables(self, name: str) -> bool:
        """Return whether a document may name tables: it is an object then."""
        with self._open(name) as (stream, _):
            try:
                head = stream.read(4096)
            except READ_ERRORS as error:
                raise unreadable(name, error) from error
            return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")

    def _note(self, text: str) -> None:
        """Print a note, once."""
        if text not in self._noted:
            self._noted.add(text)
            self.say(text)


def _is_stream(name: str) -> bool:
    return name == STANDARD or not Path(name).is_file()
