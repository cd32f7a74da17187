"""Files in, files out: what comes out is what went in."""

import csv
import gzip
import json

import airportsdata
import pytest

AIRPORTS = sorted(airportsdata.load("ICAO").values(), key=lambda row: row["icao"])[::20]


def without_nothing(rows):
    """Leave out the texts that are empty, which a CSV file cannot tell from what is not there."""
    return [{name: value for name, value in row.items() if value != ""} for row in rows]


def by_icao(rows):
    """Put rows in an order of their own."""
    return sorted(rows, key=lambda row: row["icao"])


def test_airports_as_json_lines(shell, new_table):
    """Every airport goes in as JSON lines and comes out equal, empty texts and all."""
    table = new_table("icao:S")
    shell.write("airports.jsonl", *AIRPORTS)
    result = shell("load", "airports.jsonl", "-t", table, "--json")
    assert json.loads(result.stdout)["loaded"] == len(AIRPORTS)
    assert shell("export", "out.jsonl", "-t", table, "--format", "jsonl").exit_code == 0
    assert by_icao(shell.read("out.jsonl")) == AIRPORTS
    assert not list(shell.folder.glob("*.state.json"))


def test_airports_as_csv(shell, airports):
    """Every airport goes in as CSV, typed by a model, and comes out equal, as CSV and as JSON lines."""
    with (shell.folder / "airports.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(AIRPORTS[0]))
        writer.writeheader()
        writer.writerows(AIRPORTS)
    assert shell("load", "airports.csv", "--model", shell.model).exit_code == 0
    assert shell("export", "out.csv.gz", "-t", airports).exit_code == 0
    with gzip.open(shell.folder / "out.csv.gz", "rt", newline="", encoding="utf-8") as file:
        rows = [
            {"city" if name == "town" else name: value for name, value in row.items()} for row in csv.DictReader(file)
        ]
    with (shell.folder / "airports.csv").open(newline="", encoding="utf-8") as file:
        expected = list(csv.DictReader(file))
    numbers = ("elevation", "lat", "lon")
    for row in (*rows, *expected):
        row.update({name: float(row[name]) for name in numbers})
    assert by_icao(rows) == expected
    assert shell("export", "out.jsonl", "--model", shell.model, "--segments", "3").exit_code == 0
    found = [
        {"city" if name == "town" else name: value for name, value in row.items()} for row in shell.read("out.jsonl")
    ]
    assert by_icao(found) == without_nothing(AIRPORTS)


EVERYTHING = {
    "id": {"S": "1"},
    "number": {"N": "123456789012345678901234567890.12345678"},
    "large": {"N": "12345678901234567890123456789012345678"},
    "text": {"S": "ä\n\"'"},
    "empty": {"S": ""},
    "bytes": {"B": "AAEC"},
    "yes": {"BOOL": True},
    "nothing": {"NULL": True},
    "names": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2.5"]},
    "blobs": {"BS": ["AA==", "AQ=="]},
    "list": {"L": [{"N": "1"}, {"M": {"a": {"L": []}}}]},
    "map": {"M": {"x.y": {"N": "-0.1"}}},
}


def same(item):
    """Return an item with its sets in order, to be compared."""
    return {
        name: {tag: sorted(value) if tag in {"SS", "NS", "BS"} else value for tag, value in stored.items()}
        for name, stored in item.items()
    }


@pytest.mark.parametrize("name", ["out.json", "out.json.gz"])
def test_every_type_as_dynamodb_json(shell, new_table, name):
    """DynamoDB's own JSON keeps every type and every digit, and is recognised by what is in the file."""
    one, other = new_table(), new_table()
    shell.write("in.json", {"Item": EVERYTHING})
    assert shell("load", "in.json", "-t", one).exit_code == 0
    assert shell("export", name, "-t", one, "--format", "dynamodb").exit_code == 0
    assert shell("load", name, "-t", other).exit_code == 0
    line = shell("get", "1", "-t", other, "--dynamodb").stdout
    assert same(json.loads(line)["Item"]) == same(EVERYTHING)


def test_numbers_keep_their_digits_as_plain_json(shell, new_table):
    """Numbers of 38 digits go through plain JSON unchanged."""
    one, other = new_table(), new_table()
    line = '{"id":"1","a":0.12345678901234567890123456789012345678,"b":12345678901234567890123456789012345678}'
    shell.write("in.jsonl", line)
    assert shell("load", "in.jsonl", "-t", one).exit_code == 0
    assert shell("export", "out.jsonl", "-t", one, "--format", "jsonl").exit_code == 0
    assert shell("load", "out.jsonl", "-t", other).exit_code == 0
    stored = json.loads(shell("get", "1", "-t", other, "--dynamodb").stdout)["Item"]
    assert stored["a"]["N"].lstrip("0") == ".12345678901234567890123456789012345678"
    assert stored["b"]["N"] == "12345678901234567890123456789012345678"


def test_standard_streams(shell, new_table):
    """`-` is standard input and standard output."""
    table = new_table("id:N")
    assert shell("load", "-", "-t", table, input='{"id": 1, "a": [1, null]}\n').exit_code == 0
    assert shell.rows("export", "-", "-t", table, "--format", "jsonl") == [{"id": 1, "a": [1, None]}]
    assert shell("export", "-", "-t", table, "--format", "csv").stdout == 'id,a\n1,"[1,null]"\n'
    assert shell("export", "-", "-t", table, "--limit", "1", "--format", "dynamodb").exit_code == 0


def test_columns_are_written_as_they_are_named(shell, airports):
    """`--columns` says which attributes a CSV file has and in which order; names of the model are fine."""
    shell.write("one.jsonl", AIRPORTS[0] | {"iata": "XXX"})
    assert shell("load", "one.jsonl", "--model", shell.model).exit_code == 0
    assert shell("export", "out.csv", "--model", shell.model, "--columns", "icao,city,iata").exit_code == 0
    first = AIRPORTS[0]
    assert (shell.folder / "out.csv").read_text() == f"icao,town,iata\n{first['icao']},{first['city']},XXX\n"


def test_export_refuses_to_write_over_a_file(shell, new_table):
    """A file that exists is only written over when that is asked for."""
    table = new_table()
    shell.write("out.jsonl", "mine")
    result = shell("export", "out.jsonl", "-t", table)
    assert (result.exit_code, "--overwrite" in result.stderr) == (2, True)
    assert shell("export", "out.jsonl", "-t", table, "--overwrite").exit_code == 0
    assert shell.read("out.jsonl") == []


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["out.xls"], "name it with --format"),
        (["out.jsonl", "--columns", "a"], "--columns is for CSV"),
        (["-", "--format", "csv", "--json"], "standard output"),
        (["-", "--resume", "x.json"], "--resume does not go with"),
        (["out.jsonl", "--resume", "x.json", "--limit", "1"], "--resume does not go with"),
    ],
)
def test_export_that_makes_no_sense_is_refused(shell, new_table, arguments, part):
    """Options that do not go together are a usage error."""
    result = shell("export", *arguments, "-t", new_table())
    assert (result.exit_code, part in result.stderr) == (2, True), result.stderr


