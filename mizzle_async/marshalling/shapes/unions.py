"""How unions are stored: told apart by how their members are stored, classes by a tag.

``int | str`` needs no tag: one is ``N``, the other ``S``. Several classes are all ``M``: each is stored with an
attribute that names it, the one they all declare as a ``Literal`` with different values (``kind: Literal["card"]``),
or else ``_type`` with the class's name.
"""

# ruff: noqa: D102  (Shape documents the methods of shapes)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from mizzle_async.errors import ModelError
from mizzle_async.marshalling.shapes.choices import open_choice
from mizzle_async.marshalling.shapes.containers import ListShape, MapShape
from mizzle_async.marshalling.shapes.generated_classes import ClassShape
from mizzle_async.marshalling.shapes.members import class_members
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.marshalling.shapes.scalars import BYTES, DECIMAL, FLOAT, INT, STR, Scalar
from mizzle_async.marshalling.shapes.sets import SetShape
from mizzle_async.marshalling.shapes.shape import ALL_TAGS, Levels, Shape, deepest, guard
from mizzle_async.model.annotations import plain_type
from mizzle_async.model.scalars.misfit import Misfit, not_a, not_stored_as
from mizzle_async.model.scalars.numbers import parse_int
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

    def encode_source(self, program: Program, value: str, levels: Levels) -> str:
        kinds: dict[Shape, list[type]] = {}
        for kind, shape in self.by_type.items():
            kinds.setdefault(shape, []).append(kind)
        source = super().encode_source(program, value, levels)
        for shape, exact in reversed(kinds.items()):
            one = len(exact) == 1
            test = f"is {program.bind(exact[0], 'class')}" if one else f"in {program.bind(frozenset(exact), 'classes')}"
            source = f"{shape.encode_source(program, value, levels)} if type({value}) {test} else {source}"
        return f"({source})"

    def decode_source(self, program: Program, stored: str) -> str:
        found = program.fresh()
        source = super().decode_source(program, found)
        for member in reversed(self.members):
            # The first test is evaluated first: it takes what is stored, once.
            holder = f"({found} := {stored})" if member is self.members[0] else found
            first, *others = sorted(member.tags)
            tests = " or ".join([f'"{first}" in {holder}', *(f'"{tag}" in {found}' for tag in others)])
            source = f"({member.decode_source(program, found)}) if {tests} else {source}"
        return f"({source})"

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

    def encode_source(self, program: Program, value: str, levels: Levels) -> str:
        whole = self.whole.encode_source(program, value, levels)
        other = f"{program.bind(self.encode, 'encode')}({value}, {levels})"
        if isinstance(self.other, Scalar):
            test = f"type({value}) is {program.bind(self.other.exact_types[0], 'class')}"
            other = f"{self.other.encode_source(program, value, levels)} if {test} else {other}"
        return f"({whole} if type({value}) is int else {other})"

    def decode_source(self, program: Program, stored: str) -> str:
        found, text = program.fresh(), program.fresh()
        source = f"{program.bind(self.decode, 'decode')}({found})"
        if isinstance(self.other, Scalar):
            # A fraction as the service writes it.
            fraction = f'"." in {text} and {text}[-1] in "123456789" and "E" not in {text} and "e" not in {text}'
            source = f"({self.other.value_source(program, text)}) if {fraction} else {source}"
        whole = f"{program.bind(parse_int, 'parse_int')}({text})"
        return f'({whole} if ({text} := ({found} := {stored})["N"]).isdigit() else {source})'


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


# ── the members of one union ──


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
