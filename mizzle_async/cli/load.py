"""`mizzle-async load`: put the items of files into a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click
from attrs import field, frozen

from mizzle_async.cli.aside import Aside
from mizzle_async.cli.connection import Connection, connected, in_options
from mizzle_async.cli.create import create_for_load, described_by
from mizzle_async.cli.estimates import Estimate
from mizzle_async.cli.exit_codes import DONE, EXIT_CODES, IN_PART
from mizzle_async.cli.files.options import reading as with_reading
from mizzle_async.cli.files.rows import ReadOptions
from mizzle_async.cli.files.source import Source
from mizzle_async.cli.handles import Opened, open_table
from mizzle_async.cli.incoming import Incoming
from mizzle_async.cli.inserting import insert_all
from mizzle_async.cli.jobs import Job, State, bulk_options, resumable, write_limits
from mizzle_async.cli.progress import Display, items_done
from mizzle_async.cli.rejects import Rejects
from mizzle_async.cli.selections import table_named
from mizzle_async.cli.values import counted, json_bytes
from mizzle_async.cli.with_workers import with_workers_alone
from mizzle_async.errors import ExpressionError, ResourceNotFoundError
from mizzle_async.flow.report import BatchReport
from mizzle_async.flow.work import BulkWork
from mizzle_async.handles.client import Client
from mizzle_async.operations.batches import check_batchable

SAMPLE: Final = 1_000
"""The number of rows that are looked at before anything is written."""

MODES: Final = {
    "insert": "--insert",
    "if_absent": "--if-absent",
    "delete": "--delete",
}


@click.command(
    short_help="Put the items of files into a table.",
    epilog="Without --model and --types, columns of CSV are text. Of two items with one key the last one stays, and"
    f" both are counted. The layouts that are read: `mizzle-async guide shell`. {EXIT_CODES}",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@table_named
@click.option(
    "--create", is_flag=True, help="Create the table if it is missing: by --model, or by the file of a schema."
)
@click.option(
    "--insert",
    is_flag=True,
    help="Insert: an item under an existing key is bad. Entities with a version or unique attributes need it.",
)
@click.option("--if-absent", is_flag=True, help="Put an item only if there is none under its key.")
@click.option("--delete", is_flag=True, help="Delete the items whose keys the files have.")
@click.option("--rejects", metavar="FILE", help="The file of bad lines.  [default: TABLE.rejects.jsonl]")
@click.option("--max-rejects", type=click.IntRange(min=0), metavar="NUMBER", help="Stop when more lines are bad.")
@click.option("--stop-on-error", is_flag=True, help="Stop at the first bad line.")
@click.option("--heat", is_flag=True, help="At the end, plot the partition keys with the most write units.")
@with_reading
@with_workers_alone
@write_limits
@resumable
@bulk_options
@connected
def load(
    files: tuple[str, ...],
    connection: Connection,
    reading: ReadOptions,
    *,
    insert: bool,
    if_absent: bool,
    delete: bool,
    **options: Any,
) -> None:
    """Put the items of files, or of folders of exports, into a table. `-` is standard input.

    The first bytes of a file show its compression and its layout. A bad line goes to the rejects file, with its file,
    its line, the attribute and the fault, and that file can be loaded when it is repaired. Items under an existing key
    are replaced. Ctrl-C stops at once, and the report says how to go on.
    """
    chosen = {"insert": insert, "if_absent": if_absent, "delete": delete}
    modes = [name for name, is_chosen in chosen.items() if is_chosen]
    if len(modes) > 1:
        raise click.UsageError(f"{' and '.join(MODES[name] for name in modes)} do not go together")
    mode = modes[0] if modes else "put"
    if mode in {"insert", "if_absent"} and options["resume"]:
        raise click.UsageError(f"--resume does not go with {MODES[mode]}: the same command goes on by itself")
    if options["workers"] is not None and (mode in {"insert", "if_absent"} or options["heat"]):
        other = "--heat" if options["heat"] else MODES[mode]
        raise click.UsageError(f"--workers does not go with {other}: rows of a worker that was killed are put again")
    source = Source(files, reading)
    connection.run(lambda client: _load(client, source, connection, mode=mode, **options))


@frozen
class Sample:
    """The first rows of a load.

    Attributes:
        estimate: The consumption of the good ones.
        rejects: The bad ones.
        share: The part of the input that they are, from 0 to 1.
    """

    estimate: Estimate
    rejects: Rejects = field(eq=False)
    share: float

    def check(self) -> None:
        """Refuse a load without a single good row.

        Raises:
            click.UsageError: If every row is bad.
        """
        bad = self.rejects
        if bad.count and not bad.good:
            which = f"the first {bad.count:,} rows are" if bad.count >= SAMPLE else "every row is"
            raise click.UsageError(
                f"nothing is loaded: {which} bad: {bad.summary()}. --max-rejects {max(bad.count, SAMPLE) * 10} loads"
                " what is good all the same"
            )

    def __str__(self) -> str:
        if self.share >= 1:
            return f"load: {self.estimate}"
        return f"load: about {self.estimate.scaled(1 / self.share)}, by its first {SAMPLE:,} rows"


async def _load(
    client: Client,
    source: Source,
    connection: Connection,
    *,
    mode: str,
    workers: int | None,
    create: bool,
    table: str | None,
    model: str | None,
    rejects: str | None,
    max_rejects: int | None,
    stop_on_error: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    resume: str | None,
    concurrency: int,
    write_units_per_second: float | None,
    timeout: float,
    heat: bool,
) -> int:
    opened = await _open(client, source, table, model, create=create and not dry_run)
    if mode == "put" and opened.model is not None:
        _check_batchable(opened)
    name = opened.table.name
    incoming = Incoming(opened, source, Rejects(None))
    source.check()
    if source.is_repeatable:
        sample = take_sample(opened, source)
        if max_rejects is None:
            sample.check()
        if not quiet and not dry_run and resume is None:
            click.echo(str(sample), err=True)
    path = _rejects_path(source, rejects, name)
    incoming.rejects = bad = Rejects(path, goes_on=resume is not None, stops=stop_on_error, limit=max_rejects)
    if dry_run:
        return _rehearse(incoming, mode, as_json=as_json)
    state = State.begin(resume, f"load-{name}") if mode in {"put", "delete"} else None
    display = Display(f"load {name}", total=source.size, done=progress_of(incoming, source), quiet=quiet)
    bad.say = source.say = display.say
    job = Job(
        "load", display, state, bad, as_json=as_json, quiet=quiet, done="deleted" if mode == "delete" else "loaded"
    )
    limits: dict[str, Any] = {
        "concurrency": concurrency,
        "write_units_per_second": write_units_per_second,
        "timeout": timeout,
        "progress": display,
    }
    if mode in {"insert", "if_absent"}:
        work = insert_all(client, opened, incoming, connection.meter, skips=mode == "if_absent", **limits)
    elif workers is not None:
        from mizzle_async.cli.load_with_workers import load_with_workers

        first = load_with_workers(
            client,
            connection,
            incoming,
            source,
            workers=workers,
            model=model,
            mode=mode,
            resume=None if state is None else state.path,
            **limits,
        )
        work = _with_deletions(opened, incoming, job, first, limits)
    else:
        kept = None if state is None else state.path
        work = _put_or_delete(opened, incoming, source, mode, job, resume=kept, **limits)
    try:
        return await job.run(work)
    finally:
        if heat:
            click.echo(str(connection.meter.report()), err=True)


async def _open(client: Client, source: Source, table: str | None, model: str | None, *, create: bool) -> Opened:
    """Open the table of a load, and create it before where that was asked for.

    Raises:
        click.ClickException: If there is none, and --create would make one.
    """
    if create:
        await create_for_load(client, source, table, model)
    try:
        return await open_table(client, table, model)
    except ResourceNotFoundError as error:
        described = described_by(source, model)
        if described is None:
            raise
        missing = in_options(error.message)
        raise click.ClickException(f"{missing}; or say --create, which makes it by {described}") from error


def _check_batchable(opened: Opened) -> None:
    """Check that the model's items can be put in batches.

    Raises:
        click.UsageError: If they cannot.
    """
    schema = opened.codec.schema
    try:
        check_batchable(schema, "put")
    except ExpressionError:
        reason = "a version" if schema.version else "unique attributes" if schema.unique else "immutable attributes"
        raise click.UsageError(
            f"{schema.entity} has {reason}, which no batch can check: --insert sends each item on its own"
        ) from None


def _put_or_delete(
    opened: Opened, incoming: Incoming, source: Source, mode: str, job: Job, *, resume: Path | None, **limits: Any
) -> BulkWork:
    """Return the work of putting the items, or of deleting them; and of deleting those that the files say are gone."""
    rows = incoming.keys() if mode == "delete" else incoming.values()
    given: Any = rows if source.is_repeatable else Aside(rows)
    handle: Any = opened.table if mode == "delete" else opened.model or opened.table
    verb = handle.delete_many if mode == "delete" else handle.put_many
    first = verb(given, resume=resume, on_error=incoming.undone, **limits)
    return _with_deletions(opened, incoming, job, first, limits)


def _with_deletions(
    opened: Opened, incoming: Incoming, job: Job, first: BulkWork, limits: Mapping[str, Any]
) -> BulkWork:
    """Return work with the deletion of the items that the files say are gone, at its end."""

    async def work() -> BatchReport:
        report: BatchReport = await first
        if incoming.deletions:
            second = opened.table.delete_many(list(incoming.deletions.values()), **limits)
            try:
                await second
            finally:
                report.count_consumption(second.report)
                job.more["deleted"] = second.report.written
        if incoming.superseded:
            job.more["superseded"] = incoming.superseded
        return report

    return BulkWork(f"load of {opened.table.name!r}", first.report, work)


def progress_of(incoming: Incoming, source: Source) -> Callable[[BatchReport], float] | None:
    """Return the function of the bytes whose items are settled: not those that are read ahead of the writes."""
    if source.size is None:
        return None

    def done(report: BatchReport) -> float:
        settled = items_done(report) + incoming.rejects.count - report.rejected
        return source.position * min(1.0, settled / max(incoming.read, 1))

    return done


def _rejects_path(source: Source, argument: str | None, table: str) -> Path:
    """Return the rejects file: the user's, or the first of the usual names that is not an input."""
    if argument is not None:
        path = Path(argument)
        source.check_spared(path)
        return path
    number, path = 1, Path(f"{table}.rejects.jsonl")
    while path.exists() and source.has(path):
        number += 1
        path = Path(f"{table}.rejects.{number}.jsonl")
    return path


