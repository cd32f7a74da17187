import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from mizzle_async import Inserted, Modified
from mizzle_async.errors import (
    AccessDeniedError,
    ClientStateError,
    ExpressionError,
    InternalServerError,
    LimitExceededError,
    MarshallingError,
    ModelError,
    ResourceNotFoundError,
    ThrottledError,
)
from mizzle_async.operations.streams import DescribeStream, GetRecords, GetShardIterator
from mizzle_async.streams.failures import StreamGapError
from mizzle_async.streams.stores import MemoryCheckpoints


def fill(service, count, keys="abcdefgh"):
    """Write changes of some keys in turn."""
    for number in range(count):
        service.write(keys[number % len(keys)])


def told(change):
    """Return the key and the value of a change."""
    return change.new.order_id, change.new.number


async def read(stream, count):
    """Read so many changes, and say of the last one that it is done."""
    seen = []
    async with stream as changes:
        async for change in changes:
            seen.append(told(change))
            if len(seen) == count:
                stream.stop()
    return seen


async def last(changes):
    """Read changes for ever."""
    async for _ in changes:
        pass


async def handle_all(stream, **options):
    """Handle everything that there is now."""
    seen = []

    async def handle(change):
        seen.append(told(change))

    options.setdefault("until", "caught_up")
    report = await stream.for_each(handle, **options)
    return seen, report


# ── discovery and order ──


def test_every_change_comes_across_splits_and_rolls(world):
    """Shards that were closed before and that close meanwhile are read with their children, each key in its order."""

    async def test(world):
        service = world.service
        service.shard_page = 2
        for _ in range(4):
            fill(service, 20)
            service.split()
            service.split(parts=1)
        fill(service, 20)
        seen = []
        async with world.changes() as changes:
            async for change in changes:
                seen.append(told(change))
                if len(seen) in {30, 60, 90}:
                    service.split()
                    fill(service, 10)
                if len(seen) == len(service.written):
                    break
        assert sorted(seen) == sorted(service.written)
        for key in "abcdefgh":
            values = [value for each, value in seen if each == key]
            assert values == sorted(values)
        assert service.most_readers == 1

    world(test)


@pytest.mark.parametrize("children", ["children", "all", "nothing"])
def test_children_are_found_however_an_engine_answers(world, children):
    """A filter that is ignored, or answered with nothing, is made up for by a listing of all shards."""

    async def test(world):
        service = world.service
        service.children = children
        fill(service, 5)
        async with world.changes() as changes:
            started = asyncio.get_running_loop().time()
            for number in range(4):
                service.split()
                fill(service, 5)
                for _ in range(5 if number else 10):
                    await anext(changes)
            assert asyncio.get_running_loop().time() - started < 10
        assert service.most_readers == 1

    world(test)


def test_children_that_appear_late_are_never_forgotten(world):
    """A closed shard whose children are not listed yet is asked for them again, with growing pauses."""

    async def test(world):
        service = world.service
        fill(service, 3)
        service.split(delay=45.0)
        fill(service, 6)
        seen = await read(world.changes(), 9)
        assert sorted(seen) == sorted(service.written)
        assert asyncio.get_running_loop().time() >= 45
        assert service.calls["DescribeStream"] < 30

    world(test)


def test_shard_that_no_parent_announces_is_found_by_the_minute(world):
    """A listing of all shards every minute finds a shard that is nobody's child."""

    async def test(world):
        service = world.service
        async with world.changes() as changes:
            service.close(service.open[0])
            name = service.add_shard("gone-long-ago")
            fill(service, 1)
            assert (await anext(changes)).shard == name
            assert asyncio.get_running_loop().time() < 70

    world(test)


