"""Annotations: from a class body, strings included, to types.

A name that does not exist yet when the class is made (a class further down, the class itself) is looked up again when
the schema is first asked for.
"""

from __future__ import annotations

import ast
import sys
from collections import ChainMap
from collections.abc import Iterator, Mapping
from types import FrameType, SimpleNamespace, UnionType
from typing import Annotated, Any, ForwardRef, Literal, NewType, Union, get_args, get_origin, get_type_hints

from attrs import define, field

from mizzle_async.errors import ModelError

if sys.version_info >= (3, 14):
    import annotationlib


class RecursiveAlias:
    """An alias that contains itself, in the spelling from before Python 3.12.

    Attributes:
        __name__: The text of the reference that it stands for.
        __value__: The type that it stands for.
        __type_params__: It has no type variables.
    """

    __type_params__: tuple[Any, ...] = ()

    def __init__(self, name: str) -> None:
        self.__name__: str = name
        self.__value__: Any = None

    def __repr__(self) -> str:
        return self.__name__

    def __or__(self, other: Any) -> Any:
        return Union[self, other]  # noqa: UP007  (it is no class)

    def __call__(self) -> None:
        """Do nothing: `typing` takes only callable objects for types."""


def is_alias(annotation: Any) -> bool:
    """Whether an annotation is an alias of ``type X = …``, or one that contains itself."""
    return isinstance(annotation, RecursiveAlias) or type(annotation).__name__ == "TypeAliasType"


@define(eq=False, repr=False)
class Namespace:
    """Where the names in a class's annotations are looked up: the class body, the functions around it, its module.

    Attributes:
        cls: The class.
    """

    cls: type[Any]
    _frames: list[FrameType] = field(factory=list, repr=False)
    _aliases: dict[str, RecursiveAlias] = field(factory=dict, init=False)

    @classmethod
    def of(cls, model: type[Any], frame: FrameType | None) -> Namespace:
        """Return the namespace of a class that is being decorated.

        Args:
            model: The class.
            frame: Of the code that decorates it.
        """
        frames: list[FrameType] = []
        # A local class sees the functions around its definition, and those are the callers whose names begin its own.
        while frame is not None and model.__qualname__.startswith(f"{frame.f_code.co_qualname}."):
            frames.append(frame)
            frame = frame.f_back
        return cls(model, frames)

    def names(self) -> Mapping[str, Any]:
        """Return the names that are visible beside those of the module."""
        model = self.cls
        nested = {name: value for name, value in vars(model).items() if isinstance(value, type)}
        own = {model.__name__: model}
        return ChainMap(nested, *(dict(frame.f_locals) for frame in self._frames), own)

    def forget_frames(self) -> None:
        """Drop the functions around the class, once every name is resolved."""
        self._frames.clear()

    def resolve(self, annotation: Any) -> Any:
        """Return the type that an annotation names.

        Raises:
            NameError: If a name in it does not exist (yet).
        """
        module = sys.modules.get(self.cls.__module__)
        holder = SimpleNamespace(__annotations__={"it": annotation})
        hints = get_type_hints(
            holder, vars(module) if module is not None else {}, dict(self.names()), include_extras=True
        )
        return self._tied(hints["it"])

    def _tied(self, annotation: Any) -> Any:
        """Return a type whose aliases that contain themselves are objects: Python leaves their names unresolved."""
        if isinstance(annotation, ForwardRef):
            name = annotation.__forward_arg__
            alias = self._aliases.get(name)
            if alias is None:
                alias = self._aliases[name] = RecursiveAlias(name)
                alias.__value__ = self.resolve(name)
            return alias
        arguments = get_args(annotation)
        if not arguments or is_literal(annotation):
            return annotation
        tied: tuple[Any, ...] = tuple(self._tied(argument) for argument in arguments)
        if all(one is other for one, other in zip(tied, arguments, strict=True)):
            return annotation
        if is_union(annotation):
            return Union[tied]  # noqa: UP007  (their number is not known here)
        if get_origin(annotation) is Annotated:
            return Annotated[next(iter(tied)), *annotation.__metadata__]
        only = next(iter(tied))
        return get_origin(annotation)[tied if len(tied) > 1 else only]

    def resolve_outer(self, annotation: str) -> Any:
        """Return the type before the bracket of an annotation: ``Attribute`` of ``Attribute[Later]``.

        Raises:
            NameError: If that name does not exist.
        """
        expression = ast.parse(annotation.strip(), mode="eval").body
        if isinstance(expression, ast.Subscript):
            expression = expression.value
        return self.resolve(ast.unparse(expression))


def annotating_class(cls: type[Any], name: str) -> type[Any]:
    """Return the class, itself or a base, whose body annotates an attribute: that is where its names are looked up."""
    return next((base for base in cls.__mro__ if name in own_annotations(base)), cls)


def own_annotations(cls: type[Any]) -> Mapping[str, Any]:
    """Return the annotations of a class body, without those of its bases.

    Since Python 3.14 a class has none until they are asked for. A name that does not exist yet stays a reference.
    """
    if sys.version_info >= (3, 14):
        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    annotations: Mapping[str, Any] = vars(cls).get("__annotations__", {})
    return annotations


def is_literal(annotation: Any) -> bool:
    """Whether an annotation is a ``Literal``."""
    return get_origin(annotation) is Literal


def is_union(annotation: Any) -> bool:
    """Whether an annotation is a union."""
    return get_origin(annotation) in {Union, UnionType}


def plain_type(annotation: Any) -> Any:
    """Return a type without ``Annotated`` and ``NewType`` around it."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif is_alias(annotation):
            annotation = annotation.__value__
        else:
            return annotation


def union_members(annotation: Any) -> Iterator[Any]:
    """Yield the members of a union, nested ones too, or the type itself where it is none."""
    plain = plain_type(annotation)
    if is_union(plain):
        for member in get_args(plain):
            yield from union_members(member)
    else:
        yield plain


def admits_none(annotation: Any) -> bool:
    """Whether None is a value of the type."""
    return any(member is None or member is type(None) for member in union_members(annotation))


def without_none(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a type that are not None."""
    return tuple(member for member in union_members(annotation) if member is not None and member is not type(None))


def type_name(annotation: Any) -> str:
    """Return a type as it is written, without modules."""
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if annotation is type(None):
        return "None"
    if is_union(annotation):
        return " | ".join(map(type_name, arguments))
    if origin is Annotated:
        return type_name(arguments[0])
    if is_literal(annotation):
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin is not None:
        return f"{type_name(origin)}[{', '.join('...' if one is ... else type_name(one) for one in arguments)}]"
    return getattr(annotation, "__name__", None) or str(annotation)


def unresolved(cls: type[Any], name: str, error: NameError) -> ModelError:
    """Return the error for an annotation whose names do not exist."""
    return ModelError(
        f"{cls.__name__}.{name}: its annotation cannot be resolved: {error}. Import or define the name where the class "
        "is defined, outside `if TYPE_CHECKING:`"
    )
