"""What is read and shown: get, query, scan, count, tables, explain."""

import json
import sys
from uuid import uuid4

import anyio
import pytest

from mizzle_async import Client

GLOBAL = {
    "member": "GlobalSecondaryIndexes",
    "index": {
        "IndexName": "by-kind",
        "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}, {"AttributeName": "size", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "ALL"},
    },
}
LOCAL = {
    "member": "LocalSecondaryIndexes",
    "index": {
        "IndexName": "by-size",
        "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "size", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["kind"]},
    },
}
ROWS = [
    {"owner": "a", "name": f"n{number}", "size": number, "kind": "odd" if number % 2 else "even", "tags": ["x", number]}
    for number in range(6)
]
ROWS[5] |= {"map": {"a.b": [{"deep": True}]}, "text": "5"}

SHARED = """
from mizzle_async import PartitionKey, SharedTable, entity

app = SharedTable("{table}", partition_key="PK", sort_key="SK")

@entity(app, partition_key="C#{{customer}}", sort_key="ORDER")
class Order:
    customer: PartitionKey[str]

@entity(app, partition_key="C#{{customer}}", sort_key="PROFILE")
class Profile:
    customer: PartitionKey[str]
"""


@pytest.fixture
def table(shell, new_table):
    """A table of six items with a global and a local index."""
    name = new_table("owner:S name:S", indexes=(GLOBAL, LOCAL), types="kind:S size:N")
    shell.write("rows.jsonl", *ROWS)
    assert shell("load", "rows.jsonl", "-t", name, "-q").exit_code == 0
    return name


def names(rows):
    """Return which rows these are."""
    return "".join(row["name"][1] for row in rows)


def test_item_is_shown(shell, table):
    """`get` shows the item of a key as JSON, with exit code 4 where there is none."""
    assert shell.rows("get", "a", "n5", "-t", table, "--consistent") == [ROWS[5]]
    assert json.loads(shell("get", "a", "n5", "-t", table, "--dynamodb").stdout)["Item"]["size"] == {"N": "5"}
    result = shell("get", "a", "n9", "-t", table)
    assert (result.exit_code, result.stdout) == (4, "")
    result = shell("get", "a", "-t", table)
    assert (result.exit_code, "owner, name: 2 values, not 1" in result.stderr) == (2, True)


def test_key_of_numbers_and_bytes(shell, new_table):
    """Keys are given as the table stores them: numbers as digits, bytes as base64."""
    table = new_table("n:N b:B")
    shell("load", "-", "-t", table, input='{"n": 1.50, "b": "AAE="}\n')
    assert shell.rows("get", "1.5", "AAE=", "-t", table)[0]["b"] == "AAE="
    result = shell("get", "one", "AAE=", "-t", table)
    assert (result.exit_code, "n: expected a number" in result.stderr) == (1, True)
    assert "expected base64" in shell("get", "1", "?", "-t", table).stderr


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "012345"),
        (["--reverse", "--limit", "2"], "54"),
        (["-s", "begins-with", "n3"], "3"),
        (["-s", ">=", "n4"], "45"),
        (["-s", "between", '["n1", "n2"]'], "12"),
        (["--index", "by-size"], "012345"),
        (["--index", "by-size", "-s", "<", "2"], "01"),
        (["-f", "size", "between", "[1, 2]"], "12"),
        (["-f", "size", "in", "[0, 5, 7]"], "05"),
        (["-f", "kind", "!=", "odd", "-f", "size", ">", "0"], "24"),
        (["-f", "tags", "contains", "x", "-f", "tags[1]", "=", "4"], "4"),
        (["-f", r"map.a\.b[0].deep", "=", "true"], "5"),
        (["-f", "text", "=", '"5"'], "5"),
        (["-f", "text", "=", "5"], ""),
        (["-f", "map", "exists", "false", "-f", "size", "<=", "1"], "01"),
        (["-f", "text", "exists", "true"], "5"),
        (["-f", "tags", "type", "L", "-f", "kind", "begins-with", "o"], "135"),
        (["-f", "kind", "in", '["odd"]'], "135"),
    ],
)
def test_query(shell, table, options, expected):
    """`query` shows what key and filters select, in order; nothing found is exit code 4."""
    result = shell("query", "-t", table, "-p", "a", *options, "--consistent")
    assert result.exit_code == (0 if expected else 4), result.output
    assert names(json.loads(line) for line in result.stdout.splitlines()) == expected


