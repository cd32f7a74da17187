"""The key conditions of a query: that they are some, and which index they are about."""

from __future__ import annotations

from typing import Any, TypeAlias

from attrs import frozen

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import Condition, Encoded, PartitionKeyCondition, SortKeyCondition
from mizzle_async.model import EntitySchema, SecondaryIndex
from mizzle_async.operations.reads.first_condition import refuse_first, refuse_further, shown
from mizzle_async.operations.target import Target
from mizzle_async.values import Value

AnyIndex: TypeAlias = SecondaryIndex[Any, Any, Any]


@frozen(eq=False, repr=False)
class PartitionRead(Value):
    """One partition of a query that reads several.

    Attributes:
        partition: The condition of its partition key.
        sort: The condition of its sort key, or None.
        implied: Filters that go with it.
    """

    partition: Condition[Any]
    sort: Condition[Any] | None = None
    implied: tuple[Condition[Any], ...] = ()


def query_index(schema: EntitySchema, partition: Any, sort: Any) -> AnyIndex | None:
    """Check the key conditions of a query, and return the index that they are about, or None for the table.

    Without this check a missing condition would make a scan.

    Raises:
        ExpressionError: The first is no partition key condition, or the second no sort key condition.
    """
    if not isinstance(partition, PartitionKeyCondition):
        refuse_first(schema, partition)
    if getattr(sort, "operator", None) == "IN":
        refuse_further(schema, sort)
    if sort is not None and not isinstance(sort, SortKeyCondition):
        raise ExpressionError(
            f"{schema.entity}: a query's second argument is a comparison of the sort key with a value, not"
            f" {shown(sort)}: other conditions go to .filter()"
        )
    index: AnyIndex | None = getattr(partition, "index", None)
    if index is None and sort is not None:
        index = getattr(sort, "index", None)
    return index


def spread_partitions(
    target: Target[Any], partition: PartitionKeyCondition[Any], sort: Condition[Any] | None
) -> tuple[PartitionRead, ...]:
    """Return a condition for each partition that a partition key is spread over, none where it is not spread.

    Raises:
        ExpressionError: The condition is about another entity.
        MarshallingError: The value does not fit.
    """
    sharding = target.codec.sharding
    path: Any = partition.left
    if sharding is None or path.segments != (sharding.partition_name,):
        return ()
    target.check_owners(partition.owners, partition)
    return tuple(
        PartitionRead(PartitionKeyCondition("=", path, (Encoded(value),)), sort)
        for value in target.codec.partition_values(partition.arguments[0])
    )
