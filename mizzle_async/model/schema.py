"""Schemas: the items of a class, described by frozen values.

The rooms above read these and never the classes' annotations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, Literal, Optional, Protocol, TypeAlias, get_origin

from attrs import NOTHING, Factory, field, frozen

from mizzle_async.errors import ExpressionError, ModelError
from mizzle_async.expressions import AttributePath, PartitionKeyPath, SortKeyPath
from mizzle_async.model.foreign import has_fields
from mizzle_async.model.roles import CreatedAt, Role, TimeToLive, Unique, UpdatedAt, Version
from mizzle_async.model.scalars import DatetimeFormat
from mizzle_async.model.shared.tables import SharedKeys
from mizzle_async.model.stream_views import StreamView
from mizzle_async.values import Record, Value

UnknownAttributes: TypeAlias = Literal["ignore", "raise"]
"""Whether reading ignores stored attributes that the class does not declare, or raises."""

KeyRole: TypeAlias = Literal["partition", "sort"]

SCHEMA_ATTRIBUTE = "__mizzle_schema__"
"""The attribute of a decorated class that keeps the source of its schema."""


@frozen(eq=False, repr=False)
class AttributeSchema(Value):
    """One attribute of an entity or a document.

    Attributes:
        field: Its name in Python.
        name: Its name in the table.
        type: Its resolved type, ``Attribute[…]`` taken off.
        key: Which key of the table it is, if one.
        default: Its default, an ``attrs.Factory``, or ``attrs.NOTHING``.
        required: Whether an item must have it: no default, no ``None``, no set, which an empty one would leave out.
        optional: Whether its type admits ``None``.
        datetime_format: How its datetimes are stored, None for ``"iso"``.
        role: The library's own part in it, None for none.
        shards: Over how many partitions the partition key is spread.
        part: Which key of a shared table it is a part of, if one.
        key_only: Whether it is stored in that key alone.
        encode: Makes the stored value of a value, None where it is stored by its type.
        decode: Makes a value of the stored value.
        stored_as: The type of the results of ``encode``, None where each decides.
        null_as_default: Whether a stored NULL is read as the default.
        immutable: Whether no write may change it.
        description: Its meaning, for JSON schemas.
        examples: Values, for JSON schemas.
    """

    field: str
    name: str
    type: Any
    key: KeyRole | None = None
    default: Any = Factory(lambda: NOTHING)
    required: bool = True
    optional: bool = False
    datetime_format: DatetimeFormat | None = None
    role: Role | None = None
    shards: int | None = None
    part: KeyRole | None = None
    key_only: bool = False
    encode: Callable[[Any], Any] | None = None
    decode: Callable[[Any], Any] | None = None
    stored_as: Any = None
    null_as_default: bool = False
    immutable: bool = False
    description: str | None = None
    examples: tuple[Any, ...] = ()

    @property
    def storage_type(self) -> Any:
        """The type that decides how it is stored: its own, unless it is encoded in a way of its own."""
        if self.encode is None:
            return self.type
        stored_as = Any if self.stored_as is None else self.stored_as
        return Optional[stored_as] if self.optional else stored_as  # noqa: UP045  (it may be no class)

    @property
    def is_automatic(self) -> bool:
        """Whether the library sets it, as it does the version and the two timestamps."""
        return self.role is not None and self.role.is_automatic

    @property
    def storage_format(self) -> Any:
        """How its datetimes are stored: as its role says, or else as declared."""
        return self.datetime_format if self.role is None or not self.role.storage_format else self.role.storage_format


@frozen(eq=False, repr=False, slots=False)  # cached properties cost slotted classes a search each
class DocumentSchema(Record):
    """A class that is stored as a map.

    Attributes:
        cls: The class.
        entity: Its name in messages.
        attributes: In the order of definition, inherited ones first.
        unknown: Whether reading ignores attributes that are not declared, or raises.
    """

    cls: type[Any]
    entity: str
    attributes: tuple[AttributeSchema, ...]
    unknown: UnknownAttributes = field(default="ignore", kw_only=True)

    @cached_property
    def by_field(self) -> Mapping[str, AttributeSchema]:
        """The attributes by their names in Python."""
        return {attribute.field: attribute for attribute in self.attributes}

    @cached_property
    def by_name(self) -> Mapping[str, AttributeSchema]:
        """The attributes by their names in the table."""
        return {attribute.name: attribute for attribute in self.attributes}


@frozen(eq=False, repr=False, slots=False)
class EntitySchema(DocumentSchema):
    """The items of a table: a decorated class, a class mapped from outside, or plain dicts.

    Attributes:
        table: The table's name, before any prefix or replacement.
        partition_key: The partition key's attribute.
        sort_key: The sort key's attribute, if the table has one.
        shared: How the items are kept in a table that several entities share, where they are. Then partition key and
            sort key are the stored texts, which are no attributes of the class.
        stream: The view of the stream that its table shall have, or None where the class does not say.
    """

    table: str = field(kw_only=True)
    partition_key: AttributeSchema = field(kw_only=True)
    sort_key: AttributeSchema | None = field(default=None, kw_only=True)
    shared: SharedKeys | None = field(default=None, kw_only=True)
    stream: StreamView | None = field(default=None, kw_only=True)

    @cached_property
    def stored_keys(self) -> tuple[AttributeSchema, ...]:
        """The keys as the table has them, partition key first."""
        return (self.partition_key,) if self.sort_key is None else (self.partition_key, self.sort_key)

    @cached_property
    def key_attributes(self) -> tuple[AttributeSchema, ...]:
        """The attributes that make the key, those of the partition key first."""
        if self.shared is not None:
            return tuple(self.by_field[name] for name in self.shared.fields)
        return self.stored_keys

    @cached_property
    def key_names(self) -> tuple[str, ...]:
        """The stored names of the table's keys, partition key first."""
        return tuple(attribute.name for attribute in self.stored_keys)

    @cached_property
    def role_attributes(self) -> tuple[tuple[Role, AttributeSchema], ...]:
        """Each role with its attribute, in the order in which they write: by the roles' names."""
        found = [(attribute.role, attribute) for attribute in self.attributes if attribute.role is not None]
        return tuple(sorted(found, key=lambda pair: pair[0].keyword))

    @cached_property
    def version(self) -> AttributeSchema | None:
        """The attribute that counts the writes."""
        return next(self._with_role(Version), None)

    @cached_property
    def time_to_live(self) -> AttributeSchema | None:
        """The attribute at which an item expires."""
        return next(self._with_role(TimeToLive), None)

    @cached_property
    def created_at(self) -> AttributeSchema | None:
        """The attribute that is set when an item is made."""
        return next(self._with_role(CreatedAt), None)

    @cached_property
    def updated_at(self) -> AttributeSchema | None:
        """The attribute that every write sets."""
        return next(self._with_role(UpdatedAt), None)

    @cached_property
    def unique(self) -> tuple[AttributeSchema, ...]:
        """The attributes whose values no two items may share."""
        return tuple(self._with_role(Unique))

    def _with_role(self, role: type[Role]) -> Iterator[AttributeSchema]:
        return (attribute for attribute in self.attributes if isinstance(attribute.role, role))

    @cached_property
    def immutable(self) -> tuple[AttributeSchema, ...]:
        """The attributes that keep their first value."""
        return tuple(attribute for attribute in self.attributes if attribute.immutable)

    @cached_property
    def has_rules(self) -> bool:
        """Whether an attribute has a role or is immutable, so that not every clause may write it."""
        return bool(self.role_attributes or self.immutable)

    @cached_property
    def required_fields(self) -> tuple[str, ...]:
        """The attributes that an upsert must give, by names in Python: required, no key, not set by the library."""
        return tuple(
            attribute.field
            for attribute in self.attributes
            if attribute.required and not attribute.key and not attribute.part and not attribute.is_automatic
        )

    @cached_property
    def automatic_names(self) -> frozenset[str]:
        """The stored names of the attributes that the library sets."""
        return frozenset(attribute.name for attribute in self.attributes if attribute.is_automatic)

    @cached_property
    def is_open(self) -> bool:
        """Whether items are plain dicts, with any attributes."""
        return self.cls is dict

    @cached_property
    def owner(self) -> Any:
        """Whose the paths are: the class, or for plain dicts this schema."""
        return self if self.is_open else self.cls

    def owns(self, owner: Any) -> bool:
        """Whether paths of ``owner`` are about these items: of the class itself, or of one it inherits from."""
        if owner is self.owner or (self.shared is not None and owner is self.shared.table):
            return True
        if isinstance(owner, type):
            return not self.is_open and issubclass(self.cls, owner)
        return (
            isinstance(owner, EntitySchema)
            and owner.is_open
            and self.is_open
            and (owner.table, owner.key_names) == (self.table, self.key_names)
        )

    def path(self, name: str, /) -> AttributePath[Any, Any]:
        """Return an attribute's path.

        Args:
            name: Its name in Python, or else its stored name. For plain dicts any stored name.

        Raises:
            ExpressionError: If the class has no such attribute.
        """
        path = self._paths.get(name)
        if path is not None:
            return path
        if self.is_open:
            return AttributePath(self.owner, (name,))
        raise ExpressionError(f"{self.entity} has no attribute {name!r}; it has {', '.join(self.by_field)}")

    @cached_property
    def _paths(self) -> dict[str, AttributePath[Any, Any]]:
        """The paths of the declared attributes, by name in Python, or else by stored name."""
        paths: dict[str, AttributePath[Any, Any]] = {}
        for attribute in self.attributes:
            kind = path_class(attribute.key or attribute.part)
            paths[attribute.field] = kind(self.owner, (attribute.name,), labels=(attribute.field,))
        return {**{name: paths[attribute.field] for name, attribute in self.by_name.items()}, **paths}

    @cached_property
    def partition_key_path(self) -> PartitionKeyPath[Any, Any]:
        """The path of the partition key."""
        attribute = self.partition_key
        return PartitionKeyPath(self.owner, (attribute.name,), labels=(attribute.field,))

    @property
    def sort_key_path(self) -> SortKeyPath[Any, Any]:
        """The path of the sort key.

        Raises:
            ExpressionError: If the table has none.
        """
        attribute = self.sort_key
        if attribute is None:
            raise ExpressionError(f"{self.entity} has no sort key: its key is {self.partition_key.field} alone")
        return SortKeyPath(self.owner, (attribute.name,), labels=(attribute.field,))

    def __reduce_ex__(self, protocol: Any, /) -> Any:
        """Pickle the schema of a decorated class by its class, so that identity survives, and others by value."""
        if SCHEMA_ATTRIBUTE in vars(self.cls) and schema_of(self.cls) is self:
            return schema_of, (self.cls,)
        members = {
            "unknown": self.unknown,
            "table": self.table,
            "partition_key": self.partition_key,
            "sort_key": self.sort_key,
        }
        return _restore, (self.cls, self.entity, self.attributes, members)


