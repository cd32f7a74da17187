"""Output of items: lines, CSV, or a table on a terminal."""

from __future__ import annotations

import csv
import io
import sys
import tempfile
from collections.abc import Iterable, Sequence
from typing import IO, Any, BinaryIO, Final, Literal

import click
import orjson
from attrs import define, field

from mizzle_async.cli.values import cell, counted, dynamodb_line, json_line
from mizzle_async.types import Item

Shown = Literal["table", "vertical", "jsonl", "dynamodb", "csv"]
SHOWN: Final = ("table", "vertical", "jsonl", "dynamodb", "csv")
MOST_ROWS: Final = 1_000
"""The rows of a table on a terminal, which is laid out as a whole. Further rows are only counted."""


def csv_line(cells: Iterable[str]) -> bytes:
    """Return a line of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def csv_row(item: Item, columns: Sequence[str]) -> bytes:
    """Return an item as a line of CSV."""
    return csv_line(cell(item.get(name)) for name in columns)


@define
class Printer:
    """Writes items to standard output as they arrive.

    Attributes:
        shown: The layout.
        columns: The attributes to show, in order. Empty shows all.
        first: The attributes that come first, if none are named.
        count: The number of items so far.
        seen: The attributes that items had.
    """

    shown: Shown
    columns: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    count: int = field(default=0, init=False)
    seen: dict[str, None] = field(factory=dict, init=False, repr=False)
    _rows: list[Item] = field(factory=list, init=False, repr=False)
    _spool: IO[bytes] | None = field(default=None, init=False)
    _known: dict[str, None] = field(factory=dict, init=False)

    def add(self, item: Item) -> None:
        """Write an item."""
        self.count += 1
        if self.columns:
            self.seen.update(dict.fromkeys(item))
            item = {name: item[name] for name in self.columns if name in item}
        output = _output()
        match self.shown:
            case "jsonl":
                output.write(json_line(item))
            case "dynamodb":
                output.write(dynamodb_line(item))
            case "csv" if self.columns:
                if self.count == 1:
                    output.write(csv_line(self.columns))
                output.write(csv_row(item, self.columns))
            case "csv":
                # The columns are those of all items, which are known at the end.
                if self._spool is None:
                    self._spool = tempfile.TemporaryFile()  # noqa: SIM115  (closed in `end`)
                self._known.update(dict.fromkeys(item))
                self._spool.write(orjson.dumps(item) + b"\n")
            case _:
                if self.count <= MOST_ROWS:
                    self._rows.append(item)

    def unseen(self) -> list[str]:
        """Return the named attributes that no item had, if there were items."""
        return [name for name in self.columns if name not in self.seen] if self.count else []

    def end(self) -> None:
        """Write the rest."""
        if self.shown in {"table", "vertical"}:
            from mizzle_async.cli.drawing import draw

            draw(self._rows, self._names(), is_vertical=self.shown == "vertical")
            more = f", {self.count - MOST_ROWS:,} not shown: use --limit, or --json" if self.count > MOST_ROWS else ""
            click.echo(f"{counted(self.count, 'item')}{more}", err=True)
        elif self._spool is not None:
            with self._spool as spool:
                spool.seek(0)
                write_csv(_output(), (orjson.loads(line) for line in spool), tuple(self._known))
        elif self.shown == "csv" and self.columns and not self.count:
            _output().write(csv_line(self.columns))
        _output().flush()

    def _names(self) -> tuple[str, ...]:
        """Return the columns of a table: the named ones, or all, those of the key first."""
        names = dict.fromkeys(name for item in self._rows for name in item)
        return self.columns or tuple(dict.fromkeys([*(name for name in self.first if name in names), *names]))


def write_csv(output: Any, items: Iterable[Item], columns: Sequence[str]) -> None:
    """Write items as CSV, with a header."""
    output.write(csv_line(columns))
    for item in items:
        output.write(csv_row(item, columns))


def _output() -> BinaryIO:
    return sys.stdout.buffer


def shown_as(argument: str | None, *, as_json: bool) -> Any:
    """Return the layout: the user's, else a table on a terminal and lines elsewhere."""
    if argument is not None:
        return argument
    return "table" if sys.stdout.isatty() and not as_json else "jsonl"
