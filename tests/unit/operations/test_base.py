import copy
import gc
import json
import pickle
import warnings
from typing import Any

import orjson
import pytest

from mizzle_async import (
    Attribute,
    Client,
    ClientStateError,
    ExpressionError,
    PartitionKey,
    UnawaitedOperationWarning,
    entity,
)
from mizzle_async.types import RepeatSafety
from mizzle_async.writing.table_part import target_of


@entity("customers")
class Customer:
    customer_id: PartitionKey[str]
    name: Attribute[str]


@pytest.fixture
def customers():
    """A handle of a client that was never opened: building operations needs neither a loop nor a network."""
    return Client().table(Customer)


def test_operation_is_immutable(customers):
    """What was built stays as it was built."""
    operation = customers.get("c1")
    operation.to_wire()
    with pytest.raises(AttributeError):
        operation.key = {}


def test_builders_return_new_operations(customers):
    """A condition makes another operation; the one it was said of stays as it was."""
    plain = customers.put(Customer(customer_id="c1", name="Ann"))
    conditioned = plain.when(Customer.name == "Ann")
    assert "ConditionExpression" not in plain.to_wire()
    assert "ConditionExpression" in conditioned.to_wire()


def test_wire_form_is_a_dict_of_its_own(customers):
    """Changing what `to_wire` returned changes nothing that is sent."""
    operation = customers.get("c1")
    operation.to_wire()["Key"]["customer_id"]["S"] = "c2"
    assert operation.to_wire() == {"TableName": "customers", "Key": {"customer_id": {"S": "c1"}}}


def test_request_carries_what_the_wire_form_shows(customers):
    """The encoded body is the shown one, beside table, safety and the call's timeout."""
    operation = customers.get("c1", timeout=2.5)
    request = operation.sending.to_request()
    assert orjson.loads(request.body) == operation.to_wire()
    assert (request.operation, request.table, request.safety, request.timeout) == (
        "GetItem",
        "customers",
        RepeatSafety.READ,
        2.5,
    )


def test_description_is_one_line_without_values(customers):
    """`str` and `repr` tell names and structure, and never what an attribute holds."""
    operation = customers.update("c-secret").set(Customer.name, "secret").when(Customer.name == "secret")
    operation.to_wire()
    assert "secret" not in str(operation) + repr(operation)
    assert "\n" not in str(operation)
    assert str(operation) == (
        "UpdateItem 'customers' key (customer_id) update SET name = ? "
        "condition attribute_exists(customer_id) AND name = ?"
    )
    assert repr(operation) == f"<{operation}>"


def test_description_of_an_unfinished_operation_does_not_fail(customers):
    """An update without a clause cannot be sent, and can still be described."""
    operation = customers.update("c1")
    with pytest.raises(ExpressionError, match="needs a clause"):
        operation.to_wire()
    assert str(operation) == "UpdateItem 'customers'"


@pytest.mark.parametrize(
    "build",
    [
        lambda customers: customers.get("c1", timeout="x"),
        lambda customers: customers.insert(Customer(customer_id="c1", name="Ann"), timeout="x"),
        lambda customers: customers.update("c1", timeout="x"),
        lambda customers: customers.query(Customer.customer_id == "c1", timeout="x"),
        lambda customers: customers.scan(timeout="x"),
        lambda customers: customers.put_many([], timeout="x"),
        lambda customers: customers.get_many(["c1"], timeout="x"),
    ],
)
def test_a_timeout_that_is_no_number_is_refused(customers, build):
    """The timeout of a call is refused when the operation is built, and nothing was forgotten then."""
    with pytest.raises(ExpressionError, match=r"^timeout= takes seconds as a number, .* not str"):
        build(customers)


def test_unused_operation_warns(customers):
    """An operation that is dropped without any use warns like a coroutine, and says which."""
    with pytest.warns(UnawaitedOperationWarning, match=r"GetItem 'customers' key \(customer_id\) .*forgotten"):
        customers.get("c1")


def test_the_warning_names_the_way_into_a_task(customers):
    """`create_task(operation)` is a TypeError of asyncio's: the warning that follows names the coroutine to pass."""
    with pytest.warns(UnawaitedOperationWarning, match=r"`create_task\(operation\.send\(\)\)`"):
        customers.get("c1")
    with pytest.warns(UnawaitedOperationWarning, match=r"`create_task\(operation\.send\(\)\)`"):
        customers.put_many([])


