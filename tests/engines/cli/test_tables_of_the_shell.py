"""Tables from the shell: created, described beside their data, restored, dropped."""

import itertools
import json
import re

import pytest

_numbers = itertools.count(1)


@pytest.fixture
def name(engine):
    """The name of a table that is not there."""
    return f"shell-{next(_numbers)}"


def described(shell, name):
    """Return the description of a table."""
    return json.loads(shell("tables", name, "--json").stdout)


def test_table_is_created_from_words(shell, name):
    """A key in words makes a table with its indexes, billing and time to live, which can be used at once."""
    indexes = ("--index", "by-kind=kind,at:N", "--local-index", "by-n=n:N")
    result = shell("create", name, "id:S", "at:N", *indexes, "--ttl", "expires")
    assert (result.exit_code, result.stderr) == (0, f"created table {name} with the key id (S), at (N)\n")
    table = described(shell, name)
    assert (table["key"], table["on_demand"]) == (["id", "at"], True)
    assert table["types"] == {"id": "S", "at": "N", "kind": "S", "n": "N"}
    assert {index: each["key"] for index, each in table["indexes"].items()} == {
        "by-kind": ["kind", "at"],
        "by-n": ["id", "n"],
    }
    assert shell("ttl", name).stdout == "expires\n"
    assert shell("put", '{"id": "1", "at": 1}', "-t", name).exit_code == 0


def test_table_is_provisioned_when_units_are_named(shell, name):
    """With units a second a table, and its global indexes, are provisioned."""
    units = ("--read-units", "3", "--write-units", "2")
    assert shell("create", name, "id", "--index", "ind=a:S", *units).exit_code == 0
    table = described(shell, name)
    assert (table["on_demand"], table["read_units"], table["write_units"]) == (False, 3.0, 2.0)


def test_existing_table_is_no_fault_when_it_is_alike(shell, name):
    """--if-absent leaves a table of the same key alone, and refuses one of another."""
    assert shell("create", name, "id:S").exit_code == 0
    again = shell("create", name, "id:S")
    assert (again.exit_code, "ResourceInUseError" in again.stderr) == (1, True)
    assert shell("create", name, "id:S", "--if-absent").exit_code == 0
    other = shell("create", name, "id:N", "--if-absent")
    assert (other.exit_code, "exists with another key: id (S)" in other.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["t"], "name a table and its key"),
        ([], "name a table and its key"),
        (["table", "id:S", "--like", "u"], "name a table and its key"),
        (["table", "id:S", "at:S", "more:S"], "a key is PARTITION"),
        (["table", "id:X"], "is not NAME:TYPE"),
        (["table", "id:S", "--index", "by-a"], "is not an index: write NAME=PARTITION:TYPE"),
        (["table", "id:S", "--local-index", "loc=a,b"], "is not an index: write NAME=SORT:TYPE"),
        (["table", "id:S", "--index", "ind=id:N"], "'id' is S and N"),
        (["table", "id:S", "--read-units", "1"], "--read-units and --write-units"),
        (["t", "--model", "json:loads"], "neither an entity nor a SharedTable"),
        (["t", "--like", "t.txt"], "does not describe a table"),
    ],
)
def test_table_that_makes_no_sense_is_refused(shell, arguments, part):
    """Words that are no definition are a usage error in one sentence."""
    (shell.folder / "t.txt").write_text("{}")
    result = shell("create", *arguments)
    assert (result.exit_code, part in result.stderr) == (2, True), result.stderr


def test_table_of_a_model(shell, airports, name):
    """A model has its key and its indexes, under its own name or another one."""
    result = shell("create", name, "--model", shell.model)
    assert result.exit_code == 0, result.stderr
    assert described(shell, name)["indexes"].keys() == {"by-iata", "by-zone"}
    assert shell("create", "--model", shell.model).exit_code == 0