def test_query_of_a_global_index(shell, table):
    """A global index is queried by its own key."""
    rows = shell.rows("query", "-t", table, "--index", "by-kind", "-p", "odd", "-s", ">", "1", "--json")
    assert names(rows) == "35"


def test_scan(shell, table):
    """`scan` shows everything, in segments, of an index too."""
    assert len(shell.rows("scan", "-t", table, "--segments", "3")) == 6
    assert names(shell.rows("scan", "-t", table, "--index", "by-kind", "-f", "owner", "=", "a", "--limit", "1"))
    assert len(shell.rows("scan", "-t", table, "-f", "name", ">", "n2")) == 3


def test_forms(shell, table):
    """Rows are shown as CSV, as a table and as DynamoDB's JSON, some of their attributes only if so asked."""
    query = ("query", "-t", table, "-p", "a", "-s", ">=", "n4")
    assert shell(*query, "--columns", "name,text", "--format", "csv").stdout == "name,text\nn4,\nn5,5\n"
    whole = shell(*query, "--format", "csv").stdout.splitlines()
    assert "map" in whole[0]
    assert any('""deep"":true' in line for line in whole)
    shown = shell(*query, "--format", "table")
    assert "n5" in shown.stdout
    assert "2 items" in shown.stderr
    assert json.loads(shell(*query, "--format", "dynamodb").stdout.splitlines()[0])["Item"]["name"] == {"S": "n4"}
    nothing = ("query", "-t", table, "-p", "nobody")
    assert shell(*nothing, "--columns", "name", "--format", "csv").stdout == "name\n"
    assert shell(*nothing, "--format", "csv").stdout == ""
    assert shell(*nothing, "--format", "table").stdout == ""


def test_long_tables_are_cut(shell, new_table):
    """A table on a terminal shows a thousand rows, and says how many more there are."""
    table = new_table("id:N")
    shell("load", "-", "-t", table, "-q", input="".join(f'{{"id": {number}}}\n' for number in range(1_010)))
    assert "1,010 items, 10 not shown" in shell("scan", "-t", table, "--format", "table").stderr


def test_count(shell, table):
    """`count` counts what is selected, as a number or as JSON."""
    assert shell("count", "-t", table).stdout == "6\n"
    assert shell.rows("count", "-t", table, "-p", "a", "-f", "kind", "=", "odd", "--json") == [
        {"table": table, "count": 3}
    ]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["query"], "--partition"),
        (["scan", "-p", "a"], "query"),
        (["count", "-s", "=", "x"], "need --partition"),
        (["query", "-p", "a", "-p", "b"], "2 times"),
        (["query", "-p", "a", "--index", "none"], "by-kind, by-size"),
        (["query", "-p", "a", "-s", "!=", "x"], "does not compare a sort key"),
        (["query", "-p", "a", "-s", "between", "x"], "JSON array"),
        (["query", "-p", "a", "-s", "between", '["x"]'], "two values"),
        (["scan", "-f", "a", "like", "x"], "not an operator"),
        (["scan", "-f", "a", "exists", "maybe"], "true or false"),
        (["scan", "-f", "a", "type", "X"], "type takes one of"),
        (["scan", "-f", "a..b", "=", "x"], "not a path"),
        (["scan", "--json", "--format", "csv"], "not --format csv"),
        (["explain", "json:loads"], "not both"),
    ],
)
def test_selection_that_makes_no_sense_is_refused(shell, table, arguments, part):
    """What cannot be meant is a usage error that says what can."""
    result = shell(*arguments, "-t", table)
    assert (result.exit_code, part in result.stderr) == (2, True), result.stderr


