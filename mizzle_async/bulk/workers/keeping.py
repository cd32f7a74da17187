"""Keeping the state of work in parts: written while it changes, and at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from mizzle_async.bulk.saved_state import SavedState
from mizzle_async.errors import ResumeError

CHECKPOINT_SECONDS: Final = 1.0


class Keeping:
    """Writes a state while it changes, every second at most, and at the end of its block.

    Args:
        saved: Where the state is kept, or None to keep nothing.
        state: Returns the state.
    """

    def __init__(self, saved: SavedState | None, state: Callable[[], dict[str, Any]]) -> None:
        self._saved = saved
        self._state = state
        self._is_changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def change(self) -> None:
        """Take note that the state has changed."""
        self._is_changed.set()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._saved is not None and not isinstance(error, ResumeError):  # a state of other work stays as it is
            await self._saved.write_last(self._state(), error)

    async def _keep(self) -> None:
        while self._saved is not None:
            await self._is_changed.wait()
            self._is_changed.clear()
            await self._saved.write(self._state())
            await asyncio.sleep(CHECKPOINT_SECONDS)
