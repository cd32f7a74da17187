"""The pipeline's questions about AWS: credentials, region, endpoints, the way out, and the control plane.

`open_session` answers from an aiobotocore session (ours or the user's), whose import, service model and TLS context are
loaded in a thread. Where the environment alone says everything, `DirectSession` answers without them. `StaticSession`
answers from the settings alone, for tests and simulations. No module outside of this folder knows aiobotocore or
botocore.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from mizzle_async.wire.exchange import Endpoint
from mizzle_async.wire.session.adapter import ControlCall
from mizzle_async.wire.session.credentials import CredentialKeeper
from mizzle_async.wire.session.direct import DirectSession, open_by_botocore
from mizzle_async.wire.session.endpoints import Destination
from mizzle_async.wire.session.environment import name_unused
from mizzle_async.wire.session.short_way import short_way
from mizzle_async.wire.session.static import StaticSession
from mizzle_async.wire.settings import WireSettings

if TYPE_CHECKING:
    from mizzle_async.wire.session.aiobotocore_session import AiobotocoreSession
    from mizzle_async.wire.session.fallback import FallbackTransport

logger: logging.Logger = logging.getLogger("mizzle_async.wire")


class Session(Protocol):
    """The answers about AWS that the pipeline needs.

    Attributes:
        credentials: Keeps the credentials that sign requests.
        region_name: The AWS region.
        host: The host and port that serve items, as far as they were known when the session was opened.
        user_agent: The header of that name.
    """

    credentials: CredentialKeeper
    region_name: str
    host: str
    user_agent: str

    async def destination(self, operation: str, table: str, /) -> Destination:
        """Resolve where an operation goes, with the credentials that serve now."""
        ...

    def is_proxied(self, endpoint: Endpoint, /) -> bool:
        """Return whether an endpoint is reached through an HTTP proxy, which our own connections do not do."""
        ...

    def proxied_transport(self) -> FallbackTransport:
        """Make a transport for the endpoints that are reached through a proxy."""
        ...

    def tls(self) -> ssl.SSLContext:
        """Return the TLS context for our own connections."""
        ...

    async def control(self, operation: str, parameters: Mapping[str, Any], call: ControlCall, /) -> dict[str, Any]:
        """Send an operation of the control plane, serialised and parsed by aiobotocore."""
        ...

    async def aclose(self) -> None:
        """Stop background work."""
        ...


async def open_session(settings: WireSettings) -> Session:
    """Make a session as the settings ask.

    Raises:
        ClientStateError: No region is known, a profile does not exist, or the endpoint is ``http://`` and not this
            machine.
    """
    if settings.transport is not None:
        return StaticSession(settings, asyncio.get_running_loop())
    way = short_way(settings, os.environ)
    if way is None:
        session: AiobotocoreSession | DirectSession = await open_by_botocore(settings)
    else:
        name_unused({})
        session = DirectSession(way, settings)
    destination = await session.destination("GetItem", "")
    session.host = destination.endpoint.authority
    logger.debug("DynamoDB in %s, at %s", destination.region, session.host)
    try:
        session.is_proxied(destination.endpoint)  # an unusable proxy is found here, not by the first call
        if destination.endpoint.scheme == "https":
            await session.load_tls()
    except BaseException:
        await session.aclose()
        raise
    return session
