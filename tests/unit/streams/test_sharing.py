"""Several processes on one store: shares, hand-overs, deaths, zombies, by the rules of the port."""

import asyncio
from collections import Counter

import pytest

from mizzle_async.errors import AccessDeniedError, ThrottledError

KEYS = [f"k{number}" for number in range(100)]


def told(change):
    """Return the key and the value of a change."""
    return change.new.order_id, change.new.number


class Worker:
    """A process with a client of its own that handles changes."""

    def __init__(self, world, store, seconds=0.01, **options):
        self.world = world
        self.seen = []
        self.begun = []
        self.port = world.new_port()
        self.seconds = seconds
        self.joined = []
        self.note = lambda _: None
        options = {"idle": 0.5, "checkpoint_seconds": 2.0} | options
        self.stream = world.changes(checkpoints=self.watch(store), port=self.port, **options)
        self.task = asyncio.ensure_future(self.stream.for_each(self.handle, concurrency=8))

    def watch(self, store):
        """Return the store, so that the worker's member is known."""
        worker = self

        class Watched:
            async def join(self, consumer, stream_arn, /):
                member = await store.join(consumer, stream_arn)
                worker.joined.append(member)
                return member

        return Watched()

    async def handle(self, change):
        """Handle a change, for a while."""
        self.begun.append(told(change))
        self.note(told(change))
        await asyncio.sleep(self.seconds)
        self.seen.append(told(change))

    async def stop(self):
        """End in good order."""
        self.stream.stop()
        await self.task

    async def kill(self):
        """Die: nothing that it sends arrives any more, and its handlers are gone."""
        self.port.is_dead = True
        for member in self.joined:
            member.is_dead = True
        for task in list(self.port.tasks._tasks):
            task.cancel()
        self.task.cancel()
        await asyncio.wait([self.task])


async def writing(world, seconds, per_second=20):
    """Change items for a while."""
    for number in range(int(seconds * per_second)):
        world.service.write(KEYS[(number * 37) % len(KEYS)])
        await asyncio.sleep(1 / per_second)


def check(world, *workers):
    """Return how often a change came more than once, after checking that none is lost and each key is in order."""
    counts = Counter(each for worker in workers for each in worker.seen)
    assert set(counts) == set(world.service.written)
    for worker in workers:
        for key in KEYS:
            values = [value for each, value in worker.begun if each == key]
            assert values == sorted(values)
    return sum(counts.values()) - len(counts)


def test_planned_hand_over_of_a_hundred_shards_repeats_nothing(world, shared_store):
    """A second process gets half of the shards while changes flow, and then the first one leaves: no duplicates."""

    async def test(world):
        world.service.split(parts=100)
        store = shared_store()
        first = Worker(world, store, idle=3.0)
        flow = asyncio.ensure_future(writing(world, 300))
        await asyncio.sleep(20)
        second = Worker(world, store, idle=3.0)
        await asyncio.sleep(200)
        assert len(first.stream.report.shards) == len(second.stream.report.shards) == 50
        await first.stop()
        await asyncio.sleep(30)
        assert len(second.stream.report.shards) == 100
        await flow
        await asyncio.sleep(30)
        await second.stop()
        assert check(world, first, second) == 0
        assert first.stream.report.lost == second.stream.report.lost == 0
        assert world.service.most_readers == 1

    world(test)


def test_killed_process_is_replaced(world, shared_store):
    """Another takes its shards over after the lease; what comes again is what was not saved."""

    async def test(world):
        world.service.split(parts=6)
        store = shared_store()
        first, second = Worker(world, store), Worker(world, store)
        flow = asyncio.ensure_future(writing(world, 200))
        await asyncio.sleep(100)
        assert len(first.stream.report.shards) == 3
        await first.kill()
        await asyncio.sleep(20)
        assert len(second.stream.report.shards) == 6
        await flow
        await asyncio.sleep(30)
        await second.stop()
        repeated = check(world, first, second)
        assert repeated <= 20 * 2.5  # 20 changes a second, saved every 2 seconds

    world(test)


def test_process_that_cannot_beat_gives_up_before_others_take_over(world, shared_store):
    """Its handlers are cancelled before the lease ends, so that no key is handled by two at once."""

    async def test(world):
        world.service.split(parts=4)
        store = shared_store(lease_seconds=10.0)
        busy = Counter()

        class Careful(Worker):
            async def handle(self, change):
                key = change.new.order_id
                busy[key] += 1
                assert busy[key] == 1
                try:
                    await super().handle(change)
                finally:
                    busy[key] -= 1

        first, second = Careful(world, store, seconds=60.0), Careful(world, store, seconds=1.0)
        flow = asyncio.ensure_future(writing(world, 100, per_second=2))
        await asyncio.sleep(50)
        for member in first.joined:
            member.is_dead = True  # its requests to the store hang, those to the stream do not
        await asyncio.sleep(9.5)
        assert first.stream.report.shards == ()
        assert first.stream.report.lost == 2
        await asyncio.sleep(20)
        assert len(second.stream.report.shards) == 4
        await flow
        await asyncio.sleep(300)
        first.task.cancel()
        await second.stop()
        assert set(first.seen) | set(second.seen) == set(world.service.written)

    world(test)


