"""`null_as_default`: a NULL that another program stored is read as the default."""

import orjson
import pytest

from mizzle_async import Attribute, Client, MarshallingError, ModelError, PartitionKey, attribute, document, entity
from mizzle_async.marshalling import Marshaller
from mizzle_async.model import schema_of


@document
class Part:
    size: Attribute[int] = attribute(default=1, null_as_default=True)


@entity("things")
class Thing:
    id: PartitionKey[str]
    count: Attribute[int] = attribute(default=7, null_as_default=True)
    tags: Attribute[set[str]] = attribute(factory=set, null_as_default=True)
    bare: Attribute[set[str]] = attribute(null_as_default=True)
    names: Attribute[list[str]] = attribute(factory=list, null_as_default=True)
    part: Attribute[Part] = attribute(factory=Part, null_as_default=True)
    strict: Attribute[int] = attribute(default=0)


@entity("checked")
class Checked:
    id: PartitionKey[str]
    count: Attribute[int] = attribute(default=7, null_as_default=True, validator=lambda *_: None)
    names: Attribute[list[str]] = attribute(factory=list, null_as_default=True)


NULL = {"NULL": True}
NULLS = {"id": {"S": "1"}, "count": NULL, "tags": NULL, "bare": NULL, "names": NULL, "part": NULL}
DEFAULTS = Thing(id="1", bare=set())


@pytest.mark.parametrize("model", [Thing, Checked])
def test_a_stored_null_is_read_as_the_default(model):
    """Where Go writes nil slices or Java nulls, each attribute is as if it were absent, and takes the fast way."""
    codec = Marshaller().codec(schema_of(model))
    item = {name: value for name, value in NULLS.items() if name in schema_of(model).by_name}
    expected = DEFAULTS if model is Thing else Checked(id="1")
    assert codec.decode(item) == codec.decode({"id": {"S": "1"}}) == expected
    assert codec._shape.decode_fields(item) == expected
    records = codec.records
    answer = records.parse(orjson.dumps({"Items": [item], "Count": 1}))
    assert type(answer["Items"][0]) is records.cls
    assert codec.decode_all(answer["Items"]) == [expected]
    assert not codec.lamp


def test_a_null_inside_is_read_as_the_default_too():
    """Documents read their own nulls, and so do projections of one attribute."""
    codec = Marshaller().codec(schema_of(Thing))
    assert codec.decode({"id": {"S": "1"}, "part": {"M": {"size": NULL}}}).part == Part()
    assert codec.decode_at(("count",), NULL) == 7
    assert codec.decode_at(("names",), NULL) == []


def test_values_are_read_and_written_as_ever():
    """The option changes nothing else: values are values, and no NULL is written."""
    codec = Marshaller().codec(schema_of(Thing))
    thing = Thing(id="1", count=0, tags={"a"}, bare={"b"}, names=["x"], part=Part(size=2), strict=3)
    assert codec.decode(codec.encode(thing)) == thing
    with pytest.raises(MarshallingError, match=r"Thing\.strict: expected N, found NULL"):
        codec.decode({"id": {"S": "1"}, "strict": NULL})
    with pytest.raises(MarshallingError, match=r"Thing\.count: expected int, found None"):
        Client().table(Thing).update("1").set(Thing.count, None)


@pytest.mark.parametrize("annotation", [int, int | None])
def test_the_option_needs_a_default_and_a_type_without_none(annotation):
    """Without a default there is nothing to read a NULL as, and where None is a value, NULL is None."""
    options = {} if annotation is int else {"default": None}
    names = {"__annotations__": {"id": PartitionKey[str], "a": Attribute[annotation]}, "__module__": __name__}
    with pytest.raises(ModelError, match=r"Odd\.a: null_as_default= reads a stored NULL as the default: give it one"):
        entity("odd")(type("Odd", (), names | {"a": attribute(null_as_default=True, **options)}))
