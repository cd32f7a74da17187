"""Reading a partition key that is spread over several partitions: all of them at once, merged in sort order."""

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
from mizzle_async.operations import RawPage, ReadPlan
from mizzle_async.reading.page_source import PageSource
from mizzle_async.types import AttributeValue, Item

Order: TypeAlias = Callable[[Item], tuple[Any, ...]]
"""Returns what an item is sorted by."""


def open_source(
    reader: TaskPort,
    plan: ReadPlan[Any, Any],
    *,
    start_key: Item | None = None,
    max_items: int | None = None,
    prefetch: bool = True,
    limiters: Limiters | None = None,
    records: bool = False,
) -> PageSource | MergedSource:
    """Return where the pages of a plan come from, in the order of its rows; the arguments are those of `PageSource`."""
    make = MergedSource if plan.partitions else partial(PageSource, records=records)
    return make(reader, plan, start_key=start_key, max_items=max_items, prefetch=prefetch, limiters=limiters)


class MergedSource:
    """Requests pages of several partitions, and gives them as pages in the order of the sort key.

    A page ends where the items of one partition do that has more: what comes next is not known before those are read.

    Args:
        reader: The client.
        plan: What is read.
        start_key: After which key it begins, in every partition.
        max_items: How many items are wanted, where the plan does not say.
        prefetch: Whether pages are requested before they are asked for.
        limiters: What holds requests back; None for the client's limit.
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
        most = plan.options.max_items if max_items is None else max_items
        # Twice the share of each partition: one that has more of the first items than that is asked again.
        share = None if most is None else -(-2 * most // len(plans))
        self._plan = plan
        self._order = _order(plan.sort_names())
        self._partitions = [
            _Partition(
                number,
                PageSource(
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
        self._told = 0
        self.resume_key: Item | None = start_key
        """Where reading would go on; None at the end."""
        self._ended = False

    @property
    def evaluated(self) -> int:
        """Return how many items were read so far, before the filter."""
        return sum(partition.source.evaluated for partition in self._partitions)

    async def next(self) -> RawPage | None:
        """Return the next page, or None after the last one."""
        if self._ended:
            return None
        while hungry := [each for each in self._partitions if not each.rows and not each.ended]:
            await run_together(each.fill(self._order) for each in hungry)
        rows = self._merged()
        self._ended = not any(each.rows or not each.ended for each in self._partitions)
        if rows:
            self.resume_key = self._plan.position(rows[-1].origin)
        if self._ended:
            self.resume_key = None
        evaluated = self.evaluated
        new, self._told = evaluated - self._told, evaluated
        origins = [row.origin for row in rows] if self._plan.hydrated else None
        return RawPage([row.item for row in rows], self.resume_key, len(rows), new, origins=origins)

    async def next_of_any(self) -> tuple[int, RawPage] | None:
        """Return the next page with the number of its part: there is one."""
        page = await self.next()
        return None if page is None else (0, page)

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

    def close(self) -> None:
        """Stop what is under way."""
        self._ended = True
        for partition in self._partitions:
            partition.source.close()

    async def aclose(self) -> None:
        """Stop what is under way, and wait until it has stopped."""
        self._ended = True
        for partition in self._partitions:
            await partition.source.aclose()


@define(eq=False, repr=False)
class _Partition:
    """One of the partitions, and those of its rows that were not given yet."""

    number: int
    source: PageSource
    rows: list[_Row] = field(factory=list)
    taken: int = 0
    ended: bool = False

    async def fill(self, order: Order) -> None:
        """Read its next page; whoever is cancelled after that has it all the same."""
        page = await self.source.next()
        if page is None:
            self.ended = True
            return
        origins = page.origins or page.items
        self.rows += [
            _Row(order(origin), item, origin, self.number) for item, origin in zip(page.items, origins, strict=True)
        ]
        self.ended = page.last_key is None


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
    return lambda item: tuple(_sortable(item[name]) for name in names)


def _sortable(value: AttributeValue) -> Any:
    """Return what DynamoDB sorts by: text and binary by bytes, numbers by value."""
    ((tag, payload),) = value.items()
    if tag == "N":
        return Decimal(payload)
    return b64decode(payload) if tag == "B" else payload  # code points are in the order of their bytes in UTF-8
