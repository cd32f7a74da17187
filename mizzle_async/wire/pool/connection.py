"""One HTTP/1.1 keep-alive connection that carries one exchange at a time.

It frames, counts and checks; it knows at any moment whether its request was sent. It does not know why a request is
made, who waits for a connection, or what a deadline is: a call that gives up closes its connection, because a
connection that has sent a request and not read its whole answer would give that answer to the next caller.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Final, TypeAlias, cast

import httptools

from mizzle_async.errors import CorruptResponseError, MizzleError, TransportError
from mizzle_async.types import Outcome
from mizzle_async.wire.exchange import Exchange, HeaderLines

RawAnswer: TypeAlias = tuple[int, dict[str, str], bytes]
"""A whole answer before it is judged: status, lower-case names to values, body."""

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""The largest answer that is believed. The service reads at most 16 MB for one answer; JSON adds names, types and
base64 to that."""

MAX_HEAD_BYTES: Final = 64 * 1024
"""The largest status line and headers; the service's own take a few hundred bytes."""

_FIRST_FINAL_STATUS = 200

_HEADER_NAMES = {
    name: name.decode("ascii").lower()
    for name in (
        b"Server",
        b"Date",
        b"Content-Type",
        b"Content-Length",
        b"Connection",
        b"x-amzn-RequestId",
        b"x-amz-crc32",
    )
}
"""The spelling of the service's own headers, so that they need not be lowered for each answer."""


