"""Choose the transport of an endpoint's requests: our own pool, or another through HTTP proxies."""

from __future__ import annotations

from contextlib import AsyncExitStack

from mizzle_async.wire.exchange import Endpoint, Transport
from mizzle_async.wire.pool.config import PoolStatistics
from mizzle_async.wire.pool.pool import ConnectionPool
from mizzle_async.wire.session.fallback import FallbackTransport
from mizzle_async.wire.session.session import Session
from mizzle_async.wire.settings import WireSettings


class Transports:
    """The transports of one client, each made when it is first needed.

    Args:
        settings: May name a transport that carries everything.
        session: Knows the proxies.
    """

    def __init__(self, settings: WireSettings, session: Session) -> None:
        self._own = settings.transport
        self._session = session
        self._pool = ConnectionPool(settings.pool, tls=session.tls, patient=True)
        self._fallback: FallbackTransport | None = None

    def to(self, endpoint: Endpoint) -> Transport:
        """Return the transport of an endpoint's requests."""
        if self._own is not None:
            return self._own
        if not self._session.is_proxied(endpoint):
            return self._pool
        if self._fallback is None:
            self._fallback = self._session.proxied_transport()
        return self._fallback

    async def warm_up(self, endpoint: Endpoint) -> None:
        """Open the connections that the settings ask for, where they go through the pool."""
        if self.to(endpoint) is self._pool:
            await self._pool.warm_up(endpoint)

    def statistics(self) -> PoolStatistics:
        """Return the pool's numbers."""
        return self._pool.statistics()

    async def aclose(self) -> None:
        """Close every connection of every transport, one of the user's own included."""
        async with AsyncExitStack() as ending:
            for transport in (self._pool, self._fallback, self._own):
                if transport is not None:
                    ending.push_async_callback(transport.aclose)

    def drop(self) -> None:
        """Close our own sockets where nothing can be awaited. A transport of the caller's is theirs to close."""
        self._pool.drop()
        if self._fallback is not None:
            self._fallback.drop()

    def __repr__(self) -> str:
        return repr(self._own or self._fallback or self._pool)
