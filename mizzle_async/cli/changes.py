"""`mizzle-async changes`: show the changes of a table as lines of JSON, as they happen."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click
import orjson
from attrs import frozen

from mizzle_async.cli.connection import Connection, connected
from mizzle_async.cli.exit_codes import DONE, EXIT_CODES, NOT_FOUND
from mizzle_async.cli.handles import Opened, open_table
from mizzle_async.cli.selections import table_named
from mizzle_async.cli.values import counted, json_bytes
from mizzle_async.handles.change_verbs import decoded_changes
from mizzle_async.handles.client import Client
from mizzle_async.marshalling import plain_item
from mizzle_async.operations.streams import RawRecord
from mizzle_async.operations.streams.changes import is_expiry
from mizzle_async.streams.change_stream import ChangeStream
from mizzle_async.streams.settings import ConsumerSettings
from mizzle_async.streams.shard_run import time_of
from mizzle_async.streams.starts import Start
from mizzle_async.streams.stores import FileCheckpoints

_WORDS: Final[dict[str, Start]] = {"oldest": "oldest", "latest": "latest"}
_SPAN: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(s|m|h|d)")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_KINDS: Final = {"INSERT": "inserted", "MODIFY": "modified", "REMOVE": "removed"}


@frozen(eq=False)
class ShownRecord:
    """A record that is shown.

    Attributes:
        record: The record in the service's JSON.
        shard: Its shard.
    """

    record: RawRecord
    shard: str | None


class RecordsAsTheyAre:
    """Decodes nothing: every record is shown, those of all entities of a shared table too."""

    form = None

    def decode(self, record: RawRecord, number: str, shard: str | None = None, /) -> ShownRecord:
        """Return the record."""
        del number
        return ShownRecord(record, shard)


def start_of(context: click.Context, parameter: click.Parameter, text: str) -> Start:
    """Return the start that a text means.

    Raises:
        click.BadParameter: It means none.
    """
    if text in _WORDS:
        return _WORDS[text]
    span = _SPAN.fullmatch(text)
    if span is not None:
        return timedelta(**{_UNITS[span[2]]: float(span[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is no start: oldest, latest, a time back from now such as 30m, 1h or 1d, or a time"
        raise click.BadParameter(message, context, parameter) from None
    return moment if moment.tzinfo is not None else moment.astimezone()


@click.command(
    short_help="Show the changes of a table as they happen.",
    epilog=f"Ctrl-C ends it. The service keeps changes for 24 hours. {EXIT_CODES}",
)
@table_named
@click.option(
    "--start",
    metavar="WHEN",
    default="latest",
    show_default=True,
    callback=start_of,
    help="oldest, latest, a time back from now (30m, 1h), or a time (2026-11-28T12:00).",
)
@click.option("--once", is_flag=True, help="End when every change is shown that there is now.")
@click.option("--limit", type=click.IntRange(min=1), help="End after this number of changes.")
@click.option("--positions", metavar="FILE", help="Keep the position in this file: --start is for the first time.")
@click.option("--consumer", default="shell", show_default=True, help="With --positions: the name whose position it is.")
@click.option("--dynamodb", is_flag=True, help="Print records in DynamoDB's JSON, as the service answers them.")
@connected
def changes(connection: Connection, **options: Any) -> None:
    """Show the changes of a table with a stream, one line of JSON for each: its key, the item before and after."""
    connection.run(lambda client: _changes(client, **options))


async def _changes(
    client: Client,
    *,
    table: str | None,
    model: str | None,
    start: Start,
    once: bool,
    limit: int | None,
    positions: str | None,
    consumer: str,
    dynamodb: bool,
) -> int:
    opened = await open_table(client, table, model, as_stored=dynamodb)
    settings = ConsumerSettings(
        start=start,
        consumer=None if positions is None else consumer,
        checkpoints=None if positions is None else FileCheckpoints(positions),
    )
    stream: ChangeStream[ShownRecord] = decoded_changes(opened.table, RecordsAsTheyAre(), settings)
    count = 0

    async def show(shown: ShownRecord) -> None:
        nonlocal count
        if count == limit:
            return
        line = orjson.dumps(shown.record) if dynamodb else json_bytes(_plain(opened, shown))
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
        count += 1
        if count == limit:
            stream.stop()

    report = await stream.for_each(show, concurrency=1, attempts=1, until="caught_up" if once else "closed")
    click.echo(f"{counted(count, 'change')}, {counted(report.requests, 'request')}", err=True)
    return DONE if count else NOT_FOUND


def _plain(opened: Opened, shown: ShownRecord) -> dict[str, Any]:
    """Return a record as it is shown."""
    record = shown.record
    body = record["dynamodb"]
    at = time_of(record)
    line: dict[str, Any] = {
        "change": _KINDS[record["eventName"]],
        "at": None if at is None else datetime.fromtimestamp(at, UTC).isoformat(),
        "key": plain_item(opened.natural(body["Keys"])),
    }
    if is_expiry(record):
        line["expired"] = True
    line |= {
        member: plain_item(opened.natural(body[image]))
        for member, image in (("old", "OldImage"), ("new", "NewImage"))
        if image in body
    }
    return {**line, "number": body["SequenceNumber"], "shard": shown.shard}
