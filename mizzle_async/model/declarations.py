"""Declarations: the attributes of a class as they were written.

A declaration becomes an `AttributeSchema` as soon as its annotation can be resolved.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Annotated, Any, Final, get_args, get_origin

import attrs
from attrs import NOTHING, define

from mizzle_async.errors import ModelError
from mizzle_async.model.annotations import Namespace, admits_none, is_union, type_name, unresolved, without_none
from mizzle_async.model.attributes import METADATA_KEY, NO_OPTIONS, Attribute, AttributeOptions, PartitionKey, SortKey
from mizzle_async.model.defaults import check_default_type
from mizzle_async.model.foreign import ForeignField
from mizzle_async.model.key_types import check_key_type
from mizzle_async.model.roles import TimeToLive
from mizzle_async.model.schema import AttributeSchema, KeyRole

ROLE_OF_ANNOTATION: Final[dict[Any, KeyRole | None]] = {Attribute: None, PartitionKey: "partition", SortKey: "sort"}
KEY_WORDS: Final[dict[KeyRole, str]] = {"partition": "partition key", "sort": "sort key"}


@define(eq=False, repr=False)
class Declaration:
    """One attribute as it was written.

    Attributes:
        where: Class and attribute, for messages.
        field: Its name in Python.
        options: The arguments of ``attribute()``.
        default: Its default, an ``attrs.Factory``, or ``attrs.NOTHING``.
        key: Which key it is.
        annotation: Its annotation, or its resolved type.
        namespace: Where the annotation's names are looked up.
        is_resolved: Whether ``annotation`` is the type, ``Attribute[…]`` taken off.
    """

    where: str
    field: str
    options: AttributeOptions
    default: Any
    key: KeyRole | None
    annotation: Any
    namespace: Namespace
    is_resolved: bool

    @property
    def datetime_format(self) -> Any:
        """How its datetimes are stored, as declared."""
        return self.options.datetime_format

    @property
    def name(self) -> str:
        """Its name in the table."""
        return self.field if self.options.name is None else self.options.name

    def resolve(self) -> None:
        """Resolve the annotation, if that is still to be done.

        Raises:
            NameError: If a name in it does not exist yet.
        """
        if not self.is_resolved:
            self.annotation = get_args(self.namespace.resolve(self.annotation))[0]
            self.is_resolved = True

    def schema(self) -> AttributeSchema:
        """Return the attribute's schema.

        Raises:
            ModelError: If its type does not fit its role, or cannot be resolved.
        """
        try:
            self.resolve()
        except NameError as error:
            raise unresolved(self.namespace.cls, self.field, error) from None
        try:
            return self._checked()
        except RecursionError:
            raise ModelError(
                f"{self.where}: an alias in its annotation contains itself outside of a list or a dict"
            ) from None

    def _checked(self) -> AttributeSchema:
        annotation, options = self.annotation, self.options
        role = next(iter(options.roles), None)
        optional = admits_none(annotation)
        schema = AttributeSchema(
            field=self.field,
            name=self.name,
            type=annotation,
            key=self.key,
            default=self.default,
            required=self.default is NOTHING and not optional and not _is_set(annotation),
            optional=optional,
            datetime_format="epoch" if isinstance(role, TimeToLive) else options.datetime_format,
            role=role,
            shards=options.shards,
            key_only=options.key_only,
            encode=options.encode,
            decode=options.decode,
            stored_as=options.stored_as,
            null_as_default=options.null_as_default,
            immutable=options.immutable,
            description=options.description,
            examples=options.examples,
        )
        self._check_type(schema)
        if not options.is_converted:
            check_default_type(self.where, annotation, self.default)
        return schema

    def _check_type(self, schema: AttributeSchema) -> None:
        options, annotation = self.options, schema.storage_type
        name = type_name(annotation)
        if self.key is not None:
            check_key_type(self.where, annotation, KEY_WORDS[self.key])
        for role in options.roles:
            role.check(attrs.evolve(self, annotation=annotation))
        if options.null_as_default and (schema.optional or (self.default is NOTHING and not _is_set(annotation))):
            raise ModelError(
                f"{self.where}: null_as_default= reads a stored NULL as the default: give it one, and a type without "
                "None"
            )
        if options.datetime_format is not None and not _mentions_datetime(annotation):
            raise ModelError(f"{self.where}: datetime_format is for datetimes, and {name} has none")


def declare(model: type[Any], attribute: attrs.Attribute[Any], namespace: Namespace) -> Declaration:
    """Return the declaration of an attribute that a class's own body annotates.

    Raises:
        ModelError: If it is not annotated as an attribute.
    """
    where = f"{model.__name__}.{attribute.name}"
    annotation: Any = attribute.type
    is_resolved = True
    try:
        annotation = namespace.resolve(annotation)
        outer = get_origin(annotation) or annotation
    except NameError as error:
        is_resolved = False
        outer = _outer(annotation, namespace, unresolved(model, attribute.name, error))
    role = ROLE_OF_ANNOTATION.get(outer, ...) if _is_hashable(outer) else ...
    if role is ...:
        name = type_name(annotation)
        inside = _without_roles(annotation)
        constant = f", or ClassVar[{name}] for a constant" if inside == name else ""
        raise ModelError(f"{where} is annotated {name}: write Attribute[{inside}]{constant}")
    if is_resolved:
        if not get_args(annotation):
            raise ModelError(f"{where}: write the attribute's type in brackets, such as {outer.__name__}[str]")
        annotation = get_args(annotation)[0]
    return _declaration(where, attribute, role, annotation, namespace, is_resolved=is_resolved)


def declare_plain(
    model: type[Any], attribute: attrs.Attribute[Any] | ForeignField, namespace: Namespace, key: KeyRole | None = None
) -> Declaration:
    """Return the declaration of an attribute that a foreign class annotates with its type alone.

    Raises:
        ModelError: If its annotation is missing or cannot be resolved.
    """
    where = f"{model.__name__}.{attribute.name}"
    annotation: Any = Any if attribute.type is None else attribute.type
    try:
        annotation = namespace.resolve(annotation)
    except NameError as error:
        raise unresolved(model, attribute.name, error) from None
    return _declaration(where, attribute, key, annotation, namespace, is_resolved=True)


def _declaration(
    where: str,
    attribute: attrs.Attribute[Any] | ForeignField,
    key: KeyRole | None,
    annotation: Any,
    namespace: Namespace,
    *,
    is_resolved: bool,
) -> Declaration:
    options: AttributeOptions = attribute.metadata.get(METADATA_KEY, NO_OPTIONS)
    return Declaration(
        where=where,
        field=attribute.name,
        options=options,
        default=attribute.default,
        key=key,
        annotation=annotation,
        namespace=namespace,
        is_resolved=is_resolved,
    )


def _without_roles(annotation: Any) -> str:
    """Return a type as it is written, without ``Attribute[…]`` around a member of it."""
    arguments = get_args(annotation)
    if get_origin(annotation) in ROLE_OF_ANNOTATION and arguments:
        return type_name(arguments[0])
    if get_origin(annotation) is Annotated:
        return _without_roles(arguments[0])
    return " | ".join(map(_without_roles, arguments)) if is_union(annotation) else type_name(annotation)


def _outer(annotation: Any, namespace: Namespace, failure: ModelError) -> Any:
    """Return the type before the bracket of an annotation that cannot be resolved as a whole."""
    if not isinstance(annotation, str):
        return get_origin(annotation)
    try:
        return namespace.resolve_outer(annotation)
    except NameError:
        raise failure from None


def _is_hashable(value: Any) -> bool:
    return getattr(type(value), "__hash__", None) is not None


def _is_set(annotation: Any) -> bool:
    members = without_none(annotation)
    kind = get_origin(members[0]) or members[0] if len(members) == 1 else None
    return isinstance(kind, type) and issubclass(kind, AbstractSet)


def _mentions_datetime(annotation: Any) -> bool:
    if any(isinstance(member, type) and issubclass(member, datetime) for member in without_none(annotation)):
        return True
    return any(map(_mentions_datetime, get_args(annotation)))
