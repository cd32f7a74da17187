"""Read a table page by page, from a position that a state file keeps."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

from attrs import define, field

from mizzle_async.bulk.saved_state import SavedState
from mizzle_async.cli.handles import Opened
from mizzle_async.cli.selections import Rows, Selection
from mizzle_async.flow.report import BatchReport
from mizzle_async.reading.iterators import Page

PAGES_BETWEEN: Final = 10
"""The number of pages between checkpoints."""

PAGE_ITEMS: Final = 1_000
"""The number of items on a page if there is a limit."""


@define
class PagedWork:
    """Reads pages, passes on their rows, and keeps the position. The next page is read meanwhile.

    Attributes:
        rows: The query or scan.
        take: Processes the rows of a page. They are done when it returns.
        report: The report to count in.
        progress: Called with the report after each page.
        state: Where the position is kept.
        limit: The maximum number of items, those of earlier runs included. None reads all.
        between: The number of pages between checkpoints.
    """

    rows: Rows
    take: Callable[[Sequence[dict[str, Any]]], Awaitable[None]]
    report: BatchReport
    progress: Callable[[BatchReport], object]
    state: SavedState
    limit: int | None = None
    between: int = PAGES_BETWEEN
    _done: int = field(default=0, init=False)
    _pages: int = field(default=0, init=False)

    async def run(self, earlier: dict[str, Any] | None) -> BatchReport:
        """Read to the end, from the position of an earlier run.

        Args:
            earlier: The state of the earlier run, or None.
        """
        if earlier is not None:
            self.report.skipped = self._done = earlier["done"]
            self.report.taken = earlier["taken"]
            if earlier["complete"]:
                return self.report
        cursor: str | None = earlier["cursor"] if earlier is not None else None
        coming = self._request(cursor, self.report.taken)
        try:
            while coming is not None:
                page = await coming
                taken = self.report.taken + len(page.items)
                coming = None if page.cursor is None else self._request(page.cursor, taken)
                self.report.evaluated += page.evaluated
                self.report.read_units += page.read_units or 0.0
                self.report.read_requests += page.requests
                await self.take(page.items)
                self.report.taken = taken
                self.progress(self.report)
                cursor = page.cursor
                self._done = self.report.skipped + self.report.written
                self._pages += 1
                if cursor is None:
                    break
                if self._pages % self.between == 0:
                    await self.state.write(self._position(cursor, complete=False))
        except BaseException as error:
            await self.state.write_last(self._position(cursor, complete=False), error)
            raise
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.wait([coming])
        await self.state.write_last(self._position(cursor, complete=cursor is None), None)
        return self.report

    def _request(self, cursor: str | None, taken: int) -> asyncio.Task[Page[dict[str, Any]]] | None:
        """Request a page within the limit. Return None if the limit is reached."""
        left = None if self.limit is None else min(self.limit - taken, PAGE_ITEMS)
        if left is not None and left <= 0:
            return None
        return asyncio.create_task(self.rows.page(cursor, max_items=left))

    def _position(self, cursor: str | None, *, complete: bool) -> dict[str, Any]:
        return {"cursor": cursor, "taken": self.report.taken, "done": self._done, "complete": complete}


def position_of(state: dict[str, Any]) -> dict[str, Any]:
    """Return the position that a state has.

    Raises:
        LookupError: The state is damaged.
    """
    return {name: state[name] for name in ("cursor", "taken", "done", "complete")}


async def selected_keys(
    opened: Opened, selection: Selection, count: Callable[[Page[Any]], None]
) -> AsyncIterator[dict[str, Any]]:
    """Yield the keys of the selected items, and count each page that is read."""
    names = opened.key_names
    pages = selection.rows(opened).project(*(opened.table.attribute(name) for name in names)).pages()
    async with contextlib.aclosing(pages):
        async for page in pages:
            count(page)
            for values in page.items:
                yield dict(zip(names, values, strict=True))
