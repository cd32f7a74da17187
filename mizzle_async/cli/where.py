"""The language of ``--where``: tests of attributes, joined by and, or, not and parentheses."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn, TypeAlias

import click
from attrs import define, frozen

from mizzle_async.cli.conditions import (
    COMPARISONS,
    SIZE_OPERATORS,
    WORDS,
    condition_of,
    place_of,
    size_number,
    value_at,
)
from mizzle_async.cli.handles import Opened
from mizzle_async.expressions import Condition
from mizzle_async.marshalling import StoredValue, parse_json

TOKEN: Final = re.compile(
    r"\s*(?:(?P<sign><=|>=|<>|!=|==|[=<>(),])|(?P<quoted>'(?:[^'\\]|\\.)*')|(?P<word>[^\s=<>(),'\"!]+))"
)
TESTS: Final = ("begins-with", "contains", "between", "in", "exists", "missing", "type")
KEYWORDS: Final = frozenset({"and", "or", "not"})

WHERE_HELP: Final = (
    "Only items of which this is true, such as: 'age ge 18 and not (city in (Bonn, Ulm) or size(tags) = 0)'. Operators:"
    " = ne lt le gt ge begins-with contains, between A and B, in (…), exists, missing, type T; and, or, not."
)


@frozen
class Comparison:
    """A test of one attribute.

    Attributes:
        path: The path of the attribute.
        operator: The operator.
        values: The values that it is compared with.
        of_size: Whether the size of the attribute is tested.
    """

    path: str
    operator: str
    values: tuple[Any, ...] = ()
    of_size: bool = False


@frozen
class Not:
    """The opposite of a condition."""

    inner: Node


@frozen
class Both:
    """Two conditions joined by ``and`` or ``or``."""

    word: str
    left: Node
    right: Node


Node: TypeAlias = Comparison | Not | Both


def parse_where(text: str) -> Node:
    """Return the conditions of a text.

    Raises:
        click.UsageError: If it is none.
    """
    parser = _Parser(text)
    node = parser.either()
    if parser.peek() is not None:
        parser.fail("expected and, or, or the end")
    return node


def comparisons_of(node: Node) -> list[Comparison]:
    """Return every test in a condition."""
    match node:
        case Comparison():
            return [node]
        case Not():
            return comparisons_of(node.inner)
        case Both():
            return [*comparisons_of(node.left), *comparisons_of(node.right)]


def where_condition(opened: Opened, node: Node) -> Condition[Any]:
    """Return the condition of a table.

    Raises:
        click.UsageError: If a path or a value makes no sense.
        MarshallingError: If a value does not fit its attribute.
    """
    match node:
        case Not():
            return ~where_condition(opened, node.inner)
        case Both():
            left, right = where_condition(opened, node.left), where_condition(opened, node.right)
            return left & right if node.word == "and" else left | right
        case Comparison():
            return _comparison_condition(opened, node)


def _comparison_condition(opened: Opened, test: Comparison) -> Condition[Any]:
    place, segments = place_of(opened, test.path)
    if test.of_size:
        return condition_of(place.size(), test.operator, [size_number(value) for value in test.values])
    if test.operator == "type":
        return condition_of(place, "type", [str(test.values[0])])
    is_element = test.operator == "contains"
    values = [StoredValue(value_at(opened, value, segments, of_element=is_element)) for value in test.values]
    return condition_of(place, test.operator, values)


@define
class _Parser:
    """A place in a text."""

    text: str
    at: int = 0

    def peek(self) -> str | None:
        """Return the next word or sign in lower case, or None at the end."""
        if not self.text[self.at :].strip():
            return None
        match = TOKEN.match(self.text, self.at)
        return (match["sign"] or match["quoted"] or match["word"]).lower() if match else ""

    def take(self) -> str:
        """Pass the next word or sign, and return it.

        Raises:
            click.UsageError: If there is none.
        """
        match = TOKEN.match(self.text, self.at)
        if match is None:
            self.fail("expected a word")
        self.at = match.end()
        return match["sign"] or match["quoted"] or match["word"]

    def expect(self, sign: str) -> None:
        """Pass a sign or a word.

        Raises:
            click.UsageError: If it is another one.
        """
        if self.peek() != sign:
            self.fail(f"expected {sign!r}")
        self.take()

    def fail(self, problem: str) -> NoReturn:
        """Refuse the text, with the place."""
        rest = self.text[self.at :].strip()
        where = f"at {rest!r}" if rest else "at the end"
        raise click.UsageError(f"--where: {problem} {where}")

    def either(self) -> Node:
        """Return conditions joined by ``or``."""
        node = self.all()
        while self.peek() == "or":
            self.take()
            node = Both("or", node, self.all())
        return node

    def all(self) -> Node:
        """Return conditions joined by ``and``."""
        node = self.one()
        while self.peek() == "and":
            self.take()
            node = Both("and", node, self.one())
        return node

    def one(self) -> Node:
        """Return one condition."""
        word = self.peek()
        if word == "not":
            self.take()
            return Not(self.one())
        if word == "(":
            self.take()
            node = self.either()
            self.expect(")")
            return node
        return self.test()

    def test(self) -> Comparison:
        """Return one test."""
        path, of_size = self.path(), False
        if path.lower() == "size" and self.peek() == "(":
            self.take()
            path, of_size = self.path(), True
            self.expect(")")
        operator = (self.peek() or "").lower()
        operator = WORDS.get(operator, operator)
        if operator not in {*COMPARISONS, *TESTS}:
            self.fail(f"expected an operator after {path!r}, one of {' '.join([*COMPARISONS, *TESTS])},")
        self.take()
        if of_size and operator not in SIZE_OPERATORS:
            self.fail(f"a size takes no {operator}")
        return Comparison(path, operator, self.values(operator), of_size)

    def path(self) -> str:
        """Return the path of an attribute."""
        word = self.peek()
        if not word or word in KEYWORDS or TOKEN.match(self.text, self.at) is None or not _is_word(word):
            self.fail("expected the name of an attribute")
        return self.take()

    def values(self, operator: str) -> tuple[Any, ...]:
        """Return the values of an operator."""
        if operator in {"exists", "missing"}:
            if self.peek() in {"true", "false"}:
                self.fail(f"{operator} takes no value here: write exists or missing")
            return ()
        if operator == "between":
            low = self.value()
            self.expect("and")
            return low, self.value()
        if operator == "in":
            self.expect("(")
            values = [self.value()]
            while self.peek() == ",":
                self.take()
                values.append(self.value())
            self.expect(")")
            return tuple(values)
        return (self.value(),)

    def value(self) -> Any:
        """Return a value: JSON, a text in quotes, or a word."""
        rest = self.text[self.at :].lstrip()
        start = len(self.text) - len(rest)
        if rest[:1] in {'"', "[", "{"}:
            try:
                _, length = json.JSONDecoder().raw_decode(rest)
                value = parse_json(rest[:length])
            except ValueError:
                self.fail("this is no JSON")
            self.at = start + length
            return value
        word = self.peek()
        if not word or not (_is_word(word) or word.startswith("'")):
            self.fail("expected a value")
        text = self.take()
        if text.startswith("'"):
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        try:
            return parse_json(text)
        except ValueError:
            return text


def _is_word(token: str) -> bool:
    return re.fullmatch(r"[=<>(),]+|!=", token) is None and not token.startswith("'")
