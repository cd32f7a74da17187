"""The engine of all batch writes: lanes that take packed requests, send them until they are done, and account for each.

Every write that it was given ends in exactly one place of the report, however the work ends: done, failed, unknown,
rejected, skipped. No task is made for a single item.
"""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, get_running_loop
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final, Literal, Protocol, TypeAlias

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
from mizzle_async.flow.pace import LAST_SECONDS, Lanes, Limiters, jittered
from mizzle_async.flow.ports import PacingPort
from mizzle_async.flow.report import BatchReport, UndoneWrite, may_be_applied
from mizzle_async.flow.tasks import run_lanes
from mizzle_async.operations import WRITE_CHUNK, BatchEntry, BatchWrite, WritePacker, use

OnUndone: TypeAlias = Literal["raise"] | Callable[[UndoneWrite], object]
"""What happens to an item that cannot be written: the work stops and raises, or it goes to a function."""

Progress: TypeAlias = Callable[[BatchReport], object]
"""What hears of progress: called with the report as it grows, after every request; it must be quick."""

MOST_HELD: Final = 1_000
"""Writes that may wait for an earlier one to their item before no more of the input is read."""

_REPEATED = (ThrottledError, InternalServerError, ServiceUnavailableError, TransportError)
_ITEM_ERRORS = (MarshallingError, LimitError, ValidationError, ItemCollectionSizeLimitExceededError)


class Feed(Protocol):
    """Where writes come from."""

    @property
    def ended(self) -> bool:
        """Whether no more will come."""
        ...

    @property
    def flushes(self) -> bool:
        """Whether a request should go out that is not full."""
        ...

    def pull(self) -> Coroutine[Any, Any, None] | None:
        """Bring more writes to the engine, at once, or by what is returned."""
        ...


