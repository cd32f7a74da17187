"""Three processes share the changes of a table over DynamoDB Local, while two are killed and one is stopped.

Every change is handled. What is handled twice was handled by a process after its last saved position, before it was
killed, or gave its shards up because the state table did not answer in time. What is applied by `change.apply` or
`state.once` is applied exactly once, with answers lost and transactions cancelled.

``MIZZLE_TEST_COUNT`` says how many writes there are:
``MIZZLE_TEST_COUNT=100000 pytest tests/processes/test_changes_workers.py --log-cli-level=info --timeout=3000``.
"""

import asyncio
import json
import logging
import os
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from mizzle_async import Attribute, Client, PartitionKey, StateTable, attribute, entity
from mizzle_async.testing import DynamoDBLocal, Fault, FaultProxy, Resharder, sometimes

WRITES = int(os.environ.get("MIZZLE_TEST_COUNT", "2000"))
KEYS = 200
LEASE_SECONDS = 10.0
CHECKPOINT_SECONDS = 1.0
SLACK_SECONDS = 3.0
"""A position is saved in a request, and the processes share two cores."""

HANDLING_SECONDS = 15.0
"""A transaction that is sent again and again holds the position of its shard back for so long at most."""

log = logging.getLogger(__name__)
STATE = StateTable("app-state")


@entity("orders", stream="new_and_old_images")
class Order:
    order_id: PartitionKey[str]
    number: Attribute[int] = attribute(default=0)


@entity("counts")
class Count:
    order_id: PartitionKey[str]
    changes: Attribute[int] = attribute(default=0)
    total: Attribute[int] = attribute(default=0)


@define
class Handled:
    """A line of a worker's log."""

    number: int
    key: str
    event: str
    at: float


