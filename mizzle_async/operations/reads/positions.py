"""Positions of queries and scans: the keys after which pages begin, as cursors and state files hold them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from mizzle_async.errors import CorruptResponseError, InvalidCursorError
from mizzle_async.marshalling import EntityCodec
from mizzle_async.operations.answers import check_is_key, check_key, equalities
from mizzle_async.types import Item, WirePayload


def check_start_key(key: Item, names: Collection[str], codec: EntityCodec[Any], queried: WirePayload | None) -> Item:
    """Return a cursor's key if it can be a start key of a query: a cursor without authentication may have been changed.

    Args:
        key: The key.
        names: The stored names of the key attributes of the table or index.
        codec: The entity's.
        queried: The compiled query, to whose one partition the key must belong, or None for a scan, and for a partition
            key that is spread.

    Raises:
        InvalidCursorError: It has other attributes, values of another type, or another partition.
    """
    if key.keys() != set(names):
        raise InvalidCursorError("this cursor belongs to another query")
    shapes = ((codec.shape_of(name), tag) for name, value in key.items() for tag in value)
    try:
        check_is_key(key)
        fits = all(shape is None or tag in shape.tags for shape, tag in shapes)
        for name, value in [] if queried is None else equalities(queried):
            check_key({name: value}, {name: key.get(name, value)})
    except CorruptResponseError:
        fits = False
    if not fits:
        raise InvalidCursorError("this cursor was changed: its key is not one of this query")
    return key
