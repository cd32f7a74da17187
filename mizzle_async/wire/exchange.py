"""The vocabulary of the wire: one HTTP exchange, and the Protocol that every transport keeps.

Two transports exist: our own connection pool, and aiohttp's client session for the way through proxies. Neither knows
operations, retries or deadlines. A call's deadline reaches a transport as a cancellation. How long an answer may be
silent comes with the exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, overload

from attrs import define, field

from mizzle_async.errors import TransportError
from mizzle_async.types import MAX_ANSWER_BYTES, Outcome, ParseAnswer, WirePayload
from mizzle_async.values import Value, transient


class Endpoint(NamedTuple):
    """Where requests of one kind go. Equal endpoints share a connection pool."""

    scheme: str
    host: str
    port: int
    path: str = "/"

    @property
    def authority(self) -> str:
        """The ``Host`` header: without the port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"


class HeaderLines(Sequence[tuple[str, str]]):
    """Headers as the lines in which they are sent. Pairs are made when they are read.

    Args:
        lines: ``name: value`` lines, each ended by CR LF. No value holds one: the signer has seen to it.

    Attributes:
        lines: The same.
    """

    __slots__ = ("lines",)

    def __init__(self, lines: bytes) -> None:
        self.lines: bytes = lines

    @overload
    def __getitem__(self, index: int, /) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, index: slice, /) -> list[tuple[str, str]]: ...
    def __getitem__(self, index: int | slice, /) -> tuple[str, str] | list[tuple[str, str]]:
        """Return one pair of name and value, or several."""
        lines = self.lines.decode("latin-1").split("\r\n")[:-1]
        pairs = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        return pairs[index]

    def __len__(self) -> int:
        return self.lines.count(b"\r\n")

    def __repr__(self) -> str:
        return f"<HeaderLines: {', '.join(name for name, _ in self)}>"


class Awaited(Protocol):
    """An address to which a connection is awaited."""

    @property
    def obstacle(self) -> TransportError | None:
        """Why no connection to it can be opened at the moment, or None where one can."""
        ...


@define(slots=True, eq=False)
class Exchange:
    """One request on its way. ``phase`` is set by the transport, and is right at any moment, a cancellation included.

    Attributes:
        endpoint: Where it goes.
        headers: Signed headers with ``Host``, without ``Content-Length``, in the order in which they are sent.
        body: The encoded JSON.
        fresh: Asks for a connection that has not served before.
        parse: Reads the JSON of an answer of success, and checks it. None for orjson alone.
        patience: Seconds without a byte of the answer after which the transport gives up and closes the connection.
            None waits until the exchange is cancelled.
        answer_bytes: The largest answer that is believed.
        phase: ``NOT_SENT`` until a byte is given to the socket, then ``UNKNOWN``, then ``ANSWERED`` once a whole,
            checked answer is there.
        stale: Set by the transport where a connection that had served before was closed, or fell silent, without a byte
            of an answer: usually it was idle for too long, or forgotten on the way.
        waits_for: Set by the transport while the exchange waits for a connection: it knows the obstacle, where one is.
    """

    endpoint: Endpoint
    headers: Sequence[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)
    fresh: bool = False
    parse: ParseAnswer | None = field(default=None, repr=False)
    patience: float | None = None
    answer_bytes: int = MAX_ANSWER_BYTES
    phase: Outcome = Outcome.NOT_SENT
    stale: bool = False
    waits_for: Awaited | None = field(default=None, repr=False)


@transient(eq=False, repr=False)
class Answer(Value):
    """A whole answer that passed every check: its checksum is right, and its body is a JSON object.

    Attributes:
        status: The HTTP status: 200, or 4xx and 5xx.
        headers: Lower-case names to values.
        payload: The parsed body, empty where an error status came without JSON.
        code: The service's error code without namespace, from the body or the header. Empty where there is none.
        distrust: Closes the connection that carried it, once that carries nothing. None where the transport cannot.
    """

    status: int
    headers: Mapping[str, str]
    payload: WirePayload = field(repr=False)
    code: str = ""
    distrust: Callable[[], None] | None = field(default=None, repr=False)


class Transport(Protocol):
    """Carries one exchange.

    It raises `TransportError`, whose ``outcome`` says whether the request may have arrived, and never a foreign error.
    """

    def exchange(self, exchange: Exchange, /) -> Coroutine[Any, Any, Answer]:
        """Send the request and return the whole, checked answer."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...
