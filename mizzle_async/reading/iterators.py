"""Reading page after page: one page ahead, never more than was asked for, nothing left running when the reader leaves.

Iterators are classes, not async generators: leaving a loop drops the iterator, and with it the one request that may be
under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar

from attrs import field, frozen

from mizzle_async.errors import MarshallingError
from mizzle_async.flow.pace import Limiters
from mizzle_async.flow.ports import TaskPort
from mizzle_async.operations import RawPage, ReadPlan
from mizzle_async.reading.merged_source import open_source
from mizzle_async.reading.page_source import PageSource
from mizzle_async.types import Item
from mizzle_async.values import Record

RowT_co = TypeVar("RowT_co", covariant=True)
RowT = TypeVar("RowT")

UNLIMITED = Limiters()
"""For single calls, which the client's limit for bulk work does not hold back."""


@frozen(eq=False, repr=False)
class Page(Record, Generic[RowT_co]):
    """One page of a query or a scan.

    Attributes:
        items: The rows, in the service's order; not shown.
        cursor: Where the next page starts, safe in a URL; None on the last page. Not shown: it holds a key.
        evaluated: Items read, before the filter: what was paid for.
    """

    items: Sequence[RowT_co] = field(repr=False)
    cursor: str | None = field(repr=False)
    evaluated: int = 0


class ItemIterator(AsyncIterator[RowT_co], Generic[RowT_co]):
    """Iterates over rows: what ``async for`` over a query or a scan uses.

    While the items of one page are consumed, the next page is on its way. Dropping the iterator drops that request at
    once. Several tasks may share one iterator: each row goes to one of them.
    """

    def __init__(self, reader: TaskPort, plan: ReadPlan[Any, RowT_co]) -> None:
        self._reader = reader
        self._plan = plan
        self._source = open_source(reader, plan, records=True)
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

    def __init__(self, reader: TaskPort, plan: ReadPlan[Any, RowT_co]) -> None:
        self._reader = reader
        self._plan = plan
        self._items: ItemIterator[RowT_co] | None = None

    if not TYPE_CHECKING:  # so that type checkers refuse it themselves

        def __aiter__(self) -> NoReturn:
            raise TypeError(
                "a stream is a context: `async with query.stream() as items: async for item in items: …`; without one, "
                "iterate the query itself"
            )

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

    def __init__(self, reader: TaskPort, plan: ReadPlan[Any, RowT_co], *, start_key: Item | None = None) -> None:
        self._reader = reader
        self._plan = plan
        self._source = open_source(reader, plan, start_key=start_key, records=True)
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
    reader: TaskPort, plan: ReadPlan[Any, RowT], page: RawPage, most: int | None
) -> tuple[list[RowT], Item | None, bool]:
    """Decode a page.

    Returns:
        The rows, the key after which reading goes on (None at the end), and whether the page was cut before its end.
    """
    rows: list[RowT] = []
    items = page.items
    expired = plan.expired(reader.now())
    if most is None and plan.decodes_all:
        shown = items if expired is None else [item for item in items if not expired(item)]
        decoded: list[Any] = plan.target.codec.decode_all(shown)
        return decoded, page.last_key, False
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


async def read_page(
    reader: TaskPort, plan: ReadPlan[Any, RowT], cursor: str | None, max_items: int | None
) -> Page[RowT]:
    """Read one page for a caller who comes back later with its cursor.

    With ``max_items`` as many requests are sent as it takes to fill it; without, one page of the service, or the first
    that holds something.
    """
    plan.check_pages(max_items)
    limits = [limit for limit in (plan.options.max_items, max_items) if limit is not None]
    most = min(limits, default=None)
    plan.check_pages(most)
    start_key = None if cursor is None else plan.check_position(reader.cursors.read(cursor, plan.digest, reader.now()))
    source = open_source(
        reader, plan, start_key=start_key, max_items=most, prefetch=False, limiters=UNLIMITED, records=True
    )
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


def write_cursor(reader: TaskPort, plan: ReadPlan[Any, Any], key: Item | None) -> str | None:
    """Return the cursor for a key, or None at the end."""
    return None if key is None or not plan.has_position else reader.cursors.write(key, plan.digest, reader.now())


async def read_all(reader: TaskPort, plan: ReadPlan[Any, RowT], *, limiters: Limiters | None = None) -> list[RowT]:
    """Read every row into a list."""
    source = open_source(reader, plan, limiters=limiters, records=True)
    most = plan.options.max_items
    rows: list[RowT] = []
    try:
        while most is None or len(rows) < most:
            page = await source.next()
            if page is None:
                break
            rows += read_rows(reader, plan, page, None if most is None else most - len(rows))[0]
            del page  # or its raw items would be kept until the next page is there
    finally:
        source.close()
    return rows


async def count_items(reader: TaskPort, plan: ReadPlan[Any, Any]) -> int:
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