@pytest.mark.parametrize("use", [repr, str, "to_wire", "explain", "sending", "send", "when"])
def test_used_operation_does_not_warn(customers, use):
    """Showing, explaining, sending and building on count as use."""
    operation = customers.put(Customer(customer_id="c1", name="Ann"))
    if use == "when":
        operation.when(Customer.name == "Ann").to_wire()
    elif use == "send":
        operation.send().close()
    elif use == "sending":
        operation.sending.to_request()
    elif use is repr:
        repr(operation)
    elif use is str:
        str(operation)
        operation.to_wire()
    else:
        getattr(operation, use)()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del operation
        gc.collect()


def test_failed_building_does_not_warn(customers):
    """A clause that is refused has used the operation it was said of: its error is enough."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ExpressionError):
            customers.update("c1").set(1)
        gc.collect()


@pytest.mark.parametrize("caught", [True, False])
def test_conditions_joined_by_and_are_one_mistake(customers, *, caught):
    """The error of `and` between conditions is the one message: the update before it is not called forgotten."""

    def build():
        if not caught:
            return (
                customers.update("c1").set(Customer.name, "Ann").when((Customer.name == "a") and (Customer.name == "b"))
            )
        try:
            return customers.update("c1").set(Customer.name, "Ann").when(not Customer.name.exists())
        except TypeError as error:
            raise TypeError(*error.args) from None

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match="Combine conditions with"):
            build()
        gc.collect()


def test_a_forgotten_await_after_such_a_mistake_still_warns(customers):
    """The same line without the mistake warns, and so does a later one in the same function."""

    def build(condition):
        customers.update("c1").set(Customer.name, "Ann").when(condition and condition)

    with pytest.raises(TypeError, match="Combine conditions with"):
        build(Customer.name == "a")
    with pytest.raises(TypeError):
        bool(Customer.name == "a")
    with pytest.warns(UnawaitedOperationWarning):
        customers.get("c1")


def test_an_error_in_a_clauses_argument_does_not_warn(customers):
    """An update that has no clause yet cannot be sent: where the clause's argument raises, that is the one message."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(KeyError):
            customers.update("c1").set({}["no such key"])
        gc.collect()
    with pytest.warns(UnawaitedOperationWarning):
        customers.update("c1").set(Customer.name, "Ann")


@pytest.mark.parametrize("misuse", [bool, len, iter, lambda operation: operation["name"]])
def test_use_as_a_result_raises(customers, misuse):
    """Truth, length, iteration and indexing of an operation ask whether an await was forgotten."""
    operation: Any = customers.get("c1")
    with pytest.raises(TypeError, match="did you forget `await`"):
        misuse(operation)


def test_use_as_an_instance_raises(customers):
    """An attribute of what an operation would give is asked of the operation where `await` was forgotten."""
    with pytest.raises(AttributeError, match=r"GetItem .* has no 'name': .* did you forget `await`"):
        _ = customers.get("c1").name


@pytest.mark.parametrize("dump", [json.dumps, orjson.dumps, vars])
def test_operation_is_not_serialised_by_accident(customers, dump):
    """JSON encoders, and what web frameworks fall back to, refuse an operation that was returned unsent."""
    operation = customers.get("c1")
    operation.to_wire()
    with pytest.raises(TypeError):
        dump(operation)


def test_pickled_operation_has_no_sender(customers):
    """A pickle carries the request and not the client; sending it says so."""
    operation = customers.update("c1").set(Customer.name, "Ann").when(Customer.name.exists())
    restored = pickle.loads(pickle.dumps(operation))
    assert restored.to_wire() == operation.to_wire()
    with pytest.raises(ClientStateError, match="came out of a pickle"):
        restored.send()


def test_operation_can_be_copied(customers):
    """A copy is the same request."""
    operation = customers.get("c1", consistent_read=True)
    assert copy.copy(operation).to_wire() == operation.to_wire()


def test_target_describes_itself(customers):
    """What operations share says which entity and which table it is about."""
    assert repr(target_of(customers)) == "<Target Customer in 'customers'>"
