"""CSV as Excel, the AWS console and NoSQL Workbench write it."""

import click
import pytest

from mizzle_async.cli.files import csv_rows
from mizzle_async.cli.files.rows import ReadOptions
from mizzle_async.cli.files.source import Source


def rows_of(tmp_path, text, name="a.csv", needed=(("id",),), **options):
    """Return the rows of a file for a table with the key id."""
    (tmp_path / name).write_text(text, newline="")
    return list(Source((str(tmp_path / name),), ReadOptions(**options), needed=needed, target="t"))


WANTED = [{"id": "1", "a": "x"}, {"id": "2", "a": "y,z"}]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'id,a\n1,x\n2,"y,z"\n'),
        ("a.csv", 'id,a\r\n1,x\r\n2,"y,z"\r\n'),
        ("a.csv", "id;a\n1;x\n2;y,z\n"),
        ("a.csv", "id\ta\n1\tx\n2\ty,z\n"),
        ("a.csv", "id|a\n1|x\n2|y,z"),
        ("a.csv", "sep=;\r\nid;a\r\n1;x\r\n2;y,z\r\n"),
        ("a.tsv", "id\ta\n1\tx\n2\ty,z\n"),
        ("a.csv", 'id,a,\n1,x,\n2,"y,z",\n'),
        ("a.csv", 'id,a,,\n1,x,,\n2,"y,z",,\n'),
    ],
)
def test_delimiter_is_seen_in_the_first_line(tmp_path, name, text):
    """Commas, semicolons, tabulators and bars separate; Excel's first line is obeyed; empty columns are dropped."""
    assert [row.values for row in rows_of(tmp_path, text, name)] == WANTED


def test_delimiter_that_finds_the_key_wins(tmp_path):
    """Where several delimiters could be meant, it is the one by which the key is a column."""
    rows = rows_of(tmp_path, "id;name, first;name, last\n1;x;y\n")
    assert rows[0].values == {"id": "1", "name, first": "x", "name, last": "y"}
    rows = rows_of(tmp_path, "id~a\n1~x\n", delimiter="~")
    assert rows[0].values == {"id": "1", "a": "x"}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,b\n1,2\n", ["has no column 'id'", "separated by ',': 'a', 'b'", "--delimiter"]),
        ("ID,b\n1,2\n", ["'ID' is spelled alike"]),
        ("id,a,a\n1,2,3\n", ["names the column 'a' twice"]),
    ],
)
def test_header_that_is_wrong_is_refused_at_once(tmp_path, text, parts):
    """A header without the key, or with a column twice, is one error that names the columns, before any row."""
    with pytest.raises(click.UsageError) as refused:
        rows_of(tmp_path, text)
    for part in parts:
        assert part in refused.value.message


def test_rows_of_other_lengths(tmp_path):
    """A short row is bad unless missing cells are absent; a long one, and a cell without a column, are bad."""
    text = "id,a,\n1\n2,x,,\n3,x,y\n"
    assert [bool(row.problem) for row in rows_of(tmp_path, text)] == [True, True, True]
    rows = rows_of(tmp_path, text, short_rows=True)
    assert rows[0].values == {"id": "1", "a": ""}
    assert "without a name" in rows[2].problem
    assert rows[1].columns == ("id", "a", "")


def test_blanks_are_stripped_when_asked(tmp_path):
    """Blanks around cells and names stay, unless they are to be left out."""
    assert rows_of(tmp_path, "id, a\n1, x \n")[0].values == {"id": "1", " a": " x "}
    assert rows_of(tmp_path, " id , a\n1, x \n", strip=True)[0].values == {"id": "1", "a": "x"}


def test_header_of_the_console_names_types(tmp_path):
    """A header such as the AWS console writes has the names and the types of its columns."""
    row = rows_of(tmp_path, '"id (S)","n (N)"\n1,2\n')[0]
    assert (row.values, row.types) == ({"id": "1", "n": "2"}, {"id": "S", "n": "N"})
    assert rows_of(tmp_path, "id,n (N)\n1,2\n")[0].values == {"id": "1", "n (N)": "2"}


def test_second_line_of_workbench_names_types(tmp_path):
    """A second line of types only is no item."""
    rows = rows_of(tmp_path, "id,n\nS,N\n1,2\nS,N\n")
    assert [(row.line, row.values) for row in rows] == [(3, {"id": "1", "n": "2"}), (4, {"id": "S", "n": "N"})]
    assert rows[0].types == {"id": "S", "n": "N"}
    assert rows_of(tmp_path, "id\nS\n")[0].values == {"id": "S"}


def test_quote_without_an_end_does_not_fill_the_memory(tmp_path, monkeypatch):
    """A quote that is never closed ends the reading after as much as no item has."""
    monkeypatch.setattr(csv_rows, "LONGEST_RECORD", 1_000)
    with pytest.raises(click.ClickException, match="a quote is opened and never closed"):
        rows_of(tmp_path, 'id\n1\n"2\n' + "x\n" * 2_000)


@pytest.mark.parametrize("text", ["", "id\n", "id,a", "sep=;\n", "\n"])
def test_file_without_rows_says_so(tmp_path, capsys, text):
    """A file that is empty, or has a header only, has no items, which is said once."""
    needed = (("id",),) if "id" in text else ()
    assert rows_of(tmp_path, text, needed=needed) == []
    assert "has no items" in capsys.readouterr().err


def test_zero_bytes_are_characters(tmp_path):
    """A NUL in a cell is a character as any other."""
    assert rows_of(tmp_path, "id,a\n1,x\0y\n")[0].values == {"id": "1", "a": "x\0y"}
