"""The measured process: it reads pages of records in each of the ways, in turns, and prints CPU times as JSON.

Run by `run.py`: ``python probe.py '{"rounds": 5, "pages": 20}'``.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # the folder is no installed package

import orjson
from records import PAGE, Order, StreamInMemory, parser_of

from mizzle_async import Client, Table
from mizzle_async.operations.streams import ChangeDecoder, GetRecords
from mizzle_async.writing.table_part import target_of


def cpu() -> float:
    """Return the CPU seconds of this process, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def memory() -> int:
    """Return the resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def ways(pages: int) -> dict[str, Callable[[], Awaitable[int]]]:
    """Return the ways to read the pages, by name; each returns how many changes it has seen."""
    stream = StreamInMemory(pages)
    bodies = stream.keep()
    client = await Client(caller=stream).open()
    orders = client.table(Order)
    decoder = ChangeDecoder(target_of(orders))
    form = decoder.form
    if form is None:
        raise SystemExit("the entity has no lighter form")

    async def parse() -> int:
        return sum(len(orjson.loads(body)["Records"]) for body in bodies)

    async def decode() -> int:
        seen = 0
        for body in bodies:
            for record in form.parse(body)["Records"]:
                decoder.decode(record, record["dynamodb"]["SequenceNumber"])
                seen += 1
        return seen

    async def check() -> int:
        seen = 0
        parse_page = parser_of(GetRecords("it", form=form).sending.to_request())
        for body in bodies:
            for record in parse_page(body)["Records"]:
                decoder.decode(record, record["dynamodb"]["SequenceNumber"])
                seen += 1
        return seen

    return {
        "orjson alone": parse,
        "bare decode": decode,
        "parsed, checked, decoded": check,
        **consumers(orders),
    }


def consumers(orders: Table[Order]) -> dict[str, Callable[[], Awaitable[int]]]:
    """Return the consumer's own ways to read the pages."""

    async def one_by_one() -> int:
        seen = 0
        async with orders.changes(start="oldest") as changes:
            async for _ in changes:
                seen += 1
        return seen

    async def for_each() -> int:
        async def handle(_: Any) -> None:
            pass

        return (await orders.changes(start="oldest").for_each(handle, concurrency=16)).done

    async def in_batches() -> int:
        async def handle(_: Any) -> None:
            pass

        return (await orders.changes(start="oldest").for_each_batch(handle, max_items=100)).done

    return {"async for": one_by_one, "for_each": for_each, "for_each_batch of 100": in_batches}


async def measure(rounds: int, pages: int) -> dict[str, float]:
    """Return CPU microseconds for a record, in each way: medians of rounds, in turns."""
    found = await ways(pages)
    samples: dict[str, list[float]] = {name: [] for name in found}
    for round_ in range(rounds + 1):
        for name, way in found.items():
            gc.collect()
            before = cpu()
            seen = await way()
            used = cpu() - before
            if seen != pages * PAGE:
                raise SystemExit(f"{name} has seen {seen} of {pages * PAGE}")
            if round_:  # the first one warms up
                samples[name].append(used / seen * 1e6)
    return {name: median(values) for name, values in samples.items()}


async def flatness(records: int) -> dict[str, int]:
    """Return the resident bytes at several points of a long run of ``for_each``."""
    size = 200
    stream = StreamInMemory(records // size, size)
    points: dict[str, int] = {}
    wanted = [records // 20, records // 4, records // 2, records]
    async with Client(caller=stream) as client:
        seen = 0

        async def handle(_: Any) -> None:
            nonlocal seen
            seen += 1
            if seen in wanted:
                gc.collect()
                points[f"{seen:,}"] = memory()

        await client.table(Order).changes(start="oldest", buffer_bytes=1_000_000).for_each(handle)
    if seen != records:
        raise SystemExit(f"for_each has seen {seen} of {records}")
    return points


async def main() -> None:
    """Measure what the coordinator asks for."""
    order = json.loads(sys.argv[1])
    begun = time.perf_counter()
    result: dict[str, Any] = {"cpu_us_per_record": await measure(order["rounds"], order["pages"])}
    if order["records"]:
        result["resident_bytes_at"] = await flatness(order["records"])
    result["seconds"] = round(time.perf_counter() - begun, 1)
    print(json.dumps(result))


asyncio.run(main())
