# ruff: noqa: PT012  (a writer's block is what raises)

import asyncio

import pytest

from mizzle_async import (
    Attribute,
    BatchError,
    Client,
    ClientStateError,
    ExpressionError,
    MarshallingError,
    PartitionKey,
    ThrottledError,
    attribute,
    entity,
)
from mizzle_async.testing.clock import run_virtual


@entity("rows")
class Row:
    name: PartitionKey[str]
    text: Attribute[str] = attribute(default="")


@entity("others")
class Other:
    name: PartitionKey[str]


@entity("counted")
class Counted:
    name: PartitionKey[str]
    version: Attribute[int] = attribute(default=0, version=True)


def with_client(table, use):
    """Run a coroutine function with an open client on a virtual clock."""

    async def main():
        async with Client(caller=table.caller) as client:
            return await use(client)

    return run_virtual(main())


def test_pushed_items_are_written(table):
    """Items of several entities are packed together, and written when the block ends."""

    async def use(client):
        async with client.writer(concurrency=2) as writer:
            for number in range(100):
                await writer.put(Row(name=f"n{number}"))
            await writer.put(Other(name="x"))
            await writer.delete(Row(name="n3"))
            await writer.delete(client.table(Row).key("n4"))
            await writer.add(client.table(Row).put(Row(name="added")))
            legacy = client.table("legacy", partition_key="name")
            await writer.put({"name": "dict"}, table=legacy)
        assert "Writer: 105 written" in repr(writer)
        return writer.report

    report = with_client(table, use)
    assert report.written == report.taken == 105
    assert len(table.items) == 101
    assert sum(1 for size in table.sizes if size == 25) == 4


def test_accepting_waits_when_writing_lags(table):
    """No more than a few requests' worth is accepted ahead of the service."""
    accepted = []

    async def use(client):
        blocked = asyncio.Event()
        original = table.caller.call

        async def call(request):
            await blocked.wait()
            return await original(request)

        table.caller.call = call
        writer = client.writer(concurrency=2)

        async def push():
            async with writer:
                for number in range(1000):
                    await writer.put(Row(name=str(number)))
                    accepted.append(number)

        task = asyncio.create_task(push())
        await asyncio.sleep(1)
        ahead = len(accepted)
        blocked.set()
        await task
        return ahead

    assert with_client(table, use) == 25 * 5
    assert len(table.items) == 1000


def test_few_items_go_out_after_a_moment_or_by_flush(table):
    """A request that is not full waits a tenth of a second; `flush` waits until everything is written."""

    async def use(client):
        async with client.writer() as writer:
            await writer.put(Row(name="a"))
            assert not table.batches
            await asyncio.sleep(0.2)
            assert len(table.batches) == 1
            for number in range(30):
                await writer.put(Row(name=str(number)))
            await writer.flush()
            assert len(table.items) == 31

    with_client(table, use)


def test_what_is_not_accepted_raises_at_once(table):
    """A value that does not fit, an entity that needs conditions, a dict without a table: nothing of it is accepted."""

    async def use(client):
        writer = client.writer()
        with pytest.raises(ClientStateError, match="within its block"):
            await writer.put(Row(name="a"))
        async with writer:
            with pytest.raises(ExpressionError, match="version"):
                await writer.put(Counted(name="a"))
            with pytest.raises(ExpressionError, match="version"):
                await writer.delete(Counted(name="a"))
            with pytest.raises(MarshallingError):
                await writer.put(Row(name=5))
            with pytest.raises(ExpressionError, match="table=orders"):
                await writer.put({"name": "a"})
        with pytest.raises(ClientStateError, match="used before"):
            await writer.__aenter__()
        assert writer.report.taken == 0

    with_client(table, use)


def test_failure_stops_accepting(table):
    """When something cannot be written, the next `put` says so with the report, and nothing more is accepted."""

    def leave(_number, _entries):
        raise ThrottledError("too fast")

    table.leave = leave

    async def use(client):
        writer = client.writer(concurrency=1, timeout=1.0)
        with pytest.raises(BatchError) as caught:
            async with writer:
                for number in range(10_000):
                    await writer.put(Row(name=str(number)))
        report = caught.value.report
        assert report is writer.report
        assert len(report.failed) == report.taken == 75

        with pytest.raises(BatchError):
            async with client.writer(concurrency=1, timeout=1.0) as another:
                await another.put(Row(name="a"))
        with pytest.raises(BatchError):
            async with client.writer(concurrency=1, timeout=1.0) as another:
                await another.put(Row(name="a"))
                await another.flush()

    with_client(table, use)


def test_exception_in_the_block_writes_what_was_accepted(table):
    """An error of the caller's own does not lose what the writer took before it."""

    async def use(client):
        with pytest.raises(ZeroDivisionError):
            async with client.writer() as writer:
                await writer.put(Row(name="a"))
                raise ZeroDivisionError
        assert writer.report.written == 1
        table.leave = lambda _number, entries: entries
        with pytest.raises(ZeroDivisionError) as caught:
            async with client.writer(timeout=1.0) as writer:
                await writer.put(Row(name="b"))
                raise ZeroDivisionError
        assert caught.value.__notes__ == ["the writer: 0 written, 1 failed"]

    with_client(table, use)


@pytest.mark.parametrize("closing", [True, False])
def test_what_was_accepted_before_the_first_step_is_accounted_for(table, closing):
    """Cancelled, or its client closed, in the moment in which its block begins, a writer reports what it accepted."""

    async def use(client):
        gone = asyncio.get_running_loop().create_future()
        gone.cancel()
        with pytest.raises(ClientStateError if closing else asyncio.CancelledError):
            async with client.writer() as writer:
                await writer.put(Row(name="a"))
                await (client.aclose() if closing else gone)
        assert [undone.item.name for undone in writer.report.failed] == ["a"]
        assert writer.report.taken == 1

    with_client(table, use)
    assert not table.batches


def test_cancellation_and_a_closed_client_stop_at_once(table):
    """A cancelled block stops writing and accounts for all; so does a client that closes."""
    table.leave = lambda _number, entries: entries

    async def use(client):
        writer = client.writer(timeout=100.0)

        async def push():
            async with writer:
                for number in range(60):
                    await writer.put(Row(name=str(number)))
                await asyncio.sleep(3600)

        task = asyncio.create_task(push())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(writer.report.failed) + len(writer.report.unknown) == 60
        with pytest.raises(ClientStateError, match="closed before"):
            async with client.writer(timeout=100.0) as another:
                await another.put(Row(name="a"))
                await asyncio.sleep(1)
                await client.aclose()
        assert len(another.report.failed) == 1

    with_client(table, use)
