"""Any history of writes, splits, expiries, failures, kills and hand-overs: no loss, order by key, few repetitions."""

import asyncio
from collections import Counter

from attrs import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mizzle_async.errors import InternalServerError, LimitExceededError, ThrottledError
from mizzle_async.operations.streams import DescribeStream, GetRecords, GetShardIterator

KEYS = [f"k{number}" for number in range(12)]
LEASE = 6.0


@frozen
class Event:
    """Something that happens: its name and a number that says how much, or to whom."""

    name: str
    number: int = 0


EVENTS = st.one_of(
    st.builds(Event, st.just("write"), st.integers(1, 40)),
    st.builds(Event, st.just("sleep"), st.integers(1, 40)),
    st.builds(Event, st.sampled_from(["split", "roll"]), st.integers(0, 5)),
    st.builds(
        Event, st.sampled_from(["throttle", "fail records", "fail positions", "fail listings"]), st.integers(1, 6)
    ),
    st.builds(Event, st.sampled_from(["expire", "trim", "start"])),
    st.builds(Event, st.sampled_from(["stop", "kill", "down"]), st.integers(0, 2)),
)


FAULTS = {
    "throttle": (LimitExceededError("slow"), GetRecords),
    "records": (InternalServerError("down"), GetRecords),
    "positions": (InternalServerError("down"), GetShardIterator),
    "listings": (InternalServerError("down"), DescribeStream),
}


class History:
    """Workers on one store, and everything that they did.

    Attributes:
        done: The changes that were handled, with how often.
        is_exact: Whether no process was killed and no store was silent: nothing may come twice then.
    """

    def __init__(self, world, store, *, slow):
        self.world = world
        self.store = store
        self.slow = slow
        self.workers = []
        self.done = Counter()
        self.busy = set()
        self.is_exact = True

    def start(self):
        """Start a process."""
        if len(self.workers) == 3:
            return
        port = self.world.new_port(len(self.workers) + 1)
        members = []
        store = self.store

        class Watched:
            async def join(self, consumer, stream_arn, /):
                members.append(await store.join(consumer, stream_arn))
                return members[-1]

        stream = self.world.changes(checkpoints=Watched(), port=port, idle=0.5, checkpoint_seconds=2.0)
        task = asyncio.ensure_future(stream.for_each(self.handle, concurrency=4))
        self.workers.append((stream, task, port, members))

    async def handle(self, change):
        """Handle a change, after checking that it may begin."""
        key, value = change.new.order_id, change.new.number
        assert key not in self.busy, "two handlers of one key at once"
        assert value == 1 or (key, value - 1) in self.done, "a change before the one before it"
        self.busy.add(key)
        try:
            await asyncio.sleep(0.05 * (value % 4) if self.slow else 0)
        finally:
            self.busy.discard(key)
        self.done[key, value] += 1

    async def happen(self, event):
        """Let something happen."""
        service = self.world.service
        match event.name:
            case "write":
                for number in range(event.number):
                    service.write(KEYS[(number * number) % len(KEYS)])
            case "sleep":
                await asyncio.sleep(event.number / 4)
            case "split" | "roll":
                # It is assumed that AWS lists a shard before it cuts it.
                listed = [each for each in service.open if service.shards[each].visible_at <= service.clock()]
                if listed:
                    shard = listed[event.number % len(listed)]
                    service.split(shard, parts=2 if event.name == "split" else 1, delay=event.number)
            case "throttle" | "records" | "positions" | "listings":
                error, operation = FAULTS[event.name]
                service.fail(error, operation, event.number if event.name != "positions" else min(event.number, 2))
            case "expire":
                service.expire_iterators()
            case "trim":
                self.trim()
            case "start":
                self.start()
            case _:
                await self.end(event)

    def trim(self):
        """Let the records go that are done and whose position is saved, as those of a day ago are."""
        for shard, progress in self.store.progress.items():
            stored = self.world.service.shards[shard]
            if progress.done_at is not None:
                self.world.service.trim(shard, unlist=bool(progress.children))
            elif progress.position is not None:
                numbers = [int(each["dynamodb"]["SequenceNumber"]) for each in stored.records]
                stored.trimmed = max(stored.trimmed, numbers.index(int(progress.position)))

    async def end(self, event):
        """End a process in good order or not, or let the store be silent."""
        if event.name == "down":
            self.store.is_down = True
            await asyncio.sleep(LEASE * (0.4 + event.number / 2))
            self.store.is_down = False
            self.is_exact &= event.number == 0
            return
        if not self.workers:
            return
        stream, task, port, members = self.workers.pop(event.number % len(self.workers))
        if event.name == "stop":
            await self.stop(stream, task)
            return
        self.is_exact = False
        port.is_dead = True
        for member in members:
            member.is_dead = True
        task.cancel()
        await asyncio.wait([task])

    async def stop(self, stream, task):
        """End a process in good order. One that could not begin, because nothing answered, has ended before."""
        await asyncio.sleep(0)  # it may not have begun
        stream.stop()
        try:
            await task
        except (InternalServerError, ThrottledError):
            assert not stream.report.requests

    async def finish(self):
        """Handle the rest by one more process, after all faults."""
        for stream, task, _, _ in self.workers:
            await self.stop(stream, task)
        self.workers.clear()
        self.world.service.faults.clear()
        self.start()
        ((stream, task, _, _),) = self.workers
        for _ in range(200):
            await asyncio.sleep(1)
            if set(self.done) == set(self.world.service.written):
                break
        await self.stop(stream, task)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(EVENTS, min_size=5, max_size=60),
    slow=st.booleans(),
    service=st.tuples(st.sampled_from(["children", "all", "nothing"]), st.sampled_from([3, 1000])),
)
def test_no_history_loses_a_change(world, shared_store, events, slow, service):
    """Every change is handled, those of a key in their order and never two at once; repeated only after a kill."""

    async def test(world):
        world.service.children, world.service.page_limit = service
        world.service.latency = 0.02
        history = History(world, shared_store(LEASE), slow=slow)
        history.start()
        for event in events:
            await history.happen(event)
        await history.finish()
        missing = set(world.service.written) - set(history.done)
        assert not missing, f"{len(missing)} changes were lost"
        if history.is_exact:
            assert set(history.done.values()) <= {1}
        assert world.service.most_readers <= 2

    world(test)
