"""Count the instructions of every verb, and compare their ratios to the floor with those of `instructions.json`.

Run: ``python benchmarks/calls/instructions.py`` in an environment with this package and uvloop; needs valgrind.
``--write`` writes the file, and verbs after it limit the run.

Time is useless for a gate on a shared machine. User-mode instructions repeat within 2 % under any load: each client
runs once under valgrind, and `harness.counting` says how.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the folder is no installed package

from harness import counting, measure, workload
from harness.measure import Settings
from harness.processes import Server

RECORDED = HERE / "instructions.json"
CLIENTS = {"floor": ("floor", ""), "ours": ("mizzle_client", "model")}

CONCURRENCY = 64
TOLERANCE = 1.04
"""A ratio may exceed the recorded one by this factor; the counts themselves move by less than 2 %."""

LANES = (2, 8)
"""Calls of each of the lanes in the short and in the long run."""
HEAVY = frozenset({"query", "batch_get", "scan", "query_proj", "batch_write", "put_vec", "get_vec"})
"""Verbs of thousands of values: fewer lanes make enough instructions."""
HEAVY_CONCURRENCY = 8


async def calls(client: Any, settings: Settings, verb: str, lanes: int) -> None:
    """Make the calls of one child; collections of garbage would depend on the modules that are loaded."""
    concurrency = HEAVY_CONCURRENCY if verb in HEAVY else CONCURRENCY
    async with client.connect(settings) as operations:
        call = operations[verb]
        workload.verify(verb, await call())
        await measure.drive(call, concurrency, concurrency)
        await measure.drive(call, lanes * concurrency, concurrency)


def work(name: str, settings: Settings, verbs: list[str]) -> None:
    """Run one client under valgrind: warm up everything, then make the calls of each verb in two children."""
    script, variant = CLIENTS[name]
    client = measure.load(str(HERE / "peers" / f"{script}.py"))
    settings = replace(settings, variant=variant)
    for verb in verbs:
        asyncio.run(calls(client, settings, verb, 1))
    counting.settle()

    def child(verb: str, lanes: int) -> int:
        return counting.in_child(verb, lambda: asyncio.run(calls(client, settings, verb, lanes)))

    counting.report({verb: (child(verb, LANES[0]), child(verb, LANES[1])) for verb in verbs})


def count(name: str, settings: Settings, verbs: list[str]) -> dict[str, float]:
    """Return the thousands of instructions of a call, for each verb."""
    more = counting.counted(__file__, "--work", name, json.dumps(asdict(settings)), *verbs)
    lanes = LANES[1] - LANES[0]
    return {
        verb: total / lanes / (HEAVY_CONCURRENCY if verb in HEAVY else CONCURRENCY) / 1000
        for verb, total in more.items()
    }


def main() -> int:
    """Count, print the table, and compare or write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("verbs", nargs="*", help="the verbs to count; all by default")
    options.add_argument("--write", action="store_true", help="write the ratios to instructions.json")
    options.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    arguments = options.parse_args()
    verbs = arguments.verbs or list(workload.OPERATIONS)
    if arguments.work:
        name, settings = arguments.work
        work(name, Settings(**json.loads(settings)), verbs)
        return 0
    with Server(tls=False, python=sys.executable) as server:
        settings = Settings(server.endpoint)
        floor, ours = (count(name, settings, verbs) for name in CLIENTS)
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    slower = []
    print(f"{'thousand instructions a call':30}{'floor':>9}{'ours':>9}{'ratio':>8}{'recorded':>10}")
    for verb in verbs:
        ratio = ours[verb] / floor[verb]
        before = recorded.get(verb)
        mark = ""
        if before is not None and ratio > before * TOLERANCE:
            slower.append(verb)
            mark = "  SLOWER"
        elif before is not None and ratio < before / TOLERANCE:
            mark = "  faster: record it with --write"
        print(f"{verb:30}{floor[verb]:9.0f}{ours[verb]:9.0f}{ratio:8.2f}{before or 0:10.2f}{mark}")
        recorded[verb] = round(ratio, 3) if arguments.write else before
    if arguments.write:
        RECORDED.write_text(json.dumps(recorded, indent=1) + "\n")
    elif missing := [verb for verb in verbs if recorded[verb] is None]:
        print(f"not recorded: {', '.join(missing)}; record them with --write")
        return 1
    if slower and not arguments.write:
        print(f"more instructions than recorded: {', '.join(slower)}. Mend it, or record it with --write and say why")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
