"""An event loop on a virtual clock: hours pass in milliseconds, and the same seed gives the same run, step by step.

When nothing is ready to run, the clock jumps to the next timer instead of waiting. Servers and connections of such a
loop are in memory (`mizzle_async.testing.network`). Functions for threads run at once, in the loop's own thread. So
nothing depends on the machine's speed. The code under test needs no change: it uses the loop's time, timers and
connections.

Example:
    def test_a_pause_is_not_waited_for():
        run_virtual(asyncio.sleep(3600))
"""

from __future__ import annotations

import asyncio
import selectors
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from mizzle_async.testing.network import MemoryNetwork, MemoryServer

ResultT = TypeVar("ResultT")

PATIENCE_SECONDS = 5.0
"""Real seconds to wait for a thread before `DeadlockError`, when nothing else can happen."""


class DeadlockError(RuntimeError):
    """No callback is ready, no timer is set and no thread is at work, so the awaited event can never happen."""


class VirtualSelector(selectors.DefaultSelector):
    """A selector that advances virtual time instead of waiting.

    Attributes:
        now: The virtual time in seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now: float = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the ready files. If there are none, advance the time by ``timeout``."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is not None:
            self.now += timeout
            return []
        ready = super().select(PATIENCE_SECONDS)
        if not ready:
            raise DeadlockError("every task waits for something that will never come")
        return ready


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is virtual and whose network is memory.

    Args:
        network: The network of its servers and connections (default: a new one).

    Attributes:
        network: The network.
    """

    def __init__(self, network: MemoryNetwork | None = None) -> None:
        self._virtual = VirtualSelector()
        super().__init__(self._virtual)
        self.network: MemoryNetwork = MemoryNetwork() if network is None else network

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._virtual.now

    async def create_server(  # type: ignore[override]  # the base class has many overloads; these are the arguments used
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int = 0,
        *,
        ssl: ssl.SSLContext | None = None,
        **_ignored: Any,
    ) -> MemoryServer:
        """Listen in memory."""
        _refuse_tls(ssl)
        return self.network.listen(protocol_factory, host or "127.0.0.1", port)

    async def create_connection(  # type: ignore[override]  # as above
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        *,
        ssl: ssl.SSLContext | None = None,
        **_ignored: Any,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connect in memory."""
        _refuse_tls(ssl)
        return await self.network.connect(self, protocol_factory, host or "127.0.0.1", port or 0)

    async def getaddrinfo(  # type: ignore[override]  # as above
        self, host: str, port: int, **_ignored: Any
    ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        """Look a name up in the memory network."""
        return [(2, 1, 6, "", (address, port)) for address in await self.network.resolve(host, port)]

    def run_in_executor(  # type: ignore[override]  # as above
        self, executor: Any, func: Callable[..., ResultT], *arguments: Any
    ) -> asyncio.Future[ResultT]:
        """Run the function at once, in this thread: real threads would make the run depend on the machine."""
        del executor
        future: asyncio.Future[ResultT] = self.create_future()
        try:
            future.set_result(func(*arguments))
        except Exception as error:  # noqa: BLE001  (it is raised where the future is awaited)
            future.set_exception(error)
        return future


def run_virtual(
    main: Coroutine[Any, Any, ResultT], *, network: MemoryNetwork | None = None, debug: bool | None = None
) -> ResultT:
    """Run a coroutine on a new virtual-clock loop, and return its result.

    Args:
        main: The coroutine.
        network: The network (default: a new one).
        debug: asyncio's debug mode.

    Raises:
        DeadlockError: If it waits for an event that can never happen.
    """
    with asyncio.Runner(debug=debug, loop_factory=lambda: VirtualClockLoop(network)) as runner:
        return runner.run(main)


def _refuse_tls(context: object) -> None:
    if context is not None:
        raise ValueError("there is no TLS on the virtual clock's network: use a real loop")
