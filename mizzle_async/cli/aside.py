"""Read a blocking source, such as standard input, in a thread, so that Ctrl-C works meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

MOST_AHEAD: Final = 1_000
"""The number of items that are read ahead."""


class Aside(Generic[T]):
    """An asynchronous iterator over a blocking one, which runs in a thread that does not keep the process alive.

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
        is_item, value = await self._queue.get()
        if not is_item:
            self._queue.put_nowait((False, value))  # a finished iterator stays finished
            raise value
        self._room.release()
        item: T = value
        return item

    def _read(self) -> None:
        try:
            for item in self._items:
                self._room.acquire()
                self._put(is_item=True, value=item)
        except Exception as error:  # noqa: BLE001  (it is raised where the items are read)
            self._put(is_item=False, value=error)
        else:
            self._put(is_item=False, value=StopAsyncIteration())

    def _put(self, *, is_item: bool, value: Any) -> None:
        # The loop is closed: no one reads any more.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._queue.put_nowait, (is_item, value))
