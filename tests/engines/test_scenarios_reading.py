"""Queries and scans on each engine: what they find, in which order, over how many pages, and where they stop."""

import gc
from decimal import Decimal
from typing import Any

import attrs
import pytest

from mizzle_async import (
    Attribute,
    Client,
    GlobalSecondaryIndex,
    InvalidCursorError,
    ItemCollectionLimitWarning,
    ItemNotFoundError,
    LocalSecondaryIndex,
    MarshallingError,
    MultipleItemsError,
    PartitionKey,
    SortKey,
    attribute,
    entity,
)

PAGE = 7
COUNT = 25


@entity("events")
class Event:
    source: PartitionKey[str]
    number: SortKey[int]
    kind: Attribute[str] = attribute(default="a")
    weight: Attribute[Decimal] = attribute(default=Decimal(0))
    text: Attribute[str] = attribute(default="-")
    body: Attribute[str] = attribute(default="")
    labels: Attribute[set[str]] = attribute(factory=set)
    steps: Attribute[list[str]] = attribute(factory=list)


# What somebody else would have written, for a program that knows no DynamoDB.
@attrs.define
class PlainEvent:
    source: str
    number: int
    kind: str = "a"


BY_KIND = GlobalSecondaryIndex("by-kind", partition_key=Event.kind, sort_key=Event.weight)
BY_WEIGHT = GlobalSecondaryIndex("by-weight", partition_key=Event.weight, projection="keys_only")
with pytest.warns(ItemCollectionLimitWarning):
    BY_TEXT = LocalSecondaryIndex("by-text", sort_key=Event.text, projection=[Event.kind])

pytestmark = pytest.mark.filterwarnings("ignore::mizzle_async.UnindexedFilterWarning")


def event(number: int) -> Event:
    """Make one of the events that every test here finds."""
    return Event(
        source="s",
        number=number,
        kind="odd" if number % 2 else "even",
        weight=Decimal(number) / 4,
        text=f"{COUNT - number:03}",
        labels={"l"} if number == 3 else set(),
        steps=[str(number), "last"],
    )


@pytest.fixture
async def events(client: Client) -> Any:
    """A handle of a table with the events of one source, and one of another."""
    await client.create_table(Event)
    table = client.table(Event)
    await table.put_many([*map(event, range(COUNT)), Event(source="other", number=0, text="z")])
    return table


def numbers(found: Any) -> list[int]:
    """Return which events were found."""
    return [each.number for each in found]


async def test_every_page_is_read(events):
    """Iteration goes over all pages, in the order of the sort key, whole instances."""
    found = [each async for each in events.query(Event.source == "s", page_size=PAGE)]
    assert found == list(map(event, range(COUNT)))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Event.number == 5, [5]),
        (Event.number < 3, [0, 1, 2]),
        (Event.number <= 3, [0, 1, 2, 3]),
        (Event.number > 22, [23, 24]),
        (Event.number >= 22, [22, 23, 24]),
        (Event.number.between(3, 5), [3, 4, 5]),
        (Event.number == 99, []),
    ],
    ids=str,
)
async def test_sort_key_conditions(events, condition, expected):
    """Each comparison of the sort key narrows the query."""
    assert numbers(await events.query(Event.source == "s", condition).all()) == expected


async def test_order_and_number(events):
    """Descending order and the number of items are the service's and the library's own business."""
    assert numbers(await events.query(Event.source == "s", reverse=True, max_items=3).all()) == [24, 23, 22]
    assert numbers([e async for e in events.query(Event.source == "s", max_items=9, page_size=4)]) == list(range(9))
    assert await events.query(Event.source == "s", max_items=0).all() == []


async def test_evaluated_items_are_limited(events):
    """`max_evaluated` bounds what is read, and paid for, however few of them pass the filter."""
    query = events.query(Event.source == "s", max_evaluated=10, page_size=4).filter(Event.kind == "odd")
    assert numbers(await query.all()) == [1, 3, 5, 7, 9]
    page = await query.page()
    assert (page.evaluated, numbers(page.items)) == (4, [1, 3])
    iterator = aiter(query)
    assert numbers([each async for each in iterator]) == [1, 3, 5, 7, 9]
    assert iterator.evaluated == 10


async def test_empty_pages_are_no_end(events):
    """Pages without a match, but with more behind them, are passed over."""
    query = events.query(Event.source == "s", page_size=2).filter(Event.text == "001")
    assert numbers(await query.all()) == [24]
    assert (await query.first()).number == 24


