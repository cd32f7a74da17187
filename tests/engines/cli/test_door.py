"""The file door on real tables: odd files, files of other tools, and our own exports, which load back equal."""

import gzip
import json
import os
import subprocess
import sys
from decimal import Decimal

import pytest

COMMAND = [sys.executable, "-c", "from mizzle_async.cli import main; main()"]

EVERYTHING = {
    "id": {"S": "1"},
    "number": {"N": "123456789012345678901234567890.12345678"},
    "tiny": {"N": "1E-130"},
    "text": {"S": "ä\n\"'\u0001"},
    "empty": {"S": ""},
    "bytes": {"B": "AAEC"},
    "yes": {"BOOL": True},
    "nothing": {"NULL": True},
    "names": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2.5"]},
    "blobs": {"BS": ["AA==", "AQ=="]},
    "list": {"L": [{"N": "1"}, {"M": {"a": {"L": []}}}, {"SS": ["x"]}]},
    "map": {"M": {"x.y": {"N": "-0.1"}, "b": {"B": "AA=="}}},
}


def same(item):
    """Return an item with its sets in order and its numbers as numbers, to be compared."""
    return {name: {tag: same_value(tag, content) for tag, content in stored.items()} for name, stored in item.items()}


def same_value(tag, content):
    """Return one stored value to be compared."""
    if tag in {"SS", "BS"}:
        return sorted(content)
    if tag == "NS":
        return sorted(map(Decimal, content))
    if tag == "L":
        return [{inner: same_value(inner, each) for inner, each in element.items()} for element in content]
    if tag == "M":
        return same(content)
    return Decimal(content) if tag == "N" else content


def stored(shell, table, key="1"):
    """Return an item as it is stored."""
    return same(json.loads(shell("get", key, "-t", table, "--dynamodb").stdout)["Item"])


@pytest.mark.parametrize("name", ["out.jsonl", "out.json", "out.ndjson.gz", "out.json.gz"])
def test_default_export_loads_back_equal(shell, new_table, name):
    """An export without options keeps every type and every digit, and loads back by its name alone."""
    one, other = new_table(), new_table()
    shell.write("in.json", {"Item": EVERYTHING}, {"Item": {"id": {"S": "2"}}})
    assert shell("load", "in.json", "-t", one).exit_code == 0
    result = shell("export", name, "-t", one)
    assert (result.exit_code, "does not keep" in result.stderr) == (0, False)
    assert shell("load", name, "-t", other).exit_code == 0
    assert stored(shell, other) == stored(shell, one)
    assert shell("count", "-t", other).stdout == "2\n"


@pytest.mark.parametrize(("name", "options"), [("out.jsonl", ["--format", "jsonl"]), ("out.csv", [])])
def test_lossy_export_says_so_and_how_to_restore(shell, new_table, name, options):
    """An export that does not keep types counts its items, and names the option that restores them when loading."""
    one, other = new_table(), new_table()
    item = {"id": {"S": "1"}, "s": {"SS": ["a", "b"]}, "b": {"B": "AAE="}, "n": {"N": "1.50"}, "t": {"S": "x"}}
    shell.write("in.json", item, {"id": {"S": "2"}, "t": {"S": "y"}})
    assert shell("load", "in.json", "-t", one).exit_code == 0
    result = shell("export", name, "-t", one, *options)
    assert "1 item holds" in result.stderr
    assert "--format dynamodb keeps everything" in result.stderr
    types = result.stderr.split("--types ")[1].split()[0].rstrip("`")
    report = shell("export", f"second-{name}", "-t", one, *options, "--json")
    assert json.loads(report.stdout)["lossy"] == 1
    assert shell("load", name, "-t", other, "--types", types).exit_code == 0
    assert stored(shell, other) == stored(shell, one)


def test_lossy_export_with_a_model_is_none(shell, airports):
    """With a model, which restores types when loading, plain JSON loses nothing and says nothing."""
    row = {"country": "DE", "icao": "EDDF", "name": "N", "elevation": 3, "lat": 50.0, "lon": 8.5, "tz": "X"}
    shell.write("in.jsonl", row | {"tags": ["a", "b"]})
    assert shell("load", "in.jsonl", "--model", shell.model).exit_code == 0
    assert "does not keep" not in shell("export", "out.jsonl", "--model", shell.model).stderr
    before = shell("get", "DE", "EDDF", "-t", airports, "--dynamodb").stdout
    assert '"SS"' in before
    assert shell("load", "out.jsonl", "--model", shell.model).exit_code == 0
    assert same(json.loads(shell("get", "DE", "EDDF", "-t", airports, "--dynamodb").stdout)["Item"]) == same(
        json.loads(before)["Item"]
    )


