"""Frames of queries: exact, or an error that names the item and the attribute."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, Literal

import attrs
import orjson
import pyarrow as pa
import pytest

from mizzle_async import (
    Attribute,
    Client,
    MarshallingError,
    ModelError,
    PartitionKey,
    SortKey,
    attribute,
    document,
    entity,
    make_converter,
)
from mizzle_async.integrations.arrow import arrow_schema, infer_schema
from mizzle_async.integrations.arrow.framing import entity_framer
from mizzle_async.marshalling import EntityCodec, Marshaller, marshaller_of
from mizzle_async.model import schema_of
from mizzle_async.testing.stub import StubCaller


class Status(Enum):
    OPEN = "open"
    PAID = "paid"


class Level(IntEnum):
    LOW = 1


@document
class Line:
    sku: Attribute[str]
    price: Attribute[Decimal] = attribute(name="p", default=Decimal(1))
    tags: Attribute[set[str]] = attribute(factory=set)


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    number: SortKey[int]
    status: Attribute[Status]
    total: Attribute[Decimal] = attribute(default=Decimal("0.5"))
    placed: Attribute[datetime | None] = attribute(default=None)
    paid: Attribute[bool] = attribute(default=False)
    image: Attribute[bytes | None] = attribute(default=None)
    tags: Attribute[set[int]] = attribute(factory=set)
    lines: Attribute[list[Line]] = attribute(factory=list)
    level: Attribute[Level] = attribute(default=Level.LOW)
    kind: Attribute[Literal["a", "b"]] = attribute(default="a")
    extra: Attribute[Any] = attribute(default=None)
    ratio: Attribute[float] = attribute(default=0.25)
    day: Attribute[date | None] = attribute(default=None)
    took: Attribute[timedelta | None] = attribute(default=None)
    names: Attribute[dict[str, int]] = attribute(factory=dict)


def codec_of(cls: type[Any], converter: Any = None) -> EntityCodec[Any]:
    """Return the codec of an entity."""
    return (Marshaller() if converter is None else marshaller_of(converter)).codec(schema_of(cls))


ORDER = codec_of(Order)
KEY = {"customer_id": {"S": "c"}, "number": {"N": "1"}}
SMALLEST = {**KEY, "status": {"S": "open"}}


def row(codec: EntityCodec[Any], item: dict[str, Any]) -> dict[str, Any]:
    """Return the row of an item, made of a dict and of a record."""
    framer = entity_framer(codec)
    of_dict = framer.batch([item])
    if codec.records is not None:
        body = {"Items": [item], "Count": 1, "ScannedCount": 1}
        records = codec.records.parse(orjson.dumps(body))["Items"]
        assert framer.batch(records).equals(of_dict)
    return of_dict.to_pylist()[0]


def test_schema_follows_the_class():
    """Each declared type has its Arrow type; optional ones are nullable, sets and JSON are marked."""
    schema = arrow_schema(Order)
    line = pa.struct(
        [
            pa.field("sku", pa.string(), nullable=False),
            pa.field("price", pa.decimal128(38, 18), nullable=False),
            pa.field("tags", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False),
        ]
    )
    assert {field.name: field.type for field in schema} == {
        "customer_id": pa.string(),
        "number": pa.int64(),
        "status": pa.string(),
        "total": pa.decimal128(38, 18),
        "placed": pa.timestamp("us", "UTC"),
        "paid": pa.bool_(),
        "image": pa.binary(),
        "tags": pa.list_(pa.field("element", pa.int64(), nullable=False)),
        "lines": pa.list_(pa.field("element", line, nullable=False)),
        "level": pa.int64(),
        "kind": pa.string(),
        "extra": pa.string(),
        "ratio": pa.float64(),
        "day": pa.date32(),
        "took": pa.duration("us"),
        "names": pa.map_(pa.string(), pa.field("value", pa.int64(), nullable=False)),
    }
    assert [field.name for field in schema if field.nullable] == ["placed", "image", "extra", "day", "took"]
    assert schema.field("tags").metadata == {b"mizzle": b"set"}
    assert schema.field("extra").metadata == {b"mizzle": b"json"}


def test_absence_is_the_default_and_null_is_none():
    """A row has what an instance has; NULL is null where the class allows it."""
    assert row(ORDER, {**SMALLEST, "placed": {"NULL": True}}) == {
        "customer_id": "c",
        "number": 1,
        "status": "open",
        "total": Decimal("0.5"),
        "placed": None,
        "paid": False,
        "image": None,
        "tags": [],
        "lines": [],
        "level": 1,
        "kind": "a",
        "extra": None,
        "ratio": 0.25,
        "day": None,
        "took": None,
        "names": [],
    }


@pytest.mark.parametrize(
    ("name", "stored", "value"),
    [
        ("total", {"N": "99999999999999999999.999999999999999999"}, Decimal("99999999999999999999.999999999999999999")),
        ("total", {"N": "1E+19"}, Decimal(10**19)),
        ("total", {"N": "-0"}, Decimal(0)),
        ("total", {"N": ".5"}, Decimal("0.5")),
        ("number", {"N": "-9223372036854775808"}, -(2**63)),
        ("number", {"N": "5.0"}, 5),
        ("number", {"N": "1E2"}, 100),
        ("ratio", {"N": "0.1"}, 0.1),
        ("ratio", {"N": "123456789012345678901234567890.5"}, 123456789012345678901234567890.5),
        ("placed", {"S": "1969-12-31T23:59:59.999999Z"}, datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        ("placed", {"S": "9999-12-31T23:59:59.999999Z"}, datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        ("placed", {"S": "0001-01-01T00:00:00+00:00"}, datetime(1, 1, 1, tzinfo=UTC)),
        ("placed", {"S": "2026-01-31T09:05:00.5+02:00"}, datetime(2026, 1, 31, 7, 5, 0, 500000, tzinfo=UTC)),
        ("placed", {"S": "2026-W05-6T09:05Z"}, datetime(2026, 1, 31, 9, 5, tzinfo=UTC)),
        ("image", {"B": "AAEC"}, b"\x00\x01\x02"),
        ("tags", {"NS": ["10", "9", "-1"]}, [-1, 9, 10]),
        ("tags", {"L": []}, []),
        ("day", {"S": "20260131"}, date(2026, 1, 31)),
        ("took", {"N": "-1.5"}, timedelta(seconds=-1.5)),
        ("status", {"S": "unheard"}, "unheard"),
        ("customer_id", {"S": "a\x00bä😀"}, "a\x00bä😀"),
        ("extra", {"M": {"n": {"N": "1.50"}, "s": {"SS": ["b", "a"]}}}, '{"n":1.5,"s":["a","b"]}'),
        ("extra", {"N": "12345678901234567890123456789012345678"}, "12345678901234567890123456789012345678"),
        ("names", {"M": {"x": {"N": "1"}}}, [("x", 1)]),
        (
            "lines",
            {"L": [{"M": {"sku": {"S": "s"}, "tags": {"SS": ["t"]}}}]},
            [{"sku": "s", "price": Decimal(1), "tags": ["t"]}],
        ),
    ],
    ids=str,
)
def test_values_are_exact(name: str, stored: Any, value: Any):
    """Every text that means a value is that value, by way of Arrow's own parser or not."""
    assert row(ORDER, {**SMALLEST, name: stored})[name] == value


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("total", {"N": "1.0000000000000000001"}),
        ("total", {"N": "100000000000000000000"}),
        ("total", {"N": "1E+30"}),
        ("number", {"N": "9223372036854775808"}),
        ("number", {"N": "2.5"}),
        ("number", {"N": "0x10"}),
        ("number", {"S": "5"}),
        ("ratio", {"N": "nan"}),
        ("placed", {"S": "2026-01-31T09:05:00"}),
        ("placed", {"S": "0000-01-01T00:00:00Z"}),
        ("placed", {"S": "2026-01-31T09:05:00.1234567Z"}),
        ("day", {"S": "0000-01-01"}),
        ("took", {"N": "1E+30"}),
        ("took", {"N": "0.0000001"}),
        ("image", {"B": "no base64"}),
        ("tags", {"SS": ["a"]}),
        ("tags", {"L": [{"N": "1"}]}),
        ("lines", {"L": [{"M": {}}]}),
        ("lines", {"SS": ["a"]}),
        ("status", {"NULL": True}),
    ],
    ids=str,
)
def test_what_a_column_does_not_hold_is_an_error(name: str, stored: Any):
    """Nothing is rounded or wrapped: the error names the attribute and has the key, which its text has not."""
    for items in ([{**SMALLEST, name: stored}], [SMALLEST, {**SMALLEST, name: stored}, SMALLEST]):
        with pytest.raises(MarshallingError) as caught:
            entity_framer(ORDER).batch(items)
        assert caught.value.path.startswith(f"Order.{name}")
        assert caught.value.key is not None
        assert caught.value.key["customer_id"] == {"S": "c"}


