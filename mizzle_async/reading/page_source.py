"""Where pages come from: one request after the other, each part of what is read one page ahead of its reader."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from attrs import define

from mizzle_async.flow.pace import Limiters, ReadPace
from mizzle_async.flow.ports import TaskPort, read_limiters
from mizzle_async.flow.tasks import drop
from mizzle_async.operations import RawPage, ReadPage, ReadPlan, use
from mizzle_async.reading.by_key import ReadSettings, read_items
from mizzle_async.types import Item, WirePayload

FEWEST_FILTERED: Final = 16
"""How many items are evaluated at first where a filter may drop some: up to 4 KB cost the same as one."""


Position: TypeAlias = tuple[Item | None, bool]
"""How far a segment was read: the key after which it goes on, and whether it is at its end."""


@define(eq=False, repr=False)
class _Part:
    """How far one segment of a scan, one partition of a key that is spread, or the whole query has come."""

    compiled: WirePayload
    segment: tuple[int, int] | None
    start_key: Item | None
    ended: bool = False
    limit: int | None = None


class PageSource:
    """Requests pages, each part of what is read one page ahead of its reader.

    Args:
        reader: The client.
        plan: What is read.
        start_key: After which key it begins.
        positions: Where each part begins, in place of that.
        max_items: How many items are wanted, where the plan does not say.
        count_only: Whether numbers are wanted instead of items.
        prefetch: Whether a page is requested before it is asked for.
        limiters: What holds requests back; None for the client's limit.
        records: Whether items may come in the lighter form, where the plan allows it.
    """

    def __init__(
        self,
        reader: TaskPort,
        plan: ReadPlan[Any, Any],
        *,
        start_key: Item | None = None,
        positions: Sequence[Position] = (),
        max_items: int | None = None,
        count_only: bool = False,
        prefetch: bool = True,
        limiters: Limiters | None = None,
        records: bool = False,
    ) -> None:
        limiters = read_limiters(reader, None) if limiters is None else limiters
        self._reader = reader
        self._plan = plan = plan.with_capacity() if limiters else plan
        self._pace = ReadPace(limiters)
        self._records = plan.records if records else None
        self._max_items = plan.options.max_items if max_items is None else max_items
        self._prefetch = prefetch
        now, total = reader.now(), plan.options.segments
        self._parts = [
            _Part(each.compile(now, count_only=count_only), (number, total) if total > 1 else None, start_key)
            for each in plan.split()
            for number in range(total)
        ]
        for part, position in zip(self._parts, positions, strict=False):
            part.start_key, part.ended = position
        self._pending: dict[asyncio.Task[RawPage], _Part] = {}
        self._reserved = 0
        self._guess = 0
        self.count: int = 0
        self.evaluated: int = 0

    async def next(self) -> RawPage | None:
        """Return the next page, or None after the last one; pages of parallel segments come as they arrive."""
        found = await self.next_of_any()
        return None if found is None else found[1]

    async def next_of_any(self) -> tuple[int, RawPage] | None:
        """Return the next page with the number of the part that it is of, from zero; None after the last one."""
        for number, part in enumerate(self._parts):
            if not part.ended and part not in self._pending.values():
                operation = self._request(part)
                if operation is None:
                    continue
                if len(self._parts) == 1:
                    return number, self._received(part, await self._fetch(part, operation))
                self._launch(part, operation)
        if not self._pending:
            return None
        task, part = await self._first_done()
        return self._parts.index(part), self._received(part, task.result())

    async def _fetch(self, part: _Part, operation: ReadPage) -> RawPage:
        try:
            return await fetch_page(self._reader, self._plan, operation, self._pace)
        except BaseException:
            self._release(part)
            raise

    async def _first_done(self) -> tuple[asyncio.Task[RawPage], _Part]:
        """Wait for a page under way; whatever became of it, its part is free afterwards."""
        if len(self._pending) == 1:
            task, part = next(iter(self._pending.items()))
            try:
                await task
            finally:
                self._forget(task)
            return task, part
        done, _ = await asyncio.wait(self._pending, return_when=asyncio.FIRST_COMPLETED)
        task = next(task for task in self._pending if task in done)  # by part, not by the set's order
        return task, self._forget(task)

    def _forget(self, task: asyncio.Task[RawPage]) -> _Part:
        part = self._pending.pop(task)
        if task.cancelled() or not task.done() or task.exception() is not None:
            self._release(part)
        return part

    def _received(self, part: _Part, page: RawPage) -> RawPage:
        self._release(part)
        self.count += page.count
        self.evaluated += page.scanned
        part.start_key = page.last_key
        part.ended = page.last_key is None
        if self._prefetch and not part.ended and not self._satisfied:
            operation = self._request(part)
            if operation is not None:
                self._launch(part, operation)
        return page

    @property
    def _satisfied(self) -> bool:
        """Whether as many items came as were asked for.

        More are requested only if some of them turn out expired or unreadable.
        """
        return self._max_items is not None and self.count >= self._max_items

    def _request(self, part: _Part) -> ReadPage | None:
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
            part.limit = limit
        return plan.page(
            part.compiled, start_key=part.start_key, limit=limit, segment=part.segment, records=self._records
        )

    def _wanted(self, missing: int) -> int:
        """Return how many items to have evaluated where ``missing`` more are to be returned.

        How many a filter drops is unknown. As long as none was dropped, as many are asked for as are missing; from then
        on twice as many each time, so that a rare match costs few requests, and a frequent one few read units.
        """
        if self.evaluated > self.count or missing <= 0:
            self._guess = max(missing, 2 * self._guess)
        else:
            self._guess = max(missing, FEWEST_FILTERED) if self._plan.filters else missing
        return self._guess

    def _release(self, part: _Part) -> None:
        self._reserved -= part.limit or 0
        part.limit = None

    def _launch(self, part: _Part, operation: ReadPage) -> None:
        use(operation)  # a task that is cancelled before its first step never sends it
        task = self._reader.start(fetch_page(self._reader, self._plan, operation, self._pace))
        self._pending[task] = part

    @property
    def resume_key(self) -> Item | None:
        """Return where reading would go on; None at the end."""
        return self._parts[0].start_key

    def close(self) -> None:
        """Stop what is under way."""
        for part in self._parts:
            part.ended = True
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
            drop(task)


async def fetch_page(reader: TaskPort, plan: ReadPlan[Any, Any], operation: ReadPage, pace: ReadPace) -> RawPage:
    """Send one page request; with `.hydrate()`, read its items from the table.

    It holds no iterator, so that one can be dropped while this is under way.
    """
    taken = await pace.admit()
    page = await reader.send(operation)
    pace.settle(taken, page.read_units)
    if plan.hydrated and page.items:
        codec = plan.target.codec
        keys = [codec.key_of_item(item) for item in page.items]
        settings = ReadSettings(consistent_read=plan.hydrated_consistently, limiters=pace.limiters)
        page = page.hydrated(await read_items(reader, plan.target, keys, settings=settings))
    return page
