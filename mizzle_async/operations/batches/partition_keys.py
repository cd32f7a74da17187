"""The partition keys that a request is about, for counting heat."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, TypeAlias

from mizzle_async.operations.base import Operation
from mizzle_async.operations.batches.requests import BatchGet, BatchWrite
from mizzle_async.operations.reads.get import GetItem
from mizzle_async.operations.reads.page import QueryPage
from mizzle_async.operations.writes.write import Write
from mizzle_async.types import AttributeValue, Item, WirePayload

Touched: TypeAlias = tuple[str, str, float]
"""A table, or a table and an index, a partition key's value as text, and its share of the request, in any unit."""


def touched(operation: object) -> list[Touched]:
    """Return the partition keys that an operation is about: none for scans, transactions and statements."""
    if not isinstance(operation, Operation):
        return []
    target = operation.sending.target
    table: str = target.table
    if isinstance(operation, BatchWrite):
        return [(entry.target.table, partition_text(entry.identity), float(entry.units)) for entry in operation.entries]
    name = target.schema.partition_key.name
    if isinstance(operation, BatchGet):
        return [(table, value_text(key[name]), 1.0) for key in operation.asked.values()]
    if isinstance(operation, GetItem | Write):
        key: Item = operation.key if isinstance(operation, GetItem) else operation.sending.item_key()
        return [(table, value_text(key[name]), 1.0)]
    if isinstance(operation, QueryPage):
        return list(_queried(operation.compiled))
    return []


def _queried(compiled: WirePayload) -> Iterator[Touched]:
    """Yield the partition that a query reads. Its value is the first that the expressions substitute."""
    values: dict[str, AttributeValue] = compiled.get("ExpressionAttributeValues", {})
    index: str | None = compiled.get("IndexName")
    for value in list(values.values())[:1]:
        yield (compiled["TableName"] + (f"/{index}" if index else ""), value_text(value), 1.0)


def partition_text(identity: Hashable) -> str:
    """Return the partition key's value in the identity by which a batch knows a write."""
    found: Any = identity
    found = found[1]  # beside its table
    if isinstance(found, tuple):
        found = found[0]
    if isinstance(found, frozenset):
        ((_, _, found),) = found
    return str(found)


def value_text(value: AttributeValue) -> str:
    """Return a key's value as text."""
    return str(next(iter(value.values())))
