"""A page as prompts and notebooks show it."""

import gc
import warnings

import pytest

from mizzle_async import Attribute, Client, Page, PartitionKey, SortKey, entity


@entity("events")
class Event:
    source: PartitionKey[str]
    number: SortKey[int]
    text: Attribute[str]


def events(number):
    """Make so many events."""
    return [Event(source="s", number=one, text=f"text {one}") for one in range(number)]


def test_a_prompt_shows_items_and_cursor():
    """The repr holds the first items, how many more there are, and whether another page follows."""
    text = repr(Page(events(7), "a-cursor-of-many-letters", 9, 0.5))
    assert text.startswith("Page(items=[Event(source='s', number=0, text='text 0'), ")
    assert "number=4" in text
    assert "number=5" not in text
    assert text.endswith(", … 2 more], cursor='a-cursor-of-many…', evaluated=9, read_units=0.5)")
    assert repr(Page([], None)) == "Page(items=[], cursor=None, evaluated=0)"


def test_a_notebook_shows_a_table():
    """HTML has a row for each item and a column for each attribute, and whether another page follows."""
    html = Page(events(2), None, 2)._repr_html_()
    assert "<th>source</th><th>number</th><th>text</th>" in html
    assert "<td>s</td><td>1</td><td>text 1</td>" in html
    assert "2 items, 2 evaluated, cursor None" in html
    assert "60 items (50 shown)" in Page(events(60), None, 60)._repr_html_()
    assert Page([], None)._repr_html_() == "<p>0 items, 0 evaluated, cursor None</p>"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"a": 1}, {"b": "<script>"}], ["<th>a</th><th>b</th>", "<td></td><td>&lt;script&gt;</td>"]),
        ([("x", 1)], ["<th>0</th><th>1</th>", "<td>x</td><td>1</td>"]),
        (["x" * 500], ["<th>value</th>", f"<td>{'x' * 119}…</td>"]),
    ],
)
def test_every_kind_of_row_has_its_columns(rows, expected):
    """Dicts, tuples of projections and single values are shown too: escaped, and cut where they are long."""
    html = Page(rows, None)._repr_html_()
    assert all(part in html for part in expected)


def test_work_that_was_shown_does_not_warn_later():
    """Bulk work and reads by keys that a prompt has shown are dropped in silence, and can still be sent."""
    table = Client().table(Event)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for work in (table.put_many([]), table.get_many([]), table.get(source="s", number=1)):
            assert repr(work).startswith("<")
        del work
        gc.collect()
    shown = table.put_many([])
    assert repr(shown)
    shown.send().close()
