import copy
import dataclasses
import functools
import inspect
import linecache
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Self, TypeVar

import attrs
import pytest

from mizzle_async import LimitError, MarshallingError, ModelError
from mizzle_async.marshalling import Marshaller
from mizzle_async.marshalling.shapes.construct import Construction, construction_of
from mizzle_async.model import Attribute, PartitionKey, SortKey, attribute, document, entity, map_class, schema_of

ElementT = TypeVar("ElementT")
KEY = {"id": {"S": "1"}}


@entity("things")
class Thing:
    id: PartitionKey[str]
    name: Attribute[str] = attribute(name="n", default="unnamed")
    count: Attribute[int | None] = attribute(default=5)
    tags: Attribute[set[str]] = attribute(factory=lambda: {"new"})
    parts: Attribute[list[str]] = attribute(factory=list)
    extra: Attribute[dict[str, int]] = attribute(factory=dict)


def test_attributes_are_stored_under_their_names_in_their_order(codec_of):
    """The item has the stored names, in the order in which the class declares its attributes."""
    item = codec_of(Thing).encode(Thing(id="1", name="x", count=1, tags={"a"}, parts=["p"], extra={"a": 1}))
    assert list(item) == ["id", "n", "count", "tags", "parts", "extra"]


def test_what_is_absent_takes_its_default(codec_of):
    """An absent attribute is its default, made anew each time; an absent optional is None, an absent set is empty."""
    codec = codec_of(Thing)
    first, second = codec.decode(KEY), codec.decode(KEY)
    assert first == Thing(id="1", name="unnamed", count=None, tags=set(), parts=[], extra={})
    assert first.parts is not second.parts
    assert first.extra is not second.extra
    assert first.tags is not second.tags


def test_none_and_empty_sets_survive_a_default(codec_of):
    """An instance whose optional is None and whose set is empty comes back so, whatever their defaults are."""
    codec = codec_of(Thing)
    thing = Thing(id="1", count=None, tags=set())
    assert codec.encode(thing).keys() == {"id", "n", "parts", "extra"}
    assert codec.decode(codec.encode(thing)) == thing


def test_encoding_changes_nothing(codec_of):
    """The instance is as it was, and shares nothing that could be changed with its item."""
    codec = codec_of(Thing)
    thing = Thing(id="1", parts=["a"], extra={"a": 1})
    before = copy.deepcopy(thing)
    item = codec.encode(thing)
    item["parts"]["L"].append({"S": "b"})
    item["extra"]["M"]["b"] = {"N": "2"}
    assert thing == before


def test_decoding_changes_nothing(codec_of):
    """The item is as it was, and shares nothing that could be changed with its instance."""
    codec = codec_of(Thing)
    item = KEY | {"tags": {"SS": ["a"]}, "parts": {"L": [{"S": "a"}]}, "extra": {"M": {"a": {"N": "1"}}}}
    before = copy.deepcopy(item)
    thing = codec.decode(item)
    thing.parts.append("b")
    thing.tags.add("b")
    thing.extra["b"] = 2
    assert item == before


def test_undeclared_attributes_are_ignored(codec_of):
    """An attribute that the class does not declare is left out."""
    assert codec_of(Thing).decode(KEY | {"other": {"S": "x"}}) == codec_of(Thing).decode(KEY)


def test_undeclared_attributes_are_refused_where_asked(codec_of):
    """With ``unknown="raise"`` an undeclared attribute raises, named; the library's own write id does not."""

    @entity("things", unknown="raise")
    class Strict:
        id: PartitionKey[str]
        size: Attribute[int] = attribute(default=0)

    codec = codec_of(Strict)
    assert codec.decode(KEY | {"_write_id": {"S": "w"}}) == Strict(id="1")
    with pytest.raises(MarshallingError, match=r"^Strict\.other: expected declared attributes only, found one more"):
        codec.decode(KEY | {"other": {"S": "x"}})


