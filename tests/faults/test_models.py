"""Classes: nothing that is declared is lost, what cannot hold is refused, and tables of others can be mapped."""

import dataclasses
import ipaddress
import pathlib
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict, Union
from zoneinfo import ZoneInfo

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    MarshallingError,
    ModelError,
    PartitionKey,
    SortKey,
    attribute,
    document,
    entity,
)

Json: TypeAlias = Union[dict[str, "Json"], list["Json"], str, int, bool, None]  # noqa: UP007  (the spelling of 3.11)


@dataclasses.dataclass
class Audit:
    created_by: str = "unset"


class Annotated:
    note: str


class WithDefault:
    note: str = "unset"


@pytest.mark.parametrize("base", [Audit, Annotated, WithDefault], ids=["dataclass", "annotated", "with a default"])
async def test_the_fields_of_a_base_are_stored_or_refused(client: Client, base: type) -> None:
    """A value that was set is read again, unless the class itself was refused."""
    (field,) = base.__annotations__
    namespace = {"__annotations__": {"id": PartitionKey[str]}, "__module__": __name__}
    try:
        model: Any = entity("audited")(type("Order", (base,), namespace))
    except ModelError as error:
        refusal = str(error)
    else:
        refusal = ""
        await client.ensure_tables(model)
        item = model(id="a")
        setattr(item, field, "ada")
        await client.table(model).put(item)
        assert getattr(await client.table(model).get_one(id="a"), field) == "ada"
    assert field in (refusal or field)


VALUES: list[Any] = [{"a": [1, {"b": None}], "c": True}, [["x"], 2], "text", None]


async def test_an_alias_that_contains_itself_is_mapped(client: Client) -> None:
    """The usual type of JSON is stored and read, at every depth."""

    @entity("jsons")
    class Holder:
        id: PartitionKey[str]
        body: Attribute[Json] = attribute(default=None)

    await client.ensure_tables(Holder)
    table = client.table(Holder)
    for number, value in enumerate(VALUES):
        await table.put(Holder(id=str(number), body=value))
        assert (await table.get_one(id=str(number))).body == value


@document
class Changeable:
    x: Attribute[int]


