from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Any, NewType, get_args, get_origin
from uuid import UUID

import attrs
import cattrs
import pytest
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.preconf.json import make_converter as make_json_converter
from cattrs.strategies import configure_tagged_union, use_class_methods

from mizzle_async import MarshallingError, ModelError
from mizzle_async.expressions import Facet
from mizzle_async.model import Attribute, PartitionKey, entity, schema_of

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


class Money:
    def __init__(self, amount: int, currency: str) -> None:
        self.amount, self.currency = amount, currency

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.amount, self.currency))

    @classmethod
    def parse(cls, text: str) -> "Money":
        amount, currency = text.split()
        return cls(int(amount), currency)


class Status(StrEnum):
    OPEN = "open"


class Color(Enum):
    RED = "rot"


class Mixed(Enum):
    ONE = 1
    TWO = "two"


@attrs.define
class Line:
    sku: str
    price: int


@attrs.define
class Card:
    number: str


@attrs.define
class Bank:
    iban: str


@attrs.define
class Own:
    x: int

    def _unstructure(self) -> dict[str, Any]:
        return {"y": self.x}

    @classmethod
    def _structure(cls, found: dict[str, Any]) -> "Own":
        return cls(found["y"])


@pytest.fixture
def converter() -> cattrs.Converter:
    """A converter with hooks for money."""
    converter = cattrs.Converter()
    converter.register_unstructure_hook(Money, lambda money: f"{money.amount} {money.currency}")
    converter.register_structure_hook(Money, lambda text, _: Money.parse(text))
    return converter


def test_hooks_store_types_that_the_library_does_not_know(stored, converter):
    """A class with hooks is stored by value as what they make of it, wherever it stands."""
    money = Money(5, "EUR")
    assert stored(Money, converter).write(money) == {"S": "5 EUR"}
    assert stored(Money, converter).read({"S": "5 EUR"}) == money
    listed = stored(list[Money | None], converter)
    assert listed.read(listed.write([money, None])) == [money, None]
    mapped = stored(dict[str, Money], converter)
    assert mapped.write({"a": money}) == {"M": {"a": {"S": "5 EUR"}}}
    assert mapped.read(mapped.write({"a": money})) == {"a": money}
    several = stored(set[Money], converter)
    assert several.write({money}) == {"SS": ["5 EUR"]}
    assert several.read({"SS": ["5 EUR"]}) == {money}
    assert several.write(set()) is None
    assert stored(Money | None, converter).write(None) is None


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        (datetime, NOON, {"N": str(int(NOON.timestamp()))}),
        (Decimal, Decimal("1.10"), {"S": "1.10"}),
        (UUID, UUID(int=5), {"B": "AAAAAAAAAAAAAAAAAAAABQ=="}),
        (int, 5, {"S": "5"}),
        (bool, True, {"S": "True"}),
        (Status, Status.OPEN, {"N": "0"}),
        (Line, Line("s", 1), {"M": {"s": {"S": "s"}, "price": {"N": "1"}}}),
        (list[str], ["b", "a"], {"SS": ["a", "b"]}),
    ],
)
def test_hooks_win_over_the_library_s_own(stored, kind, value, found):
    """A hook for a type that the library knows replaces the library's, in both directions."""
    converter = cattrs.Converter()
    hooks = {
        datetime: (lambda moment: int(moment.timestamp()), lambda seconds, _: datetime.fromtimestamp(seconds, UTC)),
        Decimal: (str, lambda text, _: Decimal(text)),
        UUID: (lambda identifier: identifier.bytes, lambda octets, _: UUID(bytes=octets)),
        int: (str, lambda text, _: int(text)),
        bool: (str, lambda text, _: text == "True"),
        Status: (list(Status).index, lambda position, _: list(Status)[position]),
        list[str]: (set, lambda elements, _: sorted(elements, reverse=True)),
    }
    if kind is Line:
        converter.register_unstructure_hook(Line, make_dict_unstructure_fn(Line, converter, sku=override(rename="s")))
        converter.register_structure_hook(Line, make_dict_structure_fn(Line, converter, sku=override(rename="s")))
    elif get_origin(kind) is list:
        converter.register_unstructure_hook_func(lambda target: target == kind, hooks[kind][0])
        converter.register_structure_hook_func(lambda target: target == kind, hooks[kind][1])
    else:
        converter.register_unstructure_hook(kind, hooks[kind][0])
        converter.register_structure_hook(kind, hooks[kind][1])
    attribute = stored(kind, converter)
    assert attribute.write(value) == found
    assert attribute.read(found) == value
    assert stored(kind).write(value) != found


