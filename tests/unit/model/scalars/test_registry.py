"""The registry of scalar types, and everything that is read from its rows."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv6Address
from pathlib import Path, PurePosixPath
from typing import Any, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from mizzle_async import ExpressionError, MarshallingError, ModelError
from mizzle_async.expressions import Use
from mizzle_async.marshalling import Marshaller
from mizzle_async.marshalling.places import Place
from mizzle_async.marshalling.resolve import Resolver
from mizzle_async.marshalling.shapes.hooks import NoHooks
from mizzle_async.marshalling.shapes.scalars import scalar_of
from mizzle_async.marshalling.shapes.unions import UnionShape
from mizzle_async.model import (
    Attribute,
    GlobalSecondaryIndex,
    PartitionKey,
    SortKey,
    UsageCheck,
    entity,
    scalar_code,
    schema_of,
    type_at,
)
from mizzle_async.model.scalars import SCALAR_TYPES, registered, scalar_type
from mizzle_async.model.usage import forms_of
from mizzle_async.operations.key import KeyScalar
from mizzle_async.operations.tables.definition import definition_of

SAMPLES: dict[type[Any], tuple[Any, Any]] = {
    str: ("a", "a"),
    bytes: (b"\x00", "AA=="),
    bool: (True, True),
    int: (5, "5"),
    float: (0.5, "0.5"),
    Decimal: (Decimal("1.5"), "1.5"),
    datetime: (datetime(2026, 1, 31, 12, tzinfo=UTC), None),
    date: (date(2026, 1, 31), "2026-01-31"),
    time: (time(9, 5), "09:05:00.000000"),
    timedelta: (timedelta(seconds=90), "90"),
    UUID: (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    IPv4Address: (IPv4Address("10.0.0.1"), "10.0.0.1"),
    IPv6Address: (IPv6Address("2001:db8::1"), "2001:db8::1"),
    ZoneInfo: (ZoneInfo("Europe/Berlin"), "Europe/Berlin"),
    Path: (Path("a/b.txt"), "a/b.txt"),
}
UNORDERED = (IPv4Address, IPv6Address, ZoneInfo, Path)
ROWS = [pytest.param(row, id=f"{row.python.__name__}-{row.datetime_format}") for row in SCALAR_TYPES]
KEY_ROWS = [
    pytest.param(row, id=f"{row.python.__name__}-{row.datetime_format}") for row in SCALAR_TYPES if row.key_code
]


def entity_with(**annotations: Any) -> type[Any]:
    """Return an entity with these attributes."""
    return entity("things")(
        type("Thing", (), {"__annotations__": annotations, "__module__": __name__, "__qualname__": "Thing"})
    )


def key_class(kind: Any) -> type[Any]:
    """Return an entity whose keys and index keys are of a type."""
    return entity_with(pk=PartitionKey[kind], sk=SortKey[kind], other=Attribute[kind], more=Attribute[kind])


def index_of(model: Any) -> GlobalSecondaryIndex[Any, Any, Any]:
    """Return an index whose keys are the attributes that are not the table's key."""
    return GlobalSecondaryIndex("by_other", partition_key=model.other, sort_key=model.more)


@pytest.mark.parametrize("row", ROWS)
def test_every_table_is_read_from_the_row(row):
    """Keys, paths, uses, unions and codecs know a registered type by its row alone."""
    assert scalar_type(row.python, row.datetime_format) is row
    assert row in list(registered(row.python))
    assert scalar_code(row.python, row.datetime_format) == row.key_code
    forms = forms_of(row.python, row.datetime_format)
    assert forms is not None
    assert forms[row.tag] == row.uses
    schema = schema_of(entity_with(id=PartitionKey[str], value=Attribute[row.python]))
    with pytest.raises(ExpressionError, match="has no member 'inside'"):
        type_at(schema, schema.path("value")["inside"])
    for kind in row.exact_types:
        assert scalar_type(kind, row.datetime_format) is row
    assert Resolver(NoHooks()).shape(row.python, Place("Thing.value", row.datetime_format)) is scalar_of(row)


@pytest.mark.parametrize("row", ROWS)
def test_every_type_is_told_from_a_list_by_its_exact_class(row):
    """In a union, the instances of a registered type find their shape without trying the others."""
    model = entity_with(id=PartitionKey[str], value=Attribute[row.python | list[int]])
    shape = Marshaller().codec(schema_of(model)).shape_of("value")
    assert isinstance(shape, UnionShape)
    kind = row.exact_types[0]
    assert scalar_type(shape.by_type[kind].exact_types[0]) is scalar_type(kind)


@pytest.mark.parametrize("row", ROWS)
def test_every_type_has_a_sample_that_survives(row):
    """A value of each type is stored under its descriptor, as text of its own, and read back equal."""
    value, payload = SAMPLES[row.python]
    assert payload is None or row.write(value) == payload
    assert row.read(row.write(value)) == value
    codec = Marshaller().codec(schema_of(entity_with(id=PartitionKey[str], value=Attribute[row.python])))
    instance = codec.schema.cls(id="1", value=value)
    assert codec.decode(codec.encode(instance)) == instance


