"""A program that uses cattrs, and no client, marshals with a preconfigured converter."""

import copy
import dataclasses
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NewType, TypeVar
from uuid import UUID

import attrs
import cattrs
import pytest
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    LimitError,
    MarshallingError,
    ModelError,
    PartitionKey,
    SharedTable,
    SortKey,
    attribute,
    configure_converter,
    document,
    entity,
    make_converter,
)
from mizzle_async.marshalling import Marshaller, marshaller_of
from mizzle_async.model import schema_of
from mizzle_async.writing.table_part import target_of

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ValueT = TypeVar("ValueT")


class Money:
    """A class that only hooks can store."""

    def __init__(self, amount: int, currency: str) -> None:
        self.amount, self.currency = amount, currency

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.amount, self.currency))

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    @classmethod
    def parse(cls, text: str) -> "Money":
        amount, currency = text.split()
        return cls(int(amount), currency)


class Status(StrEnum):
    OPEN = "open"


class Level(IntEnum):
    LOW = 1


@document
class Card:
    kind: Attribute[Literal["card"]] = "card"
    number: Attribute[str]


@document(unknown="raise")
class Bank:
    kind: Attribute[Literal["bank"]] = "bank"
    iban: Attribute[str]


@attrs.define
class Point:
    x: int
    y: int = 0


@dataclasses.dataclass
class Box(Generic[ValueT]):
    inside: ValueT


@attrs.define
class Tree:
    name: str
    children: "list[Tree]" = attrs.Factory(list)


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    total: Attribute[Decimal]
    payment: Attribute[Card | Bank]
    tags: Attribute[set[str]] = attribute(factory=set)


@entity("purses")
class Purse:
    owner: PartitionKey[str]
    money: Attribute[Money]
    more: Attribute[list[Money | None]] = attribute(factory=list)


@entity("spread")
class Spread:
    pk: PartitionKey[str] = attribute(shards=4)
    sk: SortKey[int]


CustomerId = NewType("CustomerId", str)
ORDER = Order(customer_id="c1", order_id="7", total=Decimal("1.5"), payment=Card(number="4"), tags={"b", "a"})
ITEM = {
    "customer_id": {"S": "c1"},
    "order_id": {"S": "7"},
    "total": {"N": "1.5"},
    "payment": {"M": {"kind": {"S": "card"}, "number": {"S": "4"}}},
    "tags": {"SS": ["a", "b"]},
}


@pytest.fixture
def converter() -> Any:
    """A converter of the library's."""
    return make_converter()


@pytest.fixture
def with_money(converter) -> Any:
    """A converter of the library's with the user's hooks for money."""
    converter.register_unstructure_hook(Money, str)
    converter.register_structure_hook(Money, lambda text, _: Money.parse(text))
    return converter


def test_an_entity_is_its_item(converter):
    """An entity's instance unstructures to the item that the client would write, and structures from it."""
    assert converter.unstructure(ORDER) == ITEM
    assert converter.structure(ITEM, Order) == ORDER


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        (Point, Point(1, 2), {"M": {"x": {"N": "1"}, "y": {"N": "2"}}}),
        (Card, Card(number="4"), {"M": {"kind": {"S": "card"}, "number": {"S": "4"}}}),
        (Box[int], Box(1), {"M": {"inside": {"N": "1"}}}),
        (Tree, Tree("a", [Tree("b")]), None),
        (str, "a", {"S": "a"}),
        (int, 5, {"N": "5"}),
        (float, 0.5, {"N": "0.5"}),
        (bool, True, {"BOOL": True}),
        (bytes, b"\x00", {"B": "AA=="}),
        (Decimal, Decimal("1.5"), {"N": "1.5"}),
        (datetime, NOON, {"S": "2026-01-31T12:00:00.000000Z"}),
        (date, date(2026, 1, 31), {"S": "2026-01-31"}),
        (UUID, UUID(int=5), {"S": "00000000-0000-0000-0000-000000000005"}),
        (Path, Path("a/b"), {"S": "a/b"}),
        (Status, Status.OPEN, {"S": "open"}),
        (Level, Level.LOW, {"N": "1"}),
        (CustomerId, CustomerId("c"), {"S": "c"}),
        (Annotated[int, "x"], 5, {"N": "5"}),
        (list[int], [1], {"L": [{"N": "1"}]}),
        (set[str], {"a"}, {"SS": ["a"]}),
        (dict[str, Point], {"a": Point(1)}, {"M": {"a": {"M": {"x": {"N": "1"}, "y": {"N": "0"}}}}}),
        (Card | Bank, Bank(iban="i"), {"M": {"kind": {"S": "bank"}, "iban": {"S": "i"}}}),
        (Card | None, None, {"NULL": True}),
        (type(None), None, {"NULL": True}),
        (Any, {"a": 1}, {"M": {"a": {"N": "1"}}}),
        (Literal["a"], "a", {"S": "a"}),
    ],
)
def test_any_other_type_is_its_attribute_value(converter, kind, value, stored):
    """A type outside of an entity unstructures to one attribute value, and structures from it."""
    encoded = converter.unstructure(value, unstructure_as=kind)
    assert stored is None or encoded == stored
    assert converter.structure(encoded, kind) == value
    assert marshaller_of(converter).standalone(kind).encode(value) == encoded


