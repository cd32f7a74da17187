import gzip

import click
import orjson
import pytest

from mizzle_async.cli.files.layouts import Layout, layout_of
from mizzle_async.cli.files.opening import open_input
from mizzle_async.cli.files.rows import ReadOptions
from mizzle_async.cli.files.source import Source
from mizzle_async.cli.formats import Format, format_of_export, format_of_name
from mizzle_async.cli.losses import Losses
from mizzle_async.cli.targets import ExportFile
from mizzle_async.errors import ResumeError

ITEMS = [{"id": {"S": "1"}, "n": {"N": "1.5"}}, {"id": {"S": "2"}, "a": {"L": [{"NULL": True}]}}]


@pytest.mark.parametrize(
    ("name", "argument", "typed", "expected"),
    [
        ("a.jsonl", None, True, Format.JSONL),
        ("a.jsonl", None, False, Format.DYNAMODB),
        ("a.NDJSON.gz", None, True, Format.JSONL),
        ("a.csv.gz", None, False, Format.CSV),
        ("a.txt", "csv", False, Format.CSV),
        ("-", None, True, Format.JSONL),
        ("-", None, False, Format.DYNAMODB),
        ("a.json", "jsonl", False, Format.JSONL),
    ],
)
def test_format_of_an_export(name, argument, typed, expected):
    """The name says the format, unless the user does; JSON without a model is the one that keeps every type."""
    assert format_of_export(name, argument, typed=typed) is expected


@pytest.mark.parametrize("name", ["a.xls", "a", "a.tsv", "a.ion", "a.csv.zst"])
def test_format_of_an_export_that_is_unknown(name):
    """A name without a format, or of one that is only read, is a usage error."""
    with pytest.raises(click.UsageError, match=r"name it with --format|gzip only"):
        format_of_export(name, None, typed=False)


def layout(tmp_path, name, content, argument=None):
    """Return the layout of a file with some content."""
    (tmp_path / name).write_bytes(content)
    with open_input(str(tmp_path / name)) as (stream, _):
        return layout_of(name, stream, argument)[0]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"Item": {"a": {"S": "x"}}}\n', Layout.STORED_LINES),
        (b'{"a": {"S": "x"}, "n": {"N": "1"}}\n', Layout.STORED_LINES),
        (b'\n\n{"Item": {"a": "x"}}\n', Layout.LINES),
        (b'{"Item": 1}\n', Layout.LINES),
        (b'{"Items": 1, "Count": 1}\n', Layout.LINES),
        (b'{"Items": [], "id": 1}\n', Layout.LINES),
        (b"{}\n", Layout.LINES),
        (b'{"broken\n{"id": 1}\n', Layout.LINES),
        (b"{broken\n", Layout.LINES),
        (b'{"id": 1,,}\n', Layout.LINES),
        (b'{"id": NaN}\n', Layout.LINES),
        (b"nonsense", Layout.LINES),
        (b"", Layout.LINES),
        (b'{"id": 1}', Layout.LINES),
        (b"{\n", Layout.DOCUMENT),
        (b'{"id":\n1}', Layout.DOCUMENT),
        (b'{"id": 1} {"id": 2}', Layout.DOCUMENT),
        (b"[", Layout.DOCUMENT),
        (b'{"Items": [{"id": {"S": "1"}}], "Count": 1}', Layout.DOCUMENT),
        (b'{"t": [{"PutRequest": {"Item": {"id": {"S": "1"}}}}]}', Layout.DOCUMENT),
        (b'{"RequestItems": {"t": []}}', Layout.DOCUMENT),
        (b"$ion_1_0 {Item:{id:1}}", Layout.ION),
        (b"\xe0\x01\x00\xea", Layout.ION),
    ],
)
def test_layout_is_seen_in_the_first_line(tmp_path, content, expected):
    """The first line that is not blank shows the layout, whatever the suffix for JSON is."""
    for name in ("a.json", "a.jsonl", "a.ndjson"):
        assert layout(tmp_path, name, content) is expected


