"""Items that a read must not show: expired ones, guards, and those beside a key and its subtree."""

from __future__ import annotations

from collections.abc import Callable

from mizzle_async.model import EntitySchema
from mizzle_async.operations.expiry import is_expired
from mizzle_async.operations.guards import is_guard
from mizzle_async.types import Item


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
