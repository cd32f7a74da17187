import asyncio
import itertools
import time
from collections import Counter

import pytest

from mizzle_async import ChangeFailure
from mizzle_async.errors import ClientStateError, ExpressionError
from mizzle_async.streams.stores import MemoryCheckpoints


def fill(service, count, keys="abcdefgh"):
    """Write changes of some keys in turn."""
    for number in range(count):
        service.write(keys[number % len(keys)])


def told(change):
    """Return the key and the value of a change."""
    return change.new.order_id, change.new.number


async def rest(world, store):
    """Return the changes that are not done."""
    seen = []

    async def handle(change):
        seen.append(told(change))

    await world.changes(checkpoints=store).for_each(handle, until="caught_up")
    return seen


# ── order and concurrency ──


def test_keys_are_handled_side_by_side_and_each_in_its_order(world):
    """As many handlers as were asked for are at work, never two of one key."""

    async def test(world):
        fill(world.service, 200)
        world.service.split()
        fill(world.service, 200)
        busy, most, seen = set(), 0, []

        async def handle(change):
            nonlocal most
            key, value = told(change)
            assert key not in busy
            busy.add(key)
            most = max(most, len(busy))
            await asyncio.sleep(0.01 * (value % 3))
            busy.discard(key)
            seen.append((key, value))

        report = await world.changes().for_each(handle, concurrency=5, until="caught_up")
        assert most == 5
        assert sorted(seen) == sorted(world.service.written)
        for key in "abcdefgh":
            values = [value for each, value in seen if each == key]
            assert values == sorted(values)
        assert report.done == report.delivered == 400

    world(test)


def test_slow_key_does_not_hold_others(world):
    """A change that takes long holds back its key alone, and the position."""

    async def test(world):
        store = MemoryCheckpoints()
        fill(world.service, 40)
        release, seen = asyncio.Event(), []
        stream = world.changes(checkpoints=store)

        async def handle(change):
            if told(change) == ("b", 1):
                await release.wait()
            seen.append(told(change))

        work = asyncio.ensure_future(stream.for_each(handle, until="caught_up"))
        await asyncio.sleep(10)
        assert len(seen) == 35
        (shard,) = stream.report.shards
        assert shard.undone == 5
        assert int(shard.position) == int(world.service.shards[shard.shard].records[0]["dynamodb"]["SequenceNumber"])
        release.set()
        await work
        assert len(seen) == 40

    world(test)


def test_handler_that_never_waits_leaves_others_their_turn(world):
    """Reading and other tasks go on beside handlers that are busy without waiting."""

    async def test(world):
        fill(world.service, 1000)
        turns = handled = 0
        counting = None

        async def count():
            nonlocal turns
            while handled < 1000:
                await asyncio.sleep(0)
                turns += 1

        async def handle(change):
            nonlocal handled, counting
            handled += 1
            counting = counting or asyncio.ensure_future(count())

        await world.changes().for_each(handle, concurrency=1, until="caught_up")
        await counting
        assert turns > 20

    world(test)


def test_until_the_stream_is_closed(world):
    """Without a word it goes on for ever, and ends when the stream is switched off and all is handled."""

    async def test(world):
        fill(world.service, 5)
        seen = []

        async def handle(change):
            seen.append(told(change))

        work = asyncio.ensure_future(world.changes().for_each(handle))
        await asyncio.sleep(5000)
        assert not work.done()
        fill(world.service, 5)
        world.service.disable()
        report = await work
        assert sorted(seen) == sorted(world.service.written)
        assert report.shards == ()
        assert report.behind is None

    world(test)


# ── failures ──


def test_handler_that_fails_is_tried_again(world):
    """With growing pauses, up to the number of attempts; one that succeeds is done."""

    async def test(world):
        store = MemoryCheckpoints()
        fill(world.service, 10)
        attempts = Counter()

        async def handle(change):
            attempts[told(change)] += 1
            if told(change) == ("c", 1) and attempts[told(change)] < 5:
                raise RuntimeError("not yet")

        report = await world.changes(checkpoints=store).for_each(handle, until="caught_up")
        assert attempts.pop(("c", 1)) == 5
        assert set(attempts.values()) == {1}
        assert (report.retried, report.failed, report.done) == (4, 0, 10)
        assert await rest(world, store) == []

    world(test)