class WriteEngine:
    """Sends batches of writes until all are done, or cannot be.

    Args:
        owner: The client.
        report: What is filled in.
        concurrency: Requests under way at most.
        timeout: Seconds for each batch, from its first sending; None for the client's.
        limiters: What holds requests back.
        on_error: What happens to an item that cannot be written.
        progress: What hears of progress.
        state: What remembers how far the input is settled.
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
        """What stopped the work."""
        self.foreign: BaseException | None = None
        """What the caller's own code raised: its source, or a function that it gave."""
        self.owner = owner
        self.timeout: float = owner.timeout if timeout is None else timeout
        self.lanes: Lanes = Lanes(concurrency)
        self.limiters: Limiters = limiters or Limiters()
        self._concurrency = concurrency
        self._on_error = on_error
        self._progress = progress
        self._freed = asyncio.Event()
        self._puller: asyncio.Task[Any] | None = None

    async def run(self, feed: Feed, *, short: bool = False) -> None:
        """Write everything that the feed brings.

        Args:
            feed: Where writes come from.
            short: Whether one request will do, so that no task is worth it.

        Raises:
            CancelledError: As the caller was; the report is complete all the same.
        """
        try:
            if short:
                await self._lane(feed)
            else:
                await run_lanes(self._lane(feed) for _ in range(self._concurrency))
        except BaseException as error:
            self.stop(error)
            raise
        finally:
            self.drain()

    def drain(self) -> None:
        """Account for what was never sent."""
        for entry in self.packer.drain():
            self.undone(entry, self.error or CancelledError(), uncertain=False)

    def stop(self, error: BaseException) -> None:
        """Send nothing that is not under way: something went wrong."""
        if self.error is None:
            self.error = error
            self._freed.set()
            if self._puller is not None and self._puller is not asyncio.current_task():
                self._puller.cancel()

    def stop_for(self, error: BaseException) -> None:
        """Stop for an error that is not about an item, and that the caller will see as it is."""
        if self.foreign is None:
            self.foreign = error
        self.stop(error)

    def wake(self) -> None:
        """Let lanes look again: something came, or the feed ended."""
        self._freed.set()

    async def wait(self) -> None:
        """Wait until something happens: a batch ends, something came, the work stops."""
        self._freed.clear()
        await self._freed.wait()

    # ── one lane ──

    async def _lane(self, feed: Feed) -> None:
        while entries := await self._next(feed):
            try:
                await self.lanes.enter()
            except BaseException as error:
                for entry in entries:
                    self.undone(entry, error, uncertain=False)
                raise
            try:
                if self.error is None:
                    await Delivery(self, entries).run()
                else:  # something went wrong while this waited for its turn
                    for entry in entries:
                        self.undone(entry, self.error, uncertain=False)
            finally:
                self.lanes.leave()
                self._freed.set()
            if self.state is not None:
                try:
                    await self.state.batch_done()
                except OSError as error:  # work that could not be resumed is not gone on with
                    self.stop_for(error)

    async def _next(self, feed: Feed) -> list[BatchEntry]:
        """Return the writes of the next request, or none at the end."""
        packer = self.packer
        while self.error is None:
            if packer.ready >= WRITE_CHUNK or (packer.ready and (feed.flushes or packer.held >= MOST_HELD)):
                return packer.take()
            if feed.ended and not packer.held:
                return []
            if feed.ended or packer.held >= MOST_HELD:
                await self.wait()
                continue
            before = packer.ready
            if (pulling := feed.pull()) is not None:
                await self._pull(pulling)
            elif packer.ready == before:  # all of it was done before, or is no good: others have their turn
                await asyncio.sleep(0)
        return []

    async def _pull(self, pulling: Coroutine[Any, Any, None]) -> None:
        """Wait for more writes; when the work stops meanwhile, wait no longer."""
        task = asyncio.current_task()
        own = self._puller is None
        if own:
            self._puller = task
        try:
            await pulling
        except CancelledError:
            if not own or self.error is None or task is None or task.uncancel():
                raise
        finally:
            if own:
                self._puller = None

    # ── what became of each ──

    def done(self, todo: list[BatchEntry], left: list[BatchEntry]) -> None:
        """Hear that a request was answered: what of it is done, and what is left."""
        done: Iterable[BatchEntry] = todo
        if left:
            remaining = set(map(id, left))
            done = [entry for entry in todo if id(entry) not in remaining]
        self.report.written += len(todo) - len(left)
        self.packer.finish(done)
        if self.state is not None:
            for entry in done:
                self.state.settle(entry.run)

    def give_up(self, entries: list[BatchEntry], error: BaseException, *, uncertain: bool) -> None:
        """Hear that writes will not be sent again."""
        self.packer.finish(entries)
        for entry in entries:
            self.undone(entry, error, uncertain=uncertain)
        self.show()

    def undone(self, entry: BatchEntry, error: BaseException, *, uncertain: bool) -> None:
        """Note that a write was not done."""
        undone = UndoneWrite(entry.kind, entry.target.table, entry.given, error, entry.position, uncertain)
        if not self.reject(undone):
            self.report.note(undone)
            self.stop(error)
        elif self.state is not None:
            self.state.settle(entry.run)

    def reject(self, undone: UndoneWrite) -> bool:
        """Hand an item that will never fit to whoever wants to hear of it; tell whether somebody does."""
        if isinstance(self._on_error, str) or not isinstance(undone.error, _ITEM_ERRORS):
            return False
        self.report.rejected += 1
        self._call(self._on_error, undone)
        return True

    def refuse(self, undone: UndoneWrite) -> None:
        """Hear of an item that cannot be encoded."""
        if not self.reject(undone):
            self.report.note(undone)
            self.stop(undone.error)

    def show(self) -> None:
        """Tell whoever listens how far the work is."""
        if self._progress is not None:
            self._call(self._progress, self.report)

    def _call(self, function: Callable[[Any], object], argument: Any) -> None:
        """Call a function of the user's; if it fails, the work stops, and nothing gets lost for it."""
        try:
            function(argument)
        except Exception as error:  # noqa: BLE001  (raised to the caller when the lanes have ended)
            self.stop_for(error)


