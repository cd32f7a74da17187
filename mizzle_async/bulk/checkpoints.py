"""State files: how far a load, an export or a rewrite has come, so that a killed one goes on from there.

A state file is JSON, and is replaced as a whole: at any moment it is the old one or the new one. It holds keys, so that
only its owner may read it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final, Protocol, TextIO, TypeAlias, TypeVar

from attrs import define, frozen

from mizzle_async.errors import ResumeError
from mizzle_async.operations.batches import WRITE_CHUNK, BatchEntry

StateT = TypeVar("StateT")

FORMAT: Final = 1
"""The format of state files. Later versions have added members that earlier ones pass over."""

_DIGEST_BYTES: Final = 16
_DIGESTS: Final = 1 << 8 * _DIGEST_BYTES

StatePath: TypeAlias = "str | os.PathLike[str]"
"""The path of a state file."""


class StateFile:
    """One state file.

    Args:
        path: Its path.
        about: Names its work: written into it, and compared when it is read.
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
            parse: Makes the state of the file's content.

        Raises:
            ResumeError: The file is not a state file, or one of other work, or it could not be written.
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
        return parsed_state(state, self._about, parse, str(self._path), "give another name, or remove it")

    def write(self, state: dict[str, Any]) -> None:
        """Replace the state, durably. Called on the loop's thread."""
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
            with _open_anew(scratch) as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(self._path)


def parsed_state(
    state: Any, about: dict[str, Any], parse: Callable[[dict[str, Any]], StateT], place: str, remedy: str
) -> StateT:
    """Return a state that was read, if it is that of this work.

    Args:
        state: The JSON that was read.
        about: Names the work. The state has the same members.
        parse: Makes the state of its JSON.
        place: Where it is kept, for messages.
        remedy: The words of a message that say how to begin anew.

    Raises:
        ResumeError: It is damaged or of other work.
    """
    for name, expected in about.items():
        actual = state.get(name) if isinstance(state, dict) else None
        if actual != expected:
            raise ResumeError(
                f"{place} is the state of other work ({name} is {actual!r}, here it is {expected!r}): {remedy} to "
                "begin anew"
            )
    try:
        return parse(state)
    except (LookupError, TypeError, ValueError) as error:
        raise ResumeError(f"{place} is damaged: {remedy} to begin anew") from error


def _open_anew(path: Path) -> TextIO:
    """Open a new file for writing, which only its owner may read. A link or a file that lies there is removed first.

    The name is predictable: in a folder that others may write to, a link could lie there, and its target would be
    overwritten.
    """
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    return os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8")


class Saving(Protocol):
    """Takes the states of a load, one after the other."""

    async def write(self, state: dict[str, Any], /) -> None:
        """Replace the state, durably."""
        ...

    async def write_last(self, state: dict[str, Any], failure: BaseException | None, /) -> None:
        """Replace the state at the end of the work, which an exception may end."""
        ...


class Run:
    """Consecutive items of an input.

    Attributes:
        start: The position of the first of them.
        identities: The identity of each.
        settled: A bit for each settled item, the first one's lowest.
        digest: The digest of the input up to the last of them. It is empty while the run is being read.
    """

    __slots__ = ("digest", "identities", "settled", "start")

    def __init__(self, start: int) -> None:
        self.start: int = start
        self.identities: list[bytes] = []
        self.settled: int = 0
        self.digest: str = ""

    @property
    def end(self) -> int:
        """Return the position after the last item that was read."""
        return self.start + len(self.identities)

    @property
    def is_settled(self) -> bool:
        """Return whether the run was read and all of its items are settled."""
        return bool(self.digest) and self.settled == (1 << len(self.identities)) - 1

    def settled_items(self) -> Iterator[tuple[int, bytes]]:
        """Yield the position and the identity of each settled item, in order."""
        for number, identity in enumerate(self.identities):
            if self.settled >> number & 1:
                yield self.start + number, identity


@define(eq=False, repr=False)
class SettledRange:
    """Settled items behind one that is not.

    Attributes:
        start: The position of the first of them.
        end: The position after the last of them.
        digest: The sum of their digests: a part of them can be taken away.
    """

    start: int
    end: int
    digest: int = 0

    def add(self, position: int, identity: bytes) -> None:
        """Take the next item in."""
        self.end = position + 1
        self.digest = (self.digest + _item_digest(position, identity)) % _DIGESTS

    def pass_over(self, position: int, identity: bytes) -> None:
        """Take the first item out.

        Raises:
            ResumeError: It was the last one, and the items were not those of the range.
        """
        self.start = position + 1
        self.digest = (self.digest - _item_digest(position, identity)) % _DIGESTS
        if self.start == self.end and self.digest:
            raise other_input(self.end)


@frozen(eq=False, repr=False)
class LoadPosition:
    """How much of an input is settled, as a state file has it.

    Attributes:
        done: Items that are settled from the beginning without a gap.
        digest: The digest of the input up to there.
        beyond: Settled items behind the gap, in order.
    """

    done: int = 0
    digest: str = ""
    beyond: tuple[SettledRange, ...] = ()

    @classmethod
    def parse(cls, state: dict[str, Any]) -> LoadPosition:
        """Return the position that a state file has. Files of older versions know no items behind the gap.

        Raises:
            TypeError: A value has the wrong type.
            ValueError: The ranges are in no order.
        """
        done, digest = state["done"], state["digest"]
        if not (isinstance(done, int) and isinstance(digest, str)):
            raise TypeError
        beyond = tuple(SettledRange(start, end, int(sum_, 16)) for start, end, sum_ in state.get("beyond", ()))
        bounds = [done, *(bound for each in beyond for bound in (each.start, each.end))]
        if bounds != sorted(bounds):
            raise ValueError
        return cls(done, digest, beyond)


