"""A worker: a process with a loop and a client of its own, which does one part after the other.

It ignores Ctrl-C: the parent hears it, and says so. When the parent is gone its pipe is closed, and the worker ends.
"""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Final, TypeAlias

from attrs import evolve, frozen

from mizzle_async.bulk.workers.grants import GrantedLimiter
from mizzle_async.bulk.workers.messages import Done, Fatal, Grant, Noted, Progress, Ready, Stop, Task, UnitKind
from mizzle_async.errors import BatchError, MizzleError
from mizzle_async.flow.report import BatchReport
from mizzle_async.flow.work import BulkWork

ORPHAN_SECONDS: Final = 1.0
"""A worker whose parent is gone ends after so long at the latest."""

PROGRESS_SECONDS: Final = 0.2
ORPHANED: Final = 70


Perform: TypeAlias = Callable[
    [Any, Any, "TaskStore", Callable[[BatchReport], object], Mapping[UnitKind, float]], BulkWork
]


@frozen(eq=False)
class Setup:
    """The work of a pool of workers. It travels to each of them, so its functions are importable.

    Attributes:
        connect: Returns the worker's client.
        perform: Returns the work of one part: it takes the client, the task's payload, the store of its state, a
            function for its progress, and the units a second of a part that is done without workers.
        limited: The kinds of units that the parent grants.
    """

    connect: Callable[[], Any]
    perform: Perform
    limited: tuple[UnitKind, ...] = ()


class TaskStore:
    """Keeps the state of a part with the parent: a `StateStore`.

    Args:
        task: The part.
        send: Sends a message to the parent.
    """

    place = "the state of a part"
    remedy = "remove the state file"

    def __init__(self, task: Task, send: Callable[[Progress | Noted], None]) -> None:
        self._task = task
        self._send = send
        self.report: BatchReport | None = None
        """The report of the work, which is told with its state."""

    async def read(self) -> Any | None:
        """Return the state that the task came with."""
        return self._task.state

    async def write(self, state: dict[str, Any], /) -> None:
        """Tell the parent how far the part is done."""
        self._send(Progress(snapshot(self.report), state, has_state=True))

    async def write_last(self, state: dict[str, Any], /) -> None:
        """Tell the parent how far the part is done, at the end of the work."""
        await self.write(state)

    def note(self, note: Any) -> None:
        """Send the parent a note, which travels by pickle."""
        self._send(Noted(note))


def snapshot(report: BatchReport | None) -> BatchReport:
    """Return a copy of a report, as it is now."""
    if report is None:
        return BatchReport()
    return evolve(report, failed=[*report.failed], unknown=[*report.unknown])


class Worker:
    """One worker in its process.

    Args:
        pipe: The way to the parent.
        setup: Its work.
    """

    def __init__(self, pipe: Connection[Any, Any], setup: Setup) -> None:
        self._pipe = pipe
        self._setup = setup
        self._tasks: asyncio.Queue[Task | Stop] = asyncio.Queue()
        self._limiters = {kind: GrantedLimiter(kind, self._send) for kind in setup.limited}
        self._at_work: asyncio.Task[None] | None = None
        self._told_at = 0.0

    def _send(self, message: Any) -> None:
        try:
            self._pipe.send(message)
        except ConnectionError:  # the parent is gone
            os._exit(ORPHANED)
        except (pickle.PicklingError, AttributeError, TypeError):  # an error of the caller's own that does not travel
            self._pipe.send(_travelling(message))

    async def run(self) -> None:
        """Take tasks until the parent says that there are no more."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop,), daemon=True).start()
        try:
            async with self._setup.connect() as client:
                self._limit(client)
                self._send(Ready())
                while isinstance(task := await self._tasks.get(), Task):
                    self._at_work = asyncio.create_task(self._do(client, task))
                    await asyncio.wait([self._at_work])
                    for limiter in self._limiters.values():
                        limiter.give_back()
        except Exception as error:  # noqa: BLE001  (the parent raises it)
            self._send(Fatal(error))

    def _limit(self, client: Any) -> None:
        """Hold all bulk work of the client back by the parent's buckets."""
        runtime = client._runtime  # noqa: SLF001  (a client has no word for it)
        for kind, limiter in self._limiters.items():
            setattr(runtime, f"{kind}_limiter", limiter)

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Receive messages, in a thread."""
        while True:
            try:
                message = self._pipe.recv()
            except (EOFError, OSError):
                loop.call_soon_threadsafe(self._stop)
                time.sleep(ORPHAN_SECONDS)
                os._exit(ORPHANED)
            loop.call_soon_threadsafe(self._receive, message)

    def _receive(self, message: Any) -> None:
        if isinstance(message, Grant):
            self._limiters[message.kind].receive(message.units)
        elif isinstance(message, Stop):
            self._stop()
        else:
            self._tasks.put_nowait(message)

    def _stop(self) -> None:
        self._tasks.put_nowait(Stop())
        if self._at_work is not None:
            self._at_work.cancel()

    async def _do(self, client: Any, task: Task) -> None:
        store = TaskStore(task, self._send)
        report = BatchReport()
        try:
            work = self._setup.perform(client, task.payload, store, self._progress, {})
            store.report = report = work.report
            with suppress(BatchError):  # the report has every item that was not done
                await work
        except asyncio.CancelledError:
            self._send(Progress(snapshot(report)))
            raise
        except Exception as error:  # noqa: BLE001  (the parent raises it)
            self._send(Fatal(error, snapshot(report)))
        else:
            self._send(Done(snapshot(report)))

    def _progress(self, report: BatchReport) -> None:
        now = time.monotonic()
        if now - self._told_at >= PROGRESS_SECONDS:
            self._told_at = now
            self._send(Progress(snapshot(report)))


def _travelling(message: Any) -> Any:
    """Return a message whose error is in words, because the error itself cannot be pickled."""
    error = getattr(message, "error", None)
    if error is None:
        raise TypeError(f"a {type(message).__name__} of a worker cannot be pickled")
    return evolve(message, error=MizzleError(f"{type(error).__name__}: {error}"), report=None)


def main(pipe: Connection[Any, Any], setup: Setup) -> None:
    """Be a worker, until the parent says that there is no more to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # what is imported is there until the end: no collection looks at it, the ones of the end included
    asyncio.run(Worker(pipe, setup).run())
