"""Forms of types: keys of dicts, TypedDict, NamedTuple, open enums, aliases that contain themselves."""

from __future__ import annotations

import collections
import sys
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Dict, Generic, List, Literal, NamedTuple, NotRequired, TypeAlias, TypedDict, TypeVar, Union  # noqa: UP035  (old forms)
from uuid import UUID
from zoneinfo import ZoneInfo

import cattrs
import pytest

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    MarshallingError,
    ModelError,
    PartitionKey,
    attribute,
    document,
    entity,
)
from mizzle_async.expressions.names import map_key
from mizzle_async.marshalling import Marshaller, marshaller_of
from mizzle_async.model import schema_of
from mizzle_async.model.scalars import SCALAR_TYPES

ValueT = TypeVar("ValueT")


class Status(StrEnum):
    OPEN = "open"
    PAID = "paid"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Color(Enum):
    RED = "red"


class Other(StrEnum):
    ELSE = "else"


class Clash(StrEnum):
    OPEN = "open"


@document
class Place:
    city: Attribute[str]


class Movie(TypedDict):
    title: str
    year: NotRequired[int]
    place: NotRequired[Place | None]


class Extended(Movie, total=False):
    tags: set[str]
    sequel: Extended


class Boxed(TypedDict, Generic[ValueT]):
    inside: ValueT


class Point(NamedTuple):
    x: int
    y: Decimal
    label: str = ""


Bare = collections.namedtuple("Bare", ["a", "b"])  # noqa: PYI024  (it has no types)

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"
Old = Union[Dict[str, "Old"], List["Old"], str, None]  # noqa: UP006, UP007  (the old form)
Endless = Union["Endless", int]


@entity("things")
class Thing:
    id: PartitionKey[str]
    by_number: Attribute[dict[int, str]] = attribute(factory=dict)
    by_level: Attribute[dict[Level, str]] = attribute(factory=dict)
    by_amount: Attribute[dict[Decimal, str]] = attribute(factory=dict)
    by_status: Attribute[dict[Status, int]] = attribute(factory=dict)
    by_day: Attribute[dict[date, int]] = attribute(factory=dict)
    movie: Attribute[Movie | None] = attribute(default=None)
    extended: Attribute[Extended | None] = attribute(default=None)
    boxed: Attribute[Boxed[int] | None] = attribute(default=None)
    point: Attribute[Point | None] = attribute(default=None)
    points: Attribute[list[Point]] = attribute(factory=list)
    bare: Attribute[Bare | None] = attribute(default=None)
    status: Attribute[Status | str] = attribute(default=Status.OPEN)
    level: Attribute[Level | int | None] = attribute(default=None)
    kind: Attribute[Literal["a", "b"] | str] = attribute(default="a")  # noqa: PYI051  (type checkers complete it)
    either: Attribute[Status | Other | str] = attribute(default="x")
    statuses: Attribute[set[Status | str]] = attribute(factory=set)
    json: Attribute[Json] = attribute(default=None)
    old: Attribute[Old] = attribute(default=None)
    jsons: Attribute[dict[str, Json]] = attribute(factory=dict)


CODEC = Marshaller().codec(schema_of(Thing))
ID = {"id": {"S": "1"}}


def codec_of(annotation: Any) -> Any:
    """Return the codec of an entity with one attribute of a type."""
    names = {"__annotations__": {"id": PartitionKey[str], "value": Attribute[annotation]}, "__module__": __name__}
    return Marshaller().codec(schema_of(entity("odd")(type("Odd", (), names | {"__qualname__": "Odd"}))))


def stored(**values: Any) -> dict[str, Any]:
    """Return the stored attributes of an instance, those that were asked for."""
    item = CODEC.encode(Thing(id="1", **values))
    return {name: item[name] for name in values}


def read(name: str, value: Any) -> Any:
    """Return an attribute of what is read."""
    return getattr(CODEC.decode(ID | {name: value}), name)


