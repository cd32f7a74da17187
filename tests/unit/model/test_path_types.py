from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import attrs
import pytest

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import AttributePath
from mizzle_async.model import (
    Attribute,
    PartitionKey,
    attribute,
    dict_schema,
    document,
    entity,
    schema_of,
    type_at,
)

if TYPE_CHECKING:
    from fractions import Fraction


AnyT = TypeVar("AnyT")


@document
class Zone:
    code: Attribute[int]


@document
class Address:
    city: Attribute[str] = attribute(name="cty")
    zone: Attribute[Zone | None] = attribute(default=None)


@document
class HomeAddress(Address):
    floor: Attribute[int]


@document
class Renamed(Address):
    city: Attribute[str] = attribute(name="town")


class Strange:
    """What only a converter of the user's knows."""


@attrs.define
class Plain:
    size: int
    parent: Plain | None = None


@attrs.define
class Unresolvable:
    ratio: Fraction


@entity("orders")
class Order:
    id: PartitionKey[str]
    total: Attribute[Decimal]
    address: Attribute[Address]
    home: Attribute[HomeAddress | None]
    either: Attribute[Address | Zone | str]
    plain: Attribute[Plain]
    strange: Attribute[Unresolvable]
    lines: Attribute[list[Address]]
    pair: Attribute[tuple[int, str]]
    many: Attribute[tuple[Decimal, ...]]
    bare: Attribute[list]
    extra: Attribute[dict[str, int]]
    mixed: Attribute[Mapping[str, Sequence[bool]] | list[int]]
    loose: Attribute[dict]
    anything: Attribute[Any]
    variable: Attribute[AnyT]
    strange_class: Attribute[Strange]
    kind: Attribute[Literal["a"]]
    renamed: Attribute[Renamed]


@entity("orders")
class SpecialOrder(Order):
    pass


@entity("orders")
class RenamedOrder(Order):
    total: Attribute[Decimal] = attribute(name="sum")


@document
class Customer:
    city: Attribute[str]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (Order.total, Decimal),
        (Order.address[Address.city], str),
        (Order.address["cty"], str),
        (Order.address[Address.zone[Zone.code]], int),
        (Order.address[Address.zone][Zone.code], int),
        (Order.home[Address.city], str),
        (Order.home[HomeAddress.floor], int),
        (Order.either[Zone.code], int),
        (Order.plain["size"], int),
        (Order.plain["parent"]["size"], int),
        (Order.strange["ratio"], Any),
        (Order.lines[3], Address),
        (Order.lines[0][Address.city], str),
        (Order.pair[1], str),
        (Order.many[7], Decimal),
        (Order.bare[0]["x"], Any),
        (Order.extra["key"], int),
        (Order.mixed["a"], Sequence[bool]),
        (Order.mixed["a"][0], bool),
        (Order.mixed[0], int),
        (Order.loose["a"][0], Any),
        (Order.anything["a"]["b"][0], Any),
        (Order.address["undeclared"], Any),
        (Order.plain["color"], Any),
        (Order.variable["x"], Any),
        (Order.strange_class["x"][0], Any),
        (AttributePath(Order, ("undeclared",)), Any),
    ],
)
def test_type_at_the_end_of_a_path_is_found(path, expected):
    """Documents, plain attrs classes, dicts, lists, tuples, unions and untyped values are walked through."""
    assert type_at(schema_of(Order), path) == expected


def test_several_possibilities_are_a_union():
    """Where a member exists in several members of a union, its type is the union of theirs."""

    @document
    class One:
        x: Attribute[int]

    @document
    class Two:
        x: Attribute[str]

    @entity("x")
    class Thing:
        id: PartitionKey[str]
        either: Attribute[One | Two]

    assert type_at(schema_of(Thing), Thing.either["x"]) == int | str


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (Order.total["x"], r"Order\.total\.x: a value of type Decimal has no member 'x'"),
        (Order.total[0], r"a value of type Decimal has no element 0"),
        (Order.id[0], "a value of type str has no element 0"),
        (Order.address[0], "a value of type Address has no element 0"),
        (Order.address[Customer.city], r"Customer's attributes are not in a value of type Address"),
        (Order.address[HomeAddress.floor], "HomeAddress's attributes are not in a value of type Address"),
        (Order.extra[Address.city], "Address's attributes are not in a value of type"),
        (Order.total[Address.city], "Address's attributes are not in a value of type Decimal"),
        (Order.pair[2], "has no element 2"),
        (Order.lines["x"], "has no member 'x'"),
        (Order.extra[0], "has no element 0"),
        (Order.home[Renamed.city], "Renamed's attributes are not in a value of type HomeAddress"),
        (Order.kind["x"], r"a value of type Literal\['a'\] has no member 'x'"),
        (Order.renamed[Address.city], "Address's attributes are not in a value of type Renamed"),
        (AttributePath(Customer, ("city",)), r"Customer\.city is an attribute of another entity: this is about Order"),
        (SpecialOrder.total, "is an attribute of another entity"),
    ],
)
def test_paths_that_lead_nowhere_are_refused(path, message):
    """The mistakes that type checkers refuse raise here, naming the path and what is there."""
    with pytest.raises(ExpressionError, match=message):
        type_at(schema_of(Order), path)


def test_paths_of_bases_are_understood():
    """An inherited attribute may be named through the base class."""
    assert type_at(schema_of(SpecialOrder), Order.total) is Decimal


def test_paths_of_bases_that_are_stored_under_another_name_are_refused():
    """An attribute that a class renames may not be named through its base, whose name nothing is stored under."""
    assert type_at(schema_of(RenamedOrder), RenamedOrder.total) is Decimal
    with pytest.raises(
        ExpressionError, match=r"Order\.total is stored as 'total', which RenamedOrder .* as 'sum': use"
    ):
        type_at(schema_of(RenamedOrder), Order.total)


def test_tables_of_dicts_have_any_attributes():
    """Without a class nothing is known, so nothing is refused; keys have their types."""
    schema = dict_schema("legacy", partition_key="pk", partition_key_type=str)
    assert type_at(schema, schema.path("x")["y"][0]) is Any
    assert type_at(schema, schema.path("pk")) is str
    with pytest.raises(ExpressionError, match="a value of type str has no member 'x'"):
        type_at(schema, schema.path("pk")["x"])
