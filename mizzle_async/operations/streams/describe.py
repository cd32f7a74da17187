"""DescribeStream and ListStreams: the streams of a table, and the shards of a stream."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from mizzle_async.operations.answers import mismatch
from mizzle_async.operations.streams.base import StreamOperation, is_number, table_of_stream
from mizzle_async.table_names import asked_table
from mizzle_async.types import WirePayload
from mizzle_async.values import Value


@frozen(eq=False, repr=False)
class Shard(Value):
    """A shard: a part of a stream, in which records have an order.

    Attributes:
        id: Its name within the stream.
        parent: The shard before it, or None. That one may not be listed any more.
        first: Its first sequence number, or None where the service does not say.
        last: Its last sequence number once it is closed, or None while it is open.
    """

    id: str
    parent: str | None
    first: int | None
    last: int | None


@frozen(eq=False, repr=False)
class StreamDescription(Value):
    """One page of a stream's description.

    Attributes:
        arn: Its Amazon Resource Name.
        status: ``ENABLING``, ``ENABLED``, ``DISABLING`` or ``DISABLED``.
        view: The contents of its records, such as ``NEW_AND_OLD_IMAGES``.
        shards: The shards of this page.
        last_shard: The shard after which the next page begins, or None after the last page.
    """

    arn: str
    status: str
    view: str
    shards: tuple[Shard, ...]
    last_shard: str | None


@frozen(eq=False, repr=False)
class DescribeStream(StreamOperation[StreamDescription]):
    """Describe a stream: one page of at most 100 shards.

    The service allows ten a second.

    Attributes:
        stream_arn: The stream's Amazon Resource Name.
        after_shard: Begin after this shard: the ``last_shard`` of the page before.
        children_of: Ask for the children of this shard alone. DynamoDB Local ignores it and answers with all shards, so
            that callers compare `Shard.parent`.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
    """

    api = "DescribeStream"

    stream_arn: str
    after_shard: str | None = None
    children_of: str | None = None
    _table: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_table", table_of_stream(self.stream_arn))

    @property
    def table(self) -> str:
        """The stream's table."""
        return self._table

    def to_wire(self) -> WirePayload:
        """Return the request's exact JSON."""
        wire: WirePayload = {"StreamArn": self.stream_arn}
        if self.after_shard is not None:
            wire["ExclusiveStartShardId"] = self.after_shard
        if self.children_of is not None:
            wire["ShardFilter"] = {"Type": "CHILD_SHARDS", "ShardId": self.children_of}
        return wire

    def result(self, payload: WirePayload) -> StreamDescription:
        """Return the description.

        Raises:
            CorruptResponseError: It is another stream's, or reading on from it would never end.
        """
        described = payload["StreamDescription"]
        if described["StreamArn"] != self.stream_arn:
            raise mismatch("it describes another stream")
        last = described.get("LastEvaluatedShardId") or None
        shards = tuple(map(_shard, described.get("Shards") or ()))
        if last is not None and (_text(last) == self.after_shard):
            raise mismatch("the same last shard was answered twice, so that reading would never end")
        return StreamDescription(
            self.stream_arn, _text(described["StreamStatus"]), _text(described["StreamViewType"]), shards, last
        )


@frozen(eq=False, repr=False)
class ListStreams(StreamOperation[tuple[str, ...]]):
    """List the streams of a table: the present one, and those that were disabled within the last day.

    A table has at most a few: one page is asked for. The service allows five requests a second.

    Attributes:
        table_name: The table's name at the service.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_ListStreams.html
    """

    api = "ListStreams"

    table_name: str

    @property
    def table(self) -> str:
        """The table."""
        return self.table_name

    def to_wire(self) -> WirePayload:
        """Return the request's exact JSON."""
        return {"TableName": self.table_name}

    def result(self, payload: WirePayload) -> tuple[str, ...]:
        """Return the streams' Amazon Resource Names.

        Raises:
            CorruptResponseError: One is another table's.
        """
        streams = payload["Streams"]
        if any(asked_table(each["TableName"], (self.table_name,)) is None for each in streams):
            raise mismatch("it lists streams of another table")
        return tuple(_text(each["StreamArn"]) for each in streams)


@frozen(eq=False, repr=False)
class TableStream(Value):
    """The stream that a table has now.

    Attributes:
        arn: Its Amazon Resource Name.
        view: The contents of its records, such as ``NEW_AND_OLD_IMAGES``.
        is_enabled: Whether it takes new records. A stream that was switched off can be read for a day.
    """

    arn: str
    view: str
    is_enabled: bool


@frozen(eq=False, repr=False)
class DescribeTableStream(StreamOperation[TableStream | None]):
    """Ask a table for its latest stream: DescribeTable. None where it never had one.

    Attributes:
        table_name: The table's name at the service.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html
    """

    api = "DescribeTable"

    table_name: str

    @property
    def table(self) -> str:
        """The table."""
        return self.table_name

    def to_wire(self) -> WirePayload:
        """Return the request's exact JSON."""
        return {"TableName": self.table_name}

    def result(self, payload: WirePayload) -> TableStream | None:
        """Return the stream, or None.

        Raises:
            CorruptResponseError: It describes another table.
        """
        table = payload["Table"]
        if asked_table(table["TableName"], (self.table_name,)) is None:
            raise mismatch("it describes another table")
        arn = table.get("LatestStreamArn")
        if not arn:
            return None
        specification = table.get("StreamSpecification") or {}
        view = specification.get("StreamViewType") or ""
        return TableStream(_text(arn), _text(view), specification.get("StreamEnabled") is True)


def _shard(entry: Any) -> Shard:
    numbers = entry.get("SequenceNumberRange") or {}
    parent = entry.get("ParentShardId") or None
    return Shard(
        _text(entry["ShardId"]),
        None if parent is None else _text(parent),
        _number(numbers.get("StartingSequenceNumber")),
        _number(numbers.get("EndingSequenceNumber")),
    )


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    return value


def _number(value: Any) -> int | None:
    """Return a sequence number: as text two of them do not compare, for they differ in length."""
    if value is None or value == "":
        return None
    if not is_number(value):
        raise ValueError
    return int(value)
