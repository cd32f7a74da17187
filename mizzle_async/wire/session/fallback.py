"""The second transport: aiohttp's client session, for HTTP proxies, which our own connections do not use.

It takes proxies, time limits and connector arguments from aiobotocore's configuration, and the TLS context of the
client's own connections, so that both transports trust the same authorities. Both frame answers, give up silent
connections and wait for addresses that refuse by the same rules. Redirects are not followed, cookies are not kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import Callable, Mapping
from types import SimpleNamespace, TracebackType
from typing import Any, Final

from mizzle_async.errors import ClientStateError, CorruptResponseError, ProxyError, TransportError
from mizzle_async.types import MAX_ANSWER_BYTES, Outcome
from mizzle_async.wire.answers import check_answer
from mizzle_async.wire.exchange import Answer, Endpoint, Exchange
from mizzle_async.wire.pool.orphans import discard
from mizzle_async.wire.pool.reconnects import Reconnects, may_pass
from mizzle_async.wire.pool.tls import distrust
from mizzle_async.wire.session.framed import frame_strictly
from mizzle_async.wire.session.proxies import Proxy, proxy_for

_PROXY_AUTHENTICATION_REQUIRED: Final = 407
_VERSIONS: Final = ((1, 0), (1, 1))
_HTTPX_ONLY: Final = frozenset({"pool_timeout", "ssl_context", "write_timeout"})
"""Connector arguments of aiobotocore that are not aiohttp's, or that have been seen to already."""