def test_a_hook_in_one_direction_leaves_the_other_to_the_library(stored):
    """With a structure hook alone, the library writes; with an unstructure hook alone, it reads."""
    lenient = cattrs.Converter()
    lenient.register_structure_hook(float, lambda value, _: float(value))
    attribute = stored(float, lenient)
    assert attribute.read({"N": "0.12345678901234567890"}) == 0.12345678901234568
    assert attribute.write(0.5) == {"N": "0.5"}
    shouting = cattrs.Converter()
    shouting.register_unstructure_hook(str, str.upper)
    assert stored(str, shouting).write("a") == {"S": "A"}
    assert stored(str, shouting).read({"S": "a"}) == "a"


def test_a_hook_for_a_new_type_or_an_annotation_is_found(stored):
    """Hooks may be for a NewType, or for what a predicate knows."""
    identifier = NewType("identifier", str)
    converter = cattrs.Converter()
    converter.register_unstructure_hook(identifier, int)
    converter.register_structure_hook(identifier, lambda value, _: identifier(str(value)))
    assert stored(identifier, converter).write("5") == {"N": "5"}
    assert stored(str, converter).write("5") == {"S": "5"}
    marked = Annotated[int, "text"]
    converter.register_unstructure_hook_func(lambda target: get_args(target)[1:] == ("text",), str)
    converter.register_structure_hook_func(
        lambda target: get_args(target)[1:] == ("text",), lambda value, _: int(value)
    )
    assert stored(marked, converter).write(5) == {"S": "5"}
    assert stored(marked, converter).read({"S": "5"}) == 5


def test_hook_factories_are_given_the_user_s_converter(stored, converter):
    """A hook factory that asks its converter for other hooks gets the user's."""

    @converter.register_unstructure_hook_factory(attrs.has)
    def unstructure(_cls: Any, given: cattrs.Converter) -> Any:
        inner = given.get_unstructure_hook(Money)
        return lambda instance: [inner(getattr(instance, field.name)) for field in attrs.fields(type(instance))]

    @attrs.define
    class Purse:
        left: Money

    assert stored(Purse, converter).write(Purse(Money(1, "EUR"))) == {"L": [{"S": "1 EUR"}]}


@pytest.mark.parametrize("optional", [False, True])
def test_strategies_of_cattrs_work(stored, optional):
    """A tagged union, and classes that say themselves how they are stored, by cattrs' own strategies."""
    converter = cattrs.Converter()
    configure_tagged_union(Card | Bank, converter, tag_name="kind")
    use_class_methods(converter, "_structure", "_unstructure")
    union = stored(Card | Bank | None if optional else Card | Bank, converter)
    assert union.write(Bank("i")) == {"M": {"iban": {"S": "i"}, "kind": {"S": "Bank"}}}
    assert union.read({"M": {"number": {"S": "1"}, "kind": {"S": "Card"}}}) == Card("1")
    assert stored(Own, converter).write(Own(1)) == {"M": {"y": {"N": "1"}}}
    assert stored(Own, converter).read({"M": {"y": {"N": "1"}}}) == Own(1)


def test_classes_of_the_standard_library_can_have_hooks(stored):
    """A class of the standard library that the library does not know is stored by the user's hooks."""
    converter = cattrs.Converter()
    converter.register_unstructure_hook(PurePosixPath, str)
    converter.register_structure_hook(PurePosixPath, lambda text, _: PurePosixPath(text))
    assert stored(PurePosixPath, converter).read({"S": "a/b"}) == PurePosixPath("a/b")


@pytest.mark.parametrize("make", [cattrs.BaseConverter, make_json_converter])
def test_converters_of_any_kind_are_taken(stored, make):
    """A base converter, and one that is configured for JSON, have hooks too; theirs win like a user's."""
    converter = make()
    converter.register_unstructure_hook(Money, lambda money: money.amount)
    converter.register_structure_hook(Money, lambda amount, _: Money(amount, ""))
    assert stored(Money, converter).read(stored(Money, converter).write(Money(5, ""))) == Money(5, "")
    times = stored(datetime, converter)
    assert times.read(times.write(NOON)) == NOON


