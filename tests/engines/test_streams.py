"""Streams of real engines: the four operations, their refusals, and what an engine's environment says."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from mizzle_async import (
    Attribute,
    Client,
    GlobalSecondaryIndex,
    ModelError,
    PartitionKey,
    Removed,
    ResourceNotFoundError,
    SortKey,
    ValidationError,
    attribute,
    entity,
)
from mizzle_async.errors import InternalServerError, TrimmedDataAccessError
from mizzle_async.flow.tasks import run_together
from mizzle_async.operations.streams import (
    DescribeStream,
    DescribeTableStream,
    GetRecords,
    GetShardIterator,
    ListStreams,
)
from mizzle_async.testing import DynamoDBLocal


@entity("orders")
class Order:
    order_id: PartitionKey[str]
    status: Attribute[str]


async def test_every_change_is_read_from_a_stream(client, engine):
    """Its ARN, its shard, an iterator, and a page: three changes of one item in their order."""
    await client.create_table(Order, stream="new_and_old_images")
    orders = client.table(Order)
    await orders.put(Order(order_id="a", status="new"))
    await orders.put(Order(order_id="a", status="paid"))
    await orders.delete("a")

    current = await client.send(DescribeTableStream(orders.name))
    assert (current.view, current.is_enabled) == ("NEW_AND_OLD_IMAGES", True)
    assert current.arn in await client.send(ListStreams(orders.name))
    described = await client.send(DescribeStream(current.arn))
    assert (described.status, described.last_shard, len(described.shards)) == ("ENABLED", None, 1)
    (shard,) = described.shards
    assert (shard.parent, shard.last) == (None, None)

    iterator = await client.send(GetShardIterator(current.arn, shard.id, "TRIM_HORIZON"))
    page = await client.send(GetRecords(iterator))
    assert [record["eventName"] for record in page.records] == ["INSERT", "MODIFY", "REMOVE"]
    assert page.next_iterator
    assert page.size > 500
    numbers = [record["dynamodb"]["SequenceNumber"] for record in page.records]
    assert sorted(map(int, numbers)) == list(map(int, numbers))

    # As text, a number is found again whatever the engine's zeros.
    after = await client.send(GetShardIterator(current.arn, shard.id, "AFTER_SEQUENCE_NUMBER", numbers[0]))
    assert len((await client.send(GetRecords(after))).records) == 2
    at = await client.send(GetShardIterator(current.arn, shard.id, "AT_SEQUENCE_NUMBER", numbers[0]))
    assert len((await client.send(GetRecords(at, limit=2))).records) == 2


async def test_children_are_asked_for_by_a_filter_that_no_engine_keeps(client, engine):
    """DynamoDB Local answers with all shards, the embedded engine with none: callers compare parents, or list all."""
    await client.create_table(Order, stream="keys_only")
    (arn,) = await client.send(ListStreams(client.table(Order).name))
    (shard,) = (await client.send(DescribeStream(arn))).shards
    children = (await client.send(DescribeStream(arn, children_of=shard.id))).shards
    assert [child.id for child in children] == ([shard.id] if isinstance(engine, DynamoDBLocal) else [])
    assert all(child.parent != shard.id for child in children)


async def test_positions_that_do_not_exist_are_told_apart(client, engine):
    """A stream or a shard that is not there is not found; a number that is not there fails as the engine does it."""
    await client.create_table(Order, stream="keys_only")
    orders = client.table(Order)
    await orders.put(Order(order_id="a", status="new"))
    (arn,) = await client.send(ListStreams(orders.name))
    (shard,) = (await client.send(DescribeStream(arn))).shards
    with pytest.raises(ResourceNotFoundError, match="a stream or a shard does not exist"):
        await client.send(DescribeStream(arn.replace(orders.name, "no-such-table")))
    with pytest.raises(ResourceNotFoundError, match="a stream or a shard does not exist"):
        await client.send(GetShardIterator(arn, shard.id[:-8] + "ffffffff", "TRIM_HORIZON"))
    # AWS says TrimmedDataAccessException or ValidationException; DynamoDB Local fails, three times over.
    refusal = InternalServerError if isinstance(engine, DynamoDBLocal) else TrimmedDataAccessError
    with pytest.raises(refusal):
        await client.send(GetShardIterator(arn, shard.id, "AFTER_SEQUENCE_NUMBER", 10**35))


async def test_the_engine_s_environment_reaches_its_streams(engine, client, monkeypatch):
    """A client that is told nothing else finds tables and streams at the engine."""
    await client.create_table(Order, stream="old_image")
    name = client.table(Order).name
    for variable, value in engine.environment.items():
        monkeypatch.setenv(variable, value)
    async with Client() as plain:
        (arn,) = await plain.send(ListStreams(name))
        assert (await plain.send(DescribeStream(arn))).view == "OLD_IMAGE"
        listed = await plain.control("ListStreams", {"TableName": name})
        assert [each["StreamArn"] for each in listed["Streams"]] == [arn]


@entity("watched", stream="new_and_old_images")
class Watched:
    watched_id: PartitionKey[str]
    status: Attribute[str] = attribute(default="")


@entity("watched")
class Quiet:
    watched_id: PartitionKey[str]


@entity("watched", stream="keys_only")
class Otherwise:
    watched_id: PartitionKey[str]


async def test_the_stream_of_a_class_is_there_when_its_table_is(client):
    """A new table has it, a table without one gets it, one with another view is refused, and so is a second one."""
    (made,) = await client.ensure_tables(Watched)
    assert (made.stream, made.stream_arn.partition("/stream/")[0]) == ("new_and_old_images", made.arn)
    assert (await client.ensure_tables(Watched))[0].stream_arn == made.stream_arn
    with pytest.raises(ModelError, match="holds new_and_old_images, not keys_only"):
        await client.ensure_tables(Otherwise)
    await client.delete_table(Watched)

    (plain,) = await client.ensure_tables(Quiet)
    assert plain.stream is None  # DynamoDB Local names the ARN of the deleted table's stream all the same
    switched = await run_together([partial(client.ensure_tables, Watched)] * 3)
    assert {tables[0].stream for tables in switched} == {"new_and_old_images"}
    assert len({tables[0].stream_arn for tables in switched}) == 1


@entity("sessions", stream="new_and_old_images")
class Session:
    session_id: PartitionKey[str]
    expires: Attribute[datetime] = attribute(time_to_live=True)
    tags: Attribute[set[bytes]] = attribute(factory=set)


async def changes_of(client, table, seconds):
    """Return the changes of a table so far, or of so many seconds."""
    stream = await client.send(DescribeTableStream(table.name))
    (shard,) = (await client.send(DescribeStream(stream.arn))).shards
    iterator = await client.send(GetShardIterator(stream.arn, shard.id, "TRIM_HORIZON"))
    found = []
    ends = asyncio.get_running_loop().time() + seconds
    while True:
        page = await client.send(GetRecords(iterator))
        found += table.decode_records(list(page.records))
        if any(isinstance(change, Removed) for change in found) or asyncio.get_running_loop().time() > ends:
            return found
        iterator = page.next_iterator
        await asyncio.sleep(0.5)


async def test_a_removal_by_time_to_live_is_told_by_a_real_engine(dynamodb_local, new_table_name):
    """DynamoDB Local removes an expired item after some seconds; a delete by a caller is another thing."""
    names = {"sessions": new_table_name()}
    credentials = dynamodb_local.credentials
    async with Client(
        endpoint_url=dynamodb_local.endpoint_url, region_name="us-east-1", credentials=credentials, table_names=names
    ) as client:
        await client.ensure_tables(Session)
        sessions = client.table(Session)
        past = Session(session_id="a", expires=datetime.now(UTC) - timedelta(minutes=1), tags={b"\0"})
        await sessions.put(past)
        *_, removed = await changes_of(client, sessions, 240.0)  # the engine looks for expired items when it likes
        match removed:
            case Removed(old, expired=True):
                assert (old.session_id, old.tags) == ("a", {b"\0"})
            case _:
                pytest.fail(f"{removed}: {removed.raw}")


async def test_records_of_engines_are_decoded(client):
    """Changes have the instances that were written, a delete is no expiry, and the handle finds the item by the key."""
    await client.ensure_tables(Session)
    sessions = client.table(Session)
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=900 * 365)
    first, second = (Session(session_id="a", expires=later, tags=tags) for tags in ({b"1"}, {b"1", b"2"}))
    await sessions.put(first)
    await sessions.put(second)
    await sessions.delete("a")
    inserted, modified, removed = await changes_of(client, sessions, 0.0)
    assert (inserted.new, modified.old, modified.new, removed.old) == (first, first, second, second)
    assert modified.changed(Session.tags)
    assert not modified.changed(Session.expires)
    assert not removed.expired
    assert inserted.key == sessions.key("a")
    assert len({change.event_id for change in (inserted, modified, removed)}) == 3
    assert abs(inserted.at - datetime.now(UTC)) < timedelta(minutes=2)
    assert await sessions.get(inserted.key) is None


async def test_a_setting_that_an_engine_does_not_know_is_an_error(client, engine):
    """Nothing that was asked for is missing in silence: where an engine refuses a setting it says so itself."""
    names = PartitionKey[str], SortKey[str]
    body = {"__annotations__": {"a": names[0], "b": names[1]}, "__module__": __name__}
    cls = entity("pairs")(type("Pair", (), body))
    GlobalSecondaryIndex("by-both", partition_key=(cls.b, cls.a))
    if isinstance(engine, DynamoDBLocal):
        with pytest.raises((ValidationError, ModelError)):
            await client.ensure_tables(cls)
    else:
        (table,) = await client.ensure_tables(cls)
        assert table.indexes["by-both"].key == (("b", "HASH"), ("a", "HASH"))
