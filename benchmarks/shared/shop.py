"""Orders of a table of their own and of a shared table, and a service that answers with them from memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from mizzle_async import Attribute, PartitionKey, SharedTable, SortKey, attribute, entity
from mizzle_async.types import WireRequest, WireResponse

PAGE = 100
CUSTOMER = "customer-0017"
NOTE = "Leave it with the neighbour, please: ring twice, then knock. The dog is friendly, the cat is not."

APP = SharedTable("app", partition_key="PK", sort_key="SK")


@entity("orders")
class PlainOrder:
    """An order in a table of its own."""

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


@entity(APP, partition_key="CUSTOMER#{customer_id}", sort_key="ORDER#{placed_at}#{order_id}")
class SharedOrder:
    """The same order in a table that it shares with other entities: its key is made of three attributes."""

    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    placed_at: SortKey[datetime]
    total: Attribute[Decimal]
    quantity: Attribute[int]
    status: Attribute[str]
    paid: Attribute[bool]
    tags: Attribute[set[str]] = attribute(factory=set)
    email: Attribute[str]
    note: Attribute[str]


def plain_item(number: int) -> dict[str, Any]:
    """Return an order as its own table stores it."""
    return {
        "customer_id": {"S": CUSTOMER},
        "order_id": {"S": f"2026-{number:08d}"},
        "placed_at": {"S": placed_at(number)},
        "total": {"N": f"{100 + number}.95"},
        "quantity": {"N": str(number % 20)},
        "status": {"S": "shipped"},
        "paid": {"BOOL": True},
        "tags": {"SS": ["express", "gift", "vip"]},
        "email": {"S": "customer-0017@example.com"},
        "note": {"S": NOTE},
    }


def placed_at(number: int) -> str:
    """Return the time of an order as it is stored."""
    return f"2026-10-13T08:{number % 60:02d}:47.966937Z"


def shared_item(number: int) -> dict[str, Any]:
    """Return an order as the shared table stores it: with its key's two attributes and its type beside its own."""
    return {
        "PK": {"S": f"CUSTOMER#{CUSTOMER}"},
        "SK": {"S": f"ORDER#{placed_at(number)}#2026-{number:08d}"},
        "_type": {"S": "SharedOrder"},
        **plain_item(number),
    }


def padded_item(number: int) -> dict[str, Any]:
    """Return an order of the plain table with a longer note: as many bytes of JSON as the shared table's item has."""
    item = plain_item(number)
    missing = len(compact(shared_item(number))) - len(compact(item))
    return {**item, "note": {"S": (NOTE * 4)[: len(NOTE) + missing]}}


def compact(value: Any) -> bytes:
    """Return JSON as the service writes it."""
    return json.dumps(value, separators=(",", ":")).encode()


class OrdersInMemory:
    """Answers the requests of a client: one item, one page of 100 items, and nothing to a write.

    Args:
        item: Makes the item of a number.
    """

    def __init__(self, item: Callable[[int], dict[str, Any]]) -> None:
        items = [item(number) for number in range(PAGE)]
        self._answers = {
            "GetItem": compact({"Item": items[0]}),
            "Query": compact({"Count": PAGE, "Items": items, "ScannedCount": PAGE}),
            "PutItem": b"{}",
        }

    async def call(self, request: WireRequest, /) -> WireResponse:
        """Answer a request, parsed and checked as on the wire."""
        return WireResponse((request.parse or json.loads)(self._answers[request.operation]))

    async def aclose(self) -> None:
        """Do nothing."""