def test_handler_that_keeps_failing_ends_everything(world):
    """Its own error is raised with a note of the place, handlers that have begun finish, and its change comes again."""

    async def test(world):
        store = MemoryCheckpoints()
        fill(world.service, 16)
        seen = []

        async def handle(change):
            if told(change) == ("c", 1):
                raise RuntimeError("never")
            await asyncio.sleep(5)
            seen.append(told(change))

        with pytest.raises(RuntimeError, match="never") as raised:
            await world.changes(checkpoints=store).for_each(handle, concurrency=4, attempts=2)
        assert "of shard shardId-" in raised.value.__notes__[0]
        assert sorted(seen) == [("a", 1), ("b", 1), ("d", 1)]
        assert await rest(world, store) == world.service.written[2:]

    world(test)


def test_shard_of_a_failing_handler_stops_alone(world):
    """The others go on to their end; then the error is raised, and the position of the shard is not passed."""

    async def test(world):
        store = MemoryCheckpoints()
        left, right = world.service.split()
        fill(world.service, 60)
        shards = {}
        bad = None

        async def handle(change):
            nonlocal bad
            shards.setdefault(change.shard, []).append(told(change))
            if change.shard == left and len(shards[left]) == 3:
                raise RuntimeError("never")

        with pytest.raises(RuntimeError, match="never"):
            await world.changes(checkpoints=store).for_each(
                handle, concurrency=1, attempts=1, on_failure="stop_shard", until="caught_up"
            )
        assert len(shards[left]) == 3
        mine = [told_record(each) for each in world.service.shards[left].records]
        assert len(shards[right]) == 60 - len(mine)
        assert sorted(await rest(world, store)) == sorted(mine[2:])

    def told_record(record):
        image = record["dynamodb"]["NewImage"]
        return image["order_id"]["S"], int(image["number"]["N"])

    world(test)


@pytest.mark.parametrize("is_async", [False, True])
def test_function_takes_what_cannot_be_handled(world, is_async):
    """It gets the change, the error and the attempts, may be asynchronous, and the change counts as done."""

    async def test(world):
        store, taken = MemoryCheckpoints(), []
        fill(world.service, 10)

        async def handle(change):
            if change.new.order_id == "c":
                raise RuntimeError("never")

        async def take_slowly(failure):
            await asyncio.sleep(1)
            taken.append(failure)

        on_failure = take_slowly if is_async else taken.append
        report = await world.changes(checkpoints=store).for_each(
            handle, attempts=3, on_failure=on_failure, until="caught_up"
        )
        (failure,) = taken
        assert isinstance(failure, ChangeFailure)
        assert [told(change) for change in failure.changes] == [("c", 1)]
        assert str(failure.error) == "never"
        assert failure.attempts == 3
        assert "('c'" not in repr(failure)
        assert (report.failed, report.done, report.retried) == (1, 10, 2)
        assert await rest(world, store) == []

    world(test)


def test_function_for_failures_that_fails_ends_everything(world):
    """What it could not take is not passed."""

    async def test(world):
        store = MemoryCheckpoints()
        fill(world.service, 3)

        async def handle(change):
            raise RuntimeError("never")

        def take(failure):
            raise OSError("full")

        with pytest.raises(OSError, match="full"):
            await world.changes(checkpoints=store).for_each(handle, attempts=1, on_failure=take)
        assert len(await rest(world, store)) == 3

    world(test)


def test_ordinary_function_is_no_handler(world):
    """It is refused at its first call, not five times, and its change is not passed."""

    async def test(world):
        store, calls = MemoryCheckpoints(), []
        fill(world.service, 3)
        with pytest.raises(ExpressionError, match="no async function"):
            await world.changes(checkpoints=store).for_each(calls.append, concurrency=1)
        assert len(calls) == 1
        assert len(await rest(world, store)) == 3
        with pytest.raises(ExpressionError, match="is an async function, not None"):
            await world.changes().for_each(None)

    world(test)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concurrency": 0}, "concurrency=0"),
        ({"attempts": 0}, "attempts=0"),
        ({"on_failure": "skip"}, '"raise" or "stop_shard" or a function'),
        ({"until": "end"}, '"closed" or "caught_up"'),
    ],
)
def test_wrong_options_are_refused(world, options, message):
    """Nothing is sent for an option that is not possible."""

    async def test(world):
        async def handle(change):
            pass

        with pytest.raises(ExpressionError, match=message):
            await world.changes().for_each(handle, **options)
        with pytest.raises(ExpressionError, match="max_items=0"):
            await world.changes().for_each_batch(handle, max_items=0)
        assert not world.service.calls

    world(test)


