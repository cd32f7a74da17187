"""`mizzle-async get`: show one item."""

from __future__ import annotations

import sys

import click

from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.exit_codes import DONE, EXIT_CODES, NOT_FOUND
from mizzle_async.cli.handles import Opened, open_table
from mizzle_async.cli.selections import table_named
from mizzle_async.cli.values import dynamodb_line, json_bytes, json_line
from mizzle_async.handles.client import Client
from mizzle_async.marshalling import plain_item
from mizzle_async.types import Item


@click.command(short_help="Show one item.", epilog=EXIT_CODES)
@click.argument("key", nargs=-1, required=True, metavar="PARTITION [SORT]")
@table_named
@click.option("--consistent", is_flag=True, help="Read consistently: every finished write, at twice the cost.")
@click.option("--json", "as_json", is_flag=True, help="Print one line, as when the output is not a terminal.")
@click.option("--dynamodb", "as_dynamodb", is_flag=True, help="Print DynamoDB's own JSON, on one line.")
@connected
def get(
    connection: Connection,
    key: tuple[str, ...],
    table: str | None,
    model: str | None,
    *,
    consistent: bool,
    as_json: bool,
    as_dynamodb: bool,
) -> None:
    """Show the item of a key, as JSON."""

    async def work(client: Client) -> int:
        opened = await open_table(client, table, model)
        row = await opened.table.get(opened.key(key), consistent_read=consistent, include_expired=True)
        if row is None:
            click.echo(f"no such item in {opened.table.name}", err=True)
            return NOT_FOUND
        item = opened.stored_codec.encode(row)
        show_item(opened, item, as_json=as_json, as_dynamodb=as_dynamodb)
        return DONE

    connection.run(work)


def show_item(opened: Opened, item: Item, *, as_json: bool = False, as_dynamodb: bool = False) -> None:
    """Print an item: over several lines on a terminal, on one line elsewhere.

    Args:
        opened: The table.
        item: The stored form of the item.
        as_json: Whether it is one line in any case.
        as_dynamodb: Whether it is DynamoDB's own JSON.
    """
    if as_dynamodb:
        click.echo(dynamodb_line(item), nl=False)
    elif as_json or not sys.stdout.isatty():
        click.echo(json_line(opened.natural(item)), nl=False)
    else:
        click.echo(json_bytes(plain_item(opened.natural(item)), indent=True))
