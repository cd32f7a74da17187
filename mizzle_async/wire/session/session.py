"""What the pipeline asks about AWS: credentials, region, endpoints, the way out, and the control plane.

`open_session` answers from an aiobotocore session (ours or the user's), whose import, service model and TLS context are
loaded in a thread; `StaticSession` answers from the settings alone, for tests and simulations. Nothing outside of the
``session`` modules knows aiobotocore or botocore.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import ssl
from collections.abc import Mapping
from copy import copy
from functools import lru_cache
from importlib import import_module
from typing import Any, Final, Protocol

from mizzle_async.errors import ClientStateError, ValidationError
from mizzle_async.wire.exchange import Endpoint, Transport
from mizzle_async.wire.session.adapter import ControlCall, HttpSessionAdapter, control_call
from mizzle_async.wire.session.credentials import CredentialKeeper, StaticSource
from mizzle_async.wire.session.endpoints import Destination, endpoint_arguments, parse_endpoint
from mizzle_async.wire.session.fallback import FallbackTransport
from mizzle_async.wire.session.loader import shared_loader
from mizzle_async.wire.session.proxies import proxy_for
from mizzle_async.wire.session.sources import AiobotocoreSource
from mizzle_async.wire.session.static import StaticSession
from mizzle_async.wire.session.trust import endpoint_tls, proxy_tls
from mizzle_async.wire.settings import WireSettings, check_setting

logger: logging.Logger = logging.getLogger("mizzle_async.wire")

_FIRST_BOTOCORE: Final = {
    "SearchVectors": "install botocore 1.43.64 or newer, which comes with aiobotocore 3.10",
}
"""The remedy for operations that came after the oldest service model that is supported."""


class Session(Protocol):
    """What the pipeline needs to know about AWS."""

    credentials: CredentialKeeper
    region_name: str
    user_agent: str

    async def destination(self, operation: str, table: str, /) -> Destination:
        """Resolve where an operation goes, with the credentials that serve now."""
        ...

    def is_proxied(self, endpoint: Endpoint, /) -> bool:
        """Return whether an endpoint is reached through an HTTP proxy, which our own connections do not do."""
        ...

    def proxied_transport(self) -> Transport:
        """Make a transport for the endpoints that are reached through a proxy."""
        ...

    def tls(self) -> ssl.SSLContext:
        """Return the TLS context for our own connections."""
        ...

    async def control(self, operation: str, parameters: Mapping[str, Any], call: ControlCall, /) -> dict[str, Any]:
        """Send an operation of the control plane, serialised and parsed by aiobotocore."""
        ...

    async def aclose(self) -> None:
        """Stop what runs in the background."""
        ...


class AiobotocoreSession:
    """A session over an aiobotocore client that neither signs nor sends: it resolves, serialises and parses."""

    def __init__(self, client: Any, credentials: CredentialKeeper, user_agent: str, *, allow_http: bool) -> None:
        self._client = client
        self._allow_http = allow_http
        endpoint = client._endpoint  # noqa: SLF001  (it holds our own adapter, with what aiobotocore found out)
        self._options: Mapping[str, Any] = endpoint.http_session.options
        self._tls: ssl.SSLContext | None = None
        self._to_proxies: ssl.SSLContext | None = None
        self.credentials = credentials
        self.region_name: str = client.meta.region_name
        self.user_agent = user_agent
        client.meta.events.register("before-endpoint-resolution.dynamodb", self._tell_account)
        client.meta.events.register("choose-signer.dynamodb", _leave_unsigned)

    def _tell_account(self, builtins: dict[str, Any], **_: Any) -> None:
        """Let account-based endpoints be resolved, although this client has no credentials to ask."""
        held = self.credentials.credentials
        if held is None:
            # The client is opening: whose account it will be is not known yet, and must not be required.
            builtins["AWS::Auth::AccountIdEndpointMode"] = "disabled"
        builtins["AWS::Auth::AccountId"] = held.account_id if held is not None else None

    async def destination(self, operation: str, table: str) -> Destination:
        """Ask botocore's endpoint rules: FIPS, dual-stack, account-based and search hosts, configured URLs."""
        from botocore.exceptions import BotoCoreError
        from botocore.model import OperationNotFoundError

        try:
            model = self._client.meta.service_model.operation_model(operation)
        except OperationNotFoundError as error:
            raise _unknown_operation(operation, table) from error
        context: dict[str, Any] = {}
        try:
            resolve = self._client._resolve_endpoint_ruleset  # noqa: SLF001  (there is no public way to ask)
            url, _, _ = await resolve(model, endpoint_arguments(operation, table), context)
        except BotoCoreError as error:
            raise ClientStateError(f"no endpoint for {operation}: {error}", operation=operation, table=table) from error
        region = context.get("signing", {}).get("region") or self.region_name
        return Destination(parse_endpoint(url, allow_http=self._allow_http), region)

    def is_proxied(self, endpoint: Endpoint) -> bool:
        """Ask the proxies of the environment and of the session's configuration."""
        return proxy_for(endpoint, self._options.get("proxies")) is not None

    def proxied_transport(self) -> FallbackTransport:
        """Make a transport that trusts the same authorities as our own connections."""
        return FallbackTransport(self._options, tls=self.tls, proxy_tls=self._proxy_tls)

    async def load_tls(self) -> None:
        """Load the certificate authorities, in a thread."""
        await asyncio.to_thread(self.tls)

    def tls(self) -> ssl.SSLContext:
        """Return the TLS context for endpoints: made when the client opened, or now.

        Raises:
            ClientStateError: A file of authorities, or of a client certificate, cannot be read.
        """
        if self._tls is None:
            self._tls = endpoint_tls(self._options)
        return self._tls

    def _proxy_tls(self) -> ssl.SSLContext:
        """Return the TLS context for ``https://`` proxies, which never see the endpoint's client certificate."""
        if self._to_proxies is None:
            self._to_proxies = proxy_tls(self._options)
        return self._to_proxies

    async def control(self, operation: str, parameters: Mapping[str, Any], call: ControlCall) -> dict[str, Any]:
        """Let aiobotocore serialise and parse, and our pipeline send."""
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError

        method = getattr(self._client, xform_name(operation), None)
        if method is None:
            raise _unknown_operation(operation, call.table)
        token = control_call.set(call)
        try:
            parsed: dict[str, Any] = await method(**parameters)
        except BotoCoreError as error:
            # Nothing was sent: what happens to a request after that is told by our own errors, which pass unchanged.
            raise ValidationError(f"aiobotocore: {error}", operation=operation, table=call.table) from error
        finally:
            control_call.reset(token)
        parsed.pop("ResponseMetadata", None)
        return parsed

    async def aclose(self) -> None:
        """Stop a refresh of credentials; the aiobotocore client holds nothing open."""
        await self.credentials.aclose()
        await self._client.__aexit__(None, None, None)


