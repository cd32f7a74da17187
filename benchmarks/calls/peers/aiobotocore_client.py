"""aiobotocore with boto3's TypeSerializer and TypeDeserializer: today's common stack."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from harness import workload
from harness.measure import Settings


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[dict[str, Callable[[], Awaitable[Any]]]]:
    """Offer the five operations."""
    serialize, deserialize = TypeSerializer().serialize, TypeDeserializer().deserialize

    def encode(item: dict[str, Any]) -> dict[str, Any]:
        return {name: serialize(value) for name, value in item.items()}

    def decode(item: dict[str, Any]) -> dict[str, Any]:
        return {name: deserialize(value) for name, value in item.items()}

    item = workload.text_native(0)
    batch = [workload.text_native(number) for number in range(workload.BATCH_WRITE_ITEMS)]
    keys = [workload.key(number) for number in range(workload.BATCH_GET_ITEMS)]
    table = workload.TABLE
    config = AioConfig(max_pool_connections=settings.connections)
    async with get_session().create_client("dynamodb", endpoint_url=settings.endpoint, config=config) as client:

        async def get_item() -> Any:
            answer = await client.get_item(TableName=table, Key=encode(workload.key(0)))
            return decode(answer["Item"])

        async def put_item() -> Any:
            await client.put_item(TableName=table, Item=encode(item))

        async def query() -> Any:
            answer = await client.query(
                TableName=table,
                KeyConditionExpression="#0 = :0",
                ExpressionAttributeNames={"#0": "customer_id"},
                ExpressionAttributeValues={":0": serialize(workload.PARTITION)},
            )
            return [decode(found) for found in answer["Items"]]

        async def batch_get() -> Any:
            answer = await client.batch_get_item(RequestItems={table: {"Keys": [encode(key) for key in keys]}})
            return [decode(found) for found in answer["Responses"][table]]

        async def batch_write() -> Any:
            await client.batch_write_item(
                RequestItems={table: [{"PutRequest": {"Item": encode(order)}} for order in batch]}
            )

        yield {
            "get_item": get_item,
            "put_item": put_item,
            "query": query,
            "batch_get": batch_get,
            "batch_write": batch_write,
        }
