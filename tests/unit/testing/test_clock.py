"""Time that passes at once, and the same way every time."""

import asyncio
import random
import socket
import threading
import time

import pytest

from mizzle_async.testing import clock
from mizzle_async.testing.clock import DeadlockError, VirtualClockLoop, run_virtual
from mizzle_async.testing.network import MemoryNetwork


def test_an_hour_passes_at_once():
    """Sleeping takes virtual time only, in the order of the timers."""

    async def main():
        loop = asyncio.get_running_loop()
        order = []
        await asyncio.gather(*(later(order, seconds) for seconds in (3600, 0.5, 60)))
        return order, loop.time()

    async def later(order, seconds):
        await asyncio.sleep(seconds)
        order.append(seconds)

    began = time.monotonic()
    assert run_virtual(main()) == ([0.5, 60, 3600], 3600)
    assert time.monotonic() - began < 60


def test_a_timeout_fires_on_the_virtual_clock():
    """What never comes is given up after its virtual time."""

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(100):
                await asyncio.get_running_loop().create_future()
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 100


def test_nothing_can_happen_any_more(monkeypatch):
    """Where every task waits for what cannot come, the run ends with an error, not never."""
    monkeypatch.setattr(clock, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(DeadlockError, match="something that will never come"):
        run_virtual(asyncio.Event().wait())


def test_a_thread_may_wake_the_loop():
    """Where nothing else can happen, a thread's word is waited for."""

    async def main():
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(future.set_result, "from a thread"))
        thread.start()
        result = await future
        thread.join()
        return result

    assert run_virtual(main()) == "from a thread"


def test_functions_for_threads_run_at_once():
    """What is sent to a thread runs here, with its result or its error."""

    async def main():
        here = threading.get_ident()
        assert await asyncio.to_thread(threading.get_ident) == here
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)

    run_virtual(main())


def test_the_same_seed_gives_the_same_run():
    """With the same draws, every step happens in the same order at the same time."""

    async def main(seed):
        draws = random.Random(seed)
        loop = asyncio.get_running_loop()
        trace = []

        async def walker(name):
            for _ in range(20):
                await asyncio.sleep(draws.random())
                trace.append((name, loop.time()))

        await asyncio.gather(*(walker(name) for name in range(5)))
        return trace

    assert run_virtual(main(1)) == run_virtual(main(1))
    assert run_virtual(main(1)) != run_virtual(main(2))


def test_names_are_those_of_the_network():
    """Looking a name up asks the memory network; an address is its own answer."""
    network = MemoryNetwork()
    network.names["both.test"] = ("10.0.0.1", "10.0.0.2")

    async def main():
        loop = asyncio.get_running_loop()
        found = [entry[4] for entry in await loop.getaddrinfo("both.test", 80)]
        assert [entry[4] for entry in await loop.getaddrinfo("10.9.9.9", 80)] == [("10.9.9.9", 80)]
        with pytest.raises(socket.gaierror):
            await loop.getaddrinfo("nowhere.test", 80)
        return found

    assert run_virtual(main(), network=network) == [("10.0.0.1", 80), ("10.0.0.2", 80)]
    assert network.look_ups == ["both.test", "10.9.9.9", "nowhere.test"]


def test_there_is_no_tls_on_it():
    """Asking for TLS is refused, as it would need real sockets."""

    async def main():
        loop = asyncio.get_running_loop()
        with pytest.raises(ValueError, match="no TLS"):
            await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=object())
        with pytest.raises(ValueError, match="no TLS"):
            await loop.create_connection(asyncio.Protocol, "127.0.0.1", 1, ssl=object())
        assert isinstance(loop, VirtualClockLoop)

    run_virtual(main())
