"""GetShardIterator and GetRecords: a position in a shard, and a page of records from there."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import orjson
from attrs import field, frozen

from mizzle_async.errors import ExpressionError
from mizzle_async.marshalling import StreamForm, is_light
from mizzle_async.operations.answers import check_is_key, check_values, checked_payload, mismatch
from mizzle_async.operations.streams.base import StreamOperation, is_number, table_of_stream
from mizzle_async.types import WirePayload
from mizzle_async.values import Value

ShardStart: TypeAlias = Literal["TRIM_HORIZON", "LATEST", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "AT_TIMESTAMP"]
"""The kinds of positions in a shard."""

RawRecord: TypeAlias = dict[str, Any]
"""A record of a stream in the service's JSON, as it is or as `StreamForm` parses it; binary is base64 text."""

RECORDS_LIMIT: Final = 1000
"""The records of one page at most."""

IMAGES: Final = frozenset({"OldImage", "NewImage"})

EVENTS: Final = frozenset({"INSERT", "MODIFY", "REMOVE"})

_BODY_BYTES: Final = "BodyBytes"
"""The member of a parsed answer that holds the length of its JSON: the service answers no such member."""


@frozen(eq=False, repr=False)
class GetShardIterator(StreamOperation[str]):
    """Ask for an iterator: a position in a shard that is good for 15 minutes.

    Attributes:
        stream_arn: The stream's Amazon Resource Name.
        shard: The shard's name.
        kind: The kind of position.
        sequence_number: The record's number, for ``AT_SEQUENCE_NUMBER`` and ``AFTER_SEQUENCE_NUMBER`` alone. The text
            that the service wrote is best: numbers compare as integers, but some engines write leading zeros, and find
            no number without them.
        at: The time, for ``AT_TIMESTAMP`` alone: aware. It is sent floored to the second, because the times of records
            are: an iterator at 12:00:00.7 would miss the record of 12:00:00.9, whose time is 12:00:00.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html
    """

    api = "GetShardIterator"

    stream_arn: str
    shard: str
    kind: ShardStart
    sequence_number: int | str | None = None
    at: datetime | None = None
    _table: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_table", table_of_stream(self.stream_arn))
        if (self.sequence_number is not None) != self.kind.endswith("SEQUENCE_NUMBER"):
            raise ExpressionError(f"{self.kind} and sequence_number={self.sequence_number} do not belong together")
        if (self.at is not None) != (self.kind == "AT_TIMESTAMP"):
            raise ExpressionError(f"{self.kind} and at={self.at} do not belong together")
        if self.at is not None and self.at.tzinfo is None:
            raise ExpressionError("at= must be an aware datetime: a naive one names no instant")

    @property
    def table(self) -> str:
        """The stream's table."""
        return self._table

    def to_wire(self) -> WirePayload:
        """Return the request's exact JSON."""
        wire: WirePayload = {"StreamArn": self.stream_arn, "ShardId": self.shard, "ShardIteratorType": self.kind}
        if self.sequence_number is not None:
            number = self.sequence_number
            wire["SequenceNumber"] = sequence_text(number) if isinstance(number, int) else number
        if self.at is not None:
            wire["Timestamp"] = math.floor(self.at.timestamp())
        return wire

    def result(self, payload: WirePayload) -> str:
        """Return the iterator."""
        return _iterator(payload["ShardIterator"])


def _counted(records: tuple[RawRecord, ...]) -> str:
    """Show no values."""
    return str(len(records))


@frozen(eq=False, repr=False)
class RecordsPage(Value):
    """A page of a shard's records.

    Attributes:
        records: The records, in their order.
        next_iterator: The position after them, or None where the shard is closed and this page is its last: it may hold
            records all the same.
        size: The bytes of the answer's JSON: for the limits of buffers.
    """

    records: tuple[RawRecord, ...] = field(repr=_counted)
    next_iterator: str | None = field(repr=False)
    size: int


@frozen(eq=False, repr=False)
class GetRecords(StreamOperation[RecordsPage]):
    """Read a page of records: at most 1,000 of them, or 1 MB.

    Attributes:
        iterator: The position, from `GetShardIterator` or the page before.
        limit: The number of records at most.
        table_name: The table, for errors and throttle state.
        form: The lighter form in which a decoder of changes takes records, None for plain JSON.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
    """

    api = "GetRecords"

    iterator: str = field(repr=False)
    limit: int = RECORDS_LIMIT
    table_name: str = field(default="", kw_only=True)
    form: StreamForm | None = field(default=None, kw_only=True, repr=False)

    @property
    def table(self) -> str:
        """The stream's table, where the caller names it."""
        return self.table_name

    def to_wire(self) -> WirePayload:
        """Return the request's exact JSON."""
        return {"ShardIterator": self.iterator, "Limit": self.limit}

    def _parse(self, body: bytes, /) -> WirePayload:
        parsed: Any = orjson.loads(body) if self.form is None else self.form.parse(body)
        payload = checked_payload(self.api, parsed, self._check)
        payload[_BODY_BYTES] = len(body)
        return payload

    def _check(self, payload: WirePayload) -> None:
        following = payload.get("NextShardIterator")
        if following is not None:
            _iterator(following)
        records = payload["Records"]
        if type(records) is not list or len(records) > self.limit:
            raise mismatch("it lists something else than records, or more of them than were asked for")
        for record in records:
            check_record(record)
            if self.form is not None and not is_light(record):
                for image in IMAGES & record["dynamodb"].keys():
                    check_values(record["dynamodb"][image])
            if not is_number(record["dynamodb"]["SequenceNumber"]):
                raise mismatch("a record has no number")

    def result(self, payload: WirePayload) -> RecordsPage:
        """Return the page."""
        return RecordsPage(
            tuple(payload["Records"]), payload.get("NextShardIterator") or None, payload.get(_BODY_BYTES, 0)
        )


def check_record(record: Any) -> None:
    """Raise an error unless a record says which item changed, and how.

    Raises:
        CorruptResponseError: The keys are no key's.
        LookupError: A member is missing.
        TypeError: A member is of another type.
        ValueError: A member holds something else.
    """
    change = record["dynamodb"]
    if record["eventName"] not in EVENTS:
        raise ValueError
    if not change["Keys"]:
        raise LookupError
    check_is_key(change["Keys"])


def sequence_text(number: int) -> str:
    """Return a sequence number as the service and DynamoDB Local write it: 21 digits or more.

    The embedded engine writes 30: its numbers are kept as text.
    """
    return f"{number:021d}"


def _iterator(value: Any) -> str:
    if type(value) is not str or not value:
        raise TypeError
    return value
