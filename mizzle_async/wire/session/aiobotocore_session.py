"""A session over an aiobotocore client: every way in which AWS can be configured, by botocore's own rules."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import evolve

from mizzle_async.errors import ClientStateError, CorruptResponseError, MizzleError, ValidationError
from mizzle_async.types import Outcome, WireResponse
from mizzle_async.wire.exchange import Endpoint
from mizzle_async.wire.services import STREAM_OPERATIONS
from mizzle_async.wire.session.adapter import ControlCall, control_call
from mizzle_async.wire.session.clients import STREAMS, configuration_error, make_client, prepare
from mizzle_async.wire.session.credentials import CredentialKeeper, StaticSource
from mizzle_async.wire.session.endpoints import Destination, check_streams, endpoint_arguments, parse_endpoint
from mizzle_async.wire.session.environment import name_unused
from mizzle_async.wire.session.fallback import FallbackTransport
from mizzle_async.wire.session.late_client import LateClient, leave_unsigned
from mizzle_async.wire.session.proxies import proxy_for
from mizzle_async.wire.session.shapes import parse_answer
from mizzle_async.wire.session.sources import AiobotocoreSource
from mizzle_async.wire.session.trust import endpoint_tls, proxy_tls
from mizzle_async.wire.settings import WireSettings

logger: logging.Logger = logging.getLogger("mizzle_async.wire")

_FIRST_BOTOCORE: Final = {
    "SearchVectors": "install botocore 1.43.64 or newer, which comes with aiobotocore 3.10",
}
"""The remedy for operations that came after the oldest service model that is supported."""


class AiobotocoreSession:
    """A session over an aiobotocore client that neither signs nor sends: it resolves, serialises and parses.

    Args:
        client: The client of the tables' service.
        streams: The client of the streams' service.
        credentials: Keeps the credentials.
        user_agent: The header of every request.
        allow_http: Permit ``http://`` to hosts other than this machine.
    """

    def __init__(
        self, client: Any, streams: LateClient, credentials: CredentialKeeper, user_agent: str, *, allow_http: bool
    ) -> None:
        self._client = client
        self._streams = streams
        self._allow_http = allow_http
        endpoint = client._endpoint  # noqa: SLF001  (it holds our own adapter, with the options)
        self._options: dict[str, Any] = {**endpoint.http_session.options}
        if client.meta.config.proxies is None:
            from urllib.request import getproxies  # beside botocore, which imports as much, and more

            # botocore has asked for the proxies of one host: where NO_PROXY names that one, it found none for all.
            self._options["proxies"] = getproxies()
        self._tls: ssl.SSLContext | None = None
        self._to_proxies: ssl.SSLContext | None = None
        self.credentials = credentials
        self.region_name: str = client.meta.region_name
        self.host: str = ""
        self.user_agent = user_agent
        client.meta.events.register("before-endpoint-resolution.dynamodb", self._tell_account)
        client.meta.events.register("choose-signer.dynamodb", leave_unsigned)

    def _tell_account(self, builtins: dict[str, Any], **_: Any) -> None:
        """Tell the endpoint rules the account: this aiobotocore client has no credentials to take it from."""
        held = self.credentials.credentials
        if held is None:
            # The client is opening: whose account it will be is not known yet, and must not be required.
            builtins["AWS::Auth::AccountIdEndpointMode"] = "disabled"
        builtins["AWS::Auth::AccountId"] = held.account_id if held is not None else None

    async def destination(self, operation: str, table: str) -> Destination:
        """Ask botocore's endpoint rules: FIPS, dual-stack, account-based, search and stream hosts, configured URLs."""
        from botocore.exceptions import BotoCoreError
        from botocore.model import OperationNotFoundError

        client = await self._client_of(operation)
        try:
            model = client.meta.service_model.operation_model(operation)
        except OperationNotFoundError as error:
            raise _unknown_operation(operation, table) from error
        context: dict[str, Any] = {}
        try:
            resolve = client._resolve_endpoint_ruleset  # noqa: SLF001  (there is no public way to ask)
            url, _, _ = await resolve(model, endpoint_arguments(operation, table), context)
        except BotoCoreError as error:
            raise ClientStateError(f"no endpoint for {operation}: {error}", operation=operation, table=table) from error
        region = context.get("signing", {}).get("region") or self.region_name
        endpoint = parse_endpoint(url, allow_http=self._allow_http)
        if client is not self._client:
            tables = urlsplit(self._client.meta.endpoint_url or "").hostname or ""
            endpoint = check_streams(tables, endpoint)
        return Destination(endpoint, region)

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
        """Send through our pipeline, with aiobotocore serialising and parsing."""
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError

        client = await self._client_of(operation)
        method = getattr(client, xform_name(operation), None)
        if method is None:
            raise _unknown_operation(operation, call.table)
        shape = client.meta.service_model.operation_model(operation).output_shape
        sent = evolve(call, parse=partial(parse_answer, operation, shape), answers=[])
        token = control_call.set(sent)
        try:
            parsed: dict[str, Any] = await method(**parameters)
        except MizzleError:
            raise
        except Exception as error:
            if sent.answers:
                raise _unreadable(operation, call.table, sent.answers[-1], error) from error
            if isinstance(error, BotoCoreError):  # nothing was sent
                raise ValidationError(f"aiobotocore: {error}", operation=operation, table=call.table) from error
            raise
        finally:
            control_call.reset(token)
        parsed.pop("ResponseMetadata", None)
        return parsed

    async def _client_of(self, operation: str) -> Any:
        """Return the aiobotocore client of the service that has an operation."""
        return await self._streams.get() if operation in STREAM_OPERATIONS else self._client

    async def aclose(self) -> None:
        """Stop a refresh of credentials. The aiobotocore clients hold no connection."""
        await self.credentials.aclose()
        await self._streams.aclose()
        await self._client.__aexit__(None, None, None)


