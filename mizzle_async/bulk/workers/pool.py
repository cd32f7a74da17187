"""The parent of workers: it deals parts, grants units, keeps the state and adds the reports up.

It does none of the work itself. A part whose worker has died goes back with its last state, to the next free worker.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess, current_process
from typing import Any, Final, TypeAlias

from attrs import define, field

from mizzle_async.bulk.workers.decks import Deck, Part
from mizzle_async.bulk.workers.grants import Bucket
from mizzle_async.bulk.workers.messages import (
    Arrived,
    Asked,
    Died,
    Done,
    Fatal,
    Grant,
    Noted,
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

Event: TypeAlias = "tuple[_Seat | None, Any]"


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
        deck: The parts.
        workers: How many processes at most.
        buckets: The buckets of the units that are limited.
        report: The report to be filled in.
        kind: The kind of work, for parts that are given up.
        table: The table.
        changed: Called when a part's state or end is known.
        noted: Called with the notes of workers.
        progress: Called with the report as it grows.
    """

    def __init__(
        self,
        setup: Setup,
        deck: Deck,
        *,
        workers: int,
        buckets: dict[UnitKind, Bucket],
        report: BatchReport,
        kind: UndoneKind,
        table: str,
        changed: Callable[[], object],
        noted: Callable[[Any], object] | None = None,
        progress: Callable[[BatchReport], object] | None = None,
    ) -> None:
        self._setup = setup
        self._deck = deck
        self._workers = workers if deck.workers_limit is None else min(workers, deck.workers_limit)
        self._buckets = buckets
        self._report = report
        self._kind: UndoneKind = kind
        self._table = table
        self._changed = changed
        self._noted = noted
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
            self._deck.begin(partial(self._events.put_nowait, (None, Arrived())))
            for _ in range(self._workers):
                await self._hire()
            while self._deck.is_open or any(seat.part is not None for seat in self._seats):
                seat, message = await self._events.get()
                if seat is not None:
                    await self._handle(seat, message)
                self._deal()
            self._deck.check()
        finally:
            self._deck.close()
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
            case Asked(kind, debt):
                granting = asyncio.create_task(self._grant(seat, kind, debt))
                seat.grants.add(granting)
                granting.add_done_callback(seat.grants.discard)
            case Returned(kind, units):
                self._buckets[kind].give_back(units)
            case Progress() | Done() | Noted():
                self._take_in(seat, message)
                self._show()
            case Fatal(error):
                self._take_in(seat, message)
                raise error
            case _:
                await self._died(seat)

    def _take_in(self, seat: _Seat, message: Progress | Done | Noted | Fatal) -> None:
        """Take note of a worker's message about its part."""
        part = seat.part
        match message:
            case Noted(note):
                if self._noted is not None:
                    self._noted(note)
            case Progress() if part is not None:
                part.advance(message)
            case Done(report) if part is not None:
                part.report = report
                part.is_done = True
                seat.part = None
                self._deck.finished(part)
            case Fatal(_, report) if part is not None and report is not None:
                part.report = report
            case _:
                pass

    def _deal(self) -> None:
        """Give free workers their next parts, as long as there are any."""
        for seat in self._seats:
            if not seat.is_ready or seat.part is not None:
                continue
            seat.part = self._deck.take()
            if seat.part is None:
                return
            with suppress(OSError):  # it has died: its part goes back when that is heard
                seat.pipe.send(Task(seat.part.payload, seat.part.state))

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
            seat.part = None
            part.lose_worker()
            if part.deaths >= DEATHS:
                self._give_up(part, code)
            else:
                self._deck.give_back(part)
        if self._deck.is_open:
            await self._hire()

    def _give_up(self, part: Part, code: int | None) -> None:
        part.is_done = True
        error = WorkerError(
            f"part {part.number} ended {DEATHS} workers, the last one with exit code {code}: perhaps it needs more "
            "memory than there is"
        )
        error.table = self._table
        part.report.note(UndoneWrite(self._kind, self._table, part.number, error, part.number, uncertain=True))
        self._deck.finished(part)

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
            if seat is None:
                continue
            if isinstance(message, Died):
                left.discard(seat)
            elif isinstance(message, Progress | Done | Noted | Fatal):
                with suppress(Exception):  # the work has ended, for the first error
                    self._take_in(seat, message)

    # ── reports ──

    def _show(self) -> None:
        self._changed()
        if self._progress is not None:
            self._add_up()
            self._progress(self._report)

    def _add_up(self) -> None:
        """Set the report to the sum of all parts."""
        self._report.become(self._deck.report)


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
