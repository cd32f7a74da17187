"""Changes of real tables on both engines: one by one, by functions, in batches; positions, restarts, ends."""

import asyncio
import time
from datetime import timedelta

import pytest

from mizzle_async import Attribute, Inserted, Modified, PartitionKey, Removed, attribute, entity
from mizzle_async.streams.stores import FileCheckpoints, MemoryCheckpoints


@entity("orders", stream="new_and_old_images")
class Order:
    order_id: PartitionKey[str]
    status: Attribute[str] = attribute(default="new")


@pytest.fixture(autouse=True)
def _real_time(clock):
    """Set the client's clock to the engines' time, which their records carry."""
    clock.now = time.time()


async def collect(changes, count):
    """Return the next changes, acknowledged but for the last."""
    return [await asyncio.wait_for(anext(changes), 20) for _ in range(count)]


async def test_changes_come_in_their_order(client):
    """Each change of each kind comes with its images, in the order of the writes of its key."""
    await client.create_table(Order)
    orders = client.table(Order)
    await orders.put(Order(order_id="a"))
    await orders.put(Order(order_id="a", status="paid"))
    await orders.delete("a")
    async with orders.changes(start="oldest") as changes:
        first, second, third = await collect(changes, 3)
    assert isinstance(first, Inserted)
    assert first.new == Order(order_id="a")
    assert isinstance(second, Modified)
    assert (second.old.status, second.new.status) == ("new", "paid")
    assert second.changed(Order.status)
    assert isinstance(third, Removed)
    assert third.old.status == "paid"
    assert not third.expired


async def test_latest_begins_when_the_block_is_entered(client):
    """What was written before is left out, what is written in the block comes."""
    await client.create_table(Order)
    orders = client.table(Order)
    await orders.put(Order(order_id="before"))
    async with orders.changes(start="latest", idle=0.05) as changes:
        await orders.put(Order(order_id="after"))
        (change,) = await collect(changes, 1)
    assert change.new.order_id == "after"


async def test_time_back_from_now(client):
    """A timedelta begins that long ago; engines that know no times begin within the minute."""
    await client.create_table(Order)
    orders = client.table(Order)
    await orders.put(Order(order_id="a"))
    async with orders.changes(start=timedelta(0), idle=0.05) as changes:
        await orders.put(Order(order_id="b"))
        seen = {change.new.order_id for change in await collect(changes, 1)}
    assert seen <= {"a", "b"}


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_a_restart_goes_on_where_the_last_one_ended(client, tmp_path, kind):
    """What was acknowledged does not come again; the change of a body that breaks does."""
    await client.create_table(Order)
    orders = client.table(Order)
    for number in range(6):
        await orders.put(Order(order_id=f"{number}"))
    memory = MemoryCheckpoints()

    def changes():
        store = memory if kind == "memory" else FileCheckpoints(tmp_path / "positions.json")
        return orders.changes(consumer="test", start="oldest", checkpoints=store, idle=0.05)

    async with changes() as found:
        assert [each.new.order_id for each in await collect(found, 3)] == ["0", "1", "2"]
    async with changes() as found:
        assert [each.new.order_id for each in await collect(found, 2)] == ["2", "3"]
    seen = []

    async def handle(change):
        seen.append(change.new.order_id)

    report = await changes().for_each(handle, until="caught_up")
    assert seen == ["3", "4", "5"]
    assert report.done == report.delivered == 3
    report = await changes().for_each(handle, until="caught_up")
    assert report.delivered == 0
    assert len(seen) == 3


async def test_many_at_once_keep_the_order_of_each_key(client):
    """Changes of one key are handled one after another, however many handlers there are; others side by side."""
    await client.create_table(Order)
    orders = client.table(Order)
    for number in range(60):
        await orders.put(Order(order_id=f"{number % 5}", status=f"{number}"))
    seen, busy, most = {}, set(), 0

    async def handle(change):
        nonlocal most
        key = change.new.order_id
        assert key not in busy
        busy.add(key)
        most = max(most, len(busy))
        await asyncio.sleep(0.001 * (int(change.new.status) % 3))
        seen.setdefault(key, []).append(int(change.new.status))
        busy.discard(key)

    report = await orders.changes(start="oldest").for_each(handle, concurrency=8, until="caught_up")
    assert report.done == 60
    assert most == 5
    assert all(numbers == sorted(numbers) and len(numbers) == 12 for numbers in seen.values())


async def test_batches_are_of_one_shard_and_in_order(client):
    """A list has at most the number that was asked for, and comes after a while when there are fewer."""
    await client.create_table(Order)
    orders = client.table(Order)
    for number in range(25):
        await orders.put(Order(order_id=f"{number}"))
    lists = []

    async def handle(changes):
        lists.append([int(change.new.order_id) for change in changes])

    stream = orders.changes(start="oldest", idle=0.1)
    await stream.for_each_batch(handle, max_items=10, max_wait=0.1, until="caught_up")
    assert [number for each in lists for number in each] == list(range(25))
    assert max(map(len, lists)) <= 10


async def test_end_of_a_stream_ends_everything(client):
    """When the stream is switched off, what is left is delivered, and the iteration ends."""
    await client.create_table(Order)
    orders = client.table(Order)
    for number in range(3):
        await orders.put(Order(order_id=f"{number}"))
    await client.control("UpdateTable", {"TableName": orders.name, "StreamSpecification": {"StreamEnabled": False}})
    async with orders.changes(start="oldest", idle=0.05) as changes:
        seen = [change.new.order_id async for change in changes]
    assert seen == ["0", "1", "2"]
    seen.clear()

    async def handle(change):
        seen.append(change.new.order_id)

    await orders.changes(start="oldest", idle=0.05).for_each(handle)
    assert seen == ["0", "1", "2"]
