"""Items that are put one by one, only where there is none: for entities that a batch cannot check, too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from mizzle_async.cli.aside import Aside
from mizzle_async.cli.handles import Opened
from mizzle_async.cli.incoming import Incoming
from mizzle_async.cli.meter import Meter
from mizzle_async.cli.one_by_one import Sending
from mizzle_async.cli.progress import Display
from mizzle_async.errors import (
    ConditionalCheckFailedError,
    ItemCollectionSizeLimitExceededError,
    ItemExistsError,
    LimitError,
    MarshallingError,
    ValidationError,
)
from mizzle_async.flow.report import BatchReport, UndoneWrite
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
    write_units_per_second: float | None,
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
        write_units_per_second: The limit of write units, or None for none.
        timeout: Seconds for each item.
        progress: Called with the report as it grows.
    """
    report = BatchReport()
    handle: Any = opened.model or opened.table
    name = opened.table.name

    def settled(position: int, value: Any, error: Exception) -> bool:
        if skips and isinstance(error, ItemExistsError):
            report.unchanged += 1
            return True
        if not isinstance(error, ABOUT_THE_ITEM):
            return False
        report.rejected += 1
        incoming.undone(UndoneWrite("put", name, value, error, position))
        return True

    async def operations() -> AsyncIterator[tuple[int, Any, Operation[Any]]]:
        values = Aside(incoming.values())
        async for value in values:
            position = report.taken
            report.taken += 1
            try:
                made: Operation[Any] = handle.insert(value, timeout=timeout)
            except (MarshallingError, LimitError) as error:
                settled(position, value, error)
            else:
                yield position, value, made

    sending = Sending(client, meter, report, name, concurrency, write_units_per_second, progress, settled)
    return BulkWork(f"load of {name!r}", report, lambda: sending.run(operations()))
