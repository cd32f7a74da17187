"""What changes many items: delete and copy."""

import json

import pytest

ROWS = [{"id": str(number), "n": number, "kind": "odd" if number % 2 else "even"} for number in range(40)]


@pytest.fixture
def table(shell, new_table):
    """A table of forty items."""
    name = new_table()
    shell.write("rows.jsonl", *ROWS)
    assert shell("load", "rows.jsonl", "-t", name, "-q").exit_code == 0
    return name


def assert_consumption(told):
    """Expect that a report tells what was consumed, by kind, in units and in requests."""
    assert told["read_units"] > 0
    assert told["write_units"] > 0
    assert told["read_requests"] >= 1
    assert told["write_requests"] >= 1


def test_one_item_is_deleted(shell, table):
    """A key deletes its item; a dry run does not; one that is not there is exit code 4."""
    assert "would delete 1 item" in shell("delete", "7", "-t", table, "--dry-run").stderr
    assert "deleted 1 item" in shell("delete", "7", "-t", table).stderr
    assert shell("delete", "7", "-t", table).exit_code == 4
    assert shell("delete", "8", "-t", table, "-q").output == ""
    assert json.loads(shell("delete", "9", "-t", table, "--json").stdout)["deleted"] == 1
    assert shell("count", "-t", table).stdout == "37\n"


def test_selected_items_are_deleted(shell, table):
    """A filter deletes what it finds, after asking; a dry run counts."""
    odd = ("delete", "-t", table, "-f", "kind", "=", "odd")
    assert "would delete 20 items" in shell(*odd, "--dry-run").stdout
    assert json.loads(shell(*odd, "--dry-run", "--json").stdout)["items"] == 20
    assert shell(*odd, input="n\n").exit_code == 1
    assert shell("count", "-t", table).stdout == "40\n"
    assert "2 deleted" in shell(*odd, "--limit", "2", "-y").stderr
    result = shell(*odd, "--json", input="y\n")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["deleted"]) == (0, 18)
    assert_consumption(told)
    assert told["write_requests"] >= 18
    assert {row["kind"] for row in shell.rows("scan", "-t", table)} == {"even"}
    assert not list(shell.folder.glob("*.state.json"))


def test_everything_is_deleted(shell, table):
    """Everything is deleted only if that is said."""
    assert shell("delete", "-t", table, "-y").exit_code == 2
    assert shell("delete", "-t", table, "--everything", "--resume", "x").exit_code == 2
    assert json.loads(shell("delete", "-t", table, "-p", "1", "-y", "--json").stdout)["deleted"] == 1
    # The question goes elsewhere than the report.
    told = json.loads(shell("delete", "-t", table, "--everything", "--json", input="y\n").stdout)
    assert told["deleted"] == 39
    assert_consumption(told)


def test_table_is_copied(shell, table, new_table):
    """`copy` puts the items of one table into another, of which each has its key."""
    target = new_table("id:S n:N")
    result = shell("copy", table, target, "--dry-run")
    assert "would copy 40 items" in result.stdout
    assert json.loads(shell("copy", table, target, "--dry-run", "--json").stdout)["items"] == 40
    told = json.loads(shell("copy", table, target, "--json").stdout)
    assert told["copied"] == 40
    assert_consumption(told)
    assert sorted(shell.rows("scan", "-t", target), key=lambda row: row["n"]) == ROWS


def test_part_of_a_table_is_copied_elsewhere(shell, engine, table, new_table):
    """A filter copies a part; the target may be at another endpoint."""
    target = new_table()
    elsewhere = engine.endpoint_url.replace("127.0.0.1", "localhost")
    result = shell("copy", table, target, "-f", "kind", "=", "odd", "--to-endpoint-url", elsewhere)
    assert (result.exit_code, "20 copied" in result.stderr) == (0, True), result.output
    assert shell("copy", table, table).exit_code == 2


def test_copy_is_limited(shell, table, new_table):
    """`--limit` copies so many items and no more, with a filter too, however many pages there are."""
    target = new_table()
    assert json.loads(shell("copy", table, target, "--limit", "7", "--json").stdout)["copied"] == 7
    assert shell("count", "-t", target).stdout == "7\n"
    filtered = ("copy", table, target, "-f", "kind", "=", "odd", "--limit", "12")
    assert json.loads(shell(*filtered, "--resume", "s.json", "--json").stdout)["copied"] == 12
    assert json.loads(shell(*filtered, "--resume", "s.json", "--json").stdout)["copied"] == 0
    assert not list(shell.folder.glob("copy-*.state.json"))


def test_copy_goes_on(shell, table, new_table):
    """A copy with a state is not begun again when it is complete, and refuses the state of another."""
    target = new_table()
    assert shell("copy", table, target, "--resume", "s.json").exit_code == 0
    assert json.loads(shell("copy", table, target, "--resume", "s.json", "--json").stdout)["skipped"] == 40
    assert shell("copy", target, table, "--resume", "s.json").exit_code == 1


def test_items_that_the_target_refuses_are_kept(shell, new_table):
    """Items that cannot be in the target go to the rejects file with their key, and the rest is copied."""
    table, target = new_table(), new_table("id:S n:N")
    shell.write("rows.jsonl", *ROWS[:3], {"id": "none"}, {"id": "text", "n": "x"})
    shell("load", "rows.jsonl", "-t", table, "-q")
    result = shell("copy", table, target)
    assert (result.exit_code, "3 copied" in result.stderr) == (3, True)
    told = shell.read(f"{target}.rejects.jsonl")
    assert sorted(entry["content"]["id"] for entry in told) == ["none", "text"]
    assert shell("copy", table, target, "--stop-on-error").exit_code in {1, 3}


def test_copy_that_stopped_goes_on(shell, new_table):
    """A copy that stopped at an item goes on with the page that has it, and nothing is lost."""
    table, target = new_table("p:S at:N"), new_table("p:S n:N")
    large = "x" * 300_000
    rows = [{"p": "a", "at": number, "n": number, "text": large} for number in range(10)]
    shell.write("rows.jsonl", *rows[:8], rows[8] | {"n": "none"}, rows[9])
    assert shell("load", "rows.jsonl", "-t", table, "-q").exit_code == 0
    copy = ("copy", table, target, "-p", "a")
    result = shell(*copy, "--stop-on-error")
    state = f"copy-{table}-to-{target}.state.json"
    assert (result.exit_code, f"--resume {state}" in result.stderr) == (3, True), result.stderr
    result = shell(*copy, "--resume", state, "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["rejected"]) == (3, 1)
    assert report["skipped"] > 0
    assert report["skipped"] + report["copied"] == 9
    assert [row["n"] for row in shell.rows("query", "-t", target, "-p", "a", "--columns", "n")] == [*range(8), 9]
    assert [entry["line"] for entry in shell.read(f"{target}.rejects.jsonl")] == [9]
