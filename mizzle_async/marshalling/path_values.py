"""Operands of expressions: values encoded for the path they stand beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from mizzle_async.expressions import AttributePath, Documents, Facet, Segments
from mizzle_async.expressions.paths import TypeCode
from mizzle_async.marshalling.shapes.by_value import ATTRIBUTE_LEVELS
from mizzle_async.marshalling.shapes.containers import ListShape
from mizzle_async.marshalling.shapes.fields import Field
from mizzle_async.marshalling.shapes.generated_classes import ClassShape
from mizzle_async.marshalling.shapes.one_type import single
from mizzle_async.marshalling.shapes.open_values import AnyShape, HookShape, OptionalShape
from mizzle_async.marshalling.shapes.scalars import DECIMAL, FLOAT, INT, Scalar, scalar_for, scalar_writer
from mizzle_async.marshalling.shapes.sets import SetShape
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.marshalling.shapes.unions import NumberShape, TaggedUnionShape, UnionShape
from mizzle_async.marshalling.wellformed import NO_ITEM
from mizzle_async.model.foreign import has_fields
from mizzle_async.model.scalars.binary import write_bytes, write_str
from mizzle_async.model.scalars.misfit import Misfit, not_a
from mizzle_async.model.scalars.numbers import scaled_text
from mizzle_async.model.scalars.temporal import MICROSECOND, MILLISECOND_PLACES, SECOND_PLACES
from mizzle_async.types import AttributeValue

ANY: Final = AnyShape()
NUMBERS: Final = frozenset({INT, FLOAT, DECIMAL})
DURATION: Final = scalar_for(timedelta)
TIME_PLACES: Final[Mapping[Shape | None, int]] = {
    scalar_for(datetime, "epoch"): SECOND_PLACES,
    scalar_for(datetime, "whole_seconds"): SECOND_PLACES,
    scalar_for(datetime, "epoch_ms"): MILLISECOND_PLACES,
}
"""Times that are stored as numbers, each with the decimal places of its unit that a microsecond takes."""


class StoredValue:
    """A value that is in DynamoDB's JSON already, where a Python value is expected: it is used as it is.

    Attributes:
        stored: The value.
    """

    __slots__ = ("stored",)

    def __init__(self, stored: AttributeValue) -> None:
        self.stored: Final[AttributeValue] = stored

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of type {next(iter(self.stored))}>"


class StoredSet(frozenset[str]):
    """The elements of a set as they are stored, where a Python set is expected.

    Attributes:
        tag: ``SS``, ``NS`` or ``BS``.
    """

    tag: str

    @classmethod
    def of(cls, tag: str, payload: Sequence[str]) -> StoredSet:
        """Return the elements of a stored set."""
        made = cls(payload)
        made.tag = tag
        return made

    @property
    def value(self) -> AttributeValue:
        """The set, in DynamoDB's JSON."""
        return {self.tag: sorted(self)}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of type {self.tag}>"


