"""Frames into items: checked as the class declares, exact, row by row."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import numpy as np
import orjson
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mizzle_async import (
    Attribute,
    BatchError,
    Client,
    ExpressionError,
    GlobalSecondaryIndex,
    ModelError,
    PartitionKey,
    SortKey,
    UndoneWrite,
    attribute,
    entity,
)
from mizzle_async.integrations.arrow import arrow_schema
from mizzle_async.testing.stub import StubCaller


class Status(Enum):
    OPEN = "open"


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    number: SortKey[int]
    status: Attribute[Status] = attribute(default=Status.OPEN)
    total: Attribute[Decimal] = attribute(name="t", default=Decimal("0.5"))
    placed: Attribute[datetime | None] = attribute(default=None)
    tags: Attribute[set[str]] = attribute(factory=set)
    ratio: Attribute[float | None] = attribute(default=None)
    day: Attribute[date | None] = attribute(default=None)
    took: Attribute[timedelta | None] = attribute(default=None)
    email: Attribute[str | None] = attribute(default=None)
    data: Attribute[bytes | None] = attribute(default=None)


BY_EMAIL = GlobalSecondaryIndex("by-email", partition_key=Order.email)
KEYS = {"customer_id": ["a", "b"], "number": [1, 2]}
STORED = {"status": {"S": "open"}, "t": {"N": "0.5"}}


class Puts(StubCaller):
    """Keeps the items of batches."""

    def __init__(self) -> None:
        super().__init__({"BatchWriteItem": self.write})
        self.items: list[dict[str, Any]] = []

    def write(self, request: Any) -> Any:
        for entries in orjson.loads(request.body)["RequestItems"].values():
            self.items += [entry["PutRequest"]["Item"] for entry in entries]
        return {"UnprocessedItems": {}}


async def put(data: Any, model: Any = Order, **options: Any) -> list[dict[str, Any]]:
    """Put a frame, and return the items that were sent."""
    caller = Puts()
    async with Client(caller=caller) as client:
        report = await client.table(model).put_arrow(data, **options)
    assert report.written == len(caller.items)
    return caller.items


@pytest.mark.parametrize("digits", range(21, 39))
async def test_every_digit_of_a_decimal_is_written(digits: int):
    """A column of the caller's may have more digits before the point than one of ours, beside numbers of exponents."""
    large = Decimal("9" + "0" * (digits - 1))
    for small, scale in ((Decimal(1), 0), (Decimal("1E-7"), 7)):
        if digits + scale <= 38:
            totals = pa.array([large, small], pa.decimal128(38, scale))
            items = await put(pa.table({**KEYS, "total": totals}))
            assert [Decimal(item["t"]["N"]) for item in items] == [large, small]


async def test_columns_go_by_name_and_defaults_complete_the_rows():
    """Their order is no matter, null is absence or the default, an empty set is absent."""
    table = pa.table(
        {
            "number": pa.array([1, 2], pa.int32()),
            "total": pa.array([Decimal("12.50"), None], pa.decimal128(12, 2)),
            "customer_id": pa.array(["a", "b"], pa.large_string()),
            "placed": pa.array([datetime(2026, 1, 31, 9, tzinfo=UTC), None], pa.timestamp("ms", "Europe/Berlin")),
            "tags": pa.array([["y", "x", "y"], []]),
            "ratio": pa.array([0.1, None], pa.float64()),
            "day": pa.array([date(2026, 1, 31), None]),
            "took": pa.array([timedelta(seconds=1.5), None], pa.duration("ms")),
            "data": pa.array([b"\x00", None]),
        }
    )
    assert await put(table) == [
        {
            "customer_id": {"S": "a"},
            "number": {"N": "1"},
            "status": {"S": "open"},
            "t": {"N": "12.5"},
            "placed": {"S": "2026-01-31T09:00:00.000000Z"},
            "tags": {"SS": ["x", "y"]},
            "ratio": {"N": "0.1"},
            "day": {"S": "2026-01-31"},
            "took": {"N": "1.5"},
            "data": {"B": "AA=="},
        },
        {"customer_id": {"S": "b"}, "number": {"N": "2"}, **STORED},
    ]


async def async_batches(table: Any) -> AsyncIterator[Any]:
    """Yield the rows of a table as batches."""
    for batch in table.to_batches(max_chunksize=1):
        yield batch


async def test_every_kind_of_frame():
    """Tables, batches, readers, iterables of batches, asynchronous ones; polars and pandas."""
    table = pa.table(KEYS)
    frames = [
        table,
        table.to_batches()[0],
        table.to_reader(),
        table.to_batches(max_chunksize=1),
        (batch for batch in table.to_batches(max_chunksize=1)),
        async_batches(table),
        pl.DataFrame(KEYS),
        pd.DataFrame(KEYS),
        pd.DataFrame(KEYS, index=["x", "y"]),
    ]
    for frame in frames:
        items = await put(frame)
        assert [item["number"]["N"] for item in items] == ["1", "2"], type(frame)
    for frame in ("text", {"customer_id": []}, 5, [1]):
        with pytest.raises(ExpressionError, match=r"put_arrow\(\) takes"):
            await put(frame)


