"""Reading a table page by page into something, from a position that is kept in a state file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from attrs import define, field

from mizzle_async.bulk.checkpoints import StateFile
from mizzle_async.bulk.report import BatchReport
from mizzle_async.cli.selections import Rows
from mizzle_async.pagination import Page

PAGES_BETWEEN: Final = 10
"""Pages between checkpoints."""


@define
class PagedWork:
    """Reads pages, hands over their rows, and remembers how far it is; a page is read while the one before is taken.

    Attributes:
        rows: What is read.
        take: Takes the rows of a page; they are done when it returns.
        report: What is counted in.
        progress: What hears of progress.
        state: Where the position is kept.
    """

    rows: Rows
    take: Callable[[Sequence[dict[str, Any]]], Awaitable[None]]
    report: BatchReport
    progress: Callable[[BatchReport], object]
    state: StateFile
    _pages: int = field(default=0, init=False)

    async def run(self, found: dict[str, Any] | None) -> BatchReport:
        """Read to the end, from where an earlier run ended.

        Args:
            found: The state of that run, or None.
        """
        if found is not None:
            self.report.skipped = found["done"]
            self.report.taken = found["taken"]
            if found["complete"]:
                return self.report
        cursor: str | None = found["cursor"] if found is not None else None
        coming = asyncio.create_task(self.rows.page(cursor))
        try:
            while True:
                page: Page[dict[str, Any]] = await coming
                if page.cursor is not None:
                    coming = asyncio.create_task(self.rows.page(page.cursor))
                self.report.evaluated += page.evaluated
                await self.take(page.items)
                self.report.taken += len(page.items)
                self.progress(self.report)
                cursor = page.cursor
                self._pages += 1
                if cursor is None:
                    break
                if self._pages % PAGES_BETWEEN == 0:
                    self._save(cursor, complete=False)
        except BaseException:
            if cursor is not None:
                self._save(cursor, complete=False)
            raise
        finally:
            coming.cancel()
            await asyncio.wait([coming])
        self._save(None, complete=True)
        return self.report

    def _save(self, cursor: str | None, *, complete: bool) -> None:
        done = self.report.skipped + self.report.written
        self.state.write({"cursor": cursor, "taken": self.report.taken, "done": done, "complete": complete})
