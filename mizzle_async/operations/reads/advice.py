"""Advice about reads that pay for more than they return: which index would serve a filter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mizzle_async.expressions import AttributePath, Condition, Conjunction, Predicate
from mizzle_async.expressions.composite_keys import KEY_OPERATORS, expanded
from mizzle_async.model import EntitySchema, SecondaryIndex, indexes_of


def unindexed_filter(
    schema: EntitySchema,
    filters: Iterable[Condition[Any]],
    *,
    partition_names: frozenset[str],
    sort_names: frozenset[str] = frozenset(),
    used: SecondaryIndex[Any, Any, Any] | None,
) -> str | None:
    """Return what to say about a filter, or None where nothing better is at hand.

    Args:
        schema: The entity's.
        filters: The caller's conditions, all of which must hold.
        partition_names: Attributes of the partition key that the key condition binds; empty for a scan.
        sort_names: Attributes of the sort key that it narrows.
        used: The index that is read already.
    """
    compared = [each for condition in filters for each in _compared(condition)]
    if not compared:
        filtered = any(True for _ in filters)
        return (
            f"{schema.entity}: a filtered scan reads the whole table, and is charged for it"
            if filtered and not partition_names
            else None
        )
    equal = partition_names.union(name for name, operator in compared if operator == "=")
    named = frozenset(name for name, _ in compared)
    better = _better(schema, equal, named, partition_names | sort_names, used, reads_table=bool(partition_names))
    names = ", ".join(dict.fromkeys(name for name, _ in compared))
    if better is not None:
        return (
            f"{schema.entity}: the filter on {names} reads, and is charged for, what it drops: {better} would serve it"
        )
    if partition_names:
        return None
    return (
        f"{schema.entity}: a filtered scan reads the whole table, and is charged for it: an index with {names} as its"
        " key would serve a query instead"
    )


def _better(
    schema: EntitySchema,
    equal: frozenset[str],
    named: frozenset[str],
    bound: frozenset[str],
    used: SecondaryIndex[Any, Any, Any] | None,
    *,
    reads_table: bool,
) -> str | None:
    """Name the table or the index whose key takes most off the filter, and loses nothing that is bound now."""
    best, most = None, 0
    key = frozenset(schema.key_names)
    taken = len(key & named)
    if (used is not None or not reads_table) and schema.partition_key.name in equal and bound <= key and taken:
        best, most = "a query of the table", taken
    for index in () if schema.is_open else indexes_of(schema.cls):
        partition = frozenset(str(path.segments[0]) for path in _partition_paths(schema, index))
        key = partition.union(str(path.segments[0]) for path in index.sort_paths[:1])
        taken = len(key & named)
        if index is not used and partition <= equal and bound <= key and taken > most:
            best, most = f"index {index.name!r}", taken
    return best


def _partition_paths(schema: EntitySchema, index: SecondaryIndex[Any, Any, Any]) -> Iterable[AttributePath[Any, Any]]:
    return (schema.partition_key_path,) if index.is_local else index.partition_paths


def _compared(condition: Condition[Any]) -> Iterator[tuple[str, str]]:
    """Yield the attributes that a condition compares in a way that a key can, with the operator."""
    if isinstance(condition, Conjunction):
        for part in condition.parts:
            yield from _compared(part)
    elif isinstance(condition, Predicate) and condition.operator in KEY_OPERATORS:
        left: Any = condition.left
        if left.composite:
            yield from _compared(expanded(condition))
        elif isinstance(left, AttributePath) and len(left.segments) == 1:
            yield str(left.segments[0]), condition.operator