def test_document_of_aws_loads(shell, new_table):
    """The output of `aws dynamodb scan`, over several lines, loads as it is, from a file and through a pipe."""
    table = new_table()
    text = json.dumps({"Items": [EVERYTHING, {"id": {"S": "2"}}], "Count": 2, "ScannedCount": 2}, indent=4)
    (shell.folder / "scan.json").write_text(text)
    assert "load: 2 loaded" in shell("load", "scan.json", "-t", table).stderr
    assert stored(shell, table) == same(EVERYTHING)
    assert "load: 2 loaded" in shell("load", "-", "-t", table, input=text).stderr
    utf_16 = text.encode("utf-16")
    assert "load: 2 loaded" in shell("load", "-", "-t", table, input=gzip.compress(utf_16)).stderr


def change(key, written_at, number=None):
    """Return a line of an incremental export."""
    line = {"Metadata": {"WriteTimestampMicros": {"N": str(written_at)}}, "Keys": {"id": {"S": key}}}
    return line if number is None else line | {"NewImage": {"id": {"S": key}, "n": {"N": str(number)}}}


def test_incremental_export_is_applied(shell, new_table):
    """The newest change of each item wins, wherever it stands; an item whose newest change is its deletion is gone."""
    table = new_table()
    shell.write("full.jsonl", *[{"id": key, "n": 0} for key in "abcde"])
    assert shell("load", "full.jsonl", "-t", table).exit_code == 0
    shell.write("1.json", change("a", 10, 1), change("b", 11), change("c", 12), change("d", 30, 7))
    shell.write("2.json", change("a", 20, 2), change("c", 21, 5), change("d", 5, 1), change("e", 5, 9), change("e", 6))
    result = shell("load", "1.json", "2.json", "-t", table, "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["deleted"], report["superseded"]) == (0, 2, 1)
    assert {row["id"]: row["n"] for row in shell.rows("scan", "-t", table)} == {"a": 2, "c": 5, "d": 7}


def test_requests_of_batch_write_are_applied(shell, new_table):
    """A file of batch-write-item puts and deletes."""
    table = new_table()
    shell("load", "-", "-t", table, input='{"id": "old"}\n{"id": "kept"}\n')
    requests = [
        {"DeleteRequest": {"Key": {"id": {"S": "old"}}}},
        {"PutRequest": {"Item": {"id": {"S": "new"}}}},
        {"DeleteRequest": {"Key": {"id": {"S": "again"}}}},
        {"PutRequest": {"Item": {"id": {"S": "again"}}}},
    ]
    (shell.folder / "requests.json").write_text(json.dumps({table: requests}, indent=2))
    result = shell("load", "requests.json", "-t", table)
    assert (result.exit_code, "2 loaded" in result.stderr, "1 deleted" in result.stderr) == (0, True, True)
    assert sorted(row["id"] for row in shell.rows("scan", "-t", table)) == ["again", "kept", "new"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"name;other\n1;2\n"),
        ("a.csv", b"name,ID\n1,2\n"),
        ("a.csv", "idä,a\n1,2\n".encode("cp1252")),
        ("a.json", b'{"exportArn": "x", "manifestFilesS3Key": "y"}'),
        ("a.jsonl", b'{"Key": 1}\n' * 50),
        ("a.jsonl", b'{"x": 1}\n' * 2_000),
        ("a.jsonl", b"\x00" * 1_000),
        ("a.jsonl", b"1"),
        ("a.json", b'{"id": {"S": 1}}\n'),
        ("a.jsonl", b"PK\x03\x04\x00\x00"),
        ("a.xlsx", b"PK\x03\x04\x00\x00"),
        ("a.txt", b"id,a\n"),
        ("a.json", b'[{"id": 39}, {"id": null}]'),
        ("a.ion", b"$ion_1_0 {Item:{id:1}}"),
    ],
)
def test_wrong_file_is_refused_before_anything_is_written(shell, new_table, name, content):
    """A file of which nothing can be loaded ends at once with exit code 2, one sentence, and no rejects file."""
    table = new_table()
    (shell.folder / name).write_bytes(content)
    for quiet in ([], ["-q"], ["--dry-run"]):
        result = shell("load", name, "-t", table, *quiet)
        assert result.exit_code == 2, result.output
        error = result.stderr.split("Error: ")[1]
        assert error.count("\n") == 1
        assert "Traceback" not in result.output
    assert {path.name for path in shell.folder.iterdir()} == {name}


