"""Projections of items that are read by key."""

from __future__ import annotations

from typing import Any

from mizzle_async.expressions import AttributePath
from mizzle_async.operations.reads.foreign_items import type_names_in
from mizzle_async.operations.reads.projection import Projection
from mizzle_async.operations.statement_cache import ReadStatement
from mizzle_async.operations.target import Target
from mizzle_async.types import Item, WirePayload


def projection_members(target: Target[Any], projection: Projection) -> WirePayload:
    """Return the members of a request that reads by key, to ask for some attributes only.

    The key comes back too, by which answers are told apart, and so does what says whether an item is shown.

    Args:
        target: The table.
        projection: The paths of a row.
    """
    schema = target.schema
    names = [*schema.key_names, *type_names_in(schema, None)]
    if schema.time_to_live is not None:
        names.append(schema.time_to_live.name)
    also = [AttributePath[Any, Any](schema.owner, (name,)) for name in names]
    return target.statements.read_members(ReadStatement(projection=projection.wire_paths(also)))


def projected_row(target: Target[Any], projection: Projection, item: Item) -> tuple[Any, ...]:
    """Return the row of an item that was read by key.

    Raises:
        MarshallingError: A value does not fit its attribute, or the item is of another entity.
    """
    codec = target.codec
    if codec.foreign is not None and codec.foreign(item):
        codec.decode(item)  # which says whose it is
    return projection.row(codec, item)
