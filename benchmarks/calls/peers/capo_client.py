"""capo-dynamodb: generated from the service model, on its own HTTP stack; the caller decodes DynamoDB's JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from capo_dynamodb import AsyncDynamoDBClient, Credentials
from harness import workload
from harness.measure import Settings

DECODERS: dict[str, Callable[[Any], Any]] = {"S": str, "N": Decimal, "BOOL": bool, "SS": set}


def decode(item: dict[str, Any]) -> dict[str, Any]:
    """Turn an item into Python values."""
    decoders = DECODERS
    decoded = {}
    for name, value in item.items():
        for kind, inner in value.items():
            decoded[name] = decoders[kind](inner)
    return decoded


def encode(item: dict[str, Any]) -> dict[str, Any]:
    """Turn Python values into an item."""
    encoded: dict[str, Any] = {}
    for name, value in item.items():
        match value:
            case bool():
                encoded[name] = {"BOOL": value}
            case str():
                encoded[name] = {"S": value}
            case set():
                encoded[name] = {"SS": sorted(value)}
            case _:
                encoded[name] = {"N": str(value)}
    return encoded


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[dict[str, Callable[[], Awaitable[Any]]]]:
    """Offer the five operations."""
    item = workload.text_native(0)
    batch = [workload.text_native(number) for number in range(workload.BATCH_WRITE_ITEMS)]
    keys = [workload.key(number) for number in range(workload.BATCH_GET_ITEMS)]
    table = workload.TABLE
    credentials = Credentials(access_key=workload.ACCESS_KEY, secret_key=workload.SECRET_KEY)
    async with AsyncDynamoDBClient(
        region=workload.REGION, endpoint=settings.endpoint, credentials=credentials
    ) as client:

        async def get_item() -> Any:
            return decode((await client.get_item(table, encode(workload.key(0))))["item"])

        async def put_item() -> Any:
            await client.put_item(table, encode(item))

        async def query() -> Any:
            answer = await client.query(
                table,
                key_condition_expression="#0 = :0",
                expression_attribute_names={"#0": "customer_id"},
                expression_attribute_values={":0": {"S": workload.PARTITION}},
            )
            return [decode(found) for found in answer["items"]]

        async def batch_get() -> Any:
            answer = await client.batch_get_item({table: {"keys": [encode(key) for key in keys]}})
            return [decode(found) for found in answer["responses"][table]]

        async def batch_write() -> Any:
            await client.batch_write_item({table: [{"put_request": {"item": encode(order)}} for order in batch]})

        yield {
            "get_item": get_item,
            "put_item": put_item,
            "query": query,
            "batch_get": batch_get,
            "batch_write": batch_write,
        }
