"""The retry policy's arithmetic."""

import math
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzle_async import errors
from mizzle_async.codes import CODES, RetryClass
from mizzle_async.types import RepeatSafety
from mizzle_async.wire.exchange import Answer
from mizzle_async.wire.retry import (
    RetryPolicy,
    RetryQuota,
    cancellation_class,
    cancellation_reasons,
    clock_offset,
    cost_of,
    judge,
    may_repeat,
)

KINDS = st.sampled_from([RetryClass.TRANSIENT, RetryClass.THROTTLED, RetryClass.CONFLICT])
CHANCES = st.floats(0, 1, exclude_max=True)


@given(retry=st.integers(1, 10_000), kind=KINDS, chance=CHANCES)
def test_pauses_are_drawn_from_zero_to_a_doubling_bound(retry, kind, chance):
    """A pause lies between nothing and base * 2 ** (retry - 1), and never above the longest."""
    policy = RetryPolicy()
    base = 1.0 if kind is RetryClass.THROTTLED else 0.025
    bound = min(20.0, base * 2.0 ** min(retry - 1, 64))
    assert policy.delay(retry, kind, chance) == pytest.approx(chance * bound)


def test_the_defaults_are_the_documented_ones():
    """Four attempts, 25 ms, a second when throttled, at most 20 s, and a quota of 500 tokens."""
    policy = RetryPolicy()
    assert (policy.attempts, policy.base_delay, policy.throttled_base_delay, policy.max_delay, policy.quota) == (
        4,
        0.025,
        1.0,
        20.0,
        500,
    )
    assert (cost_of(RetryClass.TRANSIENT), cost_of(RetryClass.THROTTLED)) == (14, 5)
    assert (cost_of(RetryClass.CONFLICT), cost_of(RetryClass.IN_PROGRESS)) == (5, 5)


@given(chance=CHANCES, asked=st.integers(-(10**9), 10**9))
def test_the_services_wish_lengthens_a_pause_by_five_seconds_at_most(chance, asked):
    """``x-amz-retry-after`` is clamped to between the drawn pause and five seconds more."""
    policy = RetryPolicy()
    drawn = policy.delay(1, RetryClass.THROTTLED, chance)
    wished = policy.delay(1, RetryClass.THROTTLED, chance, str(asked))
    assert drawn <= wished <= drawn + 5
    if drawn <= asked / 1000 <= drawn + 5:
        assert wished == asked / 1000


@pytest.mark.parametrize(
    "nonsense", ["", "soon", "1.5", "0x10", "NaN", "Wed, 21 Oct 2015 07:28:00 GMT", "9" * 400, "9" * 5000]
)
def test_an_unreadable_wish_is_ignored(nonsense):
    """A retry-after that is no whole number of milliseconds, or one that no clock can hold, changes nothing."""
    policy = RetryPolicy()
    assert policy.delay(1, RetryClass.TRANSIENT, 0.5, nonsense) == policy.delay(1, RetryClass.TRANSIENT, 0.5)


@given(retry=st.integers(1, 100), kind=KINDS, chance=CHANCES, elapsed=st.floats(0, 10))
def test_no_backoff_never_pauses(retry, kind, chance, elapsed):
    """The policy for tests waits for nothing, whatever the service wishes."""
    policy = RetryPolicy.no_backoff(attempts=7)
    assert policy.attempts == 7
    assert policy.delay(retry, kind, chance, "3000") == 0
    assert policy.delay_in_progress(retry, chance, elapsed, last=True) == 0


@given(chance=CHANCES, elapsed=st.floats(0, 4.9))
def test_the_last_retry_of_a_transaction_at_work_comes_after_five_seconds(chance, elapsed):
    """The last retry is never sent before five seconds have passed since the first attempt; earlier ones are drawn."""
    policy = RetryPolicy()
    assert elapsed + policy.delay_in_progress(3, chance, elapsed, last=True) >= 5
    assert policy.delay_in_progress(1, chance, elapsed, last=False) == policy.delay(1, RetryClass.THROTTLED, chance)


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"base_delay": -1}, {"quota": 0}, {"max_delay": -0.1}])
def test_impossible_policies_are_refused(wrong):
    """A policy that could not send at all, or would wait backwards, raises when it is made."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RetryPolicy(**wrong)


@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=50))
def test_the_quota_stays_within_its_bounds(steps):
    """Tokens never fall below zero nor rise above the capacity, and are taken all or not at all."""
    quota = RetryQuota(100)
    for take, count in steps:
        before = quota.tokens
        if take:
            taken = quota.take(count)
            assert taken == (before >= count)
            assert quota.tokens == before - count * taken
        else:
            quota.give(count)
            assert quota.tokens == min(100, before + count)
    assert repr(quota) == f"<RetryQuota {quota.tokens} of 100>"


@pytest.mark.parametrize(("code", "known"), CODES.items())
def test_every_known_code_is_judged_by_the_table(code, known):
    """A known code decides, whatever the status is."""
    error, kind = known
    judged = judge(Answer(500, {}, {}, code))
    assert judged == (error, RetryClass.NEVER if kind is RetryClass.REASONS else kind)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, errors.ServiceError, RetryClass.NEVER),
        (403, errors.ServiceError, RetryClass.NEVER),
        (408, errors.ServiceError, RetryClass.TRANSIENT),
        (413, errors.RequestTooLargeError, RetryClass.NEVER),
        (429, errors.ThrottledError, RetryClass.THROTTLED),
        (500, errors.InternalServerError, RetryClass.TRANSIENT),
        (502, errors.InternalServerError, RetryClass.TRANSIENT),
        (503, errors.ServiceUnavailableError, RetryClass.TRANSIENT),
        (504, errors.InternalServerError, RetryClass.TRANSIENT),
    ],
)
@pytest.mark.parametrize("code", ["", "NobodyKnowsException"])
def test_without_a_known_code_the_status_decides(status, error, kind, code):
    """Load balancers and proxies send no code, and the service may invent one."""
    assert judge(Answer(status, {}, {}, code)) == (error, kind)


def reasons(*codes):
    """Return what a cancelled transaction answers."""
    return {"CancellationReasons": [{"Code": code} for code in codes]}


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (reasons("None", "TransactionConflict"), RetryClass.CONFLICT),
        (reasons("TransactionConflict", "ThrottlingError"), RetryClass.THROTTLED),
        (reasons("ProvisionedThroughputExceeded"), RetryClass.THROTTLED),
        (reasons("TransactionConflict", "ConditionalCheckFailed"), RetryClass.NEVER),
        (reasons("ValidationError"), RetryClass.NEVER),
        (reasons("DuplicateItem", "None"), RetryClass.NEVER),
        (reasons("ItemCollectionSizeLimitExceeded"), RetryClass.NEVER),
        (reasons("None"), RetryClass.NEVER),
        (reasons(None), RetryClass.NEVER),
        ({}, RetryClass.NEVER),
        ({"CancellationReasons": "x"}, RetryClass.NEVER),
    ],
)
def test_a_cancelled_transaction_is_judged_by_its_reasons(payload, kind):
    """Retried only if every reason that is not ``None`` is another writer or the rate."""
    assert cancellation_class(payload) is kind
    assert judge(Answer(400, {}, payload, "TransactionCanceledException")) == (errors.TransactionCanceledError, kind)


def test_reasons_keep_their_order():
    """A reason's place tells its action."""
    assert [reason["Code"] for reason in cancellation_reasons(reasons("a", "None", "b"))] == ["a", "None", "b"]