async def open_session(settings: WireSettings) -> Session:
    """Make a session as the settings ask.

    Raises:
        ClientStateError: No region is known, a profile does not exist, or the endpoint is ``http://`` and not this
            machine.
    """
    loop = asyncio.get_running_loop()
    if settings.transport is not None:
        return StaticSession(settings, loop)
    try:
        prepared = await asyncio.to_thread(_prepare, settings.session, settings.profile_name)
        client = await _client(prepared, settings)
    except Exception as error:
        told = _configuration_error(error, settings.profile_name)
        if told is None:
            raise
        raise told from error
    source = (
        StaticSource(settings.credentials)
        if settings.credentials is not None
        else AiobotocoreSource(prepared.session, reload=settings.session is None, mfa_prompt=settings.mfa_prompt)
    )
    session = AiobotocoreSession(
        client, CredentialKeeper(source, loop), prepared.user_agent, allow_http=settings.allow_http
    )
    destination = await session.destination("GetItem", "")
    logger.debug("DynamoDB in %s, at %s", destination.region, destination.endpoint.authority)
    try:
        session.is_proxied(destination.endpoint)  # an unusable proxy is found here, not by the first call
        if destination.endpoint.scheme == "https":
            await session.load_tls()
    except BaseException:
        await session.aclose()
        raise
    return session


class _Prepared:
    __slots__ = ("session", "user_agent")

    def __init__(self, session: Any, user_agent: str) -> None:
        self.session = session
        self.user_agent = user_agent


