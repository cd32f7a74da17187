"""boto3's TypeSerializer and TypeDeserializer, an item at a time, as its users call them."""

from __future__ import annotations

from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from marshalling.items import Codec, flat, flat_wire, nested, nested_wire

serializer = TypeSerializer()
deserializer = TypeDeserializer()


def encode(item: dict[str, Any]) -> dict[str, Any]:
    """Serialize every attribute."""
    return {name: serializer.serialize(value) for name, value in item.items()}


def decode(item: dict[str, Any]) -> dict[str, Any]:
    """Deserialize every attribute."""
    return {name: deserializer.deserialize(value) for name, value in item.items()}


def codecs() -> dict[str, dict[str, Codec]]:
    """Return what is measured, by variant and kind of item."""
    return {
        "boto3 TypeSerializer, dict": {
            "flat": Codec(encode, decode, flat(with_times=False), flat_wire()),
            "nested": Codec(encode, decode, nested(), nested_wire()),
        }
    }
