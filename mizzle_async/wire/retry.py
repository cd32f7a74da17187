"""The retry policy, its quota, and the consequences of a failure: arithmetic only.

Nothing here waits, looks at a clock or draws a random number: the pipeline passes its draws and measurements.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Self

import attrs
from attrs import field, frozen
from attrs.validators import ge, gt

from mizzle_async.codes import CODES, RETRIED_CANCELLATION_CODES, RetryClass
from mizzle_async.errors import (
    InternalServerError,
    RequestTooLargeError,
    ServiceError,
    ServiceUnavailableError,
    ThrottledError,
)
from mizzle_async.limits import TRANSACTION_IN_PROGRESS_SECONDS
from mizzle_async.types import RepeatSafety
from mizzle_async.values import Value
from mizzle_async.wire.exchange import Answer

TRANSIENT_COST: Final = 14
"""Quota tokens for one retry after a failure of the service or of the network."""

THROTTLED_COST: Final = 5
"""Quota tokens for one retry of a request that was refused for its rate, or for another writer."""

RETRY_AFTER_SPAN: Final = 5.0
"""``x-amz-retry-after`` may lengthen a pause by this many seconds, and never shorten it."""

CONTENTION: Final = frozenset({RetryClass.THROTTLED, RetryClass.CONFLICT, RetryClass.IN_PROGRESS})
"""Refusals for the rate or for another writer: their retries have a quota of the table's own."""

CLOCK_SKEW_SECONDS: Final = 240.0
"""The service accepts clocks that are five minutes off: below four, a refused signature is not the clock's fault."""

LONG_ATTEMPT_FACTOR: Final = 3.0
"""An operation on more than one item may be silent for this many times as long as one on a single item."""

SHORTEST_ATTEMPT_SECONDS: Final = 1.0
"""The time left of a call does not shorten an attempt below this: a lost packet is sent again after 0.2, 0.4 and 0.8
seconds, and until then a slow answer cannot be told from none."""

SINGLE_ITEM_OPERATIONS: Final = frozenset({"GetItem", "PutItem", "UpdateItem", "DeleteItem"})

_THROTTLING_REASONS: Final = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded"})
_SERVICE_TIME = re.compile(r"\((\d{8}T\d{6}Z) [+-] \d+ min")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_REQUEST_TIMEOUT = 408
_TOO_LARGE = 413
_TOO_MANY = 429
_INTERNAL = 500
_UNAVAILABLE = 503


def _positive(_policy: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"RetryPolicy: {attribute.name} must be greater than 0, not {value!r}")