ROUND_TRIPS = [
    ("by_number", {1: "a", -20: "b"}, {"M": {"1": {"S": "a"}, "-20": {"S": "b"}}}),
    ("by_level", {Level.LOW: "a"}, {"M": {"1": {"S": "a"}}}),
    ("by_amount", {Decimal("1.5"): "a"}, {"M": {"1.5": {"S": "a"}}}),
    ("by_status", {Status.OPEN: 1}, {"M": {"open": {"N": "1"}}}),
    ("by_day", {date(2026, 1, 1): 1}, {"M": {"2026-01-01": {"N": "1"}}}),
    ("movie", {"title": "t"}, {"M": {"title": {"S": "t"}}}),
    ("movie", {"title": "t", "year": 1, "place": None},
     {"M": {"title": {"S": "t"}, "year": {"N": "1"}, "place": {"NULL": True}}}),
    ("movie", {"title": "t", "place": Place(city="c")},
     {"M": {"title": {"S": "t"}, "place": {"M": {"city": {"S": "c"}}}}}),
    ("extended", {"title": "t", "sequel": {"title": "u", "tags": set()}},
     {"M": {"title": {"S": "t"}, "sequel": {"M": {"title": {"S": "u"}, "tags": {"L": []}}}}}),
    ("boxed", {"inside": 5}, {"M": {"inside": {"N": "5"}}}),
    ("point", Point(1, Decimal("2.5"), "l"), {"L": [{"N": "1"}, {"N": "2.5"}, {"S": "l"}]}),
    ("bare", Bare(1, "x"), {"L": [{"N": "1"}, {"S": "x"}]}),
    ("status", Status.PAID, {"S": "paid"}),
    ("status", "refunded", {"S": "refunded"}),
    ("level", Level.HIGH, {"N": "2"}),
    ("level", 7, {"N": "7"}),
    ("kind", "c", {"S": "c"}),
    ("either", Other.ELSE, {"S": "else"}),
    ("statuses", {Status.OPEN, "new"}, {"SS": ["new", "open"]}),
    ("json", {"a": [1, {"b": None}, "x", True]},
     {"M": {"a": {"L": [{"N": "1"}, {"M": {"b": {"NULL": True}}}, {"S": "x"}, {"BOOL": True}]}}}),
    ("json", [], {"L": []}),
    ("old", {"a": ["b", None]}, {"M": {"a": {"L": [{"S": "b"}, {"NULL": True}]}}}),
    ("jsons", {"a": {"b": 1}}, {"M": {"a": {"M": {"b": {"N": "1"}}}}}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "attribute_value"), ROUND_TRIPS)
def test_values_survive(name, value, attribute_value):
    """A value is stored in its form, and read back equal and of its own type."""
    before = str(CODEC.lamp)
    assert stored(**{name: value})[name] == attribute_value
    back = read(name, attribute_value)
    assert back == value
    assert type(back) is type(value)
    assert str(CODEC.lamp) == before


def test_members_of_an_open_enum_are_told_from_new_values():
    """A value that the Enum lists is its member, also where plain text was written; any other is plain."""
    assert read("status", {"S": "paid"}) is Status.PAID
    assert type(read("status", {"S": "refunded"})) is str
    assert stored(status="paid")["status"] == {"S": "paid"}
    assert read("either", {"S": "else"}) is Other.ELSE
    assert read("level", {"N": "2.0"}) is Level.HIGH
    with pytest.raises(MarshallingError, match=r"Thing\.status: expected str, found int"):
        stored(status=5)


@pytest.mark.parametrize("annotation", [Color | str, Status | Clash | str])
def test_a_union_that_would_change_a_value_is_refused(annotation):
    """An Enum whose members are not equal to their values, or two with one value, cannot be open."""
    with pytest.raises(ModelError, match=r"Odd\.value: .* cannot be told apart when it is read"):
        codec_of(annotation)


def test_an_open_enum_can_be_a_key():
    """A key of an open Enum is found by a member and by a new value."""

    @entity("states")
    class State:
        status: PartitionKey[Status | str]
        note: Attribute[str] = attribute(default="")

    table = Client().table(State)
    assert table.get(Status.OPEN).to_wire()["Key"] == {"status": {"S": "open"}}
    assert table.get("new").to_wire()["Key"] == {"status": {"S": "new"}}


