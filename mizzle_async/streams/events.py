"""Handling the records of one event: in order for each key, keys side by side, until the first failure.

AWS Lambda repeats an event from the lowest number that is reported. So nothing new begins after a failure, what has
begun is finished, and the lowest record that is not done is reported, alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeAlias

from attrs import frozen

from mizzle_async.errors import ClientStateError, ExpressionError, MarshallingError
from mizzle_async.flow.tasks import Bell, run_lanes
from mizzle_async.operations import Transactable
from mizzle_async.operations.arguments import check_at_least_one
from mizzle_async.operations.streams import ChangeDecoder, ChangeRecord, EventRecord, records_of
from mizzle_async.streams.checkpoints import EventMarks
from mizzle_async.streams.lanes import Lanes

logger: logging.Logger = logging.getLogger(__name__)

BatchItemFailures: TypeAlias = dict[str, list[dict[str, str]]]
"""The answer of a Lambda function that reports the failures of a batch."""


@frozen(eq=False, repr=False)
class _Entry:
    """A change and its place in the event."""

    place: int
    change: ChangeRecord[Any]


@frozen(eq=False, repr=False)
class EventReceipt:
    """Connects the changes of an event with the marks of their consumer.

    Attributes:
        consumer: The name whose marks are written.
        state: Writes them.
    """

    consumer: str
    state: EventMarks

    @classmethod
    def of(cls, consumer: str | None, state: EventMarks | None) -> EventReceipt | None:
        """Return the connection, or None where no marks are written.

        Raises:
            ExpressionError: One of both is missing.
        """
        if consumer is None and state is None:
            return None
        if not consumer or not isinstance(state, EventMarks):
            raise ExpressionError(
                "handle_records: consumer= and state= belong together, the name of the consumer and a state table such "
                "as client.state(STATE): they are for change.apply()"
            )
        return cls(consumer, state)

    def done(self, change: ChangeRecord[Any], /) -> None:
        """Refuse to note that a change is done.

        Raises:
            ClientStateError: Always: it is done when its handler returns.
        """
        del change
        raise ClientStateError("a change of an event is done when its handler returns: change.done() is for consumers")

    def apply(
        self, change: ChangeRecord[Any], operations: tuple[Transactable[Any], ...], /
    ) -> Coroutine[Any, Any, bool]:
        """Apply operations once for a change."""
        return self.state.apply_once(self.consumer, change.event_id, operations)


class EventWork:
    """The handling of one event.

    Args:
        records: Its records, in their order.
        decoder: Makes changes of them.
        handle: Handles one change.
        receipt: Connects changes with the marks of their consumer, or None for no marks.
    """

    def __init__(
        self,
        records: Sequence[EventRecord],
        decoder: ChangeDecoder[Any],
        handle: Callable[[Any], Awaitable[object]],
        receipt: EventReceipt | None = None,
    ) -> None:
        self._records = records
        self._receipt = receipt
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
                if self._receipt is not None:
                    change.deliver(self._receipt)
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
    decoder: ChangeDecoder[Any],
    event: object,
    handle: Callable[[Any], Awaitable[object]],
    concurrency: int,
    receipt: EventReceipt | None = None,
) -> BatchItemFailures:
    """Handle the changes of an event.

    Args:
        decoder: Makes changes of records.
        event: The event.
        handle: Handles one change.
        concurrency: Changes that are handled at once at most, of different keys.
        receipt: Connects changes with the marks of their consumer, or None for no marks.

    Raises:
        ExpressionError: It is no event of the table, its stream has another view, or the number is too small.
    """
    check_at_least_one("handle_records", concurrency=concurrency)
    records = records_of(event, decoder.target.table)
    return await EventWork(records, decoder, handle, receipt).run(concurrency)
