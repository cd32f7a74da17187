import pickle

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ClientStateError,
    Heat,
    ItemExistsError,
    ItemNotFoundError,
    LimitError,
    OutcomeUnknownError,
    PartitionKey,
    TransactionCanceledError,
    TransportError,
    ValidationError,
    attribute,
    entity,
)
from mizzle_async.errors import CancellationReason
from mizzle_async.types import Outcome, RepeatSafety, WireResponse

NOW = 1_700_000_000.0


@entity("counters")
class Counted:
    id: PartitionKey[str]
    count: Attribute[int] = attribute(default=0)


@pytest.fixture
def counters():
    """A handle of a client that was never opened."""
    return Client(clock=lambda: NOW).table(Counted)


def canceled(*codes):
    """Return the service's word for a cancelled transaction."""
    return TransactionCanceledError(
        "cancelled",
        reasons=[CancellationReason(None, code) for code in codes],
        operation="TransactWriteItems",
        attempts=1,
    )


def raised_by(operation, error):
    """Return what a failure means for an operation."""
    operation.sending.to_request()
    with pytest.raises(Exception) as raised:  # noqa: PT011  (the caller looks at it)
        operation.sending.recover(error, NOW)
    return raised.value


def test_it_is_a_transaction_of_one_action(counters):
    """The update is sent as the one action of a transaction, with a token of its own."""
    operation = counters.update("a").add(Counted.count, 1).exactly_once()
    wire = operation.to_wire()
    assert list(wire["TransactItems"][0]) == ["Update"]
    assert len(wire["TransactItems"]) == 1
    assert len(wire["ClientRequestToken"]) == 36
    request = operation.sending.to_request()
    assert (request.operation, request.safety, request.table) == ("TransactWriteItems", RepeatSafety.TOKEN, "counters")
    assert operation.sending.safety is RepeatSafety.TOKEN
    assert "exactly once: UpdateItem 'counters'" in str(operation)


def test_it_costs_twice(counters):
    """Twice the write units, and `explain` says so."""
    plain = counters.put(Counted(id="a")).explain().capacity
    doubled = counters.put(Counted(id="a")).exactly_once().explain()
    assert doubled.capacity.write_units == 2 * plain.write_units
    assert "twice" in str(doubled)


def test_result(counters):
    """Whole-item writes give the instance, others nothing: a transaction returns no item."""
    put, update, delete = (
        counters.put(Counted(id="a")).exactly_once(),
        counters.update("a").add(Counted.count, 1).exactly_once(),
        counters.delete("a").exactly_once(),
    )
    for operation in (put, update, delete):
        operation.sending.to_request()
    assert put.sending.from_wire(WireResponse({}), NOW) == Counted(id="a")
    assert update.sending.from_wire(WireResponse({}), NOW) is None
    assert delete.sending.from_wire(WireResponse({}), NOW) is None


def test_timeout_is_kept(counters):
    """The write's own timeout is the transaction's."""
    assert counters.update("a", timeout=3.0).add(Counted.count, 1).exactly_once().sending.to_request().timeout == 3.0


def test_nothing_to_do_is_settled(counters):
    """A patch without a difference sends nothing."""
    operation = counters.patch(Counted(id="a"), to=Counted(id="a")).exactly_once()
    assert operation.sending.settled
    assert operation.sending.result() is None
    assert operation.to_wire() == {}


def test_failures_are_the_writes_own(counters):
    """What fails, fails as the write alone does."""
    insert = counters.insert(Counted(id="a")).exactly_once()
    stored = CancellationReason(None, "ConditionalCheckFailed", "", {"id": {"S": "a"}})
    assert type(raised_by(insert, TransactionCanceledError("cancelled", reasons=[stored]))) is ItemExistsError
    update = counters.update("a").add(Counted.count, 1).exactly_once()
    assert type(raised_by(update, canceled("ConditionalCheckFailed"))) is ItemNotFoundError


def test_other_reasons_are_the_cancellation(counters):
    """A conflict that lasts is the cancelled transaction, with the write that met it."""
    delete = counters.delete("a")
    error = raised_by(delete.exactly_once(), canceled("TransactionConflict"))
    assert type(error) is TransactionCanceledError
    assert [(reason.operation, reason.code) for reason in error.reasons] == [(delete, "TransactionConflict")]


def test_lost_answers(counters):
    """Where every answer was lost the outcome is unknown; other errors are themselves."""
    operation = counters.delete("a").exactly_once()
    assert type(raised_by(operation, TransportError("gone", outcome=Outcome.UNKNOWN))) is OutcomeUnknownError
    error = ValidationError("no")
    assert raised_by(operation, error) is error


def test_token(counters):
    """The caller may give the token; nobody's token outlives what the service remembers, but the caller's own."""
    operation = counters.delete("a").exactly_once(token="mine")
    assert operation.to_wire()["ClientRequestToken"] == "mine"
    with pytest.raises(LimitError):
        counters.delete("a").exactly_once(token="x" * 37)
    own = counters.delete("a").exactly_once()
    own.sending.to_request()
    own.sending.begin(NOW)
    with pytest.raises(LimitError):
        own.sending.begin(NOW + 1_000)


def test_it_survives_pickling(counters):
    """A pickled one is the same transaction; one made after pickling needs a token, or a client."""
    operation = counters.delete("a").exactly_once()
    assert pickle.loads(pickle.dumps(operation)).to_wire() == operation.to_wire()
    plain = pickle.loads(pickle.dumps(counters.delete("a")))
    with pytest.raises(ClientStateError, match="token="):
        plain.exactly_once()
    assert plain.exactly_once(token="t").to_wire()["ClientRequestToken"] == "t"


def test_reported_capacity_is_asked_for():
    """With an instrument listening, the request asks what it consumed."""
    counters = Client(instrument=[Heat()]).table(Counted)
    assert counters.delete("a").exactly_once().to_wire()["ReturnConsumedCapacity"] == "TOTAL"
