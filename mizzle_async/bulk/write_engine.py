"""The engine of all batch writes: lanes that take packed requests, send them until they are done, and account for each.

Every write that the engine takes ends in exactly one place of the report, however the work ends: done, failed, unknown,
rejected, skipped. No task is made for a single item.
"""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from itertools import chain
from typing import Any, Final, Literal, Protocol, TypeAlias

import anyio

from mizzle_async.bulk.checkpoints import LoadState
from mizzle_async.errors import (
    DeadlineExceededError,
    InternalServerError,
    ItemCollectionSizeLimitExceededError,
    LimitError,
    MarshallingError,
    MizzleError,
    ServiceUnavailableError,
    ThrottledError,
    TransportError,
    ValidationError,
)
from mizzle_async.flow.pace import Lanes, Limiters
from mizzle_async.flow.ports import PacingPort
from mizzle_async.flow.repeat import RepeatedBatch
from mizzle_async.flow.report import BatchReport, UndoneWrite, WorkStoppedError, may_be_applied
from mizzle_async.flow.tasks import Bell, run_lanes
from mizzle_async.operations import use
from mizzle_async.operations.batches import WRITE_CHUNK, BatchAnswer, BatchEntry, BatchWrite, WritePacker

OnUndone: TypeAlias = Literal["raise"] | Callable[[UndoneWrite], object]
"""The fate of an item that cannot be written: the work stops and raises, or a function takes the item."""

Progress: TypeAlias = Callable[[BatchReport], object]
"""Called with the report as it grows, after every request. It must be quick."""

HELD_LIMIT: Final = 1_000
"""Writes that may wait for an earlier one to their item before no more of the input is read."""

_REPEATED = (ThrottledError, InternalServerError, ServiceUnavailableError, TransportError)
_ITEM_ERRORS = (MarshallingError, LimitError, ValidationError, ItemCollectionSizeLimitExceededError)


class Feed(Protocol):
    """A source of writes."""

    @property
    def ended(self) -> bool:
        """Whether no more will come."""
        ...

    @property
    def flushes(self) -> bool:
        """Whether a request should go out that is not full."""
        ...

    def pull(self) -> Coroutine[Any, Any, None] | None:
        """Bring more writes to the engine, at once or by the coroutine that is returned."""
        ...