def test_strict_documents_refuse_undeclared_members(stored):
    """A document may refuse undeclared members too, also in a union, where the class's name is not one of them."""

    @document(unknown="raise")
    class Card:
        number: Attribute[str]

    @document
    class Bank:
        iban: Attribute[str]

    attribute_of_union = stored(Card | Bank)
    found = attribute_of_union.write(Card(number="1"))
    assert found == {"M": {"_type": {"S": "Card"}, "number": {"S": "1"}}}
    assert attribute_of_union.read(found) == Card(number="1")
    with pytest.raises(MarshallingError, match=r"^Thing\.value\.other: "):
        stored(Card).read({"M": {"number": {"S": "1"}, "other": {"S": "x"}}})


def test_validators_converters_and_post_init_run_when_reading(codec_of):
    """An entity with a validator, a converter or a post-init is made by calling it, defaults included."""
    seen = []

    @entity("things")
    class Checked:
        id: PartitionKey[str]
        size: Attribute[int] = attribute(default=1, validator=lambda _instance, _field, value: seen.append(value))
        name: Attribute[str] = attribute(default=" a ", converter=str.strip)

    codec = codec_of(Checked)
    assert codec.decode(KEY | {"size": {"N": "2"}, "name": {"S": " b "}}).name == "b"
    assert codec.decode(KEY).name == "a"
    assert seen == [2, 1]


def test_a_refusing_validator_is_the_cause(codec_of):
    """What a validator raises is the cause of a MarshallingError that names the entity, and not part of its text."""

    def refuse(_instance, _field, _value):
        raise ValueError("the canary")

    @entity("things")
    class Checked:
        id: PartitionKey[str]
        size: Attribute[int] = attribute(default=1, validator=refuse)

    with pytest.raises(MarshallingError, match=r"^Checked: expected attributes that Checked accepts") as caught:
        codec_of(Checked).decode(KEY)
    assert isinstance(caught.value.__cause__, ValueError)
    assert "canary" not in str(caught.value)


@attrs.define
class PostInit:
    x: int
    doubled: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.doubled = self.x * 2


@attrs.define
class Private:
    _secret: str
    renamed: int = attrs.field(alias="given", default=3)


@attrs.define
class FromSelf:
    first: int
    second: int = attrs.Factory(lambda self: self.first + 1, takes_self=True)


@attrs.define
class FromSelfChecked:
    first: int = attrs.field(validator=attrs.validators.ge(0))
    second: int = attrs.Factory(lambda self: self.first + 1, takes_self=True)


@attrs.frozen
class FrozenSlots:
    x: int
    y: str | None = None


@attrs.frozen(slots=False)
class FrozenDict:
    x: int
    y: str | None = None


@attrs.define(slots=False)
class OpenDict:
    x: int
    y: str | None = None


@attrs.frozen(cache_hash=True)
class CachedHash:
    x: int


@attrs.define
class CustomInit:
    x: int

    def __init__(self, x: int) -> None:
        self.__attrs_init__(x=abs(x))


class Made:
    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self:
        return object.__new__(cls)


@attrs.define
class CustomNew(Made):
    x: int


@attrs.define(auto_exc=True)
class Failure(Exception):  # noqa: N818  (a value like any other)
    x: int


@attrs.define
class Base:
    x: int


@attrs.define
class Derived(Base):
    y: int = 2


@dataclasses.dataclass(frozen=True)
class Data:
    x: int
    y: list[int] = dataclasses.field(default_factory=list)
    z: int = dataclasses.field(init=False, default=9)


@dataclasses.dataclass
class DataPost:
    x: int

    def __post_init__(self) -> None:
        self.x = abs(self.x)


@attrs.define
class Pair(Generic[ElementT]):
    first: ElementT
    rest: list[ElementT] = attrs.Factory(list)


@attrs.define
class IntPair(Pair[int]):
    name: str = ""


@document
class Page(Generic[ElementT]):
    items: Attribute[list[ElementT]]