def test_numbers_that_are_written_otherwise_are_no_keys():
    """`01` beside `1` would be a second entry for one key: it is refused, not merged."""
    for name in ("01", "1.0", "+1", "x", " 1"):
        with pytest.raises(MarshallingError, match=r"Thing\.by_number\[.*\]: expected"):
            read("by_number", {"M": {name: {"S": "a"}}})
    with pytest.raises(MarshallingError, match=r'Thing\.by_number\["1"\]: expected int, found str'):
        stored(by_number={"1": "a"})


def test_hooks_make_keys_of_dicts():
    """A hook for a class, or for text itself, says how names are stored too."""
    converter = cattrs.Converter()
    converter.register_unstructure_hook(str, str.upper)
    converter.register_structure_hook(str, lambda text, _: text.lower())

    @entity("odd")
    class Odd:
        id: PartitionKey[str]
        value: Attribute[dict[str, int]]

    codec = marshaller_of(converter).codec(schema_of(Odd))
    assert codec.encode(Odd(id="1", value={"a": 1}))["value"] == {"M": {"A": {"N": "1"}}}
    assert codec.decode(ID | {"value": {"M": {"A": {"N": "1"}}}}).value == {"a": 1}


def test_every_registered_text_is_named_in_paths_as_it_is_stored():
    """A path into a dict takes its keys, of each type that is registered as text, and of Enums of integers."""
    noon = datetime.fromisoformat("2026-01-31T12:00:00+02:00")
    keys = {
        str: "a", datetime: noon, date: date(2026, 1, 31), time: time(9, 5), UUID: UUID(int=5), Path: Path("a/b"),
        IPv4Address: IPv4Address("10.0.0.1"), IPv6Address: IPv6Address("::1"), ZoneInfo: ZoneInfo("Europe/Berlin"),
    }  # fmt: skip
    texts = {row.python: row for row in SCALAR_TYPES if row.tag == "S" and row.datetime_format in {None, "iso"}}
    assert texts.keys() == keys.keys()
    assert {kind: map_key(key) for kind, key in keys.items()} == {
        kind: row.write(keys[kind]) for kind, row in texts.items()
    }
    update = Client().table(Thing).update("1").set(Thing.by_level[Level.LOW], "x").to_wire()
    assert "1" in update["ExpressionAttributeNames"].values()
    assert Client().table(Thing).update("1").set(Thing.by_number["5"], "x").to_wire()
    with pytest.raises(ExpressionError, match=r"has no element 5.*write the key as text, \['5'\]"):
        Client().table(Thing).update("1").set(Thing.by_number[5], "x")
    with pytest.raises(ExpressionError, match="is no key of a dict"):
        Client().table(Thing).update("1").set(Thing.by_number["05"], "x")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("movie", {"year": 1}, r'Thing\.movie\["title"\]: expected S, found no such key'),
        ("movie", {"title": "t", "yaer": 1}, r'Thing\.movie\["yaer"\]: expected declared keys only, found one more'),
        ("movie", {"title": 5}, r'Thing\.movie\["title"\]: expected str, found int'),
        ("movie", ["t"], r"Thing\.movie: expected Movie, found list"),
        ("point", (1, Decimal(2), ""), r"Thing\.point: expected Point, found tuple"),
        ("point", Point("1", Decimal(2)), r"Thing\.point\[0\]: expected int, found str"),
        ("json", {"a": 1.5}, r'Thing\.json\["a"\]: expected .*, found float'),
    ],
)
def test_values_of_another_form_are_refused(name, value, sentence):
    """What would not be read back as it was is an error that names its place."""
    with pytest.raises(MarshallingError, match=sentence):
        stored(**{name: value})


def test_stored_members_that_are_not_declared_are_left_out():
    """A TypedDict reads the keys that it declares; a required one must be there."""
    assert read("movie", {"M": {"title": {"S": "t"}, "more": {"S": "x"}}}) == {"title": "t"}
    with pytest.raises(MarshallingError, match=r'Thing\.movie\["title"\]: expected S, found no such attribute'):
        read("movie", {"M": {}})