def test_value_that_does_not_fit_is_refused(shell, table):
    """A value of another type than the table stores as a key is refused, in an array too."""
    result = shell("query", "-t", table, "-p", "a", "--index", "by-size", "-s", ">", "big")
    assert (result.exit_code, "size: expected a number" in result.stderr) == (1, True)
    result = shell("query", "-t", table, "-p", "a", "--index", "by-size", "-s", "between", '["big", 2]')
    assert (result.exit_code, "in the array" in result.stderr) == (1, True)


def test_values_are_typed_by_a_model(shell, airports):
    """With a model values are read as it declares them, by its names, and what does not fit is refused."""
    row = {"country": "DE", "icao": "EDDF", "name": "N", "city": "Frankfurt", "elevation": 364, "lat": 1, "lon": 2}
    shell.write("in.jsonl", row | {"tz": "X", "subd": "7", "tags": ["big"]})
    shell("load", "in.jsonl", "--model", shell.model, "-q")
    scan = ("scan", "--model", shell.model, "-f")
    assert shell.rows(*scan, "city", "=", "Frankfurt", "--columns", "city,subd") == [{"town": "Frankfurt", "subd": "7"}]
    assert len(shell.rows(*scan, "subd", "=", "7", "-f", "tags", "contains", "big")) == 1
    assert len(shell.rows(*scan, "elevation", "between", "[1, 400]", "-f", "undeclared.x", "exists", "false")) == 1
    assert shell(*scan, "undeclared", "=", "1").exit_code == 4
    assert shell(*scan, "undeclared", "contains", "1").exit_code == 4
    assert shell(*scan, "name", "contains", "N").exit_code == 0
    result = shell(*scan, "elevation", ">", "high")
    assert (result.exit_code, "elevation: expected a number" in result.stderr) == (1, True)
    result = shell(*scan, "tags", "=", "[]")
    assert (result.exit_code, "exists" in result.stderr) == (1, True)
    assert shell("query", "--model", shell.model, "--index", "by-iata", "-p", "FRA").exit_code == 4
    assert shell.rows("get", "DE", "EDDF", "--model", shell.model)[0]["elevation"] == 364


def test_tables(shell, table):
    """`tables` lists tables with keys and indexes, for people and as JSON; one that is not there is an error."""
    assert table in shell("tables").stdout
    shown = shell("tables", table).stdout
    assert "by-kind: kind (S), size (N)" in shown
    (told,) = shell.rows("tables", table, "--json")
    assert (told["name"], told["key"], told["types"]["size"]) == (table, ["owner", "name"], "N")
    assert told["indexes"]["by-size"]["local"]
    assert shell("tables", "nowhere-at-all").exit_code == 1


def test_explain_of_options(shell, table):
    """`explain` says what a query given as options would send and cost; nothing is read."""
    shown = shell("explain", "-t", table, "-p", "a", "-s", ">", "n1", "--index", "by-size", "-f", "kind", "=", "odd")
    assert shown.exit_code == 1  # `by-size` is sorted by numbers
    shown = shell("explain", "-t", table, "-p", "a", "-s", ">", "n1", "--reverse")
    assert 'key condition: owner = "a" AND name > "n1"' in shown.stdout
    (told,) = shell.rows("explain", "-t", table, "-f", "kind", "=", "odd", "--json")
    assert told["operation"] == "Scan"
    assert told["warnings"]


PROGRAM = """
from mizzle_async import Client
client = Client(region_name="eu-central-1")
table = client.table("things", partition_key="id")
get = table.get("1")
number = 7
def query(client):
    return client.table("things", partition_key="id").scan().filter(table.attribute("a") == 1)
async def update(client):
    return client.table("things", partition_key="id").update("1").set(table.attribute("a"), 1)
def nothing(client):
    return 7
"""