def test_table_like_another(shell, name):
    """A table is created as another one is, or as a file describes it: key, indexes, units and time to live."""
    other, third = f"{name}-other", f"{name}-third"
    assert shell("create", name, "id:S", "at:N", "--index", "ind=kind:S", "--ttl", "expires").exit_code == 0
    assert shell("create", other, "--like", name).exit_code == 0
    assert shell("export", "out.jsonl.gz", "-t", name, "--schema").exit_code == 0
    assert (shell.folder / "out.schema.json").exists()
    assert shell("create", third, "--like", "out.schema.json").exit_code == 0
    one = described(shell, name)
    for copied in (other, third):
        assert {**described(shell, copied), "name": name} == one
        assert shell("ttl", copied).stdout == "expires\n"


def test_export_is_restored_into_an_empty_account(shell, name):
    """An export with its schema makes table and items anew, and loading it twice is no fault."""
    shell("create", name, "id:S", "--index", "ind=kind:S", "--ttl", "expires")
    shell("load", "-", "-t", name, input='{"id": {"S": "1"}, "tags": {"SS": ["a"]}}\n')
    assert shell("export", "backup.json.gz", "-t", name, "--schema").exit_code == 0
    before = shell("get", "1", "-t", name, "--dynamodb").stdout
    dropped = shell("drop", name, "--yes")
    assert (dropped.exit_code, dropped.stderr) == (0, f"deleted table {name}\n")
    missing = shell("load", "backup.json.gz", "-t", name)
    assert (missing.exit_code, "say --create, which makes it by backup.schema.json" in missing.stderr) == (1, True)
    for _ in range(2):
        result = shell("load", "backup.json.gz", "-t", name, "--create")
        assert (result.exit_code, "1 loaded" in result.stderr) == (0, True), result.stderr
    assert shell("get", "1", "-t", name, "--dynamodb").stdout == before
    assert described(shell, name)["indexes"].keys() == {"ind"}


def test_an_export_by_workers_is_restored_into_an_empty_account(shell, name):
    """The definition lies beside the folder; another run replaces neither without a word, and no file of the user's."""
    shell("create", name, "id:S", "--index", "ind=kind:S")
    shell("load", "-", "-t", name, input='{"id": "1"}\n{"id": "2"}\n')
    workers = ("--workers", "1", "--parts", "2", "--schema")
    assert shell("export", "backup", "-t", name, *workers).exit_code == 0
    (shell.folder / "backup" / "_manifest.json").unlink()
    again = shell("export", "backup", "-t", name, *workers)
    assert (again.exit_code, "backup.schema.json exists: say --overwrite" in again.stderr) == (2, True)
    (shell.folder / "backup" / "part-list.jsonl").touch()
    assert shell("export", "backup", "-t", name, *workers, "--overwrite").exit_code == 0
    assert (shell.folder / "backup" / "part-list.jsonl").exists()
    shell("drop", name, "--yes")
    result = shell("load", "backup", "-t", name, "--create")
    assert (result.exit_code, "2 loaded" in result.stderr) == (0, True), result.stderr
    assert described(shell, name)["indexes"].keys() == {"ind"}


def test_a_table_of_a_model_is_created_with_its_parts(shell, name, airports):
    """The report says what was made, or that the table was there."""
    made = shell("create", name, "--model", shell.model)
    assert (made.exit_code, made.stderr[: len(name) + 30]) == (
        0,
        f"created table {name} with the key country (S), icao (S)"[: len(name) + 30],
    )
    there = shell("create", name, "--model", shell.model)
    assert (there.exit_code, there.stderr.startswith(f"table {name} is there with the key ")) == (0, True)


def test_backup_of_dynamodump_is_restored(shell, name):
    """A folder of dynamodump has the schema and the items."""
    folder = shell.folder / "dump" / "t"
    (folder / "data").mkdir(parents=True)
    schema = {
        "Table": {
            "TableName": "t",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
            "TableStatus": "ACTIVE",
        }
    }
    (folder / "schema.json").write_text(json.dumps(schema, indent=2))
    (folder / "data" / "0001.json").write_text(json.dumps({"Count": 1, "Items": [{"id": {"S": "1"}}]}, indent=2))
    result = shell("load", "dump/t", "-t", name, "--create")
    assert (result.exit_code, "1 loaded" in result.stderr) == (0, True), result.stderr
    assert described(shell, name)["read_units"] == 5


