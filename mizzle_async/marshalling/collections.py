"""Codecs of collections: items of several entities of one shared table, each told by its type or its key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from attrs import field, frozen

from mizzle_async.errors import MarshallingError, ModelError
from mizzle_async.expressions import AttributePath, Facet
from mizzle_async.marshalling.codec import EntityCodec
from mizzle_async.marshalling.entities import key_identifier, keys_identifier, known_key
from mizzle_async.marshalling.path_rules import PathRules
from mizzle_async.marshalling.path_values import Operands
from mizzle_async.marshalling.shards import Sharding
from mizzle_async.marshalling.shared_items import SharedItems
from mizzle_async.model import AttributeSchema, EntitySchema, SharedTable
from mizzle_async.types import AttributeValue, Item


@frozen(eq=False, repr=False, slots=False)
class CollectionSchema(EntitySchema):
    """The common part of the entities of a collection.

    Attributes:
        members: The schemas of its entities, in the order in which the caller named them.
        named: Those that the caller named themselves, not by a base class or the table.
        shared_table: Their table.
    """

    members: tuple[EntitySchema, ...] = field(kw_only=True)
    named: tuple[EntitySchema, ...] = field(kw_only=True)
    shared_table: SharedTable = field(kw_only=True)

    @cached_property
    def owner(self) -> Any:
        """The owner of paths of no entity in particular: the table."""
        return self.shared_table

    def owns(self, owner: Any) -> bool:
        """Return whether paths are about one of the entities, or about the table."""
        return owner is self.shared_table or any(member.owns(owner) for member in self.members)

    @cached_property
    def time_to_live(self) -> AttributeSchema | None:
        """The attribute at which items of the table expire."""
        return next((each.time_to_live for each in self.members if each.time_to_live is not None), None)

    @cached_property
    def unique(self) -> tuple[AttributeSchema, ...]:
        """The unique attributes of the entities, whose guards lie in the table."""
        return tuple(attribute for each in self.members for attribute in each.unique)


class CollectionCodec(EntityCodec[Any]):
    """Turns items of several entities into their instances.

    Args:
        schema: The collection's.
        codecs: The codecs of its entities, in their order.
        refuses_foreign: Whether a foreign item is an error, instead of being left out.
    """

    __slots__ = ("_by_class", "_by_type", "_refuses_foreign", "members")

    def __init__(self, schema: CollectionSchema, codecs: Sequence[EntityCodec[Any]], *, refuses_foreign: bool) -> None:
        self.schema: EntitySchema = schema
        self.members: Final[tuple[EntityCodec[Any], ...]] = tuple(codecs)
        self._refuses_foreign = refuses_foreign
        self._by_class = {codec.schema.cls: codec for codec in codecs}
        self._by_type = {name: codec for codec in codecs for name in _type_names(codec)}
        self.sharding: Sharding | None = None
        self.shared: SharedItems | None = None
        self._records = None
        self._row_records = None
        self._shape = None
        self.hooked: frozenset[str] = frozenset()
        self.rules: PathRules = codecs[0].rules
        self._operands = Operands({})
        self.decode: Callable[[Item], Any] = self._decode_member
        self.encode_new: Callable[[Any], Item] = lambda instance: self.codec_of(instance).encode_new(instance)
        self.encode: Callable[[Any], Item] = self.encode_new
        self.key_of: Callable[[Any], Item] = lambda instance: self.codec_of(instance).key_of(instance)
        self.identify: Callable[[Item], Hashable] = key_identifier(schema)
        self._identify_items = keys_identifier(schema, self.identify)

    def member_of(self, item: Mapping[str, Any]) -> EntityCodec[Any] | None:
        """Return the codec of the entity that an item belongs to, None for a foreign item."""
        table: SharedTable = self.schema.shared_table  # type: ignore[attr-defined]  # a CollectionSchema
        stored = None if table.type_attribute is None else item.get(table.type_attribute)
        if stored is not None:
            return self._by_type.get(stored.get("S"))
        keys = table.recognise(item)
        return None if keys is None else self._by_class.get(keys.cls)

    def codec_of(self, instance: object) -> EntityCodec[Any]:
        """Return the codec of an instance.

        Raises:
            ModelError: It is of none of the entities.
        """
        codec = self._by_class.get(type(instance))
        if codec is None:
            names = ", ".join(member.schema.entity for member in self.members)
            raise ModelError(f"{type(instance).__name__} is not in this collection of {names}")
        return codec

    @property
    def foreign(self) -> Callable[[Item], bool] | None:
        """A function that says which items are left out. None where a foreign item is an error."""
        return None if self._refuses_foreign else lambda item: self.member_of(item) is None

    def decode_all(self, items: Iterable[Any]) -> list[Any]:
        """Return the instances of many items, and None for None."""
        decode = self._decode_member
        return [None if item is None else decode(item) for item in items]

    def encode_operand(self, value: Any, path: AttributePath[Any, Any] | None, facet: Facet) -> AttributeValue | None:
        """Return a value as the entity of a path stores it."""
        owner = None if path is None else path.owner
        for codec in self.members:
            if owner is codec.schema.owner or codec.schema.owns(owner):
                return codec.encode_operand(value, path, facet)
        return self.members[0].encode_operand(value, None, facet)

    def _decode_member(self, item: Item, _target: Any = None) -> Any:
        codec = self.member_of(item)
        if codec is None:
            raise MarshallingError(
                f"{self.schema.entity}: expected an item of one of these entities, found a foreign one",
                key=known_key(self.schema, item),
            )
        return codec.decode(item)


def _type_names(codec: EntityCodec[Any]) -> tuple[str, ...]:
    return () if codec.schema.shared is None else codec.schema.shared.type_names


def collection_schema(
    table: SharedTable, members: Sequence[EntitySchema], named: Iterable[type[Any]]
) -> CollectionSchema:
    """Return the schema of a collection.

    Args:
        table: The table.
        members: The schemas of its entities.
        named: What the caller named: entities, base classes, or the table.

    Raises:
        ModelError: There is none, or they are of different tables.
    """
    if not members:
        raise ModelError(f"table {table.name!r} has no entities: import the modules that define them first")
    names = " | ".join(member.entity for member in members)
    for member in members:
        if member.shared is None or member.shared.table is not table:
            raise ModelError(f"collection of {names}: {member.entity} is not in table {table.name!r}")
    first = members[0]
    return CollectionSchema(
        object,
        names,
        (),
        table=table.name,
        partition_key=first.partition_key,
        sort_key=first.sort_key,
        members=tuple(members),
        named=tuple(member for member in members if member.cls in named),
        shared_table=table,
    )
