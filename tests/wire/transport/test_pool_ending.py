"""Closing a pool, and using one from where it does not belong."""

import asyncio
import os

import pytest

from mizzle_async.errors import ClientStateError, TransportError
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import Outcome
from mizzle_async.wire.exchange import Endpoint
from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.pool.pool import ConnectionPool


def start(pool, exchange):
    """Start a call as a task."""
    return asyncio.ensure_future(pool.exchange(exchange))


async def started(server, count):
    """Wait until the server was asked that often."""
    await server.until(lambda: len(server.requests) >= count)


def test_closing_leaves_nothing_behind(run, to):
    """After aclose there is no socket, no task and no timer; closing again does nothing; calling is refused."""

    async def main():
        async with ScriptedServer() as server:
            pool = ConnectionPool(PoolConfig(wait_timeout=60))
            await asyncio.gather(*(pool.exchange(to(server)) for _ in range(5)))
            connections = [connection for host in pool._hosts.values() for connection in host._connections]
            await pool.aclose()
            assert [connection.is_attached for connection in connections] == [False] * 5
            await server.until(lambda: server.open == 0)
            await pool.aclose()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            timers = getattr(asyncio.get_running_loop(), "_scheduled", ())  # uvloop does not show them
            assert all(timer.cancelled() for timer in timers)
            with pytest.raises(ClientStateError, match="the client is closed: open a new one"):
                await pool.exchange(to(server))
            with pytest.raises(ClientStateError, match="closed"):
                await pool.warm_up(server.endpoint)
            return repr(pool), pool.statistics(), len(server.requests)

    text, statistics, requests = run(main())
    assert (text, requests) == ("<ConnectionPool closed>", 5)
    assert (statistics.open, statistics.hosts[0].closed) == (0, 5)


def test_a_pool_that_was_never_used_can_be_closed(run_virtual, to):
    """Making a pool does nothing, so there is nothing to close; afterwards it is closed all the same."""

    async def main():
        pool = ConnectionPool()
        assert repr(pool) == "<ConnectionPool of at most 128 to each host; none used yet>"
        assert pool.statistics().hosts == ()
        await pool.aclose()
        with pytest.raises(ClientStateError, match="closed"):
            await pool.warm_up(Endpoint("http", "127.0.0.1", 1))

    run_virtual(main())


def test_closing_fails_what_is_under_way(run, to):
    """A sent request fails with an unknown outcome, a waiting call with ClientStateError; nobody waits for ever."""

    async def main():
        async with ScriptedServer(then=Reply.hang()) as server:
            pool = ConnectionPool(PoolConfig(max_connections=2))
            exchanges = [to(server) for _ in range(4)]
            tasks = [start(pool, exchange) for exchange in exchanges]
            await started(server, 2)
            await pool.aclose()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            await server.until(lambda: server.open == 0)
            return outcomes, [exchange.phase for exchange in exchanges]

    outcomes, phases = run(main())
    assert [type(outcome) for outcome in outcomes] == [TransportError] * 2 + [ClientStateError] * 2
    assert str(outcomes[0]) == "the client was closed before the answer came"
    assert outcomes[0].outcome is Outcome.UNKNOWN
    assert "closed while this call waited for a connection" in str(outcomes[2])
    assert phases == [Outcome.UNKNOWN] * 2 + [Outcome.NOT_SENT] * 2


def test_closing_ends_a_call_that_was_just_served(run_virtual, to):
    """A call that was handed a connection in the turn in which the pool is closed is told; it does not wait anew."""

    async def main():
        async with ScriptedServer() as server:
            pool = ConnectionPool(PoolConfig(max_connections=1))

            async def call_and_close():
                await pool.exchange(to(server))
                await pool.aclose()  # no turn of the loop since the connection was given to the other

            closing = asyncio.ensure_future(call_and_close())
            await asyncio.sleep(0)
            with pytest.raises(ClientStateError, match="closed while this call waited"):
                await pool.exchange(to(server))
            await closing
            return len(server.requests)

    assert run_virtual(main()) == 1