def test_the_user_s_converter_is_not_changed(stored, converter):
    """A converter that is given to a marshaller structures and unstructures as before, and may be given to another."""
    stored(Money, converter)
    stored(Line, converter)
    assert converter.unstructure(Line("s", 1)) == {"sku": "s", "price": 1}
    assert converter.structure({"sku": "s", "price": "1"}, Line) == Line("s", 1)


def test_hooks_can_make_keys(codec_of, converter):
    """A key attribute may have hooks; its size and type are checked on what they return."""

    @entity("purses")
    class Purse:
        money: PartitionKey[Money]
        name: Attribute[str]

    codec = codec_of(schema_of(Purse), converter)
    assert codec.encode_key({"money": Money(5, "EUR")}) == {"money": {"S": "5 EUR"}}
    assert codec.decode({"money": {"S": "5 EUR"}, "name": {"S": "n"}}).money == Money(5, "EUR")
    assert codec.encode_operand(Money(5, "EUR"), Purse.money, Facet.WHOLE) == {"S": "5 EUR"}
    converter = cattrs.Converter()
    converter.register_unstructure_hook(Money, lambda money: [money.amount])
    converter.register_structure_hook(Money, lambda value, _: Money(value[0], ""))
    codec = codec_of(schema_of(Purse), converter)
    with pytest.raises(
        MarshallingError, match=r"^Purse\.money: expected a partition key stored as S, N or B, found Money"
    ):
        codec.encode_key({"money": Money(5, "EUR")})


def test_a_failing_hook_is_the_cause(stored, converter):
    """What a hook raises is the cause of a MarshallingError that names entity and path, and not part of its text."""
    with pytest.raises(
        MarshallingError, match=r"^Thing\.value\[0\]: expected what the structure hook of Money takes"
    ) as caught:
        stored(list[Money], converter).read({"L": [{"S": "canary"}]})
    assert isinstance(caught.value.__cause__, ValueError)
    assert "canary" not in str(caught.value)
    with pytest.raises(
        MarshallingError, match=r"^Thing\.value: expected what the unstructure hook of Money takes, found "
    ):
        stored(Money, converter).write("canary")


def test_a_hook_that_returns_what_cannot_be_stored_is_named(stored):
    """What a hook returns must be stored by value."""
    converter = cattrs.Converter()
    converter.register_unstructure_hook(Money, lambda money: money)
    converter.register_structure_hook(Money, lambda value, _: value)
    with pytest.raises(MarshallingError, match=r"^Thing\.value: expected a type that is stored by value, found Money"):
        stored(Money, converter).write(Money(1, "EUR"))


@pytest.mark.parametrize(("kind", "missing"), [("unstructure", "structure"), ("structure", "unstructure")])
def test_half_a_pair_of_hooks_for_an_unknown_type_is_refused(stored, kind, missing):
    """A type that only hooks can store needs both."""
    converter = cattrs.Converter()
    getattr(converter, f"register_{kind}_hook")(Money, lambda value, _=None: value)
    with pytest.raises(ModelError, match=f"or register the {missing} hook beside the other one"):
        stored(Money, converter)


def test_an_enum_of_mixed_values_can_have_hooks(stored):
    """An Enum that the library refuses is stored by the user's hooks."""
    converter = cattrs.Converter()
    converter.register_unstructure_hook(Mixed, lambda member: member.name)
    converter.register_structure_hook(Mixed, lambda name, _: Mixed[name])
    assert stored(Mixed, converter).read(stored(Mixed, converter).write(Mixed.TWO)) is Mixed.TWO


def test_a_hook_for_a_base_class_is_for_its_subclasses_too(stored):
    """A hook for ``Enum`` is for every Enum, as everywhere in cattrs."""
    converter = cattrs.Converter()
    converter.register_unstructure_hook(Enum, lambda member: member.name)
    converter.register_structure_hook(Enum, lambda name, cls: cls[name])
    assert stored(Color, converter).write(Color.RED) == {"S": "RED"}
    assert stored(Color, converter).read({"S": "RED"}) is Color.RED