def test_child_waits_until_its_parent_is_done(world):
    """As long as a change of the parent is being handled, none of the child begins."""

    async def test(world):
        service = world.service
        fill(service, 4)
        service.split()
        fill(service, 8)
        release, begun = asyncio.Event(), []

        async def handle(change):
            begun.append(told(change))
            if told(change) == ("a", 1):
                await release.wait()

        work = asyncio.create_task(world.changes().for_each(handle, until="caught_up"))
        await asyncio.sleep(100)
        assert len(begun) == 4
        release.set()
        await work
        assert len(begun) == 12

    world(test)


def test_descriptions_are_kept_below_five_a_second(world):
    """All consumers of one client together describe streams at most five times a second."""

    async def test(world):
        service = world.service
        service.shard_page = 5
        for _ in range(60):
            service.split(parts=1)
        fill(service, 3)
        both = [world.changes(), world.changes()]
        await asyncio.gather(*(read(stream, 3) for stream in both))
        at = service.described_at
        assert len(at) > 20
        assert all(sum(moment <= other < moment + 0.999 for other in at) <= 5 for moment in at)

    world(test)


# ── where a shard starts ──


def test_latest_leaves_out_what_was_written_before(world):
    """Closed shards are passed over, open ones begin with their next change, later ones with their first."""

    async def test(world):
        service = world.service
        fill(service, 10)
        service.split()
        fill(service, 10)
        async with world.changes(start="latest") as changes:
            service.write("a")
            service.split()
            service.write("a")
            assert [told(await anext(changes))[1] for _ in range(2)] == [5, 6]

    world(test)


def test_latest_before_its_first_record_goes_on_from_its_instant(world):
    """A restart before the first change begins where the first start was, not with what is the latest then."""

    async def test(world):
        service, store = world.service, MemoryCheckpoints()
        fill(service, 5)
        await asyncio.sleep(2)
        async with world.changes(start="latest", checkpoints=store):
            pass
        fill(service, 3)
        await asyncio.sleep(50)
        seen = await read(world.changes(start="latest", checkpoints=store), 3)
        assert seen == service.written[5:]

    world(test)


def test_latest_whose_iterator_expired_skips_nothing(world):
    """An iterator that expired before anything was read is renewed at the first instant, not at the latest change."""

    async def test(world):
        service = world.service
        await asyncio.sleep(5)
        async with world.changes(start="latest") as changes:
            service.fail(ThrottledError("slow"), times=100)
            waiting = asyncio.ensure_future(anext(changes))
            await asyncio.sleep(100)
            fill(service, 2)
            await asyncio.sleep(1000)
            assert told(await waiting) == ("a", 1)
        assert service.calls["GetShardIterator"] > 1

    world(test)


def test_a_time_begins_every_shard_at_its_second(world):
    """A time counts in every shard, closed ones included, and no record of its second is skipped."""

    async def test(world):
        service = world.service
        fill(service, 4)
        await asyncio.sleep(10.9)
        service.write("x")
        service.split()
        service.write("y")
        await asyncio.sleep(5)
        service.write("z")
        start = datetime.fromtimestamp(1_800_000_010.95, UTC)
        assert sorted(await read(world.changes(start=start), 3)) == [("x", 1), ("y", 1), ("z", 1)]
        assert await read(world.changes(start=timedelta(seconds=1)), 1) == [("z", 1)]

    world(test)


def test_engine_that_knows_no_times_drops_older_records(world):
    """Where AT_TIMESTAMP is refused, reading begins with the oldest, and records before the minute are dropped."""

    async def test(world):
        service = world.service
        service.knows_times = False
        fill(service, 4)
        await asyncio.sleep(200)
        service.write("z")
        stream = world.changes(start=timedelta(seconds=1))
        assert await read(stream, 1) == [("z", 1)]
        assert stream.report.records == 5
        assert stream.report.delivered == 1

    world(test)


# ── the end of a shard ──


def test_last_page_of_a_shard_is_delivered(world):
    """The page without a next iterator has records, and an empty page with one is no end."""

    async def test(world):
        service = world.service
        service.page_limit = 3
        await asyncio.sleep(0)
        async with world.changes(idle=0.1) as changes:
            await asyncio.sleep(30)
            fill(service, 7)
            service.split()
            assert [told(await anext(changes)) for _ in range(7)] == service.written

    world(test)


