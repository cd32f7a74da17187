r"""From a type to how it is stored.

*Normal form* is the value after it was stored and read: storing that again changes nothing.

| Python | stored as | normal form |
| --- | --- | --- |
| ``str`` | ``S`` | the text, half of a surrogate pair is refused |
| ``bytes`` ``bytearray`` ``memoryview`` | ``B`` | ``bytes`` |
| ``bool`` | ``BOOL`` | itself: no number is a bool, and no bool a number |
| ``int`` ``Decimal`` | ``N`` | the number, exactly: ``Decimal("1.10")`` is ``Decimal("1.1")``, ``-0`` is ``0`` |
| ``float`` | ``N`` | itself, ``-0.0`` as ``0.0``: a stored number is read as the nearest ``float`` |
| ``int \| float`` ``int \| Decimal`` | ``N`` | whole numbers are ``int`` |
| ``datetime`` | ``S`` or ``N`` | the same point in time in UTC, to the microsecond, as time to live to the second |
| ``date`` ``UUID`` | ``S`` | itself |
| ``time`` | ``S`` | itself, to the microsecond: one with a time zone is refused |
| ``IPv4Address`` ``IPv6Address`` ``ZoneInfo`` ``Path`` | ``S`` | itself: their texts have no order |
| ``timedelta`` | ``N`` | itself: seconds, with a fraction |
| ``Enum`` ``Literal`` | as their values | the member, the value |
| ``Status \| str`` (an Enum of text) | ``S`` | a member where the Enum lists the text, else the text |
| ``set`` ``frozenset`` | ``SS`` ``NS`` ``BS`` | itself: empty it is absent, inside a list or a dict an empty ``L`` |
| ``list[X]`` ``Sequence[X]`` ``tuple[X, ...]`` ``tuple[X, Y]`` | ``L`` | a ``list``, a ``tuple`` |
| ``NamedTuple`` | ``L`` | itself: trailing members with a default may be missing |
| ``TypedDict`` | ``M`` | a ``dict`` of the declared keys |
| ``dict[str, X]`` ``Mapping[str, X]`` | ``M`` | a ``dict``, whose keys may be numbers, Enums, dates too, as text |
| attrs classes, dataclasses, structs, Pydantic's models, ``@document`` | ``M`` | an equal instance |
| a union of such classes | ``M`` | itself: ``_type`` names its class, unless all declare a ``Literal`` for that |
| ``X \\| None`` | ``X`` | ``None`` is absent, inside a list or a map ``NULL`` |
| ``Any`` ``object`` ``dict`` | by value | whole numbers are ``int``, others ``Decimal``, tuples and empty sets lists |
| an alias that contains itself | as its value | its value |
| types with hooks of the user's | by value | the result of the hooks |
"""

from __future__ import annotations

import collections.abc
import types
from collections.abc import Callable, Hashable, Mapping
from enum import Enum
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, is_typeddict

from attrs import evolve

from mizzle_async.errors import ModelError
from mizzle_async.marshalling.derived import derived, name_shape
from mizzle_async.marshalling.places import Place, check_roles, unmappable, unwrap, written
from mizzle_async.marshalling.shapes.aliases import AliasShape
from mizzle_async.marshalling.shapes.choices import enum_shape, literal_kind, literal_shape
from mizzle_async.marshalling.shapes.construct import Construction, refusal_to_be_called
from mizzle_async.marshalling.shapes.containers import ListShape, MapShape, TupleShape
from mizzle_async.marshalling.shapes.fields import Field
from mizzle_async.marshalling.shapes.float_lists import list_shape
from mizzle_async.marshalling.shapes.generated_classes import ClassShape
from mizzle_async.marshalling.shapes.hooks import HookSource, UserHooks
from mizzle_async.marshalling.shapes.members import (
    class_members,
    named_members,
    substitute,
    type_arguments,
)
from mizzle_async.marshalling.shapes.named import DictMember, NamedTupleShape, TypedDictShape
from mizzle_async.marshalling.shapes.open_values import AnyShape, HookShape, OptionalShape
from mizzle_async.marshalling.shapes.scalars import PLAIN, STR, Scalar, scalar_for
from mizzle_async.marshalling.shapes.sets import ELEMENT_TAGS, OpenSetShape, ScalarSetShape, SetShape
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.marshalling.shapes.unions import unite
from mizzle_async.model import AttributeSchema, is_document
from mizzle_async.model.annotations import is_alias, type_name, without_none
from mizzle_async.model.foreign import fields_of, has_fields

