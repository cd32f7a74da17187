"""The library's own codecs: of classes, frozen and not, and of dicts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from marshalling.items import Codec, flat, flat_wire, nested, nested_wire

from mizzle_async import Attribute, PartitionKey, SortKey, attribute, document, entity
from mizzle_async.marshalling import Marshaller
from mizzle_async.model import dict_schema, schema_of


@entity("orders")
class Order:
    """The flat item."""

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


@entity("orders", frozen=True)
class FrozenOrder:
    """The flat item, immutable."""

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


@document
class Line:
    """One line of a nested item."""

    sku: Attribute[str]
    price: Attribute[Decimal]
    quantity: Attribute[int]


@document
class Address:
    """A place."""

    street: Attribute[str]
    city: Attribute[str]
    country: Attribute[str]


@entity("orders")
class NestedOrder:
    """The nested item."""

    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    address: Attribute[Address]
    labels: Attribute[dict[str, str]]
    lines: Attribute[list[Line]]


def nested_instance() -> NestedOrder:
    """Return the nested item as an instance."""
    values: dict[str, Any] = nested()
    values["address"] = Address(**values["address"])
    values["lines"] = [Line(**line) for line in values["lines"]]
    return NestedOrder(**values)


def codecs() -> dict[str, dict[str, Codec]]:
    """Return what is measured, by variant and kind of item."""
    marshaller = Marshaller()
    order = marshaller.codec(schema_of(Order))
    frozen = marshaller.codec(schema_of(FrozenOrder))
    deep = marshaller.codec(schema_of(NestedOrder))
    plain = marshaller.codec(dict_schema("orders", partition_key="customer_id", sort_key="order_id"))
    return {
        "mizzle_async, model": {
            "flat": Codec(order.encode, order.decode, Order(**flat()), flat_wire()),
            "nested": Codec(deep.encode, deep.decode, nested_instance(), nested_wire()),
        },
        "mizzle_async, frozen model": {"flat": Codec(frozen.encode, frozen.decode, FrozenOrder(**flat()), flat_wire())},
        "mizzle_async, dict": {
            "flat": Codec(plain.encode, plain.decode, flat(with_times=False), flat_wire()),
            "nested": Codec(plain.encode, plain.decode, nested(), nested_wire()),
        },
    }
