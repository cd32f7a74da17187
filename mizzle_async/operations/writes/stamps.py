"""Attributes that the library maintains by their roles: timestamps, and the version of optimistic locking.

Their values are fixed when an operation is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import AttributePath, ClauseKind, Condition, Encoded, UpdateClause, UpdateClauses
from mizzle_async.marshalling import EntityCodec
from mizzle_async.model import AttributeSchema, EntitySchema
from mizzle_async.model.roles import RoleClause, WriteContext
from mizzle_async.operations.target import Target
from mizzle_async.operations.writes.immutable import check_clauses
from mizzle_async.types import Item


def is_stamped(schema: EntitySchema) -> bool:
    """Return whether operations on this entity depend on the time."""
    return any(role.needs_time for role, _ in schema.role_attributes)


def stamp_new(codec: EntityCodec[Any], item: Item, now: float, write_id: str | None = None) -> None:
    """Complete an item that is made, as the roles of its attributes say."""
    roles = codec.schema.role_attributes
    if not roles:
        return
    write = _context(codec, now, write_id=write_id)
    for role, attribute in roles:
        role.on_new(attribute, item, write)
    if codec.shared is not None:
        codec.shared.renew(item)


def stamp_put(codec: EntityCodec[Any], item: Item, now: float) -> None:
    """Complete an item that is put over any that was there, as the roles of its attributes say."""
    roles = codec.schema.role_attributes
    if not roles:
        return
    write = _context(codec, now)
    for role, attribute in roles:
        role.on_put(attribute, item, write)
    if codec.shared is not None:
        codec.shared.renew(item)


def stamp_update(
    target: Target[Any],
    clauses: UpdateClauses,
    now: float,
    *,
    creates: bool,
    version: int | None,
    write_id: str | None = None,
) -> UpdateClauses:
    """Return an update's clauses with those that the roles of its entity's attributes add.

    Args:
        target: The table.
        clauses: The caller's; an attribute that they write themselves is left to them.
        now: The time when the operation was built.
        creates: Whether the item may come into being.
        version: The version that is checked, so that the next one can be stored, None where none is checked.
        write_id: The id that is stored beside the version.
    """
    schema = target.schema
    touched = clauses.top_level_names
    write = _context(target.codec, now, creates=creates, version=version, write_id=write_id)
    for clause in _role_clauses(schema, write):
        if clause.name not in touched:
            attribute = schema.by_name.get(clause.name)
            path: AttributePath[Any, Any] = (
                AttributePath(schema.owner, (clause.name,)) if attribute is None else schema.path(attribute.field)
            )
            clauses = UpdateClauses((*clauses.clauses, UpdateClause(clause.kind, path, Encoded(clause.value))))
    return clauses


def stamped(codec: EntityCodec[Any], item: Item, now: float, version: int | None) -> Item:
    """Return an item as an update of it leaves it: with the time of the update, and the next version."""
    after = dict(item)
    for clause in _role_clauses(codec.schema, _context(codec, now, version=version)):
        if clause.kind is ClauseKind.SET:
            after[clause.name] = clause.value
    return after


def _role_clauses(schema: EntitySchema, write: WriteContext) -> Iterator[RoleClause]:
    for role, attribute in schema.role_attributes:
        yield from role.on_update(attribute, write)


def _context(codec: EntityCodec[Any], now: float, **options: Any) -> WriteContext:
    return WriteContext(now, lambda attribute: codec.encode_timestamp(attribute, now), **options)


def check_maintained(schema: EntitySchema, clauses: UpdateClauses) -> None:
    """Check that no clause writes an attribute whose role forbids it.

    Raises:
        ExpressionError: If one does, such as one of the version or of a unique attribute, or changes an immutable one.
    """
    if schema.immutable:
        check_clauses(schema, clauses)
    touched = clauses.top_level_names
    roles = [role for role, _ in schema.role_attributes]
    for role, attribute in schema.role_attributes:
        refusal = role.refusal(roles) if attribute.name in touched else None
        if refusal is not None:
            raise ExpressionError(f"{schema.entity}.{attribute.field} is {refusal}")


def version_condition(target: Target[Any], version: int) -> Condition[Any]:
    """Return the condition that the stored item has this version. 0 is that of an item from before there were any."""
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
    """Return the version number of a stored item as text, 0 without one."""
    return str(item.get(_version_of(schema).name, {}).get("N", "0"))


def _version_of(schema: EntitySchema) -> AttributeSchema:
    if schema.version is None:
        raise ExpressionError(f"{schema.entity} has no version: declare one with `attribute(default=0, version=True)`")
    return schema.version
