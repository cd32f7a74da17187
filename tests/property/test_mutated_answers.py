"""Answers of the wrong shape: whatever stands in the JSON of an answer, no foreign exception leaves the library.

A valid answer to each operation is changed at random places, sealed with a right checksum, and played to the client's
own signing, retrying and checking. ``MIZZLE_TEST_COUNT`` says how many answers each operation gets.
"""

import copy
import os
import random
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    GlobalSecondaryIndex,
    Heat,
    MizzleError,
    Modified,
    PartitionKey,
    RetryPolicy,
    SortKey,
    ThrottledError,
    TransactionCanceledError,
    attribute,
    document,
    entity,
    evolve,
)
from mizzle_async.operations.streams import (
    ChangeDecoder,
    DescribeStream,
    DescribeTableStream,
    GetRecords,
    GetShardIterator,
    ListStreams,
)
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.stub import StubTransport
from mizzle_async.wire.exchange import Exchange
from mizzle_async.writing.table_part import target_of

COUNT = int(os.environ.get("MIZZLE_TEST_COUNT", "60"))
NOW = 1_700_000_000.0
DEEP = "\u0000deep\u0000"


class Kind(Enum):
    A = "a"
    B = "b"


@document
class Part:
    name: Attribute[str]
    size: Attribute[int] = attribute(default=0)


@entity("things")
class Thing:
    pk: PartitionKey[str]
    sk: SortKey[int]
    text: Attribute[str] = attribute(default="")
    number: Attribute[int] = attribute(default=0)
    price: Attribute[Decimal] = attribute(default=Decimal(0))
    ratio: Attribute[float] = attribute(default=0.0)
    at: Attribute[datetime] = attribute(default=datetime(2026, 1, 1, tzinfo=UTC))
    day: Attribute[date] = attribute(default=date(2026, 1, 1))
    uid: Attribute[UUID] = attribute(default=UUID(int=7))
    raw: Attribute[bytes] = attribute(default=b"")
    flag: Attribute[bool] = attribute(default=False)
    tags: Attribute[set[str]] = attribute(factory=set)
    sizes: Attribute[set[int]] = attribute(factory=set)
    parts: Attribute[list[Part]] = attribute(factory=list)
    named: Attribute[dict[str, Part]] = attribute(factory=dict)
    anything: Attribute[Any] = attribute(default=None)
    maybe: Attribute[str | None] = attribute(default=None)
    either: Attribute[int | str] = attribute(default=0)
    kind: Attribute[Kind] = attribute(default=Kind.A)
    expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


BY_TEXT = GlobalSecondaryIndex("by-text", partition_key=Thing.text, sort_key=Thing.number, projection="keys_only")


@entity("versioned")
class Versioned:
    pk: PartitionKey[str]
    count: Attribute[int] = attribute(default=0)
    version: Attribute[int] = attribute(default=0, version=True)


@entity("unique")
class Account:
    pk: PartitionKey[str]
    email: Attribute[str] = attribute(unique=True)


@entity("sharded")
class Event:
    pk: PartitionKey[str] = attribute(shards=3)
    sk: SortKey[str]


ITEM: dict[str, Any] = {
    "pk": {"S": "a"},
    "sk": {"N": "7"},
    "text": {"S": "words"},
    "number": {"N": "12"},
    "price": {"N": "1.5"},
    "ratio": {"N": "0.25"},
    "at": {"S": "2026-01-01T00:00:00.000001Z"},
    "day": {"S": "2026-01-02"},
    "uid": {"S": str(UUID(int=9))},
    "raw": {"B": "AAEC"},
    "flag": {"BOOL": True},
    "tags": {"SS": ["x", "y"]},
    "sizes": {"NS": ["1", "2"]},
    "parts": {"L": [{"M": {"name": {"S": "p"}, "size": {"N": "3"}}}]},
    "named": {"M": {"q": {"M": {"name": {"S": "q"}}}}},
    "anything": {"M": {"l": {"L": [{"N": "1"}, {"NULL": True}, {"BS": ["AA=="]}]}}},
    "maybe": {"NULL": True},
    "either": {"S": "text"},
    "kind": {"S": "b"},
    "expires": {"N": str(int(NOW) + 1000)},
}
ROW = {name: ITEM[name] for name in ("pk", "sk", "text", "number", "anything", "expires")}
KEY = {"pk": {"S": "a"}, "sk": {"N": "7"}}
UNITS = {"TableName": "things", "CapacityUnits": 1.5, "Table": {"CapacityUnits": 1.5}}
VERSION = {"pk": {"S": "a"}, "count": {"N": "3"}, "version": {"N": "2"}, "_write_id": {"S": "x"}}
PAGE = {"Items": [ITEM, ITEM], "Count": 2, "ScannedCount": 2, "ConsumedCapacity": UNITS}
MORE = PAGE | {"LastEvaluatedKey": KEY}
EVENTS = {"Items": [{"pk": {"S": "a.0"}, "sk": {"S": "s"}}], "Count": 1, "ScannedCount": 1}


