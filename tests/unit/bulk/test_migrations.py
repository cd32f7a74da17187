import orjson
import pytest

from mizzle_async import (
    Attribute,
    BatchError,
    Client,
    ConditionalCheckFailedError,
    PartitionKey,
    ThrottledError,
    attribute,
    entity,
    evolve,
)
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.stub import StubCaller


@entity("rows")
class Row:
    name: PartitionKey[str]
    count: Attribute[int] = attribute(default=0)
    text: Attribute[str | None] = attribute(default=None)


ITEM = {"name": {"S": "a"}, "count": {"N": "1.0"}, "other": {"S": "kept"}}
GONE = ConditionalCheckFailedError("gone", code="ConditionalCheckFailedException")
CHANGED = ConditionalCheckFailedError("changed", code="ConditionalCheckFailedException", item=ITEM)


def rewrite(change, replies, **options):
    """Rewrite the one item of a table; return the report, or the error, and the operations sent."""
    caller = StubCaller({"Scan": {"Items": [ITEM], "Count": 1, "ScannedCount": 1}, **replies})

    async def main():
        async with Client(caller=caller) as client:
            try:
                return await client.table(Row).scan().rewrite(change, **options)
            except BatchError as error:
                return error

    return run_virtual(main()), caller


def add_one(row):
    """Count one more."""
    return evolve(row, count=row.count + 1)


def test_update_is_guarded_by_what_was_read():
    """The smallest update goes out, on condition that what it changes is as it was read."""
    answer = {"Attributes": {**ITEM, "count": {"N": "2"}}}
    report, caller = rewrite(lambda row: evolve(row, count=2, text="new"), {"UpdateItem": answer})
    assert (report.written, report.taken) == (1, 1)
    body = caller.payloads[-1]
    names = body["ExpressionAttributeNames"]
    condition = body["ConditionExpression"]
    for short, name in names.items():
        condition = condition.replace(short, name)
    assert "attribute_not_exists(text)" in condition
    assert {"N": "1.0"} in body["ExpressionAttributeValues"].values()
    assert "other" not in names.values()


def test_item_that_is_gone_is_left_alone():
    """An item that was deleted meanwhile, before or after a conflict, is not made again."""
    report, _ = rewrite(add_one, {"UpdateItem": GONE})
    assert (report.written, report.unchanged) == (0, 1)
    report, caller = rewrite(add_one, {"UpdateItem": CHANGED, "BatchGetItem": {"Responses": {"rows": []}}})
    assert report.unchanged == 1
    assert caller.operations == ["Scan", "UpdateItem", "BatchGetItem"]


def test_no_difference_is_no_request():
    """A change that leaves an item as it is costs nothing."""
    report, caller = rewrite(lambda row: row, {})
    assert report.unchanged == 1
    assert caller.operations == ["Scan"]


def test_endless_conflict_is_named():
    """An item that somebody changes all the time is given up after ten tries, by its key."""
    error, caller = rewrite(add_one, {"UpdateItem": CHANGED, "BatchGetItem": {"Responses": {"rows": [ITEM]}}})
    assert isinstance(error, BatchError)
    assert error.report.failed[0].item.item == {"name": {"S": "a"}}
    assert caller.operations.count("UpdateItem") == 10


def test_a_throttled_update_is_repeated_while_it_has_time():
    """A migration that its table throttles goes on when it may, and has not to be begun again."""
    refused = [ThrottledError("too fast")] * 5
    done = {"Attributes": {**ITEM, "count": {"N": "2"}}}
    asked = []
    report, caller = rewrite(lambda row: asked.append(row) or add_one(row), {"UpdateItem": [*refused, done]})
    assert (report.written, report.taken, len(asked)) == (1, 1, 1)
    assert caller.operations == ["Scan", *["UpdateItem"] * 6]
    error, _ = rewrite(add_one, {"UpdateItem": [*refused, done]}, timeout=0.01)
    assert isinstance(error, BatchError)


def test_a_throttled_update_that_may_have_been_applied_is_not_repeated():
    """Its own success would fail its condition, and the item be read and changed once more: it is told as unknown."""
    error, caller = rewrite(add_one, {"UpdateItem": ThrottledError("too fast", ambiguous=True)})
    assert isinstance(error, BatchError)
    assert (len(error.report.unknown), len(error.report.failed)) == (1, 0)
    assert caller.operations == ["Scan", "UpdateItem"]


def test_throttled_update_stops_or_is_handed_on():
    """What the service refuses for its rate, after all retries, is a failure like any other."""
    error, _ = rewrite(add_one, {"UpdateItem": ThrottledError("too fast")})
    assert isinstance(error, BatchError)
    rejected = []
    report, _ = rewrite(add_one, {"UpdateItem": ThrottledError("too fast")}, on_error=rejected.append)
    assert report.rejected == len(rejected) == 1
    assert report.is_complete


def test_function_for_errors_that_fails_stops():
    """A function that was to hear of failures, and fails itself, stops the work; its item is accounted for."""

    def fail(_undone):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rewrite(add_one, {"UpdateItem": ThrottledError("too fast")}, on_error=fail)


def test_answer_about_what_was_not_asked_is_corrupt(table):
    """Writes that come back unprocessed and were never sent make the batch unknown, not done."""
    stranger = {"PutRequest": {"Item": {"name": {"S": "stranger"}}}}
    table.leave = lambda _number, _entries: [stranger]

    async def main():
        async with Client(caller=table.caller) as client:
            with pytest.raises(BatchError) as caught:
                await client.table(Row).put_many([Row(name="a")], timeout=0.2)
            return caught.value.report

    report = run_virtual(main())
    assert len(report.unknown) == 1


def test_batch_shows_what_it_sends():
    """A batch can be looked at like any operation, and the request is what is shown."""
    from mizzle_async.operations import BatchWrite, put_entry  # noqa: PLC0415  (not public)

    rows = Client().table(Row)
    entry = put_entry(rows.target, rows.target.codec.encode(Row(name="a")), None, 0)
    batch = BatchWrite(rows.target, [entry])
    assert batch.to_wire() == orjson.loads(batch.sending.to_request().body)
    assert batch.to_wire()["RequestItems"]["rows"] == [
        {"PutRequest": {"Item": {"name": {"S": "a"}, "count": {"N": "0"}}}}
    ]