def test_explain_of_a_program(shell, monkeypatch):
    """`explain module:operation` explains an operation of a program, or what a function makes of a client."""
    (shell.folder / "program_of_test.py").write_text(PROGRAM)
    monkeypatch.delitem(sys.modules, "program_of_test", raising=False)
    assert "GetItem on 'things'" in shell("explain", "program_of_test:get").stdout
    assert "Scan on 'things'" in shell("explain", "program_of_test:query").stdout
    assert "UpdateItem on 'things'" in shell("explain", "program_of_test:update").stdout
    assert "neither an operation" in shell("explain", "program_of_test:number").stderr
    assert "neither an operation" in shell("explain", "json:JSONDecoder").stderr
    assert "not an operation" in shell("explain", "program_of_test:nothing").stderr
    assert shell("explain").exit_code == 2


def test_heat(shell, table):
    """`heat` tells which partition keys take most, of a file before it is loaded, of a table, by another key too."""
    skewed = [{"owner": "hot" if number else "cold", "name": f"x{number}", "size": 1} for number in range(9)]
    shell.write("skewed.jsonl", *skewed, "bad")
    (told,) = shell.rows("heat", "skewed.jsonl", "-t", table, "--json")
    assert [(key["key"], round(key["share"], 2)) for key in told["keys"]] == [("hot", 0.89), ("cold", 0.11)]
    assert "over 1 partition keys" in shell("heat", "-t", table).stdout
    (told,) = shell.rows("heat", "-t", table, "--by", "kind", "--most", "4", "--json")
    assert sum(key["units"] for key in told["keys"]) == 12
    assert shell("heat", "-t", table, "--by", "nothing").exit_code == 4
    assert shell("heat", "missing.jsonl", "-t", table).exit_code == 2
    assert "partition keys; the hottest takes" in shell("load", "skewed.jsonl", "-t", table, "--heat", "-q").stderr


def test_shared_table_is_read_as_it_is_stored(shell):
    """A shared table is a model of its own; one of its entities is refused, for its commands would read the others."""
    module = f"shared_{uuid4().hex[:8]}"
    (shell.folder / f"{module}.py").write_text(SHARED.format(table=f"{module}"))
    assert shell("count", "--model", f"{module}:Order").exit_code == 2  # which imports it
    model = sys.modules[module]

    async def fill() -> None:
        async with Client(
            endpoint_url=shell.engine.endpoint_url,
            region_name=shell.engine.region_name,
            credentials=shell.engine.credentials,
        ) as client:
            await client.ensure_tables(model.app)
            await client.collection(model.app).put_many([model.Order(customer="c"), model.Profile(customer="c")])

    anyio.run(fill)
    assert shell("count", "--model", f"{module}:app").stdout == "2\n"
    found = shell("query", "--model", f"{module}:app", "-p", "C#c", "-s", "=", "ORDER")
    assert [json.loads(line)["_type"] for line in found.stdout.splitlines()] == ["Order"]
    refused = shell("count", "--model", f"{module}:Order")
    assert refused.exit_code == 2
    assert "give the SharedTable as --model" in " ".join(refused.stderr.split())


def test_table_of_the_environment(shell, new_table, monkeypatch):
    """MIZZLE_TABLE names the table of a command that names none; an option counts more."""
    table, other = new_table(), new_table()
    shell("load", "-", "-t", table, input='{"id": "1"}\n')
    monkeypatch.setenv("MIZZLE_TABLE", table)
    assert shell("count").stdout == "1\n"
    assert shell("count", "-t", other).stdout == "0\n"
    monkeypatch.setenv("MIZZLE_TABLE", "")
    result = shell("count")
    assert (result.exit_code, "MIZZLE_TABLE" in result.stderr) == (2, True)


def test_heat_of_files_needs_no_table(shell, monkeypatch):
    """With --by the keys of a file are counted without a table, and nothing is contacted."""
    shell.write("in.jsonl", *[{"id": str(n), "c": "x" if n % 4 else "y"} for n in range(40)], "bad", {"c": {"no": 1}})
    monkeypatch.setattr("mizzle_async.cli.connection.Connection.run", None)
    told = json.loads(shell("heat", "in.jsonl", "--by", "c", "--json").stdout)
    assert [(key["key"], key["units"]) for key in told["keys"][:2]] == [("x", 30.0), ("y", 10.0)]
    assert shell("heat", "in.jsonl", "--by", "nope").exit_code == 4
