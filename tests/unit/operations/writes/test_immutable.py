"""Immutable attributes: refused where a change can be seen, guarded by a condition where it cannot."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ConditionalCheckFailedError,
    ExpressionError,
    ModelError,
    PartitionKey,
    attribute,
    document,
    entity,
    evolve,
)
from mizzle_async.testing.stub import StubCaller


@document
class Place:
    city: Attribute[str]


@entity("orders")
class Order:
    id: PartitionKey[str]
    number: Attribute[int] = attribute(immutable=True, name="n")
    place: Attribute[Place | None] = attribute(default=None, immutable=True)
    total: Attribute[Decimal] = attribute(default=Decimal(0))


client = Client(caller=StubCaller({}))
orders = client.table(Order)
ORDER = Order(id="1", number=7)
IMMUTABLE = r"Order\.number is immutable"


@pytest.mark.parametrize(
    "clause",
    [
        lambda update: update.set(Order.number, 8),
        lambda update: update.set({"number": 8}),
        lambda update: update.add(Order.number, 1),
        lambda update: update.remove(Order.place),
        lambda update: update.set(Order.place[Place.city], "Ulm"),
        lambda update: update.set_default(Order.place[Place.city], "Ulm"),
        lambda update: update.set({"total": Decimal(1), "place": None}),
    ],
)
@pytest.mark.parametrize("verb", ["update", "upsert"])
def test_clauses_that_could_change_it_are_refused(verb, clause):
    """Every clause for an immutable attribute, or for something inside it, is refused where it is written."""
    with pytest.raises(ExpressionError, match=r"Order\.(number|place) is immutable, and this clause could change it"):
        clause(getattr(orders, verb)("1"))


def test_default_for_an_absent_value_is_allowed():
    """A value may be given where none is stored: also by an upsert, which may make the item."""
    body = orders.upsert("1").set_default(Order.number, 7).add(Order.total, 1).to_wire()
    assert "SET #n = if_not_exists(#n, :n)" in body["UpdateExpression"]


def test_patches_that_change_it_are_refused():
    """Two states that differ in an immutable attribute are refused; others are patched."""
    with pytest.raises(ExpressionError, match=IMMUTABLE):
        orders.patch(ORDER, to=evolve(ORDER, number=8))
    with pytest.raises(ExpressionError, match=r"Order\.place is immutable"):
        orders.patch(ORDER, to=evolve(ORDER, place=Place(city="Ulm")))
    assert (
        orders.patch(ORDER, to=evolve(ORDER, total=Decimal(1))).to_wire()["UpdateExpression"] == "SET #total = :total"
    )


@pytest.mark.parametrize("verb", ["put", "replace"])
def test_whole_items_are_guarded(verb):
    """A whole item is written on condition that the stored values are absent or the same."""
    body = getattr(orders, verb)(ORDER).to_wire()
    condition = body["ConditionExpression"]
    assert "(attribute_not_exists(#n) OR #n = :n" in condition
    assert "attribute_not_exists(#place)" in condition
    assert body["ExpressionAttributeValues"].items() >= {":n": {"N": "7"}}.items()


def test_plain_entities_have_no_condition():
    """An entity without immutable attributes is put without a condition."""

    @entity("plain")
    class Plain:
        id: PartitionKey[str]

    assert "ConditionExpression" not in client.table(Plain).put(Plain(id="1")).to_wire()


def test_new_items_need_no_guard():
    """An insert is for an item that is not there: nothing is changed."""
    assert orders.insert(ORDER).to_wire()["ConditionExpression"] == "attribute_not_exists(#id)"


async def test_refused_put_says_which_attribute():
    """Where another value is stored, the error names the immutable attribute, and has the stored item."""
    stored = {"id": {"S": "1"}, "n": {"N": "6"}, "total": {"N": "0"}}
    refusal = ConditionalCheckFailedError("false", code="ConditionalCheckFailedException", item=stored)
    opened = await Client(caller=StubCaller({"PutItem": [refusal], "UpdateItem": [refusal]})).open()
    for write in (opened.table(Order).put(ORDER), opened.table(Order).replace(ORDER)):
        with pytest.raises(ConditionalCheckFailedError, match=IMMUTABLE + ", and another value is stored") as caught:
            await write
        assert caught.value.stored(Order).number == 6


def test_expired_items_do_not_count():
    """A put over an expired item is no change, whatever it held."""

    @entity("sessions")
    class Session:
        id: PartitionKey[str]
        user: Attribute[str] = attribute(immutable=True)
        until: Attribute[datetime | None] = attribute(default=None, time_to_live=True)

    session = Session(id="1", user="a", until=datetime.now(UTC) + timedelta(days=1))
    condition = client.table(Session).put(session).to_wire()["ConditionExpression"]
    assert condition == "#until BETWEEN :until AND :until_2 OR attribute_not_exists(#user) OR #user = :user"


async def test_batches_are_refused():
    """A batch has no condition that could keep an immutable attribute: put_many is refused, with the way out."""
    opened = await Client(caller=StubCaller({})).open()
    with pytest.raises(ExpressionError, match=r"Order has immutable attributes \(number, place\)"):
        await opened.table(Order).put_many([ORDER])


def test_misplaced_options_are_refused():
    """A key, an attribute that the library writes, and a member of a document cannot be declared immutable."""
    with pytest.raises(ModelError, match=r"Keyed\.id is the partition key, which no write changes"):

        @entity("keyed")
        class Keyed:
            id: PartitionKey[str] = attribute(immutable=True)

    with pytest.raises(ModelError, match=r"Counted\.version: the library itself writes version"):

        @entity("counted")
        class Counted:
            id: PartitionKey[str]
            version: Attribute[int] = attribute(default=0, version=True, immutable=True)

    @document
    class Part:
        name: Attribute[str] = attribute(immutable=True)

    @entity("holders")
    class Holder:
        id: PartitionKey[str]
        part: Attribute[Part]

    with pytest.raises(ModelError, match=r"Part\.name: immutable=True is for attributes of items"):
        client.check(Holder)


def test_documents_that_entities_inherit_from_may_have_them():
    """An immutable attribute of a document holds for the entities that inherit it."""

    @document
    class Base:
        number: Attribute[int] = attribute(immutable=True)

    @entity("derived")
    class Derived(Base):
        id: PartitionKey[str]

    with pytest.raises(ExpressionError, match=r"Derived\.number is immutable"):
        client.table(Derived).update("1").set(Derived.number, 1)
