"""A session from the settings alone: for tests and simulations, whose transport is their own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, Final

from mizzle_async.errors import ClientStateError
from mizzle_async.wire.exchange import Endpoint
from mizzle_async.wire.session.adapter import ControlCall
from mizzle_async.wire.session.credentials import CredentialKeeper, StaticSource
from mizzle_async.wire.session.endpoints import Destination, parse_endpoint
from mizzle_async.wire.session.fallback import FallbackTransport
from mizzle_async.wire.settings import Credentials, WireSettings

_LOCAL_REGION: Final = "us-east-1"
_LOCAL_URL: Final = "http://127.0.0.1:8000"
_LOCAL_CREDENTIALS: Final = Credentials("local", "local")


class StaticSession:
    """A session whose answers are all in the settings, or those of a loopback engine."""

    def __init__(self, settings: WireSettings, loop: asyncio.AbstractEventLoop) -> None:
        self.region_name: str = settings.region_name or _LOCAL_REGION
        self.user_agent = "mizzle_async"
        source = StaticSource(settings.credentials or _LOCAL_CREDENTIALS)
        self.credentials: CredentialKeeper = CredentialKeeper(source, loop)
        endpoint = parse_endpoint(settings.endpoint_url or _LOCAL_URL, allow_http=settings.allow_http)
        self.host: str = endpoint.authority
        self._destination = Destination(endpoint, self.region_name)

    async def destination(self, operation: str, table: str) -> Destination:
        """Return the one endpoint there is."""
        del operation, table
        return self._destination

    def is_proxied(self, endpoint: Endpoint) -> bool:
        """Return False: no proxy is known."""
        del endpoint
        return False

    def proxied_transport(self) -> FallbackTransport:
        """Refuse: nothing is opened here."""
        raise ClientStateError("a client with a transport of its own uses no proxy")

    def tls(self) -> ssl.SSLContext:
        """Refuse: nothing is opened here."""
        raise ClientStateError("a client with a transport of its own opens no TLS connections")

    async def control(self, operation: str, parameters: Mapping[str, Any], call: ControlCall) -> dict[str, Any]:
        """Refuse: table operations need aiobotocore."""
        del parameters, call
        raise ClientStateError(
            f"{operation} is sent through aiobotocore, which a client with a transport of its own does not open"
        )

    async def aclose(self) -> None:
        """Stop background work."""
        await self.credentials.aclose()
