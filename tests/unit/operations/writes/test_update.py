from datetime import UTC, datetime
from decimal import Decimal

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    ExpressionError,
    ItemNotFoundError,
    MarshallingError,
    OutcomeUnknownError,
    PartitionKey,
    SortKey,
    attribute,
    document,
    entity,
    evolve,
)
from mizzle_async.types import RepeatSafety, WireResponse

NOW = 1_700_000_000.5
SECONDS = 1_700_000_000


@document
class Address:
    city: Attribute[str]


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    total: Attribute[Decimal]
    status: Attribute[str] = attribute(default="open", name="st")
    note: Attribute[str | None] = attribute(default=None)
    tags: Attribute[set[str]] = attribute(factory=set)
    lines: Attribute[list[str]] = attribute(factory=list)
    address: Attribute[Address | None] = attribute(default=None)


@entity("sessions")
class Session:
    token: PartitionKey[str]
    user: Attribute[str]
    expires: Attribute[datetime] = attribute(time_to_live=True)
    made: Attribute[datetime | None] = attribute(default=None, created_at=True)
    used: Attribute[datetime | None] = attribute(default=None, updated_at=True)


@entity("other")
class Other:
    other_id: PartitionKey[str]
    name: Attribute[str]


@entity("orders")
class RenamedOrder(Order):
    status: Attribute[str] = attribute(default="open", name="state")


ORDER = Order(customer_id="c1", order_id="7", total=Decimal(5))
KEY = {"customer_id": {"S": "c1"}, "order_id": {"S": "7"}}
STORED = {**KEY, "total": {"N": "5"}, "st": {"S": "open"}, "lines": {"L": []}}


@pytest.fixture
def client():
    """A client that was never opened, on a clock that stands still."""
    return Client(clock=lambda: NOW)


@pytest.fixture
def orders(client):
    """A handle of a plain entity."""
    return client.table(Order)


def failed(item=None, *, ambiguous=False):
    """Return the service's word for a false condition."""
    return ConditionalCheckFailedError("The conditional request failed", item=item, ambiguous=ambiguous, attempts=1)


def judged(operation, error):
    """Return what a failure means for an operation."""
    operation.sending.to_request()
    with pytest.raises(Exception) as raised:  # noqa: PT011  (the caller looks at it)
        operation.sending.recover(error, NOW)
    return raised.value


def test_wire_form(orders):
    """An update names all by placeholders, wants the item to be there, and asks for what is stored afterwards."""
    operation = (
        orders.update(customer_id="c1", order_id="7")
        .set(Order.status, "paid")
        .add(Order.tags, {"vip"})
        .when(Order.status == "open")
    )
    assert operation.to_wire() == {
        "TableName": "orders",
        "Key": KEY,
        "UpdateExpression": "SET #st = :st ADD #tags :tags",
        "ConditionExpression": "attribute_exists(#customer_id) AND #st = :st_2",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "ExpressionAttributeNames": {"#st": "st", "#tags": "tags", "#customer_id": "customer_id"},
        "ExpressionAttributeValues": {":st": {"S": "paid"}, ":tags": {"SS": ["vip"]}, ":st_2": {"S": "open"}},
        "ReturnValues": "ALL_NEW",
    }


@pytest.mark.parametrize(
    ("build", "expression"),
    [
        (lambda update: update.set(Order.total, Order.total + 5), "SET #total = #total + :total"),
        (lambda update: update.set(Order.note, None), "REMOVE #note"),
        (lambda update: update.set(Order.tags, set()), "REMOVE #tags"),
        (lambda update: update.set_default(Order.note, "n"), "SET #note = if_not_exists(#note, :note)"),
        (lambda update: update.add(Order.total, 5), "ADD #total :total"),
        (lambda update: update.remove(Order.note), "REMOVE #note"),
        (lambda update: update.remove(Order.note, Order.tags), "REMOVE #note, #tags"),
        (lambda update: update.discard(Order.tags, {"a"}), "DELETE #tags :tags"),
        (
            lambda update: update.append(Order.lines, ["a"]),
            "SET #lines = list_append(if_not_exists(#lines, :empty), :lines)",
        ),
        (
            lambda update: update.prepend(Order.lines, ["a"]),
            "SET #lines = list_append(:lines, if_not_exists(#lines, :empty))",
        ),
        (lambda update: update.set(Order.address[Address.city], "Bonn"), "SET #address.#city = :city"),
        (lambda update: update.set(Order.lines[0], "a"), "SET #lines[0] = :lines"),
        (lambda update: update.set({"status": "paid", "note": None}), "SET #st = :st REMOVE #note"),
    ],
)
def test_clauses(orders, build, expression):
    """Each clause becomes what DynamoDB calls it; what is stored as absence is removed."""
    assert build(orders.update(ORDER)).to_wire()["UpdateExpression"] == expression


