"""The changes of a table as the caller asks for them: one by one, by a function, or in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

import anyio
from attrs import evolve

from mizzle_async.errors import ClientStateError, ExpressionError
from mizzle_async.flow.ports import TaskPort
from mizzle_async.streams.changes import ChangeQueue, Changes
from mizzle_async.streams.consumer import Consumer, change_report
from mizzle_async.streams.delivering import Decoder, Delivering
from mizzle_async.streams.handling import Handling, HandlingOptions, Line, OnFailure
from mizzle_async.streams.lines import BatchLine, KeyLine
from mizzle_async.streams.room import Room
from mizzle_async.streams.session import ConsumerParts
from mizzle_async.streams.settings import ConsumerSettings, Until, check_choice, check_number
from mizzle_async.streams.spans import handler_spans
from mizzle_async.streams.tally import ChangeReport, Tally

ChangeT = TypeVar("ChangeT")


class ChangeStream(Generic[ChangeT]):
    """The changes of a table, made by `Table.changes`. Nothing is sent before it is entered or handled.

    One by one, ``async with orders.changes(…) as changes: async for change in changes: …``; many at once, `for_each`;
    in batches, `for_each_batch`. Each of these begins at the consumer's position, and one of them goes on at a time.
    """

    def __init__(
        self, port: TaskPort, decoder: Decoder[ChangeT], *, table: str, view: str | None, settings: ConsumerSettings
    ) -> None:
        self._port = port
        self._decoder = decoder
        self._settings = settings
        self._parts = ConsumerParts(port, table, view, settings, Tally(), Room(settings.buffer_bytes), decoder.form)
        self._consumer: Consumer | None = None
        self._queue: ChangeQueue[ChangeT] | None = None
        self._task: asyncio.Task[None] | None = None

    # ── one by one ──

    if not TYPE_CHECKING:  # so that type checkers refuse it themselves

        def __aiter__(self) -> NoReturn:
            raise TypeError(
                "changes are a context, so that positions are saved at its end: `async with orders.changes(…) as "
                "changes: async for change in changes: …`"
            )

    async def __aenter__(self) -> Changes[ChangeT]:
        """Begin to read, and return the changes. Every shard has its position then: later changes are not missed.

        Raises:
            ClientStateError: The client is not open, or these changes are being read already.
            ModelError: The table has no stream.
            ExpressionError: The stream's records hold something else than ``view``.
            StreamGapError: The saved positions belong to another stream of the table.
        """
        delivering = self._begin()
        queue = self._queue = ChangeQueue(delivering)
        consumer = self._consumer = Consumer(self._parts, queue)
        task = self._task = self._port.start(_run_for(consumer, queue))
        try:
            await consumer.started.wait()
        except BaseException:
            await _end(task)
            self._task = None
            raise
        if consumer.failure is not None:
            await _end(task)
            self._task = None
            raise consumer.failure
        return Changes(queue, delivering, is_explicit=self._settings.acknowledge == "explicit")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop reading, and save what was done.

        Raises:
            MizzleError: The last positions could not be saved, or reading failed after the last change was asked for.
        """
        consumer, task, queue = self._consumer, self._task, self._queue
        if consumer is None or task is None:
            return
        try:
            consumer.stop(0.0)
            await _ended(task)
        finally:
            self._task = None
        failure = consumer.failure
        if error is None and failure is not None and (queue is None or queue.raised is not failure):
            raise failure

    # ── by a function ──

    async def for_each(
        self,
        handle: Callable[[ChangeT], Awaitable[object]],
        /,
        *,
        concurrency: int = 16,
        attempts: int = 5,
        on_failure: OnFailure = "raise",
        until: Until = "closed",
    ) -> ChangeReport:
        """Handle each change by a function: those of one key one after another, those of different keys side by side.

        A change is done when its handler returns. It ends when it is cancelled, when `stop` drains it, or by ``until``.

        Args:
            handle: An async function of a change.
            concurrency: Handlers at work at most.
            attempts: Attempts for each change, the first included, with growing pauses.
            on_failure: The consequence of a change whose handler failed in every attempt. ``"raise"`` ends everything
                with its error; ``"stop_shard"`` ends its shard, and raises when the others have come to their end; a
                function takes it, a `ChangeFailure`, and the change counts as done.
            until: ``"closed"``: until the stream is switched off and all is handled; so never, for most. Or
                ``"caught_up"``: until every change is handled that there is now.

        Returns:
            The report, as `report` shows it at any time.

        Raises:
            StreamGapError: Changes are gone, and ``on_gap`` raises.
            MarshallingError: An image does not fit its class, and ``on_error`` raises.
            Exception: The handler's own, with a note of the shard and the number.
        """
        _check_handler(handle)

        def handle_one(changes: list[ChangeT]) -> object:
            return handle(changes[0])

        return await self._handle(handle_one, KeyLine, _options(concurrency, attempts, on_failure), until)

    async def for_each_batch(
        self,
        handle: Callable[[list[ChangeT]], Awaitable[object]],
        /,
        *,
        max_items: int = 100,
        max_wait: float = 1.0,
        concurrency: int = 16,
        attempts: int = 5,
        on_failure: OnFailure = "raise",
        until: Until = "closed",
    ) -> ChangeReport:
        """Handle lists of changes by a function: each list is of one shard and in its order, one after another.

        The changes of a list are done when its handler returns. One that fails is given the whole list again.

        Args:
            handle: An async function of a list of changes.
            max_items: Changes of a list at most.
            max_wait: Seconds that a change waits for others at most.
            concurrency: Handlers at work at most, each with another shard.
            attempts: As for `for_each`, of each list.
            on_failure: As for `for_each`. A function takes a `ChangeFailure` with all changes of the list.
            until: As for `for_each`.

        Returns:
            The report.

        Raises:
            MizzleError: As for `for_each`.
            Exception: The handler's own.
        """
        _check_handler(handle)
        check_number("max_items", max_items, 1)
        check_number("max_wait", max_wait, 0)

        def line(dropped: Callable[[Any], object]) -> Line:
            return BatchLine(int(max_items), max_wait, dropped)

        return await self._handle(handle, line, _options(concurrency, attempts, on_failure), until)

    async def _handle(
        self,
        handle: Callable[[list[ChangeT]], object],
        line: Callable[[Callable[[Any], object]], Line],
        options: HandlingOptions,
        until: Until,
    ) -> ChangeReport:
        """Handle changes until the end, in a task that the client owns."""
        check_choice("until", until, ("closed", "caught_up"))
        delivering = self._begin()
        handling = Handling(
            self._port,
            line(delivering.dropped),
            delivering,
            handle,
            options,
            tally=self._parts.tally,
            fail=self._fail,
            spans=handler_spans(self._port.instruments, self._parts.table, self._settings.consumer),
        )
        consumer = self._consumer = Consumer(self._parts, handling, until)
        task = self._task = self._port.start(consumer.run())
        try:
            await _ended(task)
        except asyncio.CancelledError:
            await _end(task)
            raise
        finally:
            self._task = None
        if consumer.failure is not None:
            raise consumer.failure
        if task.cancelled():
            raise ClientStateError("the client was closed while changes were being handled")
        if consumer.halted is not None:
            raise consumer.halted
        return consumer.report()

    # ── both ──

    def stop(self) -> None:
        """End in good order: begin no change any more, and let handlers that have begun finish, for `drain_seconds`.

        ``async for`` ends when the next change is asked for. Calling it again, or when nothing goes on, does nothing.
        """
        if self._task is None:
            return
        if self._queue is not None:
            self._queue.end()
        elif self._consumer is not None:
            self._consumer.stop()

    @property
    def report(self) -> ChangeReport:
        """The account up to now: delivered, done, seconds behind, each shard's position."""
        consumer = self._consumer
        return change_report(self._parts) if consumer is None else consumer.report()

    def _fail(self, error: BaseException) -> None:
        """End for an error of a handler."""
        if self._consumer is not None:
            self._consumer.fail(error)

    def _begin(self) -> Delivering[ChangeT]:
        """Begin anew.

        Raises:
            ClientStateError: It goes on already.
        """
        if self._task is not None:
            raise ClientStateError("these changes are being read already: ask for them a second time, by changes(…)")
        self._queue = None
        parts = self._parts = evolve(self._parts, tally=Tally(), room=Room(self._settings.buffer_bytes))
        return Delivering(self._decoder, self._settings, parts.tally, parts.room)

    def __repr__(self) -> str:
        return f"<ChangeStream of {self._parts.table!r}: {self.report}>"


