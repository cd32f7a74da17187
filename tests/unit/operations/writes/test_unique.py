import hashlib
import pickle
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    ExpressionError,
    GlobalSecondaryIndex,
    ItemExistsError,
    ItemNotFoundError,
    ModelError,
    OutcomeUnknownError,
    PartitionKey,
    SortKey,
    TransactionCanceledError,
    TransportError,
    UnindexedFilterWarning,
    UniqueConstraintError,
    VersionConflictError,
    attribute,
    entity,
    evolve,
)
from mizzle_async.errors import CancellationReason
from mizzle_async.types import Outcome, RepeatSafety, WireResponse

NOW = 1_700_000_000.0


@entity("users")
class User:
    user_id: PartitionKey[str]
    name: Attribute[str] = attribute(default="nobody")
    email: Attribute[str | None] = attribute(default=None, unique=True, name="mail")
    number: Attribute[Decimal | None] = attribute(default=None, unique=True)
    version: Attribute[int] = attribute(default=0, version=True)


@entity("badges")
class Badge:
    site: PartitionKey[str]
    serial: SortKey[int]
    chip: Attribute[bytes | None] = attribute(default=None, unique=True)
    expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


@pytest.fixture
def client():
    """A client that was never opened."""
    return Client(clock=lambda: NOW)


@pytest.fixture
def users(client):
    """A handle of an entity with two unique attributes and a version."""
    return client.table(User)


@pytest.fixture
def badges(client):
    """A handle of an entity with a numeric sort key, a unique binary and a time to live."""
    return client.table(Badge)


ANN = User(user_id="u1", name="Ann", email="ann@example.com", version=3)


def actions(operation):
    """Return the actions of an operation as kind and request."""
    return [next(iter(action.items())) for action in operation.to_wire()["TransactItems"]]


def canceled(*codes):
    """Return the service's word for a cancelled transaction."""
    reasons = [CancellationReason(None, code, "", item) for code, item in codes]
    return TransactionCanceledError("cancelled", reasons=reasons, attempts=1, request_id="R1")


FINE = (None, None)
FAILED = ("ConditionalCheckFailed", None)


def judged(operation, error):
    """Return what a failure means for an operation."""
    operation.sending.to_request()
    with pytest.raises(Exception) as raised:  # noqa: PT011  (the caller looks at it)
        operation.sending.recover(error, NOW)
    return raised.value


def test_insert_writes_guards_along(users):
    """An insert is a transaction of the item and one guard item per unique value, whose key says what is taken."""
    (kind, item), (_, mail), (_, number) = actions(users.insert(evolve(ANN, number=Decimal("1.50"))))
    assert kind == "Put"
    assert item["Item"]["user_id"] == {"S": "u1"}
    assert mail == {
        "TableName": "users",
        "Item": {"user_id": {"S": "_unique#mail#S#ann@example.com"}, "_unique_owner": {"M": {"user_id": {"S": "u1"}}}},
        "ConditionExpression": "attribute_not_exists(#key)",
        "ExpressionAttributeNames": {"#key": "user_id"},
    }
    assert number["Item"]["user_id"] == {"S": "_unique#number#N#1.5"}


def test_absent_values_have_no_guard(users):
    """What is absent need not be unique: without a value it is the plain insert."""
    assert users.insert(User(user_id="u1")).sending.to_request().operation == "PutItem"


def test_guard_in_a_table_with_a_sort_key(badges):
    """A guard's sort key is of the table's type and spread by a digest; its time to live is the item's."""
    expires = datetime(2030, 1, 1, tzinfo=UTC)
    _, (_, guard) = actions(badges.insert(Badge(site="s", serial=7, chip=b"\x01", expires=expires)))
    item = guard["Item"]
    assert item["site"] == {"S": "_unique#chip#B#AQ=="}
    assert item["serial"].keys() == {"N"}
    assert item["expires"] == {"N": "1893456000"}
    assert item["_unique_owner"] == {"M": {"site": {"S": "s"}, "serial": {"N": "7"}}}
    assert guard["ConditionExpression"] == "attribute_not_exists(#key) OR #expires BETWEEN :earliest AND :latest"
    assert guard["ExpressionAttributeValues"][":latest"] == {"N": "1700000000"}


