"""Decks: the parts of work, in the order in which they are dealt to workers."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import Any, Final, Protocol

from attrs import define, field, frozen

from mizzle_async.bulk.workers.messages import Progress
from mizzle_async.flow.report import BatchReport

BLOCKS_AHEAD: Final = 3
"""Blocks of an input that are read before the first of them is done."""


@define(eq=False, repr=False)
class Part:
    """One part of the work, as the parent knows it.

    Attributes:
        number: Its number, from zero.
        payload: The argument of the work's function.
        state: How far it is done, durably.
        kept: The report of earlier workers, up to the state that the next one begins at.
        report: The report of the worker that has it.
        sure: The report of that worker up to the state.
        deaths: How many workers have died of it.
        is_done: Whether it is at its end, also where items of it were not done.
    """

    number: int
    payload: Any
    state: Any = None
    kept: BatchReport = field(factory=BatchReport)
    report: BatchReport = field(factory=BatchReport)
    sure: BatchReport = field(factory=BatchReport)
    deaths: int = 0
    is_done: bool = False

    @property
    def total(self) -> BatchReport:
        """The report of all workers that had it."""
        return self.kept + self.report

    def advance(self, message: Progress) -> None:
        """Take note of a worker's report and state."""
        self.report = message.report
        if message.has_state:
            self.state, self.sure = message.state, message.report

    def lose_worker(self) -> None:
        """Go back to the last state: its worker has died."""
        self.kept += self.sure
        self.report, self.sure = BatchReport(), BatchReport()
        self.deaths += 1


class Deck(Protocol):
    """The parts of the work. All methods are called in the loop's thread."""

    @property
    def workers_limit(self) -> int | None:
        """How many workers have something to do at the beginning, or None where that is unknown."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether parts wait, or will come."""
        ...

    @property
    def report(self) -> BatchReport:
        """The sum of the reports of all parts."""
        ...

    def begin(self, wake: Callable[[], object]) -> None:
        """Begin.

        Args:
            wake: Called when a part has come, or the last one.
        """
        ...

    def take(self) -> Part | None:
        """Return the next part that can be done now, if there is one."""
        ...

    def give_back(self, part: Part) -> None:
        """Take a part back that was not done: it is the next one."""
        ...

    def finished(self, part: Part) -> None:
        """Take note that a part is at its end."""
        ...

    def close(self) -> None:
        """End: no part is taken any more."""
        ...

    def check(self) -> None:
        """Raise the error of the source of the parts, if it has failed."""
        ...


