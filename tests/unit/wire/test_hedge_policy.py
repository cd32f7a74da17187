"""When a read is late, and how many second requests it may cost."""

import pytest

from mizzle_async.wire.hedge_policy import MINIMUM_SAMPLES, SAMPLES, SAVED_LIMIT, HedgePolicy, HedgeState


def test_a_fixed_time_is_late_from_the_first_read():
    """``after`` needs no history, and keeps none."""
    state = HedgeState(HedgePolicy(after=0.02))
    assert state.late_after("GetItem") == 0.02
    state.record("GetItem", 5.0)
    assert state.late_after("GetItem") == 0.02


def test_a_percentile_needs_history():
    """Nothing is late before 64 reads of that operation are known."""
    state = HedgeState(HedgePolicy())
    assert state.late_after("GetItem") is None
    for number in range(MINIMUM_SAMPLES):
        assert state.late_after("GetItem") is None
        state.record("GetItem", number / 1000)
    assert state.late_after("GetItem") == 0.060
    assert state.late_after("Query") is None


def test_old_latencies_are_forgotten():
    """Only the last 512 reads count."""
    state = HedgeState(HedgePolicy(percentile=0.5))
    for seconds in [1.0] * SAMPLES + [0.001] * SAMPLES:
        state.record("GetItem", seconds)
    assert state.late_after("GetItem") == 0.001


def test_the_budget_bounds_hedges_over_time():
    """A twentieth of the reads may be hedged, in the long run."""
    state = HedgeState(HedgePolicy(after=0.0, budget=0.05))
    hedged = 0
    for _ in range(1000):
        state.begin()
        hedged += state.spend()
    assert 50 <= hedged <= 52


def test_saved_hedges_are_bounded():
    """A long quiet time does not pay for a burst."""
    state = HedgeState(HedgePolicy(after=0.0, budget=1.0))
    for _ in range(1000):
        state.begin()
    assert sum(state.spend() for _ in range(100)) == SAVED_LIMIT


def test_two_answers_to_one_question_are_refused():
    """Late is what the percentile says, or what the time says."""
    with pytest.raises(ValueError, match="percentile= or after="):
        HedgePolicy(percentile=0.9, after=0.1)


@pytest.mark.parametrize(
    "wrong", [{"percentile": 1.0}, {"percentile": 0.0}, {"after": -1}, {"budget": 0}, {"budget": 2}]
)
def test_impossible_policies_are_refused(wrong):
    """Shares lie between nothing and all, times are not negative."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        HedgePolicy(**wrong)