def test_trailing_members_with_a_default_may_be_missing():
    """A NamedTuple that got a member with a default reads what was stored before."""
    assert read("point", {"L": [{"N": "1"}, {"N": "2"}]}) == Point(1, Decimal(2), "")
    with pytest.raises(MarshallingError, match="expected L of 3, found L of 1"):
        read("point", {"L": [{"N": "1"}]})


def test_paths_lead_into_every_form():
    """Conditions and updates name keys and positions, and are checked by the member's type."""
    update = Client().table(Thing).update("1")
    assert update.set(Thing.movie["year"], 5).to_wire()
    assert update.set(Thing.movie["place"][Place.city], "x").to_wire()
    assert update.set(Thing.points[0][1], Decimal(5)).to_wire()
    assert update.set(Thing.json["a"][0]["b"], "x").to_wire()
    assert update.when(Thing.status == "new").set(Thing.status, Status.PAID).to_wire()
    assert update.remove(Thing.movie["year"]).to_wire()
    with pytest.raises(ExpressionError, match=r"Thing\.movie\.title is required, so no read could make an instance"):
        update.remove(Thing.movie["title"])
    with pytest.raises(ExpressionError, match="is an element of a Point, which has a fixed length"):
        update.remove(Thing.points[0][1])
    with pytest.raises(ExpressionError, match="has no member 'yaer'"):
        update.set(Thing.movie["yaer"], 5)
    with pytest.raises(MarshallingError, match="expected int, found str"):
        update.set(Thing.movie["year"], "x")
    with pytest.raises(ExpressionError, match="has no element 3"):
        update.set(Thing.point[3], 5)


def test_nesting_has_its_limit_in_aliases_too():
    """A value of a recursive alias is checked against the service's 32 levels."""
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    with pytest.raises(Exception, match="at most 32 levels of nesting"):
        stored(json=deep)


def test_an_alias_that_is_nothing_but_itself_is_refused():
    """An alias must have a list or a dict around itself."""
    with pytest.raises(ModelError, match=r"Odd\.value: .*contains itself"):
        codec_of(Endless)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="`type` statements need Python 3.12")
def test_aliases_of_the_new_spelling_contain_themselves():
    """`type Json = …` is mapped as the older spelling is, with type variables too."""
    namespace: dict[str, Any] = {}
    exec(  # noqa: S102  (a syntax error in Python 3.11)
        "type Json = dict[str, Json] | list[Json] | str | int | bool | None\ntype Nested[T] = list[Nested[T]] | T\n",
        namespace,
    )
    json, nested = namespace["Json"], namespace["Nested"][int]

    @entity("odd")
    class Odd:
        id: PartitionKey[str]
        value: Attribute[json]
        more: Attribute[nested] = attribute(default=0)

    codec = Marshaller().codec(schema_of(Odd))
    odd = Odd(id="1", value={"a": [1, None, {"b": "x"}]}, more=[[1], 2])
    assert codec.decode(codec.encode(odd)) == odd


@pytest.mark.skipif(sys.version_info < (3, 13), reason="`ReadOnly` is Python 3.13's")
def test_qualifiers_of_keys_may_stand_inside_each_other():
    """A key that type checkers protect is stored as any other, required or not."""
    namespace: dict[str, Any] = {"__name__": __name__}
    source = (
        "from typing import NotRequired, ReadOnly, TypedDict\n"
        "class Kept(TypedDict):\n"
        "    size: ReadOnly[int]\n"
        "    unit: NotRequired[ReadOnly[str]]\n"
    )
    exec(compile(source, "<kept>", "exec", dont_inherit=True), namespace)  # noqa: S102  (not in Python 3.11)
    codec = codec_of(namespace["Kept"])
    assert codec.encode(codec.schema.cls(id="1", value={"size": 5}))["value"] == {"M": {"size": {"N": "5"}}}
    with pytest.raises(MarshallingError, match=r'Odd\.value\["size"\]: expected N, found no such key'):
        codec.encode(codec.schema.cls(id="1", value={"unit": "x"}))
