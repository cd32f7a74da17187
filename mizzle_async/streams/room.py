"""The room for changes that are read and not yet delivered, in bytes: full, it holds reading back."""

from __future__ import annotations

from mizzle_async.flow.tasks import Bell


class Room:
    """A number of bytes. Each shard may pass it by the one page that it was reading.

    Args:
        limit: The bytes.
    """

    __slots__ = ("_bell", "_limit", "_used")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._bell = Bell()

    @property
    def used(self) -> int:
        """The bytes of the changes that wait."""
        return self._used

    async def wait(self) -> None:
        """Wait until a page may be read."""
        while self._used >= self._limit:
            await self._bell.wait()

    def take(self, size: int) -> None:
        """Note that bytes were read."""
        self._used += size

    def give(self, size: int) -> None:
        """Note that bytes were delivered, or dropped."""
        was_full = self._used >= self._limit
        self._used -= size
        if was_full and self._used < self._limit:
            self._bell.ring()

    def __repr__(self) -> str:
        return f"<Room {self._used:,} of {self._limit:,} bytes>"