def test_hopeless_file_can_be_loaded_all_the_same(shell, new_table):
    """--max-rejects goes on with as many bad lines as the user wants, and names the reasons."""
    table = new_table()
    shell.write("in.jsonl", *[{"x": 1}] * 1_500, {"id": "1"})
    result = shell("load", "in.jsonl", "-t", table)
    assert result.exit_code == 2
    assert "the first 1,000 rows are bad: 1,000 times attribute id: missing" in result.stderr
    result = shell("load", "in.jsonl", "-t", table, "--max-rejects", "2000")
    assert (result.exit_code, "1 loaded, 1,500 rejected" in result.stderr) == (3, True)
    assert "by reason: 1,500 times attribute id: missing" in result.stderr
    result = shell("load", "in.jsonl", "-t", table, "--max-rejects", "100")
    assert (result.exit_code, "stopped: more than 100 bad lines" in result.stderr) == (1, True)


def test_hopeless_pipe_is_stopped(shell, new_table):
    """A pipe of which nothing can be loaded stops after a thousand rows; a short one is a failure, too."""
    table = new_table()
    result = shell("load", "-", "-t", table, input='{"x": 1}\n' * 5_000)
    assert (result.exit_code, "the first 1,000 rows are all bad" in result.stderr) == (1, True)
    result = shell("load", "-", "-t", table, input='{"x": 1}\n' * 5)
    assert (result.exit_code, "0 loaded, 5 rejected" in result.stderr) == (1, True)


def test_rejects_are_repaired_and_loaded(shell, new_table):
    """A rejects file that was repaired loads; what is bad in it again goes to another one, and the old is kept."""
    table = new_table("id:S at:N")
    binary = {"id": {"S": "4"}, "at": {"S": "x"}, "b": {"B": "AA=="}}
    shell.write("a.csv", "id,at,n", "1,1,x", "2,later,x", "3")
    shell.write("b.json", {"Item": binary}, {"Item": {"id": {"S": "5"}, "at": {"N": "5"}}})
    assert shell("load", "a.csv", "b.json", "-t", table).exit_code == 3
    name = f"{table}.rejects.jsonl"
    entries = shell.read(name)
    assert [entry["format"] for entry in entries] == ["csv", "csv", "dynamodb"]
    entries[0]["content"]["at"] = "2"
    entries[1]["content"] = "3,3,y"
    entries[2]["content"]["at"] = {"N": "4"}
    shell.write(name, *entries, entries[0] | {"content": {"id": "6"}})
    result = shell("load", name, "-t", table)
    assert (result.exit_code, "3 loaded, 1 rejected" in result.stderr) == (3, True), result.stderr
    assert sorted(row["at"] for row in shell.rows("scan", "-t", table)) == [1, 2, 3, 4, 5]
    assert stored_pair(shell, table, "4")["b"] == {"B": "AA=="}
    again = f"{table}.rejects.2.jsonl"
    assert [entry["content"] for entry in shell.read(again)] == [{"id": "6"}]
    assert len(shell.read(name)) == 4
    shell.write("c.jsonl", "bad", {"id": "7", "at": 7})
    assert shell("load", "c.jsonl", "-t", table).exit_code == 3
    assert len(shell.read(f"{name}.1")) == 4
    assert len(shell.read(name)) == 1


def stored_pair(shell, table, key):
    """Return an item of a table with two key attributes of one value."""
    return json.loads(shell("get", key, key, "-t", table, "--dynamodb").stdout)["Item"]


