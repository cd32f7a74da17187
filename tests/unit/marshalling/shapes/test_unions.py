import collections
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any, Literal
from uuid import UUID

import attrs
import pytest

from mizzle_async import MarshallingError, ModelError
from mizzle_async.model import Attribute, document


@document
class Card:
    number: Attribute[str]


@attrs.define
class Bank:
    iban: str


@dataclass
class Voucher:
    code: str


@attrs.define
class Cat:
    kind: Literal["cat", "kitten"] = "cat"
    lives: int = 9


@attrs.define
class Dog:
    tricks: list[str]
    kind: Literal["dog"] = "dog"


@attrs.define
class Number:
    value: int
    kind: Literal["number"] = "number"


@attrs.define
class Sum:
    left: "Number | Sum"
    right: "Number | Sum"
    kind: Literal["sum"] = "sum"


@attrs.define
class Taken:
    _type: str


class Mixed(Enum):
    ONE = 1
    TWO = "two"


class Endless(Enum):
    INFINITE = float("inf")


class Other:
    pass


@dataclass
class Square:
    side: int
    kind: Literal["square"] = field(default="square", init=False)


@dataclass
class Circle:
    radius: int
    kind: Literal["circle"] = field(default="circle", init=False)


PAYMENT = Card | Bank | Voucher


@pytest.mark.parametrize(
    ("value", "members"),
    [
        (Card(number="1"), {"_type": {"S": "Card"}, "number": {"S": "1"}}),
        (Bank("i"), {"_type": {"S": "Bank"}, "iban": {"S": "i"}}),
        (Voucher("v"), {"_type": {"S": "Voucher"}, "code": {"S": "v"}}),
    ],
)
def test_classes_of_a_union_are_stored_with_their_names(stored, value, members):
    """A union of classes stores the name of the class as ``_type``, wherever it stands, and reads it back."""
    union = stored(PAYMENT)
    assert union.write(value) == {"M": members}
    assert union.read({"M": members}) == value
    listed = stored(list[PAYMENT | None])
    assert listed.read(listed.write([value, None])) == [value, None]


@pytest.mark.parametrize(
    ("value", "members"),
    [
        (Cat(), {"kind": {"S": "cat"}, "lives": {"N": "9"}}),
        (Cat("kitten"), {"kind": {"S": "kitten"}, "lives": {"N": "9"}}),
        (Dog(["sit"]), {"tricks": {"L": [{"S": "sit"}]}, "kind": {"S": "dog"}}),
    ],
)
def test_a_literal_that_all_declare_tells_them_apart(stored, value, members):
    """Classes that declare a Literal with different values need no further attribute."""
    union = stored(Cat | Dog)
    assert union.write(value) == {"M": members}
    assert union.read({"M": members}) == value


def test_a_literal_that_is_not_stored_tells_nothing_apart(stored):
    """Classes whose Literal is made up by their ``__init__``, and so not stored, are told apart by their names."""
    union = stored(Square | Circle)
    assert union.write(Circle(2)) == {"M": {"_type": {"S": "Circle"}, "radius": {"N": "2"}}}
    assert union.read(union.write(Circle(2))) == Circle(2)


def test_classes_may_contain_their_union(stored):
    """A tree of classes that refer to each other's union is stored and read."""
    tree = Sum(Number(1), Sum(Number(2), Number(3)))
    expression = stored(Number | Sum)
    assert expression.read(expression.write(tree)) == tree
    with pytest.raises(MarshallingError, match=r"^Thing\.value\.right\.left: expected Number \| Sum, found str"):
        expression.write(Sum(Number(1), Sum("x", Number(2))))


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({"S": "x"}, "expected M, found S"),
        ({"M": {}}, "expected M with '_type' naming Card or Bank or Voucher, found M without it"),
        ({"M": {"_type": {"S": "Canary"}}}, "found M naming something else"),
        ({"M": {"_type": {"N": "1"}}}, "found M without it"),
        ({"M": {"_type": {"S": "Bank"}}}, "value.iban: expected S, found no such attribute"),
    ],
)
def test_what_is_no_class_of_the_union_is_refused(stored, found, sentence):
    """A map that names no class of the union, or lacks its members, raises."""
    with pytest.raises(MarshallingError, match=r"^Thing\.value") as caught:
        stored(PAYMENT).read(found)
    assert sentence in str(caught.value)
    assert "Canary" not in str(caught.value)


