"""dynamoxy: a Rust core under Python models. ``dict`` is its table interface, ``model`` its repository."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

import dynamoxy
from dynamoxy import Attr, F, field, partition_key, sort_key
from harness import workload
from harness.measure import Settings


class Order(dynamoxy.Model, table=workload.TABLE):
    """The measured item."""

    customer_id: Attr[str] = partition_key()
    order_id: Attr[str] = sort_key()
    placed_at: Attr[datetime]
    total: Attr[Decimal]
    quantity: Attr[int]
    status: Attr[str]
    paid: Attr[bool]
    tags: Attr[set[str]] = field(default_factory=set)
    email: Attr[str]
    note: Attr[str]


def of_dicts(client: dynamoxy.Client) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Offer the five operations on dictionaries."""
    item = workload.text_native(0)
    batch = [workload.text_native(number) for number in range(workload.BATCH_WRITE_ITEMS)]
    keys = [workload.key(number) for number in range(workload.BATCH_GET_ITEMS)]
    table = client.table(workload.TABLE)

    async def get_item() -> Any:
        return await table.get(workload.key(0))

    async def put_item() -> Any:
        await table.put(item)

    async def query() -> Any:
        return (await table.query(F("customer_id") == workload.PARTITION).page()).items

    async def batch_get() -> Any:
        return await table.batch_get(keys)

    async def batch_write() -> Any:
        await table.batch_write(puts=batch)

    return {
        "get_item": get_item,
        "put_item": put_item,
        "query": query,
        "batch_get": batch_get,
        "batch_write": batch_write,
    }


def of_models(client: dynamoxy.Client) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Offer the five operations on instances."""
    item = Order(**workload.native(0))
    batch = [Order(**workload.native(number)) for number in range(workload.BATCH_WRITE_ITEMS)]
    keys = [(workload.PARTITION, workload.order_id(number)) for number in range(workload.BATCH_GET_ITEMS)]
    orders = client.repository(Order)

    async def get_item() -> Any:
        return await orders.get(**workload.key(0))

    async def put_item() -> Any:
        await orders.put(item)

    async def query() -> Any:
        return (await orders.query(customer_id=workload.PARTITION).page()).items

    async def batch_get() -> Any:
        return await orders.batch_get(keys)

    async def batch_write() -> Any:
        await orders.batch_put(batch)

    return {
        "get_item": get_item,
        "put_item": put_item,
        "query": query,
        "batch_get": batch_get,
        "batch_write": batch_write,
    }


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[dict[str, Callable[[], Awaitable[Any]]]]:
    """Offer the five operations."""
    credentials = dynamoxy.Credentials(workload.ACCESS_KEY, workload.SECRET_KEY)
    async with dynamoxy.Client(
        region=workload.REGION, endpoint_url=settings.endpoint, credentials=credentials
    ) as client:
        yield of_models(client) if settings.variant == "model" else of_dicts(client)
