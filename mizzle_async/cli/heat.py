"""`mizzle-async heat`: show how items spread over partition keys, of files or of a table."""

from __future__ import annotations

from itertools import islice
from typing import Any

import click

from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.estimates import Estimate
from mizzle_async.cli.exit_codes import DONE, EXIT_CODES, NOT_FOUND
from mizzle_async.cli.files.options import reading as with_reading
from mizzle_async.cli.files.rows import ReadOptions
from mizzle_async.cli.files.source import Source
from mizzle_async.cli.formats import Format
from mizzle_async.cli.handles import open_table
from mizzle_async.cli.incoming import Incoming
from mizzle_async.cli.rejects import Rejects
from mizzle_async.cli.selections import Selection, table_named
from mizzle_async.cli.values import cell, json_bytes
from mizzle_async.errors import MarshallingError
from mizzle_async.handles.client import Client
from mizzle_async.instruments.heat import Heat, HeatReport
from mizzle_async.limits import WRITE_UNIT_BYTES
from mizzle_async.marshalling import encode_any, item_size


@click.command(
    short_help="Plot which partition keys are hot.",
    epilog="A partition takes 1,000 write units and 3,000 read units a second. A partition key with more traffic is"
    f" throttled, even if the table as a whole is not busy. {EXIT_CODES}",
)
@click.argument("files", nargs=-1, metavar="[FILE]…")
@table_named
@click.option(
    "--by", metavar="ATTRIBUTE", help="Count by this attribute instead.  [default: the table's partition key]"
)
@click.option(
    "--most", type=click.IntRange(min=1), default=10_000, show_default=True, help="The number of items to read."
)
@with_reading
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@connected
def heat(files: tuple[str, ...], connection: Connection, reading: ReadOptions, **options: Any) -> None:
    """Plot the partition keys with the most write units: of files before a load, or of a table's items.

    Nothing is written. Of a table it reads the first items of a scan.
    """
    source = Source(files, reading)
    by = options["by"]
    if files and by is not None and options["model"] is None and options["table"] is None:
        raise SystemExit(_heat_of_files(source, by, options["most"], as_json=options["as_json"]))
    connection.run(lambda client: _heat(client, source, **options))


async def _heat(
    client: Client, source: Source, *, table: str | None, model: str | None, by: str | None, most: int, as_json: bool
) -> int:
    opened = await open_table(client, table, model)
    encode = opened.stored_codec.encode
    if source.files:
        incoming = Incoming(opened, source, Rejects(None))
        source.check()
        items = islice(incoming.items(), most)
    else:
        rows = await Selection(limit=most).rows(opened).all()
        items = islice(map(encode, rows), most)
    name = opened.stored_name(by) if by is not None else opened.key_names[0]
    counted = Heat()
    for item in items:
        if name in item:  # an index has no entry for an item without its key
            estimate = Estimate(opened.description)
            estimate.add(item)
            counted.count(opened.table.name, cell(item[name]), estimate.write_units)
    return _show(counted, as_json=as_json)


def _heat_of_files(source: Source, by: str, most: int, *, as_json: bool) -> int:
    """Count the write units of files by an attribute, without a table and its indexes."""
    source.check()
    counted = Heat()
    for row in islice(source, most):
        if row.values is None or by not in row.values:
            continue
        try:
            is_stored = row.format is Format.DYNAMODB
            item = dict(row.values) if is_stored else {name: encode_any(each) for name, each in row.values.items()}
        except MarshallingError:
            continue  # a load would reject it
        counted.count(source.names[0], cell(item[by]), -(-item_size(item) // WRITE_UNIT_BYTES))
    return _show(counted, as_json=as_json)


def _show(counted: Heat, *, as_json: bool) -> int:
    """Print a report, and return the exit code."""
    report = counted.report()
    click.echo(json_bytes(heat_numbers(report)) if as_json else str(report))
    return DONE if report.keys else NOT_FOUND


def heat_numbers(report: HeatReport) -> dict[str, Any]:
    """Return a report as JSON."""
    return {
        "units": report.units,
        "skew": report.skew,
        "hottest_share": report.hottest_share,
        "effective_keys": report.effective_keys,
        "is_partial": report.is_partial,
        "keys": [{"key": key.key, "units": key.units, "share": key.share} for key in report.keys],
    }