def test_containers_are_taken_as_they_are_when_said(orders):
    """What the caller changes after a clause was said is not sent."""
    tags, lines = {"a"}, ["a"]
    operation = orders.update(ORDER).add(Order.tags, tags).append(Order.lines, lines).set(Order.status, "x")
    tags.add("b")
    lines.append("b")
    values = operation.to_wire()["ExpressionAttributeValues"]
    assert values[":tags"] == {"SS": ["a"]}
    assert values[":lines"] == {"L": [{"S": "a"}]}


def test_update_without_a_clause_is_refused(orders):
    """An update that says nothing is a mistake."""
    with pytest.raises(ExpressionError, match=r"\.update\(\) needs a clause"):
        orders.update(ORDER).sending.to_request()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda update: update.set(Order.customer_id, "x"), "is a key"),
        (lambda update: update.set(Other.name, "x"), "about Other"),
        (lambda update: update.set({"unknown": 1}), "no attribute 'unknown'"),
        (lambda update: update.set({"order_id": "8"}), "is a key"),
        (lambda update: update.add(Order.status, "x"), "which does not take"),
        (lambda update: update.discard(Order.total, 1), "total"),
        (lambda update: update.append(Order.status, ["x"]), "list"),
        (lambda update: update.set(Order.status, Order.status == "x"), "cannot be set"),
        (lambda update: update.remove("status"), "attribute's path"),
    ],
)
def test_wrong_clause_is_refused_where_it_is_said(orders, build, message):
    """A clause that DynamoDB would refuse, or that is about something else, is refused before it is sent."""
    with pytest.raises((ExpressionError, MarshallingError), match=message):
        build(orders.update(ORDER))


def test_an_assignment_has_a_value(orders):
    """A path without a value is no removal, and a mapping has its values already."""
    update = orders.update(customer_id="c1", order_id="7")
    with pytest.raises(ExpressionError, match="a path and a value, or a mapping"):
        update.set(Order.note)
    with pytest.raises(ExpressionError, match="a path and a value, or a mapping"):
        update.set({"note": "n"}, None)


def test_overlapping_clauses_are_refused(orders):
    """Two clauses of one path contradict each other."""
    operation = orders.update(ORDER).set(Order.status, "a").set(Order.status, "b")
    with pytest.raises(ExpressionError, match="status"):
        operation.to_wire()


def test_wrong_value_is_refused_where_it_is_said(orders):
    """A value must fit its attribute."""
    with pytest.raises(MarshallingError, match=r"Order\.total"):
        orders.update(ORDER).set(Order.total, "x")


def test_result_is_what_is_stored_afterwards(orders):
    """The result is the item that the service returns."""
    operation = orders.update(ORDER).set(Order.status, "paid")
    operation.sending.to_request()
    assert operation.sending.from_wire(WireResponse({"Attributes": {**STORED, "st": {"S": "paid"}}}), NOW) == evolve(
        ORDER, status="paid"
    )


@pytest.mark.parametrize(
    ("build", "safety"),
    [
        (lambda orders: orders.update(ORDER).set(Order.status, "x"), RepeatSafety.GUARDED),
        (lambda orders: orders.update(ORDER).add(Order.tags, {"x"}), RepeatSafety.GUARDED),
        (lambda orders: orders.update(ORDER).add(Order.total, 1), RepeatSafety.UNSAFE),
        (lambda orders: orders.update(ORDER).set(Order.total, Order.total + 1), RepeatSafety.UNSAFE),
        (lambda orders: orders.update(ORDER).append(Order.lines, ["x"]), RepeatSafety.UNSAFE),
        (lambda orders: orders.upsert(ORDER).set(Order.total, Decimal(1)), RepeatSafety.IDEMPOTENT),
        (
            lambda orders: orders.upsert(ORDER).set(Order.total, Decimal(1)).when(Order.total > 0),
            RepeatSafety.GUARDED,
        ),
    ],
)
def test_repeating(orders, build, safety):
    """Assignments may be repeated after a lost answer; what adds up may not."""
    assert build(orders).sending.to_request().safety is safety


