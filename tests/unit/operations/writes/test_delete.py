from datetime import datetime

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    ExpressionError,
    OutcomeUnknownError,
    PartitionKey,
    attribute,
    entity,
)
from mizzle_async.types import RepeatSafety, WireResponse

NOW = 1_700_000_000.5


@entity("customers")
class Customer:
    customer_id: PartitionKey[str]
    name: Attribute[str]


@entity("sessions")
class Session:
    token: PartitionKey[str]
    expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


STORED = {"customer_id": {"S": "c1"}, "name": {"S": "Ann"}}


@pytest.fixture
def client():
    """A client that was never opened, on a clock that stands still."""
    return Client(clock=lambda: NOW)


def answered(operation, payload, *, ambiguous=False):
    """Return what an operation makes of an answer."""
    operation.sending.to_request()
    return operation.sending.from_wire(WireResponse(payload, "R1", 2, ambiguous), NOW)


def test_wire_form(client):
    """A delete asks for what it deleted."""
    assert client.table(Customer).delete("c1").to_wire() == {
        "TableName": "customers",
        "Key": {"customer_id": {"S": "c1"}},
        "ReturnValues": "ALL_OLD",
    }


def test_condition(client):
    """A condition asks for the item that made it false."""
    wire = client.table(Customer).delete("c1").when(Customer.name == "Ann").to_wire()
    assert wire["ConditionExpression"] == "#name = :name"
    assert wire["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"


def test_result_is_the_deleted_item(client):
    """The result is what was deleted, or None."""
    customers = client.table(Customer)
    assert answered(customers.delete("c1"), {"Attributes": STORED}) == Customer(customer_id="c1", name="Ann")
    assert answered(customers.delete("c1"), {}) is None


def test_expired_item_was_not_there(client):
    """Deleting an expired item deletes nothing, as far as anybody can see."""
    expired = {"token": {"S": "t"}, "expires": {"N": str(int(NOW) - 1)}}
    assert answered(client.table(Session).delete("t"), {"Attributes": expired}) is None


def test_nothing_found_after_a_lost_answer_is_unknown(client):
    """Where an earlier attempt may have deleted the item, "there was none" would be a guess."""
    customers = client.table(Customer)
    assert customers.delete("c1").sending.to_request().safety is RepeatSafety.GUARDED
    with pytest.raises(OutcomeUnknownError, match="may have deleted the item") as raised:
        answered(customers.delete("c1"), {}, ambiguous=True)
    unknown = raised.value
    assert (unknown.operation, unknown.attempts, unknown.request_id) == ("DeleteItem", 2, "R1")


def test_item_found_after_a_lost_answer_is_the_deleted_one(client):
    """An attempt that found the item deleted it, whatever became of the one before."""
    assert answered(client.table(Customer).delete("c1"), {"Attributes": STORED}, ambiguous=True) is not None


def test_false_condition_without_an_item(client):
    """A delete does not ask for presence: a condition that is false of nothing is a failed condition."""
    operation = client.table(Customer).delete("c1").when(Customer.name == "Ann")
    operation.sending.to_request()
    with pytest.raises(ConditionalCheckFailedError) as raised:
        operation.sending.recover(ConditionalCheckFailedError("false"), NOW)
    assert raised.value.item is None


def test_check_needs_a_condition_and_a_transaction(client):
    """A check is part of a transaction, and says what it checks."""
    check = client.table(Customer).check("c1")
    with pytest.raises(ExpressionError, match="needs a condition"):
        check.to_wire()
    checked = check.when(Customer.name == "Ann")
    with pytest.raises(ExpressionError, match="part of a transaction"):
        checked.sending.to_request()
