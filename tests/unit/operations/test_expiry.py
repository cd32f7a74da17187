from datetime import datetime

import pytest

from mizzle_async import Attribute, Client, PartitionKey, attribute, entity
from mizzle_async.operations.expiry import IGNORED_AFTER_SECONDS, expiry_bounds, is_expired
from mizzle_async.operations.writes.presence import holds_without_item
from mizzle_async.types import WireResponse

NOW = 1_700_000_000.5
SECONDS = 1_700_000_000


@entity("sessions")
class Session:
    token: PartitionKey[str]
    user: Attribute[str] = attribute(default="")
    expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


@pytest.mark.parametrize(
    ("value", "expired"),
    [
        (None, False),
        ({"N": str(SECONDS + 1)}, False),
        ({"N": str(SECONDS)}, True),
        ({"N": "1699999999.5"}, True),
        ({"N": str(SECONDS - IGNORED_AFTER_SECONDS)}, True),
        ({"N": str(SECONDS - IGNORED_AFTER_SECONDS - 1)}, False),
        ({"N": "0"}, False),
        ({"S": str(SECONDS - 1)}, False),
        ({"N": "1E+125"}, False),
    ],
)
def test_expiry_is_the_service_s_rule(value, expired):
    """An item is expired by a number in the past five years; anything else is ignored, as the service ignores it."""
    assert is_expired(value, NOW) is expired


def test_bounds_agree_with_the_rule():
    """What the service is asked to leave out is what is left out here."""
    earliest, latest = expiry_bounds(NOW)
    assert is_expired(earliest, NOW)
    assert is_expired(latest, NOW)
    assert not is_expired({"N": str(int(earliest["N"]) - 1)}, NOW)
    assert not is_expired({"N": str(int(latest["N"]) + 1)}, NOW)


def test_expired_item_is_hidden_from_a_get():
    """A get does not see an expired item unless it asks for it."""
    sessions = Client(clock=lambda: NOW).table(Session)
    response = WireResponse({"Item": {"token": {"S": "t"}, "expires": {"N": str(SECONDS - 1)}}})
    hidden, shown = sessions.get("t"), sessions.get("t", include_expired=True)
    hidden.sending.to_request()
    shown.sending.to_request()
    assert hidden.sending.from_wire(response, NOW) is None
    assert shown.sending.from_wire(response, NOW).token == "t"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Session.user == "a", False),
        (Session.user != "a", True),
        (Session.user.exists(), False),
        (Session.user.not_exists(), True),
        (Session.user.begins_with("a"), False),
        (Session.user.is_in(["a"]), False),
        (Session.user.size() > 0, False),
        (~Session.user.exists(), True),
        (~(Session.user == "a"), True),
        (Session.user.not_exists() & Session.user.exists(), False),
        (Session.user.not_exists() | Session.user.exists(), True),
        (~(Session.user.not_exists() & Session.user.exists()), True),
    ],
    ids=str,
)
def test_condition_without_an_item(condition, holds):
    """What DynamoDB makes of a condition where there is no item is known without asking it."""
    assert holds_without_item(condition) is holds
