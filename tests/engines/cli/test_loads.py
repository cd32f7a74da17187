"""Loads: bad lines, estimates, states, exit codes."""

import gzip
import json

import pytest

GOOD = [{"id": str(number), "n": number} for number in range(60)]


def test_bad_lines_are_told_and_kept(shell, airports):
    """A bad line names file, line and attribute, goes to the rejects file, and the rest is loaded."""
    row = {"country": "DE", "icao": "EDDF", "name": "Frankfurt", "elevation": 364, "lat": 50.0, "lon": 8.5, "tz": "X"}
    shell.write(
        "in.jsonl",
        row,
        "{broken",
        row | {"icao": "A", "elevation": "high"},
        "[1]",
        row | {"icao": "B", "unheard": 1},
        {"country": "DE", "icao": "C"},
        row | {"icao": "D", "iata": ""},
        '{"country": NaN}',
        "",
        row | {"icao": "E", "tags": ["x", "y"]},
    )
    result = shell("load", "in.jsonl", "--model", shell.model)
    assert result.exit_code == 3, result.output
    told = {entry["line"]: (entry["attribute"], entry["problem"]) for entry in shell.read(f"{airports}.rejects.jsonl")}
    assert list(told) == [2, 3, 4, 5, 6, 7, 8]
    assert [told[line][0] for line in told] == [None, "elevation", None, "unheard", "name", "iata", None]
    assert "in.jsonl:3: attribute elevation: expected a number" in result.stderr
    assert "2 loaded" in result.stderr
    assert "2 loaded, 7 rejected," in result.stderr
    assert shell.rows("get", "DE", "E", "-t", airports, "--json")[0]["tags"] == ["x", "y"]
    assert shell.read(f"{airports}.rejects.jsonl")[1]["content"]["elevation"] == "high"


def test_item_that_lacks_its_key_names_its_line(shell, new_table):
    """What only the table can refuse is told with its line too, over files and gaps."""
    table = new_table("id:S at:N")
    shell.write("a.jsonl", "nonsense", {"id": "1", "at": 1})
    shell.write("b.csv", "id,at", "2,2", "3,", "4,x", '5,"x', '"', "6,6,6", ",7")
    result = shell("load", "a.jsonl", "b.csv", "-t", table, "--rejects", "bad.jsonl")
    assert result.exit_code == 3
    told = {(entry["file"], entry["line"]): entry["attribute"] for entry in shell.read("bad.jsonl")}
    assert told == {
        ("a.jsonl", 1): None,
        ("b.csv", 3): "at",
        ("b.csv", 4): "at",
        ("b.csv", 5): "at",
        ("b.csv", 7): None,
        ("b.csv", 8): "id",
    }
    assert sorted(row["id"] for row in shell.rows("scan", "-t", table)) == ["1", "2"]


def test_load_stops_at_a_bad_line_when_asked(shell, new_table):
    """With --stop-on-error the first bad line ends the load: exit code 1 if nothing was written, else 3."""
    table = new_table()
    shell.write("bad.jsonl", "nonsense", *GOOD)
    result = shell("load", "bad.jsonl", "-t", table, "--stop-on-error")
    assert result.exit_code == 1
    assert "bad.jsonl:1: no JSON" in result.stderr
    shell.write("bad.jsonl", *GOOD, "nonsense")
    result = shell("load", "bad.jsonl", "-t", table, "--stop-on-error", "--concurrency", "1")
    assert result.exit_code == 3
    assert "--resume" in result.stderr


