"""Parquet in and out: no type of a column, and no mixture of values, is a dead end."""

import datetime as dt
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest

from mizzle_async import Attribute, Client, PartitionKey, SortKey, attribute, entity
from mizzle_async.cli.files.parquet_rows import parquet_rows
from mizzle_async.cli.files.rows import ReadOptions
from mizzle_async.cli.files.source import Source
from mizzle_async.cli.formats import Format
from mizzle_async.cli.handles import Opened
from mizzle_async.cli.incoming import Incoming
from mizzle_async.cli.losses import Losses
from mizzle_async.cli.rejects import Rejects
from mizzle_async.cli.targets import ExportFile
from mizzle_async.integrations.arrow.framing import entity_framer
from mizzle_async.operations.tables.definition import TableDescription
from mizzle_async.writing.table_part import target_of

pyarrow: Any = import_module("pyarrow")  # it has no types
parquet: Any = import_module("pyarrow.parquet")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)


def values_of(column, kind=None):
    """Return the values of a column as rows of its file have them."""
    table = pyarrow.table({"id": [str(n) for n in range(len(column))], "a": pyarrow.array(column, kind)})
    parquet.write_table(table, "a.parquet")
    return [row.values.get("a") for row in Source(("a.parquet",))]


MOMENT = 1_600_000_000_123_456_789


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (pyarrow.timestamp("ns"), MOMENT, "2020-09-13T12:26:40.123456789"),
        (pyarrow.timestamp("ns", "UTC"), MOMENT, "2020-09-13T12:26:40.123456789+00:00"),
        (pyarrow.timestamp("ns"), 1_600_000_000_000_000_000, "2020-09-13T12:26:40"),
        (pyarrow.timestamp("us"), dt.datetime(2020, 1, 2, 3, 4, 5, 6), "2020-01-02T03:04:05.000006"),  # noqa: DTZ001  (Parquet's are naive)
        (pyarrow.timestamp("ns"), -1, "1969-12-31T23:59:59.999999999"),
        (pyarrow.duration("ns"), 1_500_000_001, Decimal("1.500000001")),
        (pyarrow.duration("s"), 90, Decimal(90)),
        (pyarrow.time64("ns"), 1, "00:00:00.000000001"),
        (pyarrow.time32("s"), dt.time(1, 2, 3), "01:02:03"),
        (pyarrow.date32(), dt.date(2020, 1, 2), "2020-01-02"),
        (pyarrow.float32(), 0.1, Decimal("0.1")),
        (pyarrow.float32(), 16777216.0, Decimal(16777216)),
        (pyarrow.float64(), 0.1, Decimal("0.1")),
        (pyarrow.decimal128(20, 2), Decimal("1.50"), Decimal("1.50")),
        (pyarrow.binary(), b"\x00", b"\x00"),
        (pyarrow.list_(pyarrow.timestamp("ns")), [MOMENT, None], ["2020-09-13T12:26:40.123456789", None]),
        (pyarrow.struct([("x", pyarrow.float32())]), {"x": 0.1}, {"x": Decimal("0.1")}),
        (
            pyarrow.map_(pyarrow.int32(), pyarrow.timestamp("ms")),  # old versions restore no durations in a map
            [(7, 1500), (8, None)],
            {"7": "1970-01-01T00:00:01.500000", "8": None},
        ),
    ],
)
def test_type_of_a_column(kind, value, expected):
    """A value of any type is read as the nearest value of plain JSON, without a digit lost; none is absent."""
    found = values_of([value, None], kind)
    assert found == [expected, None]
    assert type(found[0]) is type(expected)


def test_columns_of_dictionaries():
    """A column of categories has its texts."""
    table = pyarrow.table({"a": pyarrow.array(["x", "y", "x"]).dictionary_encode()})
    parquet.write_table(table, "a.parquet")
    assert [row.values["a"] for row in Source(("a.parquet",))] == ["x", "y", "x"]


def test_name_is_not_needed():
    """Parquet is seen by its first bytes."""
    parquet.write_table(pyarrow.table({"id": ["1"]}), "a.parquet")
    Path("a.parquet").rename("data")
    assert [row.values for row in Source(("data",))] == [{"id": "1"}]


def test_parquet_from_a_pipe_is_refused():
    """Parquet cannot be read through a pipe: that is a usage error."""
    with pytest.raises(click.UsageError, match="from a file, not from a pipe"):
        Source(("-",), ReadOptions(format="parquet")).check()


def test_file_that_is_none():
    """A file that is no Parquet is a bad file."""
    Path("a.parquet").write_bytes(b"no parquet")
    with pytest.raises(click.ClickException, match="cannot be read to its end"):
        list(Source(("a.parquet",)))


def export(items, name="a.parquet"):
    """Export items, and return the target."""
    target = ExportFile(name, Format.PARQUET)
    target.losses = Losses(Format.PARQUET)
    target.open(None)
    target.write(items)
    target.checkpoint()
    target.close()
    target.finish()
    return target


