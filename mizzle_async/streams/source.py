"""The requests of a consumer: the shards of a stream, positions in them, and pages of records."""

from __future__ import annotations

from attrs import frozen

from mizzle_async.flow.pace import Spacing
from mizzle_async.flow.ports import PacingPort
from mizzle_async.marshalling import StreamForm
from mizzle_async.operations.streams import (
    RECORDS_LIMIT,
    DescribeStream,
    GetRecords,
    GetShardIterator,
    RecordsPage,
    Shard,
    StreamDescription,
    table_of_stream,
)
from mizzle_async.streams.starts import ShardPosition
from mizzle_async.values import Record


@frozen(eq=False, repr=False)
class Listing(Record):
    """All shards of a stream.

    Attributes:
        shards: The shards.
        view: The contents of its records, such as ``NEW_AND_OLD_IMAGES``.
        is_closed: Whether the stream is disabled: no shard comes after those.
    """

    shards: tuple[Shard, ...]
    view: str
    is_closed: bool


class StreamSource:
    """One stream of a client.

    Args:
        port: The client.
        arn: The stream's Amazon Resource Name.
        spacing: Spaces all descriptions of streams by this client.
        form: The lighter form of records, None where they are plain JSON.

    Attributes:
        arn: The stream's Amazon Resource Name.
        table: Its table.
        pages: Pages of records that were read.
        empty_pages: Those of them that had no records.
    """

    def __init__(self, port: PacingPort, arn: str, spacing: Spacing, form: StreamForm | None = None) -> None:
        self._port = port
        self._form = form
        self._spacing = spacing
        self.arn: str = arn
        self.table: str = table_of_stream(arn)
        self.pages: int = 0
        self.empty_pages: int = 0

    async def list(self) -> Listing:
        """Return all shards, from the first page to the last."""
        shards: list[Shard] = []
        after: str | None = None
        while True:
            page = await self._describe(DescribeStream(self.arn, after_shard=after))
            shards += page.shards
            after = page.last_shard
            if after is None:
                return Listing(tuple(shards), page.view, page.status == "DISABLED")

    async def children(self, shard: str) -> tuple[Shard, ...]:
        """Return the children of a shard, as far as the service lists them by themselves.

        DynamoDB Local ignores the filter, and other engines answer nothing: shards of other parents are left out.
        """
        page = await self._describe(DescribeStream(self.arn, children_of=shard))
        return tuple(each for each in page.shards if each.parent == shard)

    async def iterator(self, shard: str, position: ShardPosition) -> str:
        """Return an iterator at a position in a shard."""
        return await self._port.send(
            GetShardIterator(self.arn, shard, position.kind, sequence_number=position.sequence_number, at=position.at)
        )

    async def records(self, iterator: str) -> RecordsPage:
        """Return the page at an iterator."""
        page = await self._port.send(GetRecords(iterator, RECORDS_LIMIT, table_name=self.table, form=self._form))
        self.pages += 1
        if not page.records:
            self.empty_pages += 1
        return page

    async def _describe(self, operation: DescribeStream) -> StreamDescription:
        await self._spacing.wait(self._port.pause)
        return await self._port.send(operation)

    def __repr__(self) -> str:
        return f"<StreamSource {self.table!r}, {self.pages} pages>"