async def test_pandas_has_its_own_ways_of_saying_nothing():
    """NaN and NA are null, numpy's scalars their type, categories text, time zones are converted."""
    frame = pd.DataFrame(
        {
            "customer_id": pd.Categorical(["a", "b"]),
            "number": np.array([1, 2], dtype="int16"),
            "ratio": [np.float64(0.5), float("nan")],
            "email": ["x@y", None],
            "placed": pd.to_datetime(["2026-01-31T10:00:00+01:00", None]),
            "status": ["open", pd.NA],
        }
    )
    first, second = await put(frame)
    assert first["placed"] == {"S": "2026-01-31T09:00:00.000000Z"}
    assert first["ratio"] == {"N": "0.5"}
    assert second == {"customer_id": {"S": "b"}, "number": {"N": "2"}, **STORED}


async def test_whole_numbers_of_pandas_may_be_floats():
    """A column of integers with a hole is float in pandas: whole values are taken, others refused."""

    @entity("counts")
    class Count:
        name: PartitionKey[str]
        n: Attribute[int | None] = attribute(default=None)

    items = await put(pd.DataFrame({"name": ["a", "b"], "n": [5.0, float("nan")]}), Count)
    assert items == [{"name": {"S": "a"}, "n": {"N": "5"}}, {"name": {"S": "b"}}]
    with pytest.raises(BatchError) as caught:
        await put(pd.DataFrame({"name": ["a"], "n": [5.5]}), Count)
    assert "Count.n: expected a value that int64 holds exactly" in str(caught.value.report.failed[0].error)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({**KEYS, "unheard": [1, 2]}, r"does not declare: 'unheard'; leave them out, or extra=\"drop\" does"),
        ({"customer_id": ["a"]}, r"the frame has no column 'number', which the class needs"),
        ({**KEYS, "placed": pa.array([datetime(2026, 1, 1)] * 2)}, r"Order\.placed: .* give it a time zone"),  # noqa: DTZ001  (naive on purpose)
        ({**KEYS, "total": [0.5, 0.25]}, r"Order\.total: a column of type double is not written to it"),
        ({**KEYS, "email": [1, 2]}, r"Order\.email: a column of type int64 is not written to it"),
        ({**KEYS, "tags": ["a", "b"]}, r"Order\.tags: a column of type string"),
        ({**KEYS, "day": pa.array([1, 2])}, r"Order\.day: a column of type int64"),
    ],
)  # fmt: skip
async def test_columns_that_are_not_the_class_are_refused(columns: Any, message: str):
    """Before anything is sent; each message has the way out."""
    with pytest.raises(ModelError, match=message):
        await put(pa.table(columns))


async def test_a_name_twice_is_refused_and_extra_columns_can_be_dropped():
    """A second column of one name would win silently."""
    twice = pa.Table.from_arrays(
        [pa.array(["a"]), pa.array([1]), pa.array([2])], names=["customer_id", "number", "number"]
    )
    with pytest.raises(ModelError, match="has two columns 'number'"):
        await put(twice)
    assert len(await put(pa.table({**KEYS, "unheard": [1, 2]}), extra="drop")) == 2
    with pytest.raises(ExpressionError, match=r"extra= is 'raise' or 'drop', not 'x'"):
        await put(pa.table(KEYS), extra="x")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("customer_id", "", r"Order\.customer_id: expected a partition key of 1 to 2,048 bytes, found one of 0"),
        ("customer_id", None, r"Order\.customer_id: expected S, found no such attribute"),
        ("number", None, r"Order\.number: expected N, found no such attribute"),
        ("status", "unheard", r"Order\.status: expected a value of Status, found another"),
        ("ratio", float("inf"), r"Order\.ratio: expected a finite number, found infinity"),
        ("ratio", float("nan"), r"Order\.ratio: expected a finite number, found NaN"),
        ("email", "", r"expected a partition key of index 'by-email' of 1 to 2,048 bytes"),
    ],
)
async def test_a_row_that_cannot_be_stored_is_a_failure_of_its_own(name: str, value: Any, message: str):
    """It is reported with its position, nothing of it is sent, and with `on_error=` the rest is written."""
    good = {"customer_id": "g", "number": 7, "status": "open", "ratio": 0.5, "email": "e"}
    rows = [good | {"number": 1}, good | {name: value}, good | {"number": 3}]
    table = pa.table({each: pa.array([row[each] for row in rows]) for each in good})
    refused: list[UndoneWrite] = []
    items = await put(table, on_error=refused.append)
    assert [item["number"]["N"] for item in items] == ["1", "3"]
    (undone,) = refused
    assert undone.position == 1
    shown = undone.item.to_dict()
    assert shown["customer_id"] == rows[1]["customer_id"]
    with pytest.raises(type(undone.error), match=message):
        raise undone.error
    with pytest.raises(BatchError):
        await put(table)


