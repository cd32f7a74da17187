"""The work of every client: 25 verbs, their items, and the check of a right answer.

Imported by the server and by every client in its own environment: standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

FIRST_PARTITION = "customer-0001"
"""A partition of one item, for `query_first`."""

PAGE_OF_TEN = 10
TRANSACTION_ITEMS = 4
MANY_KEYS = 10

VERSIONED, NESTED, WIDE, VECTORS, COUNTERS = "versioned", "nested", "wide", "vectors", "counters"
"""Tables of other items than `TABLE`'s."""

VERSION = 7
LINES = 10
WIDE_ATTRIBUTES = 38
DIMENSIONS = 1_536

PROJECTED = ("order_id", "status", "total")

ITEMS_RETURNED = {
    "get_item": 1,
    "put_item": 0,
    "update_item": 0,
    "batch_write": 0,
    "query": PAGE_ITEMS,
    "batch_get": BATCH_GET_ITEMS,
    "delete_cond": 0,
    "insert": 0,
    "upsert": 0,
    "patch": 0,
    "query_first": 1,
    "query_10": PAGE_OF_TEN,
    "transact_write4": 0,
    "transact_get4": TRANSACTION_ITEMS,
    "get_many10": MANY_KEYS,
    "count": 0,
    "update_ver": 0,
    "put_nest": 0,
    "get_nest": 0,
    "put_wide": 0,
    "get_wide": 0,
    "query_proj": 0,
    "scan": PAGE_ITEMS,
    "put_vec": 0,
    "get_vec": 0,
}
"""Every verb, and the number of orders that it returns; the other results are checked by `OTHER_RESULTS`."""

OPERATIONS = tuple(ITEMS_RETURNED)


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


def nested_values() -> dict[str, Any]:
    """Return the attributes of a nested item: three levels, and a list of ten documents."""
    return {
        "address": {
            "street": "1 High Street",
            "city": "London",
            "place": {
                "latitude": Decimal("51.5072"),
                "longitude": Decimal("-0.1276"),
                "zone": {"code": "W1", "area": 4},
            },
        },
        "lines": [
            {"sku": f"sku-{number:04}", "title": "A thing of some use", "quantity": number, "price": Decimal("9.95")}
            for number in range(1, LINES + 1)
        ],
    }


def wide_values() -> dict[str, Any]:
    """Return the attributes of a wide item: texts and integers in turn."""
    return {f"a{number:02}": f"value {number}" if number % 2 else number for number in range(WIDE_ATTRIBUTES)}


def vector() -> list[float]:
    """Return an embedding: floats of every length, as models give them."""
    return [((number * 2_654_435_761) % 2**32) / 2**32 - 0.5 for number in range(1, DIMENSIONS + 1)]


def attribute_value(value: Any) -> dict[str, Any]:
    """Return a Python value of this workload as an AttributeValue."""
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case dict():
            return {"M": {name: attribute_value(part) for name, part in value.items()}}
        case list():
            return {"L": [attribute_value(part) for part in value]}
    return {"N": str(value)}


def stored(table: str, number: int) -> dict[str, dict[str, Any]]:
    """Return an item of a table as DynamoDB's JSON."""
    match table:
        case "nested":
            values = nested_values()
        case "wide":
            values = wide_values()
        case "vectors":
            values = {"embedding": vector()}
        case "counters":
            values = {"status": "sent", "quantity": 4}
        case "versioned":
            return wire(number) | {"version": {"N": str(VERSION)}}
        case _:
            return wire(number)
    return wire_key(number) | {name: attribute_value(value) for name, value in values.items()}


class WrongAnswerError(Exception):
    """A client did not return what was stored: its figures would mean nothing."""


def reader(item: Any) -> Callable[[str], Any]:
    """Return a function that reads an attribute of a dict or an instance by its name."""
    return item.__getitem__ if isinstance(item, Mapping) else lambda name: getattr(item, name)


def is_nested(result: Any) -> bool:
    """Say whether a nested item was read."""
    place = reader(reader(reader(result)("address"))("place"))
    line = reader(reader(result)("lines")[-1])
    return float(place("latitude")) == 51.5072 and line("quantity") == LINES  # noqa: PLR2004  (the item's own value)


def is_wide(result: Any) -> bool:
    """Say whether a wide item was read."""
    read = reader(result)
    return all(read(name) == value for name, value in wide_values().items())


def is_vector(result: Any) -> bool:
    """Say whether a vector was read."""
    embedding = reader(result)("embedding")
    return len(embedding) == DIMENSIONS and float(embedding[-1]) == vector()[-1]


def is_projection(result: Any) -> bool:
    """Say whether rows of the projected attributes were read."""
    row = result[-1]
    read = dict(zip(PROJECTED, row, strict=True)).__getitem__ if isinstance(row, tuple) else reader(row)
    return len(result) == PAGE_ITEMS and read("status") == "open" and float(read("total")) == float(TOTAL)


OTHER_RESULTS: dict[str, Callable[[Any], bool]] = {
    "count": lambda result: result == PAGE_ITEMS,
    "get_nest": is_nested,
    "get_wide": is_wide,
    "get_vec": is_vector,
    "query_proj": is_projection,
}


def verify(operation: str, result: object) -> None:
    """Refuse a client whose result is not the items that the server sent, decoded.

    Args:
        operation: One of `OPERATIONS`.
        result: What the client returned: an item, or a list of items; nothing is asked of writes.

    Raises:
        WrongAnswerError: The number of items or a value in the last of them is wrong.
    """
    if check := OTHER_RESULTS.get(operation):
        if not check(result):
            message = f"{operation}: got {result!r}"[:300]
            raise WrongAnswerError(message)
        return
    expected = ITEMS_RETURNED[operation]
    if not expected:
        return
    items: list[Any] = list(result) if expected > 1 else [result]  # type: ignore[call-overload]  # several: a sequence
    if len(items) != expected:
        message = f"{operation}: expected {expected} items, got {len(items)}"
        raise WrongAnswerError(message)
    item = items[-1]
    read = reader(item)
    wanted = native(0) | ({"customer_id": FIRST_PARTITION} if operation == "query_first" else {})
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
