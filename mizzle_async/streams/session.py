"""One stream while a consumer reads it, as a member of its store: the shards, those who find, keep and read them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import anyio
from attrs import field, frozen

from mizzle_async.flow.ports import TaskPort
from mizzle_async.marshalling import StreamForm
from mizzle_async.streams.checkpoints import Member, SavedPositions, ShardProgress
from mizzle_async.streams.discovery import Discovery
from mizzle_async.streams.failures import stream_gap
from mizzle_async.streams.keeper import Keeper, KeeperParts
from mizzle_async.streams.room import Room
from mizzle_async.streams.settings import ConsumerSettings, Until
from mizzle_async.streams.shard_reader import ReaderParts, ShardReader
from mizzle_async.streams.shard_run import Delivery, ShardRun
from mizzle_async.streams.shard_tree import ShardTree
from mizzle_async.streams.source import StreamSource
from mizzle_async.streams.starts import origin_of, position_of
from mizzle_async.streams.tally import Tally
from mizzle_async.values import Record

logger: logging.Logger = logging.getLogger(__name__)


class Sink(Protocol):
    """Takes the changes that were read, and has them handled."""

    @property
    def ahead(self) -> int:
        """The changes of one shard that it needs at once, at most."""
        ...

    def put(self, deliveries: Sequence[Delivery], /) -> None:
        """Take the changes of one page."""
        ...

    def wake(self) -> None:
        """Look again: shards stop, are lost, or everything ends."""
        ...

    def fail(self, error: BaseException, /) -> None:
        """Note that the consumer ends for an error."""
        ...

    async def work(self) -> None:
        """Handle changes until it is cancelled. An iterator has no work of its own, and returns."""
        ...


@frozen(eq=False, repr=False)
class ConsumerParts(Record):
    """The parts of a consumer that it is made with.

    Attributes:
        port: The client.
        table: The name of the table at the service.
        view: The contents of records that the caller expects, such as ``new_and_old_images``, or None for any.
        settings: The settings.
        tally: The counts.
        room: The room for changes that wait.
        form: The lighter form in which records are read, None where they are plain JSON.
    """

    port: TaskPort = field(repr=False)
    table: str
    view: str | None
    settings: ConsumerSettings
    tally: Tally
    room: Room
    form: StreamForm | None = field(default=None, repr=False)


@frozen(eq=False, repr=False)
class Beginning:
    """The shards and positions with which a session begins.

    Attributes:
        saved: The positions of the store.
        latest: The shards that begin with their latest change, because the consumer begins at this moment.
        first: The shards that were listed when the consumer began for the first time.
    """

    saved: SavedPositions
    latest: frozenset[str] = frozenset()
    first: frozenset[str] = frozenset()


async def begin_session(
    parts: ConsumerParts, member: Member, arn: str, sink: Sink, *, until: Until, started: anyio.Event
) -> Session:
    """Find where a consumer begins, and list the shards.

    The instant of a first start is noted before the shards are listed: a shard that appears in between begins there as
    well.

    Args:
        parts: The consumer's parts.
        member: The consumer in its store.
        arn: The stream.
        sink: Takes changes.
        until: When the work ends.
        started: Set when every shard of the first turn has its position at the service.

    Raises:
        StreamGapError: The saved positions belong to an earlier stream of the table, and ``on_gap`` raises.
        MizzleError: The shards cannot be listed.
    """
    settings = parts.settings
    source = StreamSource(parts.port, arn, parts.port.stream_spacing, parts.form)
    tree = ShardTree()
    discovery = Discovery(parts.port, source, tree)
    saved = await member.read()
    is_new = saved is None
    origin = origin_of(settings.start, parts.port.now())
    if saved is not None and saved.stream_arn != arn:
        gap = stream_gap(parts.table, saved.stream_arn, arn)
        if settings.on_gap == "raise":
            raise gap
        parts.tally.gaps += 1
        logger.warning("%s", gap)
        saved, origin = None, None
    if saved is None:
        saved = await member.begin(origin)
    listing = await discovery.list_first()
    tree.restore(saved.shards)
    beginning = Beginning(saved)
    if is_new and not saved.shards and saved.origin == origin:
        first = frozenset(shard.id for shard in listing.shards)
        latest = frozenset[str]()
        if settings.start == "latest":
            latest = frozenset(shard.id for shard in listing.shards if shard.last is None)
            for shard in first - latest:
                tree.finish(shard)
        beginning = Beginning(saved, latest, first)
    return Session(
        parts,
        member,
        sink,
        beginning,
        source=source,
        tree=tree,
        discovery=discovery,
        until=until,
        started=started,
    )


class Session:
    """A consumer's reading of one stream, made by `begin_session`.

    Attributes:
        source: The stream.
        keeper: Holds the shards.
        started: Set when every shard of the first turn has its position at the service.
        failure: The error for which it ends, or None.
    """

    def __init__(
        self,
        parts: ConsumerParts,
        member: Member,
        sink: Sink,
        beginning: Beginning,
        *,
        source: StreamSource,
        tree: ShardTree,
        discovery: Discovery,
        until: Until,
        started: anyio.Event,
    ) -> None:
        self._parts = parts
        self._sink = sink
        self._beginning = beginning
        self._discovery = discovery
        self._unpositioned = set(beginning.latest)
        self._group = anyio.create_task_group()
        self.source: StreamSource = source
        self.started: anyio.Event = started
        self.failure: BaseException | None = None
        port, settings = parts.port, parts.settings
        self.keeper: Keeper = Keeper(
            KeeperParts(
                member=member,
                tree=tree,
                discovery=discovery,
                tally=parts.tally,
                begin=self._begin_shard,
                turned=self._note_start,
                now=port.now,
                checkpoint_seconds=settings.checkpoint_seconds,
                until=until,
            )
        )
        self._reader_parts = ReaderParts(
            port=port,
            source=source,
            settings=settings,
            room=parts.room,
            tally=parts.tally,
            deliver=sink.put,
            is_gone=discovery.is_gone,
            positioned=self._positioned,
            attended=self.keeper.attend,
            ahead=sink.ahead,
        )
        discovery.changed = self.keeper.attend

    async def run(self) -> None:
        """Read the stream until the end.

        Raises:
            Exception: The failure for which it ended.
        """
        async with self._group as group:
            group.start_soon(self._guarded, self._discovery.run)
            group.start_soon(self._guarded, self._sink.work)
            await self._guarded(self.keeper.run)
            group.cancel_scope.cancel()
        if self.failure is not None:
            raise self.failure

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do some work. Its failure ends the session, and is raised by `run` as it is."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001  (raised by `run`, without a group around it)
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """End for an error. Handlers that have begun may finish."""
        if self.failure is None:
            self.failure = error
            self._sink.fail(error)
        self.stop(self._parts.settings.drain_seconds)

    def stop(self, drain_seconds: float) -> None:
        """Begin no change any more, and end when those that have begun are done, or the time for it is up."""
        self.keeper.stop(drain_seconds)
        self._sink.wake()

    # ── shards ──

    def _begin_shard(self, run: ShardRun, progress: ShardProgress | None) -> None:
        """Begin to read a shard."""
        beginning = self._beginning
        origin, now = beginning.saved.origin, self._parts.port.now()
        at_latest = self.keeper.turns == 1 and run.shard in beginning.latest
        reader = ShardReader(
            self._reader_parts,
            run,
            position_of(progress, origin, now, at_latest=at_latest),
            position_of(progress, origin, now, at_latest=False),
            may_be_trimmed=run.shard in beginning.first,
        )
        self._group.start_soon(self._guarded, reader.read)

    def _positioned(self, run: ShardRun) -> None:
        """Note that a shard has its position."""
        if self._unpositioned:
            self._unpositioned.discard(run.shard)
            self._note_start()

    def _note_start(self) -> None:
        """Note the start once every shard of the first turn has its position."""
        if self.keeper.turns and self._unpositioned.isdisjoint(self.keeper.runs):
            self.started.set()

    def __repr__(self) -> str:
        return f"<Session of {self._parts.table!r}: {self.keeper!r}>"
