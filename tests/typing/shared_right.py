"""Shared tables: every line is accepted, with the types asserted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import assert_type

from shop import BY_STATUS, GSI1, Customer, Line, Order, Status, app, client, customers, lines, orders, shop

from mizzle_async import (
    AttributePath,
    Condition,
    GlobalSecondaryIndex,
    Key,
    KeyTemplate,
    PartitionKeyPath,
    SortKeyCondition,
    SortKeyPath,
    Table,
    key_template,
)

DAY = datetime(2026, 1, 1, tzinfo=UTC)

# instances and paths, as today
order = Order(customer_id="c1", placed_at=DAY, order_id="o1", total=Decimal(5))
assert_type(order.placed_at, datetime)
assert_type(Order.customer_id, PartitionKeyPath[Order, str])
assert_type(Order.placed_at, SortKeyPath[Order, datetime])
assert_type(Order.total, AttributePath[Order, Decimal])
assert_type(Line.number, SortKeyPath[Line, int])
assert_type(orders, Table[Order])
assert_type(Order.placed_at >= DAY, SortKeyCondition[Order])

# queries: the partition, then the sort key from the left
orders.query(Order.customer_id == "c1")
orders.query(Order.customer_id == "c1", Order.placed_at >= DAY)
orders.query(Order.customer_id == "c1", Order.placed_at.between(DAY, DAY), reverse=True)
orders.query(Order.customer_id == "c1", Order.placed_at == DAY, Order.order_id.begins_with("o"))
orders.query(Order.customer_id == "c1").filter(Order.status == Status.OPEN)
lines.query(Line.order_id == "o1", Line.number <= 10)

# an index of the shared table
assert_type(BY_STATUS, GlobalSecondaryIndex[Order, Status, tuple[datetime] | tuple[datetime, str]])
assert_type(BY_STATUS.partition_key, PartitionKeyPath[Order, Status])
orders.query(BY_STATUS.partition_key == Status.OPEN)
orders.query(BY_STATUS.partition_key == Status.OPEN, BY_STATUS.sort_key >= (DAY,))
orders.query(BY_STATUS.partition_key == Status.OPEN, BY_STATUS.sort_key.begins_with((DAY, "o")))
assert_type(key_template("D#{}", Order.depot), KeyTemplate[Order, str | None, str | None])
sparse = GlobalSecondaryIndex(
    GSI1,
    partition_key=key_template("DEPOT#{}", Order.depot),
    sort_key=key_template("{}", Order.placed_at),
    where=Order.status != Status.SHIPPED,
)
assert_type(sparse, GlobalSecondaryIndex[Order, str | None, datetime])
constant = GlobalSecondaryIndex(
    GSI1, partition_key=key_template("LINES"), sort_key=key_template("{}#{:04}", Line.order_id, Line.number)
)
lines.query(constant.partition_key == (), constant.sort_key == ("o1", 3))

# updates
changed = orders.update(order).set(Order.status, Status.PAID).when(Order.status == Status.OPEN)
changed = orders.update(customer_id="c1", placed_at=DAY, order_id="o1").set(Order.total, Decimal(1))


async def collections() -> None:
    async for item in shop.query(Customer.customer_id == "c1"):
        assert_type(item, Customer | Order)
        match item:
            case Customer():
                assert_type(item.name, str)
            case Order():
                assert_type(item.total, Decimal)
    found, placed = await shop.query(Customer.customer_id == "c1", reverse=True, max_items=11).grouped()
    assert_type(found, list[Customer])
    assert_type(placed, list[Order])
    assert_type(await shop.query(Order.customer_id == "c1", Order.placed_at >= DAY).all(), list[Customer | Order])
    shop.query(Customer.customer_id == "c1").filter(Order.status == Status.OPEN).filter(Customer.name == "Ada")
    shop.query(app.partition_key == "CUSTOMER#c1", app.sort_key.begins_with("ORDER#2026"))
    keys = [customers.key(customer_id="c1"), orders.key(order)]
    assert_type(
        await shop.get_many([customers.key(customer_id="c1"), orders.key(order)]), list[Customer | Order | None]
    )
    some: Sequence[Key[Customer | Order]] = [customers.key(customer_id="c1"), orders.key(order)]
    await shop.get_many(some)
    del keys
    three = client.collection(Customer, Order, Line)
    async for one in three.scan(segments=4):
        assert_type(one, Customer | Order | Line)
    everything = client.collection(app)
    async for anything in everything.query(app.partition_key == "CUSTOMER#c1"):
        _ = anything


# a function that takes what any collection gives
def newest(condition: Condition[Order]) -> None:
    orders.query(Order.customer_id == "c1").filter(condition)