def test_closing_ends_connections_that_are_being_opened(run_virtual, to):
    """A connection that is half open when the pool is closed is given up, and so is the look-up of its name."""

    async def main():
        network = asyncio.get_running_loop().network
        network.silent.add("127.0.0.1")
        async with ScriptedServer() as server:
            pool = ConnectionPool()
            tasks = [start(pool, to(server)) for _ in range(3)]
            await asyncio.sleep(0.1)
            assert pool.statistics().opening == 3
            await pool.aclose()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            return outcomes, asyncio.get_running_loop().time(), pool.statistics().opening, server.opened

    outcomes, seconds, opening, opened = run_virtual(main())
    assert {type(outcome) for outcome in outcomes} == {ClientStateError}
    assert (seconds, opening, opened) == (pytest.approx(0.1), 0, 0)


def test_a_cancelled_close_has_closed(run, to):
    """Cancelled while it waits, aclose has closed everything all the same; closing again waits for the rest."""

    async def main():
        async with ScriptedServer(then=Reply.hang()) as server:
            pool = ConnectionPool()
            task = start(pool, to(server))
            await started(server, 1)
            closing = asyncio.ensure_future(pool.aclose())
            await asyncio.sleep(0)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            with pytest.raises(TransportError, match="the client was closed"):
                await task
            await pool.aclose()
            await server.until(lambda: server.open == 0)

    run(main())


def test_closed_twice_at_once(run, to):
    """Whoever closes a pool waits until it is closed, be it the second."""

    async def main():
        async with ScriptedServer(then=Reply.hang()) as server:
            pool = ConnectionPool()
            task = start(pool, to(server))
            await started(server, 1)
            async with asyncio.timeout(5):
                await asyncio.gather(pool.aclose(), pool.aclose())
            with pytest.raises(TransportError, match="the client was closed"):
                await task

    run(main())


def test_another_loop_is_refused(to):
    """A pool used on one loop says so on another: before any request, and when it is closed there."""
    pool = ConnectionPool()

    async def first():
        async with ScriptedServer() as server:
            await pool.exchange(to(server))
            exchange = to(server)
            other = asyncio.new_event_loop()
            try:
                for work in (pool.exchange(exchange), pool.warm_up(server.endpoint), pool.aclose()):
                    task = other.create_task(work)
                    outcome = await asyncio.to_thread(other.run_until_complete, asyncio.wait([task]))
                    (done,) = outcome[0]
                    assert isinstance(done.exception(), ClientStateError)
                    assert "belongs to another event loop: open one client in each loop" in str(done.exception())
            finally:
                other.close()
            await pool.aclose()
            return len(server.requests)

    assert asyncio.run(first()) == 1


def test_another_process_is_refused(run_virtual, to, monkeypatch):
    """A pool that was opened before a fork says so in the child, and touches none of the parent's sockets."""

    async def main():
        async with ScriptedServer() as server:
            pool = ConnectionPool()
            await pool.exchange(to(server))
            thread, parent = pool._home.thread, os.getpid()
            with monkeypatch.context() as child:
                pool._home.leave()  # as the hook does in a forked child
                child.setattr("os.getpid", lambda: parent + 1)
                text = f"opened in process {parent} and is used in {parent + 1}, after a fork: open a client in each"
                for work in (pool.exchange(to(server)), pool.aclose()):
                    with pytest.raises(ClientStateError, match=text):
                        work.send(None)
            pool._home.thread = thread
            await pool.exchange(to(server))
            await pool.aclose()
            return server.opened

    assert run_virtual(main()) == 1


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_refused_inside_its_parents_loop(run_real, to):
    """In a real child, forked within a call, the running loop is the parent's: refused, and the parent goes on."""

    async def main():
        async with ScriptedServer() as server:
            pool = ConnectionPool()
            await pool.exchange(to(server))
            child = os.fork()
            if not child:
                status = 1
                try:
                    pool.exchange(to(server)).send(None)
                except ClientStateError as error:
                    status = 0 if "after a fork" in str(error) else 2
                finally:
                    os._exit(status)
            _, status = os.waitpid(child, 0)  # noqa: ASYNC222  (the child exits at once)
            await pool.exchange(to(server))
            await pool.aclose()
            return status, server.opened

    assert run_real(main()) == (0, 1)
