"""Defaults are values of their attribute's type and not shared, and bases are stored or refused: both at the class."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, Literal, NewType, Protocol, TypedDict, TypeVar

import attrs
import pytest

from mizzle_async import Attribute, ModelError, PartitionKey, attribute, document, entity
from mizzle_async.model import schema_of

NAMES = NewType("NAMES", str)
ValueT = TypeVar("ValueT")


class Status(StrEnum):
    OPEN = "open"


class Level(IntEnum):
    LOW = 1


class Color(Enum):
    RED = "red"


class Email(str):
    __slots__ = ()


class Movie(TypedDict):
    title: str


class Unknown:
    """A class that only a converter of the user's knows."""


@document
class Mutable:
    x: Attribute[int]


@document(frozen=True)
class Immutable:
    x: Attribute[int]


@attrs.define
class Foreign:
    x: int


def make(annotation: Any, default: Any, **options: Any) -> type[Any]:
    """Make an entity with an attribute of a type and a default."""
    names: dict[str, Any] = {"__annotations__": {"id": PartitionKey[str], "a": Attribute[annotation]}}
    names["a"] = attribute(default=default, **options)
    return entity("things")(type("Thing", (), names | {"__module__": __name__, "__qualname__": "Thing"}))


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (str, "x"),
        (str | None, None),
        (int, 5),
        (float, 1),
        (Decimal, 1),
        (Decimal, Decimal("1.5")),
        (bool, False),
        (bytes, bytes(2)),
        (datetime, datetime(2026, 1, 1, tzinfo=UTC)),
        (date, date(2026, 1, 1)),
        (Path, Path("a")),
        (Status, Status.OPEN),
        (Status | str, "new"),
        (str, Status.OPEN),
        (int, Level.LOW),
        (Literal["a", 1], 1),
        (Literal["a"] | None, None),
        (Email, Email("a")),
        (NAMES, NAMES("n")),
        (tuple[int, ...], ()),
        (Sequence[int], (1,)),
        (frozenset[str], frozenset()),
        (int | list[int], 5),
        (Immutable, Immutable(x=1)),
        (Any, None),
        (object, 5),
        (Unknown, None),
        (Unknown | None, "anything"),
    ],
)
def test_values_of_the_type_are_defaults(annotation, default):
    """A default of the attribute's type, or of one that only hooks know, is taken."""
    assert schema_of(make(annotation, default)).by_field["a"].default is default


@pytest.mark.parametrize(
    ("annotation", "default", "sentence"),
    [
        (str, None, r"Thing\.a: its default is no str but None: declare it str \| None, or leave the default out"),
        (int, "x", r"Thing\.a: its default is no int but str$"),
        (int, True, "its default is no int but bool"),
        (bool, 1, "its default is no bool but int"),
        (int, 1.5, "its default is no int but float"),
        (Literal["a"], "q", r"its default is no Literal\['a'\] but another value"),
        (Literal[1], True, "but another value"),
        (Status, "open", "its default is no Status but str"),
        (Email, "a", "its default is no Email but str"),
        (datetime, date(2026, 1, 1), "its default is no datetime but date"),
        (Immutable, 5, "its default is no Immutable but int"),
        (tuple[int, ...], 5, "but int"),
        (Mapping[str, int], (), "but tuple"),
        (Movie, "x", "its default is no Movie but str"),
        (int | str, b"x", r"its default is no int \| str but bytes"),
    ],
)
def test_a_default_that_its_type_refuses_fails_at_the_class(annotation, default, sentence):
    """A default that no write could store is an error where the class is made, not at its first write."""
    with pytest.raises(ModelError, match=sentence):
        make(annotation, default)


@pytest.mark.parametrize("default", [Mutable(x=1), Foreign(1), [], {1}, {"a": 1}, bytearray()])
def test_a_default_that_instances_would_share_fails_at_the_class(default):
    """A mutable document is refused as a list is, with the factory to write instead."""
    name = type(default).__name__
    with pytest.raises(ModelError, match=rf"share this {name}: write `attribute\(factory={name}\)`"):
        make(Any, default)


def test_a_default_that_is_converted_is_left_to_its_functions():
    """Attrs converts a default, and `encode` takes what it takes: their types are not known here."""
    assert make(int, "5", converter=int)(id="1").a == 5
    with pytest.raises(ModelError, match="its default is no int but str"):
        make(int, "5")


def test_factories_are_not_called():
    """A factory is called for instances only."""

    @entity("things")
    class Thing:
        id: PartitionKey[str]
        a: Attribute[int] = attribute(factory=lambda: pytest.fail("called"))

    assert schema_of(Thing).by_field["a"].default is not attrs.NOTHING


# ── bases ──


@dataclasses.dataclass
class Audit:
    """A base whose fields attrs does not see."""

    created_by: str = "nobody"


class Annotated:
    """A base that annotates and does nothing else."""

    note: str


class Constants:
    """A base that declares no attribute."""

    kind: ClassVar[str] = "x"
    limit: Final = 5


class Named(Protocol):
    """A base that says only what there must be."""

    name: str


class Box(Generic[ValueT]):
    """A base without annotations."""


@pytest.mark.parametrize(("base", "field", "kind"), [(Audit, "created_by", "a dataclass"), (Annotated, "note", "not")])
def test_a_base_whose_fields_would_not_be_stored_is_refused(base, field, kind):
    """The fields of a dataclass or a plain class would silently be lost: the error names one, and what to write."""
    with pytest.raises(ModelError, match=rf"Thing inherits {field} from {base.__name__}, which is {kind}.*@document"):
        entity("x")(type("Thing", (base,), {"__annotations__": {"id": PartitionKey[str]}, "__module__": __name__}))


def test_a_base_without_attributes_of_its_own_is_fine():
    """Constants, protocols, generics, and annotations that the class itself fills are no attributes of the base."""

    @entity("things")
    class Thing(Constants, Annotated, Named, Box[int]):
        id: PartitionKey[str]
        note: Attribute[str]
        name: Attribute[str]

    assert [one.field for one in schema_of(Thing).attributes] == ["id", "note", "name"]
    assert Thing.kind == "x"
