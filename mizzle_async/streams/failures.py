"""The failures of a consumer: which pass by themselves, and which are gaps."""

from __future__ import annotations

from typing import Any, Final

from mizzle_async.errors import (
    InternalServerError,
    LimitExceededError,
    MizzleError,
    OutcomeUnknownError,
    ServiceUnavailableError,
    ThrottledError,
    TransactionConflictError,
    TransportError,
)

PASSING: Final = (
    InternalServerError,
    LimitExceededError,
    OutcomeUnknownError,
    ServiceUnavailableError,
    ThrottledError,
    TransactionConflictError,
    TransportError,
)
"""Errors that pass by themselves: a consumer that runs for days outlives them. Every other one ends it."""


class StreamGapError(MizzleError):
    """Changes of a stream are gone before they were read: the service keeps them for 24 hours.

    It is raised unless ``on_gap="continue"``, and nothing is read past the gap.

    Attributes:
        shard: The shard, or None where the whole stream is another one than before.
        since: The sequence number of the last change that was read before the gap, or None where none was.
        until: The sequence number with which the shard begins now, or None where nothing of it is left.
    """

    def __init__(
        self,
        message: str,
        *,
        shard: str | None = None,
        since: str | None = None,
        until: str | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.shard = shard
        self.since = since
        self.until = until


def shard_gap(table: str, shard: str, since: str | None, until: str | None) -> StreamGapError:
    """Return the error for changes of one shard that are gone.

    Args:
        table: The table.
        shard: The shard.
        since: The last sequence number before the gap.
        until: The first one after it.
    """
    where = "before anything of it was read" if since is None else f"after sequence number {since}"
    return StreamGapError(
        f"changes of the stream of {table} are gone that were not read: the shard {shard} does not have them any more, "
        f'{where}. on_gap="continue" goes on with the oldest changes that there are; what was lost has to be read from '
        "the table itself",
        shard=shard,
        since=since,
        until=until,
        table=table,
    )


def stream_gap(table: str, before: str, now: str) -> StreamGapError:
    """Return the error for a stream that is another one than that of the saved positions.

    Args:
        table: The table.
        before: The ARN of the saved positions.
        now: The ARN of the table's stream.
    """
    return StreamGapError(
        f"the saved positions belong to an earlier stream of {table}, {before}; since then its stream was switched off "
        f'and on: it is {now} now, and changes in between were not recorded. on_gap="continue" begins with the oldest '
        "changes of the new stream; what was lost has to be read from the table itself",
        table=table,
    )