def test_missing_item_is_an_error_of_its_own(orders):
    """An update of nothing says so."""
    error = judged(orders.update(ORDER).set(Order.status, "x"), failed())
    assert type(error) is ItemNotFoundError
    assert "no item lies under this key; nothing was written" in str(error)


def test_false_condition_holds_the_stored_item(orders):
    """A false condition on an item that is there carries the item."""
    error = judged(orders.update(ORDER).set(Order.status, "x").when(Order.status == "y"), failed(STORED))
    assert type(error) is ConditionalCheckFailedError
    assert error.stored(Order) == ORDER


def test_failure_after_a_lost_answer_is_unknown(orders):
    """After a lost answer a false condition may be the update's own work."""
    operation = orders.update(ORDER).set(Order.status, "x").when(Order.status == "open")
    assert type(judged(operation, failed(STORED, ambiguous=True))) is OutcomeUnknownError


# ── upsert, replace, patch ──


def test_upsert_may_create(orders):
    """An upsert asks for nothing to be there."""
    wire = orders.upsert(customer_id="c1", order_id="7").set(Order.total, Decimal(5)).to_wire()
    assert "ConditionExpression" not in wire
    assert wire["UpdateExpression"] == "SET #total = :total"


@pytest.mark.parametrize(
    "build",
    [
        lambda upsert: upsert.set(Order.status, "x"),
        lambda upsert: upsert.set(Order.address[Address.city], "Bonn"),
    ],
)
def test_upsert_must_give_what_is_required(orders, build):
    """A created item must be one that can be read: the message names what is missing."""
    operation = build(orders.upsert(customer_id="c1", order_id="7"))
    with pytest.raises(ExpressionError, match="missing: total"):
        operation.sending.to_request()


def test_replace_writes_every_declared_attribute(orders):
    """A replace assigns what the instance has and removes what it lacks, and names nothing that the class does not."""
    wire = orders.replace(evolve(ORDER, note="n")).to_wire()
    assert wire["UpdateExpression"] == (
        "SET #total = :total, #st = :st, #note = :note, #lines = :lines REMOVE #tags, #address"
    )
    assert wire["ConditionExpression"] == "attribute_exists(#customer_id)"


def test_replace_of_a_key_alone_is_sent(client):
    """An item of nothing but its key must be there all the same, and its maintained attributes go on."""

    @entity("seen")
    class Seen:
        name: PartitionKey[str]

    @entity("counted")
    class Counted:
        name: PartitionKey[str]
        changed: Attribute[datetime | None] = attribute(default=None, updated_at=True)
        version: Attribute[int] = attribute(default=0, version=True)

    wire = client.table(Seen).replace(Seen(name="n")).to_wire()
    assert "UpdateExpression" not in wire
    assert wire["ConditionExpression"] == "attribute_exists(#name)"
    wire = client.table(Counted).replace(Counted(name="n", version=2)).to_wire()
    assert wire["UpdateExpression"].startswith("SET #changed = :changed, #version = :version")
    assert "#version = :version_2" in wire["ConditionExpression"]


def test_patch_sends_what_differs(orders):
    """A patch assigns, adds and removes only what changed."""
    old = evolve(ORDER, tags={"a"}, note="n")
    new = evolve(ORDER, tags={"a", "b"}, status="paid")
    wire = orders.patch(old, to=new).to_wire()
    assert wire["UpdateExpression"] == "SET #st = :st REMOVE #note ADD #tags :tags"
    assert wire["ExpressionAttributeValues"][":tags"] == {"SS": ["b"]}


def test_patch_without_a_difference_sends_nothing(orders):
    """Two equal states need no request: the result is known."""
    operation = orders.patch(ORDER, to=evolve(ORDER))
    assert operation.to_wire() == {}
    assert operation.sending.settled
    assert operation.sending.result() == ORDER
    assert str(operation) == "UpdateItem 'orders': nothing to send"
    assert str(operation.explain()) == (
        "UpdateItem on 'orders'\n  estimated capacity: none (there is nothing to change, so nothing is sent)"
    )


def test_patch_of_nothing_with_a_condition_is_sent(orders):
    """A condition is asked of the service even where nothing is to be changed."""
    operation = orders.patch(ORDER, to=evolve(ORDER)).when(Order.status == "open")
    assert not operation.sending.settled
    assert "UpdateExpression" not in operation.to_wire()


def test_patch_of_one_object_is_refused(orders):
    """An instance that was changed in place no longer knows what it was."""
    with pytest.raises(ExpressionError, match="one object twice"):
        orders.patch(ORDER, to=ORDER)


