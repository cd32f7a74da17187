"""aiobotocore with boto3's TypeSerializer and TypeDeserializer: today's common stack.

Expressions and their values are written by hand, as its users do; items and keys go through the serializers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore import xform_name
from calls.peers.floor_verbs import Codec, verbs
from harness import workload
from harness.measure import Settings


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[dict[str, Callable[[], Awaitable[Any]]]]:
    """Offer every verb."""
    serialize, deserialize = TypeSerializer().serialize, TypeDeserializer().deserialize

    def encode_item(item: dict[str, Any]) -> dict[str, Any]:
        return {name: serialize(value) for name, value in item.items()}

    def decode_item(item: dict[str, Any]) -> dict[str, Any]:
        return {name: deserialize(value) for name, value in item.items()}

    def encode_vector(vector: list[float]) -> dict[str, Any]:
        encoded: dict[str, Any] = serialize([Decimal(repr(part)) for part in vector])  # it takes no floats
        return encoded

    def decode_vector(item: dict[str, Any]) -> dict[str, Any]:
        return {"embedding": [float(part) for part in deserialize(item["embedding"])]}

    codec = Codec(
        encode_item,
        decode_item,
        lambda number: encode_item(workload.key(number)),
        encode_vector,
        decode_vector,
    )
    config = AioConfig(max_pool_connections=settings.connections)
    async with get_session().create_client("dynamodb", endpoint_url=settings.endpoint, config=config) as client:
        methods = {name: getattr(client, xform_name(name)) for name in client.meta.service_model.operation_names}

        async def send(operation: str, request: dict[str, Any]) -> Any:
            return await methods[operation](**request)

        yield verbs(send, codec)