def test_layout_that_the_user_names_is_taken(tmp_path):
    """A named format is not guessed against, and a document is one all the same."""
    assert layout(tmp_path, "a.json", b'{"id": {"S": "x"}}\n', "jsonl") is Layout.LINES
    assert layout(tmp_path, "a.json", b'{"id": "x"}\n', "dynamodb") is Layout.STORED_LINES
    assert layout(tmp_path, "a.txt", b"[{}]", "dynamodb") is Layout.DOCUMENT
    assert layout(tmp_path, "a.json", b"id\n1\n", "csv") is Layout.CSV
    assert format_of_name("a.JSON.zst") is Format.JSONL


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b'{"exportArn": "arn", "manifestFilesS3Key": "k"}', "manifest of an export"),
        (b'{"itemCount": 8, "md5Checksum": "x", "dataFileS3Key": "k"}', "manifest of an export"),
        (b'{"Table": {"KeySchema": [], "AttributeDefinitions": []}}', "describes a table"),
        (b"PK\x03\x04....", "ZIP archive"),
    ],
)
def test_file_without_items_is_named_as_what_it_is(tmp_path, content, part):
    """A file of another kind is refused in one sentence, by what it is."""
    with pytest.raises(click.UsageError, match=part):
        layout(tmp_path, "a.json", content)


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing.jsonl", "is not a file"), (".", "is a folder without files"), ("known.txt", "name it with --format")],
)
def test_files_that_cannot_be_read_are_refused(tmp_path, monkeypatch, name, message):
    """A name that is no file's, and a file of an unknown format, are refused before the first line is read."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "known.txt").write_text("id\n")
    monkeypatch.chdir(tmp_path / "empty" if name == "." else tmp_path)
    with pytest.raises(click.UsageError, match=message):
        Source(("-", name)).check()


def test_parquet_needs_pyarrow(monkeypatch):
    """Parquet without pyarrow says what to install."""
    monkeypatch.setattr("mizzle_async.cli.formats.find_spec", lambda name: None)
    with pytest.raises(click.UsageError, match=r"pip install 'mizzle-async\[arrow\]'"):
        format_of_export("a.parquet", None, typed=False)


def test_rows_know_their_lines(tmp_path):
    """A row has file and line; a bad one says what is wrong and holds its text."""
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbfid,a\n1,x\n\n"2\n2",y\n\xff,z\n3\n')
    rows = list(Source((str(path),)))
    assert [(row.line, row.values, row.problem) for row in rows] == [
        (2, {"id": "1", "a": "x"}, ""),
        (4, {"id": "2\n2", "a": "y"}, ""),
        (6, None, "not UTF-8: --encoding names another encoding"),
        (7, None, "expected 2 columns, got 1: --short-rows takes missing cells as absent"),
    ]
    assert rows[3].content == "3"


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
    assert "3,z" in rows[1].content
    path.write_bytes(b'id,a\n1,"x"')
    assert [row.values for row in Source((str(path),))] == [{"id": "1", "a": "x"}]


def test_csv_of_another_encoding(tmp_path):
    """UTF-16 is seen by its mark or its zero bytes; another encoding is named by the user, or its header is refused."""
    path = tmp_path / "a.csv"
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"):
        path.write_bytes("id,ä\n1,ö\n".encode(encoding))
        assert [row.values for row in Source((str(path),))] == [{"id": "1", "ä": "ö"}]
    path.write_bytes("id,ä\n1,ö\n".encode("cp1252"))
    with pytest.raises(click.UsageError, match="is not UTF-8: name its encoding"):
        list(Source((str(path),)))
    assert [row.values for row in Source((str(path),), ReadOptions(encoding="cp1252"))] == [{"id": "1", "ä": "ö"}]


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
    rows = list(Source((str(path),), ReadOptions(format="dynamodb")))
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
    kind = format_of_export(name, None, typed=True)
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


def test_losses_are_counted_over_a_checkpoint(tmp_path, monkeypatch):
    """An export that goes on counts the items that lose something before and after its checkpoint, once each."""
    monkeypatch.chdir(tmp_path)
    lossy = {"id": {"S": "1"}, "tags": {"SS": ["a"]}}
    first = ExportFile("a.jsonl", Format.JSONL)
    first.losses = Losses(Format.JSONL)
    first.open(None)
    first.write([lossy, ITEMS[0]])
    state = orjson.loads(orjson.dumps(first.checkpoint()))
    first.write([lossy])
    first.close()
    second = ExportFile("a.jsonl", Format.JSONL)
    second.losses = Losses(Format.JSONL)
    second.open(state)
    second.write([lossy, lossy | {"tags": {"NS": ["1"]}}])
    second.checkpoint()
    second.close()
    (note,) = second.notes()
    assert note.startswith("3 items hold sets or binary")
    assert "--types" not in note  # the attribute has several types
    old = orjson.loads(orjson.dumps({name: each for name, each in state.items() if name != "losses"}))
    third = ExportFile("a.jsonl", Format.JSONL)
    third.open(old)  # a state of an earlier version
    third.close()
