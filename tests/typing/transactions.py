# pyright: reportUnnecessaryTypeIgnoreComment=true
"""Transactions, locking and PartiQL: every line is accepted, or refused where an ignore says so."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, assert_type

from entities import Customer, Order, Status

from mizzle_async import (
    Client,
    ExactlyOnce,
    ExecuteBatch,
    ExecuteTransaction,
    MizzleError,
    Page,
    ReplaceItem,
    Statement,
    StatementResult,
    Table,
    Transactable,
    TransactGet,
    TransactionCanceledError,
    TransactWrite,
    evolve,
    identifier,
    parameter,
)


async def writes(client: Client, orders: Table[Order], customers: Table[Customer], order: Order) -> None:
    """Whole-item writes give their instance, the others None, each in its place."""
    customer = Customer(customer_id="c1", name="Ann")
    update = orders.update(order).set(Order.status, Status.PAID)

    built_1 = client.transact_write(orders.insert(order))
    _ = assert_type(built_1, TransactWrite[tuple[Order]])
    assert_type(await client.transact_write(orders.insert(order)), tuple[Order])
    assert_type(await client.transact_write(orders.insert(order), update), tuple[Order, None])
    assert_type(await client.transact_write(update, customers.put(customer)), tuple[None, Customer])
    assert_type(
        await client.transact_write(
            orders.replace(order), orders.delete(order), orders.check(order).when(Order.total > Decimal(1))
        ),
        tuple[Order, None, None],
    )
    assert_type(
        await client.transact_write(
            orders.insert(order), customers.insert(customer), update, update, update, orders.put(order)
        ),
        tuple[Order, Customer, None, None, None, Order],
    )
    assert_type(await client.transact_write(update, update, update, update, update, update, update), tuple[Any, ...])
    many = [orders.insert(order), update]
    assert_type(await client.transact_write(*many, token="t", timeout=3.0), tuple[Any, ...])
    assert_type(await client.transact_write(), tuple[Any, ...])
    stored, nothing = await client.transact_write(orders.insert(order), update, token="t", timeout=3.0)
    assert_type(stored, Order)
    assert_type(nothing, None)

    try:
        await client.transact_write(orders.insert(order), update)
    except TransactionCanceledError as error:
        for reason in error.reasons:
            assert_type(reason.stored(Order), Order | None)
            assert_type(reason.error, MizzleError | None)
            assert_type(reason.code, str | None)

    client.transact_write(orders.get(order))  # type: ignore[call-overload]
    client.transact_write(orders.query(Order.customer_id == "c1"))  # type: ignore[call-overload]
    client.transact_write(order)  # type: ignore[call-overload]
    client.transact_write(update, token=5)  # type: ignore[call-overload]
    client.transact_write(update.exactly_once())  # type: ignore[call-overload]


async def reads(client: Client, orders: Table[Order], customers: Table[Customer]) -> None:
    """Each get gives what it gives alone, in its place."""
    first, second = orders.get(customer_id="c1", order_id="7"), customers.get_one("c1")
    built_2 = client.transact_get(first)
    _ = assert_type(built_2, TransactGet[tuple[Order | None]])
    assert_type(await client.transact_get(first, second), tuple[Order | None, Customer])
    assert_type(
        await client.transact_get(second, second, first, first, second, first, timeout=1.0),
        tuple[Customer, Customer, Order | None, Order | None, Customer, Order | None],
    )
    assert_type(await client.transact_get(*[first, first]), tuple[Any, ...])

    client.transact_get(orders.delete(customer_id="c1", order_id="7"))  # type: ignore[call-overload]
    client.transact_get("c1")  # type: ignore[call-overload]


async def locking(orders: Table[Order], order: Order) -> None:
    """Writes keep their type through `when`, `at_version` and `exactly_once`."""
    update = orders.update(order).add(Order.total, Decimal(1)).at_version(3)
    assert_type(await update, Order)
    assert_type(await update.exactly_once(), None)
    built_3 = update.exactly_once(token="t")
    _ = assert_type(built_3, ExactlyOnce[None])
    assert_type(await orders.insert(order).exactly_once(), Order)
    assert_type(await orders.delete(order).at_version(3).exactly_once(), None)
    built_4 = orders.replace(order).when(Order.total > Decimal(1))
    _ = assert_type(built_4, ReplaceItem[Order])
    assert_type(await orders.replace(order), Order)
    transactable: Transactable[Order] = orders.insert(order)
    nothing: Transactable[None] = update
    assert_type(transactable.sending.transacted(), Order)
    nothing.sending.transacted()

    async def change(current: Order) -> Order:
        return evolve(current, status=Status.PAID)

    assert_type(await orders.modify(order, lambda current: evolve(current, status=Status.PAID)), Order)
    assert_type(await orders.modify(change=change, attempts=3, customer_id="c1", order_id="7"), Order)

    _ = update.at_version("3")  # type: ignore[arg-type]
    orders.replace(order).set(Order.total, Decimal(1))  # type: ignore[attr-defined]
    await orders.modify(order, lambda current: current.total)  # type: ignore[arg-type, return-value]


async def partiql(client: Client) -> None:
    """Rows are instances where a class is given, dicts otherwise."""
    table = identifier("orders")
    assert_type(table, str)
    statement = client.execute("SELECT * FROM orders WHERE total > ?", 5, into=Order)
    assert_type(statement, Statement[Order])
    assert_type(await statement.all(), list[Order])
    assert_type(await statement.first(), Order | None)
    assert_type(await statement.page(max_items=20), Page[Order])
    async for order in statement:
        assert_type(order, Order)
    assert_type(await client.execute("SELECT * FROM orders").one(), dict[str, Any])
    built_5 = client.execute_batch(statement)
    _ = assert_type(built_5, ExecuteBatch[Order])
    assert_type(await client.execute_batch(statement), tuple[StatementResult[Order], ...])
    built_6 = client.execute_transaction(statement)
    _ = assert_type(built_6, ExecuteTransaction[Order])
    assert_type(await client.execute_transaction(statement), tuple[Order | None, ...])
    parameter(Order.total, Decimal(5))

    parameter(Order.total, "x")  # type: ignore[misc]
    _ = client.execute_batch("SELECT * FROM orders")  # type: ignore[arg-type]
    await client.execute("SELECT * FROM orders")  # type: ignore[misc]
