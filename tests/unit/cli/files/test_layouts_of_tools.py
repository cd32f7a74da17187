"""The layouts of other tools: each is a small file, and its items are read."""

import gzip
import hashlib
import json
from base64 import b64encode

import click
import pytest

from mizzle_async.cli.files.rows import ReadOptions
from mizzle_async.cli.files.source import Source

ONE = {"id": {"S": "1"}, "n": {"N": "1.5"}, "tags": {"SS": ["a", "b"]}}
TWO = {"id": {"S": "2"}, "b": {"B": "AAE="}}
STORED = [ONE, TWO]
PLAIN = [{"id": "1", "n": 1}, {"id": "2"}]

DOCUMENTS = {
    "aws dynamodb scan": {"Items": STORED, "Count": 2, "ScannedCount": 2, "ConsumedCapacity": None},
    "dynamodump": {"Count": 2, "Items": STORED, "ScannedCount": 2},
    "an array": STORED,
    "an array of frames": [{"Item": item} for item in STORED],
    "batch-write-item": {"t": [{"PutRequest": {"Item": item}} for item in STORED]},
    "batch-write-item with its parameter": {"RequestItems": {"t": [{"PutRequest": {"Item": item}} for item in STORED]}},
    "batch-get-item": {"Responses": {"t": STORED}, "UnprocessedKeys": {}},
    "NoSQL Workbench": {
        "ModelName": "m",
        "ModelMetadata": {"Author": ""},
        "DataModel": [
            {"TableName": "other", "KeyAttributes": {}, "TableData": [{"id": {"S": "9"}}]},
            {"TableName": "t", "KeyAttributes": {}, "TableData": STORED},
        ],
    },
}


def rows_of(path, **options):
    """Return the rows of a file for table t, checked first."""
    source = Source((str(path),), ReadOptions(**options), needed=(("id",),), target="t")
    source.check()
    return list(source)


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("tool", DOCUMENTS)
def test_document_of_a_tool(tmp_path, tool, indent):
    """The output of a tool is read as it is, on one line and over several."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps(DOCUMENTS[tool], indent=indent))
    rows = rows_of(path)
    assert [row.values for row in rows] == STORED
    assert {row.format for row in rows} == {"dynamodb"}
    assert [row.line for row in rows] == [1, 2]


@pytest.mark.parametrize("line", ["Items:", "ConsumedCapacity: null", "ITEMS\t1", "-----------------"])
def test_other_outputs_of_the_aws_cli_are_named(tmp_path, line):
    """YAML, text and tables lose types: the option that keeps them is named."""
    path = tmp_path / "scan.out"
    path.write_text(f"{line}\n- id:\n    S: '1'\n")
    with pytest.raises(click.UsageError, match="of the AWS CLI the output is read with --output json"):
        rows_of(path)
    path.write_text("<html>\n")
    with pytest.raises(click.UsageError, match=r"name it with --format [a-z|]+$"):
        rows_of(path)


@pytest.mark.parametrize("document", [{"Item": ONE}, {"Item": ONE, "ConsumedCapacity": {}}, ONE])
def test_document_of_one_item(tmp_path, document):
    """The output of get-item, and a file for put-item, is one item."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document, indent=2))
    found = [row.values.get("Item", row.values) for row in rows_of(path)]
    assert found == [ONE]


@pytest.mark.parametrize(
    "text", [json.dumps(PLAIN), json.dumps(PLAIN, indent=1), "\n".join(json.dumps(p, indent=2) for p in PLAIN)]
)
def test_plain_json_over_several_lines(tmp_path, text):
    """Plain items in an array, or one behind the other over several lines, are read as plain JSON."""
    path = tmp_path / "a.json"
    path.write_text(text)
    rows = rows_of(path)
    assert [row.values for row in rows] == PLAIN
    assert {row.format for row in rows} == {"jsonl"}


def test_plain_item_with_the_names_of_an_envelope(tmp_path):
    """An item whose attributes are called as those of an answer is an item."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"id": "1", "Items": [1], "Count": 3, "DataModel": []}, indent=1))
    assert [row.values for row in rows_of(path)] == [{"id": "1", "Items": [1], "Count": 3, "DataModel": []}]
    path.write_text(json.dumps({"Count": 3, "id": "1", "list": [{"PutRequest": 1}]}, indent=1))
    assert [row.values for row in rows_of(path)] == [{"Count": 3, "id": "1", "list": [{"PutRequest": 1}]}]


def test_elements_that_are_no_items_are_bad_rows(tmp_path):
    """An element that is no object, or not DynamoDB's JSON as the first one, is bad, by its number."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps([ONE, 1, [2], {"id": "x"}, TWO], indent=1))
    rows = rows_of(path)
    assert [(row.line, bool(row.problem)) for row in rows] == [(1, False), (2, True), (3, True), (4, True), (5, False)]
    assert rows[3].attribute == "id"


