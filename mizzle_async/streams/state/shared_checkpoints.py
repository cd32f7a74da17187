"""A state table as a store of positions, for consumers whose shards several processes share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from attrs import frozen

from mizzle_async.flow.ports import TaskPort
from mizzle_async.operations import Target, Transactable
from mizzle_async.streams.state.consumer_rows import ConsumerRows, Position, Start, Worker
from mizzle_async.streams.state.members import StateMember
from mizzle_async.streams.state.rows import Fence
from mizzle_async.streams.state.table import StateRows
from mizzle_async.values import Value

ApplyOnce: TypeAlias = Callable[[str, str, tuple[Any, ...]], Coroutine[Any, Any, bool]]
"""Applies operations once: of a consumer, an event's id and the operations."""


@frozen(eq=False, repr=False)
class ConsumerStore(Value):
    """The rows of all consumers."""

    starts: StateRows[Start]
    workers: StateRows[Worker]
    positions: StateRows[Position]
    fences: StateRows[Fence]

    def of(self, consumer: str, stream_arn: str) -> ConsumerRows:
        """Return the rows of one consumer of one stream."""
        return ConsumerRows(self.starts, self.workers, self.positions, self.fences, consumer, stream_arn)


class StateCheckpoints:
    """A store of positions that several processes share, made by `State.checkpoints`.

    Args:
        port: The client.
        store: The rows.
        spanning: The target of transactions.
        seconds: Without a heartbeat for so long, others take a process's shards.
        holder: The host and the process, for people.
        apply_once: Applies operations once for an event of a consumer.
    """

    def __init__(
        self,
        port: TaskPort,
        store: ConsumerStore,
        spanning: Target[Any],
        *,
        seconds: float,
        holder: str,
        apply_once: ApplyOnce,
    ) -> None:
        self._port = port
        self._store = store
        self._spanning = spanning
        self._seconds = seconds
        self._holder = holder
        self._apply_once = apply_once

    async def join(self, consumer: str, stream_arn: str, /) -> StateMember:
        """Begin to consume a stream with other processes. See `Checkpoints.join`."""
        return StateMember(
            self._port,
            self._store.of(consumer, stream_arn),
            self._spanning,
            stream_arn=stream_arn,
            seconds=self._seconds,
            holder=self._holder,
        )

    def apply_once(
        self, consumer: str, event_id: str, operations: tuple[Transactable[Any], ...], /
    ) -> Coroutine[Any, Any, bool]:
        """Apply operations once for an event. See `State.apply_once`."""
        return self._apply_once(consumer, event_id, operations)

    def __repr__(self) -> str:
        return f"<StateCheckpoints of {self._store.positions.name!r}, {self._seconds:g} seconds>"
