"""Find connections that say nothing: with one timer for a host, and nothing to do for an exchange that is answered.

A request on a connection that a router or a load balancer has forgotten, or whose host has died, is answered by
silence: no error ever comes. This module knows when an exchange has waited long enough. Its host decides about the
connection then.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection

from mizzle_async.wire.pool.connection import Connection


class SilenceWatch:
    """Watches over the connections of one host that carry an exchange.

    The timer is set for the exchange that can be silent first, and looks for the next one when it fires. While none is
    under way there is none, at the latest when the last exchange's patience would have passed.

    Args:
        loop: The event loop whose clock and timers are used.
        connections: The host's connections.
        give_up: Called with each connection that has been silent for longer than its exchange allows.

    Attributes:
        due: When the timer fires, in loop time. Infinity where none is set.
    """

    __slots__ = ("_connections", "_give_up", "_loop", "_timer", "due")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connections: Collection[Connection],
        give_up: Callable[[Connection], None],
    ) -> None:
        self._loop = loop
        self._connections = connections
        self._give_up = give_up
        self.due: float = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, due: float) -> None:
        """Watch over an exchange that would be silent for too long at a moment before `due`.

        Args:
            due: The moment, in loop time.
        """
        if self._timer is not None:
            self._timer.cancel()
        self.due = due
        self._timer = self._loop.call_at(due, self._look)

    def close(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.due = math.inf

    def _look(self) -> None:
        """Give up the connections that have been silent for too long, and set the timer for the next."""
        # The loop may call a little early, by its clock's resolution: the moment that the timer was set for has come.
        now = max(self.due, self._loop.time())
        self._timer = None
        self.due = next_due = math.inf
        silent = []
        for connection in self._connections:
            if connection.patience is None or not connection.is_waiting:
                continue
            if connection.silent_since + connection.patience <= now and connection.is_silent(now):
                silent.append(connection)
            else:
                next_due = min(next_due, connection.silent_since + connection.patience)
        if next_due < math.inf:
            self.begin(next_due)
        for connection in silent:
            self._give_up(connection)
