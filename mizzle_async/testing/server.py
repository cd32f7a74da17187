"""A loopback HTTP/1.1 server that plays a script and keeps a log of every connection, request and byte.

It answers like DynamoDB (``x-amz-crc32``, ``x-amzn-RequestId``, ``Date``) unless the script says otherwise. It runs on
any event loop, uvloop and the virtual clock's included. The content of the answers is the script's.

Example:
    async with ScriptedServer([Reply.throttled(), Reply({"Item": item})]) as server:
        async with Client(endpoint_url=server.url) as client:
            ...
    assert [request.operation for request in server.requests] == ["GetItem", "GetItem"]
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterable, Mapping
from email.utils import formatdate
from types import TracebackType
from typing import Any, Self, TypeAlias, cast

import httptools
import orjson
from attrs import field, frozen

from mizzle_async.testing.replies import Ending, Reply
from mizzle_async.wire.exchange import Endpoint

_LINGER_RESET = struct.pack("ii", 1, 0)
"""``SO_LINGER`` for zero seconds: closing such a socket sends RST."""


@frozen
class Request:
    """One request as it arrived.

    Attributes:
        connection: The connection's number, from 1, in the order of opening.
        number: The request's number on its connection, from 1.
        method: The HTTP method.
        target: The path as sent.
        headers: Lower-case names to values.
        body: The body's bytes.
    """

    connection: int
    number: int
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=lambda body: f"<{len(body)} bytes>")

    @property
    def operation(self) -> str:
        """The operation's name, from ``X-Amz-Target``."""
        return self.headers.get("x-amz-target", "").rpartition(".")[2]

    @property
    def payload(self) -> dict[str, Any]:
        """The body as JSON."""
        return cast("dict[str, Any]", orjson.loads(self.body))


@frozen
class Event:
    """One line of the log.

    Attributes:
        kind: ``opened``, ``request``, ``sent`` (bytes handed to the socket), or ``closed``.
        connection: The connection's number.
        count: Bytes sent, or the number of the request on its connection.
    """

    kind: str
    connection: int
    count: int = 0


Script: TypeAlias = Iterable[Reply] | Callable[[Request], Reply | Awaitable[Reply]]
"""Replies in the order of the requests, or a function (or coroutine function) that answers each request."""


class ScriptedServer:
    """Play a script to every client that connects.

    Args:
        script: The replies.
        then: The reply after the end of a script of fixed replies.
        tls: Serve TLS with this context (`mizzle_async.testing.tls` makes them).
        greeting: Bytes to send as soon as a connection is open, before any request.

    Attributes:
        greeting: The bytes that open a connection.
        log: Every `Event`, in order.
        requests: Every `Request`, in order.
        errors: Exceptions of the script, which are mistakes of the test; `stop` raises the first.
    """

    def __init__(
        self,
        script: Script = (),
        *,
        then: Reply | None = None,
        tls: ssl.SSLContext | None = None,
        greeting: bytes = b"",
    ) -> None:
        self.answer_with(script, then=then)
        self._tls = tls
        self.greeting = greeting
        self._server: asyncio.AbstractServer | None = None
        self._port = 0
        self._opened = 0
        self._connections: dict[_ServerConnection, None] = {}
        self._watchers: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self.log: list[Event] = []
        self.requests: list[Request] = []
        self.errors: list[BaseException] = []

    async def start(self, port: int = 0) -> Self:
        """Listen on 127.0.0.1. Port 0 takes a free one. With its old port, a stopped server comes back."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _ServerConnection(self),
            "127.0.0.1",
            port or self._port,
            ssl=self._tls,
            reuse_address=True,
            backlog=1024,
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Stop listening, and close every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.close_connections()
        await self.until(lambda: not self._connections)
        if self.errors:
            raise self.errors.pop(0)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    def __repr__(self) -> str:
        return f"<ScriptedServer {self.url}: {self.opened} opened, {self.open} open, {len(self.requests)} requests>"

    @property
    def endpoint(self) -> Endpoint:
        """The port that it listens on."""
        return Endpoint("https" if self._tls else "http", "localhost" if self._tls else "127.0.0.1", self._port)

    @property
    def url(self) -> str:
        """The URL to use as ``endpoint_url``. Over TLS its host is ``localhost``, as in the test certificates."""
        endpoint = self.endpoint
        return f"{endpoint.scheme}://{endpoint.host}:{endpoint.port}"

    @property
    def opened(self) -> int:
        """The number of connections that were ever opened."""
        return self._opened

    @property
    def open(self) -> int:
        """The number of connections that are open."""
        return len(self._connections)

    @property
    def operations(self) -> list[str]:
        """The operations of the requests, in order."""
        return [request.operation for request in self.requests]

    def count(self, kind: str) -> int:
        """Count the events of one kind."""
        return sum(event.kind == kind for event in self.log)

    def answer_with(self, script: Script, *, then: Reply | None = None) -> None:
        """Play another script from the next request on."""
        self._script = script if callable(script) else _in_order(script, Reply() if then is None else then)

    def forget(self) -> None:
        """Empty the log and the list of requests, as a long run may need."""
        self.log.clear()
        self.requests.clear()

    def close_connections(self, *, reset: bool = False) -> None:
        """Close or reset every open connection now, also in the middle of an answer."""
        for connection in tuple(self._connections):
            connection.end(Ending.RESET if reset else Ending.CLOSE)

    def send_unasked(self, data: bytes) -> None:
        """Send bytes that no client asked for on every open connection."""
        for connection in tuple(self._connections):
            connection.write(data)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition is true. It is checked after every event."""
        if condition():
            return
        watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers.append((condition, watcher))
        await watcher

    def record(self, event: Event) -> None:
        """Add an event to the log, and wake the waiting `wait_for` calls."""
        self.log.append(event)
        self._watchers = [entry for entry in self._watchers if not self._wake(*entry)]

    def answer(self, request: Request) -> Reply | Awaitable[Reply]:
        """Record a request and return its answer."""
        self.requests.append(request)
        reply = self._script(request)
        self.record(Event("request", request.connection, request.number))
        return reply

    def enter(self, connection: _ServerConnection) -> int:
        """Record a new connection and return its number."""
        self._connections[connection] = None
        self._opened += 1
        number = self._opened
        self.record(Event("opened", number))
        return number

    def leave(self, connection: _ServerConnection) -> None:
        """Record the end of a connection."""
        self._connections.pop(connection, None)
        self.record(Event("closed", connection.number))

    @staticmethod
    def _wake(condition: Callable[[], bool], watcher: asyncio.Future[None]) -> bool:
        if watcher.done():
            return True
        if not condition():
            return False
        watcher.set_result(None)
        return True


