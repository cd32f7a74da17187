"""Partitions of a spread key read at once: failures, cancellation, and what is left running."""

import asyncio
import gc

import orjson
import pytest

from mizzle_async import Attribute, Client, PartitionKey, SortKey, ThrottledError, attribute, entity
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.stub import StubCaller


@entity("readings")
class Reading:
    sensor: PartitionKey[str] = attribute(shards=3)
    number: SortKey[int]
    value: Attribute[int] = attribute(default=0)


class Partitions(StubCaller):
    """Three partitions of ten readings each, in pages of four; it can fail, and be slow."""

    def __init__(self):
        super().__init__({"Query": self.query})
        self.fail_at = set()
        self.wait = asyncio.Event()
        self.slow_after = 10**6
        self.sent = 0
        self.cancelled = 0

    async def call(self, request):
        self.sent += 1
        number = self.sent
        try:
            if number > self.slow_after:
                await self.wait.wait()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if number in self.fail_at:
            raise ThrottledError("slow down")
        return await super().call(request)

    def query(self, request):
        body = orjson.loads(request.body)
        partition = body["ExpressionAttributeValues"][":sensor"]["S"]
        start = int(body.get("ExclusiveStartKey", {"number": {"N": "-1"}})["number"]["N"])
        numbers = [number for number in range(int(partition[-1]), 30, 3) if number > start]
        page = numbers[:4]
        items = [{"sensor": {"S": partition}, "number": {"N": str(number)}} for number in page]
        last = {"LastEvaluatedKey": items[-1]} if len(numbers) > len(page) else {}
        return {"Items": items, "Count": len(items), "ScannedCount": len(items), **last}


async def settle():
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_failed_partition_is_read_again():
    """Whichever request fails, the error comes in its turn, and reading on gives every row once, in order."""

    async def attempt(failing):
        caller = Partitions()
        caller.fail_at = {failing}
        found, failures = [], 0
        async with Client(caller=caller) as client:
            rows = aiter(client.table(Reading).query(Reading.sensor == "a"))
            while True:
                try:
                    found.append((await anext(rows)).number)
                except ThrottledError:
                    failures += 1
                except StopAsyncIteration:
                    break
        assert found == list(range(30))
        return failures

    assert [run_virtual(attempt(failing)) for failing in range(1, 12)] == [1] * 9 + [0] * 2


def test_reader_that_is_cancelled_can_go_on():
    """Wherever waiting for a row is cancelled, reading on gives every row once, in order."""

    async def attempt(steps):
        caller = Partitions()
        found = []
        async with Client(caller=caller) as client:
            rows = aiter(client.table(Reading).query(Reading.sensor == "a"))

            async def read():
                async for row in rows:
                    found.append(row.number)  # noqa: PERF401  (what came before a cancellation counts)

            task = asyncio.create_task(read())
            for _ in range(steps):
                await asyncio.sleep(0)
            was_done = task.done()
            task.cancel()
            await asyncio.wait([task])
            await read()
        assert found == list(range(30))
        return was_done

    steps = 0
    while not run_virtual(attempt(steps)):
        steps += 1
    assert steps > 5


def test_page_of_several_partitions_tells_what_all_of_them_consumed():
    """The units and requests of a merged page are those of its partitions together."""

    class Metered(Partitions):
        def query(self, request):
            return {**super().query(request), "ConsumedCapacity": {"TableName": "readings", "CapacityUnits": 0.5}}

    async def main():
        caller = Metered()
        async with Client(caller=caller) as client:
            query = client.table(Reading).query(Reading.sensor == "s")
            page = await query.page(max_items=30)
            assert len(page.items) == 30
            assert (page.requests, page.read_units) == (caller.sent, 0.5 * caller.sent)
            pages = [each async for each in query.pages()]
            assert sum(each.requests for each in pages) == caller.sent - page.requests
            assert sum(each.read_units for each in pages if each.read_units) == 0.5 * (caller.sent - page.requests)

    run_virtual(main())


def test_leaving_a_loop_ends_all_requests():
    """The pages ahead of a reader who left are cancelled at once, in every partition."""

    async def main():
        caller = Partitions()
        caller.slow_after = 3
        async with Client(caller=caller) as client:
            async for _row in client.table(Reading).query(Reading.sensor == "a"):
                await settle()
                break
            gc.collect()
            await settle()
            assert caller.cancelled == 3
            async with client.table(Reading).query(Reading.sensor == "a", page_size=2).stream() as rows:
                pending = asyncio.create_task(anext(rows))
                await settle()
                pending.cancel()
                await asyncio.wait([pending])
            with pytest.raises(StopAsyncIteration):
                await anext(rows)
            assert caller.cancelled == 6

    run_virtual(main())