def test_stream_that_is_switched_off_ends_the_iteration(world):
    """All shards closed, the stream disabled: what is left is delivered, then the iteration ends."""

    async def test(world):
        service, store = world.service, MemoryCheckpoints()
        fill(service, 6)
        service.split()
        fill(service, 6)
        service.disable()
        stream = world.changes(checkpoints=store)
        async with stream as changes:
            seen = [told(change) async for change in changes]
        assert sorted(seen) == sorted(service.written)
        async with world.changes(checkpoints=store) as changes:
            assert [change async for change in changes] == []
        assert (await handle_all(world.changes(checkpoints=store), until="closed"))[0] == []

    world(test)


def test_table_that_is_deleted_ends_the_iteration(world):
    """A stream that is gone when its last shard was read to the end is as good as switched off."""

    async def test(world):
        service = world.service
        fill(service, 3)
        async with world.changes() as changes:
            for _ in range(3):
                await anext(changes)
            await asyncio.sleep(1)
            service.disable()
            service.fail(ResourceNotFoundError("no stream"), DescribeStream, times=1000)
            with pytest.raises(StopAsyncIteration):
                await anext(changes)

    world(test)


# ── positions that are gone ──


def test_expired_iterator_is_renewed_after_the_last_record(world):
    """Nothing is lost and nothing repeated, when the caller was slow or the service forgot the iterator."""

    async def test(world):
        service = world.service
        service.page_limit = 2
        fill(service, 6)
        seen = []
        stream = world.changes(buffer_bytes=1)
        async with stream as changes:
            async for change in changes:
                seen.append(told(change))
                service.expire_iterators()
                await asyncio.sleep(1)
                if len(seen) == 6:
                    break
        assert seen == service.written
        assert stream.report.renewed >= 1

    world(test)


def test_old_iterator_is_renewed_before_it_is_used(world):
    """After 14 minutes an iterator is asked for anew, before the service calls it expired."""

    async def test(world):
        service = world.service
        service.page_limit = 2
        fill(service, 4)
        stream = world.changes(buffer_bytes=1)
        async with stream as changes:
            for _ in range(2):
                await anext(changes)
            await asyncio.sleep(850)
            assert [told(await anext(changes)) for _ in range(2)] == service.written[2:]
        assert stream.report.renewed == 0
        assert service.calls["GetShardIterator"] == 2

    world(test)


def test_trimmed_position_raises(world):
    """Changes that are gone before they were read are told, with the shard and both numbers."""

    async def test(world):
        service, store = world.service, MemoryCheckpoints()
        fill(service, 6)
        await read(world.changes(checkpoints=store), 2)
        shard = service.open[0]
        service.trim(shard, 4)
        numbers = [each["dynamodb"]["SequenceNumber"] for each in service.shards[shard].records]
        for _ in range(2):
            with pytest.raises(StreamGapError, match=r"are gone that were not read: the shard .*0001") as raised:
                await handle_all(world.changes(checkpoints=store))
            error = raised.value
            assert (error.shard, error.since, error.until) == (shard, numbers[1], numbers[4])
        async with world.changes(checkpoints=store) as changes:
            with pytest.raises(StreamGapError):
                await anext(changes)

    world(test)


def test_gap_is_passed_where_the_caller_wants_it(world, caplog):
    """It goes on with the oldest change, counts the gap, and logs one warning."""

    async def test(world):
        service, store = world.service, MemoryCheckpoints()
        fill(service, 6)
        await read(world.changes(checkpoints=store), 2)
        service.trim(service.open[0], 4)
        with caplog.at_level(logging.WARNING):
            seen, report = await handle_all(world.changes(checkpoints=store, on_gap="continue"))
        assert seen == service.written[4:]
        assert report.gaps == 1
        assert sum("are gone" in each.message for each in caplog.records) == 1
        assert (await handle_all(world.changes(checkpoints=store)))[0] == []

    world(test)


