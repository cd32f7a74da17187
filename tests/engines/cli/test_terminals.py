"""The command line on a terminal, in a process of its own: progress, Ctrl-C, and going on afterwards."""

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from mizzle_async.cli import main; main()"]
ON_TERMINAL = [
    sys.executable,
    "-c",
    "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from mizzle_async.cli import main; main()",
]


class Terminal:
    """A command in a terminal of its own, which controls it as the user's does."""

    def __init__(self, shell, *arguments: str) -> None:
        self._own, its = pty.openpty()
        environment = shell.environment | {"TERM": "xterm", "LINES": "40"}
        self.process = subprocess.Popen(
            [*ON_TERMINAL, *arguments], stdin=its, stdout=its, stderr=its, env=environment, start_new_session=True
        )
        os.close(its)
        self.shown = ""

    def read(self) -> bool:
        """Read what is shown next; tell whether there was anything."""
        with contextlib.suppress(OSError):  # Linux: the other end is closed
            text = os.read(self._own, 65536).decode("utf-8", "replace")
            self.shown += text
            return bool(text)
        return False

    def read_until(self, *parts: str) -> None:
        """Read until one of some texts is shown."""
        while not any(part in self.shown for part in parts):
            assert self.read(), self.shown

    def press(self, key: bytes) -> None:
        """Press a key."""
        os.write(self._own, key)

    def end(self) -> int:
        """Read to the end, and return the exit code."""
        while self.read():
            pass
        os.close(self._own)
        return self.process.wait()


@pytest.fixture
def lines(shell):
    """A file of two thousand items."""
    return shell.write("in.jsonl", *[{"id": f"{number:04}", "n": number} for number in range(2_000)])


def test_progress_is_shown_on_a_terminal(shell, new_table, lines):
    """A terminal shows a bar with rate and time left, and the report at the end."""
    terminal = Terminal(shell, "load", lines, "-t", new_table())
    assert terminal.end() == 0
    assert "100%" in terminal.shown
    assert "2,000 items" in terminal.shown
    assert "/s" in terminal.shown
    assert "2,000 loaded" in terminal.shown


