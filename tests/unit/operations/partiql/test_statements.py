import pickle

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    DuplicateItemError,
    ExpressionError,
    Heat,
    LimitError,
    MarshallingError,
    OutcomeUnknownError,
    PartitionKey,
    ServiceError,
    ThrottledError,
    TransactionCanceledError,
    TransportError,
    ValidationError,
    attribute,
    entity,
    identifier,
    parameter,
)
from mizzle_async.errors import CancellationReason, ResourceNotFoundError, TransactionConflictError
from mizzle_async.handles.statement import plan_of
from mizzle_async.operations.partiql import ExecuteStatement
from mizzle_async.operations.partiql.text import StatementKind, check_statement, table_of
from mizzle_async.types import Outcome, RepeatSafety, WireResponse

NOW = 1_700_000_000.0


@entity("users")
class User:
    user_id: PartitionKey[str]
    email: Attribute[str | None] = attribute(default=None, unique=True)


@pytest.fixture
def client():
    """A client that was never opened."""
    return Client(clock=lambda: NOW)


@pytest.mark.parametrize(
    ("names", "quoted"),
    [
        (("orders",), '"orders"'),
        (("orders", "by-status"), '"orders"."by-status"'),
        (('a"b',), '"a""b"'),
        (("a.b", "c"), '"a.b"."c"'),
        (('x" OR 1=1 --',), '"x"" OR 1=1 --"'),
    ],
)
def test_identifiers_are_quoted(names, quoted):
    """Names are quoted, quotation marks in them doubled, so that no name can become anything else."""
    assert identifier(*names) == quoted


@pytest.mark.parametrize("names", [(), ("",), ("a", "")])
def test_identifiers_are_names(names):
    """Nothing is no name."""
    with pytest.raises(ExpressionError):
        identifier(*names)


@pytest.mark.parametrize(
    ("statement", "count", "kind"),
    [
        ("SELECT * FROM t WHERE a = ? AND b = ?", 2, StatementKind.READ),
        ("  select * from t", 0, StatementKind.READ),
        ("EXISTS(SELECT * FROM t WHERE a = ? AND b = ?)", 2, StatementKind.READ),
        ("INSERT INTO t VALUE {'a': ?, '?': ?}", 2, StatementKind.INSERT),
        ("UPDATE t SET a = 'it''s?' WHERE b = ?", 1, StatementKind.WRITE),
        ('DELETE FROM "what?" WHERE b = ?', 1, StatementKind.WRITE),
        ("-- really?\nDELETE FROM t /* why? \n */ WHERE b = ?", 1, StatementKind.WRITE),
    ],
)
def test_parameters_are_counted(statement, count, kind):
    """A question mark in a text, a name or a comment is no parameter."""
    assert check_statement(statement, count) is kind
    with pytest.raises(ExpressionError, match=rf"has {count} parameters? \(\?\), and {count + 1} "):
        check_statement(statement, count + 1)


@pytest.mark.parametrize("statement", ["SELECT 'a FROM t", 'SELECT "a FROM t', "SELECT /* a FROM t"])
def test_quotations_end(statement):
    """A quotation that does not end is refused."""
    with pytest.raises(ExpressionError, match="does not end"):
        check_statement(statement, 0)


@pytest.mark.parametrize("statement", ["", "DROP TABLE t", "?"])
def test_what_is_no_statement(statement):
    """Anything but the four verbs is refused."""
    with pytest.raises(ExpressionError, match="begins with SELECT"):
        check_statement(statement, statement.count("?"))


@pytest.mark.parametrize("names", [(5,), ("a", None), (b"a",)])
def test_identifiers_are_text(names):
    """What is no text is no name."""
    with pytest.raises(ExpressionError, match="takes names"):
        identifier(*names)


@pytest.mark.parametrize(
    "limits", [{"max_items": -1}, {"max_items": "3"}, {"page_size": 0}, {"page_size": 1.5}, {"timeout": "5"}]
)
def test_limits_are_numbers(client, limits):
    """A limit that limits nothing is refused when the statement is built."""
    with pytest.raises(ExpressionError, match=next(iter(limits))):
        client.execute("SELECT * FROM t", **limits)


