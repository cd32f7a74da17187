"""From the arguments of a query or a scan to its plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import Condition, Conjunction, PartitionChoice, PartitionKeyCondition
from mizzle_async.model import SharedIndex
from mizzle_async.model.shared.stored_index import StoredIndex
from mizzle_async.operations.reads.foreign_items import foreign_members, type_condition
from mizzle_async.operations.reads.key_conditions import AnyIndex, PartitionRead, query_index, spread_partitions
from mizzle_async.operations.reads.options import ReadOptions
from mizzle_async.operations.reads.plan import ReadPlan
from mizzle_async.operations.reads.shared_keys import (
    select_shared,
    selection_conditions,
)
from mizzle_async.operations.target import Target


def query_plan(target: Target[Any], options: ReadOptions, conditions: Sequence[Any]) -> ReadPlan[Any, Any]:
    """Return the plan of a query.

    Args:
        target: The entity and its table.
        options: The options.
        conditions: The comparison of the partition key, and those of the sort key.

    Raises:
        ExpressionError: The conditions are not those of one key, or DynamoDB would refuse them.
        MarshallingError: A value does not fit its part of a key.
    """
    if isinstance(conditions[0], PartitionChoice):
        return _choice_plan(target, options, conditions)
    if target.schema.shared is not None:
        return _shared_plan(target, options, conditions)
    partition, *more = conditions
    if len(more) > 1:
        raise ExpressionError(
            f"{target.schema.entity}: a query takes one comparison of the sort key, not {len(more)}: "
            "use between() for a range with two ends"
        )
    sort = more[0] if more else None
    index = query_index(target.schema, partition, sort)
    spread = spread_partitions(target, partition, sort)
    first = spread[0].partition if spread else partition
    return ReadPlan(target, options, partition=first, partitions=spread, sort=sort, index=index)


def _choice_plan(target: Target[Any], options: ReadOptions, conditions: Sequence[Any]) -> ReadPlan[Any, Any]:
    """Return the plan of a query of several partitions.

    Raises:
        ExpressionError: The choice is empty.
    """
    choice, *more = conditions
    values = list(choice.arguments)
    if not values:
        raise ExpressionError(f"{target.schema.entity}: {choice.left}.is_in() names no partition to read")
    distinct = [value for number, value in enumerate(values) if value not in values[:number]]
    plans = [
        query_plan(target, options, (PartitionKeyCondition("=", choice.left, (value,)), *more)) for value in distinct
    ]
    reads = [
        each
        for plan in plans
        for each in plan.partitions or (PartitionRead(_partition(plan), plan.sort, plan.implied),)
        if not plan.is_empty
    ]
    if len(reads) <= 1:
        return next((plan for plan in plans if not plan.is_empty), plans[0])
    return evolve(plans[0], partition=reads[0].partition, partitions=tuple(reads), is_choice=True, is_empty=False)


def _partition(plan: ReadPlan[Any, Any]) -> Condition[Any]:
    condition: Any = plan.partition
    return condition if condition is not None else Conjunction(())


def scan_plan(target: Target[Any], options: ReadOptions, index: AnyIndex | None) -> ReadPlan[Any, Any]:
    """Return the plan of a scan: of the table, or of an index.

    Raises:
        ExpressionError: DynamoDB would refuse an option.
    """
    return ReadPlan(target, options, index=index, implied=_of_own_type(target, index))


def _shared_plan(target: Target[Any], options: ReadOptions, conditions: Sequence[Any]) -> ReadPlan[Any, Any]:
    schema = target.schema
    shared = schema.shared
    assert shared is not None  # noqa: S101  (the caller asked)
    for condition in conditions:
        if isinstance(condition, Condition) and not target.owns(condition):
            target.check_owners(condition.owners, condition)
    selection = select_shared(schema, conditions)
    index: Any = StoredIndex(selection.index) if isinstance(selection.index, SharedIndex) else selection.index
    if selection.sort.operator == "empty":
        return ReadPlan(target, options, index=index, is_empty=True)
    names = shared.table.key_names if index is None else index.key_names()
    partition, sort = selection_conditions(schema.owner, names, selection)
    implied: tuple[Condition[Any], ...] = () if selection.excluded is None else (selection.excluded,)
    if foreign_members([shared], selection, registered=shared.table.members.values()):
        implied += _of_own_type(target, index)
    return ReadPlan(
        target,
        options,
        partition=partition,
        sort=sort,
        index=index,
        implied=implied,
        is_checked=not selection.is_raw,  # its conditions were made here, of texts that fit
    )


def _of_own_type(target: Target[Any], index: AnyIndex | None) -> tuple[Condition[Any], ...]:
    """Return the condition that an item is of the entity's type, where the table and the index have types."""
    shared = target.schema.shared
    if shared is None or shared.table.type_attribute is None:
        return ()
    held = None if index is None else index.held_names(target.schema)
    if held is not None and shared.table.type_attribute not in held:
        return ()
    return (type_condition(shared.table, target.schema.owner, shared.family_names),)