def _restore(
    cls: type[Any], entity: str, attributes: tuple[AttributeSchema, ...], members: dict[str, Any]
) -> EntitySchema:
    return EntitySchema(cls, entity, attributes, **members)


class SchemaSource(Protocol):
    """The record that a decorated class keeps: it makes the schema once every annotation can be resolved."""

    def schema(self) -> DocumentSchema:
        """Return the schema, or raise a `ModelError` that says why there is none."""
        ...


def path_class(key: KeyRole | None) -> type[AttributePath[Any, Any]]:
    """Return the kind of path that an attribute of this role has."""
    if key == "partition":
        return PartitionKeyPath
    return SortKeyPath if key == "sort" else AttributePath


def schema_of(cls: type[Any]) -> EntitySchema:
    """Return the schema of an entity class.

    Raises:
        ModelError: If it is not one, or an annotation cannot be resolved.
    """
    schema = _declared(cls)
    if isinstance(schema, EntitySchema):
        return schema
    if schema is not None:
        raise ModelError(
            f"{cls.__name__} is a document: it is stored inside items. Decorate it with @entity to give it a table"
        )
    raise _undecorated(cls, "entity")


def document_schema_of(cls: type[Any]) -> DocumentSchema:
    """Return the schema of a document class, or of an entity, which can be nested too.

    Raises:
        ModelError: If it is neither, or an annotation cannot be resolved.
    """
    schema = _declared(cls)
    if schema is None:
        raise _undecorated(cls, "document")
    return schema