class Operands:
    """Encodes operands, and decodes the values at paths, for one entity.

    Attributes:
        members: The declared top-level attributes, by stored name. Others are stored by value.
    """

    __slots__ = ("_writers", "members")

    def __init__(self, members: Mapping[str, Field | Shape]) -> None:
        self.members: Final[Mapping[str, Field | Shape]] = members
        self._writers: dict[tuple[Any, Facet], Callable[[Any], AttributeValue] | None] = {}

    def encode(self, value: Any, path: AttributePath[Any, Any] | None, facet: Facet) -> AttributeValue | None:
        """Return a value as it is stored at a path, or None where absence is stored.

        Args:
            value: The value.
            path: The path that it stands beside, or None where there is none: then it is stored by value.
            facet: How it relates to the path.

        Raises:
            MarshallingError: It does not fit.
            LimitError: It breaks one of the service's limits.
        """
        if path is not None and len(path.segments) == 1:
            key = (path.segments[0], facet)
            write = self._writers[key] if key in self._writers else self.writer(*key)
            if write is not None:
                try:
                    return write(value)
                except Exception:  # noqa: BLE001, S110  (a value of another kind, or none that fits: see below)
                    pass
        kind = type(value)
        if isinstance(value, StoredValue):
            return value.stored
        if kind is StoredSet:
            of_set: AttributeValue = value.value
            return of_set
        if kind is list and value and type(value[0]) is StoredValue:
            return {"L": [element.stored for element in value]}
        try:
            return self._encode(value, path, facet)
        except Misfit as misfit:
            found = misfit
        raise found.to_error("value" if path is None else str(path)) from found.__cause__

    def writer(self, name: Any, facet: Facet) -> Callable[[Any], AttributeValue] | None:
        """Return the compiled writer of a declared attribute's scalar, None where there is none for this facet.

        Args:
            name: The attribute's stored name.
            facet: How the values relate to it.
        """
        member = self.members.get(name)
        if member is None:
            return None  # names of undeclared attributes come from data without end
        shape = member.shape if isinstance(member, Field) else member
        is_written = facet is Facet.WHOLE or (facet is Facet.DELTA and shape in NUMBERS)
        write = scalar_writer(shape) if is_written and isinstance(shape, Scalar) else None
        self._writers[name, facet] = write
        return write

    def _encode(self, value: Any, path: AttributePath[Any, Any] | None, facet: Facet) -> AttributeValue | None:
        if path is None:
            return ANY.encode(value, ATTRIBUTE_LEVELS)
        target = self.find(path.segments, path.documents)
        levels = ATTRIBUTE_LEVELS - len(path.segments) + 1
        if facet is Facet.WHOLE:
            return _encode_whole(value, target, levels)
        shape = target.shape if isinstance(target, Field) else target
        shape = shape.inner if isinstance(shape, OptionalShape) else shape
        match facet:
            case Facet.TEXT:
                _check_stored(shape, "S", "B")
                return _encode_text(value, shape)
            case Facet.ELEMENT:
                return _encode_element(value, shape, levels)
            case Facet.NUMBER:
                return _encode_number(value, ANY, levels)
            case _:
                return _encode_delta(value, shape, levels)

    def find(self, segments: Segments, documents: Documents = ()) -> Field | Shape:
        """Return the declaration of the values at a path: a class's field, or only how they are stored.

        Args:
            segments: Stored names and positions.
            documents: Which classes their paths came from: the members of a union may store one name differently.
        """
        first, *rest = segments
        target = self.members.get(first, ANY) if isinstance(first, str) else ANY
        holders = dict(documents) if documents else {}
        for depth, segment in enumerate(rest, start=1):
            target = _member(target.shape if isinstance(target, Field) else target, segment, holders.get(depth)) or ANY
        return target

    def decode(self, segments: Segments, documents: Documents, stored: AttributeValue, entity: str) -> Any:
        """Return the value of a stored one at a path.

        Raises:
            MarshallingError: It does not fit the path's type.
        """
        try:
            target = self.find(segments, documents)
            value = target.decode(single(stored))
            return target.converted(value) if isinstance(target, Field) else value
        except Misfit as misfit:
            found = misfit
        except NO_ITEM as error:  # the answer may hold anything
            found = Misfit("an attribute value", "something else")
            found.__cause__ = error
        for segment in reversed(segments[1:]):
            found = found.at_position(segment) if isinstance(segment, int) else found.at_entry(segment)
        first = self.members.get(str(segments[0]))
        raise found.at_field(first.name if isinstance(first, Field) else str(segments[0])).to_error(
            entity
        ) from found.__cause__

    def assumed(self, segments: Segments, documents: Documents, *, held: bool) -> Any:
        """Return an instance's value at a path where nothing is stored, None where it is not known.

        Args:
            segments: Stored names and positions.
            documents: As for `find`.
            held: Whether there is a map or an item that could hold it: without one its class has no say.
        """
        target = self.find(segments, documents)
        if isinstance(target, Field) and held:
            return target.assumed()
        shape = None if isinstance(target, Field) and target.optional else target
        shape = shape.shape if isinstance(shape, Field) else shape
        return shape.build() if isinstance(shape, SetShape) else None

    def tag_of(self, segments: Segments, stored: AttributeValue) -> tuple[str, AttributeValue] | None:
        """Return the member that names the class of a stored value, with its value, None outside unions of classes.

        Args:
            segments: Stored names and positions.
            stored: The value at that path.
        """
        target = self.find(segments)
        shape = target.shape if isinstance(target, Field) else target
        shape = shape.inner if isinstance(shape, OptionalShape) else shape
        if isinstance(shape, UnionShape):
            shape = next((member for member in shape.members if not member.tags.isdisjoint(stored)), shape)
        if not isinstance(shape, TaggedUnionShape) or "M" not in stored:
            return None
        return shape.attribute, stored["M"][shape.attribute]

    def changes_inside(self, segments: Segments, old: AttributeValue, new: AttributeValue) -> bool:
        """Whether the change of a value may be written as changes inside it, or else as a whole.

        It may not where a path cannot lead inside, into results of the user's hooks, nor between instances of different
        classes of a union.
        """
        target = self.find(segments)
        return _changes_inside(target.shape if isinstance(target, Field) else target, old, new)


def _member(shape: Shape, segment: str | int, document: Any) -> Field | Shape | None:
    """Return the declaration of the values one step inside: of a class its field, which knows what absence means."""
    match shape:
        case OptionalShape():
            return _member(shape.inner, segment, document)
        case UnionShape():
            candidates = shape.members
        case TaggedUnionShape():
            candidates = tuple(
                member for member in shape.classes.values() if document is None or issubclass(member.cls, document)
            )
        case ClassShape():
            return shape.by_wire.get(str(segment))
        case _:
            return shape.member(segment)
    found = (_member(candidate, segment, document) for candidate in candidates)
    return next((one for one in found if one is not None), None)


