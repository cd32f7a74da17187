"""The changes of a table, one by one, in ``async for``."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Final, Generic, Self, TypeVar

from mizzle_async.errors import ClientStateError
from mizzle_async.flow.tasks import Bell
from mizzle_async.streams.delivering import Delivering
from mizzle_async.streams.shard_run import Delivery

ChangeT = TypeVar("ChangeT")
ChangeT_co = TypeVar("ChangeT_co", covariant=True)

CHANGES_IN_A_ROW: Final = 128
"""After so many changes the loop has a turn, so that a body that never waits does not keep the shards from being
read."""


class ChangeQueue(Generic[ChangeT]):
    """The sink of a consumer whose changes are asked for one by one.

    Args:
        delivering: Makes the changes.

    Attributes:
        raised: The failure, once the caller has it.
    """

    def __init__(self, delivering: Delivering[ChangeT]) -> None:
        self.raised: BaseException | None = None
        self._delivering = delivering
        self._waiting: deque[Delivery] = deque()
        self._bell = Bell()
        self._is_ended = False
        self._failure: BaseException | None = None

    @property
    def ahead(self) -> int:
        """Changes are needed one by one."""
        return 1

    def put(self, deliveries: Sequence[Delivery], /) -> None:
        """Take the changes of one page."""
        self._waiting.extend(deliveries)
        self._bell.ring()

    def wake(self) -> None:
        """Look again."""
        self._bell.ring()

    async def work(self) -> None:
        """Do nothing: the caller asks for each change."""

    def end(self) -> None:
        """Note that no change comes any more."""
        self._is_ended = True
        self._bell.ring()

    def fail(self, error: BaseException, /) -> None:
        """Note that no change comes any more, because of an error. It is raised where the next one is asked for."""
        self._failure = self._failure or error
        self.end()

    async def next(self) -> tuple[Delivery, ChangeT]:
        """Return the next change, once there is one.

        Raises:
            StopAsyncIteration: No more come.
            Exception: The consumer has failed.
        """
        while not self._is_ended:
            taken = self.take()
            if taken is not None:
                return taken
            await self._bell.wait()
        if self._failure is not None:
            self.raised = self._failure
            raise self._failure
        raise StopAsyncIteration

    def take(self) -> tuple[Delivery, ChangeT] | None:
        """Return the first change that waits, or None where none does, or no more come."""
        waiting = self._waiting
        while waiting and not self._is_ended:
            delivery = waiting[0]
            if delivery.run.is_stopping and delivery.is_refused:
                self._delivering.dropped(waiting.popleft())
                continue
            change = self._delivering.open(delivery)  # where it raises, the change stays the first
            self._delivering.dropped(waiting.popleft())
            if change is not None:
                return delivery, change
        return None

    def __len__(self) -> int:
        return len(self._waiting)


class Changes(AsyncIterator[ChangeT_co], Generic[ChangeT_co]):
    """The changes of a table: ``async with orders.changes(…) as changes: async for change in changes: …``.

    Asking for the next change says that the one before is done, unless ``acknowledge="explicit"``. A body that raises,
    or a ``break``, leaves its change not done: it comes again.
    """

    def __init__(
        self, queue: ChangeQueue[ChangeT_co], delivering: Delivering[ChangeT_co], *, is_explicit: bool
    ) -> None:
        self._queue = queue
        self._delivering = delivering
        self._is_explicit = is_explicit
        self._current: Delivery | None = None
        self._is_asked = False
        self._in_a_row = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChangeT_co:
        if self._is_explicit:
            self._in_a_row += 1
            return (await self._next())[1]
        if self._is_asked:
            raise ClientStateError(
                "two tasks ask for the next change at once, which says that the one before is done: use "
                '`for_each(handle, concurrency=…)`, or acknowledge="explicit"'
            )
        before, self._current = self._current, None
        if before is not None:
            self._delivering.done(before)
        self._in_a_row += 1
        if self._in_a_row < CHANGES_IN_A_ROW:  # most often one waits
            taken = self._queue.take()
            if taken is not None:
                self._current, waiting = taken
                return waiting
        self._is_asked = True
        try:
            self._current, change = await self._next()
        finally:
            self._is_asked = False
        return change

    async def _next(self) -> tuple[Delivery, ChangeT_co]:
        if self._in_a_row >= CHANGES_IN_A_ROW:
            self._in_a_row = 0
            await asyncio.sleep(0)
        return await self._queue.next()

    def __repr__(self) -> str:
        return f"<Changes, {len(self._queue)} wait>"
