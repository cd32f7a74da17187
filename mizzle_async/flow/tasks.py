"""Several functions at once: their results, their errors, and their end, whichever way the caller leaves.

They run in task groups of anyio, which have ended when their block has. An error leaves as it was raised, and never as
a group of errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

import anyio

ResultT = TypeVar("ResultT")


class TaskSet:
    """Tasks that belong to one owner: each is cancelled and awaited when the owner closes."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, coroutine: Coroutine[Any, Any, ResultT], /) -> asyncio.Task[ResultT]:
        """Start a task."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def cancel(self) -> None:
        """Cancel every task, and wait until all of them have ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # its reader may be gone, and nothing else looks at it

    def __len__(self) -> int:
        return len(self._tasks)


async def run_together(functions: Iterable[Callable[[], Awaitable[ResultT]]]) -> list[ResultT]:
    """Run functions at once and return their results in order. The first failure cancels the others, and is raised."""
    results: dict[int, ResultT] = {}
    failures: list[BaseException] = []

    async def run(number: int, function: Callable[[], Awaitable[ResultT]]) -> None:
        try:
            results[number] = await function()
        except BaseException as error:
            if not group.cancel_scope.cancel_called:  # else it was cancelled for another's failure, or for the caller's
                failures.append(error)
                group.cancel_scope.cancel()
            if isinstance(error, asyncio.CancelledError):
                raise

    async with anyio.create_task_group() as group:
        for number, function in enumerate(functions):
            group.start_soon(run, number, function)
    if failures:
        raise failures[0]
    return [results[number] for number in range(len(results))]


async def run_lanes(lane: Callable[[], Awaitable[None]], number: int) -> None:
    """Run a function so many times at once, until each has come to its own end.

    A failure of one does not cancel the others. It is raised when all have ended.
    """
    failures: dict[int, BaseException] = {}

    async def run(position: int) -> None:
        try:
            await lane()
        except BaseException as error:
            failures[position] = error
            if isinstance(error, asyncio.CancelledError):
                raise

    async with anyio.create_task_group() as group:
        for position in range(number):
            group.start_soon(run, position)
    for position in sorted(failures):
        raise failures[position]


class Bell:
    """Wakes all tasks that wait for it. A task that begins to wait after it has rung waits for the next time."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: anyio.Event | None = None

    async def wait(self) -> None:
        """Wait until it rings."""
        event = self._event
        if event is None:
            event = self._event = anyio.Event()
        await event.wait()

    def ring(self) -> None:
        """Wake all that wait."""
        event, self._event = self._event, None
        if event is not None:
            event.set()


def drop(task: asyncio.Task[Any]) -> None:
    """Cancel a task whose reader is gone. The garbage collector may call this in any thread."""
    if not task.done():
        call_in_loop(task.get_loop(), task.cancel)


def call_in_loop(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> bool:
    """Call a function in a loop's thread, from any thread. Return whether the loop was open to do so."""
    if loop.is_closed():
        return False
    try:
        here = asyncio.get_running_loop()
    except RuntimeError:
        here = None
    if here is loop:
        function()
    else:
        loop.call_soon_threadsafe(function)
    return True
