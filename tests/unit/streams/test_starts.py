from datetime import UTC, datetime, timedelta, timezone

import pytest

from mizzle_async.errors import ExpressionError
from mizzle_async.streams.checkpoints import ShardProgress
from mizzle_async.streams.starts import (
    LATEST,
    OLDEST,
    ShardPosition,
    after,
    check_start,
    oldest_minute,
    origin_of,
    position_of,
)

NOW = datetime(2026, 11, 28, 12, 0, 0, 700_000, tzinfo=UTC).timestamp()


def test_times_are_floored_to_the_second():
    """A record of 12:00:00.9 carries the time 12:00:00, and must not be skipped by a start at 12:00:00.7."""
    assert origin_of("latest", NOW) == NOW - 0.7
    assert origin_of(timedelta(seconds=0), NOW) == NOW - 0.7
    assert origin_of(timedelta(hours=1), NOW) == NOW - 0.7 - 3600
    at = datetime(2026, 11, 28, 13, 0, 0, 500_000, tzinfo=timezone(timedelta(hours=2)))
    assert origin_of(at, NOW) == NOW - 0.7 - 3600


def test_oldest_has_no_instant():
    """From the oldest change on needs no clock."""
    assert origin_of("oldest", NOW) is None


def test_start_a_little_ahead_of_the_clock_is_now():
    """Two clocks differ: a start that is some seconds ahead is taken as now, which skips nothing."""
    assert origin_of(datetime.fromtimestamp(NOW + 5, UTC), NOW) == NOW - 0.7


def test_start_in_the_future_is_refused():
    """The service refuses a time in the future: so is it here, with the word for it."""
    with pytest.raises(ExpressionError, match='"latest" begins with the next change'):
        origin_of(datetime.fromtimestamp(NOW + 3600, UTC), NOW)


@pytest.mark.parametrize("start", ["oldest", "latest", datetime.now(UTC), timedelta(hours=1), timedelta(0)])
def test_starts_are_accepted(start):
    """The two words, aware times, and times back from now are starts."""
    check_start(start)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("newest", "is no start"),
        (None, "is no start"),
        (3600, "is no start"),
        ("TRIM_HORIZON", "is no start"),
        (datetime.now(UTC).replace(tzinfo=None), "has no time zone"),
        (timedelta(seconds=-1), "lies in the future"),
    ],
)
def test_other_starts_are_refused(start, message):
    """A start that names no instant is refused where it is written."""
    with pytest.raises(ExpressionError, match=message):
        check_start(start)


def test_saved_position_wins():
    """A shard with a position goes on after it, however the consumer began."""
    progress = ShardProgress("a", "0007")
    for origin in (None, NOW):
        for at_latest in (False, True):
            assert position_of(progress, origin, NOW, at_latest=at_latest) == after("0007")
    assert after("0007") == ShardPosition("AFTER_SEQUENCE_NUMBER", "0007")


def test_shard_without_a_position_begins_at_the_origin():
    """Each of them, also one that appears later: its changes are younger than the origin."""
    for progress in (None, ShardProgress("a")):
        assert position_of(progress, None, NOW, at_latest=False) == OLDEST
        assert position_of(progress, NOW - 60.7, NOW, at_latest=False) == ShardPosition(
            "AT_TIMESTAMP", at=datetime(2026, 11, 28, 11, 59, tzinfo=UTC) + timedelta(seconds=0)
        )
        assert position_of(progress, NOW - 0.7, NOW, at_latest=True) == LATEST


def test_origin_before_the_oldest_change_is_the_oldest():
    """After a day the origin lies before everything that is kept."""
    assert position_of(None, NOW - 86_400, NOW, at_latest=False) == OLDEST
    assert position_of(None, NOW - 86_399, NOW, at_latest=False).kind == "AT_TIMESTAMP"


def test_engine_without_times_drops_by_the_minute():
    """DynamoDB Local rounds the times of records down to the minute: no record of the start's minute is dropped."""
    position = ShardPosition("AT_TIMESTAMP", at=datetime(2026, 11, 28, 12, 0, 59, tzinfo=UTC))
    assert oldest_minute(position) == datetime(2026, 11, 28, 12, 0, tzinfo=UTC).timestamp()
    assert oldest_minute(OLDEST) == 0.0