@pytest.mark.parametrize(("sort_type", "first", "tag"), [(str, "s", "S"), (bytes, b"s", "B")])
def test_guard_with_other_sort_keys(client, sort_type, first, tag):
    """Text and binary sort keys get a text and a binary."""

    @entity("things")
    class Thing:
        kind: PartitionKey[str]
        sub: SortKey[sort_type]
        code: Attribute[str] = attribute(unique=True)

    _, (_, guard) = actions(client.table(Thing).insert(Thing(kind="k", sub=first, code="c")))
    assert guard["Item"]["sub"].keys() == {tag}


def test_long_values_are_hashed(users):
    """A value that no key can hold is guarded by its digest."""
    mail = "x" * 3000
    _, (_, guard) = actions(users.insert(evolve(ANN, email=mail)))
    digest = hashlib.sha256(mail.encode()).hexdigest()
    assert guard["Item"]["user_id"] == {"S": f"_unique#mail#S-sha256#{digest}"}
    _, (_, other) = actions(users.insert(evolve(ANN, email=f"sha256#{digest}")))
    assert other["Item"]["user_id"] != guard["Item"]["user_id"]


def test_names_cannot_be_confused(client):
    """A separator in an attribute's name is escaped, so that two attributes never share a guard."""

    @entity("odd")
    class Odd:
        key: PartitionKey[str]
        one: Attribute[str] = attribute(unique=True, name="a#S#b%")

    _, (_, guard) = actions(client.table(Odd).insert(Odd(key="k", one="v")))
    assert guard["Item"]["key"] == {"S": "_unique#a%23S%23b%25#S#v"}


def test_patch_moves_guards(users):
    """A patch of a unique value gives up the old guard and claims the new one, if the item still has the old value."""
    operation = users.patch(ANN, to=evolve(ANN, email="new@example.com"))
    (_, update), (given_up, old), (claimed, new) = actions(operation)
    assert update["ConditionExpression"] == (
        "attribute_exists(#user_id) AND #version = :version_2 AND #mail = :mail_2 AND attribute_not_exists(#number)"
    )
    assert (given_up, claimed) == ("Delete", "Put")
    assert old["Key"] == {"user_id": {"S": "_unique#mail#S#ann@example.com"}}
    assert old["ConditionExpression"] == "attribute_not_exists(#key) OR #owner = :owner"
    assert old["ExpressionAttributeValues"] == {":owner": {"M": {"user_id": {"S": "u1"}}}}
    assert new["Item"]["user_id"] == {"S": "_unique#mail#S#new@example.com"}


def test_patch_that_adds_or_removes_a_value(users):
    """A first value only claims, a removed one only gives up."""
    bare = evolve(ANN, email=None)
    assert [kind for kind, _ in actions(users.patch(bare, to=ANN))] == ["Update", "Put"]
    assert [kind for kind, _ in actions(users.patch(ANN, to=bare))] == ["Update", "Delete"]


def test_patch_of_something_else_is_plain(users):
    """A patch that leaves the unique values alone is one UpdateItem; one without a difference is nothing."""
    assert users.patch(ANN, to=evolve(ANN, name="Anna")).sending.to_request().operation == "UpdateItem"
    same = users.patch(ANN, to=evolve(ANN))
    assert same.sending.settled
    assert same.to_wire() == {}


def test_equal_numbers_are_one_value(users):
    """1.50 and 1.5 are one number: nothing moves."""
    operation = users.patch(evolve(ANN, number=Decimal("1.50")), to=evolve(ANN, number=Decimal("1.5"), name="x"))
    assert operation.sending.to_request().operation == "UpdateItem"


def test_patch_of_the_time_to_live(badges):
    """Guards expire with their item: a new time to live is written into them, where they are still its own."""
    old = Badge(site="s", serial=7, chip=b"\x01", expires=datetime(2030, 1, 1, tzinfo=UTC))
    (_, _), (kind, guard) = actions(badges.patch(old, to=evolve(old, expires=datetime(2031, 1, 1, tzinfo=UTC))))
    assert kind == "Put"
    assert guard["Item"]["expires"] == {"N": "1924992000"}
    assert "#owner = :owner" in guard["ConditionExpression"]


def test_delete_gives_up(users):
    """A deletion of an instance deletes its guards, if the item still has those values."""
    (kind, item), (given_up, guard) = actions(users.delete(ANN))
    assert (kind, given_up) == ("Delete", "Delete")
    assert "#version = :version AND #mail = :mail AND attribute_not_exists(#number)" in item["ConditionExpression"]
    assert guard["Key"] == {"user_id": {"S": "_unique#mail#S#ann@example.com"}}


