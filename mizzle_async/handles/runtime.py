"""The runtime behind a client: all that handles and operations need of it, as one object.

It sends operations through the I/O stack, and owns the clock, tokens, randomness, limits, tasks and cursors.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import sys
import time
import warnings
import weakref
from binascii import b2a_base64
from collections.abc import Callable, Coroutine, Mapping, Sequence
from importlib.util import find_spec
from os import urandom
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeVar, cast

from attrs import evolve, field, frozen

from mizzle_async.errors import ClientStateError, MizzleError
from mizzle_async.flow.follow_ups import FOLLOW_UPS, follow_up
from mizzle_async.flow.pace import RateLimiter, Spacing, Throughput, rate_limiter
from mizzle_async.flow.tasks import TaskSet
from mizzle_async.handles.kept_answers import call_keeping
from mizzle_async.handles.observed_caller import ObservedCaller
from mizzle_async.operations import Metered
from mizzle_async.operations.interpretation import raise_failure, result_of
from mizzle_async.operations.reads.cursors import Cipher, CursorCodec
from mizzle_async.types import AnswerInstrument, Caller, PoolInstrument, Sendable, WireResponse
from mizzle_async.values import Value
from mizzle_async.wire.calls import PipelineStatistics
from mizzle_async.wire.home import FOREIGN, Home
from mizzle_async.wire.pipeline import Pipeline, open_pipeline
from mizzle_async.wire.settings import WireSettings

if TYPE_CHECKING:
    from mizzle_async.handles.usage import UsageGate

ResultT = TypeVar("ResultT")

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
logger: logging.Logger = logging.getLogger(__name__)

_DESCRIBE_SECONDS: Final = 0.2
"""Seconds from one description of a stream to the next: half of the rate that the service allows an account."""


@frozen(eq=False, repr=False, kw_only=True)
class RuntimeSettings(Value):
    """The settings of a runtime. `Client` explains each.

    Attributes:
        wire: The settings of the I/O stack.
        cursors: Writes and reads cursors, not yet encrypted.
        throughput: The limits of all bulk work together.
        clock: Returns seconds since the epoch.
        sleep: Makes pauses.
        caller: Answers every call in place of the I/O stack.
        has_converter: Whether the client has a converter of the caller's own.
    """

    wire: WireSettings = field(factory=WireSettings)
    cursors: CursorCodec = field(factory=CursorCodec)
    throughput: Throughput = field(factory=Throughput)
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Coroutine[Any, Any, Any]] = asyncio.sleep
    caller: Caller | None = None
    has_converter: bool = False


class Binder(Protocol):
    """Gives operations that came out of a pickle the targets of a client."""

    def bound(self, target: Any, /) -> Any:
        """Return the client's own target in place of one that came out of a pickle."""
        ...


class HasRuntime(Protocol):
    """A client, as a query sees it that is moved to it: `Query.on`."""

    _runtime: Runtime


