"""Capacity units over several processes: the parent's bucket grants them, and every debt goes back to it.

A worker sends while its balance is positive. A page may consume more than was granted: the rest is the worker's debt,
which it tells with its next wish, and which the bucket pays before it grants anything. So the sum over all
workers is that of one limiter, but for one grant of each worker, and the last worker that is busy gets all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import anyio

from mizzle_async.bulk.workers.messages import Asked, Returned, UnitKind
from mizzle_async.flow.pace import BURST_SECONDS, Pause, RateLimiter

GRANT_SECONDS: Final = 0.25
"""A grant is what the rate gives in this time."""

SHORTEST_PAUSE: Final = 0.001


class Bucket:
    """The parent's bucket of one kind of units.

    Args:
        units_per_second: The rate.
        pause: Sleeps for a number of seconds.
        now: Returns the time in seconds.
    """

    def __init__(self, units_per_second: float, pause: Pause, now: Callable[[], float]) -> None:
        self._rate = units_per_second
        self._pause = pause
        self._now = now
        self._balance = 0.0
        self._filled_at = now()
        self._lock = anyio.Lock(fast_acquire=True)

    async def grant(self, debt: float) -> float:
        """Pay a worker's debt, and return the units of its next grant, as soon as there are any."""
        self._balance -= debt
        async with self._lock:  # first come, first served
            while True:
                self._fill()
                if self._balance >= 0:
                    break
                await self._pause(max(-self._balance / self._rate, SHORTEST_PAUSE))
            units = self._rate * GRANT_SECONDS
            self._balance -= units
        return units

    def give_back(self, units: float) -> None:
        """Take units back that were not needed. A negative number is a debt."""
        self._balance += units

    def _fill(self) -> None:
        now = self._now()
        self._balance = min(self._balance + (now - self._filled_at) * self._rate, self._rate * BURST_SECONDS)
        self._filled_at = now

    def __repr__(self) -> str:
        return f"<Bucket {self._rate:g} units a second, {self._balance:.1f} left>"


class GrantedLimiter(RateLimiter):
    """A worker's limiter: it asks the parent for units.

    Args:
        kind: The kind of units.
        send: Sends a message to the parent.
    """

    __slots__ = ("_granted", "_kind", "_send", "_units")

    def __init__(self, kind: UnitKind, send: Callable[[Asked | Returned], None]) -> None:
        super().__init__(1.0, asyncio.sleep)
        self._kind: UnitKind = kind
        self._send = send
        self._units = 0.0
        self._granted: asyncio.Future[float] | None = None

    async def admit(self, estimate: float) -> float:
        """Wait until a request may be sent. Return the units that were charged, for `settle`."""
        expected = estimate * self._ratio
        async with self._lock:
            while self._units <= 0:
                self._units = await self._ask(-self._units)
            self._units -= expected
        return expected

    async def _ask(self, debt: float) -> float:
        waiting = self._granted
        if waiting is None:  # an earlier wish may have been cancelled: its grant still comes
            waiting = self._granted = asyncio.get_running_loop().create_future()
            self._units = 0.0
            self._send(Asked(self._kind, debt))
        granted = await asyncio.shield(waiting)
        self._granted = None
        return self._units + granted

    def receive(self, units: float) -> None:
        """Take a grant."""
        if self._granted is not None and not self._granted.done():
            self._granted.set_result(units)

    def settle(self, taken: float, estimate: float, consumed: float | None) -> None:
        """Correct the charge of a request by its consumption."""
        if consumed is None:
            return
        self._units += taken - consumed
        if estimate > 0 and consumed > 0:
            self._ratio += (consumed / estimate - self._ratio) / 8

    def give_back(self) -> None:
        """Return all units, or tell a debt, where nothing will be sent for a while."""
        if self._units and self._granted is None:
            self._send(Returned(self._kind, self._units))
            self._units = 0.0

    def __repr__(self) -> str:
        return f"<GrantedLimiter of {self._kind} units, {self._units:.1f} left>"
