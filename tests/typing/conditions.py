# pyright: reportUnnecessaryTypeIgnoreComment=true
"""Conditions, operands and paths into documents: every line is accepted, or refused where an ignore says so."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar, assert_type

from entities import Address, Customer, Line, Order, SpecialOrder, Status

from mizzle_async.expressions import (
    AttributePath,
    Condition,
    Conjunction,
    Operand,
    PartitionKeyCondition,
    SortKeyCondition,
    UpdateClauses,
    raw,
)

ValueT = TypeVar("ValueT")


def query(partition: PartitionKeyCondition[Order], sort: SortKeyCondition[Order] | None = None) -> None:
    """Stand for ``orders.query``."""


def when(condition: Condition[Order]) -> None:
    """Stand for ``.when`` and ``.filter``."""


def assign(path: AttributePath[Order, ValueT], value: ValueT | Operand[Order, ValueT]) -> None:
    """Stand for ``orders.update(…).set``."""


# Key conditions are types of their own.
assert_type(Order.customer_id == "c1", PartitionKeyCondition[Order])
assert_type(Order.order_id == "1", SortKeyCondition[Order])
assert_type(Order.order_id.between("a", "b"), SortKeyCondition[Order])
assert_type(Order.order_id.begins_with("2026-"), SortKeyCondition[Order])
assert_type(Order.order_id > "a", SortKeyCondition[Order])
assert_type(Order.total >= Decimal(10), Condition[Order])
assert_type(Order.order_id != "1", Condition[Order])
assert_type(Order.customer_id.begins_with("x"), Condition[Order])

query(Order.customer_id == "c1")
query(Order.customer_id == "c1", Order.order_id.begins_with("2026-"))
query(Order.customer_id == "c1", Order.order_id < "b")
query(Order.status == Status.OPEN)  # type: ignore[arg-type]
query(Order.customer_id == 5)  # type: ignore[arg-type]
query(Customer.customer_id == "c1")  # type: ignore[arg-type]
query(Order.customer_id.begins_with("x"))  # type: ignore[arg-type]
query(Order.customer_id > "c1")  # type: ignore[arg-type]
query(Order.order_id == "1")  # type: ignore[arg-type]
query(Order.customer_id == "c1", Order.total > Decimal(1))  # type: ignore[arg-type]
query(Order.customer_id == "c1", Order.order_id == 5)  # type: ignore[arg-type]
query(Order.customer_id == "c1", Order.order_id != "1")  # type: ignore[arg-type]
query(Order.customer_id == Order.note)  # type: ignore[arg-type]
query((Order.customer_id == "c1") & (Order.order_id == "1"))  # type: ignore[arg-type]

# A condition of an entity holds for those that inherit from it, not the other way round.
when(Order.status == Status.OPEN)
when(SpecialOrder.status == Status.OPEN)  # type: ignore[arg-type]
inherited: Condition[SpecialOrder] = Order.status == Status.OPEN
when(Customer.name == "n")  # type: ignore[arg-type]

# Comparisons: values of the attribute's type, or attributes of the same entity and type.
when(Order.total == Decimal(1))
when(Order.note == "x")
when(Order.total > Order.total)
when(Order.note == Order.order_id)
when(Order.order_id == Order.note)
when(Order.status.is_in([Status.OPEN, Status.PAID]))
when(Order.total.between(Decimal(1), Decimal(2)))
when(Order.total == "x")  # type: ignore[arg-type]
when(Order.total > "x")  # type: ignore[operator]
when(Order.total == Order.note)  # type: ignore[arg-type]
when(Order.total.is_in(["x"]))  # type: ignore[list-item]
when(Order.total.between(Decimal(1), "x"))  # type: ignore[arg-type]
when(Order.customer_id == Customer.customer_id)  # type: ignore[arg-type]

# Functions.
when(Order.note.exists())
when(Order.note.not_exists())
when(Order.note.attribute_type("S"))
when(Order.note.begins_with("a"))
when(Order.placed_at.begins_with("2026-"))
when(Order.tags.contains("vip"))
when(Order.lines.contains(Line(sku="s", price=Decimal(1))))
when(Order.steps.contains("packed"))
when(Order.marks.contains(5))
when(Order.order_id.contains("a"))
when(Order.status.contains("a"))
when(Order.seal.begins_with(b"a"))
when(Order.seal.contains(b"a"))
when(Order.tags.size() > 3)
when(Order.tags.size().between(1, 2))
when(Order.count == Order.tags.size())
when(Order.note.attribute_type("X"))  # type: ignore[arg-type]
when(Order.total.begins_with("a"))  # type: ignore[misc]
when(Order.tags.begins_with("a"))  # type: ignore[misc]
when(Order.note.begins_with(b"a"))  # type: ignore[arg-type]
when(Order.seal.begins_with("a"))  # type: ignore[arg-type]
when(Order.tags.contains(5))  # type: ignore[arg-type]
when(Order.steps.contains(5))  # type: ignore[arg-type]
when(Order.note.contains(b"a"))  # type: ignore[arg-type]
when(Order.total.contains(5))  # type: ignore[call-overload, misc]
when(Order.tags.size() > "a")  # type: ignore[operator]

# Combination.
assert_type((Order.total > Decimal(1)) & (Order.status == Status.OPEN), Condition[Order])
when((Order.total > Decimal(1)) | ~(Order.status == Status.OPEN))
(Order.total > Decimal(1)) & (Customer.name == "n")  # type: ignore[operator]
(Order.total > Decimal(1)) & True  # type: ignore[operator]
when(not Order.note.exists())  # type: ignore[truthy-bool, arg-type]
if Order.note.exists():  # type: ignore[truthy-bool]
    pass
if Order.paid or Order.tags.size():  # type: ignore[truthy-bool]
    pass
for _ in Order.tags:  # type: ignore[misc]
    pass
"vip" in Order.tags  # type: ignore[misc]

# Into documents.
assert_type(Order.address[Address.city], AttributePath[Order, str])
assert_type(Order.billing[Address.street], AttributePath[Order, str | None])
assert_type(Order.lines[0], AttributePath[Order, Line])
assert_type(Order.lines[0][Line.price], AttributePath[Order, Decimal])
assert_type(Order.extra["key"], AttributePath[Order, int])
assert_type(Order.address["anything"], AttributePath[Order, Any])
when(Order.lines[0][Line.price] > Decimal(1))
when(Order.address[Address.city] == 5)  # type: ignore[arg-type]
Order.address[Customer.name]  # type: ignore[index]
Order.total[Address.city]  # type: ignore[index]

# What an update assigns.
assign(Order.total, Decimal(1))
assign(Order.total, Order.total + 5)
assign(Order.ratio, Order.ratio + 0.5)
assign(Order.total, Order.total - Decimal("0.5"))
assign(Order.total, 100 - Order.total)
assign(Order.count, Order.count.if_not_exists(0) + 1)
assign(Order.seen, Order.seen + 1)
assign(Order.took, Order.took + timedelta(seconds=1))
assign(Order.took, Order.took - 5)
assign(Order.expires_at, Order.expires_at + 3600)
assign(Order.lines, Order.lines.list_append([Line(sku="s", price=Decimal(1))]))
assign(Order.note, None)
assign(Order.address[Address.city], "Paris")
assign(Order.total, "x")  # type: ignore[misc]
assign(Customer.name, "x")  # type: ignore[arg-type]
assign(Order.total, None)  # type: ignore[misc]
assign(Order.total, Order.note)  # type: ignore[arg-type]
assign(Order.count, Order.tags.size())  # type: ignore[misc]
Order.note + 5  # type: ignore[operator]
Order.total + "x"  # type: ignore[operator]

# What was built stays as it is.
UpdateClauses().clauses = ()  # type: ignore[misc]
Conjunction((Order.total >= Decimal(10),)).parts = ()  # type: ignore[misc]

# A raw expression is a condition and an operand, and no key condition.
when(raw("my_function(#a, :b)", a=Order.total, b=1) & (Order.total >= Decimal(10)))
when(~raw("my_function(#a)", a=Order.total))
assign(Order.total, raw("my_function(#a)", a=Order.total))
query(raw("my_function(#a)", a=Order.total))  # type: ignore[arg-type]
raw(Order.total)  # type: ignore[arg-type]