def test_results_are_what_was_sent(users):
    """A transaction returns no item: the results are the instances as they were sent, with their versions."""
    insert = users.insert(ANN)
    patch = users.patch(ANN, to=evolve(ANN, email="new"))
    delete = users.delete(ANN)
    for operation in (insert, patch, delete):
        operation.sending.to_request()
    assert insert.sending.from_wire(WireResponse({}), NOW) == evolve(ANN, version=1)
    assert patch.sending.from_wire(WireResponse({}), NOW) == evolve(ANN, email="new", version=4)
    assert delete.sending.from_wire(WireResponse({}), NOW) == ANN


def test_verbs_that_cannot_know_the_old_value(users):
    """Verbs that do not know what is stored are refused, each naming what to use instead."""
    with pytest.raises(ExpressionError, match=r"\.put\(\).*\.insert\(\)"):
        users.put(ANN)
    with pytest.raises(ExpressionError, match=r"\.replace\(\).*\.patch\("):
        users.replace(ANN)
    with pytest.raises(ExpressionError, match=r"\.delete\(key\).*\.delete\(instance\)"):
        users.delete("u1")
    for operation in (users.update("u1"), users.update(ANN), users.upsert("u1")):
        with pytest.raises(ExpressionError, match=r"User\.email is unique.*\.patch\(old, to=new\)"):
            operation.set(User.email, "x")
        with pytest.raises(ExpressionError, match="unique"):
            operation.remove(User.number)
        operation.set(User.name, "fine").to_wire()


def test_time_to_live_is_guarded_too(badges):
    """Guards expire with their item, so an update that does not know them cannot change when."""
    operation = badges.update(site="s", serial=7)
    with pytest.raises(ExpressionError, match="time to live of its guard items"):
        operation.set(Badge.expires, datetime(2030, 1, 1, tzinfo=UTC))
    str(operation)


def test_partition_key_must_be_text(client):
    """Guard items have text for keys, so the table must have one; the message says so."""

    @entity("numbered")
    class Numbered:
        number: PartitionKey[int]
        code: Attribute[str] = attribute(default="", unique=True)

    with pytest.raises(ModelError, match=r"PartitionKey\[str\]"):
        client.table(Numbered)


def test_reserved_name(client):
    """An attribute that is stored under the guards' own name is refused."""

    @entity("clashes")
    class Clashing:
        key: PartitionKey[str]
        code: Attribute[str] = attribute(default="", unique=True)
        own: Attribute[str] = attribute(default="", name="_unique_owner")

    with pytest.raises(ModelError, match="_unique_owner"):
        client.table(Clashing)


def test_failures_are_the_verbs_own(users):
    """A taken value, a taken key, a conflict, a missing item: each is the error of its cause, first the item's own."""
    taken = judged(users.insert(ANN), canceled(FINE, FAILED))
    assert type(taken) is UniqueConstraintError
    assert taken.attribute == "email"
    assert taken.request_id == "R1"
    assert "ann@example.com" not in f"{taken} {taken!r}"
    stored = {"user_id": {"S": "u1"}, "version": {"N": "9"}}
    exists = judged(users.insert(ANN), canceled(("ConditionalCheckFailed", stored), FAILED))
    assert type(exists) is ItemExistsError
    patch = users.patch(ANN, to=evolve(ANN, email="new"))
    assert type(judged(patch, canceled(("ConditionalCheckFailed", stored), FINE, FINE))) is VersionConflictError
    assert type(judged(patch, canceled(FAILED, FINE, FINE))) is ItemNotFoundError
    assert type(judged(patch, canceled(FINE, FINE, FAILED))) is UniqueConstraintError
    same_version = {"user_id": {"S": "u1"}, "version": {"N": "3"}, "mail": {"S": "other"}}
    error = judged(patch, canceled(("ConditionalCheckFailed", same_version), FINE, FINE))
    assert type(error) is ConditionalCheckFailedError


def test_other_failures(users):
    """A conflict that lasts is the cancelled transaction; a lost answer is unknown, and may be awaited again."""
    insert = users.insert(ANN)
    conflict = judged(insert, canceled(FINE, ("TransactionConflict", None)))
    assert type(conflict) is TransactionCanceledError
    (reason,) = conflict.reasons
    assert (reason.operation, reason.code, reason.error) == (insert, "TransactionConflict", None)
    assert str(conflict).startswith("the transaction was cancelled and nothing of it was written: TransactWriteItems: ")
    lost = TransportError("gone", outcome=Outcome.UNKNOWN)
    assert type(judged(users.insert(ANN), lost)) is OutcomeUnknownError


