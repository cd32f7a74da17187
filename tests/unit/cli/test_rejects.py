import json
from decimal import Decimal

import pytest

from mizzle_async.cli.jobs import State
from mizzle_async.cli.rejects import MOST_SHOWN, Origins, Rejects, StoppedError


def test_origins_remember_where_lines_were_left_out():
    """The place of an item is found again, over gaps and files, in memory that grows with the gaps alone."""
    origins = Origins()
    places = [("a", 1), ("a", 2), ("a", 5), ("b", 1), ("b", 2), ("b", 3), ("b", 9)]
    for file, line in places:
        origins.note(file, line)
    assert [origins.of(position) for position in range(len(places))] == places
    assert len(origins._starts) == 4


def test_rejects_are_written_once(tmp_path, capsys):
    """What goes on knows what it has; what begins anew begins anew; what nobody wants to hear of is counted."""
    path = tmp_path / "rejects"
    for _ in range(2):
        rejects = Rejects(path, goes_on=True)
        rejects.add(("f", 3), "wrong", attribute="a", content={"a": 1})
        rejects.close()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"file": "f", "line": 3, "attribute": "a", "problem": "wrong", "content": {"a": 1}}
    ]
    assert "f:3: attribute a: wrong" in capsys.readouterr().err
    Rejects(path).close()
    assert not path.exists()
    unheard = Rejects(None)
    unheard.add(("f", 1), "wrong")
    assert unheard.count == 1
    many = Rejects(path)
    for line in range(MOST_SHOWN + 5):
        many.add(("f", line), "wrong")
    many.close()
    assert len(capsys.readouterr().err.splitlines()) == MOST_SHOWN + 1


def test_reject_that_is_no_text_is_kept(tmp_path):
    """A line with half of a surrogate pair, which UTF-8 cannot carry, is in the file all the same."""
    rejects = Rejects(tmp_path / "rejects")
    rejects.add(("f", 1), "no text", content={"a": "\ud800", "n": Decimal("1.50"), "b": b"x"})
    rejects.add(("\udcff", 2), "a name that is no text")
    rejects.close()
    first, second = [json.loads(line) for line in (tmp_path / "rejects").read_text().splitlines()]
    assert first["content"] == {"a": "\ud800", "n": 1.5, "b": "eA=="}
    assert second["file"] == "\udcff"


def test_first_reject_may_stop(tmp_path):
    """Where the user wants to stop, the first reject is written, and raises."""
    rejects = Rejects(tmp_path / "rejects", stops=True)
    with pytest.raises(StoppedError, match="f:1: wrong"):
        rejects.add(("f", 1), "wrong")
    rejects.close()
    assert (tmp_path / "rejects").exists()


def test_state_that_nobody_named(tmp_path, monkeypatch, capsys):
    """A state that the user did not name is begun anew, told of when work is left, and removed when none is."""
    monkeypatch.chdir(tmp_path)
    state = State.begin(None, "load-a/b")
    assert str(state.path) == "load-a-b.state.json"
    state.end(complete=False)
    assert capsys.readouterr().err == ""
    state.path.write_text("no json")
    assert not state.is_complete
    state.end(complete=False)
    assert "--resume load-a-b.state.json" in capsys.readouterr().err
    state.path.write_text('{"complete": true}')
    assert state.is_complete
    state.end(complete=True)
    assert not state.path.exists()
    named = State.begin("mine.json", "x")
    named.path.write_text("{}")
    named.end(complete=True)
    assert named.path.exists()
