"""One shard while this process reads it, and one change of it on its way."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

import anyio

from mizzle_async.errors import ClientStateError
from mizzle_async.flow.tasks import Bell
from mizzle_async.operations import Transactable
from mizzle_async.operations.streams import RECORDS_LIMIT, ChangeRecord, RawRecord
from mizzle_async.streams.checkpoints import ShardProgress
from mizzle_async.streams.watermark import Watermark

CAUGHT_UP_PAGES: Final = 3
"""So many empty pages in a row mean that a shard has nothing more now. One does not: the service answers some without
records before those that have."""


class ShardRun:
    """A shard under one epoch, from its first request until it is done, given up or lost.

    Attributes:
        shard: Its id.
        epoch: The epoch under which it is held.
        watermark: The position, and the changes that are under way.
        reading: Ends the reading of the shard when it is cancelled.
        handling: Ends the handlers of the shard's changes, where others may take it over.
        latest: The last change that was done, or None.
        is_ended: Whether its last page was read.
        is_gone: Whether the service does not have it any more: its children are those that are listed.
        is_wanted: Whether another process asked for it.
        is_stopping: Whether no change may begin any more.
        is_lost: Whether another process may have it by now: nothing of it counts any more.
        failure: The error for which its handling stopped, where the others go on.
        active: Handlers that are at work on its changes.
        ahead: Changes that may wait to be delivered while another page is read: one full page.
        begun: The sequence number of the last change that was delivered, 0 before the first.
        empty_pages: Empty pages in a row.
        unread: Changes of the shard that wait to be delivered.
        saved: The position that the store has.
        may_be_lost: Whether another process may take it over.
    """

    __slots__ = (
        "_attended",
        "_bell",
        "active",
        "ahead",
        "begun",
        "empty_pages",
        "epoch",
        "failure",
        "handling",
        "is_ended",
        "is_gone",
        "is_lost",
        "is_stopping",
        "is_wanted",
        "latest",
        "may_be_lost",
        "reading",
        "saved",
        "shard",
        "unread",
        "watermark",
    )

    def __init__(
        self,
        shard: str,
        epoch: int,
        progress: ShardProgress | None,
        attended: Callable[[], object],
        *,
        may_be_lost: bool = False,
    ) -> None:
        self.shard: str = shard
        self.epoch: int = epoch
        self.saved: str | None = None if progress is None else progress.position
        self.watermark: Watermark = Watermark(self.saved)
        self.reading: anyio.CancelScope = anyio.CancelScope()
        self.handling: set[anyio.CancelScope] = set()
        self.is_ended: bool = False
        self.is_stopping: bool = False
        self.is_gone: bool = False
        self.is_lost: bool = False
        self.is_wanted: bool = False
        self.failure: BaseException | None = None
        self.active: int = 0
        self.begun: int = 0
        self.empty_pages: int = 0
        self.unread: int = 0
        self.ahead: int = RECORDS_LIMIT
        self._bell = Bell()
        self.latest: Delivery | None = None
        self.may_be_lost: bool = may_be_lost
        self._attended = attended

    @property
    def is_clear(self) -> bool:
        """Whether everything that was read is done."""
        return self.watermark.is_clear

    @property
    def is_drained(self) -> bool:
        """Whether no handler is at work, and everything that was delivered, and everything before it, is done.

        Of a shard that failed the rest is not waited for.
        """
        if self.active:
            return False
        return not self.begun or self.failure is not None or self.watermark.is_done_up_to(self.begun)

    @property
    def is_caught_up(self) -> bool:
        """Whether there is nothing more in the shard now, and all of it is done."""
        return self.is_clear and (self.is_ended or self.empty_pages >= CAUGHT_UP_PAGES)

    async def wait(self) -> None:
        """Wait until no more changes of the shard wait to be delivered than may."""
        while self.unread > self.ahead:
            await self._bell.wait()

    def took(self, changes: int) -> None:
        """Note that a page was read that has so many changes."""
        self.unread += changes

    def gave(self) -> None:
        """Note that a change was delivered or dropped."""
        self.unread -= 1
        if self.unread == self.ahead:
            self._bell.ring()

    def refuses(self, number: int) -> bool:
        """Return whether a change is not to be delivered: the shard is lost or failed, or stops before it."""
        return self.is_lost or self.failure is not None or (self.is_stopping and number > self.begun)

    def fail(self, error: BaseException) -> None:
        """Stop for an error: what was not delivered stays undone."""
        self.failure = self.failure or error
        self.stop()

    def stop(self) -> None:
        """Read no more, and deliver nothing behind what was delivered."""
        self.is_stopping = True
        self.reading.cancel()
        self._attended()

    def lose(self) -> None:
        """Drop everything at once: another process may read the shard."""
        self.is_lost = self.is_stopping = True
        self.reading.cancel()
        for scope in self.handling:
            scope.cancel()

    def done(self, delivery: Delivery) -> bool:
        """Note that a change is done. Return whether that is news, and counts."""
        if self.is_lost or not self.watermark.end(delivery.number):
            return False
        self.latest = delivery
        if self.is_stopping or ((self.is_ended or self.empty_pages >= CAUGHT_UP_PAGES) and self.watermark.is_clear):
            self._attended()
        return True

    def finished(self) -> None:
        """Note that a handler has ended."""
        self.active -= 1
        if self.is_stopping:
            self._attended()

    def __repr__(self) -> str:
        state = "lost" if self.is_lost else "stopping" if self.is_stopping else "ended" if self.is_ended else "read"
        return f"<ShardRun {self.shard}, {state}, {self.watermark!r}>"


class Receiver(Protocol):
    """Takes the words of callers about the changes that they were given."""

    def done_explicitly(self, delivery: Delivery, /) -> None:
        """Note that the caller says a change is done."""
        ...

    def apply(
        self, change: ChangeRecord[Any], operations: tuple[Transactable[Any], ...], /
    ) -> Coroutine[Any, Any, bool]:
        """Send operations in one transaction with the mark of a change."""
        ...


class Delivery:
    """One change of a shard, from its page until it is done.

    Attributes:
        run: The shard.
        record: The record, as the service answers it.
        number: Its sequence number.
        value: The same as an integer, by which two of them compare.
        size: Its share of the bytes of its page.
        receiver: Takes the caller's words about it, once it is delivered.
    """

    __slots__ = ("number", "receiver", "record", "run", "size", "value")

    def __init__(self, run: ShardRun, record: RawRecord, size: int) -> None:
        self.run: ShardRun = run
        self.record: RawRecord = record
        number: str = record["dynamodb"]["SequenceNumber"]
        self.number: str = number
        self.value: int = int(number)
        self.size: int = size
        self.receiver: Receiver | None = None

    @property
    def at(self) -> float | None:
        """The time of the change, in seconds since the epoch, where the service says one."""
        return time_of(self.record)

    @property
    def is_refused(self) -> bool:
        """Whether it is not to be delivered any more."""
        run = self.run
        return run.is_stopping and run.refuses(self.value)

    def begin(self, receiver: Receiver) -> None:
        """Note that it is delivered."""
        self.receiver = receiver
        run = self.run
        run.begun = max(run.begun, self.value)

    def done(self, change: ChangeRecord[Any], /) -> None:
        """Note that the caller says the change is done."""
        del change
        if self.receiver is not None:
            self.receiver.done_explicitly(self)

    def apply(
        self, change: ChangeRecord[Any], operations: tuple[Transactable[Any], ...], /
    ) -> Coroutine[Any, Any, bool]:
        """Apply operations once for the change.

        Raises:
            ClientStateError: It was not delivered.
        """
        if self.receiver is None:
            raise ClientStateError("change.apply() is for changes that a consumer delivers")
        return self.receiver.apply(change, operations)

    def __repr__(self) -> str:
        return f"<Delivery {self.number} of {self.run.shard}>"


def time_of(record: RawRecord) -> float | None:
    """Return the time of a record, in seconds since the epoch, or None where it has none that is a number."""
    at: Any = record["dynamodb"].get("ApproximateCreationDateTime")
    return float(at) if isinstance(at, int | float) and math.isfinite(at) else None
