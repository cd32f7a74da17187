"""Places of misuse, so that one mistake has one message: conditions that were asked for their truth, wrong tasks.

The error of ``.when(a and b)`` is raised while Python holds the operation before the dot, which it drops at the same
instruction. No other drop can happen there.
"""

from __future__ import annotations

import sys


class _Last:
    """The frame and the instruction of the last misuse."""

    place: tuple[int, int] = (0, 0)


def note_misuse() -> None:
    """Note the place whose code asked for the truth of a condition: the caller of the function that calls this."""
    frame = sys._getframe(2)  # noqa: SLF001  (as `warnings` itself finds a place)
    _Last.place = (id(frame), frame.f_lasti)


def is_at_misuse(depth: int) -> bool:
    """Return whether a frame is where the last misuse has just raised.

    Args:
        depth: The frame, counted from the caller, which is 0.
    """
    frame = sys._getframe(depth + 1)  # noqa: SLF001  (as above)
    return _Last.place == (id(frame), frame.f_lasti)


def is_refusal_of_asyncio(depth: int) -> bool:
    """Return whether a repr is asked for by asyncio, for the text of "a coroutine was expected, got …".

    Args:
        depth: The frame that asks, counted from the caller, which is 0.
    """
    name: str = sys._getframe(depth + 1).f_globals.get("__name__", "")  # noqa: SLF001  (as above)
    return name.partition(".")[0] == "asyncio"
