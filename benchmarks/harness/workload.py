"""The work that every client is given: one ten-attribute item of 400 bytes, and what a right answer looks like.

Imported by the server and by every client in its own environment: standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

TABLE = "orders"
REGION = "eu-west-1"
ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # noqa: S105  (the example of AWS's documentation)

PAGE_ITEMS = 100
BATCH_GET_ITEMS = 100
BATCH_WRITE_ITEMS = 25

PARTITION = "customer-0017"
PLACED_AT = datetime(2026, 10, 13, 8, 48, 47, 966937, tzinfo=UTC)
TOTAL = Decimal("129.95")
TAGS = frozenset({"express", "gift", "vip"})
NOTE = "Leave it with the neighbour, please: ring twice, then knock. The dog is friendly, the cat is not."

OPERATIONS = ("get_item", "put_item", "query", "batch_get", "batch_write")
ITEMS_RETURNED = {"get_item": 1, "put_item": 0, "query": PAGE_ITEMS, "batch_get": BATCH_GET_ITEMS, "batch_write": 0}


def native(number: int) -> dict[str, Any]:
    """One order as Python values; its sort key comes from its number."""
    return {
        "customer_id": PARTITION,
        "order_id": order_id(number),
        "placed_at": PLACED_AT,
        "total": TOTAL,
        "quantity": 3,
        "status": "open",
        "paid": True,
        "tags": set(TAGS),
        "email": "ada@example.com",
        "note": NOTE,
    }


def order_id(number: int) -> str:
    """The sort key of one order."""
    return f"2026-{number:06d}"


def key(number: int) -> dict[str, str]:
    """The key of one order as Python values."""
    return {"customer_id": PARTITION, "order_id": order_id(number)}


def text_native(number: int) -> dict[str, Any]:
    """The order for clients without classes: they store a datetime as the caller's text."""
    return native(number) | {"placed_at": PLACED_AT.isoformat()}


def wire(number: int) -> dict[str, dict[str, Any]]:
    """One order as DynamoDB's JSON."""
    return {
        "customer_id": {"S": PARTITION},
        "order_id": {"S": order_id(number)},
        "placed_at": {"S": PLACED_AT.isoformat()},
        "total": {"N": str(TOTAL)},
        "quantity": {"N": "3"},
        "status": {"S": "open"},
        "paid": {"BOOL": True},
        "tags": {"SS": sorted(TAGS)},
        "email": {"S": "ada@example.com"},
        "note": {"S": NOTE},
    }


def wire_key(number: int) -> dict[str, dict[str, str]]:
    """The key of one order as DynamoDB's JSON."""
    return {"customer_id": {"S": PARTITION}, "order_id": {"S": order_id(number)}}


class WrongAnswerError(Exception):
    """A client did not return what was stored: its figures would mean nothing."""


def verify(operation: str, result: object) -> None:
    """Refuse a client whose result is not the items that the server sent, decoded.

    Args:
        operation: One of `OPERATIONS`.
        result: What the client returned: an item, or a list of items; nothing is asked of writes.

    Raises:
        WrongAnswerError: The number of items or a value in the last of them is wrong.
    """
    expected = ITEMS_RETURNED[operation]
    if not expected:
        return
    items: list[Any] = list(result) if expected > 1 else [result]  # type: ignore[call-overload]  # of several, a sequence
    if len(items) != expected:
        message = f"{operation}: expected {expected} items, got {len(items)}"
        raise WrongAnswerError(message)
    item = items[-1]
    read = item.__getitem__ if isinstance(item, Mapping) else lambda name: getattr(item, name)
    wanted = native(0)
    for name in ("customer_id", "quantity", "status", "paid", "email", "note"):
        if read(name) != wanted[name]:
            message = f"{operation}: {name} is {read(name)!r}"
            raise WrongAnswerError(message)
    if round(float(read("total")), 2) != float(TOTAL) or set(read("tags")) != TAGS:
        message = f"{operation}: total is {read('total')!r}, tags are {read('tags')!r}"
        raise WrongAnswerError(message)
    placed_at = read("placed_at")
    if placed_at != PLACED_AT and datetime.fromisoformat(placed_at) != PLACED_AT:
        message = f"{operation}: placed_at is {placed_at!r}"
        raise WrongAnswerError(message)
