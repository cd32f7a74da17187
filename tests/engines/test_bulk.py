import asyncio
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from mizzle_async import (
    Attribute,
    BatchError,
    Client,
    PartitionKey,
    ResumeError,
    SortKey,
    attribute,
    entity,
    evolve,
)

pytestmark = pytest.mark.filterwarnings("ignore::mizzle_async.UnindexedFilterWarning")

ITEMS = int(os.environ.get("MIZZLE_TEST_COUNT", "5000"))
"""Items of the load that is killed: 200,000 once by hand, fewer wherever time counts."""


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    number: SortKey[int]
    total: Attribute[Decimal] = attribute(default=Decimal(0))
    status: Attribute[str] = attribute(default="open")
    tags: Attribute[set[str]] = attribute(factory=set)


@entity("versioned")
class Versioned:
    name: PartitionKey[str]
    count: Attribute[int] = attribute(default=0)
    version: Attribute[int] = attribute(default=0, version=True)


def orders(count):
    """Make orders of a few customers, every third of them closed."""
    return [
        Order(customer_id=f"c{number % 7}", number=number, status="open" if number % 3 else "closed")
        for number in range(count)
    ]


@pytest.fixture
async def table(client):
    """A table with 600 orders."""
    await client.ensure_tables(Order)
    made = client.table(Order)
    report = await made.put_many(orders(600))
    assert report.written == 600
    assert report.write_units >= 600
    return made


async def test_batches_over_the_limits_of_one_request(client, table):
    """Any number of items is put, read and deleted; keys come back in their order, each read once."""
    keys = [table.key(order) for order in orders(700)]
    found = await table.get_many([*keys, *keys[:50]], consistent_read=True)
    assert [order and order.number for order in found] == [
        *(number if number < 600 else None for number in range(700)),
        *range(50),
    ]
    assert (await table.delete_many(keys[:599])).written == 599
    assert [order.number async for order in table.scan()] == [599]


async def test_batch_write_and_writer(client, table):
    """Puts and deletes mix, pushed or listed."""
    await client.batch_write(
        *(table.delete(order) for order in orders(300)), table.put(Order(customer_id="new", number=1))
    )
    async with client.writer() as writer:
        for order in orders(100):
            await writer.put(order)
        await writer.delete(Order(customer_id="new", number=1))
    assert await table.scan().count() == 400


async def test_send_all_updates(client, table):
    """Updates, which no batch takes, are sent many at once, each with its outcome."""
    updates = (table.update(order).add(Order.total, 1).when(Order.status == "open") for order in orders(60))
    outcomes = [outcome.succeeded async for _, outcome in client.send_all(updates, concurrency=8)]
    assert outcomes.count(True) == 40
    assert len(await table.scan().filter(Order.total == 1).all()) == 40


async def test_delete_where(table):
    """What a condition finds is deleted, and nothing else."""
    report = await table.scan(segments=3).delete_where(Order.status == "closed")
    assert (report.written, report.unchanged) == (200, 0)
    left = await table.scan().all()
    assert {order.status for order in left} == {"open"}
    assert len(left) == 400
    assert (await table.query(Order.customer_id == "c1").delete_where()).written == sum(
        1 for order in left if order.customer_id == "c1"
    )


async def test_rewrite(table):
    """Every item becomes what a function makes of it; None, and no difference, leave it."""

    async def change(order):
        if order.number % 2:
            return None
        return evolve(order, total=order.total + 1, tags={"even"})

    report = await table.scan(segments=2).rewrite(change)
    assert (report.written, report.unchanged) == (300, 300)
    assert all((order.total == 1) == (order.number % 2 == 0) for order in await table.scan().all())
    assert (await table.scan(max_items=10).rewrite(lambda order: evolve(order, status="seen"))).written == 10


async def test_rewrite_does_not_lose_what_others_write(client, table):
    """An item that somebody changes between reading and writing is read and changed again."""
    meddled = []

    async def change(order):
        if order.number == 5 and not meddled:
            meddled.append(order)
            await table.update(order).add(Order.total, 100)
        return evolve(order, total=order.total + 1)

    await table.query(Order.customer_id == "c5").rewrite(change)
    assert (await table.get_one(customer_id="c5", number=5)).total == 101

    await client.ensure_tables(Versioned)
    versioned = client.table(Versioned)
    await versioned.insert(Versioned(name="a"))

    async def count(item):
        if item.version == 1:
            await versioned.update(item).add(Versioned.count, 10)
        return evolve(item, count=item.count + 1)

    await versioned.scan().rewrite(count)
    assert (await versioned.get_one("a")).count == 11
    assert (await versioned.scan().delete_where()).written == 1


async def test_failing_change_stops_and_says_where(table):
    """An error of the function reaches the caller; what was changed stays changed."""

    def change(order):
        if order.number == 100:
            raise ZeroDivisionError
        return evolve(order, status="seen")

    work = table.query(Order.customer_id == "c2").rewrite(change, concurrency=1)
    with pytest.raises(ZeroDivisionError):
        await work
    assert work.report.failed[0].item == table.key(customer_id="c2", number=100)
    assert await table.scan().filter(Order.status == "seen").count() == work.report.written == 14


