"""The types of attributes as Pydantic is asked for them.

Most types are Pydantic's own. A type is replaced where Pydantic has no schema for it (attrs classes, structs), or where
its values would come out in a form that cannot be read again (bytes that are not UTF-8, unions of classes).
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
)
from collections.abc import Set as AbstractSet
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Final, NewType, Optional, TypeVar, Union, cast, get_args, get_origin, is_typeddict

from pydantic import AfterValidator, GetCoreSchemaHandler, PlainSerializer, WithJsonSchema, WrapSerializer
from pydantic_core import CoreSchema, core_schema

from mizzle_async.errors import ModelError
from mizzle_async.integrations.pydantic_forms import Checked, Digits, FormSchema, TaggedMember, TaggedUnion, stand_in
from mizzle_async.marshalling.json_forms.form import Form
from mizzle_async.marshalling.json_forms.forms import JsonForms
from mizzle_async.marshalling.json_forms.open_form import in_order
from mizzle_async.marshalling.json_forms.scalars import value_type
from mizzle_async.marshalling.places import Place, unwrap
from mizzle_async.marshalling.resolve import Resolver
from mizzle_async.marshalling.shapes.generated_classes import ClassShape
from mizzle_async.marshalling.shapes.hooks import NoHooks
from mizzle_async.marshalling.shapes.members import named_members
from mizzle_async.marshalling.shapes.scalars import PLAIN, Scalar
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.marshalling.shapes.unions import TaggedUnionShape
from mizzle_async.model import AttributeSchema, is_document, is_entity
from mizzle_async.model.annotations import is_alias, is_literal, is_union, type_name, union_members, without_none
from mizzle_async.model.foreign import has_fields
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.model.seams import PYDANTIC_HOOK

RESOLVER: Final = Resolver(NoHooks())
FORMS: Final = JsonForms(RESOLVER)

CHECKED: Final = frozenset({int, float, Decimal, datetime, time, timedelta})
"""Types of which Pydantic takes more values than DynamoDB stores."""
NUMBERS: Final = frozenset({int, float, Decimal})
SMART: Final = frozenset({str, bool, int, float})
"""Types that Pydantic tells apart in a union as JSON does."""
NONES: Final = frozenset({None, type(None)})
DURATION: Final[Any] = Annotated[str, WithJsonSchema({"type": "string", "format": "duration"})]
ABSTRACT: Final[Mapping[Any, Any]] = {
    Sequence: list,
    MutableSequence: list,
    Collection: list,
    AbstractSet: list,
    MutableSet: list,
    Mapping: dict,
    MutableMapping: dict,
}
"""Abstract collections, and those that have the same JSON schema."""


def shape_of(annotation: Any, where: str) -> Shape | None:
    """Return how values of a type are stored, None where only Pydantic knows the type."""
    try:
        return RESOLVER.shape(annotation, Place(where))
    except ModelError:
        return None


def form_of(annotation: Any, where: str) -> Form | None:
    """Return how JSON has values of a type, None where only Pydantic knows the type.

    Raises:
        ModelError: JSON cannot tell the members of a union apart.
    """
    return None if shape_of(annotation, where) is None else FORMS.form(annotation, where)


def writer_of(member: AttributeSchema, where: str) -> Callable[[Any], Any]:
    """Return the function that writes values of an attribute, for examples and defaults."""
    form = form_of(member.type, where)
    return _refuse if form is None else form.write


def _refuse(value: Any) -> Any:
    raise Misfit("a value that JSON has", type(value).__name__)


class Translator:
    """Replaces the types that Pydantic would not handle as the library does.

    Args:
        where: Class and attribute, for messages.
        class_schema: Returns the schema of a class with attributes, given Pydantic's handler and a reference.
    """

    def __init__(self, where: str, class_schema: Callable[[Any, str, GetCoreSchemaHandler], CoreSchema]) -> None:
        self._where = where
        self._class_schema = class_schema

    def attribute(self, member: AttributeSchema) -> Any:
        """Return the type to ask Pydantic for, of an attribute."""
        if member.encode is None or shape_of(member.type, self._where) is not None:
            return self.translate(member.type)
        encode, decode = member.encode, cast("Callable[[Any], Any]", member.decode)
        stored_as = Any if member.stored_as is None else member.stored_as
        form = FORMS.form(stored_as, self._where)
        own = Annotated[
            Any,
            FormSchema(
                lambda value: form.write(encode(value)),
                lambda data: decode(form.read(data)),
                self.translate(stored_as),
                tuple(one for one in without_none(member.type) if isinstance(one, type)),
            ),
        ]
        return Optional[own] if member.optional else own  # noqa: UP045  (it is no class)

    def translate(self, annotation: Any) -> Any:  # noqa: PLR0911  (a return for each kind of type)
        """Return the type to ask Pydantic for.

        Args:
            annotation: The type, resolved.

        Raises:
            ModelError: JSON cannot tell the members of a union apart.
        """
        origin = get_origin(annotation)
        if annotation is Any or annotation is object:
            return self._formed(Any, {})
        if isinstance(annotation, TypeVar):
            return self.translate(Any if annotation.__bound__ is None else annotation.__bound__)
        if origin is Annotated:
            inner, *metadata = get_args(annotation)
            return Annotated[self.translate(inner), *metadata]
        if is_alias(origin or annotation):
            return stand_in(annotation, type_name(annotation), self._alias(annotation))
        if isinstance(annotation, NewType):
            return self.translate(unwrap(annotation))
        if is_literal(annotation):
            is_binary = any(isinstance(value, bytes) for value in get_args(annotation))
            return self._formed(annotation, {"enum": self._listed(annotation)}) if is_binary else annotation
        if is_union(annotation):
            return self._union(annotation)
        kind = origin or annotation
        if not isinstance(kind, type):
            return annotation
        return self._container(kind, get_args(annotation)) or self._class(annotation, kind)

    def _formed(self, annotation: Any, json_schema: Any) -> Any:
        """Return a type whose values the library itself reads and writes."""
        form = FORMS.form(annotation, self._where)
        return Annotated[Any, FormSchema(form.write, form.read, json_schema)]

    def _listed(self, annotation: Any) -> list[Any]:
        form = FORMS.form(annotation, self._where)
        return [form.write(value) for value in getattr(annotation, "__args__", None) or list(annotation)]

    def _alias(self, annotation: Any) -> Callable[[str, GetCoreSchemaHandler], CoreSchema]:
        def schema(ref: str, handler: GetCoreSchemaHandler) -> CoreSchema:
            inner = handler.generate_schema(self.translate(unwrap(annotation)))
            if inner["type"] == "definition-ref" or "ref" in inner:
                return inner
            return cast("CoreSchema", {**inner, "ref": ref})

        return schema

    # ── collections ──

    def _container(self, kind: Any, arguments: tuple[Any, ...]) -> Any:
        """Return the type for a collection, None for a class."""
        inner = [one if one is ... else self.translate(one) for one in arguments] or [self.translate(Any)]
        if kind is set or kind is frozenset:
            return Annotated[_of(kind, inner[0]), WrapSerializer(_in_order, when_used="json")]
        if kind is tuple and not arguments:
            return _of(kind, (inner[0], ...))
        if kind in {list, tuple}:
            return _of(kind, tuple(inner))
        if kind is dict:
            return _of(kind, tuple(inner) if arguments else (str, inner[0]))
        if kind in ABSTRACT:
            whole, described = (_of(one, arguments) if arguments else one for one in (kind, ABSTRACT[kind]))
            return self._formed(whole, self.translate(described))
        return None

    # ── unions ──

    def _union(self, annotation: Any) -> Any:
        is_optional = any(member in NONES for member in union_members(annotation))
        members = list(dict.fromkeys(without_none(annotation)))
        joined = self.translate(members[0]) if len(members) == 1 else self._joined(members)
        return Optional[joined] if is_optional else joined  # noqa: UP045  (it may be no class)

    def _joined(self, members: list[Any]) -> Any:
        union = _union_of(members)
        if form_of(union, self._where) is None:
            return _union_of(self.translate(member) for member in members)
        classes = [member for member in members if isinstance(shape_of(member, self._where), ClassShape)]
        rest = [member for member in members if member not in classes]
        parts = [self._tagged(classes)] if len(classes) > 1 else [self.translate(member) for member in classes]
        if len(rest) > 1 and not SMART.issuperset(rest):
            choices = _union_of(self.translate(member) for member in rest)
            parts.append(self._formed(_union_of(rest), choices))
        else:
            parts += [self.translate(member) for member in rest]
        return _union_of(parts)

    def _tagged(self, classes: list[Any]) -> Any:
        union = _union_of(classes)
        shape = RESOLVER.shape(union, Place(self._where))
        if not isinstance(shape, TaggedUnionShape):
            return self.translate(classes[0])
        members: list[TaggedMember] = []
        for tag, of in shape.classes.items():
            annotation = next(one for one in classes if RESOLVER.shape(one, Place(self._where)) is of)
            field = of.by_wire.get(shape.attribute) if shape.is_declared else None
            name = shape.attribute if field is None else field.name
            members.append(TaggedMember(name, tag, of.cls, self.translate(annotation), is_declared=shape.is_declared))
        return Annotated[Any, TaggedUnion(tuple(members))]

    # ── classes ──

    def _class(self, annotation: Any, kind: type[Any]) -> Any:
        if is_entity(kind) or is_document(kind) or not hasattr(kind, PYDANTIC_HOOK):
            if has_fields(kind) and not hasattr(kind, "__pydantic_validator__"):
                return self._with_members(annotation, kind)
            if is_typeddict(kind):
                return stand_in(annotation, kind.__name__, self._typed_dict(annotation))
            if issubclass(kind, tuple) and hasattr(kind, "_fields"):
                return self._formed(annotation, {"type": "array", "items": {}, "title": kind.__name__})
            shape = shape_of(annotation, self._where)
            if isinstance(shape, Scalar):
                return self._scalar(shape, kind)
        return annotation

    def _with_members(self, annotation: Any, kind: type[Any]) -> Any:
        if annotation is kind and (is_entity(kind) or is_document(kind)):
            return kind  # whose own method is called

        def schema(ref: str, handler: GetCoreSchemaHandler) -> CoreSchema:
            return self._class_schema(annotation, ref, handler)

        return stand_in(annotation, kind.__name__, schema)

    def _typed_dict(self, annotation: Any) -> Callable[[str, GetCoreSchemaHandler], CoreSchema]:
        def schema(ref: str, handler: GetCoreSchemaHandler) -> CoreSchema:
            fields = {
                name: core_schema.typed_dict_field(
                    handler.generate_schema(self.translate(member.type)), required=member.is_required
                )
                for name, member in named_members(annotation).items()
            }
            return core_schema.typed_dict_schema(fields, cls_name=type_name(annotation), ref=ref)

        return schema

    def _scalar(self, shape: Scalar, kind: type[Any]) -> Any:
        if kind in CHECKED:
            form = FORMS.form(kind, self._where)
            # Pydantic writes 365 days as a year, P1Y.
            write = (PlainSerializer(form.write, return_type=DURATION, when_used="json"),) if kind is timedelta else ()
            digits = (Digits(),) if kind in NUMBERS else ()
            return Annotated[(kind, Checked(form.read), *digits, *write)]
        if value_type(shape) is bytes:
            schema = {"enum": self._listed(kind)} if issubclass(kind, Enum) else {}
            return self._formed(kind, {"type": "string", "contentEncoding": "base64", **schema})
        if issubclass(kind, Enum):
            if value_type(shape) in {str, int}:
                return kind
            return self._formed(kind, {"enum": self._listed(kind), "title": kind.__name__})
        base = next((plain for plain in PLAIN if issubclass(kind, plain)), None)
        if base is None or base is kind:
            return kind
        return Annotated[base, AfterValidator(kind)]


def _in_order(value: Any, write: Callable[[Any], Any]) -> list[Any]:
    return in_order(write(value))


def _of(kind: Any, arguments: Any) -> Any:
    """Return a generic type with its arguments, which are made at run time."""
    return kind[arguments]


def _union_of(members: Iterable[Any]) -> Any:
    return Union[tuple(members)]  # noqa: UP007  (their number is not known here)
