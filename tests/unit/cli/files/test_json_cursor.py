"""One JSON document, read piece by piece."""

import io
import json
import random
from decimal import Decimal

import pytest

from mizzle_async.cli.files import json_cursor
from mizzle_async.cli.files.json_cursor import DocumentError, JsonCursor


def cursor(text):
    """Return a cursor at the beginning of a text."""
    return JsonCursor(io.BytesIO(text.encode() if isinstance(text, str) else text))


def random_value(source, depth=0):
    """Return some value of JSON."""
    kind = source.randrange(7 if depth < 3 else 5)
    if kind == 5:
        return [random_value(source, depth + 1) for _ in range(source.randrange(4))]
    if kind == 6:
        return {f"k{n}": random_value(source, depth + 1) for n in range(source.randrange(4))}
    texts = ("", "plain", 'a "quote" \\ and more', "ä\n\U0001f600", "x" * 300)
    return (None, True, source.randrange(10**20), -0.5, source.choice(texts))[kind]


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 50, 65536])
@pytest.mark.parametrize("indent", [None, 1])
def test_array_is_read_whatever_the_pieces_are(monkeypatch, chunk, indent):
    """An array has the same elements wherever the pieces of its text end: in a number, an escape, a character."""
    monkeypatch.setattr(json_cursor, "CHUNK", chunk)
    source = random.Random(chunk)
    values = [random_value(source) for _ in range(40)]
    text = json.dumps(values, indent=indent, ensure_ascii=indent is None)
    found = list(cursor(text).elements())
    assert json.loads(json.dumps(found, default=float)) == values


def test_digits_are_kept():
    """Numbers keep every digit."""
    assert list(cursor("[0.12345678901234567890123456789012345678, 1e-130]").elements()) == [
        Decimal("0.12345678901234567890123456789012345678"),
        Decimal("1e-130"),
    ]


def test_members_are_read_one_by_one():
    """The names of an object come before their values, which the caller reads as it likes."""
    place = cursor('{"a": [1, 2], "b": {"c": 3}, "d": "x"} {"e": 1}')
    found = {}
    for name in place.members():
        found[name] = list(place.elements()) if place.peek() == "[" else place.value()
    assert found == {"a": [1, 2], "b": {"c": 3}, "d": "x"}
    assert place.value() == {"e": 1}
    assert place.peek() == ""


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('[1,\n 2,\n {"a" 3}]', "line 3, column 7"),
        ("[1 2]", "line 1, column 4"),
        ("[1, 2", "it ends where"),
        ('["abc', "Unterminated string"),
        ('[{"a": 1, ', "line 1"),
        ("[NaN]", "NaN is not a number"),
        ("[1e99999999999999999999]", "out of any range"),
        ("[" * 100_000, "nested too deeply"),
        (b'["\xff"]', "not UTF-8"),
    ],
)
def test_fault_is_told_by_its_place(text, part):
    """A document that is not JSON says where: by line and column, also after many pieces."""
    with pytest.raises(DocumentError, match=part):
        list(cursor(text).elements())


def test_place_of_a_fault_counts_what_was_forgotten(monkeypatch):
    """Line and column count the text that has been passed and forgotten."""
    monkeypatch.setattr(json_cursor, "CHUNK", 16)
    text = "[\n" + "".join(f" {number},\n" for number in range(1_000)) + ' "x" "y"]'
    with pytest.raises(DocumentError, match="line 1002, column 6"):
        list(cursor(text).elements())


def test_value_without_an_end_is_not_gathered_for_ever(monkeypatch):
    """A string that is never closed ends the reading, and not the memory."""
    monkeypatch.setattr(json_cursor, "LONGEST_VALUE", 100_000)
    with pytest.raises(DocumentError, match="a value does not end"):
        list(cursor('["' + "x" * 1_000_000).elements())


def test_element_is_decoded_in_linear_time(monkeypatch):
    """A large element, of many pieces, is tried again for each doubling of its text only."""
    monkeypatch.setattr(json_cursor, "CHUNK", 64)
    tries = []
    decoder = json_cursor.DECODER

    class Counting:
        def raw_decode(self, text, at):
            tries.append(len(text))
            return decoder.raw_decode(text, at)

    monkeypatch.setattr(json_cursor, "DECODER", Counting())
    value = {f"name-{n}": "x" * 50 for n in range(2_000)}
    assert list(cursor(json.dumps([value])).elements()) == [value]
    assert len(tries) < 20
