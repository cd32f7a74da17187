"""Cancel anywhere: no answer reaches a wrong caller, no slot and no socket is lost, and the cancelled are told."""

import asyncio
import random

import pytest

from mizzle_async.errors import TransportError
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.pool.pool import ConnectionPool

CALLS = 6


def echo(request):
    """Answer with what was asked."""
    return Reply({"you": request.body.decode()})


def unreliable(request, draws):
    """Answer with what was asked, in one piece or two, but for one in fifty."""
    if draws.random() < 0.02:
        return draws.choice([Reply.close(), Reply.reset(), Reply.html(503), Reply.html(200), echo(request).cut_at(99)])
    return Reply({"you": request.body.decode()}, drip=draws.choice([None, None, 50]))


async def sweep(to, victim, step):
    """Begin calls over two connections, cancel one after some turns of the loop; return whether it had ended."""
    async with ScriptedServer(echo) as server:
        pool = ConnectionPool(PoolConfig(max_connections=2))
        if victim % 2:
            await pool.exchange(to(server, b"before"))  # so that a connection is reused
        tasks = [
            asyncio.ensure_future(pool.exchange(to(server, b"%d" % number, fresh=number == CALLS - 1)))
            for number in range(CALLS)
        ]
        for _ in range(step):
            await asyncio.sleep(0)
        over = tasks[victim].done()
        tasks[victim].cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert tasks[victim].cancelled() is not over
        for number, outcome in enumerate(outcomes):
            assert tasks[number].cancelled() or outcome.payload == {"you": str(number)}
        assert sum(task.cancelled() for task in tasks) == (not over)
        await whole(pool, server, to)
    return over


async def whole(pool, server, to):
    """Assert that every slot of a pool is there, and that nothing of it is left when it is closed."""
    limit = pool._config.max_connections
    answers = await asyncio.gather(*(pool.exchange(to(server, b"%d" % number)) for number in range(3 * limit)))
    assert [answer.payload["you"] for answer in answers] == [str(number) for number in range(3 * limit)]
    statistics = pool.statistics()
    assert (statistics.in_use, statistics.waiting) == (0, 0)
    assert statistics.open + statistics.opening <= limit
    await pool.aclose()
    (host,) = pool.statistics().hosts
    assert host.opened == host.closed
    await server.until(lambda: server.open == 0)
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("victim", range(CALLS))
def test_a_call_cancelled_at_any_step_takes_nothing_with_it(run, to, victim):
    """Whichever call is cancelled, after however many turns of the loop, the others get their own answers."""

    async def main():
        step = 0
        while not await sweep(to, victim, step):
            step += 1
        return step

    assert run(main()) > 3


def test_all_calls_cancelled_at_any_step_leave_a_whole_pool(run_virtual, to):
    """Cancelling everything at once, at every step, leaves a pool that serves the next calls at its full size."""

    async def main():
        for step in range(40):
            async with ScriptedServer(echo) as server:
                pool = ConnectionPool(PoolConfig(max_connections=3))
                tasks = [asyncio.ensure_future(pool.exchange(to(server, b"%d" % number))) for number in range(10)]
                for _ in range(step):
                    await asyncio.sleep(0)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await whole(pool, server, to)

    run_virtual(main())


@pytest.mark.parametrize("seed", range(3))
def test_random_cancellations_mix_up_nothing(run, to, scale, seed):
    """Thousands of calls cancelled at random moments, on a server of random faults: every answer is its own."""
    draws = random.Random(seed)
    count = int(2500 * scale)

    async def caller(pool, server, numbers, cancelled):
        for number in numbers:
            task = asyncio.ensure_future(pool.exchange(to(server, b"%d" % number, fresh=draws.random() < 0.02)))
            doomed = draws.random() < 0.5
            if doomed:
                for _ in range(draws.randrange(12)):
                    await asyncio.sleep(0)
                task.cancel()
            try:
                reply = await task
            except asyncio.CancelledError:
                assert doomed
                cancelled.append(number)
            except TransportError:
                continue
            else:
                assert reply.status == 503 or reply.payload == {"you": str(number)}

    async def main():
        async with ScriptedServer(lambda request: unreliable(request, draws)) as server:
            pool = ConnectionPool(PoolConfig(max_connections=5))
            cancelled = []
            numbers = iter(range(count))
            await asyncio.gather(*(caller(pool, server, numbers, cancelled) for _ in range(20)))
            assert pool.statistics().in_use == pool.statistics().waiting == 0
            server.answer_with(echo)
            await whole(pool, server, to)
            return len(cancelled)

    assert run(main()) > count // 8