@pytest.mark.parametrize(
    ("value", "members"),
    [
        (PostInit(2), {"x": {"N": "2"}}),
        (Private("s"), {"_secret": {"S": "s"}, "renamed": {"N": "3"}}),
        (FromSelf(1), {"first": {"N": "1"}, "second": {"N": "2"}}),
        (FrozenSlots(1), {"x": {"N": "1"}}),
        (FrozenDict(1, "a"), {"x": {"N": "1"}, "y": {"S": "a"}}),
        (OpenDict(1), {"x": {"N": "1"}}),
        (CachedHash(1), {"x": {"N": "1"}}),
        (CustomInit(1), {"x": {"N": "1"}}),
        (CustomNew(1), {"x": {"N": "1"}}),
        (Derived(1), {"x": {"N": "1"}, "y": {"N": "2"}}),
        (Data(1, [2]), {"x": {"N": "1"}, "y": {"L": [{"N": "2"}]}}),
        (DataPost(1), {"x": {"N": "1"}}),
        (IntPair(1, [2], "n"), {"first": {"N": "1"}, "rest": {"L": [{"N": "2"}]}, "name": {"S": "n"}}),
    ],
)
def test_classes_of_any_make_are_stored_and_read(stored, value, members):
    """Plain attrs classes and dataclasses, however their instances are made, come back equal."""
    attribute_of_class = stored(type(value))
    assert attribute_of_class.write(value) == {"M": members}
    back = attribute_of_class.read({"M": members})
    assert back == value
    assert repr(back) == repr(value)


@pytest.mark.parametrize(
    ("kind", "members", "value"),
    [
        (PostInit, {"x": {"N": "3"}}, PostInit(3)),
        (Private, {"_secret": {"S": "s"}}, Private("s", given=3)),
        (FromSelf, {"first": {"N": "4"}}, FromSelf(4, 5)),
        (FromSelfChecked, {"first": {"N": "4"}}, FromSelfChecked(4, 5)),
        (FromSelfChecked, {"first": {"N": "4"}, "second": {"N": "1"}}, FromSelfChecked(4, 1)),
        (CustomInit, {"x": {"N": "-3"}}, CustomInit(3)),
        (DataPost, {"x": {"N": "-3"}}, DataPost(3)),
        (Data, {"x": {"N": "3"}}, Data(3)),
        (Derived, {"x": {"N": "3"}}, Derived(3, 2)),
    ],
)
def test_absent_members_of_classes_take_their_defaults(stored, kind, members, value):
    """Defaults, also those made of the instance, and what the class does to its values, are honoured when reading."""
    assert stored(kind).read({"M": members}) == value
    # The careful way, which a form that is not the service's own asks for, does the same.
    careful = {name: {"N": f"{found['N']}.0"} if "N" in found else found for name, found in members.items()}
    assert stored(kind).read({"M": careful}) == value


@pytest.mark.parametrize(
    ("cls", "construction"),
    [
        (Thing, Construction.ASSIGN),
        (OpenDict, Construction.ASSIGN),
        (FromSelf, Construction.ASSIGN),
        (Derived, Construction.ASSIGN),
        (FrozenDict, Construction.FILL),
        (FrozenSlots, Construction.CALL),
        (PostInit, Construction.CALL),
        (FromSelfChecked, Construction.CALL),
        (CachedHash, Construction.CALL),
        (CustomInit, Construction.CALL),
        (CustomNew, Construction.CALL),
        (Failure, Construction.CALL),
        (Data, Construction.CALL),
    ],
)
def test_instances_are_made_directly_where_nothing_would_notice(cls, construction):
    """A class is only passed by where its ``__init__`` does nothing but assign."""
    assert construction_of(cls) is construction


def test_a_cached_hash_is_there(stored):
    """A class that caches its hash can be hashed after it was read."""
    assert hash(stored(CachedHash).read({"M": {"x": {"N": "1"}}})) == hash(CachedHash(1))


def test_generic_classes_are_told_what_their_variables_stand_for(stored):
    """``Pair[int]`` and ``Pair[str]`` are different types of attribute, also as documents."""
    assert stored(Pair[int]).write(Pair(1, [2])) == {"M": {"first": {"N": "1"}, "rest": {"L": [{"N": "2"}]}}}
    with pytest.raises(MarshallingError, match=r"^Thing\.value\.first: expected str, found int"):
        stored(Pair[str]).write(Pair(1))
    with pytest.raises(MarshallingError, match=r"^Thing\.value\.items\[0\]: expected N, found S"):
        stored(Page[int]).read({"M": {"items": {"L": [{"S": "x"}]}}})


