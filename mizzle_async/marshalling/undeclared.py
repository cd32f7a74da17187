"""Members of nested documents that their classes do not declare: conditions that there are none, and keeping them.

An update that assigns a whole nested value drops the members that the value does not have. So a replacement is sent
under the condition that every stored document in it has exactly the members of the new one, and where that is false the
undeclared members of the stored value are put into the new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from mizzle_async.expressions import AttributePath, Condition, Conjunction
from mizzle_async.marshalling.codec import EntityCodec
from mizzle_async.marshalling.merging import is_container, merged
from mizzle_async.marshalling.path_values import StoredValue, concrete_shape, stored_form
from mizzle_async.marshalling.shapes.containers import ListShape, MapShape, TupleShape
from mizzle_async.marshalling.shapes.fields import Field
from mizzle_async.marshalling.shapes.generated_classes import ClassShape
from mizzle_async.marshalling.shapes.open_values import OptionalShape
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.marshalling.shapes.unions import TaggedUnionShape, UnionShape
from mizzle_async.model import AttributeSchema
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.types import AttributeValue, Item

CONDITIONS = 60
"""A condition takes up to three operators: so many leave more than a third of the limit to the caller's."""


@frozen(eq=False, repr=False)
class MembersGuard:
    """The condition under which assigning nested values drops no member that their classes do not declare.

    Attributes:
        condition: The condition.
        is_exact: Whether it is true of every item without such members that has the same members as the new one. One
            that would take too many operators is true only of an item whose nested values are the new ones.
    """

    condition: Condition[Any]
    is_exact: bool


def members_guard(codec: EntityCodec[Any], item: Item) -> MembersGuard | None:
    """Return the condition for assigning the attributes of an item, None where none of them holds documents.

    Args:
        codec: Of the entity.
        item: The new item, encoded.
    """
    exact: list[Condition[Any]] = []
    identical: list[Condition[Any]] = []
    count = 0
    for attribute, value in _nested(codec, item):
        path = codec.schema.path(attribute.field)
        conditions = list(_members(path, codec.target_at(path.segments), value))
        if conditions:
            count += len(conditions)
            exact.append(path.not_exists() | Conjunction(tuple(conditions)))
            identical.append(path.not_exists() | (path == StoredValue(value)))
    if not exact:
        return None
    is_exact = count <= CONDITIONS
    parts = exact if is_exact else identical
    return MembersGuard(parts[0] if len(parts) == 1 else Conjunction(tuple(parts)), is_exact)


def keep_undeclared(codec: EntityCodec[Any], item: Item, stored: Item) -> tuple[Item, Condition[Any] | None]:
    """Return an item with the undeclared members of the stored one in its nested values, and the condition for that.

    Args:
        codec: Of the entity.
        item: The new item, encoded.
        stored: The stored item.

    Returns:
        The item, and the condition that the nested values are still the stored ones, None where there are none.
    """
    kept = dict(item)
    conditions: list[Condition[Any]] = []
    for attribute, value in _nested(codec, item):
        path, there = codec.schema.path(attribute.field), stored.get(attribute.name)
        target = codec.target_at(path.segments)
        try:
            known = stored_form(target, there)
        except Misfit:
            known = None
        if there is not None and known is not None and is_container(known):
            kept[attribute.name] = merged(target, known, value, there) or value
        conditions.append(path.not_exists() if there is None else path == StoredValue(there))
    if not conditions:
        return kept, None
    return kept, conditions[0] if len(conditions) == 1 else Conjunction(tuple(conditions))


def _nested(codec: EntityCodec[Any], item: Item) -> Iterator[tuple[AttributeSchema, AttributeValue]]:
    """Yield the attributes that an update assigns and that hold documents, with their values."""
    for attribute in codec.schema.attributes:
        value = item.get(attribute.name)
        assigned = attribute.key is None and not attribute.is_automatic
        if assigned and value is not None and holds_documents(codec.target_at((attribute.name,))):
            yield attribute, value


def holds_documents(target: Field | Shape, above: tuple[Shape, ...] = ()) -> bool:
    """Tell whether stored values may hold members that their classes do not declare."""
    shape = target.shape if isinstance(target, Field) else target
    if shape in above:
        return False
    inside: tuple[Field | Shape, ...]
    match shape:
        case OptionalShape():
            inside = (shape.inner,)
        case UnionShape():
            inside = shape.members
        case TaggedUnionShape():
            inside = tuple(shape.classes.values())
        case ListShape() | MapShape():
            inside = (shape.of,)
        case TupleShape():
            inside = shape.of
        case ClassShape():
            if not shape.refuses_unknown:
                return True
            inside = shape.fields
        case _:
            return False
    return any(holds_documents(each, (*above, shape)) for each in inside)


def _members(path: AttributePath[Any, Any], target: Field | Shape, value: AttributeValue) -> Iterator[Condition[Any]]:
    """Yield the conditions that the documents in a stored value have exactly the members of the new one."""
    shape = concrete_shape(target, value)
    match shape:
        case ClassShape():
            yield from _members_of_class(path, shape, value["M"])
        case MapShape() if holds_documents(shape.of):
            for name, entry in value["M"].items():
                inner = tuple(_members(path[name], shape.of, entry))
                if inner:
                    yield path[name].not_exists() | Conjunction(inner)
        case ListShape() if holds_documents(shape.of):
            for position, element in enumerate(value["L"]):
                yield from _members(path[position], shape.of, element)
        case TupleShape():
            for position, (of, element) in enumerate(zip(shape.of, value["L"], strict=True)):
                yield from _members(path[position], of, element)
        case _:
            return


def _members_of_class(path: AttributePath[Any, Any], shape: ClassShape, members: Item) -> Iterator[Condition[Any]]:
    if not shape.refuses_unknown:
        yield path.size() == len(members)
    for field in shape.fields:
        value = members.get(field.wire)
        if value is not None:
            if field.may_be_absent and not shape.refuses_unknown:
                yield path[field.wire].exists()
            yield from _members(path[field.wire], field, value)