def test_shard_that_is_gone_with_its_position_is_a_gap(world):
    """A consumer that was away for a day finds neither its shard nor the next one."""

    async def test(world):
        service, store = world.service, MemoryCheckpoints()
        fill(service, 6)
        await read(world.changes(checkpoints=store), 2)
        first = service.open[0]
        (second,) = service.split(parts=1)
        fill(service, 2)
        service.split(parts=1)
        fill(service, 2)
        for each in (first, second):
            service.trim(each, unlist=True)
        async with world.changes(checkpoints=store) as changes:
            with pytest.raises(StreamGapError) as raised:
                await last(changes)
        assert raised.value.shard == first
        seen, report = await handle_all(world.changes(checkpoints=store, on_gap="continue"))
        assert set(seen) <= set(service.written[-2:])
        assert report.gaps == 1
        service.write("z")
        assert (await handle_all(world.changes(checkpoints=store)))[0] == [("z", 1)]

    world(test)


def test_unread_child_that_is_gone_is_a_gap(world):
    """A shard that was done names its children: one that is gone unread is missed."""

    async def test(world):
        service, store = world.service, MemoryCheckpoints()
        fill(service, 2)
        (second,) = service.split(parts=1)
        assert len((await handle_all(world.changes(checkpoints=store)))[0]) == 2
        first = service.shards[second].parent
        fill(service, 2)
        service.split(parts=1)
        for each in (first, second):
            service.trim(each, unlist=True)
        with pytest.raises(StreamGapError) as raised:
            await handle_all(world.changes(checkpoints=store))
        assert raised.value.shard == second

    world(test)


def test_oldest_that_goes_away_at_the_start_is_no_gap(world):
    """A consumer that begins with the oldest change misses none that it was promised."""

    async def test(world):
        service = world.service
        fill(service, 6)
        real = service.answer

        async def answer(request):
            if isinstance(request, GetRecords) and service.calls["GetRecords"] == 0:
                service.trim(service.open[0], 2)
            return await real(request)

        service.answer = answer
        seen, report = await handle_all(world.changes())
        assert seen == service.written[2:]
        assert report.gaps == 0

    world(test)


def test_another_stream_of_the_table_is_a_gap(world):
    """A stream that was switched off and on has another ARN, and recorded nothing in between."""

    async def test(world):
        service, store = world.service, MemoryCheckpoints()
        fill(service, 3)
        await handle_all(world.changes(checkpoints=store))
        service.enable_anew()
        fill(service, 2)
        for _ in range(2):
            with pytest.raises(StreamGapError, match="switched off and on") as raised:
                await handle_all(world.changes(start="latest", checkpoints=store))
            assert raised.value.shard is None
        seen, report = await handle_all(world.changes(start="latest", checkpoints=store, on_gap="continue"))
        assert seen == service.written[3:]
        assert report.gaps == 1
        assert (await handle_all(world.changes(start="latest", checkpoints=store)))[0] == []

    world(test)


def test_failure_at_one_position_is_a_gap_at_last(world):
    """DynamoDB Local fails where AWS says that a position is trimmed: again and again, and at that position alone."""

    async def test(world):
        service, store = world.service, MemoryCheckpoints()
        fill(service, 3)
        await read(world.changes(checkpoints=store), 2)
        real, asked = service._iterator, []

        def iterator(request):
            asked.append(request.kind)
            if request.kind == "AFTER_SEQUENCE_NUMBER":
                raise InternalServerError("failure")
            return real(request)

        service._iterator = iterator
        with pytest.raises(StreamGapError) as raised:
            await handle_all(world.changes(checkpoints=store))
        assert int(raised.value.until) == 2
        assert asked.count("AFTER_SEQUENCE_NUMBER") == 4

    world(test)


