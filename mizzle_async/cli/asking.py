"""Questions before something is changed or deleted, with the number of items."""

from __future__ import annotations

import signal
import sys
from typing import Any, Final

import click

from mizzle_async.cli.handles import Opened
from mizzle_async.cli.selections import Selection
from mizzle_async.cli.values import counted, json_bytes
from mizzle_async.handles.query import Query

PAGES_COUNTED: Final = 10
"""The number of pages, of a MB each, that are counted before a question. Counting a whole table would cost as much as
reading it."""


def ask(question: str) -> None:
    """Ask on standard error, because standard output is for the report.

    Raises:
        click.Abort: If the answer is not yes.
        KeyboardInterrupt: On Ctrl-C, which the loop would see only after the answer.
    """
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        click.echo(f"{question} [y/N]: ", nl=False, err=True)
        answer = sys.stdin.readline()
        if answer.strip().lower() not in {"y", "yes"}:
            if not answer:
                click.echo("no answer: --yes goes on without the question", err=True)
            raise click.Abort
    finally:
        signal.signal(signal.SIGINT, heard)


async def tell_dry_run(command: str, verb: str, rows: Query[Any], *, as_json: bool) -> None:
    """Print the number of items that a command would work on.

    Args:
        command: The command, for the report in JSON.
        verb: The work in words, such as ``change``.
        rows: The selected items.
        as_json: Whether JSON is wanted.
    """
    number = await rows.count()
    numbers = {"command": command, "dry_run": True, "items": number}
    text = f"would {verb} {counted(number, 'item')}, a write unit for each KB"
    click.echo(json_bytes(numbers) if as_json else text)


async def count_before(opened: Opened, selection: Selection) -> str:
    """Return the number of selected items in words: counted in the first pages, or reported by the service."""
    if selection.is_everything and opened.description.item_count:
        return f"every item, about {opened.description.item_count:,},"
    names = opened.key_names[:1]
    rows = selection.rows(opened).project(*(opened.table.attribute(name) for name in names))
    number, cursor = 0, None
    for _ in range(PAGES_COUNTED):
        page = await rows.page(cursor)
        number += len(page.items)
        cursor = page.cursor
        if cursor is None:
            return counted(number, "item")
    return f"more than {number:,} items"