def test_a_subclass_is_not_stored_as_its_base(stored):
    """An instance of a subclass would be read back as its base, so it is refused, saying what to do."""
    with pytest.raises(
        MarshallingError, match="expected Base, found Derived; it would be read back as Base: declare a"
    ):
        stored(Base).write(Derived(1))


def test_an_entity_of_another_class_is_refused(codec_of):
    """A codec encodes instances of its own class only."""
    with pytest.raises(MarshallingError, match=r"^Thing: expected Thing, found Base"):
        codec_of(Thing).encode(Base(1))


def test_an_attribute_that_was_never_set_is_named(codec_of):
    """An instance that was made without its ``__init__`` lacks attributes, and the error says which."""
    with pytest.raises(MarshallingError, match=r"^Thing\.id: expected str, found an attribute that was never set"):
        codec_of(Thing).encode(object.__new__(Thing))


def test_frozen_entities_are_filled(codec_of):
    """A frozen entity is read without its ``__init__``, and stays frozen."""

    @entity("things", frozen=True)
    class Fixed:
        id: PartitionKey[str]
        size: Attribute[int] = attribute(default=1)

    back = codec_of(Fixed).decode(KEY | {"size": {"N": "2"}})
    assert back == Fixed(id="1", size=2)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        back.size = 3


def test_inheritance_and_mixins(codec_of):
    """Inherited attributes are stored first, and a subclass has its own codec."""

    @document
    class Timed:
        made: Attribute[datetime]

    @entity("things")
    class Thing(Timed):
        id: PartitionKey[str]
        size: Attribute[int]

    codec = codec_of(Thing)
    made = Thing(id="1", size=1, made=datetime(2026, 1, 1, tzinfo=UTC))
    assert codec.decode(codec.encode(made)) == made


def test_classes_mapped_from_outside(codec_of):
    """An attrs class of somebody else's becomes an entity, private names included."""
    codec = codec_of(map_class(Private, name="things", partition_key="_secret"))
    item = codec.encode(Private("s"))
    assert item == {"_secret": {"S": "s"}, "renamed": {"N": "3"}}
    assert codec.decode(item) == Private("s")
    assert codec.encode_key({"_secret": "s"}) == {"_secret": {"S": "s"}}


def test_deep_classes_count_their_levels(stored):
    """A class that contains itself may nest as deep as the service allows, and no deeper."""

    @attrs.define(eq=False)
    class Node:
        child: "Node | None" = None
        note: list[int] | None = None

    def chain(length: int, note: list[int] | None = None) -> Node:
        node = Node(note=note)
        for _ in range(length - 1):
            node = Node(node)
        return node

    nodes = stored(Annotated[Node | None, "any"], default=None)
    assert nodes.read(nodes.write(chain(31))).child is not None
    assert nodes.read(nodes.write(chain(30, [1]))).child is not None
    with pytest.raises(LimitError, match="at most 32 levels of nesting, the item included, found more"):
        nodes.write(chain(32))
    with pytest.raises(LimitError, match=r"note: expected at most 32 levels"):
        nodes.write(chain(31, [1]))


def test_annotations_that_cannot_be_resolved_are_named(stored):
    """A nested class whose annotation names nothing is refused when the codec is made."""

    @attrs.define
    class Lost:
        x: "NoSuchType"  # noqa: F821  (there is none)

    with pytest.raises(ModelError, match=r"Lost\.x: its annotation cannot be resolved"):
        stored(Lost)


@attrs.define
class Inner:
    outer: "Outer | None" = None


@attrs.define
class Outer:
    inner: Inner
    broken: complex