class Runtime:
    """Sends operations, gives them the time and tokens, paces repeated sending, and owns tasks.

    It implements `TaskPort`. Handles and operations are given it in place of the client.

    Args:
        settings: Everything that it is made of.

    Attributes:
        state: ``new``, ``opening``, ``open`` or ``closed``.
        pipeline: The I/O stack while it is open; `opened` checks that it can be used.
        cursors: Writes and reads cursors.
        timeout: Seconds that a call may take where it does not say.
        reports_capacity: Whether requests ask for the capacity that they consume, because an instrument listens.
        read_limiter: The limiter of all bulk reading, or None where there is no limit.
        write_limiter: The limiter of all bulk writing, or None where there is no limit.
        stream_spacing: Spaces the descriptions of streams.
        instruments: The objects that watch this client.
        now: Returns the time in seconds since the epoch.
        random: Returns a random number from zero to one, for jitter.
        gate: Admits and counts every call while a block of `Client.usage` is open, or None.
    """

    def __init__(self, settings: RuntimeSettings) -> None:
        wire = settings.wire
        self.state: str = "new"
        self.cursors: CursorCodec = settings.cursors
        self.timeout: float = wire.timeout
        self.reports_capacity: bool = bool(wire.instrument)
        self.now: Callable[[], float] = settings.clock
        self.random: Callable[[], float]
        self.read_limiter: RateLimiter | None
        self.write_limiter: RateLimiter | None
        self.stream_spacing: Spacing
        self.tasks: TaskSet = TaskSet()
        self.gate: UsageGate | None = None
        self._binder: weakref.ref[Binder] | None = None
        self._settings = settings
        self._sleep = settings.sleep
        self.instruments: Sequence[object] = wire.instrument
        self._listeners = [one for one in wire.instrument if isinstance(one, AnswerInstrument)]
        self._stand_in = settings.caller
        self.pipeline: Pipeline | None = None
        self._home: Home | None = None
        self._opening: Home | None = None
        self._loop_time: Callable[[], float] = time.monotonic
        self._make_limiters()

    # ── life ──

    async def open(self) -> None:
        """Open the I/O stack on the running loop: for the first time, after `aclose`, or after its loop was closed.

        Raises:
            ClientStateError: It is open or opening, or the AWS configuration cannot be used.
        """
        if self.state in {"open", "opening"}:
            self._leave_closed_loop("use it, or close it before it is opened again")
        before, self.state = self.state, "opening"
        opening = self._home = self._opening = Home()
        try:
            secret = self.cursors.secret
            cipher = await asyncio.to_thread(_find_cipher, secret) if secret else None
            pipeline = await self._open_pipeline()
        except BaseException:
            if self._opening is opening:
                self.state, self._opening = before, None
            raise
        if self._opening is not opening:
            await pipeline.aclose()
            raise ClientStateError("this client was closed while it was being opened: open it again")
        self.cursors = evolve(self.cursors, cipher=cipher)
        self._opening = None
        self._loop_time = opening.loop.time
        self._make_limiters()
        if self.gate is not None:
            pipeline.watch(self.gate)
        self.pipeline = pipeline
        self.state = "open"

    async def _open_pipeline(self) -> Pipeline:
        wire = self._settings.wire
        if self._stand_in is None:
            pipeline = await open_pipeline(wire)
            for instrument in wire.instrument:
                if isinstance(instrument, PoolInstrument):
                    instrument.client_opened(pipeline.statistics)
            return pipeline
        return cast("Pipeline", ObservedCaller(self._stand_in, wire.instrument))

    async def distrust(self) -> None:
        """Use no connection again that is open now."""
        await self.opened().distrust()

    def guard(self, gate: UsageGate | None, /) -> None:
        """Have a gate admit and count every call from now on, or none."""
        before, self.gate = self.gate, gate
        if self.pipeline is None or gate is before:
            return
        if before is not None:
            self.pipeline.unwatch(before)
        if gate is not None:
            self.pipeline.watch(gate)

    async def aclose(self) -> None:
        """End every task and close every connection. Closing again does nothing.

        Raises:
            ClientStateError: It was opened on another loop that still exists, or in another process.
        """
        if self.pipeline is not None and self._is_elsewhere():
            self._leave_closed_loop("close it there")
        pipeline, self.pipeline = self.pipeline, None
        self.state, self._opening = "closed", None
        try:
            await self.tasks.cancel()
        finally:
            if pipeline is not None:
                await pipeline.aclose()

    def _is_elsewhere(self) -> bool:
        """Return whether the client was opened on another loop, to which it is bound or which has been closed."""
        home = self._home
        if home is None or home.loop is asyncio.get_running_loop():
            return False
        return self._stand_in is None or home.loop.is_closed()

    def _leave_closed_loop(self, advice: str) -> None:
        """Forget what was opened on an event loop that has been closed since, and close its sockets.

        Raises:
            ClientStateError: That loop has not been closed, or belongs to another process.
        """
        home = self._home
        if home is not None and home.thread == FOREIGN and self._stand_in is None:
            raise ClientStateError(
                "this client was opened in another process: open one in each process, after the fork"
            )
        if home is None or not home.loop.is_closed():
            where = "" if home is None or home.loop is asyncio.get_running_loop() else " on another event loop"
            raise ClientStateError(f"this client is {self.state} already{where}: {advice}")
        if self.pipeline is not None and self._stand_in is None:
            self.pipeline.drop()
        self.pipeline = None
        self.tasks = TaskSet()
        self.state, self._opening = "closed", None

    def _make_limiters(self) -> None:
        """Make limiters and randomness anew: limiters count the time of a loop, and a process may have been copied."""
        throughput = self._settings.throughput
        self.random = self._settings.wire.retry.randomness or random.Random().random  # noqa: S311  (jitter only)
        self.read_limiter = rate_limiter(throughput.read_units_per_second, self.pause)
        self.write_limiter = rate_limiter(throughput.write_units_per_second, self.pause)
        self.stream_spacing = Spacing(_DESCRIBE_SECONDS)

    def __del__(self) -> None:
        pipeline = getattr(self, "pipeline", None)
        if pipeline is None or self._stand_in is not None or sys.is_finalizing():
            return
        message = f"a client was never closed, {self!r}: use `async with`, or `aclose()`"
        home = self._home
        try:
            warnings.warn(message, ResourceWarning, stacklevel=2, source=self)
        finally:
            if home is not None and home.thread != FOREIGN:
                _drop(pipeline, home.loop)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a client holds connections, and tables hold their client: neither is pickled or deeply copied. Make a "
            "client in each process; entities, keys, conditions, operations and queries can be pickled"
        )

    def __repr__(self) -> str:
        if self.pipeline is None:
            return f"<Runtime {self.state}>"
        return f"<Runtime open, {len(self.tasks)} tasks, {self.pipeline!r}>"

    # ── sending ──

    async def send(self, operation: Sendable[ResultT], /) -> ResultT:
        """Send an operation and return its result.

        Raises:
            MizzleError: As the operation says.
        """
        sending = operation.sending
        pipeline = self.opened()
        request = sending.opening(self.now())
        if request is None:
            if not sending.is_detached:
                return sending.result()
            operation = sending.bound(self.bind)
            sending = operation.sending
            if sending.settled:
                return sending.result()
            sending.begin(self.now())
            request = sending.to_request()
        ends = self._loop_time() + (self.timeout if request.timeout is None else request.timeout)
        failures = 0
        while True:
            try:
                request = request if self.gate is None else self.gate.admit(request)
                response = await (call_keeping(pipeline, request) if self._listeners else pipeline.call(request))
            except MizzleError as error:
                failures += 1
                again = None
                if failures <= FOLLOW_UPS:
                    again = await follow_up(self, operation, request, error, ends)
                if again is None:
                    return raise_failure(sending, request, error, self.now())
                operation, request = again
                sending = operation.sending
            else:
                if self._listeners:
                    self._report(operation, response)
                return result_of(sending, request, response, self.now())

    @property
    def settings(self) -> RuntimeSettings:
        """Return the settings that it was made with."""
        return self._settings

    def bind_with(self, binder: Binder) -> None:
        """Bind operations that came out of a pickle with a catalog; the runtime does not keep it alive."""
        self._binder = weakref.ref(binder)

    def bind(self, target: Any) -> Any:
        """Return the client's own target in place of one that came out of a pickle."""
        binder = None if self._binder is None else self._binder()
        return target if binder is None else binder.bound(target)

    async def control(
        self, operation: str, parameters: Mapping[str, Any], *, timeout: float | None = None
    ) -> dict[str, Any]:
        """Send an operation of the control plane, as botocore names it and its parameters."""
        pipeline = self.opened()
        if self.gate is not None:
            self.gate.admit_control(operation, parameters)
        if timeout is None:
            return await pipeline.control(operation, parameters)
        return await pipeline.control(operation, parameters, timeout=timeout)

    def statistics(self) -> PipelineStatistics:
        """Return the numbers of the I/O stack."""
        return self.opened().statistics()

    def opened(self) -> Pipeline:
        """Return the I/O stack.

        Raises:
            ClientStateError: The client is not open, or was opened in another process.
        """
        pipeline = self.pipeline
        if pipeline is None:
            state = "not open yet" if self.state == "new" else self.state
            raise ClientStateError(f"this client is {state}: `async with client:`, or `await client.open()`")
        if self._home is None or self._home.thread == FOREIGN:
            raise ClientStateError(
                "this client was opened in another process: open one in each process, after the fork"
            )
        return pipeline

    def _report(self, operation: Sendable[Any], response: WireResponse) -> None:
        request = operation.operation if isinstance(operation, Metered) else operation
        for listener in self._listeners:
            try:
                listener.call_answered(request, response)
            except Exception:
                logger.exception("an instrument failed: %s", type(listener).__name__)

    # ── values that an operation cannot know ──

    def new_token(self) -> str:
        """Return a client request token, for one transaction."""
        return urandom(18).hex()  # from the kernel each time: a restored snapshot or a fork would repeat a counter

    def new_write_id(self) -> str:
        """Return an id for one write of a versioned item: 72 random bits, as 12 characters."""
        return b2a_base64(urandom(9), newline=False).translate(_URL_SAFE).decode()

    # ── pace and tasks ──

    async def pause(self, seconds: float, /) -> None:
        """Sleep, the client's way."""
        await self._sleep(seconds)

    def start(self, coroutine: Coroutine[Any, Any, ResultT], /) -> asyncio.Task[ResultT]:
        """Start a task that the client owns: it is cancelled and awaited when the client closes."""
        if self.pipeline is None:
            coroutine.close()
            self.opened()
        return self.tasks.start(coroutine)


def _drop(pipeline: Pipeline, loop: asyncio.AbstractEventLoop) -> None:
    """Close the sockets of a client that was dropped, on its loop's thread: the collector may run in any other.

    A loop that has been closed holds no socket: the collector takes them with the client.
    """
    with contextlib.suppress(RuntimeError):  # "Event loop is closed"
        loop.call_soon_threadsafe(pipeline.drop)


def _find_cipher(secret: bytes) -> Cipher | None:
    """Return the cipher of cursors, where the extra ``cursors`` is installed.

    The extra is found by name, so that nothing of it is imported where it is not wanted.
    """
    if find_spec("cryptography") is None:
        return None
    from mizzle_async.integrations.cursors import CursorCipher  # an extra

    return CursorCipher(secret)
