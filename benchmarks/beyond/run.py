"""Measure frames, exports and workers as ratios, in one run and in turns. See README.md beside it.

Run: ``python benchmarks/beyond/run.py``, with the extra ``arrow`` and, for its baseline, boto3.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # the folder is no installed package

import installed
import outcome
from shop import Order, Status, make_orders

from mizzle_async import Client
from mizzle_async.flow.work import BulkWork
from mizzle_async.integrations.arrow import arrow_batches_from_lines, arrow_schema
from mizzle_async.integrations.arrow.framing import entity_framer
from mizzle_async.integrations.arrow.writing import rows_maker
from mizzle_async.marshalling import Marshaller
from mizzle_async.model import schema_of
from mizzle_async.testing import EmbeddedEngine

PAGE = 2_500
EXPORT_PAGES = 8
"""The lines of an export are those of so many pages: a file has far more than one."""

TARGETS = {
    "page → Arrow / page → instances → Arrow": ("at most", 0.55),
    "page → Arrow / page → instances": ("at most", 0.75),
    "page → Arrow / boto3's dicts": ("at most", 0.2),
    "page that fits no record / page → instances → Arrow": ("at most", 1.5),
    "frame → items / frame → instances → items": ("at most", 0.7),
    "boto3's dicts / lines of an export → Arrow": ("at least", 5.0),
    "CPU an item, two workers / one process, export": ("at most", 1.2),
    "CPU an item, two workers / one process, rewrite": ("at most", 1.2),
}


def cpu() -> float:
    """Return the CPU seconds of this process and its children."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in (own, children))


def in_turns(ways: dict[str, Callable[[], Any]], rounds: int, items: int) -> dict[str, float]:
    """Return the CPU microseconds an item of each way, the least of all rounds: the machine has other work too.

    Each round begins with another way, and every second one goes backwards: what stands after boto3's dicts finds the
    memory that they have left.
    """
    seen: dict[str, list[float]] = {name: [] for name in ways}
    order = [*ways.items()]
    gc.collect()
    gc.freeze()  # what the ways share is no garbage of theirs
    for number in range(rounds):
        start = number // 2 % len(order)
        turned = order[start:] + order[:start]
        for name, way in reversed(turned) if number % 2 else turned:
            begun = time.process_time()
            way()
            seen[name].append((time.process_time() - begun) / items * 1e6)
    return {name: min(each) for name, each in seen.items()}


def marshalling(rounds: int) -> dict[str, float]:
    """Measure pages, frames and exports without a network."""
    codec = Marshaller().codec(schema_of(Order))
    framer, make_items, records = entity_framer(codec), rows_maker(codec), codec.records
    assert records is not None  # noqa: S101  (the class has them)
    items = [codec.encode(order) for order in make_orders(PAGE)]
    body = orjson.dumps({"Items": items, "Count": PAGE, "ScannedCount": PAGE})
    lines = [orjson.dumps({"Item": item}) + b"\n" for item in items] * EXPORT_PAGES
    batch = framer.batch(items)
    schema = arrow_schema(Order)
    natural = {"status": lambda status: status.value, "tags": sorted}

    def instances() -> list[Any]:
        return codec.decode_all(records.parse(body)["Items"])

    def of_instances() -> Any:
        rows = instances()
        columns = []
        for field in schema:
            convert = natural.get(field.name)
            values = [getattr(row, field.name) for row in rows]
            columns.append(pa.array(values if convert is None else [convert(value) for value in values], field.type))
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    def by_instances() -> list[Any]:
        rows = batch.to_pylist()
        for row in rows:
            row["status"] = Status(row["status"])
            row["tags"] = set(row["tags"])
        return [codec.encode(Order(**row)) for row in rows]

    ways: dict[str, Callable[[], Any]] = {
        "arrow": lambda: framer.batch(records.parse(body)["Items"]),
        "dicts": lambda: framer.batch(orjson.loads(body)["Items"]),
        "instances": instances,
        "of instances": of_instances,
        "items": lambda: make_items(batch),
        "items by instances": by_instances,
    }
    assert ways["arrow"]().equals(of_instances())  # noqa: S101  (the same work)
    assert make_items(batch) == by_instances() == items  # noqa: S101  (the same work)
    of_lines: dict[str, Callable[[], Any]] = {
        "lines": lambda: sum(batch.num_rows for batch in arrow_batches_from_lines(lines, Order)),
    }
    if find_spec("boto3") is not None:
        from boto3.dynamodb.types import TypeDeserializer  # noqa: PLC0415  (a baseline that may not be there)

        read = TypeDeserializer().deserialize
        ways["boto3"] = lambda: [
            {name: read(value) for name, value in item.items()} for item in json.loads(body)["Items"]
        ]

        def boto3_lines() -> None:
            for line in lines:
                {name: read(value) for name, value in json.loads(line)["Item"].items()}

        of_lines["boto3's lines"] = boto3_lines
    # In turns of their own: a page is measured beside pages, not after a file that has emptied the caches.
    return in_turns(ways, rounds, PAGE) | in_turns(of_lines, rounds, PAGE * EXPORT_PAGES)


