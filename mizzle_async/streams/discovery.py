"""Finds the shards of a stream: all of them now and then, and the children of each one that ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import anyio
from attrs import define

from mizzle_async.errors import LimitExceededError, ResourceNotFoundError, ThrottledError
from mizzle_async.flow.ports import PacingPort
from mizzle_async.flow.tasks import Bell
from mizzle_async.streams.failures import PASSING
from mizzle_async.streams.shard_tree import ShardTree
from mizzle_async.streams.source import Listing, StreamSource

logger: logging.Logger = logging.getLogger(__name__)

LISTING_SECONDS: Final = 60.0
SPREAD: Final = 0.2
"""A full listing comes every minute, up to a fifth earlier at random."""

FIRST_QUESTION: Final = 0.1
LONGEST_QUESTION: Final = 10.0
"""Pauses between questions for the children of a shard, in seconds: each is twice the one before."""


@define(eq=False)
class _Question:
    """A shard that ended, and whose children are asked for until they are known."""

    due: float
    pause: float = 0.0


class Discovery:
    """Keeps a tree of shards up to date.

    Args:
        port: The client.
        source: The stream.
        tree: The shards.

    Attributes:
        changed: Called when something new is known.
        is_closed: Whether the stream is disabled, or gone: no more shards come.
        listings: Full listings so far.
    """

    def __init__(self, port: PacingPort, source: StreamSource, tree: ShardTree) -> None:
        self._port = port
        self._source = source
        self._tree = tree
        self.changed: Callable[[], object] = _nothing
        self._clock = asyncio.get_running_loop().time
        self._bell = Bell()
        self._questions: dict[str, _Question] = {}
        self._next_listing = 0.0
        self.is_closed: bool = False
        self.listings: int = 0

    def ask_for_children(self, shard: str) -> None:
        """Ask for the children of a shard that ended, until they are known or no more can come."""
        if shard not in self._questions and not self.knows_children(shard):
            self._questions[shard] = _Question(self._clock())
            self._bell.ring()

    def knows_children(self, shard: str) -> bool:
        """Return whether the children of a shard that ended are known, or cannot come any more."""
        return bool(self._tree.children(shard)) or self.is_closed

    async def list(self) -> Listing:
        """List all shards."""
        listing = await self._source.list()
        self.listings += 1
        self._next_listing = self._clock() + LISTING_SECONDS * (1 - SPREAD * self._port.random())
        self._tree.list(listing.shards)
        self.is_closed = listing.is_closed
        self._answered()
        return listing

    async def list_first(self) -> Listing:
        """List all shards for the first time, again and again while the service throttles: many processes may start.

        Raises:
            MizzleError: The shards cannot be listed for another reason.
        """
        failures = 0
        while True:
            try:
                return await self.list()
            except (ThrottledError, LimitExceededError) as error:
                failures += 1
                await self._pass_failure(error, failures)

    async def is_gone(self, shard: str) -> bool:
        """List all shards, and return whether a shard is not among them."""
        try:
            await self.list()
        except ResourceNotFoundError:
            self._close()
            return True
        return not self._tree.is_listed(shard)

    async def run(self) -> None:
        """Keep the tree up to date, for ever."""
        failures = 0
        while True:
            try:
                await self._do_what_is_due()
                failures = 0
            except PASSING as error:
                failures += 1
                await self._pass_failure(error, failures)

    async def _pass_failure(self, error: Exception, failures: int) -> None:
        """Wait after a listing that failed."""
        if failures == 1:
            logger.warning("the shards of %s cannot be listed now: %s", self._source.table, error)
        await self._port.pause(min(LONGEST_QUESTION, 2.0 ** min(failures, 4)) * (0.5 + self._port.random() / 2))

    async def _do_what_is_due(self) -> None:
        """Wait for the next request that is due, and send it."""
        due = min([self._next_listing, *(each.due for each in self._questions.values())])
        with anyio.move_on_after(max(0.0, due - self._clock())):
            await self._bell.wait()
            return
        try:
            await self._ask()
            if self._clock() >= self._next_listing:
                await self.list()
        except ResourceNotFoundError:  # the table is gone, and its stream with it
            self._close()

    async def _ask(self) -> None:
        """Ask for the children of the shards whose question is due."""
        now = self._clock()
        due = [shard for shard, question in self._questions.items() if question.due <= now]
        for shard in due:
            question = self._questions.get(shard)
            if question is None:  # answered by a listing meanwhile
                continue
            self._tree.see(await self._source.children(shard))
            if not self._tree.children(shard):
                await self.list()
            question.pause = min(max(2 * question.pause, FIRST_QUESTION), LONGEST_QUESTION)
            question.due = self._clock() + question.pause
        if due:
            self._answered()

    def _close(self) -> None:
        """Note that the stream is gone."""
        self.is_closed = True
        self._next_listing = self._clock() + LISTING_SECONDS
        self._answered()

    def _answered(self) -> None:
        """Drop the questions that are answered, and tell."""
        for shard in [shard for shard in self._questions if self.knows_children(shard)]:
            del self._questions[shard]
        self.changed()

    def __repr__(self) -> str:
        return f"<Discovery {self.listings} listings, {len(self._questions)} questions>"


def _nothing() -> None:
    """Do nothing: the keeper of the shards comes later."""