async def open_aiobotocore_session(
    settings: WireSettings, credentials: CredentialKeeper | None = None, *, streams: WireSettings | None = None
) -> AiobotocoreSession:
    """Make a session from the AWS configuration, or from the user's own session.

    Args:
        settings: The client's settings.
        credentials: The keeper of the client's credentials, where there is one already.
        streams: The settings for the streams' service, where they differ: it may have another endpoint.

    Raises:
        ClientStateError: The configuration cannot be used.
    """
    try:
        prepared = await asyncio.to_thread(prepare, settings.session, settings.profile_name)
        client = await make_client(prepared, settings)
    except Exception as error:
        failure = configuration_error(error, settings.profile_name)
        if failure is None:
            raise
        raise failure from error
    if credentials is None:
        name_unused(prepared.session.get_scoped_config())
        source = (
            StaticSource(settings.credentials)
            if settings.credentials is not None
            else AiobotocoreSource(prepared.session, reload=settings.session is None, mfa_prompt=settings.mfa_prompt)
        )
        credentials = CredentialKeeper(source, asyncio.get_running_loop())
    late = LateClient(prepared, streams or settings, STREAMS)
    return AiobotocoreSession(client, late, credentials, prepared.user_agent, allow_http=settings.allow_http)


def _unknown_operation(operation: str, table: str) -> ClientStateError:
    """Build the error of an operation that this botocore does not know."""
    import botocore

    remedy = _FIRST_BOTOCORE.get(operation, "install a newer aiobotocore")
    return ClientStateError(
        f"{operation} is unknown to botocore {botocore.__version__}: {remedy}", operation=operation, table=table
    )


def _unreadable(operation: str, table: str, response: WireResponse, error: Exception) -> CorruptResponseError:
    """Return the error of an answer that botocore cannot parse; its connection is closed."""
    if response.distrust is not None:
        response.distrust()
    return CorruptResponseError(
        f"corrupt answer: {operation} cannot be read ({type(error).__name__})",
        outcome=Outcome.UNKNOWN,
        operation=operation,
        table=table,
        attempts=response.attempts,
        request_id=response.request_id or None,
    )