def test_load_without_a_schema_says_how_to_create(shell, name, airports):
    """Without a file that describes the table the command that creates it is named; a model needs none."""
    shell.write("in.jsonl", {"id": "1"})
    result = shell("load", "in.jsonl", "-t", name, "--create")
    assert (result.exit_code, f"`mizzle-async create {name} PARTITION:TYPE" in result.stderr) == (2, True)
    row = {"country": "DE", "icao": "EDDF", "name": "N", "elevation": 3, "lat": 50.0, "lon": 8.5, "tz": "X"}
    shell.write("airports.jsonl", row)
    assert shell("load", "airports.jsonl", "--model", shell.model, "-t", name, "--create").exit_code == 0


def test_copy_creates_its_target(shell, name):
    """A copy makes a table as its source is, and goes into one that exists only if the keys are the same."""
    target, other = f"{name}-target", f"{name}-other"
    shell("create", name, "id:S", "--index", "ind=kind:S")
    shell("put", '{"id": "1"}', "-t", name)
    missing = shell("copy", name, target)
    assert missing.exit_code == 1
    assert shell("copy", name, target, "--create").exit_code == 0
    assert described(shell, target)["indexes"].keys() == {"ind"}
    assert shell("count", "-t", target).stdout == "1\n"
    shell("create", other, "id:N")
    refused = shell("copy", name, other)
    assert (refused.exit_code, "nothing can be copied" in refused.stderr) == (2, True)


def test_drop_asks(shell, name):
    """A table is deleted after a yes only, and the question has its name; a missing one is a failure unless allowed."""
    shell("create", name, "id:S")
    result = shell("drop", name, input="n\n")
    assert (result.exit_code, f"delete table {name} with everything in it" in result.stderr) == (1, True)
    unanswered = shell("drop", name, input="")
    assert (unanswered.exit_code, "--yes" in unanswered.stderr) == (1, True)
    assert shell("drop", name, input="y\n").exit_code == 0
    assert shell("drop", name, "-y").exit_code == 1
    assert shell("drop", name, "-y", "--if-exists").exit_code == 0


def test_time_to_live_is_shown_and_changed(shell, name):
    """The time to live is shown, set once, and switched off."""
    shell("create", name, "id:S")
    assert shell("ttl", name).exit_code == 4
    assert shell("ttl", name, "expires").exit_code == 0
    assert shell("ttl", name, "expires").exit_code == 0
    other = shell("ttl", name, "later")
    assert (other.exit_code, "expire by 'expires': switch that --off" in other.stderr) == (1, True)
    assert shell("ttl", name, "later", "--off").exit_code == 2
    assert shell("ttl", name, "--off").exit_code == 0
    assert shell("ttl", name).exit_code == 4


def test_wrong_table_is_one_line(shell):
    """A table that is not there is one line on standard error for every command about tables."""
    for command in (
        ["ttl", "no-such"],
        ["drop", "no-such", "-y"],
        ["create", "x", "--like", "no-such"],
        ["copy", "no-such", "x"],
    ):
        result = shell(*command)
        assert result.exit_code == 1
        assert re.fullmatch(r"ResourceNotFoundError: .*'no-such'.*\n", result.stderr), result.stderr


def test_table_is_created_with_a_stream(shell, name):
    """`create --stream` switches a stream on, and a table of a model says what it is."""
    assert shell("create", name, "id:S", "--stream", "new_and_old_images").exit_code == 0
    assert shell("put", '{"id": "1"}', "-t", name).exit_code == 0
    changes = shell("changes", "--table", name, "--start", "oldest", "--once")
    assert json.loads(changes.stdout)["change"] == "inserted"
    refused = shell("create", name, "--model", "x:Y", "--stream", "keys_only")
    assert (refused.exit_code, "--model has the indexes" in refused.stderr) == (2, True)
