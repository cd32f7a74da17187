"""Queries and scans as the caller holds them: immutable builders."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from attrs import evolve

from mizzle_async.errors import MizzleError, UnindexedFilterWarning
from mizzle_async.expressions import AttributePath, Condition
from mizzle_async.flow.ports import read_limiters, write_limiters
from mizzle_async.flow.work import BulkWork
from mizzle_async.handles.divided import Divided
from mizzle_async.operations import Explanation, explain_nothing, projection_of, use
from mizzle_async.operations.reads.page import ReadPage
from mizzle_async.operations.reads.plan import ReadPlan
from mizzle_async.reading.paged_source import MINIMUM_FILTERED
from mizzle_async.reading.plan_selection import PlanSelection
from mizzle_async.types import WirePayload
from mizzle_async.values import transient

if TYPE_CHECKING:
    from mizzle_async.bulk.exports import ExportTarget
    from mizzle_async.bulk.migrations import Rewrite
    from mizzle_async.bulk.saved_state import ResumeFrom
    from mizzle_async.bulk.sweeps import ResumableItems
    from mizzle_async.bulk.write_engine import OnUndone, Progress

ModelT = TypeVar("ModelT")
RowT_co = TypeVar("RowT_co", covariant=True)
V1 = TypeVar("V1")
V2 = TypeVar("V2")
V3 = TypeVar("V3")
V4 = TypeVar("V4")
V5 = TypeVar("V5")
V6 = TypeVar("V6")


@transient(eq=False, repr=False)
class Read(Divided[ModelT, RowT_co]):
    """A query or a scan, of instances or of projections.

    Cost: a read unit for each 4 KB that is evaluated, filtered-out items included. Half of it where the read is
    eventually consistent.
    """

    def filter(self, condition: Condition[ModelT], /) -> Self:
        """Return only items of which a condition is true. Several are joined by AND.

        The service reads, and charges for, the items that a filter drops: `explain` says so. An
        `UnindexedFilterWarning` comes for scans, for queries that a declared index would serve, and once for a query
        that has dropped nine tenths of a thousand items or more.

        Args:
            condition: Made from the entity's attributes. In a query, not from its key: that belongs into the key
                condition.

        Raises:
            ExpressionError: DynamoDB would refuse it, or it is about another entity.
        """
        plan = self._plan.filtered_by(condition)
        self._advise(plan)
        return type(self)(self._runtime, plan, self._advised)

    def _advise(self, plan: ReadPlan[Any, Any]) -> None:
        """Warn once for each place in the caller's code."""
        frame = sys._getframe(2)  # noqa: SLF001  (the caller of `filter`, as `warnings` itself finds it)
        place = (frame.f_code, frame.f_lineno)
        if place in self._advised:
            return
        self._advised.add(place)
        advice = plan.advice()
        if advice is not None and advice.is_warning:
            warnings.warn(advice.text, UnindexedFilterWarning, stacklevel=3)

    @property
    def _selection(self) -> PlanSelection[RowT_co]:
        return PlanSelection(self._runtime, self._plan)

    def resumable(self, path: ResumeFrom, *, checkpoint_pages: int = 1) -> ResumableItems[RowT_co]:
        """Return an iterator that keeps its position: begun again, it goes on from there.

        A page counts as read when the row after its last one is asked for. Rows of later pages come again.
        The position is of this query: another one is refused.

        Args:
            path: The state file, or ``state.resume(key)`` of a state table.
            checkpoint_pages: Pages between writing it.

        Raises:
            ExpressionError: ``checkpoint_pages`` is no number of pages, or the query has ``max_items``.
            ResumeError: Asked for the first row: the state is about something else.
        """
        from mizzle_async.bulk.sweeps import ResumableItems

        return ResumableItems(self._runtime, self._plan, path, checkpoint_pages)

    def export(
        self,
        target: str | os.PathLike[str] | ExportTarget,
        /,
        *,
        resume: ResumeFrom | None = None,
        checkpoint_pages: int = 10,
        progress: Progress | None = None,
        read_units_per_second: float | None = None,
        workers: int | None = None,
        parts: int | None = None,
        connect: Callable[[], Any] | None = None,
    ) -> BulkWork:
        """Write every item to a file, or to any `ExportTarget`. Segments of a scan are read in parallel.

        Args:
            target: A path, for lines of ``{"Item": {…}}`` in DynamoDB's JSON, or an `ExportTarget`.
            resume: A state file, or ``state.resume(key)`` of a state table: an export that was killed goes on from
                its last checkpoint, and has every item once.
            checkpoint_pages: Pages between checkpoints.
            progress: Called with the report as it grows, after every page.
            read_units_per_second: Consume no more than this. None for no limit but the client's.
            workers: Processes that share the work in parts. None does it whole, and 1 does the parts in this process.
                The target is a folder then: a file for each part, and ``_manifest.json`` when all are there.
            parts: In how many parts the query is divided for workers, 64 where it is not said. A resumed run needs the
                same number, and any number of workers.
            connect: An importable function that returns the client of a worker. Without it workers have clients with
                this one's region, profile, endpoint and limits.

        Returns:
            Awaited, the `BatchReport`: ``written`` counts exported items, ``evaluated`` items that were read.

        Raises:
            ResumeError: The state is about something else, or the target has less than it says.

        Cost: read units as for reading it.
        """
        if workers is not None:
            from mizzle_async.handles.with_workers import WorkerOptions, export_with_workers

            shared = WorkerOptions(workers, parts, connect, resume, progress, {"read": read_units_per_second})
            return export_with_workers(self, target, shared, checkpoint_pages=checkpoint_pages)
        from mizzle_async.bulk.exports import ExportOptions, export

        options = ExportOptions(
            limiters=read_limiters(self._runtime, read_units_per_second),
            resume=resume,
            checkpoint_pages=checkpoint_pages,
            progress=progress,
        )
        return export(self._runtime, self._plan, target, options)

    # ── looking at it ──

    def to_wire(self) -> WirePayload:
        """Return the first request's exact DynamoDB JSON, or an empty dict where no item can be meant."""
        if self._plan.is_empty:
            return {}
        return self._first_page().to_wire()

    def explain(self) -> Explanation:
        """Explain the first request and its estimated cost, with the values of attributes. Nothing is sent."""
        if self._plan.is_empty:
            return explain_nothing("Query", self._plan.target.table)
        return self._first_page().explain()

    def _first_page(self) -> ReadPage:
        plan = self._plan
        options = plan.options
        wanted = options.max_items
        if wanted is not None and plan.may_drop:
            wanted = max(wanted, MINIMUM_FILTERED)
        limits = [limit for limit in (options.page_size, wanted, options.max_evaluated) if limit]
        segment = options.segment or ((0, options.segments) if options.segments > 1 else None)
        return plan.page(plan.compile(self._runtime.now()), limit=min(limits) if limits else None, segment=segment)

    def __str__(self) -> str:
        segment = self._plan.options.segment
        part = f"part {segment[0]} of {segment[1]} of " if segment else ""
        try:
            page = self._first_page()
        except MizzleError:  # it is not complete: its description must not fail for that
            return f"{part}{self._plan!r}"
        use(page)
        return f"{part}{page}"

    def __repr__(self) -> str:
        return f"<{self}>"


