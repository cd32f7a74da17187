"""Bulk verbs of queries by several processes: a query is split, and each part is done by the same verb in a worker."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from attrs import evolve, frozen

from mizzle_async.bulk.parts import split_plan
from mizzle_async.bulk.saved_state import ResumeFrom
from mizzle_async.bulk.workers.folders import MANIFEST, is_part, part_name
from mizzle_async.bulk.workers.jobs import PARTS, Job, JobRun, common_rate
from mizzle_async.bulk.workers.messages import UnitKind
from mizzle_async.bulk.workers.worker import Perform, Setup, TaskStore
from mizzle_async.bulk.write_engine import Progress
from mizzle_async.errors import ExpressionError, ResumeError
from mizzle_async.flow.report import BatchReport, UndoneKind
from mizzle_async.flow.work import BulkWork
from mizzle_async.handles.client import Client
from mizzle_async.handles.query import Read
from mizzle_async.handles.runtime import Runtime, RuntimeSettings
from mizzle_async.values import Value
from mizzle_async.wire.hedge_policy import HedgePolicy
from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.retry import RetryPolicy

Connect: TypeAlias = Callable[[], Client]
"""Returns the client of a worker: an importable function."""


@frozen(eq=False, repr=False)
class WorkerOptions(Value):
    """The options of work by several processes.

    Attributes:
        workers: How many processes.
        parts: In how many parts the query is divided, None for 64.
        connect: Returns a worker's client, or None for one with the settings of the query's own.
        resume: Where the state is kept, or None.
        progress: Called with the report as it grows.
        limits: Units a second of all workers together, None for no limit.
        noted: Called with the notes of workers.
    """

    workers: int
    parts: int | None
    connect: Connect | None
    resume: ResumeFrom | None
    progress: Progress | None
    limits: Mapping[UnitKind, float | None]
    noted: Callable[[Any], object] | None = None


@frozen(eq=False)
class SameSettings:
    """Makes clients with the settings of another one, as far as they are values. It travels by pickle."""

    region_name: str | None
    profile_name: str | None
    endpoint_url: str | None
    pool: PoolConfig
    timeout: float
    retry: RetryPolicy
    hedge: HedgePolicy | None
    allow_http: bool

    def __call__(self) -> Client:
        """Return a new client."""
        return Client(
            region_name=self.region_name,
            profile_name=self.profile_name,
            endpoint_url=self.endpoint_url,
            pool=self.pool,
            timeout=self.timeout,
            retry=self.retry,
            hedge=self.hedge,
            allow_http=self.allow_http,
        )


def connect_like(settings: RuntimeSettings) -> SameSettings:
    """Return a function that makes clients for workers.

    Raises:
        ExpressionError: The client has something that is sent through no pipe.
    """
    wire = settings.wire
    own = {
        "credentials": wire.credentials is not None,
        "session": wire.session is not None,
        "converter": settings.has_converter,
        "instrument": bool(wire.instrument),
        "mfa_prompt": wire.mfa_prompt is not None,
        "transport": wire.transport is not None,
        "caller": settings.caller is not None,
    }
    names = [f"{name}=" for name, is_own in own.items() if is_own]
    if names:
        raise ExpressionError(
            f"workers= needs connect=: this client has {', '.join(names)}, and nothing of it is sent to another "
            "process. Give a function of a module that returns a Client"
        )
    return SameSettings(
        wire.region_name,
        wire.profile_name,
        wire.endpoint_url,
        wire.pool,
        wire.timeout,
        wire.retry,
        wire.hedge,
        wire.allow_http,
    )


class _Alone:
    """A client's runtime, where its query is done without workers."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime


# ── in the worker ──


@frozen(eq=False)
class ExportPart:
    """One part of an export."""

    query: Read[Any, Any]
    path: str
    checkpoint_pages: int


@frozen(eq=False)
class ChangePart:
    """One part of a rewrite, or of a `delete_where` where ``change`` is None."""

    query: Any
    change: Any
    options: Mapping[str, Any]


def perform(
    client: Any,
    payload: ExportPart | ChangePart,
    store: TaskStore,
    progress: Progress,
    rates: Mapping[UnitKind, float],
) -> BulkWork:
    """Return the work of one part, on the worker's client."""
    query: Any = payload.query.on(client)
    if isinstance(payload, ExportPart):
        work: BulkWork = query.export(
            payload.path,
            resume=store,
            checkpoint_pages=payload.checkpoint_pages,
            progress=progress,
            read_units_per_second=rates.get("read"),
        )
        return work
    options = {**payload.options, "resume": store, "progress": progress, "write_units_per_second": rates.get("write")}
    changing: BulkWork = (
        query.delete_where(**options) if payload.change is None else query.rewrite(payload.change, **options)
    )
    return changing


# ── in the parent ──


def export_with_workers(
    query: Read[Any, Any],
    folder: Any,
    options: WorkerOptions,
    *,
    checkpoint_pages: int,
) -> BulkWork:
    """Return the work of exporting a query into a folder, a file for each part, and a manifest when it is complete."""
    if not isinstance(folder, str | os.PathLike):
        raise ExpressionError(f"export(workers=…) writes a folder: give its path, not {type(folder).__name__}")
    place = Path(folder)
    queries = _split(query, options)
    payloads = [
        ExportPart(part, str(place / part_name(number)), checkpoint_pages) for number, part in enumerate(queries)
    ]
    job = _job(query, payloads, options, verb="export", kind="get")

    async def work(run: JobRun) -> None:
        _prepare(place, run, begins=job.resume is None)
        await run.run(_Alone(_runtime_of(query)))
        _write_manifest(place, job, run)

    return _work(_runtime_of(query), job, f"export of {job.table!r}", work)


