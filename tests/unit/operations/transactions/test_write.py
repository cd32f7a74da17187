import pickle
from decimal import Decimal

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    ExpressionError,
    Heat,
    InternalServerError,
    ItemExistsError,
    LimitError,
    OutcomeUnknownError,
    PartitionKey,
    TransactionCanceledError,
    TransportError,
    UnawaitedOperationWarning,
    UniqueConstraintError,
    VersionConflictError,
    attribute,
    entity,
    evolve,
)
from mizzle_async.errors import CancellationReason
from mizzle_async.limits import CLIENT_REQUEST_TOKEN_SECONDS
from mizzle_async.types import Outcome, RepeatSafety, WireResponse

NOW = 1_700_000_000.0


@entity("orders")
class Order:
    order_id: PartitionKey[str]
    total: Attribute[Decimal] = attribute(default=Decimal(0))
    note: Attribute[str] = attribute(default="")
    version: Attribute[int] = attribute(default=0, version=True)


@entity("stock")
class Stock:
    sku: PartitionKey[str]
    count: Attribute[int] = attribute(default=0)
    picture: Attribute[bytes] = attribute(default=b"")


@entity("users")
class User:
    user_id: PartitionKey[str]
    email: Attribute[str | None] = attribute(default=None, unique=True)


@pytest.fixture
def client():
    """A client that was never opened."""
    return Client(clock=lambda: NOW)


@pytest.fixture
def orders(client):
    """A handle of a versioned entity."""
    return client.table(Order)


@pytest.fixture
def stock(client):
    """A handle of a plain entity."""
    return client.table(Stock)


def canceled(*reasons, ambiguous=False):
    """Return the service's word for a cancelled transaction."""
    return TransactionCanceledError(
        "Transaction cancelled",
        reasons=[CancellationReason(None, code, "words" if code else "", item) for code, item in reasons],
        code="TransactionCanceledException",
        status=400,
        ambiguous=ambiguous,
        operation="TransactWriteItems",
        table="orders, stock",
        attempts=1,
        request_id="R1",
    )


FINE = (None, None)
FAILED = ("ConditionalCheckFailed", None)


def raised_by(operation, error):
    """Return what a failure means for an operation."""
    operation.sending.to_request()
    with pytest.raises(Exception) as raised:  # noqa: PT011  (the caller looks at it)
        operation.sending.recover(error, NOW)
    return raised.value


def test_actions_are_the_single_requests(client, orders, stock):
    """Each action is what the operation would send alone, without what only a single request may ask for."""
    insert = orders.insert(Order(order_id="o1"))
    transaction = client.transact_write(
        insert,
        stock.update("s1").add(Stock.count, -1).when(Stock.count >= 1),
        stock.delete("s2"),
        orders.check("o2").when(Order.total == 0),
    )
    put, update, delete, check = transaction.to_wire()["TransactItems"]
    assert put == {"Put": insert.to_wire()}
    assert update == {
        "Update": {
            "TableName": "stock",
            "Key": {"sku": {"S": "s1"}},
            "UpdateExpression": "ADD #count :count",
            "ConditionExpression": "attribute_exists(#sku) AND #count >= :count_2",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            "ExpressionAttributeNames": {"#count": "count", "#sku": "sku"},
            "ExpressionAttributeValues": {":count": {"N": "-1"}, ":count_2": {"N": "1"}},
        }
    }
    assert delete == {"Delete": {"TableName": "stock", "Key": {"sku": {"S": "s2"}}}}
    assert check["ConditionCheck"]["ConditionExpression"] == "#total = :total"


