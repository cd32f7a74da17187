"""The parent of workers: it deals parts, grants units, keeps the state and adds the reports up.

It does none of the work itself. A part whose worker has died goes back with its last state, to the next free worker.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess, current_process
from typing import Any, Final, TypeAlias

from attrs import define, field

from mizzle_async.bulk.workers.grants import Bucket
from mizzle_async.bulk.workers.messages import (
    Asked,
    Died,
    Done,
    Fatal,
    Grant,
    Progress,
    Ready,
    Returned,
    Stop,
    Task,
    UnitKind,
)
from mizzle_async.bulk.workers.worker import Setup, main
from mizzle_async.errors import ClientStateError, ExpressionError
from mizzle_async.flow.report import BatchReport, UndoneKind, UndoneWrite, WorkerError

DEATHS: Final = 3
"""A part that has ended so many workers is given up."""

STOP_SECONDS: Final = 10.0
"""Workers have so long to finish what is under way."""

Event: TypeAlias = "tuple[_Seat, Any]"


@define(eq=False, repr=False)
class Part:
    """One part of the work, as the parent knows it.

    Attributes:
        number: Its number, from zero.
        payload: What the work's function does it with.
        state: How far it is done, durably.
        kept: The report of earlier workers, up to the state that the next one begins at.
        report: The report of the worker that has it.
        sure: The report of that worker up to the state.
        deaths: How many workers have died of it.
        is_done: Whether it is at its end, also where items of it were not done.
    """

    number: int
    payload: Any
    state: Any = None
    kept: BatchReport = field(factory=BatchReport)
    report: BatchReport = field(factory=BatchReport)
    sure: BatchReport = field(factory=BatchReport)
    deaths: int = 0
    is_done: bool = False

    @property
    def total(self) -> BatchReport:
        """The report of all workers that had it."""
        return self.kept + self.report

    def told(self, message: Progress) -> None:
        """Take note of a worker's report and state."""
        self.report = message.report
        if message.has_state:
            self.state, self.sure = message.state, message.report

    def lost(self) -> None:
        """Go back to the last state: its worker has died."""
        self.kept += self.sure
        self.report, self.sure = BatchReport(), BatchReport()
        self.deaths += 1


@define(eq=False, repr=False)
class _Seat:
    """One worker, as the parent sees it."""

    process: BaseProcess
    pipe: Connection[Any, Any]
    part: Part | None = None
    is_ready: bool = False
    grants: set[asyncio.Task[None]] = field(factory=set)