# ── the end ──


def test_stop_drains(world):
    """No change begins any more, those that have begun finish, and none of them comes again."""

    async def test(world):
        store = MemoryCheckpoints()
        fill(world.service, 100)
        seen = []
        stream = world.changes(checkpoints=store)

        async def handle(change):
            await asyncio.sleep(1 + change.new.number % 3)
            seen.append(told(change))

        work = asyncio.ensure_future(stream.for_each(handle, concurrency=5))
        await asyncio.sleep(10.5)
        stream.stop()
        report = await work
        assert asyncio.get_running_loop().time() < 20.5
        assert report.done == len(seen) > 20
        assert len(seen) + len(await rest(world, store)) == 100

    world(test)


def test_drain_has_a_time(world):
    """Handlers that go on for longer are cancelled, and their changes come again."""

    async def test(world):
        store = MemoryCheckpoints()
        fill(world.service, 3)
        cancelled = []
        stream = world.changes(checkpoints=store, drain_seconds=5)

        async def handle(change):
            try:
                await asyncio.sleep(100 if change.new.order_id == "b" else 1)
            except asyncio.CancelledError:
                cancelled.append(told(change))
                raise

        work = asyncio.ensure_future(stream.for_each(handle))
        await asyncio.sleep(2)
        stream.stop()
        await work
        assert 7 <= asyncio.get_running_loop().time() < 7.5
        assert cancelled == [("b", 1)]
        assert await rest(world, store) == [("b", 1), ("c", 1)]

    world(test)


def test_cancellation_saves_what_was_done(world):
    """Handlers are cancelled at once, positions are saved, and the cancellation goes on."""

    async def test(world):
        store = MemoryCheckpoints()
        fill(world.service, 30)
        seen = []

        async def handle(change):
            await asyncio.sleep(1)
            seen.append(told(change))

        work = asyncio.ensure_future(world.changes(checkpoints=store).for_each(handle, concurrency=1))
        await asyncio.sleep(10.5)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert asyncio.get_running_loop().time() < 10.6
        assert len(seen) == 10
        assert await rest(world, store) == world.service.written[10:]
        assert len(world.port.tasks) == 0

    world(test)


def test_cancellation_by_a_time_limit(world):
    """asyncio.timeout around it ends it in good order, and no task is left."""

    async def test(world):
        store = MemoryCheckpoints()
        fill(world.service, 30)

        async def handle(change):
            await asyncio.sleep(1)

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5.5):
                await world.changes(checkpoints=store).for_each(handle, concurrency=1)
        assert len(await rest(world, store)) == 25
        assert len(world.port.tasks) == 0

    world(test)


def test_client_that_closes_ends_it(world):
    """Closing the client cancels the work, and the caller is told."""

    async def test(world):
        store = MemoryCheckpoints()
        fill(world.service, 3)

        async def handle(change):
            await asyncio.sleep(100)

        work = asyncio.ensure_future(world.changes(checkpoints=store).for_each(handle))
        await asyncio.sleep(1)
        await world.port.tasks.cancel()
        with pytest.raises(ClientStateError, match="closed while changes"):
            await work
        async with world.changes(checkpoints=store) as changes:
            await anext(changes)
            await world.port.tasks.cancel()
            with pytest.raises(ClientStateError, match="closed while changes"):
                await anext(changes)

    world(test)


def test_handler_that_stops_its_stream(world):
    """A handler may end everything by `stop`, and its own change is done."""

    async def test(world):
        store = MemoryCheckpoints()
        fill(world.service, 10)
        stream = world.changes(checkpoints=store)

        async def handle(change):
            if told(change) == ("d", 1):
                stream.stop()

        await stream.for_each(handle, concurrency=1)
        assert await rest(world, store) == world.service.written[4:]
        stream.stop()

    world(test)


