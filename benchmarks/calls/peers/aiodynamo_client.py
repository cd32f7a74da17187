"""aiodynamo over aiohttp: the light native client before us; decoded by type, numbers as Decimal."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
from aiodynamo.client import Client
from aiodynamo.credentials import Key, StaticCredentials
from aiodynamo.expressions import HashKey
from aiodynamo.http.aiohttp import AIOHTTP
from aiodynamo.models import BatchGetRequest, BatchWriteRequest
from harness import workload
from harness.measure import Settings
from yarl import URL


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[dict[str, Callable[[], Awaitable[Any]]]]:
    """Offer the five operations."""
    item = workload.text_native(0)
    batch = [workload.text_native(number) for number in range(workload.BATCH_WRITE_ITEMS)]
    keys = [workload.key(number) for number in range(workload.BATCH_GET_ITEMS)]
    context = ssl.create_default_context(cafile=settings.certificates) if settings.certificates else True
    connector = aiohttp.TCPConnector(limit=settings.connections, ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:
        credentials = StaticCredentials(Key(workload.ACCESS_KEY, workload.SECRET_KEY))
        client = Client(AIOHTTP(session), credentials, workload.REGION, URL(settings.endpoint), Decimal)
        table = client.table(workload.TABLE)

        async def get_item() -> Any:
            return await table.get_item(workload.key(0))

        async def put_item() -> Any:
            await table.put_item(item)

        async def query() -> Any:
            return (await table.query_single_page(HashKey("customer_id", workload.PARTITION))).items

        async def batch_get() -> Any:
            return (await client.batch_get({workload.TABLE: BatchGetRequest(keys)})).items[workload.TABLE]

        async def batch_write() -> Any:
            await client.batch_write({workload.TABLE: BatchWriteRequest(items_to_put=batch)})

        yield {
            "get_item": get_item,
            "put_item": put_item,
            "query": query,
            "batch_get": batch_get,
            "batch_write": batch_write,
        }
