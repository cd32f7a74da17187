"""From a delivery to the change that the caller gets, and back from the change to its delivery."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import Any, Generic, Protocol, TypeVar

from mizzle_async.errors import ClientStateError, MarshallingError
from mizzle_async.marshalling import StreamForm
from mizzle_async.operations import Transactable
from mizzle_async.operations.streams import ChangeRecord, RawRecord
from mizzle_async.streams.checkpoints import MarkingCheckpoints
from mizzle_async.streams.room import Room
from mizzle_async.streams.settings import ConsumerSettings
from mizzle_async.streams.shard_run import Delivery
from mizzle_async.streams.tally import Tally

logger: logging.Logger = logging.getLogger(__name__)

ChangeT_co = TypeVar("ChangeT_co", covariant=True)


class Decoder(Protocol[ChangeT_co]):
    """Makes changes of records."""

    @property
    def form(self) -> StreamForm | None:
        """The lighter form in which it takes records too, None where there is none."""
        ...

    def decode(self, record: RawRecord, number: str, shard: str | None = None, /) -> ChangeT_co | None:
        """Return the change that a record tells of, or None where it is about nothing that shows.

        Raises:
            MarshallingError: An image does not fit.
        """
        ...


class Delivering(Generic[ChangeT_co]):
    """Makes the changes of one consumer, and is told of what became of each.

    Args:
        decoder: Makes changes of records.
        settings: The consumer's settings.
        tally: Its counts.
        room: The room for changes that wait.
    """

    def __init__(self, decoder: Decoder[ChangeT_co], settings: ConsumerSettings, tally: Tally, room: Room) -> None:
        self._decoder = decoder
        self._settings = settings
        self._tally = tally
        self._room = room

    def dropped(self, delivery: Delivery) -> None:
        """Note that a change does not wait any more: it is delivered, or its shard stops or is another process's."""
        self._room.give(delivery.size)
        delivery.run.gave()

    def open(self, delivery: Delivery) -> ChangeT_co | None:
        """Return the change of a delivery, or None where it does not show, and is done.

        Raises:
            MarshallingError: Its image does not fit, and ``on_error`` raises. It is not done.
        """
        run = delivery.run
        try:
            change = self._decoder.decode(delivery.record, delivery.number, run.shard)
        except MarshallingError as error:
            if self._settings.on_error == "raise":
                raise
            if callable(self._settings.on_error):
                self._settings.on_error(error)
            self._tally.skipped += 1
            change = None
        if change is None:
            run.done(delivery)
            return None
        delivery.begin(self)
        self._tally.delivered += 1
        if isinstance(change, ChangeRecord):
            change.deliver(delivery)
        return change

    def done(self, delivery: Delivery) -> None:
        """Note that a change is done."""
        if delivery.run.done(delivery):
            self._tally.done += 1

    def done_explicitly(self, delivery: Delivery) -> None:
        """Note that the caller says a change is done.

        Raises:
            ClientStateError: The consumer notes by itself what is done.
        """
        if self._settings.acknowledge != "explicit":
            raise ClientStateError(
                'change.done() is for changes(acknowledge="explicit"): here a change is done when the next one is '
                "asked for, or when its handler returns"
            )
        self.done(delivery)

    def apply(self, change: ChangeRecord[Any], operations: tuple[Transactable[Any], ...]) -> Coroutine[Any, Any, bool]:
        """Send operations in one transaction with the mark of a change.

        Raises:
            ClientStateError: The consumer has no store of marks.
        """
        store, consumer = self._settings.checkpoints, self._settings.consumer
        if consumer is None or not isinstance(store, MarkingCheckpoints):
            raise ClientStateError(
                "change.apply() needs a state table, which holds its marks: changes(checkpoints=client.state(STATE))"
            )
        return store.apply_once(consumer, change.event_id, operations)
