"""Sending again until all is done, or until the time is up: the same for keys, for writes and for single requests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from mizzle_async.errors import DeadlineExceededError, MizzleError, ThrottledError
from mizzle_async.flow.pace import LAST_SECONDS, Lanes, Limiters, jittered
from mizzle_async.flow.ports import PacingPort

if TYPE_CHECKING:
    from mizzle_async.operations.batches import BatchAnswer

EntryT = TypeVar("EntryT")
ResultT = TypeVar("ResultT")


async def while_throttled(
    port: PacingPort, timeout: float | None, send: Callable[[], Awaitable[ResultT]], throttled: Callable[[], object]
) -> ResultT:
    """Send one request, and again while the service throttles and there is time.

    Args:
        port: The client.
        timeout: Seconds in all, or None for the client's.
        send: Sends the request.
        throttled: Called each time the service has throttled it.

    Raises:
        ThrottledError: The service throttled for all of the time.
    """
    clock = get_running_loop().time
    ends = clock() + (port.timeout if timeout is None else timeout)
    attempt = 0
    while True:
        try:
            return await send()
        except ThrottledError:
            attempt += 1
            throttled()
            remaining = ends - clock()
            if remaining < LAST_SECONDS:
                raise
        await port.pause(min(jittered(attempt, port.random()), remaining / 2))


class RepeatedBatch(ABC, Generic[EntryT]):
    """One batch under way: it is sent until it is done, refused for good, or out of time.

    Its time is the time until the next item of it is accepted: it begins anew with each, and stands still while the
    batch waits for a limiter or for its turn. So a slow table is waited for as long as it makes progress. A batch that
    is throttled gives its place back where fewer lanes may send now, and sends fewer items at once.

    Args:
        port: The client.
        lanes: The places of all batches of this work.
        limiters: Hold requests back.
        timeout: Seconds until the next item is accepted.
        entries: The writes or keys.
    """

    def __init__(
        self, port: PacingPort, lanes: Lanes, limiters: Limiters, timeout: float, entries: list[EntryT]
    ) -> None:
        self._port = port
        self._lanes = lanes
        self._limiters = limiters
        self._timeout = timeout
        self._parts = [entries]
        self._used = 0.0
        self._attempt = 0
        self._has_place = False

    async def run(self) -> None:
        """Send the batch. Each of its entries is accounted for, also after an error or a cancellation."""
        try:
            await self._take_place()
            while self._parts and not self.stopped():
                await self._send_part()
        finally:
            self._give_place_back()

    async def _take_place(self) -> None:
        await self._lanes.enter()
        self._has_place = True

    def _give_place_back(self) -> None:
        if self._has_place:
            self._has_place = False
            self._lanes.leave()

    async def _send_part(self) -> None:
        """Send one request, and repeat, split or give up the entries that it left."""
        lanes, limiters = self._lanes, self._limiters
        todo = self._next_part()
        estimate, admitted = 0.0, []
        if limiters:
            estimate = self.estimate(todo)
            admitted = await limiters.admit(estimate)
        left, failure, round_ = todo, None, lanes.round
        started = get_running_loop().time()
        try:
            answer = await self.send(todo, max(self._timeout - self._used, 0.001))
        except MizzleError as error:
            failure = error
            if isinstance(error, ThrottledError):  # nothing was consumed
                limiters.settle(admitted, estimate, 0.0)
        else:
            left = answer.unprocessed
            limiters.settle(admitted, estimate, answer.units)
            self.accepted(todo, answer)
        self._used += get_running_loop().time() - started
        self._parts.pop()
        if not left:
            self._used, self._attempt = 0.0, 0
            lanes.succeeded()
        elif isinstance(failure, MizzleError) and len(left) > 1 and self.splits(failure):
            middle = len(left) // 2
            self._parts += [left[middle:], left[:middle]]
        else:
            await self._repeat(todo, left, failure, round_)

    def _next_part(self) -> list[EntryT]:
        """Return the entries of the next request. They stay the last part until its answer is judged."""
        part = self._parts[-1]
        limit = self._lanes.size
        if len(part) > limit:
            self._parts[-1:] = [part[limit:], part[:limit]]
        return self._parts[-1]

    async def _repeat(self, todo: list[EntryT], left: list[EntryT], failure: MizzleError | None, round_: int) -> None:
        """Wait until entries that a request left may be sent again, or give them up."""
        if len(left) < len(todo):
            self._used, self._attempt = 0.0, 0
        self._attempt += 1
        remaining = self._timeout - self._used
        if remaining < LAST_SECONDS or (failure is not None and not self.repeats(failure)):
            self.give_up(left, failure)
            return
        self._parts.append(left)
        self.unprocessed(left, failure)
        if self.throttled(failure, self._attempt):
            self._lanes.slowed(round_)
            if self._lanes.is_crowded:
                self._give_place_back()
                await self._take_place()
                return
        started = get_running_loop().time()
        await self._port.pause(min(jittered(self._attempt, self._port.random()), remaining / 2))
        self._used += get_running_loop().time() - started

    # ── one kind of batch ──

    @abstractmethod
    def estimate(self, todo: list[EntryT]) -> float:
        """Return the units that a request will consume, estimated from sizes."""

    @abstractmethod
    def send(self, todo: list[EntryT], timeout: float) -> Awaitable[BatchAnswer]:
        """Send one request."""

    @abstractmethod
    def accepted(self, todo: list[EntryT], answer: BatchAnswer) -> None:
        """Account for an answer, which may have left entries unprocessed."""

    @abstractmethod
    def unprocessed(self, left: list[EntryT], failure: MizzleError | None) -> None:
        """Account for entries that will be sent again."""

    @abstractmethod
    def give_up(self, left: list[EntryT], failure: MizzleError | None) -> None:
        """Account for entries that will not be sent again.

        Args:
            left: The entries.
            failure: The error of the request, or None if the service left them unprocessed until their time was up.
        """

    @abstractmethod
    def repeats(self, failure: MizzleError) -> bool:
        """Return whether a request that failed for this is sent again while there is time."""

    def splits(self, failure: MizzleError) -> bool:  # noqa: ARG002  (keys fail together)
        """Return whether the halves of a request that failed for this are sent, to find the entry that is wrong."""
        return False

    def throttled(self, failure: MizzleError | None, attempt: int) -> bool:  # noqa: ARG002  (keys look at it)
        """Return whether entries were left because the service throttles."""
        return failure is None or isinstance(failure, ThrottledError)

    def stopped(self) -> bool:
        """Return whether the work was stopped meanwhile, so that the rest is not sent."""
        return False

    def too_late(self) -> MizzleError:
        """Return the error of entries that were left unprocessed until their time was up."""
        seconds = self._timeout
        return DeadlineExceededError(
            f"the service accepted none of them for {seconds:g} seconds: give more time, `timeout=…`, or fewer units a "
            "second",
            timeout=seconds,
        )
