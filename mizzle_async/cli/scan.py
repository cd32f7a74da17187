"""`mizzle-async scan`: show every item of a table."""

from __future__ import annotations

from typing import Any

import click

from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.exit_codes import EXIT_CODES
from mizzle_async.cli.selections import Selection, segmented, selecting, table_named
from mizzle_async.cli.show_rows import show_rows, showing


@click.command(short_help="Show the items of a table.", epilog=EXIT_CODES)
@table_named
@selecting
@segmented
@showing
@connected
def scan(connection: Connection, selection: Selection, **options: Any) -> None:
    """Show the items of a table or an index, in no order. Every item is read and charged for."""
    if selection.partition:
        raise click.UsageError("a scan reads everything: `query` reads one partition key")
    connection.run(lambda client: show_rows(client, selection=selection, **options))
