"""One run of a consumer: it finds the table's stream, joins its store, reads, and ends in good order."""

from __future__ import annotations

import anyio

from mizzle_async.errors import ExpressionError, ModelError
from mizzle_async.model import view_of
from mizzle_async.operations.streams import DescribeTableStream, TableStream
from mizzle_async.streams.checkpoints import Checkpoints, Member
from mizzle_async.streams.keeper import LAST_SECONDS
from mizzle_async.streams.session import ConsumerParts, Session, Sink, begin_session
from mizzle_async.streams.settings import Until
from mizzle_async.streams.shard_run import ShardRun
from mizzle_async.streams.stores import MemoryCheckpoints
from mizzle_async.streams.tally import ChangeReport, ShardReport


class Consumer:
    """A consumer from its start to its end.

    Args:
        parts: Its parts.
        sink: Takes its changes.
        until: When it ends.

    Attributes:
        started: Set when every shard of the first turn has its position at the service, and when it has ended.
        failure: The error that ended it, or None.
    """

    def __init__(self, parts: ConsumerParts, sink: Sink, until: Until = "closed") -> None:
        self._parts = parts
        self._sink = sink
        self._until: Until = until
        self._session: Session | None = None
        self._is_stopped = False
        self.started: anyio.Event = anyio.Event()
        self.failure: BaseException | None = None

    async def run(self) -> None:
        """Consume until the end.

        Raises:
            ModelError: The table has no stream.
            ExpressionError: The stream's records hold something else than the caller expects.
            StreamGapError: Changes are gone that were not read, and ``on_gap`` raises.
            MizzleError: A request failed for a reason that does not pass.
        """
        try:
            stream = await self._find_stream()
            settings = self._parts.settings
            store: Checkpoints = MemoryCheckpoints() if settings.checkpoints is None else settings.checkpoints
            member = await store.join(settings.consumer or "", stream.arn)
            try:
                await self._read(member, stream.arn)
            except BaseException:
                await self._leave(member, is_failing=True)
                raise
            await self._leave(member)
        except Exception as error:
            self.fail(error)
            raise
        finally:
            self.started.set()
            self._sink.wake()

    async def _find_stream(self) -> TableStream:
        """Return the table's stream."""
        parts = self._parts
        stream = await parts.port.send(DescribeTableStream(parts.table))
        if stream is None:
            raise ModelError(
                f'table {parts.table!r} has no stream: give the entity one, @entity(…, stream="new_and_old_images"), '
                "and have client.ensure_tables() switch it on",
                table=parts.table,
            )
        held = view_of(stream.view)
        if parts.view is not None and held and held != parts.view:
            raise ExpressionError(
                f"the stream of table {parts.table!r} holds {held}, not {parts.view}: say changes(view={held!r}), or "
                "give the table another stream",
                table=parts.table,
            )
        return stream

    async def _read(self, member: Member, arn: str) -> None:
        """Read the stream until the end, as a member of its store."""
        session = self._session = await begin_session(
            self._parts, member, arn, self._sink, until=self._until, started=self.started
        )
        if not self._is_stopped:
            await session.run()

    async def _leave(self, member: Member, *, is_failing: bool = False) -> None:
        """Save the last positions, and leave the store."""
        session = self._session
        if session is not None:
            await session.keeper.leave(is_failing=is_failing)
        else:
            with anyio.move_on_after(LAST_SECONDS, shield=True):
                await member.close()

    def fail(self, error: BaseException) -> None:
        """End for an error. Handlers that have begun may finish."""
        if self.failure is None:
            self.failure = error
            if self._session is None:
                self._sink.fail(error)
            else:
                self._session.fail(error)

    def stop(self, drain_seconds: float | None = None) -> None:
        """Begin no change any more, and end when those that have begun are done.

        Args:
            drain_seconds: Seconds for those, or None for the setting.
        """
        self._is_stopped = True
        if self._session is not None:
            self._session.stop(self._parts.settings.drain_seconds if drain_seconds is None else drain_seconds)

    @property
    def halted(self) -> BaseException | None:
        """The error for which a shard ended while others went on, or None."""
        session = self._session
        runs = () if session is None else session.keeper.runs.values()
        return next((run.failure for run in runs if run.failure is not None), None)

    def report(self) -> ChangeReport:
        """Return the counts of this moment."""
        return change_report(self._parts, self._session)


def change_report(parts: ConsumerParts, session: Session | None = None) -> ChangeReport:
    """Return the counts of a consumer, as far as it has come."""
    tally, now = parts.tally, parts.port.now()
    runs = () if session is None else session.keeper.runs.values()
    shards = tuple(_shard_report(run, now) for run in runs)
    delays = [each.behind for each in shards if each.behind is not None]
    return ChangeReport(
        records=tally.records,
        bytes=tally.bytes,
        delivered=tally.delivered,
        done=tally.done,
        skipped=tally.skipped,
        failed=tally.failed,
        retried=tally.retried,
        gaps=tally.gaps,
        requests=0 if session is None else session.source.pages,
        empty_requests=0 if session is None else session.source.empty_pages,
        renewed=tally.renewed,
        throttled=tally.throttled,
        buffered_bytes=parts.room.used,
        taken=tally.taken,
        released=tally.released,
        lost=tally.lost,
        behind=max(delays, default=None),
        shards=shards,
    )


def _shard_report(run: ShardRun, now: float) -> ShardReport:
    if run.is_clear and (run.is_ended or run.empty_pages):
        behind: float | None = 0.0
    else:
        at = None if run.latest is None else run.latest.at
        behind = None if at is None else max(0.0, now - at)
    return ShardReport(run.shard, run.watermark.position, len(run.watermark), behind, run.is_ended, run.failure)
