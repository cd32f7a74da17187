"""`mizzle-async count`: count items."""

from __future__ import annotations

import click

from mizzle_async.cli.advice import advise
from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.exit_codes import DONE, EXIT_CODES
from mizzle_async.cli.handles import open_table
from mizzle_async.cli.selections import Selection, segmented, selecting, table_named
from mizzle_async.cli.values import json_bytes
from mizzle_async.handles.client import Client


@click.command(short_help="Count items.", epilog=EXIT_CODES)
@table_named
@selecting
@segmented
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@connected
def count(connection: Connection, table: str | None, model: str | None, selection: Selection, *, as_json: bool) -> None:
    """Count items at the service. The cost is that of a query or a scan."""

    async def work(client: Client) -> int:
        opened = await open_table(client, table, model)
        counted = await selection.rows(opened).count()
        click.echo(json_bytes({"table": opened.table.name, "count": counted}) if as_json else f"{counted}")
        if not counted:
            for sentence in await advise(opened, selection):
                click.echo(sentence, err=True)
        return DONE

    connection.run(work)
