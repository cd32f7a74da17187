"""Classes of a program itself, which travel to another process by value."""

import subprocess
import sys

import pytest

MAIN = """
import sys
import cloudpickle
from mizzle_async import Attribute, Client, GlobalSecondaryIndex, PartitionKey, SortKey, attribute, document, entity

@document
class Line:
    name: Attribute[str]

@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    order_id: SortKey[str]
    cents: Attribute[int] = attribute(default=0)
    lines: Attribute[list[Line]] = attribute(factory=list)

BY_CENTS = GlobalSecondaryIndex("by-cents", partition_key=Order.cents)
orders = Client().table(Order)
order = Order(customer_id="c1", order_id="1", lines=[Line(name="x")])
values = {
    "class": Order,
    "instance": order,
    "key": orders.key(customer_id="c1", order_id="1"),
    "condition": Order.cents == 5,
    "index condition": BY_CENTS.partition_key == 5,
    "index": BY_CENTS,
    "operation": orders.insert(order),
    "transaction": Client().transact_write(orders.insert(order)),
    "query": orders.scan().filter(Order.cents == 5).part(1, of=2),
    "path": Order.lines[0][Line.name],
}
sys.stdout.buffer.write(cloudpickle.dumps({name: cloudpickle.dumps(value) for name, value in values.items()}))
"""
OTHER = """
import asyncio, pickle, sys
from mizzle_async import Client
from mizzle_async.testing.stub import StubCaller

data = pickle.loads(sys.stdin.buffer.read())
order = list(data) if len(sys.argv) < 2 else list(data)[::-1]
EMPTY = {"Items": [], "Count": 0, "ScannedCount": 0}
values = {name: pickle.loads(data[name]) for name in order}
cls = values["class"]
assert type(values["instance"]) is cls, "one class"
assert repr(values["condition"].left.owner) == repr(cls)
assert values["index condition"].index is values["index"], "one index"
assert values["path"].owner is cls

async def main():
    answers = {"PutItem": {}, "TransactWriteItems": {}, "Query": EMPTY, "Scan": EMPTY}
    async with Client(caller=StubCaller(answers)) as client:
        stored = await client.send(values["operation"])
        assert stored == values["instance"], stored
        assert await client.send(values["transaction"]) == (values["instance"],)
        assert await client.table(cls).query(values["index condition"]).all() == []
        assert await values["query"].on(client).all() == []
        client.check(cls)

asyncio.run(main())
print("arrived")
"""


@pytest.mark.parametrize("order", [[], ["reversed"]], ids=["in order", "reversed"])
def test_an_entity_of_main_travels_by_cloudpickle(order: list[str]):
    """Spark, Dask and Ray send such classes by value; indexes travel with them, and what arrives can be sent."""
    run = subprocess.run([sys.executable, "-c", MAIN], capture_output=True, check=True, timeout=120)
    other = subprocess.run(
        [sys.executable, "-c", OTHER, *order], input=run.stdout, capture_output=True, check=False, timeout=120
    )
    assert (other.returncode, other.stdout, other.stderr[-2000:]) == (0, b"arrived\n", b"")
