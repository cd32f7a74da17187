"""The requests about streams, which the table's second service answers, and the changes that their records tell of."""

from mizzle_async.operations.streams.base import StreamOperation, table_of_stream
from mizzle_async.operations.streams.changes import (
    Change,
    ChangeKind,
    ChangeRecord,
    Delivery,
    Inserted,
    Modified,
    PartialChange,
    Removed,
)
from mizzle_async.operations.streams.decoding import ChangeDecoder
from mizzle_async.operations.streams.describe import (
    DescribeStream,
    DescribeTableStream,
    ListStreams,
    Shard,
    StreamDescription,
    TableStream,
)
from mizzle_async.operations.streams.events import EventRecord, records_of
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
    "Change",
    "ChangeDecoder",
    "ChangeKind",
    "ChangeRecord",
    "Delivery",
    "DescribeStream",
    "DescribeTableStream",
    "EventRecord",
    "GetRecords",
    "GetShardIterator",
    "Inserted",
    "ListStreams",
    "Modified",
    "PartialChange",
    "RawRecord",
    "RecordsPage",
    "Removed",
    "Shard",
    "ShardStart",
    "StreamDescription",
    "StreamOperation",
    "TableStream",
    "check_record",
    "records_of",
    "sequence_text",
    "table_of_stream",
]