def test_result_is_stored_instances_and_none(client, orders, stock):
    """Whole-item writes give the instance as it is stored, the others None, in order."""
    old = Order(order_id="o2", version=4)
    transaction = client.transact_write(
        orders.insert(Order(order_id="o1")),
        stock.update("s1").set(Stock.count, 1),
        orders.replace(evolve(old, note="new")),
        stock.put(Stock(sku="s9")),
        stock.delete("s2"),
    )
    transaction.sending.to_request()
    assert transaction.sending.from_wire(WireResponse({}), NOW) == (
        Order(order_id="o1", version=1),
        None,
        Order(order_id="o2", note="new", version=5),
        Stock(sku="s9"),
        None,
    )


def test_token_is_fixed_when_it_is_built(client, stock):
    """What is shown and what is sent has one token; another transaction has another."""
    transaction, other = (client.transact_write(stock.delete(key)) for key in "ab")
    token = transaction.to_wire()["ClientRequestToken"]
    assert 1 <= len(token) <= 36
    assert transaction.to_wire()["ClientRequestToken"] == token
    assert transaction.sending.to_request().body == transaction.sending.to_request().body
    assert other.to_wire()["ClientRequestToken"] != token


def test_repetition_is_recognised(client, stock):
    """The service recognises a repetition by its token."""
    transaction = client.transact_write(stock.delete("a"))
    assert transaction.sending.safety is transaction.sending.to_request().safety is RepeatSafety.TOKEN


def test_sent_again_within_nine_minutes(client, stock):
    """Within nine minutes of the first sending it may be sent again; later that would be another transaction."""
    transaction = client.transact_write(stock.delete("a"))
    transaction.sending.begin(NOW)
    transaction.sending.begin(NOW + CLIENT_REQUEST_TOKEN_SECONDS)
    transaction.sending.to_request()
    with pytest.raises(LimitError, match="more than 9 minutes ago"):
        transaction.sending.begin(NOW + CLIENT_REQUEST_TOKEN_SECONDS + 1)


def test_callers_token(client, stock):
    """A caller's own token is sent as it is, and its age is the caller's business."""
    transaction = client.transact_write(stock.delete("a"), token="order-7")
    transaction.sending.begin(NOW)
    transaction.sending.begin(NOW + 10_000)
    assert transaction.to_wire()["ClientRequestToken"] == "order-7"


@pytest.mark.parametrize("token", ["", "x" * 37])
def test_token_of_wrong_length(client, stock, token):
    """A token that is empty or too long is refused when the transaction is built."""
    operation = stock.delete("a")
    with pytest.raises(LimitError, match="1 to 36 characters"):
        client.transact_write(operation, token=token)


def test_token_that_is_no_text(client, stock):
    """A token is text."""
    with pytest.raises(ExpressionError, match="not int"):
        client.transact_write(stock.delete("a"), token=5)
    with pytest.raises(ExpressionError, match="not bytes"):
        stock.delete("a").exactly_once(token=b"t")


def test_age_of_the_token(client, stock):
    """A call that sends a transaction again says for how long its token is known, so that no retry comes too late."""
    transaction = client.transact_write(stock.delete("a"))
    assert transaction.sending.to_request().token_age == 0
    for now, age in ((NOW, 0), (NOW + 500, 500), (NOW + 20, 20)):
        transaction.sending.begin(now)
        assert transaction.sending.to_request().token_age == age
    given = client.transact_write(stock.delete("a"), token="t")
    given.sending.begin(NOW)
    given.sending.begin(NOW + 500)
    assert given.sending.to_request().token_age == 0


def test_empty_transaction_sends_nothing(client):
    """Without operations there is nothing to send, and it says so."""
    transaction = client.transact_write()
    assert transaction.sending.settled
    assert transaction.to_wire() == {}
    assert transaction.sending.result() == ()
    assert "nothing is sent" in str(transaction)
    assert "nothing is sent" in str(transaction.explain())


def test_patch_without_difference_adds_no_action(client, stock):
    """A patch that changes nothing adds no action; alone it makes the transaction an empty one."""
    same = stock.patch(Stock(sku="a"), to=Stock(sku="a"))
    alone = client.transact_write(same)
    assert alone.sending.settled
    assert alone.to_wire() == {}
    assert alone.sending.result() == (None,)
    assert len(client.transact_write(same, stock.delete("b")).to_wire()["TransactItems"]) == 1


