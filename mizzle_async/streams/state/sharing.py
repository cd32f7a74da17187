"""How workers share the shards of a stream: arithmetic on rows as they were read. No clock, no I/O, no randomness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from zlib import crc32

from attrs import field, frozen

from mizzle_async.streams.state.consumer_rows import Position, Worker
from mizzle_async.values import Value


@frozen(eq=False, repr=False)
class Sight(Value):
    """A worker as another one sees it.

    Attributes:
        beat: Its last heartbeat, or None where it has no row.
        since: When that was first seen, by the observer's own monotonic clock.
        seconds: Without a heartbeat for so long it is dead.
    """

    beat: int | None
    since: float
    seconds: float


@frozen(eq=False, repr=False)
class Sights(Value):
    """The workers of a consumer, as one of them sees the others.

    No clock is compared with another one: a worker is dead when its heartbeat has not moved for its own time, counted
    from the moment when the observer first saw it. An owner without a row is watched in the same way.
    """

    by_worker: Mapping[str, Sight] = field(factory=dict)

    def saw(self, workers: Mapping[str, Worker], owners: Collection[str], own_seconds: float, now: float) -> Sights:
        """Return the view after a reading.

        Args:
            workers: The workers that have a row.
            owners: The workers that own a shard.
            own_seconds: The observer's own time, for an owner that has no row.
            now: When the answer had come, by the observer's own monotonic clock.
        """
        sights: dict[str, Sight] = {}
        for name in {*workers, *owners}:
            row, known = workers.get(name), self.by_worker.get(name)
            beat = None if row is None else row.beat
            if known is not None and known.beat == beat:
                sights[name] = known
            else:
                sights[name] = Sight(beat, now, own_seconds if row is None else row.seconds)
        return Sights(sights)

    def is_silent(self, worker: str, now: float) -> bool:
        """Return whether a worker has not moved for its whole time."""
        sight = self.by_worker.get(worker)
        return sight is not None and now - sight.since >= sight.seconds


@frozen(eq=False, repr=False)
class Sharing(Value):
    """The shards that a worker should take, and those that it should ask for.

    Attributes:
        take: Shards that are free, each with its position as it was seen.
        ask: Positions of shards whose owner has more than its share.
    """

    take: tuple[str, ...] = ()
    ask: tuple[Position, ...] = ()


def share_out(
    me: str,
    ready: Collection[str],
    positions: Mapping[str, Position],
    live: Collection[str],
    gone: Collection[str],
) -> Sharing:
    """Decide which shards a worker takes and asks for, to have its fair share.

    Args:
        me: The worker.
        ready: The shards that can be read.
        positions: The position of each shard that has one.
        live: The workers that are not known to be dead, this one included.
        gone: The owners whose shards may be taken.
    """
    open_ = [shard for shard in ready if (seen := positions.get(shard)) is None or seen.done_at is None]
    fair = -(-len(open_) // max(len(live), 1))
    owners = {shard: seen.owner for shard in open_ if (seen := positions.get(shard)) is not None}
    mine = sum(owner == me for owner in owners.values())
    wishes = fair - mine
    if wishes <= 0:
        return Sharing()
    others = set(live) - {me}
    held = Counter(owners.values())
    short = {other for other in others if held[other] < fair}
    free = [
        shard
        for shard in _in_order(me, open_)
        if ((owner := owners.get(shard)) is None or owner in gone)
        and ((seen := positions.get(shard)) is None or seen.wanted_by not in short)
    ]
    take = tuple(free[:wishes])
    return Sharing(take, _asked(me, fair, wishes - len(take), [positions[shard] for shard in owners], others))


def _asked(me: str, fair: int, wishes: int, positions: list[Position], others: Collection[str]) -> tuple[Position, ...]:
    """Return the shards to ask for: of owners that have more than their share, and no more than they have above it."""
    held = Counter(seen.owner for seen in positions)
    wanting = {me, *others}
    pending = Counter(seen.owner for seen in positions if seen.wanted_by in wanting)
    wishes -= sum(seen.wanted_by == me and seen.owner is not None for seen in positions)
    spare = {owner: held[owner] - pending[owner] - fair for owner in others}
    asked: list[Position] = []
    by_shard = {seen.shard: seen for seen in positions}
    for shard in _in_order(me, by_shard):
        seen = by_shard[shard]
        if len(asked) >= wishes:
            break
        if seen.owner is not None and spare.get(seen.owner, 0) > 0 and seen.wanted_by not in wanting:
            spare[seen.owner] -= 1
            asked.append(seen)
    return tuple(asked)


def _in_order(worker: str, shards: Collection[str]) -> list[str]:
    """Return shards in an order of the worker's own, so that workers that start together meet at few of them."""
    return sorted(shards, key=lambda shard: (crc32(f"{worker}/{shard}".encode()), shard))
