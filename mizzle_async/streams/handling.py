"""Handles changes by a function, many at once: in order in each lane, with repetitions, and an end that is orderly."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Final, Generic, Literal, Protocol, TypeAlias, TypeVar

import anyio
from attrs import field, frozen

from mizzle_async.errors import ExpressionError
from mizzle_async.flow.pace import jittered
from mizzle_async.flow.ports import PacingPort
from mizzle_async.streams.delivering import Delivering
from mizzle_async.streams.shard_run import Delivery, ShardRun
from mizzle_async.streams.tally import Tally
from mizzle_async.values import Record

ChangeT = TypeVar("ChangeT")

CHANGES_IN_A_ROW: Final = 32
"""After so many changes of one worker the loop has a turn: a handler that never waits does not keep others from
theirs."""


@frozen(eq=False, repr=False)
class ChangeFailure(Record):
    """A change, or a batch of them, whose handler failed in every attempt.

    Attributes:
        changes: The changes: one, or those of the batch. Not shown: they hold items.
        error: The error of the last attempt.
        attempts: The number of attempts.
    """

    changes: tuple[Any, ...] = field(repr=False)
    error: BaseException
    attempts: int


OnFailure: TypeAlias = Literal["raise", "stop_shard"] | Callable[[ChangeFailure], Awaitable[object] | object]
"""The consequence of a handler that fails in every attempt: all stops, its shard stops, or a function takes it."""


@frozen(eq=False, repr=False, kw_only=True)
class HandlingOptions(Record):
    """How changes are handled.

    Attributes:
        concurrency: Handlers at work at most.
        attempts: Attempts for each change, the first included.
        on_failure: The consequence of a handler that fails in every attempt.
    """

    concurrency: int
    attempts: int
    on_failure: OnFailure


class NotAwaitableError(ExpressionError):
    """The handler of changes is an ordinary function."""


class Line(Protocol):
    """The order in which deliveries are handled: singly by key, or in batches by shard."""

    @property
    def ahead(self) -> int:
        """The changes of one shard that are handled together, at most."""
        ...

    def put(self, deliveries: Sequence[Delivery], /) -> int:
        """Add the changes of one page. Return how many workers they can occupy more."""
        ...

    def take(self) -> tuple[Hashable, Sequence[Delivery]] | None:
        """Return the next lane that is free with its changes, or None."""
        ...

    def finish(self, lane: Hashable, /) -> None:
        """Free a lane."""
        ...

    async def run(self, wake: Callable[[int], object], /) -> None:
        """Wake workers when a lane becomes ready by time alone."""
        ...


HandlerSpan: TypeAlias = Callable[[Sequence[Any], int], AbstractContextManager[object]]
"""Opens a span around a handler that is about to be given changes, in one of its attempts, from 1."""


class Handling(Generic[ChangeT]):
    """The sink of a consumer whose changes go to a function.

    Args:
        port: Pauses, and draws numbers.
        line: The order.
        delivering: Makes the changes.
        handle: Handles the changes of one delivery: called with a list.
        options: How they are handled.
        tally: The consumer's counts.
        fail: Called with the error that ends everything.
        spans: Open spans around handlers.
    """

    def __init__(
        self,
        port: PacingPort,
        line: Line,
        delivering: Delivering[ChangeT],
        handle: Callable[[list[ChangeT]], object],
        options: HandlingOptions,
        *,
        tally: Tally,
        fail: Callable[[BaseException], object],
        spans: Iterable[HandlerSpan] = (),
    ) -> None:
        self._port = port
        self._line = line
        self._delivering = delivering
        self._handle = handle
        self._options = options
        self._tally = tally
        self._fail = fail
        self._spans = tuple(spans)
        self._idle: deque[asyncio.Future[None]] = deque()

    # ── the sink ──

    @property
    def ahead(self) -> int:
        """The changes of one shard that are handled together, at most."""
        return self._line.ahead

    def put(self, deliveries: Sequence[Delivery], /) -> None:
        """Take the changes of one page."""
        self._wake_workers(self._line.put(deliveries))

    def wake(self) -> None:
        """Look again."""
        self._wake_workers(len(self._idle))

    def fail(self, error: BaseException, /) -> None:
        """Do nothing: handlers that have begun may finish, and no other one begins."""

    async def work(self) -> None:
        """Handle changes until it is cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._line.run, self._wake_workers)
            for _ in range(self._options.concurrency):
                group.start_soon(self._worker)

    # ── workers ──

    def _wake_workers(self, number: int) -> None:
        """Wake as many of the workers that wait."""
        idle = self._idle
        while number > 0 and idle:
            waiter = idle.popleft()
            if not waiter.done():
                waiter.set_result(None)
                number -= 1

    async def _worker(self) -> None:
        """Handle one lane after another."""
        in_a_row = 0
        while True:
            taken = self._line.take()
            if taken is None:
                in_a_row = 0
                waiter = asyncio.get_running_loop().create_future()
                self._idle.append(waiter)
                await waiter
                continue
            in_a_row += 1
            if in_a_row >= CHANGES_IN_A_ROW:
                in_a_row = 0
                await asyncio.sleep(0)
            lane, deliveries = taken
            try:
                await self._handle_all(deliveries)
            finally:
                self._line.finish(lane)

    async def _handle_all(self, deliveries: Sequence[Delivery]) -> None:
        """Handle the changes of one lane, and note what became of them."""
        run = deliveries[0].run
        run.active += 1
        try:
            try:
                opened = self._open(deliveries)
            except Exception as error:  # noqa: BLE001  (`on_error` is a caller's function, which may raise any)
                run.fail(error)
                self._fail(error)
                return
            if not opened:
                return
            if not run.may_be_lost:
                await self._attempt(run, opened)
                return
            with anyio.CancelScope() as scope:
                run.handling.add(scope)
                try:
                    await self._attempt(run, opened)
                finally:
                    run.handling.discard(scope)
        finally:
            run.finished()

    def _open(self, deliveries: Sequence[Delivery]) -> list[tuple[Delivery, ChangeT]]:
        """Return the changes that show, each with its delivery.

        Raises:
            MarshallingError: An image does not fit, and ``on_error`` raises.
        """
        opened: list[tuple[Delivery, ChangeT]] = []
        for delivery in deliveries:
            self._delivering.dropped(delivery)
            change = self._delivering.open(delivery)
            if change is not None:
                opened.append((delivery, change))
        return opened

    async def _attempt(self, run: ShardRun, opened: list[tuple[Delivery, ChangeT]]) -> None:
        """Call the handler until it succeeds, or has failed too often."""
        changes = [change for _, change in opened]
        attempt = 1
        while True:
            try:
                await (self._call_within(changes, attempt) if self._spans else self._call(changes))
            except Exception as error:  # noqa: BLE001  (a caller's function may raise any)
                if attempt >= self._options.attempts or isinstance(error, NotAwaitableError):
                    await self._give_up(run, opened, error, attempt)
                    return
            else:
                for delivery, _ in opened:
                    self._delivering.done(delivery)
                return
            self._tally.retried += 1
            await self._port.pause(jittered(attempt, self._port.random()))
            attempt += 1

    async def _call_within(self, changes: list[ChangeT], attempt: int) -> None:
        """Call the handler once, within its spans."""
        with ExitStack() as spans:
            for span in self._spans:
                spans.enter_context(span(changes, attempt))
            await self._call(changes)

    async def _call(self, changes: list[ChangeT]) -> None:
        """Call the handler once."""
        result = self._handle(changes)
        if not isinstance(result, Awaitable):
            raise NotAwaitableError("the handler of changes is no async function: it returned without an awaitable")
        await result

    async def _give_up(
        self, run: ShardRun, opened: list[tuple[Delivery, ChangeT]], error: Exception, attempts: int
    ) -> None:
        """Do with a change that could not be handled as the caller wants."""
        on_failure = self._options.on_failure
        if callable(on_failure):
            failure = ChangeFailure(tuple(change for _, change in opened), error, attempts)
            try:
                result = on_failure(failure)
                if isinstance(result, Awaitable):
                    await result
            except Exception as second:  # noqa: BLE001  (a caller's function may raise any)
                run.fail(second)
                self._fail(second)
                return
            self._tally.failed += 1
            for delivery, _ in opened:
                self._delivering.done(delivery)
            return
        numbers = ", ".join(delivery.number for delivery, _ in opened[:3])
        error.add_note(f"while handling change {numbers} of shard {run.shard}, attempt {attempts}")
        run.fail(error)
        if on_failure == "raise":
            self._fail(error)
