"""The second transport: aiobotocore's own HTTP session, for what our connection does not do (HTTP proxies).

Not its client: nothing of botocore's parsing or retrying happens here. Redirects are not followed, although aiohttp
would.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from mizzle_async.errors import ClientStateError, CorruptResponseError, TransportError
from mizzle_async.types import Outcome, ParseAnswer
from mizzle_async.wire.answers import check_answer
from mizzle_async.wire.exchange import Answer, Exchange
from mizzle_async.wire.framing import MAX_ANSWER_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

_current: ContextVar[Exchange] = ContextVar("mizzle_async_exchange")
"""The exchange whose connection aiohttp is looking for, in this task."""


class FallbackTransport:
    """Carries exchanges through aiobotocore's HTTP session.

    Args:
        options: What aiobotocore gives to its HTTP session: ``proxies``, ``verify``, ``client_cert``,
            ``max_pool_connections``, ….
        max_answer_bytes: The largest answer that is believed.
    """

    def __init__(self, options: Mapping[str, Any], *, max_answer_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._options = dict(options)
        self._max_answer_bytes = max_answer_bytes
        self._sessions: dict[bool, Any] = {}
        self._closed = False
        self._open = contextlib.AsyncExitStack()

    async def exchange(self, exchange: Exchange) -> Answer:
        """Send one request and check its answer.

        Raises:
            TransportError: No trustworthy answer came; its outcome says whether the request may have arrived.
            ClientStateError: It is closed.
        """
        from aiohttp import ClientError
        from botocore.awsrequest import AWSPreparedRequest
        from botocore.exceptions import BotoCoreError

        if self._closed:
            raise ClientStateError("the client is closed: open a new one")
        session = self._sessions.get(exchange.fresh)
        if session is None:
            session = await self._enter(fresh=exchange.fresh)
        endpoint = exchange.endpoint
        url = f"{endpoint.scheme}://{endpoint.authority}{endpoint.path}"
        request = AWSPreparedRequest("POST", url, dict(exchange.headers), exchange.body, stream_output=True)
        token = _current.set(exchange)
        try:
            response = await session.send(request)
            exchange.stale = False
            answer = await self._judge(response, exchange.parse)
        except (BotoCoreError, ClientError, OSError) as error:
            exchange.stale = exchange.stale and _ended_silently(error)
            # Not by the error's type: aiobotocore says "could not connect" for failures after the request had left,
            # too.
            raise TransportError(
                f"no answer from {endpoint.authority}: {type(_origin(error)).__name__}", outcome=exchange.phase
            ) from error
        finally:
            _current.reset(token)
        exchange.phase = Outcome.ANSWERED
        return answer

    async def _enter(self, *, fresh: bool) -> Any:
        """Open one of the two sessions; it suspends nowhere, so that no second caller comes in between."""
        options = self._options
        if fresh:
            # Its connections carry one request each.
            given = dict(options.get("connector_args") or {}) | {"force_close": True}
            given.pop("keepalive_timeout", None)
            options = options | {"connector_args": given}
        self._sessions[fresh] = await self._open.enter_async_context(_session_class()(**options))
        return self._sessions[fresh]

    async def _judge(self, response: Any, parse: ParseAnswer | None) -> Answer:
        """Read an answer and check it; where that ends before the answer does, the connection is closed."""
        try:
            body = await self._read(response.raw.content)
            return check_answer(response.status_code, response.headers, body, parse)
        except BaseException:
            response.raw.close()
            raise

    async def _read(self, content: Any) -> bytes:
        """Read a body, and no more of it than an answer may have."""
        parts: list[bytes] = []
        size = 0
        async for part in content.iter_any():
            size += len(part)
            if size > self._max_answer_bytes:
                text = f"{size} bytes are more than an answer may have ({self._max_answer_bytes})"
                raise CorruptResponseError(f"corrupt answer: {text}", outcome=Outcome.UNKNOWN)
            parts.append(part)
        return b"".join(parts)

    async def aclose(self) -> None:
        """Close every connection."""
        self._closed = True
        await self._open.aclose()

    def __repr__(self) -> str:
        return "<FallbackTransport over aiobotocore's HTTP session>"


def _look_at(opening: asyncio.Task[Any]) -> None:
    """See a failure that nobody may be left to hear of, so that it is not reported as forgotten."""
    if not opening.cancelled():
        opening.exception()


def _origin(error: Exception) -> object:
    """Find what aiohttp said, inside what botocore made of it."""
    return getattr(error, "kwargs", {}).get("error", error)


def _ended_silently(error: Exception) -> bool:
    """Tell an end of the connection from every other failure."""
    from aiohttp import ClientOSError, ServerDisconnectedError

    return isinstance(_origin(error), ClientOSError | ServerDisconnectedError)


async def _mark_sent(*_: object) -> None:
    """Note that a connection was found, so that from here on the request may arrive."""
    _current.get().phase = Outcome.UNKNOWN


async def _mark_reused(*_: object) -> None:
    """Note as well that it has served before: where it ends without an answer, it was stale."""
    await _mark_sent()
    _current.get().stale = True


def _session_class() -> type[Any]:
    """Make the subclass of aiobotocore's HTTP session, whose module is imported only when a client opens."""
    from aiobotocore.httpsession import AIOHTTPSession
    from aiohttp import TraceConfig

    class HttpSession(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore ships no types
        """An aiobotocore HTTP session that follows no redirect and tells when a request may have left."""

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self._opening: dict[str | None, asyncio.Task[Any]] = {}

        async def _get_session(self, proxy_url: str | None) -> Any:
            session = (self._sessions or {}).get(proxy_url)
            if session is None:
                opening = self._opening.get(proxy_url)
                if opening is None:
                    opening = self._opening[proxy_url] = asyncio.ensure_future(self._open(proxy_url))
                    opening.add_done_callback(_look_at)
                # Opening reads the certificate authorities. A caller whose time is up leaves, and those who come later
                # need not begin anew: `wait` cancels nothing.
                await asyncio.wait({opening})
                session = opening.result()
            return _NoRedirects(session)

        async def _open(self, proxy_url: str | None) -> Any:
            try:
                session = await super()._get_session(proxy_url)
            finally:
                del self._opening[proxy_url]
            trace = TraceConfig()
            trace.on_connection_create_end.append(_mark_sent)
            trace.on_connection_reuseconn.append(_mark_reused)
            trace.freeze()
            session.trace_configs.append(trace)
            return session

    return HttpSession


class _NoRedirects:
    """An aiohttp session whose requests follow no redirect: that would carry items to any host."""

    def __init__(self, session: Any) -> None:
        self._session = session

    async def request(self, *arguments: Any, **options: Any) -> Any:
        """Send a request as aiobotocore asks, but never a second one."""
        return await self._session.request(*arguments, allow_redirects=False, **options)
