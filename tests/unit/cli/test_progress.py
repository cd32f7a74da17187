import io

import pytest

from mizzle_async.cli.progress import LINE_SECONDS, Display
from mizzle_async.flow.report import BatchReport


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    """The time."""
    return Clock()


def test_plain_lines_come_now_and_then(clock):
    """Where there is no terminal a line with rate, part and time left comes every ten seconds, not for every call."""
    stream = io.StringIO()
    with Display("load x", total=1_000, stream=stream, clock=clock) as display:
        for written in (100, 200, 300, 2_000):
            clock.now += LINE_SECONDS / 2
            display(BatchReport(written=written))
    assert stream.getvalue().splitlines() == [
        "load x: 200 items, 20/s, 20%, 0:00:40 left",
        "load x: 2,000 items, 100/s, 100%, 0:00:00 left",
    ]


def test_plain_lines_of_what_has_no_end(clock):
    """Where nobody knows how much there is, neither a part nor the time left is told."""
    stream = io.StringIO()
    with Display("x", stream=stream, clock=clock) as display:
        clock.now = LINE_SECONDS
        display(BatchReport(written=50, unchanged=5, rejected=3, skipped=2))
    assert stream.getvalue() == "x: 60 items, 6/s\n"


def test_lines_stand_above_the_bar(capsys):
    """A line that is said meanwhile does not stand in the bar, and a long one is not broken."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    with Display("x", total=10, stream=stream) as display:
        display(BatchReport(written=5))
        display.say("a line " * 30 + "[bold]end")
    assert "a line " * 30 + "[bold]end" in stream.getvalue()
    display.say("afterwards")
    assert capsys.readouterr().err == "afterwards\n"


def test_quiet_display_shows_nothing(clock):
    """A quiet display says nothing at all."""
    stream = io.StringIO()
    with Display("x", stream=stream, clock=clock, quiet=True) as display:
        clock.now = 100
        display(BatchReport())
    assert stream.getvalue() == ""


def test_bar_on_a_terminal(clock, monkeypatch):
    """A terminal shows a bar with the part, the items, and their rate."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with Display("load", total=200, done=lambda report: report.taken, stream=stream, clock=clock) as display:
        clock.now = 2.0
        display(BatchReport(taken=100, written=90))
    assert "50%" in stream.getvalue()
    assert "90 items, 45/s" in stream.getvalue()
