# pyright: reportUnnecessaryTypeIgnoreComment=true
"""Changes: their types by handle and by view, exhaustive matches, and the uses that both checkers refuse."""

from __future__ import annotations

from typing import Any, assert_never, assert_type

from shop import Customer, Line, Order, Status, client, orders

from mizzle_async import Change, Inserted, Key, Modified, PartialChange, Removed, SharedTable, entity
from mizzle_async.types import Item

both = client.collection(Customer, Order)


async def handle(change: Change[Order]) -> None:
    match change:
        case Inserted(new=order):
            assert_type(order, Order)
        case Modified(old, new):
            assert_type(old, Order)
            assert_type(new, Order)
            assert_type(change.changed(Order.status, Order.total), bool)
        case Removed(old, expired=True):
            assert_type(old, Order)
        case Removed():
            assert_type(change.old, Order)
            assert_type(change.key, Key[Order])
        case _:
            assert_never(change)


async def handle_both(change: Change[Customer | Order]) -> None:
    match change:
        case Inserted(new=Order() as order):
            assert_type(order, Order)
        case Inserted(new=Customer() as customer):
            assert_type(customer, Customer)
        case Inserted():
            pass
        case Modified(old, Order() as order):
            assert_type(old, Customer | Order)
            assert_type(order, Order)
            assert_type(change.changed(Order.status, Customer.name), bool)
        case Modified():
            pass
        case Removed(old):
            assert_type(old, Customer | Order)
        case _:
            assert_never(change)


async def handle_partial(change: PartialChange[Order]) -> None:
    assert_type(change.new, Order | None)
    assert_type(change.old, Order | None)


async def right(event: dict[str, Any]) -> None:
    assert_type(orders.decode({}), Order)
    assert_type(both.decode({}), Customer | Order)
    assert_type(orders.decode_records(event), list[Change[Order]])
    assert_type(both.decode_records(event), list[Change[Customer | Order]])
    assert_type(orders.decode_records(event, view="keys_only"), list[PartialChange[Order]])
    await orders.handle_records(event, handle)
    await both.handle_records(event, handle_both, concurrency=4)
    await orders.handle_records(event, handle_partial, view="new_image")
    entity("a", stream="new_and_old_images")
    SharedTable("a", partition_key="PK", stream="keys_only")


async def wrong(event: dict[str, Any], change: Change[Order], modified: Modified[Order], image: Item) -> None:
    change.new  # type: ignore[union-attr]  # a removal has none
    change.changed(Order.status)  # type: ignore[union-attr]  # a modification alone
    modified.changed(Line.sku)  # type: ignore[arg-type]  # another entity
    modified.changed("status")  # type: ignore[arg-type]  # a text
    modified.changed(Order.status == Status.OPEN)  # type: ignore[arg-type]  # a condition
    modified.new = modified.old  # type: ignore[misc]  # changes are frozen
    orders.encode(Customer(customer_id="c", name="x"))  # type: ignore[arg-type]  # another entity
    orders.decode("{}")  # type: ignore[arg-type]  # a text
    await orders.handle_records(event, handle, view="keys_only")  # type: ignore[call-overload]  # these are partial
    await orders.handle_records(event, handle_partial)  # type: ignore[arg-type]  # these are whole
    await both.handle_records(event, handle)  # type: ignore[arg-type]  # of one of them only
    await orders.handle_records(event, print)  # type: ignore[arg-type]  # it must be awaited
    orders.decode_records(event, view="KEYS_ONLY")  # type: ignore[call-overload]  # in lower case
    entity("a", stream="KEYS_ONLY")  # type: ignore[call-overload]  # in lower case
    entity(SharedTable("a", partition_key="PK"), partition_key="A", stream="keys_only")  # type: ignore[call-overload]  # the table's
    SharedTable("a", partition_key="PK", stream="all")  # type: ignore[arg-type]  # no view
    await client.create_table(Order, stream="OLD_IMAGE")  # type: ignore[arg-type]  # in lower case
