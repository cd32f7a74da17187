# pyright: reportUnnecessaryTypeIgnoreComment=true
"""Table handles, operations and transactions: every line is accepted, or refused where an ignore says so."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import assert_type

from entities import Address, Customer, Line, Order, SpecialOrder, Status, address
from indexes import BY_PLACE, BY_STATUS

from mizzle_async import Client, Key, Page, PutItem, Query, Table, UpdateItem

client = Client()
orders = client.table(Order)
customers = client.table(Customer)
special_orders = client.table(SpecialOrder)
legacy = client.table("legacy", partition_key="pk", sort_key="sk")
order = Order(customer_id="c1", order_id="1", placed_at=datetime.now(UTC), total=Decimal(1), address=address)

assert_type(orders, Table[Order])


async def first_program() -> None:
    """The API page's first program, with the types of its results."""
    await orders.insert(order)
    assert_type(await orders.get(customer_id="c1", order_id="2026-0001"), Order | None)
    assert_type(await orders.get_one(customer_id="c1", order_id="2026-0001"), Order)
    assert_type(await orders.exists(customer_id="c1", order_id="2026-0001"), bool)
    async for each in orders.query(Order.customer_id == "c1", Order.order_id.begins_with("2026-")):
        assert_type(each, Order)
    paid = await (
        orders.update(order).set(Order.status, Status.PAID).add(Order.tags, {"vip"}).when(Order.status == Status.OPEN)
    )
    assert_type(paid, Order)
    assert_type(await orders.delete(order), Order | None)
    assert_type(await orders.get_many([orders.key(customer_id="c1", order_id="1")]), list[Order | None])
    assert_type(orders.key(order), Key[Order])


async def reading() -> None:
    """Queries keep their entity, projections have the types of their paths."""
    query = orders.query(Order.customer_id == "c1", reverse=True, max_items=5)
    assert_type(query, Query[Order])
    assert_type(await query.all(), list[Order])
    assert_type(await query.first(), Order | None)
    assert_type(await query.count(), int)
    page = await query.filter(Order.total > Decimal(1)).page("cursor", max_items=20)
    assert_type(page, Page[Order])
    assert_type(page.cursor, str | None)
    assert_type(await query.project(Order.status, Order.total).all(), list[tuple[Status, Decimal]])
    orders.query(BY_STATUS.partition_key == Status.OPEN, BY_STATUS.sort_key > order.placed_at)
    orders.query(BY_PLACE.partition_key == ("nl", "1"), BY_PLACE.sort_key > (Status.OPEN,))
    special_orders.query(BY_STATUS.partition_key == Status.OPEN)
    special_orders.scan(index=BY_STATUS)

    orders.query(Order.status == Status.OPEN)  # type: ignore[arg-type]
    orders.query(Order.customer_id == 5)  # type: ignore[arg-type]
    orders.query(Customer.customer_id == "c1")  # type: ignore[arg-type]
    orders.query(Order.customer_id.begins_with("x"))  # type: ignore[arg-type]
    orders.query(Order.customer_id == "c1", Order.total > Decimal(1))  # type: ignore[arg-type]
    query.filter(Customer.name == "n")  # type: ignore[arg-type]
    query.filter(Order.total == "x")  # type: ignore[arg-type]
    query.project(Customer.name)  # type: ignore[arg-type]
    customers.query(BY_STATUS.partition_key == Status.OPEN)  # type: ignore[arg-type]
    customers.scan(index=BY_STATUS)  # type: ignore[arg-type]