def change_with_workers(
    query: Any, change: Any, options: WorkerOptions, more: Mapping[str, Any], *, verb: str
) -> BulkWork:
    """Return the work of rewriting or deleting the items of a query."""
    payloads = [ChangePart(part, change, more) for part in _split(query, options)]
    job = _job(query, payloads, options, verb=verb, kind="update" if verb == "rewrite" else "delete")

    async def work(run: JobRun) -> None:
        await run.run(_Alone(_runtime_of(query)))

    return _work(_runtime_of(query), job, f"{verb} of {job.table!r}", work)


def work_in_parts(
    query: Any,
    payload: Callable[[Any, int, int], Any],
    perform: Perform,
    options: WorkerOptions,
    *,
    verb: str,
    kind: UndoneKind,
    goal: str,
) -> BulkWork:
    """Return the work of doing something with each part of a query.

    Args:
        query: The query.
        payload: Returns the argument of the work's function, of a part, its number and how many there are.
        perform: Returns the work of one part.
        options: The options.
        verb: The caller's verb.
        kind: The kind of work, for parts that are given up.
        goal: Where the items go: the state is about it, too.
    """
    queries = _split(query, options)
    payloads = [payload(part, number, len(queries)) for number, part in enumerate(queries)]
    job = _job(query, payloads, options, verb=verb, kind=kind, perform=perform)
    job = evolve(job, digest=f"{job.digest} to {goal}")

    async def work(run: JobRun) -> None:
        await run.run(_Alone(_runtime_of(query)))

    return _work(_runtime_of(query), job, f"{verb} of {job.table!r}", work)


def _runtime_of(query: Any) -> Runtime:
    runtime: Runtime = query._runtime  # noqa: SLF001  (the other half of queries)
    return runtime


def _split(query: Any, options: WorkerOptions) -> list[Any]:
    """Return the parts of a query, each as a query that travels."""
    plan = query._plan  # noqa: SLF001  (the other half of queries)
    spread = len(plan.partitions)
    usual = min(PARTS, spread) if spread else PARTS
    parts = usual if options.parts is None else options.parts
    split_plan(plan, parts)  # it says what cannot be divided
    divided: list[Any] = query.split(parts)
    return divided


def _job(
    query: Any,
    payloads: list[Any],
    options: WorkerOptions,
    *,
    verb: str,
    kind: UndoneKind,
    perform: Perform = perform,
) -> Job:
    runtime = _runtime_of(query)
    rates: dict[UnitKind, float] = {}
    own: dict[UnitKind, Any] = {"read": runtime.read_limiter, "write": runtime.write_limiter}
    for name, limiter in own.items():
        limit = options.limits.get(name)
        if limit is not None and not limit > 0:
            raise ExpressionError(f"{name}_units_per_second={limit!r} must be more than 0, or None for no limit")
        rate = common_rate(limit, None if limiter is None else limiter.units_per_second)
        if rate is not None:
            rates[name] = rate
    connect = options.connect
    if connect is None and options.workers > 1:
        connect = connect_like(runtime.settings)
    plan = query._plan  # noqa: SLF001  (as above)
    job = Job(
        verb=verb,
        table=plan.target.table,
        kind=kind,
        digest=plan.digest.hex(),
        setup=Setup(connect or Client, perform, tuple(rates)),
        payloads=payloads,
        workers=options.workers,
        rates=rates,
        resume=options.resume,
        progress=options.progress,
        noted=options.noted,
    )
    job.check()
    return job


def _work(runtime: Runtime, job: Job, description: str, body: Callable[[JobRun], Any]) -> BulkWork:
    report = BatchReport()

    async def work() -> BatchReport:
        await body(JobRun(runtime, job, report))
        return report

    return BulkWork(description, report, work)


# ── folders ──


def _prepare(folder: Path, run: JobRun, *, begins: bool) -> None:
    """Make the folder, without files of an earlier export where this one is not its continuation.

    Raises:
        ResumeError: There is no folder to make it in.
    """
    if not folder.parent.is_dir():
        raise ResumeError(f"{folder} cannot be written: there is no folder {folder.parent}")
    folder.mkdir(exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    names = {Path(part.payload.path).name for part in run.parts}
    for file in folder.iterdir():
        if is_part(file.name) and (begins or file.name not in names):
            file.unlink()


def _write_manifest(folder: Path, job: Job, run: JobRun) -> None:
    """Write the list of the files, when all of them are there."""
    files = [Path(part.payload.path) for part in run.parts]
    content = {
        "format": 1,
        "table": job.table,
        "query": job.digest,
        "parts": len(files),
        "items": run.written,
        "files": [{"name": file.name, "bytes": file.stat().st_size} for file in files],
    }
    scratch = folder / f"{MANIFEST}.new"
    scratch.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    scratch.replace(folder / MANIFEST)
