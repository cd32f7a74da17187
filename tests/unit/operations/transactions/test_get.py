import pytest

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    Heat,
    ItemNotFoundError,
    LimitError,
    PartitionKey,
    TransactionCanceledError,
    ValidationError,
    attribute,
    entity,
)
from mizzle_async.errors import CancellationReason
from mizzle_async.types import RepeatSafety, WireResponse

NOW = 1_700_000_000.0


@entity("orders")
class Order:
    order_id: PartitionKey[str]
    total: Attribute[int] = attribute(default=0)


@entity("readings")
class Reading:
    number: PartitionKey[int]


@pytest.fixture
def client():
    """A client that was never opened."""
    return Client(clock=lambda: NOW)


@pytest.fixture
def orders(client):
    """A handle of a plain entity."""
    return client.table(Order)


def test_gets_are_read_together(client, orders):
    """The gets become one request, of any tables."""
    transaction = client.transact_get(orders.get("a"), client.table(Reading).get(5))
    assert transaction.to_wire() == {
        "TransactItems": [
            {"Get": {"TableName": "orders", "Key": {"order_id": {"S": "a"}}}},
            {"Get": {"TableName": "readings", "Key": {"number": {"N": "5"}}}},
        ]
    }
    request = transaction.sending.to_request()
    assert (request.table, request.safety) == ("orders, readings", RepeatSafety.READ)


def test_result_is_what_each_get_gives(client, orders):
    """The result is a tuple in the order of the gets, None where there is no item."""
    transaction = client.transact_get(orders.get("a"), orders.get("b"))
    transaction.sending.to_request()
    answer = {"Responses": [{"Item": {"order_id": {"S": "a"}, "total": {"N": "3"}}}, {}]}
    assert transaction.sending.from_wire(WireResponse(answer), NOW) == (Order(order_id="a", total=3), None)


def test_missing_item_of_get_one(client, orders):
    """A `get_one` that finds nothing raises, in a transaction too."""
    transaction = client.transact_get(orders.get_one("a"))
    transaction.sending.to_request()
    with pytest.raises(ItemNotFoundError):
        transaction.sending.from_wire(WireResponse({"Responses": [{}]}), NOW)


def test_nothing_to_read(client):
    """Without gets there is nothing to send, and it says so."""
    transaction = client.transact_get()
    assert transaction.sending.settled
    assert transaction.to_wire() == {}
    assert transaction.sending.result() == ()
    assert "nothing is sent" in str(transaction)
    assert "nothing is sent" in str(transaction.explain())


def test_two_gets_of_one_item(client, orders):
    """DynamoDB refuses to read one item twice in a transaction; numbers that it takes for one are one key."""
    readings = client.table(Reading)
    with pytest.raises(ExpressionError, match="same item of 'readings'"):
        client.transact_get(readings.get(10), orders.get("a"), readings.get(number=10))


def test_one_get_twice(client, orders):
    """One get that was given twice reads one item twice as well."""
    get = orders.get("a")
    with pytest.raises(ExpressionError, match="same item of 'orders'"):
        client.transact_get(get, get)


def test_what_is_no_get(client, orders):
    """Only gets can be read together."""
    with pytest.raises(ExpressionError, match="DeleteItem"):
        client.transact_get(orders.delete("a"))
    with pytest.raises(ExpressionError, match="not str"):
        client.transact_get("a")


def test_too_many_gets(client, orders):
    """A hundred items are the limit."""
    client.transact_get(*(orders.get(str(number)) for number in range(100))).to_wire()
    with pytest.raises(LimitError, match="reads 101 items"):
        client.transact_get(*(orders.get(str(number)) for number in range(101)))


def test_reasons_are_tied_to_gets(client, orders):
    """A cancelled read says which get was the reason; other errors are themselves."""
    gets = orders.get("a"), orders.get("b")
    transaction = client.transact_get(*gets)
    transaction.sending.to_request()
    reasons = [CancellationReason(None, None), CancellationReason(None, "TransactionConflict", "busy")]
    with pytest.raises(TransactionCanceledError) as raised:
        transaction.sending.recover(TransactionCanceledError("cancelled", reasons=reasons, request_id="R"), NOW)
    assert [(reason.operation, reason.code) for reason in raised.value.reasons] == [
        (gets[0], None),
        (gets[1], "TransactionConflict"),
    ]
    assert raised.value.request_id == "R"
    with pytest.raises(ValidationError):
        transaction.sending.recover(ValidationError("no"), NOW)


def test_explain_prices_it(client, orders):
    """Two read units for each item, at least."""
    operation = client.transact_get(orders.get("a"))
    assert operation.explain().capacity.read_units == 2
    explanation = client.transact_get(orders.get("a"), orders.get("b")).explain()
    assert explanation.capacity.read_units == 4
    assert explanation.expressions == {"1. Get": "orders", "2. Get": "orders"}
    assert str(operation) == "TransactGetItems of 1: GetItem 'orders' key (order_id)"


def test_reported_capacity_is_asked_for():
    """With an instrument listening, the request asks what it consumed."""
    client = Client(instrument=[Heat()])
    assert client.transact_get(client.table(Order).get("a")).to_wire()["ReturnConsumedCapacity"] == "TOTAL"
