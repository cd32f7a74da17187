"""The connections to one host: which call gets which, how many there are, and for how long.

A state machine without ``await`` in its decisions. Every event is one plain function that leaves the state whole: a
call wants a connection, gives it back or gives up, a connection is opened, lost or too old. Opening is asked for
through a callback, closing is immediate.

Invariants, checked by a state machine of Hypothesis:

- A connection is idle, or held by exactly one call, or handed to exactly one waiter, or closed.
- While a connection is idle, no call waits that could use it.
- Open and opening connections never exceed ``max_connections``, but for one replacement.
- While calls wait, a connection is being opened, or one in use will come back, or a pause after a failure is running.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import OrderedDict, deque
from collections.abc import Callable
from enum import Enum
from typing import Final

from mizzle_async.errors import ClientStateError, MizzleError, PoolTimeoutError, TransportError
from mizzle_async.types import Outcome
from mizzle_async.wire.exchange import Endpoint
from mizzle_async.wire.pool.config import HostStatistics, PoolConfig, describe
from mizzle_async.wire.pool.connection import Connection
from mizzle_async.wire.pool.reconnects import Reconnects, UnreachableError
from mizzle_async.wire.pool.silence import SilenceWatch
from mizzle_async.wire.pool.sweeper import Sweeper

STALE_CHECK_SECONDS: Final = 0.01
"""A connection that was idle for longer is asked whether its end has come, just before it is used. The loop sees an end
at its next turn anyway. Only a loop that was kept busy, or frozen, since its last turn can have missed it. Asking costs
a system call."""

YOUNGEST_AGE: Final = 0.8
"""A connection's age limit is drawn between this share of ``max_age`` and all of it."""

DOUBTFUL_SECONDS: Final = 1.0
"""A connection that was silent for as long when its call left it is taken for one that was forgotten on the way."""

OPENING_PAUSE_SECONDS: Final = 0.1
LONGEST_OPENING_PAUSE_SECONDS: Final = 5.0
"""After a failure to open, none is tried for 0.1, 0.2, 0.4 … 5 s, as long as other connections are there to serve the
calls that wait."""

Waiter = asyncio.Future[Connection]


class Purpose(Enum):
    """Why a connection is opened."""

    DEMAND = "demand"
    REPLACEMENT = "replacement"