class Connection(asyncio.Protocol):
    """One connection, made by ``loop.create_connection``.

    Args:
        loop: The loop it lives on.
        on_lost: Called once, when its socket is closed for whatever reason.
        max_answer_bytes: The largest answer that is believed.

    Attributes:
        is_open: Whether a request may be sent on it.
        reusable: Whether it may carry another exchange after the last one; its holder may take that back.
        served: How many requests were sent on it.
        idle_since: When it was last given back; kept by the pool.
        retire_at: When it should be replaced; kept by the pool.
        retired: Whether it has been replaced, and is closed when given back; kept by the pool.
    """

    __slots__ = (
        "__weakref__",
        "_body",
        "_exchange",
        "_head_complete",
        "_headers",
        "_loop",
        "_max_answer_bytes",
        "_on_lost",
        "_parser",
        "_parts",
        "_poll",
        "_received",
        "_transport",
        "_waiter",
        "idle_since",
        "is_open",
        "retire_at",
        "retired",
        "reusable",
        "served",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        on_lost: Callable[[Connection], None],
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._loop = loop
        self._on_lost = on_lost
        self._max_answer_bytes = max_answer_bytes
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._poll: select.poll | None = None
        self._exchange: Exchange | None = None
        self._waiter: asyncio.Future[RawAnswer] | None = None
        self._headers: dict[str, str] = {}
        self._body = b""
        self._parts: list[bytes] = []
        self._head_complete = False
        self._received = 0
        self.is_open: bool = False
        self.reusable: bool = False
        self.served: int = 0
        self.idle_since: float = 0.0
        self.retire_at: float = 0.0
        self.retired: bool = False

    def __repr__(self) -> str:
        state = "closed" if not self.is_open else "idle" if self._waiter is None else "busy"
        return f"<Connection {state}, {self.served} served>"

    # ── for the pool ──

    def send(self, exchange: Exchange) -> asyncio.Future[RawAnswer]:
        """Send a request, and return the future of its whole answer.

        Whoever stops waiting for that future, or does not believe the answer, must `abort` the connection.

        Args:
            exchange: What to send; its ``phase`` and ``stale`` are kept right from here on.

        Returns:
            The future of the answer. It fails with a `TransportError` that says what became of the
            request.

        Raises:
            TransportError: Nothing was sent: the connection is closed, or a header cannot be sent.
        """
        transport = self._transport
        if transport is None or not self.is_open:
            exchange.stale = self.served > 0
            raise TransportError("the connection was closed before the request was sent", outcome=Outcome.NOT_SENT)
        data = encode_request(exchange)
        self._exchange = exchange
        waiter: asyncio.Future[RawAnswer] = self._loop.create_future()
        self._waiter = waiter
        self.reusable = False
        self.served += 1
        exchange.phase = Outcome.UNKNOWN
        transport.write(data)
        if transport.is_closing():
            # The very first send failed (EPIPE, ECONNRESET): the kernel took no byte of the request.
            exchange.phase = Outcome.NOT_SENT
            exchange.stale = self.served > 1
            self._fail(
                TransportError("the connection was closed before the request was sent", outcome=Outcome.NOT_SENT)
            )
        return waiter

    @property
    def is_attached(self) -> bool:
        """Whether the socket is not closed yet."""
        return self._transport is not None

    def abort(self, reason: str = "the connection was closed on this side") -> None:
        """Close the socket at once. Whoever waits for an answer is told that none came, and why."""
        self.is_open = False
        transport = self._transport
        if transport is not None:
            transport.abort()
        if self._waiter is not None:
            self._fail(self._unanswered(f"{reason} before the answer came"))

    def is_stale(self) -> bool:
        """Look whether the kernel holds something unread for an idle connection.

        That is its end, or bytes that nobody asked for. The loop notices both at its next turn; this asks between two
        turns.
        """
        if self._poll is None:
            socket = self._transport.get_extra_info("socket") if self._transport is not None else None
            if socket is None or socket.fileno() < 0:
                return False
            self._poll = select.poll()
            self._poll.register(socket.fileno(), select.POLLIN)
        return bool(self._poll.poll(0))

    # ── asyncio.Protocol ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: the socket is open, and TLS is established."""
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpResponseParser(self)
        self.is_open = self.reusable = True

    def data_received(self, data: bytes) -> None:
        """Read on: almost always, one whole answer."""
        if self._waiter is None or self._parser is None:
            # Nobody asked. Whatever this is, the next caller must not take it for an answer.
            self.abort()
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._refuse(f"what came is not HTTP ({error})")
            return
        if not self._is_answered():
            self._check_size()

    def eof_received(self) -> None:
        """Take the end of an answer that has no other end, or a cut."""
        self.is_open = False
        headers = self._headers
        ends_here = self._head_complete and "content-length" not in headers and "transfer-encoding" not in headers
        if self._waiter is not None and ends_here:
            self.on_message_complete()
        # Without this a half-written request would keep the socket until the peer had read all of it.
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End: the socket is closed. Whoever waits for an answer learns what is known about the request."""
        self.is_open = False
        self._transport = None
        self._parser = None
        self._poll = None
        if self._waiter is not None:
            reason = f" ({type(exc).__name__})" if exc is not None else ""
            if self._received:
                text = f"the connection was closed after {self._received} bytes of an answer{reason}"
                self._fail(CorruptResponseError(text, outcome=Outcome.UNKNOWN))
            else:
                if self._exchange is not None and self.served > 1:
                    self._exchange.stale = True
                self._fail(self._unanswered(f"the connection was closed before an answer came{reason}"))
        self._on_lost(self)

    # ── httptools ──

    def on_message_begin(self) -> None:
        """See an answer begin; a second one in the same read belongs to nobody."""
        if self._waiter is None:
            self.is_open = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note one header. One that comes after the body is none: anybody on the way may have added it."""
        if self._head_complete:
            return
        self._headers[_HEADER_NAMES.get(name) or name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Note that the body begins."""
        self._head_complete = True

    def on_body(self, body: bytes) -> None:
        """Take what came of the body: usually all of it."""
        if self._body:
            self._parts.append(body)
        else:
            self._body = body

    def on_message_complete(self) -> None:
        """Give the whole answer to whoever waits for it, who parses it when its turn comes.

        Parsing here would fill memory with the parsed answers of all connections that were read in one turn.
        """
        waiter, parser, transport = self._waiter, self._parser, self._transport
        if waiter is None or parser is None or transport is None:
            return
        status = parser.get_status_code()
        headers, body = self._headers, self._body
        self._headers, self._body, self._head_complete = {}, b"", False
        if self._parts:
            body = b"".join((body, *self._parts))
            self._parts = []
        if status < _FIRST_FINAL_STATUS:
            return
        self._waiter = self._exchange = None
        self._received = 0
        # Who answers before the whole request was sent need not read the rest of it, before which nothing else is sent.
        self.reusable = parser.should_keep_alive() and not transport.get_write_buffer_size()
        if not waiter.done():
            waiter.set_result((status, headers, body))

    # ── failing ──

    def _is_answered(self) -> bool:
        return self._waiter is None

    def _check_size(self) -> None:
        """Refuse an answer that is too large: as soon as it says so, or when it has become so."""
        if not self._head_complete:
            if self._received > MAX_HEAD_BYTES:
                self._refuse(f"its headers have more than {MAX_HEAD_BYTES} bytes")
            return
        announced = self._headers.get("content-length", "")
        size = max(self._received, int(announced) if announced.isdecimal() else 0)
        if size > self._max_answer_bytes + MAX_HEAD_BYTES:
            self._refuse(f"{size} bytes are more than an answer may have ({self._max_answer_bytes})")

    def _refuse(self, reason: str) -> None:
        """Fail the exchange for what came, and close: nothing on this connection can be trusted any more."""
        self.is_open = False
        if self._waiter is not None:
            self._fail(CorruptResponseError(f"corrupt answer: {reason}", outcome=Outcome.UNKNOWN))
        self.abort()

    def _unanswered(self, text: str) -> TransportError:
        phase = Outcome.UNKNOWN if self._exchange is None else self._exchange.phase
        return TransportError(text, outcome=phase)

    def _fail(self, error: MizzleError) -> None:
        waiter = self._waiter
        self._waiter = self._exchange = None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)


def encode_request(exchange: Exchange) -> bytes:
    """Return the request's bytes, head and body in one piece: one write, and for a small request one packet.

    Raises:
        TransportError: A header holds a line break, or a character that HTTP cannot carry; it is not shown.
    """
    body = exchange.body
    headers = exchange.headers
    if type(headers) is HeaderLines:
        path = exchange.endpoint.path.encode("ascii")
        return b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (path, headers.lines, len(body), body)
    head = "".join([f"{name}: {value}\r\n" for name, value in headers])
    try:
        data = f"POST {exchange.endpoint.path} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1")
    except UnicodeEncodeError:
        data = b""
    if data.count(b"\n") != len(headers) + 3:
        raise TransportError(
            "a header holds a line break or a character that HTTP cannot carry", outcome=Outcome.NOT_SENT
        )
    return data + body