def test_two_operations_on_one_item(client, stock):
    """Two operations about one item are refused, naming both and showing no key value."""
    with pytest.raises(ExpressionError) as raised:
        client.transact_write(stock.delete("zz"), stock.delete("secret"), stock.update("secret").set(Stock.count, 1))
    text = str(raised.value)
    assert "number 2, DeleteItem 'stock'" in text
    assert "number 3, UpdateItem 'stock'" in text
    assert "secret" not in text


def test_one_operation_twice(client, stock):
    """One operation that was given twice is said to be one."""
    delete = stock.delete("secret")
    with pytest.raises(ExpressionError, match=r"one operation was given twice.*DeleteItem 'stock'"):
        client.transact_write(stock.delete("a"), delete, delete)


def test_update_that_changes_nothing_is_a_check(client, stock):
    """Where there is a condition and no difference a transaction holds to the condition: an Update must change."""
    same = stock.patch(Stock(sku="a"), to=Stock(sku="a")).when(Stock.count == 0)
    (action,) = client.transact_write(same).to_wire()["TransactItems"]
    assert action["ConditionCheck"].keys() == {
        "TableName",
        "Key",
        "ConditionExpression",
        "ReturnValuesOnConditionCheckFailure",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
    }


def test_same_key_in_other_tables(client, stock):
    """The same key in another table is another item."""
    other = client.table(Stock, name="warehouse")
    assert len(client.transact_write(stock.delete("a"), other.delete("a")).to_wire()["TransactItems"]) == 2


def test_too_many_actions(client, stock):
    """A hundred actions are a transaction, one more is none; guard items count."""
    client.transact_write(*(stock.delete(str(number)) for number in range(100))).to_wire()
    with pytest.raises(LimitError, match="has 101 actions, DynamoDB takes 100"):
        client.transact_write(*(stock.delete(str(number)) for number in range(101)))
    users = client.table(User)
    with pytest.raises(LimitError, match="has 102 actions"):
        client.transact_write(*(users.insert(User(user_id=str(n), email=str(n))) for n in range(51)))


def test_too_large(client, stock):
    """Four megabytes of what is carried are the limit, whatever JSON makes of them."""
    picture = b"\0" * 300_000
    client.transact_write(*(stock.put(Stock(sku=str(n), picture=picture)) for n in range(13))).to_wire()
    with pytest.raises(LimitError, match=r"carries 4,\d{3},\d{3} bytes"):
        client.transact_write(*(stock.put(Stock(sku=str(n), picture=picture)) for n in range(14)))


def test_too_large_an_item(client, stock):
    """An item that no request could store is refused when the transaction is built."""
    with pytest.raises(LimitError, match="409,600"):
        client.transact_write(stock.put(Stock(sku="s", picture=b"\0" * 409_600)))


def test_what_is_no_write(client, orders, stock):
    """Gets, queries, transactions and instances cannot be in a transaction of writes; the message says what can."""
    with pytest.raises(ExpressionError, match="transact_get"):
        client.transact_write(stock.get("a"))
    with pytest.raises(ExpressionError, match="no other transaction"):
        client.transact_write(client.transact_write(stock.delete("a")))
    with pytest.raises(ExpressionError, match="before it is awaited"):
        client.transact_write(Order(order_id="o1"))
    with pytest.raises(ExpressionError, match="give the write itself"):
        client.transact_write(stock.delete("a").exactly_once())
    with pytest.raises(ExpressionError, match="not Query"):
        client.transact_write(orders.query(Order.order_id == "o1"))


def test_check_alone(orders):
    """A check cannot be awaited: it belongs into a transaction."""
    with pytest.raises(ExpressionError, match="transact_write"):
        orders.check("o1").when(Order.total == 0).sending.to_request()


