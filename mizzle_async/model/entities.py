"""The decorators that make entities and documents, and the typed ``evolve`` and ``asdict``.

A decorated class is a keyword-only attrs class whose instances have a ``__dict__``. On the class its attributes give
paths.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Collection
from types import FrameType
from typing import Any, ClassVar, Final, TypeVar, dataclass_transform, get_origin, overload

import attrs
from attrs import define

from mizzle_async.errors import ModelError
from mizzle_async.model.annotations import Namespace, annotating_class, own_annotations
from mizzle_async.model.attributes import METADATA_KEY, AttributeDescriptor, attribute
from mizzle_async.model.declarations import Declaration, declare, declare_plain
from mizzle_async.model.foreign import as_dict, replace
from mizzle_async.model.schema import (
    SCHEMA_ATTRIBUTE,
    AttributeSchema,
    DocumentSchema,
    EntitySchema,
    UnknownAttributes,
    path_class,
)
from mizzle_async.model.seams import (
    DATACLASS_MEMBERS,
    PYDANTIC_HOOK,
    DataclassMember,
    get_pydantic_core_schema,
)
from mizzle_async.model.shared.entities import (
    SharedDeclaration,
    check_shared,
    declare_shared,
    shared_keys,
    stored_keys,
)
from mizzle_async.model.shared.tables import SharedTable
from mizzle_async.model.stream_views import StreamView, is_view, view_advice
from mizzle_async.model.structure import check_key_names, check_keys, check_names, check_no_keys, check_options

ModelT = TypeVar("ModelT")


class DeclaredClass:
    """The record that a decorated class keeps: its declarations, and its schema once their types are known.

    Attributes:
        cls: The class.
        table: Its table; None for a document.
        shared: How it was put into a shared table, if it was.
        stream: The view of its table's stream; None where it does not say.
        unknown: Whether reading ignores attributes that are not declared, or raises.
        declarations: By name in Python, inherited ones first.
    """

    __slots__ = ("_schema", "cls", "declarations", "shared", "stream", "table", "unknown")

    def __init__(
        self,
        cls: type[Any],
        table: str | None,
        unknown: UnknownAttributes,
        declarations: dict[str, Declaration],
        shared: SharedDeclaration | None = None,
        *,
        stream: StreamView | None = None,
    ) -> None:
        self.shared: SharedDeclaration | None = shared
        self.stream: StreamView | None = stream
        self.cls: type[Any] = cls
        self.table: str | None = table
        self.unknown: UnknownAttributes = unknown
        self.declarations: dict[str, Declaration] = declarations
        self._schema: DocumentSchema | None = None

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """Leave the schema out: where a class travels by value, it is made anew once the class is whole again."""
        return None, {name: None if name == "_schema" else getattr(self, name) for name in self.__slots__}

    def is_resolvable(self) -> bool:
        """Whether every annotation can be resolved now."""
        try:
            for declaration in self.declarations.values():
                declaration.resolve()
        except NameError:
            return False
        return True

    def schema(self) -> DocumentSchema:
        """Return the schema, made at the first call that finds every type.

        Raises:
            ModelError: If a type does not fit its role, or an annotation cannot be resolved.
        """
        if self._schema is None:
            attributes = tuple(declaration.schema() for declaration in self.declarations.values())
            name = self.cls.__name__
            if self.table is None:
                self._schema = DocumentSchema(self.cls, name, attributes, unknown=self.unknown)
            elif self.shared is not None:
                self._schema = self._shared_schema(self.shared, attributes)
            else:
                keys = {attribute.key: attribute for attribute in attributes if attribute.key is not None}
                self._schema = EntitySchema(
                    self.cls,
                    name,
                    attributes,
                    unknown=self.unknown,
                    table=self.table,
                    partition_key=keys["partition"],
                    sort_key=keys.get("sort"),
                    stream=self.stream,
                )
            for declaration in self.declarations.values():
                declaration.namespace.forget_frames()
        return self._schema

    def _shared_schema(self, declared: SharedDeclaration, attributes: tuple[AttributeSchema, ...]) -> EntitySchema:
        keys, parted = shared_keys(self.cls, declared, attributes)
        partition_key, *sort_key = stored_keys(declared.table)
        declared.table.register(keys)
        return EntitySchema(
            self.cls,
            self.cls.__name__,
            parted,
            unknown=self.unknown,
            table=declared.table.name,
            partition_key=partition_key,
            sort_key=next(iter(sort_key), None),
            shared=keys,
            stream=declared.table.stream,
        )


@overload
def entity(
    table: str, *, frozen: bool = False, unknown: UnknownAttributes = "ignore", stream: StreamView | None = None
) -> Callable[[type[ModelT]], type[ModelT]]: ...
@overload
def entity(
    table: SharedTable,
    *,
    partition_key: str | None = None,
    sort_key: str | None = None,
    type_name: str | tuple[str, ...] | None = None,
    frozen: bool = False,
    unknown: UnknownAttributes = "ignore",
) -> Callable[[type[ModelT]], type[ModelT]]: ...
@dataclass_transform(kw_only_default=True, field_specifiers=(attribute,))
def entity(
    table: str | SharedTable,
    *,
    partition_key: str | None = None,
    sort_key: str | None = None,
    type_name: str | tuple[str, ...] | None = None,
    frozen: bool = False,
    unknown: UnknownAttributes = "ignore",
    stream: StreamView | None = None,
) -> Callable[[type[ModelT]], type[ModelT]]:
    """Make a class the type of a table's items: a keyword-only attrs class whose attributes give paths.

    Args:
        table: The DynamoDB table's name, or the `SharedTable` of several entities;
            ``Client(table_prefix=…, table_names=…)`` adapts it to a deployment.
        partition_key: For a shared table: the format of the partition key, ``"CUSTOMER#{customer_id}"``. Without it the
            class has the keys of the entity that it inherits from.
        sort_key: For a shared table that has one: the format of the sort key.
        type_name: For a shared table: the entity's name in the type attribute, instead of the class's name. Of a tuple
            the first is written, and all are read.
        frozen: Whether instances are immutable, and hashable where their values are.
        unknown: Whether reading ignores stored attributes that the class does not declare, or raises: ``"ignore"``,
            ``"raise"``.
        stream: The view of the table's stream, which `Client.ensure_tables` switches on: ``"new_and_old_images"``,
            ``"new_image"``, ``"old_image"``, ``"keys_only"``. None leaves it as it is. A shared table says it itself.

    Raises:
        ModelError: If the class's structure is wrong: keys, names, roles, defaults, or formats of keys.
    """
    given: Any = table
    if isinstance(given, str) and given:
        if (partition_key, sort_key, type_name) != (None, None, None):
            raise ModelError(
                f"@entity({table!r}): partition_key=, sort_key= and type_name= are for a SharedTable: "
                "annotate the keys of a table of one entity with PartitionKey and SortKey"
            )
    elif not isinstance(given, SharedTable):
        raise ModelError(
            '@entity takes the table\'s name: write `@entity("orders")` above the class, or give it a SharedTable'
        )
    if unknown not in {"ignore", "raise"}:
        raise ModelError(f'@entity({table!r}): unknown= is "ignore" or "raise"')
    if stream is not None and isinstance(given, SharedTable):
        raise ModelError(
            f"@entity({table!r}): the stream is the table's, of all its entities: write"
            f" SharedTable({given.name!r}, …, stream={stream!r})"
        )
    if stream is not None and not is_view(stream):
        raise ModelError(f"@entity({table!r}): {view_advice('stream=', stream)}")

    def decorate(cls: type[ModelT]) -> type[ModelT]:
        frame = sys._getframe(1)  # noqa: SLF001  (as attrs and typing do)
        if isinstance(table, SharedTable):
            shared = declare_shared(cls, table, partition_key, sort_key, type_name)
            built: type[ModelT] = _build(cls, table.name, unknown, frame, frozen=frozen, shared=shared)
        else:
            built = _build(cls, table, unknown, frame, frozen=frozen, stream=stream)
        return built

    return decorate


@overload
def document(cls: type[ModelT], /) -> type[ModelT]: ...
@overload
def document(
    *, frozen: bool = False, unknown: UnknownAttributes = "ignore"
) -> Callable[[type[ModelT]], type[ModelT]]: ...
@dataclass_transform(kw_only_default=True, field_specifiers=(attribute,))
def document(cls: type[Any] | None = None, /, *, frozen: bool = False, unknown: UnknownAttributes = "ignore") -> Any:
    """Make a class that is stored as a map inside items, or that entities inherit attributes from.

    Args:
        cls: The class, where the decorator is written without parentheses.
        frozen: Whether instances are immutable.
        unknown: Whether reading ignores stored members that the class does not declare, or raises.

    Raises:
        ModelError: If the class's structure is wrong: names, roles, defaults.
    """
    if unknown not in {"ignore", "raise"}:
        raise ModelError('@document: unknown= is "ignore" or "raise"')
    if cls is not None:
        return _build(cls, None, unknown, sys._getframe(1), frozen=frozen)  # noqa: SLF001  (as attrs does)

    def decorate(cls: type[Any]) -> Any:
        return _build(cls, None, unknown, sys._getframe(1), frozen=frozen)  # noqa: SLF001  (as attrs does)

    return decorate


def evolve(instance: ModelT, /, **changes: Any) -> ModelT:
    """Return a copy of an instance with some attributes changed.

    Args:
        instance: An instance of an entity, a document or another class with attributes, which is not changed.
        **changes: New values by name in Python.

    Raises:
        TypeError: If it is no such instance, or has no such attribute.
    """
    evolved: ModelT = replace(instance, changes)
    return evolved


def asdict(instance: Any, /) -> dict[str, Any]:
    """Return an instance as a dict by names in Python, nested instances as dicts too.

    Args:
        instance: An instance of an entity, a document or another class with attributes.

    Raises:
        TypeError: If it is no such instance.
    """
    return as_dict(instance)


def _build(
    cls: Any,
    table: str | None,
    unknown: UnknownAttributes,
    frame: FrameType,
    *,
    frozen: bool,
    shared: SharedDeclaration | None = None,
    stream: StreamView | None = None,
) -> Any:
    if not isinstance(cls, type):
        raise ModelError(f"@entity and @document decorate classes, not {type(cls).__name__}")
    if SCHEMA_ATTRIBUTE in vars(cls):
        raise ModelError(f"{cls.__name__} is decorated twice: keep one of @entity and @document")
    _check_body(cls)
    try:
        define(slots=False, auto_attribs=True, kw_only=True, frozen=frozen, field_transformer=_name_arguments)(cls)
    except attrs.exceptions.UnannotatedAttributeError:
        raise ModelError(
            f"{cls.__name__} has an attribute() without an annotation: write `name: Attribute[…] = attribute(…)`"
        ) from None
    declarations = _declarations(cls, Namespace.of(cls, frame))
    name = cls.__name__
    check_names(name, declarations.values())
    check_options(name, declarations.values())
    if table is None:
        check_no_keys(declarations.values())
    elif shared is not None:
        check_key_names(declarations.values())
        check_shared(name, shared, declarations)
    else:
        check_keys(name, declarations.values())
    source = DeclaredClass(cls, table, unknown, declarations, shared, stream=stream)
    setattr(cls, SCHEMA_ATTRIBUTE, source)
    if not hasattr(cls, PYDANTIC_HOOK):
        setattr(cls, PYDANTIC_HOOK, classmethod(get_pydantic_core_schema))
    for member in DATACLASS_MEMBERS:
        setattr(cls, member, DataclassMember(member))
    for declaration in declarations.values():
        kind = path_class(declaration.key)
        path = kind(cls, (declaration.name,), labels=(declaration.field,))
        setattr(cls, declaration.field, AttributeDescriptor(cls, path))
    if source.is_resolvable():
        source.schema()
    return cls


def _name_arguments(cls: type[Any], attributes: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Name constructor arguments as their attributes, underscores included, as type checkers expect."""
    del cls
    return [attribute.evolve(alias=attribute.name) for attribute in attributes]


