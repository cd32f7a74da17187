"""dynamoxy: ``batch_put`` of models, a thousand at a time; its core keeps four batches under way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import dynamoxy
from calls.peers.dynamoxy_client import Order
from harness import workload
from harness.measure import Settings

CHUNK = 1_000


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Offer a load of so many items."""
    credentials = dynamoxy.Credentials(workload.ACCESS_KEY, workload.SECRET_KEY)
    async with dynamoxy.Client(
        region=workload.REGION, endpoint_url=settings.endpoint, credentials=credentials
    ) as client:
        orders = client.repository(Order)

        async def load(count: int) -> None:
            for start in range(0, count, CHUNK):
                numbers = range(start, min(start + CHUNK, count))
                await orders.batch_put([Order(**workload.native(number)) for number in numbers])

        yield load
