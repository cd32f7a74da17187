"""Which transport carries the requests to an endpoint: our own connection pool, or aiobotocore's HTTP session where a proxy is asked for."""

from __future__ import annotations

from mizzle_async.wire.exchange import Endpoint, Transport
from mizzle_async.wire.session import Session
from mizzle_async.wire.session_fallback import FallbackTransport
from mizzle_async.wire.settings import WireSettings


class Transports:
    """The transports of one client, each made when it is first needed.

    Args:
        settings: May name a transport that carries everything.
        session: Knows the proxies.
    """

    def __init__(self, settings: WireSettings, session: Session) -> None:
        self._given = settings.transport
        self._session = session
        self._fallback: FallbackTransport | None = None

    def to(self, endpoint: Endpoint) -> Transport:
        """Return what carries requests to an endpoint."""
        if self._given is not None:
            return self._given
        options = self._session.fallback_options(endpoint)
        if self._fallback is None:
            self._fallback = FallbackTransport(options or {})
        return self._fallback

    async def aclose(self) -> None:
        """Close every connection of every transport, a given one included."""
        for transport in (self._given, self._fallback):
            if transport is not None:
                await transport.aclose()
