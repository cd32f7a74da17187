"""The three ports of the composition layer: sending, pacing with limits, and owning tasks.

Each port includes the one before it. A function names the least that it needs, and a client's runtime is all three.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from mizzle_async.errors import ExpressionError
from mizzle_async.flow.pace import UNLIMITED, Limiters, RateLimiter, Spacing, rate_limiter
from mizzle_async.operations.reads.cursors import CursorCodec
from mizzle_async.types import Sender

ResultT = TypeVar("ResultT")


class SendingPort(Sender, Protocol):
    """Sends operations, and gives each of them the values that it cannot know: the time, tokens, cursors."""

    @property
    def cursors(self) -> CursorCodec:
        """The codec that writes and reads cursors."""
        ...

    @property
    def now(self) -> Callable[[], float]:
        """The clock: returns the time in seconds since the epoch."""
        ...

    def new_token(self) -> str:
        """Return a client request token, for one transaction."""
        ...

    def new_write_id(self) -> str:
        """Return an id for one write of a versioned item."""
        ...


class PacingPort(SendingPort, Protocol):
    """Sends again and again: it has time to spend, randomness, pauses, and limits in capacity units."""

    @property
    def timeout(self) -> float:
        """Seconds that a call may take where it does not say."""
        ...

    @property
    def read_limiter(self) -> RateLimiter | None:
        """The limiter of all bulk reading, or None where there is no limit."""
        ...

    @property
    def write_limiter(self) -> RateLimiter | None:
        """The limiter of all bulk writing, or None where there is no limit."""
        ...

    @property
    def random(self) -> Callable[[], float]:
        """The source of jitter: returns a random number from zero to one."""
        ...

    async def pause(self, seconds: float, /) -> None:
        """Sleep."""
        ...


class TaskPort(PacingPort, Protocol):
    """Starts tasks, and ends them when it is closed."""

    @property
    def stream_spacing(self) -> Spacing:
        """Spaces the descriptions of streams: the service allows an account ten a second."""
        ...

    @property
    def instruments(self) -> Sequence[object]:
        """The objects that watch this client."""
        ...

    def start(self, coroutine: Coroutine[Any, Any, ResultT], /) -> asyncio.Task[ResultT]:
        """Start a task that it owns."""
        ...


def read_limiters(port: PacingPort, units_per_second: float | None) -> Limiters:
    """Return the limits of a piece of reading: its own, and the client's."""
    if units_per_second is None and port.read_limiter is None:
        return UNLIMITED
    return Limiters(_own_limiter(port, "read", units_per_second), port.read_limiter)


def write_limiters(port: PacingPort, units_per_second: float | None) -> Limiters:
    """Return the limits of a piece of writing: its own, and the client's."""
    return Limiters(_own_limiter(port, "write", units_per_second), port.write_limiter)


def _own_limiter(port: PacingPort, kind: str, units_per_second: float | None) -> RateLimiter | None:
    if units_per_second is not None and not units_per_second > 0:
        raise ExpressionError(f"{kind}_units_per_second={units_per_second!r} must be more than 0, or None for no limit")
    return rate_limiter(units_per_second, port.pause)