def test_statement_is_text(client):
    """A statement is text, and a class that is no entity has no rows."""
    with pytest.raises(ExpressionError, match="not bytes"):
        client.execute(b"SELECT * FROM t")


def test_parameter_of_a_table_without_a_class(client):
    """A path of a table of dicts stores a value by what it is, its key by the table's type."""
    legacy = client.table("legacy", partition_key="pk", sort_key="sk", sort_key_type=int)
    keys = parameter(legacy.partition_key, "a"), parameter(legacy.attribute("payload", "x"), {"b"})
    wire = client.execute("SELECT * FROM legacy WHERE pk = ? AND payload.x = ?", *keys).to_wire()
    assert wire["Parameters"] == [{"S": "a"}, {"SS": ["b"]}]


def test_too_long():
    """8,192 characters are a statement, one more is none."""
    check_statement("SELECT".ljust(8192), 0)
    with pytest.raises(LimitError, match="8,193 characters"):
        check_statement("SELECT".ljust(8193), 0)


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ('SELECT * FROM "my ""t""" WHERE a = 1', 'my "t"'),
        ("insert into users value {}", "users"),
        ("UPDATE a.b SET x = 1", "a.b"),
        ("DELETE FROM some-table", "some-table"),
        ("SELECT 1", ""),
    ],
)
def test_table_of_a_statement(statement, table):
    """The table is found for messages; where it is not, there is none."""
    assert table_of(statement) == table


def test_wire_form(client):
    """A statement is sent as it is, its values as parameters, stored by what they are."""
    statement = client.execute("SELECT * FROM users WHERE a = ? AND b = ?", "x", 5, consistent_read=True, page_size=3)
    assert statement.to_wire() == {
        "Statement": "SELECT * FROM users WHERE a = ? AND b = ?",
        "Parameters": [{"S": "x"}, {"N": "5"}],
        "ConsistentRead": True,
        "Limit": 3,
    }
    assert str(statement) == "PartiQL read of 'users'"
    assert repr(statement) == "<Statement: PartiQL read of 'users'>"
    assert "scan" in str(statement.explain())