@pytest.mark.parametrize("times", [2, 3, 4, 5, 9, 40])
def test_outage_at_a_restart_is_no_gap(world, times):
    """A service that fails for a while at every position, however long, has lost nothing."""

    async def test(world):
        service, store = world.service, MemoryCheckpoints()
        fill(service, 3)
        await read(world.changes(checkpoints=store), 2)
        service.fail(InternalServerError("failure"), GetShardIterator, times=times)
        seen, report = await handle_all(world.changes(checkpoints=store))
        assert seen == service.written[2:]
        assert report.gaps == 0

    world(test)


def test_shard_that_an_engine_does_not_find_for_a_while_is_read_on(world):
    """A listed shard that is not found is asked for again: some engines forget shards."""

    async def test(world):
        service = world.service
        fill(service, 3)
        service.fail(ResourceNotFoundError("Invalid ShardId in ShardIterator"), GetRecords, times=4)
        seen, report = await handle_all(world.changes())
        assert seen == service.written
        assert report.gaps == 0

    world(test)


# ── failures that pass ──


def test_throttled_shard_backs_off_alone(world):
    """While one shard is throttled, the others are read as before."""

    async def test(world):
        service = world.service
        left, _right = service.split()
        fill(service, 40)
        real = service._iterator

        def iterator(request):
            if request.shard == left and service.clock() < 60:
                raise ThrottledError("slow")
            return real(request)

        service._iterator = iterator
        stream = world.changes()
        when = {}
        async with stream as changes:
            for _ in range(40):
                change = await anext(changes)
                when.setdefault(change.shard, asyncio.get_running_loop().time())
        slow = when.pop(left)
        assert max(when.values()) < 2
        assert 60 <= slow < 95
        assert 3 <= stream.report.throttled < 12

    world(test)


def test_outage_is_outlived(world, caplog):
    """Failures of the service and the network pass; one warning tells of each row of them."""

    async def test(world):
        service = world.service
        fill(service, 2)
        async with world.changes() as changes:
            await anext(changes)
            for operation in (GetRecords, DescribeStream):
                service.fail(InternalServerError("down"), operation, times=8)
            service.split()
            fill(service, 3)
            for _ in range(4):
                await anext(changes)
        assert sum("cannot be" in each.message for each in caplog.records) <= 3

    world(test)


def test_throttled_start_waits(world):
    """Many processes that start at once are throttled, and begin a little later."""

    async def test(world):
        fill(world.service, 2)
        world.service.fail(LimitExceededError("slow"), DescribeStream, times=3)
        assert len((await handle_all(world.changes()))[0]) == 2

    world(test)


def test_failure_that_does_not_pass_is_raised(world):
    """A refusal for lack of rights ends everything, and is raised as it is."""

    async def test(world):
        service = world.service
        fill(service, 2)
        service.fail(AccessDeniedError("no"), GetRecords, times=5)
        async with world.changes() as changes:
            with pytest.raises(AccessDeniedError):
                await anext(changes)
        service.faults.clear()
        service.fail(AccessDeniedError("no"), GetRecords, times=5)
        with pytest.raises(AccessDeniedError):
            await handle_all(world.changes())
        service.fail(AccessDeniedError("no"), DescribeStream, times=5)
        with pytest.raises(AccessDeniedError):
            async with world.changes():
                pytest.fail("the block was entered")

    world(test)


# ── images that do not fit ──


def spoil(service, position):
    """Make the image of a change unreadable."""
    shard = service.shards[service.open[0]]
    shard.records[position]["dynamodb"]["NewImage"]["number"] = {"S": "many"}


