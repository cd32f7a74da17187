"""Pages that follow each other by a key or a token: each part is read one page ahead of its reader."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from attrs import define, evolve

from mizzle_async.flow.pace import Limiters, ReadPace
from mizzle_async.flow.ports import TaskPort
from mizzle_async.flow.tasks import drop
from mizzle_async.operations import Operation, use
from mizzle_async.operations.answers import mismatch
from mizzle_async.operations.reads.advice import WASTE_EVALUATED, WASTE_SHARE
from mizzle_async.operations.reads.options import ReadOptions
from mizzle_async.operations.reads.page import RawPage
from mizzle_async.reading.page_source import Position
from mizzle_async.types import Item

MINIMUM_FILTERED: Final = 16
"""Items evaluated by the first request where a filter may drop some: up to 4 KB cost the same as one."""


class PageRequests(Protocol):
    """The requests of a `PagedSource`: how each is made, and how its page is completed.

    A task that fetches a page holds this object, and no source, so that a source can be dropped meanwhile.
    """

    @property
    def options(self) -> ReadOptions:
        """The bounds of reading: items in all, items for each request, items evaluated."""
        ...

    @property
    def parts(self) -> int:
        """How many parts are read at once: segments of a scan, partitions of a key that is spread."""
        ...

    @property
    def is_filtered(self) -> bool:
        """Whether a filter may drop items."""
        ...

    @property
    def is_exact(self) -> bool:
        """Whether a page must not bring more items than are wanted, because no position lies inside of one."""
        ...

    def make(self, part: int, start_key: Item | None, limit: int | None) -> Operation[RawPage]:
        """Return the request of one page.

        Args:
            part: The number of its part, from zero.
            start_key: The last key of the page before, or None for the first page.
            limit: Items to be evaluated, or None.
        """
        ...

    def dropped(self, page: RawPage) -> bool:
        """Return whether a filter has dropped items of a page."""
        ...

    def warn_of_waste(self) -> None:
        """Warn that most of many items were dropped, where the caller's filter did it and was not warned of."""
        ...

    async def complete(self, page: RawPage, limiters: Limiters) -> RawPage:
        """Return the page with items that its request did not bring, or without items that must not be shown."""
        ...


@define(eq=False, repr=False)
class _Part:
    """How far one part has come."""

    number: int
    start_key: Item | None
    ended: bool = False
    limit: int | None = None
    pages: int = 0
    _landmark: Item | None = None

    def advance(self, page: RawPage) -> None:
        """Go on after a page, unless it ends where an earlier one did: reading would go round for ever.

        One earlier end is kept, a later one each time the number of pages has doubled. So every circle is found out
        after a few rounds, at the cost of one comparison for each page.

        Raises:
            CorruptResponseError: The same last key came before.
        """
        self.start_key = page.last_key
        self.ended = page.last_key is None
        self.pages += 1
        if page.last_key is not None and page.last_key == self._landmark:
            page.refuse()
            raise mismatch("a last key was answered that came before, so that reading would never end")
        if self.pages & (self.pages - 1) == 0:
            self._landmark = page.last_key


