"""From how a type is stored to how JSON has it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from attrs import NOTHING

from mizzle_async.errors import ModelError
from mizzle_async.marshalling.json_forms.classes import ClassForm, Member, ModelForm, TaggedForm, TypedDictForm
from mizzle_async.marshalling.json_forms.containers import (
    ListForm,
    MapForm,
    NumberForm,
    OptionalForm,
    SetForm,
    TupleForm,
    UnionForm,
)
from mizzle_async.marshalling.json_forms.form import ALL_KINDS, TEXT, Form, FunctionForm, LaterForm
from mizzle_async.marshalling.json_forms.open_form import OpenForm
from mizzle_async.marshalling.json_forms.scalars import decimal_form, name_forms, scalar_form, value_type
from mizzle_async.marshalling.places import Place
from mizzle_async.marshalling.resolve import Resolver
from mizzle_async.marshalling.shapes.aliases import AliasShape
from mizzle_async.marshalling.shapes.containers import ListShape, MapShape, TupleShape
from mizzle_async.marshalling.shapes.generated_classes import ClassShape
from mizzle_async.marshalling.shapes.members import class_members
from mizzle_async.marshalling.shapes.named import NamedTupleShape, TypedDictShape
from mizzle_async.marshalling.shapes.open_values import HookShape, OptionalShape
from mizzle_async.marshalling.shapes.scalars import DECIMAL, Scalar
from mizzle_async.marshalling.shapes.sets import SetShape
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.marshalling.shapes.unions import NumberShape, TaggedUnionShape, UnionShape
from mizzle_async.model import AttributeSchema
from mizzle_async.model.annotations import type_name
from mizzle_async.model.foreign import has_fields, is_pydantic
from mizzle_async.model.scalars.misfit import Misfit


class JsonForms:
    """Makes the forms of types, each class once.

    Args:
        resolver: Finds out how types are stored, with the user's hooks.
    """

    __slots__ = ("_classes", "_dicts", "_forms", "_open", "_resolver", "by_value")

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._forms: dict[Any, Form] = {}
        self._classes: dict[ClassShape, ClassForm] = {}
        self._dicts: dict[TypedDictShape, TypedDictForm] = {}
        self._open: Form = OpenForm(self._write_other)
        self.by_value: Form = OpenForm(self._write_other, decimal_form(DECIMAL).write)

    def form(self, target: Any, where: str = "") -> Form:
        """Return the form of a type.

        Args:
            target: The type, resolved.
            where: Where it stands, for messages: its name, where nothing is said.

        Raises:
            ModelError: It cannot be stored, or JSON cannot tell the members of a union apart.
        """
        form = self._forms.get(target)
        if form is None:
            where = where or type_name(target)
            form = self._forms[target] = self._of(self._resolver.shape(target, Place(where)), where)
        return form

    def _write_other(self, value: Any) -> Any:
        """Return a value that JSON has no type for, as the form of its class says."""
        kind = type(value)
        try:
            form = self.form(kind)
        except ModelError:
            if has_fields(kind):
                raise
            form = self._open
        if form is self._open:
            raise Misfit("a value that JSON has", kind.__name__, "convert it, or declare its type")
        return form.write(value)

    def _of(self, shape: Shape, where: str) -> Form:  # noqa: PLR0911  (a return for each kind of shape)
        match shape:
            case Scalar():
                return scalar_form(shape)
            case OptionalShape():
                return OptionalForm(self._of(shape.inner, where))
            case ClassShape():
                return self._class(shape)
            case TaggedUnionShape():
                return self._tagged(shape)
            case NumberShape():
                return NumberForm(shape.python, self._of(shape.whole, where), self._of(shape.other, where))
            case UnionShape():
                return self._union(shape, where)
            case TypedDictShape():
                return self._typed_dict(shape, where)
            case HookShape():
                return self._hooked(shape, where)
            case AliasShape():
                return LaterForm(shape.python, ALL_KINDS, lambda: self._alias(shape, where))
            case _:
                return self._container(shape, where)

    def _container(self, shape: Shape, where: str) -> Form:
        match shape:
            case NamedTupleShape():
                return TupleForm(shape.python, shape.build, self._each(shape, where), shape.minimum)
            case TupleShape():
                return TupleForm(shape.python, tuple, self._each(shape, where), len(shape.of))
            case ListShape():
                return ListForm(shape.python, shape.accepts, shape.build, self._of(shape.of, where))
            case MapShape():
                return MapForm(shape.python, name_forms(shape.key), self._of(shape.of, where))
            case SetShape():
                element = shape.element()
                of = self._open if element is None else self._of(element, where)
                return SetForm(shape.python, shape.build, of)
            case _:
                return self._open

    def _each(self, shape: TupleShape, where: str) -> tuple[Form, ...]:
        return tuple(self._of(element, where) for element in shape.of)

    # ── classes ──

    def _class(self, shape: ClassShape) -> ClassForm:
        known = self._classes.get(shape)
        if known is not None:
            return known
        is_model = is_pydantic(shape.cls) and hasattr(shape.cls, "model_dump")
        form = self._classes[shape] = ModelForm(shape.cls) if is_model else ClassForm(shape.cls)
        try:
            hooked = {member.field: member for member in class_members(shape.cls)[0] if member.encode is not None}
            members: list[Member] = []
            for field in shape.fields:
                where = f"{shape.cls.__name__}.{field.name}"
                own = hooked.get(field.name)
                inner = self._of(field.shape, where) if own is None else self._own_form(own, field.shape, where)
                is_optional = field.optional and not isinstance(inner, OptionalForm)
                members.append(
                    Member(
                        name=field.name,
                        argument=shape.aliases[field.name],
                        form=OptionalForm(inner) if is_optional else inner,
                        is_required=field.default is NOTHING,
                    )
                )
            form.define(members, refuses_unknown=shape.refuses_unknown)
        except BaseException:
            self._classes.clear()  # others may contain the one that was not finished
            raise
        return form

    def _own_form(self, member: AttributeSchema, shape: Shape, where: str) -> Form:
        """Return the form of an attribute with functions of its own: by its type, or else as they encode it."""
        try:
            declared = self._resolver.shape(member.type, Place(where))
        except ModelError:
            return self._of(shape, where)
        return self._of(declared, where)

    def _tagged(self, shape: TaggedUnionShape) -> TaggedForm:
        choices: list[tuple[str, str, ClassForm]] = []
        for tag, cls in shape.classes.items():
            field = cls.by_wire.get(shape.attribute) if shape.is_declared else None
            choices.append((shape.attribute if field is None else field.name, tag, self._class(cls)))
        return TaggedForm(shape.python, choices, is_declared=shape.is_declared)

    def _typed_dict(self, shape: TypedDictShape, where: str) -> Form:
        known = self._dicts.get(shape)
        if known is not None:
            return known
        form = self._dicts[shape] = TypedDictForm(shape.python)
        try:
            form.define(
                [
                    Member(name=name, argument=name, form=self._of(member.shape, where), is_required=member.is_required)
                    for name, member in shape.members.items()
                ]
            )
        except BaseException:
            self._dicts.clear()
            raise
        return form

    def _hooked(self, shape: HookShape, where: str) -> Form:
        """Return the form of a type with the user's functions: that of the plain values which they make."""
        inner = self._of(shape.of, where)
        ours = None if shape.ours is None else self._of(shape.ours, where)
        write: Callable[[Any], Any] = (
            ours.write
            if ours is not None and shape.hooks.unstructure is None
            else lambda value: inner.write(shape.to_plain(value))
        )
        read: Callable[[Any], Any] = (
            ours.read
            if ours is not None and shape.hooks.structure is None
            else lambda data: shape.of_plain(inner.read(data))
        )
        return FunctionForm(shape.python, inner.kinds, write, read)

    def _alias(self, shape: AliasShape, where: str) -> Form:
        form = self._forms.get(shape)
        if form is None:
            form = self._forms[shape] = self._of(shape.real, where)
        return form

    # ── unions ──

    def _union(self, shape: UnionShape, where: str) -> Form:
        members = [self._of(member, where) for member in shape.members]
        if sum(TEXT in form.kinds for form in members) > 1:
            members = [_as_number(member) or form for member, form in zip(shape.members, members, strict=True)]
        for position, form in enumerate(members):
            for other in members[position + 1 :]:
                common = form.kinds & other.kinds
                if common and ALL_KINDS not in {form.kinds, other.kinds}:
                    raise ModelError(
                        f"{where}: JSON cannot tell {form.python} and {other.python} apart, both are "
                        f"{' or '.join(sorted(common))} there: wrap one in a class"
                    )
        return UnionForm(shape.python, tuple(members))


def _as_number(shape: Shape) -> Form | None:
    """Return the form of a ``Decimal`` beside a type whose values are text: a number. Of other types None."""
    if isinstance(shape, Scalar) and value_type(shape) is Decimal:
        return decimal_form(shape, as_number=True)
    if isinstance(shape, NumberShape) and isinstance(shape.whole, Scalar) and isinstance(shape.other, Scalar):
        return NumberForm(shape.python, scalar_form(shape.whole), _as_number(shape.other) or scalar_form(shape.other))
    return None
