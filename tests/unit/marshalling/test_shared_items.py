"""Items of shared tables: keys, type and index keys are written beside the attributes, and checked when read."""

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import attrs
import pytest

from mizzle_async.errors import ExpressionError, LimitError, MarshallingError, MizzleError, ModelError
from mizzle_async.marshalling import EntityCodec, Marshaller
from mizzle_async.model import (
    Attribute,
    GlobalSecondaryIndex,
    PartitionKey,
    SharedTable,
    SortKey,
    attribute,
    entity,
    key_template,
    schema_of,
)

app = SharedTable("app", partition_key="PK", sort_key="SK")
GSI1 = app.index("GSI1", partition_key="GSI1PK", sort_key="GSI1SK")
GSI2 = app.index("GSI2", partition_key="GSI2PK", sort_key="GSI2SK")
DAY = datetime(2026, 1, 1, tzinfo=UTC)


class Status(StrEnum):
    OPEN = "open"
    PAID = "paid"


@entity(app, partition_key="CUSTOMER#{customer_id}", sort_key="ORDER#{placed_at}#{order_id}")
class Order:
    customer_id: PartitionKey[str]
    placed_at: SortKey[datetime]
    order_id: SortKey[str]
    total: Attribute[Decimal]
    status: Attribute[Status] = attribute(default=Status.OPEN)
    depot: Attribute[str | None] = attribute(default=None)


BY_STATUS = GlobalSecondaryIndex(
    GSI1,
    partition_key=key_template("STATUS#{}", Order.status),
    sort_key=key_template("{}#{}", Order.placed_at, Order.order_id),
)
BY_DEPOT = GlobalSecondaryIndex(
    GSI2,
    partition_key=key_template("DEPOT#{}", Order.depot),
    sort_key=key_template("{:day}", Order.placed_at),
    where=Order.status == Status.OPEN,
)


@entity(app, partition_key="MIX#{number:06}#{price:07.2}", sort_key="{day}#{id}#{moment:seconds}#{name:lower}")
class Mix:
    number: PartitionKey[int]
    price: PartitionKey[Decimal]
    day: SortKey[date]
    id: SortKey[UUID]
    moment: SortKey[datetime]
    name: SortKey[str]


def codec(model: type[Any]) -> EntityCodec[Any]:
    """Return the codec of an entity."""
    return Marshaller().codec(schema_of(model))


def order(**changes: Any) -> Order:
    """Return an order."""
    values = {"customer_id": "c1", "placed_at": DAY, "order_id": "o1", "total": Decimal(5), **changes}
    return Order(**values)


STORED = {
    "PK": {"S": "CUSTOMER#c1"},
    "SK": {"S": "ORDER#2026-01-01T00:00:00.000000Z#o1"},
    "_type": {"S": "Order"},
    "customer_id": {"S": "c1"},
    "placed_at": {"S": "2026-01-01T00:00:00.000000Z"},
    "order_id": {"S": "o1"},
    "total": {"N": "5"},
    "status": {"S": "open"},
    "GSI1PK": {"S": "STATUS#open"},
    "GSI1SK": {"S": "2026-01-01T00:00:00.000000Z#o1"},
    "GSI2SK": {"S": "2026-01-01"},
}


def test_item_has_keys_type_and_index_keys():
    """An item is written with all that the table needs, and read back equal."""
    assert codec(Order).encode(order()) == STORED
    assert codec(Order).decode(STORED) == order()


def test_index_keys_follow_parts_and_condition():
    """An index key is there exactly where its parts are, and the condition of the index is true."""
    encode = codec(Order).encode
    assert encode(order(depot="d"))["GSI2PK"] == {"S": "DEPOT#d"}
    assert "GSI2PK" not in encode(order(depot="d", status=Status.PAID))
    assert "GSI2PK" not in encode(order())


def test_every_kind_of_part_is_written_and_read():
    """Numbers are padded, moments cut to what the format has, text lowered in the key alone."""
    mix = Mix(
        number=7,
        price=Decimal("12.5"),
        day=date(2026, 2, 3),
        id=UUID(int=5),
        moment=datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
        name="Ada",
    )
    item = codec(Mix).encode(mix)
    assert item["PK"] == {"S": "MIX#000007#0012.50"}
    assert item["SK"] == {"S": "2026-02-03#00000000-0000-0000-0000-000000000005#2026-02-03T04:05:06Z#ada"}
    assert item["name"] == {"S": "Ada"}
    assert codec(Mix).decode(item) == mix


