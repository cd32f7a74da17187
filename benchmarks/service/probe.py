"""One measurement in a process of its own: latency, an endpoint, or the collector's pauses; printed as JSON."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folder is no installed package

from harness import measure, workload
from harness.measure import Settings, cpu_seconds, drive

CLIENTS = {"ours": ("mizzle_client", "model"), "floor": ("floor", "")}
BUSY_SECONDS = 0.005
CALLS = 12_000
PAGES = 400
OK = 200
OLDEST = 2
"""The collector's generation of a full pass."""


def client_of(name: str) -> tuple[Any, str]:
    """Load a client of the benchmark of calls, and return it with its variant."""
    script, variant = CLIENTS[name]
    return measure.load(str(Path(__file__).resolve().parents[1] / "calls" / "peers" / f"{script}.py")), variant


async def blocked() -> None:
    """Keep the loop busy for half of the time, as a service that parses or renders does."""
    while True:
        ends = time.perf_counter() + BUSY_SECONDS
        while time.perf_counter() < ends:
            pass
        await asyncio.sleep(BUSY_SECONDS)


async def latency(name: str, settings: Settings, concurrency: int, *, busy: bool) -> dict[str, float]:
    """Measure GetItem, so many at once."""
    client, variant = client_of(name)
    async with client.connect(Settings(settings.endpoint, variant=variant)) as operations:
        call = operations["get_item"]
        await drive(call, 4 * concurrency, concurrency)
        blocker = asyncio.ensure_future(blocked()) if busy else None
        found = await drive(call, max(CALLS // (2 if busy else 1), 8 * concurrency), concurrency)
        if blocker is not None:
            blocker.cancel()
        return found


async def endpoint(settings: Settings, *, reads: bool) -> dict[str, float]:
    """Measure one endpoint of FastAPI without its HTTP server: a GetItem and a response, or the response alone."""
    from fastapi import FastAPI  # noqa: PLC0415  (needed here alone)

    from mizzle_async import Client  # noqa: PLC0415  (the floor's process does without)

    client, _ = client_of("ours")
    app = FastAPI()
    async with Client(endpoint_url=settings.endpoint) as opened:
        orders = opened.table(client.Order)
        constant = client.Order(**workload.native(0))

        @app.get("/orders/{customer_id}/{order_id}")
        async def order(customer_id: str, order_id: str) -> dict[str, Any]:
            found = await orders.get(customer_id=customer_id, order_id=order_id) if reads else constant
            return {"order_id": found.order_id, "status": found.status, "total": str(found.total), "note": found.note}

        path = f"/orders/{workload.PARTITION}/{workload.order_id(0)}"
        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [], "root_path": ""}

        statuses: set[int] = set()

        async def request() -> None:
            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message: Any) -> None:
                if message["type"] == "http.response.start":
                    statuses.add(message["status"])

            await app(dict(scope), receive, send)

        await drive(request, 256, 64)
        found = await drive(request, 4_000, 64)
        if statuses != {OK}:
            raise AssertionError(statuses)
        return found


class Pauses:
    """Times the collector's full passes, and all of its passes together."""

    def __init__(self) -> None:
        self.longest = self.total = self._began = 0.0
        self.full = 0

    def __call__(self, phase: str, information: dict[str, int]) -> None:
        """Take a call of `gc.callbacks`."""
        if phase == "start":
            self._began = time.perf_counter()
            return
        seconds = time.perf_counter() - self._began
        self.total += seconds
        self.longest = max(self.longest, seconds)
        self.full += information["generation"] == OLDEST


async def collected(settings: Settings, mode: str) -> dict[str, float]:
    """Read 40,000 items, and time the collector: kept as `.all()` keeps them, or dropped as iteration drops them."""
    client, variant = client_of("ours")
    async with client.connect(Settings(settings.endpoint, variant=variant)) as operations:
        call: Callable[[], Awaitable[Any]] = operations["query"]
        await call()
        if "freeze" in mode:
            gc.collect()
            gc.freeze()
        if "threshold" in mode:
            gc.set_threshold(50_000, 20, 100)
        pauses, kept = Pauses(), []
        gc.callbacks.append(pauses)
        cpu = cpu_seconds()
        for _ in range(PAGES):
            rows = await call()
            if "keep" in mode:
                kept += rows
        cpu = cpu_seconds() - cpu
        gc.callbacks.remove(pauses)
    items = PAGES * workload.PAGE_ITEMS
    return {
        "cpu_us_an_item": cpu / items * 1e6,
        "collector_share": pauses.total / cpu,
        "longest_pause_ms": pauses.longest * 1e3,
        "full_passes": pauses.full,
    }


async def measured(order: dict[str, Any]) -> dict[str, float]:
    """Do what the coordinator asks for."""
    settings = Settings(order["endpoint"])
    match order["part"]:
        case "latency":
            return await latency(order["client"], settings, order["concurrency"], busy=order["busy"])
        case "endpoint":
            return await endpoint(settings, reads=order["reads"])
        case _:
            return await collected(settings, order["mode"])


def main() -> None:
    """Run one measurement on the loop that was asked for."""
    order = json.loads(sys.argv[1])
    if order.get("loop") == "uvloop":
        import uvloop  # noqa: PLC0415  (only where it was asked for)

        print(json.dumps(uvloop.run(measured(order))))
    else:
        print(json.dumps(asyncio.run(measured(order))))


main()