def test_check_needs_a_condition(client, orders):
    """A check without a condition would say nothing."""
    with pytest.raises(ExpressionError, match="needs a condition"):
        client.transact_write(orders.check("o1"))


def test_check_of_a_version(client, orders):
    """A check of an instance holds it to its version; so does `at_version` of a key."""
    checks = orders.check(Order(order_id="o1", version=3)), orders.check("o2").at_version(3)
    for action in client.transact_write(*checks).to_wire()["TransactItems"]:
        assert action["ConditionCheck"]["ConditionExpression"] == "#version = :version"
        assert action["ConditionCheck"]["ExpressionAttributeValues"] == {":version": {"N": "3"}}


def test_reasons_are_tied_to_operations(client, orders, stock):
    """Every operation has its reason, in order, with what it would have raised alone; values are not shown."""
    insert = orders.insert(Order(order_id="o1", note="secret"))
    update = orders.update(Order(order_id="o2", version=3)).set(Order.note, "secret")
    check = stock.check("s1").when(Stock.count >= 1)
    delete = stock.delete("s2")
    stored = {"order_id": {"S": "o1"}, "version": {"N": "9"}}
    error = raised_by(
        client.transact_write(insert, update, check, delete),
        canceled(
            ("ConditionalCheckFailed", stored),
            ("ConditionalCheckFailed", {**stored, "version": {"N": "4"}}),
            FAILED,
            FINE,
        ),
    )
    assert type(error) is TransactionCanceledError
    assert [reason.operation for reason in error.reasons] == [insert, update, check, delete]
    assert [type(reason.error) for reason in error.reasons] == [
        ItemExistsError,
        VersionConflictError,
        ConditionalCheckFailedError,
        type(None),
    ]
    assert error.reasons[0].item == stored
    assert error.reasons[0].stored(Order) == Order(order_id="o1", version=9)
    assert (error.reasons[2].stored(Stock), error.reasons[3].stored(Stock)) == (None, None)
    assert error.reasons[3].code is None
    assert error.__cause__ is None
    assert "operation 2 of 4" in str(error)
    assert "operation 4 of 4" not in str(error)
    assert "secret" not in f"{error} {error!r} {error.reasons!r}"
    assert (error.request_id, error.attempts, error.table) == ("R1", 1, "orders, stock")


def test_cancellation_is_certain(client, stock):
    """By its token a cancelled transaction was applied by no earlier attempt either, whatever became of its answer."""
    error = raised_by(client.transact_write(stock.delete("a")), canceled(FAILED, ambiguous=True))
    assert not error.ambiguous


def test_only_reason_is_the_cause(client, orders, stock):
    """Where one operation failed, its own error is the cause."""
    transaction = client.transact_write(
        stock.delete("s"), orders.update(Order(order_id="o", version=3)).set(Order.note, "")
    )
    error = raised_by(transaction, canceled(FINE, ("ConditionalCheckFailed", {"order_id": {"S": "o"}})))
    assert type(error.__cause__) is VersionConflictError


def test_reasons_other_than_conditions(client, stock):
    """A conflict or a limit has its code and words, and no error of its own."""
    error = raised_by(client.transact_write(stock.delete("a")), canceled(("TransactionConflict", None)))
    assert error.reasons[0].code == "TransactionConflict"
    assert error.reasons[0].message == "words"
    assert error.reasons[0].error is None
    assert "TransactionConflict (words)" in str(error)


def test_settled_operation_has_a_reason_too(client, stock):
    """An operation that added no action keeps its place among the reasons."""
    same = stock.patch(Stock(sku="a"), to=Stock(sku="a"))
    delete = stock.delete("b")
    error = raised_by(client.transact_write(same, delete), canceled(("ValidationError", None)))
    assert [(reason.operation, reason.code) for reason in error.reasons] == [(same, None), (delete, "ValidationError")]


