"""The base of requests about streams: read-only operations of the table's second service.

They belong to no entity, so they have no target: the caller hands them to a client's runtime, which sends them as it
sends every operation.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final, Generic, TypeGuard, TypeVar

import orjson
from attrs import field, frozen

from mizzle_async.errors import ExpressionError
from mizzle_async.operations.answers import checked_payload
from mizzle_async.operations.sending import Sending
from mizzle_async.operations.target import BindTarget
from mizzle_async.types import (
    MAX_ANSWER_BYTES,
    STREAM_INDEX,
    RepeatSafety,
    Sendable,
    WirePayload,
    WireRequest,
    WireResponse,
)
from mizzle_async.values import Value

ResultT_co = TypeVar("ResultT_co", covariant=True)

_NUMBER: Final = re.compile(r"[0-9]{1,128}")
"""A sequence number: the service's have up to 40 digits, those of Kinesis 56."""

_ARN: Final = re.compile(r"arn:[^:]+:dynamodb:[^:]*:[^:]*:table/([^/]+)/stream/[^/]+")


def table_of_stream(stream_arn: object) -> str:
    """Return the name of the table that a stream belongs to.

    Args:
        stream_arn: The stream's Amazon Resource Name.

    Raises:
        ExpressionError: It is no stream's.
    """
    named = _ARN.fullmatch(stream_arn) if isinstance(stream_arn, str) else None
    if named is None:
        raise ExpressionError(f"{stream_arn!r} is not the ARN of a stream: it ends in table/NAME/stream/LABEL")
    return named[1]


def is_number(text: object) -> TypeGuard[str]:
    """Return whether this is a sequence number as a service writes it."""
    return isinstance(text, str) and _NUMBER.fullmatch(text) is not None


class StreamSending(Sending[ResultT_co]):
    """How a request about a stream is sent: it reads, has no client of its own, and every failure stands."""

    __slots__ = ()

    def __init__(self, operation: StreamOperation[ResultT_co]) -> None:
        self._operation: Any = operation

    @property
    def is_detached(self) -> bool:
        """Return False: it never belongs to a client."""
        return False

    def bound(self, bind: BindTarget) -> Any:
        """Return the operation as it is."""
        del bind
        return self._operation

    @property
    def entity_names(self) -> None:
        """None: a stream is about a table, not about an entity."""
        return

    @property
    def safety(self) -> RepeatSafety:
        """It reads."""
        return RepeatSafety.READ

    @property
    def settled(self) -> bool:
        """Whether the result is known without a request: never."""
        return False

    def opening(self, now: float, /) -> WireRequest:
        """Return the wire request, encoded: it does not depend on the time."""
        del now
        return self.to_request()

    def begin(self, now: float, /) -> None:
        """Do nothing: the request does not depend on the time."""

    def from_wire(self, response: WireResponse, now: float, /) -> ResultT_co:
        """Turn the answer into the result."""
        del now
        result: ResultT_co = self._operation.result(response.parsed)
        return result

    def recover(self, error: Exception, now: float, /) -> ResultT_co:
        """Raise the error."""
        del now
        raise error

    def follow_up(self, error: Exception, now: float, /) -> None:
        """Return None: the failure stands."""

    def look(self, error: Exception, /) -> None:
        """Return None: the failure stands."""

    def revised(self, error: Exception, item: Any, now: float, /) -> Sendable[ResultT_co] | None:
        """Return None: the failure stands."""


@frozen(eq=False, repr=False)
class StreamOperation(Value, Generic[ResultT_co]):
    """A request about a stream, built and checked, not yet sent.

    Attributes:
        timeout: Seconds for the whole call, or None for the client's.
    """

    api: ClassVar[str]
    """The API's name, such as ``GetRecords``."""

    timeout: float | None = field(default=None, kw_only=True)

    @property
    def table(self) -> str:
        """The table that it is about, empty where none is known."""
        return ""

    def to_wire(self) -> WirePayload:
        """Return the request's exact JSON."""
        raise NotImplementedError

    def result(self, payload: WirePayload) -> ResultT_co:
        """Return the result of a checked answer."""
        raise NotImplementedError

    @property
    def sending(self) -> StreamSending[ResultT_co]:
        """How the client sends this operation."""
        return StreamSending(self)

    def _check(self, payload: WirePayload) -> None:
        """Raise an error for an answer that cannot be the one to this request; any exception means the same."""
        self.result(payload)

    def _parse(self, body: bytes, /) -> WirePayload:
        """Read the JSON of an answer of success, and check it.

        Raises:
            ValueError: It is not JSON.
            CorruptResponseError: It cannot be the answer to this request.
        """
        return checked_payload(self.api, orjson.loads(body), self._check)

    def _to_request(self) -> WireRequest:
        return WireRequest(
            self.api,
            orjson.dumps(self.to_wire()),
            self.table,
            RepeatSafety.READ,
            STREAM_INDEX,
            self.timeout,
            parse=self._parse,
            answer_bytes=MAX_ANSWER_BYTES,
        )

    def __str__(self) -> str:
        return f"{self.api} {self.table}".rstrip()