@pytest.mark.parametrize("row", KEY_ROWS)
def test_every_type_with_a_key_code_is_a_key_of_table_and_index(row):
    """Such a type makes partition and sort keys, of the table and of an index, and is found again by its value."""
    model = key_class(row.python)
    index_of(model)
    codec = Marshaller().codec(schema_of(model))
    value = SAMPLES[row.python][0]
    instance = model(pk=value, sk=value, other=value, more=value)
    item = codec.encode_new(instance)
    assert codec.decode(item) == instance
    assert codec.encode_key({"pk": value, "sk": value}) == codec.key_of_item(item)
    code = scalar_code(row.python)
    assert definition_of(schema_of(model), "things").attribute_types == dict.fromkeys(
        ("pk", "sk", "other", "more"), code
    )


def test_key_scalars_are_the_registered_types_that_can_be_keys():
    """The type that checkers see for a single key value lists the registry's types, and Enums."""
    listed = set(get_args(KeyScalar)) - {Enum}
    registered_keys = {row.python for row in SCALAR_TYPES if row.key_code}
    assert listed <= registered_keys
    assert all(any(issubclass(kind, one) for one in listed) for kind in registered_keys)


@pytest.mark.parametrize("kind", UNORDERED)
def test_ranges_are_refused_where_the_order_of_texts_means_nothing(kind, checked_compiler):
    """Addresses, zones and paths are compared for equality and by prefix, as attributes, keys and index keys."""
    model = key_class(kind)
    schema = schema_of(model)
    codec = Marshaller().codec(schema)
    value = SAMPLES[kind][0]
    for path in (schema.path("other"), schema.path("sk"), index_of(model).sort_key):
        compiler = checked_compiler(codec.encode_operand, "Thing", check=UsageCheck(schema))
        with pytest.raises(ExpressionError, match=f"is of type {kind.__name__}, which does not take <"):
            compiler.condition(path < value)
        with pytest.raises(ExpressionError, match="does not take"):
            compiler.condition(path.between(value, value))
        compiler.condition(path == value)
        compiler.condition(path.begins_with("1"))


def test_ranges_of_times_of_day_are_their_order():
    """A time has a fixed width, so ranges of texts are ranges of times."""
    row = scalar_type(time)
    assert row is not None
    assert Use.ORDER in row.uses
    times = [time(23, 59, 59, 999999), time(9, 5), time(9, 5, 0, 1), time()]
    assert sorted(times) == [row.read(text) for text in sorted(map(row.write, times))]


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        (time, time(9, tzinfo=UTC), "a time without a time zone"),
        (time, datetime(2026, 1, 1, 9, tzinfo=UTC), "expected time"),
        (IPv4Address, IPv6Address("::1"), "expected IPv4Address, found IPv6Address"),
        (IPv4Address, IPv4Interface("10.0.0.1/8"), "expected IPv4Address, found IPv4Interface"),
        (IPv4Address, "10.0.0.1", "expected IPv4Address, found str"),
        (ZoneInfo, UTC, "expected ZoneInfo, found timezone"),
        (ZoneInfo, "Europe/Berlin", "expected ZoneInfo, found str"),
        (Path, "a", "expected Path, found str"),
        (Path, Path("\udcff"), "a path that is text"),
    ],
)
def test_what_is_no_value_of_the_type_is_refused(kind, value, reason):
    """A value that would be read back as another one is an error that says what was expected."""
    model = entity_with(id=PartitionKey[str], value=Attribute[kind])
    codec = Marshaller().codec(schema_of(model))
    with pytest.raises(MarshallingError, match=reason):
        codec.encode(model(id="1", value=value))


@pytest.mark.parametrize(
    ("kind", "stored", "reason"),
    [
        (time, {"S": "nine"}, "a time in ISO 8601"),
        (time, {"S": "09:05+01:00"}, "a time without a time zone"),
        (time, {"S": "09:05:00.0000001"}, "a finer one"),
        (time, {"N": "9"}, "expected S, found N"),
        (IPv4Address, {"S": "10.0.0"}, "an IPv4Address"),
        (IPv6Address, {"S": "10.0.0.1"}, "an IPv6Address"),
        (ZoneInfo, {"S": "Europe/Atlantis"}, "a time zone that is known here"),
        (ZoneInfo, {"S": "../Europe/Berlin"}, "a time zone that is known here"),
    ],
)
def test_what_another_program_stored_is_refused_where_it_does_not_fit(kind, stored, reason):
    """Text that is none of the type is an error with its path."""
    codec = Marshaller().codec(schema_of(entity_with(id=PartitionKey[str], value=Attribute[kind])))
    with pytest.raises(MarshallingError, match=reason):
        codec.decode({"id": {"S": "1"}, "value": stored})


def test_other_forms_of_a_time_are_read_as_attributes():
    """`09:05` of another program is the time it says; as a key it would be another item, and is refused."""
    codec = Marshaller().codec(schema_of(entity_with(id=PartitionKey[str], value=Attribute[time])))
    assert codec.decode({"id": {"S": "1"}, "value": {"S": "09:05"}}).value == time(9, 5)
    keyed = Marshaller().codec(schema_of(entity_with(id=PartitionKey[time])))
    with pytest.raises(MarshallingError, match="as time is written"):
        keyed.decode({"id": {"S": "09:05"}})


def test_subclasses_of_a_type_that_is_not_plain_have_no_place():
    """An interface is no address, and a pure path no path of this system: both are refused when the codec is made."""
    for kind in (IPv4Interface, PurePosixPath):
        model = entity_with(id=PartitionKey[str], value=Attribute[kind])
        with pytest.raises(ModelError, match="has no place in DynamoDB"):
            Marshaller().codec(schema_of(model))