async def workers(items: int, turns: int) -> dict[str, dict[str, float]]:
    """Measure an export and a rewrite by one process and by two, on the embedded engine: the least of all turns."""
    from shop import cheaper, dearer  # noqa: PLC0415  (beside its use)

    seen: dict[str, list[dict[str, float]]] = {}
    with EmbeddedEngine().start() as engine:
        os.environ.update(engine.environment)
        async with Client() as client:
            await client.ensure_tables(Order)
            orders = client.table(Order)
            folder = Path(tempfile.mkdtemp())

            async def measure(name: str, work: BulkWork, expected: int) -> None:
                begun, spent = time.monotonic(), cpu()
                report = await work
                assert report.written == expected  # noqa: S101  (each item once)
                seen.setdefault(name, []).append({"cpu": cpu() - spent, "wall": time.monotonic() - begun})

            await orders.scan().export(folder / "out", workers=2, parts=2)  # every module has its bytecode
            for _ in range(turns):
                await measure("start", orders.scan().export(folder / "out", workers=2, parts=2), 0)
            await orders.put_many(make_orders(items))
            for _ in range(turns):
                for count, change in ((1, dearer), (2, cheaper)):
                    await measure(f"export, {count}", orders.scan().export(folder / "out", workers=count), items)
                    await measure(f"rewrite, {count}", orders.scan().rewrite(change, workers=count), items)
            shutil.rmtree(folder)
    least = {name: {each: min(run[each] for run in runs) for each in runs[0]} for name, runs in seen.items()}
    return {
        name: figures if name == "start" else {**figures, "cpu": figures["cpu"] / items * 1e6}
        for name, figures in least.items()
    }


def ratios(us: dict[str, float], seen: dict[str, dict[str, float]], items: int) -> dict[str, float]:
    """Return what the targets are about: of two workers, the CPU without that of starting them."""
    values = {
        "page → Arrow / page → instances → Arrow": us["arrow"] / us["of instances"],
        "page → Arrow / page → instances": us["arrow"] / us["instances"],
        "page that fits no record / page → instances → Arrow": us["dicts"] / us["of instances"],
        "frame → items / frame → instances → items": us["items"] / us["items by instances"],
    }
    if "boto3" in us:
        values["page → Arrow / boto3's dicts"] = us["arrow"] / us["boto3"]
        values["boto3's dicts / lines of an export → Arrow"] = us["boto3's lines"] / us["lines"]
    for verb in ("export", "rewrite"):
        one, two = seen[f"{verb}, 1"], seen[f"{verb}, 2"]
        start = seen["start"]["cpu"] / items * 1e6
        values[f"CPU an item, two workers / one process, {verb}"] = (two["cpu"] - start) / one["cpu"]
        values[f"gain in wall time, two workers, {verb}"] = one["wall"] / two["wall"]
    return values


def main() -> None:
    """Measure, print the ratios beside their targets, and write them down."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--items", type=int, default=50_000, help="items of the table that workers share")
    options.add_argument("--turns", type=int, default=2, help="how often one process and two share it")
    options.add_argument("--output", type=Path, default=HERE / "results.json")
    chosen = options.parse_args()
    installed.with_bytecode()
    before = os.getloadavg()
    us = marshalling(chosen.rounds)
    seen = asyncio.run(workers(chosen.items, chosen.turns))
    found = ratios(us, seen, chosen.items)
    outcome.show(found, TARGETS)
    about = {"rounds": chosen.rounds, "load average before": before, "load average after": os.getloadavg()}
    figures = {**about, "cpu_us_per_item": us, "workers": seen, "ratios": found}
    outcome.write(chosen.output, figures)


if __name__ == "__main__":
    main()
