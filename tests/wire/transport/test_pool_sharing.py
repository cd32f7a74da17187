"""Who gets which connection: bounds, turns, and what happens when somebody gives up."""

import asyncio

import pytest

from mizzle_async.errors import PoolTimeoutError, TransportError
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import Outcome
from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.pool.pool import ConnectionPool


class Gate:
    """A script that answers each request when it is told to, in any order."""

    def __init__(self):
        self.held = {}

    def __call__(self, request):
        """Hold a request."""
        return self.held.setdefault(request.body, asyncio.get_running_loop().create_future())

    def open(self, body, reply=None):
        """Answer a held request: with its own body, if with nothing else."""
        self.held.pop(body).set_result(reply or Reply({"you": body.decode()}))


def small(**options):
    """Make a pool of few connections."""
    return ConnectionPool(PoolConfig(**options))


async def wait_for(count, gate, server):
    """Wait until the server holds that many requests."""
    await server.until(lambda: len(gate.held) >= count)
    await asyncio.sleep(0)


def start(pool, exchange):
    """Start a call as a task."""
    return asyncio.ensure_future(pool.exchange(exchange))


async def cancel(task):
    """Cancel a task, and assert that it ends as cancelled."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_connections_are_bounded_and_shared(run, to):
    """However many calls come at once, the bound holds, and every call gets its own answer."""

    async def main():
        async with ScriptedServer(lambda request: Reply({"you": request.body.decode()})) as server:
            pool = small(max_connections=8)
            answers = await asyncio.gather(*(pool.exchange(to(server, b"%d" % number)) for number in range(200)))
            assert [answer.payload["you"] for answer in answers] == [str(number) for number in range(200)]
            statistics = pool.statistics()
            await pool.aclose()
            return server.opened, len(server.requests), statistics

    opened, requests, statistics = run(main())
    assert (opened, requests) == (8, 200)
    assert (statistics.open, statistics.idle, statistics.in_use, statistics.waiting) == (8, 8, 0, 0)
    (host,) = statistics.hosts
    assert (host.requests, host.opened, host.closed, host.failed) == (200, 8, 0, 0)


def test_only_as_many_connections_are_opened_as_calls_overlap(run, to):
    """One call after another needs one connection."""

    async def main():
        async with ScriptedServer() as server:
            pool = ConnectionPool()
            for _ in range(20):
                await pool.exchange(to(server))
            await pool.aclose()
            return server.opened

    assert run(main()) == 1


def test_calls_get_connections_in_their_order(run_virtual, to):
    """Who came first is served first, whoever came between and went."""

    async def main():
        gate = Gate()
        async with ScriptedServer(gate) as server:
            pool = small(max_connections=1)
            tasks = [start(pool, to(server, b"%d" % number)) for number in range(6)]
            await wait_for(1, gate, server)
            await cancel(tasks[1])
            await cancel(tasks[3])
            for number in (0, 2, 4, 5):
                await server.until(lambda: bool(gate.held))
                gate.open(b"%d" % number)
                assert (await tasks[number]).payload == {"you": str(number)}
            await pool.aclose()
            return [request.body for request in server.requests], server.opened

    assert run_virtual(main()) == ([b"0", b"2", b"4", b"5"], 1)


def test_the_connection_used_last_is_used_next(run_virtual, to):
    """Idle connections are used from the warm end, so that those that are not needed can age out."""

    async def main():
        async with ScriptedServer() as server:
            pool = small(keep_alive=10)
            await asyncio.gather(*(pool.exchange(to(server)) for _ in range(5)))
            for _ in range(30):
                await asyncio.sleep(1)
                await pool.exchange(to(server))
            idle = pool.statistics().idle
            await pool.aclose()
            return idle, {request.connection for request in server.requests[5:]}, server.opened

    idle, used, opened = run_virtual(main())
    assert (idle, len(used), opened) == (1, 1, 5)


def test_a_waiter_cancelled_in_the_moment_it_is_served_passes_the_connection_on(run_virtual, to):
    """A connection handed to a call that is cancelled in the same turn goes to the next call, not to nobody."""

    async def main():
        gate = Gate()
        async with ScriptedServer(gate) as server:
            pool = small(max_connections=1)

            async def call_and_cancel():
                await pool.exchange(to(server, b"0"))
                second.cancel()  # no turn of the loop since the connection was given to it

            first = asyncio.ensure_future(call_and_cancel())
            await wait_for(1, gate, server)
            second, third = (start(pool, to(server, b"%d" % number)) for number in (1, 2))
            await asyncio.sleep(0)
            gate.open(b"0")
            await first
            await server.until(lambda: b"2" in gate.held)
            gate.open(b"2")
            assert (await third).payload == {"you": "2"}
            assert second.cancelled()
            statistics = pool.statistics()
            await pool.aclose()
            return statistics.idle, server.opened, [request.body for request in server.requests]

    assert run_virtual(main()) == (1, 1, [b"0", b"2"])


def test_a_waiter_whose_connection_is_lost_in_the_moment_it_is_served_is_next_again(run_virtual, to):
    """A connection that is lost between being handed over and being used is not used; its waiter keeps its place."""

    async def main():
        gate = Gate()
        async with ScriptedServer(gate) as server:
            pool = small(max_connections=1)

            async def call_and_lose():
                await pool.exchange(to(server, b"0"))
                (host,) = pool._hosts.values()
                next(iter(host._connections)).abort()  # as when the server's end arrives in this turn

            first = asyncio.ensure_future(call_and_lose())
            await wait_for(1, gate, server)
            second, third = (start(pool, to(server, b"%d" % number)) for number in (1, 2))
            await asyncio.sleep(0)
            gate.open(b"0")
            await first
            for number, task in ((1, second), (2, third)):
                await server.until(lambda: bool(gate.held))
                gate.open(b"%d" % number)
                assert (await task).payload == {"you": str(number)}
            await pool.aclose()
            return [(request.body, request.connection) for request in server.requests]

    assert run_virtual(main()) == [(b"0", 1), (b"1", 2), (b"2", 2)]


def test_a_cancelled_call_closes_its_connection_and_frees_its_slot(run, to):
    """Cancelled after sending: the answer, when it comes, finds nobody; the next call gets its own."""

    async def main():
        gate = Gate()
        async with ScriptedServer(gate) as server:
            pool = small(max_connections=1)
            exchange = to(server, b"cancelled")
            first, second = start(pool, exchange), start(pool, to(server, b"next"))
            await wait_for(1, gate, server)
            await cancel(first)
            assert exchange.phase is Outcome.UNKNOWN
            await server.until(lambda: b"next" in gate.held)
            gate.open(b"next")
            answer = await second
            await pool.aclose()
            return answer.payload, server.opened

    assert run(main()) == ({"you": "next"}, 2)


def test_a_connection_whose_caller_gave_up_while_it_was_opened_is_kept(run, to, until):
    """A connection that is opened for a call that gives up is there for the next."""

    async def main():
        async with ScriptedServer() as server:
            pool = ConnectionPool()
            exchange = to(server)
            task = start(pool, exchange)
            await asyncio.sleep(0)
            await cancel(task)
            assert exchange.phase is Outcome.NOT_SENT
            await until(lambda: pool.statistics().idle == 1)
            await pool.exchange(to(server))
            await pool.aclose()
            return server.opened, len(server.requests)

    assert run(main()) == (1, 1)


def test_waiting_is_bounded_where_asked(run_virtual, to):
    """After wait_timeout seconds without a connection a call fails, not sent, and leaves the queue."""

    async def main():
        gate = Gate()
        async with ScriptedServer(gate) as server:
            pool = small(max_connections=1, wait_timeout=0.5)
            first = start(pool, to(server, b"0"))
            await wait_for(1, gate, server)
            loop = asyncio.get_running_loop()
            began = loop.time()
            exchange = to(server, b"1")
            with pytest.raises(
                PoolTimeoutError, match=r"within wait_timeout=0\.5 s: 127.0.0.1:\d+: 1 in use, 0 idle"
            ) as it:
                await pool.exchange(exchange)
            assert isinstance(it.value, TimeoutError)
            assert (it.value.outcome, exchange.phase) == (Outcome.NOT_SENT, Outcome.NOT_SENT)
            assert loop.time() - began == pytest.approx(0.5)
            assert pool.statistics().waiting == 0
            gate.open(b"0")
            await first
            (host,) = pool.statistics().hosts
            await pool.aclose()
            return host.waited, host.waited_seconds, len(server.requests)

    assert run_virtual(main()) == (2, pytest.approx(0.5), 1)


def test_a_fresh_connection_is_fresh(run, to):
    """A call that asks for a fresh connection is given a new one, whatever is idle, and within the bound."""

    async def main():
        most = 0

        def answer(_request):
            nonlocal most
            statistics = pool.statistics()
            most = max(most, statistics.open + statistics.opening)
            return Reply()

        async with ScriptedServer(answer) as server:
            pool = small(max_connections=2)
            await asyncio.gather(pool.exchange(to(server)), pool.exchange(to(server)))
            await asyncio.gather(*(pool.exchange(to(server, fresh=True)) for _ in range(3)))
            await pool.aclose()
            return [request.number for request in server.requests], most

    assert run(main()) == ([1, 1, 1, 1, 1], 2)


def test_a_fresh_call_makes_room_for_itself(run, to):
    """Where every connection is busy, the next that comes back is closed to make room for a fresh one."""

    async def main():
        gate = Gate()
        async with ScriptedServer(gate) as server:
            pool = small(max_connections=1)
            first = start(pool, to(server, b"0"))
            await wait_for(1, gate, server)
            ordinary, fresh = start(pool, to(server, b"1")), start(pool, to(server, b"2", fresh=True))
            await asyncio.sleep(0)
            gate.open(b"0")
            await first
            await server.until(lambda: b"2" in gate.held)
            gate.open(b"2")
            await fresh
            await server.until(lambda: b"1" in gate.held)
            gate.open(b"1")
            await ordinary
            await pool.aclose()
            return [(request.body, request.connection, request.number) for request in server.requests]

    assert run(main()) == [(b"0", 1, 1), (b"2", 2, 1), (b"1", 2, 2)]


@pytest.mark.parametrize("concurrency", [1, 16])
def test_close_at_reuse_never_surfaces_where_repeating_is_safe(run, to, concurrency):
    """A server that closes every connection at its second request: repeated on a fresh one, all 1,000 calls succeed."""

    async def main():
        async with ScriptedServer(lambda request: Reply.close() if request.number > 1 else Reply()) as server:
            pool = ConnectionPool()
            stale = 0

            async def read():
                nonlocal stale
                exchange = to(server)
                try:
                    await pool.exchange(exchange)
                except TransportError:
                    assert exchange.stale
                    stale += 1
                    await pool.exchange(to(server, fresh=True))

            async def reader():
                for _ in range(1000 // concurrency):
                    await read()

            await asyncio.gather(*(reader() for _ in range(concurrency)))
            await pool.aclose()
            return stale, len(server.requests)

    stale, requests = run(main())
    assert stale > 300
    assert requests == 1000 // concurrency * concurrency + stale


def test_each_host_has_its_own_connections(run, to):
    """One host's bound and queue do not concern another."""

    async def main():
        gate = Gate()
        async with ScriptedServer(gate) as slow, ScriptedServer() as quick:
            pool = small(max_connections=1)
            waiting = [start(pool, to(slow, b"%d" % number)) for number in range(3)]
            await wait_for(1, gate, slow)
            for _ in range(5):
                await pool.exchange(to(quick))
            text = repr(pool)
            hosts = pool.statistics().hosts
            for number in range(3):
                await slow.until(lambda: bool(gate.held))
                gate.open(b"%d" % number)
            await asyncio.gather(*waiting)
            await pool.aclose()
            return text, [(host.in_use, host.idle, host.waiting) for host in hosts], slow, quick

    text, hosts, slow, quick = run(main())
    assert hosts == [(1, 0, 2), (0, 1, 0)]
    assert text == (
        "<ConnectionPool of at most 1 to each host; "
        f"{slow.endpoint.authority}: 1 in use, 0 idle, 0 opening, 2 waiting; "
        f"{quick.endpoint.authority}: 0 in use, 1 idle, 0 opening, 0 waiting>"
    )


