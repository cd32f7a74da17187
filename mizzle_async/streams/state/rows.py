"""The rows of a state table: each kind is a class.

All kinds have the same key, and ``expires`` is the time to live of the table.

The partition key ``scope`` says what a row is about, the sort key ``row`` which of its rows it is. These formats are
stored: a later version reads them.

| scope | row | class |
| --- | --- | --- |
| ``once#<key>`` and ``applied#<consumer>#<event id>`` | ``mark`` | `Mark` |
| ``lease#<name>`` | ``fence``, ``beat`` | `Fence`, `Beat` |
| ``resume#<key>`` | ``state`` | `Progress` |

Where a scope were longer than a key may be, the SHA-256 of its last part stands for that part, and the kind ends in
``-sha256``.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, Final

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions.names import text_bytes
from mizzle_async.limits import PARTITION_KEY_BYTES
from mizzle_async.model import Attribute, PartitionKey, SortKey, attribute, entity

MARK: Final = "mark"
FENCE: Final = "fence"
BEAT: Final = "beat"
STATE: Final = "state"


@entity("state")
class Mark:
    """The mark of operations that were applied.

    Attributes:
        scope: The scope.
        row: ``mark``.
        by: The token of the transaction that wrote it.
        expires: From then on it counts as absent, and the service removes it.
    """

    scope: PartitionKey[str]
    row: SortKey[str]
    by: Attribute[str]
    expires: Attribute[datetime] = attribute(time_to_live=True)


@entity("state")
class Fence:
    """The row that says who holds a lease. It is written when the lease is taken and when it is released.

    Attributes:
        scope: The scope.
        row: ``fence``.
        epoch: Counts the takings.
        owner: The id of the taking, or None while the lease is free.
        expires: For a free lease, when the service removes the row, in seconds since the epoch. It is no time to live
            for this library: no clock may say that a lease is free.
    """

    scope: PartitionKey[str]
    row: SortKey[str]
    epoch: Attribute[int]
    owner: Attribute[str | None] = attribute(default=None)
    expires: Attribute[int | None] = attribute(default=None)


@entity("state")
class Beat:
    """The heartbeat of a lease's holder: there while the lease is held.

    Attributes:
        scope: The scope.
        row: ``beat``.
        owner: The id of the taking.
        epoch: That of the fence.
        beat: Counts the renewals.
        seconds: Without a renewal for so long, others may take the lease.
        holder: The host and the process, for people.
    """

    scope: PartitionKey[str]
    row: SortKey[str]
    owner: Attribute[str]
    epoch: Attribute[int]
    beat: Attribute[int]
    seconds: Attribute[float]
    holder: Attribute[str] = attribute(default="")


@entity("state")
class Progress:
    """The state of resumable work.

    Attributes:
        scope: The scope.
        row: ``state``.
        run: The id of the run that goes on with the work. Another run cannot write.
        revision: Counts the writes of all runs.
        state: The state as JSON, as a state file has it, or None before the first checkpoint.
        expires: When the row is removed. Every write moves it.
    """

    scope: PartitionKey[str]
    row: SortKey[str]
    run: Attribute[str]
    revision: Attribute[int]
    state: Attribute[str | None] = attribute(default=None)
    expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


def scope_of(kind: str, *parts: str) -> str:
    """Return a scope: its kind and its parts.

    Args:
        kind: The kind, such as ``lease``.
        *parts: Its parts. A ``#`` in all but the last is escaped, so that no two scopes are equal.

    Raises:
        ExpressionError: A part is empty, or no text.
    """
    for part in parts:
        untyped: Any = part
        if not isinstance(untyped, str) or not part:
            raise ExpressionError(f"{kind}: a name in a state table is text of at least one character, not {part!r}")
        try:
            part.encode()
        except UnicodeEncodeError as error:
            raise ExpressionError(f"{kind}: a name in a state table has a lone surrogate, which is no text") from error
    *first, last = parts
    escaped = [part.replace("%", "%25").replace("#", "%23") for part in first]
    scope = "#".join((kind, *escaped, last))
    if text_bytes(scope) <= PARTITION_KEY_BYTES:
        return scope
    digest = hashlib.sha256("#".join((*escaped, last)).encode()).hexdigest()
    return f"{kind}-sha256#{digest}"


def moment(seconds: float) -> datetime:
    """Return the time of a row, from seconds since the epoch. Rows hold whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC)
