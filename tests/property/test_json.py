"""JSON on random types and values: round trips, and Pydantic's schema against the library's own functions."""

import dataclasses
import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from mizzle_async import (
    Attribute,
    PartitionKey,
    attribute,
    document,
    entity,
    from_builtins,
    from_json,
    to_builtins,
    to_json,
)

settings.register_profile("json", deadline=None, suppress_health_check=[HealthCheck.too_slow])
PROFILE = settings.get_profile("json")


class Status(StrEnum):
    OPEN = "open"
    PAID = "paid"


class Level(IntEnum):
    LOW = 0
    HIGH = 9


class Color(Enum):
    RED = "rot"
    BLUE = "blau"


class Rate(Enum):
    LOW = Decimal("0.5")
    HIGH = Decimal("1.5")


class Code(Enum):
    ONE = b"\xff"
    TWO = b"\x00"


@document
class Line:
    sku: Attribute[str]
    price: Attribute[Decimal] = attribute(name="p", default=Decimal(0))
    tags: Attribute[set[str]] = attribute(factory=set)


@document(frozen=True)
class Tree:
    name: Attribute[str]
    children: Attribute[list["Tree"]] = attribute(factory=list)


@document
class Card:
    kind: Attribute[Literal["card"]] = attribute(default="card", name="k")
    number: Attribute[str] = attribute(default="")


@document
class Cash:
    kind: Attribute[Literal["cash"]] = attribute(default="cash", name="k")
    paid: Attribute[Decimal] = attribute(default=Decimal(0))


@attrs.frozen
class Point:
    x: int
    label: str | None = None


@dataclasses.dataclass
class Box:
    width: float
    content: bytes = b""
    inner: "Box | None" = None


@attrs.define
class Checked:
    size: int = attrs.field(validator=attrs.validators.instance_of(int), default=3)
    double: int = attrs.field(default=attrs.Factory(lambda self: self.size * 2, takes_self=True))


class Entry(TypedDict):
    name: str
    size: NotRequired[int]
    raw: NotRequired[bytes | None]


class Pair(NamedTuple):
    left: int
    right: str | None = None


texts = st.text(max_size=8)
names = st.text(min_size=1, max_size=8)
integers = st.integers(-(10**38) + 1, 10**38 - 1)
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**20), max_value=10**20)
floats = st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda value: value == 0 or 1e-130 <= abs(value) < 1e126
)
fractions = floats.filter(lambda value: not value.is_integer())
moments = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(fold=0))
lines = st.builds(Line, sku=texts, price=decimals, tags=st.sets(texts, max_size=2))
TYPES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, texts),
    (bytes, st.binary(max_size=6)),
    (bool, st.booleans()),
    (int, integers),
    (float, floats.map(lambda value: value + 0.0 if value else 0.0)),
    (Decimal, decimals),
    (datetime, moments),
    (date, st.dates()),
    (time, st.times()),
    (timedelta, st.timedeltas()),
    (UUID, st.uuids()),
    (IPv4Address, st.ip_addresses(v=4)),
    (IPv6Address, st.ip_addresses(v=6)),
    (ZoneInfo, st.sampled_from(["UTC", "Europe/Berlin"]).map(ZoneInfo)),
    (Path, st.lists(st.text("abc.ä", min_size=1, max_size=4), max_size=3).map(lambda parts: Path(*parts))),
    (Status, st.sampled_from(Status)),
    (Level, st.sampled_from(Level)),
    (Color, st.sampled_from(Color)),
    (Rate, st.sampled_from(Rate)),
    (Code, st.sampled_from(Code)),
    (Literal["a", "b"], st.sampled_from(["a", "b"])),
    (Literal[1, "x"], st.sampled_from([1, "x"])),
    (int | str, integers | texts),
    (int | float, integers | fractions),
    (int | Decimal, integers | decimals.filter(lambda value: value != int(value))),
    (str | Decimal | bool, texts | st.booleans() | st.sampled_from([Decimal("0.5"), Decimal("1e20"), Decimal(3)])),
    (Status | str, st.sampled_from(Status) | texts.filter(lambda text: text not in list(Status))),
    (Level | int, st.sampled_from(Level) | integers.filter(lambda number: number not in list(Level))),
    (bytes | int, st.binary(max_size=6) | integers),
    (Line, lines),
    (Tree, st.builds(Tree, name=texts, children=st.lists(st.builds(Tree, name=texts), max_size=2))),
    (Point, st.builds(Point, x=integers, label=st.none() | texts)),
    (
        Box,
        st.builds(
            Box, width=fractions, content=st.binary(max_size=4), inner=st.none() | st.builds(Box, width=fractions)
        ),
    ),
    (
        Checked,  # twice its size is a number of 38 digits too
        st.builds(Checked, size=st.integers(-(10**37), 10**37)) | st.builds(Checked, size=integers, double=integers),
    ),
    (Entry, st.fixed_dictionaries({"name": texts}, optional={"size": integers, "raw": st.none() | st.binary()})),
    (Pair, st.builds(Pair, left=integers, right=st.none() | texts)),
    (Line | Point, lines | st.builds(Point, x=integers)),
    (Card | Cash, st.builds(Card, number=texts) | st.builds(Cash, paid=decimals)),
    (Line | Point | str, lines | st.builds(Point, x=integers) | texts),
    (Line | int | Decimal, lines | integers | decimals.filter(lambda value: value != int(value))),
]
NAMES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, names),
    (Status, st.sampled_from(Status)),
    (UUID, st.uuids()),
    (int, integers),
    (Level, st.sampled_from(Level)),
    (date, st.dates()),
    (IPv6Address, st.ip_addresses(v=6)),
]
IN_SETS = {str, bytes, int, Decimal, UUID, Status, Level, Color, date, time, IPv4Address}
ELEMENTS = [(kind, values) for kind, values in TYPES if isinstance(kind, type) and kind in IN_SETS]


