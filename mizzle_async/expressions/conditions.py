"""Conditions: the trees that comparisons and functions of paths build.

A condition is a value: frozen, without I/O, combined by ``&``, ``|`` and ``~``. It has no truth value, so that ``and``,
``or``, ``not`` and chained comparisons, which would drop half of it, raise.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, NoReturn, TypeVar

from mizzle_async.expressions.misuse import note_misuse
from mizzle_async.expressions.terms import (
    CHANGEABLE,
    Encoded,
    Place,
    Show,
    Term,
    describe_argument,
    hidden,
    own_copy,
    owners_of,
    refuse_combination,
)
from mizzle_async.types import MYPY

EntityT_contra = TypeVar("EntityT_contra", contravariant=True)
PredicateT = TypeVar("PredicateT", bound="Predicate[Any]")

OR_LEVEL = 1
AND_LEVEL = 2
NOT_LEVEL = 3
PREDICATE_LEVEL = 4


class Condition(Generic[EntityT_contra]):
    """Something that is true or false of an item of ``EntityT``.

    A condition of an entity also holds for the entities that inherit from it.
    """

    __slots__ = ()
    level: ClassVar[int] = PREDICATE_LEVEL
    """How tightly it binds in DynamoDB's grammar."""

    @abstractmethod
    def inner(self) -> tuple[Condition[EntityT_contra], ...]:
        """Return the conditions it is made of: none for a comparison or a function."""
        raise NotImplementedError

    def _own_places(self) -> Iterator[Place]:
        """Yield the paths that it reads itself, apart from the conditions that it is made of."""
        return iter(())

    def __and__(self, other: Condition[EntityT_contra]) -> Condition[EntityT_contra]:
        """Return the condition that both are true."""
        if not _is_condition(other):
            return NotImplemented
        return Conjunction((*_parts(self, Conjunction), *_parts(other, Conjunction)))

    def __or__(self, other: Condition[EntityT_contra]) -> Condition[EntityT_contra]:
        """Return the condition that at least one is true."""
        if not _is_condition(other):
            return NotImplemented
        return Disjunction((*_parts(self, Disjunction), *_parts(other, Disjunction)))

    if not TYPE_CHECKING:  # so that type checkers refuse these uses themselves
        __rand__ = __ror__ = refuse_combination

    def __invert__(self) -> Condition[EntityT_contra]:
        """Return the condition that this one is false."""
        return Negation(self)

    if not MYPY:

        def __bool__(self) -> NoReturn:
            note_misuse()
            raise TypeError(
                f"{self!r} has no truth value: it is evaluated by DynamoDB. Combine conditions with &, | and ~ "
                "(and parentheses around comparisons) instead of `and`, `or` and `not`, "
                "and write `path.between(low, high)` instead of a chained comparison"
            )

    def places(self) -> Iterator[Place]:
        """Yield every path that this condition reads, in its order, repetitions included."""
        # Without recursion: a tree may be deeper than Python's stack.
        waiting: list[Condition[EntityT_contra]] = [self]
        while waiting:
            condition = waiting.pop()
            if isinstance(condition, Predicate):
                yield from condition.left.places()
                for argument in condition.arguments:
                    if isinstance(argument, Term):
                        yield from argument.places()
            else:
                yield from condition._own_places()  # noqa: SLF001  (of this class)
            waiting.extend(reversed(condition.inner()))

    @property
    def owners(self) -> tuple[Any, ...]:
        """The owners of its paths, each once, in order of appearance."""
        return owners_of(self.places())

    @abstractmethod
    def describe(self, show: Show = repr) -> str:
        """Return the condition as text.

        Args:
            show: How a value is written; ``repr`` by default, so the text holds values: it is for the caller's eyes.
        """
        raise NotImplementedError

    def __str__(self) -> str:
        """Write structure and names, never values."""
        return self.describe(hidden)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.describe(hidden)}>"


class Predicate(Condition[EntityT_contra]):
    """One comparison or function.

    Attributes:
        operator: DynamoDB's word: ``=``, ``<>``, ``BETWEEN``, ``IN``, ``begins_with``, …
        left: The tested term.
        arguments: Values, or terms.
    """

    __slots__ = ("arguments", "left", "operator")

    def __init__(self, operator: str, left: Term, arguments: tuple[Any, ...] = ()) -> None:
        self.operator: Final[str] = operator
        self.left: Final[Term] = left
        for argument in arguments:
            if isinstance(argument, CHANGEABLE):
                # A later change of the caller's container must not change the condition.
                arguments = tuple(map(own_copy, arguments))
                break
        self.arguments: Final[tuple[Any, ...]] = arguments

    def inner(self) -> tuple[Condition[EntityT_contra], ...]:
        """Return no conditions."""
        return ()

    def describe(self, show: Show = repr) -> str:
        """Return it as text, values written by ``show``."""
        left = self.left.describe(show)
        arguments = [describe_argument(argument, show) for argument in self.arguments]
        if self.operator == "BETWEEN":
            return f"{left} BETWEEN {arguments[0]} AND {arguments[1]}"
        if self.operator == "IN":
            return f"{left} IN ({', '.join(arguments)})"
        if self.operator[0].isalpha():
            return f"{self.operator}({', '.join([left, *arguments])})"
        return f"{left} {self.operator} {arguments[0]}"


