"""One process with our client: CPU for an item and for a call as the work grows, and memory of a long scan.

Run by ``run.py`` in our client's environment; prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import statistics
import sys
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the folder is no installed package
sys.path.insert(0, str(HERE.parent / "calls" / "peers"))

from harness import workload
from harness.measure import Settings, cpu_seconds, drive
from mizzle_client import Order

from mizzle_async import Client, PoolConfig

SIZES = (10, 100, 1_000, 10_000)
CONCURRENCIES = (1, 10, 100, 1_000)
PAGE = 10
LARGEST_PAGE = 2_500  # of 400 bytes: 1 MB, where the service ends a page
SCANS = (100, 1_000, 10_000, 100_000)
SCAN_PAGE = 250


async def cpu_of(call: Callable[[], Awaitable[Any]], times: int) -> float:
    """Return the CPU microseconds of one call."""
    gc.collect()
    started = cpu_seconds()
    for _ in range(times):
        await call()
    return (cpu_seconds() - started) / times * 1e6


async def items(client: Client, rounds: int, budget: int) -> dict[str, dict[str, list[float]]]:
    """Measure CPU for an item at each size, the sizes in turns: in small pages, in large ones, in batches."""
    found: dict[str, dict[str, list[float]]] = {}
    calls: dict[tuple[str, int], Callable[[], Awaitable[Any]]] = {}
    for size in SIZES:
        paged = client.table(Order, name=f"orders-{size}-{PAGE}")
        whole = client.table(Order, name=f"orders-{size}-{LARGEST_PAGE}")
        keys = [workload.key(number) for number in range(size)]
        rows = [Order(**workload.native(number)) for number in range(size)]
        condition = Order.customer_id == workload.PARTITION
        calls["query().all(), pages of 10", size] = paged.query(condition).all
        calls["query().all(), pages of 1 MB", size] = whole.query(condition).all
        calls["get_many()", size] = lambda table=whole, keys=keys: table.get_many([table.key(**key) for key in keys])
        calls["put_many()", size] = lambda table=whole, rows=rows: table.put_many(rows)
    for call in calls.values():
        await call()
    for _ in range(rounds):
        for (name, size), call in calls.items():
            cpu = await cpu_of(call, max(1, budget // size))
            found.setdefault(name, {}).setdefault(str(size), []).append(cpu / size)
    return found


async def calls(client: Client, rounds: int, count: int) -> dict[str, list[float]]:
    """Measure CPU for a GetItem at each number of concurrent calls, in turns."""
    orders = client.table(Order)

    async def get_item() -> Any:
        return await orders.get(customer_id=workload.PARTITION, order_id=workload.order_id(0))

    found: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for concurrency in CONCURRENCIES:
            answer = await drive(get_item, max(count, concurrency * 3), concurrency)
            if number:
                found.setdefault(str(concurrency), []).append(answer["cpu_us"])
    return found


async def scan_memory(client: Client) -> dict[str, float]:
    """Measure the peak of Python's memory while scanning tables of each size, in kilobytes."""
    peaks = {}
    for size in SCANS:
        table = client.table(Order, name=f"orders-{size}-{SCAN_PAGE}")
        tracemalloc.start()
        read = 0
        async for _ in table.scan():
            read += 1
        peaks[str(size)] = tracemalloc.get_traced_memory()[1] / 1024
        tracemalloc.stop()
        if read != size:
            raise workload.WrongAnswerError(f"read {read} of {size} items")
    return peaks


async def main() -> None:
    """Measure everything once."""
    order = json.loads(sys.argv[1])
    settings = Settings(**order["settings"])
    async with Client(endpoint_url=settings.endpoint, pool=PoolConfig(max_connections=128), timeout=60.0) as client:
        outcome = {
            "cpu_us_per_item": await items(client, order["rounds"], order["items"]),
            "cpu_us_per_call": await calls(client, order["rounds"], order["calls"]),
            "scan_peak_kb": await scan_memory(client),
        }
    outcome["cpu_us_per_item"] = {
        name: {size: round(statistics.median(figures), 3) for size, figures in sizes.items()}
        for name, sizes in outcome["cpu_us_per_item"].items()
    }
    outcome["cpu_us_per_call"] = {
        size: round(statistics.median(figures), 1) for size, figures in outcome["cpu_us_per_call"].items()
    }
    outcome["resident_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(outcome))


if __name__ == "__main__":
    asyncio.run(main())
