import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import cattrs
import pytest

from mizzle_async import ExpressionError
from mizzle_async.expressions import Compiler
from mizzle_async.marshalling import Difference, EntityCodec, Marshaller, diff, marshaller_of
from mizzle_async.model import (
    Attribute,
    PartitionKey,
    SortKey,
    attribute,
    dict_schema,
    document,
    entity,
    evolve,
    schema_of,
)


@document
class Address:
    city: Attribute[str]
    zip: Attribute[str | None] = attribute(default=None, name="z")


@attrs.define
class Card:
    number: str


@attrs.define
class Bank:
    iban: str


@dataclasses.dataclass
class Box:
    x: int
    y: int = 0


class Money:
    def __init__(self, amount: int, currency: str) -> None:
        self.amount, self.currency = amount, currency


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[str] = attribute(name="id", default="o")
    total: Attribute[Decimal] = attribute(default=Decimal(0))
    nick: Attribute[str | None] = attribute(default=None)
    tags: Attribute[set[str]] = attribute(factory=set)
    sizes: Attribute[set[Decimal]] = attribute(factory=set)
    lines: Attribute[list[str]] = attribute(factory=list)
    address: Attribute[Address | None] = attribute(default=None)
    extra: Attribute[dict[str, Any]] = attribute(factory=dict)
    payment: Attribute[Card | Bank | str | None] = attribute(default=None)
    box: Attribute[Box | None] = attribute(default=None)
    labels: Attribute[dict[str, set[str]]] = attribute(factory=dict)


ORDER = Order(customer_id="c")


@pytest.fixture
def codec() -> EntityCodec[Order]:
    """The codec of orders."""
    return Marshaller().codec(schema_of(Order))


@pytest.fixture
def written(codec) -> Callable[[dict[str, Any], dict[str, Any]], tuple[str, str, list[Any]]]:
    """Return the update between two orders as text, its guard as text, and the values of both."""

    def write(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, str, list[Any]]:
        return compiled(codec, diff(codec, codec.encode(evolve(ORDER, **old)), codec.encode(evolve(ORDER, **new))))

    return write


def compiled(codec: EntityCodec[Any], difference: Difference) -> tuple[str, str, list[Any]]:
    """Return a difference's update and guard as text, and the values of both."""
    compiler = Compiler(codec.encode_operand, codec.schema.entity)
    update = compiler.update(difference.clauses)
    guard = "" if difference.guard is None else compiler.condition(difference.guard)
    return update, guard, list(compiler.values.values())


