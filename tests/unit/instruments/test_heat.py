import random
from collections import Counter

import orjson
import pytest

from mizzle_async import (
    Attribute,
    Client,
    GlobalSecondaryIndex,
    Heat,
    HeatReport,
    PartitionKey,
    SortKey,
    ThrottledError,
    ValidationError,
    attribute,
    entity,
)
from mizzle_async.instruments.heat import HeavyHitters
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.stub import StubCaller
from mizzle_async.types import CallRecord


@entity("orders")
class Order:
    customer_id: PartitionKey[int]
    number: SortKey[int]
    status: Attribute[str] = attribute(default="open")


BY_STATUS = GlobalSecondaryIndex("by-status", partition_key=Order.status)


@entity("plain")
class Plain:
    name: PartitionKey[str]


def test_sketch_keeps_the_heavy_keys():
    """Among a hundred thousand keys the heavy ones are found in the memory of a hundred, and never underestimated."""
    chance = random.Random(1)
    sketch = HeavyHitters(100)
    exact = Counter()
    for _ in range(50_000):
        key = chance.choice(["hot", "warm"]) if chance.random() < 0.3 else f"cold{chance.randrange(100_000)}"
        exact[key] += 1
        sketch.add(key, 1.0)
    assert len(sketch) == 100
    assert sketch.total == 50_000
    top = sketch.top()
    assert {key for key, _, _ in top[:2]} == {"hot", "warm"}
    for key, units, error in top:
        assert units - error <= exact[key] <= units


def test_client_counts_what_its_calls_consume():
    """Gets, writes, batches and queries count for their partition keys, by what the service says they consumed."""
    caller = StubCaller(
        {
            "GetItem": {"ConsumedCapacity": {"TableName": "orders", "CapacityUnits": 2.0}},
            "PutItem": {"ConsumedCapacity": {"TableName": "orders", "CapacityUnits": 3.0}},
            "Query": {"Items": [], "ConsumedCapacity": {"CapacityUnits": 0.5}},
            "Scan": {"Items": [], "ConsumedCapacity": {"CapacityUnits": 0.5}},
            "BatchWriteItem": {"ConsumedCapacity": [{"CapacityUnits": 8.0}]},
            "BatchGetItem": {"Responses": {}},
        }
    )

    heat = Heat()

    async def main():
        async with Client(caller=caller, instrument=heat) as client:
            orders = client.table(Order)
            assert str(heat.report()) == "no partition key has consumed anything yet"
            await orders.get(customer_id=1, number=1)
            await orders.put(Order(customer_id=1, number=1))
            await orders.query(Order.customer_id == 2).all()
            await orders.query(BY_STATUS.partition_key == "open").all()
            await orders.scan().all()
            await orders.put_many([Order(customer_id=3, number=number) for number in range(4)])
            await client.table(Plain).put_many([Plain(name="x")])
            await orders.get_many([orders.key(customer_id=5, number=1)])
            return heat.report()

    report = run_virtual(main())
    assert {(key.table, key.key): key.units for key in report.keys} == {
        ("orders", "3"): 8.0,
        ("plain", "x"): 8.0,
        ("orders", "1"): 5.0,
        ("orders", "5"): 1.0,
        ("orders", "2"): 0.5,
        ("orders/by-status", "open"): 0.5,
    }
    assert all(orjson.loads(request.body)["ReturnConsumedCapacity"] for request in caller.requests)


def test_instrument_with_a_second_method_gets_operations_with_their_answers(caplog):
    """`call_answered` is called with each operation that succeeded and its answer; its failure fails no call."""
    caller = StubCaller({"GetItem": {"Item": {"name": {"S": "x"}}}, "DeleteItem": ValidationError("no")})
    seen = []

    class Listener:
        def call_finished(self, call):
            """Called for every call."""

        def call_answered(self, request, answer):
            seen.append((request.to_wire()["Key"], answer.payload))
            raise RuntimeError("broken")

    async def main():
        async with Client(caller=caller, instrument=Listener()) as client:
            plain = client.table(Plain)
            with pytest.raises(ValidationError):
                await plain.delete("x")
            return await plain.get("x")

    assert run_virtual(main()) == Plain(name="x")
    assert seen == [({"name": {"S": "x"}}, {"Item": {"name": {"S": "x"}}})]
    assert "an instrument failed: Listener" in caplog.text


def test_plot_of_a_skewed_load():
    """The plot shows the hottest keys with bars, the skew, and what the service throttled."""
    heat = Heat(keys=50)
    for number in range(200):
        heat.count("orders", f"customer-{number % 40}", 1.0)
    heat.count("orders", "a" * 100, 300.0)
    reasons = [{"reason": "TableWriteKeyRangeThroughputExceeded", "resource": "arn:orders"}]
    error = ThrottledError("too fast", payload={"ThrottlingReasons": reasons})
    for failure in (error, error, None):
        heat.call_finished(CallRecord("PutItem", "orders", None, 0.1, 1, "", failure))
    report = heat.report()
    assert report.hottest_share == 0.6
    assert report.skew == pytest.approx(24.6)
    assert 2 < report.effective_keys < 3
    lines = str(report).splitlines()
    assert lines[0].startswith("500.0 units over 41 partition keys; the hottest takes 60.0%, 24.6 times its fair share")
    assert lines[1].count("█") == 30
    assert "…" in lines[1]
    assert len(lines) == 12
    assert lines[-1] == "throttled 2 times: TableWriteKeyRangeThroughputExceeded arn:orders"
    assert repr(heat) == "<Heat 41 keys, 500.0 units>"
    heat.reset()
    assert heat.report() == HeatReport(0.0, ())
    assert heat.report().effective_keys == 0.0


def test_sample_of_an_input():
    """Before a load, a sample of its input shows how it would spread."""
    orders = Client().table(Order)
    sample = (Order(customer_id=0 if number % 2 else number, number=number) for number in range(10**9))
    report = Heat.estimate(orders, sample, max_items=1000)
    assert report.units == 1000.0
    assert report.keys[0].key == "0"
    assert report.hottest_share == pytest.approx(0.5, abs=0.01)


def test_sketch_that_is_full_says_so():
    """A report of more keys than are remembered is marked, and errors are shown."""
    heat = Heat(keys=3)
    for number in range(10):
        heat.count("t", str(number), 1.0)
    text = str(heat.report())
    assert "3+ partition keys" in text
    assert "(-" in text


def test_keys_do_not_break_the_plot():
    """Characters of a key that move the cursor, or worse, are shown as what they are."""
    heat = Heat()
    heat.count("t", "two\nlines", 2.0)
    heat.count("t", "\x1b[31mred é", 1.0)
    lines = str(heat.report()).splitlines()
    assert len(lines) == 3
    assert "two\\nlines" in lines[1]
    assert "\\x1b[31mred é" in lines[2]