def test_a_missing_attribute_is_named():
    """A required attribute that an item lacks."""
    with pytest.raises(MarshallingError, match=r"Order\.status: expected S, found no such attribute"):
        entity_framer(ORDER).batch([KEY])


def test_hooks_of_a_converter_decide():
    """A column of a type with the user's hooks has the values of instances; a type of the user's own is JSON."""

    class Money:
        def __init__(self, cents: int) -> None:
            self.cents = cents

    @entity("prices")
    class Price:
        name: PartitionKey[str]
        cents: Attribute[int]
        each: Attribute[list[int]]
        money: Attribute[Money]

    converter = make_converter()
    converter.register_structure_hook(int, lambda value, _: int(value) * 100)
    converter.register_unstructure_hook(int, lambda value: value // 100)
    converter.register_structure_hook(Money, lambda value, _: Money(int(value)))
    converter.register_unstructure_hook(Money, lambda value: value.cents)
    codec = codec_of(Price, converter)
    item = {"name": {"S": "a"}, "cents": {"N": "5"}, "each": {"L": [{"N": "1"}]}, "money": {"N": "7"}}
    assert row(codec, item) == {"name": "a", "cents": 500, "each": [100], "money": "7"}


def test_a_default_that_is_made_of_the_instance():
    """The instance is made for it, and for nothing else."""

    @entity("boxes")
    class Box:
        name: PartitionKey[str]
        width: Attribute[int]
        height: Attribute[int] = attribute(default=attrs.Factory(lambda self: self.width * 2, takes_self=True))

    codec = codec_of(Box)
    item = {"name": {"S": "a"}, "width": {"N": "4"}}
    assert row(codec, item) == {"name": "a", "width": 4, "height": 8}
    assert row(codec, {**item, "height": {"N": "1"}}) == {"name": "a", "width": 4, "height": 1}


@pytest.mark.parametrize("form", ["epoch", "epoch_ms", "iso_ms"])
def test_every_way_of_storing_a_datetime(form: str):
    """Seconds and milliseconds with fractions, before 1970 and after 2262."""

    @entity("moments")
    class Moment:
        name: PartitionKey[str]
        at: Attribute[datetime] = attribute(datetime_format=form)

    codec = codec_of(Moment)
    for at in (datetime(1901, 1, 1, 1, 1, 1, 1000, tzinfo=UTC), datetime(2500, 1, 1, 1, 1, 1, 999000, tzinfo=UTC)):
        assert row(codec, codec.encode(Moment(name="a", at=at)))["at"] == at


# ── queries ──


def pages(*pages: list[dict[str, Any]]) -> Callable[[Any], Any]:
    """Return the answers of a scan in several pages."""
    left = list(enumerate(pages))

    def answer(_request: Any) -> Any:
        number, items = left.pop(0)
        last = {"LastEvaluatedKey": {"customer_id": {"S": "c"}, "number": {"N": str(number)}}} if left else {}
        return {"Items": items, "Count": len(items), "ScannedCount": len(items), **last}

    return answer


def items_of(*numbers: int) -> list[dict[str, Any]]:
    """Return items with these numbers."""
    return [{**SMALLEST, "number": {"N": str(number)}} for number in numbers]


async def test_batches_have_the_wanted_size():
    """Pages of any size become batches of `rows` rows; an empty page in the middle is no end."""
    answers = pages(items_of(1, 2, 3), [], items_of(4), items_of(5, 6, 7, 8, 9))
    async with Client(caller=StubCaller({"Scan": answers})) as client:
        batches = client.table(Order).scan().arrow_batches(rows=4)
        assert batches.schema == arrow_schema(Order)
        sizes = [(batch.num_rows, batch.column("number").to_pylist()) async for batch in batches]
    assert sizes == [(4, [1, 2, 3, 4]), (4, [5, 6, 7, 8]), (1, [9])]


async def test_no_items_are_a_table_with_the_whole_schema():
    """An empty result is no missing columns."""
    async with Client(caller=StubCaller({"Scan": pages([])})) as client:
        table = await client.table(Order).scan().to_arrow()
    assert (table.num_rows, table.schema) == (0, arrow_schema(Order))


async def test_closing_ends_the_iteration():
    """No request is sent after it."""
    caller = StubCaller({"Scan": pages(items_of(1), items_of(2), items_of(3))})
    async with Client(caller=caller) as client:
        batches = client.table(Order).scan().arrow_batches(rows=1)
        assert (await anext(batches)).num_rows == 1
        await batches.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(batches)


async def test_on_error_and_max_items_hold():
    """An item that does not fit is left out or passed on, and counts for nothing."""
    answers = [*items_of(1), {**SMALLEST, "number": {"N": "2.5"}}, *items_of(3, 4, 5)]
    refused: list[MarshallingError] = []
    for on_error in ("skip", refused.append):
        async with Client(caller=StubCaller({"Scan": pages(answers, items_of(6, 7, 8))})) as client:
            scan = client.table(Order).scan(on_error=on_error, max_items=5)
            table = await scan.to_arrow()
        assert table.column("number").to_pylist() == [1, 3, 4, 5, 6]
    assert [error.path for error in refused] == ["Order.number"]
    async with Client(caller=StubCaller({"Scan": pages(answers)})) as client:
        with pytest.raises(MarshallingError, match=r"Order\.number"):
            await client.table(Order).scan().to_arrow()


async def test_a_projection_has_its_paths_as_columns():
    """Top-level attributes by name, what is inside by its path; absent ones as in a row of the query."""
    item = {**KEY, "total": {"N": "2"}, "lines": {"L": [{"M": {"sku": {"S": "s"}}}]}}
    async with Client(caller=StubCaller({"Scan": pages([item, KEY])})) as client:
        query = client.table(Order).scan().project(Order.total, Order.lines[0][Line.sku], Order.lines[0][Line.price])
        table = await query.to_arrow()
        assert table.schema == arrow_schema(query)
    assert table.to_pylist() == [
        {"total": Decimal(2), "lines[0].sku": "s", "lines[0].price": Decimal(1)},
        {"total": Decimal("0.5"), "lines[0].sku": None, "lines[0].price": None},
    ]


@pytest.mark.parametrize("first", ["1", "5", "9", "-9"])
def test_a_number_that_its_column_cannot_hold_is_refused(first: str):
    """Arrow wraps some of them without a word when it makes room behind the point: none becomes another number."""
    for digits in range(21, 39):
        item = {**SMALLEST, "total": {"N": first + "0" * (digits - 1)}}
        with pytest.raises(MarshallingError, match=r"Order\.total: a stored value does not fit its column") as caught:
            row(ORDER, item)
        assert caught.value.key == KEY


@pytest.mark.parametrize("whole", ["9" * 20, "-" + "9" * 20, "9" * 19])
def test_the_largest_numbers_of_a_column_are_read(whole: str):
    """Twenty digits stand before the point, with a sign or without."""
    item = {**SMALLEST, "total": {"N": f"{whole}.5"}}
    assert row(ORDER, item)["total"] == Decimal(f"{whole}.5")


def test_a_sum_of_durations_that_no_duration_holds_is_refused():
    """ADD may leave the range that a duration has: the error names item and attribute, and nothing else is read."""
    for digits in range(15, 126):
        item = {**SMALLEST, "took": {"N": "9" + "0" * (digits - 1)}}
        with pytest.raises(MarshallingError, match=r"Order\.took: ") as caught:
            row(ORDER, item)
        assert caught.value.key == KEY


async def test_a_schema_of_the_caller_chooses_columns_and_types():
    """Some columns, in another order, of types that hold the same values."""
    schema = pa.schema([("total", pa.decimal128(12, 2)), ("number", pa.int32()), ("placed", pa.timestamp("ms", "UTC"))])
    item = {**SMALLEST, "total": {"N": "12.5"}, "placed": {"S": "2026-01-31T09:05:00.123000Z"}}
    async with Client(caller=StubCaller({"Scan": pages([item])})) as client:
        scan = client.table(Order).scan()
        table = await scan.to_arrow(schema=schema)
        assert table.schema == schema
        assert table.column("total").to_pylist() == [Decimal("12.50")]
        for wrong, message in [
            (pa.schema([("unheard", pa.string())]), r"has a column 'unheard', and the class has no such attribute"),
            (pa.schema([("ratio", pa.float32())]), r"Order\.ratio: a column of type float does not hold its values"),
            (pa.schema([("placed", pa.timestamp("us"))]), r"Order\.placed: a column of type timestamp\[us\]"),
        ]:
            with pytest.raises(ModelError, match=message):
                await scan.to_arrow(schema=wrong)
    for stored in (
        {"total": {"N": "12.505"}},
        {"number": {"N": "2147483648"}},
        {"placed": {"S": "2026-01-31T09:05:00.1234Z"}},
    ):
        async with Client(caller=StubCaller({"Scan": pages([{**item, **stored}])})) as client:
            with pytest.raises(MarshallingError, match="does not fit its column"):
                await client.table(Order).scan().to_arrow(schema=schema)


async def test_tables_without_a_class_need_a_schema():
    """The message says how to find one."""
    async with Client(caller=StubCaller({"Scan": pages([{"id": {"S": "a"}}])})) as client:
        legacy = client.table("legacy", partition_key="id")
        with pytest.raises(ModelError, match=r"give schema=…, which infer_schema\(\)"):
            await legacy.scan().to_arrow()


async def test_a_schema_is_inferred_from_several_segments():
    """Numbers are united, structs too, and the schema says what was seen of each attribute."""
    items = [
        {"id": {"S": "a"}, "n": {"N": "1"}, "m": {"M": {"x": {"N": "1"}}}, "s": {"SS": ["b", "a"]}, "l": {"L": []}},
        {
            "id": {"S": "b"},
            "n": {"N": "1.5"},
            "m": {"M": {"y": {"S": "z"}}},
            "l": {"L": [{"N": "1"}]},
            "z": {"NULL": True},
        },
    ]
    caller = StubCaller({"Scan": lambda _: {"Items": items, "Count": 2, "ScannedCount": 2}})
    async with Client(caller=caller) as client:
        scan = client.table("legacy", partition_key="id").scan()
        schema = await infer_schema(scan, items=16)
        table = await client.table("legacy", partition_key="id").scan().to_arrow(schema=schema)
    number = pa.decimal128(38, 18)
    assert {field.name: field.type for field in schema} == {
        "id": pa.string(),
        "n": number,
        "m": pa.struct([("x", pa.int64()), ("y", pa.string())]),
        "s": pa.list_(pa.string()),
        "l": pa.list_(pa.int64()),
        "z": pa.null(),
    }
    assert schema.metadata == {b"mizzle.items": b"16"}
    assert schema.field("s").metadata == {b"mizzle.seen": b"8"}
    assert [field.name for field in schema if not field.nullable] == ["id"]
    assert table.to_pylist()[0] == {
        "id": "a",
        "n": Decimal(1),
        "m": {"x": 1, "y": None},
        "s": ["a", "b"],
        "l": [],
        "z": None,
    }


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ({"S": "a"}, {"N": "1"}, r"'n' is string in one item and int64 in another"),
        ({"L": [{"S": "a"}]}, {"S": "a"}, r"'n' is list<.*> in one item and string in another"),
    ],
)
async def test_a_conflict_of_types_is_named(first: Any, second: Any, message: str):
    """With the attribute and both types; a column of JSON is the way out."""
    items = [{"id": {"S": "a"}, "n": first}, {"id": {"S": "b"}, "n": second}]
    caller = StubCaller({"Scan": lambda _: {"Items": items, "Count": 2, "ScannedCount": 2}})
    async with Client(caller=caller) as client:
        legacy = client.table("legacy", partition_key="id")
        with pytest.raises(ModelError, match=message):
            await infer_schema(legacy.scan())
        schema = pa.schema([("id", pa.string()), pa.field("n", pa.string(), metadata={"mizzle": "json"})])
        table = await legacy.scan().to_arrow(schema=schema)
    assert len(table.column("n").to_pylist()) == 2


async def test_a_value_of_another_type_than_the_schema_is_an_error():
    """It names the attribute, and has the key."""
    for stored, kind in [
        ({"S": "x"}, pa.int64()),
        ({"N": "2.5"}, pa.int64()),
        ({"N": "300"}, pa.int8()),
        ({"N": "1"}, pa.null()),
    ]:
        item = {"id": {"S": "a"}, "n": stored}
        async with Client(caller=StubCaller({"Scan": pages([item])})) as client:
            scan = client.table("legacy", partition_key="id").scan()
            with pytest.raises(MarshallingError, match=r'legacy\["n"\]') as caught:
                await scan.to_arrow(schema=pa.schema([("id", pa.string()), ("n", kind)]))
            assert caught.value.key == {"id": {"S": "a"}}
