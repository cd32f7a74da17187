"""The port to a place that keeps the state of resumable work: a file, or a row of a state table."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from mizzle_async.bulk.checkpoints import FORMAT, StateFile, parsed_state
from mizzle_async.errors import MizzleError, ResumeError

StateT = TypeVar("StateT")


@runtime_checkable
class StateStore(Protocol):
    """Keeps the state of one piece of work. Its methods are called one at a time, by one run of the work."""

    @property
    def place(self) -> str:
        """Where the state is kept, for messages."""
        ...

    @property
    def remedy(self) -> str:
        """The words of a message that say how to begin anew."""
        ...

    async def read(self) -> Any | None:
        """Begin a run: return the state, as JSON can hold it, or None where there is none.

        From then on an earlier run that still is at work cannot write.
        """
        ...

    async def write(self, state: dict[str, Any], /) -> None:
        """Replace the state, durably.

        Raises:
            ResumeError: A later run has begun.
        """
        ...

    async def write_last(self, state: dict[str, Any], /) -> None:
        """Replace the state at the end of the run, also where the run was cancelled.

        Raises:
            ResumeError: A later run has begun.
        """
        ...


ResumeFrom: TypeAlias = "str | os.PathLike[str] | StateStore"
"""Where the state of resumable work is kept: the path of a file, or ``state.resume(key)`` of a state table."""


class SavedState:
    """The state of one piece of work, compared with the work when it is read.

    Args:
        where: Where it is kept.
        about: Names the work.
    """

    def __init__(self, where: ResumeFrom, about: dict[str, Any]) -> None:
        self._file = None if isinstance(where, StateStore) else StateFile(where, about)
        self._store = where if isinstance(where, StateStore) else None
        self._about = {"format": FORMAT, **about}
        self._is_overtaken = False

    async def read(self, parse: Callable[[dict[str, Any]], StateT]) -> StateT | None:
        """Return the state, or None where there is none.

        Args:
            parse: Makes the state of its JSON.

        Raises:
            ResumeError: It is damaged or of other work, or it could not be written.
        """
        if self._file is not None:
            return self._file.read(parse)
        store = self._store
        assert store is not None  # noqa: S101  (one of the two is there)
        state = await store.read()
        return None if state is None else parsed_state(state, self._about, parse, store.place, store.remedy)

    async def write(self, state: dict[str, Any]) -> None:
        """Replace the state, durably: a file in a thread."""
        if self._file is not None:
            await self._file.write_aside(state)
        elif self._store is not None:
            try:
                await self._store.write({**self._about, **state})
            except ResumeError:
                self._is_overtaken = True
                raise

    async def write_last(self, state: dict[str, Any], failure: BaseException | None) -> None:
        """Replace the state at the end of the work.

        Args:
            state: The state.
            failure: The exception that ends the work, or None. Where the state cannot be written besides, a note says
                so, and the last checkpoint stands.
        """
        if self._is_overtaken:
            return
        if self._file is not None:
            self._file.write(state)
        elif self._store is not None:
            try:
                await self._store.write_last({**self._about, **state})
            except MizzleError as error:
                if failure is None:
                    raise
                failure.add_note(f"the state was not written at the end, and the last checkpoint stands: {error}")