def test_the_client_s_codecs_are_the_converter_s_hooks(converter, with_money):
    """The functions that a client calls for each item are those that cattrs dispatches to."""
    for one, model in ((converter, Order), (with_money, Purse), (converter, Spread)):
        codec = target_of(Client(converter=one).table(model)).codec
        assert codec.encode is one.get_unstructure_hook(model)
        assert codec.decode is one.get_structure_hook(model)
    plain = marshaller_of(None).codec(schema_of(Order))
    assert plain.encode(ORDER) == ITEM


def test_sharded_items_have_their_suffix(converter):
    """The item of an entity with shards is the one that is stored, suffix and all."""
    item = converter.unstructure(Spread(pk="a", sk=1))
    assert item["pk"]["S"].startswith("a#")
    assert converter.structure(item, Spread) == Spread(pk="a", sk=1)


def test_a_user_s_hook_speaks_plain_values(with_money):
    """What a hook gives is stored by value wherever its type stands, and what is stored is given to it by value."""
    purse = Purse(owner="a", money=Money(5, "EUR"), more=[Money(1, "USD"), None])
    item = with_money.unstructure(purse)
    assert item["money"] == {"S": "5 EUR"}
    assert item["more"] == {"L": [{"S": "1 USD"}, {"NULL": True}]}
    assert with_money.structure(item, Purse) == purse
    assert with_money.unstructure([Money(1, "USD")], unstructure_as=list[Money]) == {"L": [{"S": "1 USD"}]}


def test_hooks_for_classes_that_cattrs_knows_win_too(converter):
    """A hook for text, for a union, for every Enum, or from a factory is found as cattrs finds it."""
    converter.register_unstructure_hook(str, str.upper)
    converter.register_structure_hook(Card | Bank, lambda value, _: Card(number=value["n"]))
    converter.register_unstructure_hook(Card | Bank, lambda value: {"n": value.number})
    item = converter.unstructure(ORDER)
    assert item["customer_id"] == {"S": "C1"}
    assert item["payment"] == {"M": {"n": {"S": "4"}}}
    assert converter.structure(item, Order).payment == ORDER.payment

    @converter.register_unstructure_hook_factory(lambda target: target is Point)
    def _(_target: Any) -> Any:
        return lambda point: [point.x, point.y]

    stored = converter.unstructure([Point(1, 2)], unstructure_as=list[Point])
    assert stored == {"L": [{"L": [{"N": "1"}, {"N": "2"}]}]}


@pytest.mark.parametrize("first", ["unstructure", "structure"])
def test_hooks_that_are_registered_later_are_seen(converter, first):
    """After a registration the next call uses it, whatever was compiled before."""
    with pytest.raises(ModelError):
        converter.get_unstructure_hook(Purse)
    purse, item = Purse(owner="a", money=Money(5, "EUR")), {"owner": {"S": "a"}, "money": {"S": "5 EUR"}}
    item["more"] = {"L": []}
    pairs = {"unstructure": (Money, str), "structure": (Money, lambda text, _: Money.parse(text))}
    for kind in (first, *(pairs.keys() - {first})):
        getattr(converter, f"register_{kind}_hook")(*pairs[kind])
    assert converter.unstructure(purse) == item
    assert converter.structure(item, Purse) == purse
    converter.register_structure_hook(Money, lambda _text, _: Money(0, ""))
    assert converter.structure(item, Purse).money == Money(0, "")
    converter.register_unstructure_hook(Money, lambda money: money.amount)
    assert converter.unstructure(purse)["money"] == {"N": "5"}


def test_a_copy_is_a_converter_of_its_own(with_money):
    """A copy has the hooks of its origin, and keeps to itself what is registered on it."""
    copied = with_money.copy()
    purse = Purse(owner="a", money=Money(5, "EUR"))
    assert copied.unstructure(purse) == with_money.unstructure(purse)
    copied.register_unstructure_hook(Money, lambda money: money.amount)
    assert copied.unstructure(purse)["money"] == {"N": "5"}
    assert with_money.unstructure(purse)["money"] == {"S": "5 EUR"}
    assert copy.copy(purse) == purse


