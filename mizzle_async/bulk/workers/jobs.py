"""Work in parts, by one process or by several: its state, its limits and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeAlias

from attrs import frozen

from mizzle_async.bulk.saved_state import ResumeFrom, SavedState
from mizzle_async.bulk.workers.decks import Block, Deck, ListDeck, Part, StreamDeck
from mizzle_async.bulk.workers.grants import Bucket
from mizzle_async.bulk.workers.keeping import Keeping
from mizzle_async.bulk.workers.messages import Noted, Progress, Task, UnitKind
from mizzle_async.bulk.workers.pool import Pool, check_setup
from mizzle_async.bulk.workers.worker import Setup, TaskStore
from mizzle_async.bulk.write_engine import Progress as OnProgress
from mizzle_async.errors import BatchError, ExpressionError
from mizzle_async.flow.ports import TaskPort
from mizzle_async.flow.report import BatchReport, UndoneKind
from mizzle_async.values import Value

PARTS: Final = 64
"""Parts of a query where the caller does not say: the same for every number of workers, so that it can be resumed."""

ReadBlocks: TypeAlias = Callable[[int, str], Generator[Block, None, None]]
"""Reads the blocks of an input after the rows of an earlier run, whose number and digest it takes."""


@frozen(eq=False, repr=False, kw_only=True)
class Job(Value):
    """Work in parts.

    Attributes:
        verb: The caller's verb.
        table: The table.
        kind: The kind of work, for parts that are given up.
        digest: The identity of the whole query.
        setup: Its functions.
        payloads: One for each part. A stream has none: its blocks have them.
        workers: How many processes.
        rates: The limits in units a second.
        resume: Where the state is kept, or None.
        progress: Called with the report as it grows.
        noted: Called with the notes of workers.
    """

    verb: str
    table: str
    kind: UndoneKind
    digest: str
    setup: Setup
    payloads: Sequence[Any] = ()
    workers: int
    rates: dict[UnitKind, float]
    resume: ResumeFrom | None = None
    progress: OnProgress | None = None
    noted: Callable[[Any], object] | None = None

    def check(self) -> None:
        """Check what can be known before anything starts.

        Raises:
            ExpressionError: ``workers`` is no number of processes, or something does not travel to them.
        """
        workers: Any = self.workers
        if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
            raise ExpressionError(f"{self.verb}: workers={workers!r} must be a number of processes, from 1")
        if workers > 1:
            check_setup(self.setup, self.payloads)


class JobRun:
    """One run of a job.

    Args:
        owner: The client.
        job: The job.
        report: The report to be filled in.
    """

    def __init__(self, owner: TaskPort, job: Job, report: BatchReport) -> None:
        self._owner = owner
        self._job = job
        self._report = report
        self.parts: list[Part] = [Part(number, payload) for number, payload in enumerate(job.payloads)]
        self._written_before = [0] * len(self.parts)
        self._done = BatchReport()
        about = {"work": f"{job.verb} in parts", "table": job.table, "query": job.digest, "parts": len(self.parts)}
        self._saved = None if job.resume is None else SavedState(job.resume, about)
        self._keeping = Keeping(self._saved, self._state)

    async def run(self, client: Any) -> None:
        """Do all parts that are not done.

        Args:
            client: Does the work where there is one worker: no process is started then.

        Raises:
            BatchError: Something was not done.
            ResumeError: The state is about something else.
            MizzleError: The error that concerns every worker.
        """
        await self._load()
        async with self._keeping:
            if self._job.workers == 1:
                await self._alone(client)
            else:
                deck = ListDeck(self.parts)
                await _pool(self._owner, self._job, deck, self._report, self._keeping.change).run()
        if not self._report.is_complete:
            raise self._report.to_error(self._job.verb)

    @property
    def written(self) -> int:
        """Items that were written by this run and those before it."""
        return sum(self._written_before) + sum(part.total.written for part in self.parts)

    async def _alone(self, client: Any) -> None:
        job = self._job
        for part in self.parts:
            if part.is_done:
                continue
            store = TaskStore(Task(part.payload, part.state), partial(self._receive, part))
            work = job.setup.perform(client, part.payload, store, partial(self._grow, part), job.rates)
            part.report = store.report = work.report
            try:
                with suppress(BatchError):  # the report has every item that was not done
                    await work
                part.is_done = True
            finally:
                part.report = work.report
                self._done += part.total
                self._report.become(self._done)

    def _receive(self, part: Part, message: Progress | Noted) -> None:
        """Take a message of a part that is done in this process."""
        if isinstance(message, Noted):
            if self._job.noted is not None:
                self._job.noted(message.note)
            return
        part.advance(message)
        self._keeping.change()

    def _grow(self, part: Part, report: BatchReport) -> None:
        part.report = report
        self._report.become(self._done + part.total)
        if self._job.progress is not None:
            self._job.progress(self._report)

    # ── state ──

    async def _load(self) -> None:
        if self._saved is None:
            return
        states = await self._saved.read(self._parsed)
        for part, state in zip(self.parts, states or (), strict=False):
            part.state, part.is_done, self._written_before[part.number] = state

    def _parsed(self, state: dict[str, Any]) -> list[tuple[Any, bool, int]]:
        states = [(each["state"], each["done"], each["written"]) for each in state["states"]]
        if len(states) != len(self.parts) or not all(isinstance(count, int) for _, _, count in states):
            raise ValueError
        return states

    def _state(self) -> dict[str, Any]:
        states = [
            {
                "state": part.state,
                "done": part.is_done and part.total.is_complete,
                "written": self._written_before[part.number] + (part.kept + part.sure).written
                if not part.is_done
                else self._written_before[part.number] + part.total.written,
            }
            for part in self.parts
        ]
        return {"states": states, "complete": all(state["done"] for state in states)}


class StreamRun:
    """One run of a job whose parts come from an input, in blocks. The processes are at least one.

    Its state is the number of rows that are done without a gap, so any number of workers goes on from it.

    Args:
        owner: The client.
        job: The job. It has no payloads.
        report: The report to be filled in.
    """

    def __init__(self, owner: TaskPort, job: Job, report: BatchReport) -> None:
        self._owner = owner
        self._job = job
        self._report = report
        about = {"work": f"{job.verb} by workers", "table": job.table, "query": job.digest}
        self._saved = None if job.resume is None else SavedState(job.resume, about)

    async def run(self, read: ReadBlocks) -> None:
        """Do the rows that are not done.

        Args:
            read: Reads the input.

        Raises:
            BatchError: Something was not done.
            ResumeError: The state is about something else, or the input is another one.
            MizzleError: The error that concerns every worker.
        """
        done, digest = 0, ""
        if self._saved is not None:
            done, digest = await self._saved.read(_rows_done) or (0, "")
        deck = StreamDeck(read(done, digest), rows=done, digest=digest)

        def state() -> dict[str, Any]:
            return {"rows": deck.rows, "digest": deck.digest, "complete": deck.is_complete}

        async with Keeping(self._saved, state) as keeping:
            await _pool(self._owner, self._job, deck, self._report, keeping.change).run()
        if not self._report.is_complete:
            raise self._report.to_error(self._job.verb)


def _rows_done(state: dict[str, Any]) -> tuple[int, str]:
    rows, digest = state["rows"], state["digest"]
    if not (isinstance(rows, int) and isinstance(digest, str)):
        raise TypeError
    return rows, digest


def _pool(owner: TaskPort, job: Job, deck: Deck, report: BatchReport, changed: Callable[[], object]) -> Pool:
    now = asyncio.get_running_loop().time
    buckets: dict[UnitKind, Bucket] = {kind: Bucket(rate, owner.pause, now) for kind, rate in job.rates.items()}
    return Pool(
        job.setup,
        deck,
        workers=job.workers,
        buckets=buckets,
        report=report,
        kind=job.kind,
        table=job.table,
        changed=changed,
        noted=job.noted,
        progress=job.progress,
    )


def common_rate(limit: float | None, own: float | None) -> float | None:
    """Return the lower of two rates, None for no limit."""
    rates = [rate for rate in (limit, own) if rate is not None]
    return min(rates, default=None)
