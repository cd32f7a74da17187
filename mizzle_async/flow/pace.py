"""The pace of bulk work: pauses with jitter, as many requests at once as the service bears, units a second.

It knows loops, clocks and numbers, and nothing of items.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import anyio
from attrs import field, frozen
from attrs.validators import gt, optional

from mizzle_async.values import Value

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 5.0
"""Seconds: a pause is drawn from zero to the first, doubled for each one more in a row up to the longest."""

LAST_SECONDS: Final = 0.05
"""With less time than this left, a batch is not sent again."""

BURST_SECONDS: Final = 1.0
"""The most that a limiter saves up while nothing is sent, in seconds of its rate."""

Pause: TypeAlias = Callable[[float], Awaitable[object]]
"""Sleeps for a number of seconds."""

SMALLEST_READ: Final = 0.5
"""Read units: the consumption of the smallest page."""


@frozen(eq=False, repr=False, kw_only=True)
class Throughput(Value):
    """The limits of all bulk work of one client: token buckets, corrected by the consumption that the service reports.

    They hold back all work that takes any number of requests: `put_many`, `delete_many`, `get_many`, writers,
    coalesced gets, exports, `delete_where`, `rewrite`, and queries and scans that are read to their end (``async for``,
    ``all``, ``count``, ``pages``). Single calls are never held back, ``first``, ``one`` and ``page`` among them.

    Attributes:
        read_units_per_second: Read units a second, or None for no limit.
        write_units_per_second: Write units a second, or None for no limit.
    """

    read_units_per_second: float | None = field(default=None, validator=optional(gt(0)))
    write_units_per_second: float | None = field(default=None, validator=optional(gt(0)))


def jittered(attempt: int, random: float) -> float:
    """Return the pause before unprocessed entries are sent again, in seconds, with full jitter.

    Args:
        attempt: How often in a row nothing was accepted, from 1.
        random: A random number from zero to one.
    """
    return random * min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt - 1, 10))


class RateLimiter:
    """A token bucket of capacity units. A request is charged by an estimate, and by its real consumption afterwards.

    Args:
        units_per_second: The rate.
        pause: Sleeps for a number of seconds.
    """

    __slots__ = ("_balance", "_filled_at", "_lock", "_pause", "_rate", "_ratio")

    def __init__(self, units_per_second: float, pause: Pause) -> None:
        self._rate = units_per_second
        self._pause = pause
        self._balance = 0.0
        self._filled_at: float | None = None
        self._ratio = 1.0
        self._lock = anyio.Lock(fast_acquire=True)

    @property
    def units_per_second(self) -> float:
        """Return the rate."""
        return self._rate

    async def admit(self, estimate: float) -> float:
        """Wait until a request may be sent.

        Args:
            estimate: The units it will consume, estimated from sizes.

        Returns:
            The units that were charged, for `settle`.
        """
        expected = estimate * self._ratio
        async with self._lock:  # first come, first served
            while True:
                self._fill()
                if self._balance >= 0:
                    break
                await self._pause(-self._balance / self._rate)
            self._balance -= expected
        return expected

    def settle(self, taken: float, estimate: float, consumed: float | None) -> None:
        """Correct the charge of a request by its consumption.

        Args:
            taken: The units that `admit` returned.
            estimate: The estimate that `admit` was given.
            consumed: The number of the service, or None where it gave none.
        """
        if consumed is None:
            return
        self._balance += taken - consumed
        if estimate > 0 and consumed > 0:
            self._ratio += (consumed / estimate - self._ratio) / 8

    def _fill(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._filled_at is not None:
            saved = self._balance + (now - self._filled_at) * self._rate
            self._balance = min(saved, self._rate * BURST_SECONDS)
        self._filled_at = now

    def __repr__(self) -> str:
        return f"<RateLimiter {self._rate:g} units a second, {self._balance:.1f} left>"


class Spacing:
    """Keeps requests apart in time, first come, first served.

    Args:
        seconds: Seconds from one request to the next.
    """

    __slots__ = ("_next", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    async def wait(self, pause: Pause) -> None:
        """Wait until the next request may be sent.

        Args:
            pause: Sleeps for a number of seconds.
        """
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next)
        self._next = turn + self._seconds
        if turn > now:
            await pause(turn - now)


class Limiters:
    """The limits that apply to one piece of bulk work, taken together: its own, and the client's.

    Args:
        limiters: Each of them, or None where there is no limit.
    """

    __slots__ = ("_limiters",)

    def __init__(self, *limiters: RateLimiter | None) -> None:
        self._limiters = [limiter for limiter in limiters if limiter is not None]

    def __bool__(self) -> bool:
        return bool(self._limiters)

    async def admit(self, estimate: float) -> list[float]:
        """Wait until a request may be sent. Return the units that were charged, for `settle`."""
        return [await limiter.admit(estimate) for limiter in self._limiters]

    def settle(self, taken: list[float], estimate: float, consumed: float | None) -> None:
        """Correct the charges of a request by its consumption."""
        for limiter, units in zip(self._limiters, taken, strict=True):
            limiter.settle(units, estimate, consumed)


UNLIMITED: Final = Limiters()
"""For single calls, which the client's limit for bulk work does not hold back."""


