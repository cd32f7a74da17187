"""boto3 in 64 threads, with its TypeSerializer and TypeDeserializer: what an application without asyncio has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config
from harness import workload
from harness.measure import Settings

THREADS = True


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[dict[str, Callable[[], Any]]]:
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
    client = boto3.client(
        "dynamodb", endpoint_url=settings.endpoint, config=Config(max_pool_connections=settings.connections)
    )

    def get_item() -> Any:
        return decode(client.get_item(TableName=table, Key=encode(workload.key(0)))["Item"])

    def put_item() -> Any:
        client.put_item(TableName=table, Item=encode(item))

    def query() -> Any:
        answer = client.query(
            TableName=table,
            KeyConditionExpression="#0 = :0",
            ExpressionAttributeNames={"#0": "customer_id"},
            ExpressionAttributeValues={":0": serialize(workload.PARTITION)},
        )
        return [decode(found) for found in answer["Items"]]

    def batch_get() -> Any:
        answer = client.batch_get_item(RequestItems={table: {"Keys": [encode(key) for key in keys]}})
        return [decode(found) for found in answer["Responses"][table]]

    def batch_write() -> Any:
        client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": encode(order)}} for order in batch]})

    yield {
        "get_item": get_item,
        "put_item": put_item,
        "query": query,
        "batch_get": batch_get,
        "batch_write": batch_write,
    }
