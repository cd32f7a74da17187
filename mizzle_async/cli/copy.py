"""`mizzle-async copy`: put the items of one table into another, also in another account or at another endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from mizzle_async.bulk.saved_state import SavedState
from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.create import create_table
from mizzle_async.cli.estimates import Estimate, read_units
from mizzle_async.cli.exit_codes import DONE, EXIT_CODES
from mizzle_async.cli.handles import Opened, open_table
from mizzle_async.cli.jobs import Job, State, bulk_options, resumable, write_limits
from mizzle_async.cli.paging import PagedWork, position_of
from mizzle_async.cli.progress import Display
from mizzle_async.cli.putting import Putting
from mizzle_async.cli.rejects import Rejects
from mizzle_async.cli.schemas import of_existing
from mizzle_async.cli.selections import Selection, selecting
from mizzle_async.cli.values import json_bytes
from mizzle_async.cli.with_workers import shared_by, with_workers, worker_connect
from mizzle_async.flow.report import BatchReport
from mizzle_async.flow.work import BulkWork
from mizzle_async.handles.client import Client
from mizzle_async.operations.tables.definition import TableDescription

SAMPLE: Final = 1_000
"""The number of items that the estimate before a copy reads."""


@click.command(short_help="Copy the items of one table into another.", epilog=EXIT_CODES)
@click.argument("source")
@click.argument("target")
@click.option("--model", metavar="MODULE:CLASS", help="An entity: the types of attributes in --filter.")
@selecting
@click.option("--to-endpoint-url", help="The address of the target, if it differs.")
@click.option("--to-profile", help="The profile of the target, if it differs.")
@click.option("--to-region", help="The region of the target, if it differs.")
@click.option("--create", is_flag=True, help="Create the target as the source is, if it is missing.")
@click.option("--stop-on-error", is_flag=True, help="Stop at the first item that the target refuses.")
@with_workers
@write_limits
@resumable
@bulk_options
@connected
def copy(
    connection: Connection,
    *,
    to_endpoint_url: str | None,
    to_profile: str | None,
    to_region: str | None,
    workers: int | None,
    parts: int | None,
    **options: Any,
) -> None:
    """Put the items of the table SOURCE into the table TARGET.

    Items under an existing key are replaced. Ctrl-C stops at once, and the report says how to go on.
    """
    shared = shared_by(connection, workers, parts, options["selection"])
    other = Connection(
        to_endpoint_url or connection.endpoint_url,
        to_profile or connection.profile_name,
        to_region or connection.region_name,
    )
    if shared and other != connection:
        shared["connect_target"] = worker_connect(other)

    async def work(client: Client) -> int:
        if other == connection:
            return await _copy(client, client, shared, **options)
        async with other.client() as target_client:
            return await _copy(client, target_client, shared, **options)

    connection.run(work)


async def _copy(
    client: Client,
    target_client: Client,
    shared: dict[str, Any],
    *,
    source: str,
    target: str,
    model: str | None,
    selection: Selection,
    resume: str | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    stop_on_error: bool,
    create: bool,
    concurrency: int,
    write_units_per_second: float | None,
    timeout: float,
) -> int:
    opened = await open_table(client, source, model, as_stored=True)
    if create and not dry_run:
        await create_table(target_client, target, await of_existing(client, source), if_absent=True)
    goal = await open_table(target_client, target, None)
    _check_keys(opened.description, goal.description)
    if goal.table.name == opened.table.name and target_client is client:
        raise click.UsageError("a table cannot be copied into itself")
    rows = selection.rows(opened)
    if dry_run:
        await _rehearse(opened, goal, selection, as_json=as_json)
        return DONE
    state = State.begin(resume, f"copy-{source}-to-{target}")
    rejects = Rejects(Path(f"{target}.rejects.jsonl"), goes_on=resume is not None, stops=stop_on_error)
    total = opened.description.item_count if selection.is_everything else None
    display = Display(f"copy {source} to {target}", total=total, quiet=quiet)
    rejects.say = display.say
    job = Job("copy", display, state, rejects, as_json=as_json, quiet=quiet, done="copied")
    limits: dict[str, Any] = {
        "concurrency": concurrency,
        "write_units_per_second": write_units_per_second,
        "timeout": timeout,
    }
    if shared:
        from mizzle_async.cli.copy_with_workers import copy_with_workers

        work = copy_with_workers(
            opened, goal, selection, rejects, resume=state.path, progress=display, **shared, **limits
        )
        return await job.run(work)
    report = BatchReport()
    about = {"work": "copy", "table": source, "target": target, "selection": selection.words}
    saved = SavedState(state.path, about)
    putting = Putting(goal, source, opened.key_names, rejects, report, display, limits)
    paged = PagedWork(rows, putting.take, report, display, saved, selection.limit)

    async def copied() -> BatchReport:
        return await paged.run(await saved.read(position_of))

    return await job.run(BulkWork(f"copy of {source!r} to {target!r}", report, copied))


def _check_keys(source: TableDescription, target: TableDescription) -> None:
    """Check that items of a table can be in another one, as far as the keys of both say.

    Raises:
        click.UsageError: If a key attribute of the target has another type in the source.
    """
    for name, _ in target.key:
        own, other = source.attribute_types.get(name), target.attribute_types[name]
        if own is not None and own != other:
            raise click.UsageError(
                f"nothing can be copied: the key of {target.name} has {name} of type {other}, and {source.name} has it"
                f" of type {own}"
            )


async def _rehearse(opened: Opened, goal: Opened, selection: Selection, *, as_json: bool) -> None:
    """Print an estimate of the consumption, from the table's size and a sample of its items."""
    described = opened.description
    estimate = Estimate(goal.description)
    page = await selection.rows(opened).page(max_items=SAMPLE)
    for row in page.items:
        estimate.add(opened.stored_codec.encode(row))
    is_sample = page.cursor is not None
    if is_sample and estimate.items:
        estimate = estimate.scaled(max(described.item_count / estimate.items, 1.0))
    units = read_units(described.size_bytes, consistent=selection.consistent_read)
    if as_json:
        numbers = {"command": "copy", "dry_run": True, **estimate.as_json(), "read_units": units}
        click.echo(json_bytes(numbers))
    else:
        click.echo(f"would copy {'about ' if is_sample else ''}{estimate}, and consume about {units:,.1f} read units")
