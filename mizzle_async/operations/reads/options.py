"""The options of queries and scans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from mizzle_async.errors import ExpressionError, MarshallingError
from mizzle_async.limits import SCAN_SEGMENTS
from mizzle_async.operations.arguments import check_timeout
from mizzle_async.types import WirePayload
from mizzle_async.values import Value, transient

OnError: TypeAlias = Literal["raise", "skip"] | Callable[[MarshallingError], object]
"""The treatment of an item that does not fit its class: it raises, is skipped, or goes to a function."""


@transient(eq=False, repr=False, kw_only=True)
class ReadOptions(Value):
    """The options of a query or a scan.

    Attributes:
        max_items: How many are returned in all.
        page_size: How many are evaluated per request, before the filter: the service's ``Limit``.
        max_evaluated: How many are evaluated in all.
        consistent_read: Whether every write that was finished before is seen.
        include_expired: Whether expired items are shown.
        on_error: The treatment of an item that does not fit its class.
        reverse: Whether the sort order is descending.
        merged: Whether several partitions are merged in the order of the sort key, or read one after the other.
        segments: How many segments of a scan are read at once.
        segment: The one segment that is read, from zero, and how many the scan is divided into; None for all.
        timeout: Seconds for each page, or None for the client's.
    """

    max_items: int | None = None
    page_size: int | None = None
    max_evaluated: int | None = None
    consistent_read: bool = False
    include_expired: bool = False
    on_error: OnError = "raise"
    reverse: bool = False
    merged: bool = True
    segments: int = 1
    segment: tuple[int, int] | None = None
    timeout: float | None = None

    def add_flags(self, body: WirePayload, *, report_capacity: bool) -> None:
        """Add the members of a request that options stand for.

        Args:
            body: The request.
            report_capacity: Whether the request asks for the capacity that it consumes.
        """
        if self.reverse:
            body["ScanIndexForward"] = False
        if self.consistent_read:
            body["ConsistentRead"] = True
        if report_capacity:
            body["ReturnConsumedCapacity"] = "TOTAL"

    def check(self, entity: str) -> None:
        """Raise the errors for which the service would refuse the request.

        Raises:
            ExpressionError: A number that must be at least one is not, ``timeout`` is no number, or ``on_error`` is
                neither a word nor a function.
        """
        numbers = (self.max_items, self.page_size, self.max_evaluated, self.timeout)
        if numbers == (None, None, None, None) and self.segments == 1 and self.on_error == "raise":
            return  # as most are
        for name in ("max_items", "page_size", "max_evaluated"):
            value = getattr(self, name)
            least = 0 if name == "max_items" else 1
            if value is not None and (not isinstance(value, int) or value < least):
                raise ExpressionError(
                    f"{entity}: {name}={value!r} must be an integer of {least} or more, or None for no limit"
                )
        check_timeout(self.timeout)
        if not 1 <= self.segments <= SCAN_SEGMENTS:
            raise ExpressionError(f"{entity}: segments={self.segments!r} must be between 1 and {SCAN_SEGMENTS:,}")
        if self.on_error not in ("raise", "skip") and not callable(self.on_error):
            raise ExpressionError(
                f"{entity}: on_error= is 'raise', 'skip' or a function of the error, not {self.on_error!r}"
            )
