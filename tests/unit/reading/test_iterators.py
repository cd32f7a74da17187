"""Reading page after page against a scripted service: what is asked for, when, and what becomes of it."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from mizzle_async import (
    Attribute,
    Client,
    ClientStateError,
    ExpressionError,
    GlobalSecondaryIndex,
    InvalidCursorError,
    PartitionKey,
    SortKey,
    ThrottledError,
    entity,
)
from mizzle_async.testing.stub import StubCaller
from mizzle_async.types import WirePayload, WireRequest, WireResponse


@entity("events")
class Event:
    source: PartitionKey[str]
    number: SortKey[int]
    kind: Attribute[str]


BY_KIND = GlobalSecondaryIndex("by-kind", partition_key=Event.kind, projection="keys_only")


def item(number: int) -> WirePayload:
    """Make a stored event."""
    return {"source": {"S": "s"}, "number": {"N": str(number)}, "kind": {"S": "k"}}


def key(number: int) -> WirePayload:
    """Make a key."""
    return {"source": {"S": "s"}, "number": {"N": str(number)}}


class Service:
    """A service that holds numbered events, evaluates at most ``page`` of them per request, and keeps the odd ones."""

    def __init__(self, count: int, *, page: int = 100, keep: Callable[[int], bool] = lambda _number: True) -> None:
        self.count = count
        self.page = page
        self.keep = keep
        self.limits: list[int | None] = []
        self.failures: dict[int, Exception] = {}
        self.gates: dict[int, asyncio.Event] = {}
        self.cancelled = 0

    async def call(self, request: WireRequest) -> WireResponse:
        """Answer one page, in the form that the request asks for."""
        payload = await self._answer(request)
        return WireResponse(payload if request.parse is None else request.parse(orjson.dumps(payload)))

    async def _answer(self, request: WireRequest) -> WirePayload:
        body = orjson.loads(request.body)
        if request.operation == "BatchGetItem":
            keys = body["RequestItems"]["events"]["Keys"]
            return {"Responses": {"events": [item(int(each["number"]["N"])) for each in keys]}}
        number = len(self.limits)
        self.limits.append(body.get("Limit"))
        try:
            if number in self.gates:
                await self.gates[number].wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if number in self.failures:
            raise self.failures.pop(number)
        segment, total = body.get("Segment", 0), body.get("TotalSegments", 1)
        mine = [each for each in range(self.count) if each % total == segment]
        start = body.get("ExclusiveStartKey")
        if start is not None:
            mine = [each for each in mine if each > int(start["number"]["N"])]
        size = min(self.page, body.get("Limit") or self.page)
        seen, rest = mine[:size], mine[size:]
        kept = [item(each) for each in seen if self.keep(each)]
        payload: WirePayload = {"Count": len(kept), "ScannedCount": len(seen)}
        if body.get("Select") != "COUNT":
            payload["Items"] = kept
        if rest:
            payload["LastEvaluatedKey"] = key(seen[-1]) | ({"kind": {"S": "k"}} if "IndexName" in body else {})
        return payload

    async def aclose(self) -> None:
        """Hold nothing open."""


@pytest.fixture
async def read():
    """Open a client on a service and give its handle."""
    clients: list[Client] = []

    async def opened(service: Service, **options: Any) -> Any:
        client = await Client(caller=service, **options).open()
        clients.append(client)
        return client.table(Event)

    yield opened
    for client in clients:
        await client.aclose()


def numbers(found: Any) -> list[int]:
    """Return which events were found."""
    return [each.number for each in found]


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_page_is_fetched_ahead(read):
    """While a page is consumed the next one is on its way, and no more than that."""
    service = Service(30, page=5)
    iterator = aiter((await read(service)).query(Event.source == "s"))
    assert service.limits == []
    await anext(iterator)
    await settle()
    assert len(service.limits) == 2
    for _ in range(4):
        await anext(iterator)
    await settle()
    assert len(service.limits) == 2
    await anext(iterator)
    await settle()
    assert len(service.limits) == 3


async def take_from(iterator: Any, taken: list[int]) -> None:
    """Read rows or pages until there are no more, letting others have their turn after each."""
    async for each in iterator:
        taken.extend(numbers(getattr(each, "items", [each])))
        await asyncio.sleep(0)


@pytest.mark.parametrize("segments", [1, 3])
@pytest.mark.parametrize("max_items", [None, 8])
async def test_tasks_may_share_an_iterator(read, segments, max_items):
    """Of several tasks that read one iterator each row goes to one, whoever asked for its page."""
    service = Service(30, page=4)
    events = await read(service)
    iterator = aiter(events.scan(segments=segments, max_items=max_items))
    taken: list[int] = []
    await asyncio.gather(*(take_from(iterator, taken) for _ in range(5)))
    assert len(taken) == len(set(taken)) == (max_items or 30)
    if segments == 1:
        assert taken == list(range(max_items or 30))


async def test_tasks_may_share_an_iterator_of_pages(read):
    """Of several tasks that read the pages of one query each page goes to one."""
    pages = (await read(Service(30, page=4))).query(Event.source == "s").pages()
    taken: list[int] = []
    await asyncio.gather(*(take_from(pages, taken) for _ in range(5)))
    assert sorted(taken) == list(range(30))


async def test_tasks_may_share_a_resumable_iterator(read, tmp_path):
    """Of several tasks that read one resumable iterator each row goes to one."""
    items = (await read(Service(30, page=4))).scan().resumable(tmp_path / "state")
    taken: list[int] = []
    await asyncio.gather(*(take_from(items, taken) for _ in range(5)))
    assert sorted(taken) == list(range(30))


async def test_nothing_is_fetched_beyond_what_was_asked(read):
    """With a number of items no page is requested that cannot be needed."""
    service = Service(100, page=10)
    events = await read(service)
    assert numbers([each async for each in events.query(Event.source == "s", max_items=10)]) == list(range(10))
    assert service.limits == [10]
    service.limits.clear()
    assert numbers([each async for each in events.query(Event.source == "s", max_items=25)]) == list(range(25))
    assert service.limits == [25, 15, 5]


async def test_requests_grow_while_a_filter_drops(read):
    """A rare match takes few requests: each asks for twice as many as the one before."""
    service = Service(1_000, page=1_000, keep=lambda number: number >= 400)
    events = await read(service)
    query = events.query(Event.source == "s", max_items=3).filter(Event.kind.exists())
    assert numbers(await query.all()) == [400, 401, 402]
    assert service.limits == [16, 32, 64, 128, 256]


async def test_evaluated_items_are_bounded_exactly(read):
    """The last request asks for no more than what may still be evaluated."""
    service = Service(100, page=8)
    events = await read(service)
    assert len(await events.query(Event.source == "s", max_evaluated=20).all()) == 20
    assert service.limits == [20, 12, 4]


async def test_parallel_segments_share_the_bound(read):
    """Segments that run at once do not evaluate more together than one would."""
    service = Service(100, page=8)
    events = await read(service)
    found = await events.scan(segments=4, max_evaluated=20, page_size=8).all()
    assert len(found) == 20
    assert sum(limit or 0 for limit in service.limits) >= 20


async def test_every_segment_is_read_to_its_end(read):
    """A parallel scan gives every item once, whichever segment ends first."""
    service = Service(101, page=3)
    events = await read(service)
    assert sorted(numbers(await events.scan(segments=7).all())) == list(range(101))
    assert sorted(numbers([each async for each in events.scan(segments=7)])) == list(range(101))
    assert await events.scan(segments=7).count() == 101


async def test_leaving_a_loop_cancels_what_is_under_way(read):
    """The page ahead of a reader who left is cancelled at once, without being awaited anywhere."""
    service = Service(30, page=5)
    service.gates[1] = asyncio.Event()
    events = await read(service)
    async for _each in events.query(Event.source == "s"):
        await settle()
        break
    gc.collect()
    await settle()
    assert service.cancelled == 1


async def test_iterator_may_be_dropped_in_another_thread(read):
    """The garbage collector works wherever it likes: the page ahead is cancelled in its own loop all the same."""
    service = Service(30, page=5)
    service.gates[1] = asyncio.Event()
    iterator = aiter((await read(service)).query(Event.source == "s"))
    await anext(iterator)
    await settle()
    held = [iterator]
    del iterator
    await asyncio.to_thread(held.clear)
    await settle()
    assert service.cancelled == 1


async def test_stream_has_ended_when_its_context_has(read):
    """Behind `stream()` nothing is under way, without any help of the garbage collector."""
    service = Service(30, page=5)
    service.gates[1] = asyncio.Event()
    events = await read(service)
    async with events.query(Event.source == "s").stream() as items:
        kept = items
        await anext(items)
        await settle()
    assert service.cancelled == 1
    with pytest.raises(StopAsyncIteration):
        await anext(kept)
    with pytest.raises(TypeError, match="a stream is a context: `async with"):
        aiter(events.scan().stream())


async def test_closing_twice_and_before_the_start_is_fine(read):
    """An iterator may be closed at any time."""
    events = await read(Service(30, page=5))
    items, pages = aiter(events.scan()), events.scan().pages()
    for each in (items, pages, items, pages):
        await each.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(items)
    with pytest.raises(StopAsyncIteration):
        await anext(pages)
    stream = events.scan().stream()
    await stream.__aexit__(None, None, None)


async def test_failed_page_is_raised_in_its_turn_and_can_be_read_again(read):
    """A page that failed ahead of its reader raises when the reader gets there, and reading may go on from it."""
    service = Service(10, page=5)
    service.failures[1] = ThrottledError("slow down")
    iterator = aiter((await read(service)).query(Event.source == "s"))
    first = [(await anext(iterator)).number for _ in range(5)]
    with pytest.raises(ThrottledError):
        await anext(iterator)
    assert first + numbers([each async for each in iterator]) == list(range(10))


async def test_failed_segment_is_read_again(read):
    """A segment that failed keeps its position, and the others theirs."""
    service = Service(30, page=4)
    service.failures[3] = ThrottledError("slow down")
    iterator = aiter((await read(service)).scan(segments=3))
    found: list[Any] = []
    failures = 0
    while True:
        try:
            found.append(await anext(iterator))
        except ThrottledError:
            failures += 1
        except StopAsyncIteration:
            break
    assert failures == 1
    assert sorted(numbers(found)) == list(range(30))


async def test_failure_that_nobody_reads_is_not_reported(read, caplog):
    """A page that failed after its reader had left is nobody's concern."""
    service = Service(10, page=5)
    service.failures[1] = ThrottledError("slow down")
    events = await read(service)
    async for _each in events.query(Event.source == "s"):
        break
    await settle()
    gc.collect()
    assert caplog.records == []