class Delivery:
    """One batch under way: sent until it is done, refused for good, or out of time.

    Args:
        engine: Whose batch it is.
        entries: Its writes.
    """

    __slots__ = ("_attempt", "_ends", "_engine", "_in_flight", "_parts", "_uncertain")

    def __init__(self, engine: WriteEngine, entries: list[BatchEntry]) -> None:
        self._engine = engine
        self._parts = [entries]
        self._ends = -1.0
        self._attempt = 0
        self._in_flight = False
        self._uncertain = False

    async def run(self) -> None:
        """Send it; whatever happens, the engine hears what became of every write."""
        engine = self._engine
        try:
            while self._parts:
                pause = self._judge(*await self._send(self._parts[-1]))
                if pause > 0:
                    await engine.owner.pause(pause)
        except BaseException as error:
            engine.stop(error)
            for part in reversed(self._parts):
                for entry in part:
                    engine.undone(entry, error, uncertain=self._uncertain or self._in_flight)
                self._in_flight = False  # one request was under way: that of the last part
            raise

    async def _send(self, todo: list[BatchEntry]) -> tuple[list[BatchEntry], MizzleError | None]:
        """Send one request; return what it left, and why, if it failed as a whole."""
        engine = self._engine
        limiters, report = engine.limiters, engine.report
        clock = get_running_loop().time
        estimate, taken = 0.0, []
        if limiters:
            estimate = float(sum(entry.units for entry in todo))
            taken = await limiters.admit(estimate)
        if self._ends < 0:
            remaining = engine.timeout  # exactly that: calls of one timeout share a timer
            self._ends = clock() + remaining
        else:
            remaining = max(self._ends - clock(), 0.001)
        operation = BatchWrite(todo[0].target, todo, timeout=remaining)
        use(operation)  # a client that is closed never sends it
        self._in_flight = True
        report.requests += 1
        try:
            answer = await engine.owner.send(operation)
        except MizzleError as error:
            self._in_flight = False
            self._uncertain = self._uncertain or may_be_applied(error)
            return todo, error
        self._in_flight = False
        self._uncertain = self._uncertain or answer.ambiguous
        report.consumed_capacity += answer.units or 0.0
        limiters.settle(taken, estimate, answer.units)
        engine.done(todo, answer.unprocessed)
        return answer.unprocessed, None

    def _judge(self, left: list[BatchEntry], failure: MizzleError | None) -> float:
        """Decide what becomes of what is left; return the pause before the next request."""
        engine = self._engine
        todo = self._parts.pop()
        if not left:
            engine.lanes.succeeded()
            engine.show()
            return 0.0
        if isinstance(failure, ValidationError) and len(left) > 1:
            # One of them is wrong, and the service refused all: the halves tell which.
            middle = len(left) // 2
            self._parts += [left[middle:], left[:middle]]
            return 0.0
        self._attempt = self._attempt + 1 if len(left) == len(todo) else 1
        remaining = self._ends - get_running_loop().time()
        if remaining < LAST_SECONDS or (failure is not None and not _is_repeated(failure)):
            engine.give_up(left, failure or self._too_late(), uncertain=self._uncertain)
            return 0.0
        self._parts.append(left)
        if failure is None:
            engine.report.unprocessed += len(left)
        if failure is None or isinstance(failure, ThrottledError):
            engine.lanes.slowed()
        engine.show()
        return min(jittered(self._attempt, engine.owner.random()), remaining / 2)

    def _too_late(self) -> MizzleError:
        seconds = self._engine.timeout
        return DeadlineExceededError(
            f"the service left it unprocessed for {seconds:g} seconds: give more time, `timeout=…`, or fewer units a "
            "second, `write_units_per_second=…`",
            timeout=seconds,
        )


def _is_repeated(error: MizzleError) -> bool:
    """Tell whether a batch that failed for this is sent again while it has time: writes of whole items may be."""
    return isinstance(error, _REPEATED) and not isinstance(error, DeadlineExceededError)