@pytest.mark.parametrize(
    ("old", "new", "update", "guard", "values"),
    [
        ({}, {}, "", "", []),
        ({"total": Decimal("1.0")}, {"total": Decimal("1.00")}, "", "", []),
        ({}, {"total": Decimal(5)}, "SET #total = :total", "", [{"N": "5"}]),
        ({}, {"nick": "n"}, "SET #nick = :nick", "", [{"S": "n"}]),
        ({"nick": "n"}, {}, "REMOVE #nick", "", []),
        # sets: elements, so that others' survive; a set that grew and shrank is replaced if nobody else changed it
        ({"tags": {"a"}}, {"tags": {"a", "b"}}, "ADD #tags :tags", "", [{"SS": ["b"]}]),
        ({}, {"tags": {"b", "a"}}, "ADD #tags :tags", "", [{"SS": ["a", "b"]}]),
        ({"tags": {"a", "b"}}, {"tags": {"a"}}, "DELETE #tags :tags", "", [{"SS": ["b"]}]),
        ({"tags": {"a", "b"}}, {}, "DELETE #tags :tags", "", [{"SS": ["a", "b"]}]),
        (
            {"tags": {"a"}},
            {"tags": {"b"}},
            "SET #tags = :tags",
            "#tags = :tags_2",
            [{"SS": ["b"]}, {"SS": ["a"]}],
        ),
        ({"sizes": {Decimal("1.0")}}, {"sizes": {Decimal(1), Decimal(2)}}, "ADD #sizes :sizes", "", [{"NS": ["2"]}]),
        # lists: appended to, or replaced, while they are what they were
        (
            {"lines": ["a"]},
            {"lines": ["a", "b"]},
            "SET #lines = list_append(#lines, :lines)",
            "#lines = :lines_2",
            [{"L": [{"S": "b"}]}, {"L": [{"S": "a"}]}],
        ),
        (
            {"lines": []},
            {"lines": ["a"]},
            "SET #lines = :lines",
            "attribute_not_exists(#lines) OR #lines = :lines_2",
            [{"L": [{"S": "a"}]}, {"L": []}],
        ),
        (
            {"lines": ["a", "b"]},
            {"lines": ["b"]},
            "SET #lines = :lines",
            "#lines = :lines_2",
            [{"L": [{"S": "b"}]}, {"L": [{"S": "a"}, {"S": "b"}]}],
        ),
        (
            {"lines": ["a"]},
            {"lines": ["b", "a"]},
            "SET #lines = :lines",
            "#lines = :lines_2",
            [{"L": [{"S": "b"}, {"S": "a"}]}, {"L": [{"S": "a"}]}],
        ),
        (
            {"lines": ["a"]},
            {"lines": []},
            "SET #lines = :lines",
            "#lines = :lines_2",
            [{"L": []}, {"L": [{"S": "a"}]}],
        ),
        # documents and maps: entry by entry
        (
            {"address": Address(city="a", zip="1")},
            {"address": Address(city="b", zip="1")},
            "SET #address.#city = :city",
            "",
            [{"S": "b"}],
        ),
        ({"address": Address(city="a", zip="1")}, {"address": Address(city="a")}, "REMOVE #address.#z", "", []),
        (
            {},
            {"address": Address(city="a")},
            "SET #address = :address",
            "attribute_not_exists(#address)",
            [{"M": {"city": {"S": "a"}}}],
        ),
        (
            {"address": Address(city="a")},
            {},
            "REMOVE #address",
            "#address = :address",
            [{"M": {"city": {"S": "a"}}}],
        ),
        (
            {"extra": {"a": 1, "b": {"c": 1}, "d": 1}},
            {"extra": {"a": 2, "b": {"c": 2}, "e": 3}},
            "SET #extra.#a = :a, #extra.#b.#c = :a, #extra.#e = :e REMOVE #extra.#d",
            "",
            [{"N": "2"}, {"N": "3"}],
        ),
        ({"extra": {"a": 1}}, {"extra": {"a": "1"}}, "SET #extra.#a = :a", "", [{"S": "1"}]),
        ({"extra": {"a": 1}}, {"extra": {}}, "REMOVE #extra.#a", "", []),
        # inside a map ADD and DELETE are not documented
        (
            {"labels": {"a": {"x"}}},
            {"labels": {"a": {"x", "y"}}},
            "SET #labels.#a = :a",
            "#labels.#a = :a_2",
            [{"SS": ["x", "y"]}, {"SS": ["x"]}],
        ),
        (
            {"extra": {"a": [1], "b": [2]}},
            {"extra": {"a": [1, 2], "b": [2, 3]}},
            "SET #extra.#a = list_append(#extra.#a, :a), #extra.#b = list_append(#extra.#b, :b)",
            "#extra.#a = :a_2 AND #extra.#b = :a",
            [{"L": [{"N": "2"}]}, {"L": [{"N": "3"}]}, {"L": [{"N": "1"}]}],
        ),
        # of another class, of another type, of a class that no path leads into: replaced
        (
            {"payment": Card("1")},
            {"payment": Card("2")},
            "SET #payment.#number = :number",
            "#payment.#2 = :1",
            [{"S": "2"}, {"S": "Card"}],
        ),
        (
            {"payment": Card("1")},
            {"payment": Bank("2")},
            "SET #payment = :payment",
            "#payment = :payment_2",
            [
                {"M": {"_type": {"S": "Bank"}, "iban": {"S": "2"}}},
                {"M": {"_type": {"S": "Card"}, "number": {"S": "1"}}},
            ],
        ),
        (
            {"payment": Card("1")},
            {"payment": "cash"},
            "SET #payment = :payment",
            "#payment = :payment_2",
            [{"S": "cash"}, {"M": {"_type": {"S": "Card"}, "number": {"S": "1"}}}],
        ),
        ({"payment": "cash"}, {"payment": "card"}, "SET #payment = :payment", "", [{"S": "card"}]),
        (
            {"box": Box(1)},
            {"box": Box(2)},
            "SET #box.#x = :x",
            "",
            [{"N": "2"}],
        ),
    ],
)
def test_the_smallest_update_is_found(written, old, new, update, guard, values):  # noqa: PLR0917  (pytest gives them)
    """Only what differs is written, in the form that leaves other writers' changes alone."""
    assert written(old, new) == (update, guard, values)


