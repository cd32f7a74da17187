"""A facade before an engine whose streams have many shards, as those of AWS have: for tests of consumers of changes.

The engine stores items and makes records. The facade deals those records out to shards of its own, which split, roll
and lose their oldest records when a test says so. What it assumes about AWS stands in `_virtual_streams` and
`_overlaps`, and beside the tests of both.

Example:
    async with Resharder(engine, shards=4) as service:
        async with Client(endpoint_url=service.url, ...) as client:
            ...
            await service.split("orders")
"""

from __future__ import annotations

import asyncio
import random
import time
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import orjson

from mizzle_async.errors import TransportError
from mizzle_async.testing._engine import Engine
from mizzle_async.testing._engine_streams import EngineStreams, KnownStream
from mizzle_async.testing._facade import Facade
from mizzle_async.testing._overlaps import Identity, Overlaps, actions_of, cancelled, identity
from mizzle_async.testing._upstream import UpstreamError
from mizzle_async.testing._virtual_streams import PAGE_RECORDS, StreamRefusedError, VirtualShard
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import Request

ITERATOR_SECONDS: Final = 900.0
"""An iterator is good for 15 minutes, by the service's own model."""

READERS: Final = 2
"""A shard has at most two readers at once; a third one is throttled."""

_OK: Final = 200
_ABOUT_TABLES: Final = frozenset({"CreateTable", "DescribeTable", "UpdateTable"})
_SINGLE_WRITES: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem"})
_WRITES: Final = _SINGLE_WRITES | {
    "BatchExecuteStatement",
    "BatchWriteItem",
    "ExecuteStatement",
    "ExecuteTransaction",
    "TransactWriteItems",
}


