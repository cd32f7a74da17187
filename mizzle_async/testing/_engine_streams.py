"""The streams of an engine, each of one shard, and the shards that a facade deals their records out to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from attrs import define, field

from mizzle_async.testing._upstream import Upstream
from mizzle_async.testing._virtual_streams import StreamRefusedError, VirtualShard, VirtualStream
from mizzle_async.testing.server import Request


@define(eq=False)
class KnownStream:
    """A stream of the engine.

    Attributes:
        arn: Its Amazon Resource Name.
        table: The name of its table.
        virtual: The shards that clients see.
        read: The names of the engine's own shards that were read to their end.
        shard: The engine's shard that is being read.
        iterator: The position in it.
        lock: Held while the engine is read.
        again: Whether something was written while the engine was read.
    """

    arn: str
    table: str
    virtual: VirtualStream
    read: set[str] = field(factory=set)
    shard: str | None = None
    iterator: str | None = None
    lock: asyncio.Lock = field(factory=asyncio.Lock)
    again: bool = False

    def named(self, name: str) -> VirtualShard:
        """Return a shard that a test names.

        Raises:
            ValueError: There is none.
        """
        try:
            return self.virtual.shard(name)
        except StreamRefusedError as refusal:
            raise ValueError(f"the stream of table {self.table!r} has no shard {name!r}") from refusal


class EngineStreams:
    """Takes records over from an engine.

    Args:
        upstream: The way to the engine.
        shards: Shards with which each stream begins.
        clock: Returns seconds since the epoch.

    Attributes:
        known: The streams that were asked for, by their ARN.
    """

    def __init__(self, upstream: Upstream, shards: int, clock: Callable[[], float]) -> None:
        self._upstream = upstream
        self._shards = shards
        self._clock = clock
        self._pumps: set[asyncio.Task[None]] = set()
        self.known: dict[str, KnownStream] = {}

    async def of_arn(self, arn: str, request: Request | None) -> KnownStream:
        """Return a stream.

        Args:
            arn: Its Amazon Resource Name.
            request: A client's request, whose credentials are used.

        Raises:
            UpstreamError: The engine has no such stream.
        """
        known = self.known.get(arn)
        if known is None:
            described = await self._upstream.call(request, "DescribeStream", {"StreamArn": arn, "Limit": 1})
            table = described["StreamDescription"]["TableName"]
            known = self.known.setdefault(arn, KnownStream(arn, table, VirtualStream(self._shards, self._clock())))
        return known

    async def of_table(self, table: str, request: Request | None) -> KnownStream:
        """Return the latest stream of a table, with everything that is written so far.

        Raises:
            ValueError: The table has none.
        """
        described = await self._upstream.call(request, "DescribeTable", {"TableName": table})
        arn = described["Table"].get("LatestStreamArn")
        if not arn:
            raise ValueError(f"table {table!r} has no stream")
        known = await self.of_arn(arn, request)
        await self.pump(known, request)
        return known

    async def pump(self, known: KnownStream, request: Request | None) -> None:
        """Take over everything that the engine has recorded so far."""
        async with known.lock:
            while True:
                if known.iterator is None and not await self._begin_shard(known, request):
                    return
                known.again = False
                page = await self._upstream.call(request, "GetRecords", {"ShardIterator": known.iterator})
                now = self._clock()
                for record in page["Records"]:
                    known.virtual.add(record, now)
                known.iterator = page.get("NextShardIterator")
                if known.iterator is None and known.shard is not None:
                    known.read.add(known.shard)
                elif not page["Records"] and not known.again:
                    return

    def pump_soon(self, request: Request, table: str | None) -> None:
        """Take the records of a write over while its time is known.

        Args:
            request: The write.
            table: Its table, or None where it may be about several.
        """
        for known in self.known.values():
            if table not in {None, known.table}:
                continue
            known.again = True
            if not known.lock.locked():
                pump = asyncio.ensure_future(self.pump(known, request))
                self._pumps.add(pump)
                pump.add_done_callback(self._pumped)

    async def aclose(self) -> None:
        """End what was begun."""
        for pump in self._pumps:
            pump.cancel()
        if self._pumps:
            await asyncio.wait(self._pumps)

    async def _begin_shard(self, known: KnownStream, request: Request | None) -> bool:
        """Begin with the next shard of the engine, and return whether there is one."""
        described = await self._upstream.call(request, "DescribeStream", {"StreamArn": known.arn})
        names = [shard["ShardId"] for shard in described["StreamDescription"].get("Shards") or ()]
        known.shard = next((name for name in names if name not in known.read), None)
        if known.shard is None:
            return False
        asked = {"StreamArn": known.arn, "ShardId": known.shard, "ShardIteratorType": "TRIM_HORIZON"}
        known.iterator = (await self._upstream.call(request, "GetShardIterator", asked))["ShardIterator"]
        return True

    def _pumped(self, pump: asyncio.Task[None]) -> None:
        self._pumps.discard(pump)
        if not pump.cancelled():
            pump.exception()  # the next request for the stream meets it as well, and is answered with it
