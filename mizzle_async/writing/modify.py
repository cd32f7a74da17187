"""The work of `Table.modify`: read, change, write, and again when another writer was faster.

It knows one thing about versions: the error of a conflict carries the stored item.
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
"""Returns the new state of an item from its current one. It may be asynchronous. A conflict calls it again."""

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
        write: Builds the smallest update, under a version, from the item as it was, the new instance, the remaining
            seconds, and the stored item.
        change: The caller's.
        attempts: Writes tried at most, or None for as many as fit the time.
        timeout: Seconds for everything, or None for the client's.
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
            VersionConflictError: Other writers were faster, as often as ``attempts`` or the time allow.
            DeadlineExceededError: The time is up.
            OutcomeUnknownError: The answer to a write was lost, and the stored item does not show whether it was
                applied.
        """
        loop = asyncio.get_running_loop()
        timeout = self.port.timeout if self.timeout is None else self.timeout
        ends = loop.time() + timeout
        conflicts = 0
        current: tuple[Item, ModelT] | None = None
        while True:
            if current is None:
                current = await self._within(timeout, self.read(ends - loop.time()))
            # An error of the change is the caller's own, even a conflict or a deadline of another call.
            write = await self._changed(*current, ends, timeout)
            try:
                return await self._within(timeout, write)
            except (VersionConflictError, TransactionConflictError, TransactionCanceledError) as error:
                conflicts += 1
                if not _is_conflict(error) or conflicts == self.attempts:
                    raise
                current = await self._next(error, conflicts, ends)

    async def _within(self, timeout: float, operation: Awaitable[ResultT]) -> ResultT:
        """Send an operation within the remaining time. A deadline names the timeout of the whole modification."""
        try:
            return await operation
        except DeadlineExceededError as error:
            error.timeout = timeout
            error.message = self._too_late(timeout)
            raise

    async def _changed(self, stored: Item, current: ModelT, ends: float, timeout: float) -> UpdateItem[ModelT]:
        """Call the change, and return the update to its result."""
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
                f"{schema.entity}: the change returned {type(changed).__name__}: return the instance to be stored, "
                "`return evolve(item, …)`"
            )
        return self.write(before, version, changed, ends - asyncio.get_running_loop().time(), stored)

    def _too_late(self, timeout: float) -> str:
        return f"timeout of {timeout:g} seconds exceeded while modifying {self.target.schema.entity}"

    async def _next(self, error: MizzleError, conflicts: int, ends: float) -> tuple[Item, ModelT] | None:
        """Return the item to go on with, or None where it must be read again. Raise the error where the time is up."""
        if conflicts == 1 and isinstance(error, VersionConflictError) and error.item is not None:
            # The conflict has just brought the stored item: no pause, no read.
            return error.item, self.target.codec.decode(error.item)
        pause = self.port.random() * min(FIRST_PAUSE * 2.0 ** min(conflicts - 1, 64), LONGEST_PAUSE)
        if asyncio.get_running_loop().time() + pause >= ends:
            raise error
        await self.port.pause(pause)
        return None


def check_attempts(attempts: object, entity: str) -> None:
    """Raise unless the number of attempts is a limit.

    Raises:
        ExpressionError: It is neither None nor a positive integer.
    """
    if attempts is not None and not (isinstance(attempts, int) and attempts >= 1):
        raise ExpressionError(f"{entity}: attempts={attempts!r} must be 1 or more, or None for no limit")


def _is_conflict(error: MizzleError) -> bool:
    """Return whether another writer was faster, so that a further attempt may succeed."""
    if isinstance(error, TransactionCanceledError):
        codes = {reason.code for reason in error.reasons} - {None}
        return codes == {_CONFLICT_REASON}
    return True