class Resharder(Facade):
    """A service on loopback, before an engine: its streams have many shards, and its transactions meet each other.

    Every request but those for streams reaches the engine as it is. Writes must come through the facade for their
    records to have the right time; those that do not are seen by the next request for their stream.

    Args:
        engine: A running engine, `DynamoDBLocal` at best, or the URL of one.
        shards: Shards with which each stream begins.
        page_shards: Shards in a page of DescribeStream at most: the service says 100.
        iterator_seconds: Seconds for which an iterator is good.
        clock: Returns seconds since the epoch, for the times of records and the ages of iterators.
        generator: Chooses what is chosen at random. With the same seed it chooses the same.

    Attributes:
        reads: Pages that were read from each shard, by its name.
        most_readers: The greatest number of requests that read each shard at once.
        refused: Refusals by their code.
        conflict_share: The share of transactions that are cancelled with ``TransactionConflict`` although they meet no
            other one, from 0 to 1.
        empty_share: The share of pages that are empty although there are records, as the service allows, from 0 to 1.
        transaction_seconds: Seconds that a transaction takes at least, so that others meet it.
        children_seconds: Seconds until DescribeStream shows the shards that a cut made.
    """

    def __init__(
        self,
        engine: Engine | str,
        *,
        shards: int = 1,
        page_shards: int = 100,
        iterator_seconds: float = ITERATOR_SECONDS,
        clock: Callable[[], float] = time.time,
        generator: random.Random | None = None,
    ) -> None:
        if shards < 1 or page_shards < 1:
            raise ValueError("Resharder: shards= and page_shards= are 1 or more")
        super().__init__(engine if isinstance(engine, str) else engine.endpoint_url, self._answer)
        self._page_shards = page_shards
        self._iterator_seconds = iterator_seconds
        self._clock = clock
        self._random = generator or random.Random()  # noqa: S311  (chooses faults, guards nothing)
        self._streams = EngineStreams(self._upstream, shards, clock)
        self._last: Request | None = None
        self._keys: dict[str, tuple[str, ...]] = {}
        self._overlaps = Overlaps()
        self._reading: Counter[str] = Counter()
        self._throttles: Counter[str] = Counter()
        self._codes: dict[str, str] = {}
        self._delays: dict[str, float] = {}
        self._expired_before = float("-inf")
        self.reads: Counter[str] = Counter()
        self.most_readers: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.conflict_share: float = 0.0
        self.empty_share: float = 0.0
        self.transaction_seconds: float = 0.0
        self.children_seconds: float = 0.0

    async def _end_work(self) -> None:
        """End the reading of the engine's streams."""
        await self._streams.aclose()

    def __repr__(self) -> str:
        return f"<Resharder {self.url}: {len(self._streams.known)} streams, {len(self.requests)} requests>"

    # ── what a test says ──

    async def split(self, table: str, *shards: str) -> list[str]:
        """Close shards, and put two in the place of each, as the service does where there is more to write.

        Args:
            table: The table's name at the service.
            *shards: Open shards. None named: all of them.

        Returns:
            The names of the new shards.

        Raises:
            ValueError: The table has no stream, or no such shard.
        """
        return await self._cut(table, shards, parts=2)

    async def roll(self, table: str, *shards: str) -> list[str]:
        """Close shards, and put one in the place of each, as the service does every few hours. See `split`."""
        return await self._cut(table, shards, parts=1)

    async def trim(self, table: str, *shards: str, keep: int = 0) -> int:
        """Remove the oldest records, as the service does after 24 hours. A closed shard that has none left goes.

        Args:
            table: The table's name at the service.
            *shards: The shards. None named: all of them.
            keep: How many of its latest records each shard keeps.

        Returns:
            The number of records that were removed.

        Raises:
            ValueError: The table has no stream, or no such shard.
        """
        known = await self._streams.of_table(table, self._last)
        chosen = [known.named(name) for name in shards] or known.virtual.shards
        return sum(known.virtual.trim(shard, keep) for shard in chosen)

    async def shards(self, table: str) -> list[VirtualShard]:
        """Return the shards of a table's stream, with everything that is written so far.

        Args:
            table: The table's name at the service.

        Raises:
            ValueError: The table has no stream.
        """
        return (await self._streams.of_table(table, self._last)).virtual.shards

    def expire_iterators(self) -> None:
        """Expire every iterator that was given out so far."""
        self._expired_before = self._clock()

    def throttle(self, operation: str, times: int = 1, *, code: str = "LimitExceededException") -> None:
        """Refuse the next requests of an operation for their rate.

        Args:
            operation: The API's name, such as ``GetRecords``.
            times: How many.
            code: The service's code.
        """
        self._throttles[operation] += times
        self._codes[operation] = code

    def delay(self, operation: str, seconds: float) -> None:
        """Answer every request of an operation later from now on.

        Args:
            operation: The API's name, such as ``GetRecords``.
            seconds: By how much; 0 for no longer.
        """
        self._delays[operation] = seconds

    # ── requests ──

    async def _answer(self, request: Request) -> Reply:
        operation, self._last = request.operation, request
        if self._throttles[operation] > 0:
            self._throttles[operation] -= 1
            return self._refusal(self._codes[operation], "scripted throttling")
        delay = self._delays.get(operation)
        if delay:
            await asyncio.sleep(delay)
        try:
            return await self._dispatch(request)
        except StreamRefusedError as refusal:
            return self._refusal(refusal.code, str(refusal))
        except UpstreamError as error:
            return error.reply
        except TransportError:
            return Reply.html(502)

    async def _dispatch(self, request: Request) -> Reply:
        operation = request.operation
        if operation == "DescribeStream":
            return await self._describe(request)
        if operation == "GetShardIterator":
            return await self._iterator(request)
        if operation == "GetRecords":
            return await self._records(request)
        if operation == "TransactWriteItems":
            reply = await self._transact(request)
        elif operation in _SINGLE_WRITES:
            reply = await self._write_one(request)
        else:
            reply = await self._upstream.forward(request)
        if operation in _WRITES:
            self._streams.pump_soon(request, request.payload.get("TableName"))
        elif operation in _ABOUT_TABLES and reply.status == _OK:
            await self._notice(request, orjson.loads(reply.body()))
        return reply

    async def _notice(self, request: Request, answer: dict[str, Any]) -> None:
        """Get to know the stream of a table that a client was told of, so that its records have their times."""
        described = answer.get("TableDescription") or answer.get("Table") or {}
        specification = described.get("StreamSpecification") or {}
        if specification.get("StreamEnabled") and described.get("LatestStreamArn"):
            await self._streams.of_arn(described["LatestStreamArn"], request)

    def _refusal(self, code: str, message: str, reasons: list[dict[str, str]] | None = None) -> Reply:
        self.refused[code] += 1
        if reasons is None:
            return Reply.error(code, message)
        return Reply.error(code, message, CancellationReasons=reasons)

    # ── streams ──

    async def _describe(self, request: Request) -> Reply:
        asked = request.payload
        known = await self._streams.of_arn(str(asked.get("StreamArn")), request)
        described = await self._upstream.call(request, "DescribeStream", {"StreamArn": known.arn, "Limit": 1})
        await self._streams.pump(known, request)
        if described["StreamDescription"]["StreamStatus"] == "DISABLED":
            for shard in known.virtual.open_shards:
                known.virtual.close(shard)
        shown = asked.get("ShardFilter") or {}
        page, last = known.virtual.listing(
            self._clock(),
            min(self._page_shards, int(asked.get("Limit") or self._page_shards)),
            asked.get("ExclusiveStartShardId"),
            shown.get("ShardId"),
        )
        description = {**described["StreamDescription"], "Shards": [shard.described() for shard in page]}
        description.pop("LastEvaluatedShardId", None)
        if last is not None:
            description["LastEvaluatedShardId"] = last
        return Reply({"StreamDescription": description})

    async def _iterator(self, request: Request) -> Reply:
        asked = request.payload
        known = await self._streams.of_arn(str(asked.get("StreamArn")), request)
        await self._streams.pump(known, request)
        shard = known.virtual.shard(asked.get("ShardId"))
        position = known.virtual.position(shard, asked, self._clock())
        return Reply({"ShardIterator": self._written(known, shard, position)})

    async def _records(self, request: Request) -> Reply:
        asked = request.payload
        known, shard, position = self._read(str(asked.get("ShardIterator")))
        limit = int(asked.get("Limit") or PAGE_RECORDS)
        if not 1 <= limit <= PAGE_RECORDS:
            raise StreamRefusedError("ValidationException", f"Limit must be from 1 to {PAGE_RECORDS}")
        self._reading[shard.id] += 1
        self.most_readers[shard.id] = max(self.most_readers[shard.id], self._reading[shard.id])
        try:
            if self._reading[shard.id] > READERS:
                raise StreamRefusedError("LimitExceededException", "too many readers of this shard")
            await self._streams.pump(known, request)
        finally:
            self._reading[shard.id] -= 1
        self.reads[shard.id] += 1
        page, after = known.virtual.page(shard, position, limit)
        if page and self._random.random() < self.empty_share:
            page, after = [], position
        body = b'{"Records":[%b]' % b",".join(record.json for record in page)
        if after is not None:
            body += b',"NextShardIterator":%b' % orjson.dumps(self._written(known, shard, after))
        return Reply(body + b"}")

    def _written(self, known: KnownStream, shard: VirtualShard, position: int) -> str:
        parts = [known.arn, shard.id, str(position), self._clock()]
        return b64encode(orjson.dumps(parts)).decode()

    def _read(self, iterator: str) -> tuple[KnownStream, VirtualShard, int]:
        try:
            arn, name, position, made = orjson.loads(b64decode(iterator, validate=True))
            known = self._streams.known[arn]
        except (ValueError, KeyError, TypeError):
            raise StreamRefusedError("ValidationException", "Invalid ShardIterator") from None
        if made <= self._expired_before or self._clock() - made > self._iterator_seconds:
            raise StreamRefusedError("ExpiredIteratorException", "Iterator expired")
        return known, known.virtual.shard(name), int(position)

    async def _cut(self, table: str, shards: tuple[str, ...], parts: int) -> list[str]:
        known = await self._streams.of_table(table, self._last)
        now = self._clock()
        chosen = [known.named(name) for name in shards] or known.virtual.open_shards
        return known.virtual.cut(chosen, parts, now, now + self.children_seconds)

    # ── transactions that meet ──

    async def _transact(self, request: Request) -> Reply:
        asked = request.payload
        items = [await self._item(request, action) for action in actions_of(asked)]
        token = asked.get("ClientRequestToken")
        if self._overlaps.has_token(token):
            return self._refusal("TransactionInProgressException", "the same transaction is under way")
        met = [item is not None and self._overlaps.is_busy(item) for item in items]
        if not any(met) and items and self._random.random() < self.conflict_share:
            met[self._random.randrange(len(met))] = True
        if any(met):
            return self._refusal("TransactionCanceledException", *cancelled(met))
        with self._overlaps.working([item for item in items if item is not None], token):
            reply = await self._upstream.forward(request)
            if self.transaction_seconds:
                await asyncio.sleep(self.transaction_seconds)
        return reply

    async def _write_one(self, request: Request) -> Reply:
        item = await self._item(request, request.payload)
        if item is not None and self._overlaps.is_busy(item):
            return self._refusal("TransactionConflictException", "Transaction is ongoing for the item")
        return await self._upstream.forward(request)

    async def _item(self, request: Request, action: Any) -> Identity | None:
        """Return the item of an action, None where the table does not exist."""
        table = str(action.get("TableName"))
        key = action.get("Key")
        if key is None:
            names = self._keys.get(table)
            if names is None:
                try:
                    described = await self._upstream.call(request, "DescribeTable", {"TableName": table})
                except UpstreamError:
                    return None
                names = self._keys[table] = tuple(each["AttributeName"] for each in described["Table"]["KeySchema"])
            stored = action.get("Item") or {}
            key = {name: stored.get(name) for name in names}
        return identity(table, key)
