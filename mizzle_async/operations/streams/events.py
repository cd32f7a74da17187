"""The events that AWS Lambda and EventBridge Pipes deliver: records of a stream, or of a Kinesis stream that has them.

Source: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
from attrs import frozen

from mizzle_async.errors import ExpressionError, MizzleError
from mizzle_async.operations.streams.base import is_number
from mizzle_async.operations.streams.read import RawRecord, check_record
from mizzle_async.table_names import asked_table, name_of_table
from mizzle_async.values import Record

_DYNAMODB: Final = "aws:dynamodb"
_KINESIS: Final = "aws:kinesis"


@frozen(eq=False, repr=False)
class EventRecord(Record):
    """A record of an event.

    Attributes:
        record: The record in the service's JSON.
        number: Its sequence number, by which a failure is reported: of the stream that delivered it.
    """

    record: RawRecord
    number: str


def records_of(event: object, table: str) -> list[EventRecord]:
    """Return the records of an event, in their order.

    Args:
        event: The event of a Lambda function, or the list of records that EventBridge Pipes makes of it.
        table: The name of the table at the service whose changes are expected.

    Raises:
        ExpressionError: It is another kind of event, or one of its records is of another table, or is none. No event
            is taken for an empty one.
    """
    entries: Any = event.get("Records") if isinstance(event, Mapping) else event
    if not isinstance(entries, list | tuple):
        raise ExpressionError(
            f"table {table!r}: this is no event of a stream: one has a list of records under 'Records', not"
            f" {type(entries).__name__}"
        )
    return [_record(entry, position, table) for position, entry in enumerate(entries)]


def _record(entry: Any, position: int, table: str) -> EventRecord:
    where = f"table {table!r}: record {position} of the event"
    if not isinstance(entry, Mapping):
        raise ExpressionError(f"{where} is {type(entry).__name__}, not a record of a stream")
    source = entry.get("eventSource")
    if source == _KINESIS or "kinesis" in entry:
        record, number = _of_kinesis(entry, where)
    elif "dynamodb" in entry and (source is None or source == _DYNAMODB):
        record = entry if isinstance(entry, dict) else dict(entry)
        body = record["dynamodb"]
        number = body.get("SequenceNumber") if isinstance(body, Mapping) else None
    else:
        raise ExpressionError(f"{where} is of {source!r}, not a record of DynamoDB")
    if not is_number(number):
        raise ExpressionError(f"{where} has no SequenceNumber, so that a failure at it could not be reported")
    try:
        check_record(record)
    except (MizzleError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise ExpressionError(f"{where} is no record of a change: it lacks its keys or its kind") from error
    for stored in _tables_of(record):
        if asked_table(stored, (table,)) is None:
            name = name_of_table(stored)
            raise ExpressionError(f"{where} is of table {name!r}: decode it with the handle of that table")
    return EventRecord(record, number)


def _of_kinesis(entry: Mapping[str, Any], where: str) -> tuple[RawRecord, Any]:
    """Return the record that a Kinesis record carries, and the number of the Kinesis record.

    Lambda puts its members under ``kinesis``; EventBridge Pipes leaves them where they are.
    """
    envelope = entry.get("kinesis", entry)
    try:
        record: Any = orjson.loads(b64decode(envelope["data"], validate=True))
        change, number = record["dynamodb"], envelope["sequenceNumber"]
    except (LookupError, TypeError, ValueError) as error:
        raise ExpressionError(f"{where} is of Kinesis, and carries no change of DynamoDB") from error
    if type(record) is not dict or type(change) is not dict:
        raise ExpressionError(f"{where} is of Kinesis, and carries no change of DynamoDB")
    return record, number


def _tables_of(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table that a record says it is of: by its ARN, or by name where it came through Kinesis."""
    arn, name = record.get("eventSourceARN"), record.get("tableName")
    if isinstance(arn, str) and ":table/" in arn:
        yield arn
    if isinstance(name, str):
        yield name