class Pool:
    """Runs a pool of workers until every part is done.

    Args:
        setup: The work.
        parts: The parts, those of an earlier run that are done included.
        workers: How many processes at most.
        buckets: The buckets of the units that are limited.
        report: The report to be filled in.
        kind: The kind of work, for parts that are given up.
        table: The table.
        changed: Called when a part's state or end is known.
        progress: Called with the report as it grows.
    """

    def __init__(
        self,
        setup: Setup,
        parts: Sequence[Part],
        *,
        workers: int,
        buckets: dict[UnitKind, Bucket],
        report: BatchReport,
        kind: UndoneKind,
        table: str,
        changed: Callable[[], object],
        progress: Callable[[BatchReport], object] | None = None,
    ) -> None:
        self._setup = setup
        self._parts = parts
        self._waiting = deque(part for part in parts if not part.is_done)
        self._workers = min(workers, len(self._waiting))
        self._buckets = buckets
        self._report = report
        self._kind: UndoneKind = kind
        self._table = table
        self._changed = changed
        self._progress = progress
        self._seats: set[_Seat] = set()
        self._unready = 0
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    async def run(self) -> None:
        """Do all parts.

        Raises:
            WorkerError: A worker ended before it was ready.
            MizzleError: The error that concerns every worker.
        """
        try:
            for _ in range(self._workers):
                await self._hire()
            while self._waiting or any(seat.part is not None for seat in self._seats):
                seat, message = await self._events.get()
                await self._handle(seat, message)
        finally:
            await asyncio.shield(self._end())
            self._add_up()

    # ── workers ──

    async def _hire(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=main, args=(theirs, self._setup), daemon=True)
        await asyncio.to_thread(process.start)
        theirs.close()
        seat = _Seat(process, ours)
        self._seats.add(seat)
        loop = asyncio.get_running_loop()
        threading.Thread(target=_listen, args=(seat, loop, self._events), daemon=True).start()

    async def _handle(self, seat: _Seat, message: Any) -> None:
        match message:
            case Ready():
                seat.is_ready = True
                self._deal(seat)
            case Asked(kind, debt):
                granting = asyncio.create_task(self._grant(seat, kind, debt))
                seat.grants.add(granting)
                granting.add_done_callback(seat.grants.discard)
            case Returned(kind, units):
                self._buckets[kind].give_back(units)
            case Progress():
                self._parts[message.number].told(message)
                self._show()
            case Done(number, report):
                self._finished(self._parts[number], report)
                self._deal(seat)
            case Fatal(error, number, report):
                if number is not None and report is not None:
                    self._parts[number].report = report
                raise error
            case _:
                await self._died(seat)

    def _finished(self, part: Part, report: BatchReport) -> None:
        part.report = report
        part.is_done = True
        self._show()

    def _deal(self, seat: _Seat) -> None:
        """Give a worker its next part, or nothing more to do."""
        seat.part = self._waiting.popleft() if self._waiting else None
        if seat.part is None:
            return
        task = Task(seat.part.number, seat.part.payload, seat.part.state)
        with suppress(OSError):  # it has died: its part goes back when that is heard
            seat.pipe.send(task)

    async def _grant(self, seat: _Seat, kind: UnitKind, debt: float) -> None:
        units = await self._buckets[kind].grant(debt)
        try:
            seat.pipe.send(Grant(kind, units))
        except OSError:
            self._buckets[kind].give_back(units)

    async def _died(self, seat: _Seat) -> None:
        """Give the part of a dead worker to another one."""
        self._seats.discard(seat)
        await asyncio.to_thread(seat.process.join, STOP_SECONDS)
        code, part = seat.process.exitcode, seat.part
        seat.pipe.close()
        if not seat.is_ready:
            self._unready += 1
        if not seat.is_ready and ((code is not None and code >= 0) or self._unready >= DEATHS):
            raise WorkerError(
                f"a worker ended before it was ready (exit code {code}; what it printed stands above): functions and "
                'classes must be importable from modules, and a script starts work below `if __name__ == "__main__":`'
            )
        if part is not None:
            part.lost()
            if part.deaths >= DEATHS:
                self._give_up(part, code)
            else:
                self._waiting.appendleft(part)
        if self._waiting:
            await self._hire()

    def _give_up(self, part: Part, code: int | None) -> None:
        part.is_done = True
        error = WorkerError(
            f"part {part.number} ended {DEATHS} workers, the last one with exit code {code}: perhaps it needs more "
            "memory than there is"
        )
        error.table = self._table
        part.report.note(UndoneWrite(self._kind, self._table, part.number, error, part.number, uncertain=True))

    async def _end(self) -> None:
        """Wait until workers have finished what is under way, and end those that do not."""
        for seat in self._seats:
            with suppress(OSError):
                seat.pipe.send(Stop())
        listening = asyncio.create_task(self._hear_the_last())
        await asyncio.wait([listening], timeout=STOP_SECONDS)
        listening.cancel()
        for seat in self._seats:
            for granting in [*seat.grants]:
                granting.cancel()
            if seat.process.is_alive():
                seat.process.kill()
            await asyncio.to_thread(seat.process.join)
            seat.pipe.close()

    async def _hear_the_last(self) -> None:
        """Take the last states and reports, until every worker has ended."""
        left = set(self._seats)
        while left:
            seat, message = await self._events.get()
            match message:
                case Progress():
                    self._parts[message.number].told(message)
                case Done(number, report):
                    self._finished(self._parts[number], report)
                case Fatal(_, number, report) if number is not None and report is not None:
                    self._parts[number].report = report
                case Died():
                    left.discard(seat)
                case _:
                    pass

    # ── reports ──

    def _show(self) -> None:
        self._changed()
        if self._progress is not None:
            self._add_up()
            self._progress(self._report)

    def _add_up(self) -> None:
        """Set the report to the sum of all parts."""
        self._report.become(sum((part.total for part in self._parts), BatchReport()))


def _listen(seat: _Seat, loop: asyncio.AbstractEventLoop, events: asyncio.Queue[Event]) -> None:
    """Receive the messages of a worker, in a thread."""
    message: Any = None
    while not isinstance(message, Died):
        try:
            message = seat.pipe.recv()
        except (EOFError, OSError):
            message = Died()
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(partial(events.put_nowait, (seat, message)))


def check_setup(setup: Setup, payloads: Sequence[Any]) -> None:
    """Raise an error unless everything that workers are given can travel to them.

    Raises:
        ExpressionError: A function or a class cannot be imported by a worker.
        ClientStateError: This is a worker that is being started, and runs the caller's script once more.
    """
    if getattr(current_process(), "_inheriting", False):
        raise ClientStateError('a script starts work with workers below `if __name__ == "__main__":`')
    try:
        pickle.dumps((setup, payloads))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ExpressionError(
            f"work with workers= is done in other processes, and something of it does not travel there: {error}; put "
            "functions and classes into a module, and name them"
        ) from None
