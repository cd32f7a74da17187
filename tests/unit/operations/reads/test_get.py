import pytest

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    ItemNotFoundError,
    MarshallingError,
    PartitionKey,
    SortKey,
    entity,
)
from mizzle_async.types import WireResponse


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    number: SortKey[int]
    status: Attribute[str]


@pytest.fixture
def orders():
    """A handle of a client that was never opened."""
    return Client(table_prefix="dev-").table(Order)


def answered(operation, payload, now=0.0):
    """Return what an operation makes of an answer."""
    operation.sending.to_request()
    return operation.sending.from_wire(WireResponse(payload, "R1", 2), now)


ITEM = {"customer_id": {"S": "c1"}, "number": {"N": "7"}, "status": {"S": "open"}}


def test_wire_form(orders):
    """A get is table and key, nothing more."""
    assert orders.get(customer_id="c1", number=7).to_wire() == {
        "TableName": "dev-orders",
        "Key": {"customer_id": {"S": "c1"}, "number": {"N": "7"}},
    }


def test_consistent_read_is_asked_for(orders):
    """A consistent read says so on the wire."""
    assert orders.get(customer_id="c1", number=7, consistent_read=True).to_wire()["ConsistentRead"] is True


def test_found_item_is_an_instance(orders):
    """What the service returns becomes an instance; undeclared attributes are ignored."""
    found = answered(orders.get(customer_id="c1", number=7), {"Item": {**ITEM, "other": {"BOOL": True}}})
    assert found == Order(customer_id="c1", number=7, status="open")


def test_missing_item_is_none(orders):
    """Nothing under the key is None."""
    assert answered(orders.get(customer_id="c1", number=7), {}) is None


def test_missing_item_that_must_be_there_raises(orders):
    """`get_one` raises, with what is known about the call."""
    with pytest.raises(ItemNotFoundError, match="no Order lies under this key") as raised:
        answered(orders.get_one(customer_id="c1", number=7), {})
    error = raised.value
    assert (error.operation, error.table, error.attempts, error.request_id) == ("GetItem", "dev-orders", 2, "R1")


def test_item_that_does_not_fit_raises_with_its_key(orders):
    """An item of another shape names the attribute in the text and carries the key beside it."""
    with pytest.raises(MarshallingError, match=r"Order\.status: expected S, found N") as raised:
        answered(orders.get(customer_id="c1", number=7), {"Item": {**ITEM, "status": {"N": "1"}}})
    assert raised.value.key == {"customer_id": {"S": "c1"}, "number": {"N": "7"}}


def test_key_from_an_instance_and_from_a_key(orders):
    """An instance and a key object name the same item as its attributes do."""
    wire = orders.get(customer_id="c1", number=7).to_wire()
    assert orders.get(Order(customer_id="c1", number=7, status="x")).to_wire() == wire
    assert orders.get(orders.key(customer_id="c1", number=7)).to_wire() == wire


def test_one_value_for_two_attributes_is_refused(orders):
    """A single value does not say which item of a partition is meant."""
    with pytest.raises(ExpressionError, match="key of two attributes"):
        orders.get("c1")


def test_key_given_twice_is_refused(orders):
    """A key as an argument and by name may contradict each other."""
    key = orders.key(customer_id="c1", number=7)
    with pytest.raises(ExpressionError, match="given twice"):
        orders.get(key, number=8)


def test_unknown_option_is_named(orders):
    """What is neither a part of the key nor an option is called so, however the key is given."""
    key = orders.key(customer_id="c1", number=7)
    with pytest.raises(ExpressionError, match="consistent is neither a part of the key nor an option"):
        orders.get(key, consistent=True)
    with pytest.raises(ExpressionError, match="consistent is no part of it, and no option"):
        orders.get(customer_id="c1", number=7, consistent=True)


@pytest.mark.parametrize("attributes", [{}, {"customer_id": "c1"}, {"customer_id": "c1", "number": 7, "status": "x"}])
def test_key_must_be_exact(orders, attributes):
    """A missing or an additional attribute is no key."""
    with pytest.raises(ExpressionError):
        orders.get(**attributes)


def test_key_of_a_wrong_type_is_refused(orders):
    """A key value must fit its attribute."""
    with pytest.raises(MarshallingError, match=r"Order\.number"):
        orders.get(customer_id="c1", number="7")


def test_cost_is_estimated(orders):
    """A consistent read costs twice as much."""
    assert orders.get(customer_id="c1", number=7).explain().capacity.read_units == 0.5
    assert orders.get(customer_id="c1", number=7, consistent_read=True).explain().capacity.read_units == 1
