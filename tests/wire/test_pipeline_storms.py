"""Storms: ten thousand random cancellations, a hundred thousand calls with faults. On the virtual clock, seeded."""

import asyncio
import gc
import random

import pytest

from mizzle_async import errors
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.network import MemoryNetwork
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import RepeatSafety, WireRequest
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.settings import WireSettings


def faulty(generator, share):
    """Answer each request with its own number, except for a share of faults of every kind."""
    faults = [
        lambda _echo: Reply.close(),
        lambda _echo: Reply.reset(),
        lambda _echo: Reply.html(503),
        lambda _echo: Reply.html(200),
        lambda _echo: Reply.throttled(),
        lambda _echo: Reply.error("InternalServerError", status=500),
        lambda echo: Reply(echo, checksum="wrong"),
        lambda echo: Reply(echo).cut_at(generator.randrange(1, 200)),
        lambda echo: Reply(echo, drip=20, pause=0.001),
        lambda echo: Reply(echo, pause=generator.random() / 10),
        lambda echo: Reply(echo, trailing=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
    ]

    def script(sent):
        echo = {"Echo": {"N": str(sent.payload["number"])}}
        if generator.random() < share:
            return generator.choice(faults)(echo)
        return Reply(echo)

    return script


async def opened(server, generator, connections):
    """Open a pipeline with few connections and short pauses."""
    return await open_pipeline(
        WireSettings(
            endpoint_url=server.url,
            region_name="eu-west-1",
            credentials=("AKID", "secret"),
            pool=PoolConfig(max_connections=connections),
            retry=RetryPolicy(base_delay=0.001, throttled_base_delay=0.002, randomness=generator.random),
        )
    )


def numbered(number, safety=RepeatSafety.READ):
    """Return a request that can be told from every other."""
    return WireRequest("GetItem", b'{"number":%d}' % number, "orders", safety)


def network(generator):
    """Return a network whose messages take up to two milliseconds."""
    made = MemoryNetwork()
    made.latency = lambda: generator.random() / 500
    return made


@pytest.mark.parametrize("seed", [1, 2])
def test_ten_thousand_cancellations_at_random(seed):
    """No answer reaches a wrong caller, no slot or task is lost, and every cancellation is delivered."""
    generator = random.Random(seed)

    async def main():
        cancelled = answered = 0
        async with ScriptedServer(faulty(generator, 0.05)) as server:
            pipeline = await opened(server, generator, 8)
            loop = asyncio.get_running_loop()
            for batch in range(200):
                tasks = [loop.create_task(pipeline.call(numbered(batch * 100 + number))) for number in range(50)]
                for task in tasks:
                    loop.call_later(generator.random() / 50, task.cancel)
                outcomes = await asyncio.gather(*tasks, return_exceptions=True)
                for number, outcome in enumerate(outcomes):
                    if isinstance(outcome, asyncio.CancelledError):
                        cancelled += 1
                    elif not isinstance(outcome, BaseException):
                        assert outcome.payload == {"Echo": {"N": str(batch * 100 + number)}}
                        answered += 1
            pool = pipeline.statistics().pool
            assert (pool.in_use, pool.waiting) == (0, 0)
            assert pool.open <= 8
            for number in range(60):
                assert (await pipeline.call(numbered(number))).payload == {"Echo": {"N": str(number)}}
            await pipeline.aclose()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            await server.until(lambda: server.open == 0)
        return cancelled, answered

    cancelled, answered = run_virtual(main(), network=network(generator))
    assert cancelled + answered > 9800
    assert min(cancelled, answered) > 500


def test_a_hundred_thousand_calls_with_faults():
    """With one fault in a hundred every read has its own answer; tasks, connections and objects stay flat."""
    generator = random.Random(3)
    calls, workers = 100_000, 50

    async def main():
        async with ScriptedServer(faulty(generator, 0.01)) as server:
            pipeline = await opened(server, generator, 32)
            numbers = iter(range(calls))
            failed = 0
            marks = []

            async def work():
                nonlocal failed
                for number in numbers:
                    try:
                        response = await pipeline.call(numbered(number))
                    except errors.MizzleError:
                        failed += 1
                    else:
                        assert response.payload == {"Echo": {"N": str(number)}}
                    if number % 10_000 == 5_000:
                        # The server's log grows by design; what must not grow is the client.
                        server.log.clear()
                        server.requests.clear()
                        gc.collect()
                        opened_now = pipeline.statistics().pool.open
                        marks.append((len(asyncio.all_tasks()), opened_now, len(gc.get_objects())))

            await asyncio.gather(*(work() for _ in range(workers)))
            statistics = pipeline.statistics()
            await pipeline.aclose()
            assert asyncio.all_tasks() == {asyncio.current_task()}
        return failed, marks, statistics

    failed, marks, statistics = run_virtual(main(), network=network(generator))
    assert failed == 0
    assert statistics.calls == calls
    assert 500 < statistics.retries < 1_500
    assert statistics.quota > 400
    assert len(marks) == 10
    assert all(connections <= 32 for _, connections, _ in marks)
    assert max(tasks for tasks, _, _ in marks) <= workers + 1 + 32
    assert marks[-1][2] - marks[1][2] < 2_000
