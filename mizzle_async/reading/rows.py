"""The reading surface: the ways to read rows, the same for everything that can be read."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from mizzle_async.errors import ItemNotFoundError, MultipleItemsError
from mizzle_async.operations.reads.page import add_units
from mizzle_async.reading.iterators import ItemIterator, Page, PageIterator, Stream
from mizzle_async.reading.selection import Selection, turned
from mizzle_async.signatures import explained
from mizzle_async.types import MYPY, Item

RowT_co = TypeVar("RowT_co", covariant=True)


class Rows(Generic[RowT_co]):
    """Rows that take any number of requests to read: a query, a scan, a statement.

    It is not awaitable. Read it by ``async for``, `all`, `first`, `one`, `count`, `pages`, `page` or `stream`.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def _selection(self) -> Selection[RowT_co]:
        """The selection that is read."""

    def __aiter__(self) -> ItemIterator[RowT_co]:
        return ItemIterator(self._selection)

    async def all(self) -> list[RowT_co]:
        """Read everything into a list."""
        selection = self._selection
        return await _read(selection, selection.max_items, is_bulk=True)

    async def first(self) -> RowT_co | None:
        """Read the first row, or None where there is none. Evaluates no more than it takes."""
        selection = self._selection
        rows = await _read(selection, _capped(selection, 1), is_bulk=False)
        return rows[0] if rows else None

    async def one(self) -> RowT_co:
        """Read the only row.

        Raises:
            ItemNotFoundError: There is none.
            MultipleItemsError: There are several.
        """
        selection = self._selection
        rows = await _read(selection, _capped(selection, 2), is_bulk=False)
        if not rows:
            raise ItemNotFoundError(f"no {selection.noun} was found where one was expected", table=selection.table)
        if len(rows) > 1:
            raise MultipleItemsError(
                f"more than one {selection.noun} was found where one was expected: use .first() or .all()",
                table=selection.table,
            )
        return rows[0]

    async def count(self) -> int:
        """Count the rows. They are evaluated, and charged for.

        Of a query or a scan they do not travel, if the service's own count is right.
        """
        selection = self._selection
        source, limit = selection.open_count(), selection.max_items
        counted = 0
        try:
            while limit is None or counted < limit:
                page = await source.next()
                if page is None:
                    break
                counted += selection.count(page)
        finally:
            await source.aclose()
        return counted if limit is None else min(counted, limit)

    def pages(self) -> PageIterator[RowT_co]:
        """Return an iterator over pages as the service cuts them, each with a cursor that continues after it."""
        return PageIterator(self._selection)

    @explained()
    async def page(self, cursor: str | None = None, *, max_items: int | None = None) -> Page[RowT_co]:
        """Read one page, for a caller that comes back with its cursor.

        Args:
            cursor: `Page.cursor` of the page before, or None for the first.
            max_items: Rows on the page. As many requests are sent as it takes. None for one page of the service, or the
                first that holds a row. The query's own ``max_items`` holds for each page, not for all of them
                together.

        Raises:
            InvalidCursorError: The cursor belongs to another query, was tampered with, or has expired.
            ExpressionError: ``max_items`` is not a number of rows, or the query has no single position.
        """
        selection = self._selection
        selection.check_page(max_items)
        limit = _capped(selection, max_items)
        selection.check_page(limit)
        source, backwards = selection.open_page(cursor, max_items=limit)
        rows: list[RowT_co] = []
        first: Item | None = None
        units: float | None = None
        requests = 0
        while True:
            page = await source.next()
            if page is None:  # `max_evaluated` is used up, or the last page was read
                key = source.resume_key
                break
            requests += page.requests
            units = add_units(units, page.read_units)
            if cursor is not None and first is None and page.items:
                first = selection.position(page, 0)
            more, key, cut = selection.rows(page, None if limit is None else limit - len(rows))
            rows += more
            if cut or key is None or len(rows) == limit or (limit is None and rows):
                break
        if cursor is None:
            return Page(rows, selection.cursor(key), source.evaluated, units, requests)
        following, previous = turned(selection, first, key, backwards=backwards)
        return Page(rows[::-1] if backwards else rows, following, source.evaluated, units, requests, previous)

    def stream(self) -> Stream[RowT_co]:
        """Return a context whose end is the end of reading: ``async with query.stream() as items: …``."""
        return Stream(self._selection)

    if not TYPE_CHECKING:  # so that type checkers refuse these uses themselves

        def __await__(self) -> NoReturn:
            raise TypeError(
                f"{self._selection!r} is not awaitable, because it may take several requests: use `async for`, "
                "`await ….all()`, `.first()`, `.one()`, `.count()` or `.page()`"
            )

        def __iter__(self) -> NoReturn:
            raise TypeError(f"{self._selection!r} is read over the network: use `async for`")

        def __len__(self) -> NoReturn:
            raise TypeError(f"{self._selection!r} has no length before it is read: use `await ….count()`")

    if not MYPY:

        def __bool__(self) -> NoReturn:
            raise TypeError(f"{self._selection!r} has no truth value before it is read: use `await ….first()`")


def _capped(selection: Selection[Any], limit: int | None) -> int | None:
    """Return the smaller of a limit and the selection's own."""
    own = selection.max_items
    return limit if own is None else own if limit is None else min(own, limit)


async def _read(selection: Selection[RowT_co], limit: int | None, *, is_bulk: bool) -> list[RowT_co]:
    """Read so many rows into a list."""
    source = selection.open(max_items=limit, is_bulk=is_bulk)
    rows: list[RowT_co] = []
    try:
        while limit is None or len(rows) < limit:
            page = await source.next()
            if page is None:
                break
            rows += selection.rows(page, None if limit is None else limit - len(rows))[0]
            del page  # or its raw items would be kept until the next page is there
    finally:
        await source.aclose()
    return rows