def is_entity(cls: Any) -> bool:
    """Whether a class is decorated with ``@entity`` itself, not just one it inherits from."""
    return isinstance(cls, type) and getattr(vars(cls).get(SCHEMA_ATTRIBUTE), "table", None) is not None


def is_document(cls: Any) -> bool:
    """Whether a class is decorated with ``@document`` itself."""
    return isinstance(cls, type) and SCHEMA_ATTRIBUTE in vars(cls) and not is_entity(cls)


def _declared(cls: Any) -> DocumentSchema | None:
    source: SchemaSource | None = vars(cls).get(SCHEMA_ATTRIBUTE) if isinstance(cls, type) else None
    schema = None if source is None else source.schema()
    if schema is not None and schema.cls is not cls:
        raise ModelError(
            f"{cls.__name__} was made anew by a decorator above @entity or @document, like @attrs.define: take it off"
        )
    return schema


def _undecorated(cls: Any, kind: Literal["entity", "document"]) -> ModelError:
    decorator = '@entity("table-name")' if kind == "entity" else "@document"
    name = getattr(cls, "__name__", repr(cls))
    if isinstance(get_origin(cls), type):
        return ModelError(
            f"{cls} has no schema of its own: inherit from it, `class Special({name}[…])`, with {decorator} above"
        )
    if not isinstance(cls, type):
        what = name if isinstance(cls, str) else f"an instance of {type(cls).__name__}"  # whose repr may show values
        return ModelError(f"{what} is not a class: give the class that is decorated with {decorator}")
    base = next((base for base in cls.__mro__[1:] if SCHEMA_ATTRIBUTE in vars(base)), None)
    if base is not None:
        return ModelError(f"{name} inherits from {base.__name__} but is not decorated itself: put {decorator} on it")
    hint = ', or map it from outside: client.table(cls, name="…", partition_key="…")' if has_fields(cls) else ""
    return ModelError(f"{name} is no {kind}: decorate it with {decorator}{hint}")
