"""Rows of files, each with its origin, and the options for reading them. A bad line is a row, too."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import click
from attrs import field, frozen

from mizzle_async.cli.formats import Format

Nan: TypeAlias = Literal["reject", "omit", "null"]
"""The handling of a NaN of Parquet: its row is bad, it is absent, or it is null."""

NO_TYPES: Final[Mapping[str, str]] = MappingProxyType({})
STORED_TYPES: Final = ("S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M")


@frozen(kw_only=True)
class Row:
    """A row of input.

    Attributes:
        file: The file.
        line: Its first line, from 1. Of Parquet it is the row, of a file that is one document, the item.
        values: The values by name, or None for a bad line.
        problem: The fault of a bad line, without its content.
        attribute: The bad attribute, if it is one attribute.
        content: A bad line: its text, or its values.
        format: The format of the values.
        types: The stored types of attributes that the file itself names.
        columns: The header of the file, of a bad line of CSV.
        is_deletion: Whether the row is the key of an item to delete.
        written_at: The time of the change in microseconds, in an incremental export.
    """

    file: str
    line: int
    values: Mapping[str, Any] | None = field(default=None, repr=False)
    problem: str = ""
    attribute: str = ""
    content: Any = field(default=None, repr=False)
    format: Format = Format.JSONL
    types: Mapping[str, str] = NO_TYPES
    columns: tuple[str, ...] = ()
    is_deletion: bool = False
    written_at: int | None = None


@frozen(kw_only=True)
class ReadOptions:
    """The options for reading files.

    Attributes:
        format: The format that the user names, or None.
        delimiter: The character between cells of CSV. None looks at the first line.
        encoding: The encoding of text. None is UTF-8, or the one that the first bytes show.
        types: The stored types of attributes, by name.
        json_cells: Whether a cell of CSV that is JSON has its value.
        strip: Whether blanks around a cell are left out.
        short_rows: Whether missing cells at the end of a row are absent attributes.
        source_table: The table to read, of a file that has several.
        nan: The handling of a NaN of Parquet.
    """

    format: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    types: Mapping[str, str] = field(factory=dict)
    json_cells: bool = False
    strip: bool = False
    short_rows: bool = False
    source_table: str | None = None
    nan: Nan = "reject"


def unreadable(name: str, error: BaseException) -> click.ClickException:
    """Return the error of a file that is damaged, in distinction from a bad line."""
    return click.ClickException(f"{name} cannot be read to its end: {error}")