class LoadState:
    """Which items of an input are settled: written, or passed to ``on_error``.

    The input is recognised by the keys of its items in their order.

    Args:
        saved: Where the state is kept.
        every: Batches between checkpoints.
        before: The position of an earlier run.
    """

    def __init__(self, saved: Saving, every: int, before: LoadPosition | None = None) -> None:
        self._saved = saved
        self._every = every
        self._batches = 0
        self._saving = False
        self._hash = hashlib.blake2b(digest_size=16)
        self._seen = 0
        self._runs: deque[Run] = deque()
        self._before = before or LoadPosition()
        self._beyond = deque(self._before.beyond)
        self._done, self._digest = self._before.done, self._before.digest

    def saw(self, entry: BatchEntry | None) -> bool:
        """Take note of the next item of the input.

        Args:
            entry: Its write, or None for an item that cannot be written.

        Returns:
            Whether it is to be written: not if an earlier run has settled it.

        Raises:
            ResumeError: The input is not the one of that run.
        """
        identity = repr(None if entry is None else entry.identity).encode()
        position, before = self._seen, self._before
        self._hash.update(identity)
        self._seen += 1
        if self._seen <= before.done:
            if self._seen == before.done and self._hash.hexdigest() != before.digest:
                raise other_input(before.done)
            return False
        if not self._runs or self._runs[-1].digest:
            self._runs.append(Run(position))
        run = self._runs[-1]
        run.identities.append(identity)
        if len(run.identities) == WRITE_CHUNK:
            run.digest = self._hash.hexdigest()
        if self._beyond and self._beyond[0].start == position:
            self._pass_over(position, identity)
            self.settle(run, position)
            return False
        if entry is not None:
            entry.run = run
        return True

    def _pass_over(self, position: int, identity: bytes) -> None:
        """Take an item out of those that an earlier run has settled behind its gap."""
        first = self._beyond[0]
        first.pass_over(position, identity)
        if first.start == first.end:
            self._beyond.popleft()

    def settle_last(self) -> None:
        """Take note that the item that was seen last will never be written."""
        self.settle(self._runs[-1], self._seen - 1)

    def settle(self, run: Run, position: int) -> None:
        """Take note that an item is written, or never will be."""
        run.settled |= 1 << (position - run.start)
        self._advance()

    def _advance(self) -> None:
        """Move the end of the settled items that have no gap before them."""
        runs = self._runs
        while runs and runs[0].is_settled:
            first = runs.popleft()
            self._done, self._digest = first.end, first.digest

    def ended(self) -> None:
        """Take note that the input is at its end.

        Raises:
            ResumeError: It is shorter than the input that was loaded before.
        """
        before = self._beyond[-1].end if self._beyond else self._before.done
        if self._seen < before:
            raise shorter_input(self._seen, before)
        if self._runs and not self._runs[-1].digest:
            self._runs[-1].digest = self._hash.hexdigest()
            self._advance()

    async def batch_done(self) -> None:
        """Write a checkpoint if one is due."""
        self._batches += 1
        if self._batches % self._every == 0 and not self._saving:
            self._saving = True
            try:
                await self._saved.write(self._state(complete=False))
            finally:
                self._saving = False

    async def save(self, failure: BaseException | None, *, complete: bool) -> None:
        """Write the last checkpoint.

        Args:
            failure: The exception that ends the load, or None.
            complete: Whether all of the input is settled.
        """
        await self._saved.write_last(self._state(complete=complete), failure)

    def _state(self, *, complete: bool) -> dict[str, Any]:
        state: dict[str, Any] = {"done": self._done, "digest": self._digest, "complete": complete}
        beyond = [*self._settled_behind_the_gap(), *self._beyond]
        if beyond:
            state["beyond"] = [[each.start, each.end, f"{each.digest:032x}"] for each in beyond]
        return state

    def _settled_behind_the_gap(self) -> list[SettledRange]:
        """Return the settled items of this run that have an unsettled one before them."""
        ranges: list[SettledRange] = []
        for position, identity in chain.from_iterable(run.settled_items() for run in self._runs):
            if not ranges or ranges[-1].end != position:
                ranges.append(SettledRange(position, position))
            ranges[-1].add(position, identity)
        return ranges


def _item_digest(position: int, identity: bytes) -> int:
    """Return the digest of one item at its place."""
    content = b"%d:%b" % (position, identity)
    return int.from_bytes(hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest(), "big")


def other_input(items: int) -> ResumeError:
    """Return the error of an input that is not the one of the state file.

    Args:
        items: How many items of it were loaded before.
    """
    return ResumeError(
        f"the first {items:,} items of the input are not those that were loaded before: resume with the same input in "
        "the same order, or remove the state file to begin anew"
    )


def shorter_input(items: int, before: int) -> ResumeError:
    """Return the error of an input that has fewer items than were loaded before.

    Args:
        items: How many items it has.
        before: How many were loaded before.
    """
    return ResumeError(
        f"the input has {items:,} items, and item number {before:,} was loaded before: resume with the same input, or "
        "remove the state file to begin anew"
    )
