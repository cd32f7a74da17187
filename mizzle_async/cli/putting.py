"""Putting pages of items into the target of a copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import frozen

from mizzle_async.cli.handles import Opened
from mizzle_async.cli.rejects import Rejects
from mizzle_async.errors import MizzleError
from mizzle_async.flow.report import BatchReport, UndoneWrite


@frozen(eq=False)
class Putting:
    """Puts pages of items into a table, and counts them in the report of a copy.

    Attributes:
        goal: The target.
        place: The name of the source, for the origins of rejects.
        key_names: The key attributes of the source.
        rejects: Takes the items that the target refuses.
        report: The report of the copy.
        progress: Called with the report as it grows.
        limits: The options of `put_many`.
    """

    goal: Opened
    place: str
    key_names: tuple[str, ...]
    rejects: Rejects
    report: BatchReport
    progress: Callable[[BatchReport], object]
    limits: Mapping[str, Any]

    async def take(self, page: Sequence[dict[str, Any]]) -> None:
        """Put a page."""
        report = self.report
        before = added(report, BatchReport())
        writing = self.goal.table.put_many(
            page,
            on_error=self._reject,
            progress=lambda part: self.progress(added(before, part)),
            **self.limits,
        )
        try:
            await writing
        finally:
            self.rejects.good += writing.report.written
            _add(report, writing.report)

    def _reject(self, undone: UndoneWrite) -> None:
        reason = undone.error.message if isinstance(undone.error, MizzleError) else type(undone.error).__name__
        key = {name: undone.item[name] for name in self.key_names}
        self.rejects.add((self.place, undone.position + self.report.taken + 1), reason, content=key)


def _add(report: BatchReport, part: BatchReport) -> None:
    """Add the report of a page. Reads are counted by the reader."""
    report.written += part.written
    report.rejected += part.rejected
    report.unprocessed += part.unprocessed
    report.count_consumption(part)
    report.failed += part.failed
    report.unknown += part.unknown


def added(report: BatchReport, part: BatchReport) -> BatchReport:
    """Return the report of a copy with that of a page."""
    whole = BatchReport(skipped=report.skipped, taken=report.taken, evaluated=report.evaluated)
    _add(whole, report)
    _add(whole, part)
    return whole
