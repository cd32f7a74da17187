"""Rows on their way to a worker: lines of JSON as they are, other rows pickled."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from attrs import define, fields

from mizzle_async.cli.files.json_rows import RawLine, line_row
from mizzle_async.cli.files.rows import ReadOptions, Row

DealtRow: TypeAlias = tuple[str, int, bytes, bool] | bytes
"""A line of JSON with its origin, or a row of another layout, pickled."""

_MEMBERS: Final = tuple(each.name for each in fields(Row))
_MAPPINGS: Final = frozenset({"values", "types"})


def packed(row: RawLine | Row) -> DealtRow:
    """Return a row as it travels."""
    if isinstance(row, RawLine):
        return (row.file, row.line, row.content, row.is_stored)
    members = [getattr(row, name) for name in _MEMBERS]
    return pickle.dumps(
        [
            dict(each) if name in _MAPPINGS and each is not None else each
            for name, each in zip(_MEMBERS, members, strict=True)
        ]
    )


def packed_size(row: DealtRow) -> int:
    """Return about how many bytes a row has on its way."""
    return len(row) if isinstance(row, bytes) else len(row[2])


def unpacked(dealt: DealtRow) -> Row:
    """Return the row that has arrived."""
    if isinstance(dealt, bytes):
        return Row(**dict(zip(_MEMBERS, pickle.loads(dealt), strict=True)))  # noqa: S301  (of our own parent)
    return line_row(RawLine(*dealt))


@define
class DealtRows:
    """The rows that a worker was dealt, as a source.

    Attributes:
        dealt: The rows.
        options: The options for reading files.
        needed: The columns that a CSV file must have: those of the parent were checked.
        target: The table that is loaded.
    """

    dealt: Sequence[DealtRow]
    options: ReadOptions
    needed: tuple[tuple[str, ...], ...] = ()
    target: str = ""

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows."""
        return map(unpacked, self.dealt)