def test_a_failed_condition_counts_before_a_conflict(users):
    """A taken value stays taken: it is the reason, although the item itself met another transaction."""
    error = judged(users.insert(ANN), canceled(("TransactionConflict", None), FAILED))
    assert type(error) is UniqueConstraintError


def test_it_is_recognised_when_repeated(users):
    """The transaction has a token, so repeating it is safe; too late it is refused."""
    operation = users.insert(ANN)
    assert operation.sending.safety is operation.sending.to_request().safety is RepeatSafety.TOKEN
    operation.sending.begin(NOW)
    with pytest.raises(Exception, match="9 minutes"):
        operation.sending.begin(NOW + 1_000)


def test_conditions_can_be_added(users):
    """`when` adds to the condition of the item, as everywhere."""
    (_, item), *_ = actions(users.insert(ANN).when(User.name.not_exists()))
    assert item["ConditionExpression"] == "attribute_not_exists(#user_id) AND attribute_not_exists(#name)"


def test_a_patch_of_guard_items_takes_no_clause_that_is_known_either(client):
    """Its result is the instance that was sent: a clause is refused, the first of its kind and later ones."""

    @entity("members")
    class Member:
        name: PartitionKey[str]
        note: Attribute[str]
        email: Attribute[str] = attribute(unique=True)

    members = client.table(Member)
    members.update(name="m").set(Member.note, "first").to_wire()
    members.update(name="m").set_default(Member.note, "first").to_wire()
    old = Member(name="m", note="", email="old")
    patch = members.patch(old, to=evolve(old, email="new"))
    for add in (patch.set, patch.set_default):
        with pytest.raises(ExpressionError, match="could not be added"):
            add(Member.note, "second")


def test_with_a_condition_it_is_another_transaction(users):
    """What is built from an operation by adding to it has a token of its own."""
    insert, patch = users.insert(ANN), users.patch(ANN, to=evolve(ANN, email="new"))
    others = [insert.when(User.name.exists()), insert.when(User.name.exists()), patch.at_version(3)]
    tokens = [each.to_wire()["ClientRequestToken"] for each in (insert, patch, *others)]
    assert len(set(tokens)) == 5
    assert insert.to_wire()["ClientRequestToken"] == tokens[0]


def test_result_has_the_version_that_was_checked(users):
    """`at_version` is what is checked and advanced, whatever the instance says."""
    patch = users.patch(ANN, to=evolve(ANN, email="new")).at_version(7)
    patch.sending.to_request()
    assert patch.sending.from_wire(WireResponse({}), NOW) == evolve(ANN, email="new", version=8)


def test_patch_of_unique_values_takes_no_clauses(users):
    """Its result is the instance that was given, so no clause may say more than that."""
    patch = users.patch(ANN, to=evolve(ANN, email="new"))
    for add in (
        lambda: patch.set(User.name, "secret"),
        lambda: patch.set({"name": "secret"}),
        lambda: patch.remove(User.name),
    ):
        with pytest.raises(ExpressionError, match=r"guard items of email.*to=") as raised:
            add()
        assert "secret" not in str(raised.value)


def test_price(users):
    """Twice the item and twice each guard."""
    operation = users.insert(evolve(ANN, number=Decimal(1)))
    assert operation.explain().capacity.write_units == 2 * (1 + 2)
    assert "with guards of email, number" in str(operation)


def test_it_survives_pickling(users):
    """A pickled insert is the same transaction."""
    operation = users.insert(ANN)
    assert pickle.loads(pickle.dumps(operation)).to_wire() == operation.to_wire()


def test_exactly_once_keeps_the_guards(users):
    """Said to a verb that is a transaction already, it keeps every action."""
    assert len(actions(users.insert(ANN).exactly_once())) == 2


def test_keys_of_guards_are_reserved(users, badges):
    """No item may have a guard's key, and no verb may touch one."""
    guard = "_unique#mail#S#x"
    with pytest.raises(ExpressionError, match=r"User\.user_id: keys that begin with '_unique#'"):
        users.insert(User(user_id=guard))
    for verb in (users.get, users.get_one, users.update, users.upsert, users.check):
        with pytest.raises(ExpressionError, match="guard items"):
            verb(guard)
    with pytest.raises(ExpressionError, match="guard items"):
        badges.get(site=guard, serial=1)


