from datetime import UTC, datetime

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    ExpressionError,
    ItemExistsError,
    ItemNotFoundError,
    ModelError,
    OutcomeUnknownError,
    PartitionKey,
    VersionConflictError,
    attribute,
    entity,
    evolve,
)
from mizzle_async.types import RepeatSafety, WireResponse

NOW = 1_700_000_000.0


@entity("orders", unknown="raise")
class Order:
    order_id: PartitionKey[str]
    total: Attribute[int] = attribute(default=0)
    tags: Attribute[set[str]] = attribute(factory=set)
    version: Attribute[int] = attribute(default=0, version=True)


@entity("plain")
class Plain:
    plain_id: PartitionKey[str]
    total: Attribute[int] = attribute(default=0)


@pytest.fixture
def client():
    """A client that was never opened."""
    return Client(clock=lambda: NOW)


@pytest.fixture
def orders(client):
    """A handle of a versioned entity."""
    return client.table(Order)


READ = Order(order_id="o", total=1, version=3)


def failed(item=None, *, ambiguous=False):
    """Return the service's word for a false condition."""
    return ConditionalCheckFailedError("The conditional request failed", item=item, ambiguous=ambiguous, attempts=2)


def stored(version, write_id="theirs", **more):
    """Return a stored order."""
    return {
        "order_id": {"S": "o"},
        "total": {"N": "9"},
        "version": {"N": str(version)},
        "_write_id": {"S": write_id},
        **more,
    }


def write_id(operation):
    """Return the id that a write stores."""
    wire = operation.to_wire()
    if "Item" in wire:
        return wire["Item"]["_write_id"]["S"]
    texts = [value["S"] for value in wire["ExpressionAttributeValues"].values() if "S" in value]
    (only,) = [text for text in texts if len(text) == 12]
    return only


def judged(operation, error):
    """Return what a failure means for an operation."""
    operation.sending.to_request()
    with pytest.raises(Exception) as raised:  # noqa: PT011  (the caller looks at it)
        operation.sending.recover(error, NOW)
    return raised.value


def versioned_write(orders, verb):
    """Return a write that checks version 3."""
    match verb:
        case "update":
            return orders.update(READ).set(Order.total, 2)
        case "replace":
            return orders.replace(READ)
        case "patch":
            return orders.patch(READ, to=evolve(READ, total=2))
        case "at_version":
            return orders.update("o").set(Order.total, 2).at_version(3)


def test_insert_stores_version_one(orders):
    """An insert stores version 1, whatever the instance says, and a write id of twelve characters."""
    item = orders.insert(evolve(READ, version=7)).to_wire()["Item"]
    assert item["version"] == {"N": "1"}
    assert len(item["_write_id"]["S"]) == 12


def test_write_ids_differ(orders):
    """Every write has an id of its own."""
    assert len({write_id(orders.insert(READ)) for _ in range(100)}) == 100


def test_id_is_fixed_when_it_is_built(orders):
    """What is shown is what is sent."""
    operation = orders.update(READ).set(Order.total, 2)
    assert write_id(operation) == write_id(operation)