def writing() -> None:
    """Clauses take paths of the entity and values of their types; every method keeps the operation's type."""
    _ = assert_type(orders.put(order), PutItem[Order])
    update = orders.update(customer_id="c1", order_id="1")
    _ = assert_type(update, UpdateItem[Order])
    _ = assert_type(update.set(Order.total, Order.total + 5).when(Order.total > Decimal(1)), UpdateItem[Order])
    _ = update.set(Order.note, None)
    _ = update.set({"status": Status.PAID})
    _ = update.set(Order.address[Address.city], "Paris")
    _ = update.set(Order.lines[0][Line.price], Decimal(1))
    _ = update.set(Order.extra["key"], 5)
    _ = update.set_default(Order.total, Decimal(0))
    _ = update.add(Order.count, 1)
    _ = update.add(Order.total, 1)
    _ = update.add(Order.ratio, 1.5)
    _ = update.add(Order.seen, 1)
    _ = update.add(Order.took, timedelta(seconds=1))
    _ = update.add(Order.expires_at, 3600)
    _ = update.add(Order.marks, {5})
    _ = update.remove(Order.note)
    _ = update.discard(Order.tags, {"vip"})
    _ = update.discard(Order.marks, {5})
    _ = update.append(Order.lines, [Line(sku="s", price=Decimal(1))])
    _ = update.append(Order.steps, ["packed"])
    _ = update.prepend(Order.lines, [Line(sku="s", price=Decimal(1))])

    _ = update.set(Order.total, "x")  # type: ignore[misc]
    _ = update.set(Customer.name, "x")  # type: ignore[arg-type]
    _ = update.set(Order.total, None)  # type: ignore[misc]
    _ = update.set_default(Order.total, "x")  # type: ignore[misc]
    _ = update.add(Order.tags, {5})  # type: ignore[misc]
    _ = update.add(Order.note, 1)  # type: ignore[type-var]
    _ = update.add(Order.note, "x")  # type: ignore[call-overload]
    _ = update.add(Order.lines, 1)  # type: ignore[type-var]
    _ = update.discard(Order.tags, {5})  # type: ignore[misc]
    _ = update.discard(Order.total, {Decimal(1)})  # type: ignore[arg-type]
    _ = update.remove(Customer.name)  # type: ignore[arg-type]
    _ = update.append(Order.lines, ["x"])  # type: ignore[misc]
    _ = update.append(Order.total, [1])  # type: ignore[arg-type]
    _ = update.when(Customer.name == "n")  # type: ignore[arg-type]
    _ = orders.put(order).when(Customer.name == "n")  # type: ignore[arg-type]
    _ = orders.insert(Customer(name="n"))  # type: ignore[arg-type]
    _ = orders.update(Customer(name="n"))  # type: ignore[arg-type]


async def transactions() -> None:
    """Results are tuples of the operations' results."""
    gets = client.transact_get(orders.get(customer_id="c1", order_id="7"), customers.get("c1"))
    assert_type(await gets, tuple[Order | None, Customer | None])
    writes = client.transact_write(orders.insert(order), customers.update("c1").set(Customer.name, "x"))
    stored, _ = await writes
    assert_type(stored, Order)


def forgotten() -> None:
    """What was not sent is neither true nor false."""
    if orders.get(order):  # type: ignore[truthy-bool]
        pass
    if orders.scan():  # type: ignore[truthy-bool]
        pass


async def several_at_once() -> None:
    """Operations of different verbs and entities can be collected and sent together; what each gives stays known."""
    assert_type(
        await asyncio.gather(orders.get(order).send(), customers.get_one("c1").send()), tuple[Order | None, Customer]
    )
    async for operation, outcome in client.send_all([orders.insert(order), customers.delete("c1")]):
        assert_type(outcome.value, Order | Customer | None)
        await operation
    mixed = [orders.insert(order), customers.delete("c1"), orders.update(order).set(Order.note, None)]
    await client.batch_write(*mixed)
    await client.transact_write(*mixed)
    async for _operation, outcome in client.send_all(mixed):
        assert_type(outcome.value, Order | Customer | None)


async def without_a_class() -> None:
    """A table without a class reads and writes dicts, its paths are untyped."""
    _ = legacy.update(pk="a").add(legacy.attribute("n"), 1).add(legacy.attribute("s"), {"x"})
    _ = legacy.update(pk="a").discard(legacy.attribute("s"), {"x"}).append(legacy.attribute("l"), [1])
    legacy.scan().filter(legacy.attribute("l").contains(5) | legacy.attribute("t").begins_with("x"))
    async for item in legacy.query(legacy.partition_key == "a").filter(legacy.attribute("payload", "x") > 5):
        item["payload"]
    orders.query(legacy.partition_key == "a")  # type: ignore[arg-type]


async def some_attributes() -> None:
    """A projection by key has the types of its paths, and None where the whole item may be missing."""
    get, one = orders.get(customer_id="c", order_id="1"), orders.get_one(customer_id="c", order_id="1")
    assert_type(await get.project(Order.total), tuple[Decimal] | None)
    assert_type(await get.project(Order.total, Order.status), tuple[Decimal, Status] | None)
    assert_type(await one.project(Order.total, Order.status), tuple[Decimal, Status])
    keys = [orders.key(customer_id="c", order_id="1")]
    assert_type(await orders.get_many(keys).project(Order.total, Order.address), list[tuple[Decimal, Address] | None])
    async for _, row in orders.get_many(keys).project(Order.total):
        assert_type(row, tuple[Decimal] | None)
    assert_type((await orders.query(Order.customer_id == "c").page()).previous, str | None)
    assert_type(await client.transact_get(get.project(Order.total), one), tuple[tuple[Decimal] | None, Order])

    await get.project(Customer.status)  # type: ignore[arg-type]
    await one.project(Customer.status)  # type: ignore[arg-type]
    await orders.get_many(keys).project(Customer.status)  # type: ignore[arg-type]
