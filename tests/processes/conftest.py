"""Waiting for processes that are no children of the test."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest


def _wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.02)
    return True


def _is_running(pid: int) -> bool:
    """Return whether a process is there, and is no zombie."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., bool]:
    """A function that waits until something is true, and returns whether it came true in time."""
    return _wait_until


@pytest.fixture(scope="session")
def all_end() -> Callable[..., bool]:
    """A function that waits until processes have ended, and returns whether they did in time."""

    def wait(pids: Iterable[int], seconds: float = 30.0) -> bool:
        left = [*pids]
        return _wait_until(lambda: not any(map(_is_running, left)), seconds)

    return wait
