"""The orders that `run.py` measures with: ten attributes, 400 bytes, and what its workers do to them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum

from mizzle_async import Attribute, PartitionKey, SortKey, attribute, entity, evolve


class Status(Enum):
    """The state of an order."""

    OPEN = "open"
    PAID = "paid"


@entity("orders")
class Order:
    """An order."""

    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    status: Attribute[Status]
    total: Attribute[Decimal]
    placed: Attribute[datetime]
    tags: Attribute[set[str]] = attribute(factory=set)
    paid: Attribute[bool] = attribute(default=False)
    note: Attribute[str | None] = attribute(default=None)
    count: Attribute[int] = attribute(default=0)
    weight: Attribute[float] = attribute(default=0.5)


def make_orders(count: int) -> Iterator[Order]:
    """Yield orders."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(count):
        yield Order(
            customer_id=f"customer-{number % 997}",
            order_id=f"{number:012}",
            status=Status.PAID if number % 3 else Status.OPEN,
            total=Decimal(number) / 100,
            placed=begin + timedelta(seconds=number, microseconds=number % 7),
            tags={"gift", "express"} if number % 2 else set(),
            paid=bool(number % 3),
            note="a note of some length, as people write them beside an order" if number % 4 else None,
            count=number,
            weight=number / 7,
        )


def dearer(order: Order) -> Order:
    """Add to the count."""
    return evolve(order, count=order.count + 1)


def cheaper(order: Order) -> Order:
    """Take from the count."""
    return evolve(order, count=order.count - 1)
