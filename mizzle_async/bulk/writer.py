"""Push style: ``async with client.writer() as writer: await writer.put(order)``. Accepting waits when writing lags."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, get_running_loop
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self

from mizzle_async.bulk.loads import LoadOptions, settled
from mizzle_async.bulk.write_engine import WriteEngine
from mizzle_async.errors import ClientStateError, ExpressionError, MizzleError
from mizzle_async.flow.ports import TaskPort
from mizzle_async.flow.report import BatchReport
from mizzle_async.operations import Key, Target, resolve_key, stamp_put
from mizzle_async.operations.batches import (
    WRITE_CHUNK,
    BatchEntry,
    check_batchable,
    delete_entry,
    operation_entry,
    put_entry,
)
from mizzle_async.writing.table_part import TablePart, target_of

LINGER: Final = 0.1
"""Seconds for which a request that is not full waits for more."""


class Writer:
    """Puts and deletes items as they come, 25 to a request. `Client.writer` makes it.

    A request goes out when it is full, when a tenth of a second has passed, or when `flush` asks for it. Leaving the
    block writes the rest, and raises `BatchError` if any item is left. Leaving it by an exception writes the accepted
    items, too. Leaving it by cancellation stops at once. The report accounts for every item in each case.

    Attributes:
        report: The account of the items so far.
    """

    def __init__(self, owner: TaskPort, options: LoadOptions, target: Callable[[type[Any]], Target[Any]]) -> None:
        options.check("writer")
        self.report: BatchReport = BatchReport()
        self._owner = owner
        self._own_target = target
        self._engine = WriteEngine(
            owner,
            self.report,
            concurrency=options.concurrency,
            timeout=options.timeout,
            limiters=options.limiters,
            on_error=options.on_error,
            progress=options.progress,
        )
        self._feed = _PushFeed(self._engine)
        self._limit = WRITE_CHUNK * (options.concurrency + 1)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise ClientStateError("this writer was used before: make another one")
        self._task = self._owner.start(self._engine.run(self._feed))
        # A task that is cancelled before its first step accounts for nothing itself.
        self._task.add_done_callback(lambda _: self._engine.drain())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task = self._task
        if task is None:
            return
        self._feed.end()
        if isinstance(error, CancelledError):
            task.cancel()
        await asyncio.wait([task])
        if error is None:
            if task.cancelled():
                raise ClientStateError("the client was closed before the writer had written everything: see its report")
            task.result()
            settled(self._engine, "writer")
        elif not isinstance(error, CancelledError) and not self.report.is_complete:
            error.add_note(f"the writer: {self.report}")

    async def put(self, item: Any, /, *, table: TablePart[Any] | None = None) -> None:
        """Accept an item to be put in place of any that is stored. It returns at once unless writing lags.

        Args:
            item: An instance of an entity.
            table: The handle of its table, where its class does not say: dicts, and classes mapped from outside.

        Raises:
            MarshallingError: It does not fit its class, and was not accepted.
            ExpressionError: Its entity has a version or unique attributes, which a batch cannot check.
            BatchError: An item that was accepted before could not be written. This one was not accepted.
        """
        target = self._target(item, table)
        check_batchable(target.schema, "put")
        encoded = target.codec.encode_new(item)
        stamp_put(target.codec, encoded, self._owner.now())
        await self._accept(put_entry(target, encoded, item, self.report.taken))

    async def delete(self, key: Any, /, *, table: TablePart[Any] | None = None) -> None:
        """Accept an item to be deleted. It returns at once unless writing lags.

        Args:
            key: A `Key`, or an instance, of which the key alone counts.
            table: The handle of its table, where its class does not say.

        Raises:
            ExpressionError: Its entity has a version or unique attributes, which a batch cannot check.
            BatchError: An item that was accepted before could not be written. This one was not accepted.
        """
        target = self._target(key, table)
        check_batchable(target.schema, "delete")
        await self._accept(delete_entry(target, resolve_key(target.codec, key, {}), key, self.report.taken))

    async def add(self, operation: Any, /) -> None:
        """Accept ``orders.put(item)`` or ``orders.delete(key)``, without conditions.

        Raises:
            ExpressionError: It is another operation, or has a condition.
            BatchError: An item that was accepted before could not be written. This one was not accepted.
        """
        await self._accept(operation_entry(operation, self.report.taken))

    async def flush(self) -> None:
        """Wait until everything that was accepted is written.

        Raises:
            BatchError: One of the items could not be written.
        """
        engine = self._engine
        while engine.packer.ready or engine.packer.under_way:
            if engine.error is not None:
                break
            self._feed.is_due = True
            engine.wake()
            await engine.wait()
        await self._check()

    def _target(self, item: Any, table: TablePart[Any] | None) -> Target[Any]:
        if table is not None:
            return target_of(table)
        model = item.entity if isinstance(item, Key) else type(item)
        if model is dict or isinstance(model, str):
            raise ExpressionError("a writer cannot know the table of a dict: name it, `writer.put(item, table=orders)`")
        return self._own_target(model)

    async def _accept(self, entry: BatchEntry) -> None:
        engine = self._engine
        packer = engine.packer
        while packer.ready + packer.held >= self._limit and engine.error is None:
            await engine.wait()
        await self._check()
        self.report.taken += 1
        self._feed.push(entry)

    async def _check(self) -> None:
        """Raise an error unless items are still accepted."""
        task = self._task
        if task is None or self._feed.ended:
            raise ClientStateError("a writer accepts items within its block: `async with client.writer() as writer: …`")
        if self._engine.error is not None or task.done():
            await asyncio.wait([task])  # requests under way are finished, so that the report is complete
            settled(self._engine, "writer")
            raise ClientStateError("the writer was stopped: see its report") from _cause(self._engine.error)

    def __repr__(self) -> str:
        packer = self._engine.packer
        return f"<Writer: {self.report}; {packer.ready + packer.held} waiting, {self._engine.lanes!r}>"


def _cause(error: BaseException | None) -> BaseException | None:
    return error if isinstance(error, MizzleError) else None


class _PushFeed:
    """Writes as the caller pushes them."""

    def __init__(self, engine: WriteEngine) -> None:
        self._engine = engine
        self._timer: asyncio.TimerHandle | None = None
        self.is_due = False
        self.ended = False

    @property
    def flushes(self) -> bool:
        """Whether a request goes out that is not full."""
        return self.is_due or self.ended

    def pull(self) -> Coroutine[Any, Any, None]:
        """Wait for something to happen."""
        return self._engine.wait()

    def push(self, entry: BatchEntry) -> None:
        """Take one write."""
        packer = self._engine.packer
        if not packer.ready:
            self.is_due = False
        packer.add((entry,))
        if packer.ready >= WRITE_CHUNK:
            self._engine.wake()
        elif self._timer is None:
            self._timer = get_running_loop().call_later(LINGER, self._lingered)

    def _lingered(self) -> None:
        self._timer = None
        self.is_due = True
        self._engine.wake()

    def end(self) -> None:
        """Take note that no more writes will come."""
        self.ended = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._engine.wake()