async def test_first_one_and_count(events):
    """The short ways to read say what they expect."""
    query = events.query(Event.source == "s")
    assert (await query.first()).number == 0
    assert await query.count() == COUNT
    assert await events.query(Event.source == "s", page_size=4).count() == COUNT
    assert await events.query(Event.source == "s", max_items=6).count() == 6
    assert await query.filter(Event.kind == "odd").count() == 12
    assert (await events.query(Event.source == "other").one()).number == 0
    assert await events.query(Event.source == "none").first() is None
    with pytest.raises(ItemNotFoundError):
        await events.query(Event.source == "none").one()
    with pytest.raises(MultipleItemsError):
        await query.one()


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Event.kind == "odd", 12),
        (Event.weight >= 5, 5),
        (Event.labels.contains("l"), 1),
        (Event.steps[0] == "7", 1),
        (Event.labels.not_exists() & (Event.weight.between(1, 2)), 5),
        (Event.text.begins_with("02"), 6),
        (Event.steps.size() == 2, COUNT),
    ],
    ids=str,
)
async def test_filters(events, condition, expected):
    """A filter drops on the service's side what it is not true of."""
    assert len(await events.query(Event.source == "s").filter(condition).all()) == expected
    assert await events.scan().filter(condition).filter(Event.source == "s").count() == expected


async def test_projection(events):
    """Rows of some attributes are tuples in the order asked for; an absent set is empty."""
    query = events.query(Event.source == "s", Event.number.between(3, 4)).project(
        Event.steps[1], Event.labels, Event.weight
    )
    assert await query.all() == [("last", {"l"}, Decimal("0.75")), ("last", set(), Decimal(1))]
    assert await events.query(Event.source == "other").project(Event.number).one() == (0,)


async def test_scan(events):
    """A scan finds everything, in one part or in several at once."""
    for scan in (events.scan(), events.scan(page_size=4), events.scan(segments=5, page_size=3)):
        assert sorted(numbers(await scan.all())) == [0, *range(COUNT)]
    assert len(await events.scan(segments=3, max_items=5).all()) == 5
    assert await events.scan(segments=3).count() == COUNT + 1
    assert len([each async for each in events.scan(segments=2, max_evaluated=10, page_size=3)]) == 10


# ── pages and cursors ──


