"""`mizzle-async load`: put the items of files into a table."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

from mizzle_async.cli.aside import Aside
from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.estimates import Estimate
from mizzle_async.cli.exit_codes import DONE, EXIT_CODES, IN_PART
from mizzle_async.cli.formats import FORMAT_HELP, Format
from mizzle_async.cli.handles import Opened, open_table
from mizzle_async.cli.incoming import Incoming
from mizzle_async.cli.jobs import Job, State, bulk_options, resumable, write_limits
from mizzle_async.cli.lines import Source
from mizzle_async.cli.progress import Display
from mizzle_async.cli.rejects import Rejects
from mizzle_async.cli.selections import table_named
from mizzle_async.cli.values import json_bytes
from mizzle_async.handles.client import Client
from mizzle_async.instruments.heat import Heat

SAMPLE: Final = 1_000
"""The number of rows that the estimate before a load reads."""


@click.command(
    short_help="Put the items of files into a table.",
    epilog=f"Without --model, columns of CSV are text. {EXIT_CODES}",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@table_named
@click.option("--format", "format_name", type=click.Choice([each.value for each in Format]), help=FORMAT_HELP)
@click.option("--rejects", metavar="FILE", help="The file of bad lines.  [default: TABLE.rejects.jsonl]")
@click.option("--stop-on-error", is_flag=True, help="Stop at the first bad line.")
@click.option("--heat", is_flag=True, help="At the end, plot the partition keys with the most write units.")
@write_limits
@resumable
@bulk_options
@connected
def load(files: tuple[str, ...], connection: Connection, **options: Any) -> None:
    """Put the items of files into a table. `-` is standard input.

    A bad line goes to the rejects file, with its file, its line, the attribute and the fault. Items under an existing
    key are replaced. Ctrl-C stops at once, and the report says how to go on.
    """
    source = Source(files, options.pop("format_name"))
    source.check()
    connection.run(lambda client: _load(client, source, connection.heat, **options))


async def _load(
    client: Client,
    source: Source,
    counted: Heat,
    *,
    table: str | None,
    model: str | None,
    rejects: str | None,
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
    opened = await open_table(client, table, model)
    name = opened.table.name
    path = Path(rejects or f"{name}.rejects.jsonl")
    source.check_spared(path)
    bad = Rejects(path, goes_on=resume is not None, stops=stop_on_error)
    incoming = Incoming(opened, source, bad)
    if dry_run:
        return _rehearse(incoming, as_json=as_json)
    if source.is_repeatable and not quiet:
        click.echo(_expected(opened, source), err=True)
    state = State.begin(resume, f"load-{name}")
    display = Display(
        f"load {name}",
        total=source.size,
        done=None if source.size is None else lambda _: source.position,
        quiet=quiet,
    )
    job = Job("load", display, state, bad, as_json=as_json, quiet=quiet, done="loaded")
    handle: Any = opened.model or opened.table
    work = handle.put_many(
        incoming.values() if source.is_repeatable else Aside(incoming.values()),
        concurrency=concurrency,
        write_units_per_second=write_units_per_second,
        timeout=timeout,
        on_error=incoming.undone,
        progress=display,
        resume=state.path,
    )
    try:
        return await job.run(work)
    finally:
        if heat:
            click.echo(str(counted.report()), err=True)


def _expected(opened: Opened, source: Source) -> str:
    """Return an estimate of the load, from its first rows."""
    sample = Source(source.files, source.format)
    estimate = Estimate(opened.description)
    rows = 0
    for item in islice(Incoming(opened, sample, Rejects(None)).items(), SAMPLE):
        estimate.add(item)
        rows += 1
    if rows < SAMPLE:
        return f"load: {estimate}"
    return f"load: about {estimate.scaled((source.size or 0) / max(sample.position, 1))}, by its first {SAMPLE:,} rows"


def _rehearse(incoming: Incoming, *, as_json: bool) -> int:
    """Read everything, write nothing, and print the estimate."""
    estimate = Estimate(incoming.opened.description)
    for item in incoming.items():
        estimate.add(item)
    bad = incoming.rejects
    bad.close()
    if as_json:
        numbers = {"command": "load", "dry_run": True, **estimate.as_json(), "rejected": bad.count}
        click.echo(json_bytes(numbers))
    else:
        click.echo(f"would load {estimate}, {bad.count:,} bad lines")
        if bad.count:
            click.echo(f"the items that would not be written, and the reasons: {bad.path}", err=True)
    return IN_PART if bad.count else DONE
