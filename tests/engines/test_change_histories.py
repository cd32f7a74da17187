"""Consumers before a facade with many shards: real writes, real requests, and everything that shards do at random."""

import asyncio
import random
from collections import Counter

import pytest

from mizzle_async import Attribute, Client, MemoryCheckpoints, PartitionKey, StreamGapError, attribute, entity
from mizzle_async.testing import Resharder
from mizzle_async.wire.retry import RetryPolicy

KEYS = [f"k{number}" for number in range(10)]


@entity("counters", stream="new_and_old_images")
class Item:
    name: PartitionKey[str]
    value: Attribute[int] = attribute(default=0)


@pytest.fixture
async def service(engine):
    """A facade before each engine in turn."""
    async with Resharder(engine, shards=2, generator=random.Random(3)) as facade:
        facade.children_seconds = 0.05
        yield facade


@pytest.fixture
async def client(service, engine, new_table_name):
    """A client of the facade, whose table has a name of its own."""
    async with Client(
        endpoint_url=service.url,
        region_name=engine.region_name,
        credentials=engine.credentials,
        table_names={"counters": new_table_name()},
        retry=RetryPolicy(attempts=3, base_delay=0.01, throttled_base_delay=0.001),
    ) as opened:
        await opened.ensure_tables(Item)
        yield opened


class History:
    """Writes, what was written and what was handled."""

    def __init__(self, client, service, seed):
        self.items = client.table(Item)
        self.service = service
        self.random = random.Random(seed)
        self.values = Counter()
        self.done = Counter()
        self.busy = set()
        self.all_done = asyncio.Event()

    async def write(self, count):
        """Change items, one after another."""
        self.all_done.clear()
        for _ in range(count):
            key = self.random.choice(KEYS)
            self.values[key] += 1
            await self.items.put(Item(name=key, value=self.values[key]))

    async def handle(self, change):
        """Handle a change, after checking that it may begin."""
        key, value = change.new.name, change.new.value
        assert key not in self.busy, "two handlers of one key at once"
        assert value == 1 or (key, value - 1) in self.done, "a change before the one before it"
        self.busy.add(key)
        await asyncio.sleep(self.random.choice([0, 0, 0.002]))
        self.busy.discard(key)
        self.done[key, value] += 1
        if set(self.done) == self.written:
            self.all_done.set()

    @property
    def written(self):
        """All changes that were made."""
        return {(key, value) for key, last in self.values.items() for value in range(1, last + 1)}

    async def open_shard(self):
        """Choose a shard that takes writes."""
        return self.random.choice([each.id for each in await self.service.shards(self.items.name) if each.last is None])

    async def happen(self):
        """Let something happen to the stream."""
        table, service = self.items.name, self.service
        match self.random.choice(["split", "roll", "throttle", "expire", "fail", "nothing"]):
            case "split" if len(await service.shards(table)) < 20:
                await service.split(table, await self.open_shard())
            case "roll":
                await service.roll(table, await self.open_shard())
            case "throttle":
                service.throttle(self.random.choice(["GetRecords", "DescribeStream", "GetShardIterator"]), 3)
            case "expire":
                service.expire_iterators()
            case _:
                pass


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_change_is_lost_or_out_of_order(client, service, seed):
    """Splits, rolls, throttles, expiries and restarts at random: each change once, and each key in its order."""
    history = History(client, service, seed)
    store = MemoryCheckpoints()

    def start():
        stream = history.items.changes(consumer="test", start="oldest", checkpoints=store, idle=0.05)
        return stream, asyncio.create_task(stream.for_each(history.handle, concurrency=8))

    stream, task = start()
    for step in range(25):
        await history.write(history.random.randint(1, 15))
        await history.happen()
        if step % 8 == 7:
            await asyncio.sleep(0.1)
            stream.stop()
            await task
            stream, task = start()
    async with asyncio.timeout(60):
        await history.all_done.wait()
    stream.stop()
    report = await task
    assert set(history.done.values()) == {1}
    assert report.gaps == 0
    assert max(service.most_readers.values()) == 1


async def test_kill_repeats_a_little_and_loses_nothing(client, service):
    """What was not saved when the process died comes again; nothing else does, and each key stays in its order."""
    history = History(client, service, 5)
    store = MemoryCheckpoints()
    kills = 0
    for _ in range(4):
        stream = history.items.changes(
            consumer="test", start="oldest", checkpoints=store, idle=0.05, checkpoint_seconds=0.1
        )
        task = asyncio.create_task(stream.for_each(history.handle, concurrency=8))
        await history.write(40)
        await history.happen()
        await asyncio.sleep(0.15)
        saved = dict(store._saved)
        task.cancel()
        await asyncio.wait([task])
        store._saved.update(saved)  # the last positions of a killed process are never written
        history.busy.clear()
        kills += 1
    stream = history.items.changes(consumer="test", start="oldest", checkpoints=store, idle=0.05)
    await stream.for_each(history.handle, until="caught_up")
    assert set(history.done) == history.written
    assert sum(history.done.values()) - len(history.done) <= kills * 60


async def test_trimmed_changes_are_a_gap(client, service):
    """A consumer that was away for longer than changes are kept is told, and goes on where it is allowed to."""
    history = History(client, service, 7)
    store = MemoryCheckpoints()

    def changes(**options):
        return history.items.changes(consumer="test", start="oldest", checkpoints=store, idle=0.05, **options)

    await history.write(30)
    await changes().for_each(history.handle, until="caught_up")
    await history.write(30)
    await service.trim(history.items.name)
    await history.write(10)
    with pytest.raises(StreamGapError):
        await changes().for_each(history.handle, until="caught_up")
    seen = []

    async def note(change):
        seen.append((change.new.name, change.new.value))

    report = await changes(on_gap="continue").for_each(note, until="caught_up")
    assert report.gaps >= 1
    assert set(seen) <= history.written
    await history.write(5)
    before = len(seen)
    await changes().for_each(note, until="caught_up")
    assert len(seen) == before + 5
