"""aiodynamo: ``batch_write`` of 25 dictionaries, eight under way: the caller keeps the book, as its users must."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiodynamo.client import Client
from aiodynamo.credentials import Key, StaticCredentials
from aiodynamo.http.aiohttp import AIOHTTP
from aiodynamo.models import BatchWriteRequest
from harness import workload
from harness.measure import Settings
from yarl import URL

LANES = 8


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Offer a load of so many items."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=settings.connections)) as session:
        credentials = StaticCredentials(Key(workload.ACCESS_KEY, workload.SECRET_KEY))
        client = Client(AIOHTTP(session), credentials, workload.REGION, URL(settings.endpoint))

        async def lane(starts: list[int], count: int) -> None:
            while starts:
                start = starts.pop()
                numbers = range(start, min(start + workload.BATCH_WRITE_ITEMS, count))
                items = [workload.text_native(number) for number in numbers]
                await client.batch_write({workload.TABLE: BatchWriteRequest(items_to_put=items)})

        async def load(count: int) -> None:
            starts = list(range(0, count, workload.BATCH_WRITE_ITEMS))
            await asyncio.gather(*(lane(starts, count) for _ in range(LANES)))

        yield load