def test_image_that_does_not_fit_raises_and_is_not_passed(world):
    """It names the shard and the number, has the key, and comes again until it is dealt with."""

    async def test(world):
        service, store = world.service, MemoryCheckpoints()
        fill(service, 3)
        spoil(service, 1)
        for _ in range(2):
            async with world.changes(checkpoints=store) as changes:
                if _ == 0:
                    await anext(changes)
                for _again in range(2):
                    with pytest.raises(MarshallingError, match=r"record 0*\d+ of shard shardId") as raised:
                        await anext(changes)
                assert raised.value.key == {"order_id": {"S": "b"}}
                assert "'b'" not in str(raised.value)
        with pytest.raises(MarshallingError):
            await handle_all(world.changes(checkpoints=store))

    world(test)


@pytest.mark.parametrize("way", ["skip", "function"])
def test_image_that_does_not_fit_is_passed_and_counted(world, way):
    """With "skip" or a function it is done, and the report counts it."""

    async def test(world):
        service, store, errors = world.service, MemoryCheckpoints(), []
        fill(service, 3)
        spoil(service, 1)
        on_error = errors.append if way == "function" else way
        seen, report = await handle_all(world.changes(checkpoints=store, on_error=on_error))
        assert seen == [service.written[0], service.written[2]]
        assert (report.skipped, report.done, len(errors)) == (1, 2, way == "function")
        assert (await handle_all(world.changes(checkpoints=store)))[0] == []

    world(test)


def test_function_for_images_that_raises_ends_everything(world):
    """An error of the caller's own function is raised, and the change is not passed."""

    async def test(world):
        service, store = world.service, MemoryCheckpoints()
        fill(service, 3)
        spoil(service, 1)

        def on_error(error):
            raise RuntimeError("full")

        for _ in range(2):
            with pytest.raises(RuntimeError, match="full"):
                await handle_all(world.changes(checkpoints=store, on_error=on_error))
        async with world.changes(checkpoints=store, on_error=on_error) as changes:
            with pytest.raises(RuntimeError, match="full"):
                await anext(changes)

    world(test)


# ── back-pressure, pace ──


def test_full_buffer_stops_reading(world):
    """At most the room and one page for each shard are read ahead of a caller that is slow."""

    async def test(world):
        service = world.service
        service.page_limit = 10
        service.split()
        fill(service, 400)
        stream = world.changes(buffer_bytes=5000)
        async with stream as changes:
            await anext(changes)
            await asyncio.sleep(100)
            assert 5000 <= stream.report.buffered_bytes <= 5000 + 2 * 2050
            reading = service.calls["GetRecords"]
            await asyncio.sleep(1000)
            assert service.calls["GetRecords"] == reading
            for _ in range(399):
                await anext(changes)
            assert stream.report.buffered_bytes <= 100

    world(test)


def test_one_page_of_a_shard_is_read_ahead(world):
    """A caller that is slow holds one full page and the one behind it, whatever room there is."""

    async def test(world):
        service = world.service
        fill(service, 9000)
        stream = world.changes()
        async with stream as changes:
            for _ in range(500):
                await anext(changes)
            await asyncio.sleep(100)
            assert stream.report.records == 2000
            for _ in range(600):
                await anext(changes)
            await asyncio.sleep(100)
            assert stream.report.records == 3000

    world(test)


def test_idle_shard_is_asked_once_in_idle_seconds(world):
    """Each request is billed: one in `idle` seconds for each shard, and a change is seen within that time."""

    async def test(world):
        service = world.service
        service.split(parts=5)
        async with world.changes(idle=2.0) as changes:
            await asyncio.sleep(20)
            before = service.calls["GetRecords"]
            await asyncio.sleep(100)
            assert 5 * 50 <= service.calls["GetRecords"] - before <= 5 * 66
            service.write("a")
            now = asyncio.get_running_loop().time()
            await anext(changes)
            assert asyncio.get_running_loop().time() - now <= 2.1

    world(test)


def test_full_pages_are_read_without_pauses(world):
    """A consumer that is behind catches up as fast as it can."""

    async def test(world):
        service = world.service
        fill(service, 5000)
        await handle_all(world.changes())
        assert service.calls["GetRecords"] >= 6
        assert asyncio.get_running_loop().time() < 1.5

    world(test)


