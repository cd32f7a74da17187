import signal
import subprocess
import sys

import pytest

READY = "import sys, threading; print('ready', flush=True); threading.Event().wait()"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {READY}"


@pytest.fixture
def supervise(tmp_path):
    """Start a supervisor over a Python program, in a folder that it is to remove."""
    started = []

    def start(*command: str, grace: str = "60") -> subprocess.Popen[str]:
        folder = tmp_path / "scratch"
        folder.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-m", "mizzle_async.testing._supervisor", grace, str(folder), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.stdin.close()
        process.stdout.close()
        process.wait()
    assert not (tmp_path / "scratch").exists()


def test_status_of_the_command_is_passed_on(supervise):
    """The supervisor ends with its command, with the same status."""
    assert supervise(sys.executable, "-c", "raise SystemExit(7)").wait() == 7


def test_end_of_input_ends_the_command(supervise):
    """When nobody holds the other end of its input any more, the command is terminated."""
    process = supervise(sys.executable, "-c", READY)
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("ignored")
    process.stdin.close()
    assert process.wait() == 128 + signal.SIGTERM


def test_deaf_command_is_killed(supervise):
    """A command that ignores the request to end is ended after a grace."""
    process = supervise(sys.executable, "-c", DEAF, grace="0")
    assert process.stdout.readline() == "ready\n"
    process.stdin.close()
    assert process.wait() == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_the_command_too(supervise, number):
    """A supervisor that is told to end takes its command with it."""
    process = supervise(sys.executable, "-c", READY)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.wait() == 128 + signal.SIGTERM


def test_command_that_cannot_be_run_is_named(supervise):
    """The name of a command that does not exist is printed, and the status is a shell's."""
    process = supervise("/nonexistent/engine")
    assert "cannot run /nonexistent/engine" in process.stdout.read()
    assert process.wait() == 127
