"""The lamp: a codec shows how many items took the careful way, and none of the usual ones does."""

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NewType, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import orjson
import pytest

from mizzle_async import Attribute, MarshallingError, PartitionKey, SortKey, attribute, document, entity
from mizzle_async.marshalling import Marshaller
from mizzle_async.model import schema_of
from mizzle_async.model.scalars import SCALAR_TYPES

NOON = datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC)
ValueT = TypeVar("ValueT")
CustomerId = NewType("CustomerId", str)


class Status(StrEnum):
    OPEN = "open"


class Level(IntEnum):
    LOW = 1


class Rate(Enum):
    HALF = Decimal("0.5")


class Email(str):
    __slots__ = ()


@document
class Address:
    city: Attribute[str]
    street: Attribute[str | None] = attribute(default=None)


@document
class Card:
    kind: Attribute[Literal["card"]] = "card"
    number: Attribute[str]


@document
class Bank:
    kind: Attribute[Literal["bank"]] = "bank"
    iban: Attribute[str]


@attrs.frozen
class Point:
    x: int
    y: int = 0


@dataclasses.dataclass
class Page(Generic[ValueT]):
    rows: list[ValueT]


@attrs.define
class Tree:
    name: str
    children: "list[Tree]" = attrs.Factory(list)


SAMPLES: dict[type[Any], Any] = {
    str: "text", bytes: b"\x00", bool: True, int: 5, float: 0.5, Decimal: Decimal("1.5"),
    datetime: NOON, date: date(2026, 1, 31), time: time(9, 5), timedelta: timedelta(seconds=90), UUID: UUID(int=5),
    IPv4Address: IPv4Address("10.0.0.1"), IPv6Address: IPv6Address("::1"), ZoneInfo: ZoneInfo("Europe/Berlin"),
    Path: Path("a/b"),
}  # fmt: skip

COMBINATIONS: list[tuple[Any, Any]] = [
    (str, "äöü"),
    (str, ""),
    (int | float, 2),
    (int | float, 2.5),
    (int | Decimal, Decimal("2.5")),
    (int | str, 5),
    (list[int] | str, [1]),
    (float | str, "x"),
    (float | str, 0.5),
    (datetime | int, 5),
    (datetime | int, NOON),
    (set[str] | Address | None, {"a"}),
    (tuple[float, datetime], (0.5, NOON)),
    (datetime, NOON.replace(microsecond=0)),
    (Status, Status.OPEN),
    (Level, Level.LOW),
    (Rate, Rate.HALF),
    (Email, Email("a@b")),
    (Literal["a", 1], "a"),
    (CustomerId, CustomerId("c")),
    (Annotated[int, "x"], 5),
    (set[str], {"a", "b"}),
    (set[str], set()),
    (frozenset[int], frozenset({1})),
    (AbstractSet[bytes], frozenset({b"a"})),
    (set[Status], {Status.OPEN}),
    (list[str], ["a"]),
    (list[str], []),
    (list[set[str]], [set(), {"a"}]),
    (dict[str, set[int]], {"a": set()}),
    (list[int | None], [1, None]),
    (Sequence[int], [1]),
    (tuple[int, ...], (1, 2)),
    (tuple[int, str], (1, "a")),
    (dict[str, int], {"a": 1}),
    (Mapping[str, bool], {"a": True}),
    (dict[Status, int], {Status.OPEN: 1}),
    (dict[date, int], {date(2026, 1, 1): 1}),
    (dict[str, int | None], {"a": None}),
    (dict[str, list[Address]], {"a": [Address(city="c")]}),
    (Address, Address(city="c", street="s")),
    (Point, Point(1)),
    (Page[int], Page([1])),
    (Tree, Tree("a", [Tree("b")])),
    (Card | Bank, Bank(iban="i")),
    (list[Card | Point], [Point(1), Card(number="1")]),
    (Card | str, "x"),
    (Address | None, None),
    (Any, {"a": [1, None, {"b": b"x"}]}),
    (dict, {"a": 1}),
    (object, "x"),
]
CASES = [*SAMPLES.items(), *((kind | None, value) for kind, value in SAMPLES.items()), *COMBINATIONS]


