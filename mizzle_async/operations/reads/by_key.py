"""Items that were read by their keys: which of them are shown, and as what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from mizzle_async.marshalling import item_of
from mizzle_async.operations.expiry import is_expired
from mizzle_async.operations.interpretation import UNREADABLE, misread
from mizzle_async.operations.reads.projected_keys import projected_row
from mizzle_async.operations.reads.projection import Projection
from mizzle_async.operations.target import Target

ModelT = TypeVar("ModelT")
RowT = TypeVar("RowT")


def instances_of(target: Target[ModelT], items: Sequence[Any], now: float | None) -> list[ModelT | None]:
    """Return the instances of items, None where there is none, or an expired one.

    Args:
        target: The entity, or the collection, in its table.
        items: The items, dicts or records, None where there is none.
        now: The time by the client's clock, or None where expired items are shown.

    Raises:
        MarshallingError: An item does not fit its class.
        CorruptResponseError: One is no item.
    """
    codec, lifetime = target.codec, target.schema.time_to_live
    if lifetime is None or now is None:
        shown: Sequence[Any] = items
    else:
        name = lifetime.name
        shown = [None if item is None or is_expired(codec.stored(item, name), now) else item for item in items]
    return _read(target, items, lambda: codec.decode_all(shown))


def rows_of(
    target: Target[Any], projection: Projection, items: Sequence[Any], now: float | None
) -> list[tuple[Any, ...] | None]:
    """Return the rows of items, None where there is none, or an expired one.

    Args:
        target: The entity in its table.
        projection: The paths of a row.
        items: As above, dicts alone.
        now: As above.

    Raises:
        MarshallingError: A value does not fit its attribute.
        CorruptResponseError: A value is no attribute value.
    """
    lifetime = target.schema.time_to_live

    def row(item: Any) -> tuple[Any, ...] | None:
        if item is None or (lifetime is not None and now is not None and is_expired(item.get(lifetime.name), now)):
            return None
        return projected_row(target, projection, item)

    return _read(target, items, lambda: [row(item) for item in items])


def _read(target: Target[Any], items: Iterable[Any], read: Callable[[], list[RowT]]) -> list[RowT]:
    try:
        return read()
    except UNREADABLE as error:
        found = (item_of(item) for item in items if item is not None)
        failure = misread(error, found, "BatchGetItem", target.table, target.schema.entity)
        raise failure from failure.__cause__
