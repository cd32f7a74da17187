"""Attributes that the library maintains: ``created_at``, ``updated_at``, and the version of optimistic locking.

Their values are fixed when an operation is built.
"""

from __future__ import annotations

from typing import Any

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import AttributePath, Condition, UpdateClauses
from mizzle_async.marshalling import EntityCodec
from mizzle_async.model import AttributeSchema, EntitySchema
from mizzle_async.operations.target import Encoded, Target
from mizzle_async.types import WRITE_ID_ATTRIBUTE, AttributeValue, Item


def is_stamped(schema: EntitySchema) -> bool:
    """Tell whether operations on this entity depend on the time."""
    return schema.created_at is not None or schema.updated_at is not None or schema.time_to_live is not None


def stamp_new(codec: EntityCodec[Any], item: Item, now: float, write_id: str | None = None) -> None:
    """Complete an item that comes into being: both times, and the first version with the id of its write."""
    schema = codec.schema
    if schema.created_at is not None:
        item[schema.created_at.name] = codec.encode_timestamp(schema.created_at, now)
    if schema.updated_at is not None:
        item[schema.updated_at.name] = codec.encode_timestamp(schema.updated_at, now)
    if schema.version is not None:
        item[schema.version.name] = {"N": "1"}
        if write_id is not None:
            item[WRITE_ID_ATTRIBUTE] = {"S": write_id}


def stamp_put(codec: EntityCodec[Any], item: Item, now: float) -> None:
    """Complete an item that is put over whatever was there: it keeps the creation time that it brings."""
    created, updated = codec.schema.created_at, codec.schema.updated_at
    if created is not None and _is_absent(item.get(created.name)):
        item[created.name] = codec.encode_timestamp(created, now)
    if updated is not None:
        item[updated.name] = codec.encode_timestamp(updated, now)


def stamp_update(
    target: Target[Any],
    clauses: UpdateClauses,
    now: float,
    *,
    creates: bool,
    version: int | None,
    write_id: str | None = None,
) -> UpdateClauses:
    """Return an update's clauses with the maintained attributes.

    Args:
        target: The table.
        clauses: The caller's; a timestamp that they set themselves is left to them.
        now: The time when the operation was built.
        creates: Whether the item may come into being.
        version: The version that is checked, so that the next one can be stored; None where none is checked.
        write_id: What is stored beside the version.
    """
    schema = target.schema
    touched = clauses.top_level_names
    created, updated, counted = schema.created_at, schema.updated_at, schema.version
    if created is not None and creates and created.name not in touched:
        clauses = clauses.set_default(schema.path(created.field), Encoded(target.codec.encode_timestamp(created, now)))
    if updated is not None and updated.name not in touched:
        clauses = clauses.set(schema.path(updated.field), Encoded(target.codec.encode_timestamp(updated, now)))
    if counted is not None:
        path = schema.path(counted.field)
        if version is None:
            clauses = clauses.add(path, Encoded({"N": "1"}))
        else:
            clauses = clauses.set(path, Encoded({"N": str(version + 1)}))
        if write_id is not None:
            path = AttributePath(schema.owner, (WRITE_ID_ATTRIBUTE,))
            clauses = clauses.set(path, Encoded({"S": write_id}))
    return clauses


def stamped(codec: EntityCodec[Any], item: Item, now: float, version: int | None) -> Item:
    """Return an item as an update of it leaves it: with the time of the update, and the next version."""
    schema = codec.schema
    after = dict(item)
    if schema.updated_at is not None:
        after[schema.updated_at.name] = codec.encode_timestamp(schema.updated_at, now)
    if schema.version is not None and version is not None:
        after[schema.version.name] = {"N": str(version + 1)}
    return after


def check_maintained(schema: EntitySchema, clauses: UpdateClauses) -> None:
    """Refuse clauses that write the version, or what guard items depend on.

    Raises:
        ExpressionError: The version, or a unique attribute, is among them.
    """
    touched = clauses.top_level_names
    if schema.version is not None and schema.version.name in touched:
        raise ExpressionError(
            f"{schema.entity}.{schema.version.field} is the version: every write advances it, and no clause may change "
            "it"
        )
    if schema.unique:
        lifetime = schema.time_to_live
        guarded = [*schema.unique, lifetime] if lifetime is not None else schema.unique
        for attribute in guarded:
            if attribute.name in touched:
                what = "the time to live of its guard items too" if attribute is lifetime else "unique"
                raise ExpressionError(
                    f"{schema.entity}.{attribute.field} is {what}, so changing it takes what is stored: read the item "
                    "and use .patch(old, to=new), or .modify(key, change)"
                )


def version_condition(target: Target[Any], version: int) -> Condition[Any]:
    """Return the condition that the stored item has this version; 0 is that of an item from before there were any."""
    path = target.schema.path(_version_of(target.schema).field)
    return path == Encoded({"N": str(version)}) if version else path.not_exists()


def stored_version(schema: EntitySchema, instance: Any, verb: str) -> int:
    """Return the version of an instance that was read from the table.

    Raises:
        ExpressionError: It was never stored.
    """
    version: int | None = getattr(instance, _version_of(schema).field)
    if not version:
        raise ExpressionError(
            f"{schema.entity}: this instance has version {version!r}, so it was never stored: .{verb}() checks the "
            "version that was read. Use .insert() for a new item, what a read or a write returned, or .modify() for an "
            "item from before the entity had a version"
        )
    return version


def check_version(schema: EntitySchema, version: object) -> int:
    """Return a version that the caller expects.

    Raises:
        ExpressionError: The entity has no version, or none that is stored could be this.
    """
    counted = _version_of(schema)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ExpressionError(
            f"{schema.entity}.{counted.field}: a stored version is an int of 1 or more, not {version!r}: use .insert() "
            "for a new item"
        )
    return version


def item_version(schema: EntitySchema, item: Item) -> str:
    """Return the version number of a stored item as text; 0 without one."""
    return str(item.get(_version_of(schema).name, {}).get("N", "0"))


def _version_of(schema: EntitySchema) -> AttributeSchema:
    if schema.version is None:
        raise ExpressionError(f"{schema.entity} has no version: declare one with `attribute(default=0, version=True)`")
    return schema.version


def _is_absent(value: AttributeValue | None) -> bool:
    return value is None or "NULL" in value
