"""One item from the shell: put, changed, made; several changed by a filter; statements of PartiQL."""

import json
import time

import anyio
import pytest

from mizzle_async.cli import update


@pytest.fixture
def table(shell, new_table):
    """A table with three items; returns its name."""
    name = new_table("id:S at:N")
    items = [{"id": "a", "at": number, "n": number, "kind": "x" if number else "y"} for number in range(3)]
    shell("load", "-", "-t", name, input="".join(json.dumps(item) + "\n" for item in items))
    return name


def stored(shell, table, *key):
    """Return an item as it is stored."""
    return json.loads(shell("get", *key, "-t", table, "--dynamodb").stdout)["Item"]


def test_item_is_put(shell, table):
    """An item is put as plain JSON or as DynamoDB's own, from the command line or standard input, and shown."""
    assert shell.rows("put", '{"id": "b", "at": 1, "n": 1.50}', "-t", table) == [{"at": 1, "id": "b", "n": 1.5}]
    typed = {"id": {"S": "b"}, "at": {"N": "2"}, "s": {"SS": ["x"]}}
    assert shell("put", json.dumps(typed), "-t", table, "-q").stdout == ""
    assert stored(shell, table, "b", "2") == typed
    assert shell("put", "-", "-t", table, input=json.dumps({"Item": typed | {"at": {"N": "3"}}})).exit_code == 0
    assert stored(shell, table, "b", "3")["s"] == {"SS": ["x"]}


@pytest.mark.parametrize(
    ("item", "code", "part"),
    [
        ("{broken", 2, "the item is no JSON"),
        ("[1]", 2, "an item is an object"),
        ('{"id": "b"}', 1, "at"),
        ('{"id": "b", "at": "x"}', 1, "at"),
        ('{"id": "b", "at": NaN}', 2, "NaN"),
        ('{"id": {"S": 1}}', 1, "id"),
    ],
)
def test_item_that_is_none_is_refused(shell, table, item, code, part):
    """What cannot be an item is one line, and nothing is written."""
    result = shell("put", item, "-t", table)
    assert (result.exit_code, part in result.stderr) == (code, True), result.stderr
    assert "Traceback" not in result.stderr
    assert shell("count", "-t", table).stdout == "3\n"


def test_put_on_a_condition(shell, table):
    """A condition that is false writes nothing, is exit code 5, and says so."""
    item = '{"id": "a", "at": 1, "n": 9}'
    refused = shell("put", item, "-t", table, "--when", "n", "=", "7")
    assert (refused.exit_code, refused.stderr) == (5, "nothing is put: the condition is not true\n")
    taken = shell("put", item, "-t", table, "--if-absent")
    assert (taken.exit_code, "has an item under this key" in taken.stderr) == (5, True)
    assert stored(shell, table, "a", "1")["n"] == {"N": "1"}
    assert shell("put", item, "-t", table, "--when", "n", "=", "1").exit_code == 0
    assert stored(shell, table, "a", "1")["n"] == {"N": "9"}


def test_item_is_changed(shell, table):
    """Clauses change one item, which is shown: values as JSON, added numbers and elements, removed attributes."""
    clauses = ["--set", "text=five", "--set", 'm={"k": [1]}', "--set", 'tags:SS=["a","b"]', "--set", 't="5"']
    changed = shell.rows("update", "a", "1", "-t", table, *clauses, "--add", "n=2", "--remove", "kind")
    assert changed == [{"id": "a", "at": 1, "n": 3, "text": "five", "m": {"k": [1]}, "tags": ["a", "b"], "t": "5"}]
    assert stored(shell, table, "a", "1")["tags"]["SS"].sort() is None
    more = ["--add", 'tags=["c"]', "--set", "m.k[0]=true", "--set", "b:B=AAE="]
    assert shell("update", "a", "1", "-t", table, *more, "-q").stdout == ""
    assert shell("update", "a", "1", "-t", table, "--discard", 'tags=["a"]', "--add", "n=-0.5").exit_code == 0
    item = stored(shell, table, "a", "1")
    assert sorted(item["tags"]["SS"]) == ["b", "c"]
    assert (item["m"], item["b"], item["n"]) == ({"M": {"k": {"L": [{"BOOL": True}]}}}, {"B": "AAE="}, {"N": "2.5"})


def test_missing_item_is_made_by_upsert_only(shell, table):
    """An update of a missing item is exit code 4 and names `upsert`, which makes it."""
    missing = shell("update", "b", "1", "-t", table, "--set", "n=1")
    assert (missing.exit_code, "`upsert` makes one" in missing.stderr) == (4, True)
    assert shell.rows("upsert", "b", "1", "-t", table, "--add", "n=1") == [{"id": "b", "at": 1, "n": 1}]
    assert shell.rows("upsert", "b", "1", "-t", table, "--add", "n=1") == [{"id": "b", "at": 1, "n": 2}]


@pytest.mark.parametrize("verb", ["update", "upsert"])
def test_change_on_a_condition(shell, table, verb):
    """A false condition changes nothing and is exit code 5."""
    refused = shell(verb, "a", "1", "-t", table, "--set", "n=9", "--when", "n", "gt", "1")
    assert (refused.exit_code, refused.stderr) == (5, "nothing is changed: the condition is not true\n")
    assert shell(verb, "a", "1", "-t", table, "--set", "n=9", "--when", "n", "ge", "1").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["a", "1"], 2, "say what to change"),
        (["--set", "n=1"], 2, "name one of"),
        (["a", "1", "--everything", "--set", "n=1"], 2, "name one of"),
        (["a", "1", "--set", "n"], 2, "is not PATH=VALUE"),
        (["a", "1", "--set", "[0]=1"], 2, "is not a path"),
        (["a", "1", "--add", "n=x"], 2, "expected a number"),
        (["a", "1", "--set", "n:N=x"], 1, "expected a number"),
        (["a", "1", "--set", "id=x"], 1, "key"),
        (["a", "1", "--set", "n=1", "--set", "n=2"], 1, "n"),
        (["a", "--set", "n=1"], 2, "the key of this table is id, at"),
        (["-f", "n", "=", "1", "--set", "id=x"], 1, "key"),
    ],
)
def test_change_that_makes_no_sense_is_refused(shell, table, arguments, code, part):
    """Clauses that cannot be meant are one error before anything is sent."""
    result = shell("update", *arguments, "-t", table)
    assert (result.exit_code, part in result.stderr) == (code, True), result.stderr
    assert "Traceback" not in result.stderr


