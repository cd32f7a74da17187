"""Where reading begins: the instant of the first start, and the position in one shard."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from attrs import field, frozen

from mizzle_async.errors import ExpressionError
from mizzle_async.operations.streams import ShardStart
from mizzle_async.streams.checkpoints import ShardProgress
from mizzle_async.values import Value

Start: TypeAlias = Literal["oldest", "latest"] | datetime | timedelta
"""Where a consumer begins that has no position: ``"oldest"``, ``"latest"``, a time, or a time before now."""

RETENTION_SECONDS: Final = 24 * 3600.0
"""The service keeps changes for 24 hours.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

MINUTE: Final = 60


@frozen(eq=False, repr=False)
class ShardPosition(Value):
    """A position in a shard, as GetShardIterator takes it.

    Attributes:
        kind: Its kind.
        sequence_number: The number after which reading begins.
        at: The time from which on it begins: whole seconds.
    """

    kind: ShardStart
    sequence_number: str | None = None
    at: datetime | None = field(default=None)


OLDEST: Final = ShardPosition("TRIM_HORIZON")
LATEST: Final = ShardPosition("LATEST")


def check_start(start: Any) -> None:
    """Raise an error unless this is a start.

    Raises:
        ExpressionError: It is another text, a naive datetime, or a negative time.
    """
    match start:
        case "oldest" | "latest":
            return
        case datetime():
            if start.tzinfo is None or start.utcoffset() is None:
                raise ExpressionError(
                    f"start={start!r} has no time zone, so that it names no instant: datetime.now(UTC) has one"
                )
        case timedelta():
            if start < timedelta(0):
                raise ExpressionError(
                    f"start={start!r} lies in the future: timedelta(hours=1) is an hour back from now"
                )
        case _:
            raise ExpressionError(
                f'start={start!r} is no start: "oldest", "latest", an aware datetime, or a timedelta back from now'
            )


def origin_of(start: Start, now: float) -> float | None:
    """Return the instant at which a consumer begins: whole seconds since the epoch, or None for the oldest change.

    It is floored to the second, because the times of records are: of two records of one second both must come.

    Args:
        start: A checked start.
        now: The time, in seconds since the epoch.

    Raises:
        ExpressionError: It lies in the future.
    """
    match start:
        case "oldest":
            return None
        case "latest":
            return float(math.floor(now))
        case datetime():
            instant = start.timestamp()
            if instant > now + MINUTE:
                raise ExpressionError(f'start={start!r} lies in the future: "latest" begins with the next change')
            return float(math.floor(min(instant, now)))
        case timedelta():
            return float(math.floor(now - start.total_seconds()))


def position_of(progress: ShardProgress | None, origin: float | None, now: float, *, at_latest: bool) -> ShardPosition:
    """Return the position at which a shard is read on.

    Args:
        progress: The shard's saved progress, or None.
        origin: The instant at which the consumer began, or None for the oldest change.
        now: The time, in seconds since the epoch.
        at_latest: Whether the consumer begins at this moment, with the latest changes, and the shard was listed.
    """
    if progress is not None and progress.position is not None:
        return after(progress.position)
    if at_latest:
        return LATEST
    if origin is None or origin <= now - RETENTION_SECONDS:
        return OLDEST
    return ShardPosition("AT_TIMESTAMP", at=datetime.fromtimestamp(origin, UTC))


def after(number: str) -> ShardPosition:
    """Return the position after a record."""
    return ShardPosition("AFTER_SEQUENCE_NUMBER", number)


def oldest_minute(position: ShardPosition) -> float:
    """Return the time before which records are dropped, where an engine refuses a time as a position.

    DynamoDB Local rounds the times of records down to the minute, so that this is no exact start: for tests only.
    """
    instant = 0.0 if position.at is None else position.at.timestamp()
    return instant - instant % MINUTE