def test_only_an_unsafe_request_is_never_repeated():
    """What may be sent again after a lost answer is everything but what would be applied twice."""
    assert {safety for safety in RepeatSafety if not may_repeat(safety)} == {RepeatSafety.UNSAFE}


@pytest.mark.parametrize("hours", [-26, -1, 1, 26])
def test_a_wrong_clock_is_measured_by_the_services_date(hours):
    """The offset is the service's time minus the one that was signed."""
    signed = 1_790_000_000
    offset = clock_offset(formatdate(signed + hours * 3600, usegmt=True), signed)
    assert offset is not None
    assert math.isclose(offset, hours * 3600)


@pytest.mark.parametrize(
    "date",
    [
        None,
        "",
        "yesterday",
        "Mon, 21 Sep 2026 13:35:20 GMT",
        "Mon, 99 Sep 2026 13:33:20 GMT",
        "Mon, 21 Sep 2020 13:33:20 CET",
        "Mon, 21 Set 2020 1:2:3 GMT",
    ],
)
def test_a_clock_that_agrees_or_a_date_that_says_nothing_moves_nothing(date):
    """Below four minutes the clock is not why a signature was refused."""
    assert clock_offset(date, 1_789_997_600) is None


@pytest.mark.parametrize(
    ("message", "offset"),
    [
        ("Signature expired: 20260921T131320Z is now earlier than 20260921T132820Z (20260921T133320Z - 5 min.)", 1200),
        ("Signature not yet current: 20260921T131320Z is still later than x (20260921T125320Z + 5 min.)", -1200),
        ("Signature expired: 20260921T131320Z is now earlier than x (20260921T131400Z - 5 min.)", None),
        ("Signature expired: 20260921T131320Z is now earlier than x (20269921T133320Z - 5 min.)", None),
        ("The request signature we calculated does not match", None),
        ("", None),
    ],
)
def test_without_a_date_the_service_s_words_show_its_clock(message, offset):
    """A refusal that lost its ``Date`` on the way still says what time it is at the service."""
    signed = 1_789_996_400
    assert clock_offset(None, signed, message) == offset
    assert clock_offset(formatdate(signed + 7200, usegmt=True), signed, message) == 7200


@pytest.mark.parametrize("safety", RepeatSafety)
@pytest.mark.parametrize(
    ("operation", "factor"), [("GetItem", 1), ("PutItem", 1), ("Query", 3), ("TransactWriteItems", 3)]
)
def test_an_attempt_has_time_by_its_operation(operation, factor, safety):
    """With time enough, an operation on one item may be silent for 3 seconds, any other for 9; None knows no limit."""
    assert RetryPolicy().patience(operation, safety, 100.0) == 3.0 * factor
    assert RetryPolicy(attempt_timeout=1.5).patience(operation, safety, 100.0) == 1.5 * factor
    assert RetryPolicy(attempt_timeout=None).patience(operation, safety, 100.0) is None


@given(left=st.floats(-1, 1000), limit=st.floats(0.01, 100), operation=st.sampled_from(["GetItem", "Scan"]))
def test_the_time_left_shortens_an_attempt(left, limit, operation):
    """It is never longer than the operation's own limit, nor, above a second, than half of the time left."""
    policy = RetryPolicy(attempt_timeout=limit)
    own = policy.patience(operation, RepeatSafety.UNSAFE, left)
    patience = policy.patience(operation, RepeatSafety.READ, left)
    assert 0 < patience <= own
    assert patience <= max(1.0, left / 2)
    assert patience in (own, 1.0, left / 2)


@pytest.mark.parametrize("nonsense", [0, -1.0, math.nan])
def test_an_attempt_timeout_is_a_length_of_time(nonsense):
    """Zero, negative numbers and NaN are refused."""
    with pytest.raises(ValueError, match="attempt_timeout must be greater than 0"):
        RetryPolicy(attempt_timeout=nonsense)
