"""What became of many items: how much was done, and exactly what was not."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

from attrs import define, field, frozen

from mizzle_async.errors import (
    BatchError,
    InternalServerError,
    OutcomeUnknownError,
    ServiceUnavailableError,
    TransportError,
)
from mizzle_async.types import Outcome
from mizzle_async.values import Record

UndoneKind: TypeAlias = Literal["put", "delete", "update", "get"]

SHOWN_BYTES: Final = 300


@frozen(eq=False, repr=False)
class UndoneWrite(Record):
    """One item of many that was not done, or of which nobody knows.

    Attributes:
        kind: ``put``, ``delete``, ``update`` or, of keys that were not read, ``get``.
        table: The table at the service.
        item: What the caller gave: an instance, a key, an operation. It does not appear in the repr.
        error: Why.
        position: Its place in the input, from zero; -1 where there is no input.
        uncertain: Whether it may have been done all the same.
    """

    kind: UndoneKind
    table: str
    item: Any = field(repr=False)
    error: BaseException = field(repr=lambda error: type(error).__name__)
    position: int = -1
    uncertain: bool = False


@define(eq=False, repr=False)
class BatchReport:
    """What has become of many items so far; it grows while the work goes on, and stays with whoever asked for it.

    Every item that was taken from the input is in exactly one of ``written``, ``unchanged``, ``skipped``, ``rejected``,
    ``failed`` and ``unknown`` once the work has ended, however it ended.

    Attributes:
        written: Items that the service confirmed: put, deleted, changed, or of an export, written to its target.
        failed: What was certainly not done, and why.
        unknown: What may have been done or not: its answer was lost, or the work was cancelled meanwhile.
        unchanged: Items that needed no write.
        rejected: Items that were handed to ``on_error``.
        skipped: Items that an earlier run had done already, by its state file.
        taken: Items taken from the input; what comes after them was not touched.
        evaluated: Items read by a query or a scan, before its filter.
        consumed_capacity: Consumed capacity units, as the service counted them.
        requests: Requests sent, the pipeline's own retries aside.
        unprocessed: How often an item came back unprocessed and was sent again.
    """

    written: int = 0
    failed: list[UndoneWrite] = field(factory=list)
    unknown: list[UndoneWrite] = field(factory=list)
    unchanged: int = 0
    rejected: int = 0
    skipped: int = 0
    taken: int = 0
    evaluated: int = 0
    consumed_capacity: float = 0.0
    requests: int = 0
    unprocessed: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left of what was taken."""
        return not self.failed and not self.unknown

    def note(self, undone: UndoneWrite) -> None:
        """Put what was not done where it belongs."""
        (self.unknown if undone.uncertain else self.failed).append(undone)

    def to_error(self, verb: str) -> BatchError:
        """Return the error that says what was not done.

        Args:
            verb: What was asked for, such as ``put_many``.
        """
        left = self.failed or self.unknown
        first = left[0].error
        tables = ", ".join(sorted({one.table for one in (*self.failed, *self.unknown)}))
        error = BatchError(
            f"{verb}: {self.written} done, {len(self.failed)} not done, {len(self.unknown)} unknown; the first failed "
            f"for {type(first).__name__}: {str(first)[:SHOWN_BYTES]}. `error.report` has each of them, with why",
            report=self,
            table=tables,
        )
        error.__cause__ = first
        return error

    def __str__(self) -> str:
        parts = [f"{self.written:,} written"]
        optional = {
            "unchanged": self.unchanged,
            "skipped": self.skipped,
            "rejected": self.rejected,
            "failed": len(self.failed),
            "unknown": len(self.unknown),
        }
        parts += [f"{count:,} {name}" for name, count in optional.items() if count]
        parts.append(f"{self.consumed_capacity:,.1f} units")
        return ", ".join(parts)

    def __repr__(self) -> str:
        return f"<BatchReport {self}>"


def may_be_applied(error: BaseException) -> bool:
    """Tell whether a write that ended in this error may have been applied."""
    if isinstance(error, TransportError):
        return error.outcome is Outcome.UNKNOWN
    if isinstance(error, OutcomeUnknownError | InternalServerError | ServiceUnavailableError):
        return True
    return bool(getattr(error, "ambiguous", False))