def test_types_of_columns(shell, new_table):
    """Types that are named make cells into numbers, booleans and sets; a cell that is none is rejected."""
    table = new_table()
    shell.write("a.csv", "id,n,tags,ok,m,x", '1,2.50,"[""a"",""b""]",true,"{""k"":1}",7', "2,many,,,,")
    types = "n=N,tags=SS,ok=BOOL,m=M"
    result = shell("load", "a.csv", "-t", table, "--types", types)
    assert (result.exit_code, "a.csv:3: attribute n: expected a number" in result.stderr) == (3, True)
    assert stored(shell, table) == same(
        {
            "id": {"S": "1"},
            "n": {"N": "2.5"},
            "tags": {"SS": ["a", "b"]},
            "ok": {"BOOL": True},
            "m": {"M": {"k": {"N": "1"}}},
            "x": {"S": "7"},
        }
    )
    assert shell("load", "a.csv", "-t", table, "--json-cells").exit_code == 0
    assert stored(shell, table)["tags"] == {"L": [{"S": "a"}, {"S": "b"}]}
    assert stored(shell, table)["id"] == {"S": "1"}
    assert stored(shell, table)["x"] == {"N": Decimal(7)}
    assert stored(shell, table, "2")["n"] == {"S": "many"}


def test_csv_of_the_console(shell, new_table):
    """A file that the AWS console has written, whose header names the types, loads with them."""
    table = new_table()
    lines = ['"id (S)","n (N)","tags (SS)","l (L)"', '"1","2","[""a""]","[{""S"":""x""},{""N"":""1""}]"']
    shell.write("results.csv", *lines)
    assert shell("load", "results.csv", "-t", table).exit_code == 0
    assert stored(shell, table) == same(
        {
            "id": {"S": "1"},
            "n": {"N": "2"},
            "tags": {"SS": ["a"]},
            "l": {"L": [{"S": "x"}, {"N": "1"}]},
        }
    )


def test_blank_key_is_told(shell, new_table):
    """A key of blanks is loaded as it is, with a word about it; --strip makes it a missing one."""
    table = new_table()
    shell.write("a.csv", "id,n", " ,1", "2,2")
    assert "a.csv:2: the key id is blank; --strip" in shell("load", "a.csv", "-t", table).stderr
    assert shell("load", "a.csv", "-t", table, "--strip").exit_code == 3


ODD_LINES = [
    '{"id": "1", "id": "2"}',
    '{"id": "nul\\u0000"}',
    '{"id": "digits", "n": 123456789012345678901234567890123456789}',
    '{"id": "large", "text": "' + "x" * 410_000 + '"}',
    '{"id": "nan", "n": NaN}',
    '{"id": "infinite", "n": 1e999}',
    '{"id": "surrogate \\ud800"}',
    '{"id": ""}',
    '{"id": 5}',
    '{"id": {"S": "x"}}',
    "[]",
    "{}",
    "\ufeff{}",
    '{"id": "deep", "x": ' + "[" * 40 + "]" * 40 + "}",
    "\x00\x01",
    '{"id": "fine"}',
]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_odd_lines_are_rejected_one_by_one(shell, new_table, ends):
    """Whatever a line is, it is loaded or rejected with a reason; the lines around it are loaded."""
    table = new_table()
    (shell.folder / "odd.jsonl").write_bytes(ends.join(["", *ODD_LINES]).encode())
    result = shell("load", "odd.jsonl", "-t", table)
    assert result.exit_code == 3, result.output
    assert {row["id"] for row in shell.rows("scan", "-t", table)} == {"2", "nul\0", "fine"}
    rejects = shell.read(f"{table}.rejects.jsonl")
    assert len(rejects) == len(ODD_LINES) - 3
    assert all(entry["problem"] for entry in rejects)
    dry = json.loads(shell("load", "odd.jsonl", "-t", table, "--dry-run", "--json").stdout)
    assert (dry["items"], dry["rejected"]) == (3, len(ODD_LINES) - 3)


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"\xef\xbb\xbf", b"[]", b"[ ]\n", gzip.compress(b""), b'{"Items": []}']
)
def test_file_without_items_is_done(shell, new_table, content):
    """An empty file is no fault, and the user is told which file it was."""
    (shell.folder / "a.json").write_bytes(content)
    result = shell("load", "a.json", "-t", new_table())
    assert (result.exit_code, "a.json has no items" in result.stderr) == (0, True), result.output


def test_two_pipes_are_read(shell, new_table):
    """Pipes can be named like files, several of them, as a shell does for `<(…)`."""
    table = new_table()
    for name in ("one", "two"):
        os.mkfifo(shell.folder / name)
    command = [*COMMAND, "load", "one", "two", "-t", table, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=shell.environment, cwd=shell.folder) as process:
        for name in ("one", "two"):
            (shell.folder / name).write_text(json.dumps({"id": name}))
        output, _ = process.communicate()
    assert json.loads(output)["loaded"] == 2


