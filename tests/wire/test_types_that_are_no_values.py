"""What tells an item's entity, or that it is a guard, may be no attribute value: that is an error of the library's."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    CorruptResponseError,
    MarshallingError,
    PartitionKey,
    SharedTable,
    SortKey,
    attribute,
    entity,
)
from mizzle_async.testing import StubCaller, run_virtual

SHARED = SharedTable("shop", partition_key="PK", sort_key="SK")


@entity(SHARED, partition_key="CUSTOMER#{customer_id}", sort_key="ORDER#{number}")
class Order:
    """Its table has items of other entities."""

    customer_id: PartitionKey[str]
    number: SortKey[int]
    total: Attribute[int] = attribute(default=0)


@entity(SHARED, partition_key="CUSTOMER#{customer_id}", sort_key="PROFILE")
class Customer:
    """One of those."""

    customer_id: PartitionKey[str]


@entity("users")
class User:
    """Its table has guard items."""

    user_id: PartitionKey[str]
    email: Attribute[str] = attribute(default="", unique=True)


ORDER: dict[str, Any] = {
    "PK": {"S": "CUSTOMER#c"},
    "SK": {"S": "ORDER#1"},
    "_type": {"S": "Order"},
    "customer_id": {"S": "c"},
    "number": {"N": "1"},
}
USER: dict[str, Any] = {"user_id": {"S": "u"}, "email": {"S": "e"}}
NO_VALUES = [5, "x", [], [{}], True]

ORDERS: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "get": lambda client: client.table(Order).get(customer_id="c", number=1).send(),
    "query": lambda client: client.table(Order).query(Order.customer_id == "c").all(),
    "first": lambda client: client.table(Order).query(Order.customer_id == "c").first(),
    "rows": lambda client: client.table(Order).query(Order.customer_id == "c").project(Order.total).all(),
    "scan": lambda client: client.table(Order).scan().all(),
    "execute": lambda client: client.execute("SELECT * FROM shop", into=Order).all(),
}
USERS: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "scan": lambda client: client.table(User).scan().all(),
    "execute": lambda client: client.execute("SELECT * FROM users", into=User).all(),
}


def ask(item: dict[str, Any], call: Callable[[Client], Awaitable[Any]]) -> Any:
    """Return the result of a call that is answered with an item."""
    page = {"Items": [item], "Count": 1, "ScannedCount": 1}
    answers = {"GetItem": {"Item": item}, "Query": page, "Scan": page, "ExecuteStatement": {"Items": [item]}}

    async def main() -> Any:
        async with Client(caller=StubCaller(answers)) as client:
            return await call(client)

    return run_virtual(main())


@pytest.mark.parametrize("name", ["_type", "PK"])
@pytest.mark.parametrize("value", NO_VALUES, ids=repr)
@pytest.mark.parametrize("verb", ORDERS)
def test_entity_of_an_item_that_is_none(verb: str, value: Any, name: str):
    """The type, or the key where there is no type."""
    item = {**ORDER, name: value}
    if name == "PK":
        del item["_type"]
    with pytest.raises((CorruptResponseError, MarshallingError)):
        ask(item, ORDERS[verb])


@pytest.mark.parametrize("value", NO_VALUES, ids=repr)
@pytest.mark.parametrize("verb", USERS)
def test_guard_that_is_none(verb: str, value: Any):
    """The key that would tell it is no text."""
    with pytest.raises((CorruptResponseError, MarshallingError)):
        ask({**USER, "user_id": value}, USERS[verb])


@pytest.mark.parametrize("text", [{"M": {}}, ["x"], 5], ids=repr)
def test_guard_whose_text_is_none(text: Any):
    """A statement may return guards, so that each key is looked at."""
    with pytest.raises(CorruptResponseError):
        ask({**USER, "user_id": {"S": text}}, USERS["execute"])