def _prepare(given: Any, profile: str | None) -> _Prepared:
    """Do what takes long, in a thread: import aiobotocore, read the AWS configuration, load the service model."""
    from importlib import metadata

    import aiobotocore
    import botocore
    from aiobotocore.session import AioSession

    for name in ("aiobotocore.config", "aiobotocore.httpsession", "botocore.utils"):
        import_module(name)
    session = given
    if session is None:
        handlers = copy(_builtin_handlers())
        session = AioSession(event_hooks=handlers, include_builtin_handlers=False, profile=profile)
        session.register_component("data_loader", shared_loader(session.get_config_variable("data_path")))
    else:
        check_setting("session", session, AioSession, "a session of aiobotocore.session")
    # What making a client reads, and no more: aiobotocore's own warm-up looks for five kinds of files of every service.
    loader = session.get_component("data_loader")
    for name in ("endpoints", "partitions", "sdk-default-configuration"):
        loader.load_data_with_path(name)
    for kind in ("service-2", "endpoint-rule-set-1"):
        loader.load_service_model("dynamodb", kind)
    versions = (
        f"aiobotocore/{aiobotocore.__version__} botocore/{botocore.__version__} python/{platform.python_version()}"
    )
    return _Prepared(session, f"mizzle_async/{metadata.version('mizzle-async')} {versions}")


@lru_cache(maxsize=1)
def _builtin_handlers() -> Any:
    """Keep botocore's event handlers registered once: each session gets a copy, which takes a tenth of the time."""
    from aiobotocore.hooks import AioHierarchicalEmitter
    from aiobotocore.session import AioSession

    handlers = AioHierarchicalEmitter()
    AioSession(event_hooks=handlers)
    return handlers


async def _client(prepared: _Prepared, settings: WireSettings) -> Any:
    """Make the aiobotocore client; nothing of it suspends, as it neither has credentials nor opens connections."""
    session = copy(prepared.session)
    config = _client_config(session.get_default_client_config(), settings)
    # A session that has a default configuration merges it with ours, and aiobotocore before 3.9 loses the class of the
    # HTTP session as it does. The copy has none, and shares everything else with the session.
    session.set_default_client_config(None)
    creating = session.create_client(
        "dynamodb",
        region_name=settings.region_name,
        endpoint_url=settings.endpoint_url,
        config=config,
        # It never signs. Without these it would look for credentials now, and in places that take seconds.
        aws_access_key_id="unused",
        aws_secret_access_key="unused",  # noqa: S106  (no secret)
    )
    client = await creating.__aenter__()  # closed by `AiobotocoreSession.aclose`
    # Providers that assume roles ask the original session in which region to do so.
    prepared.session._last_client_region_used = client.meta.region_name  # noqa: SLF001  (`create_client` sets it)
    return client


def _client_config(default: Any, settings: WireSettings) -> Any:
    """Merge a session's default client configuration with ours, which wins.

    Args:
        default: An ``AioConfig``, botocore's ``Config``, or None.
        settings: The client's settings.

    Returns:
        An ``AioConfig``.
    """
    from aiobotocore.config import AioConfig

    options: dict[str, Any] = {}
    if default is not None:
        options.update(default._user_provided_options)  # noqa: SLF001  (what `merge` itself reads)
        # aiobotocore before 3.9 does not count it among the options that were provided.
        if connector_args := getattr(default, "connector_args", None):
            options["connector_args"] = connector_args
    options |= {
        "http_session_cls": HttpSessionAdapter,
        "retries": {"total_max_attempts": 1, "mode": "standard"},
        "endpoint_discovery_enabled": False,
        "max_pool_connections": settings.pool.max_connections,
        "connect_timeout": settings.pool.connect_timeout,
        "read_timeout": None,
    }
    return AioConfig(**options)


def _configuration_error(error: Exception, profile: str | None) -> ClientStateError | None:
    """Say what is wrong with the AWS configuration; None where an error is not about that."""
    from botocore.exceptions import BotoCoreError, NoRegionError, ProfileNotFound

    if isinstance(error, NoRegionError):
        return ClientStateError("no AWS region: pass region_name=, set AWS_DEFAULT_REGION, or name one in a profile")
    if isinstance(error, ProfileNotFound):
        return ClientStateError(f"no AWS profile named {profile or error.kwargs.get('profile')!r}")
    if isinstance(error, BotoCoreError | ValueError):
        return ClientStateError(f"the AWS configuration cannot be used: {error}")
    return None


def _unknown_operation(operation: str, table: str) -> ClientStateError:
    """Build the error of an operation that this botocore does not know."""
    import botocore

    remedy = _FIRST_BOTOCORE.get(operation, "install a newer aiobotocore")
    return ClientStateError(
        f"{operation} is unknown to botocore {botocore.__version__}: {remedy}", operation=operation, table=table
    )


def _leave_unsigned(**_: Any) -> Any:
    """Tell aiobotocore not to sign: the pipeline does."""
    from botocore import UNSIGNED

    return UNSIGNED
