"""The page requests of queries and scans."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from attrs import evolve

from mizzle_async.errors import UnindexedFilterWarning
from mizzle_async.flow.pace import Limiters
from mizzle_async.flow.ports import TaskPort, read_limiters
from mizzle_async.flow.report import BatchReport
from mizzle_async.operations.answers import key_in
from mizzle_async.operations.reads.advice import wasteful_read
from mizzle_async.operations.reads.options import ReadOptions
from mizzle_async.operations.reads.page import RawPage, ReadPage
from mizzle_async.operations.reads.plan import ReadPlan
from mizzle_async.reading.by_key import ReadSettings, read_items
from mizzle_async.reading.page_source import Position
from mizzle_async.reading.paged_source import PagedSource
from mizzle_async.types import Item


class PlanRequests:
    """The page requests of a plan, with those that `.hydrate()` adds.

    Args:
        reader: The client.
        plan: The plan that is read.
        count_only: Whether numbers are wanted instead of items.
        records: Whether items may come in the lighter form, where the plan allows it.
    """

    is_exact = False

    def __init__(self, reader: TaskPort, plan: ReadPlan[Any, Any], *, count_only: bool, records: bool) -> None:
        self._reader = reader
        self._plan = plan
        self._records = plan.records if records else None
        now, total = reader.now(), plan.options.segments
        one = plan.options.segment
        if total == 1 and not plan.partitions and not plan.is_empty:
            self._parts = [(plan.compile(now, count_only=count_only), one)]
            return
        segments = [one] if one or total == 1 else [(number, total) for number in range(total)]
        self._parts = [
            (each.compile(now, count_only=count_only), segment) for each in plan.split() for segment in segments
        ]

    @property
    def options(self) -> ReadOptions:
        """Return the plan's options."""
        return self._plan.options

    @property
    def parts(self) -> int:
        """Return how many segments or partitions are read at once."""
        return len(self._parts)

    @property
    def is_filtered(self) -> bool:
        """Return whether a filter may drop items."""
        return self._plan.may_drop

    def make(self, part: int, start_key: Item | None, limit: int | None) -> ReadPage:
        """Return the request of one page."""
        compiled, segment = self._parts[part]
        return self._plan.page(compiled, start_key=start_key, limit=limit, segment=segment, records=self._records)

    def dropped(self, page: RawPage) -> bool:
        """Return whether the filter has dropped items of a page."""
        return page.scanned > page.count

    def warn_of_waste(self) -> None:
        """Warn, once for a query, that the caller's filter has dropped most of many items."""
        plan = self._plan
        if plan.filters and "waste" not in plan.warned:
            plan.warned.add("waste")
            warnings.warn(wasteful_read(plan.target.schema, plan.filters), UnindexedFilterWarning, stacklevel=2)

    async def complete(self, page: RawPage, limiters: Limiters) -> RawPage:
        """Read the items of an index's entries from the table, where the plan is hydrated."""
        plan = self._plan
        if not plan.hydrated or not page.items:
            return page
        names = plan.target.schema.key_names
        keys = [key_in(item, names) for item in page.items]
        meter = BatchReport()
        settings = ReadSettings(consistent_read=plan.hydrated_consistently, limiters=limiters, meter=meter)
        page = page.hydrated(await read_items(self._reader, plan.target, keys, settings=settings))
        units = None if page.read_units is None else page.read_units + meter.read_units
        return evolve(page, read_units=units, requests=page.requests + meter.read_requests)


def open_parts(
    reader: TaskPort,
    plan: ReadPlan[Any, Any],
    *,
    start_key: Item | None = None,
    positions: Sequence[Position] = (),
    max_items: int | None = None,
    count_only: bool = False,
    prefetch: bool = True,
    limiters: Limiters | None = None,
    records: bool = False,
) -> PagedSource:
    """Return the pages of a plan as they arrive, each of one segment or partition.

    Args:
        reader: The client.
        plan: The plan that is read.
        start_key: The key after which reading begins.
        positions: Where each part begins, in place of ``start_key``.
        max_items: Items wanted, in place of the plan's own number.
        count_only: Whether numbers are wanted instead of items.
        prefetch: Whether a page is requested before it is asked for.
        limiters: Hold requests back, or None for the client's limit.
        records: Whether items may come in the lighter form, where the plan allows it.
    """
    limiters = read_limiters(reader, None) if limiters is None else limiters
    plan = plan.with_capacity() if limiters else plan
    return PagedSource(
        reader,
        PlanRequests(reader, plan, count_only=count_only, records=records),
        start_key=start_key,
        positions=positions,
        max_items=max_items,
        prefetch=prefetch,
        limiters=limiters,
    )
