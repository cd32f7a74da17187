"""A page as prompts and notebooks show it: its first rows, and whether there is another page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from typing import Any, Final

from attrs import fields, has

_TEXT_ROWS: Final = 5
_HTML_ROWS: Final = 50
_CURSOR_LETTERS: Final = 16
_CELL_LETTERS: Final = 120
_VALUE: Final = "value"
"""The column of rows that have no attributes, such as projections of one path."""


def page_text(items: Sequence[Any], cursor: str | None, *, evaluated: int, read_units: float | None) -> str:
    """Return a page in one line, for a prompt.

    Args:
        items: The rows.
        cursor: Where the next page starts, or None.
        evaluated: Items read, before the filter.
        read_units: Consumed read units, or None where they were not asked for.
    """
    shown = [repr(item) for item in islice(items, _TEXT_ROWS)]
    if len(items) > _TEXT_ROWS:
        shown.append(f"… {len(items) - _TEXT_ROWS:,} more")
    units = "" if read_units is None else f", read_units={read_units:g}"
    return f"Page(items=[{', '.join(shown)}], cursor={_cursor(cursor)}, evaluated={evaluated}{units})"


def page_html(items: Sequence[Any], cursor: str | None, *, evaluated: int, read_units: float | None) -> str:
    """Return a page as an HTML table, for a notebook. Every value is escaped.

    Args:
        items: The rows.
        cursor: Where the next page starts, or None.
        evaluated: Items read, before the filter.
        read_units: Consumed read units, or None where they were not asked for.
    """
    rows = [_cells(item) for item in islice(items, _HTML_ROWS)]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    head = _line("th", columns)
    body = "".join(_line("td", (_cell(row[name]) if name in row else "" for name in columns)) for row in rows)
    more = f" ({_HTML_ROWS} shown)" if len(items) > _HTML_ROWS else ""
    units = "" if read_units is None else f", {read_units:g} read units"
    note = f"{len(items):,} items{more}, {evaluated:,} evaluated{units}, cursor {_cursor(cursor)}"
    table = f"<table><thead>{head}</thead><tbody>{body}</tbody></table>" if rows else ""
    return f"{table}<p>{escape(note)}</p>"


def _cursor(cursor: str | None) -> str:
    """Return the beginning of a cursor: all of it may be long, and says nothing to a reader."""
    if cursor is None or len(cursor) <= _CURSOR_LETTERS:
        return repr(cursor)
    return repr(f"{cursor[:_CURSOR_LETTERS]}…")


def _cells(row: Any) -> dict[str, Any]:
    """Return a row's values by column."""
    if isinstance(row, dict):
        return {str(name): value for name, value in row.items()}
    if has(type(row)):
        return {field.name: getattr(row, field.name) for field in fields(type(row))}
    if isinstance(row, tuple):
        return {f"{position}": value for position, value in enumerate(row)}
    return {_VALUE: row}


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _CELL_LETTERS else f"{text[: _CELL_LETTERS - 1]}…"


def _line(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