async def test_service_s_refusals_are_named_or_handed_on(table):
    """Items that cannot be changed stop the work, or go to a function and leave the rest to be done."""

    def change(order):
        return evolve(order, status="x" * 450_000 if order.number == 2 else "seen")

    with pytest.raises(BatchError) as caught:
        await table.query(Order.customer_id == "c2").rewrite(change, concurrency=1)
    assert len(caught.value.report.failed) == 1
    rejected = []
    report = await table.query(Order.customer_id == "c2").rewrite(change, on_error=rejected.append)
    assert len(rejected) == report.rejected == 1
    assert report.written == 85


def lines(path: Path) -> list[int]:
    """Return the numbers of the exported orders."""
    return [int(orjson.loads(line)["Item"]["number"]["N"]) for line in path.read_bytes().splitlines()]


async def test_export(table, tmp_path):
    """Every item is a line; a filter and a projection say what is exported."""
    report = await table.scan(segments=4).export(tmp_path / "all.jsonl")
    assert report.written == report.evaluated == 600
    assert sorted(lines(tmp_path / "all.jsonl")) == list(range(600))
    await table.scan().filter(Order.status == "closed").project(Order.number).export(str(tmp_path / "some.jsonl"))
    assert sorted(lines(tmp_path / "some.jsonl")) == list(range(0, 600, 3))
    assert (
        (await table.scan(max_items=7).export(tmp_path / "few.jsonl")).written
        == len(lines(tmp_path / "few.jsonl"))
        == 7
    )


async def test_stopped_export_goes_on(table, tmp_path):
    """An export that ends early leaves no item out and has none twice when it is begun again."""
    path, state = tmp_path / "all.jsonl", tmp_path / "state.json"
    seen = []

    class KilledError(Exception):
        pass

    def progress(report):
        seen.append(report.written)
        if report.written > 200:
            raise KilledError

    def export(progress=None):
        scan = table.scan(segments=3, page_size=20)
        return scan.export(path, resume=state, checkpoint_pages=4, progress=progress, read_units_per_second=10_000)

    with pytest.raises(KilledError):
        await export(progress)
    with path.open("ab") as file:
        file.write(b'{"Item": {"number": {"N": "1')  # what a kill in the middle of writing leaves
    report = await export()
    assert report.written < 600
    assert sorted(lines(path)) == list(range(600))
    assert json.loads(state.read_text())["complete"]
    assert (await export()).written == 0
    path.unlink()
    with pytest.raises(ResumeError, match="less than"):
        await export()
    with pytest.raises(ResumeError, match="other work"):
        await table.scan(segments=2).export(path, resume=state)


async def test_resumable_scan(table, tmp_path):
    """A scan that is left and begun again goes on after the last page that was read to its end."""
    state = tmp_path / "state.json"
    first = []
    reading = table.scan(segments=2, page_size=50).resumable(state)
    async for order in reading:
        first.append(order.number)
        if len(first) == 230:
            break
    await reading.aclose()
    second = [order.number async for order in table.scan(segments=2, page_size=50).resumable(state)]
    assert set(first) | set(second) == set(range(600))
    assert len(second) <= 600 - 230 + 50
    assert [order async for order in table.scan(segments=2, page_size=50).resumable(state)] == []


async def test_killed_rewrite_goes_on(table, tmp_path):
    """A rewrite that was cancelled goes on from its last page, and every item is changed."""
    state = tmp_path / "state.json"
    scan = table.scan(page_size=50)

    async def change(order):
        await asyncio.sleep(0)
        return evolve(order, status="seen")

    done = asyncio.Event()
    task = asyncio.create_task(scan.rewrite(change, resume=state, progress=lambda _report: done.set()).send())
    await done.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    report = await scan.rewrite(change, resume=state)
    assert report.evaluated <= 550
    assert await table.scan().filter(Order.status == "seen").count() == 600


async def test_load_that_is_killed_is_resumed(engine, tmp_path, new_table_name):
    """After `kill -9` in the middle of a load, the same load finishes it: an independent scan finds every item."""
    name, state = new_table_name(), tmp_path / "state.json"
    async with Client(
        endpoint_url=engine.endpoint_url, region_name="eu-west-1", credentials=("local", "local"), timeout=120.0
    ) as client:
        legacy = client.table(name, partition_key="name", sort_key="number", sort_key_type=int)
        await client.create_table(legacy)
        loader = [sys.executable, str(Path(__file__).with_name("bulk_loader.py"))]
        command = [*loader, engine.endpoint_url, name, str(ITEMS), str(state)]

        def kill_halfway() -> None:
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    if int(line) >= ITEMS // 2:
                        break
                process.kill()

        await asyncio.to_thread(kill_halfway)
        saved = json.loads(state.read_text())
        assert 0 < saved["done"] < ITEMS
        resumed = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
        _, written, skipped = resumed.stdout.splitlines()[-1].split()
        settled = saved["done"] + sum(end - start for start, end, _ in saved.get("beyond", ()))
        assert (int(written), int(skipped)) == (ITEMS - settled, settled)
        assert sorted([item["number"] async for item in legacy.scan(segments=4)]) == list(range(ITEMS))
