"""`mizzle-async explain`: show a request and its cost."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import click
import orjson

from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.exit_codes import DONE, EXIT_CODES
from mizzle_async.cli.handles import import_object, open_table
from mizzle_async.cli.selections import Selection, segmented, selecting, table_named
from mizzle_async.errors import UnindexedFilterWarning
from mizzle_async.handles.client import Client
from mizzle_async.operations import Explanation


@click.command(short_help="Show the request of an operation and its cost.", epilog=EXIT_CODES)
@click.argument("operation", required=False, metavar="[MODULE:OPERATION]")
@table_named
@selecting
@click.option("--reverse", is_flag=True, help="In descending order of the sort key.")
@segmented
@click.option("--json", "as_json", is_flag=True, help="Print JSON, the request included.")
@connected
def explain(
    connection: Connection,
    operation: str | None,
    table: str | None,
    model: str | None,
    selection: Selection,
    *,
    as_json: bool,
) -> None:
    """Show the request of an operation, its estimated cost and its surprises. Nothing is sent.

    The operation is a query or a scan with the options of `query` and `scan`. Or it is one of your program, as
    module:name: an operation, a query, or a function that takes an open client and returns one.
    """
    if operation is not None and (table is not None or model is not None):
        raise click.UsageError("explain module:operation, or a query given as options, not both")
    target: Any = None if operation is None else import_object(operation)
    if operation is not None and (isinstance(target, type) or not callable(target)):
        if not hasattr(target, "explain"):
            raise click.UsageError(f"{operation} is neither an operation nor a function that returns one")
        _show(target.explain(), as_json=as_json)
        return

    async def work(client: Client) -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnindexedFilterWarning)  # the explanation contains it
            if target is not None:
                made: Any = target(client)
                if inspect.iscoroutine(made):
                    made = await made
                if not hasattr(made, "explain"):
                    raise click.UsageError(f"{operation} returns {type(made).__name__}, which is not an operation")
            else:
                made = selection.rows(await open_table(client, table, model))
        _show(made.explain(), as_json=as_json)
        return DONE

    connection.run(work)


def _show(explanation: Explanation, *, as_json: bool) -> None:
    if not as_json:
        click.echo(str(explanation))
        return
    capacity = explanation.capacity
    click.echo(
        orjson.dumps(
            {
                "operation": explanation.operation,
                "table": explanation.table,
                "index": explanation.index,
                "expressions": dict(explanation.expressions),
                "read_units": capacity.read_units,
                "write_units": capacity.write_units,
                "at_least": capacity.at_least,
                "warnings": list(explanation.warnings),
                "request": explanation.request,
            }
        )
    )
