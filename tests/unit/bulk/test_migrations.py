import orjson
import pytest

from mizzle_async import (
    AppliedWriteError,
    Attribute,
    BatchError,
    CancellationReason,
    Client,
    ConditionalCheckFailedError,
    Heat,
    PartitionKey,
    ThrottledError,
    TransactionCanceledError,
    attribute,
    entity,
    evolve,
)
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.stub import StubCaller
from mizzle_async.writing.table_part import target_of


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


UNFIT = {"name": {"S": "b"}, "count": {"S": "many"}}


def scanned(*items, **replies):
    """Return a service whose scan returns these items."""
    return StubCaller({"Scan": {"Items": [*items], "Count": len(items), "ScannedCount": len(items)}, **replies})


def deleting(model, caller, *, on_error="raise", condition=None):
    """Delete everything that a scan returns; return the report or the error."""

    async def main():
        async with Client(caller=caller) as client:
            try:
                return await client.table(model).scan(on_error=on_error).delete_where(condition)
            except BatchError as error:
                return error

    return run_virtual(main())


def test_deletion_is_done_whatever_the_item_looked_like():
    """An item that does not fit its class is deleted as any other, and reported so; nothing is returned of it."""
    caller = scanned(ITEM, UNFIT, DeleteItem={})
    report = deleting(Row, caller)
    assert (report.written, report.taken, report.failed) == (2, 2, [])
    assert all("ReturnValues" not in body for body in caller.payloads[1:])


@entity("versioned")
class Versioned:
    name: PartitionKey[str]
    count: Attribute[int] = attribute(default=0)
    version: Attribute[int] = attribute(default=0, version=True)


@entity("singular")
class Singular:
    name: PartitionKey[str]
    email: Attribute[str] = attribute(unique=True)
    count: Attribute[int] = attribute(default=0)


def test_deletion_of_a_versioned_item_checks_what_is_stored():
    """The version is checked as it is stored, also where the item does not fit, or is older than its version."""
    caller = scanned({**UNFIT, "version": {"N": "7"}}, {"name": {"S": "old"}}, DeleteItem={})
    report = deleting(Versioned, caller)
    assert report.written == 2
    first, second = caller.payloads[1:]
    assert list(first["ExpressionAttributeValues"].values()) == [{"N": "7"}]
    assert second["ConditionExpression"] == "attribute_not_exists(#version)"


def test_deletion_gives_up_unique_values_as_they_are_stored():
    """The guards of an item that does not fit its class go with it; one that is gone meanwhile is unchanged."""
    item = {"name": {"S": "a"}, "email": {"S": "a@b.c"}, "count": {"S": "many"}}
    caller = scanned(item, TransactWriteItems={})
    report = deleting(Singular, caller)
    assert report.written == 1
    actions = caller.payloads[1]["TransactItems"]
    assert len(actions) == 2
    assert {next(iter(action)) for action in actions} == {"Delete"}
    reasons = (CancellationReason(None, "ConditionalCheckFailed"), CancellationReason(None, None))
    gone = TransactionCanceledError("cancelled", code="TransactionCanceledException", reasons=reasons)
    caller = scanned(item, TransactWriteItems=gone)
    report = deleting(Singular, caller)
    assert (report.written, report.unchanged) == (0, 1)


def test_rewrite_skips_what_the_scan_skips():
    """`on_error="skip"` leaves an item out that does not fit; a function takes it; else it is a failure."""

    async def main(on_error):
        caller = scanned(ITEM, UNFIT, UpdateItem={"Attributes": {**ITEM, "count": {"N": "2"}}})
        async with Client(caller=caller) as client:
            return await client.table(Row).scan(on_error=on_error).rewrite(add_one)

    report = run_virtual(main("skip"))
    assert (report.written, report.skipped, report.taken, report.failed) == (1, 1, 2, [])
    unfit = []
    report = run_virtual(main(unfit.append))
    assert (report.written, report.skipped, len(unfit)) == (1, 1, 1)
    with pytest.raises(BatchError, match="MarshallingError"):
        run_virtual(main("raise"))


def test_rewrite_that_was_applied_is_done():
    """A change that was applied counts as written, also where the item in its answer does not fit its class."""
    report, _ = rewrite(add_one, {"UpdateItem": {"Attributes": {**UNFIT, "name": {"S": "a"}}}})
    assert (report.written, report.failed) == (1, [])


def test_write_that_was_applied_says_so_by_its_class():
    """`delete` and `update` of an item that does not fit raise an error that says that the write has happened."""

    async def main():
        caller = StubCaller({"DeleteItem": {"Attributes": UNFIT}, "UpdateItem": {"Attributes": UNFIT}})
        async with Client(caller=caller) as client:
            table = client.table(Row)
            for operation in (table.delete("b"), table.update("b").set(Row.text, "x")):
                with pytest.raises(AppliedWriteError, match="the write was applied"):
                    await operation

    run_virtual(main())


def test_migrations_report_units_of_reads_and_writes():
    """Units and requests are counted by kind, as the service reports them: of pages, of re-reads, of each write."""

    def consumed(units):
        return {"ConsumedCapacity": {"TableName": "rows", "CapacityUnits": units}}

    page = {"Items": [ITEM], "Count": 1, "ScannedCount": 1, **consumed(2.5)}
    again = {"Responses": {"rows": [ITEM]}, "ConsumedCapacity": [{"TableName": "rows", "CapacityUnits": 1.0}]}
    done = {"Attributes": {**ITEM, "count": {"N": "2"}}, **consumed(3.0)}
    report, caller = rewrite(add_one, {"Scan": page, "BatchGetItem": again, "UpdateItem": [CHANGED, done]})
    assert (report.read_requests, report.read_units) == (2, 3.5)
    assert (report.write_requests, report.write_units) == (2, 3.0)
    assert all(body["ReturnConsumedCapacity"] == "TOTAL" for body in caller.payloads)
    report = deleting(Row, StubCaller({"Scan": page, "DeleteItem": consumed(1.0)}))
    assert (report.read_requests, report.read_units) == (1, 2.5)
    assert (report.write_requests, report.write_units) == (1, 1.0)
    assert str(report) == "1 written, 2.5 read units, 1.0 write units"


def test_heat_sees_the_writes_of_migrations():
    """An instrument that counts heat sees each write of a migration with its partition key."""
    heat = Heat()
    caller = scanned(ITEM, DeleteItem={"ConsumedCapacity": {"TableName": "rows", "CapacityUnits": 4.0}})

    async def main():
        async with Client(caller=caller, instrument=heat) as client:
            await client.table(Row).scan().delete_where()

    run_virtual(main())
    assert [(key.key, key.units) for key in heat.report().keys] == [("a", 4.0)]


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
    from mizzle_async.operations.batches import BatchWrite, put_entry  # noqa: PLC0415  (not public)

    rows = Client().table(Row)
    entry = put_entry(target_of(rows), target_of(rows).codec.encode(Row(name="a")), None, 0)
    batch = BatchWrite(target_of(rows), [entry])
    assert batch.to_wire() == orjson.loads(batch.sending.to_request().body)
    assert batch.to_wire()["RequestItems"]["rows"] == [
        {"PutRequest": {"Item": {"name": {"S": "a"}, "count": {"N": "0"}}}}
    ]
