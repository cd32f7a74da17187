"""Reading some attributes of items by key: requests, rows, and what travels beside them."""

import pickle
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    ItemNotFoundError,
    MarshallingError,
    PartitionKey,
    SharedTable,
    SortKey,
    attribute,
    document,
    entity,
)
from mizzle_async.testing.stub import StubCaller


@document
class Part:
    name: Attribute[str] = attribute(name="n")


@entity("orders")
class Order:
    id: PartitionKey[str]
    number: SortKey[int]
    total: Attribute[Decimal] = attribute(default=Decimal(0), name="t")
    part: Attribute[Part | None] = attribute(default=None)
    lines: Attribute[list[str]] = attribute(factory=list)
    until: Attribute[datetime | None] = attribute(default=None, time_to_live=True)


STORED = {"id": {"S": "1"}, "number": {"N": "7"}, "t": {"N": "5"}, "part": {"M": {"n": {"S": "a"}}}}
NOW = 4_000_000_000.0
PAST, FUTURE = {"N": "3999999990"}, {"N": "4000000010"}
NAMES = ["part", "n", "t", "id", "number", "until"]


async def opened(**replies: Any) -> tuple[Any, StubCaller]:
    """Open a client on scripted answers, and return its table."""
    caller = StubCaller(replies)
    client = await Client(caller=caller, clock=lambda: NOW).open()
    return client.table(Order), caller


async def test_get_asks_for_some_attributes():
    """A projected get asks for the paths, the key and the time to live, and gives a tuple in the paths' order."""
    orders, caller = await opened(GetItem=[{"Item": STORED}, {}])
    row = await orders.get(id="1", number=7, consistent_read=True).project(Order.part[Part.name], Order.total)
    assert row == ("a", Decimal(5))
    assert caller.payloads[0] == {
        "TableName": "orders",
        "Key": {"id": {"S": "1"}, "number": {"N": "7"}},
        "ConsistentRead": True,
        "ProjectionExpression": "#part.#n, #t, #id, #number, #until",
        "ExpressionAttributeNames": {
            "#part": "part",
            "#n": "n",
            "#t": "t",
            "#id": "id",
            "#number": "number",
            "#until": "until",
        },
    }
    assert await orders.get(id="1", number=7).project(Order.total) is None


async def test_absent_attributes_have_an_instance_s_values():
    """An absent attribute is its default, a missing item an error of get_one."""
    orders, _ = await opened(GetItem=[{"Item": {"id": {"S": "1"}, "number": {"N": "7"}}}, {}])
    assert await orders.get_one(id="1", number=7).project(Order.total, Order.lines, Order.part) == (
        Decimal(0),
        [],
        None,
    )
    with pytest.raises(ItemNotFoundError):
        await orders.get_one(id="1", number=7).project(Order.total)


async def test_expired_items_are_hidden():
    """An expired item is none, unless it is asked for."""
    expired = {"Item": STORED | {"until": PAST}}
    orders, _ = await opened(GetItem=[expired, expired, {"Item": STORED | {"until": FUTURE}}])
    assert await orders.get(id="1", number=7).project(Order.total) is None
    assert await orders.get(id="1", number=7, include_expired=True).project(Order.total) == (Decimal(5),)
    assert await orders.get(id="1", number=7).project(Order.total) == (Decimal(5),)


async def test_wrong_values_and_paths_are_errors():
    """A value that does not fit, a path of nowhere, no path, and a second projection are errors."""
    orders, _ = await opened(GetItem=[{"Item": STORED | {"t": {"S": "x"}}}])
    with pytest.raises(MarshallingError, match=r"Order\.t"):
        await orders.get(id="1", number=7).project(Order.total)
    with pytest.raises(ExpressionError, match=r"\.project\(\) takes the attributes"):
        orders.get(id="1", number=7).project()
    with pytest.raises(ExpressionError, match=r"has no"):
        orders.get(id="1", number=7).project(Order.total["x"])
    with pytest.raises(ExpressionError, match="said twice"):
        orders.get(id="1", number=7).project(Order.total).project(Order.total)


