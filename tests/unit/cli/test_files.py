import gzip
import io
import sys
import types
from decimal import Decimal
from importlib.util import find_spec

import click
import orjson
import pytest

from mizzle_async.cli.formats import Format, format_of
from mizzle_async.cli.lines import Source
from mizzle_async.cli.targets import ExportFile
from mizzle_async.errors import ResumeError

ITEMS = [{"id": {"S": "1"}, "n": {"N": "1.5"}}, {"id": {"S": "2"}, "a": {"L": [{"NULL": True}]}}]


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("a.jsonl", None, Format.JSONL),
        ("a.NDJSON.gz", None, Format.JSONL),
        ("a.csv.gz", None, Format.CSV),
        ("a.txt", "csv", Format.CSV),
        ("-", None, Format.JSONL),
        ("a.json", None, Format.JSONL),
    ],
)
def test_format_of_a_name(name, given, expected):
    """The name says the format, unless the user does."""
    assert format_of(name, given) is expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"Item": {"a": {"S": "x"}}}\n', Format.DYNAMODB),
        (b'{"Item": {"a": "x"}}\n', Format.JSONL),
        (b'{"Item": 1}\n', Format.JSONL),
        (b"nonsense", Format.JSONL),
    ],
)
def test_dynamodb_json_is_recognised(tmp_path, content, expected):
    """A file that ends in .json is looked into."""
    path = tmp_path / "a.json"
    path.write_bytes(content)
    assert format_of(str(path), None, reading=True) is expected


def test_format_that_nobody_knows():
    """A name without a meaning is a usage error, and so is Parquet without pyarrow."""
    with pytest.raises(click.UsageError, match="what format"):
        format_of("a.xls", None)


def test_parquet_needs_pyarrow(monkeypatch):
    """Parquet without pyarrow says what to install."""
    monkeypatch.setattr("mizzle_async.cli.formats.find_spec", lambda name: None)
    with pytest.raises(click.UsageError, match="pip install pyarrow"):
        format_of("a.parquet", None)


def test_rows_know_their_lines(tmp_path):
    """A row has file and line; a bad one says what is wrong and holds its text."""
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbfid,a\n1,x\n\n"2\n2",y\n\xff,z\n3\n')
    rows = list(Source((str(path),)))
    assert [(row.line, row.values, row.problem) for row in rows] == [
        (2, {"id": "1", "a": "x"}, ""),
        (4, {"id": "2\n2", "a": "y"}, ""),
        (6, None, "no UTF-8"),
        (7, None, "expected 2 columns, found 1"),
    ]
    assert rows[3].text == "3"


def test_csv_that_is_none(tmp_path):
    """A file without a header has no rows; a line that cannot be CSV is a bad one."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"")
    assert list(Source((str(path),))) == []
    path.write_bytes(b'id\n"1"\r2\n3\n')
    rows = list(Source((str(path),)))
    assert rows[-1].values == {"id": "3"}
    assert any(row.problem for row in rows) or len(rows) == 3


def test_dynamodb_json_that_is_none(tmp_path):
    """A line of DynamoDB's JSON without types names the attribute; items without the frame are fine."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"Item": {"a": {"S": "x"}}}\n{"a": {"S": "x"}}\n{"Item": {"a": "x"}}\n{"Item": 1}\n[]\n')
    rows = list(Source((str(path),), "dynamodb"))
    assert [row.values for row in rows] == [{"a": {"S": "x"}}, {"a": {"S": "x"}}, None, None, None]
    assert (rows[2].attribute, rows[2].line) == ("a", 3)