class ReadPace:
    """Holds the pages of one query or scan back. Each is expected to consume as much as the page before it.

    Args:
        limiters: The limits that apply.

    Attributes:
        limiters: The same.
        is_limited: Whether there is any.
    """

    __slots__ = ("_units", "is_limited", "limiters")

    def __init__(self, limiters: Limiters) -> None:
        self.limiters: Limiters = limiters
        self.is_limited: bool = bool(limiters)
        self._units = SMALLEST_READ

    async def admit(self) -> tuple[float, list[float]]:
        """Wait until a page may be requested. Return its estimate and the units that were charged, for `settle`."""
        estimate = self._units
        return estimate, await self.limiters.admit(estimate) if self.limiters else []

    def settle(self, admitted: tuple[float, list[float]], consumed: float | None) -> None:
        """Correct the charges of a page by its consumption, and expect the same of the next page."""
        estimate, taken = admitted
        self.limiters.settle(taken, estimate, consumed)
        self._units = consumed or estimate


def rate_limiter(units_per_second: float | None, pause: Pause) -> RateLimiter | None:
    """Return a limiter of this rate, or None where there is no limit."""
    return None if units_per_second is None else RateLimiter(units_per_second, pause)


class Lanes:
    """How many requests may be under way at once, and how many entries each of them may have.

    A round of requests without throttling makes room for one more. A round with throttling halves the number, and where
    it is one already, the entries of a request. Those grow first when the throttling ends.

    Args:
        limit: Requests under way at most, also at the beginning.
        size: Entries of a request at most.
    """

    __slots__ = ("_full_size", "_limit", "_maximum", "_places", "round", "size")

    def __init__(self, limit: int, size: int = 1) -> None:
        self._maximum = limit
        self._limit = float(limit)
        self._full_size = size
        self._places = anyio.CapacityLimiter(limit)
        self.size: int = size
        """Entries that a request may have now."""
        self.round: int = 0
        """How often the service throttled: requests of one round that are throttled together count once."""

    @property
    def limit(self) -> int:
        """Return how many may be under way now."""
        return int(self._limit)

    @property
    def is_crowded(self) -> bool:
        """Return whether more are under way than may be."""
        return self._places.borrowed_tokens > self._places.total_tokens

    async def enter(self) -> None:
        """Wait for a place, which is the calling task's."""
        try:
            self._places.acquire_nowait()
        except anyio.WouldBlock:
            await self._places.acquire()

    def leave(self) -> None:
        """Give the calling task's place back."""
        self._places.release()

    def succeeded(self) -> None:
        """Count a request that was not throttled."""
        if self.size < self._full_size:
            self.size = min(self._full_size, 2 * self.size)
        elif self._limit < self._maximum:
            self._limit = min(float(self._maximum), self._limit + 1.0 / self._limit)
            self._places.total_tokens = int(self._limit)

    def slowed(self, round_: int) -> None:
        """Count a request that was throttled.

        Args:
            round_: `round`, when the request was sent.
        """
        if round_ < self.round:  # it was sent before the others were made fewer
            return
        self.round += 1
        if self._limit > 1:
            self._limit = max(1.0, self._limit / 2)
            self._places.total_tokens = int(self._limit)
        else:
            self.size = max(1, self.size // 2)

    def __repr__(self) -> str:
        return f"<Lanes {self._places.borrowed_tokens} of {int(self._limit)}, at most {self._maximum}>"