def test_several_tables_are_chosen_from(tmp_path):
    """Of several tables the target's is read, or the one that is named; else they are named."""
    path = tmp_path / "a.json"
    request = [{"PutRequest": {"Item": ONE}}]
    path.write_text(json.dumps({"a": request, "b": [{"PutRequest": {"Item": TWO}}]}, indent=1))
    with pytest.raises(click.UsageError, match="several tables, a, b: name one with --source-table"):
        rows_of(path)
    assert [row.values for row in rows_of(path, source_table="b")] == [TWO]
    with pytest.raises(click.UsageError, match="no table 'c'; its tables: a, b"):
        rows_of(path, source_table="c")
    path.write_text(json.dumps({"a": request, "t": [{"PutRequest": {"Item": TWO}}]}, indent=1))
    assert [row.values for row in rows_of(path)] == [TWO]


def test_requests_to_delete_are_deletions(tmp_path):
    """A DeleteRequest is a row that deletes its key."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"t": [{"DeleteRequest": {"Key": {"id": {"S": "1"}}}}, {"PutRequest": {"Item": TWO}}]}))
    assert [(row.values, row.is_deletion) for row in rows_of(path)] == [({"id": {"S": "1"}}, True), (TWO, False)]


def test_page_of_a_scan_is_told(tmp_path, capsys):
    """A document that says that more follows is read, and the user is told once."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"Items": STORED, "NextToken": "x"}, indent=1))
    assert len(rows_of(path)) == 2
    assert "more follows" in capsys.readouterr().err


def change(key, written_at, image=None):
    """Return a line of an incremental export."""
    line = {"Metadata": {"WriteTimestampMicros": {"N": str(written_at)}}, "Keys": {"id": {"S": key}}}
    return line if image is None else line | {"OldImage": {"id": {"S": key}}, "NewImage": image}


def test_incremental_export(tmp_path):
    """A line of an incremental export is its new image with its time, or a deletion where it has none."""
    path = tmp_path / "a.json"
    path.write_text("".join(json.dumps(line) + "\n" for line in (change("1", 5, ONE), change("3", 6))))
    assert [(row.values, row.written_at, row.is_deletion) for row in rows_of(path)] == [
        (ONE, 5, False),
        ({"id": {"S": "3"}}, 6, True),
    ]


def write_export(folder, *, shared=False, files=(STORED,)):
    """Write an export as the service does: manifests with checksums, and compressed data."""
    own = folder / "AWSDynamoDB" / "0123-abc"
    data = (own.parent if shared else own) / "data"
    data.mkdir(parents=True)
    own.mkdir(exist_ok=True)
    entries = []
    for number, items in enumerate(files):
        content = gzip.compress("".join(json.dumps({"Item": item}) + "\n" for item in items).encode())
        (data / f"file{number}.json.gz").write_bytes(content)
        md5 = b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        key = f"some/prefix/AWSDynamoDB/data/file{number}.json.gz"
        entries.append({"itemCount": len(items), "md5Checksum": md5, "etag": "x-1", "dataFileS3Key": key})
    manifest = "".join(json.dumps(entry) + "\n" for entry in entries).encode()
    (own / "manifest-files.json").write_bytes(manifest)
    digest = b64encode(hashlib.md5(manifest, usedforsecurity=False).digest())
    (own / "manifest-files.checksum").write_bytes(digest)
    (own / "manifest-summary.json").write_text(json.dumps({"exportArn": "arn", "manifestFilesS3Key": "k"}))
    (own / "_started").touch()
    return own


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", ["", "manifest-summary.json", "manifest-files.json", ".."])
def test_export_as_a_folder(tmp_path, shared, name):
    """An export is read by its folder, the folder above it, or a manifest; its data may be in a shared folder."""
    own = write_export(tmp_path, shared=shared, files=([ONE], [TWO]))
    assert [row.values for row in rows_of(own / name)] == STORED


def test_folder_of_data_is_read(tmp_path):
    """A folder without a manifest is read file by file, in the order of their names."""
    own = write_export(tmp_path, files=([ONE], [TWO]))
    assert [row.values for row in rows_of(own / "data")] == STORED


def test_export_that_is_not_whole_is_refused(tmp_path):
    """A missing file, a changed file and a changed manifest are told before anything is read."""
    own = write_export(tmp_path, files=([ONE], [TWO]))
    (own / "data" / "file1.json.gz").rename(own / "data" / "kept")
    with pytest.raises(click.UsageError, match=r"lacks file1\.json\.gz, which manifest-files\.json names"):
        rows_of(own)
    (own / "data" / "file1.json.gz").write_bytes(gzip.compress(b"{}"))
    with pytest.raises(click.UsageError, match="not the file that its manifest describes"):
        rows_of(own)
    (own / "data" / "kept").replace(own / "data" / "file1.json.gz")
    assert len(rows_of(own)) == 2
    (own / "manifest-files.json").write_bytes(b"{}\n")
    with pytest.raises(click.UsageError, match="not the file that its checksum describes"):
        rows_of(own)


