"""`mizzle-async ttl`: show or change the time to live of a table."""

from __future__ import annotations

import click

from mizzle_async.cli import schemas
from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.exit_codes import DONE, EXIT_CODES, NOT_FOUND
from mizzle_async.handles.client import Client


@click.command(
    short_help="Show or change the time to live of a table.",
    epilog=f"The service deletes expired items within some days, and takes one change an hour. {EXIT_CODES}",
)
@click.argument("table")
@click.argument("attribute", required=False)
@click.option("--off", is_flag=True, help="Switch it off.")
@connected
def ttl(connection: Connection, table: str, attribute: str | None, *, off: bool) -> None:
    """Show the attribute by which items of a table expire, or set it. ATTRIBUTE holds seconds since 1970."""
    if off and attribute is not None:
        raise click.UsageError("name an attribute, or --off")
    connection.run(lambda client: _ttl(client, table, attribute, off=off))


async def _ttl(client: Client, table: str, attribute: str | None, *, off: bool) -> int:
    await client.describe_table(table)  # its error explains where the table was looked for
    before = await schemas.time_to_live(client, table)
    if attribute is None and not off:
        click.echo(f"items of {table} do not expire" if before is None else before, err=before is None)
        return DONE if before is not None else NOT_FOUND
    if off:
        if before is not None:
            await schemas.set_time_to_live(client, table, before, enabled=False)
        click.echo(f"items of {table} do not expire", err=True)
        return DONE
    if attribute is not None and attribute != before:
        if before is not None:
            raise click.ClickException(
                f"items of {table} expire by {before!r}: switch that --off first, and wait an hour"
            )
        await schemas.set_time_to_live(client, table, attribute, enabled=True)
    click.echo(f"items of {table} expire by {attribute}", err=True)
    return DONE