def test_wire_form_of_a_write(client):
    """A write asks for the item that made it fail, an INSERT does not, and neither has a limit."""
    write = client.execute("DELETE FROM users WHERE a = 'b'", max_items=5).to_wire()
    assert write == {"Statement": "DELETE FROM users WHERE a = 'b'", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    assert client.execute("INSERT INTO users VALUE {'a': 'b'}").to_wire() == {
        "Statement": "INSERT INTO users VALUE {'a': 'b'}"
    }


def test_parameters_that_have_no_type(client):
    """A value that is not stored by what it is says which parameter, and what to write."""
    with pytest.raises(MarshallingError, match=r"parameter 2 of the statement.*parameter\(Order\.placed_at, value\)"):
        client.execute("SELECT * FROM users WHERE a = ? AND b = ?", 1, object())


def request_of(client, text, *parameters):
    """Return the request of a statement."""
    return ExecuteStatement(client._catalog.spanning_target, plan_of(client.execute(text, *parameters)))


def test_what_may_be_repeated(client):
    """Reads may, an INSERT fails on its own success, an UPDATE may add up."""
    assert request_of(client, "SELECT * FROM t").sending.to_request().safety is RepeatSafety.READ
    assert request_of(client, "INSERT INTO t VALUE {'a': 1}").sending.to_request().safety is RepeatSafety.GUARDED
    update = request_of(client, "UPDATE t SET a = a + 1 WHERE b = ?", 1).sending.to_request()
    assert (update.safety, update.table) == (RepeatSafety.UNSAFE, "t")


def test_insert_after_a_lost_answer(client):
    """An INSERT that finds an item after a lost answer may have found its own; without one it is a plain refusal."""
    operation = request_of(client, "INSERT INTO t VALUE {'a': 1}")
    operation.sending.to_request()
    with pytest.raises(OutcomeUnknownError, match="may be this one"):
        operation.sending.recover(DuplicateItemError("there", ambiguous=True), NOW)
    with pytest.raises(DuplicateItemError):
        operation.sending.recover(DuplicateItemError("there"), NOW)


def test_batch(client):
    """A batch has a result for each statement, in order: a row, nothing, or an error of the code's class."""
    text = "UPDATE t SET a = 1 WHERE b = ?"
    batch = client.execute_batch(*(client.execute(text, number) for number in range(9)), timeout=3.0)
    assert [each["Parameters"] for each in batch.to_wire()["Statements"]] == [[{"N": str(n)}] for n in range(9)]
    request = batch.sending.to_request()
    assert (request.table, request.safety, request.timeout) == ("t", RepeatSafety.UNSAFE, 3.0)
    codes = [
        "ConditionalCheckFailed",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "ValidationError",
        "DuplicateItem",
        "TransactionConflict",
        "ResourceNotFound",
        "Strange",
    ]
    answers = [{"Error": {"Code": code, "Message": "words", "Item": {"a": {"N": "1"}}}} for code in codes]
    results = batch.sending.from_wire(WireResponse({"Responses": [*answers, {"TableName": "t"}]}, "R1", 2), NOW)
    kinds = [
        ConditionalCheckFailedError,
        ThrottledError,
        ThrottledError,
        ValidationError,
        DuplicateItemError,
        TransactionConflictError,
        ResourceNotFoundError,
        ServiceError,
    ]
    assert [type(result.error) for result in results] == [*kinds, type(None)]
    failed = results[0].error
    assert failed.item == {"a": {"N": "1"}}
    assert (failed.code, failed.request_id, failed.attempts, failed.table) == ("ConditionalCheckFailed", "R1", 2, "t")
    with pytest.raises(ConditionalCheckFailedError):
        results[0].unwrap()
    assert results[-1].unwrap() is None
    assert str(batch).startswith("BatchExecuteStatement of 9: PartiQL write of 't'; ")


def test_batch_of_reads(client):
    """Rows are instances where a class was given, dicts otherwise; a guard is no row, and no repr shows one."""
    batch = client.execute_batch(
        client.execute("SELECT * FROM users WHERE user_id = ?", "a", into=User),
        client.execute("SELECT * FROM users WHERE user_id = ?", "b"),
        client.execute("SELECT * FROM users WHERE user_id = ?", "_unique#email#S#x", into=User),
        client.execute("SELECT * FROM users WHERE user_id = ?", "c"),
    )
    assert batch.sending.to_request().safety is RepeatSafety.READ
    answers = [
        {"Item": {"user_id": {"S": "secret"}}},
        {"Item": {"user_id": {"S": "b"}}},
        {"Item": {"user_id": {"S": "_unique#email#S#x"}}},
        {},
    ]
    results = batch.sending.from_wire(WireResponse({"Responses": answers}), NOW)
    assert [result.row for result in results] == [User(user_id="secret"), {"user_id": "b"}, None, None]
    assert "secret" not in repr(results)


def test_bad_batches(client):
    """Too many, mixed, and what is no statement: refused when built. An empty one sends nothing."""
    read, write = client.execute("SELECT * FROM t"), client.execute("DELETE FROM t WHERE a = ?", 1)
    with pytest.raises(LimitError, match="26 statements"):
        client.execute_batch(*[read] * 26)
    with pytest.raises(ExpressionError, match="not both"):
        client.execute_batch(read, write)
    with pytest.raises(ExpressionError, match="not str"):
        client.execute_batch("SELECT * FROM t")
    empty = client.execute_batch()
    assert empty.sending.settled
    assert empty.sending.result() == ()
    assert empty.to_wire() == {}


def test_transaction(client):
    """A transaction has a token, EXISTS beside its writes, and a result for each statement."""
    transaction = client.execute_transaction(
        client.execute("EXISTS(SELECT * FROM t WHERE a = ? AND b = ?)", 1, 2),
        client.execute("UPDATE t SET c = ? WHERE a = ?", 1, 2),
        token="mine",
    )
    wire = transaction.to_wire()
    assert wire["ClientRequestToken"] == "mine"
    assert wire["TransactStatements"][1]["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
    assert transaction.sending.to_request().safety is RepeatSafety.TOKEN
    assert transaction.sending.from_wire(WireResponse({}), NOW) == (None, None)
    assert str(transaction) == "ExecuteTransaction of 2: PartiQL read of 't'; PartiQL write of 't'"


def test_transaction_of_reads(client):
    """A transaction of reads gives the rows."""
    statements = [client.execute("SELECT * FROM users WHERE user_id = ?", key, into=User) for key in "ab"]
    transaction = client.execute_transaction(*statements)
    transaction.sending.to_request()
    answer = {"Responses": [{"Item": {"user_id": {"S": "a"}}}, {}]}
    assert transaction.sending.from_wire(WireResponse(answer), NOW) == (User(user_id="a"), None)


def test_transaction_failures(client):
    """A cancellation is tied to the statements; a lost answer says to await again; too late it is refused."""
    statements = [
        client.execute("DELETE FROM t WHERE a = ? AND b = 'secret'", 1),
        client.execute("INSERT INTO users VALUE {'user_id': ?}", "secret"),
        client.execute("UPDATE u SET b = 1 WHERE a = ?", 3),
    ]
    transaction = client.execute_transaction(*statements)
    transaction.sending.to_request()
    stored = {"user_id": {"S": "secret"}}
    reasons = [
        CancellationReason(None, "ConditionalCheckFailed", "words", stored),
        CancellationReason(None, "DuplicateItem"),
        CancellationReason(None, None),
    ]
    with pytest.raises(TransactionCanceledError) as raised:
        transaction.sending.recover(TransactionCanceledError("no", reasons=reasons, attempts=2, request_id="R1"), NOW)
    failed, duplicate, fine = raised.value.reasons
    assert [each.operation for each in raised.value.reasons] == statements
    assert [type(each.error) for each in raised.value.reasons] == [
        ConditionalCheckFailedError,
        DuplicateItemError,
        type(None),
    ]
    assert (failed.error.table, failed.error.attempts, failed.error.request_id) == ("t", 2, "R1")
    assert failed.stored(User) == User(user_id="secret")
    assert (duplicate.stored(User), fine.stored(User)) == (None, None)
    assert "operation 2 of 3, PartiQL insert of 'users': DuplicateItem" in str(raised.value)
    assert "secret" not in f"{raised.value} {raised.value!r} {raised.value.reasons!r}"
    assert repr(plan_of(statements[0])) == "<PartiQL write of 't'>"
    copied = pickle.loads(pickle.dumps(raised.value))
    assert [str(each.operation) for each in copied.reasons] == list(map(str, statements))
    assert type(copied.reasons[0].error) is ConditionalCheckFailedError
    with pytest.raises(OutcomeUnknownError):
        transaction.sending.recover(TransportError("gone", outcome=Outcome.UNKNOWN), NOW)
    transaction.sending.begin(NOW)
    with pytest.raises(LimitError):
        transaction.sending.begin(NOW + 1_000)


def test_lost_answer_to_a_transaction_that_reads(client):
    """A transaction that only reads has no outcome to be unknown: a lost answer is the transport's error."""
    transaction = client.execute_transaction(client.execute("SELECT * FROM t WHERE a = ?", 1))
    transaction.sending.to_request()
    lost = TransportError("gone", outcome=Outcome.UNKNOWN)
    with pytest.raises(TransportError) as raised:
        transaction.sending.recover(lost, NOW)
    assert raised.value is lost


def test_bad_transactions(client):
    """Too many and mixed: refused when built. An empty one sends nothing."""
    read, write = client.execute("SELECT * FROM t"), client.execute("DELETE FROM t WHERE a = ?", 1)
    with pytest.raises(LimitError, match="101 statements"):
        client.execute_transaction(*[read] * 101)
    with pytest.raises(ExpressionError, match="EXISTS"):
        client.execute_transaction(read, write)
    empty = client.execute_transaction()
    assert empty.sending.settled
    assert empty.sending.result() == ()
    assert empty.to_wire() == {}


def test_reported_capacity_is_asked_for():
    """With an instrument listening, every request asks what it consumed."""
    client = Client(instrument=[Heat()])
    statement = client.execute("SELECT * FROM t")
    for operation in (statement, client.execute_batch(statement), client.execute_transaction(statement)):
        assert operation.to_wire()["ReturnConsumedCapacity"] == "TOTAL"