def test_export_of_another_count_is_refused(tmp_path):
    """A file with fewer items than its manifest says is a bad file."""
    own = write_export(tmp_path)
    entry = json.loads((own / "manifest-files.json").read_text())
    (own / "manifest-files.checksum").unlink()
    (own / "manifest-files.json").write_text(json.dumps(entry | {"itemCount": 3}))
    with pytest.raises(click.ClickException, match="has 2 items, and its manifest says 3"):
        rows_of(own)


def write_parts(folder, *parts):
    """Write an export of several processes."""
    folder.mkdir()
    files = []
    for number, items in enumerate(parts):
        content = "".join(json.dumps({"Item": item}) + "\n" for item in items).encode()
        (folder / f"part-{number:05}.jsonl").write_bytes(content)
        files.append({"name": f"part-{number:05}.jsonl", "bytes": len(content)})
    (folder / "_manifest.json").write_text(json.dumps({"format": 1, "items": len(parts), "files": files}))
    return folder


@pytest.mark.parametrize("name", ["", "_manifest.json"])
def test_export_of_several_processes_is_read(tmp_path, name):
    """The manifest is no file of items, and parts without items are no news."""
    folder = write_parts(tmp_path / "export", [STORED[0]], [], [STORED[1]])
    told = []
    source = Source((str(folder / name),), ReadOptions(), say=told.append)
    assert [row.values for row in source] == STORED
    assert told == []
    assert list(Source((str(write_parts(tmp_path / "empty", [], [])),), ReadOptions())) == []


def test_export_of_several_processes_that_is_not_whole_is_refused(tmp_path):
    """A part that is missing or cut, and a run that did not come to its end, are told before anything is read."""
    folder = write_parts(tmp_path / "export", [STORED[0]], [STORED[1]])
    part = folder / "part-00001.jsonl"
    content = part.read_bytes()
    part.write_bytes(content[:-5])
    with pytest.raises(click.UsageError, match="not the file that its manifest describes"):
        rows_of(folder)
    part.unlink()
    with pytest.raises(click.UsageError, match=r"lacks part-00001\.jsonl, which _manifest\.json names"):
        rows_of(folder)
    (folder / "_manifest.json").write_text("[]")
    with pytest.raises(click.UsageError, match="is no manifest of an export"):
        rows_of(folder)
    (folder / "_manifest.json").unlink()
    with pytest.raises(click.UsageError, match="parts of an export that is not complete"):
        rows_of(folder)
    assert [row.values for row in rows_of(folder / "part-00000.jsonl")] == STORED[:1]


def test_folder_of_several_exports_is_refused(tmp_path):
    """Of several exports the user names those that are meant, in their order."""
    own = write_export(tmp_path)
    other = own.with_name("0456-def")
    other.mkdir()
    (other / "manifest-files.json").touch()
    with pytest.raises(click.UsageError, match="several exports, 0123-abc, 0456-def"):
        rows_of(own.parent)


def test_place_that_is_not_here_is_refused():
    """An address of S3 says how to fetch it."""
    with pytest.raises(click.UsageError, match="aws s3 cp --recursive"):
        Source(("s3://bucket/AWSDynamoDB/1",))


def test_ion_without_its_library_is_named(tmp_path, monkeypatch):
    """Amazon Ion is named as such, with the two ways to read it."""
    monkeypatch.setitem(__import__("sys").modules, "amazon.ion.simpleion", None)
    (tmp_path / "a.ion").write_text("$ion_1_0 {Item:{id:1}}\n")
    with pytest.raises(click.UsageError, match=r"Amazon Ion, which needs the extra `ion`.*DYNAMODB_JSON"):
        rows_of(tmp_path / "a.ion")


def test_rejects_are_rows_again(tmp_path):
    """A line of a rejects file is the row that it keeps, in the format that it names."""
    lines = [
        {"file": "a", "line": 1, "attribute": None, "problem": "x", "content": {"id": "1"}, "format": "jsonl"},
        {"file": "a", "line": 2, "attribute": None, "problem": "x", "content": ONE, "format": "dynamodb"},
        {"file": "a", "line": 3, "attribute": None, "problem": "x", "content": {"id": "1", "n": "2"}, "format": "csv"},
        {"file": "a", "line": 4, "attribute": None, "problem": "x", "content": '{"id": "4"}', "format": "jsonl"},
        {"file": "a", "line": 5, "attribute": None, "problem": "x", "content": "{broken", "format": "jsonl"},
        {"file": "a", "line": 6, "attribute": None, "problem": "x", "content": "6,7", "columns": ["id", "n"]},
        {"file": "a", "line": 7, "attribute": None, "problem": "x", "content": "6", "columns": ["id", "n"]},
    ]
    path = tmp_path / "t.rejects.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [(row.line, row.values, str(row.format)) for row in rows_of(path)] == [
        (1, {"id": "1"}, "jsonl"),
        (2, ONE, "dynamodb"),
        (3, {"id": "1", "n": "2"}, "csv"),
        (4, {"id": "4"}, "jsonl"),
        (5, None, "jsonl"),
        (6, {"id": "6", "n": "7"}, "csv"),
        (7, None, "jsonl"),
    ]
