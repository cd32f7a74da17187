"""The attributes of a class that is stored as a map, and the types that its type variables stand for."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, NotRequired, Protocol, Required, TypeVar, get_args, get_origin

from attrs import frozen

from mizzle_async.model import AttributeSchema, document_schema_of, is_document, is_entity
from mizzle_async.model.annotations import Namespace, annotating_class, own_annotations, unresolved
from mizzle_async.model.foreign import fields_of
from mizzle_async.values import Record


def class_members(cls: type[Any]) -> tuple[tuple[AttributeSchema, ...], bool]:
    """Return the attributes of a class, and whether an undeclared one is an error.

    Raises:
        ModelError: An annotation cannot be resolved.
    """
    if is_document(cls) or is_entity(cls):
        schema = document_schema_of(cls)
        return schema.attributes, schema.unknown == "raise"
    return tuple(_member(cls, field.name, field.type, field.default) for field in fields_of(cls)), False


QUALIFIERS: Final[Mapping[Any, Callable[[bool], bool]]] = {
    getattr(typing, "ReadOnly", Required): lambda required: required,  # since Python 3.13
    Required: lambda _required: True,
    NotRequired: lambda _required: False,
}
"""Qualifiers of a ``TypedDict``'s keys, each with its say about whether the key is required."""


@frozen(eq=False, repr=False)
class NamedMember(Record):
    """One key of a ``TypedDict``, or one member of a ``NamedTuple``.

    Attributes:
        type: Its resolved type.
        is_required: Whether every dict has the key.
    """

    type: Any
    is_required: bool


def named_members(annotation: Any) -> dict[str, NamedMember]:
    """Return the keys of a ``TypedDict``, or the members of a ``NamedTuple``, by name.

    Raises:
        ModelError: If an annotation cannot be resolved.
    """
    cls: Any = get_origin(annotation) or annotation
    arguments = type_arguments(annotation)
    names = getattr(cls, "_fields", None) or cls.__annotations__
    required = getattr(cls, "__required_keys__", frozenset(names))
    members: dict[str, NamedMember] = {}
    for name in names:
        declaring = annotating_class(cls, name)
        written = own_annotations(declaring).get(name, Any)
        try:
            resolved = Namespace(declaring).resolve(written)
        except NameError as error:
            raise unresolved(cls, name, error) from None
        is_required = name in required
        while get_origin(resolved) in QUALIFIERS:
            # Python does not see the first two in annotations that are text.
            is_required = QUALIFIERS[get_origin(resolved)](is_required)
            resolved = get_args(resolved)[0]
        members[name] = NamedMember(substitute(resolved, arguments), is_required)
    return members


def _member(cls: type[Any], name: str, annotation: Any, default: Any) -> AttributeSchema:
    try:
        resolved = Any if annotation is None else Namespace(annotating_class(cls, name)).resolve(annotation)
    except NameError as error:
        raise unresolved(cls, name, error) from None
    return AttributeSchema(name, name, resolved, default=default)


def type_arguments(annotation: Any) -> dict[Any, Any]:
    """Return the types of the type variables of a class and of its bases, where they are given."""
    cls = get_origin(annotation) or annotation
    known: dict[Any, Any] = dict(zip(getattr(cls, "__parameters__", ()), get_args(annotation), strict=False))
    for base in vars(cls).get("__orig_bases__", cls.__bases__):
        if get_origin(base) in {Generic, Protocol} or base is object or not isinstance(get_origin(base) or base, type):
            continue
        known = type_arguments(substitute(base, known)) | known
    return known


def substitute(annotation: Any, arguments: Mapping[Any, Any]) -> Any:
    """Return a type with its type variables replaced."""
    if isinstance(annotation, TypeVar):
        return arguments.get(annotation, annotation)
    parameters = getattr(annotation, "__parameters__", ())
    if not parameters or (get_origin(annotation) is None and isinstance(annotation, type)):
        return annotation
    return annotation[tuple(arguments.get(parameter, parameter) for parameter in parameters)]