def test_connections_are_warmed_up(run, to):
    """Warming up opens what the settings ask for, once, and the first calls find it."""

    async def main():
        async with ScriptedServer() as server:
            pool = small(max_connections=6, warm_up=4)
            await pool.warm_up(server.endpoint)
            await pool.warm_up(server.endpoint)
            warm = pool.statistics().idle
            await asyncio.gather(*(pool.exchange(to(server)) for _ in range(4)))
            await pool.aclose()
            return warm, server.opened

    assert run(main()) == (4, 4)


def test_warming_up_never_passes_the_bound_and_never_raises(run, to):
    """More than the bound is not opened; a host that is not there is met by the first call, not by the warm-up."""

    async def main():
        async with ScriptedServer() as server:
            pool = small(max_connections=2, warm_up=5)
            await pool.warm_up(server.endpoint)
            assert pool.statistics().idle == 2
            await pool.aclose()
        pool = small(warm_up=3)
        await pool.warm_up(server.endpoint)
        (host,) = pool.statistics().hosts
        assert (host.failed, host.idle, host.opening) == (3, 0, 0)
        with pytest.raises(TransportError, match="no connection to"):
            await pool.exchange(to(server))
        await pool.aclose()

    run(main())


def test_idle_connections_are_closed_before_the_service_does():
    """DynamoDB closes a connection that was idle for 20 seconds: by default we are first, with time to spare."""
    assert PoolConfig().keep_alive <= 15


@pytest.mark.parametrize("setting", ["max_connections", "keep_alive", "max_age", "connect_timeout", "wait_timeout"])
def test_settings_that_make_no_sense_are_refused(setting):
    """Zero and less are refused, naming the setting."""
    for value in (0, -1, float("nan")):
        with pytest.raises(ValueError, match=f"PoolConfig: {setting} must be greater than 0"):
            PoolConfig(**{setting: value})
    with pytest.raises(ValueError, match="PoolConfig: warm_up must not be negative"):
        PoolConfig(warm_up=-1)
