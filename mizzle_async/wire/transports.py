"""Choose the transport of an endpoint's requests: our own pool, or another through HTTP proxies."""

from __future__ import annotations

from contextlib import AsyncExitStack

from mizzle_async.wire.exchange import Endpoint, Transport
from mizzle_async.wire.pool.config import PoolStatistics
from mizzle_async.wire.pool.pool import ConnectionPool
from mizzle_async.wire.services import STREAM_OPERATIONS
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
        self._settings = settings.pool
        self._pool = self._make_pool()
        self._streams: ConnectionPool | None = None
        self._fallback: FallbackTransport | None = None

    def to(self, endpoint: Endpoint, operation: str) -> Transport:
        """Return the transport of an operation's requests.

        Readers of streams have a pool of their own, even where both services answer at one endpoint: hundreds of shards
        must not take the connections of reads and writes.

        Args:
            endpoint: Where they go.
            operation: The API's name.
        """
        if self._own is not None:
            return self._own
        if not self._session.is_proxied(endpoint):
            if operation not in STREAM_OPERATIONS:
                return self._pool
            if self._streams is None:
                self._streams = self._make_pool()
            return self._streams
        if self._fallback is None:
            self._fallback = self._session.proxied_transport()
        return self._fallback

    async def warm_up(self, endpoint: Endpoint) -> None:
        """Open the connections that the settings ask for, where they go through the pool."""
        if self.to(endpoint, "GetItem") is self._pool:
            await self._pool.warm_up(endpoint)

    async def distrust(self) -> None:
        """Use no connection of ours again that is open now."""
        self._pool.distrust()
        if self._fallback is not None:
            await self._fallback.distrust()

    def statistics(self) -> PoolStatistics:
        """Return the numbers of the pool, or of both."""
        numbers = self._pool.statistics()
        if self._streams is None:
            return numbers
        return PoolStatistics(hosts=numbers.hosts + self._streams.statistics().hosts)

    async def aclose(self) -> None:
        """Close every connection of every transport, one of the user's own included."""
        async with AsyncExitStack() as ending:
            for transport in (self._pool, self._streams, self._fallback, self._own):
                if transport is not None:
                    ending.push_async_callback(transport.aclose)

    def drop(self) -> None:
        """Close our own sockets where nothing can be awaited. A transport of the caller's is theirs to close."""
        self._pool.drop()
        if self._streams is not None:
            self._streams.drop()
        if self._fallback is not None:
            self._fallback.drop()

    def _make_pool(self) -> ConnectionPool:
        return ConnectionPool(self._settings, tls=self._session.tls, patient=True)

    def __repr__(self) -> str:
        return repr(self._own or self._fallback or self._pool)