def make(kind: Any, **options: Any) -> type[Any]:
    """Return an entity with an attribute of a type, and one of it that may be absent."""
    names: dict[str, Any] = {"__annotations__": {"id": PartitionKey[str], "sk": SortKey[int], "value": Attribute[kind]}}
    if options:
        names["value"] = attribute(**options)
    return entity("things")(type("Thing", (), names | {"__module__": __name__, "__qualname__": "Thing"}))


def test_every_built_in_type_has_a_sample():
    """A type that is registered is looked at here."""
    assert SAMPLES.keys() == {row.python for row in SCALAR_TYPES}


@pytest.mark.parametrize(("kind", "value"), CASES)
def test_every_usual_value_takes_the_fast_way(kind, value):
    """Encoded, decoded, read from a page and written by a load: no value of a declared type needs the careful way."""
    model = make(kind)
    codec = Marshaller().codec(schema_of(model))
    instance = model(id="1", sk=1, value=value)
    item = codec.encode_new(instance)
    assert codec.decode(item) == instance
    serialized = codec.serializer(lambda item: {"Item": item})(instance)[0]
    records = codec.records
    if records is not None:
        answer = records.parse(orjson.dumps({"Items": [orjson.loads(serialized)["Item"]], "Count": 1}))
        assert type(answer["Items"][0]) is records.cls
        assert codec.decode_all(answer["Items"]) == [instance]
    assert not codec.lamp, codec.lamp
    assert repr(codec) == "<EntityCodec of Thing>"


@pytest.mark.parametrize("datetime_format", ["iso", "epoch", "epoch_ms"])
def test_every_way_of_storing_times_is_fast(datetime_format):
    """Times take the fast way whatever their format."""
    model = make(datetime, datetime_format=datetime_format)
    codec = Marshaller().codec(schema_of(model))
    instance = model(id="1", sk=1, value=NOON)
    assert codec.decode(codec.encode(instance)) == instance
    assert not codec.lamp


def test_items_that_take_the_careful_way_are_counted():
    """Values of another form, and what does not fit, turn the lamp on; the repr shows both directions."""
    model = make(set[str])
    codec = Marshaller().codec(schema_of(model))
    item = {"id": {"S": "1"}, "sk": {"N": "1"}}
    for _ in range(2):
        with pytest.raises(MarshallingError):
            codec.decode(item | {"value": {"N": "1"}})
    with pytest.raises(MarshallingError):
        codec.encode(model(id="1", sk=1, value=5))
    assert (codec.lamp.encoded, codec.lamp.decoded) == (1, 2)
    assert repr(codec) == "<EntityCodec of Thing, 1 encoded and 2 decoded carefully>"


@pytest.mark.parametrize("text", ["1E3", "x"])
def test_record_that_takes_the_careful_way_is_counted_once(text):
    """Whether its item is read carefully, where the value fits after all, or refused."""
    codec = Marshaller().codec(schema_of(make(int)))
    records = codec.records
    assert records is not None
    found = records.parse_item(orjson.dumps({"id": {"S": "1"}, "sk": {"N": "1"}, "value": {"N": text}}))
    assert type(found) is records.cls
    for times in (1, 2):
        with suppress(MarshallingError):
            codec.decode_one(found)
        assert codec.lamp.decoded == times


def test_generated_code_has_one_attribute_on_a_line():
    """The source of a codec's functions can be read, and a traceback points at an attribute."""

    @entity("things")
    class Wide:
        id: PartitionKey[str]
        sk: SortKey[str]
        a: Attribute[int]
        b: Attribute[Decimal]
        c: Attribute[str | None] = attribute(default=None)

    codec = Marshaller().codec(schema_of(Wide))
    for function in (codec.encode, codec.decode, codec.encode_key, codec.key_of):
        lines = inspect.getsource(function).splitlines()
        for name in ("'id'", "'sk'", "'a'", "'b'", "'c'"):
            others = {"'id'", "'sk'", "'a'", "'b'", "'c'"} - {name}
            assert not any(name in line and other in line for line in lines for other in others)