def _in_order(replies: Iterable[Reply], then: Reply) -> Callable[[Request], Reply]:
    script = iter(replies)
    return lambda _request: next(script, then)


class _ServerConnection(asyncio.Protocol):
    """The server's end of one connection. Answers are sent in the order of the requests, one at a time."""

    def __init__(self, server: ScriptedServer) -> None:
        self.number: int = 0
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._received = 0
        self._queue: list[Request] = []
        self._answering = False
        self._hanging = False
        self._pending: asyncio.Future[Reply] | None = None

    # ── asyncio.Protocol ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.number = self._server.enter(self)
        self.write(self._server.greeting)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.end(Ending.CLOSE)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (the client knows why it ended)
        self._transport = None
        if self._pending is not None:
            self._pending.cancel()
        self._server.leave(self)

    # ── httptools ──

    def on_message_begin(self) -> None:
        self._target, self._headers, self._body = b"", {}, []

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._received += 1
        method = self._parser.get_method().decode("ascii")
        body = b"".join(self._body)
        self._queue.append(
            Request(self.number, self._received, method, self._target.decode("ascii"), self._headers, body)
        )
        self._answer_next()

    # ── answering ──

    def write(self, data: bytes) -> None:
        """Send bytes, and log them."""
        if self._transport is not None and data:
            self._transport.write(data)
            self._server.record(Event("sent", self.number, len(data)))

    def end(self, ending: Ending) -> None:
        """End the answer as the script says."""
        if ending is Ending.HANG:
            self._hanging = True
        if self._transport is None or ending in {Ending.KEEP, Ending.HANG}:
            return
        if ending is Ending.RESET:
            endpoint = self._transport.get_extra_info("socket")
            if endpoint is not None:
                endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
            self._transport.abort()
        else:
            self._transport.close()

    def _answer_next(self) -> None:
        if self._answering or self._hanging or not self._queue or self._transport is None:
            return
        self._answering = True
        try:
            reply = self._server.answer(self._queue.pop(0))
            if isinstance(reply, Reply):
                self._begin(reply)
                return
            pending = asyncio.ensure_future(reply)
        except Exception as error:  # noqa: BLE001  (`stop` raises it, in the test that wrote the script)
            self._mistaken(error)
            return
        self._pending = pending
        pending.add_done_callback(self._answered)

    def _answered(self, pending: asyncio.Future[Reply]) -> None:
        """Send the reply that a coroutine of the script returned. If it raised, reset the connection."""
        self._pending = None
        if pending.cancelled():
            return
        error = pending.exception()
        if error is None:
            self._begin(pending.result())
        else:
            self._mistaken(error)

    def _mistaken(self, error: BaseException) -> None:
        """Record a mistake of the script, and reset the connection."""
        self._server.errors.append(error)
        self.end(Ending.RESET)

    def _begin(self, reply: Reply) -> None:
        data = reply.encode(f"REQUEST{len(self._server.requests):08}", formatdate(usegmt=True))
        if reply.cut is not None:
            data = data[: reply.cut]
        if reply.pause:
            self._loop.call_later(reply.pause, self._continue, reply, data)
        else:
            self._continue(reply, data)

    def _continue(self, reply: Reply, data: bytes) -> None:
        portion = len(data) if reply.drip is None else reply.drip
        self.write(data[:portion])
        rest = data[portion:]
        if rest and self._transport is not None:
            self._loop.call_later(reply.pause, self._continue, reply, rest)
            return
        self._answering = False
        self.end(Ending.CLOSE if reply.framing == "close" and reply.ending is Ending.KEEP else reply.ending)
        self._answer_next()