DEFAULTS: dict[str, tuple[Any, Callable[[], Any]]] = {
    "a document that every instance would share": (Changeable, lambda: Changeable(x=1)),
    "a tuple of such documents": (tuple[Changeable, ...], lambda: (Changeable(x=1),)),
    "None for a text": (str, lambda: None),
    "a text for a number": (int, lambda: "x"),
    "a number for a text": (str, lambda: 1),
    "no member of a literal": (Literal["a"], lambda: "q"),
    "a float for a Decimal": (Decimal, lambda: 1.5),
    "a text for a list": (list[str], lambda: "x"),
    "a time without a zone": (datetime, lambda: datetime(2026, 1, 1)),  # noqa: DTZ001  (which is the mistake)
    "a time for a date": (date, lambda: datetime(2026, 1, 1, tzinfo=UTC)),
    "a float that is no number": (float, lambda: float("nan")),
    "a tuple of another length": (tuple[int, int], lambda: (1,)),
    "another element": (frozenset[int], lambda: frozenset({"x"})),
    "a value that has no place": (Any, object),
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_default_that_cannot_be_is_refused_with_its_class(name: str) -> None:
    """A default that is shared, or that its own type refuses, is an error where the class is made."""
    kind, default = DEFAULTS[name]

    def define() -> None:
        @entity("defaults")
        class Holder:
            id: PartitionKey[str]
            value: Attribute[kind] = attribute(default=default())

        Client().table(Holder).key(id="a")

    with pytest.raises(ModelError, match="value"):
        define()


class Level(IntEnum):
    LOW = 1


class Status(StrEnum):
    OPEN = "open"


class Size(TypedDict):
    width: int


class Point(NamedTuple):
    x: int
    y: str


TYPES: dict[str, tuple[Any, Any]] = {
    "a dict by numbers": (dict[int, str], {1: "a", -20: "b"}),
    "a dict by enum": (dict[Level, str], {Level.LOW: "a"}),
    "a TypedDict": (Size, {"width": 3}),
    "a NamedTuple": (Point, Point(1, "a")),
    "a time of day": (time, time(12, 30, 5)),
    "an address": (ipaddress.IPv4Address, ipaddress.IPv4Address("127.0.0.1")),
    "a path": (pathlib.Path, pathlib.Path("a/b")),
    "a zone": (ZoneInfo, ZoneInfo("Europe/Berlin")),
    "an open enum, known": (Status | str, Status.OPEN),
    "an open enum, new": (Status | str, "a new status"),
    "a dataclass": (Audit, Audit("ada")),
}


@pytest.mark.parametrize("name", TYPES)
async def test_a_common_type_comes_back_as_it_was(client: Client, name: str) -> None:
    """What users declare is stored, and read as the same type."""
    kind, value = TYPES[name]

    @entity("typed")
    class Holder:
        id: PartitionKey[str]
        value: Attribute[kind]

    await client.ensure_tables(Holder)
    table = client.table(Holder)
    await table.put(Holder(id=name, value=value))
    stored = (await table.get_one(id=name)).value
    assert (stored, type(stored)) == (value, type(value))


@dataclasses.dataclass
class Row:
    id: str
    amount: int = 0


async def test_a_dataclass_is_the_class_of_a_table(client: Client) -> None:
    """`client.table(DataClass, …)` maps a dataclass as it maps an attrs class."""
    table = client.table(Row, name="rows", partition_key="id")
    await client.create_table(table)
    await table.put(Row("a", 3))
    assert await table.get_one(id="a") == Row("a", 3)


TEXTS = {"JavaScript": "2026-02-26T18:21:33.034Z", "Python": "2026-02-26T18:21:33.034000+00:00"}


@pytest.mark.parametrize("form", ["iso_ms", "%Y-%m-%dT%H:%M:%S.%f%z"])
async def test_times_that_another_language_wrote_are_keys_and_compared(client: Client, form: str) -> None:
    """A sort key in another program's form is read and found, and a condition on what was read holds."""

    @entity(f"times-{len(form)}")
    class Event:
        source: PartitionKey[str]
        at: SortKey[datetime] = attribute(datetime_format=form)
        seen: Attribute[datetime] = attribute(datetime_format=form)

    await client.ensure_tables(Event)
    text = "2026-02-26T18:21:33.034Z" if form == "iso_ms" else "2026-02-26T18:21:33.034000+0000"
    raw = client.table(f"times-{len(form)}", partition_key="source", sort_key="at")
    await raw.put({"source": "other", "at": text, "seen": text})
    at = datetime(2026, 2, 26, 18, 21, 33, 34_000, tzinfo=UTC)
    table = client.table(Event)
    event = await table.get_one(source="other", at=at)
    assert event.at == event.seen == at
    assert await table.query(Event.source == "other", Event.at <= at).all() == [event]
    assert await table.update(event).set(Event.seen, at).when(Event.seen == event.seen) == event


async def test_a_null_where_the_class_has_a_default_can_be_read(client: Client, options: Callable[..., Any]) -> None:
    """Go writes nil slices and Java null members: with `null_as_default` they are the default."""

    @entity("nulls")
    class Holder:
        id: PartitionKey[str]
        tags: Attribute[set[str]] = attribute(factory=set, **options(attribute, null_as_default=True))
        count: Attribute[int] = attribute(default=7, **options(attribute, null_as_default=True))

    await client.ensure_tables(Holder)
    await client.table("nulls", partition_key="id").put({"id": "a", "tags": None, "count": None})
    assert await client.table(Holder).get_one(id="a") == Holder(id="a", tags=set(), count=7)


async def test_a_time_to_live_in_milliseconds_says_so(client: Client) -> None:
    """The error asks whether the number is milliseconds."""

    @entity("lives")
    class Holder:
        id: PartitionKey[str]
        ends: Attribute[datetime] = attribute(datetime_format="epoch")

    await client.ensure_tables(Holder)
    await client.table("lives", partition_key="id").put({"id": "a", "ends": 1_767_225_600_000})
    with pytest.raises(MarshallingError, match="milliseconds"):
        await client.table(Holder).get_one(id="a")


def twice() -> tuple[Any, Any]:
    """Define a class and its document, as a cell of a notebook does."""

    @document
    class Part:
        size: Attribute[int] = attribute(default=1)

    @entity("twice")
    class Thing:
        id: PartitionKey[str]
        part: Attribute[Part] = attribute(factory=Part)
        name: Attribute[str] = attribute(default="")

    return Thing, Part


@pytest.mark.parametrize("place", ["an instance", "a document", "a path", "a condition"])
def test_a_class_that_was_defined_twice_is_named_as_such(place: str) -> None:
    """A cell that ran again leaves instances and paths of the first class: the error says so."""
    (first, first_part), (second, _) = twice(), twice()
    table = Client().table(second)
    with pytest.raises((MarshallingError, ExpressionError), match="twice"):
        {
            "an instance": lambda: table.put(first(id="1")),
            "a document": lambda: table.put(second(id="1", part=first_part())),
            "a path": lambda: table.update("1").set(first.name, "x"),
            "a condition": lambda: table.check("1").when(first.name == "x"),
        }[place]()