class FallbackTransport:
    """Carries exchanges through aiohttp's client session.

    Args:
        options: The options of aiobotocore's HTTP session: ``proxies``, ``timeout``, ``max_pool_connections`` and
            ``connector_args`` are used.
        tls: Returns the TLS context of the service's endpoints. Called for ``https`` endpoints only.
        proxy_tls: Returns the TLS context of ``https://`` proxies.
        max_answer_bytes: The largest answer that is believed.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        tls: Callable[[], ssl.SSLContext],
        proxy_tls: Callable[[], ssl.SSLContext],
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._options = options
        self._tls = tls
        self._proxy_tls = proxy_tls
        self._max_answer_bytes = max_answer_bytes
        self._sessions: dict[bool, _Sharing] = {}
        self._retired: set[_Sharing] = set()
        self._proxies: dict[Endpoint, Proxy | None] = {}
        self._reconnects: dict[str, Reconnects] = {}
        self._random = random.Random()  # noqa: S311  (spreads load, guards nothing)
        self._closed = False

    async def exchange(self, exchange: Exchange) -> Answer:
        """Send one request and check its answer. While its address refuses connections, wait for it.

        Raises:
            TransportError: No trustworthy answer came. Its outcome says whether the request may have arrived.
            ProxyError: The proxy refuses, or cannot be reached for a reason that does not pass.
            ClientStateError: The transport is closed.
        """
        proxy = self._proxy_of(exchange.endpoint)
        address = exchange.endpoint.authority if proxy is None else proxy.name
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await self._carry(exchange, proxy)
            except TransportError as error:
                if exchange.phase is not Outcome.NOT_SENT or not _passes(error):
                    raise
                schedule = self._reconnects.setdefault(address, Reconnects(self._random))
                schedule.failed(error, loop.time())
                # Should the call's time be up meanwhile, this is why.
                exchange.waits_for = schedule
                pause = schedule.pause(loop.time())
            await asyncio.sleep(pause)
            exchange.waits_for = None

    def _proxy_of(self, endpoint: Endpoint) -> Proxy | None:
        """Return the proxy of an endpoint, which is looked up once."""
        if endpoint not in self._proxies:
            self._proxies[endpoint] = proxy_for(endpoint, self._options.get("proxies"))
        return self._proxies[endpoint]

    async def _carry(self, exchange: Exchange, proxy: Proxy | None) -> Answer:
        """Send one request and check its answer."""
        from aiohttp import ClientError

        if self._closed:
            raise ClientStateError("the client is closed: open it again")
        sharing = self._sessions.get(exchange.fresh)
        if sharing is None:
            sharing = await self._enter(fresh=exchange.fresh)
        try:
            async with sharing, sharing.session.request(**self._request(exchange, proxy)) as response:
                self._reconnects.clear()
                exchange.stale = False
                answer = await self._judge(response, exchange, proxy)
        except CorruptResponseError as error:
            exchange.stale = False
            error.outcome = exchange.phase
            if proxy is not None:
                error.message = f"{error.message}, through the proxy {proxy.name}"
            raise
        except (ClientError, OSError) as error:
            failure = self._failure(error, exchange, proxy)
            if isinstance(error, TimeoutError) and exchange.phase is Outcome.UNKNOWN:
                await self._retire(sharing, fresh=exchange.fresh)
        else:
            exchange.phase = Outcome.ANSWERED
            return answer
        # Raised out here, so that aiohttp's error is not its context: that one shows headers and URLs.
        raise failure

    async def _retire(self, sharing: _Sharing, *, fresh: bool) -> None:
        """Use a session's connections no more after one of them fell silent: its idle siblings are not trusted."""
        if self._sessions.get(fresh) is sharing:
            del self._sessions[fresh]
            self._retired.add(sharing)
            await sharing.retire()
        self._retired = {one for one in self._retired if not one.session.closed}

    async def distrust(self) -> None:
        """Use no connection again that is open now."""
        for fresh, sharing in tuple(self._sessions.items()):
            await self._retire(sharing, fresh=fresh)

    def _request(self, exchange: Exchange, proxy: Proxy | None) -> dict[str, Any]:
        """Return the arguments for one request of aiohttp."""
        from aiohttp import ClientTimeout
        from yarl import URL

        endpoint = exchange.endpoint
        request: dict[str, Any] = {
            "method": "POST",
            "url": URL(f"{endpoint.scheme}://{endpoint.authority}{endpoint.path}", encoded=True),
            "headers": dict(exchange.headers),
            "data": exchange.body,
            "allow_redirects": False,
            "trace_request_ctx": exchange,
            "timeout": ClientTimeout(total=None, sock_connect=self._connect_timeout(), sock_read=exchange.patience),
        }
        if endpoint.scheme == "https":
            request["ssl"] = self._tls()
        if proxy is not None:
            request["proxy"] = proxy.url
            if proxy.authorization is not None:
                # It stands in the request itself, or in the one that asks for a tunnel, which the service never sees.
                place = "proxy_headers" if endpoint.scheme == "https" else "headers"
                request.setdefault(place, {})["Proxy-Authorization"] = proxy.authorization
        return request

    def _connect_timeout(self) -> float | None:
        timeout = self._options.get("timeout")
        seconds: float | None = timeout[0] if isinstance(timeout, list | tuple) else timeout
        return seconds

    async def _enter(self, *, fresh: bool) -> _Sharing:
        """Open one of the two sessions. It suspends nowhere, so that no second caller comes in between."""
        from aiohttp import ClientSession, DummyCookieJar

        session = ClientSession(
            connector=self._connector(fresh=fresh),
            skip_auto_headers={"Accept", "Content-Type"},
            auto_decompress=False,
            cookie_jar=DummyCookieJar(),
            trace_configs=[_trace_config()],
        )
        sharing = self._sessions[fresh] = _Sharing(session)
        return sharing

    def _connector(self, *, fresh: bool) -> Any:
        """Make a connector. The connections of one for fresh requests carry one request each."""
        arguments = {
            name: value
            for name, value in (self._options.get("connector_args") or {}).items()
            if name not in _HTTPX_ONLY
        }
        if fresh or arguments.get("force_close"):
            arguments["force_close"] = True
            arguments.pop("keepalive_timeout", None)
        connector = _connector_class()(
            limit=self._options.get("max_pool_connections") or 0, proxy_tls=self._proxy_tls, **arguments
        )
        frame_strictly(connector, asyncio.get_running_loop())
        return connector

    async def _judge(self, response: Any, exchange: Exchange, proxy: Proxy | None) -> Answer:
        """Read an answer and check it. Where that ends before the answer does, the connection is closed."""
        try:
            if proxy is None or response.status != _PROXY_AUTHENTICATION_REQUIRED:
                headers = _headers(response)
                body = await self._read(response.content, min(self._max_answer_bytes, exchange.answer_bytes))
                return check_answer(response.status, headers, body, exchange.parse)
        except BaseException:
            response.close()
            raise
        response.close()
        exchange.phase = Outcome.NOT_SENT
        raise _refusal(proxy, response.status)

    async def _read(self, content: Any, limit: int) -> bytes:
        """Read a body, and no more of it than an answer may have."""
        parts: list[bytes] = []
        size = 0
        async for part in content.iter_any():
            size += len(part)
            if size > limit:
                text = f"{size} bytes are more than this answer may have ({limit})"
                raise CorruptResponseError(f"corrupt answer: {text}", outcome=Outcome.UNKNOWN)
            parts.append(part)
        return b"".join(parts)

    def _failure(self, error: Exception, exchange: Exchange, proxy: Proxy | None) -> TransportError:
        """Translate an error of aiohttp. By its phase, not by its type, it is known whether the request had left."""
        from aiohttp import (
            ClientConnectorCertificateError,
            ClientHttpProxyError,
            ClientOSError,
            ServerDisconnectedError,
            SocketTimeoutError,
        )

        exchange.stale = exchange.stale and isinstance(
            error, ClientOSError | ServerDisconnectedError | SocketTimeoutError
        )
        if isinstance(error, ClientHttpProxyError) and proxy is not None:
            return _refusal(proxy, error.status)
        cause = _clean(error)
        authority = exchange.endpoint.authority
        refused = cause if isinstance(error, ClientConnectorCertificateError) else None
        if proxy is not None and _is_about_proxy(error, proxy):
            reason = _words(cause) if refused is None else distrust(refused, self._proxy_tls())
            text = f"no connection to {authority}: its proxy {proxy.name} cannot be reached ({reason})"
            failure: TransportError = ProxyError(text, outcome=exchange.phase)
        elif refused is not None:
            failure = TransportError(
                f"no connection to {authority}: {distrust(refused, self._tls())}", outcome=exchange.phase
            )
        else:
            way = "" if proxy is None else f" through the proxy {proxy.name}"
            reason = type(error).__name__
            if isinstance(error, SocketTimeoutError):
                reason = f"not a byte came within {exchange.patience:g} s"
            failure = TransportError(f"no answer from {authority}{way}: {reason}", outcome=exchange.phase)
        failure.__cause__ = cause
        return failure

    async def aclose(self) -> None:
        """Close every connection."""
        self._closed = True
        async with contextlib.AsyncExitStack() as ending:  # every one is closed, even where closing another fails
            for sharing in (*self._sessions.values(), *self._retired):
                ending.push_async_callback(sharing.session.close)

    def drop(self) -> None:
        """Close every socket where nothing can be awaited any more."""
        self._closed = True
        for sharing in (*self._sessions.values(), *self._retired):
            connector = sharing.session.connector
            sharing.session.detach()
            connections = getattr(connector, "_conns", {})  # aiohttp has no public way without a running loop
            for waiting in connections.values():
                for protocol, _ in waiting:
                    if protocol.transport is not None:
                        discard(protocol.transport)
            connections.clear()

    def __repr__(self) -> str:
        return "<FallbackTransport over aiohttp>"


