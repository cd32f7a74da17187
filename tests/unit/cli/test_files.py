import gzip
import sys
import types
from decimal import Decimal
from importlib import import_module
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


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing.jsonl", "is not a file"), (".", "is not a file"), ("known.txt", "name it with --format")],
)
def test_files_that_cannot_be_read_are_refused(tmp_path, monkeypatch, name, message):
    """A name that is no file's, and a file whose format nobody knows, are refused before the first line is read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "known.txt").touch()
    Source(("known.txt", "-"), "csv").check()
    with pytest.raises(click.UsageError, match=message):
        Source(("-", name)).check()


def test_format_that_nobody_knows():
    """A name without a meaning is a usage error, and so is Parquet without pyarrow."""
    with pytest.raises(click.UsageError, match="name it with --format"):
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
        (6, None, "not UTF-8"),
        (7, None, "expected 2 columns, got 1"),
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


def test_quote_that_is_never_closed_is_told(tmp_path):
    """What follows a quote without an end is no value: its line is bad, and holds all that was read into it."""
    path = tmp_path / "a.csv"
    path.write_bytes(b'id,a\n1,"x"\n2,"y\n3,z\n')
    rows = list(Source((str(path),)))
    assert [(row.line, row.problem) for row in rows] == [(2, ""), (3, "a quote is opened and never closed")]
    assert "3,z" in rows[1].text
    path.write_bytes(b'id,a\n1,"x"')
    assert [row.values for row in Source((str(path),))] == [{"id": "1", "a": "x"}]


def test_csv_of_another_encoding_is_told(tmp_path):
    """A header that is no UTF-8 is that of another encoding, and no column of it would be found."""
    path = tmp_path / "a.csv"
    path.write_bytes("id,a\n1,x\n".encode("utf-16"))
    with pytest.raises(click.UsageError, match="is not UTF-8"):
        list(Source((str(path),)))


def test_rejects_spare_what_is_loaded(tmp_path):
    """A file that is loaded is no place for what is rejected."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": 1}\n')
    source = Source((str(path), "-"))
    with pytest.raises(click.UsageError, match="is an input file"):
        source.check_spared(tmp_path / "." / "a.jsonl")
    source.check_spared(tmp_path / "b.jsonl")


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


class StandInArrow(types.ModuleType):
    """As much of pyarrow as is used: a file of it is lines of JSON, each a row group."""

    class ArrowInvalid(Exception):  # noqa: N818 - its name there
        """Values of several types."""

    ArrowTypeError = ArrowNotImplementedError = ArrowInvalid

    def array(self, values, type=None):  # noqa: A002 - its name there
        kinds = {each.__class__ for each in values if each is not None}
        if len(kinds) > 1:
            raise self.ArrowInvalid
        return types.SimpleNamespace(values=values, type=type or (kinds.pop() if kinds else None))

    def schema(self, fields):
        return dict(fields)

    def unify_schemas(self, schemas, promote_options):
        assert promote_options == "permissive"
        ((_, one),), ((_, other),) = (schema.items() for schema in schemas)
        if {one, other} == {int, Decimal}:
            one = other = Decimal
        if None not in {one, other} and one is not other:
            raise self.ArrowInvalid
        return types.SimpleNamespace(field=lambda _name: types.SimpleNamespace(type=one or other))

    class Table:
        """Columns of values."""

        @staticmethod
        def from_arrays(arrays, schema):
            rows = zip(*(array.values for array in arrays), strict=True)
            return [dict(zip(schema, row, strict=True)) for row in rows]


class StandInFiles(types.ModuleType):
    """As much of pyarrow.parquet as is used."""

    class ParquetWriter:
        """Writes row groups."""

        def __init__(self, path, schema):
            self.file = open(path, "wb")  # noqa: PTH123, SIM115 - as pyarrow takes it; closed by the block's end

        def write_table(self, rows):
            self.file.write(orjson.dumps(rows, default=float) + b"\n")

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

    class ParquetFile:
        """Reads row groups."""

        def __init__(self, stream):
            self.groups = [orjson.loads(line) for line in stream]
            self.num_row_groups = len(self.groups)

        def iter_batches(self, batch_size):
            assert batch_size
            for group in self.groups:
                yield types.SimpleNamespace(to_pylist=lambda maps_as_pydicts, group=group: group)


@pytest.fixture
def parquet(monkeypatch):
    """Parquet: by pyarrow where it is installed, else by a stand-in that writes JSON."""
    if find_spec("pyarrow") is not None:
        return
    monkeypatch.setattr("mizzle_async.cli.formats.find_spec", lambda name: name)
    pyarrow, files = StandInArrow("pyarrow"), StandInFiles("pyarrow.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", pyarrow)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", files)


@pytest.mark.usefixtures("parquet")
def test_parquet_that_is_none(tmp_path):
    """A file that is no Parquet is a bad file."""
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    with pytest.raises(click.ClickException, match="cannot be read to its end"):
        list(Source((str(tmp_path / "a.parquet"),)))


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
    with pytest.raises(click.ClickException, match="'id' have several types"):
        target.finish()
    assert (tmp_path / "a.parquet.part").exists()


@pytest.mark.usefixtures("parquet")
def test_parquet_is_written_in_row_groups(tmp_path, monkeypatch):
    """A table larger than memory goes into Parquet piece by piece, and its columns are those of all pieces."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mizzle_async.cli.targets.GROUP_BYTES", 2_000)
    target = ExportFile("a.parquet", Format.PARQUET)
    target.open(None)
    for number in range(100):
        late = {} if number < 90 else {"late": {"N": "0.5"}}
        target.write([{"id": {"S": f"{number}"}, "n": {"N": f"{number}" if number < 50 else "1.25"}, **late}])
    target.close()
    target.finish()
    with (tmp_path / "a.parquet").open("rb") as file:
        assert import_module("pyarrow.parquet").ParquetFile(file).num_row_groups > 2
    rows = [row.values for row in Source(("a.parquet",))]
    assert [row["id"] for row in rows] == [str(number) for number in range(100)]
    assert [row["n"] for row in rows] == [*range(50), *[Decimal("1.25")] * 50]
    assert [row.get("late") for row in rows] == [None] * 90 + [Decimal("0.5")] * 10


@pytest.mark.usefixtures("parquet")
def test_parquet_that_becomes_mixed_late(tmp_path, monkeypatch):
    """A column whose type changes between row groups is found before anything is written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mizzle_async.cli.targets.GROUP_BYTES", 10)
    target = ExportFile("a.parquet", Format.PARQUET)
    target.open(None)
    target.write([{"id": {"S": "1"}}, {"id": {"S": "2"}}, {"id": {"N": "1"}}])
    target.close()
    with pytest.raises(click.ClickException, match="'id' have several types"):
        target.finish()
    assert (tmp_path / "a.parquet.part").exists()
    assert not (tmp_path / "a.parquet").exists()