@pytest.mark.parametrize("kind", [Outer, Inner])
def test_a_class_that_cannot_be_mapped_is_refused_every_time(codec_of, kind):
    """A class that was refused once, and one that contains it, are refused again: nothing of them is stored half."""

    @entity("things")
    class Holder:
        id: PartitionKey[str]
        value: Attribute[kind]

    marshaller = Marshaller()
    for _ in range(2):
        with pytest.raises(ModelError, match=r"Outer\.broken: complex has no place"):
            marshaller.codec(schema_of(Holder))


@dataclasses.dataclass
class Seeded:
    value: int
    seed: dataclasses.InitVar[int]


@attrs.define(init=False)
class Parsed:
    value: int

    def __init__(self, text: str) -> None:
        self.value = int(text)


@dataclasses.dataclass
class SeededByDefault:
    value: int
    seed: dataclasses.InitVar[int] = 0


@pytest.mark.parametrize(("kind", "argument"), [(Seeded, "seed"), (Parsed, "text")])
def test_a_class_that_cannot_be_made_of_its_attributes_is_refused(stored, kind, argument):
    """A class whose ``__init__`` takes something else than its attributes is refused before anything is written."""
    with pytest.raises(ModelError, match=f"{kind.__name__} could be written, but never read.*'{argument}'"):
        stored(kind)


@document
class Tracked:
    number: Attribute[str] = attribute(unique=True)


@pytest.mark.parametrize("kind", [Tracked, list[Tracked | None]])
def test_a_document_with_a_role_is_refused_inside_an_item(stored, kind):
    """What only an item can have, such as a unique attribute, is refused where nobody would see to it."""
    with pytest.raises(ModelError, match=r"Tracked\.number: unique=True is for attributes of items"):
        stored(kind)


def test_a_class_that_can_be_made_of_its_attributes_alone_is_stored(stored):
    """An argument of ``__init__`` that is no attribute does no harm where it has a default."""
    seeded = stored(SeededByDefault)
    assert seeded.read(seeded.write(SeededByDefault(1, seed=5))) == SeededByDefault(1)


def test_a_class_without_annotations_is_stored_by_value(stored):
    """A field of an attrs class that has no type is stored by what it holds."""
    untyped = attrs.make_class("Untyped", {"x": attrs.field()})
    assert stored(untyped).read(stored(untyped).write(untyped("a"))) == untyped("a")


def test_the_generated_source_can_be_read(codec_of):
    """``inspect`` shows the functions of a codec, which name its attributes."""
    codec = codec_of(Thing)
    assert "'n': " in inspect.getsource(codec.encode)
    assert "self.name = " in inspect.getsource(codec.decode)
    assert linecache.getline(codec.decode.__code__.co_filename, 1)


def test_a_codec_is_made_once():
    """A marshaller keeps its codecs, and both show in one line what they are."""
    marshaller = Marshaller()
    codec = marshaller.codec(schema_of(Thing))
    assert marshaller.codec(schema_of(Thing)) is codec
    assert repr(codec) == "<EntityCodec of Thing>"
    assert repr(marshaller) == "<Marshaller with 1 codecs>"


def test_attributes_with_strange_names_are_safe(codec_of):
    """Stored names enter the generated functions as data, whatever is in them."""

    @entity("things")
    class Odd:
        id: PartitionKey[str] = attribute(name="'] = 1; import os #")
        other: SortKey[str] = attribute(name='"""\n\\')
        third: Attribute[set[str]] = attribute(name="{0}{p}%s", factory=set)

    codec = codec_of(Odd)
    odd = Odd(id="1", other="2", third={"a"})
    assert codec.encode(odd).keys() == {"'] = 1; import os #", '"""\n\\', "{0}{p}%s"}
    assert codec.decode(codec.encode(odd)) == odd
    assert codec.key_of_item(codec.encode(odd)) == codec.key_of(odd)


def test_cached_properties_still_work(codec_of):
    """A class with cached properties is made directly, and computes them on the instance that was read."""

    @entity("things")
    class Lazy:
        id: PartitionKey[str]

        @functools.cached_property
        def shout(self) -> str:
            return self.id.upper() + "!"

    assert codec_of(Lazy).decode({"id": {"S": "a"}}).shout == "A!"
