"""Advice about reads that pay for more than they return: which index would serve a filter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from attrs import frozen

from mizzle_async.expressions import AttributePath, Condition, Conjunction, Predicate
from mizzle_async.expressions.composite_keys import KEY_OPERATORS, expanded
from mizzle_async.model import EntitySchema, SecondaryIndex, indexes_of
from mizzle_async.values import Value

WASTE_EVALUATED: Final = 1_000
"""The number of evaluated items from which on dropping most of them is worth a warning."""

WASTE_SHARE: Final = 10
"""A read is wasteful where it returns one item of so many that it evaluates, or fewer."""


@frozen(eq=False, repr=False)
class Advice(Value):
    """Advice about a filter.

    Attributes:
        text: The cost of the filter, and the key that would serve it.
        is_warning: Whether it is worth a warning when the query is built: the whole table is read, or an index that is
            declared would serve.
    """

    text: str
    is_warning: bool


def filter_advice(
    schema: EntitySchema,
    filters: Sequence[Condition[Any]],
    *,
    partition_names: frozenset[str],
    sort_names: frozenset[str] = frozenset(),
    used: SecondaryIndex[Any, Any, Any] | None,
) -> Advice | None:
    """Return the advice about the filters of a read, or None where there are none.

    Args:
        schema: The entity's.
        filters: The caller's conditions, all of which must hold.
        partition_names: Attributes of the partition key that the key condition binds, none for a scan.
        sort_names: Attributes of the sort key that it narrows.
        used: The index that is read already.
    """
    if not filters:
        return None
    compared = [each for condition in filters for each in _compared(condition)]
    names = ", ".join(dict.fromkeys(name for name, _ in compared))
    if compared:
        equal = partition_names.union(name for name, operator in compared if operator == "=")
        named = frozenset(name for name, _ in compared)
        bound = partition_names | sort_names
        better = _better(schema, equal, named, bound, used, reads_table=bool(partition_names))
        if better is not None:
            return Advice(
                f"{schema.entity}: the filter on {names} reads, and is charged for, what it drops: {better} would serve"
                " it",
                is_warning=True,
            )
    served = f": an index with {names} as its key would serve a query instead" if names else ""
    if partition_names:
        return Advice(
            f"{schema.entity}: {_filter_on(filters)} drops items after they were read and charged for{served}",
            is_warning=False,
        )
    return Advice(
        f"{schema.entity}: a filtered scan reads the whole table, and is charged for it{served}", is_warning=True
    )


def wasteful_read(schema: EntitySchema, filters: Sequence[Condition[Any]]) -> str:
    """Return the warning about a read whose filter has dropped most of many items.

    The text holds no numbers, so that Python shows it once.

    Args:
        schema: The entity's.
        filters: The caller's conditions.
    """
    return (
        f"{schema.entity}: {_filter_on(filters)} has dropped nine tenths or more of at least {WASTE_EVALUATED:,} items,"
        " which were read and charged for: query an index whose key serves it, or keep what is asked for so often in a"
        " key"
    )


def _filter_on(filters: Sequence[Condition[Any]]) -> str:
    names = dict.fromkeys(str(place.segments[0]) for condition in filters for place in condition.places())
    return f"the filter on {', '.join(names)}" if names else "the filter"


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
