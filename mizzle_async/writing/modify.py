"""Read, change, write, and again when somebody else was faster: what `Table.modify` does.

It knows one thing about versions: a conflict tells what is stored.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeAlias, TypeVar

from attrs import frozen

from mizzle_async.errors import (
    DeadlineExceededError,
    ExpressionError,
    MizzleError,
    TransactionCanceledError,
    TransactionConflictError,
    VersionConflictError,
)
from mizzle_async.flow.ports import PacingPort
from mizzle_async.operations import GetStored, Target, UpdateItem
from mizzle_async.types import Item, Outcome

ModelT = TypeVar("ModelT")
ResultT = TypeVar("ResultT")

Change: TypeAlias = Callable[[ModelT], ModelT | Awaitable[ModelT]]
"""What an item shall be, given what it is; it may be asynchronous, and is called again after a conflict."""

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 2.0
"""Seconds: pauses are drawn from zero to the first, doubled for each further conflict up to the longest."""

_CONFLICT_REASON = "TransactionConflict"


@frozen(eq=False, repr=False)
class Modification(Generic[ModelT]):
    """One item's change under optimistic locking.

    Attributes:
        target: The table.
        port: The client.
        read: Builds the reading of the item.
        write: Builds the smallest update from the item as it was to the instance as it shall be, checking a version; it
            is told what is left of the time, and what is stored.
        change: The caller's.
        attempts: Writes tried at most; None for as many as fit the time.
        timeout: Seconds for everything; None for the client's.
    """

    target: Target[ModelT]
    port: PacingPort
    read: Callable[[float], GetStored[ModelT]]
    write: Callable[[Item, int, ModelT, float, Item], UpdateItem[ModelT]]
    change: Change[ModelT]
    attempts: int | None = None
    timeout: float | None = None

    async def run(self) -> ModelT:
        """Read, change and write until it is written.

        Returns:
            The instance as stored.

        Raises:
            ItemNotFoundError: There is no such item.
            VersionConflictError: Somebody else was faster, as often as ``attempts`` or the time allow.
            DeadlineExceededError: The time is up.
            OutcomeUnknownError: A write's answer was lost, and what is stored does not tell what became of it.
        """
        loop = asyncio.get_running_loop()
        timeout = self.port.timeout if self.timeout is None else self.timeout
        ends = loop.time() + timeout
        conflicts = 0
        current: tuple[Item, ModelT] | None = None
        while True:
            if current is None:
                current = await self._within(timeout, self.read(ends - loop.time()))
            # What the change raises is the caller's own, be it a conflict or a deadline of another call.
            write = await self._changed(*current, ends, timeout)
            try:
                return await self._within(timeout, write)
            except (VersionConflictError, TransactionConflictError, TransactionCanceledError) as error:
                conflicts += 1
                if not _is_conflict(error) or conflicts == self.attempts:
                    raise
                current = await self._next(error, conflicts, ends)

    async def _within(self, timeout: float, operation: Awaitable[ResultT]) -> ResultT:
        """Send an operation, which was given what is left: a deadline names the number that was given for all."""
        try:
            return await operation
        except DeadlineExceededError as error:
            error.timeout = timeout
            error.message = self._too_late(timeout)
            raise

    async def _changed(self, stored: Item, current: ModelT, ends: float, timeout: float) -> UpdateItem[ModelT]:
        """Ask for the change, and return the update that it comes to."""
        target = self.target
        schema = target.schema
        # Before the change is called, which may change the instance itself.
        before = target.codec.encode(current)
        version: int = getattr(current, schema.version.field) if schema.version is not None else 0
        changed: Any = self.change(current)
        if inspect.isawaitable(changed):
            limit = asyncio.timeout_at(ends)
            try:
                async with limit:
                    changed = await changed
            except TimeoutError as error:
                if not limit.expired():
                    raise
                raise DeadlineExceededError(
                    f"{self._too_late(timeout)}: the change was still being worked out",
                    timeout=timeout,
                    outcome=Outcome.NOT_SENT,
                    table=target.table,
                ) from error
        if not isinstance(changed, schema.cls):
            raise ExpressionError(
                f"{schema.entity}: the change returned {type(changed).__name__}: return the instance as it shall be "
                "stored, `return evolve(item, …)`"
            )
        return self.write(before, version, changed, ends - asyncio.get_running_loop().time(), stored)

    def _too_late(self, timeout: float) -> str:
        return f"timeout of {timeout:g} seconds exceeded while modifying {self.target.schema.entity}"

    async def _next(self, error: MizzleError, conflicts: int, ends: float) -> tuple[Item, ModelT] | None:
        """Return the item to go on with, or None where it must be read again; raise where the time is up."""
        if conflicts == 1 and isinstance(error, VersionConflictError) and error.item is not None:
            # The conflict has just told what is stored: no pause, no read.
            return error.item, self.target.codec.decode(error.item)
        pause = self.port.random() * min(FIRST_PAUSE * 2.0 ** min(conflicts - 1, 64), LONGEST_PAUSE)
        if asyncio.get_running_loop().time() + pause >= ends:
            raise error
        await self.port.pause(pause)
        return None


def check_attempts(attempts: object, entity: str) -> None:
    """Refuse what bounds nothing.

    Raises:
        ExpressionError: It is neither None nor a positive integer.
    """
    if attempts is not None and not (isinstance(attempts, int) and attempts >= 1):
        raise ExpressionError(f"{entity}: attempts={attempts!r} must be 1 or more, or None for no limit")


def _is_conflict(error: MizzleError) -> bool:
    """Tell whether somebody else was faster, which a further attempt may mend."""
    if isinstance(error, TransactionCanceledError):
        codes = {reason.code for reason in error.reasons} - {None}
        return codes == {_CONFLICT_REASON}
    return True
