"""Reads one shard: positions, pages, pauses, and the failures that each of them can meet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from attrs import frozen

from mizzle_async.errors import (
    ExpiredIteratorError,
    InternalServerError,
    LimitExceededError,
    MizzleError,
    ResourceNotFoundError,
    ServiceError,
    ThrottledError,
    TrimmedDataAccessError,
    ValidationError,
)
from mizzle_async.flow.ports import PacingPort
from mizzle_async.operations.streams import RECORDS_LIMIT, RecordsPage
from mizzle_async.streams.failures import PASSING, shard_gap
from mizzle_async.streams.pauses import Pauses
from mizzle_async.streams.room import Room
from mizzle_async.streams.settings import ConsumerSettings
from mizzle_async.streams.shard_run import CAUGHT_UP_PAGES, Delivery, ShardRun, time_of
from mizzle_async.streams.source import StreamSource
from mizzle_async.streams.starts import OLDEST, ShardPosition, after, oldest_minute
from mizzle_async.streams.tally import Tally

logger: logging.Logger = logging.getLogger(__name__)

ITERATOR_SECONDS: Final = 14 * 60.0
"""An iterator is good for 15 minutes, and is renewed before."""

FULL_BYTES: Final = 900_000
"""A page of about this size was cut by the service, which answers with at most 1 MB."""

FAILED_POSITIONS: Final = 3
"""So many failures of the service in a row at one position, while the oldest of the shard can be read, mean that it has
no such position: DynamoDB Local answers with a failure where the service says that changes are gone."""


@frozen(eq=False, repr=False, kw_only=True)
class ReaderParts:
    """The parts that the readers of one consumer share.

    Attributes:
        port: The client.
        source: The stream.
        settings: The consumer's settings.
        room: The room for changes that wait.
        tally: The consumer's counts.
        deliver: Takes the changes of a page.
        is_gone: Lists the shards anew, and returns whether the service does not list a shard any more.
        positioned: Called when a shard has a position at the service.
        ahead: Changes of a shard that may wait at least: a batch cannot become full otherwise.
        attended: Called when a shard reached an end, or the end of what there is now.
    """

    port: PacingPort
    source: StreamSource
    settings: ConsumerSettings
    room: Room
    tally: Tally
    deliver: Callable[[Sequence[Delivery]], object]
    is_gone: Callable[[str], Awaitable[bool]]
    positioned: Callable[[ShardRun], object]
    attended: Callable[[], object]
    ahead: int = 0


class ShardReader:
    """The reading of one shard, from a position to its end.

    Args:
        parts: The parts that all readers share.
        run: The shard.
        position: Where it begins.
        renewal: Where it begins again while nothing was read: unlike `LATEST`, it skips nothing that came since.
        may_be_trimmed: Whether it is one of the shards with which the consumer began, whose oldest changes may go away
            before they are read.
    """

    def __init__(
        self,
        parts: ReaderParts,
        run: ShardRun,
        position: ShardPosition,
        renewal: ShardPosition,
        *,
        may_be_trimmed: bool = False,
    ) -> None:
        self._may_be_trimmed = may_be_trimmed
        run.ahead = max(run.ahead, parts.ahead)
        self._parts = parts
        self._run = run
        self._position = position
        self._renewal = renewal
        self._pauses = Pauses(parts.settings.idle, parts.port.random)
        self._iterator: str | None = None
        self._taken_at = 0.0
        self._drop_before = 0.0
        self._last = 0
        self._failed_positions = 0
        self._is_healthy = False
        self._clock = asyncio.get_running_loop().time

    async def read(self) -> None:
        """Read the shard to its end, or until it stops.

        Raises:
            StreamGapError: Changes are gone, and ``on_gap`` raises.
            MizzleError: A failure that does not pass by itself.
        """
        with self._run.reading:
            while not self._run.is_stopping:
                await self._run.wait()
                await self._parts.room.wait()
                pause = await self._step()
                if pause is None:
                    return
                if pause > 0:
                    await self._parts.port.pause(pause)

    async def _step(self) -> float | None:
        """Read one page. Return the pause after it in seconds, or None at the end of the shard."""
        try:
            page = await self._page()
        except ExpiredIteratorError:
            self._iterator = None
            self._parts.tally.renewed += 1
            return self._pauses.after_failure() if self._pauses.failures else self._pauses.after_expiry()
        except (TrimmedDataAccessError, ResourceNotFoundError, ValidationError, *PASSING) as error:
            return await self._judge(error)
        return self._take(page)

    async def _page(self) -> RecordsPage:
        """Return the next page."""
        if self._iterator is None or self._clock() - self._taken_at > ITERATOR_SECONDS:
            self._iterator = await self._parts.source.iterator(self._run.shard, self._position)
            self._taken_at = self._clock()
            self._parts.positioned(self._run)
            if self._position.kind == "LATEST":
                self._position = self._renewal
        page = await self._parts.source.records(self._iterator)
        self._iterator, self._taken_at = page.next_iterator, self._clock()
        self._failed_positions, self._is_healthy = 0, False
        return page

    def _take(self, page: RecordsPage) -> float | None:
        """Deliver a page. Return the pause after it in seconds, or None where it is the last one."""
        run, tally = self._run, self._parts.tally
        records = page.records
        deliveries: list[Delivery] = []
        share = page.size // len(records) if records else 0
        for record in records:
            delivery = Delivery(run, record, share)
            if delivery.value <= self._last:  # an engine that answers a page again
                continue
            self._last = delivery.value
            run.watermark.begin(delivery.number)
            if self._drop_before and (time_of(record) or 0.0) < self._drop_before:
                run.done(delivery)
                continue
            deliveries.append(delivery)
        run.empty_pages = 0 if records else run.empty_pages + 1
        run.is_ended = page.next_iterator is None
        if records:
            self._position = after(run.watermark.last or "")
            tally.records += len(records)
            tally.bytes += page.size
            self._parts.room.take(share * len(deliveries))
            run.took(len(deliveries))
            self._parts.deliver(deliveries)
        if run.is_ended or run.empty_pages == CAUGHT_UP_PAGES:
            self._parts.attended()
        if run.is_ended:
            return None
        is_full = len(records) >= RECORDS_LIMIT or page.size >= FULL_BYTES
        return self._pauses.after_page(len(records), is_full=is_full)

    # ── failures ──

    async def _judge(self, error: MizzleError) -> float | None:
        """Return the pause after a failure, or None at the end of the shard.

        Raises:
            StreamGapError: Changes are gone, and ``on_gap`` raises.
            ValidationError: The request is wrong.
        """
        if isinstance(error, ResourceNotFoundError):
            self._iterator = None
            is_gone = await self._parts.is_gone(self._run.shard)
            return await self._pass_gap(is_gone=True) if is_gone else self._pauses.after_failure()
        if isinstance(error, ValidationError):
            if self._iterator is None and self._position.kind == "AT_TIMESTAMP":
                # The engine knows no times: records are dropped by theirs.
                self._drop_before = oldest_minute(self._position)
                self._position = self._renewal = OLDEST
                return 0.0
            if self._iterator is not None or self._position.kind != "AFTER_SEQUENCE_NUMBER":
                raise error
        if isinstance(error, TrimmedDataAccessError | ValidationError):
            return await self._pass_gap()
        return await self._judge_failure(error)

    async def _judge_failure(self, error: MizzleError) -> float | None:
        """Return the pause after a failure that may pass."""
        if isinstance(error, ThrottledError | LimitExceededError):
            self._parts.tally.throttled += 1
        elif self._is_position_failed(error):
            if self._is_healthy:
                return await self._pass_gap()
            self._is_healthy = await self._oldest_number() is not None
            if self._is_healthy:  # the service has just answered: once more, lest a failure ended in between
                return 0.0
        pause = self._pauses.after_failure()
        if self._pauses.failures == 1:
            logger.warning("the shard %s cannot be read now, and is tried again: %s", self._run.shard, error)
        return pause

    def _is_position_failed(self, error: MizzleError) -> bool:
        """Return whether the service has failed again and again at a position, and at nothing else."""
        if self._iterator is not None or self._position.kind != "AFTER_SEQUENCE_NUMBER":
            return False
        self._failed_positions += isinstance(error, InternalServerError)
        return self._failed_positions >= FAILED_POSITIONS

    async def _pass_gap(self, *, is_gone: bool = False) -> float | None:
        """Pass a gap, where the caller wants that. Return the pause in seconds, or None where nothing is left.

        Raises:
            StreamGapError: The caller wants to know.
        """
        run, parts = self._run, self._parts
        self._iterator = None
        if self._position == OLDEST and self._may_be_trimmed and not is_gone:
            return self._pauses.after_failure()  # trimmed between two requests: the next one is the oldest now
        until = None if is_gone else await self._oldest_number()
        gap = shard_gap(parts.source.table, run.shard, run.watermark.last, until or None)
        if parts.settings.on_gap == "raise":
            raise gap
        parts.tally.gaps += 1
        logger.warning("%s", gap)
        self._position = self._renewal = OLDEST
        if not is_gone:
            return self._pauses.after_failure()
        run.is_ended = run.is_gone = True
        parts.attended()
        return None

    async def _oldest_number(self) -> str | None:
        """Return the sequence number with which the shard begins now, empty where it has none; None if it fails."""
        try:
            page = await self._parts.source.records(await self._parts.source.iterator(self._run.shard, OLDEST))
        except ServiceError:
            return None
        return page.records[0]["dynamodb"]["SequenceNumber"] if page.records else ""
