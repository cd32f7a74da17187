"""The two orders in which changes are handled: singly in a lane for each key, and in batches of one shard."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final

import anyio
import orjson
from attrs import define, field

from mizzle_async.flow.tasks import Bell
from mizzle_async.streams.lanes import Lanes
from mizzle_async.streams.shard_run import Delivery, ShardRun


def lane_of(delivery: Delivery) -> bytes:
    """Return the lane of a change: its item's key."""
    return orjson.dumps(delivery.record["dynamodb"]["Keys"], option=orjson.OPT_SORT_KEYS)


class KeyLine:
    """Changes one by one: those of one key in their order, those of different keys side by side.

    Args:
        dropped: Called with each change that is not delivered any more.
    """

    def __init__(self, dropped: Callable[[Delivery], object]) -> None:
        self.ahead: Final[int] = 1
        self._lanes: Lanes[Delivery] = Lanes(lane_of, lambda delivery: delivery.is_refused, dropped)

    def put(self, deliveries: Sequence[Delivery], /) -> int:
        """Add the changes of one page. Return how many workers they can occupy more."""
        add = self._lanes.add
        return sum([add(delivery) for delivery in deliveries])

    def take(self) -> tuple[Hashable, Sequence[Delivery]] | None:
        """Return the next change whose lane is free, or None."""
        taken = self._lanes.take()
        return None if taken is None else (taken[0], (taken[1],))

    def finish(self, lane: Hashable, /) -> None:
        """Free a lane."""
        self._lanes.finish(lane)

    async def run(self, wake: Callable[[int], object], /) -> None:
        """Do nothing: no lane becomes ready by time."""


@define(eq=False)
class _Batch:
    """The changes of one shard that wait, and when the first of them came."""

    since: float = 0.0
    is_busy: bool = False
    waiting: deque[Delivery] = field(factory=deque)


class BatchLine:
    """Changes in batches of one shard, one batch of a shard after another.

    Args:
        max_items: Changes in a batch at most.
        max_wait: Seconds that a change waits for others at most.
        dropped: Called with each change that is not delivered any more.
    """

    def __init__(self, max_items: int, max_wait: float, dropped: Callable[[Delivery], object]) -> None:
        self.ahead: Final[int] = max_items
        self._max_items: Final = max_items
        self._max_wait: Final = max_wait
        self._dropped = dropped
        self._shards: dict[ShardRun, _Batch] = {}
        self._clock = asyncio.get_running_loop().time
        self._bell = Bell()

    def put(self, deliveries: Sequence[Delivery], /) -> int:
        """Add the changes of one page. Return how many workers they can occupy more."""
        if not deliveries:
            return 0
        run = deliveries[0].run
        batch = self._shards.setdefault(run, _Batch())
        if not batch.waiting:
            batch.since = self._clock()
        batch.waiting.extend(deliveries)
        self._bell.ring()
        return 1 if self._is_ready(run, batch) else 0

    def take(self) -> tuple[Hashable, Sequence[Delivery]] | None:
        """Return the next shard with a batch that is ready, or None."""
        for run in list(self._shards):
            batch = self._shards[run]
            if run.is_stopping:
                self._drop_refused(run, batch)
            if self._is_ready(run, batch):
                batch.is_busy = True
                count = min(self._max_items, len(batch.waiting))
                taken = [batch.waiting.popleft() for _ in range(count)]
                batch.since = self._clock()
                return run, taken
        return None

    def finish(self, lane: Hashable, /) -> None:
        """Free a shard."""
        run: Any = lane
        batch = self._shards[run]
        batch.is_busy = False
        if not batch.waiting:
            del self._shards[run]
        self._bell.ring()

    async def run(self, wake: Callable[[int], object], /) -> None:
        """Wake a worker when the first change of a batch has waited long enough.

        A batch that was ready before wakes no worker again: one that is at work takes it when it is done.
        """
        while True:
            now = self._clock()
            due = [batch.since + self._max_wait for batch in self._shards.values() if batch.waiting]
            ready = sum(each <= now for each in due)
            if ready:
                wake(ready)
            later = min((each for each in due if each > now), default=math.inf)
            with anyio.move_on_after(later - now):
                await self._bell.wait()

    def _is_ready(self, run: ShardRun, batch: _Batch) -> bool:
        """Return whether a batch can be handled."""
        if batch.is_busy or not batch.waiting:
            return False
        if len(batch.waiting) >= self._max_items or run.is_ended or run.is_stopping:
            return True
        return self._clock() >= batch.since + self._max_wait

    def _drop_refused(self, run: ShardRun, batch: _Batch) -> None:
        """Drop the changes that are not to be delivered any more."""
        kept: deque[Delivery] = deque()
        for delivery in batch.waiting:
            if delivery.is_refused:
                self._dropped(delivery)
            else:
                kept.append(delivery)
        batch.waiting = kept
        if not kept and not batch.is_busy:
            del self._shards[run]
