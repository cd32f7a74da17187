"""The rules of leases, without a clock and without I/O: transitions as operations, and arithmetic on times.

A lease is two rows. The fence says who holds it, and is written when that changes: a transaction that checks it does
not meet the renewals. The beat counts the renewals.

No clock is compared with another one. The holder counts from the start of its last renewal, by its own monotonic clock,
and stops before its time is up. A waiter counts from the moment when it first saw the last beat, by its own, and takes
the lease after the whole time. It saw the beat after the renewal had started, so it takes the lease later than the
holder stops. The taking is a transaction on both rows as they were seen, so a renewal in between prevents it.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

from mizzle_async.model import evolve
from mizzle_async.operations import CheckItem, PutItem, Transactable
from mizzle_async.streams.state.rows import BEAT, FENCE, Beat, Fence
from mizzle_async.streams.state.table import StateRows
from mizzle_async.values import Value

RENEWALS: Final = 3
"""Renewals in the time of a lease."""

MARGIN: Final = 1 / 6
"""The part of its time by which a holder stops earlier than others may take over."""

UNUSED_SECONDS: Final = 7 * 86_400
"""A lease that is free for so long is removed, and its epochs begin again."""


@frozen(eq=False, repr=False)
class Standing(Value):
    """A lease as it was read: no beat for a free one."""

    beat: Beat | None = None
    fence: Fence | None = None

    @property
    def is_free(self) -> bool:
        """Whether the lease can be taken at once."""
        return self.beat is None and (self.fence is None or self.fence.owner is None)

    @property
    def version(self) -> object:
        """Equal for two readings between which the holder did nothing."""
        if self.beat is not None:
            return self.beat.owner, self.beat.epoch, self.beat.beat
        return None if self.fence is None else (self.fence.owner, self.fence.epoch)


@frozen(eq=False, repr=False)
class Claim(Value):
    """One taking of a lease.

    Attributes:
        scope: The scope of the lease.
        owner: The id of the taking: no other taking has it.
        seconds: The time of the lease.
        holder: The host and the process, for people.
    """

    scope: str
    owner: str
    seconds: float
    holder: str = ""


@frozen(eq=False, repr=False)
class LeaseRows(Value):
    """The rows of leases, and the operations on them."""

    fences: StateRows[Fence]
    beats: StateRows[Beat]

    def take(self, claim: Claim, seen: Standing) -> tuple[Beat, list[Transactable[Any]]]:
        """Return the beat of a claim, and the transaction that takes the lease as it was seen.

        Args:
            claim: The claim.
            seen: The lease, which must be free or left.
        """
        epoch = 1 + max(0 if seen.fence is None else seen.fence.epoch, 0 if seen.beat is None else seen.beat.epoch)
        beat = Beat(
            scope=claim.scope,
            row=BEAT,
            owner=claim.owner,
            epoch=epoch,
            beat=1,
            seconds=claim.seconds,
            holder=claim.holder,
        )
        fence = Fence(scope=claim.scope, row=FENCE, epoch=epoch, owner=claim.owner)
        return beat, [self._fence(fence, seen.fence), self._beat(beat, seen.beat)]

    def _fence(self, fence: Fence, seen: Fence | None) -> PutItem[Fence]:
        if seen is None:
            return self.fences.insert(fence)
        owner = Fence.owner.not_exists() if seen.owner is None else Fence.owner == seen.owner
        return self.fences.put(fence).when(owner & (Fence.epoch == seen.epoch))

    def _beat(self, beat: Beat, seen: Beat | None) -> PutItem[Beat]:
        if seen is None:
            return self.beats.insert(beat)
        same = (Beat.owner == seen.owner) & (Beat.epoch == seen.epoch) & (Beat.beat == seen.beat)
        return self.beats.put(beat).when(same)

    def renew(self, held: Beat) -> tuple[Beat, PutItem[Beat]]:
        """Return the next beat of a lease that is held, and its write. That is refused where the lease is another's."""
        beat = evolve(held, beat=held.beat + 1)
        return beat, self.beats.put(beat).when((Beat.owner == held.owner) & (Beat.epoch == held.epoch))

    def release(self, held: Beat, now: float) -> list[Transactable[Any]]:
        """Return the transaction that gives a lease up.

        Args:
            held: The last beat.
            now: The time in seconds since the epoch, for the removal of the row.
        """
        free = Fence(scope=held.scope, row=FENCE, epoch=held.epoch, expires=int(now) + UNUSED_SECONDS)
        ours = (Fence.owner == held.owner) & (Fence.epoch == held.epoch)
        return [self.fences.put(free).when(ours), self.beats.delete(scope=held.scope, row=BEAT)]

    def check(self, held: Beat) -> CheckItem[Fence]:
        """Return the check that the lease still is this taking's."""
        ours = (Fence.owner == held.owner) & (Fence.epoch == held.epoch)
        return self.fences.check(scope=held.scope, row=FENCE).when(ours)


@frozen(eq=False, repr=False)
class Tenure(Value):
    """The time for which a holder may believe that it holds a lease, by its own monotonic clock.

    Attributes:
        started: When the last renewal that succeeded was begun.
        seconds: The time of the lease.
    """

    started: float
    seconds: float

    @property
    def ends(self) -> float:
        """When the holder must have stopped."""
        return self.started + self.seconds * (1 - MARGIN)

    @property
    def renewed_at(self) -> float:
        """When the next renewal is due."""
        return self.started + self.seconds / RENEWALS


@frozen(eq=False, repr=False)
class Watch(Value):
    """The view of a waiter on a lease that another one holds.

    Attributes:
        version: The last version that was seen.
        since: When it was first seen, by the waiter's own monotonic clock.
        seconds: The time of the lease, as its holder says.
    """

    version: object = None
    since: float = 0.0
    seconds: float = 0.0

    def saw(self, seen: Standing, own_seconds: float, now: float) -> Watch:
        """Return the view after a reading.

        Args:
            seen: The lease.
            own_seconds: The waiter's own time of a lease, for a holder that does not say.
            now: When the answer had come, by the waiter's own monotonic clock.
        """
        if seen.is_free:
            return Watch()
        if seen.version == self.version:
            return self
        return Watch(seen.version, now, own_seconds if seen.beat is None else seen.beat.seconds)

    def left(self, now: float) -> float:
        """Return the seconds until the lease may be taken, if nothing changes until then."""
        return 0.0 if self.version is None else self.since + self.seconds - now
