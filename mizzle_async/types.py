"""The vocabulary that every layer shares: wire shapes, wire enums, and the Protocols at the borders.

Nothing here does anything, but for an answer that shows its JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import Any, Final, Protocol, TypeAlias, TypeVar, runtime_checkable

import orjson
from attrs import field, frozen
from msgspec import to_builtins

from mizzle_async.table_names import asked_table
from mizzle_async.values import Value, transient

AttributeValue: TypeAlias = dict[str, Any]
"""One value in DynamoDB's JSON: a dict with one entry, its type descriptor. Binary is base64 text, as on the wire."""

Item: TypeAlias = dict[str, AttributeValue]
"""An item in DynamoDB's JSON: attribute name to value."""

WRITE_ID_ATTRIBUTE: Final = "_write_id"
"""The attribute beside the version that holds the id of the write which made it: models never see it."""

STREAM_INDEX: Final = "(stream)"
"""Stands for an index in throttle state and instruments: a table's stream is throttled apart from the table."""

WirePayload: TypeAlias = dict[str, Any]
"""The body of a request or of an answer, as DynamoDB's JSON names it."""

MYPY: Final = False
"""True to mypy, which knows it by its name. Its ``truthy-bool`` refuses to test an object without ``__bool__``, pyright
an object whose ``__bool__`` never returns."""

ResultT_co = TypeVar("ResultT_co", covariant=True)


class RepeatSafety(Enum):
    """The effect of a second sending of the same request when the answer to the first one was lost."""

    READ = "read"
    """Nothing is changed: repeat."""

    IDEMPOTENT = "idempotent"
    """Sent twice it leaves the same as sent once, and it cannot fail for having succeeded: repeat."""

    TOKEN = "token"  # noqa: S105  (not a secret: the service recognises the request by its client request token)
    """The service recognises the repetition and applies it once: repeat."""

    GUARDED = "guarded"
    """Cannot be applied twice, but may fail on its own success: repeat, and the operation judges the failure."""

    UNSAFE = "unsafe"
    """Would be applied twice: never repeat once it may have arrived."""


class Outcome(Enum):
    """The knowledge about a request that failed."""

    NOT_SENT = "not sent"
    """No byte of it left, or none can have been applied."""

    UNKNOWN = "unknown"
    """It left, and no trustworthy answer came back."""

    ANSWERED = "answered"
    """The service answered that it was not applied."""


