# pyright: reportUnnecessaryTypeIgnoreComment=true
"""Keys by condition: every line is accepted, or refused where an ignore says so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, assert_type

from entities import Customer, Order
from shop import Order as SharedOrder
from shop import orders as shared_orders

from mizzle_async import Client, GetItem, GetOne, Key, Query

client = Client()
orders = client.table(Order)
customers = client.table(Customer)
DAY = datetime(2026, 1, 1, tzinfo=UTC)

found = orders.get(Order.customer_id == "c1", Order.order_id == "7")
_ = assert_type(found, GetItem[Order | None])
there = orders.exists(Order.customer_id == "c1", Order.order_id == "7")
needed = orders.get_one(Order.customer_id == "c1", Order.order_id == "7")
_one = assert_type(needed, GetOne[Order])
assert_type(orders.key(Order.customer_id == "c1", Order.order_id == "7"), Key[Order])
assert_type(orders.query(Order.customer_id.is_in(["c1", "c2"]), Order.order_id >= "7"), Query[Order])
changed = orders.update(Order.customer_id == "c1", Order.order_id == "7")
changed = orders.upsert(Order.customer_id == "c1", Order.order_id == "7")
deleted = orders.delete(Order.customer_id == "c1", Order.order_id == "7")
checked = orders.check(Order.customer_id == "c1", Order.order_id == "7")
shared = (SharedOrder.customer_id == "c1", SharedOrder.placed_at == DAY, SharedOrder.order_id == "o1")
of_part = shared_orders.get(*shared)
_part = assert_type(of_part, GetItem[SharedOrder | None])


def wrong() -> Any:
    one = orders.get(Order.customer_id == 5)  # type: ignore[arg-type]  # type
    two = orders.get(Order.customer_id == "c1", Order.order_id == 7)  # type: ignore[arg-type]  # type
    three = orders.get(Customer.customer_id == "x")  # type: ignore[arg-type]  # another entity
    four = orders.get(Order.total == 5)  # type: ignore[arg-type]  # no key
    five = orders.get(Order.customer_id == "c1", Order.note == "x")  # type: ignore[arg-type]  # no key
    six = orders.get(Order.customer_id == "c1", Customer.customer_id == "x")  # type: ignore[arg-type]  # another entity
    seven = orders.query(Order.customer_id.is_in([1]))  # type: ignore[list-item]  # type
    eight = orders.delete(Order.order_id == "7")  # type: ignore[arg-type]  # not the partition key
    nine = orders.update(Order.customer_id == 5).set(Order.note, "x")  # type: ignore[arg-type]  # type
    return one, two, three, four, five, six, seven, eight, nine
