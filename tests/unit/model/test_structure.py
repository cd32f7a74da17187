import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, ClassVar, Generic, Literal, NewType, TypeVar
from uuid import UUID

import attrs
import pytest

from mizzle_async import Client, Table
from mizzle_async.errors import ModelError
from mizzle_async.model import (
    Attribute,
    PartitionKey,
    SortKey,
    attribute,
    document,
    document_schema_of,
    entity,
    schema_of,
)
from mizzle_async.model.structure import KEY_OPTION_NAMES


@document
class Address:
    city: Attribute[str]


class Mixed(Enum):
    A = "a"
    B = 1


class Number(IntEnum):
    ONE = 1


AnyT = TypeVar("AnyT")


class Ulid:
    """A class that only the marshaller can judge."""


ENTITY = entity("things")


def make(annotations: dict[str, Any], decorate: Callable = ENTITY, **values: Any) -> type:
    """Make a class with these annotations and values, and decorate it."""
    return decorate(type("Thing", (), {"__annotations__": annotations, "__module__": __name__, **values}))


ID = {"id": PartitionKey[str]}


@pytest.mark.parametrize(
    ("annotations", "values", "message"),
    [
        ({"a": Attribute[str]}, {}, r"Thing has no partition key: annotate one attribute with PartitionKey"),
        ({}, {}, "Thing has no partition key"),
        ({"a": SortKey[str]}, {}, "Thing has no partition key"),
        ({**ID, "b": PartitionKey[str]}, {}, r"Thing has two partition keys, id and b: make one of them an Attribute"),
        ({**ID, "a": SortKey[str], "b": SortKey[str]}, {}, "Thing has two sort keys, a and b"),
        ({**ID, "a": int}, {}, r"Thing\.a is annotated int: write Attribute\[int\], or ClassVar\[int\] for a constant"),
        ({**ID, "a": list[int]}, {}, r"write Attribute\[list\[int\]\]"),
        (
            {**ID, "a": Attribute[int] | None},
            {},
            r"annotated Attribute\[int\] \| None: write Attribute\[int \| None\]$",
        ),
        ({**ID, "a": Annotated[Attribute[int], "x"]}, {}, r"write Attribute\[int\]$"),
        ({**ID, "a": Attribute[int]}, {"a": attrs.field(default=1)}, r"Thing\.a: describe it by .* `attribute\(…\)`"),
        (
            {**ID, "a": Attribute[int]},
            {"a": dataclasses.field(default=1)},
            r"Thing\.a: describe it by mizzle_async's own",
        ),
        ({**ID, "self": Attribute[int]}, {}, r'Thing\.self: call it otherwise, .* `attribute\(name="self"\)`'),
        (ID, {"__slots__": ()}, "Thing has __slots__, but its instances must have a __dict__"),
        ({**ID, "a": Attribute}, {}, r"Thing\.a: write the attribute's type in brackets, such as Attribute\[str\]"),
        (
            {**ID, "a": Attribute[str], "b": Attribute[str]},
            {"b": attribute(name="a")},
            "a and b are both stored as 'a'",
        ),
        ({**ID, "a": Attribute[str]}, {"a": attribute(name="")}, r"Thing\.a: an attribute name cannot be empty"),
        ({**ID, "a": Attribute[str]}, {"a": attribute(name="\ud800")}, r"Thing\.a: .* lone surrogate"),
        (
            {**ID, "a": Attribute[str]},
            {"a": attribute(name="x" * 65_536)},
            r"Thing\.a: an attribute name has 65,536 bytes",
        ),
        ({**ID, "a": Attribute[str]}, {"a": attribute(name=5)}, r"Thing\.a: its stored name must be text, not int"),
        ({"id": PartitionKey[str]}, {"id": attribute(name="x" * 256)}, r"at most 255 bytes, this one has 256"),
        (
            {**ID, "a": Attribute[datetime | None]},
            {"a": attribute(default=None, time_to_live=True, name="é" * 128)},
            "at most 255 bytes, this one has 256",
        ),
        (
            {"timeout": PartitionKey[str]},
            {},
            r"Thing\.timeout: get\(…\) and the other verbs have an option of that name: rename the attribute",
        ),
        ({**ID, "consistent_read": SortKey[str]}, {}, r"Thing\.consistent_read: .* option of that name"),
        (
            {**ID, "a": Attribute[list[int]]},
            {"a": attribute(default=[])},
            r"share this list: write `attribute\(factory=list\)`$",
        ),
        ({**ID, "a": Attribute[set[int]]}, {"a": {1}}, r"share this set: .*, with a function that makes a new one"),
        (
            {**ID, "a": Attribute[int]},
            {"a": attribute(default=0, version=True, unique=True)},
            "version and unique at once",
        ),
        (
            {"id": PartitionKey[str]},
            {"id": attribute(unique=True)},
            r"Thing\.id is the partition key: it cannot be unique",
        ),
        (
            {**ID, "a": Attribute[int], "b": Attribute[int]},
            {"a": attribute(default=0, version=True), "b": attribute(default=0, version=True)},
            "a and b are both version: keep one",
        ),
        (
            {**ID, "a": Attribute[datetime]},
            {"a": attribute(datetime_format="unix")},
            "datetime_format is one of iso, iso_ms, epoch, epoch_ms, a strftime format, or a pair of functions",
        ),
        (
            {**ID, "a": Attribute[datetime]},
            {"a": attribute(time_to_live=True, datetime_format="iso")},
            "reads a time to live in epoch seconds: leave datetime_format out",
        ),
        ({**ID, "a": Attribute[str]}, {"a": attribute(shards=2)}, r"Thing\.a: shards= spreads a partition key"),
        ({"id": PartitionKey[str]}, {"id": attribute(shards=1)}, "shards= takes an int of at least 2"),
        ({"id": PartitionKey[str]}, {"id": attribute(shards=True)}, "shards= takes an int of at least 2"),
        ({"id": PartitionKey[str]}, {"id": attribute(shards="4")}, "shards= takes an int of at least 2"),
        (ID, {"a": attribute(default=1)}, r"Thing has an attribute\(\) without an annotation"),
        (
            {**ID, "a": Attribute[str]},
            {"a": attribute(default=0, version=True)},
            r"a version is an int, not str: write `a: Attribute\[int\] = attribute\(default=0, version=True\)`",
        ),
        (
            {**ID, "a": Attribute[int | None]},
            {"a": attribute(default=None, version=True)},
            "a version is an int, not int | None",
        ),
        ({**ID, "a": Attribute[bool]}, {"a": attribute(default=False, version=True)}, "a version is an int, not bool"),
        ({**ID, "a": Attribute[int]}, {"a": attribute(default=1, version=True)}, "a version starts at 0, not at 1"),
        (
            {**ID, "a": Attribute[int]},
            {"a": attribute(time_to_live=True)},
            r"Thing\.a: time_to_live is a datetime, not int: write `a: Attribute\[datetime \| None\] = attribute",
        ),
        ({**ID, "a": Attribute[date]}, {"a": attribute(created_at=True)}, "created_at is a datetime, not date"),
        ({**ID, "a": Attribute[str | datetime]}, {"a": attribute(updated_at=True)}, "updated_at is a datetime, not"),
        (
            {**ID, "a": Attribute[int]},
            {"a": attribute(datetime_format="epoch")},
            "datetime_format is for datetimes, and int",
        ),
        ({**ID, "a": Attribute[set[str]]}, {"a": attribute(unique=True)}, r"set\[str\] cannot be a unique attribute"),
    ],
)
def test_wrong_structure_fails_at_the_class(annotations, values, message):
    """A class whose keys, names or roles are wrong is refused where it is made, with what to write instead."""
    with pytest.raises(ModelError, match=message):
        make(annotations, **values)


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (set[str], r"Thing\.id: set\[str\] cannot be a partition key: it is one string, number or binary"),
        (frozenset[str], "one string, number or binary: write str, int, Decimal or bytes"),
        (list[str], "one string, number or binary"),
        (tuple[str, ...], "one string, number or binary"),
        (dict[str, str], "one string, number or binary"),
        (Sequence[str], "one string, number or binary"),
        (Mapping[str, str], "one string, number or binary"),
        (Address, "one string, number or binary"),
        (bool, "there are no such keys"),
        (str | None, r"a partition key is never absent: write str instead of str \| None"),
        (str | int, "it has one type in the table"),
        (Any, "it has one type in the table"),
        (object, "it has one type in the table"),
        (None, "a partition key is never absent: write str"),
        (Mixed, "its values must be all text or all integers"),
        (Literal["a", 1], "its values must be all text or all integers"),
        (Literal[True], "its values must be all text or all integers"),
        (NewType("Flag", bool), "there are no such keys"),
        (Annotated[bool, "x"], "there are no such keys"),
    ],
)
def test_types_that_cannot_be_keys_fail_at_the_class(annotation, message):
    """A key is one string, number or binary that is always there; other types are refused where the class is made."""
    with pytest.raises(ModelError, match=message):
        make({"id": PartitionKey[annotation]})
    with pytest.raises(ModelError, match=message.replace("partition", "sort").replace(r"Thing\.id", r"Thing\.s")):
        make({**ID, "s": SortKey[annotation]})