class ListDeck:
    """Parts that are known from the beginning, in any order.

    Args:
        parts: All of them, those of an earlier run that are done included.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._waiting = deque(part for part in parts if not part.is_done)
        self._under_way: dict[int, Part] = {}
        self._done = sum((part.total for part in parts if part.is_done), BatchReport())
        self.workers_limit: int | None = len(self._waiting)

    @property
    def is_open(self) -> bool:
        """Whether parts wait."""
        return bool(self._waiting)

    @property
    def report(self) -> BatchReport:
        """The sum of the reports of all parts, of which few are under way: it is asked for with every message."""
        return sum((part.total for part in self._under_way.values()), self._done)

    def begin(self, wake: Callable[[], object]) -> None:
        """Do nothing: every part is there."""

    def take(self) -> Part | None:
        """Return the next part, if there is one."""
        if not self._waiting:
            return None
        part = self._waiting.popleft()
        self._under_way[part.number] = part
        return part

    def give_back(self, part: Part) -> None:
        """Take a part back: it is the next one. What an earlier worker has done of it still counts."""
        self._waiting.appendleft(part)

    def finished(self, part: Part) -> None:
        """Take note that a part is at its end."""
        del self._under_way[part.number]
        self._done += part.total

    def close(self) -> None:
        """Do nothing: parts that wait are not asked for."""

    def check(self) -> None:
        """Do nothing: a list does not fail."""


@frozen(eq=False)
class Block:
    """Consecutive rows of an input, divided into lanes.

    Attributes:
        lanes: The payload of each lane that has any. Parts of one lane are done one after the other.
        rows: The number of rows from the beginning of the input to the end of the block.
        digest: The digest of all of these rows.
    """

    lanes: dict[int, Any]
    rows: int
    digest: str


@define(eq=False, repr=False)
class _OpenBlock:
    """A block that is not done."""

    block: Block
    left: int


class StreamDeck:
    """Parts of an input that is read while they are done. Rows of one lane keep their order.

    A part that is not done completely ends the input: parts that are under way end, and no other one begins.

    Args:
        blocks: The blocks. They are read in a thread, a few ahead.
        rows: The rows that an earlier run has done, which the blocks do not have.
        digest: The digest of those rows.
    """

    workers_limit: int | None = None

    def __init__(self, blocks: Generator[Block, None, None], *, rows: int = 0, digest: str = "") -> None:
        self._blocks = blocks
        self.rows: int = rows
        """The rows that are done, without a gap."""
        self.digest: str = digest
        self._wake: Callable[[], object] = lambda: None
        self._room = threading.Semaphore(BLOCKS_AHEAD)
        self._is_closed = threading.Event()
        self._has_ended = False
        self._error: Exception | None = None
        self._done = BatchReport(skipped=rows)
        self._lanes: dict[int, deque[Part]] = {}
        self._busy: dict[int, Part] = {}
        self._open: deque[_OpenBlock] = deque()
        self._origins: dict[Part, tuple[int, _OpenBlock]] = {}
        self._count = 0

    @property
    def is_open(self) -> bool:
        """Whether parts wait, or will come."""
        return not self._is_closed.is_set() and (not self._has_ended or any(self._lanes.values()))

    @property
    def is_complete(self) -> bool:
        """Whether all of the input is done."""
        return self._has_ended and self._error is None and not self._open

    @property
    def report(self) -> BatchReport:
        """The sum of the reports of all parts."""
        return sum((part.total for part in self._origins), self._done)

    def begin(self, wake: Callable[[], object]) -> None:
        """Begin to read."""
        self._wake = wake
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), daemon=True).start()

    def take(self) -> Part | None:
        """Return the next part of a lane that no worker has, the earliest of all of them."""
        if self._is_closed.is_set():
            return None
        free = [lane for lane, parts in self._lanes.items() if parts and lane not in self._busy]
        if not free:
            return None
        lane = min(free, key=lambda each: self._lanes[each][0].number)
        part = self._busy[lane] = self._lanes[lane].popleft()
        return part

    def give_back(self, part: Part) -> None:
        """Take a part back: it is the next one of its lane."""
        lane, _ = self._origins[part]
        del self._busy[lane]
        self._lanes[lane].appendleft(part)

    def finished(self, part: Part) -> None:
        """Take note that a part is at its end. One that is not complete ends the input."""
        lane, block = self._origins.pop(part)
        self._busy.pop(lane, None)
        self._done += part.total
        if not part.total.is_complete:
            self.close()
            return
        block.left -= 1
        self._advance()

    def close(self) -> None:
        """End: no part is taken any more, and no block is read."""
        self._is_closed.set()
        self._room.release()

    def check(self) -> None:
        """Raise the error of the input, if it has failed."""
        if self._error is not None:
            raise self._error

    def _advance(self) -> None:
        """Move the end of the rows that are done."""
        while self._open and not self._open[0].left:
            block = self._open.popleft().block
            self.rows, self.digest = block.rows, block.digest
            self._room.release()

    def _arrived(self, block: Block) -> None:
        opened = _OpenBlock(block, len(block.lanes))
        self._open.append(opened)
        for lane, payload in block.lanes.items():
            part = Part(self._count, payload)
            self._count += 1
            self._lanes.setdefault(lane, deque()).append(part)
            self._origins[part] = (lane, opened)
        self._advance()
        self._wake()

    def _ended(self, error: Exception | None) -> None:
        self._has_ended = True
        self._error = error
        self._wake()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read blocks, in a thread."""
        error: Exception | None = None
        try:
            with closing(self._blocks) as blocks:
                for block in blocks:
                    self._room.acquire()
                    if self._is_closed.is_set():
                        return
                    _call(loop, partial(self._arrived, block))
        except Exception as failure:  # noqa: BLE001  (the parent raises it, when what was read is done)
            error = failure
        _call(loop, partial(self._ended, error))


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
    with suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(function)
