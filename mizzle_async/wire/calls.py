"""The state of one call under way, and a client's numbers. Only the pipeline changes them."""

from __future__ import annotations

import asyncio
from typing import Any

from attrs import frozen

from mizzle_async.types import Outcome, WireRequest
from mizzle_async.values import Value
from mizzle_async.wire.exchange import Endpoint, Exchange, Transport
from mizzle_async.wire.hedged_reads import HedgedReads
from mizzle_async.wire.pool.config import PoolStatistics
from mizzle_async.wire.retry import RetryQuota
from mizzle_async.wire.settings import Credentials
from mizzle_async.wire.signing import RequestSigner


class Route:
    """The prepared way of one operation's requests.

    Attributes:
        endpoint: Where they go.
        signer: Signs them.
        transport: Carries them.
        credentials: Sign them.
        hedge: Sends a late read twice, or None where none is.
        patience: Seconds of silence that the first attempt of a call with the client's own timeout allows, where it may
            be sent again.
    """

    __slots__ = ("credentials", "endpoint", "hedge", "patience", "signer", "transport")

    def __init__(
        self,
        endpoint: Endpoint,
        signer: RequestSigner,
        transport: Transport,
        credentials: Credentials,
        patience: float | None,
        *,
        hedge: HedgedReads | None,
    ) -> None:
        self.endpoint: Endpoint = endpoint
        self.signer: RequestSigner = signer
        self.transport: Transport = transport
        self.credentials: Credentials = credentials
        self.patience: float | None = patience
        self.hedge: HedgedReads | None = hedge


class Call:
    """One call under way. Its deadline is one timer, which cancels the task unless the answer is already there.

    Attributes:
        request: The request.
        started: When the call began, in loop time.
        ends: The deadline, in loop time.
        timeout: The caller's own number.
        attempts: Requests sent.
        retries: Retries that the policy counts. A fresh connection, fresh credentials and a corrected clock are free.
        ambiguous: Whether a write may have been applied.
        fresh: Whether a connection that has never served is asked for.
        renewed: Whether credentials were renewed for this call.
        reclocked: Whether the clock was corrected for this call.
        expired: Whether the deadline has passed.
        spent: Quota tokens taken, and from where, in order.
        exchange: The attempt under way.
        failures: Why attempts failed that were followed by another one: the service's codes, or classes of errors.
        hedged: Whether it may be sent twice, so that its own answer need not be the call's.
        signed_at: The time it was signed with.
    """

    __slots__ = (
        "_cancelled",
        "_cancelling",
        "_task",
        "ambiguous",
        "attempts",
        "ends",
        "exchange",
        "expired",
        "failures",
        "fresh",
        "hedged",
        "reclocked",
        "renewed",
        "request",
        "retries",
        "signed_at",
        "spent",
        "started",
        "timeout",
    )

    def __init__(self, request: WireRequest, task: asyncio.Task[Any], started: float, timeout: float) -> None:
        self.request: WireRequest = request
        self.started: float = started
        self.timeout: float = timeout
        self.ends: float = started + timeout
        self.attempts: int = 0
        self.retries: int = 0
        self.ambiguous: bool = False
        self.fresh: bool = False
        self.renewed: bool = False
        self.reclocked: bool = False
        self.expired: bool = False
        self.spent: list[tuple[RetryQuota, int]] | None = None
        self.exchange: Exchange | None = None
        self.failures: list[str] | None = None
        self.hedged: bool = False
        self.signed_at: int = 0
        self._task = task
        self._cancelling = task.cancelling()
        self._cancelled = False

    def expire(self) -> None:
        """End the call: the timer's callback."""
        self.expired = True
        exchange = self.exchange
        if exchange is None or exchange.phase is not Outcome.ANSWERED or self.hedged:
            self._cancelled = True
            self._task.cancel()

    def ended_by_deadline(self) -> bool:
        """Return whether the deadline cancelled the task, and not its caller. To be asked once."""
        if not self._cancelled:
            return False
        self._cancelled = False
        return self._task.uncancel() <= self._cancelling

    def refund(self) -> None:
        """Give every token back: a cancelled call says nothing about the service."""
        if self.spent is not None:
            for quota, cost in self.spent:
                quota.give(cost)


@frozen(eq=False, repr=False, kw_only=True)
class PipelineStatistics(Value):
    """The numbers of a client's calls since it was opened.

    Attributes:
        calls: Calls begun.
        requests: Requests sent, retries and hedges included.
        retries: Requests sent again after a failure.
        hedges: Reads sent twice for being late.
        failures: Calls that ended in an error.
        deadlines: Calls that ended because their time was up.
        refreshes: How often credentials were asked for.
        quota: Quota tokens left for retries after failures.
        throttled: Throttled answers by table, or by table and index.
        clock_offset: Seconds added to this machine's clock for signatures.
        pool: The connection pool's numbers.
    """

    calls: int
    requests: int
    retries: int
    hedges: int
    failures: int
    deadlines: int
    refreshes: int
    quota: int
    throttled: dict[str, int]
    clock_offset: float
    pool: PoolStatistics
