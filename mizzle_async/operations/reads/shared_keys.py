"""Queries of shared tables: comparisons of an entity's attributes become conditions on the stored texts of its keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import (
    AttributePath,
    Condition,
    Encoded,
    PartitionKeyCondition,
    PartitionKeyPath,
    Predicate,
    SortKeyCondition,
    SortKeyPath,
)
from mizzle_async.expressions.composite_keys import expanded
from mizzle_async.model import (
    EntitySchema,
    GlobalSecondaryIndex,
    SecondaryIndex,
    SharedIndex,
    SharedTable,
)
from mizzle_async.model.shared.formats import KeyFormat
from mizzle_async.model.shared.texts import write_key
from mizzle_async.operations.reads.first_condition import refuse_first, refuse_further
from mizzle_async.operations.reads.key_ranges import KeyRange, PartComparison, key_range
from mizzle_async.values import Value

ANY_TEXT = KeyRange("")


@frozen(eq=False, repr=False)
class SharedSelection(Value):
    """The items that a query of a shared table is about.

    Attributes:
        partition_text: The text of the partition key.
        sort: The condition on the sort key's text.
        index: The index that is read, or None.
        excluded: A condition that leaves out one value, where the range holds it.
        is_raw: Whether the texts are the caller's own.
    """

    partition_text: str
    sort: KeyRange
    index: SecondaryIndex[Any, Any, Any] | SharedIndex | None
    excluded: Condition[Any] | None = None
    is_raw: bool = False


def select_shared(schema: EntitySchema, conditions: Sequence[Any]) -> SharedSelection:
    """Return the selection of key conditions about one entity.

    Args:
        schema: The entity's.
        conditions: A condition for each part of the key, from the left.

    Raises:
        ExpressionError: They are not conditions of one key of the entity, leave a gap, or make no exact range.
        MarshallingError: A value does not fit its part.
    """
    _check_conditions(schema, conditions)
    index = _index_of(schema.entity, conditions)
    if isinstance(conditions[0].left.owner, SharedTable):
        return _raw_selection(schema.entity, conditions, index)
    known, last = _comparisons(schema.entity, conditions)
    formats = _formats(schema, index)
    missing = [field for field in formats[0].fields if field not in known]
    if missing:
        raise ExpressionError(
            f"{schema.entity}: the partition key is {formats[0].text!r}: give {schema.entity}.{missing[0]} == … too"
        )
    _check_all_used(schema.entity, formats, known)
    text = write_key(formats[0], known)
    if len(formats) == 1:
        if last is not None:
            raise ExpressionError(f"{schema.entity}: {last.field} is no part of this key: use .filter()")
        return SharedSelection(text, ANY_TEXT, index)
    found = key_range(schema.entity, formats[1], known, last)
    return SharedSelection(text, found, index, _exclusion(schema, found))


def selection_conditions(
    owner: Any, key_names: Sequence[str], selection: SharedSelection
) -> tuple[Condition[Any], Condition[Any] | None]:
    """Return the key conditions of a selection: of the partition key, and of the sort key if there is one.

    Args:
        owner: Whose the paths are.
        key_names: The stored names of the keys that are read.
        selection: The selection, whose sort range is not empty.
    """
    index = selection.index
    partition: Condition[Any] = PartitionKeyCondition(
        "=", PartitionKeyPath(owner, (key_names[0],), index=index), (Encoded({"S": selection.partition_text}),)
    )
    if not selection.sort.operator:
        return partition, None
    operands = tuple(Encoded({"S": text}) for text in selection.sort.texts)
    path: SortKeyPath[Any, Any] = SortKeyPath(owner, (key_names[1],), index=index)
    return partition, SortKeyCondition(selection.sort.operator, path, operands)


def _check_conditions(schema: EntitySchema, conditions: Sequence[Any]) -> None:
    first, *more = conditions
    if not isinstance(first, PartitionKeyCondition):
        refuse_first(schema, first)
    for condition in more:
        if not isinstance(condition, PartitionKeyCondition | SortKeyCondition):
            refuse_further(schema, condition)


def _index_of(entity: str, conditions: Sequence[Any]) -> Any:
    """Return the index that conditions are about, or None for the table."""
    indexes = {condition.index for condition in conditions}
    if len(indexes) > 1:
        raise ExpressionError(f"{entity}: the conditions of a query are about one key: of the table, or of one index")
    return indexes.pop()


def _raw_selection(entity: str, conditions: Sequence[Any], index: Any) -> SharedSelection:
    """Return the selection of conditions on the stored texts."""
    partition, *more = conditions
    if len(more) > 1:
        raise ExpressionError(f"{entity}: a query takes one comparison of the sort key, not {len(more)}")
    for condition in conditions:
        for argument in condition.arguments:
            if not isinstance(argument, str):
                raise ExpressionError(f"{entity}: {condition.left} is a text, not {type(argument).__name__}")
    if not more:
        return SharedSelection(partition.arguments[0], ANY_TEXT, index, is_raw=True)
    return SharedSelection(partition.arguments[0], KeyRange(more[0].operator, more[0].arguments), index, is_raw=True)


def _comparisons(entity: str, conditions: Iterable[Any]) -> tuple[dict[str, Any], PartComparison | None]:
    """Return the values compared by equality, by name in Python, and the one other comparison."""
    known: dict[str, Any] = {}
    last: PartComparison | None = None
    for condition in conditions:
        for predicate in _predicates(condition):
            left: Any = predicate.left
            if not isinstance(left, AttributePath) or len(left.segments) != 1:
                raise ExpressionError(f"{entity}: {predicate} is no comparison of a part of the key")
            field = str(left.labels[0])
            if field in known or (last is not None and last.field == field):
                raise ExpressionError(f"{entity}: {field} is compared twice")
            if predicate.operator == "=":
                known[field] = predicate.arguments[0]
            elif last is not None:
                raise ExpressionError(
                    f"{entity}: a query takes one range, of the last part that is compared; {last.field} has one"
                )
            else:
                last = PartComparison(field, predicate.operator, predicate.arguments)
    if last is not None and any(isinstance(value, Encoded) for value in last.arguments):
        raise ExpressionError(f"{entity}: {last.field} is compared with values only")
    return known, last


def _predicates(condition: Any) -> tuple[Predicate[Any], ...]:
    """Return a comparison of a key as comparisons of its parts."""
    path = condition.left
    if not getattr(path, "composite", False):
        return (condition,)
    if not path.parts:
        if condition.arguments[0] != ():
            raise ExpressionError("the key of this index is constant, and is compared with ()")
        return ()
    made: Any = expanded(condition)
    return made.inner() or (made,)


def _formats(schema: EntitySchema, index: Any) -> tuple[KeyFormat, ...]:
    shared = schema.shared
    assert shared is not None  # noqa: S101  (called for entities of shared tables only)
    if index is None:
        return shared.formats
    if isinstance(index, GlobalSecondaryIndex) and index.mapping is not None and schema.owns(index.owner):
        return index.mapping.formats
    raise ExpressionError(f"{schema.entity}: {index!r} is an index of another entity")


def _check_all_used(entity: str, formats: Sequence[KeyFormat], known: Mapping[str, Any]) -> None:
    used = {field for each in formats for field in each.fields}
    unused = [field for field in known if field not in used]
    if unused:
        raise ExpressionError(f"{entity}: {', '.join(unused)} is no part of this key: use .filter()")


def _exclusion(schema: EntitySchema, found: KeyRange) -> Condition[Any] | None:
    if found.excluded is None:
        return None
    field, value = found.excluded
    attribute = schema.by_field[field]
    if attribute.key_only:
        raise ExpressionError(
            f"{schema.entity}: {field} < … takes a filter of the attribute, which is stored in the key alone: use <="
        )
    path: AttributePath[Any, Any] = AttributePath(schema.owner, (attribute.name,), labels=(field,))
    return Predicate("<>", path, (value,))
