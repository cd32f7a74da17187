"""Sweeps: all items of a query or a scan, page after page, with a position that survives the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from attrs import evolve

from mizzle_async.bulk.saved_state import ResumeFrom, SavedState
from mizzle_async.bulk.write_engine import Progress
from mizzle_async.errors import ExpressionError, MarshallingError
from mizzle_async.flow.pace import Limiters
from mizzle_async.flow.ports import TaskPort
from mizzle_async.flow.repeat import while_throttled
from mizzle_async.flow.report import BatchReport
from mizzle_async.operations import check_at_least_one
from mizzle_async.operations.reads.page import RawPage
from mizzle_async.operations.reads.paging import check_pages
from mizzle_async.operations.reads.plan import ReadPlan
from mizzle_async.reading.merged_source import open_source
from mizzle_async.reading.page_source import PageSource, Position
from mizzle_async.reading.plan_source import open_parts
from mizzle_async.types import Item

RowT_co = TypeVar("RowT_co", covariant=True)


class SweepState:
    """How far each segment of a query or scan is done.

    Args:
        plan: The plan that the state belongs to.
        work: The name of the work.
        resume: Where the state is kept, or None to remember nothing.
        every: Pages between checkpoints.
        parts: How many parts have a position of their own, if not all that are read at once.
    """

    def __init__(
        self, plan: ReadPlan[Any, Any], work: str, resume: ResumeFrom | None, every: int, *, parts: int | None = None
    ) -> None:
        parts = plan.parts if parts is None else parts
        if resume is not None and plan.options.max_items is not None:
            raise ExpressionError(f"{work}: max_items= counts from the beginning, and a resumed run does not: use one")
        self._saved = None if resume is None else SavedState(resume, _about(plan, work, parts))
        self._every = every
        self._pages = 0
        self._page: tuple[int, Item | None] = (0, None)
        self.positions: list[Position] = [(None, False)] * parts
        self.extra: Any = None
        """The work's own part of the state."""

    async def load(self) -> None:
        """Read the state of an earlier run.

        Raises:
            ResumeError: It is of other work.
        """
        parts = len(self.positions)
        if self._saved is not None:
            loaded = await self._saved.read(lambda state: _positions(state, parts))
            if loaded is not None:
                self.positions, self.extra = loaded

    def begin(self, part: int, last_key: Item | None) -> None:
        """Take note of the next page, which `confirm` is about."""
        self._page = (part, last_key)

    def confirm(self) -> bool:
        """Take note that the whole page is done. Return whether a checkpoint is due."""
        part, last_key = self._page
        self.positions[part] = (last_key, last_key is None)
        self._pages += 1
        return self._saved is not None and self._pages % self._every == 0

    async def checkpoint(self) -> None:
        """Write the state."""
        if self._saved is not None:
            await self._saved.write(self._state())

    async def save(self, failure: BaseException | None) -> None:
        """Write the state at the end of the work.

        Args:
            failure: The exception that ends it, or None.
        """
        if self._saved is not None:
            await self._saved.write_last(self._state(), failure)

    def _state(self) -> dict[str, Any]:
        return {
            "segments": [{"key": key, "ended": ended} for key, ended in self.positions],
            "extra": self.extra,
            "complete": all(ended for _, ended in self.positions),
        }


def _positions(state: dict[str, Any], parts: int) -> tuple[list[Position], Any]:
    """Return how far each part is done, and the work's own part of the state."""
    segments = state["segments"]
    if len(segments) != parts or not all(isinstance(segment["key"], dict | None) for segment in segments):
        raise ValueError
    return [(segment["key"], segment["ended"]) for segment in segments], state.get("extra")


def _about(plan: ReadPlan[Any, Any], work: str, parts: int) -> dict[str, Any]:
    return {"work": work, "table": plan.target.table, "query": plan.digest.hex(), "parts": parts}


