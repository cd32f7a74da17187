"""One HTTP/1.1 keep-alive connection that carries one exchange at a time.

It knows at any moment whether its request was sent. It does not know why a request is made, which calls wait for a
connection, or when a deadline is. A call that gives up closes its connection: one that has sent a request
and not read its whole answer would give that answer to the next caller.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Final, cast

from mizzle_async.errors import CorruptResponseError, MizzleError, TransportError
from mizzle_async.types import MAX_ANSWER_BYTES, Outcome
from mizzle_async.wire.exchange import Exchange, HeaderLines
from mizzle_async.wire.framing import AnswerReader, FramingError, RawAnswer, read_usual
from mizzle_async.wire.pool.orphans import discard

UNKNOWN: Final = Outcome.UNKNOWN
RECEIVE_BUFFER_BYTES: Final = 256 * 1024
"""Bytes that are read from a socket at once, as by asyncio's own transports."""


class Connection(asyncio.BufferedProtocol):
    """One connection, made by ``loop.create_connection``.

    Args:
        loop: The event loop it lives on.
        on_lost: Called once, when its socket is closed for any reason.
        max_answer_bytes: The largest answer that is believed, of any operation. Each exchange has a limit of its own.
        receive_buffer: Where the socket's bytes are read into. All connections of one loop may share it, because they
            are consumed before the read returns.

    Attributes:
        is_open: Whether a request may be sent on it.
        reusable: Whether it may carry another exchange after the last one. Its holder may take that back.
        served: How many requests were sent on it.
        address: The server's address, empty until it is connected.
        idle_since: When it was last given back, in loop time. Kept by the pool.
        patience: Seconds of silence that its exchange allows. Kept by the pool.
        retire_at: When it should be replaced, in loop time. Kept by the pool.
        retired: Whether it is closed when given back, because it was replaced or is not trusted.
        silent_since: When it was taken, as the pool sets it, or last made progress, in loop time.
    """

    __slots__ = (
        "__weakref__",
        "_buffer",
        "_exchange",
        "_loop",
        "_max_answer_bytes",
        "_on_lost",
        "_reader",
        "_transport",
        "_unsent",
        "_waiter",
        "address",
        "idle_since",
        "is_open",
        "patience",
        "retire_at",
        "retired",
        "reusable",
        "served",
        "silent_since",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        on_lost: Callable[[Connection], None],
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        receive_buffer: memoryview | None = None,
    ) -> None:
        self._loop = loop
        self._on_lost = on_lost
        self._max_answer_bytes = max_answer_bytes
        self._buffer = memoryview(bytearray(RECEIVE_BUFFER_BYTES)) if receive_buffer is None else receive_buffer
        self._transport: asyncio.Transport | None = None
        self._reader: AnswerReader | None = None
        self._exchange: Exchange | None = None
        self._waiter: asyncio.Future[RawAnswer] | None = None
        self._unsent = (0, 0)
        self.address: str = ""
        self.is_open: bool = False
        self.reusable: bool = False
        self.served: int = 0
        self.idle_since: float = 0.0
        self.patience: float | None = None
        self.retire_at: float = 0.0
        self.retired: bool = False
        self.silent_since: float = 0.0

    def __repr__(self) -> str:
        state = "closed" if not self.is_open else "idle" if self._waiter is None else "busy"
        return f"<Connection {state}, {self.served} served>"

    # ── for the pool ──

    def send(self, exchange: Exchange) -> asyncio.Future[RawAnswer]:
        """Send a request, and return the future of its whole answer.

        A caller that stops waiting for that future, or does not believe the answer, must `abort` the connection.

        Args:
            exchange: The request. Its ``phase`` and ``stale`` are kept right from here on.

        Returns:
            The future of the answer. It fails with a `TransportError` whose ``outcome`` says whether the request may
            have arrived.

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
        exchange.phase = UNKNOWN
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

    @property
    def is_waiting(self) -> bool:
        """Whether a request was sent whose answer has not come."""
        return self._waiter is not None

    def abort(self, reason: str = "the connection was closed on this side") -> None:
        """Close the socket at once. A call that waits for an answer fails with the reason."""
        self.is_open = False
        transport = self._transport
        if transport is not None:
            transport.abort()
        if self._waiter is not None:
            self._fail(self._unanswered(f"{reason} before the answer came"))

    def drop(self) -> None:
        """Close the socket where nothing can be awaited any more. A call that waits for an answer is never resumed."""
        self.is_open = False
        self._waiter = None
        if self._transport is not None:
            discard(self._transport)
            self._transport = None

    def distrust(self) -> None:
        """Close the connection once it carries nothing: an answer that came on it turned out to be none."""
        self.retired = True
        if self._waiter is None:
            self.abort()

    def is_silent(self, now: float) -> bool:
        """Return whether nothing has moved on a connection whose patience has passed.

        A request that is still leaving is not silence: bytes that the socket took since the last look are progress.

        Args:
            now: The loop's time.
        """
        transport = self._transport
        left = transport.get_write_buffer_size() if transport is not None else 0
        before, self._unsent = self._unsent, (self.served, left)
        if self._unsent == before or (not left and before[0] != self.served):
            return True
        self.silent_since = now
        return False

    def fail_silent(self) -> None:
        """Give up a connection that has been silent for too long, and close it."""
        exchange = self._exchange
        if exchange is not None:
            # One that has served before was forgotten on the way, as far as anyone can tell: that says nothing about
            # the service.
            exchange.stale = self.served > 1
            waited = f"no byte of an answer came within {self.patience:g} s"
            self._fail(TransportError(f"{waited}: the connection was closed", outcome=exchange.phase))
        self.abort()

    def is_stale(self) -> bool:
        """Return whether the kernel holds something unread for an idle connection.

        That is its end, or bytes of an answer that was not asked for. The loop notices both at its next turn; this
        asks between two turns.
        """
        socket = self._transport.get_extra_info("socket") if self._transport is not None else None
        number = -1 if socket is None else socket.fileno()
        return number >= 0 and has_unread_bytes(number)

    # ── asyncio.BufferedProtocol ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: the socket is open, and TLS is established."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        self.is_open = self.reusable = True

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the socket's bytes are read into."""
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Read on: almost always, one whole answer.

        The answer is parsed by its caller, when that task's turn comes. Parsing it here would fill memory with the
        parsed answers of all connections that were read in one turn.
        """
        waiter, transport = self._waiter, self._transport
        if waiter is None or transport is None:
            # Not asked for: the next caller must not take it for an answer.
            self.abort()
            return
        reader = self._reader
        if reader is None or not reader.received:
            answer = read_usual(self._buffer, nbytes, self._max_answer_bytes)
            if answer is not None:
                self._exchange = self._waiter = None
                # An answer that comes before the whole request was sent leaves a request of which the rest is stuck.
                self.reusable = not transport.get_write_buffer_size()
                if not waiter.done():
                    waiter.set_result(answer)
                return
        self._read_unusual(bytes(self._buffer[:nbytes]))

    def eof_received(self) -> None:
        """Take the end of an answer that has no other end, or a cut."""
        self.is_open = False
        if self._waiter is not None and self._reader is not None:
            answer = self._reader.end()
            if answer is not None:
                self._answer(answer, keeps_alive=False)
        # Without this a half-written request would keep the socket until the peer had read all of it.
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End: the socket is closed. A call that waits for an answer fails, and learns whether its request was sent."""
        self.is_open = False
        self._transport = None
        if self._waiter is not None:
            reason = f" ({type(exc).__name__})" if exc is not None else ""
            received = 0 if self._reader is None else self._reader.received
            if received:
                text = f"the connection was closed after {received} bytes of an answer{reason}"
                self._fail(CorruptResponseError(text, outcome=Outcome.UNKNOWN))
            else:
                if self._exchange is not None and self.served > 1:
                    self._exchange.stale = True
                self._fail(self._unanswered(f"the connection was closed before an answer came{reason}"))
        self._reader = None
        self._on_lost(self)

    # ── reading ──

    def _read_unusual(self, data: bytes) -> None:
        """Read an answer in pieces, or with another head than usual."""
        reader = self._reader
        if reader is None:
            reader = self._reader = AnswerReader()
        exchange, limit = self._exchange, self._max_answer_bytes
        reader.max_answer_bytes = limit if exchange is None else min(limit, exchange.answer_bytes)
        try:
            answer = reader.feed(data)
        except FramingError as error:
            self._refuse(str(error))
            return
        if answer is None:
            self.silent_since = self._loop.time()
            return
        self._answer(answer, keeps_alive=reader.keeps_alive)

    def _answer(self, answer: RawAnswer, *, keeps_alive: bool) -> None:
        """Hand a whole answer to the call that waits for it. Close a connection that cannot be used again."""
        waiter, transport = self._waiter, self._transport
        self._exchange = self._waiter = None
        self.reusable = keeps_alive and transport is not None and not transport.get_write_buffer_size()
        if not keeps_alive:
            self.is_open = False
        if waiter is not None and not waiter.done():
            waiter.set_result(answer)

    # ── failing ──

    def _refuse(self, reason: str) -> None:
        """Fail the exchange for the bytes that came, and close: nothing on this connection can be trusted any more."""
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


def has_unread_bytes(descriptor: int) -> bool:
    """Return whether a socket has bytes, or its end, to read.

    ``select.poll`` takes any number of descriptor. Where a system lacks it, ``select.select`` is there.
    """
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))
    ready, _, _ = select.select([descriptor], [], [], 0)
    return bool(ready)


def encode_request(exchange: Exchange) -> bytes:
    """Return the request's bytes, head and body in one piece: one write, and for a small request one packet.

    Raises:
        TransportError: A header holds a line break, or a character that HTTP cannot carry. It is not shown.
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
