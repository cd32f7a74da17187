from datetime import UTC, datetime

import cattrs
import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    ExpressionError,
    ItemExistsError,
    LimitError,
    MarshallingError,
    OutcomeUnknownError,
    PartitionKey,
    attribute,
    entity,
)
from mizzle_async.types import RepeatSafety, WireResponse

NOW = 1_700_000_000.5
SECONDS = 1_700_000_000
FIVE_YEARS = 5 * 365 * 86_400


@entity("customers")
class Customer:
    customer_id: PartitionKey[str]
    name: Attribute[str]
    tags: Attribute[set[str]] = attribute(factory=set)


@entity("sessions")
class Session:
    token: PartitionKey[str]
    expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True)
    made: Attribute[datetime | None] = attribute(default=None, created_at=True)
    used: Attribute[datetime | None] = attribute(default=None, updated_at=True)


@pytest.fixture
def client():
    """A client that was never opened, on a clock that stands still."""
    return Client(clock=lambda: NOW)


@pytest.fixture
def customers(client):
    """A handle of a plain entity."""
    return client.table(Customer)


ANN = Customer(customer_id="c1", name="Ann", tags={"b", "a"})
ANN_STORED = {"customer_id": {"S": "c1"}, "name": {"S": "Ann"}, "tags": {"SS": ["a", "b"]}}


def failed(item=None, *, ambiguous=False):
    """Return the service's word for a false condition."""
    return ConditionalCheckFailedError(
        "The conditional request failed",
        code="ConditionalCheckFailedException",
        status=400,
        item=item,
        ambiguous=ambiguous,
        operation="PutItem",
        table="customers",
        attempts=1,
        request_id="R1",
    )


def judged(operation, error, now=NOW):
    """Return what a failure means for an operation."""
    operation.sending.to_request()
    with pytest.raises(Exception) as raised:  # noqa: PT011  (the caller looks at it)
        operation.sending.recover(error, now)
    return raised.value


def test_put_is_the_item(customers):
    """A put sends the whole item and asks for nothing else."""
    assert customers.put(ANN).to_wire() == {"TableName": "customers", "Item": ANN_STORED}


def test_insert_wants_no_item(customers):
    """An insert is a put on condition that the key is free, and asks for what is in the way."""
    assert customers.insert(ANN).to_wire() == {
        "TableName": "customers",
        "Item": ANN_STORED,
        "ConditionExpression": "attribute_not_exists(#customer_id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "ExpressionAttributeNames": {"#customer_id": "customer_id"},
    }


def test_conditions_are_joined(customers):
    """Every `when` must hold, beside the verb's own condition."""
    wire = customers.insert(ANN).when(Customer.name.not_exists()).when(Customer.tags.not_exists()).to_wire()
    assert wire["ConditionExpression"] == (
        "attribute_not_exists(#customer_id) AND attribute_not_exists(#name) AND attribute_not_exists(#tags)"
    )


def test_alternatives_are_kept_together(customers):
    """A condition of alternatives stays one condition among the others."""
    wire = (
        customers.put(ANN)
        .when((Customer.name == "Ann") | (Customer.name == "Bob"))
        .when(Customer.tags.exists())
        .to_wire()
    )
    assert wire["ConditionExpression"] == "(#name = :name OR #name = :name_2) AND attribute_exists(#tags)"


def test_instance_is_taken_as_it_is_when_built(customers):
    """What the caller changes afterwards is not sent."""
    ann = Customer(customer_id="c1", name="Ann", tags={"a"})
    operation = customers.put(ann)
    ann.tags.add("b")
    ann.name = "Bob"
    assert operation.to_wire()["Item"] == {**ANN_STORED, "tags": {"SS": ["a"]}}


def test_result_is_what_is_stored(customers):
    """The result is an instance of its own, equal to what a read would bring."""
    operation = customers.put(ANN)
    operation.sending.to_request()
    stored = operation.sending.from_wire(WireResponse({}), NOW)
    assert stored == ANN
    assert stored is not ANN


