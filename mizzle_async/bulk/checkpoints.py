"""State files: how far a load, an export or a rewrite has come, so that a killed one goes on from there.

A state file is JSON, and is replaced as a whole: whatever happens, it is the old one or the new one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from mizzle_async.errors import ResumeError
from mizzle_async.operations import WRITE_CHUNK, BatchEntry

StateT = TypeVar("StateT")

FORMAT: Final = 1

StatePath: TypeAlias = "str | os.PathLike[str]"
"""Where a state file is."""


class StateFile:
    """One state file.

    Args:
        path: Where it is.
        about: What it must be about: written into it, and compared when it is read.
    """

    def __init__(self, path: StatePath, about: dict[str, Any]) -> None:
        self._path = Path(path)
        self._about = {"format": FORMAT, **about}
        self._lock = threading.Lock()
        self._made = 0
        self._written = 0

    def read(self, parse: Callable[[dict[str, Any]], StateT]) -> StateT | None:
        """Return the state, or None where there is no file.

        Args:
            parse: Makes what is returned of what is in the file.

        Raises:
            ResumeError: The file is no state file, or one of other work, or it could not be written.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            if not self._path.parent.is_dir():
                raise ResumeError(f"{self._path} cannot be written: there is no folder {self._path.parent}") from None
            return None
        try:
            state: Any = json.loads(content)
        except ValueError as error:
            raise ResumeError(f"{self._path} is no state file: give another name, or remove it") from error
        for name, expected in self._about.items():
            found = state.get(name) if isinstance(state, dict) else None
            if found != expected:
                raise ResumeError(
                    f"{self._path} is the state of other work ({name} is {found!r}, here it is {expected!r}): give "
                    "another name, or remove it to begin anew"
                )
        try:
            return parse(state)
        except (LookupError, TypeError, ValueError) as error:
            raise ResumeError(f"{self._path} is damaged: remove it to begin anew") from error

    def write(self, state: dict[str, Any]) -> None:
        """Replace the state, durably; to be called on the loop's thread."""
        self._made += 1
        self._write(self._made, state)

    async def write_aside(self, state: dict[str, Any]) -> None:
        """Replace the state, durably, in a thread."""
        self._made += 1
        await asyncio.to_thread(self._write, self._made, state)

    def _write(self, number: int, state: dict[str, Any]) -> None:
        text = json.dumps({**self._about, **state}, indent=1)
        with self._lock:
            if number < self._written:  # a thread that comes late must not bring an older state back
                return
            self._written = number
            scratch = self._path.with_name(f"{self._path.name}.new")
            with scratch.open("w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(self._path)


class Run:
    """Consecutive items of an input.

    Attributes:
        left: How many of them are not settled.
        end: The position after the last of them.
        digest: The digest of the input up to there; empty while the run is being read.
    """

    __slots__ = ("digest", "end", "left")

    def __init__(self, left: int, end: int, digest: str = "") -> None:
        self.left: int = left
        self.end: int = end
        self.digest: str = digest


class LoadState:
    """How much of an input is settled, from its beginning without a gap.

    The input is recognised by the keys of its items in their order.

    Args:
        file: The state file.
        every: Batches between checkpoints.
    """

    def __init__(self, file: StateFile, every: int) -> None:
        self._file = file
        self._every = every
        self._batches = 0
        self._saving = False
        self._hash = hashlib.blake2b(digest_size=16)
        self._seen = 0
        self._runs: deque[Run] = deque()
        self.skip: int
        self.skip, self._expected = file.read(_done) or (0, "")
        self._done = self.skip
        self._digest = self._expected

    def saw(self, entry: BatchEntry | None) -> bool:
        """Hear of the next item of the input.

        Args:
            entry: Its write; None for one that cannot be written.

        Returns:
            Whether it must be written: an earlier run has done what comes before.

        Raises:
            ResumeError: The input is another one than that run's.
        """
        self._hash.update(repr(None if entry is None else entry.identity).encode())
        self._seen += 1
        if self._seen <= self.skip:
            if self._seen == self.skip and self._hash.hexdigest() != self._expected:
                raise ResumeError(
                    f"the first {self.skip:,} items of the input are not those that were loaded before: resume with "
                    "the same input in the same order, or remove the state file to begin anew"
                )
            return False
        if not self._runs or self._runs[-1].digest:
            self._runs.append(Run(WRITE_CHUNK, self._seen - 1 + WRITE_CHUNK))
        run = self._runs[-1]
        if self._seen == run.end:
            run.digest = self._hash.hexdigest()
        if entry is not None:
            entry.run = run
        else:
            self.settle(run)
        return True

    def settle(self, run: Run) -> None:
        """Hear that an item is written, or will never be."""
        run.left -= 1
        if not run.left:
            runs = self._runs
            while runs and not runs[0].left and runs[0].digest:
                first = runs.popleft()
                self._done, self._digest = first.end, first.digest

    def ended(self) -> None:
        """Hear that the input is at its end.

        Raises:
            ResumeError: It is shorter than what was loaded before.
        """
        if self._seen < self.skip:
            raise ResumeError(
                f"the input has {self._seen:,} items, and {self.skip:,} of it were loaded before: resume with the same "
                "input, or remove the state file to begin anew"
            )
        if self._runs and not self._runs[-1].digest:
            run = self._runs[-1]
            missing = run.end - self._seen
            run.end, run.digest = self._seen, self._hash.hexdigest()
            run.left -= missing - 1
            self.settle(run)

    async def batch_done(self) -> None:
        """Write a checkpoint where one is due."""
        self._batches += 1
        if self._batches % self._every == 0 and not self._saving:
            self._saving = True
            try:
                await self._file.write_aside(self._state(complete=False))
            finally:
                self._saving = False

    def save(self, *, complete: bool) -> None:
        """Write the last checkpoint."""
        self._file.write(self._state(complete=complete))

    def _state(self, *, complete: bool) -> dict[str, Any]:
        return {"done": self._done, "digest": self._digest, "complete": complete}


def _done(state: dict[str, Any]) -> tuple[int, str]:
    """Return how much of an input is settled, and its digest."""
    done, digest = state["done"], state["digest"]
    if not isinstance(done, int) or not isinstance(digest, str):
        raise TypeError
    return done, digest
