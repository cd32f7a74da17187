import random

import pytest

from mizzle_async.streams.pauses import FIRST_PAUSE, LONGEST_FAILURE_PAUSE, Pauses


def test_full_page_is_followed_at_once():
    """Where more waits, nothing is waited for."""
    pauses = Pauses(1.0, lambda: 0.0)
    assert pauses.after_page(0, is_full=False) > 0
    assert pauses.after_page(1000, is_full=True) == 0.0


def test_pauses_grow_to_idle_while_nothing_comes():
    """Every request is billed: an idle shard is asked once in `idle` seconds."""
    pauses = Pauses(1.0, lambda: 0.0)
    assert pauses.after_page(3, is_full=False) == FIRST_PAUSE
    assert [pauses.after_page(0, is_full=False) for _ in range(7)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
    assert pauses.after_page(1, is_full=False) == FIRST_PAUSE


def test_pause_is_never_longer_than_idle():
    """A change is seen within `idle` seconds, with every draw; a short `idle` is kept after records as well."""
    for idle in (0.01, 0.3, 5.0):
        pauses = Pauses(idle, random.Random(1).random)
        drawn = [pauses.after_page(number % 2, is_full=False) for number in range(50)]
        drawn += [pauses.after_page(0, is_full=False) for _ in range(50)]
        assert max(drawn) <= idle
        assert len({round(each, 9) for each in drawn[-10:]}) == 10


@pytest.mark.parametrize("draw", [0.0, 0.999])
def test_failures_pause_longer_and_longer(draw):
    """A throttled shard backs off, up to half a minute, and a page ends that."""
    pauses = Pauses(1.0, lambda: draw)
    drawn = [pauses.after_failure() for _ in range(40)]
    assert drawn == sorted(drawn)
    assert drawn[0] >= 0.5
    assert LONGEST_FAILURE_PAUSE / 2 <= drawn[-1] <= LONGEST_FAILURE_PAUSE
    assert pauses.failures == 40
    pauses.after_page(0, is_full=False)
    assert pauses.failures == 0