def test_repeating_is_safe(customers):
    """A put may be repeated; with a condition its repetition may fail on its own success."""
    assert customers.put(ANN).sending.to_request().safety is RepeatSafety.IDEMPOTENT
    assert customers.insert(ANN).sending.to_request().safety is RepeatSafety.GUARDED
    assert customers.put(ANN).when(Customer.name == "Bob").sending.to_request().safety is RepeatSafety.GUARDED


def test_existing_item_that_is_not_shown_is_the_same_error(customers):
    """Where the answer lacks the item, an insert that asked for absence alone still knows what was there."""
    error = judged(customers.insert(ANN), failed(None))
    assert type(error) is ItemExistsError
    assert error.item is None
    assert type(judged(customers.insert(ANN).when(Customer.name == "Bob"), failed(None))) is ConditionalCheckFailedError
    assert type(judged(customers.insert(ANN), failed(None, ambiguous=True))) is OutcomeUnknownError


def test_existing_item_is_an_error_of_its_own(customers):
    """An insert onto an item names what happened, and holds the item; neither shows its values."""
    error = judged(customers.insert(ANN), failed(ANN_STORED))
    assert type(error) is ItemExistsError
    assert error.item == ANN_STORED
    assert error.stored(Customer) == ANN
    assert "Ann" not in str(error)
    assert str(error) == (
        "Customer: an item exists under this key already; nothing was written "
        "[PutItem, table 'customers', 1 attempt, request R1]"
    )


def test_false_condition_is_told_without_values(customers):
    """A failed condition is written as its names, so that logs may have it."""
    error = judged(customers.put(ANN).when(Customer.name == "Bob"), failed(ANN_STORED))
    assert type(error) is ConditionalCheckFailedError
    assert "Customer.name = …" in str(error)
    assert "Bob" not in str(error)
    assert error.stored(Customer) == ANN


def test_failure_after_a_lost_answer_is_unknown(customers):
    """After a lost answer, an existing item may be our own: that is never told as a failure."""
    error = judged(customers.insert(ANN), failed(ANN_STORED, ambiguous=True))
    assert type(error) is OutcomeUnknownError
    assert error.stored(Customer) == ANN


def test_other_errors_pass(customers):
    """What is no failed condition is raised as it came."""
    error = ValueError("something else")
    assert judged(customers.put(ANN), error) is error


def test_condition_of_another_entity_is_refused(customers):
    """A condition about another class is refused where it is said, naming both."""
    with pytest.raises(ExpressionError, match="about Session, but this table holds Customer"):
        customers.put(ANN).when(Session.used.exists())


def test_condition_must_be_one(customers):
    """A comparison of values is no condition."""
    with pytest.raises(ExpressionError, match="not from bool"):
        customers.put(ANN).when(ANN.name == "Ann")


def test_condition_with_a_wrong_value_is_refused(customers):
    """A value that does not fit its attribute is refused where it is said."""
    with pytest.raises(MarshallingError, match=r"Customer\.name"):
        customers.put(ANN).when(Customer.name == 5)


def test_too_large_item_is_refused(customers):
    """An item above the service's limit is never sent; the message names the largest attribute."""
    operation = customers.put(Customer(customer_id="c1", name="x" * 410_000))
    with pytest.raises(LimitError, match=r"409,600.*'name'"):
        operation.sending.to_request()


def test_largest_item_is_sent(customers):
    """An item of exactly the limit passes."""
    rest = len("customer_id") + len("c1") + len("name")
    operation = customers.put(Customer(customer_id="c1", name="x" * (409_600 - rest)))
    assert operation.sending.to_request().body


def test_cost_counts_the_item(customers):
    """A write unit for each KB begun."""
    explanation = customers.put(Customer(customer_id="c1", name="x" * 2_500)).explain()
    assert explanation.capacity.write_units == 3
    assert explanation.capacity.at_least


# ── time to live and timestamps ──


def test_insert_replaces_an_expired_item(client):
    """An expired item does not exist: an insert may take its place, at the time when it was built."""
    wire = client.table(Session).insert(Session(token="t")).to_wire()
    assert wire["ConditionExpression"] == "#expires BETWEEN :expires AND :expires_2 OR attribute_not_exists(#token)"
    assert wire["ExpressionAttributeValues"] == {
        ":expires": {"N": str(SECONDS - FIVE_YEARS)},
        ":expires_2": {"N": str(SECONDS)},
    }


