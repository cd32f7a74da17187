import pytest

from mizzle_async import Attribute, PartitionKey, attribute, entity
from mizzle_async.model import schema_of
from mizzle_async.operations.writes.verdict import Verdict, judge


@entity("orders")
class Order:
    order_id: PartitionKey[str]
    version: Attribute[int] = attribute(default=0, version=True, name="v")


@entity("plain")
class Plain:
    plain_id: PartitionKey[str]


def item(version, write_id):
    """Return a stored item."""
    stored = {"order_id": {"S": "o"}}
    if version is not None:
        stored["v"] = {"N": str(version)}
    if write_id is not None:
        stored["_write_id"] = {"S": write_id}
    return stored


@pytest.mark.parametrize(
    ("stored", "expected", "verdict"),
    [
        (item(4, "ours"), 3, Verdict.APPLIED),
        (item(4, "theirs"), 3, Verdict.REFUSED),
        (item(4, None), 3, Verdict.REFUSED),
        (item(3, "older"), 3, Verdict.REFUSED),
        (item(5, "theirs"), 3, Verdict.UNKNOWN),
        (item(2, "theirs"), 3, Verdict.UNKNOWN),
        (item(None, "theirs"), 3, Verdict.UNKNOWN),
        (None, 3, Verdict.UNKNOWN),
        (item(1, "ours"), 0, Verdict.APPLIED),
        (item(1, "theirs"), 0, Verdict.REFUSED),
        (item(2, "theirs"), 0, Verdict.UNKNOWN),
        (item(9, "ours"), None, Verdict.APPLIED),
        (item(9, "theirs"), None, Verdict.UNKNOWN),
    ],
)
def test_judgement(stored, expected, verdict):
    """Our id says applied, another's at the next version says refused, anything else says nothing."""
    assert judge(schema_of(Order), stored, write_id="ours", expected=expected) is verdict


def test_write_without_an_id():
    """A deletion stores no id: it is refused where the version is one that it would have made impossible."""
    schema = schema_of(Order)
    assert judge(schema, item(3, "x"), write_id=None, expected=3) is Verdict.REFUSED
    assert judge(schema, item(4, "x"), write_id=None, expected=3) is Verdict.REFUSED
    assert judge(schema, item(5, "x"), write_id=None, expected=3) is Verdict.UNKNOWN
    assert judge(schema, None, write_id=None, expected=3) is Verdict.UNKNOWN


def test_entity_without_a_version():
    """Without a version nothing is proved, whatever is equal."""
    assert judge(schema_of(Plain), {"plain_id": {"S": "p"}}, write_id=None, expected=0) is Verdict.UNKNOWN
