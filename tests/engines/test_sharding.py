import asyncio
import contextlib

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    MarshallingError,
    ModelError,
    PartitionKey,
    SortKey,
    attribute,
    entity,
    evolve,
)


@entity("events")
class Event:
    tenant: PartitionKey[str] = attribute(shards=5)
    number: SortKey[int]
    kind: Attribute[str] = attribute(default="plain")


@pytest.fixture
async def events(client):
    """A table with 200 events of one tenant, and some of another."""
    await client.ensure_tables(Event)
    table = client.table(Event)
    await table.put_many([Event(tenant="hot", number=number) for number in range(-50, 150)])
    await table.put_many([Event(tenant="hot#1", number=number) for number in range(3)])
    return table


async def test_one_tenant_is_spread_and_found_again(client, events):
    """A hot partition key is stored under several, by a stable suffix, and every verb finds its item."""
    raw = client.table("events", partition_key="tenant", sort_key="number", sort_key_type=int)
    assert {item["tenant"] async for item in raw.scan()} >= {f"hot#{shard}" for shard in range(5)}
    event = await events.get_one(tenant="hot", number=7)
    assert event == Event(tenant="hot", number=7)
    assert await events.update(event).set(Event.kind, "seen") == evolve(event, kind="seen")
    assert [found and found.tenant for found in await events.get_many([event, events.key(tenant="x", number=1)])] == [
        "hot",
        None,
    ]
    assert await events.delete(tenant="hot", number=7) == evolve(event, kind="seen")
    assert await events.get(event) is None


async def test_query_merges_in_sort_order(events):
    """A query reads all partitions at once, and its rows come in the order of the sort key, either way."""
    query = events.query(Event.tenant == "hot", page_size=10)
    assert [event.number async for event in query] == list(range(-50, 150))
    some = events.query(Event.tenant == "hot", Event.number.between(-3, 20), reverse=True, max_items=7)
    assert [event.number for event in await some.all()] == [20, 19, 18, 17, 16, 15, 14]
    assert await query.count() == 200
    assert await events.query(Event.tenant == "hot", max_items=10).count() == 10
    first = await events.query(Event.tenant == "hot", Event.number > 30).first()
    assert first is not None
    assert first.number == 31
    assert await events.query(Event.tenant == "nobody").first() is None
    assert len(await events.query(Event.tenant == "hot#1").all()) == 3


async def test_tasks_may_share_an_iterator(events):
    """Of several tasks that read one iterator each row goes to one, in the order of the sort key."""
    iterator = aiter(events.query(Event.tenant == "hot", page_size=10))
    taken = []

    async def work():
        async for event in iterator:
            taken.append(event.number)
            await asyncio.sleep(0)

    await asyncio.gather(*(work() for _ in range(4)))
    assert taken == list(range(-50, 150))


async def test_a_cancelled_step_loses_no_row(events):
    """Whoever is cancelled while it waits for a row can go on with the same iterator, and finds every row."""
    iterator = aiter(events.query(Event.tenant == "hot", page_size=10))
    found = [(await anext(iterator)).number]
    for _ in range(50):
        step = asyncio.ensure_future(anext(iterator))
        await asyncio.sleep(0)
        step.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            found.append((await step).number)
    assert found + [event.number async for event in iterator] == list(range(-50, 150))


async def test_filters_and_scans(events):
    """Filters on other attributes work as ever; rows of a scan have their keys as they were given."""
    await events.update(tenant="hot", number=9).set(Event.kind, "rare")
    query = events.query(Event.tenant == "hot").filter(Event.kind == "rare")
    assert [event.number async for event in query] == [9]
    assert {event.tenant async for event in events.scan(segments=2)} == {"hot", "hot#1"}
    assert {row async for row in events.scan().project(Event.tenant)} == {("hot",), ("hot#1",)}


async def test_what_sharding_cannot_do_is_refused(client, events):
    """Pages of merged partitions, and comparisons of the spread key elsewhere, are refused with a reason."""
    query = events.query(Event.tenant == "hot")
    with pytest.raises(ExpressionError, match="merged"):
        await query.page()
    with pytest.raises(ExpressionError, match="spread over 5 partitions"):
        events.scan().filter(Event.tenant == "hot")
    with pytest.raises(ExpressionError):
        events.query(Event.kind == "plain")
    raw = client.table("events", partition_key="tenant", sort_key="number", sort_key_type=int)
    await raw.put({"tenant": "bare", "number": 1})
    with pytest.raises(MarshallingError, match="suffix of a shard"):
        await events.scan().all()


def test_entities_that_cannot_be_sharded_are_refused():
    """A key without a sort key, one that is no text, and unique attributes cannot be spread."""

    @entity("a")
    class WithoutSortKey:
        tenant: PartitionKey[str] = attribute(shards=5)

    @entity("b")
    class Number:
        tenant: PartitionKey[int] = attribute(shards=5)
        number: SortKey[int]

    @entity("c")
    class Unique:
        tenant: PartitionKey[str] = attribute(shards=5)
        number: SortKey[int]
        email: Attribute[str] = attribute(unique=True)

    for model, why in ((WithoutSortKey, "sort key"), (Number, "text"), (Unique, "unique")):
        with pytest.raises(ModelError, match=why):
            Client().table(model)