# ── positions ──


def test_positions_are_written_every_few_seconds(world):
    """Not with each change: once in `checkpoint_seconds`, when something was done, and at the end."""

    async def test(world):
        store = MemoryCheckpoints()
        writes = []
        fill(world.service, 100)
        member = await store.join("test", world.service.arn)
        save = type(member).save

        async def counted(self, progress):
            writes.append(asyncio.get_running_loop().time())
            return await save(self, progress)

        await member.close()
        type(member).save = counted
        try:

            async def handle(change):
                await asyncio.sleep(1)

            stream = world.changes(checkpoints=store, checkpoint_seconds=5.0)
            work = asyncio.ensure_future(stream.for_each(handle, concurrency=1, until="caught_up"))
            await asyncio.sleep(600)
            await work
        finally:
            type(member).save = save
        assert 18 <= len(writes) <= 22
        assert all(later - earlier >= 4.9 for earlier, later in itertools.pairwise(writes[:-1]))

    world(test)


def test_killed_process_repeats_what_was_not_saved(world):
    """At most the changes since the last writing come again, and none is lost."""

    async def test(world):
        store = MemoryCheckpoints()
        fill(world.service, 100)
        seen = []
        port = world.new_port()

        async def handle(change):
            await asyncio.sleep(0.1)
            seen.append(told(change))

        work = asyncio.ensure_future(
            world.changes(checkpoints=store, port=port, checkpoint_seconds=2.0).for_each(handle, concurrency=1)
        )
        await asyncio.sleep(5.05)
        saved = dict(store._saved)
        work.cancel()
        await asyncio.wait([work])
        store._saved.update(saved)  # the last position of a killed process is never written
        again = await rest(world, store)
        assert set(again) | set(seen) == set(world.service.written)
        repeated = len(again) + len(seen) - 100
        assert 0 < repeated <= 20 + 1

    world(test)


# ── batches ──


def test_batches_are_full_or_waited_for(world):
    """A list has the number that was asked for, or comes when its first change has waited long enough."""

    async def test(world):
        fill(world.service, 25)
        lists = []

        async def handle(changes):
            lists.append(([told(change) for change in changes], asyncio.get_running_loop().time()))

        stream = world.changes(idle=0.1)
        await stream.for_each_batch(handle, max_items=10, max_wait=3.0, until="caught_up")
        assert [len(each) for each, _ in lists] == [10, 10, 5]
        assert [each for found, _ in lists for each in found] == world.service.written
        assert lists[1][1] < 1
        assert 3.0 <= lists[2][1] < 3.5

    world(test)


def test_large_batch_becomes_full(world):
    """A shard is read as far ahead as a list needs, however small its pages are."""

    async def test(world):
        world.service.page_limit = 7
        fill(world.service, 5000)
        sizes = []

        async def handle(changes):
            sizes.append(len(changes))

        stream = world.changes(idle=0.01)
        await stream.for_each_batch(handle, max_items=2500, max_wait=500.0, until="caught_up")
        assert sizes == [2500, 2500]

    world(test)


def test_batch_of_a_shard_that_ended_is_not_waited_for(world):
    """No more comes after the last page, so that its rest is handled at once."""

    async def test(world):
        fill(world.service, 5)
        world.service.split()
        lists = []

        async def handle(changes):
            lists.append((len(changes), asyncio.get_running_loop().time()))

        stream = world.changes(idle=0.1)
        await stream.for_each_batch(handle, max_items=10, max_wait=60.0, until="caught_up")
        assert lists[0][0] == 5
        assert lists[0][1] < 1

    world(test)


def test_batches_of_one_shard_follow_one_another(world):
    """Different shards are handled side by side, the lists of one in their order."""

    async def test(world):
        world.service.split(parts=4)
        fill(world.service, 200, keys=[f"k{number}" for number in range(50)])
        busy, most, values = set(), 0, {}

        async def handle(changes):
            nonlocal most
            (shard,) = {change.shard for change in changes}
            assert shard not in busy
            busy.add(shard)
            most = max(most, len(busy))
            await asyncio.sleep(1)
            busy.discard(shard)
            values.setdefault(shard, []).extend(change.sequence_number for change in changes)

        report = await world.changes().for_each_batch(handle, max_items=7, until="caught_up")
        assert most == 4
        assert report.done == 200
        assert all(numbers == sorted(numbers) for numbers in values.values())

    world(test)


