"""Sums that leave the range of their type: refused where a sum need not be a value, else an error with a name."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import Any, Literal

import pytest

from mizzle_async import (
    AppliedWriteError,
    Attribute,
    Client,
    ExpressionError,
    MarshallingError,
    PartitionKey,
    attribute,
    entity,
)
from mizzle_async.testing.stub import StubCaller


class Level(IntEnum):
    LOW = 1


@entity("counters")
class Counter:
    name: PartitionKey[str]
    took: Attribute[timedelta] = attribute(default=timedelta())
    until: Attribute[datetime] = attribute(default=datetime(2026, 1, 1, tzinfo=UTC), datetime_format="epoch")
    laps: Attribute[dict[str, timedelta]] = attribute(factory=dict)
    level: Attribute[Level] = attribute(default=Level.LOW)
    step: Attribute[Literal[1, 2]] = attribute(default=1)
    total: Attribute[Decimal] = attribute(default=Decimal(0))
    ratio: Attribute[float] = attribute(default=0.0)


BEYOND = {
    "took": {"N": "86400000000000"},
    "until": {"N": "253402300800"},
    "laps": {"M": {"first": {"N": "1" + "0" * 60}}},
}
"""What the service stores for a sum that Python's type does not hold."""

UPDATES: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "took": lambda counters: counters.update("a").add(Counter.took, timedelta(days=1)),
    "until": lambda counters: counters.update("a").set(Counter.until, Counter.until + timedelta(days=1)),
    "laps": lambda counters: counters.update("a").add(Counter.laps["first"], timedelta(days=1)),
}


def stored(name: str, key: str = "a") -> dict[str, Any]:
    """Return an item whose sum is out of range."""
    return {"name": {"S": key}, name: BEYOND[name]}


async def drained(rows: Any) -> list[Any]:
    """Return the rows of an iteration."""
    return [each async for each in rows]


@pytest.mark.parametrize("name", BEYOND)
async def test_a_write_whose_sum_is_out_of_range_says_that_it_was_applied(name: str):
    """The service adds without a word: the error names the attribute and the item, and the item can be set right."""
    async with Client(caller=StubCaller({"UpdateItem": {"Attributes": stored(name)}})) as client:
        with pytest.raises(AppliedWriteError, match=rf"^Counter\.{name}.*the write was applied") as caught:
            await UPDATES[name](client.table(Counter))
    assert caught.value.key == {"name": {"S": "a"}}


@pytest.mark.parametrize("name", BEYOND)
@pytest.mark.parametrize("way", ["get", "scan", "each", "get_many", "transact_get", "skip"])
async def test_every_read_names_the_item_whose_sum_is_out_of_range(name: str, way: str):
    """A page of many is not a crash without a name; with on_error the others are read."""
    items = [{"name": {"S": "fine"}}, stored(name)]
    seen: list[Any] = []
    replies = {
        "GetItem": {"Item": items[1]},
        "Scan": {"Items": items, "Count": 2, "ScannedCount": 2},
        "BatchGetItem": {"Responses": {"counters": items}},
        "TransactGetItems": {"Responses": [{"Item": item} for item in items]},
    }
    async with Client(caller=StubCaller(replies)) as client:
        counters = client.table(Counter)
        reads: dict[str, Callable[[], Any]] = {
            "get": lambda: counters.get("a"),
            "scan": lambda: counters.scan().all(),
            "each": lambda: drained(counters.scan()),
            "get_many": lambda: counters.get_many(["fine", "a"]).send(),
            "transact_get": lambda: client.transact_get(counters.get("fine"), counters.get("a")),
            "skip": lambda: counters.scan(on_error=seen.append).all(),
        }
        if way == "skip":
            assert [each.name for each in await reads[way]()] == ["fine"]
            (error,) = seen
        else:
            with pytest.raises(MarshallingError) as caught:
                await reads[way]()
            error = caught.value
    assert error.message.startswith(f"Counter.{name}")
    assert error.key == {"name": {"S": "a"}}


@pytest.mark.parametrize("path", [Counter.level, Counter.step])
def test_a_sum_that_need_not_be_a_listed_value_is_refused_before_it_is_sent(path: Any):
    """An Enum of numbers and a Literal take no sums."""
    update = Client(caller=StubCaller()).table(Counter).update("a")
    with pytest.raises(ExpressionError, match="a sum need not be one of its values"):
        update.add(path, 1)
    with pytest.raises(ExpressionError, match="a sum need not be one of its values"):
        update.set(path, path + 1)


async def test_sums_of_the_service_are_read_with_every_digit_that_the_type_has():
    """A number of 38 digits is a Decimal, and the float that is nearest."""
    item = {"name": {"S": "a"}, "total": {"N": "9" * 38}, "ratio": {"N": "9" * 38}}
    async with Client(caller=StubCaller({"UpdateItem": {"Attributes": item}})) as client:
        counter = await client.table(Counter).update("a").add(Counter.total, 1).add(Counter.ratio, 0.5)
    assert (counter.total, counter.ratio) == (Decimal("9" * 38), float("9" * 38))
