"""Holds shards and gives them up: turns of the store, positions, ends, hand-overs, losses."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterable
from typing import Final

import anyio
from attrs import frozen

from mizzle_async.flow.tasks import Bell
from mizzle_async.streams.checkpoints import Holding, Member, ShardProgress
from mizzle_async.streams.discovery import Discovery
from mizzle_async.streams.failures import PASSING
from mizzle_async.streams.settings import Until
from mizzle_async.streams.shard_run import ShardRun
from mizzle_async.streams.shard_tree import ShardTree
from mizzle_async.streams.tally import Tally

logger: logging.Logger = logging.getLogger(__name__)

KEPT_SECONDS: Final = 48 * 3600.0
"""The progress of a shard that is gone is kept for this long after it was done."""

LONGEST_RETRY: Final = 1.0
LAST_SECONDS: Final = 2.0
"""Seconds for the last positions, and for leaving the store, when everything is cancelled."""


@frozen(eq=False, repr=False, kw_only=True)
class KeeperParts:
    """The parts around a keeper.

    Attributes:
        member: The consumer in its store.
        tree: The shards of the stream.
        discovery: Finds shards.
        tally: The consumer's counts.
        begin: Begins to read a shard, with its saved progress.
        turned: Called after each turn of the store.
        now: Returns the time in seconds since the epoch.
        checkpoint_seconds: Seconds between two writings of positions.
        until: When the work ends.
    """

    member: Member
    tree: ShardTree
    discovery: Discovery
    tally: Tally
    begin: Callable[[ShardRun, ShardProgress | None], object]
    turned: Callable[[], object]
    now: Callable[[], float]
    checkpoint_seconds: float
    until: Until


class Keeper:
    """Decides which shards are read by this process, and keeps their positions.

    Attributes:
        runs: The shards that are held, by their ids.
        bell: Rung when something may be due before its time.
        turns: Turns of the store so far.
    """

    def __init__(self, parts: KeeperParts) -> None:
        self._parts = parts
        self._member = parts.member
        self._clock = asyncio.get_running_loop().time
        self.runs: dict[str, ShardRun] = {}
        self.bell: Bell = Bell()
        self.turns: int = 0
        self._asked: frozenset[str] | None = None
        self._elsewhere: frozenset[str] = frozenset()
        self._next_turn = math.inf
        self._next_save = self._clock() + parts.checkpoint_seconds
        self._stops_at: float | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._failures = 0
        self._rang = False

    # ── the loop ──

    async def run(self) -> None:
        """Keep shards until the work is over.

        Raises:
            MizzleError: The store refuses, or fails in a way that does not pass.
        """
        try:
            while not self._is_over():
                self._rang = False
                try:
                    await self._do_what_is_due()
                    self._failures = 0
                except PASSING as error:
                    await self._pass_failure(error)
                    continue
                if not self._is_over():
                    await self._wait()
        finally:
            self._expire_at(math.inf)

    async def _do_what_is_due(self) -> None:
        """Do everything that is due now."""
        ready = self._parts.tree.ready()
        if self._stops_at is not None:
            ready &= self.runs.keys()
        if self._asked is None or self._clock() >= self._next_turn or not ready <= self._asked:
            await self._turn(ready)
        await self._finish_shards()
        await self._release([run for run in self.runs.values() if run.is_wanted and run.is_drained])
        if self._clock() >= self._next_save:
            await self.save(self.runs.values())
            await self._forget()
            self._next_save = self._clock() + self._parts.checkpoint_seconds

    async def _wait(self) -> None:
        """Wait until something is due."""
        if self._rang:  # while something else was done
            return
        due = min(self._next_save, self._next_turn, math.inf if self._stops_at is None else self._stops_at)
        with anyio.move_on_after(max(0.0, due - self._clock())):
            await self.bell.wait()

    def attend(self) -> None:
        """Look at the shards again: one has ended, is drained, or was found."""
        self._rang = True
        self.bell.ring()

    async def _pass_failure(self, error: Exception) -> None:
        """Wait after a failure of the store that may pass."""
        self._failures += 1
        if self._failures == 1:
            logger.warning("the store of positions cannot be used now, and is tried again: %s", error)
        with anyio.move_on_after(min(LONGEST_RETRY, 0.05 * 2.0 ** min(self._failures, 6))):
            await self.bell.wait()

    # ── turns ──

    async def _turn(self, ready: frozenset[str]) -> None:
        """Ask the store which shards are held."""
        interval, begun = self._member.interval, self._clock()
        holding = await self._member.turn(ready)
        self.turns += 1
        self._asked, self._elsewhere = ready, holding.elsewhere
        self._next_turn = math.inf if interval is None else begun + interval
        self._expire_at(self._member.valid_until)
        self._apply(holding)
        self._parts.turned()

    def _apply(self, holding: Holding) -> None:
        """Begin the shards that are new, drop those that are lost, and drain those that are wanted."""
        for run in [run for run in self.runs.values() if holding.shards.get(run.shard) != run.epoch]:
            self._lose(run)
        tree = self._parts.tree
        tree.restore(holding.progress)
        for shard, epoch in holding.shards.items():
            if shard not in self.runs and not tree.is_done(shard) and self._stops_at is None:
                progress = holding.progress.get(shard)
                run = self.runs[shard] = ShardRun(
                    shard, epoch, progress, self.attend, may_be_lost=self._member.interval is not None
                )
                self._parts.tally.taken += 1
                self._parts.begin(run, progress)
        for shard in holding.wanted:
            held = self.runs.get(shard)
            if held is not None and not held.is_wanted:
                held.is_wanted = True
                held.stop()

    def _expire_at(self, when: float) -> None:
        """Drop everything at a time of the loop's clock, unless another turn comes before."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if when != math.inf:
            self._expiry = asyncio.get_running_loop().call_at(when, self._expire)

    def _expire(self) -> None:
        """Lose every shard, unless a heartbeat was written since: others may take the shards of a silent process."""
        ends = self._member.valid_until
        if ends > self._clock():
            self._expire_at(ends)
            return
        if self.runs:
            logger.warning("the store of positions was not reached in time: %d shards are given up", len(self.runs))
        for run in list(self.runs.values()):
            self._lose(run)

    def _lose(self, run: ShardRun) -> None:
        """Drop a shard that another process may have."""
        del self.runs[run.shard]
        self._parts.tally.lost += 1
        run.lose()
        self.attend()

    # ── positions ──

    async def save(self, runs: Iterable[ShardRun]) -> None:
        """Save the positions that have moved."""
        moved = {run.shard: run for run in runs if run.watermark.position != run.saved and not run.is_lost}
        await self._write({shard: ShardProgress(shard, run.watermark.position) for shard, run in moved.items()})

    async def _write(self, progress: dict[str, ShardProgress]) -> None:
        """Write the progress of shards that are held."""
        if not progress:
            return
        lost = await self._member.save(tuple(progress.values()))
        self._parts.tally.saves += 1
        for shard, each in progress.items():
            run = self.runs.get(shard)
            if run is not None and shard in lost:
                self._lose(run)
            elif run is not None:
                run.saved = each.position
        self._parts.tree.restore({shard: each for shard, each in progress.items() if shard not in lost})

    async def _finish_shards(self) -> None:
        """Note the shards of which everything is done, once their children are known."""
        discovery, tree = self._parts.discovery, self._parts.tree
        finished: dict[str, ShardProgress] = {}
        for run in self.runs.values():
            if not run.is_ended:
                continue
            if not run.is_gone:
                discovery.ask_for_children(run.shard)
            if run.is_clear and (run.is_gone or discovery.knows_children(run.shard)):
                finished[run.shard] = ShardProgress(
                    run.shard, run.watermark.position, self._parts.now(), tree.children(run.shard)
                )
        await self._write(finished)
        for shard in finished:
            if tree.is_done(shard) and self.runs.pop(shard, None) is not None:
                self._parts.tally.released += 1
        if finished:  # their children are ready
            self.attend()

    async def _release(self, runs: list[ShardRun]) -> None:
        """Give shards up that another process wants, with their positions."""
        if not runs:
            return
        await self.save(runs)
        released = [run.shard for run in runs if not run.is_lost]
        await self._member.release(released)
        for shard in released:
            if self.runs.pop(shard, None) is not None:
                self._parts.tally.released += 1

    async def _forget(self) -> None:
        """Remove progress that is not needed any more."""
        outdated = self._parts.tree.outdated(self._parts.now() - KEPT_SECONDS)
        if outdated:
            await self._member.forget(outdated)
            for shard in outdated:
                self._parts.tree.forget(shard)

    # ── the end ──

    def stop(self, drain_seconds: float) -> None:
        """Begin no change any more, and end when those that have begun are done, or the time for it is up."""
        self._stops_at = min(self._clock() + drain_seconds, math.inf if self._stops_at is None else self._stops_at)
        for run in self.runs.values():
            run.stop()
        self.attend()

    def _is_over(self) -> bool:
        """Return whether the work is over."""
        if self._stops_at is not None:
            return self._clock() >= self._stops_at or all(run.is_drained for run in self.runs.values())
        ready = self._parts.tree.ready()
        halted = {shard for shard, run in self.runs.items() if run.failure is not None}
        if self._parts.discovery.is_closed and ready <= halted:
            return all(run.is_drained for run in self.runs.values())
        if self._parts.until == "closed":
            return False
        return self._is_caught_up(ready)

    def _is_caught_up(self, ready: frozenset[str]) -> bool:
        """Return whether every shard has nothing more now, those aside that other processes read."""
        if not self.turns or not ready <= self.runs.keys() | self._elsewhere:
            return False
        return all(
            run.is_drained if run.failure is not None else run.is_caught_up and not run.is_ended
            for run in self.runs.values()
        )

    async def leave(self, *, is_failing: bool) -> None:
        """Save the last positions and leave the store, within a few seconds, also while everything is cancelled.

        Args:
            is_failing: Whether another error is being raised, so that one of the store goes to the log.
        """
        with anyio.CancelScope(shield=True):
            try:
                with anyio.move_on_after(LAST_SECONDS) as scope:
                    await self.save(self.runs.values())
                if scope.cancelled_caught:
                    logger.warning("the last positions were not saved in %g seconds: changes come again", LAST_SECONDS)
            except Exception as error:
                if not is_failing and not isinstance(error, PASSING):
                    raise
                logger.warning("the last positions were not saved, and changes come again: %s", error)
            finally:
                with anyio.move_on_after(LAST_SECONDS):
                    await self._member.close()

    def __repr__(self) -> str:
        return f"<Keeper {len(self.runs)} shards, {self.turns} turns>"
