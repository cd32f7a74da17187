"""The rows of a consumer that several processes share, and the operations on them. No clock, no I/O.

| scope | row | class |
| --- | --- | --- |
| ``changes#<consumer>#<table ARN>`` | ``stream`` | `Start` |
| ``changes#<consumer>#<stream ARN>`` | ``worker#<id>`` | `Worker` |
| | ``shard#<shard id>`` | `Position` |
| | ``fence#<shard id>`` | `Fence` |

A position is written every few seconds and a heartbeat too, a fence only when a shard is taken: a transaction that
checks it meets neither.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

from mizzle_async.expressions import Condition
from mizzle_async.model import Attribute, PartitionKey, SortKey, attribute, entity, evolve
from mizzle_async.operations import CheckItem, DeleteItem, PutItem, Transactable, UpdateItem
from mizzle_async.streams.checkpoints import ShardProgress
from mizzle_async.streams.state.rows import Fence, scope_of
from mizzle_async.streams.state.table import StateRows
from mizzle_async.streams.stores import table_arn
from mizzle_async.values import Value

CHANGES: Final = "changes"
STREAM: Final = "stream"
WORKERS: Final = "worker#"
SHARDS: Final = "shard#"
FENCES: Final = "fence#"

TOMBSTONE_SECONDS: Final = 86_400
"""A worker that was found dead is removed by the service after so long."""


@entity("state")
class Start:
    """The first start of a consumer on a stream.

    Attributes:
        scope: The scope, with the table's ARN.
        row: ``stream``.
        stream_arn: The stream.
        origin: Where shards without a position begin, in seconds since the epoch, or None for the oldest change.
    """

    scope: PartitionKey[str]
    row: SortKey[str]
    stream_arn: Attribute[str]
    origin: Attribute[float | None] = attribute(default=None)


@entity("state")
class Worker:
    """A process that consumes a stream, and its heartbeat.

    Attributes:
        scope: The scope, with the stream's ARN.
        row: ``worker#`` and its id.
        beat: Counts the heartbeats.
        seconds: Without a heartbeat for so long, others take its shards.
        holder: The host and the process, for people.
        dead: Whether another worker has found it dead: it cannot beat any more.
        expires: For a dead one, when the service removes the row, in seconds since the epoch.
    """

    scope: PartitionKey[str]
    row: SortKey[str]
    beat: Attribute[int]
    seconds: Attribute[float]
    holder: Attribute[str] = attribute(default="")
    dead: Attribute[bool | None] = attribute(default=None)
    expires: Attribute[int | None] = attribute(default=None)

    @property
    def worker(self) -> str:
        """Its id."""
        return self.row.removeprefix(WORKERS)


@entity("state")
class Position:
    """How far a shard is done, and the worker that reads it.

    Attributes:
        scope: The scope, with the stream's ARN.
        row: ``shard#`` and the shard's id.
        epoch: Counts the takings.
        owner: The id of the worker that reads the shard, or None.
        position: The sequence number up to which everything is done, as the service writes it.
        done_at: When the shard was done, in seconds since the epoch.
        children: Of a shard that is done, the shards after it.
        wanted_by: The id of the worker that asks for the shard.
    """

    scope: PartitionKey[str]
    row: SortKey[str]
    epoch: Attribute[int]
    owner: Attribute[str | None] = attribute(default=None)
    position: Attribute[str | None] = attribute(default=None)
    done_at: Attribute[float | None] = attribute(default=None)
    children: Attribute[list[str] | None] = attribute(default=None)
    wanted_by: Attribute[str | None] = attribute(default=None)

    @property
    def shard(self) -> str:
        """The shard's id."""
        return self.row.removeprefix(SHARDS)

    @property
    def progress(self) -> ShardProgress:
        """How far the shard is done."""
        return ShardProgress(self.shard, self.position, self.done_at, tuple(self.children or ()))


