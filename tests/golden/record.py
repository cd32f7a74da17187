"""Record what the library leaves in tables, cursors and files: ``python tests/golden/record.py VERSION``.

It writes ``tests/golden/VERSION/*.json``, one file for each thing, with a format number. Nothing is recorded twice:
later versions must read what is there. Run it with the version that is to be recorded on ``PYTHONPATH``.
"""

import asyncio
import itertools
import json
import sys
import tempfile
import uuid
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from mizzle_async import (
    Attribute,
    Client,
    GlobalSecondaryIndex,
    PartitionKey,
    SharedTable,
    SortKey,
    attribute,
    entity,
    evolve,
    key_template,
)
from mizzle_async.handles.runtime import Runtime
from mizzle_async.testing.stub import StubCaller

HERE = Path(__file__).parent
NOW = 1_800_000_000.0
CURSOR_KEY = "sixteen bytes or more"


@entity("golden-accounts")
class Account:
    name: PartitionKey[str]
    email: Attribute[str] = attribute(unique=True)
    number: Attribute[int | None] = attribute(default=None, unique=True)


@entity("golden-orders")
class Order:
    key: PartitionKey[str]
    note: Attribute[str] = attribute(default="")
    version: Attribute[int] = attribute(default=0, version=True)
    made: Attribute[datetime | None] = attribute(default=None, created_at=True)
    changed: Attribute[datetime | None] = attribute(default=None, updated_at=True)


@entity("golden-sessions")
class Session:
    key: PartitionKey[str]
    expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


@entity("golden-events")
class Event:
    source: PartitionKey[str] = attribute(shards=4)
    number: SortKey[int]
    text: Attribute[str] = attribute(default="")


@entity("golden-entries")
class Entry:
    key: PartitionKey[str]
    number: SortKey[int]


class Kind(StrEnum):
    NEW = "new"
    OLD = "old"


shop = SharedTable("golden-shop", partition_key="PK", sort_key="SK")
escaped = SharedTable("golden-escaped", partition_key="PK", escape=True)
BY_KIND = shop.index("GSI1", partition_key="GSI1PK", sort_key="GSI1SK")


@entity(shop, partition_key="CUSTOMER#{customer:lower}", sort_key="ORDER#{at}#{day}#{number:06}")
class Sale:
    customer: PartitionKey[str]
    at: SortKey[datetime]
    day: SortKey[date]
    number: SortKey[int]
    kind: Attribute[Kind] = attribute(default=Kind.NEW)
    price: Attribute[Decimal] = attribute(default=Decimal(1))
    mail: Attribute[str | None] = attribute(default=None, unique=True)


GlobalSecondaryIndex(
    BY_KIND,
    partition_key=key_template("KIND#{}", Sale.kind),
    sort_key=key_template("{:010.2}#{:month}", Sale.price, Sale.at),
    where=Sale.price > Decimal(0),
)


@entity(shop, partition_key="CUSTOMER#{customer:upper}", sort_key="FILE#{path:rest}", type_name=("File", "Document"))
class File:
    customer: PartitionKey[str]
    path: SortKey[str] = attribute(key_only=True)


@entity(escaped, partition_key="PAIR#{one}#{other}")
class Pair:
    one: PartitionKey[str]
    other: PartitionKey[uuid.UUID]


ANNE = Account(name="anne", email="anne@example.com", number=7)
EVENTS = [Event(source="door", number=number, text=f"e{number}") for number in range(8)]
ENTRIES = [Entry(key="a", number=number) for number in range(60)]


async def recorded(answers: dict[str, Any], run: Any, **options: Any) -> list[dict[str, Any]]:
    """Return the requests that a run sends, as they are sent."""
    caller = StubCaller(answers)
    async with Client(caller=caller, clock=lambda: NOW, **options) as client:
        await run(client)
    return [
        {"operation": request.operation, "table": request.table, "body": orjson.loads(request.body)}
        for request in caller.requests
    ]


async def guards() -> dict[str, Any]:
    """Guard items: what claims, keeps and gives up the values of unique attributes."""

    async def run(client: Client) -> None:
        accounts = client.table(Account)
        await accounts.insert(ANNE)
        await accounts.patch(ANNE, to=evolve(ANNE, email="anne@example.org"))
        await accounts.delete(evolve(ANNE, email="anne@example.org"))

    insert, patch, delete = await recorded({"TransactWriteItems": {}}, run)
    return {"insert": insert, "patch": patch, "delete": delete}


async def versions() -> dict[str, Any]:
    """Versions, ids of writes, and times that the library keeps."""

    async def run(client: Client) -> None:
        orders = client.table(Order)
        await orders.insert(Order(key="a", note="first"))
        await orders.replace(Order(key="a", note="second", version=1))

    times = {"made": {"S": "2027-01-15T08:00:00Z"}, "changed": {"S": "2027-01-15T08:00:00Z"}}
    stored = {"key": {"S": "a"}, "note": {"S": "second"}, "version": {"N": "2"}} | times
    insert, replace = await recorded({"PutItem": {}, "UpdateItem": {"Attributes": stored}}, run)
    return {"insert": insert, "replace": replace}


async def lifetimes() -> dict[str, Any]:
    """Times to live."""

    async def run(client: Client) -> None:
        when = datetime.fromtimestamp(NOW, UTC)
        await client.table(Session).put(Session(key="living", expires=when + timedelta(hours=1)))
        await client.table(Session).put(Session(key="expired", expires=when - timedelta(hours=1)))

    living, expired = await recorded({"PutItem": {}}, run)
    return {"living": living, "expired": expired, "now": NOW}


