"""Loads: writes that come from an iterable of any length, synchronous or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sized
from itertools import islice
from typing import Any, TypeAlias

import anyio
from attrs import frozen

from mizzle_async.bulk.checkpoints import LoadPosition, LoadState
from mizzle_async.bulk.saved_state import ResumeFrom, SavedState
from mizzle_async.bulk.write_engine import HELD_LIMIT, OnUndone, Progress, WriteEngine
from mizzle_async.errors import ExpressionError, MarshallingError, MizzleError, ResumeError
from mizzle_async.flow.pace import Limiters
from mizzle_async.flow.ports import PacingPort
from mizzle_async.flow.report import BatchReport, UndoneKind, UndoneWrite
from mizzle_async.flow.work import BulkWork
from mizzle_async.operations import check_at_least_one, check_many, check_timeout
from mizzle_async.operations.batches import WRITE_CHUNK, BatchEntry
from mizzle_async.values import Value

Source: TypeAlias = Iterable[Any] | AsyncIterable[Any]
MakeEntry: TypeAlias = Callable[[Any, int], BatchEntry]
"""Makes a write of an item and its position."""


@frozen(eq=False, repr=False, kw_only=True)
class LoadOptions(Value):
    """The options of a load. `Table.put_many` explains each.

    Attributes:
        concurrency: Requests under way at most.
        limiters: Hold requests back.
        timeout: Seconds until the next item of a batch is accepted, or None for the client's.
        on_error: The fate of an item that cannot be written.
        progress: Called after every request.
        resume: Where the state is kept.
        checkpoint_batches: Batches between checkpoints.
    """

    concurrency: int = 8
    limiters: Limiters
    timeout: float | None = None
    on_error: OnUndone = "raise"
    progress: Progress | None = None
    resume: ResumeFrom | None = None
    checkpoint_batches: int = 100

    def check(self, verb: str) -> None:
        """Check the options.

        Raises:
            ExpressionError: A number is not positive, or ``on_error`` is neither a word nor a function.
        """
        check_timeout(self.timeout)
        check_at_least_one(verb, concurrency=self.concurrency, checkpoint_batches=self.checkpoint_batches)
        if self.on_error != "raise" and not callable(self.on_error):
            raise ExpressionError(f"{verb}: on_error= is 'raise' or a function of the item, not {self.on_error!r}")


def load(
    owner: PacingPort,
    source: Source,
    make: MakeEntry,
    options: LoadOptions,
    *,
    verb: str,
    kind: UndoneKind,
    table: str,
) -> BulkWork:
    """Return the work of writing the items of a source.

    Args:
        owner: The client.
        source: The items.
        make: Makes the write of an item.
        options: The options.
        verb: The caller's verb, for messages.
        kind: The kind of write, for the report.
        table: The table or tables.

    Raises:
        ExpressionError: The source is one item or one key, whose parts would pass for many; or an option is wrong.
    """
    options.check(verb)
    check_many(verb, source)
    report = BatchReport()
    sync = None if isinstance(source, AsyncIterable) else iter(source)
    opened: Any = source

    async def work() -> BatchReport:
        state = None
        if options.resume is not None:
            saved = SavedState(options.resume, {"work": verb, "table": table})
            state = LoadState(saved, options.checkpoint_batches, await saved.read(LoadPosition.parse))
        engine = WriteEngine(
            owner,
            report,
            concurrency=options.concurrency,
            timeout=options.timeout,
            limiters=options.limiters,
            on_error=options.on_error,
            progress=options.progress,
            state=state,
        )
        refused = _Refusal(engine, kind, table)
        feed = (
            _SyncFeed(engine, sync, make, refused)
            if sync is not None
            else _AsyncFeed(engine, aiter(opened), make, refused)
        )
        few = isinstance(source, Sized) and len(source) <= WRITE_CHUNK
        short = sync is not None and (few or options.concurrency == 1)
        failure: BaseException | None = None
        try:
            await engine.run(feed, short=short)
        except BaseException as error:
            failure = error
            raise
        finally:
            report.not_taken = 0 if feed.ended else _not_taken(source, report.taken)
            if state is not None and not isinstance(engine.foreign, ResumeError):
                await state.save(failure or engine.error, complete=engine.error is None)
        return settled(engine, verb)

    return BulkWork(f"{verb} of {table!r}", report, work)


def _not_taken(source: Source, taken: int) -> int | None:
    """Return how many items of a source were not taken, if it has a length."""
    return max(len(source) - taken, 0) if isinstance(source, Sized) else None


def settled(engine: WriteEngine, verb: str) -> BatchReport:
    """Return the report of work that has ended.

    Raises:
        BatchError: Some items were not written.
    """
    report = engine.report
    if engine.foreign is not None:
        engine.foreign.add_note(f"{verb}: {report}; `.report` of the awaited object has each item that was not done")
        raise engine.foreign
    if not report.is_complete:
        raise report.to_error(verb)
    return report


def _end_for(engine: WriteEngine, error: Exception) -> None:
    """End a load for an error of its source. Items that were taken are still written, unless it is another input."""
    engine.raise_foreign(error)
    if isinstance(error, ResumeError):
        engine.halt(error)
    else:
        engine.close_input(error)


class _Refusal:
    """Takes note of items that cannot be encoded."""

    def __init__(self, engine: WriteEngine, kind: UndoneKind, table: str) -> None:
        self._engine = engine
        self._kind: UndoneKind = kind
        self._table = table

    def __call__(self, item: Any, position: int, error: Exception) -> None:
        engine, state = self._engine, self._engine.state
        if state is not None and not state.saw(None):
            engine.report.skipped += 1
            return
        if not isinstance(error, MizzleError):  # a hook of the user's converter
            wrapped = MarshallingError(f"the item cannot be encoded: {type(error).__name__}", table=self._table)
            wrapped.__cause__ = error
            error = wrapped
        if engine.refuse(UndoneWrite(self._kind, self._table, item, error, position)) and state is not None:
            state.settle_last()


class _SyncFeed:
    """Writes from an iterable: as many as a request takes, whenever a lane asks."""

    def __init__(self, engine: WriteEngine, items: Iterator[Any], make: MakeEntry, refused: _Refusal) -> None:
        self._engine = engine
        self._items = items
        self._make = make
        self._refused = refused
        self.ended = False

    @property
    def flushes(self) -> bool:
        """Whether a request goes out that is not full."""
        return self.ended

    def pull(self) -> None:
        """Encode items for one request. No `await`, so lanes cannot interleave."""
        engine = self._engine
        report, packer, make = engine.report, engine.packer, self._make
        wanted = WRITE_CHUNK - packer.ready
        first = position = report.taken
        saw = None if engine.state is None else engine.state.saw
        entries: list[BatchEntry] = []
        try:
            for item in islice(self._items, wanted):
                position += 1
                try:
                    entry = make(item, position - 1)
                except Exception as error:  # noqa: BLE001  (any error of encoding is about this item)
                    self._refused(item, position - 1, error)
                    if engine.error is not None:
                        break
                    continue
                if saw is not None and not saw(entry):
                    report.skipped += 1
                    continue
                entries.append(entry)
            else:
                if position - first < wanted:
                    self._end()
        except Exception as error:  # noqa: BLE001  (the source's own, or another input: the caller sees it as it is)
            _end_for(engine, error)
        finally:
            packer.add(entries)
            report.taken = position

    def _end(self) -> None:
        self.ended = True
        if self._engine.state is not None:
            self._engine.state.ended()
        self._engine.wake()


class _AsyncFeed:
    """Writes from an asynchronous iterable, which one lane at a time reads."""

    def __init__(self, engine: WriteEngine, items: AsyncIterator[Any], make: MakeEntry, refused: _Refusal) -> None:
        self._engine = engine
        self._items = items
        self._make = make
        self._refused = refused
        self._lock = anyio.Lock(fast_acquire=True)
        self.ended = False

    @property
    def flushes(self) -> bool:
        """Whether a request goes out that is not full."""
        return self.ended

    def pull(self) -> Coroutine[Any, Any, None]:
        """Return the coroutine that encodes items for one request."""
        return self._pull()

    async def _pull(self) -> None:
        engine = self._engine
        packer = engine.packer
        passed = 0
        async with self._lock:
            while packer.ready < WRITE_CHUNK and packer.held < HELD_LIMIT and not self.ended and engine.error is None:
                try:
                    passed = 0 if self._take(await anext(self._items)) else passed + 1
                except StopAsyncIteration:
                    self.ended = True
                    if engine.state is not None:
                        self._check_end()
                    engine.wake()
                except Exception as error:  # noqa: BLE001  (the source's own, or another input)
                    _end_for(engine, error)
                if passed == WRITE_CHUNK:  # all of them were done before, or refused: other tasks have their turn
                    passed = 0
                    await asyncio.sleep(0)

    def _check_end(self) -> None:
        try:
            if self._engine.state is not None:
                self._engine.state.ended()
        except ResumeError as error:
            _end_for(self._engine, error)

    def _take(self, item: Any) -> bool:
        """Encode an item. Return whether there is anything to write."""
        engine = self._engine
        position = engine.report.taken
        engine.report.taken += 1
        try:
            entry = self._make(item, position)
        except Exception as error:  # noqa: BLE001  (any error of encoding is about this item)
            self._refused(item, position, error)
            return False
        if engine.state is not None and not engine.state.saw(entry):
            engine.report.skipped += 1
            return False
        engine.packer.add((entry,))
        return True
