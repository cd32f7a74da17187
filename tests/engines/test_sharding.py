import asyncio
import contextlib
import warnings

import orjson
import pytest

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    GlobalSecondaryIndex,
    InvalidCursorError,
    ItemCollectionLimitWarning,
    LocalSecondaryIndex,
    MarshallingError,
    ModelError,
    MultipleItemsError,
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
    odd: Attribute[str] = attribute(default="no")
    place: Attribute[str] = attribute(default="here")
    third: Attribute[int] = attribute(default=0)


BY_PARITY = GlobalSecondaryIndex("by-parity", partition_key=Event.odd, sort_key=Event.number)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ItemCollectionLimitWarning)
    BY_PLACE = LocalSecondaryIndex("by-place", sort_key=Event.place)


def event_of(number, tenant="hot"):
    """Make an event that knows whether its number is odd."""
    return Event(tenant=tenant, number=number, odd="yes" if number % 2 else "no", third=number % 3)


@pytest.fixture
async def events(client):
    """A table with 200 events of one tenant, and some of another."""
    await client.ensure_tables(Event)
    table = client.table(Event)
    await table.put_many([event_of(number) for number in range(-50, 150)])
    await table.put_many([Event(tenant="hot#1", number=number) for number in range(3)])
    return table


async def test_one_tenant_is_spread_and_found_again(client, events):
    """A hot partition key is stored under several, by a stable suffix, and every verb finds its item."""
    raw = client.table("events", partition_key="tenant", sort_key="number", sort_key_type=int)
    assert {item["tenant"] async for item in raw.scan()} >= {f"hot#{shard}" for shard in range(5)}
    event = await events.get_one(tenant="hot", number=7)
    assert event == event_of(7)
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


async def test_pages_follow_the_sort_order(events):
    """Pages of merged partitions have what they were asked for, in order; their cursors go on where they end."""
    for reverse in (False, True):
        expected = sorted(range(-50, 150), reverse=reverse)
        query = events.query(Event.tenant == "hot", reverse=reverse, page_size=9)
        for most in (None, 1, 7, 60, 200, 500):
            numbers, cursor = [], None
            while True:
                page = await query.page(cursor, max_items=most)
                assert most is None or len(page.items) <= most
                numbers += [event.number for event in page.items]
                cursor = page.cursor
                if cursor is None:
                    break
                if most is not None:
                    assert len(page.items) == most
            assert numbers == expected
    pages = [page async for page in events.query(Event.tenant == "hot", page_size=10).pages()]
    assert [event.number for page in pages for event in page.items] == list(range(-50, 150))
    assert sum(page.evaluated for page in pages) == 200
    again = await events.query(Event.tenant == "hot", page_size=10).page(pages[2].cursor)
    assert again.items[0].number == pages[3].items[0].number


