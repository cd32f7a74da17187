"""`mizzle-async delete`: delete an item by its key, or the selected items."""

from __future__ import annotations

from typing import Any

import click

from mizzle_async.cli.asking import ask, count_before, tell_dry_run
from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.exit_codes import DONE, EXIT_CODES, NOT_FOUND
from mizzle_async.cli.handles import open_table
from mizzle_async.cli.jobs import Job, State, bulk_options, resumable, write_limits
from mizzle_async.cli.paging import selected_keys
from mizzle_async.cli.progress import Display
from mizzle_async.cli.selections import Selection, segmented, selecting, table_named
from mizzle_async.cli.values import json_bytes
from mizzle_async.cli.with_workers import shared_by, with_workers
from mizzle_async.handles.client import Client
from mizzle_async.reading.iterators import Page


@click.command(short_help="Delete an item, or the selected items.", epilog=EXIT_CODES)
@click.argument("key", nargs=-1, metavar="[PARTITION [SORT]]")
@table_named
@selecting
@segmented
@click.option("--everything", is_flag=True, help="Every item of the table.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@with_workers
@write_limits
@resumable
@bulk_options
@connected
def delete(key: tuple[str, ...], connection: Connection, selection: Selection, **options: Any) -> None:
    """Delete the item of a key, or the items of --partition and --filter. It asks before it deletes several.

    DynamoDB checks the filter again at each deletion: an item that has changed meanwhile stays. Ctrl-C stops at once,
    and the report says how to go on.
    """
    everything = options.pop("everything")
    shared = shared_by(connection, options.pop("workers"), options.pop("parts"), selection)
    if key and shared:
        raise click.UsageError("--workers goes with --partition, --filter or --everything")
    if options["resume"] is not None and ((not selection.is_filtered and not shared) or selection.limit):
        raise click.UsageError("--resume is for --filter without --limit; else the same command goes on by itself")
    if sum((bool(key), selection.selects, everything)) != 1:
        raise click.UsageError("name one of: a key; items by --partition or --filter; or --everything")
    if key:
        connection.run(lambda client: _delete_one(client, key, **options))
    else:
        connection.run(lambda client: _delete_many(client, selection, shared, **options))


async def _delete_one(
    client: Client, key: tuple[str, ...], *, table: str | None, model: str | None, dry_run: bool, **options: Any
) -> int:
    opened = await open_table(client, table, model)
    item = opened.key(key)
    result = await (opened.table.get(item, include_expired=True) if dry_run else opened.table.delete(item))
    if options["as_json"]:
        click.echo(json_bytes({"command": "delete", "dry_run": dry_run, "deleted": int(result is not None)}))
    elif result is None:
        click.echo(f"no such item in {opened.table.name}", err=True)
    elif not options["quiet"]:
        click.echo("would delete 1 item" if dry_run else "deleted 1 item", err=True)
    return DONE if result is not None else NOT_FOUND


async def _delete_many(
    client: Client,
    selection: Selection,
    shared: dict[str, Any],
    *,
    table: str | None,
    model: str | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    yes: bool,
    resume: str | None,
    concurrency: int,
    write_units_per_second: float | None,
    timeout: float,
) -> int:
    opened = await open_table(client, table, model)
    name = opened.table.name
    rows = selection.rows(opened)
    if dry_run:
        await tell_dry_run("delete", "delete", rows, as_json=as_json)
        return DONE
    if not yes:
        ask(f"delete {await count_before(opened, selection)} of {name}?")
    total = opened.description.item_count if selection.is_everything else None
    display = Display(f"delete {name}", total=total, quiet=quiet)
    limits: dict[str, Any] = {
        "concurrency": concurrency,
        "write_units_per_second": write_units_per_second,
        "timeout": timeout,
    }
    # Without a filter no state is needed: deleted items are not read again.
    keeps_state = (selection.is_filtered or bool(shared)) and selection.limit is None
    state = State.begin(resume, f"delete-{name}") if keeps_state else None
    if state is not None:
        work = rows.delete_where(progress=display, resume=state.path, **limits, **shared)
    elif selection.is_filtered:
        work = rows.delete_where(progress=display, **limits)
    else:

        def count(page: Page[Any]) -> None:
            work.report.read_units += page.read_units or 0.0
            work.report.read_requests += page.requests

        work = opened.table.delete_many(selected_keys(opened, selection, count), progress=display, **limits)
    return await Job("delete", display, state, as_json=as_json, quiet=quiet, done="deleted").run(work)
