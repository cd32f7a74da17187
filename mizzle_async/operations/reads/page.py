"""One request of a query or a scan, and the page that it brings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from attrs import evolve, field

from mizzle_async.errors import InvalidCursorError, ValidationError
from mizzle_async.marshalling import RecordForm
from mizzle_async.operations.answers import (
    PAGE_ANSWER_BYTES,
    check_items,
    check_key,
    check_position,
    equalities,
    mismatch,
)
from mizzle_async.operations.base import Operation
from mizzle_async.operations.error_context import call_context
from mizzle_async.operations.explain import Capacity
from mizzle_async.operations.reads.advice import Advice
from mizzle_async.types import AttributeValue, Item, WirePayload, WireResponse
from mizzle_async.values import Record, transient


class PageAdvisor(Protocol):
    """A query as its page requests see it, to explain themselves."""

    def capacity(self) -> Capacity:
        """Estimate one page."""
        ...

    def advice(self) -> Advice | None:
        """Return the advice about its filters."""
        ...


@transient(eq=False, repr=False)
class RawPage(Record):
    """The answer to one request of a query, a scan or a statement, items undecoded.

    Attributes:
        items: In the service's order, perhaps with expired ones. Dicts, or records where they were asked for.
        last_key: Where the next page starts, or None on the last page. A page without items may have one.
        count: Items after the filter.
        scanned: Items before the filter, which are paid for.
        read_units: Consumed read units, where they were asked for.
        origins: The items as the index holds them, in step with ``items``, where ``items`` came from the table instead.
        requests: Requests that were sent for it.
        part: The number of the segment or partition that the page is of, from zero.
        distrust: Closes the connection that carried it, where an item turns out to be none.
    """

    items: list[Any] = field(repr=False)
    last_key: Item | None = field(default=None, repr=False)
    count: int = 0
    scanned: int = 0
    read_units: float | None = None
    origins: list[Item] | None = field(default=None, repr=False)
    requests: int = 1
    part: int = 0
    distrust: Callable[[], None] | None = field(default=None, repr=False)

    def refuse(self) -> None:
        """Close the connection that carried the page: one of its items is no item."""
        if self.distrust is not None:
            self.distrust()

    def hydrated(self, items: list[Item | None]) -> RawPage:
        """Return this page with the table's items in place of the index's. Those that are gone are left out."""
        pairs = [(item, origin) for item, origin in zip(items, self.items, strict=True) if item is not None]
        return evolve(self, items=[item for item, _ in pairs], origins=[origin for _, origin in pairs])


def add_units(first: float | None, second: float | None) -> float | None:
    """Return the sum of capacity units, each of which may not have been asked for."""
    return second if first is None else first if second is None else first + second


@transient(eq=False, repr=False)
class ReadPage(Operation[RawPage]):
    """One page of a query or a scan. A reading iterator sends as many as it needs.

    Cost: one request; a read unit for each 4 KB evaluated, filtered-out items included, half of it when eventually
    consistent.
    """

    _answer_bytes = PAGE_ANSWER_BYTES

    compiled: WirePayload
    start_key: Item | None = field(default=None, kw_only=True)
    limit: int | None = field(default=None, kw_only=True)
    segment: tuple[int, int] | None = field(default=None, kw_only=True)
    plan: PageAdvisor | None = field(default=None, kw_only=True)
    records: RecordForm | None = field(default=None, kw_only=True)

    def _body(self) -> WirePayload:
        body = dict(self.compiled)
        if self.limit is not None:
            body["Limit"] = self.limit
        if self.start_key is not None:
            body["ExclusiveStartKey"] = self.start_key
        if self.segment is not None:
            body["Segment"], body["TotalSegments"] = self.segment
        return body

    def _index(self) -> str | None:
        index: str | None = self.compiled.get("IndexName")
        return index

    def _json(self, body: bytes) -> Any:
        return super()._json(body) if self.records is None else self.records.parse(body)

    def _check(self, payload: WirePayload) -> None:
        items: Any = payload.get("Items")
        count, scanned = payload.get("Count"), payload.get("ScannedCount", 0)
        if items is not None:
            check_items(items, None if self.records is None else self.records.cls)
            if count is not None and count != len(items):
                raise mismatch(f"it counts {count} items, and lists {len(items)}")
        elif type(count) is not int:
            raise mismatch("it neither lists nor counts items")
        if not isinstance(scanned, int):
            raise mismatch("what it counts is no number")
        check_position(payload.get("LastEvaluatedKey"), self.start_key)

    def _capacity(self) -> Capacity:
        return Capacity() if self.plan is None else self.plan.capacity()

    def _warnings(self) -> tuple[str, ...]:
        advice = None if self.plan is None else self.plan.advice()
        return () if advice is None else (advice.text,)

    def _from_wire(self, response: WireResponse, now: float, /) -> RawPage:  # noqa: ARG002  (rows judge what is expired)
        """Return the page."""
        payload = response.parsed
        items: list[Any] = payload.get("Items") or []
        consumed: Any = payload.get("ConsumedCapacity")
        return RawPage(
            items,
            payload.get("LastEvaluatedKey") or None,
            payload.get("Count", len(items)),
            payload.get("ScannedCount", len(items)),
            None if consumed is None else consumed.get("CapacityUnits"),
            distrust=response.distrust,
        )

    def _recover(self, error: Exception, now: float, /) -> RawPage:  # noqa: ARG002  (all are asked alike)
        """Raise the meaning of a failure: a start key that the service refuses came out of a cursor or a file."""
        if isinstance(error, ValidationError) and self.start_key is not None and "start" in error.message.lower():
            raise InvalidCursorError(
                "the service refuses the key that this cursor or state file holds: start from the first page",
                **call_context(error),
            ) from error
        raise error


class QueryPage(ReadPage):
    """One page of a query.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
    """

    __slots__ = ()

    api = "Query"

    def _check(self, payload: WirePayload) -> None:
        super()._check(payload)
        items: list[Any] = payload.get("Items") or []
        last: Item = payload.get("LastEvaluatedKey") or {}
        for name, value in equalities(self.compiled):
            if name in last:
                check_key({name: value}, last)
            for stored in self._unlike(items, name, value):
                if stored is None:
                    raise mismatch(f"an item lacks {name!r}, by which it was asked for")
                check_key({name: value}, {name: stored})

    def _unlike(self, items: list[Any], name: str, value: AttributeValue) -> Iterable[AttributeValue | None]:
        """Return the stored values of an attribute that differ from the one asked for, if only in form."""
        records = self.records
        if records is not None and items and type(items[0]) is records.cls:
            return records.unlike(items, name, value)
        return [stored for item in items if (stored := item.get(name)) != value]


class ScanPage(ReadPage):
    """One page of a scan, or of one of its segments.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
    """

    __slots__ = ()

    api = "Scan"