# ── acknowledgement ──


def test_body_that_raises_leaves_its_change_undone(world):
    """The change of the body that failed comes again, those before it do not."""

    async def test(world):
        service, store = world.service, MemoryCheckpoints()
        fill(service, 5)
        for expected in ((0, 2), (2, 2), (4, 1)):
            first, count = expected
            seen = []
            with suppress(ZeroDivisionError):
                async with world.changes(checkpoints=store) as changes:
                    async for change in changes:
                        seen.append(told(change))
                        if len(seen) > 2 or len(seen) + first == 5:
                            raise ZeroDivisionError
            assert seen[:count] == service.written[first : first + count]

    world(test)


def test_explicit_acknowledgement(world):
    """A change is done when `done()` says so, in any order, by any task; asking for the next says nothing."""

    async def test(world):
        service, store = world.service, MemoryCheckpoints()
        fill(service, 6)
        async with world.changes(checkpoints=store, acknowledge="explicit") as changes:
            taken = [await anext(changes) for _ in range(6)]
            for index in (0, 1, 3, 5, 5):
                taken[index].done()
        async with world.changes(checkpoints=store, acknowledge="explicit") as changes:
            assert [told(await anext(changes)) for _ in range(4)] == service.written[2:]

    world(test)


def test_explicit_word_is_refused_where_it_means_nothing(world):
    """`done()` is for explicit acknowledgement, and `apply()` for a state table."""

    async def test(world):
        fill(world.service, 1)
        async with world.changes() as changes:
            change = await anext(changes)
            with pytest.raises(ClientStateError, match='acknowledge="explicit"'):
                change.done()
            with pytest.raises(ClientStateError, match="state table"):
                await change.apply()

    world(test)


def test_two_tasks_cannot_ask_at_once(world):
    """Asking for the next change says that the one before is done: two tasks would lose changes, and are refused."""

    async def test(world):
        async with world.changes() as changes:
            first = asyncio.ensure_future(anext(changes))
            await asyncio.sleep(1)
            with pytest.raises(ClientStateError, match="two tasks"):
                await anext(changes)
            world.service.write("a")
            assert told(await first) == ("a", 1)
        async with world.changes(acknowledge="explicit") as changes:
            both = [asyncio.ensure_future(anext(changes)) for _ in range(2)]
            await asyncio.sleep(0.1)
            world.service.write("a")
            assert {told(change) for change in await asyncio.gather(*both)} == {("a", 1), ("a", 2)}

    world(test)


def test_cancelled_question_loses_nothing(world):
    """A caller that gives up waiting for the next change gets it with the next question."""

    async def test(world):
        service = world.service
        async with world.changes() as changes:
            for number in range(20):
                with suppress(TimeoutError):
                    await asyncio.wait_for(anext(changes), 0.01 * number)
                    pytest.fail("there was nothing")
            service.write("a")
            assert told(await anext(changes)) == ("a", 1)

    world(test)


@pytest.mark.parametrize("steps", range(12))
def test_cancellation_while_the_block_is_entered_leaves_nothing(world, steps):
    """At whatever step: no task goes on, the store is free, and the next run begins."""

    async def test(world):
        store = MemoryCheckpoints()
        fill(world.service, 2)
        world.service.latency = 0.1

        async def enter():
            async with world.changes(start="latest", checkpoints=store):
                await asyncio.sleep(1000)

        task = asyncio.ensure_future(enter())
        await asyncio.sleep(0.04 * steps)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(world.port.tasks) == 0
        async with world.changes(start="latest", checkpoints=store):
            pass

    world(test)


async def fail_unseen(world, error=None):
    """Have reading fail in a block that asks for no more changes, and that raises an error or not."""
    async with world.changes() as changes:
        await anext(changes)
        world.service.fail(AccessDeniedError("no"), GetRecords, times=5)
        await asyncio.sleep(5)
        if error is not None:
            raise error


