"""The changes of a table at the shell: lines of JSON, starts, positions, ends."""

import itertools
import json
import signal
import subprocess
import sys

import anyio
import pytest

from mizzle_async import Client

COMMAND = [sys.executable, "-c", "from mizzle_async.cli import main; main()"]

_numbers = itertools.count(1)


async def create(engine, name):
    """Create a table with a stream."""
    async with Client(
        endpoint_url=engine.endpoint_url, region_name=engine.region_name, credentials=engine.credentials
    ) as client:
        await client.create_table(client.table(name, partition_key="id"), stream="new_and_old_images")


@pytest.fixture
def table(shell, engine):
    """A table with a stream, and four changes of it."""
    name = f"watched-{next(_numbers)}"
    anyio.run(create, engine, name)
    for line in ('{"id": "a", "n": 1}', '{"id": "a", "n": 2.50}', '{"id": "b", "n": [1, {"x": null}]}'):
        assert shell("put", line, "-t", name).exit_code == 0
    assert shell("delete", "a", "-t", name).exit_code == 0
    return name


def test_changes_are_lines_of_json(shell, table):
    """Each has its kind, time, key, images, number and shard, and every digit of numbers."""
    result = shell("changes", "-t", table, "--start", "oldest", "--once")
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["change"] for each in lines] == ["inserted", "modified", "inserted", "removed"]
    assert [each["key"] for each in lines] == [{"id": "a"}, {"id": "a"}, {"id": "b"}, {"id": "a"}]
    assert (lines[1]["old"], lines[1]["new"]) == ({"id": "a", "n": 1}, {"id": "a", "n": 2.5})
    assert '"n":2.5' in result.stdout
    assert lines[2]["new"] == {"id": "b", "n": [1, {"x": None}]}
    assert "old" not in lines[0]
    assert "new" not in lines[3]
    assert all(each["at"].startswith("20") and each["number"].isdecimal() and each["shard"] for each in lines)
    assert "4 changes" in result.stderr


def test_records_are_shown_as_they_are(shell, table):
    """--dynamodb prints the service's own JSON, --limit ends after a number of them."""
    lines = shell.rows("changes", "-t", table, "--start", "oldest", "--dynamodb", "--limit", "2")
    assert [each["eventName"] for each in lines] == ["INSERT", "MODIFY"]
    assert lines[1]["dynamodb"]["NewImage"] == {"id": {"S": "a"}, "n": {"N": "2.5"}}


def test_positions_are_kept(shell, table):
    """A second call goes on where the first one ended, and one that finds nothing is exit code 4."""
    command = ("changes", "-t", table, "--start", "oldest", "--once", "--positions", "p.json")
    assert len(shell.rows(*command, "--limit", "3")) == 3
    assert [each["change"] for each in shell.rows(*command)] == ["removed"]
    assert shell(*command).exit_code == 4
    assert len(shell.rows(*command, "--consumer", "another")) == 4


def test_wrong_use_is_told(shell, table, new_table):
    """A start that is none, and a table without a stream, are told in a sentence."""
    result = shell("changes", "-t", table, "--start", "yesterday")
    assert result.exit_code == 2
    assert "a time back from now such as 30m, 1h or 1d" in result.stderr
    result = shell("changes", "-t", new_table(), "--once")
    assert result.exit_code == 1
    assert "has no stream" in result.stderr


def test_table_is_watched_until_ctrl_c(shell, table):
    """Without --once it waits for the next change, shows it at once, and Ctrl-C ends it with its position saved."""
    arguments = ["changes", "-t", table, "--start", "oldest", "--positions", "p.json"]
    with subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=shell.folder,
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert [json.loads(process.stdout.readline())["change"] for _ in range(4)][-1] == "removed"
        assert shell("put", '{"id": "c"}', "-t", table).exit_code == 0
        assert json.loads(process.stdout.readline())["key"] == {"id": "c"}
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, "interrupted" in errors) == (130, True)
    result = shell("changes", "-t", table, "--start", "oldest", "--once", "--positions", "p.json")
    assert result.stdout == ""