async def test_cancelled_reader_can_go_on(read):
    """Cancelling a reader that waits for a page cancels the page; the next reader asks for it again."""
    service = Service(10, page=5)
    service.gates[1] = asyncio.Event()
    iterator = aiter((await read(service)).query(Event.source == "s"))
    for _ in range(5):
        await anext(iterator)
    waiting = asyncio.ensure_future(anext(iterator))
    await settle()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert service.cancelled == 1
    assert numbers([each async for each in iterator]) == [5, 6, 7, 8, 9]


async def test_closing_the_client_ends_what_is_under_way(read):
    """A client that is closed leaves no page under way, and its readers are told."""
    service = Service(30, page=5)
    service.gates[1] = asyncio.Event()
    client = await Client(caller=service).open()
    iterator = aiter(client.table(Event).query(Event.source == "s"))
    await anext(iterator)
    await settle()
    await client.aclose()
    assert service.cancelled == 1
    del iterator
    with pytest.raises(ClientStateError, match="closed"):
        await client.table(Event).scan().all()
    with pytest.raises(ClientStateError, match="closed"):
        client._runtime.start(settle())


async def test_hydrating_reads_in_the_order_of_the_index(read):
    """Items come in the index's order; what is gone is left out, and what is unread is asked for again."""
    asked: list[list[int]] = []

    def batch(request: WireRequest) -> WirePayload:
        keys = orjson.loads(request.body)["RequestItems"]["events"]["Keys"]
        asked.append([int(each["number"]["N"]) for each in keys])
        here = [each for each in asked[-1][:2] if each != 3]
        left = asked[-1][2:]
        return {
            "Responses": {"events": [item(number) for number in reversed(here)]},
            "UnprocessedKeys": {"events": {"Keys": [key(number) for number in left]}} if left else {},
        }

    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    entries = [key(number) | {"kind": {"S": "k"}} for number in (5, 4, 3, 2, 1)]
    caller = StubCaller({"Query": {"Items": entries, "Count": 5, "ScannedCount": 5}, "BatchGetItem": batch})
    async with Client(caller=caller, sleep=pause) as client:
        query = client.table(Event).query(BY_KIND.partition_key == "k").hydrate(consistent_read=True)
        assert numbers(await query.all()) == [5, 4, 2, 1]
        page = await query.page(max_items=3)
        assert numbers(page.items) == [5, 4, 2]
        assert page.cursor is not None
    assert asked[:3] == [[5, 4, 3, 2, 1], [3, 2, 1], [1]]
    assert len(pauses) >= 2


