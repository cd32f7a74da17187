"""Read and show rows, for `query` and `scan`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from mizzle_async.cli.advice import advise, alike
from mizzle_async.cli.exit_codes import DONE, NOT_FOUND
from mizzle_async.cli.handles import open_table
from mizzle_async.cli.outgoing import SHOWN, Printer, shown_as
from mizzle_async.cli.selections import Selection
from mizzle_async.handles.client import Client

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def showing(command: CommandT) -> CommandT:
    """Add the options of the layout to a command, as its argument ``showing``."""

    @click.option(
        "--format",
        "given",
        type=click.Choice(SHOWN),
        help="The layout.  [default: on a terminal table, or vertical if that is too wide; jsonl elsewhere]",
    )
    @click.option("--json", "as_json", is_flag=True, help="The same as --format jsonl.")
    @click.option("--columns", metavar="NAMES", help="Only these attributes, in this order, separated by commas.")
    @functools.wraps(command)
    def wrapped(*arguments: Any, given: str | None, as_json: bool, columns: str | None, **options: Any) -> Any:
        if as_json and given not in {None, "jsonl"}:
            raise click.UsageError(f"--json is --format jsonl, not --format {given}")
        names = tuple(name for name in (columns or "").split(",") if name)
        return command(*arguments, showing=Printer(shown_as(given, as_json=as_json), names), **options)

    return wrapped  # type: ignore[return-value]  # functools.wraps hides the type


async def show_rows(
    client: Client, *, table: str | None, model: str | None, selection: Selection, showing: Printer
) -> int:
    """Read the selected items, and show them as they arrive."""
    opened = await open_table(client, table, model)
    showing.first = opened.key_names
    showing.columns = tuple(map(opened.stored_name, showing.columns))
    rows = selection.rows(opened)
    encode = opened.stored_codec.encode
    try:
        async with rows.stream() as items:
            async for row in items:
                item = encode(row)
                showing.add(item if showing.shown == "dynamodb" else opened.natural(item))
    finally:
        showing.end()
    for name in showing.unseen():
        click.echo(f"no item has an attribute {name!r}{alike(name, showing.seen)}", err=True)
    if showing.count:
        return DONE
    if showing.shown != "table":
        click.echo("no items", err=True)
    for sentence in await advise(opened, selection):
        click.echo(sentence, err=True)
    return NOT_FOUND