def test_file_that_cannot_be_written_is_an_error(shell, new_table):
    """A file in a folder that is not there is refused before the table is looked at."""
    result = shell("export", "nowhere/out.jsonl", "-t", new_table())
    assert (result.exit_code, "there is no folder nowhere" in result.stderr) == (2, True)


def test_export_says_what_it_will_consume(shell, new_table):
    """A dry run tells items and read units, and writes no file."""
    table = new_table()
    shell("load", "-", "-t", table, input='{"id": "1"}\n')
    assert "read units" in shell("export", "out.jsonl", "-t", table, "--dry-run", "-f", "a", "=", "1").stdout
    told = json.loads(shell("export", "out.jsonl", "-t", table, "--dry-run", "--json").stdout)
    assert told["command"] == "export"
    assert not (shell.folder / "out.jsonl").exists()


def test_complete_export_is_not_begun_again(shell, new_table):
    """A state that says complete is left alone; one whose file is shorter than it says is refused."""
    table = new_table()
    shell("load", "-", "-t", table, input='{"id": "1"}\n')
    assert shell("export", "out.jsonl", "-t", table, "--resume", "s.json").exit_code == 0
    result = shell("export", "out.jsonl", "-t", table, "--resume", "s.json")
    assert (result.exit_code, "complete" in result.stderr) == (0, True)
    state = json.loads((shell.folder / "s.json").read_text())
    state["complete"] = False
    state["segments"][0]["ended"] = False
    (shell.folder / "s.json").write_text(json.dumps(state))
    (shell.folder / "out.jsonl").write_text("")
    result = shell("export", "out.jsonl", "-t", table, "--resume", "s.json")
    assert (result.exit_code, "not what was exported" in result.stderr) == (1, True)


