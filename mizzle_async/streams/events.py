"""Handling the records of one event: in order for each key, keys side by side, until the first failure.

AWS Lambda repeats an event from the lowest number that is reported. So nothing new begins after a failure, what has
begun is finished, and the lowest record that is not done is reported, alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from attrs import frozen

from mizzle_async.errors import MarshallingError
from mizzle_async.flow.tasks import Bell, run_lanes
from mizzle_async.operations.arguments import check_at_least_one
from mizzle_async.operations.streams import ChangeDecoder, ChangeRecord, EventRecord, records_of
from mizzle_async.streams.lanes import Lanes

logger: logging.Logger = logging.getLogger(__name__)

BatchItemFailures: TypeAlias = dict[str, list[dict[str, str]]]
"""The answer of a Lambda function that reports the failures of a batch."""


@frozen(eq=False, repr=False)
class _Entry:
    """A change and its place in the event."""

    place: int
    change: ChangeRecord[Any]


class EventWork:
    """The handling of one event.

    Args:
        records: Its records, in their order.
        decoder: Makes changes of them.
        handle: Handles one change.
    """

    def __init__(
        self,
        records: Sequence[EventRecord],
        decoder: ChangeDecoder[Any],
        handle: Callable[[Any], Awaitable[object]],
    ) -> None:
        self._records = records
        self._handle = handle
        self._table = decoder.target.table
        self._done = [False] * len(records)
        self._failed = False
        self._bell = Bell()
        self._lanes: Lanes[_Entry] = Lanes(
            lambda entry: entry.change.key, is_refused=lambda _: self._failed, refused=lambda _: None
        )
        self._fill(decoder)

    async def run(self, concurrency: int) -> BatchItemFailures:
        """Handle the changes, at most so many at once, and return the report of the first that is not done."""
        await run_lanes(self._work, min(concurrency, max(1, len(self._records))))
        place = next((place for place, done in enumerate(self._done) if not done), None)
        if place is None:
            return {"batchItemFailures": []}
        return {"batchItemFailures": [{"itemIdentifier": self._records[place].number}]}

    def _fill(self, decoder: ChangeDecoder[Any]) -> None:
        """Put the changes into their lanes, up to the first that cannot be decoded: none after it may begin."""
        for place, record in enumerate(self._records):
            try:
                change = decoder.decode(record.record, record.number)
            except MarshallingError as error:
                self._log(place, error)
                return
            if change is None:
                self._done[place] = True
            else:
                self._lanes.add(_Entry(place, change))

    async def _work(self) -> None:
        """Handle one change after the other, as lanes become free, until none is left or one has failed."""
        lanes = self._lanes
        while True:
            taken = lanes.take()
            if taken is None:
                if lanes.is_empty:
                    return
                await self._bell.wait()
                continue
            lane, entry = taken
            try:
                await self._handle_one(entry)
            finally:
                lanes.finish(lane)
                self._bell.ring()

    async def _handle_one(self, entry: _Entry) -> None:
        try:
            await self._handle(entry.change)
        except Exception as error:  # noqa: BLE001  (an error of a handler is its record's failure)
            self._failed = True
            self._log(entry.place, error)
        except BaseException as error:
            self._failed = True
            task = asyncio.current_task()
            if not isinstance(error, asyncio.CancelledError) or task is None or task.cancelling():
                raise
            self._log(entry.place, error)  # the handler awaited something else that was cancelled
        else:
            self._done[entry.place] = True

    def _log(self, place: int, error: BaseException) -> None:
        logger.error(
            "table %s: record %s of an event, at place %d, failed: it is reported, and comes again",
            self._table,
            self._records[place].number,
            place,
            exc_info=error,
        )


async def handle_event(
    decoder: ChangeDecoder[Any], event: object, handle: Callable[[Any], Awaitable[object]], concurrency: int
) -> BatchItemFailures:
    """Handle the changes of an event.

    Args:
        decoder: Makes changes of records.
        event: The event.
        handle: Handles one change.
        concurrency: Changes that are handled at once at most, of different keys.

    Raises:
        ExpressionError: It is no event of the table, its stream has another view, or the number is too small.
    """
    check_at_least_one("handle_records", concurrency=concurrency)
    records = records_of(event, decoder.target.table)
    return await EventWork(records, decoder, handle).run(concurrency)
