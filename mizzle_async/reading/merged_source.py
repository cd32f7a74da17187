"""Pages of a partition key that is spread over several partitions: all of them are read at once, and merged."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from heapq import merge
from typing import Any, TypeAlias

from attrs import define, field

from mizzle_async.flow.pace import Limiters
from mizzle_async.flow.ports import TaskPort
from mizzle_async.flow.tasks import run_together
from mizzle_async.operations.answers import key_in
from mizzle_async.operations.reads.page import RawPage, add_units
from mizzle_async.operations.reads.plan import ReadPlan
from mizzle_async.reading.chained_source import ChainedSource
from mizzle_async.reading.page_source import PageSource
from mizzle_async.reading.plan_source import open_parts
from mizzle_async.types import AttributeValue, Item

Order: TypeAlias = Callable[[Item], tuple[Any, ...]]
"""Returns the position of an item in the order of the rows."""


def open_source(
    reader: TaskPort,
    plan: ReadPlan[Any, Any],
    *,
    start_key: Item | None = None,
    max_items: int | None = None,
    prefetch: bool = True,
    limiters: Limiters | None = None,
    records: bool = False,
) -> PageSource:
    """Return the pages of a plan in the order of its rows. The arguments are those of `open_parts`."""
    if plan.partitions and not plan.options.merged:
        return ChainedSource(reader, plan, max_items=max_items, prefetch=prefetch, limiters=limiters, records=records)
    if plan.partitions:
        return MergedSource(
            reader, plan, start_key=start_key, max_items=max_items, prefetch=prefetch, limiters=limiters
        )
    return open_parts(
        reader,
        plan,
        start_key=start_key,
        max_items=max_items,
        prefetch=prefetch,
        limiters=limiters,
        records=records,
    )


class MergedSource:
    """Requests pages of several partitions, and returns them as pages in the order of the sort key.

    A page ends where the items of a partition end that has more: the next row is not known before those are read.

    Args:
        reader: The client.
        plan: The plan that is read.
        start_key: The key after which reading begins, in every partition.
        max_items: Items wanted, in place of the plan's own number.
        prefetch: Whether pages are requested before they are asked for.
        limiters: Hold requests back, or None for the client's limit.
    """

    def __init__(
        self,
        reader: TaskPort,
        plan: ReadPlan[Any, Any],
        *,
        start_key: Item | None = None,
        max_items: int | None = None,
        prefetch: bool = True,
        limiters: Limiters | None = None,
    ) -> None:
        plans = plan.split()
        limit = plan.options.max_items if max_items is None else max_items
        # Twice the share of each partition: one that has more of the first items than that is asked again.
        share = None if limit is None else -(-2 * limit // len(plans))
        self._plan = plan
        self._order = _order(plan.sort_names())
        self._partitions = [
            _Partition(
                number,
                open_parts(
                    reader,
                    each,
                    start_key=None if start_key is None else {**start_key, **each.partition_key()},
                    max_items=share,
                    prefetch=prefetch,
                    limiters=limiters,
                ),
            )
            for number, each in enumerate(plans)
        ]
        self._reported = 0
        self._requests = 0
        self._read_units: float | None = None
        self._resume_key = start_key
        self._ended = False

    @property
    def resume_key(self) -> Item | None:
        """Return the key after which reading goes on, or None at the end."""
        return self._resume_key

    @property
    def evaluated(self) -> int:
        """Return the number of items read so far, before the filter."""
        return sum(partition.source.evaluated for partition in self._partitions)

    async def next(self) -> RawPage | None:
        """Return the next page, or None after the last one."""
        if self._ended:
            return None
        while hungry := [each for each in self._partitions if not each.rows and not each.ended]:
            await run_together(partial(self._fill, each) for each in hungry)
        rows = self._merged()
        self._ended = not any(each.rows or not each.ended for each in self._partitions)
        if rows:
            self._resume_key = self._plan.position(rows[-1].origin)
        if self._ended:
            self._resume_key = None
        evaluated = self.evaluated
        new, self._reported = evaluated - self._reported, evaluated
        origins = [row.origin for row in rows] if self._plan.hydrated else None
        page = RawPage(
            [row.item for row in rows],
            self._resume_key,
            len(rows),
            new,
            read_units=self._read_units,
            origins=origins,
            requests=self._requests,
        )
        self._requests, self._read_units = 0, None
        return page

    async def _fill(self, partition: _Partition) -> None:
        """Read the next page of a partition, and keep its rows: cancelling the reader afterwards loses none."""
        page = await partition.source.next()
        if page is None:
            partition.ended = True
            return
        self._requests += page.requests
        self._read_units = add_units(self._read_units, page.read_units)
        origins = page.origins or page.items
        partition.rows += [
            _Row(self._order(origin), item, origin, partition.number)
            for item, origin in zip(page.items, origins, strict=True)
        ]
        partition.ended = page.last_key is None

    def _merged(self) -> list[_Row]:
        """Take the rows whose order is certain."""
        taken: list[_Row] = []
        waiting = [each.rows for each in self._partitions]
        for row in merge(*waiting, key=_position, reverse=self._plan.options.reverse):
            taken.append(row)
            partition = self._partitions[row.partition]
            partition.taken += 1
            if partition.taken == len(partition.rows) and not partition.ended:
                break
        for partition in self._partitions:
            del partition.rows[: partition.taken]
            partition.taken = 0
        return taken

    async def aclose(self) -> None:
        """Cancel the requests under way, and wait until they have ended."""
        self._ended = True
        for partition in self._partitions:
            await partition.source.aclose()


@define(eq=False, repr=False)
class _Partition:
    """One of the partitions, with its rows that were not returned yet."""

    number: int
    source: PageSource
    rows: list[_Row] = field(factory=list)
    taken: int = 0
    ended: bool = False


class _Row:
    __slots__ = ("item", "origin", "partition", "position")

    def __init__(self, position: tuple[Any, ...], item: Item, origin: Item, partition: int) -> None:
        self.position = position
        self.item = item
        self.origin = origin
        self.partition = partition


def _position(row: _Row) -> tuple[Any, ...]:
    return row.position


def _order(names: Sequence[str]) -> Order:
    return lambda item: tuple(sortable(value) for value in key_in(item, names).values())


def sortable(value: AttributeValue) -> Any:
    """Return a value in DynamoDB's order: text and binary by bytes, numbers by value."""
    ((tag, payload),) = value.items()
    if tag == "N":
        return Decimal(payload)
    return b64decode(payload) if tag == "B" else payload  # code points are in the order of their bytes in UTF-8