_AttrsField: Any = type(attrs.field())


def _check_body(cls: type[Any]) -> None:
    """Check that the class has no slots, and no field specifiers of attrs or dataclasses.

    Raises:
        ModelError: If it has, with the way to write it.
    """
    name = cls.__name__
    if not cls.__dictoffset__:
        raise ModelError(
            f"{name} has __slots__, but its instances must have a __dict__: take __slots__, or another decorator such "
            "as @attrs.define, off; @entity and @document make the attrs class themselves"
        )
    for field_name, value in vars(cls).items():
        is_foreign = isinstance(value, _AttrsField) and METADATA_KEY not in value.metadata
        if is_foreign or isinstance(value, dataclasses.Field):
            raise ModelError(f"{name}.{field_name}: describe it by mizzle_async's own `attribute(…)`")
    if "self" in own_annotations(cls):
        raise ModelError(f'{name}.self: call it otherwise, and name it in the table by `attribute(name="self")`')


def _declarations(cls: type[Any], namespace: Namespace) -> dict[str, Declaration]:
    inherited: dict[str, Declaration] = {}
    for base in reversed(cls.__mro__[1:]):
        source = vars(base).get(SCHEMA_ATTRIBUTE)
        if isinstance(source, DeclaredClass):
            inherited.update(source.declarations)
    declarations: dict[str, Declaration] = {}
    for found in attrs.fields(cls):
        if not found.inherited:
            declarations[found.name] = declare(cls, found, namespace)
        elif found.name in inherited:
            declarations[found.name] = inherited[found.name]
        else:
            declarations[found.name] = declare_plain(cls, found, Namespace(annotating_class(cls, found.name)))
    for base in cls.__mro__[1:]:
        if SCHEMA_ATTRIBUTE not in vars(base):
            _refuse_undecorated(cls, base, declarations)
    return declarations


def _refuse_undecorated(cls: type[Any], base: type[Any], declared: Collection[str]) -> None:
    """Refuse a base class whose attributes would silently not be stored.

    Args:
        cls: The class.
        base: One that it inherits from, and that is not decorated.
        declared: The attributes that the class has.
    """
    if attrs.has(base) or base.__module__ in {"typing", "builtins", "abc"} or getattr(base, "_is_protocol", False):
        return
    kind = "a dataclass" if "__dataclass_fields__" in vars(base) else "not decorated"
    for name, annotation in own_annotations(base).items():
        is_constant = (
            annotation.lstrip().startswith(CONSTANTS) if isinstance(annotation, str) else _is_constant(annotation)
        )
        if name not in declared and not is_constant:
            raise ModelError(
                f"{cls.__name__} inherits {name} from {base.__name__}, which is {kind}, so it would not be stored: put "
                "@document on it, and write Attribute[…] for its attributes"
            )


CONSTANTS: Final = ("ClassVar", "typing.ClassVar", "t.ClassVar", "Final", "typing.Final")


def _is_constant(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.lstrip().startswith(CONSTANTS)
    return annotation in {ClassVar, Final} or get_origin(annotation) in {ClassVar, Final}
