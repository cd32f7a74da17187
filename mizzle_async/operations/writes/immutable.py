"""Attributes that keep their first value: refused where a change can be seen, guarded by a condition where it cannot.

A value may be given to an attribute that has none yet. Deleting the item and inserting a new one is no change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mizzle_async.errors import ConditionalCheckFailedError, ExpressionError
from mizzle_async.expressions import ClauseKind, Condition, Encoded, UpdateClauses
from mizzle_async.model import AttributeSchema, EntitySchema
from mizzle_async.operations.target import Target
from mizzle_async.types import Item


def check_clauses(schema: EntitySchema, clauses: UpdateClauses) -> None:
    """Check that no clause changes an immutable attribute: only `set_default` leaves a value as it is.

    Raises:
        ExpressionError: One does.
    """
    for clause in clauses.clauses:
        attribute = schema.by_name.get(str(clause.path.segments[0]))
        if attribute is None or not attribute.immutable:
            continue
        if clause.kind is not ClauseKind.SET_DEFAULT or len(clause.path.segments) > 1:
            raise ExpressionError(
                f"{schema.entity}.{attribute.field} is immutable, and this clause could change it: leave it out, or "
                "use .set_default(), which gives a value only where none is stored"
            )


def check_difference(schema: EntitySchema, before: Item, after: Item) -> None:
    """Check that two states of an item have the same values in their immutable attributes.

    Args:
        schema: The entity's.
        before: The state as it was read, encoded.
        after: The new one, likewise.

    Raises:
        ExpressionError: They differ.
    """
    for attribute in schema.immutable:
        if before.get(attribute.name) != after.get(attribute.name):
            raise ExpressionError(
                f"{schema.entity}.{attribute.field} is immutable, and the new state has another value than the old "
                "one: take it over as it was read"
            )


def unchanged_conditions(target: Target[Any], item: Item) -> tuple[Condition[Any], ...]:
    """Return the conditions that writing a whole item changes no immutable attribute of the stored one.

    Args:
        target: The table.
        item: The item, encoded.
    """
    schema = target.schema
    conditions: list[Condition[Any]] = []
    for attribute in schema.immutable:
        path, value = schema.path(attribute.field), item.get(attribute.name)
        condition = path.not_exists()
        conditions.append(condition if value is None else condition | (path == Encoded(value)))
    return tuple(conditions)


def explain_change(schema: EntitySchema, error: ConditionalCheckFailedError, item: Item | None) -> str | None:
    """Return why a condition was false that keeps immutable attributes, None where it was not for one of them.

    Args:
        schema: The entity's.
        error: The service's answer, which may have the stored item.
        item: The whole item that was written, None for other writes.
    """
    stored = error.item
    if stored is None or item is None:
        return None
    names = ", ".join(f"{schema.entity}.{attribute.field}" for attribute in _changed(schema, stored, item))
    return f"{names} is immutable, and another value is stored" if names else None


def _changed(schema: EntitySchema, stored: Item, item: Item) -> Iterator[AttributeSchema]:
    for attribute in schema.immutable:
        before = stored.get(attribute.name)
        if before is not None and before != item.get(attribute.name):
            yield attribute