@pytest.mark.parametrize("make", [cattrs.Converter, cattrs.BaseConverter])
def test_a_converter_of_the_user_s_can_be_configured(make):
    """`configure_converter` makes any converter marshal, and a client recognises it."""
    converter = make()
    converter.register_unstructure_hook(Money, str)
    converter.register_structure_hook(Money, lambda text, _: Money.parse(text))
    converter.register_structure_hook(Card | Bank, lambda value, _: Card(number=value["number"]))
    configure_converter(converter)
    assert converter.structure(converter.unstructure(ORDER), Order) == ORDER
    purse = Purse(owner="a", money=Money(5, "EUR"))
    assert converter.structure(converter.unstructure(purse), Purse) == purse
    assert target_of(Client(converter=converter).table(Purse)).codec.encode is converter.get_unstructure_hook(Purse)
    with pytest.raises(TypeError, match="takes a cattrs converter, not object"):
        configure_converter(object())  # type: ignore[arg-type]  # the mistake


def test_of_a_plain_converter_a_configured_copy_is_used():
    """A plain converter keeps its own ways; the client uses its hooks, which speak its language inside too."""
    plain = cattrs.Converter()
    plain.register_unstructure_hook(Point, make_dict_unstructure_fn(Point, plain, x=override(rename="lon")))
    plain.register_structure_hook(Point, make_dict_structure_fn(Point, plain, x=override(rename="lon")))
    marshaller = marshaller_of(plain)
    assert marshaller.standalone(list[Point]).encode([Point(1, 2)]) == {
        "L": [{"M": {"lon": {"N": "1"}, "y": {"N": "2"}}}]
    }
    assert plain.unstructure(Point(1, 2)) == {"lon": 1, "y": 2}


def test_hooks_composed_of_the_converter_s_own_are_refused(converter):
    """A hook that gives what was encoded already would be stored twice over: the error says what to do."""
    converter.register_unstructure_hook(Point, make_dict_unstructure_fn(Point, converter))
    with pytest.raises(MarshallingError, match=r"one that is encoded already; hooks that are composed .* plain cattrs"):
        converter.unstructure([Point(1)], unstructure_as=list[Point])
    converter.register_unstructure_hook(Point, make_dict_unstructure_fn(Point, cattrs.Converter()))
    converter.register_structure_hook(Point, make_dict_structure_fn(Point, cattrs.Converter()))
    stored = converter.unstructure([Point(1)], unstructure_as=list[Point])
    assert stored == {"L": [{"M": {"x": {"N": "1"}, "y": {"N": "0"}}}]}
    assert converter.structure(stored, list[Point]) == [Point(1)]


def test_hooks_for_classes_that_contain_themselves_end(converter):
    """A factory that asks for the hooks of the fields does not go round in circles."""

    @converter.register_unstructure_hook_factory(lambda target: target is Tree)
    def _(_target: Any) -> Any:
        children = converter.get_unstructure_hook(list[Tree])
        return lambda tree: {"n": tree.name, "c": len(tree.children) if tree.children else 0, "f": callable(children)}

    assert converter.unstructure([Tree("a")], unstructure_as=list[Tree]) == {
        "L": [{"M": {"n": {"S": "a"}, "c": {"N": "0"}, "f": {"BOOL": True}}}]
    }


def test_undeclared_attributes_are_refused_where_the_class_says_so(converter):
    """`unknown="raise"` holds without a client, inside a union too."""
    stored = {"M": {"kind": {"S": "bank"}, "iban": {"S": "i"}, "bic": {"S": "b"}}}
    with pytest.raises(MarshallingError, match=r"^Bank\.bic: expected declared attributes only, found one more"):
        converter.structure(stored, Bank)
    with pytest.raises(MarshallingError, match=r"^Order\.payment\.bic: expected declared"):
        converter.structure(ITEM | {"payment": stored}, Order)


def test_errors_are_the_library_s(converter):
    """What does not fit is a MarshallingError with its path, a limit a LimitError, a wrong type a ModelError."""
    with pytest.raises(MarshallingError, match=r"^Order\.total: expected Decimal, found str"):
        converter.unstructure(attrs.evolve(ORDER, total="1"))
    with pytest.raises(MarshallingError, match=r"^Order\.total: expected N, found S"):
        converter.structure(ITEM | {"total": {"S": "1"}}, Order)
    with pytest.raises(MarshallingError, match=r"^list\[Point\]\[0\]\.x: expected int, found str"):
        converter.unstructure([Point("1")], unstructure_as=list[Point])  # type: ignore[arg-type]  # cattrs takes forms
    with pytest.raises(MarshallingError, match=r"^int: expected an attribute value, found int"):
        converter.structure(5, int)
    with pytest.raises(LimitError, match=r"^Order\.customer_id: expected a partition key of 1 to"):
        converter.unstructure(attrs.evolve(ORDER, customer_id=""))
    with pytest.raises(ModelError, match=r"complex has no place in DynamoDB"):
        converter.unstructure(1j)


