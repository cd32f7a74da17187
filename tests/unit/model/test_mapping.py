from __future__ import annotations

import copy
import pickle
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from mizzle_async.errors import ExpressionError, ModelError
from mizzle_async.expressions import AttributePath, PartitionKeyPath, SortKeyPath
from mizzle_async.model import Attribute, PartitionKey, dict_schema, entity, map_class, schema_of


@attrs.define
class Base:
    created: datetime


@attrs.define
class Plain(Base):
    pk: str
    sk: int
    amount: Decimal | None = None


@entity("orders")
class Order:
    id: PartitionKey[str]
    total: Attribute[Decimal]


def test_attrs_class_is_mapped_without_being_changed():
    """A class that somebody else wrote gets a schema with resolved types, and stays as it was."""
    before = dict(vars(Plain))
    schema = map_class(Plain, name="plain", partition_key="pk", sort_key="sk", unknown="raise")
    assert dict(vars(Plain)) == before
    assert (schema.cls, schema.entity, schema.table, schema.unknown) == (Plain, "Plain", "plain", "raise")
    assert schema.key_names == ("pk", "sk")
    assert {one.field: one.type for one in schema.attributes} == {
        "created": datetime,
        "pk": str,
        "sk": int,
        "amount": Decimal | None,
    }
    assert schema.required_fields == ("created",)


def test_attributes_without_annotations_take_any_value():
    """An attrs field without a type is stored by value."""
    loose = attrs.make_class("Loose", ["pk", "data"])
    with pytest.raises(ModelError, match=r"Loose\.pk: Any cannot be a partition key"):
        map_class(loose, name="loose", partition_key="pk")
    typed = attrs.make_class("Typed", {"pk": attrs.field(type=str), "data": attrs.field()})
    assert map_class(typed, name="typed", partition_key="pk").by_field["data"].type is Any


def test_paths_of_a_mapped_class_come_from_its_schema():
    """A schema gives paths by name in Python, key paths for keys, and refuses names that do not exist."""
    schema = map_class(Plain, name="plain", partition_key="pk", sort_key="sk")
    assert type(schema.path("pk")) is type(schema.partition_key_path) is PartitionKeyPath
    assert type(schema.path("sk")) is type(schema.sort_key_path) is SortKeyPath
    assert type(schema.path("amount")) is AttributePath
    assert schema.path("amount").owner is Plain
    with pytest.raises(ExpressionError, match="Plain has no attribute 'color'; it has created, pk, sk, amount"):
        schema.path("color")
    with pytest.raises(ExpressionError, match="Order has no sort key: its key is id alone"):
        _ = schema_of(Order).sort_key_path


@pytest.mark.parametrize(
    ("cls", "options", "message"),
    [
        (int, {"partition_key": "pk"}, "int has no attributes that can be listed"),
        (Order, {"partition_key": "id"}, "Order says itself how it is stored"),
        (
            Plain,
            {"partition_key": "nope"},
            r"Plain has no attribute 'nope' to be a key; it has created, pk, sk, amount",
        ),
        (Plain, {"partition_key": "pk", "sort_key": "nope"}, "no attribute 'nope'"),
        (Plain, {"partition_key": "pk", "sort_key": "pk"}, "pk cannot be partition key and sort key at once"),
        (Plain, {"partition_key": "amount"}, r"Plain\.amount: a partition key is never absent: write Decimal"),
    ],
)
def test_classes_that_cannot_be_mapped_are_refused(cls, options, message):
    """Anything but a class with the named key attributes is refused, with what to do."""
    with pytest.raises(ModelError, match=message):
        map_class(cls, name="x", **options)


def test_names_that_cannot_be_resolved_are_reported():
    """A mapped class whose annotations cannot be resolved is refused, naming the attribute."""

    @attrs.define
    class Local:
        pk: str
        when: Missing  # noqa: F821  (there is none)

    with pytest.raises(ModelError, match=r"Local\.when: its annotation cannot be resolved"):
        map_class(Local, name="x", partition_key="pk")


def test_dicts_need_a_key_only():
    """A table of dicts has a schema of its key; any other name has a path."""
    schema = dict_schema("legacy", partition_key="pk", sort_key="sk", partition_key_type=str, sort_key_type=int)
    assert schema.is_open
    assert schema.cls is dict
    assert [(one.name, one.type, one.key) for one in schema.attributes] == [
        ("pk", str, "partition"),
        ("sk", int, "sort"),
    ]
    assert schema.path("any thing").segments == ("any thing",)
    assert str(schema.path("payload")["x"]) == "legacy.payload.x"
    assert schema.path("pk").owner is schema
    assert dict_schema("legacy", partition_key="pk").partition_key.type is Any


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"partition_key": ""}, "table 'legacy': an attribute name cannot be empty"),
        ({"partition_key": "pk", "sort_key": "pk"}, "pk cannot be partition key and sort key at once"),
        ({"partition_key": "pk", "partition_key_type": bool}, "bool cannot be a partition key"),
        ({"partition_key": "pk", "sort_key": "sk", "sort_key_type": set}, "set cannot be a sort key"),
    ],
)
def test_impossible_keys_of_dicts_are_refused(options, message):
    """A key name or type that DynamoDB could not have is refused where the schema is made."""
    with pytest.raises(ModelError, match=message):
        dict_schema("legacy", **options)


def test_schemas_know_whose_paths_are_theirs():
    """Paths of the class and of its bases belong to a schema; those of another table of dicts do not."""
    one = dict_schema("one", partition_key="pk")
    same = dict_schema("one", partition_key="pk")
    other = dict_schema("two", partition_key="pk")
    plain = map_class(Plain, name="plain", partition_key="pk")
    assert one.owns(one)
    assert one.owns(same)
    assert not one.owns(other)
    assert not one.owns(dict)
    assert not one.owns(Plain)
    assert plain.owns(Plain)
    assert plain.owns(Base)
    assert not plain.owns(one)
    assert not plain.owns(Order)
    assert not plain.owns(None)


def test_schemas_without_a_decorated_class_are_pickled_by_value():
    """A copy of such a schema says the same and owns the same paths."""
    for schema in (
        dict_schema("legacy", partition_key="pk", sort_key="sk"),
        map_class(Plain, name="plain", partition_key="pk"),
    ):
        for again in (pickle.loads(pickle.dumps(schema)), copy.deepcopy(schema)):
            assert again is not schema
            assert again.attributes == schema.attributes
            assert again.table == schema.table
            assert again.owns(schema.owner)
