"""The state of resumable work as a row: for processes without a disk, and for several that must not go on at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

import orjson

from mizzle_async.errors import (
    ClientStateError,
    ConditionalCheckFailedError,
    LimitError,
    OutcomeUnknownError,
    ResumeError,
)
from mizzle_async.expressions.names import text_bytes
from mizzle_async.flow.ports import TaskPort
from mizzle_async.operations import PutItem, derive
from mizzle_async.streams.state.rows import STATE, Progress, moment
from mizzle_async.streams.state.table import StateRows

KEEP: Final = timedelta(days=30)
"""How long a state is kept after its last write."""

STATE_BYTES: Final = 400_000
"""The limit of a state. An item holds 409,600 bytes, the key and the other attributes included."""

LAST_SECONDS: Final = 5.0
"""The time for the last write of work that is cancelled."""

ATTEMPTS: Final = 10
"""How often a run tries to begin while others do the same."""


class ResumeState:
    """Keeps the state of one piece of work: ``resume=state.resume("export-7")``.

    The run that began last goes on with the work. An earlier one that is still alive ends with `ResumeError` at its
    next checkpoint.

    Args:
        port: The client.
        rows: The rows of states.
        scope: The scope of the row.
        key: The caller's key, for messages.
        keep: Seconds for which the state is kept after its last write.
    """

    def __init__(self, port: TaskPort, rows: StateRows[Progress], scope: str, key: str, keep: float) -> None:
        self._port = port
        self._rows = rows
        self._scope = scope
        self._key = key
        self._keep = keep
        self._last: Progress | None = None

    @property
    def place(self) -> str:
        """Where the state is kept, for messages."""
        return f"state {self._key!r} of table {self._rows.name!r}"

    @property
    def remedy(self) -> str:
        """The words of a message that say how to begin anew."""
        return f"give another key, or `await state.resume({self._key!r}).forget()`"

    async def read(self) -> Any | None:
        """Begin a run: claim the row, and return the state in it, or None where there is none.

        Raises:
            ResumeError: Other runs begin all the time, or the row is damaged.

        Cost: two requests, a read unit and a write unit for each KB of the state.
        """
        run = self._port.new_token()
        for _ in range(ATTEMPTS):
            seen = await self._port.send(self._rows.at(self._scope, STATE))
            if seen is not None and seen.run == run:  # claimed by a request whose answer was lost
                return self._begun(seen)
            claimed = self._row(run, 1 if seen is None else seen.revision + 1, None if seen is None else seen.state)
            if await self._claim(claimed, seen):
                return self._begun(claimed)
            await asyncio.sleep(self._port.random() / 4)
        raise ResumeError(f"{self.place}: other processes begin with it all the time")

    async def write(self, state: dict[str, Any], /) -> None:
        """Replace the state, if no other run has begun since.

        Raises:
            ResumeError: Another one has begun, or the row was deleted.
            LimitError: The state does not fit a row.

        Cost: one request, and a write unit for each KB of the state.
        """
        last = self._last
        if last is None:
            raise ClientStateError(f"{self.place} was not read")
        text = orjson.dumps(state).decode()
        if text_bytes(text) > STATE_BYTES:
            raise LimitError(
                f"{self.place}: the state has {text_bytes(text):,} bytes, and a row holds {STATE_BYTES:,}: read fewer "
                "segments at once, or keep the state in a file"
            )
        row = self._last = self._row(last.run, last.revision + 1, text)
        # An earlier write that arrives late is refused by its revision.
        same = (Progress.run == row.run) & (Progress.revision < row.revision)
        operation = self._rows.put(row).when(same)
        try:
            await self._port.send(operation)
        except ConditionalCheckFailedError as error:
            raise self._overtaken() from error
        except OutcomeUnknownError as error:
            if not await self._is_written(operation, row):
                raise self._overtaken() from error

    async def write_last(self, state: dict[str, Any], /) -> None:
        """Replace the state at the end of the run. A cancellation waits for it, for five seconds at most.

        Raises:
            ResumeError: Another run has begun, or the row was deleted.
            ClientStateError: The client is closed.
        """
        writing = self.write(state)
        try:
            task = self._port.start(writing)
        except ClientStateError:
            writing.close()
            raise
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task], timeout=LAST_SECONDS)
            raise

    async def forget(self) -> None:
        """Remove the state, so that the work begins anew. A run that is alive ends at its next checkpoint."""
        await self._port.send(self._rows.delete(scope=self._scope, row=STATE))

    # ── steps ──

    def _begun(self, row: Progress) -> Any | None:
        self._last = row
        if row.state is None:
            return None
        try:
            return orjson.loads(row.state)
        except orjson.JSONDecodeError as error:
            raise ResumeError(f"{self.place} is no state: {self.remedy} to begin anew") from error

    def _row(self, run: str, revision: int, state: str | None) -> Progress:
        expires = moment(self._port.now() + self._keep)
        return Progress(scope=self._scope, row=STATE, run=run, revision=revision, state=state, expires=expires)

    async def _claim(self, row: Progress, seen: Progress | None) -> bool:
        """Write the row of a new run. Return False where it has changed, or where that is not known."""
        if seen is None:
            operation = self._rows.insert(row)
        else:
            same = (Progress.run == seen.run) & (Progress.revision == seen.revision)
            operation = self._rows.put(row).when(same)
        try:
            await self._port.send(operation)
        except (ConditionalCheckFailedError, OutcomeUnknownError):
            return False
        return True

    async def _is_written(self, operation: PutItem[Progress], row: Progress) -> bool:
        """Return whether a write whose answer was lost is applied: it is sent again where it is not."""
        stored = await self._port.send(self._rows.at(self._scope, STATE))
        if stored is not None and stored.run == row.run and stored.revision < row.revision:
            await self._port.send(derive(operation))
            return True
        return stored is not None and stored.run == row.run

    def _overtaken(self) -> ResumeError:
        return ResumeError(
            f"{self.place}: another process has gone on with this work since, or the state was removed. This one "
            "stops: keep others out with `async with state.lease(…)`"
        )

    def __repr__(self) -> str:
        return f"<ResumeState {self._key!r} of {self._rows.name!r}>"
