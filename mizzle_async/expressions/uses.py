"""Uses of paths in expressions, for checks that know the types of paths.

Type checkers refuse a prefix of a number or a sum of texts. For code that is not type-checked the checker asks a
`PathCheck`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from mizzle_async.expressions.terms import Facet, Place


class Use(Enum):
    """A use of a path. Its value is the use in Python's words."""

    if TYPE_CHECKING:

        def __hash__(self) -> int: ...
    else:
        __hash__ = object.__hash__  # in C: members are keys, and equal themselves alone

    READ = "==, !=, is_in(), exists(), not_exists(), attribute_type()"
    ORDER = "<, <=, >, >=, between()"
    PREFIX = "begins_with()"
    CONTAIN = "contains()"
    SIZE = "size()"
    SUM = "`+`, `-`, add() of a number"
    ELEMENTS = "add() of a set, discard()"
    EXTEND = "append(), prepend(), list_append()"


class PathCheck(Protocol):
    """Knows the types of paths, and refuses uses that do not fit them."""

    def use(self, path: Place, use: Use) -> None:
        """Refuse a path that cannot be used this way, by an `ExpressionError` that names its uses."""
        ...

    def compare(self, left: Place, right: Place) -> None:
        """Refuse two paths whose values are never of one type."""
        ...


class ClauseRules(Protocol):
    """Refuses clauses whose result no read could decode. It knows how the values at paths are stored.

    Every method raises an `ExpressionError` that says why.
    """

    def change(self, path: Place) -> None:
        """Check that a value may be written at a path, for every class of a union on the way there."""
        ...

    def remove(self, path: Place) -> None:
        """Check that an item can be read without the value at a path."""
        ...

    def assign(self, path: Place, source: Place) -> None:
        """Check that the value at one path may be assigned to another."""
        ...

    def extend(self, path: Place) -> None:
        """Check that a list may grow."""
        ...

    def shrink(self, path: Place) -> None:
        """Check that a set may lose its last element, and with it its place."""
        ...

    def total(self, path: Place, operator: str, left: Any, right: Any) -> Place:
        """Check that a sum or a difference is a value of a path, and return the path that encodes times in it."""
        ...

    def meet(self, left: Place, right: Place, facet: Facet) -> None:
        """Check that the values at two paths can be equal, or that one can be a part of the other."""
        ...

    def measure(self, path: Place, operator: str, numbers: Sequence[Decimal]) -> None:
        """Check that a value has one of the sizes that it is compared with."""
        ...
