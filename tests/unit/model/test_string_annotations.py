from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NewType

import attrs
import pytest

import mizzle_async.model as mizzle
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

if TYPE_CHECKING:
    from fractions import Fraction

OrderId = NewType("OrderId", str)


@entity("nodes")
class Node:
    id: PartitionKey[str]
    parent: Attribute[Node | None] = attribute(default=None)
    below: Attribute[list[Leaf]] = attribute(factory=list)
    kind: Attribute[Literal["Leaf", "Node"]] = attribute(default="Node")
    weight: mizzle.Attribute[Annotated[Decimal, "kg"]] = attribute(default=Decimal(0))
    count: ClassVar[int] = 3


@document
class Leaf:
    name: Attribute[str]


def types_of(schema) -> dict[str, object]:
    """Map names in Python to resolved types."""
    return {one.field: one.type for one in schema.attributes}


def test_names_are_resolved_in_the_module_even_later_ones():
    """A class may name itself, a class further down, Literal texts and Annotated types; ClassVars are left alone."""
    types = types_of(schema_of(Node))
    assert types["parent"] == Node | None
    assert types["below"] == list[Leaf]
    assert types["kind"] == Literal["Leaf", "Node"]
    assert types["weight"] == Annotated[Decimal, "kg"]
    assert "count" not in types
    assert Node.below.segments == ("below",)


def test_names_are_resolved_in_the_functions_around_a_local_class():
    """A local class may name local classes, of its own function and of those around it, before and after itself."""

    class Color(Enum):
        RED = "red"

    def inner():
        @entity("things")
        class Thing:
            id: PartitionKey[str]
            color: Attribute[Color]
            size: Attribute[Size]
            other: Attribute[Mapping[str, Thing]]

        class Size(Enum):
            S = "s"

        return Thing, Size, schema_of(Thing)

    thing, size, schema = inner()
    assert types_of(schema) == {"id": str, "color": Color, "size": size, "other": Mapping[str, thing]}
    assert schema_of(thing) is schema


def test_names_are_resolved_after_the_function_has_returned():
    """A local class whose names are known only at the end of its function finds them afterwards."""

    def make():
        @entity("things")
        class Thing:
            id: PartitionKey[str]
            size: Attribute[Size]

        class Size(Enum):
            S = "s"

        return Thing, Size

    thing, size = make()
    assert types_of(schema_of(thing))["size"] is size


def test_names_are_resolved_in_the_class_body():
    """A class nested in the body is found, and an attribute named like its type does not hide the type."""

    @entity("things")
    class Thing:
        class Color(Enum):
            RED = "red"

        id: PartitionKey[OrderId]
        color: Attribute[Color]
        Decimal: Attribute[Decimal]

    types = types_of(schema_of(Thing))
    assert types["color"] is Thing.Color
    assert types["Decimal"] is Decimal


def test_classes_decorated_inside_another_class_are_resolved():
    """A class in the body of a local class finds the names of both."""

    class Outer:
        class Kind(Enum):
            A = "a"

        @document
        class Inner:
            kind: Attribute[Kind]  # noqa: F821  (it is found in the class around)

    assert types_of(document_schema_of(Outer.Inner)) == {"kind": Outer.Kind}


def test_inherited_annotations_are_resolved_where_they_were_written():
    """A subclass elsewhere does not need the names of its base's annotations."""

    def base():
        class Hidden(Enum):
            A = "a"

        @attrs.define(slots=False)
        class Plain:
            amount: Decimal = Decimal(0)

        @entity("base")
        class Base(Plain):
            id: PartitionKey[str]
            hidden: Attribute[Hidden]

        return Base, Hidden

    base_class, hidden = base()

    @entity("derived")
    class Derived(base_class):
        more: Attribute[int]

    assert types_of(schema_of(Derived)) == {"amount": Decimal, "id": str, "hidden": hidden, "more": int}


def test_names_that_never_exist_are_reported_when_the_schema_is_needed():
    """A name that is imported for type checkers only is named in the error, with what to do."""

    @entity("things")
    class Thing:
        id: PartitionKey[str]
        ratio: Attribute[Fraction]

    assert Thing.ratio.segments == ("ratio",)
    with pytest.raises(
        ModelError, match=r"Thing\.ratio: its annotation cannot be resolved: name 'Fraction' is not defin"
    ):
        schema_of(Thing)


def test_structure_is_checked_although_types_are_unknown():
    """Two keys are found at the class even when a type cannot be resolved yet."""
    with pytest.raises(ModelError, match="Thing has two sort keys, a and b"):

        @entity("things")
        class Thing:
            id: PartitionKey[str]
            a: SortKey[Later]  # noqa: F821  (there is none)
            b: SortKey[str]


def test_role_that_cannot_be_resolved_is_reported_at_the_class():
    """An annotation whose outer name does not exist raises where the class is made."""
    for annotation in ("Missing[str]", "Missing"):
        annotations = {"id": "PartitionKey[str]", "x": annotation}
        thing = type("Thing", (), {"__annotations__": annotations, "__module__": __name__})
        with pytest.raises(ModelError, match=r"Thing\.x: its annotation cannot be resolved: name 'Missing'"):
            entity("things")(thing)


def test_types_are_checked_once_they_are_known():
    """A key whose type is resolved late is checked late, with the same message."""

    @entity("things")
    class Thing:
        id: PartitionKey[Key]

    Key = list[str]  # noqa: N806  (it is a type)
    with pytest.raises(ModelError, match=r"Thing\.id: list\[str\] cannot be a partition key"):
        schema_of(Thing)


def test_forward_references_inside_types_are_resolved():
    """Quoted names inside an annotation that is itself no text are resolved too."""
    namespace: dict[str, object] = {"__name__": __name__}
    source = (
        "from mizzle_async.model import *\n"
        "@entity('x')\n"
        "class Tree:\n"
        "    id: PartitionKey[str]\n"
        "    children: Attribute[list['Tree']]\n"
        "    parent: Attribute['Tree | None']\n"
        "    later: Attribute['Later']\n"
    )
    exec(compile(source, __file__, "exec", dont_inherit=True), namespace)  # noqa: S102  (no string annotations)
    tree = namespace["Tree"]
    with pytest.raises(ModelError, match=r"Tree\.later: its annotation cannot be resolved"):
        schema_of(tree)
    assert str(tree.children) == "Tree.children"
