"""Loads by several processes: the parent reads files and deals their rows, workers convert and write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from mizzle_async.bulk.saved_state import ResumeFrom
from mizzle_async.bulk.workers.jobs import Job as SharedJob
from mizzle_async.bulk.workers.jobs import StreamRun
from mizzle_async.bulk.workers.messages import UnitKind
from mizzle_async.bulk.workers.worker import Setup, TaskStore
from mizzle_async.bulk.write_engine import Progress
from mizzle_async.cli.connection import Connection
from mizzle_async.cli.dealing import Dealing
from mizzle_async.cli.dealt_rows import DealtRow, DealtRows
from mizzle_async.cli.files.rows import ReadOptions
from mizzle_async.cli.files.source import Source
from mizzle_async.cli.handles import opened_as
from mizzle_async.cli.incoming import Incoming
from mizzle_async.cli.rejects import NotedRejects, SharedRejects
from mizzle_async.cli.with_workers import worker_connect
from mizzle_async.flow.report import BatchReport
from mizzle_async.flow.work import BulkWork
from mizzle_async.handles.client import Client
from mizzle_async.operations.tables.definition import TableDescription

VERBS: Final = {"put": "put_many", "delete": "delete_many"}


@frozen(eq=False)
class LoadRows:
    """Loads the rows that a worker is dealt. It travels by pickle.

    Attributes:
        description: The table.
        model: ``module:Class`` of an entity, or None.
        mode: ``put`` or ``delete``.
        options: The options for reading files.
        limits: The options of `put_many`.
    """

    description: TableDescription
    model: str | None
    mode: str
    options: ReadOptions
    limits: Mapping[str, Any]

    def __call__(
        self,
        client: Client,
        payload: Sequence[DealtRow],
        store: TaskStore,
        progress: Progress,
        _rates: Mapping[UnitKind, float],
    ) -> BulkWork:
        """Return the work of loading some rows."""
        opened = opened_as(client, self.description, self.description.name, self.model)
        incoming = Incoming(opened, DealtRows(payload, self.options), NotedRejects(note=store.note))
        handle: Any = opened.table if self.mode == "delete" else opened.model or opened.table
        rows = incoming.keys() if self.mode == "delete" else incoming.values()
        work: BulkWork = getattr(handle, VERBS[self.mode])(
            rows, on_error=incoming.undone, progress=progress, **self.limits
        )
        return work


def load_with_workers(
    client: Client,
    connection: Connection,
    incoming: Incoming,
    source: Source,
    *,
    workers: int,
    model: str | None,
    mode: str,
    resume: ResumeFrom | None,
    write_units_per_second: float | None,
    progress: Callable[[BatchReport], object],
    **limits: Any,
) -> BulkWork:
    """Return the work of loading files by several processes.

    Args:
        client: The client of the parent.
        connection: The address that workers connect to.
        incoming: The items of the files.
        source: The files.
        workers: How many processes.
        model: ``module:Class`` of an entity, or None.
        mode: ``put`` or ``delete``.
        resume: Where the state is kept, or None.
        write_units_per_second: The limit of write units of all workers together, or None.
        progress: Called with the report as it grows.
        limits: Further options of `put_many`, for each worker.
    """
    description = incoming.opened.description
    perform = LoadRows(description, model, mode, source.options, limits)
    rates: dict[UnitKind, float] = {} if write_units_per_second is None else {"write": write_units_per_second}

    def shown(report: BatchReport) -> None:
        incoming.rejects.good = max(incoming.rejects.good, report.written + len(incoming.deletions))
        progress(report)

    job = SharedJob(
        verb="load",
        table=description.name,
        kind="delete" if mode == "delete" else "put",
        digest=mode,
        setup=Setup(worker_connect(connection), perform, tuple(rates)),
        workers=workers,
        rates=rates,
        resume=resume,
        progress=shown,
        noted=SharedRejects(incoming.rejects),
    )
    job.check()
    report = BatchReport()

    async def work() -> BatchReport:
        dealing = Dealing(incoming, source, workers)
        run = StreamRun(client._runtime, job, report)  # noqa: SLF001  (a client has no word for it)
        try:
            await run.run(dealing.blocks)
        finally:
            incoming.rejects.put_in_order([file.name for file in source.files])
        return report

    return BulkWork(f"load of {description.name!r}", report, work)
