"""The attributes that an index holds, beside those that a read needs of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import AttributePath
from mizzle_async.model import EntitySchema, SecondaryIndex
from mizzle_async.operations.reads.projection import Projection

AnyIndex = SecondaryIndex[Any, Any, Any]


def check_held(schema: EntitySchema, index: AnyIndex | None, needed: Mapping[str, str], *, hydrated: bool) -> None:
    """Raise an error for attributes that an index does not hold.

    Args:
        schema: The schema of the table's items.
        index: The index that is read, None for the table.
        needed: Stored names, and their names in messages.
        hydrated: Whether the items are read from the table afterwards.

    Raises:
        ExpressionError: It does not hold one.
    """
    held = None if index is None else index.held_names(schema)
    if index is None or held is None or schema.is_open:
        return
    missing = ", ".join(label for name, label in needed.items() if name not in held)
    if missing and hydrated:
        raise ExpressionError(
            f"{schema.entity}: index {index.name!r} does not hold {missing}, and a filter is applied to the index,"
            " before .hydrate() reads the items: filter them in Python, or give the index another projection="
        )
    if missing:
        raise ExpressionError(
            f"{schema.entity}: index {index.name!r} does not hold {missing}: use .hydrate() to read the items from the"
            " table, .project() to read what the index holds, or another projection= of the index"
        )


def row_names(schema: EntitySchema, projection: Projection | None, *, expired: bool) -> dict[str, str]:
    """Return the attributes that a row is made of, by stored name, and their names in messages.

    Args:
        schema: The schema of the table's items.
        projection: The paths of a row, None for a whole item.
        expired: Whether expired items are shown.
    """
    if projection is None:
        needed = {name: f"{schema.entity}.{each.field}" for name, each in schema.by_name.items()}
    else:
        needed = {str(path.segments[0]): str(path) for path in projection.paths}
    for part in () if schema.shared is None else schema.shared.whole_fields:
        needed.pop(schema.by_field[part].name, None)  # the key has it, and every index has the key
    lifetime = schema.time_to_live
    if projection is not None and lifetime is not None and not expired:
        needed[lifetime.name] = f"{schema.entity}.{lifetime.field}, the time to live"
    return needed


def held_paths(
    schema: EntitySchema, index: AnyIndex | None, paths: Iterable[AttributePath[Any, Any]]
) -> list[AttributePath[Any, Any]]:
    """Return the paths to ask of an index: not those of parts that the key has whole, where the index lacks them."""
    held = None if index is None else index.held_names(schema)
    return [path for path in paths if held is None or path.segments[0] in held]