@frozen(eq=False, repr=False)
class ConsumerRows(Value):
    """The operations of one consumer of one stream."""

    starts: StateRows[Start]
    workers: StateRows[Worker]
    positions: StateRows[Position]
    fences: StateRows[Fence]
    consumer: str
    stream_arn: str

    @property
    def table_scope(self) -> str:
        """The scope of the start: that of the consumer and the table."""
        return scope_of(CHANGES, self.consumer, table_arn(self.stream_arn))

    @property
    def scope(self) -> str:
        """The scope of workers and shards: that of the consumer and the stream."""
        return scope_of(CHANGES, self.consumer, self.stream_arn)

    def of_stream(self, stream_arn: str) -> ConsumerRows:
        """Return the operations of the consumer for another stream."""
        return ConsumerRows(self.starts, self.workers, self.positions, self.fences, self.consumer, stream_arn)

    # ── the start ──

    def start(self, start: Start, seen: Start | None) -> PutItem[Start]:
        """Note the first start, in place of that on an earlier stream. Of several the first one wins."""
        if seen is None:
            return self.starts.insert(start)
        return self.starts.put(start).when(Start.stream_arn == seen.stream_arn)

    # ── heartbeats ──

    def join(self, worker: Worker) -> PutItem[Worker]:
        """Write the first heartbeat."""
        return self.workers.insert(worker)

    def beat(self, worker: Worker) -> PutItem[Worker]:
        """Write a further heartbeat. It is refused where the worker was found dead, or its row was deleted."""
        return self.workers.put(worker).when(Worker.beat.exists() & Worker.dead.not_exists())

    def bury(self, worker: Worker, now: float) -> PutItem[Worker]:
        """Mark a worker as dead, unless it has beaten since it was seen: from then on it cannot.

        Args:
            worker: The worker, as it was seen.
            now: The time in seconds since the epoch, for the removal of the row.
        """
        buried = evolve(worker, dead=True, expires=int(now) + TOMBSTONE_SECONDS)
        return self.workers.put(buried).when((Worker.beat == worker.beat) & Worker.dead.not_exists())

    def leave(self, worker: str) -> DeleteItem[Worker]:
        """Remove a worker that ends."""
        return self.workers.delete(scope=self.scope, row=f"{WORKERS}{worker}")

    # ── shards ──

    def take(
        self, shard: str, worker: str, seen: Position | None, fence: Fence | None
    ) -> tuple[Position, list[Transactable[Any]]]:
        """Return the position of a shard that is taken, and the transaction that takes it.

        It is refused where another worker has taken the shard, or its owner has moved the position, since it was seen.

        Args:
            shard: The shard.
            worker: The worker that takes it.
            seen: The position as it was seen, or None where there was none.
            fence: The fence as far as it is known, or None where there was none.
        """
        epoch = 1 + max(0 if seen is None else seen.epoch, 0 if fence is None else fence.epoch)
        taken = Position(scope=self.scope, row=f"{SHARDS}{shard}", epoch=epoch, owner=worker)
        if seen is None:
            position = self.positions.insert(taken)
        else:
            taken = evolve(seen, epoch=epoch, owner=worker, wanted_by=None)
            position = self.positions.put(taken).when(_same(seen))
        raised = Fence(scope=self.scope, row=f"{FENCES}{shard}", epoch=epoch, owner=worker)
        if fence is None:
            return taken, [self.fences.insert(raised), position]
        return taken, [self.fences.put(raised).when(Fence.epoch == fence.epoch), position]

    def want(self, seen: Position, worker: str) -> UpdateItem[Position]:
        """Ask the owner of a shard for it, unless it has changed hands or another worker has asked."""
        wanted = Position.wanted_by.not_exists() if seen.wanted_by is None else Position.wanted_by == seen.wanted_by
        owned = (Position.owner == seen.owner) & (Position.epoch == seen.epoch)
        return self._update(seen.shard).set(Position.wanted_by, worker).when(owned & wanted)

    def save(self, progress: ShardProgress, worker: str, epoch: int) -> UpdateItem[Position]:
        """Write the progress of a shard that is held. One that is done is not held any more."""
        update = self._update(progress.shard)
        if progress.position is not None:
            update = update.set(Position.position, progress.position)
        if progress.done_at is not None:
            update = update.set(Position.done_at, progress.done_at).set(Position.children, list(progress.children))
            update = update.remove(Position.owner, Position.wanted_by)
        return update.when((Position.owner == worker) & (Position.epoch == epoch))

    def release(self, shard: str, worker: str, epoch: int) -> UpdateItem[Position]:
        """Give a shard up. The worker that asked for it still does, and takes it."""
        held = (Position.owner == worker) & (Position.epoch == epoch)
        return self._update(shard).remove(Position.owner).when(held)

    def forget(self, shard: str) -> list[DeleteItem[Any]]:
        """Remove the rows of a shard."""
        return [
            self.positions.delete(scope=self.scope, row=f"{SHARDS}{shard}"),
            self.fences.delete(scope=self.scope, row=f"{FENCES}{shard}"),
        ]

    def check(self, shard: str, worker: str, epoch: int) -> CheckItem[Fence]:
        """Return the check that a worker still holds a shard."""
        ours = (Fence.owner == worker) & (Fence.epoch == epoch)
        return self.fences.check(scope=self.scope, row=f"{FENCES}{shard}").when(ours)

    def _update(self, shard: str) -> UpdateItem[Position]:
        return self.positions.update(scope=self.scope, row=f"{SHARDS}{shard}")


def _same(seen: Position) -> Condition[Position]:
    """Return the condition that a position is as it was seen, requests for it aside."""
    owner = Position.owner.not_exists() if seen.owner is None else Position.owner == seen.owner
    position = Position.position.not_exists() if seen.position is None else Position.position == seen.position
    return owner & (Position.epoch == seen.epoch) & position