class WriteEngine:
    """Sends batches of writes until all are done, or cannot be.

    Args:
        owner: The client.
        report: The report to be filled in.
        concurrency: Requests under way at most.
        timeout: Seconds until the next item of a batch is accepted, or None for the client's.
        limiters: Hold requests back.
        on_error: The fate of an item that cannot be written.
        progress: Called after every request.
        state: Remembers how far the input is settled.
    """

    def __init__(
        self,
        owner: PacingPort,
        report: BatchReport,
        *,
        concurrency: int,
        timeout: float | None = None,
        limiters: Limiters | None = None,
        on_error: OnUndone = "raise",
        progress: Progress | None = None,
        state: LoadState | None = None,
    ) -> None:
        self.report = report
        self.packer: WritePacker = WritePacker()
        self.state = state
        self.error: BaseException | None = None
        """The first error. No more of the input is taken then."""
        self.is_halted: bool = False
        """Whether nothing is sent that is not under way."""
        self.foreign: BaseException | None = None
        """The error that the caller's own code raised: its source, or a callback."""
        self.owner = owner
        self.timeout: float = owner.timeout if timeout is None else timeout
        self.lanes: Lanes = Lanes(concurrency, WRITE_CHUNK)
        self.limiters: Limiters = limiters or Limiters()
        self._concurrency = concurrency
        self._on_error = on_error
        self._progress = progress
        self._bell = Bell()
        self._pulling: anyio.CancelScope | None = None

    async def run(self, feed: Feed, *, short: bool = False) -> None:
        """Write everything that the feed brings.

        Args:
            feed: The source of writes.
            short: Whether one request will do, so that no task is worth it.

        Raises:
            CancelledError: As the caller was. The report is complete all the same.
        """
        try:
            if short:
                await self._lane(feed)
            else:
                await run_lanes(partial(self._lane, feed), self._concurrency)
        except BaseException as error:
            self.halt(error)
            raise
        finally:
            self.drain()

    def drain(self) -> None:
        """Account for writes that were never sent."""
        for entry in self.packer.drain():
            self.never_sent(entry, uncertain=False)

    # ── ending early ──

    def close_input(self, error: BaseException) -> None:
        """Take no more of the input, for an error that is about one item. Writes that were taken are still sent."""
        if self.error is None:
            self.error = error
            self._bell.ring()
            if self._pulling is not None:
                self._pulling.cancel()

    def halt(self, error: BaseException) -> None:
        """Take no more of the input, and send nothing that is not under way."""
        self.is_halted = True
        self.close_input(error)

    def raise_foreign(self, error: BaseException) -> None:
        """Keep an error of the caller's own code, to be raised as it is when the lanes have ended."""
        if self.foreign is None:
            self.foreign = error

    def wake(self) -> None:
        """Make lanes look again: something came, or the feed ended."""
        self._bell.ring()

    async def wait(self) -> None:
        """Wait until something happens: a batch ends, something came, the work stops."""
        await self._bell.wait()

    # ── one lane ──

    async def _lane(self, feed: Feed) -> None:
        while entries := await self._next(feed):
            try:
                await _WriteBatch(self, entries).run()
            finally:
                self._bell.ring()
            if self.state is not None:
                try:
                    await self.state.batch_done()
                except (OSError, MizzleError) as error:  # work that could not be resumed is not gone on with
                    self.raise_foreign(error)
                    self.halt(error)

    async def _next(self, feed: Feed) -> list[BatchEntry]:
        """Return the writes of the next request, or none at the end."""
        packer = self.packer
        while not self.is_halted:
            ended = feed.ended or self.error is not None
            flushes = ended or feed.flushes or packer.held >= HELD_LIMIT
            if packer.ready >= WRITE_CHUNK or (packer.ready and flushes):
                return packer.take()
            if ended and not packer.held:
                return []
            if ended or packer.held >= HELD_LIMIT:
                await self.wait()
                continue
            before = packer.ready
            if (pulling := feed.pull()) is not None:
                await self._pull(pulling)
            elif packer.ready == before:  # all of it was done before, or refused: other tasks have their turn
                await asyncio.sleep(0)
        return []

    async def _pull(self, pulling: Coroutine[Any, Any, None]) -> None:
        """Wait for more writes, until the work stops."""
        if self._pulling is not None:  # another lane reads the source, and stops for both
            await pulling
            return
        with anyio.CancelScope() as scope:
            self._pulling = scope
            try:
                await pulling
            finally:
                self._pulling = None

    # ── accounting ──

    def done(self, todo: list[BatchEntry], left: list[BatchEntry]) -> None:
        """Account for the writes that a request did.

        Args:
            todo: All of its writes.
            left: The unprocessed ones among them.
        """
        done: Iterable[BatchEntry] = todo
        if left:
            remaining = set(map(id, left))
            done = [entry for entry in todo if id(entry) not in remaining]
        self.report.written += len(todo) - len(left)
        self.packer.finish(done)
        if self.state is not None:
            for entry in done:
                self.state.settle(entry.run, entry.position)

    def never_sent(self, entry: BatchEntry, *, uncertain: bool) -> None:
        """Account for a write that was taken and is not sent, or not sent again, because the work has stopped."""
        cause = self.error or CancelledError()
        error = WorkStoppedError.for_cause(cause, entry.target.table) if isinstance(cause, Exception) else cause
        self.undone(entry, error, uncertain=uncertain)

    def undone(self, entry: BatchEntry, error: BaseException, *, uncertain: bool) -> None:
        """Account for a write that was not done."""
        undone = UndoneWrite(entry.kind, entry.target.table, entry.given, error, entry.position, uncertain)
        if not self.refuse(undone):
            if not isinstance(error, _ITEM_ERRORS):
                self.halt(error)
        elif self.state is not None:
            self.state.settle(entry.run, entry.position)

    def refuse(self, undone: UndoneWrite) -> bool:
        """Pass an item that can never be written to ``on_error``, or note it. Return whether it was passed on."""
        if isinstance(self._on_error, str) or not isinstance(undone.error, _ITEM_ERRORS):
            self.report.note(undone)
            self.close_input(undone.error)
            return False
        self.report.rejected += 1
        self._call(self._on_error, undone)
        return True

    def show(self) -> None:
        """Call the progress function, if there is one."""
        if self._progress is not None:
            self._call(self._progress, self.report)

    def _call(self, function: Callable[[Any], object], argument: Any) -> None:
        """Call a function of the caller's. If it fails, the work stops, and still accounts for every item."""
        try:
            function(argument)
        except Exception as error:  # noqa: BLE001  (raised to the caller when the lanes have ended)
            self.raise_foreign(error)
            self.halt(error)


