"""`mizzle-async sql`: run a PartiQL statement."""

from __future__ import annotations

from typing import Any

import click

from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.exit_codes import DONE, EXIT_CODES, NOT_DONE, NOT_FOUND
from mizzle_async.cli.outgoing import Printer
from mizzle_async.cli.show_rows import showing as with_showing
from mizzle_async.cli.values import any_from_text
from mizzle_async.errors import ConditionalCheckFailedError
from mizzle_async.handles.client import Client
from mizzle_async.marshalling import decode_any, encode_any


@click.command(
    short_help="Run a PartiQL statement.",
    epilog="A SELECT without the whole partition key in its WHERE reads, and charges, the whole table. " + EXIT_CODES,
)
@click.argument("statement")
@click.argument("parameters", nargs=-1, metavar="[PARAMETER]…")
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number of rows.")
@click.option("--consistent", is_flag=True, help="Read consistently: every finished write, at twice the cost.")
@with_showing
@connected
def sql(connection: Connection, statement: str, parameters: tuple[str, ...], **options: Any) -> None:
    """Run a PartiQL statement, and show the rows that it returns. Each `?` takes a PARAMETER: JSON if it can be."""
    connection.run(lambda client: _sql(client, statement, parameters, **options))


async def _sql(
    client: Client,
    statement: str,
    parameters: tuple[str, ...],
    *,
    limit: int | None,
    consistent: bool,
    showing: Printer,
) -> int:
    values = [decode_any(any_from_text(text)) for text in parameters]
    reads = statement.lstrip().lower().startswith("select")
    rows = client.execute(statement, *values, consistent_read=consistent, max_items=limit)
    try:
        async with rows.stream() as items:
            async for row in items:
                showing.add({name: encode_any(value) for name, value in row.items()})
    except ConditionalCheckFailedError:
        click.echo("nothing is changed: the item is not there, or its WHERE is not true", err=True)
        return NOT_DONE
    finally:
        if reads or showing.count:
            showing.end()
    if reads:
        return DONE if showing.count else NOT_FOUND
    click.echo("done", err=True)
    return DONE
