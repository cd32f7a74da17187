"""Open one connection to a host: look it up, try its addresses, establish TLS, within one time limit.

Every foreign error ends here, and leaves as a `TransportError`: nothing was sent, and its text says where to look.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from mizzle_async.errors import TransportError
from mizzle_async.types import Outcome
from mizzle_async.wire.exchange import Endpoint
from mizzle_async.wire.pool.addresses import Addresses
from mizzle_async.wire.pool.connection import RECEIVE_BUFFER_BYTES, Connection
from mizzle_async.wire.pool.reconnects import UnreachableError, may_pass
from mizzle_async.wire.pool.tls import distrust

NEXT_ADDRESS_SECONDS: Final = 0.25
"""How long one address may take before the next is tried beside it (RFC 8305)."""


UNACKNOWLEDGED_SECONDS: Final = 5.0
"""The kernel ends a connection on which bytes stay unacknowledged for this long. A lost packet is sent again after
about 0.2, 0.4, 0.8 and 1.6 seconds: a network that was away for three seconds is waited for."""


class Opener:
    """Opens connections for one pool.

    Args:
        loop: The loop they live on.
        addresses: Looks host names up.
        tls: Returns the TLS context. Called once, when it is first needed.
        connect_timeout: Seconds for everything.
        max_answer_bytes: The largest answer that its connections believe.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        addresses: Addresses,
        tls: Callable[[], ssl.SSLContext],
        connect_timeout: float,
        max_answer_bytes: int,
    ) -> None:
        self._loop = loop
        self._addresses = addresses
        self._make_tls = tls
        self._tls: ssl.SSLContext | None = None
        self._connect_timeout = connect_timeout
        self._max_answer_bytes = max_answer_bytes
        # One for all: what is read into it is consumed before the next read, on the loop's thread.
        self._receive_buffer = memoryview(bytearray(RECEIVE_BUFFER_BYTES))

    async def open(
        self, endpoint: Endpoint, on_lost: Callable[[Connection], None], *, trust_memory: bool
    ) -> Connection:
        """Open a connection.

        Args:
            endpoint: Where to.
            on_lost: Called when the connection is closed, later.
            trust_memory: Whether addresses known from before may be used where the look-up fails. Only ever over TLS,
                where the certificate proves who answers.

        Raises:
            UnreachableError: It could not be opened, for a reason that may pass. Nothing was sent.
            TransportError: It could not be opened for another reason. Nothing was sent.
        """
        error_class: type[TransportError] = TransportError
        try:
            async with asyncio.timeout(self._connect_timeout):
                return await self._open(endpoint, on_lost, trust_memory=trust_memory)
        except TransportError:
            raise
        except TimeoutError:
            error_class = UnreachableError
            reason = f"no answer within connect_timeout={self._connect_timeout:g} s"
        except ssl.SSLCertVerificationError as error:
            reason = distrust(error, self._tls)
        except ssl.SSLError as error:
            reason = f"TLS could not be established ({error.reason or error})"
        except OSError as error:
            error_class = UnreachableError if may_pass(error) else TransportError
            reason = error.strerror or str(error) or type(error).__name__
        raise error_class(f"no connection to {endpoint.authority}: {reason}", outcome=Outcome.NOT_SENT)

    async def _open(
        self, endpoint: Endpoint, on_lost: Callable[[Connection], None], *, trust_memory: bool
    ) -> Connection:
        context: ssl.SSLContext | None = None
        if endpoint.scheme == "https":
            if self._tls is None:
                self._tls = self._make_tls()
            context = self._tls
        found, unresolved = await self._addresses.find(endpoint.host, endpoint.port)
        if unresolved is not None and not (trust_memory and context is not None and found):
            raise unresolved

        async def connect(address: str) -> Connection:
            transport, connection = await self._loop.create_connection(
                lambda: Connection(
                    self._loop,
                    on_lost=on_lost,
                    max_answer_bytes=self._max_answer_bytes,
                    receive_buffer=self._receive_buffer,
                ),
                address,
                endpoint.port,
                ssl=context,
                server_hostname=endpoint.host if context is not None else None,
            )
            _limit_silence(transport)
            return connection

        try:
            return await _first(found, connect)
        except OSError:
            if unresolved is not None:
                raise unresolved from None
            raise


def _limit_silence(transport: asyncio.BaseTransport) -> None:
    """Have the kernel end a connection whose peer acknowledges nothing, where the system can.

    It ends long exchanges whose host has died, of which silence alone says nothing for longer.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    endpoint = transport.get_extra_info("socket")
    if option is not None and endpoint is not None:
        endpoint.setsockopt(socket.IPPROTO_TCP, option, int(UNACKNOWLEDGED_SECONDS * 1000))


async def _first(addresses: Sequence[str], connect: Callable[[str], Awaitable[Connection]]) -> Connection:
    """Try addresses one after another, the next one beside the last if that takes long. The first to connect wins."""
    if len(addresses) == 1:
        return await connect(addresses[0])
    left = list(addresses)
    attempts: list[asyncio.Future[Connection]] = []
    running: set[asyncio.Future[Connection]] = set()
    winner: Connection | None = None
    error: BaseException | None = None
    try:
        while winner is None and (left or running):
            if left:
                attempts.append(asyncio.ensure_future(connect(left.pop(0))))
                running.add(attempts[-1])
            pause = NEXT_ADDRESS_SECONDS if left else None
            done, running = await asyncio.wait(running, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            for attempt in done:
                error = attempt.exception() or error
                winner = attempt.result() if attempt.exception() is None else winner
    finally:
        await _abandon(attempts, winner)
    if winner is None:
        raise error or OSError("no address")
    return winner


async def _abandon(attempts: Sequence[asyncio.Future[Connection]], winner: Connection | None) -> None:
    """Cancel the attempts that lost, and close connections that they have opened all the same."""
    for attempt in attempts:
        attempt.add_done_callback(partial(_close_unless, winner))
        attempt.cancel()
    try:
        await asyncio.gather(*attempts, return_exceptions=True)
    except asyncio.CancelledError:
        if winner is not None:
            winner.abort()
        raise


def _close_unless(winner: Connection | None, attempt: asyncio.Future[Connection]) -> None:
    if not attempt.cancelled() and attempt.exception() is None and attempt.result() is not winner:
        attempt.result().abort()