def encoded_predicate(kind: type[PredicateT], operator: str, left: Term, argument: Encoded) -> PredicateT:
    """Return a comparison with one value, which is encoded and needs no copy."""
    made = kind.__new__(kind)
    made.operator = operator  # type: ignore[misc]  # as `__init__` does, but for the copy
    made.left = left  # type: ignore[misc]  # the same
    made.arguments = (argument,)  # type: ignore[misc]  # the same
    return made


class PartitionKeyCondition(Predicate[EntityT_contra]):
    """An equality of a partition key: it selects one item collection, and a query needs exactly one."""

    __slots__ = ()

    @property
    def index(self) -> Any:
        """The index whose key it is, or None for the table's."""
        return getattr(self.left, "index", None)


class PartitionChoice(Predicate[EntityT_contra]):
    """One of several values of a partition key: a query reads each of these partitions; a filter tests the value."""

    __slots__ = ()

    @property
    def index(self) -> Any:
        """The index whose key it is, or None for the table's."""
        return getattr(self.left, "index", None)


class SortKeyCondition(Predicate[EntityT_contra]):
    """A range of a sort key: a query takes at most one."""

    __slots__ = ()

    @property
    def index(self) -> Any:
        """The index whose key it is, or None for the table's."""
        return getattr(self.left, "index", None)


class Conjunction(Condition[EntityT_contra]):
    """All of its parts are true."""

    level: ClassVar[int] = AND_LEVEL
    __slots__ = ("parts",)

    def __init__(self, parts: tuple[Condition[EntityT_contra], ...]) -> None:
        self.parts: Final[tuple[Condition[EntityT_contra], ...]] = parts

    def inner(self) -> tuple[Condition[EntityT_contra], ...]:
        """Return its parts."""
        return self.parts

    def describe(self, show: Show = repr) -> str:
        """Return it as text, values written by ``show``."""
        return " AND ".join(_nested(part, self.level, show) for part in self.parts)


class Disjunction(Condition[EntityT_contra]):
    """At least one of its parts is true."""

    level: ClassVar[int] = OR_LEVEL
    __slots__ = ("parts",)

    def __init__(self, parts: tuple[Condition[EntityT_contra], ...]) -> None:
        self.parts: Final[tuple[Condition[EntityT_contra], ...]] = parts

    def inner(self) -> tuple[Condition[EntityT_contra], ...]:
        """Return its parts."""
        return self.parts

    def describe(self, show: Show = repr) -> str:
        """Return it as text, values written by ``show``."""
        return " OR ".join(_nested(part, self.level, show) for part in self.parts)


class Negation(Condition[EntityT_contra]):
    """Its part is false."""

    level: ClassVar[int] = NOT_LEVEL
    __slots__ = ("part",)

    def __init__(self, part: Condition[EntityT_contra]) -> None:
        self.part: Final[Condition[EntityT_contra]] = part

    def __invert__(self) -> Condition[EntityT_contra]:
        # DynamoDB's conditions are true or false, nothing between: NOT NOT is nothing.
        return self.part

    def inner(self) -> tuple[Condition[EntityT_contra], ...]:
        """Return the negated condition."""
        return (self.part,)

    def describe(self, show: Show = repr) -> str:
        """Return it as text, values written by ``show``."""
        return f"NOT {_nested(self.part, self.level, show)}"


def _is_condition(other: Any) -> bool:
    """Whether something can be combined with a condition: type checkers know, untyped code does not."""
    return isinstance(other, Condition)


def _parts(
    condition: Condition[EntityT_contra], kind: type[Conjunction[Any] | Disjunction[Any]]
) -> tuple[Condition[EntityT_contra], ...]:
    """Return the parts of a chain of the same connective, so that ``a & b & c`` is one list of three."""
    return condition.parts if isinstance(condition, kind) else (condition,)


def _nested(part: Condition[Any], level: int, show: Show) -> str:
    text = part.describe(show)
    return f"({text})" if part.level < level else text