def error(code: str, **members: Any) -> dict[str, Any]:
    """A refusal of the service."""
    return {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no", **members}


REFUSED = error("ConditionalCheckFailedException", Item=ITEM)
CANCELED = error(
    "TransactionCanceledException",
    CancellationReasons=[{"Code": "ConditionalCheckFailed", "Message": "m", "Item": ITEM}, {"Code": "None"}],
)
THROTTLED = error("ThrottlingException", ThrottlingReasons=[{"reason": "KeyRange", "resource": "arn"}])
STREAM = "arn:aws:dynamodb:eu-west-1:111122223333:table/things/stream/2026-11-28T07:52:44.766"
RANGE = {"StartingSequenceNumber": "1", "EndingSequenceNumber": "22"}
DESCRIBED = {
    "StreamArn": STREAM,
    "StreamStatus": "ENABLED",
    "StreamViewType": "KEYS_ONLY",
    "Shards": [{"ShardId": "b", "ParentShardId": "a", "SequenceNumberRange": RANGE}, {"ShardId": "c"}],
    "LastEvaluatedShardId": "c",
}
RECORDS = [
    {
        "eventID": "1",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "userIdentity": {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"},
        "dynamodb": {
            "ApproximateCreationDateTime": 1.0,
            "Keys": KEY,
            "OldImage": ITEM,
            "NewImage": ITEM,
            "SequenceNumber": "100",
            "SizeBytes": 9,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }
    for name in ("MODIFY", "REMOVE")
]
THING = Thing(pk="a", sk=7)
BATCH = {"things": [ROW]}
Run = Callable[[Client], Awaitable[Any]]


def things(client: Client) -> Any:
    """A table of typed items."""
    return client.table(Thing)


def dicts(client: Client) -> Any:
    """The same table, of dicts."""
    return client.table("things", partition_key="pk", sort_key="sk", sort_key_type=int)


async def each(rows: Any) -> None:
    """Read rows one by one, to the end."""
    async for _ in rows:
        pass


async def skipping(client: Client) -> None:
    """Leave out what does not fit."""
    await things(client).scan(on_error="skip").all()


async def streamed(client: Client) -> None:
    """Read in a context."""
    async with things(client).query(Thing.pk == "a").stream() as rows:
        await each(rows)


async def coalesced(client: Client) -> None:
    """Read what is asked for at once together."""
    async with things(client).coalesced() as reads:
        await reads.get(pk="a", sk=7)


async def modified(client: Client) -> None:
    """Read, change, write."""
    await client.table(Versioned).modify("a", lambda row: evolve(row, count=row.count + 1))


async def resumed(client: Client) -> None:
    """Read with a position in a file."""
    await each(things(client).query(Thing.pk == "a").resumable(client.state_path))  # type: ignore[attr-defined]  # ours


async def exported(client: Client) -> None:
    """Write a file."""
    await things(client).scan().export(client.state_path)  # type: ignore[attr-defined]  # ours


def use_change(change: Any) -> None:
    """Look at everything that a change tells."""
    repr(change), hash(change)
    for name in ("key", "sequence_number", "event_id", "at", "size", "region", "expired"):
        with suppress(MizzleError):
            getattr(change, name, None)
    if isinstance(change, Modified):
        change.changed(Thing.parts[0][Part.size], Thing.tags, Thing.anything)


async def recorded(client: Client) -> None:
    """Read a page of records, and decode it."""
    decoder: ChangeDecoder[Thing] = ChangeDecoder(target_of(things(client)))
    page = await client.send(GetRecords("i"))
    for record in page.records:
        use_change(decoder.decode(record, record["dynamodb"]["SequenceNumber"], "shard"))


async def lightly_recorded(client: Client) -> None:
    """The same, as a consumer reads it: images are records."""
    decoder: ChangeDecoder[Thing] = ChangeDecoder(target_of(things(client)))
    assert decoder.form is not None
    page = await client.send(GetRecords("i", form=decoder.form))
    for record in page.records:
        use_change(decoder.decode(record, record["dynamodb"]["SequenceNumber"], "shard"))


async def partly_recorded(client: Client) -> None:
    """The same, of keys alone."""
    decoder: ChangeDecoder[Thing] = ChangeDecoder(target_of(things(client)), "keys_only")
    for record in (await client.send(GetRecords("i"))).records:
        use_change(decoder.decode(record, record["dynamodb"]["SequenceNumber"]))


RUNS: dict[str, tuple[Run, dict[str, Any]]] = {
    "get": (lambda c: things(c).get(pk="a", sk=7), {"Item": ITEM, "ConsumedCapacity": UNITS}),
    "get_one": (lambda c: things(c).get_one(pk="a", sk=7), {"Item": ITEM}),
    "get of dicts": (lambda c: dicts(c).get(pk="a", sk=7), {"Item": ITEM}),
    "put": (lambda c: things(c).put(THING), {"ConsumedCapacity": UNITS}),
    "insert": (lambda c: things(c).insert(THING), {}),
    "insert, refused": (lambda c: things(c).insert(THING), REFUSED),
    "replace": (lambda c: things(c).replace(THING), {"Attributes": ITEM}),
    "update": (lambda c: things(c).update(pk="a", sk=7).add(Thing.number, 1), {"Attributes": ITEM}),
    "update of dicts": (lambda c: dicts(c).update(pk="a", sk=7).set({"text": "x"}), {"Attributes": ITEM}),
    "update, refused": (lambda c: things(c).update(pk="a", sk=7).set(Thing.number, 1), REFUSED),
    "upsert": (lambda c: things(c).upsert(pk="a", sk=7).set(Thing.number, 1), {"Attributes": ITEM}),
    "upsert, refused": (lambda c: things(c).upsert(pk="a", sk=7).set(Thing.number, 1), REFUSED),
    "patch": (lambda c: things(c).patch(THING, to=evolve(THING, number=3)), {"Attributes": ITEM}),
    "delete": (lambda c: things(c).delete(pk="a", sk=7), {"Attributes": ITEM}),
    "delete of dicts": (lambda c: dicts(c).delete(pk="a", sk=7), {"Attributes": ITEM}),
    "versioned update": (lambda c: c.table(Versioned).update("a").add(Versioned.count, 1), {"Attributes": VERSION}),
    "versioned update, refused": (
        lambda c: c.table(Versioned).replace(Versioned(pk="a", version=1)),
        error("ConditionalCheckFailedException", Item=VERSION),
    ),
    "modify": (modified, {"Item": VERSION, "Attributes": VERSION}),
    "exactly once": (lambda c: things(c).put(THING).exactly_once(), {"ConsumedCapacity": [UNITS]}),
    "unique insert": (lambda c: c.table(Account).insert(Account(pk="a", email="e")), {"ConsumedCapacity": [UNITS]}),
    "unique insert, canceled": (lambda c: c.table(Account).insert(Account(pk="a", email="e")), CANCELED),
    "unique delete": (lambda c: c.table(Account).delete(Account(pk="a", email="e")), {}),
    "transaction": (lambda c: c.transact_write(things(c).put(THING)), {"ConsumedCapacity": [UNITS]}),
    "transaction, canceled": (
        lambda c: c.transact_write(things(c).insert(THING), things(c).update(pk="b", sk=1).set(Thing.number, 1)),
        CANCELED,
    ),
    "transaction of reads": (
        lambda c: c.transact_get(things(c).get(pk="a", sk=7), dicts(c).get(pk="b", sk=7)),
        {"Responses": [{"Item": ITEM}, {}], "ConsumedCapacity": [UNITS]},
    ),
    "query": (lambda c: things(c).query(Thing.pk == "a").all(), MORE),
    "query, one by one": (lambda c: each(things(c).query(Thing.pk == "a")), MORE),
    "query in pages": (lambda c: each(things(c).query(Thing.pk == "a").pages()), MORE),
    "query, a stream": (streamed, PAGE),
    "page": (lambda c: things(c).query(Thing.pk == "a").page(max_items=1), MORE),
    "page of dicts": (lambda c: dicts(c).scan().page(max_items=1), MORE),
    "first": (lambda c: things(c).query(Thing.pk == "a").first(), PAGE),
    "one": (lambda c: things(c).query(Thing.pk == "a").one(), PAGE | {"Items": [ITEM], "Count": 1}),
    "count": (lambda c: things(c).query(Thing.pk == "a").count(), {"Count": 2, "ScannedCount": 2}),
    "scan": (lambda c: things(c).scan().all(), MORE),
    "scan in segments": (lambda c: things(c).scan(segments=3).all(), PAGE),
    "scan of dicts": (lambda c: dicts(c).scan().all(), MORE),
    "scan that skips": (skipping, PAGE),
    "projection": (lambda c: things(c).scan().project(Thing.parts[0][Part.size], Thing.anything).all(), PAGE),
    "index": (lambda c: things(c).query(BY_TEXT.partition_key == "words").project(Thing.pk).all(), PAGE),
    "hydrated": (
        lambda c: things(c).query(BY_TEXT.partition_key == "words").hydrate().all(),
        PAGE | {"Responses": BATCH},
    ),
    "spread": (lambda c: c.table(Event).query(Event.pk == "a").all(), EVENTS),
    "get many": (
        lambda c: things(c).get_many([THING, things(c).key(pk="b", sk=1)]),
        {"Responses": BATCH, "UnprocessedKeys": {"things": {"Keys": [{"pk": {"S": "b"}, "sk": {"N": "1"}}]}}},
    ),
    "get many, one by one": (lambda c: each(things(c).get_many([THING])), {"Responses": BATCH}),
    "get many of dicts": (lambda c: dicts(c).get_many([{"pk": "a", "sk": 7}]), {"Responses": BATCH}),
    "coalesced": (coalesced, {"Responses": BATCH}),
    "put many": (
        lambda c: things(c).put_many([THING, evolve(THING, sk=8)]),
        {
            "UnprocessedItems": {"things": [{"PutRequest": {"Item": {**KEY}}}]},
            "ConsumedCapacity": [UNITS],
        },
    ),
    "delete many": (
        lambda c: things(c).delete_many([THING]),
        {"UnprocessedItems": {"things": [{"DeleteRequest": {"Key": KEY}}]}},
    ),
    "delete where": (lambda c: things(c).scan().delete_where(Thing.number > 3), PAGE | {"Attributes": ITEM}),
    "delete where, paced": (
        lambda c: things(c).scan().delete_where(Thing.number > 3, write_units_per_second=1000),
        PAGE | {"Attributes": ITEM},
    ),
    "delete where of dicts, paced": (
        lambda c: dicts(c).scan().delete_where(write_units_per_second=1000),
        PAGE | {"Attributes": ITEM},
    ),
    "rewrite": (
        lambda c: things(c).scan().rewrite(lambda row: evolve(row, number=row.number + 1)),
        PAGE | {"Attributes": ITEM},
    ),
    "resumed": (resumed, PAGE),
    "export": (exported, PAGE),
    "statement": (lambda c: c.execute("SELECT * FROM things", into=Thing).all(), {"Items": [ITEM], "NextToken": "t"}),
    "statement of dicts": (lambda c: c.execute("SELECT * FROM things").page(), {"Items": [ITEM], "NextToken": "t"}),
    "statements in a batch": (
        lambda c: c.execute_batch(c.execute("SELECT * FROM things WHERE pk=?", "a", into=Thing)),
        {"Responses": [{"Item": ITEM, "TableName": "things"}]},
    ),
    "statements in a batch, one refused": (
        lambda c: c.execute_batch(c.execute("DELETE FROM things WHERE pk=?", "a")),
        {"Responses": [{"Error": {"Code": "ConditionalCheckFailed", "Message": "m", "Item": ITEM}}]},
    ),
    "statements in a transaction": (
        lambda c: c.execute_transaction(c.execute("SELECT * FROM things WHERE pk=?", "a", into=Thing)),
        {"Responses": [{"Item": ITEM}]},
    ),
    "statements in a transaction, canceled": (
        lambda c: c.execute_transaction(c.execute("DELETE FROM things WHERE pk=?", "a")),
        error("TransactionCanceledException", CancellationReasons=[{"Code": "ConditionalCheckFailed", "Item": ITEM}]),
    ),
    "throttled": (lambda c: things(c).get(pk="a", sk=7), THROTTLED),
    "stream, described": (lambda c: c.send(DescribeStream(STREAM)), {"StreamDescription": DESCRIBED}),
    "stream of a table": (
        lambda c: c.send(DescribeTableStream("things")),
        {"Table": {"TableName": "things", "LatestStreamArn": STREAM, "StreamSpecification": {"StreamEnabled": True}}},
    ),
    "streams": (lambda c: c.send(ListStreams("things")), {"Streams": [{"StreamArn": STREAM, "TableName": "things"}]}),
    "iterator": (lambda c: c.send(GetShardIterator(STREAM, "shard", "LATEST")), {"ShardIterator": "i"}),
    "records": (recorded, {"Records": RECORDS, "NextShardIterator": "i"}),
    "records, lighter": (lightly_recorded, {"Records": RECORDS, "NextShardIterator": "i"}),
    "records, of keys": (partly_recorded, {"Records": RECORDS[:1], "NextShardIterator": "i"}),
}

JUNK: list[Any] = [None, True, 0, -1, 7, 1e300, "", "x", "1_0", "٣", "7" * 5000, "-", [], [1], {}, {"S": 1}, {"N": 12}]
JUNK += [
    {"N": "abc"},
    {"N": "7" * 5000},
    {"X": "y"},
    {"M": []},
    {"L": {}},
    {"S": "a", "N": "1"},
    [[]],
    {"B": "?"},
    DEEP,
]


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of every value inside JSON."""
    found = [path]
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each_one in entries:
        found += spots(each_one, (*path, name))
    return found


def mutate(payload: Any, chance: random.Random) -> Any:
    """Return JSON with one to three of its places changed: put, removed, doubled, renamed."""
    changed = copy.deepcopy(payload)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        path = chance.choice(spots(changed))
        if not path:
            if chance.random() < 0.1:
                return chance.choice(JUNK)
            continue
        holder = changed
        for step in path[:-1]:
            holder = holder[step]
        last = path[-1]
        action = chance.choice(("put", "put", "put", "remove", "double", "rename"))
        if action == "remove":
            del holder[last]
        elif action == "double" and isinstance(holder, list):
            holder.append(holder[last])
        elif action == "rename" and isinstance(holder, dict):
            holder[chance.choice(("S", "N", "M", "L", "zz", "Items", "Item"))] = holder.pop(last)
        else:
            holder[last] = copy.deepcopy(chance.choice(JUNK))
    return changed


def sealed(payload: Any) -> Reply:
    """An answer with these contents, its checksum right."""
    is_error = isinstance(payload, dict) and "__type" in payload
    levels = 508
    deep = b'{"L":[' * levels + b'{"S":"x"}' + b"]}" * levels
    body = orjson.dumps(payload).replace(orjson.dumps(DEEP), deep)
    return Reply(body, 400 if is_error else 200)


def calm(payload: dict[str, Any]) -> dict[str, Any]:
    """What ends every work that goes on: no more pages, nothing unprocessed."""
    left = {name: value for name, value in payload.items() if not name.startswith(("Unprocessed", "LastEv", "NextT"))}
    return left | ({"Items": [], "Count": 0, "ScannedCount": 0} if "Items" in payload else {})


def use_error(raised: MizzleError) -> None:
    """Look at everything that an error tells."""
    str(raised), repr(raised)
    if isinstance(raised, ConditionalCheckFailedError):
        raised.stored(Thing)
    if isinstance(raised, TransactionCanceledError):
        for reason in raised.reasons:
            str(reason)
            reason.stored(Thing)
    if isinstance(raised, ThrottledError):
        str(raised.reasons)


@pytest.mark.parametrize("name", RUNS)
def test_no_foreign_exception_leaves_a_mutated_answer(name: str, tmp_path: Path):
    """Every changed answer ends in a result, or in an error of the library."""
    run, payload = RUNS[name]
    chance = random.Random(name)
    refused = 0

    async def play(number: int) -> bool:
        sent = 0

        def reply(_exchange: Exchange) -> Reply:
            nonlocal sent
            sent += 1
            return sealed(mutate(payload, chance) if sent <= 2 else calm(payload))

        client = Client(
            transport=StubTransport(reply), retry=RetryPolicy(attempts=1), clock=lambda: NOW, instrument=Heat()
        )
        client.state_path = tmp_path / f"state-{number}"  # type: ignore[attr-defined]  # ours
        async with client:
            try:
                await run(client)
            except MizzleError as raised:
                with suppress(MizzleError):
                    use_error(raised)
                return True
            return client.statistics().failures > 0  # refused, and asked for again: by a batch, say

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(COUNT):
            refused += run_virtual(play(number))
    assert refused > COUNT // 20 or payload in ({}, {"ConsumedCapacity": UNITS}, {"ConsumedCapacity": [UNITS]})


@pytest.mark.parametrize("view", ["new_and_old_images", "new_image", "keys_only"])
def test_no_foreign_exception_leaves_a_mutated_event(view: Any):
    """Every changed event of a Lambda function ends in changes, or in an error of the library."""
    chance = random.Random(view)
    table = Client().table(Thing)
    source = {"eventSource": "aws:dynamodb", "eventSourceARN": STREAM}
    event = {"Records": [record | source for record in RECORDS]}
    handled, refused = 0, 0
    for _ in range(COUNT * 5):
        try:
            for change in table.decode_records(mutate(event, chance), view=view):
                use_change(change)
                handled += 1
        except MizzleError as raised:
            use_error(raised)
            refused += 1
    assert min(handled, refused) > COUNT // 10