@frozen(eq=False, repr=False, kw_only=True)
class RetryPolicy(Value):
    """How often, and after which pauses, a failed request is sent again.

    Pauses are drawn from zero to ``base_delay * 2 ** (retries - 1)`` seconds (full jitter), at most ``max_delay``.
    Every retry takes tokens from a quota, so that an outage is not made worse; first attempts never do. A pause that
    would pass the call's deadline is not begun: the last error is raised at once.

    Attributes:
        attempts: Maximum number of requests sent for one call, the first included.
        attempt_timeout: Seconds of silence after which a request is given up, its connection closed and, where it may
            be repeated, sent again on a fresh connection. An operation on a single item has this time, every other one
            three times as much. Half of the time that is left of the call's ``timeout`` is the limit, so that a
            repetition can follow. That alone never makes it less than 1 second. Bytes of an answer, and bytes of the
            request that the network takes, end a silence. None waits until the call's own ``timeout``.
        base_delay: Seconds, after failures of the service or the network, and after conflicts with other writers.
        throttled_base_delay: Seconds, after the service refused a request for its rate.
        max_delay: No drawn pause is longer, in seconds.
        quota: Tokens that all retries of a client share, each of which takes 14. Retries of requests that were refused
            for their rate or for another writer take 5, out of as many again for each table and index. Successes give
            them back.
        transaction_span: Seconds from the first attempt after which the last retry of a
            ``TransactionInProgressException`` is sent, so that the service finishes a stuck transaction.
        randomness: Draws from [0, 1), or None for a generator of the client's own.

    Source:
        https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
    """

    attempts: int = field(default=4, validator=ge(1))
    attempt_timeout: float | None = field(default=3.0, validator=_positive)
    base_delay: float = field(default=0.025, validator=ge(0))
    throttled_base_delay: float = field(default=1.0, validator=ge(0))
    max_delay: float = field(default=20.0, validator=ge(0))
    quota: int = field(default=500, validator=gt(0))
    transaction_span: float = field(default=TRANSACTION_IN_PROGRESS_SECONDS, validator=ge(0))
    randomness: Callable[[], float] | None = None

    @classmethod
    def no_backoff(cls, *, attempts: int = 4) -> Self:
        """Return a policy that retries at once, for tests.

        Args:
            attempts: Requests sent for one call at most, the first included.

        Returns:
            A policy whose every pause is zero.
        """
        return cls(attempts=attempts, base_delay=0.0, throttled_base_delay=0.0, max_delay=0.0, transaction_span=0.0)

    def patience(self, operation: str, safety: RepeatSafety, time_left: float) -> float | None:
        """Return the seconds for which an attempt may be silent.

        Args:
            operation: The API's name, such as ``GetItem``.
            safety: Whether the request can be sent again. One that cannot gains nothing from ending early.
            time_left: Seconds until the call's deadline.

        Returns:
            Seconds, or None where only the deadline ends it.
        """
        limit = self.attempt_timeout
        if limit is None:
            return None
        if operation not in SINGLE_ITEM_OPERATIONS:
            limit *= LONG_ATTEMPT_FACTOR
        if safety is RepeatSafety.UNSAFE:
            return limit
        return min(limit, max(SHORTEST_ATTEMPT_SECONDS, time_left / 2))

    def delay(self, retry: int, kind: RetryClass, random: float, retry_after: str | None = None) -> float:
        """Return the seconds to wait before a retry.

        Args:
            retry: 1 for the first retry of the call.
            kind: Why it is retried.
            random: A draw from [0, 1).
            retry_after: The answer's ``x-amz-retry-after``, in milliseconds. Anything but a number is ignored.

        Returns:
            Seconds, zero or more.
        """
        base = self.throttled_base_delay if kind in (RetryClass.THROTTLED, RetryClass.IN_PROGRESS) else self.base_delay
        # 2 ** 1000 does not fit a float: no pause needs more doublings than this.
        drawn = random * min(base * 2.0 ** min(retry - 1, 64), self.max_delay)
        if retry_after is None or not self.max_delay:
            return drawn
        try:
            asked = int(retry_after) / 1000
        except (ValueError, OverflowError):
            return drawn
        return min(max(asked, drawn), drawn + RETRY_AFTER_SPAN)

    def delay_in_progress(self, retry: int, random: float, elapsed: float, *, last: bool) -> float:
        """Return the seconds to wait for a transaction that is still at work, so that the last retry comes late enough.

        The service finishes a stuck transaction inline if a retry comes at least five seconds after the first attempt.

        Args:
            retry: 1 for the first retry of the call.
            random: A draw from [0, 1).
            elapsed: Seconds since the call began.
            last: Whether no further retry follows.

        Returns:
            Seconds, zero or more.
        """
        drawn = self.delay(retry, RetryClass.IN_PROGRESS, random)
        if not last:
            return drawn
        # A tenth of the span is jitter: transactions that collided do not come back together.
        return max(drawn, self.transaction_span * (1 + random / 10) - elapsed)


