"""aioboto3: the Table resource's ``batch_writer``, one batch after the other, as it is made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aioboto3
from harness import workload
from harness.measure import Settings


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Offer a load of so many items."""
    async with aioboto3.Session().resource("dynamodb", endpoint_url=settings.endpoint) as resource:
        table = await resource.Table(workload.TABLE)

        async def load(count: int) -> None:
            async with table.batch_writer() as writer:
                for number in range(count):
                    await writer.put_item(Item=workload.text_native(number))

        yield load