class HostPool:
    """The connections to one endpoint.

    Args:
        endpoint: The host.
        config: The settings.
        loop: Its event loop, whose clock it uses.
        open_connection: Starts to open a connection. Exactly one of `opened` and `failed` is called later, never before
            it returns.
        generator: Draws ages and pauses.
        patient: Whether calls wait, as long as they like, for an address that refuses connections. Otherwise each
            refusal fails one of them.

    Attributes:
        endpoint: The host.
        watch: Watches over the connections that carry an exchange.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        config: PoolConfig,
        *,
        loop: asyncio.AbstractEventLoop,
        open_connection: Callable[[HostPool, Purpose], None],
        generator: random.Random,
        patient: bool = False,
    ) -> None:
        self.endpoint = endpoint
        self._patient = patient
        self._reconnects = Reconnects(generator)
        self._config = config
        self._loop = loop
        self._open_connection = open_connection
        self._random = generator
        # Ordered, where sets would do: the order of closing must not depend on memory addresses, or no run repeats.
        self._connections: dict[Connection, None] = {}
        self._closing: dict[Connection, None] = {}
        self._idle: deque[Connection] = deque()
        self._sweeper = Sweeper(
            loop, config, self._connections, self._idle, close=self._close, replace=self._begin_replacing
        )
        self.watch: SilenceWatch = SilenceWatch(loop, self._connections, self._give_up_silent)
        self._waiters: OrderedDict[Waiter, None] = OrderedDict()
        self._fresh_waiters: OrderedDict[Waiter, None] = OrderedDict()
        self._opening = 0
        self._failures = 0
        self._no_opening_before = -math.inf
        self._retry: asyncio.TimerHandle | None = None
        self._closed = False
        self._emptied: asyncio.Future[None] | None = None
        self._served_before = 0
        self._counts = dict.fromkeys(("opened", "closed", "failed", "replaced", "silent", "waited"), 0)
        self._waited_seconds = 0.0

    # ── a call ──

    def take(self) -> Connection | None:
        """Take the connection that was used last, or return None where the call has to `wait`."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            now = self._loop.time()
            idle_seconds = now - connection.idle_since
            if connection.is_open and (
                idle_seconds < STALE_CHECK_SECONDS
                or (idle_seconds < self._config.keep_alive and not connection.is_stale())
            ):
                connection.silent_since = now
                return connection
            self._close(connection)
        return None

    async def wait(self, *, fresh: bool) -> Connection:
        """Wait for a connection, first come first served.

        Args:
            fresh: Only one that has carried nothing yet will do.

        Raises:
            TransportError: None could be opened.
            PoolTimeoutError: ``wait_timeout`` passed.
            ClientStateError: The pool was closed meanwhile.
        """
        began = self._loop.time()
        self._counts["waited"] += 1
        queue = self._fresh_waiters if fresh else self._waiters
        first = False
        try:
            while True:
                connection = await self._accept(queue, first=first)
                now = self._loop.time()
                if connection.is_open:
                    connection.silent_since = now
                    return connection
                # It was lost between being handed over and now.
                self._close(connection)
                if connection.served == 0:
                    closed = self._closed_at_once()
                    if not self._patient:
                        # Opening yet another would meet the same server, and go on for ever.
                        raise closed
                    self._reconnects.failed(closed, now)
                first = True
        finally:
            self._waited_seconds += self._loop.time() - began

    def release(self, connection: Connection) -> None:
        """Give a connection back after a whole answer."""
        if self._closed or connection.retired or not connection.reusable or not connection.is_open:
            self._release_at_end(connection)
        elif len(self._fresh_waiters) > self._opening:
            # Every place is taken, and a call waits for a connection of its own: this one makes room.
            self.discard(connection)
        else:
            self._hand_over(connection)

    def discard(self, connection: Connection) -> None:
        """Close a connection that is given back without a whole answer."""
        if connection.is_waiting and self._loop.time() - connection.silent_since >= DOUBTFUL_SECONDS:
            # Its call has left before its patience was at an end.
            self._distrust_siblings(connection)
        self._close(connection)
        self._grow()
        self._report()

    async def _accept(self, queue: OrderedDict[Waiter, None], *, first: bool) -> Connection:
        """Stand in the queue once, and take the connection that is handed over."""
        if self._closed:
            raise _closed_error()
        waiter: Waiter = self._loop.create_future()
        queue[waiter] = None
        if first:
            queue.move_to_end(waiter, last=False)
        limit = self._config.wait_timeout
        timer = None if limit is None else self._loop.call_later(limit, self._give_up, waiter, queue)
        try:
            self._grow()
            return await waiter
        except asyncio.CancelledError:
            queue.pop(waiter, None)
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                # Handed over, and cancelled before it could be taken: the next in the queue gets it.
                self._pass_on(waiter.result())
            raise
        finally:
            if timer is not None:
                timer.cancel()
            self._report()

    def _give_up(self, waiter: Waiter, queue: OrderedDict[Waiter, None]) -> None:
        queue.pop(waiter, None)
        if not waiter.done():
            limit = self._config.wait_timeout
            reason = self.obstacle.message if self.obstacle is not None else str(self)
            text = f"no connection to {self.endpoint.authority} became free within wait_timeout={limit:g} s: {reason}"
            waiter.set_exception(PoolTimeoutError(text, outcome=Outcome.NOT_SENT))

    def _pass_on(self, connection: Connection) -> None:
        """Take back a connection that its waiter never saw."""
        if connection.served == 0 and connection.is_open and not self._closed:
            self._settle(connection)
        else:
            self.release(connection)

    def _release_at_end(self, connection: Connection) -> None:
        """Give back a connection whose end, or whose pool's end, has come."""
        healthy = connection.reusable and connection.is_open and not connection.retired
        if healthy and not self._closed and self._waiters:
            self._hand_over(connection)
        else:
            self.discard(connection)

    @property
    def obstacle(self) -> TransportError | None:
        """Why no connection can be opened at the moment, or None where one can."""
        return self._reconnects.obstacle

    # ── opening ──

    def opened(self, connection: Connection, purpose: Purpose) -> None:
        """Take a new connection in."""
        if not connection.is_open:
            self._close(connection)
            self.failed(self._closed_at_once(), purpose)
            return
        old = self._leave_opening(purpose)
        if self._closed:
            self._close(connection)
            return
        self._failures = 0
        self._no_opening_before = -math.inf
        self._reconnects.reached()
        self._counts["opened"] += 1
        age = self._config.max_age * self._random.uniform(YOUNGEST_AGE, 1.0)
        connection.retire_at = self._loop.time() + age
        self._connections[connection] = None
        self._sweeper.arm()
        crowded = len(self._connections) + self._opening > self._config.max_connections
        if old is not None and not self._retire(old) and crowded:
            # The old one was lost meanwhile, and another took its place: this one is one too many.
            self._close(connection)
        else:
            self._settle(connection)
        self._grow()

    def failed(self, error: MizzleError, purpose: Purpose) -> None:
        """Take note that a connection could not be opened.

        Where the address refuses and calls wait for it patiently, it is tried again on one schedule for all of them.
        Otherwise other connections serve the calls that wait, and the next attempt waits a little. Where there is no
        other connection, one failure fails one call, which decides what to do.
        """
        self._counts["failed"] += 1
        if self._leave_opening(purpose) is not None:
            self._sweeper.postpone()
            return
        if self._patient and isinstance(error, UnreachableError):
            self._reconnects.failed(error, self._loop.time())
            self._grow()
            return
        if self._connections:
            pause = min(OPENING_PAUSE_SECONDS * 2**self._failures, LONGEST_OPENING_PAUSE_SECONDS)
            self._no_opening_before = self._loop.time() + pause
        self._failures = min(self._failures + 1, 10)
        if not self._fail_one(self._fresh_waiters, error) and not self._connections:
            self._fail_one(self._waiters, error)
        self._grow()

    def warm_up(self) -> None:
        """Begin to open the connections that the settings ask for."""
        room = self._config.max_connections - len(self._connections) - self._opening
        wanted = self._config.warm_up - len(self._connections) - self._opening
        for _ in range(min(room, wanted)):
            self._begin_opening()

    def _closed_at_once(self) -> TransportError:
        text = f"the connection to {self.endpoint.authority} was closed as soon as it was open"
        return UnreachableError(text, outcome=Outcome.NOT_SENT)

    def _grow(self) -> None:
        """Open as many connections as calls wait for, as far as there is room."""
        wanted = len(self._waiters) + len(self._fresh_waiters) - self._opening
        if wanted <= 0 or self._closed:
            return
        pause = self._opening_pause()
        if pause > 0:
            if self._retry is None:
                self._retry = self._loop.call_later(pause, self._grow_again)
            return
        if self.obstacle is not None:
            # One connection finds out whether the address is back; the others follow it.
            wanted = min(wanted, 1 - self._opening)
        room = self._config.max_connections - len(self._connections) - self._opening
        while wanted > 0:
            if room <= 0:
                if not self._idle or self._opening >= len(self._fresh_waiters):
                    return
                # Only fresh waiters wait beside idle connections: the one idle for longest makes room.
                self._close(self._idle.popleft())
                room += 1
            self._begin_opening()
            wanted -= 1
            room -= 1

    def _opening_pause(self) -> float:
        """Return the seconds until the next connection may be opened. It may be now where they are not positive."""
        now = self._loop.time()
        if self.obstacle is not None:
            return self._reconnects.pause(now)
        # Where no other connection serves the calls that wait, there is no point in letting them wait.
        return self._no_opening_before - now if self._connections and not self._fresh_waiters else 0.0

    def _grow_again(self) -> None:
        self._retry = None
        self._grow()

    def _begin_opening(self) -> None:
        self._opening += 1
        self._open_connection(self, Purpose.DEMAND)

    def _leave_opening(self, purpose: Purpose) -> Connection | None:
        """Count one opening less. Return the connection that was to be replaced, if one was."""
        if purpose is Purpose.DEMAND:
            self._opening -= 1
            return None
        return self._sweeper.take_replaced()

    def _begin_replacing(self) -> bool:
        """Begin to open a replacement. Return False where there is no room for it."""
        if len(self._connections) + self._opening > self._config.max_connections:
            # One that was replaced is still busy: there is room for one beyond the limit, not for more.
            return False
        self._open_connection(self, Purpose.REPLACEMENT)
        return True

    def _retire(self, old: Connection) -> bool:
        """Close a replaced connection: now if it is idle, else when it comes back. Return False if it is gone."""
        if old not in self._connections:
            return False
        self._counts["replaced"] += 1
        old.retired = True
        old.retire_at = math.inf
        if old in self._idle:
            self._idle.remove(old)
            self._close(old)
        return True

    @staticmethod
    def _fail_one(queue: OrderedDict[Waiter, None], error: MizzleError) -> bool:
        while queue:
            waiter, _ = queue.popitem(last=False)
            if not waiter.done():
                waiter.set_exception(error)
                return True
        return False

    # ── handing over ──

    def _settle(self, connection: Connection) -> None:
        """Give a connection that has carried nothing yet to the first in line: fresh waiters have waited before."""
        while self._fresh_waiters:
            waiter, _ = self._fresh_waiters.popitem(last=False)
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._hand_over(connection)

    def _hand_over(self, connection: Connection) -> None:
        """Give a connection to the first in the queue, or keep it."""
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            if not waiter.done():
                waiter.set_result(connection)
                return
        connection.idle_since = self._loop.time()
        self._idle.append(connection)

    # ── closing ──

    def lost(self, connection: Connection) -> None:
        """Take note that a connection's socket is closed, by whichever side."""
        self._closing.pop(connection, None)
        if connection in self._idle:
            self._idle.remove(connection)
            self._close(connection)
            self._grow()
        # Else a call holds it, or is about to: the call is told, and gives it back.
        self._report()

    def close(self) -> asyncio.Future[None]:
        """Close every connection, fail every call that holds or awaits one, and return the last socket's future end."""
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._sweeper.stop()
        self.watch.close()
        while self._fail_one(self._fresh_waiters, _closed_error()) or self._fail_one(self._waiters, _closed_error()):
            pass
        self._idle.clear()
        for connection in tuple(self._connections):
            self._close(connection, "the client was closed")
        if self._emptied is None or self._emptied.done():
            self._emptied = self._loop.create_future()
        self._report()
        return self._emptied

    def drop(self) -> None:
        """Close every socket where nothing can be awaited any more, and stop every timer."""
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._sweeper.stop()
        self.watch.close()
        self._idle.clear()
        for connection in (*self._connections, *self._closing):
            connection.drop()
        self._connections.clear()
        self._closing.clear()

    def distrust(self) -> None:
        """Use no connection again that is open now: close those that are idle, and the others after their answers."""
        while self._idle:
            self._close(self._idle.popleft())
        for connection in self._connections:
            connection.retired, connection.retire_at = True, math.inf

    def _close(self, connection: Connection, reason: str = "the connection was closed on this side") -> None:
        """Close a connection that is not idle any more, and count it out."""
        if connection in self._connections:
            del self._connections[connection]
            self._counts["closed"] += 1
            self._served_before += connection.served
        if connection.is_attached:
            self._closing[connection] = None
            connection.abort(reason)

    def _report(self) -> None:
        """Tell the closing of the pool that the last socket has ended."""
        if self._emptied is not None and not self._emptied.done() and not self._connections and not self._closing:
            self._emptied.set_result(None)

    def _give_up_silent(self, connection: Connection) -> None:
        """Close a silent connection, and its idle siblings that have not been heard of since."""
        self._counts["silent"] += 1
        connection.fail_silent()
        self._distrust_siblings(connection)

    def _distrust_siblings(self, connection: Connection) -> None:
        """Close the idle connections to a silent one's address that have not been heard of since its request.

        The same router, load balancer or host may have forgotten them as well, and an HTTP connection cannot be asked.
        """
        for sibling in tuple(self._idle):
            if sibling.address == connection.address and sibling.idle_since <= connection.silent_since:
                self._idle.remove(sibling)
                self._close(sibling)

    # ── numbers ──

    def statistics(self) -> HostStatistics:
        """Return the numbers of this moment."""
        return HostStatistics(
            host=self.endpoint.authority,
            idle=len(self._idle),
            in_use=len(self._connections) - len(self._idle),
            opening=self._opening + (self._sweeper.replacing is not None),
            waiting=len(self._waiters) + len(self._fresh_waiters),
            requests=self._served_before + sum(connection.served for connection in tuple(self._connections)),
            waited_seconds=self._waited_seconds,
            **self._counts,
        )

    def __repr__(self) -> str:
        return describe(self.statistics())


def _closed_error() -> ClientStateError:
    return ClientStateError("the client was closed while this call waited for a connection")
