"""Loops to run on, exchanges to send, and how much of the long tests to do."""

import asyncio
import gc
import os

import pytest

from mizzle_async.testing.clock import VirtualClockLoop
from mizzle_async.testing.tls import LocalAuthority
from mizzle_async.wire.exchange import Exchange

LOOPS = {"asyncio": asyncio.SelectorEventLoop, "virtual": VirtualClockLoop}
try:
    import uvloop
except ImportError:  # an extra, not made for every system
    UVLOOP = pytest.param("uvloop", marks=pytest.mark.skip(reason="uvloop is not installed"))
else:
    LOOPS["uvloop"] = uvloop.new_event_loop
    UVLOOP = "uvloop"


def run_on(kind, main):
    """Run a coroutine on a loop of one kind; afterwards nothing of it is left."""
    with asyncio.Runner(loop_factory=LOOPS[kind]) as runner:
        result = runner.run(main)
        assert asyncio.all_tasks(runner.get_loop()) == set()
    gc.collect(1)  # what was not closed says so now, as an error
    return result


@pytest.fixture(params=["asyncio", UVLOOP, "virtual"])
def run(request):
    """Run a coroutine on every kind of loop in turn: sockets on asyncio and uvloop, memory on the virtual clock."""
    return lambda main: run_on(request.param, main)


@pytest.fixture(params=["asyncio", UVLOOP])
def run_real(request):
    """Run a coroutine on the loops that have sockets."""
    return lambda main: run_on(request.param, main)


@pytest.fixture
def run_virtual():
    """Run a coroutine on the virtual clock."""
    return lambda main: run_on("virtual", main)


@pytest.fixture
def to():
    """Make an exchange to a server."""

    def make(server, body=b"{}", **options):
        headers = [("Host", server.endpoint.authority), ("X-Amz-Target", "DynamoDB_20120810.GetItem")]
        return Exchange(server.endpoint, headers, body, **options)

    return make


@pytest.fixture
def until():
    """Let the loop turn until something holds; pytest-timeout ends what never does."""

    async def turn(condition):
        while not condition():  # noqa: ASYNC110  (what is waited for has no event: it is what a test asserts)
            await asyncio.sleep(0)

    return turn


@pytest.fixture(scope="session")
def authority():
    """An authority of our own."""
    with LocalAuthority() as it:
        yield it


@pytest.fixture(scope="session")
def scale():
    """How much longer than in CI the long tests run: MIZZLE_TEST_SCALE=20 is the nightly size."""
    return float(os.environ.get("MIZZLE_TEST_SCALE", "1"))
