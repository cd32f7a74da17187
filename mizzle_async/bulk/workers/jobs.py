"""Work in parts, by one process or by several: its state, its limits and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from attrs import frozen

from mizzle_async.bulk.saved_state import ResumeFrom, SavedState
from mizzle_async.bulk.workers.grants import Bucket
from mizzle_async.bulk.workers.messages import Progress, Task, UnitKind
from mizzle_async.bulk.workers.pool import Part, Pool, check_setup
from mizzle_async.bulk.workers.worker import Setup, TaskStore
from mizzle_async.bulk.write_engine import Progress as OnProgress
from mizzle_async.errors import BatchError, ExpressionError
from mizzle_async.flow.ports import TaskPort
from mizzle_async.flow.report import BatchReport, UndoneKind
from mizzle_async.values import Value

PARTS: Final = 64
"""Parts of a query where the caller does not say: the same for every number of workers, so that it can be resumed."""

CHECKPOINT_SECONDS: Final = 1.0


@frozen(eq=False, repr=False, kw_only=True)
class Job(Value):
    """Work in parts.

    Attributes:
        verb: The caller's verb.
        table: The table.
        kind: The kind of work, for parts that are given up.
        digest: The identity of the whole query.
        setup: Its functions.
        payloads: One for each part.
        workers: How many processes.
        rates: The limits in units a second.
        resume: Where the state is kept, or None.
        progress: Called with the report as it grows.
    """

    verb: str
    table: str
    kind: UndoneKind
    digest: str
    setup: Setup
    payloads: Sequence[Any]
    workers: int
    rates: dict[UnitKind, float]
    resume: ResumeFrom | None = None
    progress: OnProgress | None = None

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
        about = {"work": f"{job.verb} in parts", "table": job.table, "query": job.digest, "parts": len(self.parts)}
        self._saved = None if job.resume is None else SavedState(job.resume, about)
        self._is_changed = asyncio.Event()

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
        saving = asyncio.create_task(self._keep())
        failure: BaseException | None = None
        try:
            if self._job.workers == 1:
                await self._alone(client)
            else:
                await self._together()
        except BaseException as error:
            failure = error
            raise
        finally:
            saving.cancel()
            with suppress(asyncio.CancelledError):
                await saving
            if self._saved is not None:
                await self._saved.write_last(self._state(), failure)
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

            def told(message: Progress, part: Part = part) -> None:
                part.told(message)
                self._is_changed.set()

            def grown(report: BatchReport, part: Part = part) -> None:
                part.report = report
                self._add_up()
                if job.progress is not None:
                    job.progress(self._report)

            store = TaskStore(Task(part.number, part.payload, part.state), told)
            work = job.setup.perform(client, part.payload, store, grown, job.rates)
            part.report = store.report = work.report
            try:
                with suppress(BatchError):  # the report has every item that was not done
                    await work
                part.is_done = True
            finally:
                part.report = work.report
                self._add_up()

    def _add_up(self) -> None:
        self._report.become(sum((part.total for part in self.parts), BatchReport()))

    async def _together(self) -> None:
        job = self._job
        loop = asyncio.get_running_loop()
        buckets: dict[UnitKind, Bucket] = {
            kind: Bucket(rate, self._owner.pause, loop.time) for kind, rate in job.rates.items()
        }
        await Pool(
            job.setup,
            self.parts,
            workers=job.workers,
            buckets=buckets,
            report=self._report,
            kind=job.kind,
            table=job.table,
            changed=self._is_changed.set,
            progress=job.progress,
        ).run()

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

    async def _keep(self) -> None:
        """Write the state while it changes, every second at most."""
        while self._saved is not None:
            await self._is_changed.wait()
            self._is_changed.clear()
            await self._saved.write(self._state())
            await asyncio.sleep(CHECKPOINT_SECONDS)


def common_rate(limit: float | None, own: float | None) -> float | None:
    """Return the lower of two rates, None for no limit."""
    rates = [rate for rate in (limit, own) if rate is not None]
    return min(rates, default=None)
