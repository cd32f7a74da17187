"""`mizzle-async query`: show the items of one partition key."""

from __future__ import annotations

from typing import Any

import click

from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.exit_codes import EXIT_CODES
from mizzle_async.cli.selections import Selection, selecting, table_named
from mizzle_async.cli.show_rows import show_rows, showing


@click.command(short_help="Show the items of one partition key.", epilog=EXIT_CODES)
@table_named
@selecting
@click.option("--reverse", is_flag=True, help="Show in descending order of the sort key.")
@showing
@connected
def query(connection: Connection, selection: Selection, **options: Any) -> None:
    """Show the items of one partition key, of a table or an index, in the order of the sort key."""
    if not selection.partition:
        raise click.UsageError("name the partition key with --partition; `scan` reads everything")
    connection.run(lambda client: show_rows(client, selection=selection, **options))
