"""Reports of work on many items: how much was done, and exactly which items were not."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

from attrs import define, field, fields, frozen

from mizzle_async.errors import (
    BatchError,
    InternalServerError,
    MizzleError,
    OutcomeUnknownError,
    ServiceUnavailableError,
    TransportError,
)
from mizzle_async.types import Outcome
from mizzle_async.values import Record

UndoneKind: TypeAlias = Literal["put", "delete", "update", "get"]

SHOWN_BYTES: Final = 300


class WorkStoppedError(MizzleError):
    """An item of bulk work was taken from the input and not sent, because the work had stopped for another reason."""

    @classmethod
    def for_cause(cls, cause: BaseException, table: str) -> WorkStoppedError:
        """Return the error of an item that is not sent.

        Args:
            cause: The error for which the work stopped.
            table: The item's table.
        """
        error = cls(f"not sent, because the work had stopped for {type(cause).__name__}: {str(cause)[:SHOWN_BYTES]}")
        error.table = table
        error.__cause__ = cause
        return error


class WorkerError(MizzleError, RuntimeError):
    """A worker process ended before its work did, and a new one would not help."""


@frozen(eq=False, repr=False)
class UndoneWrite(Record):
    """One item of many that was not done, or may not have been.

    Attributes:
        kind: ``put``, ``delete``, ``update`` or, of keys that were not read, ``get``.
        table: The table at the service.
        item: The caller's own: an instance, a key, an operation. It does not appear in the repr.
        error: The reason.
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
    """The account of work on many items. It grows while the work goes on, and can be read at any time.

    Every item that was taken from the input is in exactly one of ``written``, ``unchanged``, ``skipped``, ``rejected``,
    ``failed`` and ``unknown`` once the work has ended, however it ended.

    Reports add up, ``a + b`` and ``sum(reports)``: of work in parts, of several tables.

    Attributes:
        written: Items that the service confirmed: put, deleted, changed, or of an export, written to its target.
        failed: Items that were certainly not done, with the error of each.
        unknown: Items that may have been done or not: their answer was lost, or the work was cancelled meanwhile.
        unchanged: Items that needed no write.
        rejected: Items that were passed to ``on_error``.
        skipped: Items that an earlier run had done already, by its state file, or that ``on_error="skip"`` left out.
        taken: Items taken from the input. What comes after them was not touched.
        not_taken: Items of the input that were not taken; None where the input does not say how many it has.
        evaluated: Items read by a query or a scan, before its filter.
        read_units: Read units, as the service counted them.
        write_units: Write units, as the service counted them. It reports none for writes that it refuses.
        read_requests: Requests that read, the pipeline's own retries aside.
        write_requests: Requests that write, the pipeline's own retries aside.
        unprocessed: How often an item came back unprocessed and was sent again.
    """

    written: int = 0
    failed: list[UndoneWrite] = field(factory=list)
    unknown: list[UndoneWrite] = field(factory=list)
    unchanged: int = 0
    rejected: int = 0
    skipped: int = 0
    taken: int = 0
    not_taken: int | None = 0
    evaluated: int = 0
    read_units: float = 0.0
    write_units: float = 0.0
    read_requests: int = 0
    write_requests: int = 0
    unprocessed: int = 0

    def __add__(self, other: BatchReport) -> BatchReport:
        """Return the report of both works."""
        if not isinstance(other, BatchReport):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            return NotImplemented
        left = None if self.not_taken is None or other.not_taken is None else self.not_taken + other.not_taken
        sums: dict[str, Any] = {name: getattr(self, name) + getattr(other, name) for name in _SUMMED}
        return BatchReport(**sums, not_taken=left)

    def __radd__(self, other: int) -> BatchReport:
        """Return a copy, for ``sum(reports)``, which begins with 0."""
        return BatchReport() + self if other == 0 else NotImplemented

    def become(self, other: BatchReport) -> None:
        """Take the numbers of another report."""
        for each in fields(BatchReport):
            setattr(self, each.name, getattr(other, each.name))

    def count_request(self, *, reads: bool) -> None:
        """Count a request that is about to be sent."""
        if reads:
            self.read_requests += 1
        else:
            self.write_requests += 1

    def count_units(self, units: float, *, reads: bool) -> None:
        """Count the units that an answer reports."""
        if reads:
            self.read_units += units
        else:
            self.write_units += units

    def count_consumption(self, other: BatchReport) -> None:
        """Add the units and requests of another report, and nothing else of it."""
        self.read_units += other.read_units
        self.write_units += other.write_units
        self.read_requests += other.read_requests
        self.write_requests += other.write_requests

    @property
    def is_complete(self) -> bool:
        """Whether everything that was taken is done."""
        return not self.failed and not self.unknown

    def note(self, undone: UndoneWrite) -> None:
        """Add an item to ``unknown`` or ``failed``."""
        (self.unknown if undone.uncertain else self.failed).append(undone)

    def to_error(self, verb: str) -> BatchError:
        """Return the error that names the items which were not done.

        Args:
            verb: The caller's verb, such as ``put_many``.
        """
        left = self.failed or self.unknown
        first = left[0].error
        tables = ", ".join(sorted({one.table for one in (*self.failed, *self.unknown)}))
        untouched = f", {self.not_taken} not taken" if self.not_taken else ""
        error = BatchError(
            f"{verb}: {self.written} done, {len(self.failed)} not done, {len(self.unknown)} unknown{untouched}; the "
            f"first failed for {type(first).__name__}: {str(first)[:SHOWN_BYTES]}. `error.report` has each of them, "
            "with its error",
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
            "not taken": self.not_taken,
        }
        parts += [f"{count:,} {name}" for name, count in optional.items() if count]
        units = {"read": self.read_units, "write": self.write_units}
        parts += [f"{number:,.1f} {kind} units" for kind, number in units.items() if number]
        return ", ".join(parts)

    def __repr__(self) -> str:
        return f"<BatchReport {self}>"


_SUMMED: Final = tuple(each.name for each in fields(BatchReport) if each.name != "not_taken")


def may_be_applied(error: BaseException) -> bool:
    """Return whether a write that ended in this error may have been applied."""
    if isinstance(error, TransportError):
        return error.outcome is Outcome.UNKNOWN
    if isinstance(error, OutcomeUnknownError | InternalServerError | ServiceUnavailableError):
        return True
    return bool(getattr(error, "ambiguous", False))
