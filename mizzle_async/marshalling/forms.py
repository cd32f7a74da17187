"""The columnar form of each stored type: which type a column has, and how its values come and go.

A column's type is named here, and made by the library that makes the columns. Nothing here imports one. Every type has
a form: one that no columnar type is equal to is text of JSON, with every digit of its numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal, TypeAlias

import orjson
from attrs import NOTHING, Converter, frozen

from mizzle_async.marshalling.in_turn import in_turn
from mizzle_async.marshalling.plain import parse_json, value_from_plain
from mizzle_async.marshalling.shapes.aliases import AliasShape
from mizzle_async.marshalling.shapes.by_value import ATTRIBUTE_LEVELS
from mizzle_async.marshalling.shapes.classes import CarefulClassShape
from mizzle_async.marshalling.shapes.containers import ListShape, MapShape
from mizzle_async.marshalling.shapes.fields import Field
from mizzle_async.marshalling.shapes.generated_classes import is_made_of_instance
from mizzle_async.marshalling.shapes.one_type import single
from mizzle_async.marshalling.shapes.open_values import HookShape, OptionalShape
from mizzle_async.marshalling.shapes.scalars import BYTES, DECIMAL, FLOAT, INT, STR, Scalar, root, scalar_for
from mizzle_async.marshalling.shapes.sets import ScalarSetShape
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.model.scalars.misfit import Misfit, not_stored_as
from mizzle_async.model.scalars.numbers import canonical_number
from mizzle_async.model.scalars.registry import SCALAR_TYPES
from mizzle_async.types import AttributeValue
from mizzle_async.values import Value

Kind: TypeAlias = Literal[
    "string", "json", "int", "float", "decimal", "bool", "binary", "instant", "date", "time", "duration",
    "list", "set", "map", "struct",
]  # fmt: skip
"""The types of columns: ``instant`` is a point in time, ``json`` a text of JSON."""

TextForm: TypeAlias = Literal["", "plain", "number", "iso", "iso_ms", "date", "seconds", "milliseconds"]
"""How the value of a payload can be read from its text without Python: not at all, or as this."""

Read: TypeAlias = Callable[[Any], Any]


@frozen(eq=False, repr=False)
class ColumnType(Value):
    """The type of a column, or of values inside of one.

    Attributes:
        kind: The type.
        members: The types of its elements, of its values, or of its members by name.
    """

    kind: Kind
    members: tuple[Member, ...] = ()


@frozen(eq=False, repr=False)
class Member(Value):
    """A part of the values of a column: an element of a list, a value of a map, a member of a struct."""

    name: str
    type: ColumnType
    is_nullable: bool = False


@frozen(eq=False, repr=False, kw_only=True)
class Form:
    """The columnar form of a stored type.

    Attributes:
        type: The type of the column.
        read: Returns the column's value of a stored value, or raises a `Misfit`.
        write: Returns the stored value of a column's value, or raises a `Misfit`.
        payload: Returns the column's value of a payload, where there is one descriptor; None elsewhere.
        text: How payloads can be read from their text.
        is_plain: Whether `write` accepts every value of the column's type, limits aside.
        takes_null: Whether null is one of its values, and stored as NULL: of types that are stored by value.
    """

    type: ColumnType
    read: Callable[[AttributeValue], Any]
    write: Callable[[Any], AttributeValue]
    payload: Read | None = None
    text: TextForm = ""
    is_plain: bool = False
    takes_null: bool = False


def form_of(shape: Shape, above: tuple[Shape, ...] = ()) -> Form:
    """Return the columnar form of a shape.

    Args:
        shape: How a type is stored.
        above: The shapes that it stands in: one that contains itself is JSON.
    """
    if shape in above:
        return _json_form(shape)
    inside = (*above, shape)
    match shape:
        case Scalar():
            form = _scalar_form(shape)
        case AliasShape():
            form = form_of(shape.real, inside)
        case HookShape():
            form = _hooked_form(shape, inside)
        case ScalarSetShape():
            form = _set_form(shape)
        case ListShape():
            form = _list_form(shape, inside)
        case MapShape():
            form = _map_form(shape, inside)
        case CarefulClassShape() if _has_members(shape):
            form = _struct_form(shape, inside)
        case _:
            form = _json_form(shape)
    return form


def _has_members(shape: CarefulClassShape) -> bool:
    """Return whether a class is a struct: it has attributes, contains not itself, and reads each on its own."""
    if not shape.fields or shape.depth() is None or shape.refuses_unknown:
        return False
    return not any(is_made_of_instance(field) for field in shape.fields)


# ── single values ──

_KINDS: Final[Mapping[type[Any], tuple[Kind, TextForm]]] = {
    str: ("string", "plain"),
    int: ("int", "number"),
    float: ("float", "number"),
    Decimal: ("decimal", "number"),
    bool: ("bool", "plain"),
    bytes: ("binary", ""),
    datetime: ("instant", ""),
    date: ("date", "date"),
    time: ("time", ""),
    timedelta: ("duration", "seconds"),
}
_DATETIME_TEXTS: Final[Mapping[Any, TextForm]] = {
    "iso": "iso",
    "iso_ms": "iso_ms",
    "epoch": "seconds",
    "whole_seconds": "seconds",
    "epoch_ms": "milliseconds",
}
_TEXT_OF_READER: Final[Mapping[tuple[Read, Read], TextForm]] = {
    (row.read, row.write): _DATETIME_TEXTS[row.datetime_format]
    for row in SCALAR_TYPES
    if row.datetime_format in _DATETIME_TEXTS
}
_PLAIN_OF: Final[Mapping[Kind, Scalar]] = {
    "string": STR,
    "int": INT,
    "float": FLOAT,
    "decimal": DECIMAL,
    "binary": BYTES,
}


def _scalar_form(shape: Scalar) -> Form:
    chosen = next((each for each in _bases(shape) if each.values), None)
    if chosen is not None and shape.tag != "BOOL":
        return _choice_form(shape, chosen)
    widest = root(shape)
    cls = widest.exact_types[0] if widest.exact_types else None
    if cls is None or cls not in _KINDS:
        return _choice_form(shape, shape)  # an identifier, an address, a path: text as it is stored
    kind, text = _KINDS[cls]
    if kind == "instant":
        text = _instant_text(widest)
    read = widest.read if shape is not widest and shape.tag == "N" else shape.read
    return _single(shape, kind, read, shape.write, text, is_plain=shape is widest)


def _instant_text(shape: Scalar) -> TextForm:
    return _TEXT_OF_READER.get((shape.read, shape.write), "")


def _bases(shape: Scalar | None) -> Iterator[Scalar]:
    while shape is not None:
        yield shape
        shape = shape.base


def _choice_form(shape: Scalar, chosen: Scalar) -> Form:
    """Return the form of listed values, and of text of a certain form: read as stored, checked when written."""
    kind: Kind = "string" if shape.tag == "S" else "binary"
    if shape.tag == "N":
        values = [value.value if isinstance(value, Enum) else value for value in chosen.values]
        kind = "int" if all(isinstance(value, int) for value in values) else "decimal"
        kind = "float" if any(isinstance(value, float) for value in values) else kind
    plain = _PLAIN_OF[kind]

    def write(value: Any) -> Any:
        return shape.write(shape.read(plain.write(value)))

    return _single(shape, kind, plain.read, write, _KINDS[plain.exact_types[0]][1], is_plain=False)


def _single(shape: Scalar, kind: Kind, read: Read, write: Read, text: TextForm, *, is_plain: bool) -> Form:
    tag = shape.tag

    def read_stored(stored: AttributeValue) -> Any:
        payload = stored.get(tag)
        if payload is None:
            raise not_stored_as(tag, stored)
        return read(payload)

    def write_stored(value: Any) -> AttributeValue:
        return {tag: write(value)}

    return Form(type=ColumnType(kind), read=read_stored, write=write_stored, payload=read, text=text, is_plain=is_plain)


# ── several values ──


def _set_form(shape: ScalarSetShape) -> Form:
    of = form_of(shape.of)
    tag, read = shape.tag, of.payload
    assert read is not None  # noqa: S101  (elements are scalars)

    def read_payload(payload: Any) -> list[Any]:
        try:
            return sorted(map(read, payload))
        except Misfit as misfit:
            raise misfit.at_element() from None

    def read_stored(stored: AttributeValue) -> list[Any]:
        payload = stored.get(tag)
        if payload is not None:
            return read_payload(payload)
        if stored == {"L": []}:
            return []
        raise not_stored_as(tag, stored)

    def write(value: Any) -> AttributeValue:
        if not value:
            return {"L": []}
        try:
            return {tag: sorted({of.write(element)[shape.of.tag] for element in _elements(value)})}
        except Misfit as misfit:
            raise misfit.at_element() from None

    kind = ColumnType("set", (Member("element", of.type),))
    return Form(type=kind, read=read_stored, write=write, payload=read_payload)


def _list_form(shape: ListShape, above: tuple[Shape, ...]) -> Form:
    of, is_nullable = _inner(shape.of, above)

    def read(stored: AttributeValue) -> list[Any]:
        if "L" not in stored:
            raise not_stored_as("L", stored)
        elements = stored["L"]
        if sum(map(len, elements)) != len(elements):
            in_turn(single, elements)
        return in_turn(of.read, elements)

    def write(value: Any) -> AttributeValue:
        return {"L": in_turn(of.write, _elements(value))}

    return Form(type=ColumnType("list", (Member("element", of.type, is_nullable),)), read=read, write=write)


def _map_form(shape: MapShape, above: tuple[Shape, ...]) -> Form:
    of, is_nullable = _inner(shape.of, above)

    def read(stored: AttributeValue) -> list[tuple[str, Any]]:
        if "M" not in stored:
            raise not_stored_as("M", stored)
        entries: list[tuple[str, Any]] = []
        for name, element in stored["M"].items():
            try:
                entries.append((name, of.read(single(element))))
            except Misfit as misfit:
                raise misfit.at_entry(name) from misfit.__cause__
        return entries

    def write(value: Any) -> AttributeValue:
        entries = value.items() if isinstance(value, Mapping) else _elements(value)
        stored: dict[str, AttributeValue] = {}
        for name, element in entries:
            if name in stored:
                raise Misfit("a map whose names are different", "one name twice").at_entry(name)
            try:
                stored[name] = of.write(element)
            except Misfit as misfit:
                raise misfit.at_entry(name) from misfit.__cause__
        return _checked(shape, {"M": stored})

    return Form(type=ColumnType("map", (Member("value", of.type, is_nullable),)), read=read, write=write)


def _struct_form(shape: CarefulClassShape, above: tuple[Shape, ...]) -> Form:
    members = [FieldForm(each, above) for each in shape.fields]

    def read(stored: AttributeValue) -> dict[str, Any]:
        if "M" not in stored:
            raise not_stored_as("M", stored)
        return {each.field.name: each.read(stored["M"]) for each in members}

    def write(value: Any) -> AttributeValue:
        if not isinstance(value, Mapping):
            raise Misfit(shape.python, type(value).__name__)
        item: dict[str, AttributeValue] = {}
        for each in members:
            stored = each.write(value.get(each.field.name))
            if stored is not None:
                item[each.field.wire] = stored
        return {"M": item}

    types = tuple(Member(each.field.name, each.form.type, each.is_nullable) for each in members)
    return Form(type=ColumnType("struct", types), read=read, write=write)


def _inner(shape: Shape, above: tuple[Shape, ...]) -> tuple[Form, bool]:
    """Return the form of values inside others, where None is stored as NULL, and whether they may be null."""
    if not isinstance(shape, OptionalShape):
        form = form_of(shape, above)
        return form, form.takes_null
    form = form_of(shape.inner, above)

    def read(stored: AttributeValue) -> Any:
        return None if "NULL" in stored else form.read(stored)

    def write(value: Any) -> AttributeValue:
        return {"NULL": True} if value is None else form.write(value)

    return Form(type=form.type, read=read, write=write), True


def _hooked_form(shape: HookShape, above: tuple[Shape, ...]) -> Form:
    """Return the form of a type with the user's functions.

    Of a type of the library's, the values that the functions give. Of an attribute with ``encode=`` and ``decode=``,
    the values that are stored. Of another type, the stored value as JSON.
    """
    if shape.target is None:
        stored_form = form_of(shape.of, above)

        def write_checked(value: Any) -> AttributeValue:
            return _checked(shape, stored_form.write(value))

        return Form(type=stored_form.type, read=stored_form.read, write=write_checked)
    ours = shape.ours or scalar_for(shape.target)
    if ours is None:
        return _json_form(shape)
    own = form_of(ours, above)

    def read(stored: AttributeValue) -> Any:
        return own.read(ours.encode(shape.decode(stored), ATTRIBUTE_LEVELS))

    def write(value: Any) -> AttributeValue:
        return shape.encode(ours.decode(own.write(value)), ATTRIBUTE_LEVELS)

    return Form(type=own.type, read=read, write=write)


# ── the rest ──


def _json_form(shape: Shape) -> Form:
    takes_null = "NULL" in shape.tags

    def read(stored: AttributeValue) -> str | None:
        return None if takes_null and "NULL" in stored else json_text(stored)

    def write(value: Any) -> AttributeValue:
        try:
            plain: Any = None if value is None and takes_null else parse_json(value if value is not None else "")
            stored = value_from_plain(plain, shape)
        except Misfit:
            raise
        except (TypeError, ValueError):
            raise Misfit(f"JSON of {shape.python}", "text that is none") from None
        return _checked(shape, stored)

    return Form(type=ColumnType("json"), read=read, write=write, takes_null=takes_null)


def _checked(shape: Shape, stored: AttributeValue) -> AttributeValue:
    """Return a stored value if the shape reads it, in the form in which the shape would write it."""
    return shape.encode(shape.decode(stored), ATTRIBUTE_LEVELS)


def json_text(stored: AttributeValue) -> str:
    """Return a stored value as a text of JSON: sets are sorted lists, binary is base64, numbers have all digits."""
    return orjson.dumps(_fragments(stored), option=orjson.OPT_SORT_KEYS).decode()


def _fragments(stored: AttributeValue) -> Any:
    ((tag, payload),) = stored.items()
    plain: Any = payload
    match tag:
        case "N":
            plain = orjson.Fragment(canonical_number(payload))
        case "NULL":
            plain = None
        case "M":
            plain = {name: _fragments(value) for name, value in payload.items()}
        case "L":
            plain = [_fragments(value) for value in payload]
        case "NS":
            plain = [orjson.Fragment(text) for text in sorted(map(canonical_number, payload), key=Decimal)]
        case "SS" | "BS":
            plain = sorted(payload)
        case _:
            pass
    return plain


def _elements(value: Any) -> Iterable[Any]:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise Misfit("a list", type(value).__name__)
    return value


class FieldForm:
    """One attribute of a class in columnar form: its form, and the meaning of its absence.

    Args:
        field: The attribute.
        above: The shapes that its class stands in.
    """

    __slots__ = ("field", "form", "is_nullable")

    def __init__(self, field: Field, above: tuple[Shape, ...] = ()) -> None:
        shape = field.shape
        self.field: Final[Field] = field
        self.form: Final[Form] = form_of(shape, above)
        self.is_nullable: Final[bool] = field.optional or self.form.takes_null

    def read(self, item: Mapping[str, AttributeValue]) -> Any:
        """Return the column's value of an item.

        Raises:
            Misfit: It does not fit, or is missing.
        """
        field = self.field
        stored = item.get(field.wire)
        try:
            if stored is None or ("NULL" in single(stored) and field.takes_null):
                return self.when_absent()
            return self.form.read(stored)
        except Misfit as misfit:
            raise misfit.at_field(field.name) from misfit.__cause__

    def when_absent(self) -> Any:
        """Return the column's value of an item that lacks the attribute.

        Raises:
            Misfit: It must not be absent.
        """
        stored = self.stored_default()
        return None if stored is None and self.field.optional else [] if stored is None else self.form.read(stored)

    def stored_default(self) -> AttributeValue | None:
        """Return the default of an attribute as it is stored, or None where absence is its value.

        Raises:
            Misfit: It must not be absent, or its default is made of the instance.
        """
        field = self.field
        if field.optional or field.is_set:
            return None
        if field.default is NOTHING or is_made_of_instance(field) or isinstance(field.converter, Converter):
            raise Misfit(field.shape.stored_as, "no such attribute")
        return field.encode(field.assumed(), ATTRIBUTE_LEVELS)

    def write(self, value: Any) -> AttributeValue | None:
        """Return the stored value of a column's value, or None where it is absent then.

        Raises:
            Misfit: It does not fit.
        """
        try:
            if value is None and not (self.form.takes_null and self.field.default is NOTHING):
                return self.stored_default()
            if self.field.is_set and not value:
                return None
            return self.form.write(value)
        except Misfit as misfit:
            raise misfit.at_field(self.field.name) from misfit.__cause__
