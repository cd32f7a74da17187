"""Where a client belongs: its loop, its thread, its process."""

import asyncio
import gc
import os
import threading

import pytest

from mizzle_async.wire import home as module
from mizzle_async.wire.home import FOREIGN, Home


async def made():
    """Make a home on the running loop."""
    return Home()


def test_it_is_here_on_its_own_loop_only():
    """It is here while its loop runs, in its loop's thread: neither after that, nor on another loop, nor elsewhere."""
    outcomes = []

    async def main():
        home = Home()
        outcomes.append(home.is_here())
        outcomes.append(await asyncio.to_thread(home.is_here))
        return home

    home = asyncio.run(main())
    outcomes.append(home.is_here())

    async def other():
        outcomes.append(home.is_here())

    asyncio.run(other())
    assert outcomes == [True, False, False, False]
    assert repr(home) == f"<Home in process {os.getpid()}>"


def test_it_needs_a_loop():
    """Without a running loop there is none to belong to."""
    with pytest.raises(RuntimeError):
        Home()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_foreign():
    """In a child of `os.fork` every home of its parent is foreign; the parent's are what they were."""

    async def main():
        home = Home()
        child = os.fork()
        if not child:
            os._exit(0 if home.thread == FOREIGN and not home.is_here() else 1)
        _, status = os.waitpid(child, 0)  # noqa: ASYNC222  (the child exits at once)
        return status, home.thread, home.is_here()

    assert asyncio.run(main()) == (0, threading.get_ident(), True)


def test_homes_are_not_kept():
    """The hook knows a home for as long as its client lives, and no longer."""
    home = asyncio.run(made())
    assert home in module._HOMES
    before = len(module._HOMES)
    del home
    gc.collect()
    assert len(module._HOMES) < before
