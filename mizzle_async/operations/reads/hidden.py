"""Items that a read must not show: expired ones, guards, those beside a key and its subtree, and ends of a range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mizzle_async.marshalling.same_values import same_value
from mizzle_async.model import EntitySchema
from mizzle_async.operations.expiry import is_expired
from mizzle_async.operations.guards import is_guard
from mizzle_async.types import AttributeValue, Item


def _is_expired(schema: EntitySchema, item: Item, now: float) -> bool:
    return schema.time_to_live is not None and is_expired(item.get(schema.time_to_live.name), now)


def hidden_items(schema: EntitySchema, *, include_expired: bool) -> Callable[[Item, float], bool] | None:
    """Return a function that says whether an item is hidden at a time, or None where all may be shown.

    Args:
        schema: The entity's.
        include_expired: Whether expired items are shown.
    """
    expires = schema.time_to_live is not None and not include_expired
    if not expires and not schema.unique:
        return None

    def hidden(item: Item, now: float) -> bool:
        return (bool(schema.unique) and is_guard(schema, item)) or (expires and _is_expired(schema, item, now))

    return hidden


def outside(name: str, text: str, below: str) -> Callable[[Item], bool]:
    """Return a function that says which items are neither the item of a sort key nor stored below it.

    Args:
        name: The stored name of the sort key.
        text: The key.
        below: The beginning of the keys below it.
    """

    def is_outside(item: Item) -> bool:
        stored: str = item[name]["S"]
        return stored != text and not stored.startswith(below)

    return is_outside


def at_ends(
    stored: Callable[[Any, str], AttributeValue | None], name: str, ends: tuple[AttributeValue, ...]
) -> Callable[[Any], bool]:
    """Return a function that says which items stand at an end of a range that does not belong to it.

    DynamoDB's BETWEEN includes both ends. Two ranges that meet would both have the items there.

    Args:
        stored: Returns an attribute of an item as it is stored.
        name: The stored name of the sort key.
        ends: The values of the sort key that do not belong to the range, as they are stored.
    """

    def is_at_end(item: Any) -> bool:
        value = stored(item, name)
        return value is not None and any(same_value(value, end) for end in ends)

    return is_at_end
