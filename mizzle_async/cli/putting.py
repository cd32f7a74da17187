"""Putting pages of items into the target of a copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

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
        writing = self.goal.table.put_many(
            page,
            on_error=self._reject,
            progress=lambda part: self.progress(_with_page(self.report, part)),
            **self.limits,
        )
        try:
            await writing
        finally:
            self.rejects.good += writing.report.written
            self.report.become(_with_page(self.report, writing.report))

    def _reject(self, undone: UndoneWrite) -> None:
        reason = undone.error.message if isinstance(undone.error, MizzleError) else type(undone.error).__name__
        key = {name: undone.item[name] for name in self.key_names}
        self.rejects.add((self.place, undone.position + self.report.taken + 1), reason, content=key)


def _with_page(report: BatchReport, page: BatchReport) -> BatchReport:
    """Return the report of a copy with that of a page, whose items the reader counts as taken."""
    return report + evolve(page, taken=0, not_taken=0)
