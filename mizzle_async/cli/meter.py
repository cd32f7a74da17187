"""The units that a command consumes, where no report of bulk work counts them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mizzle_async.flow.report import BatchReport
from mizzle_async.instruments.heat import Heat
from mizzle_async.types import CallRecord

READS: Final = frozenset({"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"})
WRITES: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})


class Meter(Heat):
    """An instrument that counts units and requests beside the hot partition keys.

    Attributes:
        total: The units and requests so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total: BatchReport = BatchReport()

    def call_finished(self, call: CallRecord) -> None:
        """Count a call."""
        super().call_finished(call)
        if call.operation not in READS | WRITES:
            return
        reads = call.operation in READS
        self.total.count_request(reads=reads)
        consumed: Any = call.consumed_capacity or ()
        for part in (consumed,) if isinstance(consumed, Mapping) else consumed:
            self.total.count_units(float(part.get("CapacityUnits", 0.0)), reads=reads)
