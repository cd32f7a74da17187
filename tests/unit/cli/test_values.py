import json
from decimal import Decimal

import pytest

from mizzle_async.cli import values
from mizzle_async.errors import MarshallingError
from mizzle_async.marshalling import parse_json


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("a", ("a",)),
        ("a.b[0].c", ("a", "b", 0, "c")),
        ("a[1][2]", ("a", 1, 2)),
        (r"a\.b.c", ("a.b", "c")),
        (r"a\[0\]", ("a[0]",)),
        (r"end\.", ("end.",)),
    ],
)
def test_paths(text, segments):
    """A path is names and positions; a backslash makes a dot or a bracket part of a name."""
    assert values.parse_path(text) == segments


@pytest.mark.parametrize("text", ["", ".a", "a.", "a..b", "[0]", "a[x]", "a[0", "a]", "a[0]b."])
def test_what_is_no_path(text):
    """What is no path is refused."""
    with pytest.raises(ValueError, match="is not a path"):
        values.parse_path(text)


def test_json_keeps_digits():
    """Numbers of any size are read and written with every digit; binary becomes base64."""
    text = '{"a":0.10000000000000000000001,"b":[123456789012345678901234567890,-1,true,null],"c":1E+40}'
    assert values.json_bytes(parse_json(text)).decode() == text
    long = "9" * 10_000
    assert str(parse_json(long)) == long
    assert values.json_bytes({"b": b"\0"}) == b'{"b":"AA=="}'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "at column 2"),
        ("NaN", "NaN is no number"),
        (b"\xff\xff", "no UTF-8"),
        ("[" * 100_000, "nested"),
        ("[1e99999999999999999999]", "out of any range"),
    ],
)
def test_what_is_no_json(text, reason):
    """What is no JSON is told without showing it."""
    with pytest.raises(ValueError, match=reason):
        parse_json(text)


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (None, ""),
        ({"NULL": True}, ""),
        ({"S": "x"}, "x"),
        ({"N": "1.50"}, "1.50"),
        ({"B": "AA=="}, "AA=="),
        ({"BOOL": True}, "true"),
        ({"NS": ["2", "1"]}, "[1,2]"),
        ({"M": {"a": {"L": [{"N": "0.1"}]}}}, '{"a":[0.1]}'),
    ],
)
def test_cells(stored, text):
    """A cell is text, digits, base64, or JSON."""
    assert values.cell(stored) == text


def test_values_without_a_declared_type():
    """A text is JSON if it can be, else text; JSON that cannot be stored is refused."""
    assert values.any_from_text("5") == {"N": "5"}
    assert values.any_from_text('"5"') == {"S": "5"}
    assert values.any_from_text("five") == {"S": "five"}
    with pytest.raises(MarshallingError):
        values.any_from_text("1e999")


def test_values_of_key_types():
    """The value of a key is of the type that the table says."""
    assert values.of_type("5", "S") == {"S": "5"}
    assert values.of_type("5.0", "N") == {"N": "5"}
    assert values.of_type("AA==", "B") == {"B": "AA=="}
    for text, code in (("x", "N"), ("?", "B"), ("NaN", "N")):
        with pytest.raises(MarshallingError) as caught:
            values.of_type(text, code)
        assert text not in str(caught.value).replace("expected", "").replace("text", "")


@pytest.mark.parametrize("text", ["1_0", "\u0661\u0662", "Infinity", "1e", "0x1"])
def test_a_number_of_a_flag_has_digits_of_ascii(text: str):
    """Python takes more texts as numbers than DynamoDB does: another item would be named."""
    with pytest.raises(MarshallingError, match="expected a number"):
        values.of_type(text, "N")
    assert values.any_from_text(text) == {"S": text}
    with pytest.raises(ValueError, match="is not a path"):
        values.parse_path("a[\u0661]")


def test_items_in_dynamodb_json():
    """An item in DynamoDB's JSON has a type with each value."""
    item = {"a": {"S": "x"}}
    assert values.check_dynamodb_item(item) == item
    assert json.loads(values.dynamodb_line(item)) == {"Item": item}
    with pytest.raises(ValueError, match="object of attributes"):
        values.check_dynamodb_item([])


@pytest.mark.parametrize(
    ("stored", "path"),
    [
        (Decimal(1), "a"),
        ({}, "a"),
        ({"S": 5}, "a"),
        ({"N": 5}, "a"),
        ({"N": "five"}, "a"),
        ({"N": " 1_0 "}, "a"),
        ({"B": "?"}, "a"),
        ({"BOOL": "true"}, "a"),
        ({"NULL": False}, "a"),
        ({"SS": []}, "a"),
        ({"NS": ["1", "x"]}, "a"),
        ({"L": [{"S": "x"}, {"L": [1]}]}, "a[1][0]"),
        ({"M": {"b": {"M": {"c": {"X": "x"}}}}}, "a.b.c"),
        ({"L": "x"}, "a"),
    ],
)
def test_what_is_no_dynamodb_json(stored, path):
    """What is no value of its type is refused, with its path."""
    with pytest.raises(MarshallingError) as caught:
        values.check_dynamodb_item({"a": stored})
    assert caught.value.path == path


def test_every_type_of_dynamodb_json():
    """Every type is known."""
    scalars = {"s": {"S": ""}, "n": {"N": "1"}, "b": {"B": ""}, "y": {"BOOL": False}, "z": {"NULL": True}}
    sets = {"ss": {"SS": ["x"]}, "ns": {"NS": ["1"]}, "bs": {"BS": ["AA=="]}}
    item = scalars | sets | {"l": {"L": list(scalars.values())}, "m": {"M": scalars}}
    assert values.check_dynamodb_item(item) == item
