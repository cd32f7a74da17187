"""Which types may stand in a union together: those that their stored form tells apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin

from mizzle_async.errors import ModelError
from mizzle_async.marshalling.shapes.choices import open_choice
from mizzle_async.marshalling.shapes.containers import ListShape, MapShape
from mizzle_async.marshalling.shapes.generated_classes import ClassShape
from mizzle_async.marshalling.shapes.members import class_members
from mizzle_async.marshalling.shapes.scalars import BYTES, DECIMAL, FLOAT, INT, STR, Scalar
from mizzle_async.marshalling.shapes.sets import SetShape
from mizzle_async.marshalling.shapes.shape import ALL_TAGS, Shape
from mizzle_async.marshalling.shapes.unions import TAG_ATTRIBUTE, NumberShape, TaggedUnionShape, UnionShape
from mizzle_async.model.annotations import plain_type


def unite(members: Sequence[Shape], python: str, where: str) -> Shape:
    """Return how a value of one of several types is stored.

    Args:
        members: The types' shapes, None aside.
        python: The union as messages name it.
        where: Class and attribute, for messages.

    Raises:
        ModelError: Two of them are stored alike.
    """
    distinct = list(dict.fromkeys(members))
    if len(distinct) == 1:
        return distinct[0]
    classes = [member for member in distinct if isinstance(member, ClassShape)]
    others = [member for member in distinct if not isinstance(member, ClassShape)]
    if len(classes) > 1:
        others.append(_tagged(classes, where))
    else:
        others += classes
    others = _opened(others)
    for other in (FLOAT, DECIMAL):
        if INT in others and other in others:
            others = [
                NumberShape(f"int | {other.python}", INT, other),
                *(shape for shape in others if shape not in {INT, other}),
            ]
    for position, shape in enumerate(others):
        for second in others[position + 1 :]:
            _check_told_apart(shape, second, python, where)
    return others[0] if len(others) == 1 else UnionShape(python, tuple(others), _by_type(others))


def _opened(shapes: list[Shape]) -> list[Shape]:
    """Return the types with each plain one and the Enums and Literals of its values made one."""
    for plain in (STR, BYTES, INT, DECIMAL):
        known = [shape for shape in shapes if isinstance(shape, Scalar) and shape.values and shape.tag == plain.tag]
        opened = open_choice(known, plain) if known and plain in shapes else None
        if opened is not None:
            shapes = [opened, *(shape for shape in shapes if shape is not plain and shape not in known)]
    return shapes


def _by_type(shapes: Sequence[Shape]) -> dict[type, Shape]:
    """Return which shape is for values of exactly a type."""
    by_type: dict[type, Shape] = {}
    for shape in shapes:
        match shape:
            case ListShape():
                kinds = shape.accepts
            case MapShape():
                kinds = (dict,)
            case SetShape():
                kinds = (shape.build,)
            case ClassShape():
                kinds = (shape.cls,)
            case TaggedUnionShape():
                kinds = tuple(member.cls for member in shape.classes.values())
            case Scalar():
                kinds = shape.exact_types
            case _:
                kinds = ()
        by_type |= dict.fromkeys(kinds, shape)
    return by_type


def _check_told_apart(first: Shape, second: Shape, python: str, where: str) -> None:
    common = first.tags & second.tags
    if not common:
        return
    pair = f"{first.python} and {second.python}"
    if common == ALL_TAGS or ALL_TAGS in {first.tags, second.tags}:
        why = f"how {first.python if first.tags == ALL_TAGS else second.python} is stored is not known here"
    else:
        why = f"{pair} are both stored as {' or '.join(sorted(common))}"
    raise ModelError(
        f"{where}: {python} cannot be told apart when it is read: {why}. Wrap one in a class, "
        "or register hooks for the union on Client(converter=…)"
    )


def _tagged(classes: Sequence[ClassShape], where: str) -> TaggedUnionShape:
    """Return a union of classes, told apart by a Literal that all declare, or by their names."""
    python = " | ".join(shape.python for shape in classes)
    declared = _common_literal(classes)
    if declared is not None:
        name, by_value = declared
        return TaggedUnionShape(python, name, by_value, is_declared=True)
    by_name = {shape.python: shape for shape in classes}
    if len(by_name) < len(classes):
        raise ModelError(f"{where}: two classes of {python} have one name: give them a `kind: Literal[…]` each")
    holder = next((shape for shape in classes if TAG_ATTRIBUTE in _member_types(shape)), None)
    if holder is not None:
        raise ModelError(
            f"{where}: {holder.python} has an attribute {TAG_ATTRIBUTE!r}, where {python} stores the class's name: "
            "give the classes a `kind: Literal[…]` each"
        )
    return TaggedUnionShape(python, TAG_ATTRIBUTE, by_name, is_declared=False)


def _common_literal(classes: Sequence[ClassShape]) -> tuple[str, dict[str, ClassShape]] | None:
    types = {shape: _member_types(shape) for shape in classes}
    for name in types[classes[0]]:
        by_value: dict[str, ClassShape] = {}
        for shape in classes:
            values = _literal_texts(types[shape].get(name))
            if not values or not by_value.keys().isdisjoint(values):
                break
            by_value |= dict.fromkeys(values, shape)
        else:
            return name, by_value
    return None


def _member_types(shape: ClassShape) -> dict[str, Any]:
    """Return the declared types by stored name: a class that contains itself has no shapes yet.

    An attribute that ``__init__`` makes up is not stored.
    """
    stored = (member for member in class_members(shape.cls)[0] if member.field in shape.aliases)
    return {member.name: plain_type(member.type) for member in stored}


def _literal_texts(annotation: Any) -> tuple[str, ...]:
    """Return the values of a Literal of plain text, of another type nothing."""
    values = get_args(annotation) if get_origin(annotation) is Literal else ()
    return values if all(type(value) is str for value in values) else ()
