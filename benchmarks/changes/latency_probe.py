"""The measured process of the latency figure: it writes items, and hands their changes to a handler, on one clock.

Run by `run.py`: ``python latency_probe.py URL ORDER``. It prints milliseconds as JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from typing import Any

from mizzle_async import Attribute, Change, Client, Inserted, Modified, PartitionKey, attribute, entity

KEYS = 64
LEAD_SECONDS = 4.0
"""Until the pauses of shards without changes have grown to ``idle``."""


@entity("latencies", stream="new_and_old_images")
class Reading:
    """An item that is written again and again."""

    name: PartitionKey[str]
    number: Attribute[int] = attribute(default=0)


def percentile(values: list[float], share: float) -> float:
    """Return a percentile in milliseconds."""
    return round(sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000, 1)


async def main() -> None:
    """Write for a while, and measure."""
    url, order = sys.argv[1], json.loads(sys.argv[2])
    clock, draw = time.perf_counter, random.Random(order["shards"])
    sent: dict[int, float] = {}
    writing: list[float] = []
    begun: dict[int, float] = {}
    writing_ends: list[float] = []
    is_over = asyncio.Event()

    async def handle(change: Change[Reading]) -> None:
        if isinstance(change, Inserted | Modified) and change.new.number in sent:
            begun.setdefault(change.new.number, clock())
            if writing_ends and len(begun) == len(sent):
                is_over.set()

    async with Client(endpoint_url=url, region_name="eu-west-1", credentials=("id", "secret")) as client:
        await client.ensure_tables(Reading)
        readings = client.table(Reading)
        await readings.put(Reading(name="first", number=-1))
        stream = readings.changes(start="oldest", idle=order["idle"])
        work = asyncio.ensure_future(stream.for_each(handle, concurrency=16))

        async def write(number: int) -> None:
            sent[number] = clock()
            await readings.put(Reading(name=f"k{draw.randrange(KEYS)}", number=number))
            writing.append(clock() - sent[number])

        await asyncio.sleep(LEAD_SECONDS)
        asked, started = stream.report.requests, clock()
        writes = [asyncio.ensure_future(write(0))]
        while clock() - started < order["seconds"]:
            await asyncio.sleep(draw.expovariate(order["writes_per_second"]))
            writes.append(asyncio.ensure_future(write(len(writes))))
        pages, elapsed = stream.report.requests - asked, clock() - started
        await asyncio.gather(*writes)
        writing_ends.append(clock())
        async with asyncio.timeout(30):
            if len(begun) < len(sent):
                await is_over.wait()
        stream.stop()
        await work
    latencies = [begun[number] - at for number, at in sent.items()]
    found: dict[str, Any] = {
        "writes": len(sent),
        "p50_ms": percentile(latencies, 0.5),
        "p99_ms": percentile(latencies, 0.99),
        "the write itself, p50_ms": percentile(writing, 0.5),
        "between two pages of a shard, ms": round(elapsed * order["shards"] / pages * 1000, 1),
    }
    print(json.dumps(found))


asyncio.run(main())