VERSIONED = """
from mizzle_async import Attribute, PartitionKey, attribute, entity

@entity("{table}")
class Account:
    id: PartitionKey[str]
    email: Attribute[str] = attribute(unique=True)
    version: Attribute[int] = attribute(default=0, version=True)
"""


def test_versioned_entity_is_inserted(shell, new_table, monkeypatch):
    """Entities with a version and unique attributes load one by one; a taken key or value is a bad line."""
    table = new_table()
    module = f"accounts_{table.replace('-', '_')}"
    (shell.folder / f"{module}.py").write_text(VERSIONED.format(table=table), encoding="utf-8")
    monkeypatch.syspath_prepend(shell.folder)
    model = ("--model", f"{module}:Account")
    shell.write("a.jsonl", {"id": "1", "email": "a@x"}, {"id": "2", "email": "b@x"}, {"id": "3"})
    refused = shell("load", "a.jsonl", *model)
    assert (refused.exit_code, "--insert" in refused.stderr) == (2, True), refused.stderr
    result = shell("load", "a.jsonl", *model, "--insert")
    assert (result.exit_code, "2 loaded, 1 rejected" in result.stderr) == (3, True), result.stderr
    shell.write("b.jsonl", {"id": "1", "email": "c@x"}, {"id": "4", "email": "b@x"}, {"id": "5", "email": "e@x"})
    result = shell("load", "b.jsonl", *model, "--insert", "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["loaded"], report["rejected"]) == (3, 1, 2), result.output
    assert [entry["content"]["id"] for entry in shell.read(f"{table}.rejects.jsonl")] == ["1", "4"]
    assert report["write_units"] > 0
    result = shell("load", "b.jsonl", *model, "--if-absent", "--json")
    report = json.loads(result.stdout)
    assert (report["loaded"], report["unchanged"], report["rejected"]) == (0, 2, 1), result.output


@pytest.mark.parametrize("through", ["in.jsonl", "-"])
def test_only_absent_items_are_put(shell, new_table, through):
    """With --if-absent an item that exists stays, and is counted; with --insert it is a bad line."""
    table = new_table()
    shell("load", "-", "-t", table, input='{"id": "1", "n": 1}\n')
    lines = '{"id": "1", "n": 2}\n{"id": "2", "n": 2}\n{"id": "large", "x": "' + "x" * 410_000 + '"}\n'
    (shell.folder / "in.jsonl").write_text(lines)
    result = shell("load", through, "-t", table, "--if-absent", input=lines)
    assert (result.exit_code, "1 loaded, 1 unchanged, 1 rejected" in result.stderr) == (3, True), result.stderr
    assert {row["id"]: row["n"] for row in shell.rows("scan", "-t", table)} == {"1": 1, "2": 2}
    result = shell("load", through, "-t", table, "--insert", input=lines)
    assert (result.exit_code, "0 loaded, 3 rejected" in result.stderr) == (1, True), result.stderr


def test_items_of_a_file_are_deleted(shell, new_table):
    """With --delete the items whose keys a file has are deleted; whatever else is in the file does not count."""
    table = new_table("id:S at:N")
    shell("load", "-", "-t", table, input="".join(f'{{"id": "a", "at": {n}}}\n' for n in range(5)))
    shell.write("keys.csv", "id,at,more", "a,1,x", "a,3,y", "a,x,z")
    dry = shell("load", "keys.csv", "-t", table, "--delete", "--dry-run")
    assert (dry.exit_code, "would delete 2 items" in dry.stdout) == (3, True)
    result = shell("load", "keys.csv", "-t", table, "--delete")
    assert (result.exit_code, "2 deleted, 1 rejected" in result.stderr) == (3, True), result.stderr
    assert sorted(row["at"] for row in shell.rows("scan", "-t", table)) == [0, 2, 4]


def test_ways_of_loading_exclude_each_other(shell, new_table):
    """Only one of --insert, --if-absent and --delete makes sense."""
    shell.write("a.jsonl", {"id": "1"})
    result = shell("load", "a.jsonl", "-t", new_table(), "--insert", "--delete")
    assert (result.exit_code, "--insert and --delete do not go together" in result.stderr) == (2, True)
