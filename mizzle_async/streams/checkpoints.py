"""The port to a store of positions: how far a consumer has come in each shard, and which process reads which shard.

A store of one process keeps positions alone. A store that several processes share says besides which shards are this
process's to read: it grants them, takes them back, and fences the positions that a former owner writes late.

The reader calls a member from one task, one method at a time, except for `Member.close`, which ends the sequence. A
member needs no task of its own: it does its work within `Member.turn`, which the reader begins every
`Member.interval` seconds and whenever a shard became ready.
"""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Mapping
from typing import Any, Protocol, runtime_checkable

from attrs import field, frozen

from mizzle_async.operations import Transactable
from mizzle_async.values import Value


@frozen(eq=False, repr=False)
class ShardProgress(Value):
    """How far a consumer has come in one shard.

    Attributes:
        shard: The shard's id.
        position: Every change up to this sequence number, and including it, is done. None: none is done yet. It is the
            service's own text of up to 40 digits, more than a number of DynamoDB holds: some engines write leading
            zeros, and know no number without them. Texts of unlike length compare as integers only.
        done_at: When the whole shard was done, in seconds since the epoch, or None while it is not.
        children: Of a shard that is done, the shards after it. A restart knows by them that none was missed.
    """

    shard: str
    position: str | None = None
    done_at: float | None = None
    children: tuple[str, ...] = ()


@frozen(eq=False, repr=False)
class SavedPositions(Value):
    """The positions of one consumer of one table.

    Attributes:
        stream_arn: The stream that the positions belong to.
        origin: Where shards without a position begin: a time in whole seconds since the epoch, or None for the oldest
            change. It is the instant of the first start, and never moves: a shard that appears later was written after.
        shards: The progress of each shard of which something was saved.
    """

    stream_arn: str
    origin: float | None
    shards: Mapping[str, ShardProgress] = field(factory=dict)


@frozen(eq=False, repr=False)
class Holding(Value):
    """The shards that are this process's to read, as one turn leaves them.

    Attributes:
        shards: Each of these shards, with the epoch under which it is held. A shard that was held and is missing here,
            or has another epoch now, is lost: its handlers are cancelled, and nothing of it is saved any more.
        wanted: Of these, the shards that another process asked for. The reader drains each, saves it and releases it.
        progress: The progress of every shard, of all processes, where the store knows it. Shards whose parents are
            done become ready by it.
        elsewhere: The shards that other live processes hold. ``for_each(until="caught_up")`` leaves those to them, and
            waits for every other one.
    """

    shards: Mapping[str, int]
    wanted: frozenset[str] = frozenset()
    progress: Mapping[str, ShardProgress] = field(factory=dict)
    elsewhere: frozenset[str] = frozenset()


class Member(Protocol):
    """One running consumer of one stream in its store, from `Checkpoints.join` to `close`."""

    @property
    def interval(self) -> float | None:
        """Seconds between turns, or None for a store of one process: a turn when a shard became ready is enough."""
        ...

    @property
    def valid_until(self) -> float:
        """The reading of the loop's clock at which the last holding ends, infinity for a store of one process.

        The reader stops delivering and cancels its handlers then, because others may take over. A heartbeat moves it
        at once: the rest of a turn may be slow.
        """
        ...

    async def read(self) -> SavedPositions | None:
        """Return the positions of the consumer of this table, or None before its first start.

        The positions may belong to an earlier stream of the table: the reader compares the ARN, and raises or calls
        `begin`.
        """
        ...

    async def begin(self, origin: float | None, /) -> SavedPositions:
        """Note the first start on this stream, and forget an earlier stream of the table.

        Of several processes the first one wins, atomically.

        Args:
            origin: As in `SavedPositions`.

        Returns:
            The positions that the store keeps now: another process's origin, where that came first.
        """
        ...

    async def turn(self, ready: Collection[str], /) -> Holding:
        """Do the due work: beat, take shards of dead processes and a fair share, ask for shards, answer such requests.

        Called `interval` seconds after the beginning of the last one, and when `ready` has grown.

        Args:
            ready: The shards that can be read now: their parents are done, and they are not. Those alone are shared
                out. A shard that is held and missing here is done.

        Returns:
            The holding after it.

        Raises:
            MizzleError: The store could not be reached. The last holding stays good until `valid_until`.
        """
        ...

    async def save(self, progress: Collection[ShardProgress], /) -> frozenset[str]:
        """Write the progress of shards that are held.

        The write is fenced: where another process has taken the shard since, nothing is written. A shard that is saved
        as done is not held any more, and needs no release.

        Returns:
            The shards that turned out to be lost.

        Raises:
            MizzleError: The store could not be reached. The reader saves again later.
        """
        ...

    async def release(self, shards: Collection[str], /) -> None:
        """Give shards up, after their progress was saved, so that others may take them at once."""
        ...

    async def forget(self, shards: Collection[str], /) -> None:
        """Remove the progress of shards that were done long ago and that the service does not list any more."""
        ...

    async def close(self) -> None:
        """Release every shard and leave. Progress was saved before. Closing again does nothing."""
        ...


@runtime_checkable
class Checkpoints(Protocol):
    """A store of positions, for ``changes(checkpoints=…)``."""

    async def join(self, consumer: str, stream_arn: str, /) -> Member:
        """Begin to consume a stream.

        A store keeps one set of positions for each consumer and table: the table's ARN stands before
        ``/stream/``.

        Args:
            consumer: The name whose positions these are.
            stream_arn: The stream as it is read now.

        Raises:
            ClientStateError: The store is one of a single process, and the consumer is running already.
        """
        ...


@runtime_checkable
class EventMarks(Protocol):
    """Applies operations once for each event of a consumer, for ``change.apply(*operations)``."""

    def apply_once(
        self, consumer: str, event_id: str, operations: tuple[Transactable[Any], ...], /
    ) -> Coroutine[Any, Any, bool]:
        """Send operations in one transaction with a mark of the consumer and the event.

        Returns:
            Awaited, whether they were applied now: False where the event was applied before.
        """
        ...


@runtime_checkable
class MarkingCheckpoints(Checkpoints, EventMarks, Protocol):
    """A store of positions that applies operations once as well."""
