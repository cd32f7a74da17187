"""What an expression does with a path, told to whoever knows the path's type.

Type checkers refuse a prefix of a number or a sum of texts; for code that is not checked the compiler asks a
`PathCheck`.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from mizzle_async.expressions.terms import Place


class Use(Enum):
    """What an expression does with a path; the value says it in Python's words."""

    READ = "==, !=, is_in(), exists(), not_exists(), attribute_type()"
    ORDER = "<, <=, >, >=, between()"
    PREFIX = "begins_with()"
    CONTAIN = "contains()"
    SIZE = "size()"
    SUM = "`+`, `-`, add() of a number"
    ELEMENTS = "add() of a set, discard()"
    EXTEND = "append(), prepend(), list_append()"


class PathCheck(Protocol):
    """Knows the types of paths, and refuses what they cannot be used for."""

    def use(self, path: Place, use: Use) -> None:
        """Refuse a path that cannot be used this way, by an `ExpressionError` that says what it can be used for."""
        ...

    def compare(self, left: Place, right: Place) -> None:
        """Refuse two paths whose values are never of one type."""
        ...