def test_two_claims_in_one_transaction(client, users):
    """Two operations that want one value are refused when the transaction is built, naming the attribute."""
    wanted = [users.insert(User(user_id=key, email="secret")) for key in "ab"]
    with pytest.raises(ExpressionError, match="same value of the unique attribute 'email'") as raised:
        client.transact_write(*wanted)
    assert "secret" not in str(raised.value)


def test_value_that_is_handed_over(client, users):
    """Who gives a value up and who claims it in one transaction share the action on its guard."""
    bob = User(user_id="u2", email="bob@example.com", version=1)
    claim = users.patch(bob, to=evolve(bob, email="ann@example.com"))
    transaction = client.transact_write(claim, users.delete(ANN))
    (_, _), (given_up, old), (claimed, guard), (deleted, _) = actions(transaction)
    assert (given_up, claimed, deleted) == ("Delete", "Put", "Delete")
    assert old["Key"] == {"user_id": {"S": "_unique#mail#S#bob@example.com"}}
    assert guard["Item"] == {
        "user_id": {"S": "_unique#mail#S#ann@example.com"},
        "_unique_owner": {"M": {"user_id": {"S": "u2"}}},
    }
    assert guard["ConditionExpression"] == "attribute_not_exists(#key) OR #owner = :owner"
    assert guard["ExpressionAttributeValues"] == {":owner": {"M": {"user_id": {"S": "u1"}}}}
    transaction.sending.to_request()
    error = judged(transaction, canceled(FINE, FINE, FAILED, FINE))
    assert [type(reason.error) for reason in error.reasons] == [UniqueConstraintError, type(None)]


def test_values_that_are_swapped(client, users):
    """Two items swap their values in one transaction: four actions."""
    bob = User(user_id="u2", email="bob@example.com", version=1)
    swap = client.transact_write(
        users.patch(ANN, to=evolve(ANN, email=bob.email)), users.patch(bob, to=evolve(bob, email=ANN.email))
    )
    assert [kind for kind, _ in actions(swap)] == ["Update", "Put", "Update", "Put"]


INVERTED = GlobalSecondaryIndex("inverted", partition_key=Badge.serial, sort_key=Badge.site)
EXPIRING = GlobalSecondaryIndex("expiring", partition_key=Badge.expires, sort_key=Badge.site, projection="keys_only")
BY_NAME = GlobalSecondaryIndex("by-name", partition_key=User.name)
NOT_A_GUARD = "NOT begins_with(#user_id, :user_id)"


def test_scans_leave_guards_out(users):
    """A scan asks the service to leave guards out, in its counts too."""
    wire = users.scan().to_wire()
    assert wire["FilterExpression"] == NOT_A_GUARD
    assert wire["ExpressionAttributeValues"] == {":user_id": {"S": "_unique#"}}
    with pytest.warns(UnindexedFilterWarning):
        filtered = users.scan().filter(User.name.exists()).to_wire()
    assert filtered["FilterExpression"].endswith(f" AND {NOT_A_GUARD}")


def test_queries_of_the_table_never_meet_them(users):
    """A query asks for one partition key value, which is no guard's."""
    assert "FilterExpression" not in users.query(User.user_id == "u1").to_wire()


def test_indexes_that_hold_no_guards(users):
    """An index over other attributes has no guards in it, and is not filtered."""
    assert "FilterExpression" not in users.query(BY_NAME.partition_key == "x").to_wire()
    assert "FilterExpression" not in users.scan(index=BY_NAME).to_wire()


def test_indexes_of_keys_alone(badges):
    """An index of key attributes alone holds the guards too: scans of it are filtered."""
    wire = badges.scan(index=INVERTED).to_wire()
    assert "begins_with(#site, " in wire["FilterExpression"]


def test_guards_that_no_filter_reaches(badges):
    """Where the service cannot filter by the partition key, guards are dropped here, and counting reads the keys."""
    when = datetime(2030, 1, 1, tzinfo=UTC)
    plan = badges.query(EXPIRING.partition_key == when, include_expired=True).project(Badge.site)._plan
    assert "FilterExpression" not in plan.compile(NOW)
    assert not plan.countable
    hidden = plan.expired(NOW)
    assert hidden({"site": {"S": "_unique#chip#B#AQ=="}})
    assert not hidden({"site": {"S": "s"}})
    shy = badges.query(EXPIRING.partition_key == when).project(Badge.site)._plan.expired(NOW)
    assert shy({"site": {"S": "s"}, "expires": {"N": "1699999999"}})
