"""The use that a block of code makes of a client: numbers, tasks, limits, and where blocks end."""

import asyncio
import contextvars

import orjson
import pytest

from mizzle_async import (
    Attribute,
    BatchError,
    Client,
    ClientStateError,
    ConditionalCheckFailedError,
    ExpressionError,
    LimitError,
    PartitionKey,
    ThrottledError,
    entity,
)
from mizzle_async.testing import StubCaller, StubTransport
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Reply


@entity("notes")
class Note:
    name: PartitionKey[str]
    text: Attribute[str]


@entity("tags")
class Tag:
    name: PartitionKey[str]


def units(number, table="notes"):
    """Make the part of an answer that reports capacity."""
    return {"TableName": table, "CapacityUnits": number}


def asks(request):
    """Return whether a request asks for its capacity."""
    return orjson.loads(request.body).get("ReturnConsumedCapacity") == "TOTAL"


REPLIES = {
    "GetItem": {"ConsumedCapacity": units(0.5)},
    "PutItem": {"ConsumedCapacity": units(2.0)},
    "Query": {"Items": [], "Count": 0, "ScannedCount": 4, "ConsumedCapacity": units(3.0)},
    "BatchWriteItem": {"ConsumedCapacity": [units(4.0)]},
}


@pytest.fixture
def stub():
    """A service that answers, and reports what the answers cost."""
    return StubCaller(REPLIES)


@pytest.fixture
async def client(stub):
    """An open client of that service."""
    async with Client(caller=stub) as opened:
        yield opened


async def test_a_block_counts_calls_and_units(client, stub):
    """The numbers are those of the block, of reads and of writes, together and by table."""
    notes = client.table(Note)
    await notes.get("before")
    with client.usage() as used:
        await notes.get("a")
        await notes.put(Note(name="a", text="x"))
        page = await notes.query(Note.name == "a").page()
        assert (used.calls, used.requests, used.retries) == (3, 3, 0)
    await notes.get("after")
    assert (used.calls, used.read_units, used.write_units) == (3, 3.5, 2.0)
    assert used.seconds >= 0
    assert list(used.tables) == ["notes"]
    table = used.tables["notes"]
    assert (table.calls, table.read_units, table.write_units) == (3, 3.5, 2.0)
    assert page.read_units == 3.0
    assert repr(used).startswith("<Usage: 3 calls, 3 requests, 0 retries, ")
    assert repr(used).endswith(" s, 3.5 read units, 2 write units>")
    assert [asks(request) for request in stub.requests] == [False, True, True, True, False]


async def test_a_request_that_asks_already_is_left_as_it_is(client, stub):
    """Batches ask by themselves, and an attribute that is called as the parameter is an attribute."""
    with client.usage() as used:
        await client.table(Note).put_many([Note(name="a", text='"ReturnConsumedCapacity"')])
        await client.table("any", partition_key="ReturnConsumedCapacity").get("a")
    bodies = [request.body for request in stub.requests]
    assert bodies[0].count(b'"ReturnConsumedCapacity"') == 1
    assert orjson.loads(bodies[1])["Key"] == {"ReturnConsumedCapacity": {"S": "a"}}
    assert asks(stub.requests[1])
    assert used.write_units == 4.0


async def test_tasks_that_are_started_inside_count(client):
    """Gathered reads and tasks are of the block in which they were started, tasks from before are not."""
    notes = client.table(Note)
    begin = asyncio.Event()

    async def later():
        await begin.wait()
        await notes.get("later")

    outside = asyncio.create_task(later())
    with client.usage() as used:
        await asyncio.gather(*(notes.get(name) for name in "abc"))
        await asyncio.create_task(notes.get("d").send())
        begin.set()
        await outside
    assert used.calls == 4


async def test_blocks_in_blocks_count_both(client):
    """An inner block is part of the outer one, in whichever order they end."""
    notes = client.table(Note)
    with client.usage() as outer:
        await notes.get("a")
        with client.usage() as inner:
            await notes.get("b")
    assert (outer.calls, inner.calls) == (2, 1)
    first, second = client.usage(), client.usage()
    with first:
        second.__enter__()
    await notes.get("c")
    second.__exit__(None, None, None)
    assert (first.calls, second.calls) == (0, 1)


async def test_clients_count_their_own_calls(client, stub):
    """A block of one client does not count the calls of another."""
    async with Client(caller=stub) as other:
        with client.usage() as used, other.usage() as others:
            await other.table(Note).get("a")
    assert (used.calls, others.calls) == (0, 1)


async def test_failures_count_as_calls(client, stub):
    """A call that fails or is cancelled has been made, and its error is the block's own."""
    hanging = asyncio.Event()

    async def hang(_request):
        hanging.set()
        await asyncio.Event().wait()

    stub.on("PutItem", ConditionalCheckFailedError("no"))
    with pytest.raises(ConditionalCheckFailedError), client.usage() as used:
        await client.table(Note).put(Note(name="a", text="x")).when(Note.text == "y")
    assert (used.calls, used.requests, used.write_units) == (1, 1, 0.0)
    stub.call = hang
    with client.usage() as used:
        task = asyncio.create_task(client.table(Note).get("a").send())
        await hanging.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (used.calls, used.requests) == (1, 1)