class Pages:
    """The pages of a sweep, each confirmed when all of it is done.

    Args:
        owner: The client.
        plan: The plan that is read.
        state: How far it is done.
        report: The report to be filled in.
        limiters: Hold reading back; None for the client's limit.
        progress: Called after every page.
    """

    def __init__(
        self,
        owner: TaskPort,
        plan: ReadPlan[Any, Any],
        state: SweepState,
        report: BatchReport,
        *,
        limiters: Limiters | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._owner = owner
        # Bulk work reads what it must: a filter is what it is for, and no index would serve it better.
        self._plan = evolve(plan, target=evolve(plan.target, report_capacity=True), warned={"waste"})
        self._state = state
        self._report = report
        self._limiters = limiters
        self._progress = progress

    async def each(self, handle: Callable[[Sequence[Item]], Awaitable[bool]]) -> None:
        """Read page after page.

        Args:
            handle: Does the work on a page's items, and returns whether all of them are done.
        """
        report, state, plan = self._report, self._state, self._plan
        left = plan.options.max_items
        source = open_parts(self._owner, plan, positions=state.positions, limiters=self._limiters)
        failure: BaseException | None = None
        try:
            while left != 0 and (page := await self._next(source)) is not None:
                state.begin(page.part, page.last_key)
                items = visible_items(self._plan, page, self._owner.now())
                whole = left is None or len(items) <= left
                items = items if whole else items[:left]
                left = None if left is None else left - len(items)
                if not await handle(items):
                    return
                if whole and state.confirm():
                    await state.checkpoint()
                if self._progress is not None:
                    self._progress(report)
        except BaseException as error:
            failure = error
            raise
        finally:
            await source.aclose()
            await state.save(failure)

    async def _next(self, source: PageSource) -> RawPage | None:
        """Return the next page. While the service throttles it is asked for again, for as long as a page may take."""
        report = self._report
        page = await while_throttled(
            self._owner, self._plan.options.timeout, source.next, partial(report.count_request, reads=True)
        )
        if page is not None:
            report.evaluated += page.scanned
            report.read_requests += page.requests
            report.read_units += page.read_units or 0.0
        return page


class ResumableItems(AsyncIterator[RowT_co], Generic[RowT_co]):
    """Rows of a query or scan, with a position that is kept. A page of which a row was not returned comes again.

    A page counts as done when the row after its last one is asked for. So one task reads it: of several that share it,
    one may ask while another still works on its row.
    """

    def __init__(
        self, owner: TaskPort, plan: ReadPlan[Any, RowT_co], resume: ResumeFrom, checkpoint_pages: int
    ) -> None:
        check_at_least_one("resumable", checkpoint_pages=checkpoint_pages)
        self._plan = plan
        self._owner = owner
        parts = None
        if plan.partitions:
            check_pages(plan, None)
            parts = 1
        self._state = SweepState(plan, "read", resume, checkpoint_pages, parts=parts)
        self._source: PageSource | None = None
        self._ended = False
        self._items: list[Item] = []
        self._has_page = False
        self._turning = asyncio.Lock()

    def __aiter__(self) -> ResumableItems[RowT_co]:
        return self

    async def __anext__(self) -> RowT_co:
        async with self._turning:
            return await self._next_row()

    async def _opened(self) -> PageSource:
        """Return the source of pages, at the position of an earlier run."""
        if self._source is None:
            await self._state.load()
            if self._plan.partitions:
                ((start_key, self._ended),) = self._state.positions
                self._source = open_source(self._owner, self._plan, start_key=start_key)
            else:
                self._source = open_parts(self._owner, self._plan, positions=self._state.positions)
        return self._source

    async def _next_row(self) -> RowT_co:
        source = await self._opened()
        while True:
            while self._items:
                try:
                    return self._plan.row(self._items.pop())
                except MarshallingError as error:
                    self._plan.judge(error)
            if self._has_page:
                self._has_page = False
                if self._state.confirm():
                    await self._state.checkpoint()
            page = None if self._ended else await source.next()
            if page is None:
                await self._state.save(None)
                raise StopAsyncIteration
            self._items = visible_items(self._plan, page, self._owner.now())[::-1]
            self._state.begin(page.part, page.last_key)
            self._has_page = True

    async def aclose(self) -> None:
        """End the iteration, and keep the position."""
        if self._source is not None:
            await self._source.aclose()
            await self._state.save(None)


def visible_items(plan: ReadPlan[Any, Any], page: RawPage, now: float) -> list[Item]:
    """Return the items of a page without those that are expired."""
    expired = plan.expired(now)
    return page.items if expired is None else [item for item in page.items if not expired(item)]
