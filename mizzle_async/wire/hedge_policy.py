"""When a slow read is worth a second request: latencies and a budget, arithmetic only.

It does not send anything and looks at no clock: the pipeline measures, asks, and races.
"""

from __future__ import annotations

from typing import Final

from attrs import field, frozen
from attrs.validators import and_, ge, gt, le, lt, optional

from mizzle_async.values import Value

SAMPLES: Final = 512
"""Latencies that are remembered for each operation."""

MINIMUM_SAMPLES: Final = 64
"""A percentile of fewer latencies is random."""

SAVED_LIMIT: Final = 10.0
"""Hedges that may be saved up: a burst of slow reads is not answered with a burst of hedges."""


@frozen(eq=False, repr=False, kw_only=True)
class HedgePolicy(Value):
    """Send a read again, on another connection, when its answer is late. The first answer wins.

    Writes are never hedged.

    Attributes:
        percentile: A read is late when it is slower than this share of the last reads of its operation. If neither this
            nor ``after`` is given, it is 0.95.
        after: A read is late after this many seconds.
        budget: Maximum number of hedges per read, over time: each costs as much as a read.

    Cost:
        Up to ``budget`` more read requests.
    """

    percentile: float | None = field(default=None, validator=optional(and_(gt(0), lt(1))))
    after: float | None = field(default=None, validator=optional(ge(0)))
    budget: float = field(default=0.05, validator=and_(gt(0), le(1)))

    def __attrs_post_init__(self) -> None:
        """Raise ValueError where both limits are given."""
        if self.after is not None and self.percentile is not None:
            raise ValueError("HedgePolicy: give percentile= or after=, not both")


class _Window:
    """The last latencies of one operation."""

    __slots__ = ("count", "late", "samples")

    def __init__(self) -> None:
        self.count = 0
        self.late: float | None = None
        self.samples: list[float] = []


class HedgeState:
    """The latencies of one client's reads, and the number of hedges that it may still send."""

    __slots__ = ("_after", "_budget", "_percentile", "_saved", "_windows")

    def __init__(self, policy: HedgePolicy) -> None:
        self._after = policy.after
        self._percentile = policy.percentile or 0.95
        self._budget = policy.budget
        self._saved = 1.0
        self._windows: dict[str, _Window] = {}

    def late_after(self, operation: str) -> float | None:
        """Return the seconds after which a read of this operation is late, or None while too little is known."""
        if self._after is not None:
            return self._after
        window = self._windows.get(operation)
        return None if window is None else window.late

    def begin(self) -> None:
        """Save up for hedges: called once for each read."""
        self._saved = min(SAVED_LIMIT, self._saved + self._budget)

    def spend(self) -> bool:
        """Take one hedge from the budget. Return whether it was there."""
        if self._saved < 1.0:
            return False
        self._saved -= 1.0
        return True

    def record(self, operation: str, seconds: float) -> None:
        """Remember how long a read took, from its first sending to the first answer."""
        if self._after is not None:
            return
        window = self._windows.get(operation)
        if window is None:
            window = self._windows[operation] = _Window()
        if len(window.samples) < SAMPLES:
            window.samples.append(seconds)
        else:
            window.samples[window.count % SAMPLES] = seconds
        window.count += 1
        # Sorting 512 floats takes 20 µs: once in 64 reads is a third of a microsecond each.
        if window.count % MINIMUM_SAMPLES == 0:
            ordered = sorted(window.samples)
            window.late = ordered[int(len(ordered) * self._percentile)]
