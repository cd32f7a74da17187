"""Iterators over rows and pages: one page ahead, and nothing left running when the reader leaves.

They are classes, not async generators: leaving a loop drops the iterator, and with it the one request that may be under
way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, Self, TypeVar

from attrs import frozen

from mizzle_async.errors import CorruptResponseError, MarshallingError
from mizzle_async.model.seams import get_pydantic_page_schema
from mizzle_async.reading.page_views import page_html, page_text
from mizzle_async.reading.selection import Selection
from mizzle_async.values import Record

RowT_co = TypeVar("RowT_co", covariant=True)


@frozen(eq=False, repr=False)
class Page(Record, Generic[RowT_co]):
    """One page of a query, a scan or a statement. A prompt shows its first rows, a notebook a table of them.

    As JSON, and in the signature of an endpoint of FastAPI's, it is its items and its two cursors.

    Attributes:
        items: The rows, in the service's order.
        cursor: Where the next page starts, safe in a URL, or None on the last page. Its beginning is shown.
        evaluated: Items read and paid for, before the filter. Of a statement: the items that were returned.
        read_units: Read units, as the service counted them, or None where they were not asked for. An instrument or
            `Client.usage` asks.
        requests: Requests that were sent for the page, the pipeline's own retries aside.
        previous: The cursor of the page before this one, for ``page()`` of the same query. None on the first page, for
            scans and statements, which have one order only, and where pages are iterated.
    """

    items: Sequence[RowT_co]
    cursor: str | None
    evaluated: int = 0
    read_units: float | None = None
    requests: int = 0
    previous: str | None = None

    __json_members__: ClassVar[tuple[str, ...]] = ("items", "cursor", "previous")
    __get_pydantic_core_schema__: ClassVar[Any] = classmethod(get_pydantic_page_schema)

    def __repr__(self) -> str:
        return page_text(self.items, self.cursor, evaluated=self.evaluated, read_units=self.read_units)

    def _repr_html_(self) -> str:
        return page_html(self.items, self.cursor, evaluated=self.evaluated, read_units=self.read_units)


class ItemIterator(AsyncIterator[RowT_co], Generic[RowT_co]):
    """Iterates over rows: ``async for`` over a query, a scan or a statement makes one.

    While the items of one page are consumed, the next page is on its way. Dropping the iterator drops that request at
    once. Several tasks may share one iterator: each row goes to one of them.
    """

    def __init__(self, selection: Selection[RowT_co]) -> None:
        self._selection = selection
        self._source = selection.open()
        self._left = selection.max_items
        self._items: Iterator[Any] = iter(())
        self._hidden = selection.hidden()
        self._row = selection.row
        self._refuse: Callable[[], None] = _no_page
        self._turning = asyncio.Lock()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RowT_co:
        while self._left != 0:
            items = self._items
            for item in items:
                if self._hidden is not None and self._hidden(item):
                    continue
                try:
                    row = self._row(item)
                except MarshallingError as error:
                    self._selection.judge(error)
                    continue
                except CorruptResponseError:
                    self._refuse()
                    raise
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
                self._refuse = page.refuse
                self._hidden = self._selection.hidden()
        await self._source.aclose()
        raise StopAsyncIteration

    @property
    def evaluated(self) -> int:
        """Return the number of items read and paid for so far, before the filter."""
        return self._source.evaluated

    async def aclose(self) -> None:
        """End the iteration, and wait until its request has ended."""
        self._items, self._left = iter(()), 0
        await self._source.aclose()

    def __repr__(self) -> str:
        return f"<ItemIterator of {self._selection!r}: {self._source.evaluated} evaluated>"


def _no_page() -> None:
    """Close no connection: no page has come yet."""


class Stream(Generic[RowT_co]):
    """An iteration whose end is certain: ``async with query.stream() as items: async for item in items: …``."""

    def __init__(self, selection: Selection[RowT_co]) -> None:
        self._selection = selection
        self._items: ItemIterator[RowT_co] | None = None

    if not TYPE_CHECKING:  # so that type checkers refuse it themselves

        def __aiter__(self) -> NoReturn:
            raise TypeError(
                "a stream is a context: `async with query.stream() as items: async for item in items: …`; without one, "
                "iterate the query itself"
            )

    async def __aenter__(self) -> ItemIterator[RowT_co]:
        self._items = ItemIterator(self._selection)
        return self._items

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._items is not None:
            await self._items.aclose()


class PageIterator(AsyncIterator[Page[RowT_co]], Generic[RowT_co]):
    """Iterates over pages as the service cuts them, each with its cursor."""

    def __init__(self, selection: Selection[RowT_co]) -> None:
        self._selection = selection
        self._source = selection.open_at(None)
        self._left = selection.max_items
        self._turning = asyncio.Lock()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Page[RowT_co]:
        async with self._turning:
            page = None if self._left == 0 else await self._source.next()
        if page is None:
            await self._source.aclose()
            raise StopAsyncIteration
        rows, key, _ = self._selection.rows(page, self._left)
        if self._left is not None:
            self._left -= len(rows)
        return Page(rows, self._selection.cursor(key), page.scanned, page.read_units, page.requests)

    async def aclose(self) -> None:
        """End the iteration, and wait until its request has ended."""
        self._left = 0
        await self._source.aclose()