@pytest.mark.parametrize(
    "changed", [{"customer_id": "a#b"}, {"order_id": ""}, {"customer_id": None}, {"order_id": "#"}]
)
def test_value_that_would_make_two_keys_one_is_refused(changed):
    """Separators, empty text and None are refused before sending, by name and without the value."""
    with pytest.raises(MarshallingError, match=r"Order\.(customer_id|order_id)") as failure:
        codec(Order).encode(order(**changed))
    assert "a#b" not in str(failure.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 1_000_000},
        {"number": -1},
        {"price": Decimal("1.005")},
        {"price": Decimal(-1)},
        {"moment": DAY.replace(microsecond=1)},
        {"moment": datetime(2026, 1, 1)},  # noqa: DTZ001  (the mistake)
    ],
)
def test_value_that_its_format_cannot_hold_is_refused(changes):
    """A number too wide or negative, and a moment finer than its format, are refused, never cut."""
    mix = Mix(number=1, price=Decimal(1), day=date(2026, 1, 1), id=UUID(int=1), moment=DAY, name="a")
    with pytest.raises(MarshallingError):
        codec(Mix).encode(attrs.evolve(mix, **changes))


def test_key_that_is_too_long_is_refused():
    """The written key is measured, not its parts."""
    with pytest.raises(LimitError, match="'SK' would have"):
        codec(Order).encode(order(order_id="x" * 1024))


def test_part_that_the_key_alone_has_is_read_from_it():
    """Adopted items, whose attributes lack a part, are whole."""
    stored = {name: value for name, value in STORED.items() if name not in {"order_id", "customer_id", "_type"}}
    assert codec(Order).decode(stored) == order()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order_id": {"S": "o2"}}, "Order.order_id: the attribute and its part of the key 'SK' disagree"),
        ({"_type": {"S": "Customer"}}, "expected an item of type 'Order'"),
        ({"SK": {"S": "PROFILE"}}, "expected a key of the format ORDER#"),
        ({"SK": {"S": "ORDER#2026-01-01T00:00:00Z#o1"}}, "another"),
        ({"SK": {"N": "1"}}, "found none"),
    ],
)
def test_stored_item_in_another_form_is_refused(changes, message):
    """The key decides, and what disagrees with it is named; the error has the key."""
    with pytest.raises(MarshallingError, match=message) as failure:
        codec(Order).decode({**STORED, **changes})
    assert failure.value.key["PK"] == STORED["PK"]


def test_key_by_values_and_of_an_instance():
    """Both are the stored texts; a missing part is named."""
    key = {"PK": STORED["PK"], "SK": STORED["SK"]}
    assert codec(Order).encode_key({"customer_id": "c1", "placed_at": DAY, "order_id": "o1"}) == key
    assert codec(Order).key_of(order()) == key
    with pytest.raises(ExpressionError, match="order_id is missing"):
        codec(Order).encode_key({"customer_id": "c1", "placed_at": DAY})


MIX = {
    "number": 7,
    "price": Decimal("12.5"),
    "day": date(2026, 2, 3),
    "id": UUID(int=5),
    "moment": DAY,
    "name": "Ada",
}


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Order, {"customer_id": "c1", "placed_at": DAY, "order_id": "o1"}),
        (Order, {"customer_id": "a#b", "placed_at": DAY, "order_id": "o1"}),
        (Order, {"customer_id": "c1", "placed_at": "2026-01-01", "order_id": "o1"}),
        (Order, {"customer_id": None, "placed_at": DAY, "order_id": "o1"}),
        (Order, {"customer_id": Status.OPEN, "placed_at": DAY, "order_id": "o1"}),
        (Order, {"customer_id": "c1", "placed_at": DAY, "order_id": "x" * 1024}),
        (Order, {"customer_id": "c1", "placed_at": DAY, "order_id": "é" * 400}),
        (Order, {"customer_id": "c1", "placed_at": DAY, "order_id": "o1", "total": 1}),
        (Order, {"customer_id": "c1", "placed_at": DAY}),
        (Mix, MIX),
        (Mix, {**MIX, "number": True}),
        (Mix, {**MIX, "number": 1_000_000}),
        (Mix, {**MIX, "moment": DAY.replace(microsecond=1)}),
        (Mix, {**MIX, "name": ""}),
    ],
)
def test_generated_keys_are_those_of_the_careful_way(model, values):
    """The generated functions of keys return what the careful ones do, and raise what they raise."""
    shared = codec(model).shared
    assert shared is not None
    instance = object.__new__(model)
    vars(instance).update(values)

    def outcome(function, *arguments):
        try:
            return function(*arguments)
        except (MizzleError, KeyError) as error:
            return type(error), str(error)

    assert outcome(shared.encode_key, values) == outcome(shared.encode_key_carefully, values)
    assert outcome(shared.key_of, instance) == outcome(shared.key_of_carefully, instance)


def test_common_keys_take_no_careful_way(monkeypatch):
    """Keys of the common kind are written by generated code alone."""
    shared = codec(Order).shared
    assert shared is not None
    monkeypatch.setattr(shared, "_key", None)
    key = {"PK": STORED["PK"], "SK": STORED["SK"]}
    assert shared.encode_key({"customer_id": "c1", "placed_at": DAY, "order_id": "o1"}) == key
    assert shared.key_of(order()) == key


