"""The order in which changes are handled: one after another in each lane, any number of lanes side by side.

Nothing here waits: a worker asks for the next change whose lane is free, and says when it is done with it. Of all
changes that can be handled, the one that came first is the next: so no lane starves, and positions lag little.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from heapq import heappop, heappush
from typing import Generic, TypeVar

EntryT = TypeVar("EntryT")


class Lanes(Generic[EntryT]):
    """Entries in their lanes.

    Args:
        lane_of: Returns the lane of an entry: entries of one lane keep their order, and never overlap.
        is_refused: Returns whether an entry is not to be handled any more. It is passed over when its turn comes.
        refused: Called with each entry that was passed over.
    """

    __slots__ = ("_arrivals", "_is_refused", "_lane_of", "_ready", "_refused", "_waiting")

    def __init__(
        self,
        lane_of: Callable[[EntryT], Hashable],
        is_refused: Callable[[EntryT], bool],
        refused: Callable[[EntryT], object],
    ) -> None:
        self._lane_of = lane_of
        self._is_refused = is_refused
        self._refused = refused
        self._arrivals = 0
        self._ready: list[tuple[int, Hashable, EntryT]] = []
        self._waiting: dict[Hashable, deque[tuple[int, Hashable, EntryT]] | None] = {}

    def add(self, entry: EntryT) -> bool:
        """Add an entry behind those of its lane. Return whether its lane was empty, so that it is the next."""
        lane = self._lane_of(entry)
        self._arrivals += 1
        arrived = self._arrivals, lane, entry  # no two have the same number, so that nothing else is compared
        waiting = self._waiting
        if lane not in waiting:
            waiting[lane] = None
            heappush(self._ready, arrived)
            return True
        behind = waiting[lane]
        if behind is None:
            behind = waiting[lane] = deque()
        behind.append(arrived)
        return False

    def take(self) -> tuple[Hashable, EntryT] | None:
        """Return the next entry with its lane, which is busy then until `finish`, or None where every lane is busy."""
        ready = self._ready
        while ready:
            _, lane, entry = heappop(ready)
            if not self._is_refused(entry):
                return lane, entry
            self._refused(entry)
            self.finish(lane)
        return None

    def finish(self, lane: Hashable) -> None:
        """Free a lane: its next entry can be taken."""
        behind = self._waiting[lane]
        if behind:
            heappush(self._ready, behind.popleft())
        else:
            del self._waiting[lane]

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits and nothing is being handled."""
        return not self._waiting

    def __repr__(self) -> str:
        return f"<Lanes {len(self._waiting)} busy or waiting, {len(self._ready)} ready>"
