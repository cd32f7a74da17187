"""The requests about streams: their exact JSON, their results, and the answers that cannot be theirs."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from mizzle_async import Client
from mizzle_async.errors import CorruptResponseError, ExpressionError, ResourceNotFoundError
from mizzle_async.operations.streams import (
    DescribeStream,
    DescribeTableStream,
    GetRecords,
    GetShardIterator,
    ListStreams,
    RecordsPage,
    Shard,
    StreamDescription,
    TableStream,
    sequence_text,
    table_of_stream,
)
from mizzle_async.testing.stub import StubCaller
from mizzle_async.types import RepeatSafety
from mizzle_async.wire.services import STREAM_OPERATIONS

ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/dev-orders/stream/2026-11-28T07:52:44.766"
SHARD = "shardId-00000001795852364789-6b3dbbf8"
CHILD = "shardId-00000001795852364999-6b3dbbf8"
DESCRIPTION = {
    "StreamDescription": {
        "StreamArn": ARN,
        "StreamStatus": "ENABLED",
        "StreamViewType": "KEYS_ONLY",
        "Shards": [
            {
                "ShardId": SHARD,
                "SequenceNumberRange": {
                    "StartingSequenceNumber": "000000000000000000001",
                    "EndingSequenceNumber": "1" + "0" * 39,
                },
            },
            {"ShardId": CHILD, "ParentShardId": SHARD, "SequenceNumberRange": {}},
        ],
        "LastEvaluatedShardId": CHILD,
    }
}


def record(number="000000000000000000007", name="INSERT", keys=None, **more):
    """Return a record as the service writes it."""
    change = {"SequenceNumber": number, "Keys": {"order_id": {"S": "a"}} if keys is None else keys}
    return {"eventID": "e", "eventName": name, "dynamodb": change | more}


def send(operation, answer):
    """Send an operation with a client whose service answers this; return the result and the request."""
    caller = StubCaller({operation.api: answer})

    async def main():
        async with Client(region_name="eu-west-1", caller=caller) as client:
            return await client.send(operation)

    return asyncio.run(main()), caller


def test_a_stream_is_described_page_by_page():
    """Shards have their parents and their numbers as integers; the next page begins after the last shard."""
    result, caller = send(DescribeStream(ARN, after_shard="shardId-before"), DESCRIPTION)
    assert result == StreamDescription(
        ARN, "ENABLED", "KEYS_ONLY", (Shard(SHARD, None, 1, 10**39), Shard(CHILD, SHARD, None, None)), CHILD
    )
    assert caller.payloads == [{"StreamArn": ARN, "ExclusiveStartShardId": "shardId-before"}]
    (request,) = caller.requests
    assert (request.table, request.index, request.safety) == ("dev-orders", "(stream)", RepeatSafety.READ)


def test_children_are_asked_for_by_the_filter():
    """The filter names the parent."""
    wire = DescribeStream(ARN, children_of=SHARD).to_wire()
    assert wire == {"StreamArn": ARN, "ShardFilter": {"Type": "CHILD_SHARDS", "ShardId": SHARD}}


def test_a_description_that_would_never_end_is_corrupt():
    """The same last shard twice, or another stream, is no answer to the request."""
    with pytest.raises(CorruptResponseError, match="the same last shard was answered twice"):
        send(DescribeStream(ARN, after_shard=CHILD), DESCRIPTION)
    with pytest.raises(CorruptResponseError, match="it describes another stream"):
        send(DescribeStream(ARN[:-1] + "7"), DESCRIPTION)


def test_the_latest_stream_of_a_table_is_known():
    """A table has a stream, a stream that was switched off, or none."""
    table = {"TableName": "orders", "LatestStreamArn": ARN}
    on = table | {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "OLD_IMAGE"}}
    assert send(DescribeTableStream("orders"), {"Table": on})[0] == TableStream(ARN, "OLD_IMAGE", is_enabled=True)
    assert send(DescribeTableStream("orders"), {"Table": table})[0] == TableStream(ARN, "", is_enabled=False)
    assert send(DescribeTableStream("orders"), {"Table": {"TableName": "orders"}})[0] is None
    with pytest.raises(CorruptResponseError, match="another table"):
        send(DescribeTableStream("orders"), {"Table": {"TableName": "invoices"}})


def test_a_table_that_is_named_by_arn_is_described_by_its_name():
    """The service answers with the name, whatever the request has; a table of another name is another one."""
    table = ARN.partition("/stream/")[0]
    name = table.rpartition("/")[2]
    described = {"Table": {"TableName": name, "LatestStreamArn": ARN}}
    assert send(DescribeTableStream(table), described)[0] == TableStream(ARN, "", is_enabled=False)
    listed = {"Streams": [{"StreamArn": ARN, "TableName": name, "StreamLabel": "x"}]}
    assert send(ListStreams(table), listed)[0] == (ARN,)
    with pytest.raises(CorruptResponseError, match="another table"):
        send(DescribeTableStream(table), {"Table": {"TableName": "invoices"}})


def test_streams_of_a_table_are_listed():
    """Their ARNs come in the service's order; those of another table are refused."""
    listed = {"Streams": [{"StreamArn": ARN, "TableName": "dev-orders", "StreamLabel": "x"}]}
    result, caller = send(ListStreams("dev-orders"), listed)
    assert (result, caller.payloads) == ((ARN,), [{"TableName": "dev-orders"}])
    with pytest.raises(CorruptResponseError, match="another table"):
        send(ListStreams("orders"), listed)


