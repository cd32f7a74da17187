"""`mizzle-async put`: put one item."""

from __future__ import annotations

from typing import Any

import click

from mizzle_async.cli.clauses import built, condition_steps, conditional
from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.exit_codes import DONE, EXIT_CODES, NOT_DONE
from mizzle_async.cli.files.opening import standard_input
from mizzle_async.cli.files.shapes import is_stored_item, is_wrapped_item
from mizzle_async.cli.formats import STANDARD
from mizzle_async.cli.get import show_item
from mizzle_async.cli.handles import Opened, open_table
from mizzle_async.cli.keys import check_keys
from mizzle_async.cli.selections import table_named
from mizzle_async.cli.values import check_dynamodb_item
from mizzle_async.errors import ConditionalCheckFailedError, ItemExistsError, MarshallingError
from mizzle_async.handles.client import Client
from mizzle_async.marshalling import item_from_plain, parse_json
from mizzle_async.types import Item


@click.command(short_help="Put one item.", epilog=EXIT_CODES)
@click.argument("item", metavar="JSON")
@table_named
@click.option("--if-absent", is_flag=True, help="Put it only if there is no item under its key.")
@conditional
@click.option("-q", "--quiet", is_flag=True, help="Do not show the item.")
@connected
def put(connection: Connection, item: str, **options: Any) -> None:
    """Put an item in place of any under its key: plain JSON, or DynamoDB's own with types. `-` reads standard input."""
    text = standard_input().read() if item == STANDARD else item
    try:
        value = parse_json(text)
    except ValueError as error:
        raise click.UsageError(f"the item is {error}") from None
    if not isinstance(value, dict):
        raise click.UsageError('an item is an object, such as {"id": 1}')
    connection.run(lambda client: _put(client, value, **options))


async def _put(
    client: Client,
    value: dict[str, Any],
    *,
    table: str | None,
    model: str | None,
    if_absent: bool,
    conditions: tuple[tuple[str, str, str], ...],
    quiet: bool,
) -> int:
    opened = await open_table(client, table, model)
    handle: Any = opened.model or opened.table
    instance = opened.codec.decode(_stored(opened, value))
    steps = condition_steps(opened, handle, conditions)
    try:
        written = await built(handle.insert(instance) if if_absent else handle.put(instance), steps)
    except ItemExistsError:
        click.echo(f"nothing is put: {opened.table.name} has an item under this key", err=True)
        return NOT_DONE
    except ConditionalCheckFailedError as error:
        if type(error) is not ConditionalCheckFailedError:
            raise
        click.echo("nothing is put: the condition is not true", err=True)
        return NOT_DONE
    if not quiet:
        show_item(opened, opened.codec.encode(written))
    return DONE


def _stored(opened: Opened, value: dict[str, Any]) -> Item:
    """Return the stored form of an item, checked.

    Raises:
        MarshallingError: If it cannot be an item of the table.
    """
    codec = opened.codec
    if is_wrapped_item(value) or is_stored_item(value):
        item = check_dynamodb_item(value["Item"] if is_wrapped_item(value) else value)
    else:
        item = item_from_plain(codec, value)
        check_keys(opened, item)
        if codec.sharding is not None:
            codec.sharding.spread(item)
    if opened.model is not None:
        unknown = item.keys() - codec.schema.by_name.keys()
        if unknown:
            raise MarshallingError(f"{codec.schema.entity} has no attribute {min(unknown)!r}", path=min(unknown))
    return item