ITEMS = [
    {"id": {"S": "1"}, "n": {"N": "1.5"}},
    {"id": {"S": "2"}, "a": {"L": [{"NULL": True}]}},
    {"id": {"S": "3"}, "n": {"N": "2"}, "m": {"M": {"x": {"BOOL": True}}}},
]


def test_items_go_in_and_out(tmp_path):
    """Items go into Parquet and come out again: absent attributes absent, numbers with their values."""
    assert list(export(ITEMS).notes()) == []
    assert not (tmp_path / "a.parquet.part").exists()
    rows = [row.values for row in Source(("a.parquet",))]
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert [row.get("n") for row in rows] == [Decimal("1.5"), None, Decimal(2)]
    assert rows[1]["a"] == [None]
    assert rows[2]["m"] == {"x": True}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([{"S": "1"}, {"N": "1"}], ["1", "1"]),
        ([{"N": "0.1"}, {"N": "1E+100"}], ["0.1", "1" + "0" * 100]),
        ([{"M": {"x": {"N": "1"}}}, {"M": {"x": {"S": "y"}}}, {"BOOL": True}], ['{"x":1}', '{"x":"y"}', "true"]),
    ],
)
def test_column_of_several_types_is_text(values, expected, tmp_path):
    """Values that no type of Parquet holds become text, which is told; the export is complete."""
    target = export([{"id": {"S": str(n)}, "a": value} for n, value in enumerate(values)])
    assert [row.values["a"] for row in Source(("a.parquet",))] == expected
    assert "values of several types are text in 'a'" in next(target.notes())
    assert not (tmp_path / "a.parquet.part").exists()


def test_column_that_becomes_mixed_late(monkeypatch):
    """A column whose type changes between row groups is text in all of them."""
    monkeypatch.setattr("mizzle_async.cli.targets.GROUP_BYTES", 10)
    export([{"id": {"S": "1"}}, {"id": {"S": "2"}}, {"id": {"N": "3"}}, {"id": {"S": "4"}}])
    assert [row.values["id"] for row in Source(("a.parquet",))] == ["1", "2", "3", "4"]


def test_table_is_written_in_row_groups(monkeypatch):
    """A table larger than memory goes into Parquet piece by piece, and its columns are those of all pieces."""
    monkeypatch.setattr("mizzle_async.cli.targets.GROUP_BYTES", 2_000)
    late = [{} if number < 90 else {"late": {"N": "0.5"}} for number in range(100)]
    export(
        [
            {"id": {"S": f"{number}"}, "n": {"N": f"{number}" if number < 50 else "1.25"}, **late[number]}
            for number in range(100)
        ]
    )
    assert parquet.ParquetFile("a.parquet").num_row_groups > 2
    rows = [row.values for row in Source(("a.parquet",))]
    assert [row["id"] for row in rows] == [str(number) for number in range(100)]
    assert [row["n"] for row in rows] == [*range(50), *[Decimal("1.25")] * 50]
    assert [row.get("late") for row in rows] == [None] * 90 + [Decimal("0.5")] * 10


def test_binary_is_told_as_lost():
    """Sets and binary are not kept by Parquet either, which is told with their number."""
    (note,) = export([{"id": {"S": "1"}, "b": {"B": "AAE="}, "s": {"SS": ["x"]}}]).notes()
    assert note.startswith("1 item holds sets or binary, which Parquet does not keep: --format dynamodb keeps ")
    assert note.endswith("`load a.parquet --types b=B,s=SS` restores them")


@pytest.mark.parametrize(
    ("nan", "expected"),
    [("omit", [{"id": "1", "l": [None]}]), ("null", [{"id": "1", "x": None, "l": [None]}])],
)
def test_nan_is_nothing_when_asked(nan, expected):
    """A NaN, which pandas has in place of nothing, is absent or null when that is asked for."""
    nothing = float("nan")
    parquet.write_table(pyarrow.table({"id": ["1"], "x": [nothing], "l": [[nothing]]}), "a.parquet")
    assert [row.values for row in Source(("a.parquet",), ReadOptions(nan=nan))] == expected
    assert Source(("a.parquet",)).__iter__().__next__().values["x"].is_nan()


def test_map_with_a_key_twice_is_refused(tmp_path):
    """An item could keep one of the values only, so the file is one error, and no traceback."""
    array = pyarrow.array([[("a", 1), ("a", 2)]], pyarrow.map_(pyarrow.string(), pyarrow.int64()))
    path = tmp_path / "twice.parquet"
    parquet.write_table(pyarrow.table({"values": array}), path)
    with path.open("rb") as stream, pytest.raises(click.ClickException, match="two values under one key"):
        list(parquet_rows("twice.parquet", stream))