async def test_page_is_filled_over_several_requests(read):
    """A page has as many items as were asked for while there are any, and its cursor goes on after the last of them."""
    service = Service(40, page=4, keep=lambda number: number % 4 == 0)
    events = await read(service)
    query = events.query(Event.source == "s").filter(Event.kind.exists())
    page = await query.page(max_items=3)
    assert numbers(page.items) == [0, 4, 8]
    assert page.evaluated == 12
    rest = await query.page(page.cursor, max_items=100)
    assert numbers(rest.items) == [12, 16, 20, 24, 28, 32, 36]
    assert rest.cursor is None


async def test_page_keeps_to_the_query(read):
    """The query's own number of items holds for each page, whatever the page asks for."""
    query = (await read(Service(100, page=10))).query(Event.source == "s", max_items=5)
    page = await query.page(max_items=7)
    assert numbers(page.items) == [0, 1, 2, 3, 4]
    assert numbers((await query.page(page.cursor, max_items=3)).items) == [5, 6, 7]
    assert numbers((await query.page(page.cursor)).items) == [5, 6, 7, 8, 9]


async def test_page_without_a_size_is_what_one_request_brings(read):
    """Without a number a page is the service's page, or the first that has something."""
    service = Service(40, page=4, keep=lambda number: number >= 10)
    events = await read(service)
    page = await events.query(Event.source == "s").page()
    assert numbers(page.items) == [10, 11]
    assert len(service.limits) == 3


