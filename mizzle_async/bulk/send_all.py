"""Any operations, many at once: each with its own outcome, in the order in which they end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any, Generic, NoReturn, TypeVar

from attrs import field, frozen

from mizzle_async.errors import ClientStateError, ExpressionError, ThrottledError
from mizzle_async.flow.pace import Lanes
from mizzle_async.flow.ports import TaskPort
from mizzle_async.flow.tasks import drop
from mizzle_async.operations import Operation, use
from mizzle_async.values import Record

ResultT = TypeVar("ResultT")


@frozen(eq=False, repr=False)
class OperationOutcome(Record, Generic[ResultT]):
    """How one operation ended.

    Attributes:
        value: What ``await operation`` would have given; None where it failed. Not shown.
        error: What it would have raised; None where it succeeded.
    """

    value: ResultT | None = field(default=None, repr=False)
    error: Exception | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it did what it should."""
        return self.error is None

    def get(self) -> ResultT:
        """Return what ``await operation`` would have given, or raise what it would have raised."""
        if self.error is not None:
            raise self.error
        value: Any = self.value
        result: ResultT = value
        return result


class _Lot(Generic[ResultT]):
    """What the lanes of one `SendAll` share; they know it, and not the iterator, which can be dropped meanwhile."""

    def __init__(
        self,
        owner: TaskPort,
        operations: Iterable[Operation[ResultT]] | AsyncIterable[Operation[ResultT]],
        concurrency: int,
    ) -> None:
        self._owner = owner
        self._async = aiter(operations) if isinstance(operations, AsyncIterable) else None
        self._sync = iter(()) if isinstance(operations, AsyncIterable) else iter(operations)
        self._lock = asyncio.Lock()
        self._most = concurrency
        self._lanes = Lanes(concurrency)
        self._room = asyncio.Event()
        self._ended = False
        self.source_error: Exception | None = None
        self.arrived = asyncio.Event()
        self.outcomes: deque[tuple[Operation[ResultT], OperationOutcome[ResultT]]] = deque()
        self.under_way: dict[int, Operation[ResultT]] = {}

    async def lane(self) -> None:
        """Send one operation after the other."""
        while (operation := await self._next()) is not None:
            await self._send(operation)
            while len(self.outcomes) >= self._most:
                self._room.clear()
                await self._room.wait()

    async def _next(self) -> Operation[ResultT] | None:
        async with self._lock:
            if self._ended:
                return None
            try:
                given: Any = next(self._sync) if self._async is None else await anext(self._async)
            except (StopIteration, StopAsyncIteration):
                self._ended = True
                return None
            except Exception as error:  # noqa: BLE001  (the source's own: the reader sees it when all else has come)
                self._stop(error)
                return None
            if not isinstance(given, Operation):
                name = "None" if given is None else f"a {type(given).__name__}"
                self._stop(ExpressionError(f"send_all takes operations, such as orders.update(…), not {name}"))
                return None
            operation: Operation[ResultT] = given
            use(operation)
            self.under_way[id(operation)] = operation
            return operation

    def _stop(self, error: Exception) -> None:
        """Take no more of the input."""
        self._ended = True
        self.source_error = error

    async def _send(self, operation: Operation[ResultT]) -> None:
        await self._lanes.enter()
        round_ = self._lanes.round
        try:
            outcome: OperationOutcome[ResultT] = OperationOutcome(await self._owner.send(operation))
        except Exception as error:  # noqa: BLE001  (it is the outcome)
            outcome = OperationOutcome(error=error)
        finally:
            self._lanes.leave()
        if isinstance(outcome.error, ThrottledError):
            self._lanes.slowed(round_)
        else:
            self._lanes.succeeded()
        self.outcomes.append((operation, outcome))
        self.arrived.set()

    def take(self) -> tuple[Operation[ResultT], OperationOutcome[ResultT]]:
        """Hand an outcome over."""
        operation, outcome = self.outcomes.popleft()
        self.under_way.pop(id(operation), None)
        self._room.set()
        return operation, outcome


class SendAll(AsyncIterator[tuple[Operation[ResultT], OperationOutcome[ResultT]]], Generic[ResultT]):
    """Operations with their outcomes, in the order in which they end; made by `Client.send_all`.

    Dropping it, or `aclose`, cancels what is under way; `under_way` says which operations that were.
    """

    def __init__(
        self,
        owner: TaskPort,
        operations: Iterable[Operation[ResultT]] | AsyncIterable[Operation[ResultT]],
        concurrency: int,
    ) -> None:
        self._owner = owner
        self._concurrency = concurrency
        self._lot = _Lot(owner, operations, concurrency)
        self._tasks: list[asyncio.Task[None]] | None = None

    def __aiter__(self) -> SendAll[ResultT]:
        return self

    async def __anext__(self) -> tuple[Operation[ResultT], OperationOutcome[ResultT]]:
        lot = self._lot
        if self._tasks is None:
            self._tasks = [self._owner.start(lot.lane()) for _ in range(self._concurrency)]
            for task in self._tasks:  # not at the end of a lane: one that is cancelled before its first step ends, too
                task.add_done_callback(lambda _: lot.arrived.set())
        while not lot.outcomes:
            if all(task.done() for task in self._tasks):
                self._end()
            lot.arrived.clear()
            await lot.arrived.wait()
        return lot.take()

    def _end(self) -> NoReturn:
        """Raise what ends the iteration: its end, or what was in the way of one."""
        tasks, self._tasks = self._tasks or [], []
        error, self._lot.source_error = self._lot.source_error, None
        if error is not None:
            raise error
        if any(task.cancelled() for task in tasks):
            raise ClientStateError(
                "the client was closed before every operation was sent: `under_way` of the iterator has those whose "
                "outcome is not known"
            )
        for task in tasks:
            task.result()
        raise StopAsyncIteration

    @property
    def under_way(self) -> tuple[Operation[ResultT], ...]:
        """Return the operations that were taken from the input and whose outcome was not handed over."""
        return tuple(self._lot.under_way.values())

    async def aclose(self) -> None:
        """Cancel what is under way, and wait until it has ended."""
        tasks, self._tasks = self._tasks or [], []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._lot.outcomes.clear()

    def __del__(self) -> None:
        for task in getattr(self, "_tasks", None) or ():
            drop(task)

    def __repr__(self) -> str:
        return f"<SendAll: {len(self._lot.under_way)} under way>"
