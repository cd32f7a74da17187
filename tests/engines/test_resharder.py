"""The facade with many shards before real engines: every write shows once, in order, whatever is cut meanwhile."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from mizzle_async import Attribute, Client, PartitionKey, TransactionCanceledError, attribute, entity
from mizzle_async.errors import (
    ExpiredIteratorError,
    LimitExceededError,
    ResourceNotFoundError,
    ServiceError,
    TransactionConflictError,
    TransactionInProgressError,
    TrimmedDataAccessError,
    ValidationError,
)
from mizzle_async.operations.streams import DescribeStream, DescribeTableStream, GetRecords, GetShardIterator
from mizzle_async.testing import EmbeddedEngine, Resharder
from mizzle_async.wire.retry import RetryPolicy


@entity("counters", stream="new_and_old_images")
class Counter:
    name: PartitionKey[str]
    value: Attribute[int] = attribute(default=0)


@pytest.fixture
async def service(engine):
    """A facade before each engine in turn."""
    async with Resharder(engine, generator=random.Random(7)) as facade:
        yield facade


@pytest.fixture
async def client(service, engine, new_table_name):
    """A client of the facade, whose table has a name of its own."""
    async with Client(
        endpoint_url=service.url,
        region_name=engine.region_name,
        credentials=engine.credentials,
        table_names={"counters": new_table_name()},
        retry=RetryPolicy(attempts=12, base_delay=0.02, throttled_base_delay=0.001),
        timeout=30.0,
    ) as opened:
        await opened.ensure_tables(Counter)
        yield opened


class Reader:
    """Reads a stream as the service's own documentation says: parents first, each shard from its oldest record."""

    def __init__(self, client):
        self.client = client
        self.seen = {}
        self.shards = set()

    async def listed(self):
        """Return the stream's ARN and all of its shards."""
        arn = (await self.client.send(DescribeTableStream(self.client.table(Counter).name))).arn
        shards, last = [], None
        while True:
            page = await self.client.send(DescribeStream(arn, after_shard=last))
            shards += page.shards
            last = page.last_shard
            if last is None:
                return arn, shards

    async def read(self):
        """Read every shard to its present end."""
        arn, shards = await self.listed()
        for shard in shards:
            iterator = await self.client.send(GetShardIterator(arn, shard.id, "TRIM_HORIZON"))
            while iterator is not None:
                page = await self.client.send(GetRecords(iterator))
                for record in page.records:
                    self.note(shard.id, record)
                if not page.records and shard.last is None:
                    break
                iterator = page.next_iterator
        return self

    def note(self, shard, record):
        """Note a record."""
        body = record["dynamodb"]
        self.shards.add(shard)
        self.seen.setdefault(body["Keys"]["name"]["S"], []).append(int(body["NewImage"]["value"]["N"]))


async def write(client, names, turns):
    """Count each counter up, so many times."""
    counters = client.table(Counter)
    for turn in range(turns):
        await asyncio.gather(*(counters.put(Counter(name=name, value=turn)).send() for name in names))


NAMES = [f"n{number}" for number in range(12)]


async def test_every_write_shows_once_and_in_order_across_cuts(service, client):
    """Splits and rolls between writes lose nothing, repeat nothing, and keep the order of each item."""
    table = client.table(Counter).name
    await write(client, NAMES, 3)
    assert len(await service.split(table)) == 2
    await asyncio.gather(write(client, NAMES, 3), service.split(table))
    assert len(await service.roll(table)) == 4
    await write(client, NAMES, 3)
    reader = await Reader(client).read()
    assert reader.seen == {name: [*range(3), *range(3), *range(3)] for name in NAMES}
    assert len(reader.shards) > 4
    assert len(await service.shards(table)) == 1 + 2 + 4 + 4


async def test_a_stream_begins_with_as_many_shards_as_asked_for(engine, new_table_name):
    """And DescribeStream shows them in pages."""
    async with (
        Resharder(engine, shards=5, page_shards=2) as facade,
        Client(
            endpoint_url=facade.url,
            region_name=engine.region_name,
            credentials=engine.credentials,
            table_names={"counters": new_table_name()},
        ) as client,
    ):
        await client.ensure_tables(Counter)
        await write(client, NAMES, 2)
        reader = await Reader(client).read()
        assert reader.seen == {name: [0, 1] for name in NAMES}
        assert facade.server.operations.count("DescribeStream") >= 3
        with pytest.raises(ValueError, match="shards="):
            Resharder(engine, shards=0)


