"""Reading a table page by page into something, from a position that is kept in a state file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from attrs import define, field

from mizzle_async.bulk.checkpoints import StateFile
from mizzle_async.cli.selections import Rows
from mizzle_async.flow.report import BatchReport
from mizzle_async.reading.iterators import Page

PAGES_BETWEEN: Final = 10
"""Pages between checkpoints."""

PAGE_ITEMS: Final = 1_000
"""Items on a page where not all are wanted."""


@define
class PagedWork:
    """Reads pages, hands over their rows, and remembers how far it is; a page is read while the one before is taken.

    Attributes:
        rows: What is read.
        take: Takes the rows of a page; they are done when it returns.
        report: What is counted in.
        progress: What hears of progress.
        state: Where the position is kept.
        limit: Items at most, those of earlier runs among them; None for all.
    """

    rows: Rows
    take: Callable[[Sequence[dict[str, Any]]], Awaitable[None]]
    report: BatchReport
    progress: Callable[[BatchReport], object]
    state: StateFile
    limit: int | None = None
    _done: int = field(default=0, init=False)
    _pages: int = field(default=0, init=False)

    async def run(self, found: dict[str, Any] | None) -> BatchReport:
        """Read to the end, from where an earlier run ended.

        Args:
            found: The state of that run, or None.
        """
        if found is not None:
            self.report.skipped = self._done = found["done"]
            self.report.taken = found["taken"]
            if found["complete"]:
                return self.report
        cursor: str | None = found["cursor"] if found is not None else None
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
                if self._pages % PAGES_BETWEEN == 0:
                    self._save(cursor, complete=False)
        except BaseException:
            self._save(cursor, complete=False)
            raise
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.wait([coming])
        self._save(cursor, complete=cursor is None)
        return self.report

    def _request(self, cursor: str | None, taken: int) -> asyncio.Task[Page[dict[str, Any]]] | None:
        """Request a page, of no more than what is wanted; None where nothing is."""
        left = None if self.limit is None else min(self.limit - taken, PAGE_ITEMS)
        if left is not None and left <= 0:
            return None
        return asyncio.create_task(self.rows.page(cursor, max_items=left))

    def _save(self, cursor: str | None, *, complete: bool) -> None:
        self.state.write({"cursor": cursor, "taken": self.report.taken, "done": self._done, "complete": complete})
