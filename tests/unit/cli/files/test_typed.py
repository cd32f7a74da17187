"""Values in a stored type that is named."""

from decimal import Decimal

import pytest

from mizzle_async.cli.files.typed import cell_value, typed_value


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        ("x", "S", {"S": "x"}),
        (5, "S", {"S": "5"}),
        (" 5.50 ", "N", {"N": "5.5"}),
        (Decimal("0.1"), "N", {"N": "0.1"}),
        ("AAE=", "B", {"B": "AAE="}),
        (b"\x00", "B", {"B": "AA=="}),
        ("TRUE", "BOOL", {"BOOL": True}),
        (False, "BOOL", {"BOOL": False}),
        ("null", "NULL", {"NULL": True}),
        (True, "NULL", {"NULL": True}),
        ('["a"]', "SS", {"SS": ["a"]}),
        (["1.0"], "NS", {"NS": ["1"]}),
        ('["AA=="]', "BS", {"BS": ["AA=="]}),
        ('[1, {"S": "x"}]', "L", {"L": [{"N": "1"}, {"S": "x"}]}),
        ('{"a": {"N": "5"}, "b": "x"}', "M", {"M": {"a": {"N": "5"}, "b": {"S": "x"}}}),
    ],
)
def test_value_of_a_type(value, code, expected):
    """A cell, or a value of plain JSON, becomes a value of the named type."""
    assert typed_value(value, code, is_text=isinstance(value, str)) == expected


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([1], "S"),
        (True, "S"),
        ("x", "N"),
        ("1_0", "N"),
        ("\u0661\u0662", "N"),
        ("Infinity", "N"),
        ('["1_0"]', "NS"),
        ('["\u0661"]', "NS"),
        (True, "N"),
        (None, "N"),
        ("1E200", "N"),
        ("no base64!", "B"),
        (5, "B"),
        ("maybe", "BOOL"),
        ("5", "BOOL"),
        ("x", "NULL"),
        ("[]", "SS"),
        ("[1]", "SS"),
        ('["a","a"]', "SS"),
        ('["x"]', "NS"),
        ("a,b", "SS"),
        ('{"a": 1}', "L"),
        ("[1]", "M"),
    ],
)
def test_value_of_another_type_is_refused(value, code):
    """A value that is none of the type is refused, and never stored as another one."""
    with pytest.raises(ValueError, match=r"."):
        typed_value(value, code, is_text=isinstance(value, str))


@pytest.mark.parametrize(("text", "value"), [("7", 7), ("true", True), ("[1]", [1]), ("007", "007"), ("x", "x")])
def test_cell_of_json(text, value):
    """A cell that is JSON has its value; leading zeros make a text."""
    assert cell_value(text) == value