def test_an_attribute_may_be_stored_in_a_way_of_its_own():
    """`encode=`, `decode=` and `stored_as=` store one attribute as another type, as a key as well."""

    @entity("accounts")
    class Account:
        balance: PartitionKey[Money] = attribute(encode=str, decode=Money.parse, stored_as=str)
        limit: Attribute[Money | None] = attribute(default=None, encode=str, decode=Money.parse, stored_as=str)
        spent: Attribute[Money] = attribute(encode=vars, decode=lambda plain: Money(**plain))

    converter = make_converter()
    account = Account(balance=Money(5, "EUR"), spent=Money(1, "EUR"))
    item = converter.unstructure(account)
    assert item == {
        "balance": {"S": "5 EUR"},
        "spent": {"M": {"amount": {"N": "1"}, "currency": {"S": "EUR"}}},
    }
    assert converter.structure(item, Account) == account
    table = Client().table(Account)
    assert table.get(Money(5, "EUR")).to_wire()["Key"] == {"balance": {"S": "5 EUR"}}
    condition = table.query(Account.balance == Money(5, "EUR")).filter(Account.limit.begins_with("5"))
    assert condition.to_wire()["ExpressionAttributeValues"] == {":balance": {"S": "5 EUR"}, ":limit": {"S": "5"}}
    with pytest.raises(ExpressionError, match="does not take"):
        table.update(Money(5, "EUR")).add(Account.limit, 1)  # type: ignore[arg-type]  # the mistake
    serialize = target_of(table).codec.serializer(lambda item: item)
    assert serialize(account)[1] == "5 EUR"
    with pytest.raises(MarshallingError, match=r"^Account\.spent: expected what the encode= of Money takes"):
        converter.unstructure(attrs.evolve(account, spent=5))
    with pytest.raises(MarshallingError, match=r"^Account\.balance: expected what the decode= of Money takes"):
        converter.structure(item | {"balance": {"S": "EUR"}}, Account)


def test_half_a_way_of_its_own_is_refused():
    """An attribute has both functions or none, and none with a role whose values the library makes."""
    for options in ({"encode": str}, {"decode": str}, {"stored_as": str}):
        with pytest.raises(ModelError, match="takes `encode=` and `decode=` together"):
            attribute(**options)
    with pytest.raises(ModelError, match=r"Thing\.made: created_at is stored in the library"):

        @entity("things")
        class Thing:
            id: PartitionKey[str]
            made: Attribute[datetime | None] = attribute(default=None, created_at=True, encode=str, decode=str)


def test_a_unique_attribute_is_judged_by_its_stored_type():
    """A value that is stored as text can be unique, one that is stored as a list cannot."""

    def make(stored_as: Any) -> Any:
        names = {"__annotations__": {"id": PartitionKey[str], "a": Attribute[Money]}, "__module__": __name__}
        names["a"] = attribute(unique=True, encode=str, decode=Money.parse, stored_as=stored_as)
        return entity("things")(type("Thing", (), names | {"__qualname__": "Thing"}))

    thing = make(str)
    insert = Client().table(thing).insert(thing(id="1", a=Money(5, "EUR")))
    assert "_unique#a#S#5 EUR" in str(insert.to_wire())
    with pytest.raises(ModelError, match=r"Thing\.a: list\[str\] cannot be a unique attribute"):
        make(list[str])


def test_marshalling_without_a_converter_is_the_same(converter):
    """A client without a converter gives the same items by the same kind of functions."""
    ours, theirs = Marshaller().codec(schema_of(Order)), marshaller_of(converter).codec(schema_of(Order))
    assert ours.encode(ORDER) == theirs.encode(ORDER) == ITEM
    assert ours.decode(ITEM) == theirs.decode(ITEM) == ORDER


def test_items_of_shared_tables_have_their_keys(converter):
    """The item of an entity of a shared table has keys and type beside its attributes, and is read from them."""
    table = SharedTable("shared", partition_key="PK", sort_key="SK")

    @entity(table, partition_key="USER#{name}", sort_key="AT#{at}")
    class Visit:
        name: PartitionKey[str]
        at: SortKey[date]
        pages: Attribute[int] = attribute(default=0)

    visit = Visit(name="ada", at=date(2026, 1, 31), pages=3)
    item = converter.unstructure(visit)
    assert item["PK"] == {"S": "USER#ada"}
    assert converter.structure(item, Visit) == visit
    codec = target_of(Client(converter=converter).table(Visit)).codec
    assert codec.encode is converter.get_unstructure_hook(Visit)
