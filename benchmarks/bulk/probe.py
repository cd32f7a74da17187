"""One measured process: loads as many items as it is told, and reports the time and its CPU time.

Run by ``run.py`` in the client's environment: ``python probe.py CLIENT.py --settings JSON``; orders come as lines of
JSON on standard input, results go out the same way.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folder is no installed package

from harness.measure import Settings, cpu_seconds, load, say


async def work(client: ModuleType, settings: Settings) -> None:
    """Obey orders until standard input closes."""
    loop = asyncio.get_running_loop()
    async with client.connect(settings) as bulk_load:
        await bulk_load(100)
        say({"ready": ["load"], "failures": {}})
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            count: Any = json.loads(line)["count"]
            gc.collect()
            started, cpu = time.perf_counter(), cpu_seconds()
            await bulk_load(count)
            seconds = time.perf_counter() - started
            figures = {"items_per_second": count / seconds, "cpu_us_per_item": (cpu_seconds() - cpu) / count * 1e6}
            say(figures | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


def main() -> None:
    """Run one client."""
    options = argparse.ArgumentParser()
    options.add_argument("client")
    options.add_argument("--settings", required=True)
    given = options.parse_args()
    try:
        asyncio.run(work(load(given.client), Settings(**json.loads(given.settings))))
    except Exception as error:  # noqa: BLE001  (a client that fails is reported)
        say({"ready": [], "failures": {"load": f"{type(error).__name__}: {error}"[:300]}})


if __name__ == "__main__":
    main()