def test_patch_cannot_change_the_key(orders):
    """Another key is another item."""
    with pytest.raises(ExpressionError, match="key"):
        orders.patch(ORDER, to=evolve(ORDER, order_id="8"))


# ── time to live and timestamps ──


def test_update_stamps_its_time(client):
    """Every update says when it was built, and leaves the creation time alone."""
    wire = client.table(Session).update("t").set(Session.user, "u").to_wire()
    assert wire["UpdateExpression"] == "SET #user = :user, #used = :used"
    assert wire["ConditionExpression"] == "NOT #expires BETWEEN :expires AND :expires_2 AND attribute_exists(#token)"


def test_upsert_stamps_both_times(client):
    """An upsert sets the creation time where there is none."""
    expires = datetime(2030, 1, 1, tzinfo=UTC)
    wire = client.table(Session).upsert("t").set(Session.user, "u").set(Session.expires, expires).to_wire()
    assert wire["UpdateExpression"] == (
        "SET #user = :user, #expires = :expires, #made = if_not_exists(#made, :made), #used = :made"
    )
    assert wire["ConditionExpression"] == "NOT #expires BETWEEN :expires_2 AND :expires_3"


def test_timestamp_that_is_set_by_hand_is_left(client):
    """A clause of the caller's own wins."""
    then = datetime(2020, 1, 1, tzinfo=UTC)
    wire = client.table(Session).update("t").set(Session.used, then).to_wire()
    assert wire["UpdateExpression"] == "SET #used = :used"


def test_replace_keeps_the_creation_time(client):
    """A replace leaves the stored creation time alone and stamps its own."""
    session = Session(token="t", user="u", expires=datetime(2030, 1, 1, tzinfo=UTC))
    assert client.table(Session).replace(session).to_wire()["UpdateExpression"] == (
        "SET #user = :user, #expires = :expires, #used = :used"
    )


def test_expired_item_is_purged_before_an_upsert(client):
    """An upsert that met an expired item has it deleted, if it is still the expired one, and is repeated."""
    upsert = (
        client.table(Session).upsert("t").set(Session.user, "u").set(Session.expires, datetime(2030, 1, 1, tzinfo=UTC))
    )
    upsert.sending.to_request()
    expired = {"token": {"S": "t"}, "user": {"S": "old"}, "expires": {"N": str(SECONDS - 10)}}
    purge = upsert.sending.follow_up(failed(expired), NOW)
    wire = purge.to_wire()
    assert purge.api == "DeleteItem"
    assert wire["Key"] == {"token": {"S": "t"}}
    assert wire["ConditionExpression"] == "#expires BETWEEN :expires AND :expires_2"
    assert purge.sending.recover(failed(expired), NOW) is None
    with pytest.raises(ValueError, match="else"):
        purge.sending.recover(ValueError("something else"), NOW)


def test_nothing_else_is_purged(client):
    """A living item, no item and another error are no reason to delete anything."""
    upsert = (
        client.table(Session).upsert("t").set(Session.user, "u").set(Session.expires, datetime(2030, 1, 1, tzinfo=UTC))
    )
    upsert.sending.to_request()
    living = {"token": {"S": "t"}, "expires": {"N": str(SECONDS + 10)}}
    for error in (failed(living), failed(), ValueError("else")):
        assert upsert.sending.follow_up(error, NOW) is None


def test_cost_is_estimated_from_below(orders):
    """An update costs what the whole item costs, which only the service knows."""
    capacity = orders.update(ORDER).set(Order.note, "x" * 3_000).explain().capacity
    assert capacity.write_units == 3
    assert str(capacity).startswith("at least 3 write units")


def test_a_base_s_name_for_what_is_stored_under_another_is_refused():
    """An update of what the base stores under another name is refused: nothing would ever read it."""
    update = Client().table(RenamedOrder).update(customer_id="c1", order_id="7")
    assert update.set(Order.note, "x").to_wire()["UpdateExpression"] == "SET #note = :note"
    with pytest.raises(ExpressionError, match=r"use RenamedOrder\.status"):
        update.set(Order.status, "paid")


def test_a_list_that_is_changed_later_changes_no_expression(orders):
    """A condition and an operand say what they said when they were made, whatever becomes of the list given."""
    lines = ["a"]
    update = orders.update(ORDER).set(Order.lines, Order.lines.list_append(lines)).when(Order.lines == lines)
    lines.append("b")
    assert list(update.to_wire()["ExpressionAttributeValues"].values()) == [{"L": [{"S": "a"}]}]