class RetryQuota:
    """A bucket of tokens that retries take from. Decisions are synchronous, so it needs no lock.

    Attributes:
        capacity: Maximum number of tokens.
        tokens: Tokens left.
    """

    __slots__ = ("capacity", "tokens")

    def __init__(self, capacity: int) -> None:
        self.capacity: int = capacity
        self.tokens: int = capacity

    def take(self, cost: int) -> bool:
        """Take tokens, all or none. Return whether they were there."""
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True

    def give(self, tokens: int) -> None:
        """Give tokens back, up to the capacity."""
        self.tokens = min(self.capacity, self.tokens + tokens)

    def __repr__(self) -> str:
        return f"<RetryQuota {self.tokens} of {self.capacity}>"


def cost_of(kind: RetryClass) -> int:
    """Return the quota tokens that one retry of this class takes."""
    return THROTTLED_COST if kind in CONTENTION else TRANSIENT_COST


def judge(answer: Answer) -> tuple[type[ServiceError], RetryClass]:
    """Return the error of an answer and its retry class: by its code, else by its status.

    Args:
        answer: An answer that is not a 200.

    Returns:
        The class to raise, and the retry class, in which cancelled transactions are already judged by their reasons.
    """
    known = CODES.get(answer.code)
    if known is not None:
        error, kind = known
        return (error, cancellation_class(answer.payload)) if kind is RetryClass.REASONS else known
    status = answer.status
    if status == _UNAVAILABLE:
        return ServiceUnavailableError, RetryClass.TRANSIENT
    if status >= _INTERNAL:
        return InternalServerError, RetryClass.TRANSIENT
    if status == _TOO_MANY:
        return ThrottledError, RetryClass.THROTTLED
    if status == _TOO_LARGE:
        return RequestTooLargeError, RetryClass.NEVER
    return ServiceError, RetryClass.TRANSIENT if status == _REQUEST_TIMEOUT else RetryClass.NEVER


def cancellation_class(payload: Mapping[str, Any]) -> RetryClass:
    """Judge a cancelled transaction: retried only if every reason that is not ``None`` may pass by itself."""
    codes = {str(reason.get("Code")) for reason in cancellation_reasons(payload)} - {"None"}
    if not codes or not codes <= RETRIED_CANCELLATION_CODES:
        return RetryClass.NEVER
    return RetryClass.THROTTLED if codes & _THROTTLING_REASONS else RetryClass.CONFLICT


def cancellation_reasons(payload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the reasons of a cancelled transaction, in the order of its actions."""
    listed = payload.get("CancellationReasons")
    return [reason for reason in listed if isinstance(reason, Mapping)] if isinstance(listed, list) else []


def may_repeat(safety: RepeatSafety) -> bool:
    """Return whether a request may be sent again although it may have been applied."""
    return safety is not RepeatSafety.UNSAFE


def clock_offset(date: str | None, now: float, message: str = "") -> float | None:
    """Return the seconds by which the service's clock is ahead of ours, or None where they agree or it shows none.

    Args:
        date: The answer's ``Date`` header.
        now: The time with which the refused request was signed, in epoch seconds.
        message: The service's words, which show its time in brackets. They count where there is no ``Date``.

    Returns:
        Seconds to add to ``now``'s clock.
    """
    service = _time_of(date) if date else _time_in(message)
    if service is None:
        return None
    offset = service - now
    return offset if abs(offset) >= CLOCK_SKEW_SECONDS else None


def _time_in(message: str) -> float | None:
    """Return the time in a text such as "… (20260101T002000Z - 5 min.)", in epoch seconds."""
    shown = _SERVICE_TIME.search(message)
    if shown is None:
        return None
    try:
        return datetime.strptime(shown[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _time_of(date: str) -> float | None:
    """Return the time of a ``Date`` header, in epoch seconds, or None where it is no date."""
    try:
        _, day, month, year, clock, zone = date.split()
        hour, minute, second = clock.split(":")
        days = int(year), _MONTHS.index(month) + 1, int(day)
        service = datetime(*days, int(hour), int(minute), int(second), tzinfo=UTC).timestamp()
    except ValueError:
        return None
    return service if zone == "GMT" else None