NONES: Final = frozenset({None, type(None)})
UNTYPED: Final = frozenset({Any, object})
_SETS: Final[Mapping[Any, Any]] = {
    set: set,
    collections.abc.MutableSet: set,
    frozenset: frozenset,
    collections.abc.Set: frozenset,
}
_LISTS: Final[Mapping[Any, tuple[type, ...]]] = {
    list: (list,),
    collections.abc.MutableSequence: (list,),
    collections.abc.Sequence: (list, tuple),
    collections.abc.Collection: (list, tuple),
}
_MAPS: Final = frozenset({dict, collections.abc.Mapping, collections.abc.MutableMapping})


class Resolver:
    """Finds out how types are stored, each class once.

    Attributes:
        hooks: The user's.
    """

    __slots__ = ("_aliases", "_classes", "_dicts", "hooks")

    def __init__(self, hooks: HookSource) -> None:
        self.hooks: Final[HookSource] = hooks
        self._aliases: dict[Any, AliasShape] = {}
        self._dicts: dict[Any, TypedDictShape] = {}
        self._classes: dict[Any, ClassShape] = {}

    def attribute(self, schema: AttributeSchema, where: str) -> Shape:
        """Return how the values of an attribute are stored.

        Raises:
            ModelError: Its type cannot be mapped.
        """
        shape = self.shape(schema.storage_type, Place(where, schema.storage_format))
        if schema.encode is None:
            return shape
        hooks = UserHooks(schema.encode, schema.decode)
        optional = isinstance(shape, OptionalShape)
        inner = shape.inner if isinstance(shape, OptionalShape) else shape
        python = " | ".join(type_name(member) for member in without_none(schema.type))
        encoded = HookShape(python, None, hooks, None, of=inner)
        return OptionalShape(encoded) if optional else encoded

    def shape(self, annotation: Any, place: Place) -> Shape:
        """Return how values of a type are stored.

        Args:
            annotation: The type, resolved.
            place: Where it stands.

        Raises:
            ModelError: If it cannot be mapped, with the type to write.
        """
        hooks = self.hooks.find(annotation) if isinstance(annotation, Hashable) else None
        if not hooks:
            return self._ours(annotation, place)
        ours: Shape | None = None
        if hooks.structure is None or hooks.unstructure is None:
            missing = "structure" if hooks.structure is None else "unstructure"
            try:
                ours = self._ours(annotation, place)
            except ModelError as error:
                raise ModelError(f"{error.message}; or register the {missing} hook beside the other one") from None
        return HookShape(type_name(annotation), annotation, hooks, ours)

    def _ours(self, annotation: Any, place: Place) -> Shape:
        name = type_name(annotation)
        if annotation in UNTYPED:
            return AnyShape()
        if isinstance(annotation, TypeVar):
            return self.shape(Any if annotation.__bound__ is None else annotation.__bound__, place)
        unwrapped = unwrap(annotation)
        if is_alias(get_origin(annotation) or annotation):
            return self._alias(annotation, unwrapped, place)
        if unwrapped is not annotation:
            return self.shape(unwrapped, place)
        return self._constructed(annotation, place) or self._class(annotation, name, place)

    def _constructed(self, annotation: Any, place: Place) -> Shape | None:
        """Return how a type with type arguments is stored, None for a class."""
        kind, arguments = get_origin(annotation) or annotation, get_args(annotation)
        shape: Shape | None = None
        if kind in {Union, types.UnionType}:
            shape = self._union(arguments, place)
        elif kind is Literal:
            shape = self._literal(arguments, type_name(annotation), place)
        elif kind in _SETS:
            shape = self._set(kind, arguments, place)
        elif kind in _LISTS:
            element = self.shape(arguments[0] if arguments else Any, place)
            shape = list_shape(written(kind, element), list, _LISTS[kind], element)
        elif kind is tuple:
            shape = self._tuple(annotation, arguments, place)
        elif kind in _MAPS:
            shape = self._map(kind, arguments, place)
        return shape

    # ── collections ──

    def _set(self, kind: Any, arguments: tuple[Any, ...], place: Place) -> SetShape:
        element = self.shape(arguments[0] if arguments else Any, place)
        if isinstance(element, AnyShape | HookShape):
            return OpenSetShape(written(kind, element), _SETS[kind], element)
        if isinstance(element, Scalar) and element.tag in ELEMENT_TAGS:
            return ScalarSetShape(written(kind, element), _SETS[kind], element)
        raise ModelError(
            f"{place.where}: a set holds text, numbers or bytes, not {element.python}: write list[{element.python}]"
        )

    def _tuple(self, annotation: Any, arguments: tuple[Any, ...], place: Place) -> Shape:
        if not arguments and annotation != tuple[()]:
            return ListShape("tuple", tuple, (tuple,), AnyShape())
        if len(arguments) == 2 and arguments[1] is ...:  # noqa: PLR2004  (tuple[X, ...])
            element = self.shape(arguments[0], place)
            return list_shape(f"tuple[{element.python}, ...]", tuple, (tuple,), element)
        elements = tuple(self.shape(argument, place) for argument in arguments)
        return TupleShape(written(tuple, *elements), elements)

    def _map(self, kind: Any, arguments: tuple[Any, ...], place: Place) -> MapShape:
        key_type, value_type = arguments or (str, Any)
        key = STR if key_type in UNTYPED else name_shape(self.shape(key_type, Place(place.where)))
        if key is None:
            raise ModelError(
                f"{place.where}: the names of a map are text, and {type_name(key_type)} has no text of its own: write "
                "dict[str, …]"
            )
        value = self.shape(value_type, place)
        return MapShape(written(kind, key, value), key, value)

    # ── choices ──

    def _union(self, arguments: tuple[Any, ...], place: Place) -> Shape:
        given = [argument for argument in arguments if argument not in NONES]
        optional = len(given) < len(arguments)
        if optional and len(given) > 1:
            # The user's hooks may be for the union without None.
            rest = self.shape(Union[tuple(given)], place)  # noqa: UP007  (their number is not known here)
            return rest if isinstance(rest, OptionalShape) else OptionalShape(rest)
        members = [self.shape(argument, place) for argument in given]
        inner = [member.inner if isinstance(member, OptionalShape) else member for member in members]
        optional = optional or any(isinstance(member, OptionalShape) for member in members)
        united = unite(inner, " | ".join(member.python for member in inner), place.where)
        return OptionalShape(united) if optional else united

    def _literal(self, values: tuple[Any, ...], name: str, place: Place) -> Shape:
        given = tuple(value for value in values if value is not None)
        groups: dict[type, list[Any]] = {}
        for value in given:
            groups.setdefault(literal_kind(value), []).append(value)
        shapes = [literal_shape(tuple(group), kind, name) for kind, group in groups.items()]
        known: list[Shape] = [shape for shape in shapes if shape is not None]
        if not known or len(known) < len(shapes):
            raise unmappable(name, place)
        united = unite(known, name, place.where)
        return OptionalShape(united) if len(given) < len(values) else united

    # ── classes ──

    def _class(self, annotation: Any, name: str, place: Place) -> Shape:
        kind: Any = get_origin(annotation) or annotation
        if not isinstance(kind, type):
            raise unmappable(name, place)
        scalar = scalar_for(kind, place.datetime_format)
        if scalar is not None:
            return scalar
        if issubclass(kind, Enum):
            enum = enum_shape(kind)
            if enum is None:
                raise ModelError(
                    f"{place.where}: the values of {name} must be all text, all numbers of one type or all bytes, as "
                    "DynamoDB can store them; or register hooks for it on the converter"
                )
            return enum
        if has_fields(kind):
            return self.class_shape(annotation)
        if is_typeddict(kind):
            return self._typed_dict(annotation, place)
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            members = named_members(annotation)
            return NamedTupleShape(kind, tuple(self.shape(each.type, place) for each in members.values()))
        plain = next((scalar for base, scalar in PLAIN.items() if issubclass(kind, base)), None)
        if plain is not None:
            return derived(kind, plain)
        raise unmappable(name, place)

    def _typed_dict(self, annotation: Any, place: Place) -> TypedDictShape:
        known = self._dicts.get((annotation, place.datetime_format))
        if known is not None:
            return known
        kind: Any = get_origin(annotation) or annotation
        shape = self._dicts[annotation, place.datetime_format] = TypedDictShape(kind.__name__)
        try:
            members = named_members(annotation)
            shape.define(
                {
                    name: DictMember(self.shape(member.type, place), member.is_required)
                    for name, member in members.items()
                }
            )
        except BaseException:
            self._dicts.clear()
            raise
        return shape

    def _alias(self, annotation: Any, value: Any, place: Place) -> Shape:
        """Return how an alias is stored. Where it contains itself, that is looked up for each value."""
        key = (annotation, place.datetime_format)
        known = self._aliases.get(key)
        if known is not None:
            known.is_used = True
            return known
        alias = self._aliases[key] = AliasShape(type_name(annotation), place.where)
        try:
            real = self.shape(value, place)
        finally:
            del self._aliases[key]
        alias.define(real)
        return real

    def class_shape(self, annotation: Any) -> ClassShape:
        """Return how a class with attributes is stored.

        Args:
            annotation: The class, or a generic one with its arguments.

        Raises:
            ModelError: One of its attributes cannot be mapped.
        """
        if annotation in self._classes:
            return self._classes[annotation]
        cls = get_origin(annotation) or annotation
        self._classes[annotation] = shape = ClassShape(cls)
        try:
            members, refuses_unknown = class_members(cls)
            if is_document(cls):
                check_roles(cls, members)
            self.define(shape, members, arguments=type_arguments(annotation), refuses_unknown=refuses_unknown)
        except BaseException:
            # A shape that was not finished would store nothing; others may contain it already.
            self._classes.clear()
            raise
        return shape

    def define(
        self,
        shape: ClassShape,
        members: tuple[AttributeSchema, ...],
        *,
        arguments: Mapping[Any, Any],
        refuses_unknown: bool,
        refine: Callable[[AttributeSchema, Shape], Shape] | None = None,
    ) -> None:
        """Define the attributes of a class.

        Args:
            shape: The class's.
            members: Its attributes.
            arguments: The types of its type variables.
            refuses_unknown: Whether a stored attribute that it does not declare is an error.
            refine: Changes how an attribute is stored, for its use.
        """
        called = shape.construction is Construction.CALL
        refusal = refusal_to_be_called(shape.cls, shape.aliases.values()) if called else None
        if refusal is not None:
            raise ModelError(
                f"{shape.cls.__name__} could be written, but never read: it cannot be made of its attributes, its "
                f"__init__ says: {refusal}. Give it one that can, or register its hooks on Client(converter=…)"
            )
        converters = {each.name: each.converter for each in fields_of(shape.cls)}
        fields: list[Field] = []
        for member in members:
            if member.field not in shape.aliases:
                continue  # __init__ makes it up from the others: it is not stored
            resolved = evolve(member, type=substitute(member.type, arguments))
            inner = self.attribute(resolved, f"{shape.cls.__name__}.{member.field}")
            inner = refine(member, inner) if refine is not None else inner
            optional = isinstance(inner, OptionalShape)
            inner = inner.inner if isinstance(inner, OptionalShape) else inner
            converter = converters.get(member.field)
            fields.append(
                Field(
                    member.field,
                    member.name,
                    inner,
                    optional=optional,
                    default=member.default,
                    converter=converter,
                    null_as_default=member.null_as_default,
                )
            )
        shape.define(tuple(fields), refuses_unknown=refuses_unknown)
