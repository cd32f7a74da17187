"""A state table as the store of a consumer's positions, which several processes share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from typing import Any, Final, TypeVar

from mizzle_async.codes import RETRIED_CANCELLATION_CODES
from mizzle_async.errors import (
    ConditionalCheckFailedError,
    ItemNotFoundError,
    MizzleError,
    OutcomeUnknownError,
    TransactionCanceledError,
)
from mizzle_async.flow.ports import TaskPort
from mizzle_async.flow.tasks import run_lanes
from mizzle_async.operations import Operation, Target
from mizzle_async.operations.transactions.write import transact_write
from mizzle_async.streams.checkpoints import Holding, SavedPositions, ShardProgress
from mizzle_async.streams.state.consumer_rows import (
    FENCES,
    SHARDS,
    STREAM,
    WORKERS,
    ConsumerRows,
    Position,
    Start,
    Worker,
)
from mizzle_async.streams.state.lease_rules import RENEWALS, Tenure
from mizzle_async.streams.state.rows import Fence
from mizzle_async.streams.state.sharing import Sights, share_out

ResultT = TypeVar("ResultT")

LANES: Final = 8
"""Requests of one turn, or of one save, that are under way at once."""

_REFUSED: Final = frozenset({"ConditionalCheckFailed"}) | RETRIED_CANCELLATION_CODES


class StateMember:
    """One process that consumes a stream with others.

    A turn beats, reads the rows, and takes, asks for and gives up shards. See `Member` for each method.

    Args:
        port: The client.
        rows: The rows of the consumer.
        spanning: The target of transactions.
        stream_arn: The stream.
        seconds: Without a heartbeat for so long, others take this process's shards.
        holder: The host and the process, for people.
    """

    def __init__(
        self,
        port: TaskPort,
        rows: ConsumerRows,
        spanning: Target[Any],
        *,
        stream_arn: str,
        seconds: float,
        holder: str,
    ) -> None:
        self._port = port
        self._rows = rows
        self._spanning = spanning
        self._stream_arn = stream_arn
        self._seconds = seconds
        self._holder = holder
        self._worker: Worker | None = None
        self._tenure = Tenure(0.0, seconds)
        self._valid_until = 0.0
        self._sights = Sights()
        self._wanted: dict[str, float] = {}
        """Shards that another worker asks for, each with the time by the loop's clock when that was first seen."""
        self._held: dict[str, int] = {}
        self._leaving: dict[str, int] = {}
        """Shards whose release is due, or was sent without an answer and may still arrive: they are not held."""
        self._closed = False

    @property
    def interval(self) -> float:
        """Seconds between turns."""
        return self._seconds / RENEWALS

    @property
    def valid_until(self) -> float:
        """The reading of the loop's clock at which the last holding ends."""
        return self._valid_until

    @property
    def worker(self) -> str:
        """The id of this process among the workers, empty before the first turn."""
        return "" if self._worker is None else self._worker.worker

    # ── the start ──

    async def read(self) -> SavedPositions | None:
        """Return the positions of the consumer of this table, or None before its first start."""
        start = await self._start()
        return None if start is None else await self._saved(start)

    async def begin(self, origin: float | None, /) -> SavedPositions:
        """Note the first start on this stream. Of several processes the first one wins."""
        while True:
            seen = await self._start()
            if seen is not None and seen.stream_arn == self._stream_arn:
                return await self._saved(seen)
            start = Start(scope=self._rows.table_scope, row=STREAM, stream_arn=self._stream_arn, origin=origin)
            try:
                await self._port.send(self._rows.start(start, seen))
            except (ConditionalCheckFailedError, OutcomeUnknownError):
                continue
            if seen is not None:
                await self._clear(seen.stream_arn)

    async def _start(self) -> Start | None:
        return await self._port.send(self._rows.starts.at(self._rows.table_scope, STREAM))

    async def _saved(self, start: Start) -> SavedPositions:
        positions = await self._rows.positions.below(self._rows.of_stream(start.stream_arn).scope, SHARDS)
        return SavedPositions(start.stream_arn, start.origin, {each.shard: each.progress for each in positions})

    async def _clear(self, stream_arn: str) -> None:
        """Remove the rows of an earlier stream of the table."""
        rows = self._rows.of_stream(stream_arn)
        shards = await rows.positions.below(rows.scope, SHARDS)
        workers = await rows.workers.below(rows.scope, WORKERS)
        await self._all(
            [
                *(operation for each in shards for operation in rows.forget(each.shard)),
                *(rows.leave(each.worker) for each in workers),
            ]
        )

    # ── turns ──

    async def turn(self, ready: Collection[str], /) -> Holding:
        """Beat, and take, ask for and give up shards."""
        await self._beat()
        workers = {each.worker: each for each in await self._rows.workers.below(self._rows.scope, WORKERS)}
        positions = {each.shard: each for each in await self._rows.positions.below(self._rows.scope, SHARDS)}
        now = _clock()
        owners = {each.owner for each in positions.values() if each.owner is not None}
        self._sights = self._sights.saw(workers, owners - {self.worker}, self._seconds, now)
        gone = await self._bury(workers, owners, now)
        live = {name for name, row in workers.items() if not row.dead and name not in gone} | {self.worker}
        sharing = share_out(self.worker, ready, positions, live, gone)
        positions.update(await self._take(sharing.take, positions))
        await self._all([self._rows.want(seen, self.worker) for seen in sharing.ask])
        others = live - {self.worker}
        kept = await self._kept({shard: seen for shard, seen in positions.items() if seen.owner == self.worker})
        held = self._drained_in_time(kept, others, now)
        self._valid_until = self._tenure.ends
        self._held = {shard: seen.epoch for shard, seen in held.items()}
        return Holding(
            self._held.copy(),
            wanted=frozenset(shard for shard, seen in held.items() if seen.wanted_by in others),
            progress={shard: seen.progress for shard, seen in positions.items()},
            elsewhere=frozenset(shard for shard, seen in positions.items() if seen.owner in others),
        )

    async def _kept(self, owned: dict[str, Position]) -> dict[str, Position]:
        """Return the shards of this worker without those that it has released: their release is sent again."""
        again = {shard: seen.epoch for shard, seen in owned.items() if self._leaving.get(shard) == seen.epoch}
        self._leaving = again.copy()
        if again:
            await self._give_up(again)
        return {shard: seen for shard, seen in owned.items() if shard not in again}

    async def _beat(self) -> None:
        """Write a heartbeat, and go on with what is held.

        A process that was found dead begins again as another worker, without its shards: what it held ends when it
        would have ended.

        Raises:
            MizzleError: It is not known to be written.
        """
        if self._worker is not None:
            started = _clock()
            beaten = Worker(
                scope=self._worker.scope,
                row=self._worker.row,
                beat=self._worker.beat + 1,
                seconds=self._seconds,
                holder=self._holder,
            )
            try:
                await self._port.send(self._rows.beat(beaten))
            except (ConditionalCheckFailedError, ItemNotFoundError):
                self._worker, self._held = None, {}
            else:
                self._worker, self._tenure = beaten, Tenure(started, self._seconds)
                self._valid_until = self._tenure.ends
                return
        row = f"{WORKERS}{self._port.new_token()}"
        first = Worker(scope=self._rows.scope, row=row, beat=1, seconds=self._seconds, holder=self._holder)
        started = _clock()
        await self._port.send(self._rows.join(first))
        self._worker, self._tenure = first, Tenure(started, self._seconds)

    async def _bury(self, workers: dict[str, Worker], owners: set[str], now: float) -> set[str]:
        """Return the workers whose shards may be taken. A silent one is marked first, so that it cannot beat again."""
        silent = [
            row
            for name, row in workers.items()
            if name != self.worker and not row.dead and self._sights.is_silent(name, now)
        ]
        gone = {name for name, row in workers.items() if row.dead}
        gone |= {name for name in owners - workers.keys() if self._sights.is_silent(name, now)}
        for row in silent:
            if await self._is_done(self._rows.bury(row, self._port.now())):
                gone.add(row.worker)
        return gone - {self.worker}

    def _drained_in_time(self, held: dict[str, Position], others: set[str], now: float) -> dict[str, Position]:
        """Return the shards of this worker without those that were asked for long ago, and that were not drained.

        Their handlers are cancelled by this, and they are released in the next turn: not before their reader has ended.
        """
        wanted = {shard for shard, seen in held.items() if seen.wanted_by in others}
        self._wanted = {shard: self._wanted.get(shard, now) for shard in wanted}
        late = {shard for shard, since in self._wanted.items() if now - since >= 2 * self._seconds}
        self._leaving |= {shard: held[shard].epoch for shard in late}
        return {shard: seen for shard, seen in held.items() if shard not in late}

    async def _take(self, shards: Iterable[str], positions: dict[str, Position]) -> dict[str, Position]:
        """Take shards, and return the positions of those that were taken."""
        taken: dict[str, Position] = {}

        async def take(shard: str) -> None:
            position = await self._taken(shard, positions.get(shard))
            if position is not None:
                taken[shard] = position

        await _each(list(dict.fromkeys(shards)), take)
        return taken

    async def _taken(self, shard: str, seen: Position | None) -> Position | None:
        """Take a shard as it was seen, and return its position, or None where it has changed."""
        fence: Fence | None = None
        if seen is not None:
            fence = Fence(scope=self._rows.scope, row=f"{FENCES}{shard}", epoch=seen.epoch)
        for attempt in range(2):
            position, operations = self._rows.take(shard, self.worker, seen, fence)
            try:
                await self._port.send(transact_write(self._spanning, operations, None, None))
            except OutcomeUnknownError:
                return None  # the next turn reads whether it was taken
            except TransactionCanceledError as error:
                if not {reason.code for reason in error.reasons} - {None} <= _REFUSED:
                    raise
                fenced, positioned = error.reasons
                if attempt or fenced.code is None or positioned.code is not None:
                    return None
                # One of the two rows was deleted by hand: the fence goes on from what is stored.
                fence = await self._port.send(self._rows.fences.at(self._rows.scope, f"{FENCES}{shard}"))
            else:
                return position
        return None

    # ── positions ──

    async def save(self, progress: Collection[ShardProgress], /) -> frozenset[str]:
        """Write the progress of shards that are held, and return those that turned out to be lost."""
        lost: set[str] = set()

        async def save(each: ShardProgress) -> None:
            epoch = self._held.get(each.shard)
            if epoch is None or not await self._saved_one(each, epoch):
                lost.add(each.shard)
                self._held.pop(each.shard, None)
            elif each.done_at is not None:
                self._held.pop(each.shard, None)

        await _each(list(progress), save)
        return frozenset(lost)

    async def _saved_one(self, each: ShardProgress, epoch: int) -> bool:
        try:
            await self._port.send(self._rows.save(each, self.worker, epoch))
        except (ConditionalCheckFailedError, ItemNotFoundError):
            return False
        except OutcomeUnknownError:
            stored = await self._port.send(self._rows.positions.at(self._rows.scope, f"{SHARDS}{each.shard}"))
            if stored is None or stored.epoch != epoch:
                return False
            if stored.progress != each:
                raise
        return True

    async def release(self, shards: Collection[str], /) -> None:
        """Give shards up, so that others may take them at once."""
        given = {shard: self._held.pop(shard) for shard in shards if shard in self._held}
        self._leaving |= given
        await self._give_up(given)

    async def _give_up(self, shards: dict[str, int]) -> None:
        """Send the release of shards, and note which are known to be released."""

        async def release(shard: str) -> None:
            # Where it is refused it is another worker's by now, or an earlier sending has released it.
            with suppress(ConditionalCheckFailedError, ItemNotFoundError):
                await self._port.send(self._rows.release(shard, self.worker, shards[shard]))
            self._leaving.pop(shard, None)

        await _each(list(shards), release)

    async def forget(self, shards: Collection[str], /) -> None:
        """Remove the progress of shards."""
        await self._all([operation for shard in shards for operation in self._rows.forget(shard)])

    async def close(self) -> None:
        """Release every shard and leave."""
        if self._closed:
            return
        self._closed = True
        await self.release(tuple(self._held))
        if self._worker is not None:
            await self._all([self._rows.leave(self.worker)])

    # ── requests ──

    async def _is_done(self, operation: Operation[Any]) -> bool:
        """Send a write, and return whether its condition was true. Where that is not known, it counts as false."""
        try:
            await self._port.send(operation)
        except (ConditionalCheckFailedError, ItemNotFoundError, OutcomeUnknownError):
            return False
        return True

    async def _all(self, operations: Iterable[Operation[Any]]) -> None:
        """Send writes, several at once. A false condition means that the shard is another worker's by now."""

        async def send(operation: Operation[Any]) -> None:
            await self._is_done(operation)

        await _each(list(operations), send)


async def _each(items: list[ResultT], function: Callable[[ResultT], Awaitable[None]]) -> None:
    """Call a function with each item, several at once. The first failure is raised when all have ended."""
    waiting = iter(items)
    failures: list[MizzleError] = []

    async def lane() -> None:
        for item in waiting:
            try:
                await function(item)
            except MizzleError as error:
                failures.append(error)

    if len(items) == 1:
        await function(items[0])
    elif items:
        await run_lanes(lane, min(LANES, len(items)))
    if failures:
        raise failures[0]


def _clock() -> float:
    """Return the time of the running loop, which is monotonic."""
    return asyncio.get_running_loop().time()
