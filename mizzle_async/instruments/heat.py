"""Hot partition keys: the consumption of each, counted in bounded memory, and a plot of it.

DynamoDB spreads a table over partitions by its partition keys, and each bears 3,000 read and 1,000 write units a second
at most. A key that takes much more than its share is throttled while the table as a whole is idle.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from heapq import heappop, heappush, heapreplace
from itertools import count, islice
from typing import Any, Final, Generic, TypeVar

from attrs import field, frozen

from mizzle_async.errors import ThrottledError
from mizzle_async.limits import WRITE_UNIT_BYTES
from mizzle_async.marshalling import item_size
from mizzle_async.operations.batches.partition_keys import touched, value_text
from mizzle_async.operations.capacity import consumed
from mizzle_async.types import CallRecord, Sendable, WireResponse
from mizzle_async.values import Value
from mizzle_async.writing.table_part import TablePart, target_of

KeyT = TypeVar("KeyT")
ModelT = TypeVar("ModelT")

SHOWN: Final = 10
BAR: Final = 30
LONGEST_KEY: Final = 32
RESOURCE_LIMIT: Final = 100


class HeavyHitters(Generic[KeyT]):
    """Sums by key, exact for the heavy keys, in bounded memory: the space-saving sketch of Metwally and others.

    A key that takes more than ``total / limit`` is always among them. Of each, the sum is at most ``error`` too high
    and never too low.

    Args:
        limit: Keys that are remembered.
    """

    __slots__ = ("_errors", "_heap", "_limit", "_numbers", "_sums", "total")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sums: dict[KeyT, float] = {}
        self._errors: dict[KeyT, float] = {}
        self._heap: list[tuple[float, int, KeyT]] = []
        self._numbers = count()
        self.total: float = 0.0

    def add(self, key: KeyT, weight: float) -> None:
        """Add to the sum of a key."""
        self.total += weight
        sums = self._sums
        if key in sums:
            sums[key] += weight
            return
        if len(sums) < self._limit:
            sums[key] = weight
            heappush(self._heap, (weight, next(self._numbers), key))
            return
        smallest, victim = self._smallest()
        del sums[victim]
        self._errors.pop(victim, None)
        sums[key] = smallest + weight
        self._errors[key] = smallest
        heapreplace(self._heap, (smallest + weight, next(self._numbers), key))

    def _smallest(self) -> tuple[float, KeyT]:
        """Find the smallest sum. The heap holds earlier sums, and is corrected on the way."""
        heap = self._heap
        while True:
            noted, _, key = heap[0]
            actual = self._sums.get(key)
            if actual is None:
                heappop(heap)
            elif actual != noted:
                heapreplace(heap, (actual, next(self._numbers), key))
            else:
                return actual, key

    def top(self) -> list[tuple[KeyT, float, float]]:
        """Return the keys, the heaviest first, with their sums and by how much those may be too high."""
        ordered = sorted(self._sums.items(), key=lambda entry: -entry[1])
        return [(key, total, self._errors.get(key, 0.0)) for key, total in ordered]

    def __len__(self) -> int:
        return len(self._sums)


@frozen(eq=False, repr=False)
class HotKey(Value):
    """One partition key and its consumption.

    Attributes:
        table: The table, or the table and the index.
        key: The partition key's value, as text.
        units: Capacity units, reading and writing together.
        error: By how much ``units`` may be too high.
        share: Its part of everything, from 0 to 1.
    """

    table: str
    key: str
    units: float
    error: float
    share: float


@frozen(eq=False, repr=False)
class HeatReport(Value):
    """The hot partition keys. ``print`` it for a plot, which shows key values.

    Attributes:
        units: Capacity units of all keys.
        keys: The keys that are remembered, the hottest first.
        is_partial: Whether there are more keys than are remembered.
        throttled: How often the service throttled, by its reason and resource.
    """

    units: float
    keys: tuple[HotKey, ...]
    is_partial: bool = False
    throttled: dict[str, int] = field(factory=dict)

    @property
    def hottest_share(self) -> float:
        """The part of everything that the hottest key takes, from 0 to 1."""
        return self.keys[0].share if self.keys else 0.0

    @property
    def skew(self) -> float:
        """How many times its fair share the hottest key takes: 1 where all take the same."""
        return self.hottest_share * len(self.keys)

    @property
    def effective_keys(self) -> float:
        """Over how many keys of equal heat the same load would be as well spread (the inverse Simpson index)."""
        squares = sum(key.share**2 for key in self.keys)
        return 1.0 / squares if squares else 0.0

    def __str__(self) -> str:
        if not self.keys:
            return "no partition key has consumed anything yet"
        number = f"{len(self.keys):,}{'+' if self.is_partial else ''}"
        ten = sum(key.share for key in self.keys[:SHOWN])
        first = (
            f"{self.units:,.1f} units over {number} partition keys; the hottest takes {self.hottest_share:.1%}, "
            f"{self.skew:,.1f} times its fair share; the {min(SHOWN, len(self.keys))} hottest take {ten:.1%}"
        )
        lines = [first]
        shown = self.keys[:SHOWN]
        labels = [(key.table, _shortened(key.key)) for key in shown]
        widths = [max(len(label[column]) for label in labels) for column in (0, 1)]
        for key, (table, name) in zip(shown, labels, strict=True):
            bar = "█" * max(1, round(BAR * key.units / shown[0].units)) if shown[0].units else ""
            units = f"{key.units:,.1f}" + (f" (-{key.error:,.1f})" if key.error else "")
            lines.append(f"{table:{widths[0]}}  {name:{widths[1]}}  {bar:{BAR}}  {key.share:6.1%}  {units}")
        lines += [f"throttled {times:,} times: {name}" for name, times in self.throttled.items()]
        return "\n".join(lines)


def _shortened(key: str) -> str:
    if not key.isprintable():  # it comes from data, and goes to a terminal
        key = "".join(each if each.isprintable() else repr(each)[1:-1] for each in key)
    return key if len(key) <= LONGEST_KEY else f"{key[: LONGEST_KEY - 1]}…"


class Heat:
    """An instrument that finds hot partition keys: ``Client(instrument=heat)``, then ``print(heat.report())``.

    It counts single reads and writes, batches and queries, by the consumption that the service reports. Of a batch it
    counts each key by its part of the request. Scans, transactions and PartiQL have no single key, and are not counted.

    Args:
        keys: Partition keys that are remembered. A hotter one takes the place of the coldest.
    """

    def __init__(self, *, keys: int = 1_000) -> None:
        self._limit = keys
        self._sketch: HeavyHitters[tuple[str, str]] = HeavyHitters(keys)
        self._throttled: Counter[str] = Counter()

    def call_finished(self, call: CallRecord) -> None:
        """Count the throttling that the service reports."""
        if isinstance(call.error, ThrottledError):
            for reason in call.error.reasons:
                name = f"{reason.reason} {reason.resource}".strip()
                if name in self._throttled or len(self._throttled) < RESOURCE_LIMIT:
                    self._throttled[name] += 1

    def call_answered(self, request: Sendable[Any], answer: WireResponse) -> None:
        """Count an operation that was answered.

        Args:
            request: The operation that was sent.
            answer: The checked answer.
        """
        shares = touched(request)
        if not shares:
            return
        whole = sum(share for _, _, share in shares)
        units = consumed(answer.parsed)
        for table, key, share in shares:
            self._sketch.add((table, key), share if units is None else units * share / whole)

    @classmethod
    def estimate(cls, table: TablePart[ModelT], items: Iterable[ModelT], /, *, max_items: int = 10_000) -> HeatReport:
        """Estimate how a load would spread over partition keys, from a sample of its input. Nothing is sent.

        Args:
            table: The handle of the table, from `Client.table`.
            items: The input, or a sample of it.
            max_items: How many of them are looked at.

        Returns:
            Write units by partition key, estimated from sizes. Print it for a plot.
        """
        heat = cls()
        target = target_of(table)
        name = target.schema.partition_key.name
        for item in islice(items, max_items):
            encoded = target.codec.encode(item)
            units = -(-item_size(encoded) // WRITE_UNIT_BYTES)
            heat.count(target.table, value_text(encoded[name]), units)
        return heat.report()

    def count(self, table: str, key: str, units: float) -> None:
        """Count units of one partition key."""
        self._sketch.add((table, key), units)

    def report(self) -> HeatReport:
        """Return the report of everything counted so far."""
        total = self._sketch.total
        keys = tuple(
            HotKey(table, key, units, error, units / total if total else 0.0)
            for (table, key), units, error in self._sketch.top()
        )
        return HeatReport(total, keys, len(keys) >= self._limit, dict(self._throttled.most_common()))

    def reset(self) -> None:
        """Forget everything."""
        self._sketch = HeavyHitters(self._limit)
        self._throttled.clear()

    def __repr__(self) -> str:
        return f"<Heat {len(self._sketch)} keys, {self._sketch.total:,.1f} units>"
