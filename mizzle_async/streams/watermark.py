"""How far one shard is done, while its changes end in any order."""

from __future__ import annotations

from collections import OrderedDict


class Watermark:
    """The changes of a shard that have begun and not ended, and the position before the first of them.

    Args:
        position: The last sequence number that was done before, as the service wrote it, or None.
    """

    __slots__ = ("_before", "_last")

    def __init__(self, position: str | None = None) -> None:
        self._last = position
        self._before: OrderedDict[str, str | None] = OrderedDict()

    def begin(self, number: str) -> None:
        """Note the next change of the shard, by its sequence number."""
        self._before[number] = self._last
        self._last = number

    def end(self, number: str) -> bool:
        """Note that a change is done. Return whether it was not before."""
        return self._before.pop(number, self) is not self

    @property
    def position(self) -> str | None:
        """The highest sequence number up to which everything is done, or None."""
        before = self._before
        return before[next(iter(before))] if before else self._last

    @property
    def last(self) -> str | None:
        """The sequence number of the last change that was begun."""
        return self._last

    @property
    def is_clear(self) -> bool:
        """Whether everything that was begun is done."""
        return not self._before

    def is_done_up_to(self, number: int) -> bool:
        """Return whether everything up to a sequence number is done: as text two of them do not compare."""
        before = self._before
        return not before or int(next(iter(before))) > number

    def __len__(self) -> int:
        return len(self._before)

    def __repr__(self) -> str:
        return f"<Watermark {self.position}, {len(self._before)} begun>"