def test_a_difference_of_nothing_is_empty(codec):
    """Equal items have no difference, whatever order their sets and attributes are in."""
    old = codec.encode(evolve(ORDER, tags={"a", "b"}, extra={"a": 1, "b": [1, {"c": b"x"}]}))
    new = dict(reversed(old.items())) | {"tags": {"SS": ["b", "a"]}, "total": {"N": "0.0"}}
    new["extra"] = {"M": dict(reversed(old["extra"]["M"].items()))}
    assert diff(codec, old, new).is_empty
    assert diff(codec, old, new).guard is None


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"N": "1"}, {"N": "1.0"}, True),
        ({"NS": ["1", "2"]}, {"NS": ["2.0", "1"]}, True),
        ({"BS": ["AA==", "AAE="]}, {"BS": ["AAE=", "AA=="]}, True),
        ({"L": [{"N": "1"}]}, {"L": [{"N": "1e0"}]}, True),
        ({"M": {"a": {"N": "1"}}}, {"M": {"a": {"N": "1.0"}}}, True),
        ({"L": [{"N": "1"}]}, {"L": []}, False),
        ({"M": {"a": {"N": "1"}}}, {"M": {"b": {"N": "1"}}}, False),
        ({"S": "1"}, {"S": "1.0"}, False),
        ({"S": "1"}, {"N": "1"}, False),
        ({"BOOL": True}, {"BOOL": False}, False),
    ],
)
def test_values_differ_as_the_service_sees_them(first, second, same):
    """Numbers are compared by value and sets without order, at any depth."""
    legacy = Marshaller().codec(dict_schema("legacy", partition_key="pk"))
    assert diff(legacy, {"pk": {"S": "a"}, "x": first}, {"pk": {"S": "a"}, "x": second}).is_empty is same


def test_a_key_cannot_change(codec):
    """Items with different keys have no update between them."""
    with pytest.raises(ExpressionError, match=r"^Order: the two differ in id, which is part of the key"):
        diff(codec, codec.encode(ORDER), codec.encode(evolve(ORDER, order_id="p")))


def test_a_map_that_changed_much_is_replaced(written):
    """An expression has 4,096 bytes: a map with more changes is written as a whole, while it is what it was."""
    old, new = ({"extra": {f"name{number}": number + shift for number in range(400)}} for shift in (0, 1))
    update, guard, values = written(old, new)
    assert (update, guard) == ("SET #extra = :extra", "#extra = :extra_2")
    assert [len(value["M"]) for value in values] == [400, 400]
    some = {"extra": old["extra"] | {f"name{number}": -1 for number in range(140)}}
    update, guard, _ = written(old, some)
    assert (update.count(" = "), guard) == (140, "")


def test_what_hooks_made_is_replaced():
    """No path leads into what the user's hooks made, so it is written as a whole."""

    @entity("purses")
    class Purse:
        id: PartitionKey[str]
        money: Attribute[Money | None] = attribute(default=None)
        several: Attribute[list[Money]] = attribute(factory=list)

    converter = cattrs.Converter()
    converter.register_unstructure_hook(Money, vars)
    converter.register_structure_hook(Money, lambda value, _: Money(**value))
    codec = marshaller_of(converter).codec(schema_of(Purse))
    old = codec.encode(Purse(id="1", money=Money(1, "EUR"), several=[Money(1, "EUR")]))
    new = codec.encode(Purse(id="1", money=Money(2, "EUR"), several=[Money(1, "EUR"), Money(2, "EUR")]))
    update, guard, _ = compiled(codec, diff(codec, old, new))
    assert update == "SET #money = :money, #several = list_append(#several, :several)"
    assert guard == "#money = :money_2 AND #several = :several_2"


def test_dicts_differ_by_value():
    """A table without a class has the same differences, undeclared attributes included."""
    codec = Marshaller().codec(dict_schema("legacy", partition_key="pk"))
    old = codec.encode({"pk": "a", "tags": {1}, "inner": {"a": 1}, "gone": 1})
    new = codec.encode({"pk": "a", "tags": {1, 2}, "inner": {"a": 2}, "new": [1]})
    update, guard, values = compiled(codec, diff(codec, old, new))
    assert update == "SET #inner.#a = :a, #new = :new REMOVE #gone ADD #tags :tags"
    assert guard == "attribute_not_exists(#new)"
    assert values == [{"NS": ["2"]}, {"N": "2"}, {"L": [{"N": "1"}]}]


def test_values_are_not_shown(codec):
    """The text of a difference has structure and names, no values."""
    new = evolve(ORDER, nick="canary", tags={"canary"}, lines=["canary"])
    difference = diff(codec, codec.encode(ORDER), codec.encode(new))
    assert "canary" not in f"{difference!r}{difference.clauses}{difference.clauses.describe()}{difference.guard}"