def concrete_shape(target: Field | Shape, stored: AttributeValue) -> Shape | None:
    """Return the shape of a stored value: of a union its member, by descriptor or by tag, None if it is of none.

    Args:
        target: How values are stored there.
        stored: The value.
    """
    shape = target.shape if isinstance(target, Field) else target
    match shape:
        case OptionalShape():
            return concrete_shape(shape.inner, stored)
        case UnionShape():
            member = next((member for member in shape.members if not member.tags.isdisjoint(stored)), None)
            return None if member is None else concrete_shape(member, stored)
        case TaggedUnionShape():
            payload: Any = stored.get("M", {})
            tag: Any = payload.get(shape.attribute, {}).get("S")
            return shape.classes.get(tag)
        case _:
            return None if shape.tags.isdisjoint(stored) else shape


def inner_target(shape: Shape, segment: str | int) -> Field | Shape:
    """Return how the values one step inside a concrete shape are stored: by value, where nothing is declared."""
    return _member(shape, segment, None) or ANY


def stored_form(target: Field | Shape, stored: AttributeValue | None) -> AttributeValue | None:
    """Return a stored value as its class writes it: the form that the encoding of a decoded instance has.

    Args:
        target: How the value is stored.
        stored: The value, or None where nothing is stored.

    Raises:
        Misfit: It does not fit the target.
    """
    if not isinstance(target, Field):
        return None if stored is None else target.encode(target.decode(stored), ATTRIBUTE_LEVELS)
    value = target.assumed() if stored is None else target.converted(target.decode(stored))
    return None if value is None and not target.optional else target.encode(value, ATTRIBUTE_LEVELS)


def null_forms(target: Field | Shape) -> tuple[TypeCode, ...]:
    """Return the descriptors under which a place may hold nothing, although something is stored there.

    A ``NULL`` stands for None, inside maps and lists by this library and anywhere by others. Inside them an empty list
    stands for an empty set.
    """
    if isinstance(target, Field):
        return ("NULL",) if target.optional else ()
    if isinstance(target, SetShape):
        return ("L",)
    return ("NULL",) if isinstance(target, OptionalShape | AnyShape) else ()


def _changes_inside(shape: Shape, old: AttributeValue, new: AttributeValue) -> bool:
    match shape:
        case OptionalShape():
            return _changes_inside(shape.inner, old, new)
        case UnionShape():
            return all(_changes_inside(member, old, new) for member in shape.members)
        case TaggedUnionShape():
            classes = [stored.get("M", {}).get(shape.attribute) for stored in (old, new)]
            return classes[0] == classes[1] and all(has_fields(member.cls) for member in shape.classes.values())
        case ClassShape():
            return has_fields(shape.cls)
        case _:
            return not isinstance(shape, HookShape)


def _encode_whole(value: Any, target: Field | Shape, levels: int) -> AttributeValue | None:
    if target is ANY and levels == ATTRIBUTE_LEVELS and isinstance(value, set | frozenset) and not value:
        return None  # an attribute of a dict, where an empty set is absent in a whole one too
    shape = target.shape if isinstance(target, Field) else target
    if isinstance(value, list) and isinstance(shape, ListShape) and list not in shape.accepts:
        value = tuple(value)  # what is appended to a tuple comes as a list
    return target.encode(value, levels)


def _check_stored(shape: Shape, *tags: str) -> None:
    """Refuse a part of a value, or a change of one, that the stored type never has: a sum with text, say."""
    if shape.tags.isdisjoint(tags):
        raise Misfit(f"an attribute that is stored as {' or '.join(tags)}", f"one that is stored as {shape.stored_as}")


def _encode_text(value: Any, whole: Shape) -> AttributeValue:
    """Encode a part of a text, or of bytes: what the whole is stored as."""
    if isinstance(value, str) and "S" in whole.tags:
        return {"S": write_str(value)}
    if isinstance(value, bytes | bytearray | memoryview) and "B" in whole.tags:
        return {"B": write_bytes(value)}
    words = " or ".join(name for name, tag in (("str", "S"), ("bytes", "B")) if tag in whole.tags)
    raise not_a(words or "a part of it", value)


def _encode_element(value: Any, shape: Shape, levels: int) -> AttributeValue:
    """Encode a part of a value: of a union, for the first of its members that can have it."""
    members = shape.members if isinstance(shape, UnionShape) else (shape,)
    found: Misfit | None = None
    for member in members:
        element = member.element()
        try:
            if element is not None or "M" in member.tags:
                return (element or ANY).encode(value, levels)
            return _encode_text(value, member)
        except Misfit as misfit:
            found = found or misfit
    raise found or not_a("a part of it", value)


def _encode_delta(value: Any, shape: Shape, levels: int) -> AttributeValue:
    _check_stored(shape, "N")
    if isinstance(shape, UnionShape):  # the sum is read as its member that is stored as a number
        shape = next((member for member in shape.members if "N" in member.tags), shape)
    if isinstance(value, timedelta):
        places = TIME_PLACES.get(shape)
        return shape.encode(value, levels) if places is None else {"N": scaled_text(value // MICROSECOND, places)}
    if shape is DURATION or shape in TIME_PLACES:
        raise not_a("timedelta", value)
    return _encode_number(value, shape if shape in NUMBERS or isinstance(shape, NumberShape) else ANY, levels)


def _encode_number(value: Any, shape: Shape, levels: int) -> AttributeValue:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise not_a("a number", value)
    return shape.encode(value, levels)
