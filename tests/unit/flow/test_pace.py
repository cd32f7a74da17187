import asyncio

import pytest

from mizzle_async import Attribute, Client, ExpressionError, PartitionKey, ThrottledError, Throughput, attribute, entity
from mizzle_async.flow.pace import Lanes, RateLimiter, jittered
from mizzle_async.testing.clock import run_virtual


@entity("rows")
class Row:
    name: PartitionKey[str]
    text: Attribute[str] = attribute(default="")


def rows(count):
    """Make as many rows."""
    return [Row(name=f"n{number}") for number in range(count)]


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.05), (2, 0.1), (5, 0.8), (8, 5.0), (1000, 5.0)])
def test_pauses_grow_with_full_jitter(attempt, longest):
    """Each pause in a row is drawn from twice the span of the one before, up to five seconds."""
    assert jittered(attempt, 1.0) == longest
    assert jittered(attempt, 0.0) == 0.0


def test_lanes_halve_and_grow_by_one_a_round():
    """Throttling halves what may be under way; a whole round without adds one."""
    lanes = Lanes(8)
    lanes.slowed(lanes.round)
    assert lanes.limit == 4
    for _ in range(5):
        lanes.succeeded()
    assert lanes.limit == 5
    for _ in range(10):
        lanes.slowed(lanes.round)
    assert lanes.limit == 1
    for _ in range(100):
        lanes.succeeded()
    assert lanes.limit == 8
    assert repr(lanes) == "<Lanes 0 of 8, at most 8>"


def test_requests_that_are_throttled_together_count_once():
    """Eight lanes that are throttled at one moment become four, not one with a request of one entry."""
    lanes = Lanes(8, 25)
    sent_in = lanes.round
    for _ in range(8):
        lanes.slowed(sent_in)
    assert (lanes.limit, lanes.size) == (4, 25)


def test_requests_shrink_where_one_lane_is_too_much():
    """A single lane that is throttled sends half as many entries, and all of them before there are more lanes again."""
    lanes = Lanes(2, 25)
    seen = []
    for _ in range(7):
        lanes.slowed(lanes.round)
        seen.append((lanes.limit, lanes.size))
    assert seen == [(1, 25), (1, 12), (1, 6), (1, 3), (1, 1), (1, 1), (1, 1)]
    seen.clear()
    for _ in range(6):
        lanes.succeeded()
        seen.append((lanes.limit, lanes.size))
    assert seen == [(1, 2), (1, 4), (1, 8), (1, 16), (1, 25), (2, 25)]


def test_lanes_let_in_as_many_as_they_bear():
    """Who comes in vain waits for a place; a waiter that is cancelled leaves its turn to the next."""

    async def main():
        lanes = Lanes(1)
        await lanes.enter()
        waiting = [asyncio.create_task(lanes.enter()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        lanes.leave()
        waiting[1].cancel()  # it has its turn already, and does not take it
        await asyncio.wait(waiting, return_when=asyncio.ALL_COMPLETED, timeout=1)
        assert [task.cancelled() for task in waiting] == [True, True, False]

    run_virtual(main())


def test_bucket_is_fed_by_what_was_consumed(table):
    """A load keeps to its units a second, by the service's own count: here each item costs one."""

    async def main():
        async with Client(caller=table.caller) as client:
            report = await client.table(Row).put_many(rows(1000), write_units_per_second=100.0)
            assert report.write_units == 1000.0
            return asyncio.get_running_loop().time()

    assert 9.0 <= run_virtual(main()) <= 11.0


def test_client_s_throughput_is_shared(table):
    """What the client may consume is shared by all its bulk work."""

    async def main():
        limits = Throughput(read_units_per_second=50.0, write_units_per_second=100.0)
        async with Client(caller=table.caller, throughput=limits) as client:
            orders = client.table(Row)
            await asyncio.gather(orders.put_many(rows(400)).send(), orders.delete_many(rows(400)).send())
            written = asyncio.get_running_loop().time()
            await orders.get_many([f"n{number}" for number in range(400)])
            return written, asyncio.get_running_loop().time() - written

    written, read = run_virtual(main())
    assert 7.0 <= written <= 9.0
    assert 1.5 <= read <= 4.5  # half a unit for each


def test_limiter_learns_what_things_cost():
    """Where a write costs more than its size says, as with indexes, later ones are charged so beforehand."""

    class Caller:
        async def aclose(self):
            pass

    async def run():
        async with Client(caller=Caller()) as client:
            limiter = RateLimiter(10.0, client._runtime.pause)
            assert await limiter.admit(1.0) == 1.0
            for _ in range(50):
                limiter.settle(1.0, 1.0, 3.0)
            limiter.settle(1.0, 1.0, None)
            assert "10 units a second" in repr(limiter)
            started = asyncio.get_running_loop().time()
            assert 2.9 < await limiter.admit(1.0) <= 3.0
            assert asyncio.get_running_loop().time() - started > 9

    run_virtual(run())


@pytest.mark.parametrize("wrong", [0, -1.0])
def test_rate_of_nothing_is_refused(table, wrong):
    """A limit of no units would never end: it is refused."""
    with pytest.raises(ValueError, match="read_units"):
        Throughput(read_units_per_second=wrong)

    async def main():
        async with Client(caller=table.caller) as client:
            with pytest.raises(ExpressionError, match="read_units_per_second"):
                client.table(Row).get_many([], read_units_per_second=wrong)

    run_virtual(main())


def test_throttling_makes_a_load_narrower(table):
    """While the service throttles, fewer requests are under way; afterwards there are more again."""
    under_way = most_late = 0
    answer = table.caller.call

    async def call(request):
        nonlocal under_way, most_late
        under_way += 1
        try:
            await asyncio.sleep(0.01)
            if len(table.batches) < 5 and under_way > 1:
                raise ThrottledError("too fast")
            if len(table.batches) > 200:
                most_late = max(most_late, under_way)
            return await answer(request)
        finally:
            under_way -= 1

    table.caller.call = call

    async def main():
        async with Client(caller=table.caller) as client:
            report = await client.table(Row).put_many(rows(10_000), concurrency=8)
            assert report.written == 10_000

    run_virtual(main())
    assert most_late == 8
