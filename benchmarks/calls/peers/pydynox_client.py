"""pydynox: a Rust core under Python models. ``dict`` is its client, ``model`` its models (batches take dicts)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from harness import workload
from harness.measure import Settings
from pydynox import DynamoDBClient, Model, ModelConfig, set_default_client
from pydynox.attributes import (
    BooleanAttribute,
    DatetimeAttribute,
    DecimalAttribute,
    NumberAttribute,
    StringAttribute,
    StringSetAttribute,
)


class Order(Model):
    """The measured item."""

    model_config = ModelConfig(table=workload.TABLE)
    customer_id = StringAttribute(partition_key=True)
    order_id = StringAttribute(sort_key=True)
    placed_at = DatetimeAttribute()
    total = DecimalAttribute()
    quantity = NumberAttribute()
    status = StringAttribute()
    paid = BooleanAttribute()
    tags = StringSetAttribute()
    email = StringAttribute()
    note = StringAttribute()


def of_dicts(client: DynamoDBClient) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Offer the five operations on dictionaries."""
    item = workload.text_native(0)
    batch = [workload.text_native(number) for number in range(workload.BATCH_WRITE_ITEMS)]
    keys = [workload.key(number) for number in range(workload.BATCH_GET_ITEMS)]
    table = workload.TABLE

    async def get_item() -> Any:
        return await client.get_item(table, workload.key(0))

    async def put_item() -> Any:
        await client.put_item(table, item)

    async def query() -> Any:
        found = client.query(
            table,
            "#0 = :0",
            expression_attribute_names={"#0": "customer_id"},
            expression_attribute_values={":0": workload.PARTITION},
        )
        return await found.to_list()

    async def batch_get() -> Any:
        return await client.batch_get(table, keys)

    async def batch_write() -> Any:
        await client.batch_write(table, put_items=batch)

    return {
        "get_item": get_item,
        "put_item": put_item,
        "query": query,
        "batch_get": batch_get,
        "batch_write": batch_write,
    }


def of_models(client: DynamoDBClient) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Offer the five operations on instances."""
    batch = [Order(**workload.native(number)) for number in range(workload.BATCH_WRITE_ITEMS)]
    item = Order(**workload.native(0))
    keys = [workload.key(number) for number in range(workload.BATCH_GET_ITEMS)]

    async def get_item() -> Any:
        return await Order.get(**workload.key(0))

    async def put_item() -> Any:
        await item.save(full_replace=True)

    async def query() -> Any:
        return [order async for order in Order.query(partition_key=workload.PARTITION)]

    async def batch_get() -> Any:
        return await Order.batch_get(keys)

    async def batch_write() -> Any:
        await client.batch_write(workload.TABLE, put_items=[order.to_dict() for order in batch])

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
    client = DynamoDBClient(
        region=workload.REGION,
        access_key=workload.ACCESS_KEY,
        secret_key=workload.SECRET_KEY,
        endpoint_url=settings.endpoint,
    )
    set_default_client(client)
    yield of_models(client) if settings.variant == "model" else of_dicts(client)
