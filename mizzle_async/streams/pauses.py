"""The pauses between the requests of one shard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

FIRST_PAUSE: Final = 0.05
LONGEST_FAILURE_PAUSE: Final = 30.0
SPREAD: Final = 0.1
"""A pause is up to a tenth shorter than its length, at random: shards that began together drift apart."""


class Pauses:
    """Draws the pauses of one shard: none after a full page, growing ones while nothing comes or requests fail.

    Args:
        idle: The longest pause while nothing comes, in seconds.
        random: Returns a random number from zero to one.
    """

    __slots__ = ("_failures", "_idle", "_pause", "_random")

    def __init__(self, idle: float, random: Callable[[], float]) -> None:
        self._idle = idle
        self._random = random
        self._pause = 0.0
        self._failures = 0

    def after_page(self, records: int, *, is_full: bool) -> float:
        """Return the pause after a page.

        Args:
            records: The number of its records.
            is_full: Whether more of them wait probably.
        """
        self._failures = 0
        if records:
            self._pause = 0.0 if is_full else min(FIRST_PAUSE, self._idle)
        else:
            self._pause = min(max(2 * self._pause, FIRST_PAUSE), self._idle)
        return self._spread(self._pause)

    def after_expiry(self) -> float:
        """Return the pause after a position that had expired: none, unless that happens again and again."""
        self._failures += 1
        return 0.0

    def after_failure(self) -> float:
        """Return the pause after a request that failed or was throttled."""
        self._failures += 1
        longest = min(LONGEST_FAILURE_PAUSE, max(self._idle, FIRST_PAUSE) * 2.0 ** min(self._failures - 1, 20))
        return self._random() * longest / 2 + longest / 2

    @property
    def failures(self) -> int:
        """The number of failures in a row."""
        return self._failures

    def _spread(self, pause: float) -> float:
        return pause * (1 - SPREAD * self._random())
