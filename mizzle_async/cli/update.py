"""`mizzle-async update` and `upsert`: change one item by its key, or the selected items."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from typing import Any

import click

from mizzle_async.cli.asking import ask, count_before, tell_dry_run
from mizzle_async.cli.clauses import Clauses, built, changing
from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.exit_codes import DONE, EXIT_CODES, NOT_DONE, NOT_FOUND
from mizzle_async.cli.get import show_item
from mizzle_async.cli.handles import Opened, open_table
from mizzle_async.cli.jobs import Job, bulk_options, write_limits
from mizzle_async.cli.meter import Meter
from mizzle_async.cli.one_by_one import Sending
from mizzle_async.cli.paging import selected_keys
from mizzle_async.cli.progress import Display
from mizzle_async.cli.selections import Selection, segmented, selecting, table_named
from mizzle_async.errors import ConditionalCheckFailedError, ItemNotFoundError
from mizzle_async.flow.report import BatchReport
from mizzle_async.flow.work import BulkWork
from mizzle_async.handles.client import Client
from mizzle_async.operations import Operation
from mizzle_async.reading.iterators import Page


@click.command(short_help="Change an item, or the selected items.", epilog=EXIT_CODES)
@click.argument("key", nargs=-1, metavar="[PARTITION [SORT]]")
@table_named
@changing
@selecting
@segmented
@click.option("--everything", is_flag=True, help="Every item of the table.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@write_limits
@bulk_options
@connected
def update(
    key: tuple[str, ...],
    connection: Connection,
    selection: Selection,
    clauses: Clauses,
    *,
    everything: bool,
    **options: Any,
) -> None:
    """Change the item of a key and show it, or change the items of --partition and --filter.

    The item must exist: `upsert` makes one. It asks before it changes several. DynamoDB checks the filter again at each
    change: an item that has changed meanwhile stays. Ctrl-C stops at once: the same command goes on, but what --add has
    added is added again.
    """
    if sum((bool(key), selection.selects, everything)) != 1:
        raise click.UsageError("name one of: a key; items by --partition or --filter; or --everything")
    if key:
        connection.run(functools.partial(_update_one, key=key, clauses=clauses, verb="update", **options))
    else:
        connection.run(
            functools.partial(_update_many, meter=connection.meter, selection=selection, clauses=clauses, **options)
        )


@click.command(short_help="Change an item, or make it.", epilog=EXIT_CODES)
@click.argument("key", nargs=-1, required=True, metavar="PARTITION [SORT]")
@table_named
@changing
@click.option("-q", "--quiet", is_flag=True, help="Do not show the item.")
@connected
def upsert(key: tuple[str, ...], connection: Connection, clauses: Clauses, **options: Any) -> None:
    """Change the item of a key and show it. If there is none, make it of the key and the changes."""
    connection.run(functools.partial(_update_one, key=key, clauses=clauses, verb="upsert", **options))


async def _update_one(
    client: Client,
    *,
    key: tuple[str, ...],
    clauses: Clauses,
    verb: str,
    table: str | None,
    model: str | None,
    quiet: bool,
    dry_run: bool = False,
    as_json: bool = False,
    **_options: Any,
) -> int:
    opened = await open_table(client, table, model)
    handle: Any = opened.model or opened.table
    made = handle.update if verb == "update" else handle.upsert
    steps = clauses.steps(opened, handle)
    operation = built(made(opened.handle_key(key)), steps)
    if dry_run:
        click.echo(str(operation.explain()))
        return DONE
    try:
        changed = await operation
    except ItemNotFoundError:
        click.echo(f"no such item in {opened.table.name}: `upsert` makes one", err=True)
        return NOT_FOUND
    except ConditionalCheckFailedError as error:
        if type(error) is not ConditionalCheckFailedError:
            raise
        click.echo("nothing is changed: the condition is not true", err=True)
        return NOT_DONE
    if not quiet:
        show_item(opened, opened.codec.encode(changed), as_json=as_json)
    return DONE


async def _update_many(
    client: Client,
    *,
    meter: Meter,
    selection: Selection,
    clauses: Clauses,
    table: str | None,
    model: str | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    yes: bool,
    concurrency: int,
    write_units_per_second: float | None,
    timeout: float,
) -> int:
    opened = await open_table(client, table, model)
    _check_plain(opened)
    name = opened.table.name
    rows = selection.rows(opened)
    clauses.check(opened)
    steps = [
        *clauses.steps(opened, opened.table),
        *(("when", (condition,)) for condition in selection.conditions(opened)),
    ]
    if dry_run:
        await tell_dry_run("update", "change", rows, as_json=as_json)
        return DONE
    if not yes:
        ask(f"change {await count_before(opened, selection)} of {name}?")
    report = BatchReport()
    display = Display(f"update {name}", quiet=quiet)

    def settled(_position: int, _item: Any, error: Exception) -> bool:
        if not isinstance(error, ConditionalCheckFailedError | ItemNotFoundError):
            return False
        report.unchanged += 1
        return True

    def count(page: Page[Any]) -> None:
        report.evaluated += page.evaluated

    async def operations() -> AsyncIterator[tuple[int, Any, Operation[Any]]]:
        async for key in selected_keys(opened, selection, count):
            operation: Operation[Any] = built(opened.table.update(opened.table.key(**key), timeout=timeout), steps)
            position = report.taken
            report.taken += 1
            yield position, key, operation

    sending = Sending(client, meter, report, name, concurrency, write_units_per_second, display, settled)
    job = Job("update", display, as_json=as_json, quiet=quiet, done="changed")
    return await job.run(BulkWork(f"update of {name!r}", report, lambda: sending.run(operations())))


def _check_plain(opened: Opened) -> None:
    """Check that several items can be changed without the rules of a model.

    Raises:
        click.UsageError: If the model has such rules.
    """
    schema = opened.codec.schema
    if opened.model is not None and (schema.version is not None or schema.unique or opened.codec.sharding is not None):
        raise click.UsageError(
            f"{schema.entity} has a version, unique attributes or shards, which a change of many items here would not"
            " keep: use `rewrite` of a query in a program"
        )
