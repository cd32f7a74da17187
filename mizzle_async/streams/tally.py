"""The counts of a consumer while it runs, and the report that its caller reads at any time."""

from __future__ import annotations

from attrs import define, field, frozen

from mizzle_async.values import Record


@define(eq=False)
class Tally:
    """The counts of one consumer. `ChangeReport` explains each."""

    records: int = 0
    bytes: int = 0
    delivered: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    retried: int = 0
    gaps: int = 0
    renewed: int = 0
    throttled: int = 0
    taken: int = 0
    released: int = 0
    lost: int = 0
    saves: int = 0


@frozen(eq=False, repr=False)
class ShardReport(Record):
    """One shard that this process reads.

    Attributes:
        shard: Its id.
        position: Every change up to this sequence number is done, or None.
        undone: Changes that were read and are not done.
        behind: Seconds since the last change that was done, 0.0 where nothing is left to do, None before the first.
        is_ended: Whether its last page was read.
        failure: The error for which its handling stopped, or None.
    """

    shard: str
    position: str | None
    undone: int
    behind: float | None
    is_ended: bool = False
    failure: BaseException | None = field(default=None, repr=lambda error: type(error).__name__)


@frozen(eq=False, repr=False, kw_only=True)
class ChangeReport(Record):
    """The account of a consumer of changes, at the moment at which it was asked for.

    Attributes:
        records: Records that were read, those that never show among them.
        bytes: Bytes of their pages.
        delivered: Changes that were passed to the caller, repetitions after a failure not counted.
        done: Changes that are done.
        skipped: Changes that ``on_error`` passed over, because their images did not fit.
        failed: Changes that ``on_failure`` took after the last attempt.
        retried: Attempts after a failed one.
        gaps: Gaps that were passed, by ``on_gap="continue"``.
        requests: Pages of records that were asked for.
        empty_requests: Those of them that had none.
        renewed: Positions that had expired and were asked for again.
        throttled: Requests that the service throttled.
        buffered_bytes: Bytes of changes that are read and wait.
        taken: Shards that this process began to read.
        released: Shards that it gave up in good order.
        lost: Shards that another process took over.
        behind: Seconds since the last change that was done, of the shard that is furthest behind; 0.0 where nothing is
            left to do, None before the first.
        shards: The shards that this process reads.
    """

    records: int
    bytes: int
    delivered: int
    done: int
    skipped: int
    failed: int
    retried: int
    gaps: int
    requests: int
    empty_requests: int
    renewed: int
    throttled: int
    buffered_bytes: int
    taken: int
    released: int
    lost: int
    behind: float | None
    shards: tuple[ShardReport, ...] = field(repr=lambda shards: _shards(len(shards)))

    def __str__(self) -> str:
        parts = [f"{self.delivered:,} delivered", f"{self.done:,} done"]
        optional = {"skipped": self.skipped, "failed": self.failed, "retried": self.retried, "gaps": self.gaps}
        parts += [f"{count:,} {name}" for name, count in optional.items() if count]
        parts.append(_shards(len(self.shards)))
        if self.behind is not None:
            parts.append(f"{self.behind:,.1f} s behind")
        return ", ".join(parts)


def _shards(number: int) -> str:
    return f"{number} shard{'' if number == 1 else 's'}"