def test_guard_failure_is_the_operations_reason(client, stock):
    """A guard item that is taken is the reason of the operation it belongs to, by the attribute's name."""
    insert = client.table(User).insert(User(user_id="u", email="secret@example.com"))
    delete = stock.delete("a")
    error = raised_by(client.transact_write(insert, delete), canceled(FINE, FAILED, FINE))
    assert len(error.reasons) == 2
    assert isinstance(error.__cause__, UniqueConstraintError)
    assert error.__cause__.attribute == "email"
    assert "secret" not in f"{error} {error.__cause__}"


def test_reasons_may_be_missing(client, stock):
    """An engine that sends no reasons leaves every operation without one, and its own words."""
    error = raised_by(client.transact_write(stock.delete("a")), canceled())
    assert error.reasons[0].code is None
    assert "Transaction cancelled" in str(error)


@pytest.mark.parametrize(
    "error",
    [
        TransportError("gone", outcome=Outcome.UNKNOWN, attempts=4),
        InternalServerError("failed", code="InternalServerError", status=500, ambiguous=True),
    ],
)
def test_lost_answer_says_to_await_again(client, stock, error):
    """Where every answer was lost, awaiting the same operation again is the way out, and the error says so."""
    unknown = raised_by(client.transact_write(stock.delete("a")), error)
    assert type(unknown) is OutcomeUnknownError
    assert unknown.__cause__ is error
    assert "Await the same operation again" in str(unknown)


def test_what_was_not_sent_is_itself(client, stock):
    """An error that leaves no doubt is raised as it is."""
    error = TransportError("refused")
    assert raised_by(client.transact_write(stock.delete("a")), error) is error


def test_explain_prices_it(client, orders, stock):
    """A transaction costs twice what its writes cost alone, and every expression is shown with its values."""
    explanation = client.transact_write(
        stock.put(Stock(sku="s", picture=b"\0" * 1500)),
        orders.check("o").when(Order.total == 5),
        client.table(User).insert(User(user_id="u", email="e")),
    ).explain()
    assert explanation.capacity.write_units == 2 * (2 + 1 + 1 + 1)
    assert explanation.table == "stock, orders, users"
    assert explanation.expressions["2. ConditionCheck condition"] == "total = 5"


def test_reported_capacity_is_asked_for(stock):
    """With an instrument listening, the transaction asks what it consumes."""
    client = Client(instrument=[Heat()])
    wire = client.transact_write(client.table(Stock).delete("a")).to_wire()
    assert wire["ReturnConsumedCapacity"] == "TOTAL"
    assert "ReturnConsumedCapacity" not in wire["TransactItems"][0]["Delete"]


def test_it_survives_pickling(client, stock):
    """A pickled transaction is the same transaction: operations, actions and token."""
    transaction = client.transact_write(stock.delete("a"), stock.put(Stock(sku="b")))
    transaction.sending.begin(NOW)
    copied = pickle.loads(pickle.dumps(transaction))
    assert copied.to_wire() == transaction.to_wire()
    copied.sending.begin(NOW + 60)
    assert copied.sending.to_request().token_age == 60  # since the first sending of the original
    assert copied.sending.result() == (None, Stock(sku="b"))


def test_reasons_survive_pickling(client, stock):
    """A cancelled transaction can be sent to another process, reasons and causes included."""
    error = raised_by(client.transact_write(stock.check("a").when(Stock.count == 1)), canceled(FAILED))
    copied = pickle.loads(pickle.dumps(error))
    assert copied.reasons[0].code == "ConditionalCheckFailed"
    assert type(copied.reasons[0].error) is ConditionalCheckFailedError


def test_forgotten_transaction_warns(client, stock):
    """A transaction that is dropped unsent warns, as its operations would alone."""
    with pytest.warns(UnawaitedOperationWarning, match=r"TransactWriteItems of 1: DeleteItem 'stock' .*forgotten"):
        client.transact_write(stock.delete("a"))