def test_family_is_found_again_when_the_table_has_another_entity():
    """What is kept about an entity's family ends where a class that inherits from it is defined."""
    table = SharedTable("events", partition_key="PK", sort_key="SK")

    @entity(table, partition_key="EVENT#{day}", sort_key="{name}")
    class Event:
        day: PartitionKey[str]
        name: SortKey[str]

    shared = codec(Event).shared
    assert shared is not None
    foreign = shared.is_foreign
    assert foreign is shared.is_foreign
    item = {"PK": {"S": "EVENT#monday"}, "SK": {"S": "opera"}, "_type": {"S": "Concert"}}
    assert foreign(item)
    assert len(shared.keys.family) == 1

    @entity(table)
    class Concert(Event):
        guests: Attribute[int] = attribute(default=0)

    assert not shared.is_foreign(item)
    assert [each.cls for each in shared.keys.family] == [Event, Concert]


def test_two_ways_into_one_index_at_once_are_refused():
    """An item has one key in an index: conditions that are true together are an error of the model."""
    table = SharedTable("forge", partition_key="PK", sort_key="SK")
    index = table.index("GSI1", partition_key="GSI1PK")

    @entity(table, partition_key="REPO#{name}", sort_key="REPO")
    class Repo:
        name: PartitionKey[str]
        fork_of: Attribute[str | None] = attribute(default=None)

    GlobalSecondaryIndex(index, partition_key=key_template("FORK#{}", Repo.fork_of), where=Repo.fork_of.exists())
    GlobalSecondaryIndex(index, partition_key=key_template("REPO#{}", Repo.name), where=Repo.name != "x")
    assert codec(Repo).encode(Repo(name="a"))["GSI1PK"] == {"S": "REPO#a"}
    assert codec(Repo).encode(Repo(name="x", fork_of="a"))["GSI1PK"] == {"S": "FORK#a"}
    with pytest.raises(ModelError, match="must exclude each other"):
        codec(Repo).encode(Repo(name="b", fork_of="a"))


def test_index_that_comes_after_the_first_item_is_refused():
    """Items without its keys may exist already."""
    table = SharedTable("late", partition_key="PK")
    index = table.index("GSI1", partition_key="GSI1PK")

    @entity(table, partition_key="A#{name}")
    class Late:
        name: PartitionKey[str]

    codec(Late).encode(Late(name="a"))
    with pytest.raises(ModelError, match="were written without it already"):
        GlobalSecondaryIndex(index, partition_key=key_template("X#{}", Late.name))


def test_escaped_separators_are_read_back():
    """With escape=True two values never have one key, and every text is allowed."""
    table = SharedTable("escaped", partition_key="PK", sort_key="SK", escape=True)

    @entity(table, partition_key="A#{one}#{two}", sort_key="S")
    class Pair:
        one: PartitionKey[str]
        two: PartitionKey[str]

    encode, decode = codec(Pair).encode, codec(Pair).decode
    first, second = Pair(one="x#y", two="z%23"), Pair(one="x", two="y#z%23")
    assert encode(first)["PK"] != encode(second)["PK"]
    assert (decode(encode(first)), decode(encode(second))) == (first, second)


def test_key_only_part_is_stored_in_the_key_alone():
    """It is not written as an attribute, and read from the key."""
    table = SharedTable("lean", partition_key="PK", sort_key="SK")

    @entity(table, partition_key="A#{name}", sort_key="S#{number:04}")
    class Lean:
        name: PartitionKey[str] = attribute(key_only=True)
        number: SortKey[int] = attribute(key_only=True)
        text: Attribute[str]

    item = codec(Lean).encode(Lean(name="a", number=3, text="t"))
    assert item == {"PK": {"S": "A#a"}, "SK": {"S": "S#0003"}, "_type": {"S": "Lean"}, "text": {"S": "t"}}
    assert codec(Lean).decode(item) == Lean(name="a", number=3, text="t")


def test_unknown_attributes_are_refused_but_not_what_the_table_adds():
    """``unknown="raise"`` knows keys, type and index keys."""
    table = SharedTable("strict", partition_key="PK", sort_key="SK")
    table.index("GSI1", partition_key="GSI1PK")

    @entity(table, partition_key="A#{name}", sort_key="S", unknown="raise")
    class Strict:
        name: PartitionKey[str]

    item = {**codec(Strict).encode(Strict(name="a")), "GSI1PK": {"S": "x"}}
    assert codec(Strict).decode(item) == Strict(name="a")
    with pytest.raises(MarshallingError):
        codec(Strict).decode({**item, "other": {"S": "x"}})