@pytest.mark.parametrize("size", [1, 4, 5, COUNT, 100])
@pytest.mark.parametrize("page_size", [None, 3])
async def test_cursors_go_on_exactly_where_a_page_ended(events, size, page_size):
    """Page after page by cursor gives every item once, in order, wherever the pages of the service end."""
    query = events.query(Event.source == "s", page_size=page_size)
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        page = await query.page(cursor, max_items=size)
        assert len(page.items) <= size
        found += page.items
        cursor, pages = page.cursor, pages + 1
    assert numbers(found) == list(range(COUNT))
    assert pages in {-(-COUNT // size), COUNT // size + 1}


@pytest.mark.parametrize("reverse", [False, True])
async def test_cursors_of_filtered_and_reversed_queries(events, reverse):
    """A page of matches is filled over as many requests as it takes, in either direction."""
    query = events.query(BY_KIND.partition_key == "odd", reverse=reverse).filter(Event.text < "020")
    expected = [number for number in range(COUNT) if number % 2 and COUNT - number < 20]
    found, cursor = [], None
    while True:
        page = await query.page(cursor, max_items=2)
        found += numbers(page.items)
        cursor = page.cursor
        if cursor is None:
            break
        assert len(page.items) == 2
    assert found == (expected[::-1] if reverse else expected)


async def test_projected_pages_have_cursors(events):
    """Rows that do not show their key can be paged through nevertheless."""
    query = events.query(BY_KIND.partition_key == "even").project(Event.text)
    first = await query.page(max_items=3)
    second = await query.page(first.cursor, max_items=3)
    assert [text for (text,) in (*first.items, *second.items)] == [f"{COUNT - number:03}" for number in range(0, 12, 2)]


@pytest.mark.parametrize("size", [1, 4, 5, None])
@pytest.mark.parametrize("page_size", [None, 3])
@pytest.mark.parametrize("reverse", [False, True])
async def test_previous_leads_back_page_by_page(events, size, page_size, reverse):
    """`previous` gives the rows before a page in the query's own order, and its cursor leads forward again."""
    query = events.query(BY_KIND.partition_key == "odd", reverse=reverse, page_size=page_size)
    query = query.filter(Event.text != "012")
    pages = [await query.page(max_items=size)]
    while pages[-1].cursor is not None:
        pages.append(await query.page(pages[-1].cursor, max_items=size))
    assert pages[0].previous is None
    rows = [number for page in pages for number in numbers(page.items)]
    for number in range(len(pages) - 1, 0, -1):
        back = await query.page(pages[number].previous, max_items=size)
        seen = sum(len(page.items) for page in pages[:number])
        expected = rows[:seen] if size is None else rows[max(seen - size, 0) : seen]
        assert numbers(back.items) == expected[-len(back.items) :]
        assert len(back.items) == len(expected) or size is None
        onward = await query.page(back.cursor, max_items=size)
        assert numbers(onward.items) == rows[seen : seen + len(onward.items)]
        if seen == len(rows):
            assert onward.items == []
    if len(pages) > 1:
        start = await query.page(pages[1].previous, max_items=100)
        assert start.previous is None


async def test_previous_of_what_was_deleted_meanwhile(events):
    """Where nothing is left before a page, the page back is empty, and leads to the beginning."""
    query = events.query(Event.source == "s")
    second = await query.page((await query.page(max_items=3)).cursor, max_items=3)
    for number in range(3):
        await events.delete(source="s", number=number)
    back = await query.page(second.previous, max_items=3)
    assert (back.items, back.previous) == ([], None)
    assert numbers((await query.page(back.cursor, max_items=3)).items) == [3, 4, 5]


async def test_previous_of_an_empty_last_page(events):
    """From an empty page at the end, the page back has the last rows."""
    query = events.query(Event.source == "s")
    last = await query.page((await query.page(max_items=COUNT)).cursor, max_items=3)
    assert (last.items, last.cursor) == ([], None)
    back = await query.page(last.previous, max_items=3)
    assert numbers(back.items) == [COUNT - 3, COUNT - 2, COUNT - 1]
    assert (await query.page(back.cursor, max_items=3)).items == []


async def test_scans_and_projections_lead_back_or_say_so(events):
    """A scan has one order and no page back; projected rows have one."""
    scan = events.scan()
    assert (await scan.page((await scan.page(max_items=2)).cursor, max_items=2)).previous is None
    query = events.query(Event.source == "s").project(Event.text)
    second = await query.page((await query.page(max_items=2)).cursor, max_items=2)
    assert (await query.page(second.previous, max_items=2)).items == [("025",), ("024",)]
    with pytest.raises(InvalidCursorError):
        await events.query(Event.source == "other").page(second.previous)


async def test_some_attributes_by_key(events):
    """A get and a get_many of some attributes give rows, alone and in a transaction."""
    key = {"source": "s", "number": 3}
    assert await events.get(**key).project(Event.text, Event.labels, Event.steps[1]) == ("022", {"l"}, "last")
    assert await events.get(source="s", number=99).project(Event.text) is None
    keys = [events.key(source="s", number=number) for number in (4, 99, 3)]
    assert await events.get_many(keys).project(Event.number) == [(4,), None, (3,)]
    many = [events.key(source="s", number=number) for number in range(COUNT)] * 6
    assert await events.get_many(many).project(Event.number) == [(number,) for number in range(COUNT)] * 6


async def test_pages_of_the_service(events):
    """`pages` gives what each request brings, with a cursor that goes on after it."""
    pages = [page async for page in events.query(Event.source == "s", page_size=10).pages()]
    assert [len(page.items) for page in pages] == [10, 10, 5]
    assert pages[-1].cursor is None
    rest = await events.query(Event.source == "s").page(pages[0].cursor)
    assert numbers(rest.items) == list(range(10, COUNT))
    limited = [page async for page in events.query(Event.source == "s", page_size=4, max_items=6).pages()]
    assert [len(page.items) for page in limited] == [4, 2]
    assert numbers((await events.query(Event.source == "s").page(limited[-1].cursor)).items) == list(range(6, COUNT))


async def test_scan_has_cursors(events):
    """A scan in one part is paged through by cursor; one in several parts has no position."""
    found, cursor = [], None
    while True:
        page = await events.scan().page(cursor, max_items=4)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            break
    assert sorted(numbers(found)) == [0, *range(COUNT)]


async def test_foreign_and_changed_cursors(events):
    """A cursor of another query, a changed one and any other text are refused before a request."""
    query = events.query(Event.source == "s")
    cursor = (await query.page(max_items=2)).cursor
    for other in (
        events.query(Event.source == "other"),
        events.query(Event.source == "s", reverse=True),
        events.query(BY_KIND.partition_key == "odd"),
        query.filter(Event.kind == "odd"),
        events.scan(),
    ):
        with pytest.raises(InvalidCursorError):
            await other.page(cursor)
    for text in ("", "x", cursor[:-2], cursor[:10] + ("A" if cursor[10] != "A" else "B") + cursor[11:]):
        with pytest.raises(InvalidCursorError):
            await query.page(text)
    assert (await query.project(Event.number).page(cursor, max_items=1)).items == [(2,)]


# ── indexes ──


async def test_global_index(events):
    """A global index is read in the order of its own sort key."""
    found = await events.query(BY_KIND.partition_key == "odd", BY_KIND.sort_key.between(Decimal(1), Decimal(3))).all()
    assert numbers(found) == [5, 7, 9, 11]
    assert found[0] == event(5)
    assert len(await events.scan(index=BY_KIND).all()) == COUNT + 1


async def test_index_of_keys_is_hydrated(events):
    """An index of keys alone finds the items, whose rest is read from the table; one that is gone is left out."""
    query = events.query(BY_WEIGHT.partition_key == Decimal("1.25"))
    assert await query.project(Event.number).all() == [(5,)]
    assert await query.hydrate().all() == [event(5)]
    assert await query.hydrate(consistent_read=True).one() == event(5)
    page = await query.hydrate().page(max_items=1)
    assert page.items == [event(5)]


async def test_local_index(events):
    """A local index orders a partition by another attribute, and can be read consistently."""
    query = events.query(Event.source == "s", BY_TEXT.sort_key < "004", consistent_read=True)
    assert await query.project(Event.number, Event.kind).all() == [(24, "even"), (23, "odd"), (22, "even")]
    assert numbers(await query.hydrate().all()) == [24, 23, 22]


# ── what does not fit, and who leaves early ──


async def test_items_that_do_not_fit(events, client):
    """An item of another shape raises with its key, or is left out, or goes to a function; the others are read."""
    wide = client.table("events", partition_key="source", sort_key="number", sort_key_type=int)
    await wide.put({"source": "s", "number": 3, "text": "t", "steps": "none"})
    with pytest.raises(MarshallingError, match=r"Event\.steps: expected L, found S") as raised:
        await events.query(Event.source == "s").all()
    assert raised.value.key == {"source": {"S": "s"}, "number": {"N": "3"}}
    rest = [number for number in range(COUNT) if number != 3]
    assert numbers(await events.query(Event.source == "s", on_error="skip").all()) == rest
    seen: list[MarshallingError] = []
    assert numbers([e async for e in events.query(Event.source == "s", on_error=seen.append)]) == rest
    assert len(seen) == 1
    page = await events.query(Event.source == "s", on_error="skip").page(max_items=4)
    assert numbers(page.items) == [0, 1, 2, 4]


async def test_leaving_a_loop_leaves_nothing_behind(events, client):
    """A loop that is left drops its iterator, and with it the page that was on its way."""
    async for each in events.query(Event.source == "s", page_size=2):
        if each.number == 3:
            break
    del each
    gc.collect()
    async with events.query(Event.source == "s", page_size=2).stream() as items:
        assert (await anext(items)).number == 0
    assert not client._runtime.tasks


async def test_iterators_are_independent(events):
    """A query can be read several times, also at once."""
    query = events.query(Event.source == "s", page_size=4)
    first, second = aiter(query), aiter(query)
    pairs = [((await anext(first)).number, (await anext(second)).number) for _ in range(COUNT)]
    assert pairs == [(number, number) for number in range(COUNT)]


async def test_large_pages(client):
    """More than a megabyte comes in several pages, all of which are read and counted."""
    await client.create_table(Event)
    events = client.table(Event)
    for number in range(8):
        await events.put(Event(source="big", number=number, text="t", body="x" * 300_000))
    query = events.query(Event.source == "big")
    assert numbers([each async for each in query]) == list(range(8))
    assert await query.count() == 8
    assert await query.filter(Event.kind == "none").first() is None


# ── tables without a class ──


async def test_table_of_dicts(events, client):
    """A table is read and written as dicts where no class describes it."""
    legacy = client.table("events", partition_key="source", sort_key="number", sort_key_type=int)
    await legacy.put({"source": "d", "number": 1, "payload": {"x": 5, "y": [1, Decimal("1.5"), None, True, b"b"]}})
    found = await legacy.get(source="d", number=1)
    assert found == {"source": "d", "number": 1, "payload": {"x": 5, "y": [1, Decimal("1.5"), None, True, b"b"]}}
    query = legacy.query(legacy.partition_key == "d", legacy.sort_key > 0)
    assert await query.filter(legacy.attribute("payload", "x") > 4).all() == [found]
    assert await query.project(legacy.attribute("payload", "y", 0)).all() == [(1,)]
    updated = (
        await legacy.update(source="d", number=1)
        .set(legacy.attribute("payload", "x"), 6)
        .when(legacy.attribute("z").not_exists())
    )
    assert updated["payload"]["x"] == 6
    assert await legacy.delete(updated) == updated


async def test_class_mapped_from_outside(events, client):
    """Anybody's attrs class can be read from, and written to, a table that it knows nothing of."""
    plain = client.table(PlainEvent, name="events", partition_key="source", sort_key="number")
    assert await plain.get(source="s", number=4) == PlainEvent(source="s", number=4, kind="even")
    await plain.update(source="s", number=4).set(plain.attribute("kind"), "new")
    assert (await plain.query(plain.partition_key == "s", plain.sort_key == 4).one()).kind == "new"
    assert (await events.get(source="s", number=4)).text == event(4).text