def test_no_bar_elsewhere(shell, new_table, lines):
    """Without a terminal there is no bar and no escape sequence; the report as JSON is alone on standard output."""
    command = [*COMMAND, "load", lines, "-t", new_table(), "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=shell.environment)
    assert json.loads(done.stdout)["loaded"] == 2_000
    assert "\x1b" not in done.stderr


def test_interrupted_load_goes_on(shell, new_table, lines):
    """Ctrl-C stops a load in order: it prints the report, says how to go on, and going on loads the rest."""
    table = new_table()
    terminal = Terminal(shell, "load", lines, "-t", table, "--write-units", "40")
    terminal.read_until("/s")
    terminal.press(b"\x03")
    assert terminal.end() == 130
    assert " loaded, " in terminal.shown
    assert "Traceback" not in terminal.shown
    state = f"load-{table}.state.json"
    assert f"--resume {state}" in terminal.shown
    result = shell("load", lines, "-t", table, "--resume", state, "--json")
    report = json.loads(result.stdout)
    assert report["loaded"] + report["skipped"] == 2_000
    assert shell("count", "-t", table).stdout == "2000\n"


@pytest.fixture
def wide_table(shell, new_table):
    """A table of two thousand items of two kilobytes, which takes several pages to read; returns its name."""
    rows = [{"id": f"{number:04}", "n": number, "text": "x" * 2_000} for number in range(2_000)]
    name = new_table()
    assert shell("load", shell.write("wide.jsonl", *rows), "-t", name, "-q").exit_code == 0
    return name


def interrupt(shell, *arguments: str) -> str:
    """Press Ctrl-C when some items are done; return how to go on."""
    terminal = Terminal(shell, *arguments)
    while not re.search(r"[1-9][0-9,]* items", terminal.shown):
        assert terminal.read(), terminal.shown
    terminal.press(b"\x03")
    assert terminal.end() == 130, terminal.shown
    assert "Traceback" not in terminal.shown
    found = re.search(r"--resume (\S+)", terminal.shown)
    assert found, terminal.shown
    return found[1]


def test_interrupted_export_goes_on(shell, wide_table):
    """Ctrl-C stops an export in order, and going on writes what is missing: every item is in the file once."""
    export = ("export", "out.jsonl", "-t", wide_table, "--format", "jsonl", "--read-units", "0.2")
    state = interrupt(shell, *export)
    before = len(shell.read("out.jsonl"))
    assert 0 < before < 2_000
    report = json.loads(shell(*export[:-1], "100000", "--resume", state, "--json").stdout)
    assert report["complete"]
    assert report["exported"] == 2_000 - before
    assert sorted(row["n"] for row in shell.read("out.jsonl")) == list(range(2_000))


def test_killed_export_goes_on(shell, wide_table):
    """An export that was killed goes on from its last checkpoint: every item is in the file once."""
    command = [*COMMAND, "export", "out.csv", "-t", wide_table, "--columns", "id,n", "--resume", "s.json"]
    with subprocess.Popen([*command, "--read-units", "0.2"], env=shell.environment) as process:
        while not (shell.folder / "out.csv").exists() or not (shell.folder / "out.csv").stat().st_size:
            assert process.poll() is None
        process.kill()
    assert subprocess.run(command, check=True, env=shell.environment, capture_output=True).returncode == 0
    lines = (shell.folder / "out.csv").read_text().splitlines()
    assert lines[0] == "id,n"
    assert sorted(lines[1:]) == [f"{number:04},{number}" for number in range(2_000)]


def test_interrupted_copy_goes_on(shell, wide_table, new_table):
    """Ctrl-C stops a copy in order, and going on copies the rest."""
    target = new_table()
    state = interrupt(shell, "copy", wide_table, target, "--write-units", "1000")
    report = json.loads(shell("copy", wide_table, target, "--resume", state, "--json").stdout)
    assert report["complete"]
    assert report["skipped"] + report["copied"] == 2_000
    assert shell("count", "-t", target).stdout == "2000\n"


def test_interrupted_change_is_accounted_for(shell, wide_table):
    """Ctrl-C stops a change of many items in order: its report says how many are changed, and how many may be."""
    change = ("update", "-t", wide_table, "-f", "n", "ge", "500", "--set", "seen=true", "-y")
    terminal = Terminal(shell, *change, "--write-units", "500")
    while not re.search(r"[1-9][0-9,]* items", terminal.shown):
        assert terminal.read(), terminal.shown
    terminal.press(b"\x03")
    assert terminal.end() == 130, terminal.shown
    assert "Traceback" not in terminal.shown
    report = re.search(r"update: ([0-9,]+) changed(?:, ([0-9,]+) unknown)?", terminal.shown)
    assert report, terminal.shown
    changed = int(report[1].replace(",", ""))
    unknown = int((report[2] or "0").replace(",", ""))
    seen = int(shell("count", "-t", wide_table, "-f", "seen", "eq", "true").stdout)
    assert changed <= seen <= changed + unknown
    assert seen < 1_500


def test_interrupted_deletion_goes_on(shell, wide_table):
    """Ctrl-C stops a deletion in order, and going on deletes the rest, and nothing else."""
    delete = ("delete", "-t", wide_table, "-f", "n", ">=", "500", "-y")
    state = interrupt(shell, *delete, "--write-units", "1000")
    left = int(shell("count", "-t", wide_table).stdout)
    assert 500 < left < 2_000
    report = json.loads(shell(*delete, "--resume", state, "--json").stdout)
    assert report["complete"]
    assert report["deleted"] == left - 500
    assert shell("count", "-t", wide_table).stdout == "500\n"


def test_interrupted_while_it_waits_for_input(shell, new_table):
    """Ctrl-C is heard while standard input has nothing to say."""
    table = new_table()
    terminal = Terminal(shell, "load", "-", "-t", table)
    terminal.read_until("load")
    terminal.press(b'{"id": "1"}\n')
    terminal.press(b"\x03")
    assert terminal.end() == 130
    assert "Traceback" not in terminal.shown


def test_items_are_laid_out_on_a_terminal(shell, new_table):
    """A terminal shows items as a table, and one item over several lines."""
    table = new_table()
    shell("load", "-", "-t", table, input='{"id": "1", "a": {"b": 2}}\n')
    terminal = Terminal(shell, "scan", "-t", table)
    assert terminal.end() == 0
    assert '{"b":2}' in terminal.shown
    assert "1 item\r\n" in terminal.shown
    terminal = Terminal(shell, "get", "1", "-t", table)
    assert terminal.end() == 0
    assert '  "id": "1"' in terminal.shown


def test_deletion_is_asked_for(shell, new_table):
    """A terminal is asked before everything is deleted."""
    table = new_table()
    shell("load", "-", "-t", table, input='{"id": "1"}\n')
    terminal = Terminal(shell, "delete", "-t", table, "--everything")
    terminal.read_until("[y/N]")
    terminal.press(b"y\n")
    assert terminal.end() == 0
    assert "1 deleted" in terminal.shown


def test_question_is_left_by_ctrl_c(shell, new_table):
    """Ctrl-C at the question ends the command at once, and deletes nothing."""
    table = new_table()
    shell("load", "-", "-t", table, input='{"id": "1"}\n')
    terminal = Terminal(shell, "delete", "-t", table, "--everything")
    terminal.read_until("[y/N]")
    terminal.press(b"\x03")
    assert terminal.end() == 130
    assert "interrupted" in terminal.shown
    assert shell("count", "-t", table).stdout == "1\n"


def test_reader_that_leaves_is_no_error_of_ours(shell, new_table, lines):
    """A pipe whose reader has seen enough ends the command without a traceback."""
    table = new_table()
    assert shell("load", lines, "-t", table, "-q").exit_code == 0
    command = [*COMMAND, "scan", "-t", table, "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=shell.environment
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["scan --json", "export -"])
def test_output_that_is_cut_short_is_a_failure(shell, new_table, lines, command, unbuffered):
    """A disk that is full half way through the output ends the command with an error, whatever buffers Python has."""
    table = new_table()
    assert shell("load", lines, "-t", table, "-q").exit_code == 0
    # A limit of a few blocks cuts the output as a full disk does: the first write does a part, the next one nothing.
    # It would cut what coverage writes, too.
    limit = 'unset COVERAGE_PROCESS_CONFIG; ulimit -f 8; exec "$@"'
    limited = ["sh", "-c", limit, "sh", *COMMAND, *command.split(), "-t", table]
    environment = shell.environment | {"PYTHONUNBUFFERED": unbuffered}
    with (shell.folder / "out").open("wb") as out:
        done = subprocess.run(limited, stdout=out, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert "OSError: [Errno 27]" in done.stderr
    assert "Traceback" not in done.stderr


def test_output_that_cannot_be_written_leaves_nothing_behind(shell, new_table, lines):
    """What is gathered for standard output is gone when the command is, even if nobody can take it."""
    table = new_table()
    assert shell("load", lines, "-t", table, "-q").exit_code == 0
    scratch = shell.folder / "scratch"
    scratch.mkdir()
    command = [*COMMAND, "export", "-", "--format", "csv", "-t", table]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, env=shell.environment | {"TMPDIR": str(scratch)}, check=False)
    assert done.returncode == 1
    assert not list(scratch.iterdir())


def test_termination_is_an_interruption(shell, new_table):
    """SIGTERM, as a service manager sends it, stops a load in order like Ctrl-C."""
    command = [*COMMAND, "load", "-", "-t", new_table(), "--json"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    bad = "bad\n" * 5
    with subprocess.Popen(command, **pipes, text=True, env=shell.environment) as process:
        process.stdin.write(bad)
        process.stdin.flush()
        process.stderr.readline()
        process.terminate()
        assert json.loads(process.stdout.read())["complete"] is False
        assert process.wait() == 130