class _Sharing:
    """A session of aiohttp, and how many exchanges use it.

    Attributes:
        session: The session.
    """

    __slots__ = ("_retired", "_users", "session")

    def __init__(self, session: Any) -> None:
        self.session: Any = session
        self._retired = False
        self._users = 0

    async def __aenter__(self) -> None:
        self._users += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._users -= 1
        await self._close_if_unused()

    async def retire(self) -> None:
        """Close the session: at once, or after the last exchange that uses it."""
        self._retired = True
        await self._close_if_unused()

    async def _close_if_unused(self) -> None:
        if self._retired and not self._users:
            await self.session.close()


def _passes(error: TransportError) -> bool:
    """Return whether no connection could be opened for a reason that passes, so that waiting helps."""
    cause = error.__cause__
    return isinstance(cause, OSError) and may_pass(cause)


def _headers(response: Any) -> dict[str, str]:
    """Return lower-case names to values. A repeated name is a list, as over our own connections.

    Raises:
        CorruptResponseError: The answer is of another version than HTTP/1.0 and 1.1.
    """
    version = tuple(response.version or ())
    if version not in _VERSIONS:
        raise CorruptResponseError("corrupt answer: its status line is not HTTP/1.1", outcome=Outcome.UNKNOWN)
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def _refusal(proxy: Proxy, status: int) -> ProxyError:
    """Build the error of a proxy that answered in the service's place."""
    remedy = ""
    if status == _PROXY_AUTHENTICATION_REQUIRED:
        asked = "refuses its user and password" if proxy.authorization is not None else "asks for a user and a password"
        remedy = f": it {asked}, which are part of its URL in HTTPS_PROXY, HTTP_PROXY or the session's configuration"
    return ProxyError(
        f"the proxy {proxy.name} refused to pass the request on (HTTP {status}){remedy}",
        outcome=Outcome.NOT_SENT,
        status=status,
    )


