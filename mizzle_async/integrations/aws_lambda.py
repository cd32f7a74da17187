"""AWS Lambda: one event loop and one opening of the client for all invocations of an execution environment.

Between invocations Lambda freezes the process. Its clocks may stand still meanwhile or jump, and the other ends of idle
connections may go without a word. SnapStart copies the memory of an initialised process into many others.

Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from functools import update_wrapper
from importlib import import_module
from typing import Any, Final, Generic, TypeVar

from mizzle_async.errors import ClientStateError
from mizzle_async.handles.client import Client

EventT = TypeVar("EventT")
ContextT = TypeVar("ContextT")
ResultT = TypeVar("ResultT")
StepT = TypeVar("StepT")

logger: logging.Logger = logging.getLogger(__name__)

IDLE_SECONDS: Final = 15.0
"""An idle connection is trusted for this long, by whichever clock has moved further: the service closes them after
about 20 seconds."""

CLOCK_SLACK_SECONDS: Final = 1.0
"""Where the wall clock went back by more than this, the length of a freeze is unknown."""


class LambdaHandler(Generic[EventT, ContextT, ResultT]):
    """The synchronous function that Lambda calls, around an asynchronous one. Made by `lambda_handler`.

    Args:
        function: The asynchronous function, of an event and a context.
        clients: The clients that it uses.
        loop_factory: Makes the event loop, such as ``uvloop.new_event_loop``. None means asyncio's own.

    Attributes:
        function: The same, for tests: ``await handler.function(event, context)``.
    """

    def __init__(
        self,
        function: Callable[[EventT, ContextT], Coroutine[Any, Any, ResultT]],
        clients: tuple[Client, ...],
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        self.function: Callable[[EventT, ContextT], Coroutine[Any, Any, ResultT]] = function
        self._clients = clients
        self._loop_factory = loop_factory
        self._runner: asyncio.Runner | None = None
        self._lock = threading.RLock()
        self._thread = 0
        self._opened: list[Client] = []
        self._rested: tuple[float, float] = (0.0, 0.0)
        update_wrapper(self, function)
        _after_restore(self._restored)

    def __call__(self, event: EventT, context: ContextT) -> ResultT:
        """Run one invocation to its end, and return its result. The client is opened with the first one.

        Raises:
            ClientStateError: It is called inside an event loop, from another thread than before, or the AWS
                configuration cannot be used.
        """
        return self._run(lambda: self._invoke(event, context))

    def open(self) -> None:
        """Open the clients now: at the end of the module, so that it happens while Lambda initialises the function.

        Raises:
            ClientStateError: The AWS configuration cannot be used.
        """
        self._run(self._prepare)

    def close(self) -> None:
        """Close the clients and the event loop, as at the end of the process. A later invocation opens them again.

        Raises:
            ClientStateError: Another thread than that of the invocations calls it.
        """
        with self._lock:
            if self._runner is None:
                return
            self._check_thread()
            runner, self._runner = self._runner, None
            atexit.unregister(self.close)
            try:
                runner.run(self._aclose())
            finally:
                runner.close()

    def _run(self, step: Callable[[], Coroutine[Any, Any, StepT]]) -> StepT:
        """Run one step on the event loop, which stays for the next."""
        if asyncio._get_running_loop() is not None:  # noqa: SLF001  (documented, and raises nothing)
            name = getattr(self.function, "__qualname__", "handler")
            raise ClientStateError(f"{name} runs an event loop of its own: in a loop, `await {name}.function(…)`")
        with self._lock:
            runner = self._runner
            if runner is None:
                runner = self._runner = asyncio.Runner(loop_factory=self._loop_factory)
                self._thread = threading.get_ident()
                if threading.current_thread() is threading.main_thread():
                    atexit.register(self.close)
            self._check_thread()
            # A context of its own, so that no variable of one invocation is seen by the next.
            return runner.run(step(), context=copy_context())

    def _check_thread(self) -> None:
        if threading.get_ident() != self._thread:
            name = getattr(self.function, "__qualname__", "handler")
            raise ClientStateError(
                f"{name} was called in another thread before, to which its connections belong: call it in one thread,"
                f" as Lambda does, or end it there by `{name}.close()`"
            )

    async def _invoke(self, event: EventT, context: ContextT) -> ResultT:
        await self._prepare()
        try:
            return await self.function(event, context)
        finally:
            self._rested = time.monotonic(), time.time()

    async def _prepare(self) -> None:
        """Open the clients that are not open yet. Let those that are use no connection from before a long freeze."""
        frozen = self._opened and self._was_frozen()
        for client in self._clients:
            if client not in self._opened:
                await client.open()
                self._opened.append(client)
            elif frozen:
                logger.debug("the process was frozen: connections from before are not used")
                await client.drop_idle_connections()
        self._rested = time.monotonic(), time.time()

    def _was_frozen(self) -> bool:
        steady, wall = self._rested
        wall_seconds = time.time() - wall
        return max(time.monotonic() - steady, wall_seconds) > IDLE_SECONDS or wall_seconds < -CLOCK_SLACK_SECONDS

    def _restored(self) -> None:
        """Open the clients anew, in a process that was copied: with other connections and other credentials."""
        if self._opened:
            self._run(self._reopen)

    async def _reopen(self) -> None:
        await self._aclose()
        await self._prepare()

    async def _aclose(self) -> None:
        opened, self._opened = self._opened, []
        for client in opened:
            await client.aclose()

    def __repr__(self) -> str:
        return f"<LambdaHandler of {getattr(self.function, '__qualname__', self.function)!s}, {len(self._opened)} open>"


def lambda_handler(
    *clients: Client, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> Callable[[Callable[[EventT, ContextT], Coroutine[Any, Any, ResultT]]], LambdaHandler[EventT, ContextT, ResultT]]:
    """Make a Lambda function of an asynchronous one: ``@lambda_handler(client)``.

    One event loop serves all invocations, and the clients are opened once on it. Connections stay warm from one
    invocation to the next, unless the process was frozen for long. Where ``snapshot_restore_py`` is installed, as in
    Lambda's own Python, clients drop their connections and credentials after SnapStart has restored the process.

    Args:
        *clients: The clients that the function uses. They are made where the module is loaded, and not open.
        loop_factory: Makes the event loop, such as ``uvloop.new_event_loop``. None means asyncio's own.
    """

    def decorate(
        function: Callable[[EventT, ContextT], Coroutine[Any, Any, ResultT]],
    ) -> LambdaHandler[EventT, ContextT, ResultT]:
        return LambdaHandler(function, clients, loop_factory)

    return decorate


def _after_restore(function: Callable[[], None]) -> None:
    """Have a function called after SnapStart has restored the process, where Lambda offers that."""
    try:
        hooks = import_module("snapshot_restore_py")
    except ModuleNotFoundError:
        return
    hooks.register_after_restore(function)