@pytest.mark.parametrize(
    "annotation",
    [
        str,
        int,
        float,
        Decimal,
        bytes,
        datetime,
        date,
        timedelta,
        UUID,
        Number,
        Literal["a", "b"],
        NewType("Id", str),
        Ulid,
        AnyT,
    ],
)
def test_scalar_types_can_be_keys(annotation):
    """Text, numbers, bytes and what is stored as one of them can be a key; unknown classes are the marshaller's."""
    schema = schema_of(make({"id": PartitionKey[annotation], "s": SortKey[annotation]}))
    assert schema.partition_key.type is annotation
    assert schema.key_names == ("id", "s")


def test_documents_have_no_keys():
    """A key in a document is refused: it is stored inside items."""
    for annotation in (PartitionKey[str], SortKey[str]):
        with pytest.raises(ModelError, match=r"Thing\.id: a document has no key, because it is stored inside items"):
            make({"id": annotation}, decorate=document)


def test_decorators_are_used_as_they_are_meant():
    """A forgotten table name, a wrong option, a decorated function and a second decorator are refused."""
    with pytest.raises(ModelError, match=r'@entity takes the table\'s name: write `@entity\("orders"\)`'):
        entity(Address)
    with pytest.raises(ModelError, match="@entity takes the table's name"):
        entity("")
    with pytest.raises(ModelError, match=r"@entity\('x'\): unknown= is \"ignore\" or \"raise\""):
        entity("x", unknown="warn")
    with pytest.raises(ModelError, match=r"@document: unknown= is"):
        document(unknown="warn")
    with pytest.raises(ModelError, match="decorate classes, not function"):
        document(lambda: None)
    with pytest.raises(ModelError, match="Address is decorated twice"):
        entity("x")(Address)
    with pytest.raises(ModelError, match="`default=` or `factory=`, not both"):
        attribute(default=1, factory=int)


