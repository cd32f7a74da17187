"""What is pickled arrives: operations with the converter of their sender, classes of a program by value, no secret."""

import pickle
import subprocess
import sys
from typing import Any

import cattrs
import pytest

from mizzle_async import Attribute, Client, PartitionKey, attribute, entity
from mizzle_async.testing import StubCaller


@entity("accounts")
class Account:
    id: PartitionKey[str]
    cents: Attribute[int] = attribute(default=0)


class Strange:
    """A type that only a converter knows."""

    def __init__(self, text: str) -> None:
        self.text = text


ITEM = {"id": {"S": "a"}, "cents": {"N": "5"}}


@pytest.mark.parametrize("verb", ["get", "query", "put", "update", "transact"])
async def test_an_operation_that_was_pickled_decodes_with_the_client_that_sends_it(verb: str) -> None:
    """What sends decodes: the converter of the client counts, not that of nobody."""
    converter: Any = cattrs.Converter()
    converter.register_structure_hook(int, lambda value, _: int(value) * 100)
    converter.register_unstructure_hook(int, lambda value: value)
    caller = StubCaller(
        {
            "GetItem": {"Item": ITEM},
            "Query": {"Items": [ITEM], "Count": 1, "ScannedCount": 1},
            "PutItem": {"Attributes": ITEM},
            "DeleteItem": {"Attributes": ITEM},
            "UpdateItem": {"Attributes": ITEM},
            "TransactGetItems": {"Responses": [{"Item": ITEM}]},
        }
    )
    async with Client(caller=caller, converter=converter) as client:
        table = client.table(Account)
        operation: Any = {
            "get": lambda: table.get(id="a"),
            "query": lambda: table.get_one(id="a"),
            "put": lambda: table.delete(id="a"),
            "update": lambda: table.update(id="a").set(Account.cents, 5),
            "transact": lambda: client.transact_get(table.get(id="a")),
        }[verb]()
        answer = await client.send(pickle.loads(pickle.dumps(operation)))
    assert (answer[0] if verb == "transact" else answer) == Account(id="a", cents=500)


def test_an_operation_of_a_type_that_only_a_converter_knows_can_be_loaded() -> None:
    """Loading it raises nothing: only a client without the converter cannot send it."""
    converter: Any = cattrs.Converter()
    converter.register_structure_hook(Strange, lambda value, _: Strange(value))
    converter.register_unstructure_hook(Strange, lambda value: value.text)

    operation = Client(converter=converter).table(Holder).get(id="a")
    loaded = pickle.loads(pickle.dumps(operation))
    operation.to_wire()
    assert "GetItem" in repr(loaded) or loaded.to_wire()


@entity("holders")
class Holder:
    id: PartitionKey[str]
    strange: Attribute[Strange | None] = attribute(default=None)


SENDS = """
import sys, cloudpickle
from mizzle_async import Attribute, Client, GlobalSecondaryIndex, PartitionKey, attribute, document, entity

@document
class Line:
    name: Attribute[str]

@entity("orders")
class Order:
    id: PartitionKey[str]
    cents: Attribute[int] = attribute(default=0)
    lines: Attribute[list[Line]] = attribute(factory=list)

BY_CENTS = GlobalSecondaryIndex("by-cents", partition_key=Order.cents)
orders = Client().table(Order)
order = Order(id="1", lines=[Line(name="x")])
values = {
    "class": Order, "instance": order, "key": orders.key(id="1"), "condition": Order.cents == 5,
    "index": BY_CENTS.partition_key == 5, "operation": orders.insert(order),
}
for value in values.values():
    sys.stdout.buffer.write(len(data := cloudpickle.dumps(value)).to_bytes(4, "big") + data)
"""
TAKES = """
import pickle, sys
names = ["class", "instance", "key", "condition", "index", "operation"]
data, failed = sys.stdin.buffer.read(), []
for name in names:
    size, data = int.from_bytes(data[:4], "big"), data[4:]
    one, data = data[:size], data[size:]
    try:
        value = pickle.loads(one)
        if name == "operation":
            value.to_wire()
        if name == "instance":
            assert value.lines[0].name == "x"
    except Exception as error:
        failed.append(f"{name}: {type(error).__name__}: {error}")
print(failed)
"""


def test_a_class_of_main_travels_by_value() -> None:
    """A class of a notebook, its instances, keys, conditions and operations are loaded in another process."""
    sent = subprocess.run([sys.executable, "-c", SENDS], capture_output=True, check=False, timeout=120)
    assert sent.stderr.decode()[-500:] == ""
    took = subprocess.run(
        [sys.executable, "-c", TAKES], input=sent.stdout, capture_output=True, check=False, timeout=120
    )
    assert (took.stdout.decode().strip(), took.stderr.decode()[-500:]) == ("[]", "")
