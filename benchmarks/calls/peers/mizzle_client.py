"""mizzle_async as its users have it: retries armed, a deadline, checksums checked, an instrument listening.

``model`` works with instances, ``dict`` with a table without a class.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from harness import workload
from harness.measure import Settings

from mizzle_async import Attribute, CallRecord, Client, PartitionKey, PoolConfig, SortKey, attribute, entity


@entity(workload.TABLE)
class Order:
    """The measured item."""

    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    placed_at: Attribute[datetime]
    total: Attribute[Decimal]
    quantity: Attribute[int]
    status: Attribute[str]
    paid: Attribute[bool]
    tags: Attribute[set[str]] = attribute(factory=set)
    email: Attribute[str]
    note: Attribute[str]


class Silent:
    """An instrument that is there and does nothing."""

    def call_finished(self, call: CallRecord) -> None:
        """Hear of a finished call."""


def of_dicts(client: Client) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Offer the five operations on dictionaries."""
    item = workload.text_native(0)
    batch = [workload.text_native(number) for number in range(workload.BATCH_WRITE_ITEMS)]
    keys = [workload.key(number) for number in range(workload.BATCH_GET_ITEMS)]
    orders = client.table(workload.TABLE, partition_key="customer_id", sort_key="order_id")

    async def get_item() -> Any:
        return await orders.get(customer_id=workload.PARTITION, order_id=workload.order_id(0))

    async def put_item() -> Any:
        await orders.put(item)

    async def query() -> Any:
        return (await orders.query(orders.partition_key == workload.PARTITION).page()).items

    async def batch_get() -> Any:
        return await orders.get_many([orders.key(**key) for key in keys])

    async def batch_write() -> Any:
        await orders.put_many(batch)

    return {
        "get_item": get_item,
        "put_item": put_item,
        "query": query,
        "batch_get": batch_get,
        "batch_write": batch_write,
    }


def of_models(client: Client) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Offer the five operations on instances."""
    orders = client.table(Order)
    item = Order(**workload.native(0))
    batch = [Order(**workload.native(number)) for number in range(workload.BATCH_WRITE_ITEMS)]
    keys = [workload.key(number) for number in range(workload.BATCH_GET_ITEMS)]

    async def get_item() -> Any:
        return await orders.get(customer_id=workload.PARTITION, order_id=workload.order_id(0))

    async def put_item() -> Any:
        await orders.put(item)

    async def query() -> Any:
        return (await orders.query(Order.customer_id == workload.PARTITION).page()).items

    async def batch_get() -> Any:
        return await orders.get_many([orders.key(**key) for key in keys])

    async def batch_write() -> Any:
        await orders.put_many(batch)

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
    pool = PoolConfig(max_connections=settings.connections)
    async with Client(endpoint_url=settings.endpoint, pool=pool, timeout=10.0, instrument=(Silent(),)) as client:
        yield of_models(client) if settings.variant == "model" else of_dicts(client)