def _is_about_proxy(error: Exception, proxy: Proxy) -> bool:
    """Return whether an error is about the connection to the proxy, not about the tunnel through it."""
    from aiohttp import ClientConnectorError, ClientProxyConnectionError

    if isinstance(error, ClientConnectorError):
        return isinstance(error, ClientProxyConnectionError) or f"{error.host}:{error.port}" == proxy.name
    return False


def _clean(error: Exception) -> Any:
    """Return an error's cause without URLs and headers: aiohttp's own errors show the request's, in text and repr."""
    from aiohttp import ClientConnectorCertificateError, ClientConnectorError

    if isinstance(error, ClientConnectorCertificateError):
        return error.certificate_error
    if isinstance(error, ClientConnectorError):
        return error.os_error
    if isinstance(error, OSError) and error.errno is not None:
        return OSError(error.errno, error.strerror)
    status = getattr(error, "status", None)
    return ConnectionError(f"{type(error).__name__} (HTTP {status})" if status else type(error).__name__)


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


async def _mark_sent(_session: object, context: SimpleNamespace, _parameters: object) -> None:
    """Note that a connection was found, so that from here on the request may arrive."""
    context.trace_request_ctx.phase = Outcome.UNKNOWN


async def _mark_reused(_session: object, context: SimpleNamespace, _parameters: object) -> None:
    """Note as well that it has served before: where it ends without an answer, it was stale."""
    context.trace_request_ctx.phase = Outcome.UNKNOWN
    context.trace_request_ctx.stale = True


def _trace_config() -> Any:
    from aiohttp import TraceConfig

    trace = TraceConfig()
    trace.on_connection_create_end.append(_mark_sent)
    trace.on_connection_reuseconn.append(_mark_reused)
    return trace


def _connector_class() -> type[Any]:
    """Make the connector's class. aiohttp is imported only where a client needs it."""
    from aiohttp import TCPConnector

    class Connector(TCPConnector):
        """A connector that takes another TLS context to an ``https://`` proxy than through it."""

        def __init__(self, *, proxy_tls: Callable[[], ssl.SSLContext], **arguments: Any) -> None:
            super().__init__(**arguments)
            self._proxy_tls = proxy_tls

        def _update_proxy_auth_header_and_build_proxy_req(self, req: Any) -> Any:
            request = super()._update_proxy_auth_header_and_build_proxy_req(req)
            if req.proxy.scheme == "https":
                request._ssl = self._proxy_tls()  # noqa: SLF001  (aiohttp takes one context for both)
            return request

    return Connector