def collected(inner: st.SearchStrategy[tuple[Any, Any]]) -> st.SearchStrategy[tuple[Any, Any]]:
    """Types made of another, with strategies for their values."""
    return st.one_of(
        inner.map(lambda pair: (list[pair[0]], st.lists(pair[1], max_size=3))),
        inner.map(lambda pair: (list[pair[0] | None], st.lists(st.none() | pair[1], max_size=3))),
        inner.map(lambda pair: (tuple[pair[0], ...], st.lists(pair[1], max_size=3).map(tuple))),
        st.tuples(inner, inner).map(lambda two: (tuple[two[0][0], two[1][0]], st.tuples(two[0][1], two[1][1]))),
        st.tuples(st.sampled_from(NAMES), inner).map(
            lambda two: (dict[two[0][0], two[1][0]], st.dictionaries(two[0][1], two[1][1], max_size=3))
        ),
        st.sampled_from(ELEMENTS).map(lambda pair: (set[pair[0]], st.sets(pair[1], max_size=3))),
        st.sampled_from(ELEMENTS).map(lambda pair: (frozenset[pair[0]], st.frozensets(pair[1], max_size=3))),
    )


typed = st.recursive(st.sampled_from(TYPES), collected, max_leaves=4)


def entity_with(kind: Any) -> Any:
    """Return an entity with an attribute of a type."""
    body = {"__annotations__": {"id": PartitionKey[str], "value": Attribute[kind]}, "__module__": __name__}
    return entity("things")(type("Thing", (), body))


@settings(PROFILE, max_examples=300)
@given(st.data())
def test_json_of_every_type_comes_back_and_is_pydantic_s(data):
    """JSON of a value of any declared type gives the value back; Pydantic writes the same, and reads it alike."""
    kind, values = data.draw(typed)
    model = entity_with(kind)
    adapter = TypeAdapter(model)
    for _ in range(3):
        instance = model(id="1", value=data.draw(values))
        text, builtins = to_json(instance), to_builtins(instance)
        assert json.loads(text) == builtins
        for back in (from_json(text, model), from_builtins(builtins, model)):
            assert back == instance
            assert type(back.value) is type(instance.value)
        assert adapter.dump_python(instance, mode="json") == builtins
        assert json.loads(adapter.dump_json(instance)) == builtins
        assert adapter.validate_json(text) == instance
        read = adapter.validate_python(builtins)
        assert read == instance
        assert type(read.value) is type(instance.value)
        assert adapter.validate_python(instance) is instance
        assert from_json(adapter.dump_json(instance), model) == instance


@settings(PROFILE, max_examples=100)
@given(st.data())
def test_every_type_has_a_json_schema_in_both_directions(data):
    """The JSON schema of any declared type has every attribute, for what is read and for what is written."""
    model = entity_with(data.draw(typed)[0])
    for mode in ("validation", "serialization"):
        schema = TypeAdapter(model).json_schema(mode=mode)
        assert list(schema["properties"]) == ["id", "value"]
        assert schema["required"] == ["id", "value"]
        assert json.dumps(schema)