ParseAnswer: TypeAlias = Callable[[bytes], Any]
"""Reads the JSON of an answer of success, perhaps into a lighter form, and checks that it can be the answer.

It raises `ValueError` for bytes that are not JSON, and `CorruptResponseError` for JSON that cannot be the answer.
"""

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""The largest answer of any operation. The service reads at most 16 MB for one, and JSON adds names, types, base64."""


@transient(eq=False, repr=False)
class WireRequest(Value):
    """One call to the service, before it is signed: all that the I/O stack knows about an operation.

    Attributes:
        operation: The API's name, such as ``GetItem``.
        body: The encoded JSON.
        table: The table it is about, for messages and throttle state. Several are joined by ``", "``.
        safety: Whether it may be repeated after a lost answer.
        index: The index it reads, for throttle state.
        timeout: Seconds for the whole call, or None for the client's.
        parse: Reads the JSON of an answer of success, and checks it. None for orjson alone.
        answer_bytes: The largest answer that is believed.
        token_age: Seconds since an earlier call first sent its client request token.
    """

    operation: str
    body: bytes = field(repr=False)
    table: str
    safety: RepeatSafety
    index: str | None = None
    timeout: float | None = None
    parse: ParseAnswer | None = field(default=None, repr=False)
    answer_bytes: int = MAX_ANSWER_BYTES
    token_age: float = 0.0


@transient(eq=False, repr=False)
class WireResponse(Value):
    """The checked answer to a `WireRequest`.

    Attributes:
        parsed: The parsed JSON, whose items may be records in place of dicts.
        request_id: The service's own, for support. Empty when it sent none.
        attempts: How many requests were sent.
        ambiguous: Whether an earlier attempt may have been applied without our knowing.
        distrust: Closes the connection that carried the answer, where the payload turns out to be no answer. None where
            no connection of ours carried it.
        kept: The answer's JSON, or what `payload` has made of it. None where no instrument asks.
    """

    parsed: WirePayload = field(repr=False, alias="payload")
    request_id: str = ""
    attempts: int = 1
    ambiguous: bool = False
    distrust: Callable[[], None] | None = field(default=None, repr=False)
    kept: bytes | WirePayload | None = field(default=None, repr=False)

    @property
    def payload(self) -> WirePayload:
        """The JSON. Where it was not kept, the parsed one, with items as dicts from now on."""
        plain: WirePayload
        if self.kept is None:
            plain = self.parsed = to_builtins(self.parsed)  # type: ignore[misc]  # frozen for type checkers only
        else:
            plain = self.kept if isinstance(self.kept, dict) else orjson.loads(self.kept)
            self.kept = plain  # type: ignore[misc]  # as above
        return plain


@frozen(eq=False, repr=False)
class ThrottlingReason(Value):
    """Why the service throttled: ``reason`` is its word (``TableReadKeyRangeThroughputExceeded``)."""

    reason: str
    resource: str

    @property
    def hot_key(self) -> bool:
        """Whether one range of keys is hot, rather than the table, the index or the account as a whole."""
        return self.reason.endswith("KeyRangeThroughputExceeded")


@runtime_checkable
class Instrument(Protocol):
    """An object for ``Client(instrument=…)`` that watches calls. Every method is called synchronously on the loop.

    Values of attributes are not passed to it, unless it has the second method, ``call_answered(request, answer)``: that
    gets the operation, and the checked answer of the service.
    """

    def call_finished(self, call: CallRecord) -> None:
        """Called after each call, whether it succeeded or failed."""


@runtime_checkable
class AnswerInstrument(Protocol):
    """The optional second method of an `Instrument`: it gets each operation with its answer, values included."""

    def call_answered(self, request: Sendable[Any], answer: WireResponse) -> None:
        """Called after each call that the service answered with success.

        Args:
            request: The operation that was sent.
            answer: The checked answer.
        """


@runtime_checkable
class PoolInstrument(Protocol):
    """Another optional method of an `Instrument`: it gets the client's numbers, and may ask for them at any time."""

    def client_opened(self, statistics: Callable[[], Any]) -> None:
        """Called when the client has opened.

        Args:
            statistics: Returns the `PipelineStatistics` of the moment, in any thread. It belongs to what was opened:
                a reference that keeps it alive keeps the connections.
        """


@runtime_checkable
class HandlerInstrument(Protocol):
    """Another optional method of an `Instrument`: it opens a span around each handler of changes."""

    def handler_span(self, handler: HandlerRecord) -> AbstractContextManager[object]:
        """Return a context in which the handler runs. An error of the handler passes through it.

        Args:
            handler: The changes that it is about to be given.
        """
        ...


@transient(eq=False, repr=False)
class HandlerRecord(Value):
    """The changes that a handler is about to be given, without their values.

    Attributes:
        table: The table at the service.
        consumer: The name of the consumer, or None where it keeps no positions.
        shard: The shard.
        number: The sequence number of the first change.
        changes: How many they are.
        attempt: The attempt, from 1.
    """

    table: str
    consumer: str | None
    shard: str
    number: str
    changes: int
    attempt: int


