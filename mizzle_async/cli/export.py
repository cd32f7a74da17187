"""`mizzle-async export`: write a table, or a part of it, into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mizzle_async.bulk.workers.folders import MANIFEST
from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.estimates import read_units
from mizzle_async.cli.exit_codes import DONE, EXIT_CODES
from mizzle_async.cli.formats import STANDARD, WRITE_FORMAT_HELP, Format, format_of_export, format_of_name
from mizzle_async.cli.handles import Opened, is_typed, open_table
from mizzle_async.cli.jobs import Job, State, bulk_options, resumable
from mizzle_async.cli.losses import Losses
from mizzle_async.cli.progress import Display
from mizzle_async.cli.schemas import of_existing, schema_file
from mizzle_async.cli.selections import Selection, segmented, selecting, table_named
from mizzle_async.cli.targets import ExportFile
from mizzle_async.cli.values import json_bytes
from mizzle_async.cli.with_workers import shared_by, with_workers
from mizzle_async.flow.report import BatchReport
from mizzle_async.flow.work import BulkWork
from mizzle_async.handles.client import Client


@click.command(
    short_help="Write a table into a file.",
    epilog="CSV has the attributes of all items as its columns, and knows no empty text, no null and no types. "
    + EXIT_CODES,
)
@click.argument("file")
@table_named
@selecting
@segmented
@click.option("--format", "format_name", type=click.Choice([each.value for each in Format]), help=WRITE_FORMAT_HELP)
@click.option("--columns", metavar="NAMES", help="The columns of CSV, in this order, separated by commas.")
@click.option(
    "--read-units",
    "read_units_per_second",
    type=click.FloatRange(min=0, min_open=True),
    help="The maximum of read units to consume per second.",
)
@click.option("--schema", is_flag=True, help="Describe the table, too, in FILE.schema.json: `load --create` reads it.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
@with_workers
@resumable
@bulk_options
@connected
def export(
    file: str,
    connection: Connection,
    *,
    format_name: str | None,
    columns: str | None,
    overwrite: bool,
    workers: int | None,
    parts: int | None,
    **options: Any,
) -> None:
    """Write the items of a table into a file, or with `-` to standard output, with every digit of every number.

    Ctrl-C stops at once, and the report says how to go on.
    """
    shared = shared_by(connection, workers, parts, options["selection"])
    if shared:
        named = format_name or format_of_name(file)
        if file == STANDARD or columns or named in {Format.CSV, Format.PARQUET} or format_name == Format.JSONL:
            raise click.UsageError(
                "--workers writes a folder of files in DynamoDB's JSON: name a folder, without --columns and --format"
            )
        if (Path(file) / MANIFEST).exists() and not (overwrite or options["resume"] or options["dry_run"]):
            raise click.UsageError(f"{file} has an export: say --overwrite, or --resume with its state")
        connection.run(lambda client: _export_folder(client, file, shared, overwrite=overwrite, **options))
        return
    names = tuple(name for name in (columns or "").split(",") if name)
    target = ExportFile(file, format_of_export(file, format_name, typed=is_typed(options["model"])), names)
    if file == STANDARD and options["schema"]:
        raise click.UsageError("--schema writes a file beside that of the items: name a file")
    if names and target.format is not Format.CSV:
        raise click.UsageError("--columns is for CSV")
    if file == STANDARD and target.format is Format.PARQUET:
        raise click.UsageError("Parquet is written to a file")
    if file == STANDARD and options["as_json"]:
        raise click.UsageError("standard output takes the items: name a file to have the report as JSON")
    if file != STANDARD and not Path(file).parent.is_dir():
        raise click.UsageError(f"{file} cannot be written: there is no folder {Path(file).parent}")
    if Path(file).exists() and not (overwrite or options["resume"] or options["dry_run"]):
        raise click.UsageError(f"{file} exists: say --overwrite, or --resume with the state of an export into it")
    connection.run(lambda client: _export(client, target, overwrite=overwrite, **options))


async def _export(
    client: Client,
    target: ExportFile,
    *,
    table: str | None,
    model: str | None,
    selection: Selection,
    resume: str | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    read_units_per_second: float | None,
    schema: bool,
    overwrite: bool,
) -> int:
    opened = await open_table(client, table, model)
    if dry_run:
        _rehearse(opened, selection, as_json=as_json)
        return DONE
    name = opened.table.name
    if schema:
        await _write_schema(client, name, target.name, overwrite=overwrite or resume is not None)
    target.natural = opened.natural if opened.codec.sharding is not None else None
    declared = () if opened.model is None else frozenset(opened.codec.schema.by_name)
    target.losses = Losses(target.format, declared, frozenset(opened.key_names))
    target.first = opened.key_names
    target.columns = tuple(map(opened.stored_name, target.columns))
    rows = selection.rows(opened)
    # Neither can be resumed: standard output cannot be read again, and a limit counts from the beginning.
    keeps_state = not target.is_standard and selection.limit is None
    if resume is not None and not keeps_state:
        raise click.UsageError("--resume does not go with standard output or --limit")
    state = State.begin(resume, f"export-{name}") if keeps_state else None
    total = opened.description.item_count if selection.is_everything else None
    display = Display(f"export {name}", total=total, quiet=quiet)
    complete = state is not None and state.is_complete
    target.is_laid_out = complete and target.is_gathered and not target.path.exists()
    exporting = rows.export(
        target,
        resume=None if state is None else state.path,
        progress=display,
        read_units_per_second=read_units_per_second,
    )

    job = Job("export", display, state, as_json=as_json, quiet=quiet, done="exported")

    async def work() -> BatchReport:
        await exporting
        target.finish()
        job.more["lossy"] = target.losses.count
        return exporting.report

    code = await job.run(BulkWork(f"export of {name!r}", exporting.report, work))
    for note in target.notes():
        click.echo(note, err=True)
    if complete:
        click.echo(f"{resume} says that this export was complete before: remove it to begin anew", err=True)
    return code


async def _export_folder(
    client: Client,
    folder: str,
    shared: dict[str, Any],
    *,
    table: str | None,
    model: str | None,
    selection: Selection,
    resume: str | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    read_units_per_second: float | None,
    schema: bool,
    overwrite: bool,
) -> int:
    """Export into a folder, by workers."""
    opened = await open_table(client, table, model)
    if dry_run:
        _rehearse(opened, selection, as_json=as_json)
        return DONE
    name = opened.table.name
    if schema:
        await _write_schema(client, name, folder, overwrite=overwrite or resume is not None)
    rows = selection.rows(opened)
    state = State.begin(resume, f"export-{name}")
    total = opened.description.item_count if selection.is_everything else None
    display = Display(f"export {name}", total=total, quiet=quiet)
    work = rows.export(
        folder, resume=state.path, progress=display, read_units_per_second=read_units_per_second, **shared
    )
    return await Job("export", display, state, as_json=as_json, quiet=quiet, done="exported").run(work)


async def _write_schema(client: Client, table: str, data: str, *, overwrite: bool) -> None:
    """Write the definition of a table beside a file or a folder of its items.

    Raises:
        click.UsageError: If there is one already, and it may not be replaced.
    """
    path = schema_file(Path(data))
    if path.exists() and not overwrite:
        raise click.UsageError(f"{path} exists: say --overwrite")
    path.write_bytes((await of_existing(client, table)).as_json())


def _rehearse(opened: Opened, selection: Selection, *, as_json: bool) -> None:
    """Print an estimate of the consumption, from the service's description of the table."""
    selection.rows(opened)
    described = opened.description
    units = read_units(described.size_bytes, consistent=selection.consistent_read)
    if as_json:
        click.echo(
            json_bytes(
                {
                    "command": "export",
                    "dry_run": True,
                    "items": described.item_count,
                    "size_bytes": described.size_bytes,
                    "read_units": units,
                }
            )
        )
        return
    bound = "" if selection.is_everything else "at most "
    click.echo(
        f"would export {bound}{described.item_count:,} items and consume {bound}{units:,.1f} read units, by what the"
        " service counted in the last six hours or so"
    )