def test_positions_are_spelled_as_the_service_wants_them():
    """Numbers have 21 digits at least, texts stay as they are, and times are whole seconds since the epoch."""
    after = GetShardIterator(ARN, SHARD, "AFTER_SEQUENCE_NUMBER", 12)
    assert after.to_wire()["SequenceNumber"] == "000000000000000000012" == sequence_text(12)
    assert sequence_text(10**39) == "1" + "0" * 39
    padded = "000000017958523995050000000001"
    assert GetShardIterator(ARN, SHARD, "AT_SEQUENCE_NUMBER", padded).to_wire()["SequenceNumber"] == padded
    result, caller = send(GetShardIterator(ARN, SHARD, "TRIM_HORIZON"), {"ShardIterator": "i"})
    assert result == "i"
    assert caller.payloads == [{"StreamArn": ARN, "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}]


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30))])
def test_times_are_floored_to_the_second(zone):
    """The times of records are rounded down: an iterator at 0.7 s would miss the record of 0.9 s."""
    at = datetime(2026, 11, 28, 12, 0, 0, 999_999, tzinfo=zone)
    wire = GetShardIterator(ARN, SHARD, "AT_TIMESTAMP", at=at).to_wire()
    assert wire["Timestamp"] == int(at.replace(microsecond=0).timestamp())
    before_epoch = datetime(1969, 12, 31, 23, 59, 58, 500_000, tzinfo=UTC)
    assert GetShardIterator(ARN, SHARD, "AT_TIMESTAMP", at=before_epoch).to_wire()["Timestamp"] == -2


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("AFTER_SEQUENCE_NUMBER", {}),
        ("AT_TIMESTAMP", {}),
        ("TRIM_HORIZON", {"sequence_number": 1}),
        ("LATEST", {"at": datetime(2026, 1, 1, tzinfo=UTC)}),
        ("AT_TIMESTAMP", {"at": datetime(2026, 1, 1)}),  # noqa: DTZ001  (the refusal of it is tested)
    ],
)
def test_half_a_position_is_refused(kind, more):
    """A number or a time that is missing, or that does not belong there, is found before anything is sent."""
    with pytest.raises(ExpressionError):
        GetShardIterator(ARN, SHARD, kind, **more)


@pytest.mark.parametrize("arn", ["orders", None, "arn:aws:dynamodb:eu-west-1:1:table/orders", ARN + "/x"])
def test_the_arn_of_anything_else_is_refused(arn):
    """Only streams have shards."""
    with pytest.raises(ExpressionError, match="not the ARN of a stream"):
        DescribeStream(arn)
    assert table_of_stream(ARN.replace("aws", "aws-us-gov")) == "dev-orders"


def test_a_page_has_records_a_size_and_perhaps_an_end():
    """The last page of a closed shard has records, and no iterator."""
    page, caller = send(GetRecords("i"), {"Records": [record()], "NextShardIterator": "j"})
    assert (page.records, page.next_iterator) == ((record(),), "j")
    assert page.size == len('{"Records":[],"NextShardIterator":"j"}') + len(str(record()).replace(" ", ""))
    assert caller.payloads == [{"ShardIterator": "i", "Limit": 1000}]
    for ending in ({}, {"NextShardIterator": None}):
        assert send(GetRecords("i"), {"Records": [record()]} | ending)[0].next_iterator is None


def test_a_page_shows_no_values():
    """Neither records nor iterators are part of its repr: logs show no items."""
    page = RecordsPage((record(),), "iterator", 9)
    assert repr(page) == "RecordsPage(records=1, size=9)"
    assert "secret" not in repr(GetRecords("secret"))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"Records": None},
        {"Records": {}},
        {"Records": [{}]},
        {"Records": [record(number="12a")]},
        {"Records": [record(number=12)]},
        {"Records": [record(name="UPSERT")]},
        {"Records": [record(keys={})]},
        {"Records": [record(keys={"a": {"S": 7}})]},
        {"Records": [], "NextShardIterator": 7},
        {"Records": [], "NextShardIterator": ""},
        {"Records": [record(), record()]},
        {"ShardIterator": "i"},
    ],
)
def test_anything_else_than_a_page_is_corrupt(answer):
    """A record without keys, number or kind, or more records than asked for, is no answer."""
    with pytest.raises(CorruptResponseError):
        send(GetRecords("i", limit=1), answer)


@pytest.mark.parametrize("answer", [{}, {"ShardIterator": None}, {"ShardIterator": 7}, {"Records": []}])
def test_anything_else_than_an_iterator_is_corrupt(answer):
    """The iterator is a text."""
    with pytest.raises(CorruptResponseError):
        send(GetShardIterator(ARN, SHARD, "LATEST"), answer)


def test_a_missing_stream_is_not_called_a_missing_table():
    """The service names the stream or the shard; no table to be created is suggested."""
    error = ResourceNotFoundError("Requested resource not found: Shard", operation="GetShardIterator", table="orders")
    with pytest.raises(ResourceNotFoundError) as caught:
        send(GetShardIterator(ARN, SHARD, "LATEST"), error)
    assert "a stream or a shard does not exist" in str(caught.value)
    assert "ensure_tables" not in str(caught.value)


def test_the_wire_knows_which_operations_are_of_the_second_service():
    """The operations here and the wire's table of them are the same."""
    assert {DescribeStream.api, GetRecords.api, GetShardIterator.api, ListStreams.api} == STREAM_OPERATIONS
