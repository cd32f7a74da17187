"""Find connections that were idle for too long, or are too old, with one timer for a host.

It knows when something is due. Opening and closing are its host's.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Collection
from typing import Final

from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.pool.connection import Connection

REPLACEMENT_PAUSE_SECONDS: Final = 5.0
"""After a failure to replace an aged connection, or where there is no room to, none is tried for this long."""

SHORTEST_SWEEP_SECONDS: Final = 0.05
"""Idle and aged connections are looked for no more often than this."""


class Sweeper:
    """Closes idle connections in time, and has aged ones replaced, one after another.

    Args:
        loop: The event loop whose clock and timers are used.
        config: The settings.
        connections: The host's connections.
        idle: Those that carry nothing, the one idle for longest first.
        close: Closes a connection that was taken out of ``idle``.
        replace: Begins to open a replacement. Returns False where there is no room for it.

    Attributes:
        replacing: The connection whose replacement is being opened, or None.
    """

    __slots__ = (
        "_close",
        "_config",
        "_connections",
        "_idle",
        "_loop",
        "_no_replacing_before",
        "_replace",
        "_timer",
        "replacing",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        config: PoolConfig,
        connections: Collection[Connection],
        idle: deque[Connection],
        *,
        close: Callable[[Connection], None],
        replace: Callable[[], bool],
    ) -> None:
        self._loop = loop
        self._config = config
        self._connections = connections
        self._idle = idle
        self._close = close
        self._replace = replace
        self._no_replacing_before = -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self.replacing: Connection | None = None

    def arm(self) -> None:
        """Schedule the next sweep, if a connection is open."""
        self.stop()
        if self._connections:
            self._timer = self._loop.call_later(self._seconds(), self._sweep)

    def stop(self) -> None:
        """Schedule no further sweep."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def take_replaced(self) -> Connection | None:
        """Return the connection whose replacement has been opened, or could not be, and forget it."""
        old, self.replacing = self.replacing, None
        return old

    def postpone(self) -> None:
        """Replace nothing for a while: it has just failed."""
        self._no_replacing_before = self._loop.time() + REPLACEMENT_PAUSE_SECONDS
        self.arm()

    def _sweep(self) -> None:
        """Close the connections that were idle for too long, and begin to replace the oldest."""
        now = self._loop.time()
        while self._idle and self._idle[0].idle_since + self._config.keep_alive <= now:
            self._close(self._idle.popleft())
        oldest = min(self._connections, key=_retire_at, default=None)
        due = oldest is not None and oldest.retire_at <= now and now >= self._no_replacing_before
        if due and self.replacing is None:
            self.replacing = oldest
            if not self._replace():
                self.replacing = None
                self._no_replacing_before = now + REPLACEMENT_PAUSE_SECONDS
        self.arm()

    def _seconds(self) -> float:
        """Return the seconds until something may be due."""
        now = self._loop.time()
        due = self._idle[0].idle_since + self._config.keep_alive if self._idle else now + self._config.keep_alive
        if self.replacing is None and self._connections:
            aged = min(connection.retire_at for connection in self._connections)
            due = min(due, max(aged, self._no_replacing_before))
        return max(due - now, SHORTEST_SWEEP_SECONDS)


def _retire_at(connection: Connection) -> float:
    return connection.retire_at
