"""Reading page after page: one page ahead, never more than was asked for, nothing left running when the reader leaves.

Iterators are classes, not async generators: leaving a loop drops the iterator, and with it the one request that may be
under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeAlias, TypeVar

from attrs import define, frozen

from mizzle_async.bulk.pace import BulkOwner
from mizzle_async.bulk.reading import read_items
from mizzle_async.errors import MarshallingError
from mizzle_async.operations import CursorCodec, RawPage, ReadPage, ReadPlan, use
from mizzle_async.types import Item

RowT_co = TypeVar("RowT_co", covariant=True)
RowT = TypeVar("RowT")
AnyT = TypeVar("AnyT")


class Reader(BulkOwner, Protocol):
    """What reading needs of a client."""

    @property
    def cursors(self) -> CursorCodec:
        """What writes and reads cursors."""
        ...

    def start(self, coroutine: Coroutine[Any, Any, AnyT], /) -> asyncio.Task[AnyT]:
        """Start a task that the client owns."""
        ...


_FEWEST_FILTERED = 16
"""How many items are evaluated at first where a filter may drop some: up to 4 KB cost the same as one."""


@frozen(eq=False)
class Page(Generic[RowT_co]):
    """One page of a query or a scan.

    Attributes:
        items: The rows, in the service's order.
        cursor: Where the next page starts, safe in a URL; None on the last page.
        evaluated: Items read, before the filter: what was paid for.
    """

    items: Sequence[RowT_co]
    cursor: str | None
    evaluated: int = 0


Position: TypeAlias = tuple[Item | None, bool]
"""How far a segment was read: the key after which it goes on, and whether it is at its end."""


@define(eq=False)
class _Segment:
    """How far one segment of a scan, or the whole query, has come."""

    segment: tuple[int, int] | None
    start_key: Item | None
    ended: bool = False
    limit: int | None = None


class PageSource:
    """Requests pages, each segment one ahead of its reader."""

    def __init__(
        self,
        reader: Reader,
        plan: ReadPlan[Any, Any],
        *,
        start_key: Item | None = None,
        positions: Sequence[Position] = (),
        max_items: int | None = None,
        count_only: bool = False,
        prefetch: bool = True,
    ) -> None:
        self._reader = reader
        self._plan = plan
        self._max_items = plan.options.max_items if max_items is None else max_items
        self._compiled = plan.compile(reader.now(), count_only=count_only)
        self._prefetch = prefetch
        total = plan.options.segments
        self._segments = [_Segment((number, total) if total > 1 else None, start_key) for number in range(total)]
        for segment, position in zip(self._segments, positions, strict=False):
            segment.start_key, segment.ended = position
        self._pending: dict[asyncio.Task[RawPage], _Segment] = {}
        self._reserved = 0
        self._guess = 0
        self.count: int = 0
        self.evaluated: int = 0

    async def next(self) -> RawPage | None:
        """Return the next page, or None after the last one; pages of parallel segments come as they arrive."""
        found = await self.next_of_any()
        return None if found is None else found[1]

    async def next_of_any(self) -> tuple[int, RawPage] | None:
        """Return the next page with the number of the segment that it is of, from zero; None after the last one."""
        for number, segment in enumerate(self._segments):
            if not segment.ended and segment not in self._pending.values():
                operation = self._request(segment)
                if operation is None:
                    continue
                if len(self._segments) == 1:
                    return number, self._received(segment, await self._fetch(segment, operation))
                self._launch(segment, operation)
        if not self._pending:
            return None
        task, segment = await self._first_done()
        return self._segments.index(segment), self._received(segment, task.result())

    async def _fetch(self, segment: _Segment, operation: ReadPage) -> RawPage:
        try:
            return await fetch_page(self._reader, self._plan, operation)
        except BaseException:
            self._release(segment)
            raise

    async def _first_done(self) -> tuple[asyncio.Task[RawPage], _Segment]:
        """Wait for a page under way; whatever became of it, its segment is free afterwards."""
        if len(self._pending) == 1:
            task, segment = next(iter(self._pending.items()))
            try:
                await task
            finally:
                self._forget(task)
            return task, segment
        done, _ = await asyncio.wait(self._pending, return_when=asyncio.FIRST_COMPLETED)
        task = next(task for task in self._pending if task in done)  # by segment, not by the set's order
        return task, self._forget(task)

    def _forget(self, task: asyncio.Task[RawPage]) -> _Segment:
        segment = self._pending.pop(task)
        if task.cancelled() or not task.done() or task.exception() is not None:
            self._release(segment)
        return segment

    def _received(self, segment: _Segment, page: RawPage) -> RawPage:
        self._release(segment)
        self.count += page.count
        self.evaluated += page.scanned
        segment.start_key = page.last_key
        segment.ended = page.last_key is None
        if self._prefetch and not segment.ended and not self._satisfied:
            operation = self._request(segment)
            if operation is not None:
                self._launch(segment, operation)
        return page

    @property
    def _satisfied(self) -> bool:
        """Whether as many items came as were asked for.

        More are requested only if some of them turn out expired or unreadable.
        """
        return self._max_items is not None and self.count >= self._max_items

    def _request(self, segment: _Segment) -> ReadPage | None:
        plan = self._plan
        limit = plan.options.page_size
        if self._max_items is not None:
            wanted = self._wanted(self._max_items - self.count)
            limit = wanted if limit is None else min(limit, wanted)
        if plan.options.max_evaluated is not None:
            left = plan.options.max_evaluated - self.evaluated - self._reserved
            if left <= 0:
                return None
            limit = left if limit is None else min(limit, left)
            self._reserved += limit
            segment.limit = limit
        return plan.page(self._compiled, start_key=segment.start_key, limit=limit, segment=segment.segment)

    def _wanted(self, missing: int) -> int:
        """Return how many items to have evaluated where ``missing`` more are to be returned.

        How many a filter drops is unknown. As long as none was dropped, as many are asked for as are missing; from then
        on twice as many each time, so that a rare match costs few requests, and a frequent one few read units.
        """
        if self.evaluated > self.count or missing <= 0:
            self._guess = max(missing, 2 * self._guess)
        else:
            self._guess = max(missing, _FEWEST_FILTERED) if self._plan.filters else missing
        return self._guess

    def _release(self, segment: _Segment) -> None:
        self._reserved -= segment.limit or 0
        segment.limit = None

    def _launch(self, segment: _Segment, operation: ReadPage) -> None:
        use(operation)  # a task that is cancelled before its first step never sends it
        task = self._reader.start(fetch_page(self._reader, self._plan, operation))
        self._pending[task] = segment

    @property
    def resume_key(self) -> Item | None:
        """Return where reading would go on; None at the end."""
        return self._segments[0].start_key

    def close(self) -> None:
        """Stop what is under way."""
        for segment in self._segments:
            segment.ended = True
        for task in self._pending:
            task.cancel()

    async def aclose(self) -> None:
        """Stop what is under way, and wait until it has stopped."""
        self.close()
        tasks, self._pending = list(self._pending), {}
        if tasks:
            await asyncio.wait(tasks)

    def __del__(self) -> None:
        for task in getattr(self, "_pending", ()):
            _drop(task)


def _drop(task: asyncio.Task[Any]) -> None:
    """Cancel a task whose reader is gone; the garbage collector may call this in any thread."""
    loop = task.get_loop()
    if task.done() or loop.is_closed():
        return
    try:
        here = asyncio.get_running_loop()
    except RuntimeError:
        here = None
    if here is loop:
        task.cancel()
    else:
        loop.call_soon_threadsafe(task.cancel)


async def fetch_page(reader: Reader, plan: ReadPlan[Any, Any], operation: ReadPage) -> RawPage:
    """Send one page request; with `.hydrate()`, read its items from the table.

    It holds no iterator, so that one can be dropped while this is under way.
    """
    page = await reader.send(operation)
    if plan.hydrated and page.items:
        codec = plan.target.codec
        keys = [codec.key_of_item(item) for item in page.items]
        page = page.hydrated(await read_items(reader, plan.target, keys, consistent_read=plan.hydrated_consistently))
    return page


class ItemIterator(AsyncIterator[RowT_co], Generic[RowT_co]):
    """Iterates over rows: what ``async for`` over a query or a scan uses.

    While the items of one page are consumed, the next page is on its way. Dropping the iterator drops that request at
    once. Several tasks may share one iterator: each row goes to one of them.
    """

    def __init__(self, reader: Reader, plan: ReadPlan[Any, RowT_co]) -> None:
        self._reader = reader
        self._plan = plan
        self._source = PageSource(reader, plan)
        self._left = plan.options.max_items
        self._items: Iterator[Item] = iter(())
        self._expired = plan.expired(reader.now())
        self._turning = asyncio.Lock()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RowT_co:
        while self._left != 0:
            items = self._items
            for item in items:
                if self._expired is not None and self._expired(item):
                    continue
                try:
                    row = self._plan.row(item)
                except MarshallingError as error:
                    self._plan.judge(error)
                    continue
                if self._left is not None:
                    self._left -= 1
                return row
            async with self._turning:
                if self._items is not items:  # another task that shares this iterator has turned the page
                    continue
                page = await self._source.next()
                if page is None:
                    raise StopAsyncIteration
                self._items = iter(page.items)
                self._expired = self._plan.expired(self._reader.now())
        self._source.close()
        raise StopAsyncIteration

    @property
    def evaluated(self) -> int:
        """Return how many items were read so far, before the filter: what was paid for."""
        return self._source.evaluated

    async def aclose(self) -> None:
        """End the iteration, and wait until its request has ended."""
        self._items, self._left = iter(()), 0
        await self._source.aclose()

    def __repr__(self) -> str:
        return f"<ItemIterator of {self._plan}: {self._source.evaluated} evaluated>"


class Stream(Generic[RowT_co]):
    """An iteration whose end is certain: ``async with query.stream() as items: async for item in items: …``."""

    def __init__(self, reader: Reader, plan: ReadPlan[Any, RowT_co]) -> None:
        self._reader = reader
        self._plan = plan
        self._items: ItemIterator[RowT_co] | None = None

    async def __aenter__(self) -> ItemIterator[RowT_co]:
        self._items = ItemIterator(self._reader, self._plan)
        return self._items

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._items is not None:
            await self._items.aclose()


class PageIterator(AsyncIterator[Page[RowT_co]], Generic[RowT_co]):
    """Iterates over pages as the service cuts them, each with its cursor."""

    def __init__(self, reader: Reader, plan: ReadPlan[Any, RowT_co], *, start_key: Item | None = None) -> None:
        self._reader = reader
        self._plan = plan
        self._source = PageSource(reader, plan, start_key=start_key)
        self._left = plan.options.max_items
        self._turning = asyncio.Lock()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Page[RowT_co]:
        async with self._turning:
            page = None if self._left == 0 else await self._source.next()
        if page is None:
            self._source.close()
            raise StopAsyncIteration
        rows, last, _ = read_rows(self._reader, self._plan, page, self._left)
        if self._left is not None:
            self._left -= len(rows)
        return Page(rows, write_cursor(self._reader, self._plan, last), page.scanned)

    async def aclose(self) -> None:
        """End the iteration, and wait until its request has ended."""
        self._left = 0
        await self._source.aclose()


def read_rows(
    reader: Reader, plan: ReadPlan[Any, RowT], page: RawPage, most: int | None
) -> tuple[list[RowT], Item | None, bool]:
    """Decode a page.

    Returns:
        The rows, the key after which reading goes on (None at the end), and whether the page was cut before its end.
    """
    rows: list[RowT] = []
    items = page.items
    expired = plan.expired(reader.now())
    if most is None and expired is None and plan.decodes_all:
        decode: Callable[[Item], Any] = plan.target.codec.decode
        return [decode(item) for item in items], page.last_key, False
    for position, item in enumerate(items):
        if len(rows) == most:
            # Exactly after the last returned item: what the page still holds comes again with the next one.
            return rows, plan.position((page.origins or items)[position - 1]), True
        if expired is not None and expired(item):
            continue
        try:
            rows.append(plan.row(item))
        except MarshallingError as error:
            plan.judge(error)
    return rows, page.last_key, False


async def read_page(reader: Reader, plan: ReadPlan[Any, RowT], cursor: str | None, max_items: int | None) -> Page[RowT]:
    """Read one page for a caller who comes back later with its cursor.

    With ``max_items`` as many requests are sent as it takes to fill it; without, one page of the service, or the first
    that holds something.
    """
    most = plan.options.max_items if max_items is None else max_items
    plan.check_pages(most)
    start_key = None if cursor is None else plan.check_position(reader.cursors.read(cursor, plan.digest, reader.now()))
    source = PageSource(reader, plan, start_key=start_key, max_items=most, prefetch=False)
    rows: list[RowT] = []
    last: Item | None = start_key
    while True:
        page = await source.next()
        if page is None:  # `max_evaluated` is used up, or the last page was read
            last = source.resume_key
            break
        found, last, cut = read_rows(reader, plan, page, None if most is None else most - len(rows))
        rows += found
        if cut or last is None or len(rows) == most or (most is None and rows):
            break
    return Page(rows, write_cursor(reader, plan, last), source.evaluated)


def write_cursor(reader: Reader, plan: ReadPlan[Any, Any], key: Item | None) -> str | None:
    """Return the cursor for a key, or None at the end."""
    # Of several segments no single key says where reading goes on.
    return None if key is None or plan.options.segments > 1 else reader.cursors.write(key, plan.digest, reader.now())


async def read_all(reader: Reader, plan: ReadPlan[Any, RowT]) -> list[RowT]:
    """Read every row into a list."""
    source = PageSource(reader, plan)
    rows: list[RowT] = []
    try:
        while plan.options.max_items is None or len(rows) < plan.options.max_items:
            page = await source.next()
            if page is None:
                break
            rows += read_rows(
                reader, plan, page, None if plan.options.max_items is None else plan.options.max_items - len(rows)
            )[0]
    finally:
        source.close()
    return rows


async def count_items(reader: Reader, plan: ReadPlan[Any, Any]) -> int:
    """Count items without reading them into the process, page after page."""
    source = PageSource(reader, plan, count_only=plan.countable)
    most = plan.options.max_items
    counted = 0
    try:
        while most is None or counted < most:
            page = await source.next()
            if page is None:
                break
            if plan.countable:
                counted += page.count
            else:
                expired = plan.expired(reader.now())
                counted += sum(1 for item in page.items if expired is None or not expired(item))
    finally:
        source.close()
    return counted if most is None else min(counted, most)