@transient(eq=False, repr=False)
class Query(Read[ModelT, ModelT]):
    """A query or a scan whose rows are instances."""

    @overload
    def project(self, first: AttributePath[ModelT, V1], /) -> ProjectedQuery[ModelT, tuple[V1]]: ...
    @overload
    def project(
        self, first: AttributePath[ModelT, V1], second: AttributePath[ModelT, V2], /
    ) -> ProjectedQuery[ModelT, tuple[V1, V2]]: ...
    @overload
    def project(
        self, first: AttributePath[ModelT, V1], second: AttributePath[ModelT, V2], third: AttributePath[ModelT, V3], /
    ) -> ProjectedQuery[ModelT, tuple[V1, V2, V3]]: ...
    @overload
    def project(
        self,
        first: AttributePath[ModelT, V1],
        second: AttributePath[ModelT, V2],
        third: AttributePath[ModelT, V3],
        fourth: AttributePath[ModelT, V4],
        /,
    ) -> ProjectedQuery[ModelT, tuple[V1, V2, V3, V4]]: ...
    @overload
    def project(
        self,
        first: AttributePath[ModelT, V1],
        second: AttributePath[ModelT, V2],
        third: AttributePath[ModelT, V3],
        fourth: AttributePath[ModelT, V4],
        fifth: AttributePath[ModelT, V5],
        /,
    ) -> ProjectedQuery[ModelT, tuple[V1, V2, V3, V4, V5]]: ...
    @overload
    def project(
        self,
        first: AttributePath[ModelT, V1],
        second: AttributePath[ModelT, V2],
        third: AttributePath[ModelT, V3],
        fourth: AttributePath[ModelT, V4],
        fifth: AttributePath[ModelT, V5],
        sixth: AttributePath[ModelT, V6],
        /,
    ) -> ProjectedQuery[ModelT, tuple[V1, V2, V3, V4, V5, V6]]: ...
    @overload
    def project(self, *paths: AttributePath[ModelT, Any]) -> ProjectedQuery[ModelT, tuple[Any, ...]]: ...
    def project(self, *paths: Any) -> Any:
        """Read rows of some attributes only, as tuples in the order given.

        An absent attribute has the value that an instance would have: its default, an empty set, or None.

        It saves traffic and decoding, not read units. Keys travel too: cursors need them.

        Raises:
            ExpressionError: A path is another entity's, or the index that is read does not hold it.
        """
        plan = self._plan
        projection = projection_of(plan.target.schema, paths)
        return ProjectedQuery(self._runtime, evolve(plan, projection=projection), self._advised)

    def hydrate(self, *, consistent_read: bool = False) -> Self:
        """Read the items of an index's entries from the table, for an index that does not hold all attributes.

        Args:
            consistent_read: Whether the items are read consistently. The index itself never is.

        Cost: on top, one BatchGetItem request for each 100 items, with the read units of the whole items.

        Raises:
            ExpressionError: No index is read.
        """
        return evolve(self, plan=evolve(self._plan, hydrated=True, hydrated_consistently=consistent_read))

    def delete_where(
        self,
        condition: Condition[ModelT] | None = None,
        /,
        *,
        concurrency: int = 32,
        write_units_per_second: float | None = None,
        timeout: float | None = None,
        on_error: OnUndone = "raise",
        progress: Progress | None = None,
        resume: ResumeFrom | None = None,
        workers: int | None = None,
        parts: int | None = None,
        connect: Callable[[], Any] | None = None,
    ) -> BulkWork:
        """Delete every item that is found and of which a condition is true, each by a DeleteItem of its own.

        The condition, and every filter, is checked again by the service: an item that has changed meanwhile so that it
        is no longer true stays, and counts as ``unchanged``. An item that does not fit its class is deleted as any
        other: nothing of it is decoded.

        Args:
            condition: As for `filter`, or None for every item that was found.
            concurrency: Requests under way at most. It adapts downwards while the service throttles.
            write_units_per_second: Consume no more than this for writing, by the service's own count.
            timeout: Seconds for each delete, or None for the client's. While the service throttles it is repeated,
                for as long in all.
            on_error: ``"raise"``, or a function that takes each item that could not be deleted.
            progress: Called with the report as it grows, after every page.
            resume: A state file, or ``state.resume(key)`` of a state table: a run that was killed goes on from its last
                page.
            workers: As for `export`: processes that share the work.
            parts: As for `export`.
            connect: As for `export`.

        Returns:
            Awaited, the `BatchReport`: ``written`` counts deleted items.

        Raises:
            BatchError: Something was not deleted. ``error.report`` lists it by key, each with its error.
            ResumeError: The state is about something else.
        """
        if workers is not None:
            from mizzle_async.handles.with_workers import WorkerOptions, change_with_workers

            query = self if condition is None else evolve(self, plan=self._plan.filtered_by(condition))
            shared = WorkerOptions(workers, parts, connect, resume, progress, {"write": write_units_per_second})
            more = {"concurrency": concurrency, "timeout": timeout, "on_error": on_error}
            return change_with_workers(query, None, shared, more, verb="delete_where")
        from mizzle_async.bulk.migrations import ChangeOptions, Migration

        plan = self._plan if condition is None else self._plan.filtered_by(condition)
        options = ChangeOptions(
            limiters=write_limiters(self._runtime, write_units_per_second),
            concurrency=concurrency,
            resume=resume,
            progress=progress,
            on_error=on_error,
            timeout=timeout,
        )
        return Migration(self._runtime, plan, "delete_where", options).delete()

    def rewrite(
        self,
        change: Rewrite[ModelT],
        /,
        *,
        concurrency: int = 32,
        write_units_per_second: float | None = None,
        timeout: float | None = None,
        on_error: OnUndone = "raise",
        progress: Progress | None = None,
        resume: ResumeFrom | None = None,
        workers: int | None = None,
        parts: int | None = None,
        connect: Callable[[], Any] | None = None,
    ) -> BulkWork:
        """Change every item that is found, each by the smallest update.

        An update is refused if the version, or else anything that it changes, is no longer as it was read. Then the
        item is read again, and changed again. An item that does not fit its class is a failure, unless the query's own
        ``on_error=`` skips or takes it.

        Args:
            change: Takes the instance and returns the new one, or None to leave it. It may be asynchronous.
            concurrency: As for `delete_where`.
            write_units_per_second: As for `delete_where`.
            timeout: As for `delete_where`.
            on_error: As for `delete_where`.
            progress: As for `delete_where`.
            resume: As for `delete_where`. Items of the last page may be changed once more, so ``change`` should leave
                items alone that it has changed.
            workers: As for `export`: processes that share the work. ``change`` is a function of a module then.
            parts: As for `export`.
            connect: As for `export`.

        Returns:
            Awaited, the `BatchReport`: ``written`` counts changed items, ``unchanged`` items that needed no change
            or were gone, ``skipped`` items that the query's ``on_error=`` left out.

        Raises:
            BatchError: Something was not changed. ``error.report`` lists it by key, each with its error.
            ResumeError: The state is about something else.
        """
        if workers is not None:
            from mizzle_async.handles.with_workers import WorkerOptions, change_with_workers

            shared = WorkerOptions(workers, parts, connect, resume, progress, {"write": write_units_per_second})
            more = {"concurrency": concurrency, "timeout": timeout, "on_error": on_error}
            return change_with_workers(self, change, shared, more, verb="rewrite")
        from mizzle_async.bulk.migrations import ChangeOptions, Migration

        options = ChangeOptions(
            limiters=write_limiters(self._runtime, write_units_per_second),
            concurrency=concurrency,
            resume=resume,
            progress=progress,
            on_error=on_error,
            timeout=timeout,
        )
        return Migration(self._runtime, self._plan, "rewrite", options).rewrite(change)


class ProjectedQuery(Read[ModelT, RowT_co]):
    """A query or a scan whose rows are tuples of some attributes."""

    __slots__ = ()