class _WriteBatch(RepeatedBatch[BatchEntry]):
    """Up to 25 writes, of any tables."""

    def __init__(self, engine: WriteEngine, entries: list[BatchEntry]) -> None:
        super().__init__(engine.owner, engine.lanes, engine.limiters, engine.timeout, entries)
        self._engine = engine
        self._in_flight = False
        self._doubtful = set[int]()
        """The ids of entries of which a request may have been applied without an answer."""

    async def run(self) -> None:
        """Send the batch. The engine accounts for every write."""
        engine = self._engine
        try:
            await super().run()
        except BaseException as error:
            engine.halt(error)
            for part in reversed(self._parts):
                for entry in part:
                    engine.undone(entry, error, uncertain=self._in_flight or id(entry) in self._doubtful)
                self._in_flight = False  # one request was under way: that of the last part
            raise
        for entry in chain.from_iterable(reversed(self._parts)):  # the work was stopped meanwhile
            engine.never_sent(entry, uncertain=id(entry) in self._doubtful)

    def stopped(self) -> bool:
        """Return whether the engine was halted."""
        return self._engine.is_halted

    def estimate(self, todo: list[BatchEntry]) -> float:
        """Return the write units by the sizes of the items."""
        return float(sum(entry.units for entry in todo))

    async def send(self, todo: list[BatchEntry], timeout: float) -> BatchAnswer:
        """Send one request."""
        operation = BatchWrite(todo[0].target, todo, timeout=timeout)
        use(operation)  # a client that is closed never sends it
        self._in_flight = True
        self._engine.report.write_requests += 1
        try:
            answer = await self._engine.owner.send(operation)
        except MizzleError as error:
            self._in_flight = False
            if may_be_applied(error):
                self._doubtful.update(map(id, todo))
            raise
        self._in_flight = False
        return answer

    def accepted(self, todo: list[BatchEntry], answer: BatchAnswer) -> None:
        """Account for the writes that were done."""
        engine = self._engine
        engine.report.write_units += answer.units or 0.0
        if answer.ambiguous:
            self._doubtful.update(map(id, answer.unprocessed))
        engine.done(todo, answer.unprocessed)
        if not answer.unprocessed:
            engine.show()

    def unprocessed(self, left: list[BatchEntry], failure: MizzleError | None) -> None:
        """Count writes that are sent again."""
        engine = self._engine
        if failure is None:
            engine.report.unprocessed += len(left)
        engine.show()

    def give_up(self, left: list[BatchEntry], failure: MizzleError | None) -> None:
        """Account for writes that are not sent again."""
        engine = self._engine
        error = failure or self.too_late()
        engine.packer.finish(left)
        for entry in left:
            engine.undone(entry, error, uncertain=id(entry) in self._doubtful)
        engine.show()

    def repeats(self, failure: MizzleError) -> bool:
        """Return whether a batch that failed for this is sent again: writes of whole items may be."""
        return isinstance(failure, _REPEATED) and not isinstance(failure, DeadlineExceededError)

    def splits(self, failure: MizzleError) -> bool:
        """Return whether the service refused all writes because one of them is wrong."""
        return isinstance(failure, ValidationError)
