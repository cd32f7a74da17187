"""Items on a terminal."""

import pytest

from mizzle_async.cli.outgoing import Printer

ITEM = {"id": {"S": "1"}, **{f"attribute-{n}": {"S": f"value {n}"} for n in range(10)}}


@pytest.fixture(autouse=True)
def width(monkeypatch):
    """A terminal of eighty columns."""
    monkeypatch.setenv("COLUMNS", "80")


def shown(capsys, *items, **settings):
    """Return the lines that are printed for items."""
    printer = Printer("table", **settings)
    for item in items:
        printer.add(item)
    printer.end()
    return capsys.readouterr().out.splitlines()


def test_wide_items_stand_one_below_the_other(capsys):
    """Where a table would break its values, each item has an attribute a line, and no value is cut."""
    lines = shown(capsys, ITEM, ITEM | {"other": {"S": "x"}})
    assert sum(line.startswith("attribute-7  value 7") for line in lines) == 2
    assert len([line for line in lines if line.startswith("other")]) == 1
    assert [line[0] for line in lines if "─" in line] == ["1", "2"]


def test_narrow_items_are_a_table(capsys):
    """Items that fit are a table, the key first."""
    lines = shown(capsys, {"a": {"N": "5"}, "id": {"S": "1"}}, first=("id",))
    assert any("id" in line and line.index("id") < line.index("a") for line in lines)
    assert not any(line.startswith("id") for line in lines)


def test_one_long_value_does_not_turn_a_table(capsys):
    """A single long value is broken within its column; the table stays."""
    lines = shown(capsys, {"id": {"S": "1"}, "text": {"S": "word " * 50}})
    assert not any(line.startswith("id") for line in lines)


def test_vertical_layout_is_chosen(capsys):
    """`--format vertical` is for narrow items, too; items without attributes print nothing."""
    printer = Printer("vertical")
    printer.add({"id": {"S": "1"}})
    printer.end()
    assert "id  1" in capsys.readouterr().out
    Printer("vertical").end()
    assert capsys.readouterr().out == ""