@pytest.mark.parametrize("verb", ["update", "replace", "patch", "at_version"])
def test_writes_check_and_advance(orders, verb):
    """A write from an instance is on condition of its version, and stores the next one."""
    wire = versioned_write(orders, verb).to_wire()
    values = wire["ExpressionAttributeValues"]
    assert "#version = :version" in wire["ConditionExpression"]
    assert {"N": "3"} in values.values()
    assert {"N": "4"} in values.values()
    assert wire["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"


def test_update_of_a_key_advances(orders):
    """A write from a key alone checks no version, and advances it, so that others notice."""
    for operation in (orders.update("o").set(Order.total, 2), orders.upsert("o").set(Order.total, 2)):
        wire = operation.to_wire()
        assert "ADD #version :version" in wire["UpdateExpression"]
        assert "version" not in wire.get("ConditionExpression", "")


def test_delete_checks(orders):
    """A deletion of an instance checks its version; of a key, none, unless it is said."""
    assert orders.delete(READ).to_wire()["ConditionExpression"] == "#version = :version"
    assert "ConditionExpression" not in orders.delete("o").to_wire()
    assert orders.delete("o").at_version(3).to_wire()["ConditionExpression"] == "#version = :version"


def test_put_is_refused(orders):
    """A put would overwrite unchecked; the message names what does not."""
    with pytest.raises(ExpressionError, match=r"\.insert\(\).*\.replace\(\)"):
        orders.put(READ)


@pytest.mark.parametrize("verb", ["update", "replace", "patch", "delete", "check"])
def test_instance_that_was_never_stored(orders, verb):
    """Version 0 says that the instance was never stored, and so does the error."""
    new = Order(order_id="o")
    arguments = {"to": evolve(new, total=1)} if verb == "patch" else {}
    with pytest.raises(ExpressionError, match=rf"never stored: \.{verb}\(\)"):
        getattr(orders, verb)(new, **arguments)


@pytest.mark.parametrize("version", [0, -1, True, 1.0, "3", None])
def test_at_version_of_what_is_none(orders, version):
    """Only a version that could be stored can be expected."""
    operation = orders.update("o").set(Order.total, 2)
    with pytest.raises(ExpressionError, match="int of 1 or more"):
        operation.at_version(version)


def test_at_version_of_an_insert(orders):
    """What is not there has no version to expect."""
    insert = orders.insert(Order(order_id="o"))
    with pytest.raises(ExpressionError, match="an insert is for an item that is not there"):
        insert.at_version(1)


def test_at_version_needs_one(client):
    """An entity without a version has none to expect."""
    operation = client.table(Plain).delete("p")
    with pytest.raises(ExpressionError, match="has no version"):
        operation.at_version(1)


def test_version_is_not_for_clauses(orders):
    """No clause may change the version."""
    operation = orders.update(READ)
    with pytest.raises(ExpressionError, match="every write advances it"):
        operation.set(Order.version, 9)
    operation.set(Order.total, 1).to_wire()


def test_write_id_is_hidden(orders):
    """No model sees the write id, not even one that refuses unknown attributes."""
    operation = orders.get("o")
    operation.sending.to_request()
    found = operation.sending.from_wire(WireResponse({"Item": stored(4)}), NOW)
    assert found == Order(order_id="o", total=9, version=4)


def test_reserved_name(client):
    """An attribute that is stored under the write id's name is refused, with what to do."""

    @entity("clashes")
    class Clashing:
        key: PartitionKey[str]
        own: Attribute[str] = attribute(default="", name="_write_id")
        version: Attribute[int] = attribute(default=0, version=True)

    with pytest.raises(ModelError, match=r"Clashing\.own is stored as '_write_id'"):
        client.table(Clashing)


@pytest.mark.parametrize("verb", ["update", "replace", "patch", "at_version"])
def test_conflict(orders, verb):
    """Another stored version is a conflict, and the error holds the stored instance."""
    error = judged(versioned_write(orders, verb), failed(stored(4)))
    assert type(error) is VersionConflictError
    assert error.stored(Order) == Order(order_id="o", total=9, version=4)
    assert type(judged(orders.delete(READ), failed(stored(4)))) is VersionConflictError


def test_missing_item(orders):
    """An item that must be there and is not is no conflict."""
    assert type(judged(orders.update(READ).set(Order.total, 2), failed())) is ItemNotFoundError


@pytest.mark.parametrize("verb", ["update", "replace", "patch", "at_version"])
def test_lost_answer_judged_as_applied(orders, verb):
    """Our write id in the item that made the repetition fail says that the call succeeded: its result is the item."""
    operation = versioned_write(orders, verb)
    operation.sending.to_request()
    ours = stored(4, write_id(operation))
    assert operation.sending.recover(failed(ours, ambiguous=True), NOW) == Order(order_id="o", total=9, version=4)


@pytest.mark.parametrize("verb", ["update", "replace", "patch", "at_version"])
def test_lost_answer_judged_as_refused(orders, verb):
    """Another's write at exactly the next version says that ours failed, equal in everything else or not."""
    error = judged(versioned_write(orders, verb), failed(stored(4), ambiguous=True))
    assert type(error) is VersionConflictError


@pytest.mark.parametrize("verb", ["update", "replace", "patch", "at_version"])
@pytest.mark.parametrize("item", [stored(5), None], ids=["further on", "gone"])
def test_lost_answer_that_nothing_judges(orders, verb, item):
    """A version further on, or no item, proves nothing: the outcome is unknown, and what is stored is in the error."""
    error = judged(versioned_write(orders, verb), failed(item, ambiguous=True))
    assert type(error) is OutcomeUnknownError
    assert error.item == item


def test_lost_answer_to_an_insert(orders):
    """An insert is judged by the item in its way: ours, another's first version, or nobody knows."""
    operation = orders.insert(Order(order_id="o", total=9))
    operation.sending.to_request()
    ours = stored(1, write_id(operation))
    assert operation.sending.recover(failed(ours, ambiguous=True), NOW) == Order(order_id="o", total=9, version=1)
    assert type(judged(operation, failed(stored(1), ambiguous=True))) is ItemExistsError
    assert type(judged(operation, failed(stored(2), ambiguous=True))) is OutcomeUnknownError


def test_lost_answer_to_an_update_of_a_key(orders):
    """Without a version that was checked, only our own write id proves anything."""
    operation = orders.update("o").set(Order.total, 9).when(Order.total == 1)
    operation.sending.to_request()
    ours = stored(7, write_id(operation))
    assert operation.sending.recover(failed(ours, ambiguous=True), NOW) == Order(order_id="o", total=9, version=7)
    assert type(judged(operation, failed(stored(7), ambiguous=True))) is OutcomeUnknownError


def test_lost_answer_to_a_deletion(orders):
    """A deletion is refused where the item lives on as it was, or changed once; where it is gone, nobody knows."""
    assert type(judged(orders.delete(READ), failed(stored(4), ambiguous=True))) is VersionConflictError
    assert type(judged(orders.delete(READ), failed(None, ambiguous=True))) is OutcomeUnknownError
    operation = orders.delete(READ).when(Order.total == 1)
    assert type(judged(operation, failed(stored(3), ambiguous=True))) is ConditionalCheckFailedError


def test_lost_answer_without_a_version(client):
    """Equality proves nothing: a plain insert that finds its own twin does not know whose it is."""
    operation = client.table(Plain).insert(Plain(plain_id="p", total=5))
    twin = {"plain_id": {"S": "p"}, "total": {"N": "5"}}
    error = judged(operation, failed(twin, ambiguous=True))
    assert type(error) is OutcomeUnknownError
    assert error.stored(Plain) == Plain(plain_id="p", total=5)


def test_what_may_be_repeated(orders, client):
    """What checks a version may be repeated; what adds up may not, version or none."""
    for verb in ("update", "replace", "patch", "at_version"):
        assert versioned_write(orders, verb).sending.to_request().safety is RepeatSafety.GUARDED
    assert orders.update(READ).add(Order.total, 1).sending.to_request().safety is RepeatSafety.GUARDED
    assert orders.update("o").add(Order.total, 1).sending.to_request().safety is RepeatSafety.UNSAFE
    assert client.table(Plain).update("p").add(Plain.total, 1).sending.to_request().safety is RepeatSafety.UNSAFE


def test_clients_can_be_asked_for_ids(client):
    """Write ids and tokens are random, of a fixed length, and fit into a URL."""
    assert client._runtime.new_write_id() != client._runtime.new_write_id()
    assert client._runtime.new_write_id().replace("-", "").replace("_", "").isalnum()
    assert len(client._runtime.new_token()) == 36


def test_maintained_times(client):
    """Every write path stamps the times when it is built, in transactions too; an update leaves the creation alone."""

    @entity("documents")
    class Document:
        key: PartitionKey[str]
        text: Attribute[str] = attribute(default="")
        made: Attribute[datetime | None] = attribute(default=None, created_at=True)
        changed: Attribute[datetime | None] = attribute(default=None, updated_at=True)

    documents = client.table(Document)
    now = datetime.fromtimestamp(NOW, UTC)
    old = Document(key="a", text="old", made=datetime(2020, 1, 1, tzinfo=UTC))
    stamp = {"S": "2023-11-14T22:13:20.000000Z"}
    transaction = client.transact_write(
        documents.insert(evolve(old, key="b")),
        documents.put(evolve(old, key="c")),
        documents.replace(old),
        documents.update("d").set(Document.text, "x"),
        documents.upsert("e").set(Document.text, "x"),
        documents.patch(evolve(old, key="f"), to=evolve(old, key="f", text="x")),
    )
    inserted, put, replaced, updated, upserted, patched = (
        next(iter(action.values())) for action in transaction.to_wire()["TransactItems"]
    )
    assert (inserted["Item"]["made"], inserted["Item"]["changed"]) == (stamp, stamp)
    assert (put["Item"]["made"], put["Item"]["changed"]) == ({"S": "2020-01-01T00:00:00.000000Z"}, stamp)
    for action in (replaced, updated, patched):
        assert "#made" not in action["ExpressionAttributeNames"]
        assert stamp in action["ExpressionAttributeValues"].values()
    assert "#made = if_not_exists(#made, " in upserted["UpdateExpression"]
    results = transaction.sending.result()
    assert (results[0].made, results[0].changed) == (now, now)
    assert results[2].changed == now
