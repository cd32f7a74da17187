"""Operations that are sent one by one, several at once, within a rate, and counted in a report."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
from attrs import define, field

from mizzle_async.cli.meter import Meter
from mizzle_async.errors import MizzleError
from mizzle_async.flow.pace import RateLimiter, rate_limiter
from mizzle_async.flow.report import BatchReport, UndoneWrite, may_be_applied
from mizzle_async.handles.client import Client
from mizzle_async.operations import Operation


@define
class Sending:
    """The sending of operations that a batch cannot hold.

    Attributes:
        client: The client.
        meter: Counts the units of the client.
        report: The report to count in.
        table: The name of the table.
        concurrency: The number of requests at the same time.
        write_units_per_second: The limit of write units, or None for none.
        progress: Called with the report as it grows.
        settled: Takes an error with its position and item, and returns whether it has counted it.
    """

    client: Client
    meter: Meter
    report: BatchReport
    table: str
    concurrency: int
    write_units_per_second: float | None
    progress: Callable[[BatchReport], object]
    settled: Callable[[int, Any, Exception], bool]
    _places: dict[int, tuple[int, Any, float]] = field(factory=dict, init=False)
    _metered: float = field(default=0.0, init=False)

    async def run(self, operations: AsyncIterator[tuple[int, Any, Operation[Any]]]) -> BatchReport:
        """Send operations, each with its position and its item, until they end.

        Raises:
            BatchError: If one was not done for a reason that is not about its item.
        """
        limiter = rate_limiter(self.write_units_per_second, anyio.sleep)
        sending = self.client.send_all(self._paced(operations, limiter), concurrency=self.concurrency)
        try:
            async for sent, outcome in sending:
                position, item, charged = self._places.pop(id(sent))
                consumed, self._metered = self.meter.total.write_units - self._metered, self.meter.total.write_units
                if limiter is not None:
                    limiter.settle(charged, 1.0, consumed or None)
                self._settle(position, item, outcome.error)
                self.progress(self.report)
        finally:
            self.report.count_consumption(self.meter.total)
            for sent in sending.under_way:
                place = self._places.pop(id(sent), None)
                if place is not None:
                    error = MizzleError("the work ended before the answer came")
                    self.report.note(UndoneWrite("put", self.table, place[1], error, place[0], uncertain=True))
        if not self.report.is_complete:
            raise self.report.to_error("sending")
        return self.report

    async def _paced(
        self, operations: AsyncIterator[tuple[int, Any, Operation[Any]]], limiter: RateLimiter | None
    ) -> AsyncIterator[Operation[Any]]:
        async for position, item, operation in operations:
            charged = 0.0 if limiter is None else await limiter.admit(1.0)
            self._places[id(operation)] = position, item, charged
            yield operation

    def _settle(self, position: int, item: Any, error: Exception | None) -> None:
        if error is None:
            self.report.written += 1
        elif not self.settled(position, item, error):
            self.report.note(UndoneWrite("put", self.table, item, error, position, uncertain=may_be_applied(error)))