class PagedSource:
    """Requests pages, for each part one page ahead of its reader. Pages of several parts come as they arrive.

    Args:
        reader: The client.
        requests: Makes the requests.
        start_key: The key after which reading begins.
        positions: Where each part begins, in place of ``start_key``.
        max_items: Items wanted, or None for as many as the options say.
        prefetch: Whether a page is requested before it is asked for.
        limiters: Hold requests back.
    """

    def __init__(
        self,
        reader: TaskPort,
        requests: PageRequests,
        *,
        start_key: Item | None = None,
        positions: Sequence[Position] = (),
        max_items: int | None = None,
        prefetch: bool = True,
        limiters: Limiters,
    ) -> None:
        self._reader = reader
        self._requests = requests
        self._pace = ReadPace(limiters)
        self._max_items = requests.options.max_items if max_items is None else max_items
        self._prefetch = prefetch
        self._parts = [_Part(number, start_key) for number in range(requests.parts)]
        if positions:
            for part, position in zip(self._parts, positions, strict=False):
                part.start_key, part.ended = position
        self._pending: dict[asyncio.Task[RawPage], _Part] = {}
        self._reserved = 0
        self._guess = 0
        self._drops = False
        self._count = 0
        self._evaluated = 0

    @property
    def evaluated(self) -> int:
        """Return the number of items read so far, before the filter."""
        return self._evaluated

    @property
    def resume_key(self) -> Item | None:
        """Return the key after which reading goes on, or None at the end."""
        return self._parts[0].start_key if self._parts else None

    async def next(self) -> RawPage | None:
        """Return the next page, or None after the last one. Pages of parallel parts come as they arrive."""
        for part in self._parts:
            if not part.ended and part not in self._pending.values():
                operation = self._request(part)
                if operation is None:
                    continue
                if len(self._parts) == 1:
                    return self._received(part, await self._fetch(part, operation))
                self._launch(part, operation)
        if not self._pending:
            return None
        task, part = await self._first_done()
        return self._received(part, task.result())

    async def _fetch(self, part: _Part, operation: Operation[RawPage]) -> RawPage:
        try:
            return await fetch_page(self._reader, self._requests, operation, self._pace)
        except BaseException:
            self._release(part)
            raise

    async def _first_done(self) -> tuple[asyncio.Task[RawPage], _Part]:
        """Wait for a page under way. Its part is free afterwards, also if the page failed or the wait was cancelled."""
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
        self._count += page.count
        self._evaluated += page.scanned
        self._drops = self._drops or self._requests.dropped(page)
        if self._evaluated >= WASTE_EVALUATED and self._count * WASTE_SHARE <= self._evaluated:
            self._requests.warn_of_waste()
        part.advance(page)
        if self._prefetch and not part.ended and not self._satisfied:
            operation = self._request(part)
            if operation is not None:
                self._launch(part, operation)
        return evolve(page, part=part.number) if part.number else page

    @property
    def _satisfied(self) -> bool:
        """Whether as many items came as were asked for.

        More are requested only if some of them turn out expired or unreadable.
        """
        return self._max_items is not None and self._count >= self._max_items

    def _request(self, part: _Part) -> Operation[RawPage] | None:
        options = self._requests.options
        limit = options.page_size
        if self._max_items is not None:
            wanted = self._wanted(self._max_items - self._count)
            limit = wanted if limit is None else min(limit, wanted)
        if options.max_evaluated is not None:
            left = options.max_evaluated - self._evaluated - self._reserved
            if left <= 0:
                return None
            limit = left if limit is None else min(limit, left)
            self._reserved += limit
            part.limit = limit
        return self._requests.make(part.number, part.start_key, limit)

    def _wanted(self, missing: int) -> int:
        """Return how many items to have evaluated where ``missing`` more are to be returned.

        How many a filter drops is unknown. As long as none was dropped, as many are asked for as are missing. From then
        on twice as many each time, so that a rare match costs few requests, and a frequent one few read units.
        """
        if self._requests.is_exact:
            return max(missing, 1)
        if self._drops or missing <= 0:
            self._guess = max(missing, 2 * self._guess)
        else:
            self._guess = max(missing, MINIMUM_FILTERED) if self._requests.is_filtered else missing
        return self._guess

    def _release(self, part: _Part) -> None:
        self._reserved -= part.limit or 0
        part.limit = None

    def _launch(self, part: _Part, operation: Operation[RawPage]) -> None:
        use(operation)  # a task that is cancelled before its first step never sends it
        task = self._reader.start(fetch_page(self._reader, self._requests, operation, self._pace))
        self._pending[task] = part

    async def aclose(self) -> None:
        """Cancel the requests under way, and wait until they have ended."""
        for part in self._parts:
            part.ended = True
        tasks, self._pending = list(self._pending), {}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def __del__(self) -> None:
        for task in getattr(self, "_pending", ()):
            drop(task)


async def fetch_page(
    reader: TaskPort, requests: PageRequests, operation: Operation[RawPage], pace: ReadPace
) -> RawPage:
    """Send one page request, and complete its page."""
    if pace.is_limited:
        taken = await pace.admit()
        page = await reader.send(operation)
        pace.settle(taken, page.read_units)
    else:
        page = await reader.send(operation)
    return await requests.complete(page, pace.limiters)
