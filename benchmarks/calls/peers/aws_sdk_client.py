"""aws-sdk-dynamodb: the client that AWS generates (smithy), over aiohttp; the caller unwraps its value classes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from aws_sdk_dynamodb import models
from aws_sdk_dynamodb.client import AsyncDynamoDBClient
from aws_sdk_dynamodb.config import AsyncDynamoDBConfig
from harness import workload
from harness.measure import Settings


def decode(item: dict[str, Any]) -> dict[str, Any]:
    """Turn an item into Python values."""
    decoded: dict[str, Any] = {}
    for name, value in item.items():
        if isinstance(value, models.AttributeValueN):
            decoded[name] = Decimal(value.value)
        elif isinstance(value, models.AttributeValueSS):
            decoded[name] = set(value.value)
        else:
            decoded[name] = value.value
    return decoded


def encode(item: dict[str, Any]) -> dict[str, Any]:
    """Turn Python values into an item."""
    encoded: dict[str, Any] = {}
    for name, value in item.items():
        match value:
            case bool():
                encoded[name] = models.AttributeValueBOOL(value)
            case str():
                encoded[name] = models.AttributeValueS(value)
            case set():
                encoded[name] = models.AttributeValueSS(sorted(value))
            case _:
                encoded[name] = models.AttributeValueN(str(value))
    return encoded


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[dict[str, Callable[[], Awaitable[Any]]]]:
    """Offer the five operations."""
    item = workload.text_native(0)
    batch = [workload.text_native(number) for number in range(workload.BATCH_WRITE_ITEMS)]
    keys = [workload.key(number) for number in range(workload.BATCH_GET_ITEMS)]
    table = workload.TABLE
    config = await AsyncDynamoDBConfig.resolve(
        region=workload.REGION,
        endpoint_uri=settings.endpoint,
        aws_access_key_id=workload.ACCESS_KEY,
        aws_secret_access_key=workload.SECRET_KEY,
    )
    async with AsyncDynamoDBClient(config) as client:

        async def get_item() -> Any:
            answer = await client.get_item(models.GetItemInput(table_name=table, key=encode(workload.key(0))))
            return decode(answer.item)

        async def put_item() -> Any:
            await client.put_item(models.PutItemInput(table_name=table, item=encode(item)))

        async def query() -> Any:
            request = models.QueryInput(
                table_name=table,
                key_condition_expression="#0 = :0",
                expression_attribute_names={"#0": "customer_id"},
                expression_attribute_values={":0": models.AttributeValueS(workload.PARTITION)},
            )
            return [decode(found) for found in (await client.query(request)).items]

        async def batch_get() -> Any:
            asked = models.KeysAndAttributes(keys=[encode(key) for key in keys])
            answer = await client.batch_get_item(models.BatchGetItemInput(request_items={table: asked}))
            return [decode(found) for found in answer.responses[table]]

        async def batch_write() -> Any:
            writes = [models.WriteRequest(put_request=models.PutRequest(item=encode(order))) for order in batch]
            await client.batch_write_item(models.BatchWriteItemInput(request_items={table: writes}))

        yield {
            "get_item": get_item,
            "put_item": put_item,
            "query": query,
            "batch_get": batch_get,
            "batch_write": batch_write,
        }
