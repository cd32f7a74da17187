"""Pages of several partitions, one partition after the other."""

from __future__ import annotations

from typing import Any

from mizzle_async.flow.pace import Limiters
from mizzle_async.flow.ports import TaskPort
from mizzle_async.operations.reads.page import RawPage
from mizzle_async.operations.reads.plan import ReadPlan
from mizzle_async.reading.page_source import PageSource
from mizzle_async.reading.plan_source import open_parts
from mizzle_async.types import Item


class ChainedSource:
    """Requests the pages of each partition of a plan, in the order in which the caller named the partitions.

    Args:
        reader: The client.
        plan: The plan that is read.
        max_items: Items wanted, in place of the plan's own number.
        prefetch: Whether pages are requested before they are asked for.
        limiters: Hold requests back, or None for the client's limit.
        records: Whether items may come in the lighter form.
    """

    def __init__(
        self,
        reader: TaskPort,
        plan: ReadPlan[Any, Any],
        *,
        max_items: int | None = None,
        prefetch: bool = True,
        limiters: Limiters | None = None,
        records: bool = False,
    ) -> None:
        self._reader = reader
        self._waiting = list(plan.split())
        self._limit = plan.options.max_items if max_items is None else max_items
        self._options: dict[str, Any] = {"prefetch": prefetch, "limiters": limiters, "records": records}
        self._source: PageSource | None = None
        self._count = 0
        self._evaluated = 0

    @property
    def evaluated(self) -> int:
        """Return the number of items read so far, before the filter."""
        return self._evaluated + (0 if self._source is None else self._source.evaluated)

    @property
    def resume_key(self) -> Item | None:
        """Return None: no single key says how far several partitions were read."""
        return None

    async def next(self) -> RawPage | None:
        """Return the next page, or None after the last one."""
        while True:
            if self._source is None:
                if not self._waiting:
                    return None
                left = None if self._limit is None else max(self._limit - self._count, 0)
                self._source = open_parts(self._reader, self._waiting[0], max_items=left, **self._options)
            page = await self._source.next()
            if page is not None:
                self._count += page.count
                return page
            self._evaluated += self._source.evaluated
            self._source = None
            del self._waiting[0]

    async def aclose(self) -> None:
        """Cancel the requests under way, and wait until they have ended."""
        source, self._source, self._waiting = self._source, None, []
        if source is not None:
            self._evaluated += source.evaluated
            await source.aclose()
