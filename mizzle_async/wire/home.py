"""Where a client belongs: its event loop, that loop's thread, and its process.

Asking asyncio for the running loop costs a system call on some versions of Python, because a forked child must not take
its parent's loop for its own. Here the child is told once, by a hook, and a call compares a number.
"""

from __future__ import annotations

import asyncio
import os
from threading import get_ident
from typing import Final
from weakref import WeakSet

FOREIGN: Final = 0
"""The number of no thread."""


class Home:
    """The event loop and process in which it was made.

    Attributes:
        loop: The event loop that runs.
        process: The process' number.
        thread: The number of the loop's thread, as `threading.get_ident` tells it; `FOREIGN` in a forked child.
    """

    __slots__ = ("__weakref__", "loop", "process", "thread")

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.process: int = os.getpid()
        self.thread: int = get_ident()
        _HOMES.add(self)

    def is_here(self) -> bool:
        """Return whether the caller runs on this loop, in its process."""
        return get_ident() == self.thread and self.loop.is_running()

    def leave(self) -> None:
        """Be foreign from now on: called in a forked child."""
        self.thread = FOREIGN

    def __repr__(self) -> str:
        return f"<Home in process {self.process}>"


_HOMES: WeakSet[Home] = WeakSet()


def _leave_all() -> None:
    for home in _HOMES:
        home.leave()


if hasattr(os, "register_at_fork"):  # where processes cannot be forked, none needs to be told
    os.register_at_fork(after_in_child=_leave_all)
