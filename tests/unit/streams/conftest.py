"""A stream service in memory, on the virtual clock: shards split and are trimmed, positions expire, requests fail."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, field

from mizzle_async import Attribute, Client, PartitionKey, attribute, entity
from mizzle_async.errors import (
    ExpiredIteratorError,
    ResourceNotFoundError,
    ThrottledError,
    TrimmedDataAccessError,
    ValidationError,
)
from mizzle_async.flow.pace import Spacing
from mizzle_async.flow.tasks import TaskSet
from mizzle_async.operations.streams import (
    ChangeDecoder,
    DescribeStream,
    DescribeTableStream,
    GetRecords,
    GetShardIterator,
    RecordsPage,
    Shard,
    StreamDescription,
    TableStream,
)
from mizzle_async.streams.change_stream import ChangeStream
from mizzle_async.streams.checkpoints import Holding, SavedPositions, ShardProgress
from mizzle_async.streams.settings import ConsumerSettings
from mizzle_async.testing.clock import run_virtual
from mizzle_async.writing.table_part import target_of

EPOCH = 1_800_000_000.0
TABLE = "orders"


@entity(TABLE)
class Order:
    order_id: PartitionKey[str]
    number: Attribute[int] = attribute(default=0)


CLIENT = Client(region_name="eu-west-1", credentials=("id", "secret"))
TARGET = target_of(CLIENT.table(Order))


@define
class StoredShard:
    """A shard of the service: a range of keys, and its records, from the first that was ever written."""

    id: str
    parent: str | None
    first: int
    low: float = 0.0
    high: float = 1.0
    last: int | None = None
    visible_at: float = 0.0
    is_listed: bool = True
    trimmed: int = 0
    records: list[dict[str, Any]] = field(factory=list)


class StreamService:
    """The four operations, answered from memory.

    Attributes:
        shards: The shards, by their ids.
        open: The ids of those that take writes.
        written: All changes: the key and the number of each.
        page_limit: Records in a page at most.
        iterator_seconds: How long an iterator is good for.
        knows_times: Whether AT_TIMESTAMP is a position.
        children: The answer to CHILD_SHARDS: "children", "all" or "nothing".
        faults: Functions that may raise an error for an operation. One that raises StopIteration is removed.
        calls: The requests, by their API's names.
        described_at: When each DescribeStream came.
        readers: The requests for records that are under way, by shard.
        most_readers: The most of them that a shard ever had at once.
    """

    def __init__(self, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.shards: dict[str, StoredShard] = {}
        self.open: list[str] = []
        self.written: list[tuple[str, int]] = []
        self.arn = self._arn("1")
        self.view = "NEW_AND_OLD_IMAGES"
        self.status = "ENABLED"
        self.page_limit = 1000
        self.shard_page = 100
        self.iterator_seconds = 900.0
        self.knows_times = True
        self.children = "children"
        self.latency = 0.0
        self.faults: list[Callable[[Any], None]] = []
        self.calls: Counter[str] = Counter()
        self.described_at: list[float] = []
        self.readers: Counter[str] = Counter()
        self.most_readers = 0
        self.clock: Callable[[], float] = lambda: 0.0
        self._iterators: dict[str, tuple[str, int, float]] = {}
        self._numbers = itertools.count(1)
        self._ids = itertools.count(1)
        self._values: Counter[str] = Counter()
        self.add_shard()

    @staticmethod
    def _arn(label: str) -> str:
        return f"arn:aws:dynamodb:eu-west-1:000000000000:table/{TABLE}/stream/{label}"

    # ── what happens to a stream ──

    def add_shard(self, parent: str | None = None, delay: float = 0.0, keys: tuple[float, float] = (0.0, 1.0)) -> str:
        """Open a shard for a range of keys, which is listed after a while."""
        name = f"shardId-{next(self._ids):020d}"
        first = next(self._numbers)
        self.shards[name] = StoredShard(name, parent, first, *keys, visible_at=self.clock() + delay)
        self.open.append(name)
        return name

    def write(self, key: str) -> int:
        """Change an item. Return the value of its change: each key counts from 1."""
        place = hash_of(key)
        shard = next(each for name in self.open if (each := self.shards[name]).low <= place < each.high)
        number = next(self._numbers)
        self._values[key] += 1
        value = self._values[key]
        image = {"order_id": {"S": key}, "number": {"N": str(value)}}
        body = {
            "Keys": {"order_id": {"S": key}},
            "NewImage": image,
            "SequenceNumber": f"{number:021d}",
            "ApproximateCreationDateTime": int(EPOCH + self.clock()),
            "SizeBytes": 100,
            "StreamViewType": self.view,
        }
        kind = "INSERT"
        if value > 1:
            kind = "MODIFY"
            body["OldImage"] = {"order_id": {"S": key}, "number": {"N": str(value - 1)}}
        shard.records.append({"eventID": f"e{number}", "eventName": kind, "dynamodb": body, "awsRegion": "eu-west-1"})
        self.written.append((key, value))
        return value

    def split(self, shard: str | None = None, parts: int = 2, delay: float = 0.0) -> list[str]:
        """Close a shard, and open its children. With one part it rolls over."""
        stored = self.shards[shard or self.random.choice(self.open)]
        self.close(stored.id)
        width = (stored.high - stored.low) / parts
        bounds = [stored.low + width * number for number in range(parts)] + [stored.high]
        return [self.add_shard(stored.id, delay, keys) for keys in itertools.pairwise(bounds)]

    def close(self, shard: str) -> None:
        """Close a shard."""
        self.shards[shard].last = next(self._numbers)
        self.open.remove(shard)

    def trim(self, shard: str, count: int | None = None, *, unlist: bool = False) -> None:
        """Drop the oldest records of a shard, all of them by default, and perhaps the shard."""
        stored = self.shards[shard]
        stored.trimmed = len(stored.records) if count is None else min(len(stored.records), stored.trimmed + count)
        if unlist:
            stored.is_listed = False

    def disable(self) -> None:
        """Switch the stream off."""
        for each in list(self.open):
            self.close(each)
        self.status = "DISABLED"

    def enable_anew(self) -> None:
        """Switch it on again: another stream, with no shard of the old one."""
        self.arn = self._arn(str(next(self._ids)))
        self.status = "ENABLED"
        self.shards, self.open = {}, []
        self.add_shard()

    def expire_iterators(self) -> None:
        """Make every iterator too old."""
        self._iterators = {name: (shard, index, -1e9) for name, (shard, index, _) in self._iterators.items()}

    def fail(
        self, error: Exception, operation: type[Any] = GetRecords, times: int = 1, shard: str | None = None
    ) -> None:
        """Fail the next requests of a kind."""
        left = itertools.count(times, -1)

        def fault(request: Any) -> None:
            if isinstance(request, operation):
                if next(left) <= 0:
                    raise StopIteration
                raise error

        self.faults.append(fault)

    # ── requests ──

    async def answer(self, request: Any) -> Any:
        """Answer a request."""
        self.calls[request.api] += 1
        if self.latency:
            await asyncio.sleep(self.latency * self.random.random())
        for fault in list(self.faults):
            try:
                fault(request)
            except StopIteration:
                self.faults.remove(fault)
        if isinstance(request, DescribeTableStream):
            return TableStream(self.arn, self.view, self.status == "ENABLED")
        if isinstance(request, DescribeStream):
            return self._describe(request)
        if isinstance(request, GetShardIterator):
            return self._iterator(request)
        assert isinstance(request, GetRecords)
        return await self._records(request)

    def _describe(self, request: DescribeStream) -> StreamDescription:
        if request.stream_arn != self.arn:
            raise ResourceNotFoundError("Requested resource not found: Stream")
        self.described_at.append(self.clock())
        now = self.clock()
        listed = [each for each in self.shards.values() if each.is_listed and each.visible_at <= now]
        if request.children_of is not None and self.children != "all":
            listed = [each for each in listed if each.parent == request.children_of and self.children == "children"]
        ids = [each.id for each in listed]
        begin = 0 if request.after_shard is None else ids.index(request.after_shard) + 1
        page = listed[begin : begin + self.shard_page]
        more = begin + self.shard_page < len(listed)
        return StreamDescription(
            self.arn,
            self.status,
            self.view,
            tuple(Shard(each.id, each.parent, each.first, each.last) for each in page),
            page[-1].id if more else None,
        )

    def _iterator(self, request: GetShardIterator) -> str:
        shard = self.shards.get(request.shard)
        if shard is None or not shard.is_listed or request.stream_arn != self.arn:
            raise ResourceNotFoundError("Requested resource not found: Shard")
        records = shard.records
        match request.kind:
            case "TRIM_HORIZON":
                index = shard.trimmed
            case "LATEST":
                index = len(records)
            case "AT_TIMESTAMP":
                if not self.knows_times:
                    raise ValidationError("Invalid ShardIteratorType.")
                assert request.at is not None
                at = request.at.timestamp()
                assert at == int(at)
                if at > EPOCH + self.clock():
                    raise ValidationError("Timestamp is in the future")
                later = [n for n, each in enumerate(records) if each["dynamodb"]["ApproximateCreationDateTime"] >= at]
                index = max(shard.trimmed, later[0] if later else len(records))
            case _:
                number = int(request.sequence_number or 0)
                numbers = [int(each["dynamodb"]["SequenceNumber"]) for each in records]
                if number not in numbers:
                    raise ValidationError("Invalid SequenceNumber")
                index = numbers.index(number) + 1
                if index - 1 < shard.trimmed:
                    raise TrimmedDataAccessError("The number is before the trim horizon")
        return self._new_iterator(shard.id, index)

    def _new_iterator(self, shard: str, index: int) -> str:
        name = f"it-{next(self._numbers)}"
        self._iterators[name] = (shard, index, self.clock())
        return name

    async def _records(self, request: GetRecords) -> RecordsPage:
        name, index, made_at = self._iterators[request.iterator]
        if self.clock() - made_at > self.iterator_seconds:
            raise ExpiredIteratorError("Iterator expired")
        shard = self.shards.get(name)
        if shard is None or not shard.is_listed:
            raise ResourceNotFoundError("Invalid ShardId in ShardIterator")
        self.readers[name] += 1
        self.most_readers = max(self.most_readers, self.readers[name])
        try:
            await asyncio.sleep(0)
        finally:
            self.readers[name] -= 1
        if index < shard.trimmed:
            raise TrimmedDataAccessError("The iterator is before the trim horizon")
        end = min(index + min(self.page_limit, request.limit), len(shard.records))
        is_last = shard.last is not None and end == len(shard.records)
        records = tuple(shard.records[index:end])
        return RecordsPage(records, None if is_last else self._new_iterator(name, end), 200 * len(records) + 50)


def hash_of(key: str) -> float:
    """Return a number from zero to one for a key, the same in every process."""
    return random.Random(key).random()


class FakePort:
    """A client that sends to the service in memory.

    Attributes:
        is_dead: Whether its process was killed: nothing that it sends arrives.
    """

    def __init__(self, service: StreamService, seed: int = 1) -> None:
        self.service = service
        self.random = random.Random(seed).random
        self.stream_spacing = Spacing(0.2)
        self.instruments: list[object] = []
        self.timeout = 10.0
        self.is_dead = False
        self.tasks = TaskSet()
        self._loop = asyncio.get_running_loop()
        service.clock = self._loop.time

    def now(self) -> float:
        """Return the time."""
        return EPOCH + self._loop.time()

    async def pause(self, seconds: float, /) -> None:
        """Sleep."""
        await asyncio.sleep(seconds)

    async def send(self, request: Any, /) -> Any:
        """Send a request."""
        if self.is_dead:
            await asyncio.Event().wait()
        answer = await self.service.answer(request)
        if self.is_dead:
            await asyncio.Event().wait()
        return answer

    def start(self, coroutine: Any, /) -> Any:
        """Start a task."""
        return self.tasks.start(coroutine)


class SharedStore:
    """A store that several processes share, in memory: beats, takes, hand-overs and fences by the rules of the port.

    Attributes:
        saved: The positions.
        owners: The member and the epoch of each shard that is held.
        wanted: The shards that a member asked for.
        members: When each member last beat.
        is_down: Whether it cannot be reached.
        reading_seconds: Seconds between the heartbeat of a turn and the turn's end.
        saves: The number of writings.
    """

    def __init__(self, lease_seconds: float = 10.0) -> None:
        self.lease_seconds = lease_seconds
        self.saved: SavedPositions | None = None
        self.progress: dict[str, ShardProgress] = {}
        self.owners: dict[str, tuple[object, int]] = {}
        self.wanted: dict[str, object] = {}
        self.members: dict[object, float] = {}
        self.epochs: dict[str, int] = {}
        self.is_down = False
        self.reading_seconds = 0.0
        self.saves = 0

    async def join(self, consumer: str, stream_arn: str, /) -> "SharedMember":
        """Begin."""
        assert consumer
        return SharedMember(self, stream_arn)


class SharedMember:
    """A member of a shared store."""

    def __init__(self, store: SharedStore, stream_arn: str) -> None:
        self.store = store
        self.stream_arn = stream_arn
        self.clock = asyncio.get_running_loop().time
        self.is_dead = False
        self.valid_until = 0.0

    @property
    def interval(self) -> float:
        """A third of the lease."""
        return self.store.lease_seconds / 3

    async def _reach(self) -> None:
        await asyncio.sleep(0.001)
        if self.is_dead:
            await asyncio.Event().wait()
        if self.store.is_down:
            raise ThrottledError("the store is slow")

    async def read(self) -> SavedPositions | None:
        """Return the positions."""
        await self._reach()
        saved = self.store.saved
        return None if saved is None else SavedPositions(saved.stream_arn, saved.origin, dict(self.store.progress))

    async def begin(self, origin: float | None, /) -> SavedPositions:
        """Note the first start, where no other came first."""
        await self._reach()
        if self.store.saved is None or self.store.saved.stream_arn != self.stream_arn:
            self.store.saved = SavedPositions(self.stream_arn, origin)
            self.store.progress = {}
        saved = await self.read()
        assert saved is not None
        return saved

    async def turn(self, ready: Any, /) -> Holding:
        """Beat, take, ask."""
        begun = self.clock()
        await self._reach()
        store = self.store
        store.members[self] = begun
        self.valid_until = begun + store.lease_seconds - 1.0
        await asyncio.sleep(store.reading_seconds)
        now = self.clock()
        live = {each for each, beat in store.members.items() if now - beat < store.lease_seconds}
        for shard, (owner, _) in list(store.owners.items()):
            if owner not in live or self._is_done(shard):
                self._free(shard)
        ready = {shard for shard in ready if not self._is_done(shard)}
        self._take(ready, live, -(-len(ready) // len(live)))
        held = {shard: epoch for shard, (owner, epoch) in store.owners.items() if owner is self}
        wanted = frozenset(shard for shard in held if store.wanted.get(shard) in live)
        elsewhere = frozenset(store.owners) - held.keys()
        return Holding(held, wanted, dict(store.progress), elsewhere)

    def _take(self, ready: set[str], live: set[object], share: int) -> None:
        """Take free shards up to a fair share, and ask the richest for one where they are too few."""
        store = self.store
        mine = {shard for shard, (owner, _) in store.owners.items() if owner is self and shard in ready}
        for shard in sorted(ready - store.owners.keys()):
            if len(mine) < share and self._may_take(shard, live):
                epoch = store.epochs[shard] = store.epochs.get(shard, 0) + 1
                store.owners[shard] = (self, epoch)
                store.wanted.pop(shard, None)
                mine.add(shard)
        others: dict[object, list[str]] = {}
        for shard, (owner, _) in store.owners.items():
            if owner is not self and shard in ready:
                others.setdefault(owner, []).append(shard)
        asked = len(mine) + sum(each is self for each in store.wanted.values())
        rich = max(others.values(), key=len, default=[])
        if asked < share and len(rich) > asked + 1:
            store.wanted.setdefault(rich[0], self)

    def _may_take(self, shard: str, live: set[object]) -> bool:
        asking = self.store.wanted.get(shard, self)
        return asking is self or asking not in live

    def _is_done(self, shard: str) -> bool:
        progress = self.store.progress.get(shard)
        return progress is not None and progress.done_at is not None

    def _free(self, shard: str) -> None:
        self.store.owners.pop(shard, None)

    async def save(self, progress: Any, /) -> frozenset[str]:
        """Write, where the shard is still this member's."""
        await self._reach()
        lost = set()
        for each in progress:
            if self.store.owners.get(each.shard, (None, 0))[0] is self:
                self.store.progress[each.shard] = each
                if each.done_at is not None:
                    self._free(each.shard)
            else:
                lost.add(each.shard)
        self.store.saves += 1
        return frozenset(lost)

    async def release(self, shards: Any, /) -> None:
        """Give shards up."""
        await self._reach()
        for shard in shards:
            if self.store.owners.get(shard, (None, 0))[0] is self:
                self._free(shard)

    async def forget(self, shards: Any, /) -> None:
        """Remove progress."""
        await self._reach()
        for shard in shards:
            self.store.progress.pop(shard, None)

    async def close(self) -> None:
        """Leave."""
        await self._reach()
        self.store.members.pop(self, None)
        for shard, (owner, _) in list(self.store.owners.items()):
            if owner is self:
                self._free(shard)


