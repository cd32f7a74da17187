"""One measured client process: it runs what it is told, and reports its own CPU time.

The coordinator sends one line of JSON for each order, and reads one line of JSON for each result. The process does
nothing between orders, so that the clients can take turns. Standard library only: it runs in each client's own
environment.

Run: ``python measure.py CLIENT.py --settings JSON``, where the client's file has ``connect(settings)``, an
asynchronous context manager that yields its operations by name (see `workload.OPERATIONS`), each a function without
arguments; and, for a client without asyncio, ``THREADS = True``.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folder is no installed package

from harness import workload

WARM_UP = 4


@dataclass(frozen=True)
class Settings:
    """What a client is to do.

    Attributes:
        endpoint: The server's address.
        certificates: The file with the local certificate authority, for TLS.
        variant: What the client's file offers a choice of: ``dict`` or ``model``, say.
        loop: ``asyncio`` or ``uvloop``.
        connections: How many connections it may hold.
    """

    endpoint: str
    certificates: str | None = None
    variant: str = ""
    loop: str = "asyncio"
    connections: int = 128

    @property
    def host(self) -> str:
        """The server's name."""
        return self.endpoint.split("://")[1].rpartition(":")[0]

    @property
    def port(self) -> int:
        """The server's port."""
        return int(self.endpoint.rpartition(":")[2])


def cpu_seconds() -> float:
    """The process's own user and system time so far, all threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def summary(count: int, cpu: float, seconds: float, latencies: list[float], loop_cpu: float = 0.0) -> dict[str, float]:
    """Sum a round up: CPU microseconds for an operation, operations a second, latency in microseconds.

    ``loop_us`` is the share of the event loop's thread. Clients with a compiled core work on further threads.
    """
    latencies.sort()
    return {
        "cpu_us": cpu / count * 1e6,
        "loop_us": loop_cpu / count * 1e6,
        "per_second": count / seconds,
        "p50_us": latencies[count // 2] * 1e6,
        "p99_us": latencies[min(count - 1, count * 99 // 100)] * 1e6,
        "count": count,
    }


async def drive(call: Callable[[], Awaitable[Any]], count: int, concurrency: int) -> dict[str, float]:
    """Run an operation so many times, so many at once."""
    clock = time.perf_counter
    latencies: list[float] = []

    async def lane(share: int) -> None:
        for _ in range(share):
            started = clock()
            await call()
            latencies.append(clock() - started)

    shares = [count // concurrency] * concurrency
    gc.collect()
    started, cpu, loop_cpu = clock(), cpu_seconds(), time.thread_time()
    if concurrency == 1:
        await lane(count)
    else:
        await asyncio.gather(*(asyncio.ensure_future(lane(share)) for share in shares))
    loop_cpu = time.thread_time() - loop_cpu
    return summary(len(latencies), cpu_seconds() - cpu, clock() - started, latencies, loop_cpu)


def drive_threads(
    executor: ThreadPoolExecutor, call: Callable[[], Any], count: int, concurrency: int
) -> dict[str, float]:
    """Do the same for a client that blocks, with one thread for each call at once."""
    clock = time.perf_counter
    latencies: list[float] = []

    def lane(share: int) -> None:
        for _ in range(share):
            started = clock()
            call()
            latencies.append(clock() - started)

    gc.collect()
    started, cpu = clock(), cpu_seconds()
    for future in [executor.submit(lane, count // concurrency) for _ in range(concurrency)]:
        future.result()
    return summary(len(latencies), cpu_seconds() - cpu, clock() - started, latencies)


def load(path: str) -> ModuleType:
    """Import a client's file by its path."""
    specification = importlib.util.spec_from_file_location("measured_client", path)
    if specification is None or specification.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


def say(message: dict[str, Any]) -> None:
    """Send the coordinator one line."""
    print(json.dumps(message), flush=True)


async def run_round(
    client: ModuleType, call: Callable[[], Any], order: dict[str, Any], executor: ThreadPoolExecutor
) -> dict[str, float]:
    """Warm up, then run one round; without a count, find the one that fills ``seconds`` of CPU time."""
    concurrency = order["concurrency"]

    async def once(count: int) -> dict[str, float]:
        if getattr(client, "THREADS", False):
            return await asyncio.to_thread(drive_threads, executor, call, count, concurrency)
        return await drive(call, count, concurrency)

    warmed = await once(WARM_UP * concurrency)
    if not (count := order.get("count")):
        lanes = max(2, round(order["seconds"] / (warmed["cpu_us"] / 1e6) / concurrency))
        count = lanes * concurrency
    return await once(count)


async def work(client: ModuleType, settings: Settings) -> None:
    """Obey orders until standard input closes."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(64) as executor:
        async with client.connect(settings) as operations:
            threads = getattr(client, "THREADS", False)
            failures: dict[str, str] = {}
            for name, call in operations.items():
                try:
                    workload.verify(name, call() if threads else await call())
                except Exception as error:  # noqa: BLE001  (whatever a client fails with is reported, and not measured)
                    failures[name] = f"{type(error).__name__}: {error}"[:300]
            say({"ready": sorted(set(operations) - set(failures)), "failures": failures})
            while line := await loop.run_in_executor(None, sys.stdin.readline):
                order = json.loads(line)
                try:
                    say(await run_round(client, operations[order["operation"]], order, executor))
                except Exception as error:  # noqa: BLE001  (the same)
                    say({"error": f"{type(error).__name__}: {error}"[:300]})


def main() -> None:
    """Run one client on the loop it is to have."""
    options = argparse.ArgumentParser()
    options.add_argument("client")
    options.add_argument("--settings", required=True)
    given = options.parse_args()
    settings = Settings(**json.loads(given.settings))
    try:
        client = load(given.client)
        if settings.loop == "uvloop":
            import uvloop  # noqa: PLC0415  (only where it was asked for)

            uvloop.run(work(client, settings))
        else:
            asyncio.run(work(client, settings))
    except Exception as error:  # noqa: BLE001  (a client that does not even connect is reported)
        say({"ready": [], "failures": {"connect": f"{type(error).__name__}: {error}"[:300]}})


if __name__ == "__main__":
    main()
