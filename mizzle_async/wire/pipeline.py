"""One call: sign, send, judge, pause, again, under one deadline.

The only layer that retries. It knows wire JSON, error codes and the effects of a repetition. It knows no model, no
operation's meaning, and no socket.

A call that does not succeed ends in one of these ways:

- The service refused: a `ServiceError` of the code's class. Its ``ambiguous`` says whether an earlier attempt of the
  same call may have been applied. A failed condition may then be the call's own success.
- No trustworthy answer came, the time is up, or the service failed: `TransportError`, `DeadlineExceededError`,
  `InternalServerError` and the like. A request that was certainly not sent has ``outcome`` ``NOT_SENT``. A write that
  may have been applied, and may be sent again without harm, has ``UNKNOWN``.
- A write that may have been applied, and may *not* be sent again without harm (`RepeatSafety.UNSAFE` and ``GUARDED``):
  always `OutcomeUnknownError`. The error that ended the call is its ``__cause__``.
- The client was closed: `ClientStateError`, for calls that have no outcome in doubt.
- The caller was cancelled: ``CancelledError``, always.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from asyncio import CancelledError, current_task
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from threading import get_ident
from typing import Any, Final, NoReturn

from mizzle_async.codes import RetryClass
from mizzle_async.errors import (
    ClientStateError,
    CorruptResponseError,
    MizzleError,
    PoolTimeoutError,
    ProxyError,
    TransportError,
)
from mizzle_async.limits import CLIENT_REQUEST_TOKEN_SECONDS
from mizzle_async.types import Instrument, Outcome, RepeatSafety, WireRequest, WireResponse
from mizzle_async.wire.answers import error_message, is_bodiless
from mizzle_async.wire.calls import Call, PipelineStatistics, Route
from mizzle_async.wire.deadlines import Deadlines
from mizzle_async.wire.exchange import Answer, Exchange
from mizzle_async.wire.failures import deadline_error, final_error, service_error
from mizzle_async.wire.hedged_reads import HedgedReads
from mizzle_async.wire.home import Home
from mizzle_async.wire.observing import attempt_fields, observe, record_of
from mizzle_async.wire.retry import CONTENTION, RetryQuota, clock_offset, cost_of, judge, may_repeat
from mizzle_async.wire.services import STREAM_OPERATIONS
from mizzle_async.wire.session.adapter import ControlCall
from mizzle_async.wire.session.session import Session, open_session
from mizzle_async.wire.settings import Credentials, WireSettings
from mizzle_async.wire.signing import RequestSigner, SigningKey
from mizzle_async.wire.throttles import ThrottleBook
from mizzle_async.wire.transports import Transports

logger: logging.Logger = logging.getLogger("mizzle_async.wire")

_OK = 200
UNSAFE: Final = RepeatSafety.UNSAFE
_BODILESS = frozenset({"TagResource", "UntagResource"})


class Pipeline:
    """Sends calls, and is the only layer that sends them again. Made by `open_pipeline`.

    Attributes:
        region_name: The AWS region.
    """

    def __init__(self, settings: WireSettings, session: Session, transports: Transports) -> None:
        self.region_name: str = session.region_name
        self._home = Home()
        self._loop = self._home.loop
        self._session = session
        self._transports = transports
        self._keeper = session.credentials
        self._policy = settings.retry
        # A generator of its own, as copies of a process would otherwise draw the same pauses.
        self._draw = settings.retry.randomness or random.Random().random  # noqa: S311  (jitter guards nothing)
        self._wall_clock = settings.wall_clock
        self._timeout = settings.timeout
        self._watch = Deadlines(self._loop, settings.timeout)
        self._instruments: tuple[Instrument, ...] = settings.instrument
        self._hedge = HedgedReads(settings.hedge, self._loop) if settings.hedge is not None else None
        self._quota = RetryQuota(settings.retry.quota)
        self._throttles = ThrottleBook(settings.retry.quota)
        self._routes: dict[str, Route] = {}
        self._keys: dict[str, SigningKey] = {}
        self._held: Credentials | None = None
        self._clock_offset = 0.0
        self._closed = False
        self._pauses: dict[asyncio.Future[None], None] = {}
        self._calls = self._requests = self._retries = self._failures = self._deadlines = 0

    async def call(self, request: WireRequest) -> WireResponse:
        """Send a request until it is answered, refused for good, or out of time.

        Args:
            request: The request. Its ``timeout`` overrides the client's.

        Returns:
            The checked answer.

        Raises:
            MizzleError: As the module says.
        """
        task = current_task(self._loop)
        # The loop's thread, and a task of the loop in it: the loop runs here.
        if task is None or self._closed or get_ident() != self._home.thread:
            self._refuse()
        timeout = self._timeout if request.timeout is None else request.timeout
        call = Call(request, task, self._loop.time(), timeout)
        if not timeout > 0:
            self._failures += 1
            raise final_error(self._deadline(call), request, 0, ambiguous=False)
        self._watch.begin(call)
        self._calls += 1
        try:
            return await self._attempts(call)
        except CancelledError as cancellation:
            if not call.ended_by_deadline():
                call.refund()
                self._observe(call, cancellation)
                raise
            ended: MizzleError = self._deadline(call)
        except MizzleError as failure:
            # A transport may have made something else of our cancellation.
            ended = self._deadline(call) if call.ended_by_deadline() else failure
        finally:
            self._watch.end(call)
        self._failures += 1
        error = final_error(ended, request, call.attempts, ambiguous=call.ambiguous)
        self._observe(call, error)
        raise error

    async def control(
        self, operation: str, parameters: Mapping[str, Any], *, timeout: float | None = None
    ) -> dict[str, Any]:
        """Send an operation of the control plane: aiobotocore serialises and parses, the rest is as for `call`.

        Args:
            operation: The API's name, such as ``CreateTable``.
            parameters: Its parameters, as botocore names them.
            timeout: Seconds for the whole call, or None for the client's.

        Returns:
            The answer as botocore parses it, without ``ResponseMetadata``.

        Raises:
            MizzleError: As for `call`.
        """
        if self._closed or not self._home.is_here():
            self._refuse()  # what aiobotocore does on the client's loop would be awaited for ever on another
        table = parameters.get("TableName")
        return await self._session.control(
            operation, parameters, ControlCall(self.call, table if isinstance(table, str) else "", timeout)
        )

    async def warm_up(self) -> None:
        """Open the connections that the settings ask for. A failure is left for the first call to meet."""
        try:
            async with asyncio.timeout(self._timeout):
                route = await self._route(WireRequest("GetItem", b"", "", RepeatSafety.READ))
                await self._transports.warm_up(route.endpoint)
        except (MizzleError, TimeoutError) as error:
            logger.debug("no connection was warmed up: %s", type(error).__name__)

    def statistics(self) -> PipelineStatistics:
        """Return the numbers of the calls so far."""
        return PipelineStatistics(
            calls=self._calls,
            requests=self._requests,
            retries=self._retries,
            hedges=0 if self._hedge is None else self._hedge.hedges,
            failures=self._failures,
            deadlines=self._deadlines,
            refreshes=self._keeper.refreshes,
            quota=self._quota.tokens,
            throttled=self._throttles.counts(),
            clock_offset=self._clock_offset,
            pool=self._transports.statistics(),
        )

    def watch(self, instrument: Instrument) -> None:
        """Tell an instrument of calls that finish from now on."""
        self._instruments = (*self._instruments, instrument)

    def unwatch(self, instrument: Instrument) -> None:
        """Tell an instrument of no further call."""
        self._instruments = tuple(one for one in self._instruments if one is not instrument)

    async def distrust(self) -> None:
        """Use no connection again that is open now."""
        await self._transports.distrust()

    async def aclose(self) -> None:
        """Close everything that was opened. Calls under way end, and later ones are refused."""
        self._closed = True
        for pause in self._pauses:
            _end(pause)
        async with AsyncExitStack() as ending:  # every one is closed, even where closing another fails or is cancelled
            ending.push_async_callback(self._session.aclose)
            if self._hedge is not None:
                ending.push_async_callback(self._hedge.aclose)
            ending.push_async_callback(self._transports.aclose)
            ending.callback(self._watch.close)

    def drop(self) -> None:
        """Close every socket where nothing can be awaited: on a loop that has been closed, or with the last holder."""
        self._closed = True
        self._transports.drop()

    # ── one call ──

    async def _attempts(self, call: Call) -> WireResponse:
        """Send until there is an answer to return. Raise the error that ends the call otherwise."""
        request = call.request
        while True:
            route = self._routes.get(request.operation)
            now = self._loop.time() if call.attempts else call.started
            if route is None or now >= self._keeper.next_look or ":" in request.table:
                route = await self._route(request, call.ends)
            exchange = call.exchange = self._sign(call, route)
            call.attempts += 1
            self._requests += 1
            try:
                if route.hedge is None or request.safety is not RepeatSafety.READ:
                    answer = await route.transport.exchange(exchange)
                else:
                    call.hedged = True
                    answer = await route.hedge.exchange(
                        route.transport, request.operation, exchange, partial(self._sign_again, call, route)
                    )
                if answer.status == _OK:
                    if answer.payload or not is_bodiless(answer) or request.operation in _BODILESS:
                        return self._answered(call, answer)
                    raise CorruptResponseError("corrupt answer: a 200 without a body", outcome=Outcome.UNKNOWN)
            except TransportError as error:
                delay = self._after_error(call, error)
            else:
                delay = await self._after_refusal(call, answer, route)
            if delay > 0:
                await self._wait(delay)
            if self._closed:
                raise ClientStateError("the client was closed during the call")

    def _sign(self, call: Call, route: Route) -> Exchange:
        body = call.request.body
        call.signed_at = int(self._wall_clock() + self._clock_offset)
        headers = route.signer.sign(body, call.signed_at)
        request = call.request
        patience = route.patience
        if call.attempts or request.timeout is not None or request.safety is UNSAFE:
            # An attempt after which none follows gains nothing from ending early.
            is_last = call.retries + 1 >= self._policy.attempts
            left = math.inf if is_last else call.ends - self._loop.time()
            patience = self._policy.patience(request.operation, request.safety, left)
        return Exchange(route.endpoint, headers, body, call.fresh, request.parse, patience, request.answer_bytes)

    def _sign_again(self, call: Call, route: Route) -> Exchange:
        """Prepare the second request of a hedged read."""
        call.attempts += 1
        self._requests += 1
        return self._sign(call, route)

    def _answered(self, call: Call, answer: Answer) -> WireResponse:
        if call.spent:
            quota, cost = call.spent[-1]
            quota.give(cost)
        elif self._quota.tokens < self._quota.capacity:
            self._quota.give(1)
        if self._throttles.states:
            self._throttles.succeeded(call.request.table, call.request.index)
        if self._instruments or logger.isEnabledFor(logging.DEBUG):
            record = record_of(call, self._loop.time() - call.started, None, answer)
            observe(record, len(call.request.body), self._instruments)
        identity = answer.headers.get("x-amzn-requestid", "")
        return WireResponse(answer.payload, identity, call.attempts, call.ambiguous, answer.distrust)

    def _after_error(self, call: Call, error: TransportError) -> float:
        """Return the pause before the next attempt, or raise the error that ends the call."""
        exchange, call.exchange = call.exchange, None
        request = call.request
        if exchange is not None and exchange.phase is Outcome.NOT_SENT:
            self._uncount(call)
        if error.outcome is Outcome.UNKNOWN and request.safety is not RepeatSafety.READ:
            call.ambiguous = True
            if not may_repeat(request.safety):
                raise error
        if self._closed:
            raise ClientStateError("the client was closed during the call") from error
        if isinstance(error, PoolTimeoutError) or (isinstance(error, ProxyError) and error.is_refusal):
            raise error
        if exchange is not None and exchange.stale and not call.fresh and not call.expired:
            # An idle connection was closed as it was reused, or had been forgotten on the way: that says nothing about
            # the service, and costs nothing.
            call.fresh = True
            self._again(call, "the connection was stale", 0.0)
            return 0.0
        return self._pause(call, error, RetryClass.TRANSIENT)

    async def _after_refusal(self, call: Call, answer: Answer, route: Route) -> float:
        """Return the pause before the next attempt, or raise the error that ends the call."""
        call.exchange = None
        request = call.request
        error_class, kind = judge(answer)
        error = service_error(error_class, answer, request, call.attempts, route.credentials)
        error.region, error.host = self.region_name, route.endpoint.authority
        if kind is RetryClass.TRANSIENT and request.safety is not RepeatSafety.READ:
            call.ambiguous = True
            if not may_repeat(request.safety):
                raise error
        if kind is RetryClass.NEVER:
            raise error
        if kind is RetryClass.EXPIRED_CREDENTIALS:
            if call.renewed or call.expired:
                raise error
            call.renewed = True
            if await self._keeper.renew(route.credentials) is route.credentials:
                raise error
            self._again(call, error.code, 0.0)
            return 0.0
        if kind is RetryClass.CLOCK:
            ahead = clock_offset(answer.headers.get("date"), call.signed_at, error_message(answer.payload))
            if call.reclocked or call.expired or ahead is None:
                raise error
            call.reclocked = True
            self._clock_offset = call.signed_at + ahead - self._wall_clock()
            self._again(call, error.code, 0.0)
            return 0.0
        if kind is RetryClass.THROTTLED:
            self._throttles.of(request.table, request.index).throttled += 1
        return self._pause(call, error, kind, answer.headers.get("x-amz-retry-after"))

    def _pause(self, call: Call, error: MizzleError, kind: RetryClass, retry_after: str | None = None) -> float:
        """Return the pause before a retry that policy, deadline and quota allow, else raise the error."""
        policy = self._policy
        request = call.request
        retry = call.retries + 1
        if retry >= policy.attempts:
            raise error
        elapsed = self._loop.time() - call.started
        if kind is RetryClass.IN_PROGRESS:
            delay = policy.delay_in_progress(retry, self._draw(), elapsed, last=retry + 1 == policy.attempts)
        else:
            delay = policy.delay(retry, kind, self._draw(), retry_after)
        if elapsed + delay >= call.timeout or call.expired:
            raise error
        if request.safety is RepeatSafety.TOKEN and request.token_age + elapsed + delay > CLIENT_REQUEST_TOKEN_SECONDS:
            raise error
        quota = self._throttles.of(request.table, request.index).quota if kind in CONTENTION else self._quota
        cost = cost_of(kind)
        if not quota.take(cost):
            raise error
        if call.spent is None:
            call.spent = []
        call.spent.append((quota, cost))
        call.retries = retry
        self._again(call, getattr(error, "code", "") or type(error).__name__, delay)
        return delay

    async def _wait(self, seconds: float) -> None:
        """Wait for a pause to pass. It ends early when the client is closed."""
        pause: asyncio.Future[None] = self._loop.create_future()
        self._pauses[pause] = None
        timer = self._loop.call_later(seconds, _end, pause)
        try:
            await pause
        finally:
            timer.cancel()
            del self._pauses[pause]

    def _again(self, call: Call, reason: str, delay: float) -> None:
        self._retries += 1
        if call.failures is None:
            call.failures = []
        call.failures.append(reason)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug(
                "%s %s: attempt %d failed (%s), again in %.3f s",
                call.request.operation,
                call.request.table,
                call.attempts,
                reason,
                delay,
                extra=attempt_fields(call, reason, delay),
            )

    def _deadline(self, call: Call) -> MizzleError:
        self._deadlines += 1
        exchange = call.exchange
        obstacle = None if exchange is None or exchange.waits_for is None else exchange.waits_for.obstacle
        error = deadline_error(call.request, call.timeout, obstacle)
        if exchange is not None:
            error.outcome = exchange.phase
            if exchange.phase is Outcome.NOT_SENT:
                self._uncount(call)
        return error

    def _uncount(self, call: Call) -> None:
        """Count an attempt less: its request was not sent."""
        call.attempts -= 1
        self._requests -= 1

    # ── where to ──

    async def _route(self, request: WireRequest, until: float = float("-inf")) -> Route:
        """Find the way of an operation's requests; it stays until the credentials change.

        Args:
            request: One of the operation.
            until: Until this loop time, credentials that could not be loaded may be asked for again.
        """
        held = await self._keeper.current(until)
        if held is not self._held:
            self._held = held
            self._routes.clear()
            self._keys.clear()
        operation = request.operation
        name = f"{operation} {request.table}" if ":" in request.table else operation
        route = self._routes.get(name)
        if route is None:
            destination = await self._session.destination(operation, request.table)
            key = self._keys.get(destination.region)
            if key is None:
                key = SigningKey(held.access_key_id, held.secret_access_key, held.session_token, destination.region)
            signer = RequestSigner(destination.endpoint, operation, key, self._session.user_agent)
            patience = self._policy.patience(operation, RepeatSafety.READ, self._timeout)
            transport = self._transports.to(destination.endpoint, operation)
            hedge = None if operation in STREAM_OPERATIONS else self._hedge  # a shard has two readers at most
            route = Route(destination.endpoint, signer, transport, held, patience, hedge=hedge)
            if held is self._held:
                self._keys[destination.region] = key
                self._routes[name] = route
        return route

    # ── instruments and logs ──

    def _observe(self, call: Call, error: BaseException) -> None:
        if self._instruments or logger.isEnabledFor(logging.DEBUG):
            record = record_of(call, self._loop.time() - call.started, error, None)
            observe(record, len(call.request.body), self._instruments)

    def _refuse(self) -> NoReturn:
        if self._closed:
            raise ClientStateError("the client is closed: open another one")
        if self._home.is_here():
            raise ClientStateError("a call must be awaited in a task")
        if self._loop.is_closed():
            raise ClientStateError("the client was opened on another event loop, which has been closed: open it again")
        raise ClientStateError(
            "the client was opened on another event loop: open one on each loop, and in each process"
        )

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        quota = f"quota {self._quota.tokens} of {self._quota.capacity}"
        where = f"{self.region_name} at {self._session.host}"
        return f"<Pipeline {state}, {where}, {self._calls} calls, {self._requests} requests, {quota}>"


def _end(pause: asyncio.Future[None]) -> None:
    if not pause.done():
        pause.set_result(None)


async def open_pipeline(settings: WireSettings) -> Pipeline:
    """Open the I/O stack: session, credentials, transports.

    Args:
        settings: Everything it needs to know.

    Returns:
        A pipeline for the running loop. Close it with `Pipeline.aclose`.

    Raises:
        ClientStateError: The AWS configuration or the endpoint cannot be used.
    """
    session = await open_session(settings)
    pipeline = Pipeline(settings, session, Transports(settings, session))
    if settings.pool.warm_up:
        try:
            await pipeline.warm_up()
        except BaseException:
            await pipeline.aclose()
            raise
    return pipeline
