"""The key of one item, typed, hashable and picklable, and the ways in which verbs accept one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Final, Generic, TypeAlias, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import Condition, PartitionKeyCondition, SortKeyCondition
from mizzle_async.marshalling import EntityCodec, canonical_key
from mizzle_async.model import EntitySchema
from mizzle_async.types import Item

ModelT = TypeVar("ModelT")
ModelT_co = TypeVar("ModelT_co", covariant=True)


class _Missing(Enum):
    """A type of its own for "no argument", because None may be a mistake that must be named."""

    MISSING = "missing"


MISSING: Final = _Missing.MISSING
Missing = _Missing


class Key(Generic[ModelT_co]):
    """The key of an item of one entity, from ``table.key(…)``.

    Two keys are equal when DynamoDB would find the same item: ``1``, ``1.0`` and ``1e0`` are one number. Its repr ends
    in logs, so it shows no values: `item` has them.
    """

    # A hundred are made for one request: a frozen attrs class is made in twice the time.
    __match_args__ = ("entity", "item")
    __slots__ = ("_entity", "_item")

    def __init__(self, entity: type[ModelT_co] | str, item: Item) -> None:
        self._entity = entity
        self._item = item

    @property
    def entity(self) -> type[ModelT_co] | str:
        """The entity's class, or the name of a table without one."""
        return self._entity

    @property
    def item(self) -> Item:
        """The key attributes in DynamoDB's JSON."""
        return self._item

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Key):
            return NotImplemented
        theirs: Key[Any] = other
        return self.entity == theirs.entity and canonical_key(self.item) == canonical_key(theirs.item)

    def __hash__(self) -> int:
        return hash((self.entity, canonical_key(self.item)))

    def __repr__(self) -> str:
        return f"<Key of {_entity_name(self.entity)} by {', '.join(self.item)}: its values are in .item>"


KeyScalar: TypeAlias = (
    str
    | bytes
    | int
    | float
    | Decimal
    | date
    | time
    | timedelta
    | UUID
    | IPv4Address
    | IPv6Address
    | ZoneInfo
    | Path
    | Enum
)
"""The one value of a key of one attribute, for type checkers: the registered scalar types that can be keys."""

KeyLike: TypeAlias = Key[ModelT] | ModelT | KeyScalar | Missing
"""A key of many: one from `Table.key`, an instance, or the value of a key of one attribute."""

KeyPart: TypeAlias = PartitionKeyCondition[ModelT] | SortKeyCondition[ModelT]
"""An equality of one attribute of a key, ``Order.customer_id == "c1"``."""

OneKey: TypeAlias = PartitionKeyCondition[ModelT] | KeyLike[ModelT]
"""The first argument of a verb that is about one item: a key, or the equality of its first attribute."""


def entity_identity(schema: EntitySchema) -> type[Any] | str:
    """Return the entity that its keys carry: the class, or the name where there is no class."""
    return schema.entity if schema.cls is dict else schema.cls


def key_attributes(schema: EntitySchema, conditions: Sequence[Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a key by name in Python, from equalities.

    Args:
        schema: The entity's.
        conditions: The equalities.
        attributes: Attributes that the caller gave by name too, which is an error.

    Raises:
        ExpressionError: One is no equality of a key attribute of the table, is of another entity, or is given twice.
    """
    if attributes:
        raise ExpressionError(f"{schema.entity}: give the key by conditions, or by name, not both")
    values: dict[str, Any] = {}
    for condition in conditions:
        path: Any = getattr(condition, "left", None)
        if not isinstance(condition, PartitionKeyCondition | SortKeyCondition) or condition.index is not None:
            shown = str(condition) if isinstance(condition, Condition) else type(condition).__name__
            raise ExpressionError(f"{schema.entity}: a key is given by ==, attribute by attribute, not by {shown}")
        if condition.operator != "=":
            raise ExpressionError(
                f"{schema.entity}: {condition} is a range, and a key is one value: use ==, or .query()"
            )
        if not schema.owns(path.owner) or not path.labels:
            raise ExpressionError(f"{schema.entity}: {condition} is about another entity")
        name = str(path.labels[0])
        if name in values:
            raise ExpressionError(f"{schema.entity}: {name} is given twice")
        values[name] = condition.arguments[0]
    return values


def resolve_key(codec: EntityCodec[Any], key: object, attributes: Mapping[str, Any], more: Sequence[Any] = ()) -> Item:
    """Return the key in DynamoDB's JSON, from any form that a verb accepts.

    Args:
        codec: The entity's.
        key: A `Key`, an instance, the one value of a key of one attribute, an equality, or `MISSING`.
        attributes: The key attributes by name, where ``key`` is missing.
        more: Further equalities, where ``key`` is one.

    Raises:
        ExpressionError: Both forms at once, a key of another entity, or one value for a key of two attributes.
        MarshallingError: A value that does not fit its key attribute.
    """
    if key is MISSING:
        return codec.encode_key(attributes)
    schema = codec.schema
    if more and not any(isinstance(each, Condition) for each in (key, *more)):
        names = ", ".join(f"{attribute.field}=…" for attribute in schema.key_attributes)
        hint = f"give the key by name, ({names})" if len(schema.key_attributes) > 1 else "give one key"
        raise ExpressionError(f"{schema.entity}: a key is one value: {hint}; several keys go to .get_many()")
    if more or isinstance(key, Condition):
        return codec.encode_key(key_attributes(schema, (key, *more), attributes))
    if attributes:
        if not any(attribute.field in attributes for attribute in schema.key_attributes):
            raise ExpressionError(
                f"{schema.entity}: {', '.join(attributes)} is neither a part of the key nor an option of this verb"
            )
        raise ExpressionError(
            f"{schema.entity}: the key was given twice, as an argument and by name ({', '.join(attributes)}): give one"
            " of them"
        )
    if isinstance(key, Key):
        identity = entity_identity(schema)
        if key.entity != identity:
            raise ExpressionError(f"{schema.entity}: this is a key of {_entity_name(key.entity)}")
        return dict(key.item)
    if isinstance(key, schema.cls):
        return codec.key_of(key)
    fields = [attribute.field for attribute in schema.key_attributes]
    if len(fields) != 1:
        names = ", ".join(f"{field}=…" for field in fields)
        count = {2: "two"}.get(len(fields), str(len(fields)))
        raise ExpressionError(
            f"{schema.entity} has a key of {count} attributes: write {names}, or give an instance or a key from"
            f" `.key({names})`, not one {type(key).__name__}"
        )
    return codec.encode_key({fields[0]: key})


def _entity_name(entity: type[Any] | str) -> str:
    return entity if isinstance(entity, str) else entity.__name__
