"""Exports: all items of a query or a scan, written to a file or to an object that takes items."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar, runtime_checkable

import orjson
from attrs import frozen

from mizzle_async.bulk.saved_state import ResumeFrom
from mizzle_async.bulk.sweeps import Pages, SweepState
from mizzle_async.bulk.write_engine import Progress
from mizzle_async.errors import ResumeError
from mizzle_async.flow.pace import Limiters
from mizzle_async.flow.ports import TaskPort
from mizzle_async.flow.report import BatchReport
from mizzle_async.flow.work import BulkWork
from mizzle_async.operations import check_at_least_one
from mizzle_async.operations.answers import mismatch
from mizzle_async.operations.reads.plan import ReadPlan
from mizzle_async.types import Item
from mizzle_async.values import Value

ResultT = TypeVar("ResultT")


@runtime_checkable
class ExportTarget(Protocol):
    """Takes an export. Its methods are called in a thread, one at a time."""

    def open(self, state: Any | None) -> None:
        """Begin.

        Args:
            state: The last return value of `checkpoint`, where an earlier run is resumed: forget all that came after
                it. None to begin anew.
        """

    def write(self, items: Sequence[Item]) -> None:
        """Take items, in DynamoDB's JSON."""

    def checkpoint(self) -> Any:
        """Make all written items durable, and return the state for `open` to go on from here, as JSON can hold it."""

    def close(self) -> None:
        """End. Called in any case once the target was opened."""


class JsonLines:
    """A file with one item a line, ``{"Item": {…}}`` in DynamoDB's JSON, as DynamoDB's own exports to S3 have it.

    Args:
        path: The file. It is written anew unless an earlier run is resumed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._file: IO[bytes] | None = None

    def open(self, state: Any | None) -> None:
        """Open the file, cut to what it had at the checkpoint."""
        if state is None:
            self._file = self._path.open("wb")
            return
        size: int = state["bytes"]
        if not self._path.exists() or self._path.stat().st_size < size:
            raise ResumeError(f"{self._path} has less than was exported before: remove the state file to begin anew")
        self._file = self._path.open("r+b")
        self._file.truncate(size)
        self._file.seek(size)

    def write(self, items: Sequence[Item]) -> None:
        """Write a line for each item."""
        if self._file is not None:
            try:
                lines = b"".join(b'{"Item":%b}\n' % orjson.dumps(item) for item in items)
            except orjson.JSONEncodeError as error:  # deeper than anything that the service stores
                raise mismatch("an item is nested too deeply to be one") from error
            self._file.write(lines)

    def checkpoint(self) -> Any:
        """Make it durable, and return its size."""
        if self._file is None:
            return None
        self._file.flush()
        os.fsync(self._file.fileno())
        return {"bytes": self._file.tell()}

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


@frozen(eq=False, repr=False, kw_only=True)
class ExportOptions(Value):
    """The options of an export. `Query.export` explains each."""

    limiters: Limiters
    resume: ResumeFrom | None = None
    checkpoint_pages: int = 10
    progress: Progress | None = None


def export(
    owner: TaskPort,
    plan: ReadPlan[Any, Any],
    target: str | os.PathLike[str] | ExportTarget,
    options: ExportOptions,
) -> BulkWork:
    """Return the work of exporting the items of a plan."""
    check_at_least_one("export", checkpoint_pages=options.checkpoint_pages)
    report = BatchReport()
    opened = JsonLines(target) if isinstance(target, str | os.PathLike) else target

    async def work() -> BatchReport:
        state = _ExportState(plan, options.resume, options.checkpoint_pages, opened)
        await state.load()
        try:
            await in_thread(opened.open, state.extra)
        except asyncio.CancelledError:
            opened.close()
            raise
        try:
            pages = Pages(owner, plan, state, report, limiters=options.limiters, progress=options.progress)

            async def handle(items: Sequence[Item]) -> bool:
                state.is_torn = True
                writing = start_in_thread(opened.write, items)
                try:
                    await until_done(writing)
                except asyncio.CancelledError:
                    if not writing.cancelled() and writing.exception() is None:  # the target has all of the page
                        count(items)
                        state.confirm()
                    raise
                count(items)
                return True

            def count(items: Sequence[Item]) -> None:
                """Count a page that the target has taken."""
                report.taken += len(items)
                report.written += len(items)

            await pages.each(handle)
        finally:
            opened.close()
        return report

    return BulkWork(f"export of {plan.target.table!r}", report, work)


class _ExportState(SweepState):
    """A state that makes the target durable before it says how far the table is read."""

    def __init__(self, plan: ReadPlan[Any, Any], resume: ResumeFrom | None, every: int, target: ExportTarget) -> None:
        super().__init__(plan, "export", resume, every)
        self._target = target
        self.is_torn = False
        """Whether the target may have items of a page that is not confirmed."""

    def confirm(self) -> bool:
        """Take note that the target has all of a page."""
        self.is_torn = False
        return super().confirm()

    async def checkpoint(self) -> None:
        """Write both, in a thread."""
        self.extra = await in_thread(self._target.checkpoint)
        await super().checkpoint()

    async def save(self, failure: BaseException | None) -> None:
        """Write both, unless they do not fit together: then the last checkpoint stands."""
        if self.is_torn:
            return
        self.extra = self._target.checkpoint()
        await super().save(failure)


async def in_thread(function: Callable[..., ResultT], *arguments: Any) -> ResultT:
    """Call a function in a thread. A cancellation waits for its end, so that it does not run on unseen.

    `anyio.to_thread` does not wait for a thread when `Task.cancel` is called, only when a scope of anyio is cancelled.
    """
    return await until_done(start_in_thread(function, *arguments))


def start_in_thread(function: Callable[..., ResultT], *arguments: Any) -> asyncio.Task[ResultT]:
    """Begin to call a function in a thread."""
    return asyncio.ensure_future(asyncio.to_thread(function, *arguments))


async def until_done(task: asyncio.Task[ResultT]) -> ResultT:
    """Wait for the end of a task, also if the caller is cancelled meanwhile."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