def test_condition_on_an_expired_item_sees_nothing(client):
    """A condition that is false of no item is false of an expired one; one that is true of none is true of it."""
    sessions = client.table(Session)
    expired = "#expires BETWEEN :expires AND :expires_2"
    used = sessions.put(Session(token="t")).when(Session.used.exists()).to_wire()
    assert used["ConditionExpression"] == f"NOT {expired} AND attribute_exists(#used)"
    unused = sessions.put(Session(token="t")).when(Session.used.not_exists()).to_wire()
    assert unused["ConditionExpression"] == f"{expired} OR attribute_not_exists(#used)"


def test_expired_item_in_the_way_is_not_shown(client):
    """A condition that failed on an expired item failed on nothing."""
    expired = {"token": {"S": "t"}, "expires": {"N": str(SECONDS - 1)}}
    error = judged(client.table(Session).put(Session(token="t")).when(Session.used.exists()), failed(expired))
    assert error.item is None
    assert error.stored(Session) is None


def test_insert_stamps_both_times(client):
    """A new item is created and updated at the time when the insert was built, whatever the instance says."""
    old = datetime(2000, 1, 1, tzinfo=UTC)
    operation = client.table(Session).insert(Session(token="t", made=old, used=old))
    operation.sending.to_request()
    stored = operation.sending.from_wire(WireResponse({}), NOW + 100)
    assert stored.made == stored.used == datetime.fromtimestamp(NOW, UTC)


def test_put_keeps_the_creation_time(client):
    """A put says when it was written; the creation time is the instance's, if it has one."""
    old = datetime(2000, 1, 1, tzinfo=UTC)
    now = datetime.fromtimestamp(NOW, UTC)
    sessions = client.table(Session)
    for given, made in ((old, old), (None, now)):
        operation = sessions.put(Session(token="t", made=given))
        operation.sending.to_request()
        stored = operation.sending.from_wire(WireResponse({}), NOW)
        assert (stored.made, stored.used) == (made, now)


def test_instance_of_a_subclass_is_refused(customers):
    """What would be read back as something else is not written; the message says through which table it is."""

    @entity("customers")
    class Special(Customer):
        discount: Attribute[int] = attribute(default=0)

    with pytest.raises(MarshallingError, match=r"expected Customer, found Special; .*client\.table\(Special\)"):
        customers.insert(Special(customer_id="c1", name="n"))


def test_times_follow_the_user_s_hooks():
    """Where the user's converter says how datetimes are stored, every write stamps its items so."""

    @entity("notes")
    class Note:
        note_id: PartitionKey[str]
        text: Attribute[str] = attribute(default="")
        made: Attribute[datetime | None] = attribute(default=None, created_at=True)
        changed: Attribute[datetime | None] = attribute(default=None, updated_at=True)

    converter = cattrs.Converter()
    converter.register_unstructure_hook(datetime, lambda moment: int(moment.timestamp()))
    converter.register_structure_hook(datetime, lambda seconds, _: datetime.fromtimestamp(seconds, UTC))
    notes = Client(converter=converter, clock=lambda: 1_700_000_000.0).table(Note)
    note, stamp = Note(note_id="a"), {"N": "1700000000"}
    for operation in (notes.insert(note), notes.put(note)):
        assert (operation.to_wire()["Item"]["made"], operation.to_wire()["Item"]["changed"]) == (stamp, stamp)
    upsert = notes.upsert("a").set(Note.text, "x").to_wire()
    assert (upsert["ExpressionAttributeValues"][":made"], upsert["UpdateExpression"]) == (
        stamp,
        "SET #text = :text, #made = if_not_exists(#made, :made), #changed = :made",
    )
    replacement = notes.replace(note)
    assert stamp in replacement.to_wire()["ExpressionAttributeValues"].values()
    assert replacement.sending.transacted().changed == datetime.fromtimestamp(1_700_000_000, UTC)
