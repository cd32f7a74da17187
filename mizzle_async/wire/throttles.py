"""Remember throttling for each table and each index alone, so that a hot key of one never slows another.

First attempts are never held back. A throttled table runs out of nothing but its own quota for retries.
"""

from __future__ import annotations

from typing import Final

from mizzle_async.wire.retry import RetryQuota

TABLES_LIMIT: Final = 1024
"""Tables and indexes that are remembered. A client that meets more forgets those that have been quiet for longest."""


class ThrottleState:
    """The throttling of one table or index.

    Attributes:
        quota: Tokens for its throttled retries.
        throttled: Throttled answers so far.
    """

    __slots__ = ("quota", "throttled")

    def __init__(self, capacity: int) -> None:
        self.quota: RetryQuota = RetryQuota(capacity)
        self.throttled: int = 0


class ThrottleBook:
    """The throttle states of one client.

    Args:
        capacity: Quota tokens of each table and index.

    Attributes:
        states: Those of tables and indexes that were throttled, by name.
    """

    __slots__ = ("_capacity", "states")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.states: dict[str, ThrottleState] = {}

    def of(self, table: str, index: str | None) -> ThrottleState:
        """Return the state of a table or an index, which is now the last to be forgotten."""
        name = table if index is None else f"{table}/{index}"
        state = self.states.pop(name, None) or ThrottleState(self._capacity)
        self.states[name] = state
        if len(self.states) > TABLES_LIMIT:
            del self.states[next(iter(self.states))]
        return state

    def succeeded(self, table: str, index: str | None) -> None:
        """Give one token back to a table or an index that is remembered."""
        state = self.states.get(table if index is None else f"{table}/{index}")
        if state is not None:
            state.quota.give(1)

    def counts(self) -> dict[str, int]:
        """Return throttled answers by table, or by table and index."""
        return {name: state.throttled for name, state in tuple(self.states.items()) if state.throttled}

    def __len__(self) -> int:
        return len(self.states)
