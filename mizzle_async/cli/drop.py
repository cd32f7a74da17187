"""`mizzle-async drop`: delete tables."""

from __future__ import annotations

import click

from mizzle_async.cli.asking import ask
from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.exit_codes import DONE, EXIT_CODES
from mizzle_async.errors import ResourceNotFoundError
from mizzle_async.handles.client import Client


@click.command(short_help="Delete tables with everything in them.", epilog=EXIT_CODES)
@click.argument("names", nargs=-1, required=True, metavar="TABLE…")
@click.option("--if-exists", is_flag=True, help="It is no fault that a table does not exist.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@connected
def drop(names: tuple[str, ...], connection: Connection, *, if_exists: bool, yes: bool) -> None:
    """Delete tables with everything in them, and wait until they are gone. It asks first."""
    connection.run(lambda client: _drop(client, names, if_exists=if_exists, yes=yes))


async def _drop(client: Client, names: tuple[str, ...], *, if_exists: bool, yes: bool) -> int:
    present: list[str] = []
    for name in names:
        try:
            description = await client.describe_table(name)
        except ResourceNotFoundError:
            if not if_exists:
                raise
            click.echo(f"there is no table {name}", err=True)
            continue
        present.append(name)
        if not yes:
            ask(f"delete table {name} with everything in it, about {description.item_count:,} items?")
    for name in present:
        await client.delete_table(name)
        click.echo(f"deleted table {name}", err=True)
    return DONE
