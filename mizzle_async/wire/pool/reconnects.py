"""When an address that refuses connections is tried again: one schedule for all calls that wait for it.

Nothing was sent, so a call may wait for as long as its own time allows. It is arithmetic only: the transports measure,
wait and connect.
"""

from __future__ import annotations

import errno
import math
import random
from typing import Final

from mizzle_async.errors import TransportError

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 1.0
"""An address that refuses is tried again after 0.1, 0.2, 0.4, 0.8 and then every 1.0 seconds: one connection at a time
is no load, and a call whose time is short finds the address soon after it is back."""

JITTER: Final = 0.5
"""Each pause is drawn between this share of it and all of it, so that the clients of a service do not come together."""

_PASSING = frozenset(
    getattr(errno, name)
    for name in (
        "EADDRNOTAVAIL",
        "ECONNABORTED",
        "ECONNREFUSED",
        "ECONNRESET",
        "EHOSTDOWN",
        "EHOSTUNREACH",
        "EMFILE",
        "ENETDOWN",
        "ENETRESET",
        "ENETUNREACH",
        "ENFILE",
        "ENOBUFS",
        "EPIPE",
        "ETIMEDOUT",
    )
    if hasattr(errno, name)
)


class UnreachableError(TransportError):
    """No connection could be opened, for a reason that may pass: nothing was sent, and waiting helps."""


def may_pass(error: OSError) -> bool:
    """Return whether a failure to connect is one that passes: a restart, a full table, a network that is down.

    Args:
        error: The operating system's error.
    """
    return isinstance(error, ConnectionError | TimeoutError) or error.errno in _PASSING


class Reconnects:
    """The schedule of one address.

    Args:
        generator: Draws the jitter.

    Attributes:
        obstacle: The last failure, or None while the address can be reached.
    """

    __slots__ = ("_failures", "_next_try", "_random", "obstacle")

    def __init__(self, generator: random.Random) -> None:
        self._random = generator
        self._failures = 0
        self._next_try = -math.inf
        self.obstacle: TransportError | None = None

    def failed(self, error: TransportError, now: float) -> None:
        """Count a failure. Those of connections that were tried together count as one.

        Args:
            error: The failure.
            now: The loop's time.
        """
        self.obstacle = error
        if now < self._next_try:
            return
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures, 10), LONGEST_PAUSE_SECONDS)
        self._failures += 1
        self._next_try = now + pause * self._random.uniform(JITTER, 1.0)

    def reached(self) -> None:
        """Forget the failures: the address was reached."""
        self._failures = 0
        self._next_try = -math.inf
        self.obstacle = None

    def pause(self, now: float) -> float:
        """Return the seconds until the address may be tried again. It may be now where they are not positive."""
        return self._next_try - now

    def __repr__(self) -> str:
        return f"<Reconnects after {self._failures} failures>"
