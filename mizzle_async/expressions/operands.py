"""Operands: the two sides of a comparison, and the right side of a SET clause.

DynamoDB keeps the two apart. ``size()`` stands only in conditions, arithmetic, ``if_not_exists`` and ``list_append``
only in updates. So do the types here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, NoReturn, TypeVar, final, overload

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions.conditions import Condition, Predicate
from mizzle_async.expressions.misuse import note_misuse
from mizzle_async.expressions.terms import Place, Show, Term, describe_argument, hidden, own_copy
from mizzle_async.signatures import explained
from mizzle_async.types import MYPY

EntityT = TypeVar("EntityT")
ValueT = TypeVar("ValueT")
ValueT_co = TypeVar("ValueT_co", covariant=True)


def _several(path: object, values: Sequence[Any], _named: object) -> str:
    """Say how several values are given."""
    return f"give the values as one collection, `{path}.is_in([…])`" if len(values) > 1 else ""


class Comparand(Term, Generic[EntityT, ValueT_co]):
    """The right side of a comparison beside a value: a path, or a size."""

    __slots__ = ()


def refuse_comparison(operand: object, _other: object, /) -> NoReturn:
    """Refuse to compare what only a SET clause takes."""
    raise ExpressionError(
        f"{operand!r} stands in SET clauses only: a condition compares a path, or its size(), with a value, "
        "so compute the value in Python, `path > value - 1`"
    )


class Operand(Term, Generic[EntityT, ValueT_co]):
    """The right side of a SET clause beside a value: a path, a sum or a difference, or a function."""

    __slots__ = ()

    if not TYPE_CHECKING:  # so that type checkers refuse these uses themselves
        __lt__ = __le__ = __gt__ = __ge__ = refuse_comparison


@final
class NotComparable:
    """The type of a comparison with a value of another type: it fits no place that takes a condition or a key."""

    __slots__ = ()


class Comparable(Comparand[EntityT, ValueT], Generic[EntityT, ValueT]):
    """The left side of a comparison: a path, or a size."""

    __slots__ = ()

    # Equality builds a condition, as in every expression language embedded in Python; identity is `is`. The type
    # checkers expect a bool, as of every object.
    @overload  # type: ignore[override]  # == makes a condition, not a bool
    def __eq__(  # pyright: ignore[reportOverlappingOverload]  # the second one takes what is left
        self, other: ValueT | Comparand[EntityT, ValueT | None]
    ) -> Condition[EntityT]: ...
    @overload
    def __eq__(self, other: object) -> NotComparable: ...
    def __eq__(self, other: object) -> Any:
        return Predicate("=", self, (other,))

    @overload  # type: ignore[override]  # == makes a condition, not a bool
    def __ne__(  # pyright: ignore[reportOverlappingOverload]  # as above
        self, other: ValueT | Comparand[EntityT, ValueT | None]
    ) -> Condition[EntityT]: ...
    @overload
    def __ne__(self, other: object) -> NotComparable: ...
    def __ne__(self, other: object) -> Any:
        return Predicate("<>", self, (other,))

    def __lt__(self, other: ValueT | Comparand[EntityT, ValueT | None]) -> Condition[EntityT]:
        return Predicate("<", self, (other,))

    def __le__(self, other: ValueT | Comparand[EntityT, ValueT | None]) -> Condition[EntityT]:
        return Predicate("<=", self, (other,))

    def __gt__(self, other: ValueT | Comparand[EntityT, ValueT | None]) -> Condition[EntityT]:
        return Predicate(">", self, (other,))

    def __ge__(self, other: ValueT | Comparand[EntityT, ValueT | None]) -> Condition[EntityT]:
        return Predicate(">=", self, (other,))

    def between(
        self, low: ValueT | Comparand[EntityT, ValueT | None], high: ValueT | Comparand[EntityT, ValueT | None]
    ) -> Condition[EntityT]:
        """Return the condition ``low <= this <= high``, both ends included."""
        return Predicate("BETWEEN", self, (low, high))

    @explained(_several)
    def is_in(self, values: Iterable[ValueT | Comparand[EntityT, ValueT | None]]) -> Condition[EntityT]:
        """Return the condition that this equals one of ``values``, at most 100.

        Raises:
            ExpressionError: If ``values`` is one text, whose letters can hardly be meant.
        """
        if isinstance(values, str | bytes):
            raise ExpressionError(f"{self}.is_in() takes several values: put this one into a list")
        return Predicate("IN", self, tuple(values))

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # equality is no equality
    # With `__getitem__` alone Python would iterate by position, without end.
    __iter__: ClassVar[None] = None

    if TYPE_CHECKING:
        __contains__: ClassVar[None] = None
    else:

        def __contains__(self, value: object) -> NoReturn:
            raise TypeError(f"`in` does not work on {self}: write `path.contains(value)` or `path.is_in(values)`")

    if not MYPY:

        def __bool__(self) -> NoReturn:
            note_misuse()
            raise TypeError(f"{self} has no truth value: write `path == True`, `path.exists()` or `path.not_exists()`")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.describe(hidden)}>"


class Size(Comparable[EntityT, int]):
    """``size(path)``: characters of a text, bytes of a binary, elements of a set, a list or a map."""

    __slots__ = ("path",)

    def __init__(self, path: Place) -> None:
        self.path: Final[Place] = path

    def places(self) -> Iterator[Place]:
        """Yield every path that it reads, in its order."""
        yield self.path

    def describe(self, show: Show) -> str:
        """Return it as text, values written by ``show``."""
        return f"size({self.path.describe(show)})"

    def __str__(self) -> str:
        return self.describe(hidden)


class Arithmetic(Operand[EntityT, ValueT_co]):
    """A sum or a difference of two operands. DynamoDB takes one operator, not a chain.

    Attributes:
        operator: ``+`` or ``-``.
        left: A term or a number.
        right: A term or a number.
    """

    __slots__ = ("left", "operator", "right")

    def __init__(self, operator: str, left: Any, right: Any) -> None:
        self.operator: Final[str] = operator
        self.left: Final[Any] = left
        self.right: Final[Any] = right

    def places(self) -> Iterator[Place]:
        """Yield every path that it reads, in its order."""
        for side in (self.left, self.right):
            if isinstance(side, Term):
                yield from side.places()

    def describe(self, show: Show) -> str:
        """Return it as text, values written by ``show``."""
        return f"{describe_argument(self.left, show)} {self.operator} {describe_argument(self.right, show)}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.describe(hidden)}>"


class IfNotExists(Operand[EntityT, ValueT]):
    """``if_not_exists(path, value)``: the stored value, or else the other one."""

    __slots__ = ("path", "value")

    def __init__(self, path: Place, value: Any) -> None:
        self.path: Final[Place] = path
        self.value: Final[Any] = own_copy(value)

    def __add__(self, other: ValueT | int | Operand[EntityT, ValueT]) -> Operand[EntityT, ValueT]:
        """Return the sum, for a SET clause."""
        return Arithmetic("+", self, other)

    def __radd__(self, other: ValueT | int) -> Operand[EntityT, ValueT]:
        """Return the sum, for a SET clause."""
        return Arithmetic("+", other, self)

    def __sub__(self, other: ValueT | int | Operand[EntityT, ValueT]) -> Operand[EntityT, ValueT]:
        """Return the difference, for a SET clause."""
        return Arithmetic("-", self, other)

    def __rsub__(self, other: ValueT | int) -> Operand[EntityT, ValueT]:
        """Return the difference, for a SET clause."""
        return Arithmetic("-", other, self)

    def list_append(self, values: ValueT | Operand[EntityT, ValueT]) -> Operand[EntityT, ValueT]:
        """Return this list with ``values`` after it, for a SET clause."""
        return ListAppend(self, values)

    def places(self) -> Iterator[Place]:
        """Yield every path that it reads, in its order."""
        yield self.path
        if isinstance(self.value, Term):
            yield from self.value.places()

    def describe(self, show: Show) -> str:
        """Return it as text, values written by ``show``."""
        return f"if_not_exists({self.path.describe(show)}, {describe_argument(self.value, show)})"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.describe(hidden)}>"


class ListAppend(Operand[EntityT, ValueT_co]):
    """``list_append(first, second)``: one list after the other.

    Attributes:
        first: A term or a list.
        second: A term or a list.
    """

    __slots__ = ("first", "second")

    def __init__(self, first: Any, second: Any) -> None:
        self.first: Final[Any] = own_copy(first)
        self.second: Final[Any] = own_copy(second)

    def places(self) -> Iterator[Place]:
        """Yield every path that it reads, in its order."""
        for side in (self.first, self.second):
            if isinstance(side, Term):
                yield from side.places()

    def describe(self, show: Show) -> str:
        """Return it as text, values written by ``show``."""
        return f"list_append({describe_argument(self.first, show)}, {describe_argument(self.second, show)})"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.describe(hidden)}>"