async def test_page_ends_where_nothing_more_may_be_evaluated(read):
    """A bound on what is evaluated ends a page early, and its cursor goes on from there."""
    service = Service(40, page=4, keep=lambda number: number % 2 == 0)
    events = await read(service)
    page = await events.query(Event.source == "s", max_evaluated=8).page(max_items=10)
    assert (numbers(page.items), page.evaluated) == ([0, 2, 4, 6], 8)
    rest = await events.query(Event.source == "s").page(page.cursor, max_items=2)
    assert numbers(rest.items) == [8, 10]


async def test_parallel_scan_has_no_cursor(read):
    """Several positions do not fit into one cursor."""
    events = await read(Service(10))
    with pytest.raises(ExpressionError, match="parallel scan"):
        await events.scan(segments=2).page()
    assert [page.cursor async for page in events.scan(segments=2, page_size=3).pages()] == [None] * 4


async def test_page_has_at_least_one_item(read):
    """A page of nothing would never end."""
    events = await read(Service(10))
    with pytest.raises(ExpressionError, match="max_items=0"):
        await events.scan().page(max_items=0)
    with pytest.raises(ExpressionError, match="max_items=0"):
        await events.scan(max_items=0).page()
    with pytest.raises(ExpressionError, match="max_items='20' must be an integer"):
        await events.scan().page(max_items="20")


async def test_cursors_expire(read):
    """A cursor with an age limit is refused afterwards, by the client's clock."""
    now = [1_000.0]
    service = Service(10)
    events = await read(service, clock=lambda: now[0], cursor_max_age=60)
    cursor = (await events.scan(page_size=2).page()).cursor
    now[0] += 61
    with pytest.raises(InvalidCursorError, match="expired"):
        await events.scan().page(cursor)


async def test_reading_describes_itself(read):
    """Iterators tell what they read and how far they came."""
    events = await read(Service(10, page=4))
    iterator = aiter(events.query(Event.source == "s"))
    await anext(iterator)
    assert repr(iterator) == "<ItemIterator of <query of Event, table 'events'>: 4 evaluated>"
    assert aiter(iterator) is iterator
    pages = events.scan().pages()
    assert aiter(pages) is pages
