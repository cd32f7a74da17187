"""A session that is opened without botocore, and loads it when an operation needs its rules."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from mizzle_async.errors import ClientStateError
from mizzle_async.wire.exchange import Endpoint
from mizzle_async.wire.services import STREAM_OPERATIONS
from mizzle_async.wire.session.adapter import ControlCall
from mizzle_async.wire.session.container import ContainerSource
from mizzle_async.wire.session.credentials import CredentialKeeper, CredentialSource, LoadError, StaticSource
from mizzle_async.wire.session.endpoints import Destination, check_streams
from mizzle_async.wire.session.environment import user_agent
from mizzle_async.wire.session.fallback import FallbackTransport
from mizzle_async.wire.session.short_way import Holder, ShortWay, environment_credentials
from mizzle_async.wire.session.trust import endpoint_tls
from mizzle_async.wire.settings import Credentials, WireSettings

if TYPE_CHECKING:
    from mizzle_async.wire.session.aiobotocore_session import AiobotocoreSession

_DIRECT_OPERATIONS: Final = frozenset(
    {
        "BatchExecuteStatement",
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "DescribeTable",
        "ExecuteStatement",
        "ExecuteTransaction",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    }
)
"""The operations whose hosts are known: vector searches have others."""


class DirectSession:
    """A session by a `ShortWay`.

    The control plane, tables that are named by ARN and operations with hosts of their own go through an aiobotocore
    session, which is made when the first of them needs it.
    """

    def __init__(self, way: ShortWay, settings: WireSettings) -> None:
        self._way = way
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._tls: ssl.SSLContext | None = None
        self._opening: asyncio.Task[AiobotocoreSession] | None = None
        self._closed = False
        self.credentials: CredentialKeeper = CredentialKeeper(_source(way, settings.credentials), self._loop)
        self.region_name: str = way.region
        self.host: str = ""
        self.user_agent: str = user_agent(os.environ.get("AWS_SDK_UA_APP_ID"))

    async def destination(self, operation: str, table: str) -> Destination:
        """Return the configured endpoint, the account's host, or the region's; streams have their own."""
        way = self._way
        if operation in STREAM_OPERATIONS:
            streams = way.streams or Endpoint("https", f"streams.dynamodb.{way.region}.amazonaws.com", 443)
            tables = "" if way.endpoint is None else way.endpoint.host
            return Destination(check_streams(tables, streams), way.region)
        if operation not in _DIRECT_OPERATIONS or (":" in table and way.endpoint is None):
            return await (await self._by_botocore()).destination(operation, table)
        if way.endpoint is not None:
            return Destination(way.endpoint, way.region)
        held = self.credentials.credentials
        account = held.account_id if held is not None and way.uses_accounts else None
        name = "dynamodb" if account is None else f"{account}.ddb"
        return Destination(Endpoint("https", f"{name}.{way.region}.amazonaws.com", 443), way.region)

    def is_proxied(self, endpoint: Endpoint) -> bool:
        """Return False: with proxies the short way is not taken."""
        del endpoint
        return False

    def proxied_transport(self) -> FallbackTransport:
        """Refuse: nothing is proxied."""
        raise ClientStateError("no endpoint of this client is reached through a proxy")

    async def load_tls(self) -> None:
        """Load the certificate authorities, in a thread."""
        await asyncio.to_thread(self.tls)

    def tls(self) -> ssl.SSLContext:
        """Return the TLS context for endpoints: made when the client opened, or now.

        Raises:
            ClientStateError: A file of authorities cannot be read.
        """
        if self._tls is None:
            self._tls = endpoint_tls({"verify": self._way.ca_bundle})
        return self._tls

    async def control(self, operation: str, parameters: Mapping[str, Any], call: ControlCall) -> dict[str, Any]:
        """Send through our pipeline, with aiobotocore serialising and parsing."""
        return await (await self._by_botocore()).control(operation, parameters, call)

    async def aclose(self) -> None:
        """Stop a refresh of credentials, and close the aiobotocore session."""
        self._closed = True
        await self.credentials.aclose()
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait({self._opening})
            if not self._opening.cancelled() and self._opening.exception() is None:
                await self._opening.result().aclose()

    async def _by_botocore(self) -> AiobotocoreSession:
        """Return the aiobotocore session, which the first caller opens, and which no caller's end cancels."""
        if self._closed:
            raise ClientStateError("the client is closed: open it again")
        if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
            way = self._way
            settings = evolve(self._settings, region_name=way.region, endpoint_url=_url(way.endpoint))
            streams = evolve(settings, endpoint_url=_url(way.streams))
            self._opening = self._loop.create_task(
                open_by_botocore(settings, self.credentials, streams=streams),
                name="mizzle_async: aiobotocore session",
            )
        opening = self._opening
        await asyncio.wait({opening})
        if opening.cancelled():
            raise ClientStateError("the client was closed during the call")
        return opening.result()

    def __repr__(self) -> str:
        return f"<DirectSession in {self.region_name}>"


async def open_by_botocore(
    settings: WireSettings, credentials: CredentialKeeper | None = None, *, streams: WireSettings | None = None
) -> AiobotocoreSession:
    """Open an aiobotocore session, whose module is imported in a thread, as aiobotocore is: few processes need it.

    Args:
        settings: The settings.
        credentials: Keeps the credentials, or None to find them.
        streams: The settings of the streams' service, or None for the same.
    """

    def load() -> Callable[..., Coroutine[Any, Any, AiobotocoreSession]]:
        from mizzle_async.wire.session.aiobotocore_session import open_aiobotocore_session

        return open_aiobotocore_session

    open_session = await asyncio.to_thread(load)
    return await open_session(settings, credentials, streams=streams)


def _url(endpoint: Endpoint | None) -> str | None:
    return None if endpoint is None else f"{endpoint.scheme}://{endpoint.authority}{endpoint.path}"


class EnvironmentSource:
    """The credentials of the environment, which are read again when the service refuses them."""

    async def load(self, *, force: bool) -> Credentials:
        """Read the variables.

        Raises:
            LoadError: They are gone.
        """
        del force
        credentials = environment_credentials(os.environ)
        if credentials is None:
            raise LoadError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are no longer set", may_pass=False)
        return credentials

    def is_due(self) -> bool:
        """Return False: they have no known end."""
        return False

    def is_expired(self) -> bool:
        """Return False, as `is_due`."""
        return False

    def has_changed(self) -> bool:
        """Return False: reading them costs nothing, and once a second is enough."""
        return False


def _source(way: ShortWay, static: Credentials | None) -> CredentialSource:
    if static is not None:
        return StaticSource(static)
    return ContainerSource(os.environ) if way.holder is Holder.CONTAINER else EnvironmentSource()
