"""dynamoxy's codec: ``to_wire`` and ``from_wire``, with its models around them or without."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import dynamoxy
from dynamoxy import Attr, field, partition_key, sort_key
from marshalling.items import Codec, flat, flat_wire, nested, nested_wire


class Order(dynamoxy.Model, table="orders"):
    """The flat item."""

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


def encode_model(order: Order) -> dict[str, Any]:
    """Take a model to DynamoDB's JSON."""
    return dynamoxy.to_wire(order.to_item(), base64_binary=True)


def decode_model(item: dict[str, Any]) -> Order:
    """Take DynamoDB's JSON to a model."""
    return Order.from_item(dynamoxy.from_wire(item))


def encode(item: dict[str, Any]) -> dict[str, Any]:
    """Take a dict to DynamoDB's JSON."""
    return dynamoxy.to_wire(item, base64_binary=True)


def codecs() -> dict[str, dict[str, Codec]]:
    """Return what is measured, by variant and kind of item."""
    return {
        "dynamoxy, model": {"flat": Codec(encode_model, decode_model, Order(**flat()), flat_wire())},
        "dynamoxy, dict": {
            "flat": Codec(encode, dynamoxy.from_wire, flat(with_times=False), flat_wire()),
            "nested": Codec(encode, dynamoxy.from_wire, nested(), nested_wire()),
        },
    }