async def shards() -> dict[str, Any]:
    """Partition keys that are spread: which suffix an item has, and what a query asks."""

    async def run(client: Client) -> None:
        events = client.table(Event)
        for event in EVENTS:
            await events.put(event)
        await events.query(Event.source == "door").all()

    requests = await recorded({"PutItem": {}, "Query": {"Items": [], "Count": 0, "ScannedCount": 0}}, run)
    return {"puts": requests[: len(EVENTS)], "queries": requests[len(EVENTS) :]}


async def keys() -> dict[str, Any]:
    """Keys of shared tables: texts, types, keys of indexes, guards, and what a query asks."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
    sale = Sale(customer="Ada", at=moment, day=moment.date(), number=7, price=Decimal("12.5"), mail="ada@example.com")

    async def run(client: Client) -> None:
        sales = client.table(Sale)
        await sales.insert(sale)
        await client.transact_write(sales.update(sale).set(Sale.kind, Kind.OLD))
        await client.table(File).put(File(customer="Ada", path="a/b#c"))
        await client.table(Pair).put(Pair(one="a#b%", other=uuid.UUID(int=5)))
        await sales.query(Sale.customer == "Ada", Sale.at >= moment).all()
        await client.collection(Sale, File).query(Sale.customer == "ada").all()

    empty = {"Items": [], "Count": 0, "ScannedCount": 0}
    requests = await recorded({"PutItem": {}, "UpdateItem": {}, "TransactWriteItems": {}, "Query": empty}, run)
    return {"requests": requests}


async def cursors() -> dict[str, Any]:
    """Cursors: plain, signed, sealed, of a spread key, of a statement."""
    last = {"key": {"S": "a"}, "number": {"N": "2"}}
    page = {"Items": [last], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": last}
    rows = {"Items": [last], "NextToken": "the service's own token"}
    found: dict[str, Any] = {"key": last}
    for name, options in {
        "plain": {},
        "authenticated": {"cursor_key": CURSOR_KEY},
        "expiring": {"cursor_key": CURSOR_KEY, "cursor_max_age": 1e9},
    }.items():
        caller = StubCaller({"Query": page, "Scan": page, "ExecuteStatement": rows})
        async with Client(caller=caller, clock=lambda: NOW, **options) as client:
            entries = client.table(Entry)
            found[name] = {
                "query": (await entries.query(Entry.key == "a").page(max_items=1)).cursor,
                "reverse": (await entries.query(Entry.key == "a", reverse=True).page(max_items=1)).cursor,
                "range": (await entries.query(Entry.key == "a", Entry.number > 0).page(max_items=1)).cursor,
                "scan": (await entries.scan().page(max_items=1)).cursor,
                "dicts": (
                    await client.table("golden-entries", partition_key="key", sort_key="number", sort_key_type=int)
                    .scan()
                    .page(max_items=1)
                ).cursor,
                "statement": (await client.execute('SELECT * FROM "golden-entries"').page()).cursor,
            }
    return found


async def states() -> dict[str, Any]:
    """State files: of reading, of an export, of a load, of a migration."""
    first = {"Items": [{"key": {"S": "a"}, "number": {"N": "0"}}], "Count": 1, "ScannedCount": 1}
    first["LastEvaluatedKey"] = {"key": {"S": "a"}, "number": {"N": "0"}}
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"

        async def half_read(client: Client) -> None:
            rows = client.table(Entry).query(Entry.key == "a").resumable(path)
            await anext(rows)
            with suppress(RuntimeError):
                await anext(rows)
            await rows.aclose()

        async def half_exported(client: Client) -> None:
            work = client.table(Entry).scan().export(Path(folder) / "lines", resume=path, checkpoint_pages=1)
            with suppress(RuntimeError):
                await work

        async def half_loaded(client: Client) -> None:
            with suppress(RuntimeError):
                await client.table(Entry).put_many(ENTRIES, resume=path, concurrency=1)

        gone = RuntimeError("the process was killed here")
        for name, answers, run in (
            ("resumable", {"Query": [first, gone]}, half_read),
            ("export", {"Scan": [first, gone]}, half_exported),
            ("load", {"BatchWriteItem": [{"UnprocessedItems": {}}, gone]}, half_loaded),
        ):
            await recorded(answers, run)
            found[name] = json.loads(path.read_text())
            path.unlink()
    return found


def steady(replace: Any, start: int = 1) -> None:
    """Make ids of writes and tokens the same every time.

    Args:
        replace: Assigns to an attribute of an object, as ``setattr`` does.
        start: The number of the first.
    """
    numbers = itertools.count(start)
    replace(Runtime, "new_write_id", lambda _: f"write-id-{next(numbers):03}")
    replace(Runtime, "new_token", lambda _: str(uuid.UUID(int=next(numbers))))


def main() -> None:
    """Write one file for each thing."""
    folder = HERE / sys.argv[1]
    folder.mkdir(exist_ok=True)
    for thing in (guards, versions, lifetimes, shards, keys, cursors, states):
        steady(setattr)
        content = {"format": 1, "thing": (thing.__doc__ or "").strip(), **asyncio.run(thing())}
        (folder / f"{thing.__name__}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