async def test_pages_of_a_range_and_a_filter(events):
    """A cursor goes on within a range of the sort key, and where a filter drops most of what is read."""
    query = events.query(Event.tenant == "hot", Event.number.between(-20, 99)).filter(Event.third == 1)
    numbers, cursor = [], None
    while True:
        page = await query.page(cursor, max_items=4)
        numbers += [event.number for event in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert numbers == [number for number in range(-20, 100) if number % 3 == 1]


async def test_cursors_belong_to_their_query(events):
    """A cursor of one tenant's merged partitions is no good for another's, nor for one of its partitions."""
    page = await events.query(Event.tenant == "hot").page(max_items=3)
    with pytest.raises(InvalidCursorError):
        await events.query(Event.tenant == "hot#1").page(page.cursor)
    with pytest.raises(InvalidCursorError):
        await events.query(Event.tenant == "hot", reverse=True).page(page.cursor)
    with pytest.raises(InvalidCursorError):
        await events.scan().page(page.cursor)


async def test_projections_and_single_rows(events):
    """Projected rows are merged too; `one` and `stream` work as ever."""
    query = events.query(Event.tenant == "hot", page_size=20)
    assert await query.project(Event.kind, Event.number).all() == [("plain", number) for number in range(-50, 150)]
    assert await query.project(Event.tenant).first() == ("hot",)
    only = await events.query(Event.tenant == "hot", Event.number == 5).one()
    assert only.number == 5
    with pytest.raises(MultipleItemsError):
        await query.one()
    async with query.stream() as items:
        assert (await anext(items)).number == -50


async def test_first_items_are_cheap(client):
    """A few of many items take about as much reading as they are, and not a page of each partition."""
    await client.ensure_tables(Event)
    events = client.table(Event)
    await events.put_many([Event(tenant="hot", number=number) for number in range(400)])
    page = await events.query(Event.tenant == "hot").page(max_items=20)
    assert [event.number for event in page.items] == list(range(20))
    assert page.evaluated < 80


async def test_migrations_and_exports_of_a_spread_key(events, tmp_path):
    """What a query of a spread key finds is exported, rewritten and deleted as a whole, and resumed."""
    query = events.query(Event.tenant == "hot", page_size=15)
    report = await query.export(tmp_path / "events.jsonl", resume=tmp_path / "export.json")
    lines = [orjson.loads(line)["Item"] for line in (tmp_path / "events.jsonl").read_bytes().splitlines()]
    assert sorted(int(item["number"]["N"]) for item in lines) == list(range(-50, 150))
    assert report.written == report.evaluated == 200
    assert (await query.export(tmp_path / "events.jsonl", resume=tmp_path / "export.json")).written == 0
    changed = await query.rewrite(lambda event: evolve(event, kind="new") if event.number < 0 else None)
    assert changed.written == 50
    deleted = await query.delete_where(Event.kind == "new", resume=tmp_path / "delete.json")
    assert deleted.written == 50
    assert await query.count() == 150
    assert await events.query(Event.tenant == "hot#1").count() == 3


async def test_iteration_of_a_spread_key_is_resumed(events, tmp_path):
    """A position in a file is one in the merged order: what comes after it follows, and nothing twice."""
    query = events.query(Event.tenant == "hot", page_size=15)
    first = query.resumable(tmp_path / "state.json")
    read = [(await anext(first)).number for _ in range(60)]
    await first.aclose()
    rest = [event.number async for event in query.resumable(tmp_path / "state.json")]
    assert read == list(range(-50, 10))
    assert rest == list(range(rest[0], 150))
    assert rest[0] <= 10
    assert [event async for event in query.resumable(tmp_path / "state.json")] == []


async def test_indexes_of_a_spread_key(events):
    """An index by another attribute works as ever; one by the spread key itself is merged, without pages."""
    by_parity = events.query(BY_PARITY.partition_key == "yes", BY_PARITY.sort_key > 100)
    page = await by_parity.page(max_items=5)
    assert [event.number for event in page.items] == [101, 103, 105, 107, 109]
    following = await by_parity.page(page.cursor, max_items=100)
    assert [event.number for event in following.items] == list(range(111, 150, 2))
    assert all(event.tenant == "hot" for event in following.items)
    by_place = events.query(Event.tenant == "hot", BY_PLACE.sort_key == "here", page_size=20)
    assert sorted([event.number async for event in by_place]) == list(range(-50, 150))
    assert await by_place.count() == 200
    await events.update(tenant="hot", number=9).set(Event.place, "a")
    await events.update(tenant="hot", number=70).set(Event.place, "z")
    found = await events.query(BY_PLACE.partition_key == "hot", max_items=3).all()
    assert [event.place for event in found] == ["a", "here", "here"]
    beyond = await events.query(Event.tenant == "hot", BY_PLACE.sort_key > "here").all()
    assert [event.number for event in beyond] == [70]
    with pytest.raises(ExpressionError, match="no single position"):
        await by_place.page(max_items=3)


async def test_dicts_are_spread_alike(client, events):
    """A table of dicts with the same number of shards finds, merges and writes the same items."""
    plain = client.table("events", partition_key="tenant", sort_key="number", sort_key_type=int, shards=5)
    row = await plain.get_one(tenant="hot", number=7)
    assert (row["tenant"], row["odd"]) == ("hot", "yes")
    numbers = [row["number"] async for row in plain.query(plain.partition_key == "hot")]
    assert numbers == sorted(numbers)
    assert len(numbers) == 200
    await plain.put({**row, "kind": "changed"})
    assert (await events.get_one(tenant="hot", number=7)).kind == "changed"
    with pytest.raises(ModelError, match="at least 2"):
        client.table("events", partition_key="tenant", sort_key="number", shards=1)


async def test_what_sharding_cannot_do_is_refused(client, events):
    """Bounds that several partitions cannot keep, and comparisons of the spread key elsewhere, are refused."""
    query = events.query(Event.tenant == "hot")
    with pytest.raises(ExpressionError, match="max_evaluated"):
        events.query(Event.tenant == "hot", max_evaluated=10)
    with pytest.raises(ExpressionError, match="hydrate"):
        query.hydrate()
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

    @entity("without-sort-key")
    class WithoutSortKey:
        tenant: PartitionKey[str] = attribute(shards=5)

    @entity("other-keys")
    class Number:
        tenant: PartitionKey[int] = attribute(shards=5)
        number: SortKey[int]

    @entity("third-keys")
    class Unique:
        tenant: PartitionKey[str] = attribute(shards=5)
        number: SortKey[int]
        email: Attribute[str] = attribute(unique=True)

    for model, why in ((WithoutSortKey, "sort key"), (Number, "text"), (Unique, "unique")):
        with pytest.raises(ModelError, match=why):
            Client().table(model)