def test_selected_items_are_changed(shell, table):
    """A filter changes every item of which it is true; a dry run counts, and a question has the number."""
    change = ("update", "-t", table, "-f", "kind", "=", "x", "--set", "seen=true", "--add", "n=10")
    dry = shell(*change, "--dry-run")
    assert (dry.exit_code, dry.stdout) == (0, "would change 2 items, a write unit for each KB\n")
    asked = shell(*change, input="n\n")
    assert (asked.exit_code, f"change 2 items of {table}?" in asked.stderr) == (1, True)
    result = shell(*change, "--yes", "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["changed"], report["unchanged"]) == (0, 2, 0), result.output
    assert report["read_units"] > 0
    found = {row["at"]: (row["n"], row.get("seen")) for row in shell.rows("scan", "-t", table)}
    assert found == {0: (0, None), 1: (11, True), 2: (12, True)}
    nothing = shell("update", "-t", table, "-f", "kind", "=", "z", "--set", "seen=true", "--yes")
    assert "0 changed" in nothing.stderr


def test_item_that_changes_meanwhile_is_left(shell, table, monkeypatch):
    """The filter is checked again at each change: an item of which it is no longer true stays as it is."""
    keys = update.selected_keys

    async def slow_keys(opened, selection, count):
        async for key in keys(opened, selection, count):
            if key["at"] == 1:
                await opened.table.update(key).set(opened.table.attribute("kind"), "other")
            await anyio.lowlevel.checkpoint()
            yield key

    monkeypatch.setattr(update, "selected_keys", slow_keys)
    result = shell("update", "-t", table, "-f", "kind", "=", "x", "--set", "seen=true", "-y")
    assert "1 changed, 1 unchanged" in result.stderr
    assert "seen" not in stored(shell, table, "a", "1")


def test_change_of_many_keeps_to_its_rate(shell, table):
    """--write-units holds for changes, too: the rate is that of the units that the service reports."""
    began = time.monotonic()
    result = shell("update", "-t", table, "--everything", "--set", "seen=1", "-y", "--write-units", "2", "-q")
    assert result.exit_code == 0
    assert time.monotonic() - began > 0.5


def test_items_of_a_model_are_typed(shell, airports):
    """With a model values are of its types, in its names."""
    row = {"country": "DE", "icao": "EDDF", "name": "N", "elevation": 3, "lat": 50.0, "lon": 8.5, "tz": "X"}
    model = ("--model", shell.model)
    assert shell("put", json.dumps(row | {"tags": ["a"]}), *model).exit_code == 0
    assert (
        shell(
            "update", "DE", "EDDF", *model, "--set", "city=5", "--add", 'tags=["b"]', "--add", "elevation=1"
        ).exit_code
        == 0
    )
    item = stored(shell, airports, "DE", "EDDF")
    assert (item["town"], sorted(item["tags"]["SS"]), item["elevation"]) == ({"S": "5"}, ["a", "b"], {"N": "4"})
    wrong = shell("update", "DE", "EDDF", *model, "--set", "elevation=high")
    assert (wrong.exit_code, "elevation" in wrong.stderr) == (1, True)
    unknown = shell("put", json.dumps(row | {"other": 1}), *model)
    assert (unknown.exit_code, "no attribute 'other'" in unknown.stderr) == (1, True)


def test_statements_of_partiql(shell, table):
    """A SELECT shows rows, with parameters as JSON; a change says that it is done; a false WHERE is exit code 5."""
    select = f'SELECT * FROM "{table}" WHERE id = ? AND "at" >= ?'  # noqa: S608  (the table is our own)
    assert [row["at"] for row in shell.rows("sql", select, "a", "1", "--json")] == [1, 2]
    assert shell("sql", select, "b", "1").exit_code == 4
    change = f'UPDATE "{table}" SET n = ? WHERE id = ? AND "at" = ?'  # noqa: S608  (as above)
    done = shell("sql", change, "7", "a", "1")
    assert (done.exit_code, done.stderr) == (0, "done\n")
    assert stored(shell, table, "a", "1")["n"] == {"N": "7"}
    missing = shell("sql", change, "7", "b", "1")
    assert (missing.exit_code, "not there" in missing.stderr) == (5, True)
    wrong = shell("sql", "SELECT nonsense")
    assert (wrong.exit_code, "Traceback" in wrong.stderr) == (1, False)
    few = shell("sql", select, "a")
    assert (few.exit_code, "ExpressionError" in few.stderr) == (1, True)


def test_deletion_says_how_many(shell, table):
    """Before several items are deleted, the question has their number, counted; a whole table's is the service's."""
    asked = shell("delete", "-t", table, "-f", "kind", "=", "x", input="n\n")
    assert f"delete 2 items of {table}?" in asked.stderr
    asked = shell("delete", "-t", table, "-p", "a", input="n\n")
    assert f"delete 3 items of {table}?" in asked.stderr
    asked = shell("delete", "-t", table, "--everything", input="n\n")
    assert f" of {table}?" in asked.stderr
    assert "3" in asked.stderr
