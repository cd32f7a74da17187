"""Wrong arguments are told in the library's own sentences."""

import asyncio
import inspect
from typing import Any

import pytest

from mizzle_async import Attribute, Client, ExpressionError, PartitionKey, SortKey, attribute, entity
from mizzle_async.signatures import explained


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    status: Attribute[str] = attribute(default="")
    total: Attribute[int] = attribute(default=0)
    tax: Attribute[int] = attribute(default=0)


@entity("users")
class User:
    name: PartitionKey[str]


ORDERS: Any = Client().table(Order)
USERS: Any = Client().table(User)
DICTS: Any = Client().table("legacy", partition_key="pk", sort_key="sk")


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: ORDERS.query(customer_id="c1"),
            "Order: .query() has no option customer_id=: write `Order.customer_id == value`",
        ),
        (ORDERS.query, "Order: .query() lacks partition: write `Order.customer_id == value`"),
        (
            lambda: DICTS.query(pk="c1"),
            "legacy: .query() has no option pk=: compare the table's paths, such as `table.partition_key == value`",
        ),
        (
            lambda: ORDERS.query(Order.customer_id == "c1", limit=5),
            "Order: .query() has no option limit=: did you mean max_items=?",
        ),
        (
            lambda: ORDERS.query(Order.customer_id == "c1", index="by-status"),
            "the index is chosen by its condition, such as `BY_STATUS.partition_key == value`",
        ),
        (lambda: ORDERS.scan(consistant_read=True), "did you mean consistent_read=?"),
        (lambda: ORDERS.scan(colour="red"), "Order: .scan() has no option colour=: its options are segments=, index="),
        (
            lambda: ORDERS.get("a", "b"),
            "Order: a key is one value: give the key by name, (customer_id=…, order_id=…); several keys go to",
        ),
        (
            lambda: USERS.get("a", "b"),
            "User: a key is one value: give one key; several keys go to .get_many()",
        ),
        (lambda: ORDERS.delete("a", "b"), "give the key by name, (customer_id=…, order_id=…)"),
        (lambda: ORDERS.update("a", "b"), "give the key by name, (customer_id=…, order_id=…)"),
        (
            lambda: ORDERS.update(customer_id="a", order_id="b").set(status="x"),
            'Order: .set() has no option status=: write `.set(Order.status, value)`, or `.set({"status": value})`',
        ),
        (
            lambda: ORDERS.put(customer_id="a", order_id="b"),
            "Order: .put() has no option customer_id=, order_id=: give an instance, `Order(customer_id=…, order_id=…)`",
        ),
        (ORDERS.insert, "Order: .insert() lacks item"),
        (
            ORDERS.changes,
            'lacks start=: say where a consumer begins that has no position yet: start="oldest", start="latest", a',
        ),
        (
            lambda: ORDERS.changes("oldest"),
            "Order: .changes() takes no argument by position, not 1: say where a consumer begins that has no position",
        ),
        (
            lambda: ORDERS.changes(start="oldest", idl=2.0),
            "Order: .changes() has no option idl=: did you mean idle=?",
        ),
        (
            lambda: Order.status.is_in("a", "b"),
            ".is_in() takes 1 argument by position, not 2: give the values as one collection, `Order.status",
        ),
        (lambda: ORDERS.scan().page(limit=5), ".page() has no option limit=: did you mean max_items=?"),
        (lambda: Order.total + 1 + 2, "DynamoDB adds or subtracts two operands"),
        (lambda: Order.total + Order.tax + Order.total, "DynamoDB adds or subtracts two operands"),
    ],
)
def test_wrong_arguments_of_a_verb_are_explained(call: Any, sentence: str):
    """The error names the entity and the verb, and says what to write."""
    with pytest.raises(ExpressionError) as caught:
        call()
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"region": "eu-west-1"}, "Client() has no option region=: did you mean region_name=?"),
        ({"retries": 3}, "Client() has no option retries=: did you mean retry=?"),
        ({"endpoint": "http://127.0.0.1:8000"}, "did you mean endpoint_url=?"),
        ({"tabel_prefix": "dev-"}, "did you mean table_prefix=?"),
    ],
)
def test_wrong_options_of_a_client_are_explained(options: dict[str, Any], sentence: str):
    """It is a TypeError, as of any class."""
    with pytest.raises(TypeError) as caught:
        Client(**options)
    assert sentence in str(caught.value)


def test_a_type_error_inside_of_a_verb_passes():
    """Only what Python cannot bind is explained; signatures and names stay as they were."""

    class Verbs:
        @explained()
        def verb(self, value: int, /, *, option: int = 0) -> int:
            """Add."""
            return value + option

        @explained()
        async def slow(self, value: int) -> int:
            """Return."""
            return value

    verbs: Any = Verbs()
    with pytest.raises(TypeError, match="unsupported operand"):
        verbs.verb(1, option="x")
    assert verbs.verb(1, option=2) == 3
    assert asyncio.run(verbs.slow(5)) == 5
    assert str(inspect.signature(Verbs.verb)) == "(self, value: int, /, *, option: int = 0) -> int"
    assert Verbs.verb.__doc__ == "Add."
    with pytest.raises(ExpressionError, match=r"^\.slow\(\) lacks value$"):
        verbs.slow()


class Bound:
    """Methods that Python binds with any arguments, and others."""

    def anything(self, key=None, /, *more, option=1, **attributes): ...

    def required(self, key, /, *more, **attributes): ...

    def by_name(self, key=None, *more, **attributes): ...

    def option(self, key=None, /, *more, option, **attributes): ...

    def no_more(self, key=None, /, **attributes): ...

    def no_names(self, key=None, /, *more): ...


@pytest.mark.parametrize("name", ["anything", "required", "by_name", "option", "no_more", "no_names"])
def test_a_method_that_takes_anything_looks_at_its_arguments_itself(name: str):
    """Python binds whatever it is given, so that there is nothing to explain: it is not called through another one."""
    method = getattr(Bound, name)
    assert (explained()(method) is method) is (name == "anything")
