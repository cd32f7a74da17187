# pyright: reportUnnecessaryTypeIgnoreComment=true
"""Shared tables: every line with an ignore is refused by both checkers, for the reason beside it."""

from __future__ import annotations

from decimal import Decimal

from shared_right import DAY, constant, order
from shop import BY_STATUS, GSI1, Customer, Line, Order, Status, client, lines, orders, shop

from mizzle_async import GlobalSecondaryIndex, SharedTable, entity, key_template


def wrong() -> None:
    orders.query(Order.placed_at >= DAY)  # type: ignore[arg-type]  # no partition
    orders.query(Order.status == Status.OPEN)  # type: ignore[arg-type]  # no key
    orders.query(Order.customer_id == 5)  # type: ignore[arg-type]  # type
    orders.query(Order.customer_id.begins_with("c"))  # type: ignore[arg-type]  # only == selects a partition
    orders.query(Customer.customer_id == "c1")  # type: ignore[arg-type]  # another entity
    orders.query(Order.customer_id == "c1", Order.placed_at >= "2026")  # type: ignore[operator]  # type
    orders.query(Order.customer_id == "c1", Order.total >= Decimal(1))  # type: ignore[arg-type]  # not a key
    orders.query(Order.customer_id == "c1", Line.number >= 1)  # type: ignore[arg-type]  # another entity
    orders.query(Order.customer_id == "c1", Order.order_id.begins_with(5))  # type: ignore[call-overload]  # type
    orders.query(Order.customer_id == "c1").filter(Line.sku == "x")  # type: ignore[arg-type]  # another entity
    lines.query(Line.order_id == "o1", Line.number.begins_with("1"))  # type: ignore[misc]  # numbers have no beginnings
    orders.query(BY_STATUS.sort_key >= (DAY,))  # type: ignore[arg-type]  # no partition
    orders.query(BY_STATUS.partition_key == "open")  # type: ignore[arg-type]  # type
    orders.query(BY_STATUS.partition_key == Status.OPEN, BY_STATUS.sort_key >= DAY)  # type: ignore[operator]  # a tuple
    orders.query(BY_STATUS.partition_key == Status.OPEN, BY_STATUS.sort_key >= ("o1",))  # type: ignore[operator]  # not from the left
    orders.query(BY_STATUS.partition_key == Status.OPEN, BY_STATUS.sort_key >= (DAY, 5))  # type: ignore[operator]  # type of the second
    orders.query(BY_STATUS.partition_key == Status.OPEN, BY_STATUS.sort_key >= (DAY, "o", "x"))  # type: ignore[operator]  # too many
    lines.query(BY_STATUS.partition_key == Status.OPEN)  # type: ignore[arg-type]  # another entity's index
    lines.query(constant.partition_key == "LINES")  # type: ignore[arg-type]  # a constant has no parts
    lines.query(constant.partition_key == (), constant.sort_key >= (3,))  # type: ignore[operator]  # not from the left
    status, number, named = key_template("X#{}", Order.status), key_template("{}", Line.number), Customer.name == "x"
    GlobalSecondaryIndex(GSI1, partition_key=status, sort_key=number)  # type: ignore[misc]  # two entities
    GlobalSecondaryIndex(GSI1, partition_key="STATUS#{status}")  # type: ignore[call-overload]  # text without types
    GlobalSecondaryIndex(GSI1, partition_key=Order.status)  # type: ignore[call-overload]  # no template
    GlobalSecondaryIndex(GSI1, partition_key=status, where=named)  # type: ignore[misc]  # another entity's condition
    key_template("X#{}", "status")  # type: ignore[call-overload]  # a name
    key_template("X#{}#{}", Order.status, Line.number)  # type: ignore[misc]  # two entities
    Order(customer_id=5, placed_at=DAY, order_id="o", total=Decimal(1))  # type: ignore[arg-type]  # type
    Order(customer_id="c", placed_at=DAY, total=Decimal(1))  # type: ignore[call-arg]  # a part is missing
    order.placed_at = "2026"  # type: ignore[assignment]  # type
    orders.update(order).set(Order.status, "paid")  # type: ignore[misc, unused-awaitable]  # type
    orders.update(order).set(Line.sku, "x")  # type: ignore[arg-type, unused-awaitable]  # another entity
    orders.update(order).when(Customer.name == "x")  # type: ignore[arg-type, unused-awaitable]  # another entity
    orders.key(Customer(customer_id="c", name="x"))  # type: ignore[arg-type]  # another entity
    shop.query(Line.order_id == "o1")  # type: ignore[arg-type]  # not in the collection
    shop.query(Customer.name == "Ada")  # type: ignore[arg-type]  # no key
    shop.query(Order.placed_at >= DAY)  # type: ignore[arg-type]  # no partition
    shop.query(Customer.customer_id == 5)  # type: ignore[arg-type]  # type
    shop.query(Customer.customer_id == "c1", Line.number >= 1)  # type: ignore[arg-type]  # not in the collection
    shop.query(Customer.customer_id == "c1").filter(Line.sku == "x")  # type: ignore[arg-type]  # not in the collection
    client.collection(Customer, "Order")  # type: ignore[call-overload]  # a name
    client.table("app")  # type: ignore[call-overload]  # a name
    SharedTable("app")  # type: ignore[call-arg]  # no key
    entity("app", partition_key="X#{a}")  # type: ignore[call-overload]  # no table


async def wrong_results() -> None:
    async for item in shop.query(Customer.customer_id == "c1"):
        _ = item.name  # type: ignore[union-attr]  # an order has none
    _one, _two, _three = await shop.query(Customer.customer_id == "c1").grouped()  # type: ignore[misc]  # two lists
    _, placed = await shop.query(Customer.customer_id == "c1").grouped()
    _ = placed[0].name  # type: ignore[attr-defined]  # an order has none
    _ = (await shop.query(Customer.customer_id == "c1").all())[0].total  # type: ignore[union-attr]  # a customer has none
    await shop.get_many([lines.key(order_id="o1", number=1)])  # type: ignore[list-item]  # not in the collection
    first: Customer | None = await orders.query(Order.customer_id == "c1").first()  # type: ignore[assignment]  # an order
