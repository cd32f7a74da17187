"""The language of `--where`."""

from decimal import Decimal

import click
import pytest

from mizzle_async.cli.where import Both, Comparison, Not, comparisons_of, parse_where


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n > 5", Comparison("n", ">", (5,))),
        ("n gt 5", Comparison("n", ">", (5,))),
        ("n>=5.50", Comparison("n", ">=", (Decimal("5.50"),))),
        ("n <> 5", Comparison("n", "!=", (5,))),
        ("n!=5", Comparison("n", "!=", (5,))),
        ("city = Bonn", Comparison("city", "=", ("Bonn",))),
        ("city = 'New York'", Comparison("city", "=", ("New York",))),
        (r"city = 'O\'Hare'", Comparison("city", "=", ("O'Hare",))),
        ('city = "5"', Comparison("city", "=", ("5",))),
        ('city="a \\" b"', Comparison("city", "=", ('a " b',))),
        ("ok = true", Comparison("ok", "=", (True,))),
        ("x = null", Comparison("x", "=", (None,))),
        ('x = {"a": [1]}', Comparison("x", "=", ({"a": [1]},))),
        ("a.b[0].c begins-with x", Comparison("a.b[0].c", "begins-with", ("x",))),
        (r"a\.b contains x", Comparison(r"a\.b", "contains", ("x",))),
        ("n between 1 and 5", Comparison("n", "between", (1, 5))),
        ("at BETWEEN 2020-01-01 AND 2021-01-01", Comparison("at", "between", ("2020-01-01", "2021-01-01"))),
        ("n in (1, two, 'three')", Comparison("n", "in", (1, "two", "three"))),
        ("n exists", Comparison("n", "exists")),
        ("n missing", Comparison("n", "missing")),
        ("n type N", Comparison("n", "type", ("N",))),
        ("size(tags) ge 2", Comparison("tags", ">=", (2,), of_size=True)),
        ("size ( tags ) between 1 and 2", Comparison("tags", "between", (1, 2), of_size=True)),
        ("size = 5", Comparison("size", "=", (5,))),
        ("not n = 1", Not(Comparison("n", "=", (1,)))),
        ("not (n = 1)", Not(Comparison("n", "=", (1,)))),
        ("a = and-more", Comparison("a", "=", ("and-more",))),
    ],
)
def test_test_of_an_attribute(text, expected):
    """A test is read in signs and in words, with values as JSON, in quotes, and as bare words."""
    assert parse_where(text) == expected


def test_precedence():
    """Not binds closest, then and, then or; parentheses come first; case does not count."""
    one, two, three = (Comparison(name, "=", (1,)) for name in "abc")
    assert parse_where("a = 1 or b = 1 AND c = 1") == Both("or", one, Both("and", two, three))
    assert parse_where("(a = 1 or b = 1) and c = 1") == Both("and", Both("or", one, two), three)
    assert parse_where("NOT a = 1 and b = 1") == Both("and", Not(one), two)
    assert parse_where("a between 1 and 2 and b = 1") == Both("and", Comparison("a", "between", (1, 2)), two)
    assert comparisons_of(parse_where("a = 1 or not (b = 1 and c = 1)")) == [one, two, three]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "expected the name of an attribute at the end"),
        ("n", "expected an operator after 'n'"),
        ("n 5", "expected an operator after 'n'"),
        ("n >", "expected a value at the end"),
        ("n > 5 m", "expected and, or, or the end at 'm'"),
        ("n exists false", "exists takes no value here: write exists or missing at 'false'"),
        ("(n > 5", "expected ')' at the end"),
        ("n > 5)", "expected and, or, or the end at ')'"),
        ("and n > 5", "expected the name of an attribute at 'and n > 5'"),
        ("n > 5 or", "expected the name of an attribute at the end"),
        ("n between 1 or 2", "expected 'and' at 'or 2'"),
        ("n in 1", "expected '(' at '1'"),
        ("n in (1", "expected ')' at the end"),
        ('n = "open', "this is no JSON"),
        ("n = 'open", "expected a value"),
        ("size(n) contains 5", "a size takes no contains"),
        ("= 5", "expected the name of an attribute"),
        ("n ! 5", "expected an operator"),
        ("'n' = 5", "expected the name of an attribute"),
    ],
)
def test_text_that_is_none_is_refused_by_its_place(text, part):
    """A text that cannot be read says what is expected, and where."""
    with pytest.raises(click.UsageError) as refused:
        parse_where(text)
    assert part in refused.value.message
