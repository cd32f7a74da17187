"""Look up the addresses of host names: one look-up at a time for each name, whose answer is remembered briefly.

A look-up is asked for by every connection that is opened, so that a client follows DNS. This module knows nothing of
connections.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import random
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from mizzle_async.errors import TransportError
from mizzle_async.types import Outcome

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Look a host name up: addresses as text, best first. Raises `OSError` where there are none."""

FRESH_SECONDS: Final = 5.0
"""An answer is good for this long: the time to live of the service's own records. A burst of new connections asks
once."""

FAILED_SECONDS: Final = 1.0
"""A failure is good for this long: while DNS is down, it is asked once a second, however many calls want a
connection."""


class _Known:
    """The addresses of one name, and its last failure."""

    __slots__ = ("addresses", "answered_at", "error", "failed_at", "pending")

    def __init__(self) -> None:
        self.addresses: tuple[str, ...] = ()
        self.answered_at = -math.inf
        self.error: OSError | None = None
        self.failed_at = -math.inf
        self.pending: asyncio.Task[None] | None = None


class Addresses:
    """Look names up, once at a time each, and remember the answers briefly.

    Args:
        time: The clock.
        spawn: Starts a task that the pool owns.
        resolve: Looks a name up, or None to ask the operating system.
        generator: Spreads connections over equal addresses.
    """

    def __init__(
        self,
        *,
        time: Callable[[], float],
        spawn: Callable[[Awaitable[None]], asyncio.Task[None]],
        resolve: Resolve | None,
        generator: random.Random,
    ) -> None:
        self._time = time
        self._spawn = spawn
        self._resolve = resolve or _ask_the_system
        self._random = generator
        self._known: dict[tuple[str, int], _Known] = {}

    async def find(self, host: str, port: int) -> tuple[list[str], TransportError | None]:
        """Return the addresses to try, in order, and the error of the look-up if it failed.

        Where the look-up fails, the addresses last known are returned beside the error: whether they may still be used
        is for the caller to judge.

        Args:
            host: A name or an address.
            port: For the look-up.
        """
        if _is_address(host):
            return [host], None
        known = self._known.setdefault((host, port), _Known())
        if not self._is_recent(known):
            if known.pending is None:
                known.pending = self._spawn(self._look_up(host, port, known))
            # The look-up is shared: one connection that gives up must not take it from the others.
            await asyncio.shield(known.pending)
        addresses = _in_turn(list(known.addresses), self._random)
        if known.error is None:
            return addresses, None
        text = f"the host name {host!r} cannot be resolved ({known.error.strerror or known.error}): "
        advice = "check region_name and endpoint_url, and this machine's DNS"
        return addresses, TransportError(text + advice, outcome=Outcome.NOT_SENT)

    def _is_recent(self, known: _Known) -> bool:
        now = self._time()
        if known.error is not None:
            return now - known.failed_at < FAILED_SECONDS
        return now - known.answered_at < FRESH_SECONDS

    async def _look_up(self, host: str, port: int, known: _Known) -> None:
        try:
            addresses = tuple(dict.fromkeys(await self._resolve(host, port)))
            if not addresses:
                # An emptied record: the name exists, and has no address.
                raise OSError(socket.EAI_NONAME, "no address")  # noqa: TRY301  (one path for both kinds of failure)
        except (OSError, UnicodeError) as error:
            known.error = error if isinstance(error, OSError) else OSError(socket.EAI_NONAME, "not a host name")
            known.failed_at = self._time()
        else:
            known.addresses, known.answered_at, known.error = addresses, self._time(), None
        finally:
            known.pending = None


async def _ask_the_system(host: str, port: int) -> Sequence[str]:
    """Ask ``getaddrinfo``, which reads ``/etc/hosts`` and asks DNS, in a thread."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _in_turn(addresses: list[str], generator: random.Random) -> list[str]:
    """Spread over equal addresses, and take the two families in turn: one that does not work costs one delay."""
    first: list[str] = []
    second: list[str] = []
    for address in addresses:
        (first if (":" in address) == (":" in addresses[0]) else second).append(address)
    generator.shuffle(first)
    generator.shuffle(second)
    mixed: list[str] = []
    for index in range(max(len(first), len(second))):
        mixed += first[index : index + 1] + second[index : index + 1]
    return mixed


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
