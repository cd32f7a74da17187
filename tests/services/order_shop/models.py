"""The one model of all three services: what is stored, what is sent, and what the documentation shows."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from mizzle_async import Attribute, PartitionKey, SortKey, attribute, document, entity


class Status(StrEnum):
    """The state of an order."""

    OPEN = "open"
    PAID = "paid"


@document
class Line:
    """One line of an order."""

    sku: Attribute[str]
    price: Attribute[Decimal]
    amount: Attribute[int] = attribute(default=1)


@entity("service-orders")
class Order:
    """An order of a customer."""

    customer: PartitionKey[str]
    number: SortKey[int]
    lines: Attribute[list[Line]] = attribute(factory=list, description="what was ordered")
    tags: Attribute[set[str]] = attribute(factory=set)
    status: Attribute[Status] = attribute(default=Status.OPEN)
    note: Attribute[str | None] = attribute(default=None, examples=["leave it at the door"])
    views: Attribute[int] = attribute(default=0)
    placed_at: Attribute[datetime | None] = attribute(default=None, created_at=True)
    version: Attribute[int] = attribute(default=0, version=True)