@transient(eq=False, repr=False)
class CallRecord(Value):
    """One finished call, as an `Instrument` sees it.

    Attributes:
        operation: The API's name.
        table: The table or tables.
        index: The index, if one was read; ``(stream)`` where the table's stream was.
        seconds: The whole call: waiting, attempts and pauses.
        attempts: Requests sent.
        request_id: The service's own.
        error: The error the call raised, or None.
        consumed_capacity: ``ConsumedCapacity`` as answered, when it was asked for: of batches and transactions one
            for each table.
        is_read: Whether it was a read, so that its units are read units.
        failures: Why attempts failed that were followed by another one: the service's codes, or classes of errors.
    """

    operation: str
    table: str
    index: str | None
    seconds: float
    attempts: int
    request_id: str
    error: BaseException | None
    consumed_capacity: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    is_read: bool = False
    failures: tuple[str, ...] = ()

    @property
    def units(self) -> dict[str, float]:
        """Capacity units by table, as the request names it. A call whose answer reports none has none."""
        reported = self.consumed_capacity
        if reported is None:
            return {}
        units: dict[str, float] = {}
        for part in (reported,) if isinstance(reported, Mapping) else reported:
            answered = part.get("TableName") or self.table
            table = answered if answered == self.table else asked_table(answered, self.table.split(", ")) or answered
            units[table] = units.get(table, 0.0) + (part.get("CapacityUnits") or 0.0)
        return units

    @property
    def read_units(self) -> float:
        """Read units of all tables, 0 of a write."""
        return sum(self.units.values()) if self.is_read else 0.0

    @property
    def write_units(self) -> float:
        """Write units of all tables, 0 of a read."""
        return 0.0 if self.is_read else sum(self.units.values())


class Sender(Protocol):
    """The sender that an operation is given. It is dropped when the operation is pickled."""

    async def send(self, operation: Sendable[ResultT_co], /) -> ResultT_co:
        """Send one operation and return its result."""
        ...


class Sendable(Protocol[ResultT_co]):
    """An operation, which the client sends by the steps behind this one attribute."""

    @property
    def sending(self) -> SendingSteps[ResultT_co]:
        """How the operation is sent. Asking for it counts as using the operation."""
        ...


class SendingSteps(Protocol[ResultT_co]):
    """The steps by which an operation is sent. All of them are pure."""

    @property
    def is_detached(self) -> bool:
        """Whether the operation came out of a pickle, and belongs to no client yet."""
        ...

    def bound(self, bind: Callable[[Any], Any], /) -> Any:
        """Return the operation with the targets of the client that sends it."""
        ...

    @property
    def entity_names(self) -> str | None:
        """The entity, or the entities, that the operation is about, for errors."""
        ...

    @property
    def settled(self) -> bool:
        """Whether the result is known without a request."""
        ...

    def result(self) -> ResultT_co:
        """Return the result of a settled operation."""
        ...

    def opening(self, now: float, /) -> WireRequest | None:
        """Return the wire request of an operation that is about to be sent, None where it is settled or detached."""
        ...

    def begin(self, now: float, /) -> None:
        """Note that the operation is about to be sent, at this time in seconds since the epoch."""
        ...

    def to_request(self) -> WireRequest:
        """Return the wire request, encoded."""
        ...

    def from_wire(self, response: WireResponse, now: float, /) -> ResultT_co:
        """Turn the answer into the result."""
        ...

    def recover(self, error: Exception, now: float, /) -> ResultT_co:
        """Judge a failure: raise its meaning, or return the result where it means success."""
        ...

    def follow_up(self, error: Exception, now: float, /) -> Sendable[Any] | None:
        """Return the operation to send before this one is sent once more, or None where the failure stands."""
        ...

    def look(self, error: Exception, /) -> Sendable[Any] | None:
        """Return the read that `revised` takes the result of, or None where it takes none."""
        ...

    def revised(self, error: Exception, item: Any, now: float, /) -> Sendable[ResultT_co] | None:
        """Return the operation to send in place of this one, which failed, or None where the failure stands."""
        ...


class Caller(Protocol):
    """The I/O stack as the composition layer sees it."""

    async def call(self, request: WireRequest, /) -> WireResponse:
        """Make one call: sign, send, check, retry, under one deadline."""
        ...
