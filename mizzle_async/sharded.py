"""Queries of a partition key that is spread over several partitions: all of them at once, merged in sort order."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, ClassVar, Generic, NoReturn, TypeVar

from attrs import evolve, frozen

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import Condition, PartitionKeyCondition, SortKeyCondition
from mizzle_async.operations import Encoded, ReadOptions, ReadPlan, Target
from mizzle_async.pagination import ItemIterator, Reader, count_items
from mizzle_async.query import Query
from mizzle_async.table_writes import TableOwner

ModelT = TypeVar("ModelT")


def sharded_query(  # noqa: PLR0917  (as `Table.query` has them)
    owner: TableOwner,
    target: Target[ModelT],
    options: ReadOptions,
    partition: Any,
    sort: SortKeyCondition[ModelT] | None,
    advised: set[Any],
) -> Query[ModelT]:
    """Return a query of every partition that a partition key is spread over.

    Raises:
        ExpressionError: The conditions are not those of the table's key.
    """
    if not isinstance(partition, PartitionKeyCondition):
        ReadPlan(target, options, partition=partition, sort=sort)  # says what is wrong with it
    target.check_owners(partition.owners, partition)
    partitions: tuple[Condition[Any], ...] = tuple(
        PartitionKeyCondition("=", partition.left, (Encoded(value),))
        for value in target.codec.partition_values(partition.arguments[0])
    )
    plan: ReadPlan[ModelT, ModelT] = ReadPlan(target, options, partition=partitions[0], sort=sort)
    return ShardedQuery(owner, plan, advised, partitions)


@frozen(eq=False, repr=False)
class ShardedQuery(Query[ModelT]):
    """A query of several partitions at once, whose rows come in the order of the sort key.

    Cost: a request for each partition at least; read units as for reading what is in them.
    """

    _partitions: tuple[Condition[Any], ...]

    def _plans(self) -> list[ReadPlan[ModelT, ModelT]]:
        return [evolve(self._plan, partition=partition) for partition in self._partitions]

    def __aiter__(self) -> MergedItems[ModelT]:  # type: ignore[override]  # an iterator of the same rows
        return MergedItems(self._reader, self._plans())

    async def all(self) -> list[ModelT]:
        """Read everything into a list."""
        return [row async for row in self]

    async def first(self) -> ModelT | None:
        """Read the first item, or None where there is none."""
        limited = evolve(self, plan=self._limited(1))
        async for row in limited:
            return row
        return None

    async def count(self) -> int:
        """Count the items of all partitions. They are evaluated, and charged for, but do not travel."""
        counts = await asyncio.gather(*(count_items(self._reader, plan) for plan in self._plans()))
        most = self._plan.options.max_items
        return sum(counts) if most is None else min(sum(counts), most)

    def _refused(self, *_: Any, **__: Any) -> NoReturn:
        raise ExpressionError(
            f"{self._plan} reads {len(self._partitions)} partitions merged, which has no pages, cursors or projections "
            "and is not exported or changed as a whole: use `async for`, .all(), .first() or .count(), or a scan"
        )

    one: ClassVar[Any] = _refused
    pages: ClassVar[Any] = _refused
    page: ClassVar[Any] = _refused
    stream: ClassVar[Any] = _refused
    project: ClassVar[Any] = _refused
    hydrate: ClassVar[Any] = _refused
    export: ClassVar[Any] = _refused
    resumable: ClassVar[Any] = _refused
    delete_where: ClassVar[Any] = _refused
    rewrite: ClassVar[Any] = _refused


class MergedItems(AsyncIterator[ModelT], Generic[ModelT]):
    """Iterates over the rows of several queries in the order of the sort key, each query a page ahead."""

    def __init__(self, reader: Reader, plans: list[ReadPlan[Any, ModelT]]) -> None:
        self._codec = plans[0].target.codec
        self._sort_name = self._codec.schema.key_names[-1]
        self._reverse = plans[0].options.reverse
        self._left = plans[0].options.max_items
        self._sources = [ItemIterator(reader, plan) for plan in plans]
        self._unread = set(range(len(plans)))
        self._heads: dict[int, tuple[Any, ModelT]] = {}
        self._turning = asyncio.Lock()

    def __aiter__(self) -> MergedItems[ModelT]:
        return self

    async def __anext__(self) -> ModelT:
        async with self._turning:
            await self._read_heads()
            if not self._heads or self._left == 0:
                await self.aclose()
                raise StopAsyncIteration
            choose = max if self._reverse else min
            number = choose(self._heads, key=lambda number: (self._heads[number][0], number))
            if self._left is not None:
                self._left -= 1
            self._unread.add(number)
            return self._heads.pop(number)[1]

    async def _read_heads(self) -> None:
        """Have the next row of every query; what was read before a failure or a cancellation is kept."""
        outcomes = await asyncio.gather(*map(self._read_head, sorted(self._unread)), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome

    async def _read_head(self, number: int) -> None:
        async for row in self._sources[number]:
            self._heads[number] = self._position(row), row
            break
        self._unread.remove(number)

    def _position(self, row: ModelT) -> Any:
        """Return what DynamoDB sorts by: text and binary by bytes, numbers by value."""
        ((tag, payload),) = self._codec.key_of(row)[self._sort_name].items()
        if tag == "N":
            return Decimal(payload)
        return b64decode(payload) if tag == "B" else payload.encode()

    async def aclose(self) -> None:
        """End the iteration, and wait until its requests have ended."""
        self._heads.clear()
        self._unread.clear()
        for source in self._sources:
            await source.aclose()