def test_position_of_a_source(tmp_path):
    """A source tells how many bytes it has read, of all its files."""
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_bytes(b'{"a": 1}\n' * 10)
    source = Source((str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")))
    assert len(list(source)) == 20
    assert source.position == source.size == 180
    assert Source(("-",)).size is None


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.csv.gz"])
def test_export_goes_on_after_a_checkpoint(tmp_path, monkeypatch, name):
    """What came after the last checkpoint is cut off, and the file goes on from there."""
    monkeypatch.chdir(tmp_path)
    kind = format_of(name, None)
    columns = ("id", "n") if kind is Format.CSV else ()
    first = ExportFile(name, kind, columns)
    first.open(None)
    first.write(ITEMS[:1])
    state = orjson.loads(orjson.dumps(first.checkpoint()))
    first.write(ITEMS)
    first.close()
    second = ExportFile(name, kind, columns)
    second.open(state)
    second.write(ITEMS[1:])
    second.checkpoint()
    second.close()
    second.finish()
    content = (tmp_path / name).read_bytes()
    content = gzip.decompress(content) if name.endswith(".gz") else content
    expected = b"id,n\n1,1.5\n2,\n" if kind is Format.CSV else b'{"id":"1","n":1.5}\n{"id":"2","a":[null]}\n'
    assert content == expected
    with pytest.raises(ResumeError):
        ExportFile(name, kind, columns).open({"bytes": 10_000})
    with pytest.raises(ValueError, match="not open"):
        second.write([])


class StandInTable:
    """What a stand-in for pyarrow keeps."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self.rows = orjson.loads(stream.read())

    def iter_batches(self, batch_size: int):
        for at in range(0, len(self.rows), batch_size):
            yield types.SimpleNamespace(to_pylist=lambda at=at: self.rows[at : at + batch_size])


@pytest.fixture
def parquet(monkeypatch):
    """Parquet: by pyarrow where it is installed, else by a stand-in that writes JSON."""
    if find_spec("pyarrow") is not None:
        return
    monkeypatch.setattr("mizzle_async.cli.formats.find_spec", lambda name: name)
    pyarrow = types.ModuleType("pyarrow")
    files = types.ModuleType("pyarrow.parquet")

    class ArrowError(Exception):
        pass

    def array(values):
        if len({type(value) for value in values if value is not None}) > 1:
            raise ArrowError
        return [float(value) if isinstance(value, Decimal) else value for value in values]

    def write_table(columns, path):
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        with open(path, "wb") as file:  # noqa: PTH123 - as pyarrow takes it
            file.write(orjson.dumps(rows))

    pyarrow.ArrowInvalid = pyarrow.ArrowTypeError = pyarrow.ArrowNotImplementedError = ArrowError
    pyarrow.array, pyarrow.table = array, dict
    files.ParquetFile, files.write_table = StandInTable, write_table
    monkeypatch.setitem(sys.modules, "pyarrow", pyarrow)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", files)


@pytest.mark.usefixtures("parquet")
def test_parquet(tmp_path, monkeypatch):
    """Items go into Parquet and come out again: absent attributes absent, numbers with their values."""
    monkeypatch.chdir(tmp_path)
    target = ExportFile("a.parquet", format_of("a.parquet", None))
    target.open(None)
    target.write([*ITEMS, {"id": {"S": "3"}, "n": {"N": "2"}, "m": {"M": {"x": {"BOOL": True}}}}])
    target.checkpoint()
    target.close()
    target.finish()
    assert not (tmp_path / "a.parquet.part").exists()
    rows = [row.values for row in Source(("a.parquet",))]
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert [row.get("n") for row in rows] == [Decimal("1.5"), None, Decimal(2)]
    assert rows[1]["a"] == [None]
    assert rows[2]["m"] == {"x": True}


@pytest.mark.usefixtures("parquet")
def test_parquet_of_mixed_columns(tmp_path, monkeypatch):
    """A column of several types cannot be Parquet: its name is told, and what was read is kept."""
    monkeypatch.chdir(tmp_path)
    target = ExportFile("a.parquet", Format.PARQUET)
    target.open(None)
    target.write([{"id": {"S": "1"}}, {"id": {"N": "1"}}])
    target.close()
    with pytest.raises(click.ClickException, match="'id' are of several types"):
        target.finish()
    assert (tmp_path / "a.parquet.part").exists()
