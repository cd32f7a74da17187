"""The two services behind one client: tables, and their streams. They share signatures and differ in hosts."""

from __future__ import annotations

from typing import Final

STREAM_OPERATIONS: Final = frozenset({"DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"})
"""The operations of the streams' service. No operation of the tables' service has one of these names."""

_TABLES: Final = "DynamoDB_20120810."
_STREAMS: Final = "DynamoDBStreams_20120810."


def target_of(operation: str) -> str:
    """Return the ``X-Amz-Target`` of an operation."""
    return (_STREAMS if operation in STREAM_OPERATIONS else _TABLES) + operation
