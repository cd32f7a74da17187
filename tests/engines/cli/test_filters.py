"""Filters of the shell on real items: logic, sizes, words, and advice where nothing is found."""

import json

import pytest

ITEMS = [
    {"id": "a", "n": 1, "city": "Bonn", "tags": ["x"], "text": "1"},
    {"id": "b", "n": 2, "city": "Ulm", "tags": ["x", "y"], "text": "2"},
    {"id": "c", "n": 3, "city": "Köln"},
    {"id": "d", "n": 4, "city": "New York", "deep": {"list": [{"k": "v"}]}},
]


@pytest.fixture
def table(shell, new_table):
    """A table with four items; returns its name."""
    name = new_table()
    shell.write("in.jsonl", *ITEMS)
    assert shell("load", "in.jsonl", "-t", name, "-q").exit_code == 0
    return name


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("n ge 3", "cd"),
        ("n < 2 or n > 3", "ad"),
        ("not n = 1 and not n = 2", "cd"),
        ("not (n = 1 or n = 2)", "cd"),
        ("n between 2 and 3", "bc"),
        ("n in (1, 4)", "ad"),
        ("city in (Bonn, 'New York')", "ad"),
        ("city begins-with K or city contains York", "cd"),
        ("size(tags) = 2", "b"),
        ("size(city) between 3 and 4", "abc"),
        ("tags missing", "cd"),
        ("tags exists and not tags contains y", "a"),
        ("deep.list[0].k = v", "d"),
        ("n type N and city ne Bonn", "bcd"),
        ('text = "1"', "a"),
        ("id = a", "a"),
    ],
)
def test_conditions_are_joined(shell, table, where, expected):
    """Conditions joined by and, or, not and parentheses select what they say."""
    assert sorted(row["id"] for row in shell.rows("scan", "-t", table, "--where", where)) == list(expected)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["n", "ge", "3"], "cd"),
        (["n", "ne", "1"], "bcd"),
        (["city", "not-contains", "o"], "bc"),
        (["n", "not-between", "[2, 3]"], "ad"),
        (["n", "not-in", "[1, 2, 3]"], "d"),
        (["city", "not-begins-with", "B"], "bcd"),
        (["size(tags)", "gt", "1"], "b"),
        (["size(city)", "in", "[3, 8]"], "bd"),
    ],
)
def test_operators_of_a_filter(shell, table, words, expected):
    """A filter has words for its operators, their opposites, and the size of an attribute."""
    assert sorted(row["id"] for row in shell.rows("scan", "-t", table, "-f", *words)) == list(expected)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["-f", "n", "gte", "1"], "'gte' is not an operator"),
        (["-f", "size(n)", "gt", "x"], "a size is a whole number"),
        (["-f", "size(n)", "exists", "true"], "a size takes no exists"),
        (["-w", "n >"], "--where: expected a value at the end"),
        (["-w", "n type X"], "type takes one of"),
        (["-w", "size(n) = x"], "a size is a whole number"),
    ],
)
def test_filter_that_makes_no_sense_is_refused(shell, table, arguments, part):
    """A filter that cannot be read is a usage error in one sentence."""
    result = shell("scan", "-t", table, *arguments)
    assert (result.exit_code, part in result.stderr) in {(2, True), (1, True)}, result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["scan", "count"])
@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["-f", "ctiy", "eq", "Bonn"], "no attribute 'ctiy' in the first 4 items that were read: did you mean 'city'?"),
        (["-w", "not nn exists and nn = 5"], "no attribute 'nn' in the first 4 items"),
        (
            ["-f", "text", "gt", "1"],
            "'text' is text in the first 4 items that were read, and is compared with a number",
        ),
        (["-w", "n = one"], "'n' is a number in the first 4 items that were read, and is compared with text"),
    ],
)
def test_nothing_found_is_explained(shell, table, command, arguments, part):
    """Where nothing is found, misspelt attributes and values of another type are named."""
    result = shell(command, "-t", table, *arguments)
    assert part in result.stderr
    if command == "scan":
        assert (result.exit_code, "no items" in result.stderr) == (4, True)


def test_nothing_found_without_a_reason_is_said(shell, table, new_table):
    """An empty result is said in every layout, and an empty table needs no advice."""
    result = shell("scan", "-t", table, "-f", "n", "eq", "99")
    assert (result.exit_code, result.stderr) == (4, "no items\n")
    result = shell("scan", "-t", new_table(), "-f", "nope", "eq", "99")
    assert (result.exit_code, result.stderr) == (4, "no items\n")


def test_column_that_no_item_has_is_named(shell, table):
    """A misspelt column is named beside what is alike."""
    result = shell("scan", "-t", table, "--columns", "id,ctiy", "--json")
    assert result.exit_code == 0
    assert "no item has an attribute 'ctiy': did you mean 'city'?" in result.stderr


def test_where_selects_for_every_command(shell, table):
    """The same conditions count, export, change and delete."""
    where = ("--where", "n = 1 or city = Ulm")
    assert shell("count", "-t", table, *where).stdout == "2\n"
    assert shell("export", "out.jsonl", "-t", table, *where).exit_code == 0
    assert len(shell.read("out.jsonl")) == 2
    assert "2 changed" in shell("update", "-t", table, *where, "--set", "seen=true", "-y").stderr
    assert "or" in shell("explain", "-t", table, *where).stdout.lower()
    result = shell("delete", "-t", table, *where, "-y", "--json")
    assert json.loads(result.stdout)["deleted"] == 2
    assert shell("count", "-t", table).stdout == "2\n"


def test_where_knows_the_types_of_a_model(shell, airports):
    """With a model values of --where are of its types, by its names."""
    row = {"country": "DE", "icao": "EDDF", "name": "N", "elevation": 3, "lat": 50.0, "lon": 8.5, "tz": "X"}
    shell.write("in.jsonl", row | {"city": "5", "tags": ["1"]})
    assert shell("load", "in.jsonl", "--model", shell.model).exit_code == 0
    where = "city = 5 and tags contains 1 and elevation between 1 and 5"
    assert len(shell.rows("scan", "--model", shell.model, "--where", where)) == 1
    wrong = shell("scan", "--model", shell.model, "--where", "elevation = high")
    assert (wrong.exit_code, "elevation" in wrong.stderr) == (1, True)


def test_filter_that_drops_most_items_is_no_warning_of_python(shell, new_table):
    """A filter that drops nearly all of many items prints its result and nothing else: `explain` has the advice."""
    table = new_table()
    shell.write("many.jsonl", *[{"id": str(number), "n": number} for number in range(1_100)])
    assert shell("load", "many.jsonl", "-t", table, "-q").exit_code == 0
    result = shell("count", "-t", table, "-f", "n", "eq", "5")
    assert (result.exit_code, result.output) == (0, "1\n")
