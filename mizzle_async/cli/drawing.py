"""Items on a terminal: a table, or one below the other where a table is too wide."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from mizzle_async.cli.values import cell
from mizzle_async.types import Item

CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters, except tabulators and line feeds."""

LONGEST_CELL: Final = 40
"""The width that a long value takes in a table before the table counts as too wide."""

BORDER: Final = 3
"""The width of the line and the blanks of a column."""


def draw(items: Sequence[Item], columns: Sequence[str], *, is_vertical: bool) -> None:
    """Print items.

    Args:
        items: The items.
        columns: The attributes to print, in order.
        is_vertical: Whether they are printed one below the other in any case.
    """
    if not columns:
        return
    console = Console()
    if is_vertical or _width(items, columns) > console.width:
        _draw_vertically(console, items, columns)
        return
    grid = Table()
    for name in columns:
        grid.add_column(_plain(name))
    for item in items:
        grid.add_row(*(_plain(cell(item.get(name))) for name in columns))
    console.print(grid)


def _width(items: Sequence[Item], columns: Sequence[str]) -> int:
    """Return the width of a table in which no value of usual length is broken."""
    widths = [max(len(name), *(min(len(cell(item.get(name))), LONGEST_CELL) for item in items), 0) for name in columns]
    return sum(widths) + BORDER * len(columns) + 1


def _draw_vertically(console: Console, items: Sequence[Item], columns: Sequence[str]) -> None:
    for number, item in enumerate(items, 1):
        console.print(Rule(f"{number:,}", align="left"))
        grid = Table.grid(padding=(0, 2))
        for name in columns:
            if name in item:
                grid.add_row(_plain(name), _plain(cell(item[name])))
        console.print(grid)


def _plain(text: str) -> Text:
    """Return text without markup and control characters."""
    return Text(CONTROLS.sub(lambda match: repr(match[0])[1:-1], text))
