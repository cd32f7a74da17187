"""The messages between the parent of workers and each of them. All of them travel through one pipe, pickled."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from attrs import frozen

from mizzle_async.flow.report import BatchReport

UnitKind: TypeAlias = Literal["read", "write"]


# ── to a worker ──


@frozen(eq=False)
class Task:
    """One part of the work.

    Attributes:
        payload: The argument of the work's function.
        state: How far an earlier worker has come with it, or None.
    """

    payload: Any
    state: Any = None


@frozen(eq=False)
class Grant:
    """Units that the worker may consume."""

    kind: UnitKind
    units: float


@frozen(eq=False)
class Stop:
    """The end: work that is under way is finished or dropped, and its state told."""


# ── to the parent ──


@frozen(eq=False)
class Ready:
    """The worker has a client, and takes tasks."""


@frozen(eq=False)
class Progress:
    """How the worker's part goes: its report, of this worker's attempt.

    Attributes:
        report: Its report so far.
        state: How far it is done, durably, where `has_state`.
        has_state: Whether the report is exactly that of the state.
    """

    report: BatchReport
    state: Any = None
    has_state: bool = False


@frozen(eq=False)
class Asked:
    """A wish for units, with what was consumed beyond the units of before."""

    kind: UnitKind
    debt: float


@frozen(eq=False)
class Returned:
    """Units that were granted and are not needed."""

    kind: UnitKind
    units: float


@frozen(eq=False)
class Done:
    """The worker's part is at its end.

    Attributes:
        report: Its report, which has the items that were not done.
    """

    report: BatchReport


@frozen(eq=False)
class Noted:
    """A note of the work's function for the parent: an item that is refused, a sentence for the user."""

    note: Any


@frozen(eq=False)
class Fatal:
    """An error that concerns every worker: credentials, a table that is not there, an error of the caller's code."""

    error: BaseException
    report: BatchReport | None = None


@frozen(eq=False)
class Died:
    """The worker's pipe is closed: it was killed, or has ended."""


# ── in the parent ──


@frozen(eq=False)
class Arrived:
    """Parts have come, or the last one has."""