def test_classes_that_another_decorator_makes_anew_are_refused():
    """A second decorator that returns another class would leave the entity without instances."""
    with pytest.raises(ModelError, match="Thing has __slots__"):
        make(ID, lambda cls: ENTITY(attrs.define(cls)))
    with pytest.raises(ModelError, match="Thing was made anew by a decorator above"):
        schema_of(make(ID, lambda cls: attrs.define(ENTITY(cls))))


def test_generic_entities_are_given_their_types_by_inheritance():
    """What a generic class lacks is given by a class that inherits from it, not by brackets at the call."""

    @ENTITY
    class Generically(Generic[AnyT]):
        id: PartitionKey[str]
        value: Attribute[AnyT]

    @ENTITY
    class Numeric(Generically[int]): ...

    assert Client().table(Numeric).put(Numeric(id="a", value=1)).to_wire()["Item"]["value"] == {"N": "1"}
    with pytest.raises(ModelError, match=r"Generically\[int\] has no schema of its own: inherit from it"):
        schema_of(Generically[int])


def test_undecorated_bases_with_attributes_are_refused():
    """A base class whose attributes would silently not exist is named in the error."""
    for annotation in (Attribute[str], "Attribute[str]"):
        mixin = type("Mixin", (), {"__annotations__": {"note": annotation}})
        with pytest.raises(ModelError, match="Thing inherits note from Mixin, which is not decorated, so it would not"):
            entity("x")(type("Thing", (mixin,), {"__annotations__": ID, "__module__": __name__}))
    harmless = type("Harmless", (), {"__annotations__": {"note": ClassVar[str], "other": "ClassVar[str]"}})
    assert entity("x")(type("Thing", (harmless,), {"__annotations__": ID, "__module__": __name__}))


def test_what_is_no_entity_has_no_schema():
    """Asking for the schema of something else says how to make it an entity or a document."""
    with pytest.raises(ModelError, match=r'int is no entity: decorate it with @entity\("table-name"\)$'):
        schema_of(int)
    with pytest.raises(
        ModelError, match=r"Address is a document: it is stored inside items\. Decorate it with @entity"
    ):
        schema_of(Address)
    with pytest.raises(ModelError, match="int is no document: decorate it with @document"):
        document_schema_of(int)
    with pytest.raises(ModelError, match=r"client\.table\(cls, name="):
        schema_of(attrs.make_class("Plain", ["x"]))
    with pytest.raises(ModelError, match="'orders' is not a class"):
        schema_of("orders")


def test_an_entity_can_be_nested_too():
    """The document schema of an entity is its own schema."""
    thing = make(ID)
    assert document_schema_of(thing) is schema_of(thing)


def test_several_unique_attributes_are_allowed():
    """Only one attribute may be the version, but several may be unique."""
    schema = schema_of(
        make({**ID, "a": Attribute[str], "b": Attribute[int]}, a=attribute(unique=True), b=attribute(unique=True))
    )
    assert [one.field for one in schema.unique] == ["a", "b"]


def test_shards_are_kept_in_the_schema():
    """`shards=` on a partition key is accepted and kept in the schema."""
    assert schema_of(make(ID, id=attribute(shards=4))).partition_key.shards == 4


def test_option_names_are_words_of_the_verbs():
    """The options of the verbs that take the key by keywords are refused as names of key attributes, and no others."""
    verbs = [inspect.signature(verb).parameters.values() for _, verb in inspect.getmembers(Table, inspect.isfunction)]
    options = {
        parameter.name
        for parameters in verbs
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
        for parameter in parameters
        if parameter.kind in {parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD}
    }
    assert options == KEY_OPTION_NAMES
