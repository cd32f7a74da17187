"""How unions are stored: told apart by how their members are stored, classes by a tag.

``int | str`` needs no tag: one is ``N``, the other ``S``. Several classes are all ``M``: each is stored with an
attribute that names it, the one they all declare as a ``Literal`` with different values (``kind: Literal["card"]``),
or else ``_type`` with the class's name.
"""

# ruff: noqa: D102  (Shape documents the methods of shapes)

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mizzle_async.marshalling.shapes.generated_classes import ClassShape
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.marshalling.shapes.shape import Levels, Shape, deepest, guard
from mizzle_async.model.scalars.misfit import Misfit, not_a, not_stored_as
from mizzle_async.types import AttributeValue

TAG_ATTRIBUTE = "_type"
"""Where the name of a class of a union is stored, unless the classes have an attribute of their own for it."""


class UnionShape(Shape):
    """A value of one of several types that are stored differently.

    Attributes:
        python: The type as messages name it.
        members: The types' shapes.
        by_type: Which of them is for values of exactly a type, where that is known. Others are tried in turn.
    """

    def __init__(self, python: str, members: tuple[Shape, ...], by_type: Mapping[type, Shape]) -> None:
        self.python = python
        self.members = members
        self.by_type = by_type

    @property
    def tags(self) -> frozenset[str]:  # type: ignore[override]  # derived here
        return frozenset(tag for member in self.members for tag in member.tags)

    def encode(self, value: Any, levels: int) -> AttributeValue:
        exact = self.by_type.get(type(value))
        if exact is not None:
            return exact.encode(value, levels)
        for member in self.members:
            try:
                return member.encode(value, levels)
            except Misfit as misfit:
                if misfit.steps:
                    raise  # the type is right, something in the value is not
        raise not_a(self.python, value)

    def decode(self, stored: AttributeValue) -> Any:
        for member in self.members:
            if not member.tags.isdisjoint(stored):
                return member.decode(stored)
        raise not_stored_as(self.stored_as, stored)

    def depth(self, above: tuple[Shape, ...] = ()) -> int | None:
        return deepest([*self.members], above)

    def member(self, segment: str | int) -> Shape | None:
        inside = (member.member(segment) for member in self.members)
        return next((shape for shape in inside if shape is not None), None)

    def element(self) -> Shape | None:
        inside = (member.element() for member in self.members)
        return next((shape for shape in inside if shape is not None), None)


class NumberShape(Shape):
    """A number that may be an ``int`` or of another type: whole ones are read as ``int``.

    Attributes:
        python: The type as messages name it.
        whole: How an ``int`` is stored.
        other: How a ``float`` or a ``Decimal`` is stored.
    """

    tags: frozenset[str] = frozenset({"N"})

    def __init__(self, python: str, whole: Shape, other: Shape) -> None:
        self.python = python
        self.whole = whole
        self.other = other

    def encode(self, value: Any, levels: int) -> AttributeValue:
        if isinstance(value, int) and not isinstance(value, bool):
            return self.whole.encode(value, levels)
        try:
            return self.other.encode(value, levels)
        except Misfit as misfit:
            misfit.expected = misfit.expected if misfit.expected != self.other.python else self.python
            raise

    def decode(self, stored: AttributeValue) -> Any:
        try:
            return self.whole.decode(stored)
        except Misfit:
            return self.other.decode(stored)


class TaggedUnionShape(Shape):
    """An instance of one of several classes.

    Attributes:
        python: The type as messages name it.
        attribute: The attribute that names the class.
        classes: The classes by the attribute's values.
        is_declared: Whether the classes declare it, so that it is stored with their other attributes.
    """

    tags: frozenset[str] = frozenset({"M"})

    def __init__(self, python: str, attribute: str, classes: Mapping[str, ClassShape], *, is_declared: bool) -> None:
        self.python = python
        self.attribute = attribute
        self.classes = classes
        self.is_declared = is_declared

    def encode(self, value: Any, levels: int) -> AttributeValue:
        for name, shape in self.classes.items():
            if type(value) is shape.cls:
                stored = shape.encode(value, levels)
                return stored if self.is_declared else {"M": {self.attribute: {"S": name}, **stored["M"]}}
        raise not_a(self.python, value)

    def decode(self, stored: AttributeValue) -> Any:
        if "M" not in stored:
            raise not_stored_as("M", stored)
        payload: dict[str, AttributeValue] = stored["M"]
        tag = payload.get(self.attribute, {}).get("S")
        shape = None if tag is None else self.classes.get(tag)
        if shape is None:
            expected = f"M with {self.attribute!r} naming {' or '.join(self.classes)}"
            raise Misfit(expected, "M without it" if tag is None else "M naming something else")
        if not self.is_declared:
            payload = {name: value for name, value in payload.items() if name != self.attribute}
        return shape.decode({"M": payload})

    def encode_source(self, program: Program, value: str, levels: Levels) -> str:
        if self.depth() is None:
            return super().encode_source(program, value, levels)
        encoders = {shape: shape.encoder(program) for shape in self.classes.values()}
        by_class = program.bind_late(
            lambda: {shape.cls: program.names[encoders[shape]] for shape in self.classes.values()}, "encoders"
        )
        names = program.bind({shape.cls: name for name, shape in self.classes.items()}, "names")
        fields = f"{by_class}[type({value})]({value})"
        if not self.is_declared:
            fields = f'{{"{self.attribute}": {{"S": {names}[type({value})]}}, **{fields}}}'
        return guard(program, self, f'{{"M": {fields}}}', value, levels, test=f"type({value}) in {by_class}")

    def decode_source(self, program: Program, stored: str) -> str:
        if not self.is_declared and any(shape.refuses_unknown for shape in self.classes.values()):
            return super().decode_source(program, stored)
        decoders = {shape: shape.decoder(program) for shape in self.classes.values()}
        by_name = program.bind_late(
            lambda: {name: program.names[decoders[shape]] for name, shape in self.classes.items()}, "decoders"
        )
        payload = program.fresh()
        return f'{by_name}[({payload} := {stored}["M"])["{self.attribute}"]["S"]]({payload})'

    def depth(self, above: tuple[Shape, ...] = ()) -> int | None:
        return deepest([*self.classes.values()], above)

    def member(self, segment: str | int) -> Shape | None:
        inside = (shape.member(segment) for shape in self.classes.values())
        return next((shape for shape in inside if shape is not None), None)
