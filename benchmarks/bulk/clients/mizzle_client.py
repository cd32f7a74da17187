"""mizzle_async: ``put_many`` takes the instances as they come, and keeps eight batches under way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from calls.peers.mizzle_client import Order
from harness import workload
from harness.measure import Settings

from mizzle_async import Client, PoolConfig


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Offer a load of so many items."""
    pool = PoolConfig(max_connections=settings.connections)
    async with Client(endpoint_url=settings.endpoint, pool=pool) as client:
        orders = client.table(Order)

        async def load(count: int) -> None:
            report = await orders.put_many((Order(**workload.native(number)) for number in range(count)), concurrency=8)
            if report.written != count:
                raise workload.WrongAnswerError(f"wrote {report.written} of {count} items")

        yield load
