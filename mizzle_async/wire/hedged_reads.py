"""Send a late read a second time, and take the first good answer.

`mizzle_async.wire.hedge_policy` says when. This module races, and knows no request's meaning: the pipeline asks for
reads only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mizzle_async.errors import ClientStateError
from mizzle_async.wire.exchange import Answer, Exchange, Transport
from mizzle_async.wire.hedge_policy import HedgePolicy, HedgeState

_OK = 200


class HedgedReads:
    """The hedged reads of one client.

    Attributes:
        hedges: Reads sent a second time so far.
    """

    def __init__(self, policy: HedgePolicy, loop: asyncio.AbstractEventLoop) -> None:
        self._state = HedgeState(policy)
        self._loop = loop
        self._tasks: set[asyncio.Task[Answer]] = set()
        self.hedges: int = 0

    async def exchange(
        self, transport: Transport, operation: str, first: Exchange, again: Callable[[], Exchange]
    ) -> Answer:
        """Carry a read, and where its answer is late, once more.

        The first good answer wins, and the other racer is cancelled.

        Args:
            transport: Carries both.
            operation: The operation whose latencies count.
            first: The request.
            again: Makes the second one, signed anew.

        Returns:
            A good answer, else the one of the first racer that was answered.

        Raises:
            TransportError: Neither was answered.
        """
        state = self._state
        began = self._loop.time()
        state.begin()
        racers = [self._start(transport, first)]
        try:
            done, _ = await asyncio.wait(racers, timeout=state.late_after(operation))
            if not done and state.spend():
                self.hedges += 1
                racers.append(self._start(transport, again()))
                done, waiting = await asyncio.wait(racers, return_when=asyncio.FIRST_COMPLETED)
                if waiting and all(map(_rank, done)):
                    await asyncio.wait(waiting)
            elif not done:
                await asyncio.wait(racers)
            winner = min(racers, key=_rank)
            if winner.cancelled():
                raise ClientStateError("the client was closed during the call")
            answer = winner.result()
        finally:
            for racer in racers:
                racer.cancel()
        state.record(operation, self._loop.time() - began)
        return answer

    async def aclose(self) -> None:
        """Cancel what is still racing, and wait until its connections are closed."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _start(self, transport: Transport, exchange: Exchange) -> asyncio.Task[Answer]:
        task = self._loop.create_task(transport.exchange(exchange), name="mizzle_async: hedged read")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Answer]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Looked at, so that a loser's error is not reported as forgotten.
            task.exception()


def _rank(racer: asyncio.Task[Answer]) -> int:
    """Order racers: a good answer (0) before a refusal, before none, before one that has not come."""
    if not racer.done():
        return 4
    if racer.cancelled():
        return 3
    if racer.exception() is not None:
        return 2
    return int(racer.result().status != _OK)
