import json
import os
import pickle
from decimal import Decimal

import click
import pytest
from attrs import frozen

from mizzle_async.cli.jobs import State
from mizzle_async.cli.rejects import (
    HOPELESS,
    MOST_SHOWN,
    NotedRejects,
    Origins,
    Reject,
    Rejects,
    Remark,
    SharedRejects,
    StoppedError,
)
from mizzle_async.marshalling import parse_json


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
        {"file": "f", "line": 3, "attribute": "a", "problem": "wrong", "content": {"a": 1}, "format": "jsonl"}
    ]
    assert "f:3: attribute a: wrong" in capsys.readouterr().err
    Rejects(path).close()
    assert not path.exists()
    assert "wrong" in (tmp_path / "rejects.1").read_text()
    unheard = Rejects(None)
    unheard.add(("f", 1), "wrong")
    assert unheard.count == 1
    many = Rejects(path)
    for line in range(MOST_SHOWN + 5):
        many.add(("f", line), "wrong")
    many.close()
    assert len(capsys.readouterr().err.splitlines()) == MOST_SHOWN + 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_or_a_device_takes_rejects_and_stays(tmp_path):
    """It is neither read, nor renamed, nor put in order: `--rejects /dev/null` must not move the device away."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    pipe = os.open(path, os.O_RDWR)
    try:
        os.write(pipe, b"not to be read\n")
        rejects = Rejects(path, say=str)
        rejects.add(("f", 1), "wrong")
        rejects.put_in_order(["f"])
        assert os.read(pipe, 1_000).splitlines()[1].startswith(b'{"file":"f","line":1,')
        assert [(each.name, each.is_fifo()) for each in tmp_path.iterdir()] == [("pipe", True)]
    finally:
        os.close(pipe)


def test_a_folder_takes_no_rejects(tmp_path):
    """The command is refused before anything is loaded."""
    with pytest.raises(click.UsageError, match="is a folder: name a file with --rejects"):
        Rejects(tmp_path)


def test_a_link_to_the_rejects_stays_one(tmp_path):
    """The file that it leads to is put in order. A link under the name of the new file is not followed."""
    (tmp_path / "other").write_text("stays")
    (tmp_path / "rejects.new").symlink_to("other")
    link = tmp_path / "link"
    link.symlink_to("rejects")
    rejects = Rejects(link, say=str)
    for line in (2, 1):
        rejects.add(("f", line), "wrong")
    rejects.put_in_order(["f"])
    assert link.is_symlink()
    assert (tmp_path / "other").read_text() == "stays"
    assert [json.loads(line)["line"] for line in (tmp_path / "rejects").read_text().splitlines()] == [1, 2]


def test_rejects_end_the_work_when_nothing_is_good(tmp_path):
    """A thousand bad rows without a good one end the work, with the commonest reasons; a limit of the user counts."""
    rejects = Rejects(tmp_path / "a")
    rejects.add(("f", 0), "empty", attribute="id")
    for line in range(1, HOPELESS - 1):
        rejects.add(("f", line), "missing", attribute="id")
    with pytest.raises(StoppedError, match="rows are all bad; 999 times attribute id: missing; 1 times"):
        rejects.add(("f", HOPELESS), "missing", attribute="id")
    rejects.close()
    some_good = Rejects(tmp_path / "b")
    some_good.good = 1
    for line in range(HOPELESS + 10):
        some_good.add(("f", line), "missing")
    some_good.close()
    limited = Rejects(tmp_path / "c", limit=1)
    limited.add(("f", 1), "missing")
    with pytest.raises(StoppedError, match="more than 1 bad lines"):
        limited.add(("f", 2), "missing")
    limited.close()


def test_reject_that_is_no_text_is_kept(tmp_path):
    """A line with half of a surrogate pair, which UTF-8 cannot carry, is in the file all the same."""
    rejects = Rejects(tmp_path / "rejects")
    rejects.add(("f", 1), "no text", content={"a": "\ud800", "n": Decimal("1.50"), "b": b"x"})
    rejects.add(("\udcff", 2), "a name that is no text")
    rejects.close()
    first, second = [json.loads(line) for line in (tmp_path / "rejects").read_text().splitlines()]
    assert first["content"] == {"a": "\ud800", "n": 1.5, "b": "eA=="}
    assert second["file"] == "\udcff"


def test_item_that_cannot_be_encoded_is_kept(tmp_path):
    """An item as the caller gave it is in the file as well as JSON can hold it: with sets, and instances of classes."""

    @frozen
    class Thing:
        names: set[str]
        inner: object

    rejects = Rejects(tmp_path / "rejects")
    rejects.add(("f", 1), "too long", content=Thing({"a"}, Thing(set(), 1j)))
    rejects.add(("f", 2), "no number", content={"a": Decimal("NaN")})
    rejects.close()
    first, second = [parse_json(line)["content"] for line in (tmp_path / "rejects").read_text().splitlines()]
    assert first == {"names": ["a"], "inner": {"names": [], "inner": "1j"}}
    assert second == {"a": "NaN"}


def test_rejects_that_were_cut_short_go_on(tmp_path):
    """The last line of what a killed run has left may be half a line: it is found again, and written again."""
    path = tmp_path / "rejects"
    rejects = Rejects(path)
    long = Decimal("9" * 5_000)
    rejects.add(("f", 1), "wrong", content={"a": long})
    rejects.add(("f", 2), "wrong", content={"a": long, "b": "\ud800"})
    rejects.close()
    path.write_bytes(path.read_bytes()[:-10])
    rejects = Rejects(path, goes_on=True)
    for line in (1, 2, 3):
        rejects.add(("f", line), "wrong")
    rejects.close()
    assert [parse_json(line)["line"] for line in path.read_text().splitlines()] == [1, 2, 3]


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("content", [b'{"id": 1}\n', b"no newline", b"\n", b'{"files": []}\n'])
def test_only_rejects_are_written_over(tmp_path, content, goes_on):
    """A file that is no rejects file is neither removed nor added to; a folder that is missing is told at once."""
    path = tmp_path / "data"
    path.write_bytes(content)
    with pytest.raises(click.UsageError, match="is not a rejects file"):
        Rejects(path, goes_on=goes_on)
    assert path.read_bytes() == content
    with pytest.raises(click.UsageError, match="no folder"):
        Rejects(tmp_path / "nowhere" / "rejects", goes_on=goes_on)


def test_rejects_that_are_damaged_are_not_added_to(tmp_path):
    """A line in the middle that is none is a usage error, and the file is left as it is."""
    path = tmp_path / "rejects"
    path.write_bytes(content := b'{"file": "f", "line": 1}\n{"file": \n')
    with pytest.raises(click.UsageError, match="is not a rejects file"):
        Rejects(path, goes_on=True)
    assert path.read_bytes() == content


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


def test_rejects_of_workers_are_counted_once(tmp_path, capsys):
    """An item that is refused again, by the successor of a worker or by another run, is one; a remark is made once."""
    notes = []
    worker = NotedRejects(note=notes.append)
    for line in (3, 4):
        worker.add(("f", line), "wrong", attribute="a", content={"a": frozenset({line})})
    worker.say("a remark")
    assert worker.count == 2
    for run in range(2):
        rejects = Rejects(tmp_path / "rejects", goes_on=True)
        shared = SharedRejects(rejects)
        assert rejects.count == 2 * run
        for note in pickle.loads(pickle.dumps([*notes, *notes])):
            shared(note)
        rejects.close()
        assert rejects.count == 2
    lines = [json.loads(line) for line in (tmp_path / "rejects").read_text().splitlines()]
    assert [(line["line"], line["content"]) for line in lines] == [(3, {"a": [3]}), (4, {"a": [4]})]
    assert capsys.readouterr().err.count("a remark") == 2  # one for each run
    assert [type(note) for note in notes] == [Reject, Reject, Remark]


def test_rejects_of_workers_end_the_work_only_where_nothing_is_good(tmp_path):
    """The parent hears of bad rows before it hears of written ones: the note has the good rows before it."""
    notes = []
    worker = NotedRejects(note=notes.append)
    for line in range(HOPELESS + 1):
        worker.good = line // 3
        worker.add(("f", line), "missing")
    some_good = Rejects(tmp_path / "a")
    shared = SharedRejects(some_good)
    for note in notes:
        shared(note)
    some_good.close()
    hopeless = Rejects(tmp_path / "b")
    worker = NotedRejects(note=SharedRejects(hopeless))
    for line in range(HOPELESS - 1):
        worker.add(("f", line), "missing")
    with pytest.raises(StoppedError, match="rows are all bad"):
        worker.add(("f", HOPELESS), "missing")
    hopeless.close()
    stops = Rejects(tmp_path / "c", stops=True)
    with pytest.raises(StoppedError, match="f:0: missing"):
        SharedRejects(stops)(notes[0])
    stops.close()


def test_rejects_are_put_in_the_order_of_the_input(tmp_path):
    """By file, as the user named them, and by line; what is added later is added to the same file."""
    rejects = Rejects(tmp_path / "rejects")
    rejects.put_in_order(["b", "a"])
    assert not (tmp_path / "rejects").exists()
    for origin in [("a", 2), ("b", 10), ("a", 1), ("b", 9)]:
        rejects.add(origin, "wrong", content={"x": 1})
    rejects.put_in_order(["b", "a"])
    rejects.add(("a", 3), "wrong")
    rejects.close()
    lines = [json.loads(line) for line in (tmp_path / "rejects").read_text().splitlines()]
    assert [(line["file"], line["line"]) for line in lines] == [("b", 9), ("b", 10), ("a", 1), ("a", 2), ("a", 3)]
    assert [path.name for path in tmp_path.iterdir()] == ["rejects"]
