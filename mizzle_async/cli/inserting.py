"""Items that are put one by one, only where there is none: for entities that a batch cannot check, too."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from itertools import chain
from typing import Any, Final

from mizzle_async.cli.aside import Aside
from mizzle_async.cli.handles import Opened
from mizzle_async.cli.incoming import Incoming
from mizzle_async.cli.meter import Meter
from mizzle_async.cli.progress import Display
from mizzle_async.errors import (
    ConditionalCheckFailedError,
    ItemCollectionSizeLimitExceededError,
    ItemExistsError,
    LimitError,
    MarshallingError,
    MizzleError,
    ValidationError,
)
from mizzle_async.flow.report import BatchReport, UndoneWrite, may_be_applied
from mizzle_async.flow.work import BulkWork
from mizzle_async.handles.client import Client
from mizzle_async.operations import Operation

ABOUT_THE_ITEM: Final = (
    ConditionalCheckFailedError,
    ItemCollectionSizeLimitExceededError,
    LimitError,
    MarshallingError,
    ValidationError,
)
"""The errors by which the service, or the library, refuses one item. Others would meet every item."""


def insert_all(
    client: Client,
    opened: Opened,
    incoming: Incoming,
    meter: Meter,
    *,
    skips: bool,
    concurrency: int,
    timeout: float,
    progress: Display,
) -> BulkWork:
    """Return the work of inserting the items of files.

    Args:
        client: The client.
        opened: The table.
        incoming: The items.
        meter: Counts the units of the client.
        skips: Whether an item under an existing key is left as it is. It is bad else.
        concurrency: The number of requests at the same time.
        timeout: Seconds for each item.
        progress: Called with the report as it grows.
    """
    report = BatchReport()
    places: dict[int, tuple[int, Any]] = {}
    handle: Any = opened.model or opened.table

    def operations(value: Any) -> Iterator[Operation[Any]]:
        """Yield the operation of an item, or reject the item and yield none."""
        position = report.taken
        report.taken += 1
        try:
            made: Operation[Any] = handle.insert(value, timeout=timeout)
        except (MarshallingError, LimitError) as error:
            report.rejected += 1
            incoming.undone(UndoneWrite("put", opened.table.name, value, error, position))
            return
        places[id(made)] = position, value
        yield made

    async def made_aside(values: AsyncIterable[Any]) -> AsyncIterator[Operation[Any]]:
        async for value in values:
            for made in operations(value):
                yield made

    async def work() -> BatchReport:
        values = incoming.values()
        repeatable = incoming.source.is_repeatable
        source: Any = chain.from_iterable(map(operations, values)) if repeatable else made_aside(Aside(values))
        sending = client.send_all(source, concurrency=concurrency)
        try:
            async for sent, outcome in sending:
                position, value = places.pop(id(sent))
                _settle(report, incoming, position, value, outcome.error, skips=skips, table=opened.table.name)
                progress(report)
        finally:
            report.count_consumption(meter.total)
            for sent in sending.under_way:
                position, value = places.pop(id(sent))
                error = MizzleError("the work ended before the answer came")
                report.note(UndoneWrite("put", opened.table.name, value, error, position, uncertain=True))
        if not report.is_complete:
            raise report.to_error("load")
        return report

    return BulkWork(f"load of {opened.table.name!r}", report, work)


def _settle(
    report: BatchReport,
    incoming: Incoming,
    position: int,
    value: Any,
    error: Exception | None,
    *,
    skips: bool,
    table: str,
) -> None:
    if error is None:
        report.written += 1
        return
    if skips and isinstance(error, ItemExistsError):
        report.unchanged += 1
        return
    undone = UndoneWrite("put", table, value, error, position, uncertain=may_be_applied(error))
    if isinstance(error, ABOUT_THE_ITEM):
        report.rejected += 1
        incoming.undone(undone)
    else:
        report.note(undone)