def take_sample(opened: Opened, source: Source) -> Sample:
    """Return the first rows of a load. The files are read from their beginning, and not moved."""
    again = source.again()
    rejects = Rejects(None)
    estimate = Estimate(opened.description)
    incoming = Incoming(opened, again, rejects, limit=SAMPLE)
    for item in incoming.items():
        estimate.add(item)
    share = 1.0 if incoming.read < SAMPLE else min(1.0, again.position / max(source.size or 0, 1))
    return Sample(estimate, rejects, share)


def _rehearse(incoming: Incoming, mode: str, *, as_json: bool) -> int:
    """Read everything, write nothing, and print the estimate."""
    estimate = Estimate(incoming.opened.description)
    for item in incoming.items():
        estimate.add(item)
    bad = incoming.rejects
    bad.close()
    deletions = len(incoming.deletions)
    if as_json:
        numbers = {
            "command": "load",
            "dry_run": True,
            **estimate.as_json(),
            "rejected": bad.count,
            "deleted": deletions,
        }
        click.echo(json_bytes(numbers))
    else:
        verb = "delete" if mode == "delete" else "load"
        more = f", delete {counted(deletions, 'item')}" if deletions else ""
        click.echo(f"would {verb} {estimate}{more}, {counted(bad.count, 'bad line')}")
        if bad.count:
            click.echo(f"the items that would not be written, and the reasons: {bad.path}", err=True)
    return IN_PART if bad.count else DONE
