"""Exports to S3 as frames, and frames as files for ImportTable."""

import gzip
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from mizzle_async import Attribute, LimitError, MarshallingError, ModelError, PartitionKey, SortKey, attribute, entity
from mizzle_async.integrations.arrow import arrow_batches_from_lines, arrow_schema, import_lines, write_import_file
from mizzle_async.marshalling import Marshaller
from mizzle_async.model import schema_of
from mizzle_async.operations.guards import GUARD_PREFIX


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    number: SortKey[int]
    total: Attribute[Decimal] = attribute(default=Decimal(0))
    tags: Attribute[set[str]] = attribute(factory=set)


@entity("accounts")
class Account:
    name: PartitionKey[str]
    email: Attribute[str] = attribute(unique=True)


@entity("events")
class Event:
    device: PartitionKey[str] = attribute(shards=4)
    at: SortKey[int]


CODEC = Marshaller().codec(schema_of(Order))
ORDERS = [Order(customer_id=f"c{n}", number=n, total=Decimal(n) / 4, tags={"b", "a"}) for n in range(25)]
LINES = [orjson.dumps({"Item": CODEC.encode(order)}) + b"\n" for order in ORDERS]


def table(lines: Any, model: Any = Order, **options: Any) -> Any:
    """Return all batches of lines as one table."""
    return pa.Table.from_batches(list(arrow_batches_from_lines(lines, model, **options)))


def test_a_full_export_has_the_columns_of_the_class(tmp_path: Path):
    """From a gzipped file, as S3 has it, in batches; lines of text are as good."""
    with gzip.open(tmp_path / "data.json.gz", "wb") as file:
        file.writelines(LINES)
    with gzip.open(tmp_path / "data.json.gz", "rb") as file:
        batches = list(arrow_batches_from_lines(file, Order, rows=10))
    assert [batch.num_rows for batch in batches] == [10, 10, 5]
    whole = pa.Table.from_batches(batches)
    assert whole.schema == arrow_schema(Order)
    assert whole.to_pylist()[3] == {"customer_id": "c3", "number": 3, "total": Decimal("0.75"), "tags": ["a", "b"]}
    assert table([line.decode() for line in LINES]).equals(whole)
    assert table([*LINES, b"\n", b""]).equals(whole)


@pytest.mark.parametrize("on_error", ["skip", [].append], ids=["skip", "function"])
def test_lines_are_read_in_small_chunks_and_given_in_whole_batches(monkeypatch: pytest.MonkeyPatch, on_error: Any):
    """The size of a chunk shows nowhere: batches have the wanted rows, also of categories, of changes, and of none."""
    chosen = pa.schema([("customer_id", pa.dictionary(pa.int32(), pa.string())), ("total", pa.decimal128(9, 2))])
    bad = b'{"Item":{"customer_id":{"S":"c"},"number":{"S":"x"}}}\n'
    lines = [*LINES[:7], bad, *LINES[7:]]
    keys = {"customer_id": {"S": "c"}, "number": {"N": "1"}}
    changes = [
        orjson.dumps({"Metadata": {"WriteTimestampMicros": {"N": str(number)}}, "Keys": keys}) for number in range(25)
    ]
    whole = [
        list(arrow_batches_from_lines(lines, Order, rows=10, schema=chosen, on_error=on_error)),
        list(arrow_batches_from_lines([bad] * 5, Order, on_error=on_error)),
        list(arrow_batches_from_lines(changes, Order, rows=10)),
    ]
    monkeypatch.setattr("mizzle_async.integrations.arrow.lines.CHUNK", 3)
    chunked = [
        list(arrow_batches_from_lines(lines, Order, rows=10, schema=chosen, on_error=on_error)),
        list(arrow_batches_from_lines([bad] * 5, Order, on_error=on_error)),
        list(arrow_batches_from_lines(changes, Order, rows=10)),
    ]
    assert [[batch.num_rows for batch in batches] for batches in chunked] == [[9, 10, 6], [0], [10, 10, 5]]
    for batches, expected in zip(chunked, whole, strict=True):
        assert [batch.to_pylist() for batch in batches] == [batch.to_pylist() for batch in expected]
        assert all(batch.schema == expected[0].schema for batch in batches)


def test_no_lines_are_an_empty_batch():
    """With the whole schema."""
    assert table([]).schema == arrow_schema(Order)