@define
class World:
    """Everything that a test of a consumer needs.

    Attributes:
        service: The service.
        port: The client.
    """

    service: StreamService
    port: FakePort

    def changes(self, *, port: FakePort | None = None, view: Any = "new_and_old_images", **settings: Any) -> Any:
        """Return the changes of the table: from the oldest on, where the test does not say."""
        settings.setdefault("start", "oldest")
        if "checkpoints" in settings:
            settings.setdefault("consumer", "test")
        decoder = ChangeDecoder(TARGET, view)
        chosen: Any = port or self.port
        return ChangeStream(chosen, decoder, table=TABLE, view=view, settings=ConsumerSettings(**settings))

    def new_port(self, seed: int = 1) -> FakePort:
        """Return another client."""
        return FakePort(self.service, seed)


@pytest.fixture
def world() -> Any:
    """A function that runs a test on the virtual clock: it is given the world."""

    def run(test: Callable[[World], Any], seed: int = 1) -> Any:
        async def main() -> Any:
            service = StreamService(seed)
            port = FakePort(service, seed)
            try:
                return await test(World(service, port))
            finally:
                await port.tasks.cancel()

        return run_virtual(main())

    return run


@pytest.fixture
def shared_store() -> type[SharedStore]:
    """The class of stores that several processes share."""
    return SharedStore
