"""Frames of queries: pages as they come, as record batches of one schema."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from mizzle_async.errors import CorruptResponseError, MarshallingError, ModelError
from mizzle_async.flow.ports import TaskPort
from mizzle_async.integrations.arrow.framing import EntityFramer, Framer
from mizzle_async.integrations.arrow.library import pa
from mizzle_async.integrations.arrow.open_tables import OpenFramer
from mizzle_async.marshalling.columns import EntityColumns, columns_of
from mizzle_async.operations import check_at_least_one
from mizzle_async.operations.reads.page import RawPage
from mizzle_async.operations.reads.plan import ReadPlan
from mizzle_async.reading.merged_source import open_source


def plan_framer(plan: ReadPlan[Any, Any], schema: Any = None) -> Framer:
    """Return the framer of a plan's rows.

    Args:
        plan: The plan.
        schema: The caller's own schema, or None for that of the class.

    Raises:
        ModelError: The table has no class and no schema, or the schema is not of the class.
    """
    codec = plan.target.codec
    if codec.schema.is_open:
        if schema is None:
            raise ModelError(
                f"{codec.schema.entity}: its items are dicts, so the types of columns are declared nowhere: give "
                "schema=…, which infer_schema() of mizzle_async.integrations.arrow finds in a sample"
            )
        return OpenFramer(codec, schema)
    if plan.projection is None:
        return EntityFramer(columns_of(codec), schema)
    return EntityFramer(EntityColumns(codec, plan.projection.paths), schema)


class ArrowBatches(AsyncIterator[Any]):
    """Iterates over the rows of a query as record batches: `Query.arrow_batches` makes one.

    Attributes:
        schema: The schema of every batch.
    """

    def __init__(self, reader: TaskPort, plan: ReadPlan[Any, Any], *, rows: int, schema: Any = None) -> None:
        check_at_least_one("arrow_batches", rows=rows)
        self._framer = plan_framer(plan, schema)
        self.schema: Any = self._framer.schema
        self._reader = reader
        self._plan = plan
        self._rows = rows
        self._left = plan.options.max_items
        self._source = open_source(reader, plan, records=plan.projection is None)
        self._ready: deque[Any] = deque()
        self._waiting: list[Any] = []
        self._ended = False
        self._turning = asyncio.Lock()

    def __aiter__(self) -> ArrowBatches:
        return self

    async def __anext__(self) -> Any:
        async with self._turning:
            while not self._ready and not self._ended:
                page = None if self._left == 0 else await self._source.next()
                self._ended = page is None
                if page is not None:
                    self._waiting.append(self._batch(page))
                if self._ended or sum(batch.num_rows for batch in self._waiting) >= self._rows:
                    self._regroup()
            if self._ready:
                return self._ready.popleft()
            await self._source.aclose()
            raise StopAsyncIteration

    def _batch(self, page: RawPage) -> Any:
        """Return the batch of a page's visible items."""
        hidden = self._plan.expired(self._reader.now())
        items: list[Any] = page.items if hidden is None else [item for item in page.items if not hidden(item)]
        if self._left is not None:
            items = items[: self._left]
            self._left -= len(items)
        try:
            return self._framer.batch(items)
        except MarshallingError as error:
            meant = self._plan.misread(error, items)
            if isinstance(meant, CorruptResponseError):
                page.refuse()
            if meant is not error or self._plan.options.on_error == "raise":
                raise meant from meant.__cause__
        fitting = [item for item in items if self._fits(item)]
        if self._left is not None:
            self._left += len(items) - len(fitting)
        return self._framer.batch(fitting)

    def _fits(self, item: Any) -> bool:
        try:
            self._framer.batch([item])
        except MarshallingError as error:
            self._plan.judge(error)
            return False
        return True

    def _regroup(self) -> None:
        """Make batches of the wanted number of rows of those that came, and keep the rest for the next one."""
        table = pa.Table.from_batches(self._waiting, schema=self.schema).combine_chunks()
        whole = table.num_rows if self._ended else table.num_rows - table.num_rows % self._rows
        self._ready += (batch for batch in table.slice(0, whole).to_batches(max_chunksize=self._rows) if batch.num_rows)
        self._waiting = table.slice(whole).to_batches() if whole < table.num_rows else []

    async def aclose(self) -> None:
        """End the iteration, and wait until its request has ended."""
        self._ended = True
        self._ready.clear()
        self._waiting.clear()
        await self._source.aclose()


async def to_arrow(reader: TaskPort, plan: ReadPlan[Any, Any], *, schema: Any = None) -> Any:
    """Return the rows of a plan as one table."""
    batches = ArrowBatches(reader, plan, rows=2**31, schema=schema)
    try:
        return pa.Table.from_batches([batch async for batch in batches], schema=batches.schema)
    finally:
        await batches.aclose()
