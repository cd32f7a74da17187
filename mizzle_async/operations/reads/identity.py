"""The identity of a query: equal for two pages of one query."""

from __future__ import annotations

from typing import Any, TypeAlias

from mizzle_async.expressions import Condition, Conjunction
from mizzle_async.operations.reads.cursors import query_digest
from mizzle_async.operations.reads.key_conditions import AnyIndex
from mizzle_async.operations.target import Target
from mizzle_async.types import WirePayload

Conditions: TypeAlias = tuple[Condition[Any], ...]
Keys: TypeAlias = tuple[AnyIndex | None, Condition[Any] | None, Condition[Any] | None, int]
"""An index, the conditions of the partition and the sort key, and the number of partitions of a key that is spread."""


def identity_of(
    target: Target[Any], keys: Keys, filters: tuple[Conditions, Conditions], *, reverse: bool, part: object = None
) -> bytes:
    """Return the digest of everything that positions of a query depend on. Other options do not move them.

    Args:
        target: The table.
        keys: The key conditions.
        filters: The caller's filters, and those that the keys imply.
        reverse: Whether it is read backwards.
        part: The part of it that is read, as JSON can hold it; None for all of it.
    """
    index, partition, sort, partitions = keys
    own, implied = filters
    compiler = target.compiler()
    body: WirePayload = {"TableName": target.table, "ScanIndexForward": not reverse}
    if index is not None:
        body["IndexName"] = index.name
    if partition is not None:
        body["KeyConditionExpression"] = compiler.key_condition(partition, sort)
    if own:
        body["FilterExpression"] = compiler.condition(Conjunction(own), "FilterExpression")
    if implied:
        body["Implied"] = compiler.condition(Conjunction(implied), "FilterExpression")
    if partitions:
        body["Partitions"] = partitions
    if part is not None:
        body["Part"] = part
    return query_digest({**body, **compiler.finish()})
