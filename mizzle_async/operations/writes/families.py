"""Writes of an entity that shares its key with classes that inherit from it, or that it inherits from.

One key may hold an item of any class of the family, so a write of one class must not change an item of another one,
and a write through a parent must not pass over what only a subclass declares.
"""

from __future__ import annotations

from typing import Any

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import AttributePath, Condition, Encoded
from mizzle_async.model import EntitySchema, SharedKeys, mappings_of, schema_of
from mizzle_async.operations.target import Target


def family_conditions(target: Target[Any]) -> tuple[Condition[Any], ...]:
    """Return the condition that the stored item, if there is one, is of the entity or of one that inherits from it.

    Args:
        target: The table.

    Returns:
        One condition, or none where the key alone says it.
    """
    keys, schema = target.schema.shared, target.schema
    if keys is None or keys.parent is None or keys.table.type_attribute is None:
        return ()
    path: AttributePath[Any, Any] = AttributePath(schema.owner, (keys.table.type_attribute,))
    allowed: Condition[Any] = path.not_exists()  # an item of another program, which its key says to be of the family
    for name in keys.family_names:
        same: Condition[Any] = path == Encoded({"S": name})
        allowed = allowed | same
    return (allowed,)


def refuse_through_parent(schema: EntitySchema, verb: str) -> None:
    """Refuse to change an item whose class may keep more than this one knows.

    Args:
        schema: The entity's.
        verb: The verb that was called.

    Raises:
        ExpressionError: A subclass adds a version, unique attributes, timestamps, or an index over attributes that this
            class may change.
    """
    for relative in _subclasses(schema):
        added = _unique(schema, relative) or _roles(schema, relative) or _indexes(schema, relative)
        if added is not None:
            _refuse(schema, relative, verb, added)


def refuse_unique_below(schema: EntitySchema, verb: str) -> None:
    """Refuse to delete or replace an item whose class may have unique attributes that this one does not know.

    Args:
        schema: The entity's.
        verb: The verb that was called.

    Raises:
        ExpressionError: A subclass has such an attribute.
    """
    for relative in _subclasses(schema):
        added = _unique(schema, relative)
        if added is not None:
            _refuse(schema, relative, verb, added)


def _subclasses(schema: EntitySchema) -> tuple[SharedKeys, ...]:
    return () if schema.shared is None else schema.shared.family[1:]


def _unique(schema: EntitySchema, relative: SharedKeys) -> str | None:
    known = {attribute.name for attribute in schema.unique}
    added = [each.field for each in schema_of(relative.cls).unique if each.name not in known]
    return f"the unique attribute {added[0]}" if added else None


def _roles(schema: EntitySchema, relative: SharedKeys) -> str | None:
    known = {attribute.name for attribute in schema.attributes}
    added = [each.field for each in schema_of(relative.cls).attributes if each.is_automatic and each.name not in known]
    return f"{added[0]}, which every write changes" if added else None


def _indexes(schema: EntitySchema, relative: SharedKeys) -> str | None:
    known = set(mappings_of(schema.cls))
    changeable = {each.field for each in schema.attributes if each.part is None}
    for mapping in mappings_of(relative.cls):
        if mapping not in known and changeable.intersection(mapping.fields):
            return f"a way into the index {mapping.index.name!r}"
    return None


def _refuse(schema: EntitySchema, relative: SharedKeys, verb: str, added: str) -> None:
    raise ExpressionError(
        f"{schema.entity}: the item may be of {relative.entity}, which has {added}, and .{verb} of {schema.entity}"
        f" would not keep it: write it through `client.table({relative.entity})`"
    )
