"""What value classes have in common is what attrs would have generated."""

from typing import Any

import attrs
import pytest
from attrs import field, frozen

from mizzle_async import OperationOutcome
from mizzle_async.operations.reads.page import RawPage
from mizzle_async.types import RepeatSafety, WireRequest, WireResponse
from mizzle_async.values import Record, Value
from mizzle_async.wire.exchange import Answer, Endpoint, Exchange

CANARY = "yellow bird"
ITEM = {"order_id": {"S": CANARY}}


@frozen(eq=False, repr=False)
class Ours(Value):
    number: int
    shown: str = field(default="a", repr=lambda text: f"<{text}>")
    hidden: str = field(default="b", repr=False)
    _private: list[int] = field(factory=list)


@frozen
class Theirs:
    number: int
    shown: str = field(default="a", repr=lambda text: f"<{text}>")
    hidden: str = field(default="b", repr=False)
    _private: list[int] = field(factory=list)


@frozen(eq=False, repr=False)
class Other(Ours):
    """Another class with the same fields."""


@frozen(eq=False, repr=False)
class Identified(Record):
    number: int


def test_value_looks_like_one_of_attrs():
    """Fields are shown by name, some by a function of their own and some not at all."""
    assert repr(Ours(1)) == repr(Theirs(1)).replace("Theirs", "Ours")
    assert "hidden" not in repr(Ours(1))


def test_class_of_a_function_is_shown_without_it():
    """A class that was made in a function is shown by its own name, as attrs shows it."""

    @frozen(eq=False, repr=False)
    class Local(Record):
        number: int

    assert repr(Local(1)) == "Local(number=1)"


@pytest.mark.parametrize("change", [{"number": 2}, {"shown": "c"}, {"hidden": "c"}, {"private": [1]}])
def test_values_are_equal_by_every_field(change: dict[str, Any]):
    """Two values are equal where all of their fields are, the hidden ones too."""
    assert Ours(1) == Ours(1)
    assert Ours(1) != attrs.evolve(Ours(1), **change)


def test_values_of_two_classes_differ():
    """A value equals none of another class, nor of a subclass with the same fields."""
    assert Ours(1) != Other(1)
    assert Ours(1) != Theirs(1)
    assert Ours(1) != 1


def test_equal_values_have_one_hash():
    """A value is hashed by its fields, and not at all where one of them cannot be."""
    assert len({Ours(1, private=()), Ours(1, private=()), Other(1, private=())}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(Ours(1))


def test_records_are_told_apart_by_identity():
    """A record shows its fields and equals nothing but itself."""
    one = Identified(1)
    assert one == one
    assert one != Identified(1)
    assert repr(one) == "Identified(number=1)"


@pytest.mark.parametrize(
    "value",
    [
        WireRequest("PutItem", CANARY.encode(), "orders", RepeatSafety.IDEMPOTENT),
        WireResponse({"Item": ITEM}),
        Exchange(Endpoint("http", "localhost", 8000), [("X-Amz-Security-Token", CANARY)], CANARY.encode()),
        Answer(200, {}, {"Item": ITEM}),
        RawPage([ITEM], ITEM, origins=[ITEM]),
        OperationOutcome(ITEM),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_holds_values_of_attributes_does_not_show_them(value: object):
    """What a task returns is shown in logs of asyncio: neither items, nor keys, nor signed headers are."""
    assert CANARY not in repr(value)