async def test_iterators_expire_positions_are_trimmed_and_shards_go(service, client):
    """Each has the refusal of the service, and its own class."""
    counters = client.table(Counter)
    await write(client, NAMES, 2)
    arn, (shard,) = await Reader(client).listed()
    iterator = await client.send(GetShardIterator(arn, shard.id, "TRIM_HORIZON"))
    first = (await client.send(GetRecords(iterator, limit=1))).records[0]["dynamodb"]["SequenceNumber"]
    service.expire_iterators()
    with pytest.raises(ExpiredIteratorError):
        await client.send(GetRecords(iterator))
    iterator = await client.send(GetShardIterator(arn, shard.id, "TRIM_HORIZON"))
    assert await service.trim(counters.name, keep=4) == 20
    with pytest.raises(TrimmedDataAccessError):
        await client.send(GetRecords(iterator))
    with pytest.raises(TrimmedDataAccessError):
        await client.send(GetShardIterator(arn, shard.id, "AFTER_SEQUENCE_NUMBER", first))
    await service.roll(counters.name)
    await service.trim(counters.name, shard.id)
    with pytest.raises(ResourceNotFoundError):
        await client.send(GetShardIterator(arn, shard.id, "TRIM_HORIZON"))
    with pytest.raises(ValidationError):
        await client.send(GetRecords("anything"))
    with pytest.raises(ValueError, match="no shard"):
        await service.split(counters.name, shard.id)
    assert service.refused.total() == 5


async def test_an_iterator_is_good_for_its_time(engine, client, new_table_name):
    """15 minutes by the clock that the test gives."""
    times = [1_800_000_000.0]
    async with (
        Resharder(engine, clock=lambda: times[0]) as facade,
        Client(endpoint_url=facade.url, region_name=engine.region_name, credentials=engine.credentials) as other,
    ):
        table = client.table(Counter).name
        arn = (await other.send(DescribeTableStream(table))).arn
        (shard,) = (await other.send(DescribeStream(arn))).shards
        iterator = await other.send(GetShardIterator(arn, shard.id, "LATEST"))
        times[0] += 899
        iterator = (await other.send(GetRecords(iterator))).next_iterator
        times[0] += 901
        with pytest.raises(ExpiredIteratorError):
            await other.send(GetRecords(iterator))


async def test_requests_are_throttled_and_delayed(service, client):
    """So many, with the service's code; a third reader of a shard is throttled as well."""
    arn, (shard,) = await Reader(client).listed()
    iterator = await client.send(GetShardIterator(arn, shard.id, "LATEST"))
    service.throttle("GetRecords", 12)
    with pytest.raises(LimitExceededError):
        await client.send(GetRecords(iterator))
    await client.send(GetRecords(iterator))

    service.delay("GetRecords", 0.05)
    began = asyncio.get_running_loop().time()
    await client.send(GetRecords(iterator))
    assert asyncio.get_running_loop().time() - began >= 0.05
    service.delay("GetRecords", 0)
    await asyncio.gather(*(client.send(GetRecords(iterator)) for _ in range(2)))
    assert service.most_readers[shard.id] <= 2
    assert service.reads[shard.id] == 4
    outcomes = await asyncio.gather(*(client.send(GetRecords(iterator)) for _ in range(12)), return_exceptions=True)
    assert service.most_readers[shard.id] > 2
    assert {type(each) for each in outcomes} <= {LimitExceededError, type(await client.send(GetRecords(iterator)))}
    assert service.refused["LimitExceededException"] > 12


async def test_pages_may_be_empty_although_there_are_records(service, client):
    """As the service allows: a reader that takes an empty page for the end loses what follows."""
    await write(client, NAMES, 5)
    arn, (shard,) = await Reader(client).listed()
    service.empty_share = 0.5
    iterator, found, empty = await client.send(GetShardIterator(arn, shard.id, "TRIM_HORIZON")), 0, 0
    while found < 60:
        page = await client.send(GetRecords(iterator, limit=10))
        found += len(page.records)
        empty += not page.records
        iterator = page.next_iterator
    assert (found, empty > 0) == (60, True)


async def test_positions_by_time_and_children_are_those_of_the_service(service, client):
    """What no engine has: AT_TIMESTAMP, floored by the request, and the children of one shard alone."""
    table = client.table(Counter).name
    await write(client, NAMES, 1)
    await asyncio.sleep(1.1)
    middle = datetime.now(UTC)
    await write(client, NAMES, 2)  # the first of the two changes nothing, and makes no record
    arn, (parent,) = await Reader(client).listed()
    found = []
    for at in (middle, middle - timedelta(days=2)):
        iterator = await client.send(GetShardIterator(arn, parent.id, "AT_TIMESTAMP", at=at))
        found.append(len((await client.send(GetRecords(iterator))).records))
    assert found == [12, 24]
    with pytest.raises(ValidationError):
        await client.send(GetShardIterator(arn, parent.id, "AT_TIMESTAMP", at=middle + timedelta(hours=1)))
    first, second = await service.split(table)
    await service.roll(table, first)
    children = (await client.send(DescribeStream(arn, children_of=parent.id))).shards
    assert [(child.id, child.parent) for child in children] == [(first, parent.id), (second, parent.id)]
    assert (await client.send(DescribeStream(arn, children_of=second))).shards == ()


