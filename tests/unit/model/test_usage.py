from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, Literal
from uuid import UUID

import attrs
import pytest

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import Checker, Compiler, UpdateClauses, Use
from mizzle_async.model import (
    Attribute,
    PartitionKey,
    SortKey,
    UsageCheck,
    attribute,
    dict_schema,
    document,
    entity,
    schema_of,
)


class Status(StrEnum):
    OPEN = "open"


class Level(IntEnum):
    LOW = 1


class Strange(Enum):
    X = object()


class Unknown:
    """What only a converter of the user's knows."""


@attrs.define
class Plain:
    size: int


@document
class Address:
    city: Attribute[str]


@document
class Other:
    city: Attribute[str]


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    status: Attribute[Status]
    kind: Attribute[Literal["a", "b"]]
    note: Attribute[str | None] = attribute(default=None)
    total: Attribute[Decimal]
    count: Attribute[int]
    level: Attribute[Level]
    paid: Attribute[bool]
    data: Attribute[bytes]
    at: Attribute[datetime]
    moved: Attribute[datetime] = attribute(datetime_format="epoch")
    day: Attribute[date]
    took: Attribute[timedelta]
    uuid: Attribute[UUID]
    tags: Attribute[set[str]]
    frozen: Attribute[AbstractSet[int]]
    lines: Attribute[list[Address]]
    pair: Attribute[tuple[int, str]]
    many: Attribute[Sequence[int]]
    extra: Attribute[dict[str, int]]
    more: Attribute[Mapping[str, str]]
    address: Attribute[Address | None]
    plain: Attribute[Plain]
    either: Attribute[str | list[str]]
    anything: Attribute[Any]
    unknown: Attribute[Unknown]
    strange: Attribute[Strange]


@entity("customers")
class Customer:
    customer_id: PartitionKey[str]
    name: Attribute[str]


UPDATE = UpdateClauses()
EVERYTHING = (Order.anything, Order.unknown, Order.strange)
TEXTS = (Order.status, Order.kind, Order.note, Order.uuid, Order.day, Order.customer_id, Order.order_id)
NUMBERS = (Order.total, Order.count, Order.level, Order.took, Order.moved)
SETS = (Order.tags, Order.frozen)
LISTS = (Order.lines, Order.pair, Order.many)
MAPS = (Order.extra, Order.more, Order.address, Order.plain)


def encode(value, path, facet):
    """Take values in DynamoDB's JSON as they are."""
    del path, facet
    return value


def compile_condition(condition, schema=None):
    """Compile a condition on orders whose values are in DynamoDB's JSON already."""
    schema = schema or schema_of(Order)
    return Compiler(encode, "Order").condition(Checker(encode, "Order", check=UsageCheck(schema)).condition(condition))


def compile_update(clauses):
    """Compile an update of orders whose values are in DynamoDB's JSON already."""

    def encode_sets(value, path, facet):
        del path, facet
        return {"SS": sorted(value)} if isinstance(value, set) else {"L": []} if isinstance(value, list) else value

    checker = Checker(encode_sets, "Order", check=UsageCheck(schema_of(Order)))
    return Compiler(encode_sets, "Order").update(checker.update(clauses))


ONE = {"N": "1"}
TEXT = {"S": "a"}


@pytest.mark.parametrize(
    ("use", "paths"),
    [
        (lambda path: path.begins_with(TEXT), (*TEXTS, Order.data, Order.at, Order.either)),
        (lambda path: path.contains(TEXT), (*TEXTS, Order.data, Order.at, *SETS, *LISTS, Order.either)),
        (lambda path: path.size() > ONE, (*TEXTS, Order.data, Order.at, *SETS, *LISTS, *MAPS, Order.either)),
        (lambda path: path > ONE, (*TEXTS, *NUMBERS, Order.data, Order.at, Order.either)),
        (lambda path: path.between(ONE, ONE), (*TEXTS, *NUMBERS, Order.data, Order.at, Order.either)),
    ],
)
def test_conditions_are_allowed_by_type(use, paths):
    """Each function and operator is allowed for the types it has a meaning for, and refused for the others."""
    allowed = {str(path) for path in (*paths, *EVERYTHING)}
    every = (*TEXTS, *NUMBERS, *SETS, *LISTS, *MAPS, *EVERYTHING, Order.data, Order.at, Order.paid, Order.either)
    for path in every:
        if str(path) in allowed:
            assert compile_condition(use(path))
        else:
            with pytest.raises(ExpressionError, match=r"is of type .*, which does not take .* It takes ==, !=, is_in"):
                compile_condition(use(path))


@pytest.mark.parametrize(
    ("use", "paths"),
    [
        (lambda path: UPDATE.add(path, ONE), NUMBERS),
        (lambda path: UPDATE.set(path, path + ONE), NUMBERS),
        (lambda path: UPDATE.add(path, {"a"}), SETS),
        (lambda path: UPDATE.discard(path, {"a"}), SETS),
        (lambda path: UPDATE.append(path, [1]), (*LISTS, Order.either)),
        (lambda path: UPDATE.prepend(path, [1]), (*LISTS, Order.either)),
        (lambda path: UPDATE.set(path, path.list_append([1])), (*LISTS, Order.either)),
    ],
)
def test_clauses_are_allowed_by_type(use, paths):
    """Sums take numbers, elements take sets, appending takes lists; the rest is refused."""
    allowed = {str(path) for path in (*paths, *EVERYTHING)}
    for path in (
        *TEXTS[:5],
        *NUMBERS,
        *SETS,
        *LISTS,
        *MAPS,
        *EVERYTHING,
        Order.data,
        Order.at,
        Order.paid,
        Order.either,
    ):
        if str(path) in allowed:
            assert compile_update(use(path))
        else:
            with pytest.raises(ExpressionError, match="is of type"):
                compile_update(use(path))