def test_error_of_the_body_wins_over_one_of_reading(world):
    """A block that raises raises its own error, and everything has ended behind it."""

    async def test(world):
        fill(world.service, 1)
        with pytest.raises(ZeroDivisionError):
            await fail_unseen(world, ZeroDivisionError)
        assert len(world.port.tasks) == 0

    world(test)


def test_failure_that_was_not_asked_for_is_raised_at_the_end(world):
    """A block that ends before it asks again learns of the failure when it is left: none is silent."""

    async def test(world):
        fill(world.service, 1)
        with pytest.raises(AccessDeniedError):
            await fail_unseen(world)

    world(test)


# ── wrong uses ──


def test_iteration_needs_its_block(world):
    """`async for` without `async with` raises, and says what to write."""

    async def test(world):
        with pytest.raises(TypeError, match="async with"):
            async for _ in world.changes():
                pass

    world(test)


def test_one_stream_is_read_once_at_a_time(world):
    """Entering again, or handling meanwhile, is refused; afterwards it begins anew."""

    async def test(world):
        fill(world.service, 2)
        stream = world.changes()
        async with stream as changes:
            await anext(changes)
            with pytest.raises(ClientStateError, match="already"):
                await stream.__aenter__()
            with pytest.raises(ClientStateError, match="already"):
                await handle_all(stream)
        assert len((await handle_all(stream))[0]) == 2

    world(test)


def test_table_without_a_stream_is_told(world):
    """The error names the table and what to write."""

    async def test(world):
        real = world.service.answer

        async def answer(request):
            return None if request.api == "DescribeTable" else await real(request)

        world.service.answer = answer
        with pytest.raises(ModelError, match="'orders' has no stream"):
            async with world.changes():
                pass
        with pytest.raises(ModelError, match="has no stream"):
            await handle_all(world.changes())

    world(test)


def test_view_that_the_stream_has_not_is_told(world):
    """What the records hold is known before one is read."""

    async def test(world):
        world.service.view = "KEYS_ONLY"
        with pytest.raises(ExpressionError, match=r"holds keys_only, not new_and_old_images: say changes\(view"):
            async with world.changes():
                pass
        fill(world.service, 1)
        async with world.changes(view="keys_only") as changes:
            assert (await anext(changes)).kind == "inserted"

    world(test)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": "now"}, "is no start"),
        ({"on_error": "ignore"}, '"raise" or "skip" or a function'),
        ({"on_gap": "skip"}, '"raise" or "continue"'),
        ({"acknowledge": "auto"}, '"next" or "explicit"'),
        ({"idle": 0}, "a number from 0.01 on"),
        ({"buffer_bytes": 0}, "a number from 1 on"),
        ({"drain_seconds": -1}, "a number from 0 on"),
        ({"checkpoint_seconds": "5"}, "a number from 0 on"),
        ({"consumer": "a"}, "belong together"),
        ({"consumer": "", "checkpoints": MemoryCheckpoints()}, "is no name"),
        ({"consumer": None, "checkpoints": MemoryCheckpoints()}, "belong together"),
        ({"checkpoints": "orders.json"}, "takes a store of positions"),
    ],
)
def test_wrong_settings_are_refused_where_they_are_written(world, settings, message):
    """Nothing is sent for an option that is not possible."""

    async def test(world):
        with pytest.raises(ExpressionError, match=message):
            world.changes(**settings)
        assert not world.service.calls

    world(test)


def test_kinds_of_changes(world):
    """The first change of an item inserts it, later ones modify it."""

    async def test(world):
        fill(world.service, 2, keys="a")
        async with world.changes() as changes:
            first, second = await anext(changes), await anext(changes)
        assert isinstance(first, Inserted)
        assert isinstance(second, Modified)
        assert (second.old.number, second.new.number) == (1, 2)

    world(test)