@define
class Worker:
    """A process that consumes.

    Attributes:
        log: The file with a line for each change that it handled.
        process: The process.
        killed_at: When it was killed, or None.
    """

    log: Path
    process: asyncio.subprocess.Process
    killed_at: float | None = None

    def handled(self) -> list[Handled]:
        """Return what it has handled. The last line may be cut by a kill."""
        lines = [line.split() for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [Handled(int(number), key, event, float(at)) for number, key, event, at in lines]

    def losses(self) -> list[float]:
        """Return when it gave shards up because the state table was silent for too long."""
        log = Path(f"{self.log}.lost")
        return [float(line) for line in log.read_text().splitlines()] if log.exists() else []

    def kill(self) -> None:
        """Kill it, as ``kill -9`` does."""
        self.killed_at = time.time()
        self.process.send_signal(signal.SIGKILL)

    async def stop(self) -> None:
        """Stop it in good order."""
        self.process.send_signal(signal.SIGTERM)
        assert await self.process.wait() == 0


@define
class Fleet:
    """The workers of one consumer.

    Attributes:
        settings: What each is told.
        folder: The folder of their logs.
        workers: Those that were started.
        written: How many orders a test has written.
    """

    settings: dict[str, Any]
    folder: Path
    workers: list[Worker] = field(factory=list)
    written: int = 1

    async def start(self) -> Worker:
        """Start one more."""
        path = self.folder / f"worker-{len(self.workers)}.log"
        path.touch()
        command = str(Path(__file__).with_name("changes_worker.py"))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            command,
            json.dumps({**self.settings, "log": str(path)}),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        worker = Worker(path, process)
        self.workers.append(worker)
        return worker

    def distinct(self, enough: int) -> int:
        """Return how many changes were handled, each counted once: all lines, while they are not enough."""
        lines = sum(worker.log.read_bytes().count(b"\n") for worker in self.workers)
        if lines < enough:
            return lines
        return len({each.event for worker in self.workers for each in worker.handled()})

    async def until_handled(self, count: int, seconds: float) -> None:
        """Wait until so many changes are handled."""
        async with asyncio.timeout(seconds):
            while (handled := await asyncio.to_thread(self.distinct, count)) < count:
                running = [worker for worker in self.workers if worker.process.returncode is None]
                assert running, f"no worker is left, and {handled} of {count} changes are handled"
                await asyncio.sleep(0.5)

    async def end(self) -> None:
        """End every process that is left."""
        for worker in self.workers:
            if worker.process.returncode is None:
                worker.process.kill()
            await worker.process.wait()


async def write(client: Client, first: int, count: int) -> None:
    """Write numbered orders: the numbers of a key grow."""
    source = (Order(order_id=f"k{number % KEYS}", number=number) for number in range(first, first + count))
    await client.table(Order).put_many(source, concurrency=4)


def client_of(url: str, prefix: str) -> Client:
    """Return a client whose tables are its own."""
    return Client(
        endpoint_url=url,
        region_name="eu-west-1",
        credentials=("local", "local"),
        timeout=60.0,
        table_prefix=prefix,
    )


def check_duplicates(workers: list[Worker], handling: float = 0.0) -> int:
    """Return how many changes were handled again, each by a worker shortly before it was killed, or lost its shards.

    Positions are saved to the same table as heartbeats: where one is silent for so long that shards are lost, the
    others are as old as the lease.

    Args:
        workers: All of them.
        handling: Seconds that the handling of one change may take: the position waits for it.
    """
    by_event: defaultdict[str, list[tuple[float, Worker]]] = defaultdict(list)
    for worker in workers:
        for each in worker.handled():
            by_event[each.event].append((each.at, worker))
    again = 0
    for times in by_event.values():
        for at, worker in sorted(times, key=lambda each: each[0])[:-1]:
            again += 1
            unsaved = CHECKPOINT_SECONDS + SLACK_SECONDS + handling
            ends = [end - unsaved - LEASE_SECONDS for end in worker.losses() if at <= end]
            if worker.killed_at is not None:
                ends.append(worker.killed_at - unsaved)
            assert ends, "a worker that was not killed and lost no shard handled a change that came again"
            assert at >= min(ends), worker
    return again


def check_order(workers: list[Worker]) -> None:
    """Check that the changes of each key were handled first in the order of their numbers."""
    everything = sorted((each for worker in workers for each in worker.handled()), key=lambda each: each.at)
    last: dict[str, int] = {}
    seen = set[str]()
    for each in everything:
        if each.event not in seen:
            assert last.get(each.key, -1) < each.number, each
            last[each.key] = each.number
            seen.add(each.event)


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("mode", ["log", "apply", "once"])
async def test_changes_are_handled_although_processes_are_killed(
    dynamodb_local: DynamoDBLocal, tmp_path: Path, mode: str
) -> None:
    """Two `kill -9` and one stop: nothing is lost, little comes again, and what is applied once is exact."""
    faults = sometimes(
        Fault.drop_after(), 0.0 if mode == "log" else 0.05, random.Random(7), operations=("TransactWriteItems",)
    )
    async with (
        Resharder(dynamodb_local, shards=6, generator=random.Random(8)) as service,
        FaultProxy(service.url, faults) as proxy,
        client_of(service.url, f"{mode}-") as client,
    ):
        await client.ensure_tables(Order, Count, STATE)
        # DynamoDB Local loses the position of a reader whom the first record of a stream meets: it is written before.
        await write(client, 0, 1)
        service.conflict_share = 0.0 if mode == "log" else 0.1
        settings = {
            "url": proxy.url,
            "prefix": f"{mode}-",
            "mode": mode,
            "consumer": mode,
            "lease_seconds": LEASE_SECONDS,
            "checkpoint_seconds": CHECKPOINT_SECONDS,
        }
        fleet, orders = Fleet(settings, tmp_path), client.table(Order).name
        try:
            begun = time.monotonic()
            first, second, third = [await fleet.start() for _ in range(3)]
            part = WRITES // 4
            await write(client, 1, part - 1)
            await fleet.until_handled(part // 2, 900)
            first.kill()
            await fleet.start()
            await write(client, part, part)
            await fleet.until_handled(part + part // 2, 900)
            second.kill()
            await service.split(orders, (await service.shards(orders))[0].id)
            await fleet.start()
            await write(client, 2 * part, part)
            await third.stop()
            await write(client, 3 * part, WRITES - 3 * part)
            await fleet.until_handled(WRITES, 1800)
            seconds = time.monotonic() - begun
            for worker in fleet.workers:
                if worker.process.returncode is None and worker.killed_at is None:
                    await worker.stop()
        finally:
            await fleet.end()
        handled = Counter(each.number for worker in fleet.workers for each in worker.handled())
        assert set(handled) == set(range(WRITES))
        if mode != "log":
            stored = {each.order_id: each async for each in client.table(Count).scan(consistent_read=True)}
            assert sum(each.changes for each in stored.values()) == WRITES
            assert all(
                (each.changes, each.total)
                == (len(range(int(key[1:]), WRITES, KEYS)), sum(range(int(key[1:]), WRITES, KEYS)))
                for key, each in stored.items()
            )
            assert proxy.faulted["drop after"] > WRITES // 100
        again = check_duplicates(fleet.workers, 0.0 if mode == "log" else HANDLING_SECONDS)
        check_order(fleet.workers)
        log.info(
            "%s: %d writes in %.0f s, by %s; %d handled again; shards lost %s; lost answers %d, conflicts %d",
            mode,
            WRITES,
            seconds,
            [len(worker.handled()) for worker in fleet.workers],
            again,
            [len(worker.losses()) for worker in fleet.workers],
            proxy.faulted["drop after"],
            service.refused["TransactionCanceledException"],
        )


@pytest.mark.timeout(900)
async def test_planned_hand_over_of_100_shards_delivers_nothing_twice(
    dynamodb_local: DynamoDBLocal, tmp_path: Path
) -> None:
    """A process that comes takes half of 100 shards from another one, and gives them back when it is stopped."""
    async with (
        Resharder(dynamodb_local, shards=100, generator=random.Random(8)) as service,
        client_of(service.url, "hand-over-") as client,
    ):
        await client.ensure_tables(Order, Count, STATE)
        # DynamoDB Local loses the position of a reader whom the first record of a stream meets: it is written before.
        await write(client, 0, 1)
        settings = {
            "url": service.url,
            "prefix": "hand-over-",
            "mode": "log",
            "consumer": "hand-over",
            "lease_seconds": 3.0,
            "checkpoint_seconds": CHECKPOINT_SECONDS,
        }
        fleet = Fleet(settings, tmp_path)
        rows = client.table(STATE.name, partition_key="scope", sort_key="row")

        async def owned() -> list[int]:
            shards = [row for row in await rows.scan(consistent_read=True).all() if row["row"].startswith("shard#")]
            return sorted(Counter(row["owner"] for row in shards if "owner" in row).values())

        async def until_owned(shares: list[int]) -> None:
            async with asyncio.timeout(180):
                while await owned() != shares:
                    await write(client, fleet.written, 50)  # changes come all the time
                    fleet.written += 50
                    await asyncio.sleep(0.2)

        try:
            first = await fleet.start()
            await until_owned([100])
            second = await fleet.start()
            await until_owned([50, 50])
            async with asyncio.timeout(180):
                while len(second.handled()) < 100:
                    await write(client, fleet.written, 50)
                    fleet.written += 50
                    await asyncio.sleep(0.2)
            await second.stop()
            await until_owned([100])
            await fleet.until_handled(fleet.written, 300)
            await first.stop()
        finally:
            await fleet.end()
        assert check_duplicates(fleet.workers) == 0
        check_order(fleet.workers)
        counts = [len(worker.handled()) for worker in fleet.workers]
        assert sum(counts) == fleet.written
        assert min(counts) > 0
        log.info("hand-over of 100 shards: %d writes, handled by %s, none twice", fleet.written, counts)