def test_a_line_that_does_not_fit_is_refused_skipped_or_passed_on():
    """One wrong descriptor among many does not change the others."""
    bad = [b'{"Item":{"customer_id":{"S":"c"},"number":{"S":"x"}}}', b'{"Item":{"customer_id":{"S":"c"}}}']
    lines = [*LINES[:3], bad[0], *LINES[3:], bad[1]]
    with pytest.raises(MarshallingError, match=r"Order\.number"):
        table(lines)
    refused: list[MarshallingError] = []
    assert table(lines, on_error="skip").num_rows == 25
    assert table(lines, on_error=refused.append).num_rows == 25
    assert [error.key for error in refused] == [
        {"customer_id": {"S": "c"}, "number": {"S": "x"}},
        {"customer_id": {"S": "c"}},
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"Item":5}', "has no Item"),
        (b'{"Item"', "is no JSON"),
        (b"[1]", "is no object"),
        (b'{"Keys":{"customer_id":{"S":"c"},"number":{"N":"1"}}}', "say when"),
    ],
)
def test_a_line_of_another_file_is_refused(line: bytes, message: str):
    """It says what it is not, and shows none of it."""
    with pytest.raises(MarshallingError, match=message):
        table([line])


def test_guards_and_suffixes_are_the_library_s_own():
    """Guard items of unique attributes do not show, and keys are without the suffix of their shard."""
    guard = {"name": {"S": f"{GUARD_PREFIX}email#e"}, "_unique_owner": {"M": {"name": {"S": "a"}}}}
    account = {"name": {"S": "a"}, "email": {"S": "e"}}
    lines = [orjson.dumps({"Item": item}) for item in (account, guard)]
    assert table(lines, Account).to_pylist() == [{"name": "a", "email": "e"}]
    codec = Marshaller().codec(schema_of(Event))
    events = [orjson.dumps({"Item": codec.encode(Event(device="d", at=at))}) for at in range(5)]
    assert table(events, Event).column("device").to_pylist() == ["d"] * 5


def change(number: int, micros: int, **images: Any) -> bytes:
    """Return a line of an incremental export."""
    key = {"customer_id": {"S": f"c{number}"}, "number": {"N": str(number)}}
    return orjson.dumps(
        {
            "Metadata": {"WriteTimestampMicros": {"N": str(micros)}},
            "Keys": key,
            **{name: {**key, **image} for name, image in images.items()},
        }
    )


def test_an_incremental_export_is_ready_for_a_merge():
    """Keys, the kind of change, both images and the time of the write."""
    lines = [
        change(1, 1_769_850_300_123_456, NewImage={"total": {"N": "2"}}),
        change(2, 1_769_850_300_000_000, OldImage={"total": {"N": "1"}}, NewImage={"tags": {"SS": ["x"]}}),
        change(3, 0, OldImage={}),
        change(4, 1),
    ]
    result = table(lines)
    assert result.schema.names == ["customer_id", "number", "change", "old", "new", "written_at"]
    rows = result.to_pylist()
    assert [row["change"] for row in rows] == ["put", "update", "delete", "delete"]
    assert [row["number"] for row in rows] == [1, 2, 3, 4]
    assert rows[0]["old"] is None
    assert rows[0]["new"] == {"customer_id": "c1", "number": 1, "total": Decimal(2), "tags": []}
    assert rows[1]["new"] == {"customer_id": "c2", "number": 2, "total": Decimal(0), "tags": ["x"]}
    assert rows[2]["old"] == {"customer_id": "c3", "number": 3, "total": Decimal(0), "tags": []}
    assert rows[0]["written_at"] == datetime(2026, 1, 31, 9, 5, 0, 123456, tzinfo=UTC)
    assert result.column("new").type == pa.struct(list(arrow_schema(Order)))


def test_an_import_file_is_what_an_export_was(tmp_path: Path):
    """Frame → gzipped DynamoDB JSON → frame; a row that does not fit ends it."""
    whole = table(LINES)
    assert write_import_file(whole, Order, tmp_path / "data.json.gz") == 25
    with gzip.open(tmp_path / "data.json.gz", "rb") as file:
        assert table(file).equals(whole)
    with (tmp_path / "second.json.gz").open("wb") as file:
        write_import_file(whole, Order, file)
    assert (tmp_path / "second.json.gz").read_bytes() == (tmp_path / "data.json.gz").read_bytes()
    assert list(import_lines(whole, Order)) == LINES
    with pytest.raises(LimitError, match=r"Order\.customer_id"):
        list(import_lines(pa.table({"customer_id": [""], "number": [1]}), Order))
    with pytest.raises(ModelError, match="no column 'number'"):
        list(import_lines(pa.table({"customer_id": ["a"]}), Order))