def test_list_that_fails_is_given_again_as_a_whole(world):
    """Its changes are done together or not at all."""

    async def test(world):
        store, lists = MemoryCheckpoints(), []
        fill(world.service, 6)

        async def handle(changes):
            lists.append([told(change) for change in changes])
            if len(lists) == 1:
                raise RuntimeError("once")
            if len(changes) == 2:
                raise RuntimeError("never")

        with pytest.raises(RuntimeError, match="never"):
            await world.changes(checkpoints=store).for_each_batch(handle, max_items=4, max_wait=0, attempts=2)
        assert lists[0] == lists[1] == world.service.written[:4]
        assert lists[2] == lists[3] == world.service.written[4:]
        assert await rest(world, store) == world.service.written[4:]

    world(test)


def test_stop_drops_lists_that_have_not_begun(world):
    """What waits for its list is not begun, and comes again; nothing waits for its time."""

    async def test(world):
        store = MemoryCheckpoints()
        fill(world.service, 30)
        lists = []
        stream = world.changes(checkpoints=store)

        async def handle(changes):
            lists.append(len(changes))
            await asyncio.sleep(1)

        work = asyncio.ensure_future(stream.for_each_batch(handle, max_items=20, max_wait=1000))
        await asyncio.sleep(5)
        stream.stop()
        await work
        assert lists == [20]
        assert asyncio.get_running_loop().time() < 6
        assert len(await rest(world, store)) == 10

    world(test)


def test_waiting_list_does_not_poll(world):
    """While lists wait for a busy handler, the loop has nothing to do."""

    async def test(world):
        fill(world.service, 300)

        async def handle(changes):
            await asyncio.sleep(10_000)

        stream = world.changes(idle=1000)
        work = asyncio.ensure_future(
            stream.for_each_batch(handle, max_items=10, max_wait=0, concurrency=1, until="caught_up")
        )
        begun = time.process_time()
        await asyncio.sleep(30_000)
        assert time.process_time() - begun < 2
        work.cancel()
        await asyncio.wait([work])

    world(test)


# ── numbers ──


def test_report_says_how_far_it_is(world):
    """Delivered, done, the position and the seconds behind of each shard; 0 where nothing is left."""

    async def test(world):
        fill(world.service, 2)
        stream = world.changes(idle=0.5)
        assert stream.report.behind is None
        assert stream.report.shards == ()
        async with stream as changes:
            await anext(changes)
            await asyncio.sleep(30)
            await anext(changes)
            report = stream.report
            assert (report.delivered, report.done, len(report.shards)) == (2, 1, 1)
            assert 30 <= report.behind < 31
            waiting = asyncio.ensure_future(anext(changes))
            await asyncio.sleep(10)
            assert stream.report.behind == 0.0
            assert stream.report.shards[0].undone == 0
            assert "2 delivered, 2 done, 1 shard, 0.0 s behind" in repr(stream)
            waiting.cancel()

    world(test)


def test_span_is_open_around_each_attempt(world):
    """An instrument that has spans is told the table, the consumer, the shard, the number and the attempt."""

    class Spans:
        def __init__(self):
            self.records, self.ends = [], []

        def handler_span(self, handler):
            self.records.append(handler)
            return self

        def __enter__(self):
            return self

        def __exit__(self, kind, error, traceback):
            self.ends.append(kind)

    async def test(world):
        spans = Spans()
        world.port.instruments = [object(), spans]
        fill(world.service, 2)
        failing = iter([RuntimeError("once")])

        async def handle(change):
            for error in failing:
                raise error

        await world.changes(checkpoints=MemoryCheckpoints()).for_each(handle, concurrency=1, until="caught_up")
        assert [(each.attempt, each.changes) for each in spans.records] == [(1, 1), (2, 1), (1, 1)]
        assert spans.ends == [RuntimeError, None, None]
        assert {(each.table, each.consumer) for each in spans.records} == {("orders", "test")}
        assert all(each.shard.startswith("shardId-") and int(each.number) for each in spans.records)

    world(test)