def test_load_goes_on_where_it_stopped(shell, new_table):
    """A load that stopped leaves a state, and skips what is done when it is begun again with it."""
    table = new_table()
    shell.write("in.jsonl", *GOOD[:50], "nonsense", *GOOD[50:])
    assert shell("load", "in.jsonl", "-t", table, "--stop-on-error", "--concurrency", "1").exit_code == 3
    state = f"load-{table}.state.json"
    assert (shell.folder / state).exists()
    result = shell("load", "in.jsonl", "-t", table, "--resume", state, "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["loaded"], report["skipped"], report["rejected"]) == (3, 10, 50, 1)
    assert len(shell.read(f"{table}.rejects.jsonl")) == 1
    assert shell("count", "-t", table).stdout == "60\n"


def test_another_input_is_not_gone_on_with(shell, new_table):
    """A state of other work is refused."""
    table = new_table()
    shell.write("in.jsonl", *GOOD[:30])
    assert shell("load", "in.jsonl", "-t", table, "--resume", "s.json").exit_code == 0
    shell.write("in.jsonl", *GOOD[20:])
    result = shell("load", "in.jsonl", "-t", table, "--resume", "s.json")
    assert (result.exit_code, "ResumeError" in result.stderr) == (1, True)


def test_dry_run_writes_nothing(shell, airports):
    """A dry run tells items, bytes, write units with those of indexes, and the bad lines."""
    row = {"country": "DE", "icao": "EDDF", "name": "N", "elevation": 364, "lat": 50.0, "lon": 8.5, "tz": "X"}
    shell.write("in.jsonl", row, row | {"icao": "B", "iata": "BBB"}, "bad")
    result = shell("load", "in.jsonl", "--model", shell.model, "--dry-run", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["items"], told["write_units"], told["rejected"]) == (3, 2, 5, 1)
    result = shell("load", "in.jsonl", "--model", shell.model, "--dry-run")
    assert "would load 2 items" in result.stdout
    assert "2 indexes included" in result.stdout
    assert shell("count", "-t", airports).stdout == "0\n"


def test_dry_run_finds_what_the_table_would_refuse(shell, new_table):
    """An item without its key, and one that is too large, are bad lines of a dry run too."""
    shell.write("in.jsonl", {"a": 1}, {"id": "1", "text": "x" * 410_000}, {"id": "2"})
    result = shell("load", "in.jsonl", "-t", new_table(), "--dry-run", "--json")
    assert json.loads(result.stdout)["rejected"] == 2


def test_estimate_comes_before_the_load(shell, new_table):
    """Before anything is written a load says what it will consume, from a sample of a large file."""
    table = new_table()
    shell.write("few.jsonl", *GOOD)
    assert "load: 60 items" in shell("load", "few.jsonl", "-t", table).stderr
    shell.write("many.jsonl", *[{"id": f"{number:04}"} for number in range(2_000)])
    assert "by its first 1,000 rows" in shell("load", "many.jsonl", "-t", table).stderr
    result = shell("load", "few.jsonl", "-t", table, "--quiet")
    assert result.output == ""


def test_many_bad_lines_are_not_all_shown(shell, new_table):
    """Ten bad lines are shown; the file has all of them."""
    table = new_table()
    shell.write("in.jsonl", *["bad"] * 15, {"id": "1"})
    result = shell("load", "in.jsonl", "-t", table)
    assert result.stderr.count(": no JSON") == 10
    assert "by reason: 15 times no JSON" in result.stderr
    assert len(shell.read(f"{table}.rejects.jsonl")) == 15


def test_item_that_is_too_large_names_its_line(shell, new_table):
    """An item that is found to be too large when it is written goes to the rejects, and the rest is written."""
    table = new_table()
    long = {"id": "l" * 2_049}
    shell.write("in.jsonl", "bad", *GOOD[:30], {"id": "large", "text": "x" * 410_000}, *GOOD[30:], long)
    result = shell("load", "in.jsonl", "-t", table, "-q")
    assert "60 loaded, 3 rejected, " in result.stderr
    assert (result.exit_code, shell("count", "-t", table).stdout) == (3, "60\n")
    _, told, last = shell.read(f"{table}.rejects.jsonl")
    assert (told["line"], told["content"]["id"]) == (32, "large")
    assert "410,0" in told["problem"]
    assert (last["line"], last["content"]) == (63, long)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["missing.jsonl", "-t", "x"], "is not a file"),
        (["in.jsonl"], "--table"),
        (["in.jsonl", "--model", "json"], "module:name"),
        (["in.jsonl", "--model", ":JSONDecoder"], "module:name"),
        (["in.jsonl", "-t", "{table}", "--rejects", "in.jsonl"], "is an input file"),
        (["in.jsonl", "-t", "{table}", "--rejects", "in.csv"], "not a rejects file"),
        (["in.jsonl", "--model", "json:nothing"], "not found"),
        (["in.jsonl", "--model", "json:JSONDecoder"], "not an entity"),
        (["in.csv", "-t", "{table}"], "names the column 'id' twice"),
    ],
)
def test_load_that_makes_no_sense_is_refused(shell, new_table, arguments, part):
    """What cannot be meant is a usage error, exit code 2."""
    shell.write("in.jsonl", {"id": "1"})
    shell.write("in.csv", "id,id", "1,1")
    table = new_table()
    result = shell("load", *(each.format(table=table) for each in arguments))
    assert (result.exit_code, part in result.stderr) == (2, True), result.stderr


def test_model_of_another_key_is_refused(shell, airports, new_table):
    """A model whose key is not the table's is refused before anything is read."""
    shell.write("in.jsonl", {"id": "1"})
    result = shell("load", "in.jsonl", "--model", shell.model, "-t", new_table())
    assert (result.exit_code, "has the key id" in result.stderr) == (2, True)


def test_missing_table_is_an_error(shell):
    """A table that is not there is exit code 1, with the service's word for it."""
    result = shell("count", "-t", "nowhere-at-all")
    assert (result.exit_code, "ResourceNotFound" in result.stderr) == (1, True)


def test_cut_file_is_an_error(shell, new_table):
    """A compressed file that ends too early is no bad line but a bad file."""
    whole = gzip.compress(b'{"id": "1"}\n' * 1000)
    (shell.folder / "in.jsonl.gz").write_bytes(whole[:-12])
    (shell.folder / "in.csv.gz").write_bytes(gzip.compress(b"id\n" + b"1\n" * 1000)[:-12])
    broken = bytearray(whole)
    broken[12:20] = b"\xff" * 8
    (shell.folder / "broken.jsonl.gz").write_bytes(broken)
    for name in ("in.jsonl.gz", "in.csv.gz", "broken.jsonl.gz"):
        result = shell("load", name, "-t", new_table(), "-q")
        assert (result.exit_code, "cannot be read to its end" in result.stderr) == (1, True)
