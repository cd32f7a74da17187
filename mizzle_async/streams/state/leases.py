"""Leases: one process at a time, for as long as it renews its claim.

``async with`` takes the lease and keeps it by a task of the client's. Its loss cancels the block, and raises
`LeaseLostError` where the block ends, by the rules of `asyncio.timeout`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from mizzle_async.codes import RETRIED_CANCELLATION_CODES
from mizzle_async.errors import (
    ClientStateError,
    ConditionalCheckFailedError,
    ExpressionError,
    ItemNotFoundError,
    LeaseHeldError,
    LeaseLostError,
    MizzleError,
    OutcomeUnknownError,
    TransactionCanceledError,
)
from mizzle_async.flow.ports import TaskPort
from mizzle_async.operations import CheckItem, Target, Transactable, derive
from mizzle_async.operations.transactions.write import transact_write
from mizzle_async.streams.state.lease_rules import Claim, LeaseRows, Standing, Tenure, Watch
from mizzle_async.streams.state.rows import BEAT, FENCE, Beat

logger: logging.Logger = logging.getLogger(__name__)

SHORTEST_LEASE: Final = 1.0
LONGEST_LEASE: Final = 86_400.0
"""Seconds of a lease: shorter ones are lost by one slow answer, of longer ones a killed holder keeps others out."""

LOOKS: Final = 10
"""How often a waiter reads a lease within its time."""

SHORTEST_LOOK: Final = 0.1
LONGEST_LOOK: Final = 5.0
"""Seconds between two readings by a waiter."""

RELEASE_SECONDS: Final = 5.0
"""The time for releasing a lease."""

RELEASE_PAUSES: Final = (0.1, 0.5, 2.0)
"""Seconds between attempts to release a lease whose taking was cancelled under way."""

_REFUSED: Final = frozenset({"ConditionalCheckFailed"}) | RETRIED_CANCELLATION_CODES


class Lease:
    """A lease, to be entered with ``async with state.lease("nightly") as lease``.

    It can be entered again after its block has ended, and is then taken anew.

    Args:
        port: The client.
        rows: The rows of leases.
        spanning: The target of transactions.
        name: The name of the lease, for messages.
        claim: The claim, without the id of a taking.
        wait: Seconds to wait for another holder, or None for ever.
    """

    def __init__(
        self,
        port: TaskPort,
        rows: LeaseRows,
        spanning: Target[Any],
        *,
        name: str,
        claim: Claim,
        wait: float | None,
    ) -> None:
        self._port = port
        self._rows = rows
        self._spanning = spanning
        self._name = name
        self._claim = claim
        self._wait = wait
        self._state = "new"
        self._held: Beat | None = None
        self._tried: Beat | None = None
        self._in_doubt = False
        self._tenure = Tenure(0.0, claim.seconds)
        self._lost: str | None = None
        self._task: asyncio.Task[Any] | None = None
        self._cancelling = 0
        self._keeper: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None

    # ── what a user calls ──

    @property
    def name(self) -> str:
        """The name of the lease."""
        return self._name

    @property
    def epoch(self) -> int:
        """The number of this taking. It grows with each one: other systems can refuse a smaller one.

        Raises:
            ClientStateError: The lease was not taken.
        """
        return self._holding().epoch

    @property
    def is_held(self) -> bool:
        """Whether the lease is held, as far as this process knows."""
        return self._state == "held" and self._lost is None and _clock() < self._tenure.ends

    def check(self) -> CheckItem[Any]:
        """Return the check that this lease still is held, for `Client.transact_write`.

        The service evaluates it in the transaction: a process that was stopped for too long writes nothing.

        Raises:
            LeaseLostError: The lease is known to be lost.
            ClientStateError: The lease was not taken.

        Cost: two write units.
        """
        held = self._holding()
        if not self.is_held:
            raise self._lost_error(self._lost or "its time is up")
        return self._rows.check(held)

    async def __aenter__(self) -> Self:
        if self._state != "new":
            raise ClientStateError(f"lease {self._name!r} is entered already: ask the state table for another one")
        task = asyncio.current_task()
        if task is None:
            raise ClientStateError("a lease is held by a task: enter it in one")
        self._state, self._lost = "entering", None
        self._tried, self._in_doubt = None, False
        self._claim = Claim(self._claim.scope, self._port.new_token(), self._claim.seconds, self._claim.holder)
        try:
            await self._acquire()
        except BaseException:
            self._state = "new"
            self._release_aside(self._tried, attempts=len(RELEASE_PAUSES))
            raise
        self._task, self._cancelling = task, task.cancelling()
        self._state = "held"
        self._set_alarm()
        self._keeper = self._port.start(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        held, lost, task = self._holding(), self._lost, self._task
        late = _clock() >= self._tenure.ends
        self._state = "new"  # from here on nothing cancels the task
        self._task = None
        if self._alarm is not None:
            self._alarm.cancel()
        if self._keeper is not None:
            self._keeper.cancel()
        if lost is None:
            if (releasing := self._release_aside(held)) is not None:
                await asyncio.shield(releasing)
            if late and kind is None:  # the loop was blocked, so that the alarm has not run
                raise self._lost_error("its time is up")
            return
        ours = task is not None and task.uncancel() <= self._cancelling
        if ours and (kind is None or issubclass(kind, asyncio.CancelledError)):
            raise self._lost_error(lost) from error
        if ours and error is not None:
            error.add_note(f"lease {self._name!r} was lost meanwhile: {lost}")

    def __repr__(self) -> str:
        epoch = "" if self._held is None else f", epoch {self._held.epoch}"
        state = "lost" if self._lost is not None else "free" if self._state == "new" else self._state
        return f"<Lease {self._name!r} {state}{epoch}>"

    # ── taking ──

    async def _acquire(self) -> None:
        """Wait until the lease is taken.

        Raises:
            LeaseHeldError: Another process holds it.
        """
        begun, watch = _clock(), Watch()
        while True:
            seen = await self._read()
            if seen.beat is not None and seen.beat.owner == self._claim.owner:
                # A taking was applied although its answer was lost. How long ago is not known: the renewal says.
                if await self._renew(seen.beat):
                    return
                continue
            now = _clock()
            watch = watch.saw(seen, self._claim.seconds, now)
            left = 0.0 if seen.is_free else watch.left(now)
            if left <= 0 and await self._take(seen):
                return
            pause = self._pause(left)
            if self._wait is not None:
                waits = begun + self._wait - _clock()
                if waits <= 0:
                    raise self._held_error(seen)
                pause = min(pause, waits)
            await asyncio.sleep(pause)

    def _pause(self, left: float) -> float:
        """Return the seconds until the next reading: jittered, and not behind the moment when the lease is left."""
        look = min(max(self._claim.seconds / LOOKS, SHORTEST_LOOK), LONGEST_LOOK)
        jittered = look * (0.75 + self._port.random() / 2)
        return min(jittered, left) if left > 0 else jittered * self._port.random()

    async def _read(self) -> Standing:
        """Read the lease. The fence is read where there is no beat."""
        rows, scope = self._rows, self._claim.scope
        beat = await self._port.send(rows.beats.at(scope, BEAT))
        fence = await self._port.send(rows.fences.at(scope, FENCE)) if beat is None else None
        return Standing(beat, fence)

    async def _take(self, seen: Standing) -> bool:
        """Try to take the lease as it was seen. Return False where it has changed, or where that is not known."""
        if seen.beat is not None:
            seen = Standing(seen.beat, await self._port.send(self._rows.fences.at(self._claim.scope, FENCE)))
        beat, operations = self._rows.take(self._claim, seen)
        self._tried, started = beat, _clock()
        try:
            await self._transact(operations)
        except TransactionCanceledError as error:
            if not self._in_doubt:
                self._tried = None
            if {reason.code for reason in error.reasons} - {None} <= _REFUSED:
                return False
            raise
        except OutcomeUnknownError:
            self._in_doubt = True
            return False
        self._holds(beat, started)
        return True

    def _holds(self, beat: Beat, started: float) -> None:
        """Note a taking or a renewal that succeeded."""
        self._held, self._tenure = beat, Tenure(started, self._claim.seconds)

    async def _transact(self, operations: Sequence[Transactable[Any]], timeout: float | None = None) -> None:
        await self._port.send(transact_write(self._spanning, operations, None, timeout))

    # ── keeping ──

    async def _keep(self) -> None:
        """Renew the lease until it is lost, or until its block ends."""
        try:
            due = self._tenure.renewed_at
            while self._lost is None:
                await asyncio.sleep(max(due - _clock(), 0.0))
                try:
                    renewed = await self._renew(self._holding(), self._tenure.ends - _clock())
                except MizzleError as error:
                    # Not lost yet: tried again while there is time. The alarm ends it.
                    self._trouble(error)
                    due = _clock() + min(self._claim.seconds / 20, 1.0)
                    continue
                if not renewed:
                    self._lose("another process has taken it, or its row was deleted")
                due = self._tenure.renewed_at
                self._set_alarm()
        except asyncio.CancelledError:
            self._lose("the client was closed")
            raise

    async def _renew(self, held: Beat, timeout: float | None = None) -> bool:
        """Renew the lease. Return False where it is not held any more."""
        beat, operation = self._rows.renew(held)
        started = _clock()
        if timeout is not None:
            operation = derive(operation, _timeout=max(min(timeout, self._port.timeout), 0.001))
        try:
            await self._port.send(operation)
        except (ConditionalCheckFailedError, ItemNotFoundError):
            return False
        self._holds(beat, started)
        return True

    def _trouble(self, error: MizzleError) -> None:
        logger.warning("lease %r was not renewed, and is tried again: %s", self._name, type(error).__name__)

    def _set_alarm(self) -> None:
        """Set the moment when the lease is lost, unless it is renewed before."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self._state == "held" and self._lost is None:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_at(self._tenure.ends, self._lose, "it could not be renewed in time")

    def _lose(self, reason: str) -> None:
        """Note that the lease is lost, and cancel the block."""
        if self._state == "held" and self._lost is None and self._task is not None:
            self._lost = reason
            self._task.cancel()

    # ── giving up ──

    def _release_aside(self, held: Beat | None, attempts: int = 0) -> asyncio.Task[None] | None:
        """Begin to release a lease, in a task that a cancellation of the caller does not end.

        Args:
            held: The beat of the taking, or None where nothing was taken.
            attempts: How often it is tried again where it is not held: a taking may be on its way still.
        """
        if held is None:
            return None
        releasing = self._release(held, attempts)
        try:
            return self._port.start(releasing)
        except ClientStateError:  # the client was closed within the block: the lease ends by its time
            releasing.close()
            return None

    async def _release(self, held: Beat, attempts: int) -> None:
        """Release a lease, where it still is this one's. If that fails, others take it when its time is up."""
        for pause in (*RELEASE_PAUSES[:attempts], None):
            try:
                await self._transact(self._rows.release(held, self._port.now()), RELEASE_SECONDS)
            except MizzleError as error:
                if pause is None:
                    self._not_released(held, error)
                else:
                    await asyncio.sleep(pause)
            else:
                return

    def _not_released(self, held: Beat, error: MizzleError) -> None:
        logger.warning(
            "lease %r was not released, others may wait for %g seconds: %s",
            self._name,
            held.seconds,
            type(error).__name__,
        )

    # ── errors ──

    def _holding(self) -> Beat:
        if self._held is None:
            raise ClientStateError(f"lease {self._name!r} was not taken: `async with state.lease(…) as lease`")
        return self._held

    def _lost_error(self, reason: str) -> LeaseLostError:
        return LeaseLostError(
            f"lease {self._name!r} was lost: {reason}. Another process may hold it already",
            lease=self._name,
            table=self._rows.fences.name,
        )

    def _held_error(self, seen: Standing) -> LeaseHeldError:
        holder = "" if seen.beat is None else seen.beat.holder
        by = f" by {holder}" if holder else " by another process"
        return LeaseHeldError(
            f"lease {self._name!r} is held{by}: wait for longer with timeout=, or go on without it",
            lease=self._name,
            holder=holder,
            table=self._rows.fences.name,
        )


def check_lease_seconds(seconds: float) -> float:
    """Return the time of a lease.

    Raises:
        ExpressionError: It is no number of one second to a day.
    """
    untyped: Any = seconds
    if isinstance(untyped, bool) or not isinstance(untyped, int | float):
        raise ExpressionError(f"lease_seconds= takes a number of seconds, not {untyped!r}")
    if not SHORTEST_LEASE <= untyped <= LONGEST_LEASE:
        raise ExpressionError(f"lease_seconds={untyped!r}: a lease takes one second to one day")
    return float(untyped)


def _clock() -> float:
    """Return the time of the running loop, which is monotonic."""
    return asyncio.get_running_loop().time()