async def test_nanoseconds_are_refused_and_not_cut():
    """A time that microseconds do not hold."""
    table = pa.table({**KEYS, "placed": pa.array([1, 1000], pa.timestamp("ns", "UTC"))})
    refused: list[UndoneWrite] = []
    items = await put(table, on_error=refused.append)
    assert [item["number"]["N"] for item in items] == ["2"]
    assert "Order.placed: expected a value that timestamp[us, tz=UTC] holds exactly" in str(refused[0].error)


@pytest.mark.parametrize("beyond", [-719_163, 2_932_897])
async def test_a_day_of_a_year_that_python_does_not_have_is_refused(beyond: int):
    """Arrow's days go further than the years 1 to 9999, and a text that no reader takes is not written."""
    table = pa.table({**KEYS, "day": pa.array([beyond, 2_932_896], pa.int32()).cast(pa.date32())})
    refused: list[UndoneWrite] = []
    items = await put(table, on_error=refused.append)
    assert [item["day"] for item in items] == [{"S": "9999-12-31"}]
    assert "Order.day: expected a value that date32[day] holds exactly" in str(refused[0].error)


async def test_roles_shards_and_refused_entities():
    """Timestamps are stamped, keys are spread, and what a batch cannot check is refused, as by put_many."""

    @entity("events")
    class Event:
        device: PartitionKey[str] = attribute(shards=4)
        at: SortKey[int]
        seen: Attribute[datetime | None] = attribute(updated_at=True, default=None)

    @entity("versions")
    class Versioned:
        name: PartitionKey[str]
        version: Attribute[int] = attribute(version=True, default=0)

    caller = Puts()
    async with Client(caller=caller, clock=lambda: 1_000_000_000.0) as client:
        await client.table(Event).put_arrow(pa.table({"device": ["d"] * 3, "at": [1, 2, 3]}))
        by_many = Puts()
        async with Client(caller=by_many, clock=lambda: 1_000_000_000.0) as other:
            await other.table(Event).put_many(Event(device="d", at=at) for at in (1, 2, 3))
        assert caller.items == by_many.items
        with pytest.raises(ExpressionError):
            client.table(Versioned).put_arrow(pa.table({"name": ["a"]}))


async def test_a_load_that_was_killed_goes_on(tmp_path: Any):
    """The state file is that of any load: keys in their order."""
    state = tmp_path / "state.json"
    table = pa.table({"customer_id": ["c"] * 100, "number": range(100)})
    assert len(await put(table, resume=state)) == 100
    caller = Puts()
    async with Client(caller=caller) as client:
        report = await client.table(Order).put_arrow(table, resume=state)
    assert (report.skipped, caller.items) == (100, [])


async def test_a_table_without_a_class_takes_arrow_types():
    """Numbers, sets by their mark, maps, structs, JSON; null is absence."""
    fields = [
        pa.field("id", pa.string()),
        pa.field("n", pa.float64()),
        pa.field("s", pa.list_(pa.int64()), metadata={"mizzle": "set"}),
        pa.field("m", pa.map_(pa.string(), pa.int64())),
        pa.field("t", pa.struct([("a", pa.bool_()), ("b", pa.string())])),
        pa.field("j", pa.string(), metadata={"mizzle": "json"}),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field("x", pa.null()),
    ]
    rows = [
        {"id": "a", "n": 1.5, "s": [1, 2], "m": [("k", 1)], "t": {"a": True, "b": None}, "j": '{"q":[1.50]}',
         "at": datetime(2026, 1, 1, tzinfo=UTC), "x": None},
        {"id": "b", "n": None, "s": None, "m": None, "t": None, "j": None, "at": None, "x": None},
        {"id": "", "n": None, "s": None, "m": None, "t": None, "j": None, "at": None, "x": None},
    ]  # fmt: skip
    caller = Puts()
    refused: list[UndoneWrite] = []
    async with Client(caller=caller) as client:
        legacy = client.table("legacy", partition_key="id")
        await legacy.put_arrow(pa.Table.from_pylist(rows, pa.schema(fields)), on_error=refused.append)
    assert caller.items == [
        {
            "id": {"S": "a"},
            "n": {"N": "1.5"},
            "s": {"NS": ["1", "2"]},
            "m": {"M": {"k": {"N": "1"}}},
            "t": {"M": {"a": {"BOOL": True}}},
            "j": {"M": {"q": {"L": [{"N": "1.5"}]}}},
            "at": {"S": "2026-01-01T00:00:00.000000Z"},
        },
        {"id": {"S": "b"}},
    ]
    assert [undone.position for undone in refused] == [2], refused[0].error


def test_the_schema_of_an_entity_is_taken_back():
    """What `to_arrow` gives, `put_arrow` takes."""
    assert arrow_schema(Order).names[:2] == ["customer_id", "number"]
