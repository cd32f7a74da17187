"""What a client is told."""

import math

import attrs
import pytest

from mizzle_async.errors import ExpressionError
from mizzle_async.operations.arguments import check_timeout
from mizzle_async.wire.hedge_policy import HedgePolicy
from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.settings import Credentials, WireSettings


class Listener:
    def call_finished(self, call):
        """Hear nothing."""


def test_credentials_show_no_secret():
    """Secret and token never show; the key's id shows its end, to tell two apart."""
    credentials = Credentials("AKIACANARY1234567890", "CANARY-SECRET", "CANARY-TOKEN")
    assert repr(credentials) == "Credentials(access_key_id='…7890', account_id=None)"
    assert repr(Credentials("short", "x")) == "Credentials(access_key_id=…, account_id=None)"
    assert "CANARY" not in repr(WireSettings(credentials=credentials))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        (("a", "b"), Credentials("a", "b")),
        (("a", "b", None), Credentials("a", "b")),
        (("a", "b", "c"), Credentials("a", "b", "c")),
        (Credentials("a", "b", account_id="1"), Credentials("a", "b", account_id="1")),
    ],
)
def test_credentials_may_be_a_tuple(given, expected):
    """Static credentials are a value, or a tuple of two or three."""
    assert WireSettings(credentials=given).credentials == expected


def test_one_instrument_or_several():
    """An instrument alone is as good as a sequence of them."""
    one, two = Listener(), Listener()
    assert WireSettings(instrument=one).instrument == (one,)
    assert WireSettings(instrument=[one, two]).instrument == (one, two)
    assert WireSettings(instrument=()).instrument == ()


def test_the_defaults():
    """Ten seconds, the documented policies, less idleness than the service allows, no hedge, encryption for others."""
    settings = WireSettings()
    assert settings.timeout == 10.0
    assert settings.pool == PoolConfig()
    assert settings.pool.keep_alive < 20
    assert settings.retry == RetryPolicy()
    assert settings.hedge is None
    assert not settings.allow_http
    assert attrs.evolve(settings, hedge=HedgePolicy()).hedge == HedgePolicy()


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_that_is_over_before_it_begins_is_refused(timeout):
    """A call needs some time."""
    with pytest.raises(ValueError, match="timeout"):
        WireSettings(timeout=timeout)


def test_a_session_has_its_profile():
    """Naming a profile beside a session asks one question twice."""
    with pytest.raises(ValueError, match="profile_name= or session="):
        WireSettings(session=object(), profile_name="other")


def test_a_timeout_that_no_clock_can_hold_is_refused():
    """An integer may be larger than any float: it is said where it is written, not at the first call."""
    with pytest.raises(ValueError, match="timeout= is larger than any clock's number"):
        WireSettings(timeout=10**400)
    with pytest.raises(ExpressionError, match="timeout= is larger than any clock's number"):
        check_timeout(10**400)
    assert WireSettings(timeout=math.inf).timeout == math.inf