def test_another_class_is_no_member_of_the_union(stored):
    """An instance of another class raises."""
    with pytest.raises(MarshallingError, match=r"expected Card \| Bank \| Voucher, found Cat"):
        stored(PAYMENT).write(Cat())


def test_a_union_inside_a_union_is_one_union(stored):
    """Classes and other types may stand in one union."""
    union = stored(Card | Bank | str | int)
    for value in (Card(number="1"), Bank("i"), "x", 5):
        assert union.read(union.write(value)) == value


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (str | UUID, "str | UUID cannot be told apart when it is read: str and UUID are both stored as S"),
        (float | Decimal, "float and Decimal are both stored as N"),
        (int | float | Decimal, "are both stored as N"),
        (Card | dict[str, int], "are both stored as M"),
        (list[str] | set[str], "are both stored as L"),
        (list[str] | list[int], "list[str] and list[int] are both stored as L"),
        (Taken | Bank, "Taken has an attribute '_type', where Taken | Bank stores the class's name"),
        (set[list[str]], "a set holds text, numbers or bytes, not list[str]: write list[list[str]]"),
        (set[bool], "a set holds text, numbers or bytes, not bool: write list[bool]"),
        (set[Card], "a set holds text, numbers or bytes, not Card: write list[Card]"),
        (dict[bytes, str], "the names of a map are text, and bytes has no text of its own: write dict[str, …]"),
        (dict[tuple[str, str], str], "the names of a map are text, and tuple[str, str] has no text of its own"),
        (Mixed, "the values of Mixed must be all text, all numbers of one type or all bytes, as DynamoDB can store"),
        (Endless, "the values of Endless must be all text, all numbers of one type or all bytes, as DynamoDB can"),
        (Literal[Mixed.ONE], "Literal[<Mixed.ONE: 1>] has no place in DynamoDB"),
        (Literal[None], "Literal[None] has no place in DynamoDB"),  # noqa: PYI061  (nothing else is in it)
        (
            Other,
            "DynamoDB: write a type that has one, make it a dataclass, a model or a @document, or",
        ),
        (list[Other], "Other has no place in DynamoDB"),
        (complex, "complex has no place in DynamoDB: store its parts as two numbers"),
        (type[int], "type[int] has no place in DynamoDB"),
    ],
)
def test_types_that_cannot_be_mapped_are_refused(stored, kind, sentence):
    """Making the codec raises for a type that cannot be stored, naming the attribute and what to write instead."""
    with pytest.raises(ModelError, match=r"^Thing\.value: ") as caught:
        stored(kind)
    assert sentence in str(caught.value)


def test_two_classes_of_one_name_need_a_literal(stored):
    """Classes of a union that have the same name cannot be told apart by it."""
    other: Any = attrs.make_class("Bank", {"x": attrs.field(type=int)})
    with pytest.raises(ModelError, match=r"two classes of Bank \| Bank have one name"):
        stored(other | Bank)


def test_an_unmappable_member_is_named_with_its_class(stored):
    """The error for a nested class names that class and its attribute."""

    @attrs.define
    class Holder:
        other: Other

    with pytest.raises(ModelError, match=r"^Holder\.other: "):
        stored(Holder)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("deque", "write list"),
        ("OrderedDict", "write dict"),
        ("defaultdict", "write dict"),
        ("Counter", "write dict"),
    ],
)
def test_relatives_of_what_can_be_stored_are_named(stored, name, advice):
    """For a type that has a plain relative, the error says which."""
    with pytest.raises(ModelError, match=f"has no place in DynamoDB: {advice}"):
        stored(getattr(collections, name))