def _check_handler(handle: object) -> None:
    """Raise an error unless this can be called.

    Raises:
        ExpressionError: It cannot.
    """
    if not callable(handle):
        raise ExpressionError(f"the handler of changes is an async function, not {handle!r}")


def _options(concurrency: int, attempts: int, on_failure: OnFailure) -> HandlingOptions:
    """Return checked options.

    Raises:
        ExpressionError: One is not possible.
    """
    check_number("concurrency", concurrency, 1)
    check_number("attempts", attempts, 1)
    check_choice("on_failure", on_failure, ("raise", "stop_shard"), callable_too=True)
    return HandlingOptions(concurrency=int(concurrency), attempts=int(attempts), on_failure=on_failure)


async def _run_for(consumer: Consumer, queue: ChangeQueue[Any]) -> None:
    """Run a consumer, and tell the queue of its end."""
    try:
        await consumer.run()
    except asyncio.CancelledError:
        queue.fail(ClientStateError("the client was closed while changes were being read"))
        raise
    except Exception as error:  # noqa: BLE001  (raised where the next change is asked for)
        queue.fail(error)
    else:
        queue.end()


async def _ended(task: asyncio.Task[None]) -> None:
    """Wait until a task has ended, however it did."""
    if not task.done():
        await asyncio.wait([task])


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task, and wait until it has ended, also while the caller is cancelled."""
    task.cancel()
    with anyio.CancelScope(shield=True):
        await _ended(task)