def test_store_that_is_slow_for_less_than_the_lease_changes_nothing(world, shared_store):
    """A throttled store is tried again: handlers go on, and nothing comes twice."""

    async def test(world):
        world.service.split(parts=4)
        store = shared_store(lease_seconds=10.0)
        worker = Worker(world, store)
        flow = asyncio.ensure_future(writing(world, 60))
        for _ in range(5):
            await asyncio.sleep(5)
            store.is_down = True
            await asyncio.sleep(5)
            store.is_down = False
        await flow
        await asyncio.sleep(10)
        await worker.stop()
        assert check(world, worker) == 0
        assert worker.stream.report.lost == 0

    world(test)


def test_slow_reads_of_a_store_lose_nothing_while_heartbeats_are_written(world, shared_store):
    """A written heartbeat counts at once, and the next one is due by it: the rest of a turn may take its time."""

    async def test(world):
        world.service.split(parts=4)
        store = shared_store(lease_seconds=10.0)
        worker = Worker(world, store)
        flow = asyncio.ensure_future(writing(world, 60))
        await asyncio.sleep(10)
        store.reading_seconds = 6.0
        await flow
        await asyncio.sleep(20)
        await worker.stop()
        assert check(world, worker) == 0
        assert worker.stream.report.lost == 0

    world(test)


def test_store_that_is_down_for_longer_is_joined_again(world, shared_store):
    """The shards are given up, and taken again when it is back: at least once, each key in its order."""

    async def test(world):
        store = shared_store(lease_seconds=10.0)
        worker = Worker(world, store)
        flow = asyncio.ensure_future(writing(world, 60))
        await asyncio.sleep(20)
        store.is_down = True
        await asyncio.sleep(15)
        assert worker.stream.report.shards == ()
        reading = world.service.calls["GetRecords"]
        await asyncio.sleep(5)
        assert world.service.calls["GetRecords"] == reading
        store.is_down = False
        await flow
        await asyncio.sleep(10)
        await worker.stop()
        counts = Counter(worker.seen)
        assert set(counts) == set(world.service.written)
        assert 0 < sum(counts.values()) - len(counts) < 20 * 13

    world(test)


def test_store_that_refuses_ends_everything(world, shared_store):
    """Lack of rights does not pass: the error is raised."""

    async def test(world):
        store = shared_store()
        worker = Worker(world, store)
        await asyncio.sleep(10)
        member = worker.joined[0]

        async def refuse(*_):
            raise AccessDeniedError("no")

        member.turn = refuse
        with pytest.raises(AccessDeniedError):
            await worker.task

    world(test)


def test_fenced_position_is_a_loss(world, shared_store):
    """A position that the store refuses means that the shard is another's: its handlers are cancelled."""

    async def test(world):
        store = shared_store(lease_seconds=1000.0)
        worker = Worker(world, store, seconds=3.0)
        world.service.write("a")
        await asyncio.sleep(4)
        store.owners = dict.fromkeys(store.owners, (object(), 7))
        world.service.write("a")
        world.service.write("b")
        await asyncio.sleep(4)
        world.service.write("c")
        await asyncio.sleep(10)
        assert worker.stream.report.lost == 1
        assert ("c", 1) not in worker.begun
        worker.task.cancel()
        await asyncio.wait([worker.task])

    world(test)


def test_lineage_holds_across_processes(world, shared_store):
    """A child begins when its parent is done, whichever process has either."""

    async def test(world):
        store = shared_store()
        workers = [Worker(world, store, seconds=0.2) for _ in range(3)]
        order = []
        for worker in workers:
            worker.note = order.append
        flow = asyncio.ensure_future(writing(world, 200, per_second=10))
        for _ in range(6):
            await asyncio.sleep(30)
            world.service.split()
        await flow
        await asyncio.sleep(60)
        for worker in workers:
            await worker.stop()
        assert check(world, *workers) == 0
        for key in KEYS:
            values = [value for each, value in order if each == key]
            assert values == sorted(values)
        assert all(worker.seen for worker in workers)

    world(test)


def test_caught_up_with_a_share(world, shared_store):
    """Of several processes, each handles its share and returns."""

    async def test(world):
        world.service.split(parts=4)
        store = shared_store(lease_seconds=3.0)
        for number in range(200):
            world.service.write(KEYS[number % 100])
        seen = []

        async def handle(change):
            seen.append(told(change))

        streams = [world.changes(checkpoints=store, port=world.new_port(), idle=0.2) for _ in range(2)]
        await asyncio.gather(*(stream.for_each(handle, until="caught_up") for stream in streams))
        assert sorted(seen) == sorted(world.service.written)

    world(test)


def test_error_of_the_last_position_is_logged(world, shared_store, caplog):
    """When the last positions cannot be saved, the work ends all the same, within seconds, and says so in the log."""

    async def test(world):
        store = shared_store()
        worker = Worker(world, store)
        await writing(world, 10)
        now = asyncio.get_running_loop().time()

        async def slow(*_):
            raise ThrottledError("slow")

        worker.joined[0].save = slow
        await asyncio.sleep(5)
        await worker.stop()
        assert asyncio.get_running_loop().time() - now < 20
        assert "changes come again" in caplog.text

    world(test)
