"""A stream with many shards, in memory: what a facade makes of the one shard that an engine has.

Every assumption about AWS that no engine shows is written down here, where it is made. ``[model]`` marks those that the
service's own model of the API says in words, ``[guess]`` those that nothing says.

- The records of a key lie in the shard whose range holds the key's hash, and in its children after a cut. Within the
  lineage of a shard sequence numbers grow. They have 21 to 40 digits [model]; here their length grows after 50 records,
  so that a comparison of texts fails.
- A shard is closed by a cut and has then an EndingSequenceNumber [model]. Its last page has no NextShardIterator, and
  may hold records [model]; a page of an open shard always has one, and may be empty [model].
- The iterator kinds are resolved when the iterator is made. A position before a trimmed record is a
  TrimmedDataAccessException, at GetShardIterator and at GetRecords [model], although the record itself was read
  [guess]. A sequence number that the shard cannot hold is a ValidationException [guess].
- AT_TIMESTAMP points to the first record whose time is at or after the given one; before the trim horizon it is
  TRIM_HORIZON; in the future it is a ValidationException [model]. Times of records are whole seconds, rounded down
  [model].
- A closed shard is listed until it is trimmed to nothing [guess: AWS lists it for 24 hours]. After that a request for
  it is a ResourceNotFoundException [guess]. Its children go on naming it as their parent [model].
- A page has at most 1,000 records and 1 MB [model].
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable
from typing import Any
from zlib import crc32

import orjson
from attrs import define, field, frozen

HASHES = 2**32
PAGE_RECORDS = 1000
PAGE_BYTES = 1024 * 1024

FIRST_NUMBER = 10**21 - 50
"""Numbers begin just before they get one digit more."""


class StreamRefusedError(Exception):
    """A request that the service refuses.

    Attributes:
        code: The service's code.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@frozen
class VirtualRecord:
    """A record of a stream.

    Attributes:
        number: Its sequence number.
        at: Its time, in whole seconds since the epoch.
        json: The record in the service's JSON.
    """

    number: int
    at: int
    json: bytes = field(repr=False)


@define(eq=False)
class VirtualShard:
    """A shard.

    Attributes:
        id: Its name.
        parent: The shard before it, or None.
        low: The lowest hash of the keys that it holds.
        high: The lowest hash that it does not hold.
        first: Its StartingSequenceNumber.
        last: Its EndingSequenceNumber, None while it is open.
        visible_from: When DescribeStream begins to show it, in seconds since the epoch.
        trimmed: The number up to which its records are gone.
        is_listed: Whether the service still knows it.
        records: The records that it has.
    """

    id: str
    parent: str | None
    low: int
    high: int
    first: int
    last: int | None = None
    visible_from: float = -math.inf
    trimmed: int = 0
    is_listed: bool = True
    records: list[VirtualRecord] = field(factory=list, repr=False)

    def described(self) -> dict[str, Any]:
        """Return it as DescribeStream shows it."""
        numbers = {"StartingSequenceNumber": str(self.first)}
        if self.last is not None:
            numbers["EndingSequenceNumber"] = str(self.last)
        shown: dict[str, Any] = {"ShardId": self.id, "SequenceNumberRange": numbers}
        return shown if self.parent is None else {**shown, "ParentShardId": self.parent}


