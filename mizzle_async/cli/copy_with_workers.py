"""Copies by several processes: a part of the source is read and put by the worker that is dealt it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from attrs import frozen

from mizzle_async.bulk.saved_state import ResumeFrom, SavedState
from mizzle_async.bulk.workers.messages import UnitKind
from mizzle_async.bulk.workers.worker import TaskStore
from mizzle_async.bulk.write_engine import Progress
from mizzle_async.cli.handles import Opened, opened_as
from mizzle_async.cli.paging import PagedWork, position_of
from mizzle_async.cli.putting import Putting
from mizzle_async.cli.rejects import NotedRejects, Rejects, SharedRejects
from mizzle_async.cli.selections import Selection
from mizzle_async.cli.worker_connect import WorkerConnect
from mizzle_async.flow.report import BatchReport
from mizzle_async.flow.work import BulkWork
from mizzle_async.handles.client import Client
from mizzle_async.handles.query import Query
from mizzle_async.handles.with_workers import WorkerOptions, work_in_parts
from mizzle_async.operations.tables.definition import TableDescription


@frozen(eq=False)
class CopyPart:
    """One part of a copy.

    Attributes:
        query: The part of the source.
        place: Its name, for the origins of rejects.
    """

    query: Query[dict[str, Any]]
    place: str


@frozen(eq=False)
class CopyRows:
    """Copies the part that a worker is dealt. It travels by pickle.

    Attributes:
        description: The target.
        connect_target: Makes the client of the target, or None where it is that of the source.
        key_names: The key attributes of the source.
        limits: The options of `put_many`.
    """

    description: TableDescription
    connect_target: WorkerConnect | None
    key_names: tuple[str, ...]
    limits: Mapping[str, Any]

    def __call__(
        self,
        client: Client,
        payload: CopyPart,
        store: TaskStore,
        progress: Progress,
        rates: Mapping[UnitKind, float],
    ) -> BulkWork:
        """Return the work of copying one part."""
        report = BatchReport()

        async def work() -> BatchReport:
            async with AsyncExitStack() as stack:
                goal_client = client
                if self.connect_target is not None:
                    goal_client = await stack.enter_async_context(self.connect_target())
                    # The parent grants the units of writing, at any address.
                    goal_client._runtime.write_limiter = client._runtime.write_limiter  # noqa: SLF001  (there is no word)
                client._runtime.reports_capacity = True  # noqa: SLF001  (as the shell's own client, whose meter asks)
                goal = opened_as(goal_client, self.description, self.description.name, None)
                rejects = NotedRejects(note=store.note)
                limits = {**self.limits, "write_units_per_second": rates.get("write")}
                putting = Putting(goal, payload.place, self.key_names, rejects, report, progress, limits)
                saved = SavedState(store, {})
                earlier = await saved.read(position_of)
                paged = PagedWork(payload.query.on(client), putting.take, report, progress, saved, between=1)
                # The parent adds the report of a worker that was killed: here only the rest counts.
                await paged.run(None if earlier is None else {**earlier, "done": 0})
            return report

        return BulkWork(f"copy of {payload.place}", report, work)


def copy_with_workers(
    opened: Opened,
    goal: Opened,
    selection: Selection,
    rejects: Rejects,
    *,
    workers: int,
    parts: int | None,
    connect: WorkerConnect,
    connect_target: WorkerConnect | None = None,
    resume: ResumeFrom,
    progress: Callable[[BatchReport], object],
    write_units_per_second: float | None,
    **limits: Any,
) -> BulkWork:
    """Return the work of a copy by several processes.

    Args:
        opened: The source.
        goal: The target.
        selection: The items.
        rejects: The rejects file.
        workers: How many processes.
        parts: In how many parts the source is divided, or None for the usual number.
        connect: Makes the client of a worker.
        connect_target: Makes its client of the target, or None where it is that of the source.
        resume: Where the state is kept.
        progress: Called with the report as it grows.
        write_units_per_second: The limit of write units of all workers together, or None.
        limits: Further options of `put_many`, for each worker.
    """

    def shown(report: BatchReport) -> None:
        rejects.good = max(rejects.good, report.written)
        progress(report)

    options = WorkerOptions(
        workers,
        parts,
        connect,
        resume,
        shown,
        {"write": write_units_per_second},
        noted=SharedRejects(rejects),
    )
    name = opened.table.name

    def payload(query: Any, number: int, count: int) -> CopyPart:
        return CopyPart(query, f"{name}, part {number} of {count}")

    return work_in_parts(
        selection.rows(opened),
        payload,
        CopyRows(goal.description, connect_target, opened.key_names, limits),
        options,
        verb="copy",
        kind="put",
        goal=goal.table.name,
    )
