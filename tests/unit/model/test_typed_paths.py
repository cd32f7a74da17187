"""Paths of classes that have none themselves."""

import dataclasses
from typing import Any

import msgspec
import pydantic
import pytest

from mizzle_async import Attribute, ExpressionError, ModelError, PartitionKey, attribute, document, entity, path
from mizzle_async.expressions import PartitionKeyPath


@document
class Part:
    name: Attribute[str] = attribute(name="n")


@dataclasses.dataclass
class Card:
    number: str
    part: Part | None = None


class Cash(msgspec.Struct):
    number: str
    amount: int = 0


class Task(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)

    id: str
    payment: Card | Cash | None = None
    cards: list[Card] = []
    named: dict[str, Card] = {}
    other: Any = None


@entity("orders")
class Order:
    id: PartitionKey[str]
    part: Attribute[Part] = attribute(name="p")


@pytest.mark.parametrize(
    ("select", "segments", "shown"),
    [
        (lambda task: task.id, ("id",), "Task.id"),
        (lambda task: task.payment.number, ("payment", "number"), "Task.payment.number"),
        (lambda task: task.payment.amount, ("payment", "amount"), "Task.payment.amount"),
        (lambda task: task.payment.part.name, ("payment", "part", "n"), "Task.payment.part.name"),
        (lambda task: task.cards[2].number, ("cards", 2, "number"), "Task.cards[2].number"),
        (lambda task: task.named["a.b"].part, ("named", "a.b", "part"), "Task.named['a.b'].part"),
        (lambda task: task.other.anything["x"][0], ("other", "anything", "x", 0), "Task.other.anything.x[0]"),
    ],
)
def test_attribute_gives_its_path(select, segments, shown):
    """A function of an instance gives the path of the attribute that it takes, by stored names."""
    made = path(Task, select)
    assert (made.owner, made.segments, str(made)) == (Task, segments, shown)


def test_entities_give_the_paths_that_they_have():
    """Of an entity, the path is the one that class access gives: its kind, its names, its documents."""
    key = path(Order, lambda order: order.id)
    assert isinstance(key, PartitionKeyPath)
    inner, known = path(Order, lambda order: order.part.name), Order.part[Part.name]
    assert (inner.segments, inner.labels, inner.documents) == (known.segments, known.labels, known.documents)


@pytest.mark.parametrize(
    ("select", "message"),
    [
        (lambda task: task.nope, r"Task has no attribute 'nope'; it has id, payment, cards, named, other"),
        (lambda task: task.payment.nope, r"Task\.payment has no attribute 'nope'; it has number, part, amount"),
        (lambda task: task.id.upper, r"Task\.id has no attribute 'upper': it holds str"),
        (lambda task: task.cards["a"], r"Task\.cards\.a: a value of type list\[Card\] has no such part"),
        (lambda task: task.id >= "a", r"Task\.id: the function takes an attribute and does nothing with it"),
        (lambda task: task.id and task.payment, r"Task\.id: the function takes an attribute"),
        (lambda task: task.id.upper(), r"Task\.id has no attribute 'upper'"),
        (lambda task: "a" in task.id, r"Task\.id: the function takes an attribute"),
        (lambda task: [*task.cards], r"Task\.cards: the function takes an attribute"),
        (lambda task: task[0], r"path\(Task, …\) takes an attribute first"),
        (lambda task: task, r"path\(Task, …\) takes a function that returns an attribute"),
        (lambda _: 5, r"path\(Task, …\) takes a function that returns an attribute"),
    ],
)
def test_function_that_takes_no_attribute_is_refused(select, message):
    """A name that the class has not, and a function that does more than to take an attribute, is an error."""
    with pytest.raises(ExpressionError, match=message):
        path(Task, select)


def test_one_name_that_is_stored_in_two_ways_is_refused():
    """Where the classes of a union store an attribute under different names, the path names the class."""

    @document
    class Other:
        name: Attribute[str] = attribute(name="m")

    @document
    class Holder:
        value: Attribute[Part | Other]

    with pytest.raises(ExpressionError, match=r"Holder\.value\.name is stored under several names: m, n"):
        path(Holder, lambda holder: holder.value.name)


@pytest.mark.parametrize("cls", [int, dict, object])
def test_class_without_attributes_is_refused(cls):
    """A class that lists no attributes has no paths."""
    with pytest.raises(ModelError, match=r"path\(\) takes a class with attributes"):
        path(cls, lambda one: one.real)
