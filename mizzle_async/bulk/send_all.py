"""Any operations, many at once: each with its own outcome, in the order in which they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar

import anyio
from anyio.streams.memory import MemoryObjectSendStream
from attrs import field, frozen

from mizzle_async.errors import ClientStateError, ExpressionError, ThrottledError
from mizzle_async.flow.pace import Lanes
from mizzle_async.flow.ports import TaskPort
from mizzle_async.flow.tasks import call_in_loop
from mizzle_async.operations import Operation, use
from mizzle_async.values import Record

ResultT = TypeVar("ResultT")


@frozen(eq=False, repr=False)
class OperationOutcome(Record, Generic[ResultT]):
    """How one operation ended.

    Attributes:
        value: The result of ``await operation``; None where it failed. Not shown.
        error: The error that it would have raised; None where it succeeded.
    """

    value: ResultT | None = field(default=None, repr=False)
    error: Exception | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the operation succeeded."""
        return self.error is None

    def get(self) -> ResultT:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        value: Any = self.value
        result: ResultT = value
        return result


Ended: TypeAlias = tuple[Operation[ResultT], OperationOutcome[ResultT]]
"""An operation with its outcome."""


class _Lot(Generic[ResultT]):
    """The state that the lanes of one `SendAll` share. They hold it, and not the iterator, which can be dropped."""

    def __init__(
        self,
        owner: TaskPort,
        operations: Iterable[Operation[ResultT]] | AsyncIterable[Operation[ResultT]],
        concurrency: int,
    ) -> None:
        self._owner = owner
        self._async = aiter(operations) if isinstance(operations, AsyncIterable) else None
        self._sync = iter(()) if isinstance(operations, AsyncIterable) else iter(operations)
        self._lock = anyio.Lock(fast_acquire=True)
        self._lanes = Lanes(concurrency)
        self._ended = False
        self.source_error: Exception | None = None
        self.under_way: dict[int, Operation[ResultT]] = {}

    async def lane(self, outcomes: MemoryObjectSendStream[Ended[ResultT]]) -> None:
        """Send one operation after the other. Their outcomes go through a stream, which holds a lane back."""
        while (operation := await self._next()) is not None:
            ended = operation, await self._send(operation)
            try:
                outcomes.send_nowait(ended)
            except anyio.WouldBlock:
                await outcomes.send(ended)

    async def _next(self) -> Operation[ResultT] | None:
        async with self._lock:
            if self._ended:
                return None
            try:
                operation: Any = next(self._sync) if self._async is None else await anext(self._async)
            except (StopIteration, StopAsyncIteration):
                self._ended = True
                return None
            except Exception as error:  # noqa: BLE001  (the source's own: the reader sees it when all else has come)
                self._stop(error)
                return None
            if not isinstance(operation, Operation):
                name = "None" if operation is None else f"a {type(operation).__name__}"
                self._stop(ExpressionError(f"send_all takes operations, such as orders.update(…), not {name}"))
                return None
            use(operation)
            self.under_way[id(operation)] = operation
            return operation

    def _stop(self, error: Exception) -> None:
        """Take no more of the input."""
        self._ended = True
        self.source_error = error

    async def _send(self, operation: Operation[ResultT]) -> OperationOutcome[ResultT]:
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
        return outcome


class _Sending(Generic[ResultT]):
    """The lanes of one `SendAll`, and the stream that their outcomes come through."""

    def __init__(self, owner: TaskPort, lot: _Lot[ResultT], concurrency: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.tasks: list[asyncio.Task[None]] = []
        outcomes, self.arrived = anyio.create_memory_object_stream[Ended[ResultT]](concurrency)
        streams = [outcomes, *(outcomes.clone() for _ in range(concurrency - 1))]
        try:
            for stream in streams:
                self.tasks.append(owner.start(lot.lane(stream)))
        except ClientStateError:
            for stream in streams:
                stream.close()
            self.arrived.close()
            raise
        for task, stream in zip(self.tasks, streams, strict=True):
            # Not at the end of a lane: one that is cancelled before its first step ends, too.
            task.add_done_callback(partial(_close, stream))

    def cancel(self) -> None:
        """Cancel the operations under way."""
        for task in self.tasks:
            task.cancel()
        self.arrived.close()

    def drop(self) -> None:
        """Cancel the operations under way. The garbage collector may call this in any thread."""
        if not call_in_loop(self.loop, self.cancel):
            with suppress(RuntimeError):  # lanes that still waited have gone with the loop
                self.arrived.close()


def _close(stream: MemoryObjectSendStream[Any], _task: asyncio.Task[None]) -> None:
    stream.close()


class SendAll(AsyncIterator[tuple[Operation[ResultT], OperationOutcome[ResultT]]], Generic[ResultT]):
    """Operations with their outcomes, in the order in which they end. `Client.send_all` makes it.

    Dropping it, or `aclose`, cancels the operations under way. `under_way` names them afterwards.
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
        self._sending: _Sending[ResultT] | None = None
        self._is_closed = False

    def __aiter__(self) -> SendAll[ResultT]:
        return self

    async def __anext__(self) -> tuple[Operation[ResultT], OperationOutcome[ResultT]]:
        if self._is_closed:
            raise StopAsyncIteration
        sending = self._sending
        if sending is None:
            sending = self._sending = _Sending(self._owner, self._lot, self._concurrency)
        try:
            try:
                operation, outcome = sending.arrived.receive_nowait()
            except anyio.WouldBlock:
                operation, outcome = await sending.arrived.receive()
        except anyio.EndOfStream:
            self._end(sending.tasks)
        self._lot.under_way.pop(id(operation), None)
        return operation, outcome

    def _end(self, tasks: list[asyncio.Task[None]]) -> NoReturn:
        """Raise the end of the iteration, or the error that it ends for."""
        self._is_closed = True
        if self._sending is not None:
            self._sending.arrived.close()
        if self._lot.source_error is not None:
            raise self._lot.source_error
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
        """Return the operations that were taken from the input and whose outcome was not returned."""
        return tuple(self._lot.under_way.values())

    async def aclose(self) -> None:
        """Cancel the operations under way, and wait until they have ended."""
        self._is_closed = True
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.cancel()
            await asyncio.wait(sending.tasks)

    def __del__(self) -> None:
        sending = getattr(self, "_sending", None)
        if sending is not None:
            sending.drop()

    def __repr__(self) -> str:
        return f"<SendAll: {len(self._lot.under_way)} under way>"