async def test_a_used_up_limit_stops_the_next_call(client, stub):
    """Once the units are consumed the next read is refused before it is sent; writes have a limit of their own."""
    notes = client.table(Note)
    with client.usage(max_read_units=1) as used:
        await notes.get("a")
        await notes.get("b")
        with pytest.raises(LimitError, match=r"used 1 of 1 read units.* \[GetItem, Note, table 'notes'\]$"):
            await notes.get("c")
        await notes.put(Note(name="a", text="x"))
    assert (used.calls, len(stub.requests)) == (3, 3)
    with client.usage(max_write_units=2, max_requests=2):
        await notes.put(Note(name="a", text="x"))
        with pytest.raises(LimitError, match="2 of 2 write units"):
            await notes.put(Note(name="b", text="x"))
        await notes.get("a")
        with pytest.raises(LimitError, match="2 of 2 requests"):
            await notes.get("b")
        with pytest.raises(LimitError, match=r"2 of 2 requests.*\[DescribeTable, table 'notes'\]"):
            await client.describe_table(Note)
    await notes.get("free again")


async def test_a_limit_of_nothing_forbids_every_call(client, stub):
    """With a limit of 0 a block sends nothing, and a negative limit is a mistake."""
    with client.usage(max_requests=0), pytest.raises(LimitError):
        await client.table(Note).get("a")
    assert stub.requests == []
    with pytest.raises(ExpressionError, match=r"max_read_units=-1 must not be negative"):
        client.usage(max_read_units=-1)


async def test_bulk_work_stops_at_the_limit(client, stub):
    """A load whose units are used up takes no further items, and reports those that it has not written."""
    notes = client.table(Note)
    with client.usage(max_write_units=4), pytest.raises(BatchError) as caught:
        await notes.put_many((Note(name=str(number), text="x") for number in range(75)), concurrency=1)
    assert len(stub.requests) == 1
    assert (caught.value.report.written, len(caught.value.report.failed)) == (25, 25)
    assert isinstance(caught.value.report.failed[0].error, LimitError)


async def test_leaving_a_block_in_another_context_never_raises(client):
    """A block that is entered or left in a copied context, as frameworks' threads do, counts there or not at all."""
    notes = client.table(Note)
    used = client.usage()
    contextvars.copy_context().run(used.__enter__)
    await notes.get("a")
    contextvars.copy_context().run(used.__exit__, None, None, None)
    assert used.calls == 0
    other = client.usage()
    other.__enter__()
    contextvars.copy_context().run(other.__exit__, None, None, None)
    await notes.get("b")
    assert other.calls == 0
    with client.usage() as used:
        await notes.get("c")
    assert used.calls == 1


async def test_a_block_is_counted_once(client):
    """A usage is of one block: entering it again is refused, leaving it again does nothing."""
    used = client.usage()
    with used:
        pass
    used.__exit__(None, None, None)
    with pytest.raises(ClientStateError, match="ask for another one"), used:
        pass


async def test_a_block_outlasts_the_client():
    """A block may begin before the client is open, and go on over another opening."""
    client = Client(caller=StubCaller(REPLIES))
    with client.usage() as used:
        for _ in range(2):
            async with client:
                await client.table(Note).get("a")
    assert used.calls == 2
    async with client:
        await client.table(Note).get("a")
    assert used.calls == 2


def test_retries_are_counted_by_the_pipeline():
    """Of a call that was throttled twice, three requests and two retries are counted, and its pauses."""

    async def main():
        replies = [Reply.throttled(), Reply.throttled(), Reply({"ConsumedCapacity": units(0.5)})]
        async with Client(transport=StubTransport(replies)) as client:
            with client.usage() as used:
                await client.table(Note).get("a")
            return used

    used = run_virtual(main())
    assert (used.calls, used.requests, used.retries, used.read_units) == (1, 3, 2, 0.5)
    assert used.seconds > 0


async def test_several_tables_of_one_call_are_told_apart(client, stub):
    """A transaction's units belong to the tables that the answer names."""
    stub.on("TransactWriteItems", {"ConsumedCapacity": [units(4.0), units(2.0, "tags")]})
    with client.usage() as used:
        await client.transact_write(
            client.table(Note).put(Note(name="a", text="x")), client.table(Tag).put(Tag(name="b"))
        )
    assert {name: table.write_units for name, table in used.tables.items()} == {"notes": 4.0, "tags": 2.0}
    assert (used.calls, used.write_units) == (1, 6.0)


async def test_a_clients_own_instrument_hears_the_stand_in(stub):
    """A client whose calls a caller answers has instruments, too: they are told how calls ended."""
    records = []

    class Listener:
        def call_finished(self, call):
            records.append((call.operation, call.is_read, type(call.error).__name__, call.read_units))

    stub.on("PutItem", ThrottledError("slow down"))
    async with Client(caller=stub, instrument=Listener()) as client:
        await client.table(Note).get("a")
        with pytest.raises(ThrottledError):
            await client.table(Note).put(Note(name="a", text="x"))
    assert records == [("GetItem", True, "NoneType", 0.5), ("PutItem", False, "ThrottledError", 0.0)]
