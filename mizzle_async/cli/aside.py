"""Reading what may block, such as standard input, aside from the loop: so that Ctrl-C is heard meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

MOST_AHEAD: Final = 1_000
"""What is read ahead at most."""


class Aside(Generic[T]):
    """An asynchronous iterator of what a blocking one gives, in a thread that does not keep the process alive.

    Args:
        items: The blocking iterator.
    """

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[tuple[bool, Any]] = asyncio.Queue()
        self._room = threading.Semaphore(MOST_AHEAD)
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __aiter__(self) -> Aside[T]:
        self._thread.start()
        return self

    async def __anext__(self) -> T:
        is_item, found = await self._queue.get()
        if not is_item:
            self._queue.put_nowait((False, found))  # the end stays the end
            raise found
        self._room.release()
        item: T = found
        return item

    def _read(self) -> None:
        try:
            for item in self._items:
                self._room.acquire()
                self._tell(is_item=True, found=item)
        except Exception as error:  # noqa: BLE001  (raised where the items are wanted)
            self._tell(is_item=False, found=error)
        else:
            self._tell(is_item=False, found=StopAsyncIteration())

    def _tell(self, *, is_item: bool, found: Any) -> None:
        # A loop that is closed wants nothing any more.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._queue.put_nowait, (is_item, found))
