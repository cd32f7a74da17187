"""aioboto3's Table resource: the resource interface that many applications are written to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aioboto3
from aiobotocore.config import AioConfig
from boto3.dynamodb.conditions import Key
from harness import workload
from harness.measure import Settings


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[dict[str, Callable[[], Awaitable[Any]]]]:
    """Offer the five operations."""
    item = workload.text_native(0)
    batch = [workload.text_native(number) for number in range(workload.BATCH_WRITE_ITEMS)]
    keys = [workload.key(number) for number in range(workload.BATCH_GET_ITEMS)]
    config = AioConfig(max_pool_connections=settings.connections)
    async with aioboto3.Session().resource("dynamodb", endpoint_url=settings.endpoint, config=config) as resource:
        table = await resource.Table(workload.TABLE)

        async def get_item() -> Any:
            return (await table.get_item(Key=workload.key(0)))["Item"]

        async def put_item() -> Any:
            await table.put_item(Item=item)

        async def query() -> Any:
            return (await table.query(KeyConditionExpression=Key("customer_id").eq(workload.PARTITION)))["Items"]

        async def batch_get() -> Any:
            answer = await resource.batch_get_item(RequestItems={workload.TABLE: {"Keys": keys}})
            return answer["Responses"][workload.TABLE]

        async def batch_write() -> Any:
            async with table.batch_writer() as writer:
                for order in batch:
                    await writer.put_item(Item=order)

        yield {
            "get_item": get_item,
            "put_item": put_item,
            "query": query,
            "batch_get": batch_get,
            "batch_write": batch_write,
        }