async def test_children_may_show_later_than_their_parent_s_end(service, client):
    """DescribeStream is read eventually."""
    table = client.table(Counter).name
    service.children_seconds = 3600.0
    await write(client, NAMES, 1)
    made = await service.split(table)
    assert not {shard.id for shard in (await Reader(client).listed())[1]}.intersection(made)
    assert {shard.id for shard in await service.shards(table)}.issuperset(made)


async def test_a_stream_that_is_switched_off_ends(service, client):
    """Its open shards are closed, and what they hold can still be read."""
    counters = client.table(Counter)
    await write(client, NAMES, 2)
    arn, _ = await Reader(client).listed()
    await client.control("UpdateTable", {"TableName": counters.name, "StreamSpecification": {"StreamEnabled": False}})
    described = await client.send(DescribeStream(arn))
    while described.status == "DISABLING":
        described = await client.send(DescribeStream(arn))
    (shard,) = described.shards
    assert (described.status, shard.last is not None) == ("DISABLED", True)
    iterator = await client.send(GetShardIterator(arn, shard.id, "TRIM_HORIZON"))
    page = await client.send(GetRecords(iterator))
    assert (len(page.records), page.next_iterator) == (24, None)


async def test_a_table_without_a_stream_is_named(service, client, engine):
    """A mistake of the test says so."""
    with pytest.raises(Exception, match="ResourceNotFound"):
        await service.split("no-such-table")


# ── transactions ──


async def test_transactions_that_meet_are_cancelled_as_on_aws(service, client):
    """One of two at one item passes, the other is cancelled with TransactionConflict, and wrote nothing."""
    counters = client.table(Counter)
    service.transaction_seconds = 0.2
    first, second = (
        client.transact_write(counters.put(Counter(name="a", value=value)), counters.put(Counter(name=f"b{value}")))
        for value in (1, 2)
    )
    no_retries = Client(
        endpoint_url=service.url,
        region_name="us-east-1",
        credentials=("mizzle", "mizzle"),
        retry=RetryPolicy.no_backoff(attempts=1),
    )
    async with no_retries:
        other = no_retries.table(Counter, name=counters.name)
        running = asyncio.ensure_future(first.send())
        await asyncio.sleep(0.05)
        with pytest.raises(TransactionCanceledError) as cancelled:
            await no_retries.transact_write(other.put(Counter(name="c")), other.put(Counter(name="a", value=2)))
        assert [reason.code for reason in cancelled.value.reasons] == [None, "TransactionConflict"]
        with pytest.raises(TransactionConflictError):
            await other.update("a").set(Counter.value, 9)
        await other.put(Counter(name="d"))
        await running
    # With retries, the second waits for the first.
    await asyncio.gather(first.send(), second.send())
    assert (await counters.get_one("a")).value in {1, 2}
    assert await counters.get("c") is None
    assert service.refused["TransactionCanceledException"] >= 1


async def test_a_share_of_transactions_is_cancelled_at_random(service, client):
    """Without anything to meet: for tests of repetition."""
    counters = client.table(Counter)
    service.conflict_share = 1.0
    with pytest.raises(TransactionCanceledError):
        await client.transact_write(counters.put(Counter(name="a")))
    service.conflict_share = 0.3
    for number in range(10):
        await client.transact_write(counters.put(Counter(name=f"n{number}")))
    assert await counters.scan().count() == 10


async def test_a_repetition_of_a_transaction_under_way_is_in_progress(service, client):
    """AWS knows its token: the repetition is refused, and not cancelled for meeting itself."""
    counters = client.table(Counter)
    service.transaction_seconds = 0.3
    body = {
        "TransactItems": [{"Put": {"TableName": counters.name, "Item": {"name": {"S": "a"}, "value": {"N": "1"}}}}],
        "ClientRequestToken": "one-token",
    }
    async with Client(
        endpoint_url=service.url,
        region_name="us-east-1",
        credentials=("mizzle", "mizzle"),
        retry=RetryPolicy.no_backoff(attempts=1),
    ) as other:
        running = asyncio.ensure_future(other.control("TransactWriteItems", body))
        await asyncio.sleep(0.05)
        with pytest.raises(ServiceError) as refused:
            await other.control("TransactWriteItems", body)
        assert "TransactionInProgress" in str(refused.getrepr() if hasattr(refused, "getrepr") else refused.value)
        await running
    assert TransactionInProgressError is not None


async def test_the_facade_passes_everything_else_on(service, client, engine):
    """Reads, batches and tables are the engine's."""
    counters = client.table(Counter)
    await counters.put_many(Counter(name=name) for name in NAMES)
    assert await counters.scan().count() == len(NAMES)
    assert (await client.describe_table(Counter)).stream == "new_and_old_images"
    if isinstance(engine, EmbeddedEngine):
        return
    reader = await Reader(client).read()
    assert sorted(reader.seen) == sorted(NAMES)