@entity("readings")
class Reading:
    sensor: PartitionKey[str]
    second: SortKey[int]
    tags: Attribute[set[str]] = attribute(factory=set)
    counts: Attribute[set[int]] = attribute(factory=set)
    parts: Attribute[set[bytes]] = attribute(factory=set)
    anything: Attribute[Any] = attribute(default=None)
    nested: Attribute[dict[str, Any]] = attribute(factory=dict)
    at: Attribute[dt.datetime | None] = attribute(default=None)
    took: Attribute[dt.timedelta | None] = attribute(default=None)
    price: Attribute[Decimal | None] = attribute(default=None)
    content: Attribute[bytes | None] = attribute(default=None)
    texts: Attribute[list[str]] = attribute(factory=list)


DESCRIPTION = TableDescription(
    "readings", (("sensor", "HASH"), ("second", "RANGE")), {"sensor": "S", "second": "N"}, {}
)


@pytest.mark.parametrize("model", [None, Reading], ids=["no model", "model"])
def test_a_frame_of_the_library_is_loaded_as_it_was(model):
    """Sets stay sets and values of any type stay what they are: their fields say so in the file."""
    readings = [
        Reading(sensor="a", second=1),
        Reading(
            sensor="a",
            second=2,
            tags={"x", "y"},
            counts={1, 2},
            parts={b"\x00"},
            anything={"n": [1, Decimal("1.5"), True, None, "t"]},
            nested={"k": {"deep": [1]}, "text": "7"},
            at=dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC),
            took=dt.timedelta(seconds=5, microseconds=3),
            price=Decimal("1.05"),
            content=b"\x00\x01",
            texts=["b", "a"],
        ),
    ]
    client = Client(region_name="eu-west-1", credentials=("id", "secret"))
    codec = target_of(client.table(Reading)).codec
    items = [codec.encode(reading) for reading in readings]
    parquet.write_table(pyarrow.Table.from_batches([entity_framer(codec).batch(items)]), "a.parquet")
    raw = client.table("readings", partition_key="sensor", sort_key="second", sort_key_type=Decimal)
    opened = Opened(raw, None if model is None else client.table(model), DESCRIPTION)
    rejects = Rejects(None)
    values = list(Incoming(opened, Source(("a.parquet",)), rejects).values())
    assert rejects.count == 0
    assert [codec.decode(opened.codec.encode(value)) for value in values] == readings


@pytest.mark.parametrize(
    ("kind", "mark", "value", "expected"),
    [
        (pyarrow.int64(), "set", 0, 0),
        (pyarrow.string(), "set", "abc", "abc"),
        (pyarrow.list_(pyarrow.list_(pyarrow.int64())), "set", [[1]], [[1]]),
        (pyarrow.list_(pyarrow.struct([("x", pyarrow.int64())])), "set", [], []),
        (pyarrow.map_(pyarrow.string(), pyarrow.int64()), "set", [("k", 1)], {"k": 1}),
        (pyarrow.timestamp("s"), "json", 0, "1970-01-01T00:00:00"),
        (pyarrow.dictionary(pyarrow.int32(), pyarrow.string()), "json", "[1]", [1]),
        (pyarrow.large_list(pyarrow.int64()), "set", [1, 1], {1}),
    ],
)
def test_a_mark_counts_where_the_type_is_that_of_marked_fields(kind, mark, value, expected):
    """A column that was cast keeps the mark: its values are what their type says, and none is lost."""
    field = pyarrow.field("a", kind, metadata={"mizzle": mark})
    schema = pyarrow.schema([field, pyarrow.field("s", pyarrow.struct([field]))])
    columns = [pyarrow.array([value], kind), pyarrow.array([{"a": value}], schema.field("s").type)]
    table = pyarrow.table(columns, schema)
    parquet.write_table(table, "a.parquet")
    (row,) = Source(("a.parquet",))
    assert row.values == {"a": expected, "s": {"a": expected}}


def test_marks_of_other_programs_do_no_harm():
    """A text that is no JSON stays text, and a set in a struct is a set."""
    fields = [
        pyarrow.field("id", pyarrow.string()),
        pyarrow.field("a", pyarrow.string(), metadata={"mizzle": "json"}),
        pyarrow.field(
            "s", pyarrow.struct([pyarrow.field("t", pyarrow.list_(pyarrow.int64()), metadata={"mizzle": "set"})])
        ),
    ]
    cells = [["1", "2", "3"], ["{", '{"x": 1.50}', None], [{"t": [1, 2]}, {"t": []}, None]]
    columns = [pyarrow.array(each, field.type) for each, field in zip(cells, fields, strict=True)]
    parquet.write_table(pyarrow.table(columns, schema=pyarrow.schema(fields)), "a.parquet")
    assert [row.values for row in Source(("a.parquet",))] == [
        {"id": "1", "a": "{", "s": {"t": {1, 2}}},
        {"id": "2", "a": {"x": Decimal("1.50")}, "s": {}},
        {"id": "3"},
    ]
