"""The measured process of the idle figure: one consumer of 200 shards in which nothing happens, over loopback.

Run by `run.py`: ``python idle_probe.py URL SECONDS``. It prints the share of a core as JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # the folder is no installed package

from records import Order

from mizzle_async import Client


def cpu() -> float:
    """Return the CPU seconds of this process, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main() -> None:
    """Read idle shards for a while, and measure."""
    url, seconds = sys.argv[1], float(sys.argv[2])
    async with Client(endpoint_url=url, region_name="eu-west-1", credentials=("id", "secret")) as client:
        stream = client.table(Order).changes(start="latest", idle=1.0)
        async with stream:
            await asyncio.sleep(5)  # until the pauses have grown
            before, began, asked = cpu(), time.perf_counter(), stream.report.requests
            await asyncio.sleep(seconds)
            elapsed = time.perf_counter() - began
            used = cpu() - before
            requests = stream.report.requests - asked
    print(json.dumps({"share_of_a_core": used / elapsed, "requests_per_second": requests / elapsed}))


asyncio.run(main())
