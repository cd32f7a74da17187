"""Raw expressions: conditions and operands in DynamoDB's own words, for a function that is newer than this library.

The text is part of the program, and holds words, operators and placeholders only. Attributes and values come from
outside of it, so that nothing in them is ever read as an expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Final, Never, cast

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions.conditions import AND_LEVEL, NOT_LEVEL, OR_LEVEL, PREDICATE_LEVEL, Condition
from mizzle_async.expressions.operands import Operand
from mizzle_async.expressions.paths import AttributePath
from mizzle_async.expressions.terms import Place, Show, Term, describe_argument, own_copy

_TOKEN: Final = re.compile(
    r"(?P<space>[ \t\r\n]+)|(?P<name>\#[A-Za-z_][A-Za-z_0-9]*)|(?P<value>:[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<word>[A-Za-z_][A-Za-z_0-9]*)|(?P<operator><>|<=|>=|[=<>+\-])|(?P<mark>[(),])"
)
_KEYWORDS: Final = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN"})
_EXAMPLE: Final = 'raw("my_function(#a, :b)", a=Order.x, b=1)'


class Raw(Condition[Any], Operand[Any, Never]):
    """An expression in DynamoDB's own words, made by `raw`: a condition, a filter, or the right side of a SET clause.

    Attributes:
        text: The words, with placeholders.
        arguments: The paths and values of the placeholders, by their names.
    """

    __slots__ = ("_level", "_tokens", "arguments", "text")

    def __init__(self, text: str, arguments: Mapping[str, Any]) -> None:
        self.text: Final[str] = text
        self.arguments: Final[Mapping[str, Any]] = {name: own_copy(value) for name, value in arguments.items()}
        self._tokens: Final[tuple[tuple[str, str], ...]] = tuple(_tokens(text))
        self._level: Final[int] = _level(self._tokens)

    @property
    def level(self) -> int:  # type: ignore[override]  # it depends on the text
        """How tightly it binds in DynamoDB's grammar."""
        return self._level

    @property
    def operators(self) -> int:
        """The number of operators and functions in it."""
        return sum(1 for kind, _ in self._tokens if kind in {"operator", "word"})

    def inner(self) -> tuple[Condition[Any], ...]:
        """Return no conditions."""
        return ()

    def _own_places(self) -> Iterator[Place]:
        """Yield every path that it reads, in the order of the text."""
        for kind, text in self._tokens:
            if kind == "name":
                yield self.arguments[text[1:]]

    places = _own_places

    def written(self, show: Callable[[str, Any], str]) -> str:
        """Return the text with each placeholder replaced.

        Args:
            show: Returns the text for a name and its argument.
        """
        return "".join(
            show(text[1:], self.arguments[text[1:]]) if kind in {"name", "value"} else text
            for kind, text in self._tokens
        )

    def describe(self, show: Show = repr) -> str:
        """Return it as text, values written by ``show``."""
        return self.written(partial(_described, show))

    def with_arguments(self, arguments: Mapping[str, Any]) -> Raw:
        """Return it with other arguments, of the same names."""
        return Raw(self.text, arguments)

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # its arguments may have none


def raw(text: str, /, **arguments: Any) -> Raw:
    """Return an expression in DynamoDB's own words, for a function of the service that is newer than this library.

    It is taken where a condition or a filter is, and as the value of a SET clause: ``.when(raw("my_function(#a, :b)",
    a=Order.x, b=1))``. Placeholders are merged with those of the rest of the request.

    Args:
        text: Words, operators and placeholders. ``#a`` is the attribute at the path ``a=``, ``:b`` the value ``b=``.
            It is a part of the program, never made of data: attributes and values come in through placeholders alone.
        **arguments: The paths and values, by the names of their placeholders. Values are stored by their own types.

    Raises:
        ExpressionError: The text has anything else in it, or its placeholders and the arguments do not match.
    """
    argument = cast("object", text)  # types may be unchecked
    if not isinstance(argument, str) or not argument.strip():
        raise ExpressionError(f"raw() takes the text of an expression: {_EXAMPLE}")
    made = Raw(text, {})
    used: dict[str, str] = {}
    for kind, token in _placeholders(made):
        if used.setdefault(token, kind) != kind:
            raise ExpressionError(f"raw({text!r}): {token!r} is an attribute and a value at once: use two names")
    missing = [name for name in used if name not in arguments]
    unused = [name for name in arguments if name not in used]
    if missing or unused:
        wrong = [*(f"{name}= is missing" for name in missing), *(f"{name}= is not in the text" for name in unused)]
        raise ExpressionError(f"raw({text!r}): {', '.join(wrong)}")
    for name, kind in used.items():
        _check_argument(text, name, kind, arguments[name])
    return made.with_arguments(arguments)


def _described(show: Show, _name: str, argument: Any) -> str:
    return describe_argument(argument, show)


def _check_argument(text: str, name: str, kind: str, argument: Any) -> None:
    is_path = isinstance(argument, AttributePath) and not argument.composite
    if kind == "name" and not is_path:
        raise ExpressionError(
            f"raw({text!r}): #{name} is an attribute, and {name}= takes its path, such as Order.total, not "
            f"{type(argument).__name__}; a value is written :{name}"
        )
    if kind == "value" and isinstance(argument, Term | Condition):
        raise ExpressionError(
            f"raw({text!r}): :{name} is a value, and {name}= takes one, not {type(argument).__name__}; an attribute is "
            f"written #{name}"
        )


def _placeholders(expression: Raw) -> Iterator[tuple[str, str]]:
    for kind, token in expression._tokens:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # of this module
        if kind in {"name", "value"}:
            yield kind, token[1:]


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield the tokens of a text, each with its kind.

    Raises:
        ExpressionError: It has something else than words, operators and placeholders, or a word that could be an
            attribute's name.
    """
    position, depth = 0, 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(
                f"raw({text!r}): {text[position]!r} at position {position} is no part of an expression: write an "
                f"attribute as #name and a value as :name, {_EXAMPLE}"
            )
        kind, token = str(match.lastgroup), match[0]
        position = match.end()
        depth += {"(": 1, ")": -1}.get(token, 0)
        if depth < 0:
            break
        if kind == "word" and token not in _KEYWORDS and not text[position:].lstrip().startswith("("):
            raise ExpressionError(
                f"raw({text!r}): {token!r} is no function and none of {', '.join(sorted(_KEYWORDS))}: an attribute is "
                f"written #name, and given as its path, {_EXAMPLE}"
            )
        yield kind, token
    if depth:
        raise ExpressionError(f"raw({text!r}): its parentheses do not match")


def _level(tokens: tuple[tuple[str, str], ...]) -> int:
    """Return how tightly a text binds: as its loosest word outside of parentheses."""
    depth = 0
    words: list[str] = []
    for _, token in tokens:
        depth += {"(": 1, ")": -1}.get(token, 0)
        if depth == 0 and token in _KEYWORDS:
            words.append(token)
    if "OR" in words:
        return OR_LEVEL
    if words.count("AND") > words.count("BETWEEN"):
        return AND_LEVEL
    return NOT_LEVEL if "NOT" in words else PREDICATE_LEVEL