def test_gathered_export_that_was_read_is_laid_out(shell, new_table):
    """An export to CSV that was killed after reading lays out what it had read; one that is done has nothing to do."""
    table = new_table()
    shell("load", "-", "-t", table, input='{"id": "1", "a": 2}\n')
    export = ["export", "out.csv", "-t", table, "--resume", "s.json", "--json"]
    gathered = '{"Item":{"id":{"S":"1"},"a":{"N":"2"}}}\n'
    assert json.loads(shell(*export).stdout)["complete"] is True
    (shell.folder / "out.csv").unlink()
    result = shell(*export)
    assert (result.exit_code, "is gone" in result.stderr) == (1, True)
    (shell.folder / "out.csv.part").write_text(gathered)
    for _ in range(2):
        result = shell(*export)
        assert (result.exit_code, "complete before" in result.stderr) == (0, True)
        assert json.loads(result.stdout)["complete"] is True
        assert (shell.folder / "out.csv").read_text() == "id,a\n1,2\n"
        assert not (shell.folder / "out.csv.part").exists()


def test_complete_state_of_other_work_is_refused(shell, new_table):
    """What another table, another file or another command was done with is no reason to think that this is done."""
    table, other = new_table(), new_table()
    shell("load", "-", "-t", table, "--resume", "load.json", input='{"id": "1"}\n')
    assert shell("export", "out.jsonl", "-t", table, "--resume", "s.json").exit_code == 0
    for arguments in (
        ["out.jsonl", "-t", table, "--resume", "load.json"],
        ["out.jsonl", "-t", other, "--resume", "s.json"],
        ["more.jsonl", "-t", table, "--resume", "s.json"],
        ["out.jsonl", "-t", table, "--resume", "s.json", "--format", "jsonl"],
    ):
        result = shell("export", *arguments)
        assert (result.exit_code, "ResumeError" in result.stderr) == (1, True)


SPREAD = """
from mizzle_async import Attribute, PartitionKey, SortKey, attribute, entity

@entity("{table}")
class Event:
    tenant: PartitionKey[str] = attribute(shards=3)
    number: SortKey[int]
    note: Attribute[str]
"""


def test_spread_keys_have_no_suffix_outside(shell, new_table, monkeypatch):
    """With a model whose key is spread, keys are typed, read and shown without suffixes; a copy is as it is stored."""
    table, other = new_table("tenant:S number:N"), new_table("tenant:S number:N")
    module = f"spread_{table.replace('-', '_')}"
    (shell.folder / f"{module}.py").write_text(SPREAD.format(table=table), encoding="utf-8")
    monkeypatch.syspath_prepend(shell.folder)
    model = ("--model", f"{module}:Event")
    rows = [{"tenant": "hot", "number": number, "note": "x"} for number in range(40)]
    shell.write("in.jsonl", *rows, {"tenant": "hot", "number": 40, "note": "x" * 410_000})
    assert shell("load", "in.jsonl", *model).exit_code == 3
    assert shell.read(f"{table}.rejects.jsonl")[0]["content"]["tenant"] == "hot"
    assert {row["tenant"] for row in shell.rows("scan", "-t", table)} == {"hot#0", "hot#1", "hot#2"}
    assert shell.rows("query", *model, "-p", "hot") == rows
    assert shell.rows("get", "hot", "7", *model) == [rows[7]]
    assert shell.rows("scan", *model, "--limit", "1")[0]["tenant"] == "hot"
    assert "hot#" in shell("get", "hot", "7", *model, "--dynamodb").stdout
    assert shell("copy", table, other, *model).exit_code == 0
    assert {row["tenant"] for row in shell.rows("scan", "-t", other)} == {"hot#0", "hot#1", "hot#2"}
    for name, kind in (("out.jsonl", "jsonl"), ("out.csv", "csv"), ("out.json", "dynamodb")):
        assert shell("export", name, *model, "--format", kind).exit_code == 0
        assert shell("delete", *model, "-p", "hot", "-y").exit_code == 0
        assert shell("load", name, *model).exit_code == 0
        assert shell.rows("query", *model, "-p", "hot") == rows
    assert shell("delete", "hot", "7", *model).exit_code == 0
    assert shell("count", *model, "-p", "hot").stdout == "39\n"
