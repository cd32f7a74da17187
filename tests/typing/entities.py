# pyright: reportUnnecessaryTypeIgnoreComment=true
"""Entities and documents as type checkers see them: every line is accepted, or refused where an ignore says so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import assert_type

from mizzle_async.expressions import AttributePath, PartitionKeyPath, SortKeyPath
from mizzle_async.model import Attribute, PartitionKey, SortKey, asdict, attribute, document, entity, evolve


class Status(StrEnum):
    OPEN = "open"
    PAID = "paid"


@document
class Address:
    city: Attribute[str]
    street: Attribute[str | None] = attribute(default=None)


@document(frozen=True)
class Line:
    sku: Attribute[str]
    price: Attribute[Decimal]
    quantity: Attribute[int] = attribute(default=1)


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[str] = attribute(name="sk")
    placed_at: Attribute[datetime]
    total: Attribute[Decimal]
    address: Attribute[Address]
    billing: Attribute[Address | None] = attribute(default=None)
    lines: Attribute[list[Line]] = attribute(factory=list)
    status: Attribute[Status] = attribute(default=Status.OPEN)
    tags: Attribute[set[str]] = attribute(factory=set)
    extra: Attribute[dict[str, int]] = attribute(factory=dict)
    note: Attribute[str | None] = attribute(default=None)
    count: Attribute[int] = attribute(default=0, version=True)
    seen: Attribute[int | None] = attribute(default=None)
    took: Attribute[timedelta] = attribute(default=timedelta(0))
    steps: Attribute[Sequence[str]] = attribute(factory=list)
    marks: Attribute[frozenset[int] | None] = attribute(default=None)
    seal: Attribute[bytes | None] = attribute(default=None)
    paid: Attribute[bool] = attribute(default=False)
    ratio: Attribute[float] = attribute(default=0.0)
    expires_at: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


@entity("customers", frozen=True, unknown="raise")
class Customer:
    customer_id: PartitionKey[str] = attribute(factory=str)
    name: Attribute[str]
    status: Attribute[Status] = attribute(default=Status.OPEN)


@entity("orders")
class SpecialOrder(Order):
    discount: Attribute[Decimal] = attribute(default=Decimal(0))


address = Address(city="Paris")
order = Order(customer_id="c1", order_id="1", placed_at=datetime.now(), total=Decimal(1), address=address)  # noqa: DTZ005  (types only)
special = SpecialOrder(customer_id="c1", order_id="1", placed_at=order.placed_at, total=Decimal(1), address=address)

# Class access gives a path that knows its entity and type, instance access gives the value.
assert_type(order, Order)
assert_type(order.total, Decimal)
assert_type(order.tags, set[str])
assert_type(order.note, str | None)
assert_type(order.customer_id, str)
assert_type(Order.total, AttributePath[Order, Decimal])
assert_type(Order.customer_id, PartitionKeyPath[Order, str])
assert_type(Order.order_id, SortKeyPath[Order, str])
assert_type(Order.expires_at, AttributePath[Order, datetime | None])
assert_type(SpecialOrder.total, AttributePath[SpecialOrder, Decimal])
assert_type(special.total, Decimal)
assert_type(Address.city, AttributePath[Address, str])

# Assignment.
order.total = Decimal(2)
order.note = None
order.total = "x"  # type: ignore[assignment]
order.status = "open"  # type: ignore[assignment]

# Construction.
Customer(name="n")
Customer(customer_id="c1", name="n", status=Status.PAID)
Order(customer_id=5, order_id="1", placed_at=order.placed_at, total=Decimal(1), address=address)  # type: ignore[arg-type]
Order(customer_id="c1", order_id="1", placed_at=order.placed_at, total=Decimal(1))  # type: ignore[call-arg]
Customer("n")  # type: ignore[call-arg]
Customer(name="n", color="red")  # type: ignore[call-arg]

# Typed evolve and asdict.
assert_type(evolve(order, total=Decimal(3)), Order)
assert_type(evolve(special), SpecialOrder)
assert_type(asdict(order)["total"], object)  # type: ignore[assert-type]


# Defaults must fit their attributes.
@entity("bad")
class Bad:
    id: PartitionKey[str]
    count: Attribute[int] = attribute(default="x")  # type: ignore[arg-type]
    names: Attribute[list[str]] = attribute(factory=set)  # type: ignore[arg-type]


entity(Order)  # type: ignore[call-overload]
entity("x", unknown="warn")  # type: ignore[call-overload]
