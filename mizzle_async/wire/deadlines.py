"""The deadlines of many calls on few timers: a timer of the loop costs as much as signing half a request.

Calls of one timeout end in the order in which they began, so that one timer, set for the first of them, serves all. The
timer of the usual timeout stays set when its call has ended: the next call needs none of its own then. This module
knows loop time and the deadlines of calls, and nothing else of them.
"""

from __future__ import annotations

import asyncio

from mizzle_async.wire.calls import Call


class _Queue:
    """Calls of one timeout that are under way, the oldest first."""

    __slots__ = ("calls", "timer")

    def __init__(self) -> None:
        self.calls: dict[Call, None] = {}
        self.timer: asyncio.TimerHandle | None = None


class Deadlines:
    """Ends calls whose time is up.

    While no call is under way, at most the timer of the usual timeout is left in the loop, until it has fired once.

    Args:
        loop: The event loop whose clock and timers are used.
        usual: The timeout in seconds that most calls have.
    """

    __slots__ = ("_loop", "_queues", "_usual")

    def __init__(self, loop: asyncio.AbstractEventLoop, usual: float) -> None:
        self._loop = loop
        self._usual = usual
        self._queues = {usual: _Queue()}

    def begin(self, call: Call) -> None:
        """Watch over a call from now on. `end` must be called for it."""
        queue = self._queues.get(call.timeout)
        if queue is None:
            queue = self._queues[call.timeout] = _Queue()
        queue.calls[call] = None
        if queue.timer is None:
            queue.timer = self._loop.call_at(call.ends, self._fire, queue, call.ends)

    def end(self, call: Call) -> None:
        """Forget a call."""
        timeout = call.timeout
        queue = self._queues.get(timeout)
        if queue is None:
            return
        calls = queue.calls
        calls.pop(call, None)
        if not calls and timeout != self._usual:
            _disarm(queue)
            del self._queues[timeout]

    def close(self) -> None:
        """Leave no timer in the loop."""
        for queue in self._queues.values():
            _disarm(queue)

    def _fire(self, queue: _Queue, due: float) -> None:
        """End the calls whose time is up, and set the timer for the next."""
        queue.timer = None
        # The loop may call a little early, by its clock's resolution: the call that the timer was set for is due.
        due = max(due, self._loop.time())
        while queue.calls:
            call = next(iter(queue.calls))
            if call.ends > due:
                queue.timer = self._loop.call_at(call.ends, self._fire, queue, call.ends)
                return
            del queue.calls[call]
            call.expire()

    def __repr__(self) -> str:
        return f"<Deadlines of {sum(len(queue.calls) for queue in self._queues.values())} calls>"


def _disarm(queue: _Queue) -> None:
    if queue.timer is not None:
        queue.timer.cancel()
        queue.timer = None
