"""The requests about streams, which the table's second service answers."""

from mizzle_async.operations.streams.base import StreamOperation, table_of_stream
from mizzle_async.operations.streams.describe import (
    DescribeStream,
    DescribeTableStream,
    ListStreams,
    Shard,
    StreamDescription,
    TableStream,
)
from mizzle_async.operations.streams.read import (
    RECORDS_LIMIT,
    GetRecords,
    GetShardIterator,
    RawRecord,
    RecordsPage,
    ShardStart,
    check_record,
    sequence_text,
)

__all__ = [
    "RECORDS_LIMIT",
    "DescribeStream",
    "DescribeTableStream",
    "GetRecords",
    "GetShardIterator",
    "ListStreams",
    "RawRecord",
    "RecordsPage",
    "Shard",
    "ShardStart",
    "StreamDescription",
    "StreamOperation",
    "TableStream",
    "check_record",
    "sequence_text",
    "table_of_stream",
]