def test_error_names_the_attribute_its_type_and_what_it_takes():
    """The message says what was tried and what could be written instead, in Python's words."""
    with pytest.raises(ExpressionError) as caught:
        compile_condition(Order.total.begins_with(TEXT))
    assert caught.value.message == (
        "Order.total is of type Decimal, which does not take begins_with(). It takes ==, !=, is_in(), exists(), "
        "not_exists(), attribute_type(), <, <=, >, >=, between(), `+`, `-`, add() of a number"
    )


@pytest.mark.parametrize(
    ("clauses", "remedy"),
    [
        (UPDATE.add(Order.tags, "vip"), "A set takes a set of elements, `.add(Order.tags, {…})`"),
        (UPDATE.add(Order.tags, ["vip"]), "A set takes a set of elements, `.add(Order.tags, {…})`"),
        (UPDATE.add(Order.at, timedelta(days=1)), "A time that is stored as text takes no sum: assign a value"),
        (UPDATE.set(Order.at, Order.at + timedelta(days=1)), 'declare datetime_format="epoch"'),
    ],
    ids=str,
)  # fmt: skip
def test_error_of_a_sum_says_what_is_written_instead(clauses, remedy):
    """An element alone stands in a set, and a time is added to where it is stored as a number."""
    with pytest.raises(ExpressionError, match="does not take `") as caught:
        compile_update(clauses)
    assert remedy in caught.value.message


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            Order.total == Order.note,
            r"Order\.total is of type Decimal and Order\.note of type str \| None: their values",
        ),
        (Order.count.between(Order.total, Order.tags), "their values are never equal"),
        (Order.total.is_in([Order.paid]), "their values are never equal"),
        (Order.total == Customer.name, r"Customer\.name is an attribute of another entity: this is about Order"),
        (Customer.name == TEXT, "an attribute of another entity"),
        (Order.address[Other.city] == TEXT, "Other's attributes are not in a value of type"),
        (Order.total["x"].exists(), "a value of type Decimal has no member 'x'"),
        (Order.tags[0].exists(), r"a value of type set\[str\] has no element 0"),
        (Order.total.size() > ONE, r"does not take size\(\)"),
        (Order.paid > ONE, "does not take <, <=, >"),
    ],
)
def test_mistakes_that_type_checkers_refuse_raise(condition, message):
    """Another entity's path, a wrong document, and paths of different types raise when they are compiled."""
    with pytest.raises(ExpressionError, match=message):
        compile_condition(condition)


@pytest.mark.parametrize(
    "condition",
    [
        Order.total == Order.count,
        Order.note > Order.order_id,
        Order.count == Order.tags.size(),
        Order.tags.size() > Order.lines.size(),
        Order.anything == Order.tags,
        Order.total == Order.unknown,
        Order.address[Address.city].begins_with(TEXT),
        Order.lines[0][Address.city] == Order.note,
        Order.note.contains(Order.order_id),
        Order.tags.contains(Order.note),
        Order.address["undeclared"].size() > ONE,
    ],
)
def test_right_uses_are_left_alone(condition):
    """Paths of kinds that can be equal, sizes, documents and unknown types compile."""
    assert compile_condition(condition)


@pytest.mark.parametrize(
    ("clauses", "message"),
    [
        (UPDATE.set(Order.total, Order.note), "their values are never equal"),
        (UPDATE.set(Order.total, Order.note.if_not_exists(ONE)), "their values are never equal"),
        (UPDATE.set(Order.lines, Order.lines.list_append(Order.total)), "their values are never equal"),
        (UPDATE.set(Order.total, Order.total + Order.note), "their values are never equal"),
        (UPDATE.set(Customer.name, TEXT), "an attribute of another entity"),
        (UPDATE.remove(Customer.name), "an attribute of another entity"),
        (UPDATE.set_default(Customer.name, TEXT), "an attribute of another entity"),
        (UPDATE.set(Order.total["x"], TEXT), "has no member 'x'"),
    ],
)
def test_clauses_that_type_checkers_refuse_raise(clauses, message):
    """What one attribute is set to must be able to be its value."""
    with pytest.raises(ExpressionError, match=message):
        compile_update(clauses)


def test_projection_is_checked_too(checked_compiler):
    """A projected path must belong to the entity and lead somewhere."""
    compiler = checked_compiler(encode, "Order", check=UsageCheck(schema_of(Order)))
    assert compiler.projection([Order.total, Order.lines[0][Address.city]]) == "#total, #lines[0].#city"
    with pytest.raises(ExpressionError, match="an attribute of another entity"):
        compiler.projection([Customer.name])


def test_tables_of_dicts_are_not_checked():
    """Without a class every path may be used for everything, keys by their types."""
    schema = dict_schema("legacy", partition_key="pk", partition_key_type=str)
    path = schema.path("x")
    assert compile_condition((path > ONE) & path["y"].begins_with(TEXT) & (path[0].size() > ONE), schema)
    with pytest.raises(ExpressionError, match=r"legacy\.pk is of type str, which does not take `\+`"):
        UsageCheck(schema).use(schema.path("pk"), Use.SUM)


def test_only_attributes_are_remembered():
    """What was approved once is remembered for attributes, not for positions and names that come from data."""
    check = UsageCheck(schema_of(Order))
    for _ in range(2):
        check.use(Order.total, Use.SUM)
        for position in range(10):
            check.use(Order.lines[position], Use.READ)
    assert len(check._approved) == 1