class VirtualStream:
    """A stream, and its cuts.

    Args:
        shards: The shards with which it begins.
        now: The time in seconds since the epoch.
    """

    def __init__(self, shards: int, now: float) -> None:
        self._count = 0
        self._made = 0
        self._shards: dict[str, VirtualShard] = {}
        for number in range(shards):
            self._make(None, HASHES * number // shards, HASHES * (number + 1) // shards, now, -math.inf)

    # ── what there is ──

    @property
    def shards(self) -> list[VirtualShard]:
        """The shards that the service knows, in the order in which they were made."""
        return [shard for shard in self._shards.values() if shard.is_listed]

    @property
    def open_shards(self) -> list[VirtualShard]:
        """The shards that take new records."""
        return [shard for shard in self._shards.values() if shard.last is None]

    def shard(self, name: object) -> VirtualShard:
        """Return a shard.

        Raises:
            StreamRefusedError: The service does not know it, or not any more.
        """
        found = self._shards.get(name) if isinstance(name, str) else None
        if found is None or not found.is_listed:
            raise StreamRefusedError("ResourceNotFoundException", "Requested resource not found: Shard does not exist")
        return found

    def listing(
        self, now: float, limit: int, after: object = None, children_of: object = None
    ) -> tuple[list[VirtualShard], str | None]:
        """Return a page of shards, and the last one's name where more follow.

        Args:
            now: The time.
            limit: Shards in a page.
            after: Begin after this shard.
            children_of: Show the children of this shard alone.
        """
        shown = [shard for shard in self.shards if shard.visible_from <= now]
        if children_of is not None:
            shown = [shard for shard in shown if shard.parent == children_of]
        if after is not None:
            # A shard that is gone meanwhile does not move the others: names are numbered as they are made.
            shown = [shard for shard in shown if shard.id > str(after)]
        page = shown[:limit]
        return page, page[-1].id if len(shown) > limit else None

    # ── changes ──

    def add(self, record: dict[str, Any], now: float) -> VirtualShard:
        """Add a record of the engine, in the engine's order, and return its shard."""
        body = record["dynamodb"]
        self._count += 1
        number, at = FIRST_NUMBER + self._count, math.floor(now)
        changed = {**body, "SequenceNumber": str(number), "ApproximateCreationDateTime": at}
        shard = self._open_for(key_hash(body["Keys"]))
        shard.records.append(VirtualRecord(number, at, orjson.dumps({**record, "dynamodb": changed})))
        return shard

    def cut(self, shards: Iterable[VirtualShard], parts: int, now: float, visible_from: float) -> list[str]:
        """Close shards, and put so many in the place of each. Return the new ones' names."""
        made = []
        for shard in shards:
            if shard.last is None:
                self.close(shard)
                width = shard.high - shard.low
                for part in range(parts):
                    low, high = (shard.low + width * each // parts for each in (part, part + 1))
                    made.append(self._make(shard.id, low, high, now, visible_from))
        return made

    def close(self, shard: VirtualShard) -> None:
        """Close a shard: it takes no more records."""
        shard.last = max(shard.first, FIRST_NUMBER + self._count)

    def trim(self, shard: VirtualShard, keep: int) -> int:
        """Remove all but the last records of a shard. Return how many are gone now. A closed one may go as a whole."""
        gone = max(0, len(shard.records) - keep)
        if gone:
            shard.trimmed = shard.records[gone - 1].number
            del shard.records[:gone]
        shard.is_listed = shard.last is None or bool(shard.records)
        return gone

    # ── reading ──

    def position(self, shard: VirtualShard, request: dict[str, Any], now: float) -> int:
        """Return the number after which an iterator begins.

        Args:
            shard: The shard.
            request: GetShardIterator's.
            now: The time.

        Raises:
            StreamRefusedError: There is no such position.
        """
        oldest = max(shard.first - 1, shard.trimmed)
        newest = max(oldest, FIRST_NUMBER + self._count if shard.last is None else shard.last)
        kind = request.get("ShardIteratorType")
        if kind == "TRIM_HORIZON":
            return oldest
        if kind == "LATEST":
            return newest
        if kind == "AT_TIMESTAMP":
            stamp = request.get("Timestamp")
            if not isinstance(stamp, int | float) or stamp > now:
                raise StreamRefusedError("ValidationException", "Timestamp is missing, or in the future")
            later = bisect.bisect_left(shard.records, stamp, key=lambda record: record.at)
            return shard.records[later].number - 1 if later < len(shard.records) else newest
        if kind not in {"AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"}:
            raise StreamRefusedError("ValidationException", f"Invalid ShardIteratorType: {kind}")
        number = int(request.get("SequenceNumber") or 0)
        if number <= shard.trimmed:
            raise StreamRefusedError("TrimmedDataAccessException", "The data you are trying to access has been trimmed")
        if not shard.first <= number <= newest:
            raise StreamRefusedError("ValidationException", "Invalid SequenceNumber: it is not of this shard")
        return number - 1 if kind == "AT_SEQUENCE_NUMBER" else number

    def page(self, shard: VirtualShard, position: int, limit: int) -> tuple[list[VirtualRecord], int | None]:
        """Return the records after a position, and the position after them, None at the end of a closed shard.

        Raises:
            StreamRefusedError: The records after it are gone.
        """
        if position < shard.trimmed:
            raise StreamRefusedError("TrimmedDataAccessException", "The data you are trying to access has been trimmed")
        start = bisect.bisect_right(shard.records, position, key=lambda record: record.number)
        page: list[VirtualRecord] = []
        size = 0
        for record in shard.records[start : start + min(limit, PAGE_RECORDS)]:
            size += len(record.json)
            if page and size > PAGE_BYTES:
                break
            page.append(record)
        after = page[-1].number if page else position
        is_end = shard.last is not None and start + len(page) == len(shard.records)
        return page, None if is_end else after

    # ── steps ──

    def _make(self, parent: str | None, low: int, high: int, now: float, visible_from: float) -> str:
        self._made += 1
        name = f"shardId-{self._made:020d}-{crc32(f'{self._made} {now}'.encode()):08x}"
        self._shards[name] = VirtualShard(
            name, parent, low, high, FIRST_NUMBER + self._count + 1, visible_from=visible_from
        )
        return name

    def _open_for(self, hashed: int) -> VirtualShard:
        return next(shard for shard in self.open_shards if shard.low <= hashed < shard.high)


def key_hash(key: dict[str, Any]) -> int:
    """Return the hash that says in which shard the records of a key lie."""
    return crc32(orjson.dumps(key, option=orjson.OPT_SORT_KEYS))
