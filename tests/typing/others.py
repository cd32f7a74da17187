# pyright: reportUnnecessaryTypeIgnoreComment=true
"""Classes of others with typed paths, and JSON: every line is accepted, or refused where an ignore says so."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any, assert_type

import msgspec
import pydantic
from entities import Order

from mizzle_async import (
    AttributePath,
    Client,
    Condition,
    Table,
    from_builtins,
    from_json,
    path,
    to_builtins,
    to_json,
)


@dataclasses.dataclass
class Address:
    city: str
    floor: int | None = None


class Line(msgspec.Struct):
    sku: str
    price: Decimal


class Task(pydantic.BaseModel):
    tenant: str
    points: int
    total: Decimal
    address: Address
    lines: list[Line]
    tags: set[str]
    note: str | None = None

    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)


client = Client()
tasks = client.table(Task, name="tasks", partition_key="tenant")
assert_type(tasks, Table[Task])

points = path(Task, lambda task: task.points)
city = path(Task, lambda task: task.address.city)
price = path(Task, lambda task: task.lines[0].price)
note = path(Task, lambda task: task.note)
tags = path(Task, lambda task: task.tags)
assert_type(points, AttributePath[Task, int])
assert_type(city, AttributePath[Task, str])
assert_type(price, AttributePath[Task, Decimal])
assert_type(note, AttributePath[Task, str | None])
assert_type(points >= 5, Condition[Task])
assert_type(path(Address, lambda address: address.floor), AttributePath[Address, int | None])
assert_type(
    path(Task, lambda task: task.address)[path(Address, lambda address: address.city)], AttributePath[Task, str]
)


async def verbs(task: Task) -> None:
    """Verbs of a table of another library's class give its instances."""
    assert_type(await tasks.get(tenant="t"), Task | None)
    assert_type(await tasks.insert(task), Task)
    assert_type(await tasks.query(tasks.partition_key == "t").filter(points > 1).all(), list[Task])
    assert_type(await tasks.scan().project(points, city).all(), list[tuple[int, str]])
    await tasks.update(tenant="t").set(city, "Ulm").add(points, 1).add(tags, {"a"}).when(note.not_exists())

    path(Task, lambda task: task.nope)  # type: ignore[attr-defined]
    path(Task, lambda task: task.address.nope)  # type: ignore[attr-defined]
    path(Task, lambda task: task.points) >= "5"  # type: ignore[operator]
    path(Task, lambda task: task.address.city) > 5  # type: ignore[operator]
    tasks.scan().filter(path(Address, lambda address: address.city) == "Ulm")  # type: ignore[arg-type]
    await tasks.update(tenant="t").set(city, 5)  # type: ignore[misc]
    await tasks.update(tenant="t").add(city, 5)  # type: ignore[type-var]
    path(Task, "points")  # type: ignore[arg-type]


async def json_both_ways(order: Order, body: dict[str, Any]) -> None:
    """Data comes first, then the type, which is the type of the result."""
    assert_type(to_json(order), str)
    assert_type(from_json("{}", Order), Order)
    assert_type(from_builtins(to_builtins(order), Order), Order)
    assert_type(from_builtins([], list[Order]), list[Order])
    assert_type(from_json(b"{}", Order, partial=True), dict[str, Any])
    await client.table(Order).update(customer_id="c", order_id="1").set(from_builtins(body, Order, partial=True))

    from_json({}, Order)  # type: ignore[call-overload]
    from_builtins(Order, body)  # type: ignore[call-overload]