async def test_transactions_read_some_attributes():
    """A projected get in a transaction asks for its attributes alone, beside whole ones."""
    caller = StubCaller(
        {"TransactGetItems": [{"Responses": [{"Item": STORED}, {"Item": STORED | {"number": {"N": "8"}}}]}]}
    )
    client = await Client(caller=caller).open()
    orders = client.table(Order)
    row, whole = await client.transact_get(
        orders.get(id="1", number=7).project(Order.total), orders.get(id="1", number=8)
    )
    assert row == (Decimal(5),)
    assert whole == Order(id="1", number=8, total=Decimal(5), part=Part(name="a"))
    first, second = (each["Get"] for each in caller.payloads[0]["TransactItems"])
    assert first["ProjectionExpression"] == "#t, #id, #number, #until"
    assert second.keys() == {"TableName", "Key"}


async def test_many_items_by_key_give_rows():
    """get_many asks each request for the attributes, and gives rows in the order of the keys."""
    items = [STORED, STORED | {"number": {"N": "8"}, "t": {"N": "6"}}, STORED | {"number": {"N": "9"}, "until": PAST}]
    answer = {"Responses": {"orders": items}}
    orders, caller = await opened(BatchGetItem=[answer, answer])
    keys = [orders.key(id="1", number=number) for number in (8, 7, 9, 10)]
    read = orders.get_many(keys).project(Order.number, Order.total)
    assert await read == [(8, Decimal(6)), (7, Decimal(5)), None, None]
    request = caller.payloads[0]["RequestItems"]["orders"]
    assert request["ProjectionExpression"] == "#number, #t, #id, #until"
    again = orders.get_many(keys, include_expired=True).project(Order.total)
    assert {key.item["number"]["N"]: row async for key, row in again} == {
        "7": (Decimal(5),),
        "8": (Decimal(6),),
        "9": (Decimal(5),),
        "10": None,
    }
    with pytest.raises(ExpressionError, match="said twice"):
        orders.get_many(keys).project(Order.total).project(Order.total)


async def test_parts_of_a_shared_key_are_read_from_it():
    """In a shared table, a part that the key alone holds is read from the key, and another entity's item is refused."""
    table = SharedTable("app", partition_key="pk", sort_key="sk", type_attribute="type")

    @entity(table, partition_key="C#{customer}", sort_key="O#{number}")
    class Purchase:
        customer: PartitionKey[str] = attribute(key_only=True)
        number: SortKey[int] = attribute(key_only=True)
        total: Attribute[int] = attribute(default=0)

    item = {"pk": {"S": "C#a"}, "sk": {"S": "O#7"}, "type": {"S": "Purchase"}, "total": {"N": "3"}}
    caller = StubCaller({"GetItem": [{"Item": item}, {"Item": item | {"type": {"S": "Other"}}}]})
    purchases = (await Client(caller=caller).open()).table(Purchase)
    assert await purchases.get(customer="a", number=7).project(Purchase.customer, Purchase.total) == ("a", 3)
    assert "#type" in caller.payloads[0]["ProjectionExpression"]
    with pytest.raises(MarshallingError):
        await purchases.get(customer="a", number=7).project(Purchase.total)


async def test_projected_get_survives_a_pickle():
    """A projected get can be pickled, and sent by another client."""
    orders, caller = await opened(GetItem=[{"Item": STORED}])
    back = pickle.loads(pickle.dumps(orders.get(id="1", number=7).project(Order.total)))
    client = await Client(caller=caller).open()
    assert await client.send(back) == (Decimal(5),)


def test_times_are_projected():
    """A time to live that is asked for is asked for once."""
    orders = Client(caller=StubCaller({})).table(Order)
    body = orders.get(id="1", number=7).project(Order.until).to_wire()
    assert body["ProjectionExpression"] == "#until, #id, #number"
