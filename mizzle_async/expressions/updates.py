"""Update clauses: the changes of an UpdateItem, as a value.

Clauses are collected here and compiled later. Nothing here knows how a value is encoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions.operands import Operand
from mizzle_async.expressions.paths import AttributePath, PartitionKeyPath, SortKeyPath
from mizzle_async.expressions.terms import Encoded, Place, Show, Term, describe_argument, hidden, owners_of

SET_CODES: Final = frozenset({"SS", "NS", "BS"})
"""The descriptors of sets."""


class ClauseKind(Enum):
    """The kinds of clauses."""

    if TYPE_CHECKING:

        def __hash__(self) -> int: ...
    else:
        __hash__ = object.__hash__  # in C: members are keys, and equal themselves alone

    SET = "set"
    SET_DEFAULT = "set_default"
    ADD = "add"
    REMOVE = "remove"
    DISCARD = "discard"
    APPEND = "append"
    PREPEND = "prepend"


SET, SET_DEFAULT, ADD, REMOVE, DISCARD, APPEND, PREPEND = ClauseKind
"""The kinds by names of this module: reading one off its Enum is a search in the metaclass, each time."""

_ASSIGNING: Final = frozenset({SET, SET_DEFAULT})
_COMBINING: Final = frozenset({ADD, DISCARD})

_IS_REPEAT_SAFE: Final = attrgetter("is_repeat_safe")

_DESCRIPTIONS = {
    ClauseKind.SET: "SET {path} = {value}",
    ClauseKind.SET_DEFAULT: "SET {path} = if_not_exists({path}, {value})",
    ClauseKind.ADD: "ADD {path} {value}",
    ClauseKind.REMOVE: "REMOVE {path}",
    ClauseKind.DISCARD: "DELETE {path} {value}",
    ClauseKind.APPEND: "SET {path} = list_append({path}, {value})",
    ClauseKind.PREPEND: "SET {path} = list_append({value}, {path})",
}


class UpdateClause:
    """One change of one path.

    Attributes:
        kind: Its kind.
        path: The path that it changes.
        value: A value or an `Operand`, None for REMOVE.
    """

    __slots__ = ("kind", "path", "value")

    def __init__(self, kind: ClauseKind, path: AttributePath[Any, Any], value: Any = None) -> None:
        self.kind: Final[ClauseKind] = kind
        self.path: Final[AttributePath[Any, Any]] = path
        self.value: Final[Any] = value

    @property
    def is_repeat_safe(self) -> bool:
        """Whether applying it twice has the effect of applying it once, without another writer in between."""
        kind = self.kind
        if kind in _COMBINING:
            return is_set(self.value)
        if kind is REMOVE or (kind in _ASSIGNING and not isinstance(self.value, Term)):
            # SET list[9] on a shorter list appends, and REMOVE list[0] moves the others up. An operand reads a value
            # that the update may have changed.
            return not isinstance(self.path.segments[-1], int)
        return False

    def operands(self) -> Iterator[Place]:
        """Yield the paths that the clause reads."""
        if isinstance(self.value, Term):
            yield from self.value.places()

    def describe(self, show: Show = repr) -> str:
        """Return the clause as text, values written by ``show``."""
        return _DESCRIPTIONS[self.kind].format(path=self.path.describe(show), value=describe_argument(self.value, show))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.describe(hidden)}>"


class UpdateClauses:
    """The clauses of one update, in the caller's order. Every method returns a new value.

    Attributes:
        clauses: The clauses.
    """

    __slots__ = ("clauses",)

    def __init__(self, clauses: tuple[UpdateClause, ...] = ()) -> None:
        self.clauses: Final[tuple[UpdateClause, ...]] = clauses

    def set(self, path: AttributePath[Any, Any], value: Any, /) -> UpdateClauses:
        """Assign a value or an `Operand`. A value that is stored as absence removes the attribute."""
        return self._with(ClauseKind.SET, path, value)

    def set_default(self, path: AttributePath[Any, Any], value: Any, /) -> UpdateClauses:
        """Assign where nothing is stored."""
        return self._with(ClauseKind.SET_DEFAULT, path, value)

    def add(self, path: AttributePath[Any, Any], value: Any, /) -> UpdateClauses:
        """Add to a number, or add elements to a set. An absent number counts as 0."""
        return self._with(ClauseKind.ADD, path, value)

    def remove(self, path: AttributePath[Any, Any], /) -> UpdateClauses:
        """Remove an attribute, a map entry or a list element."""
        return self._with(ClauseKind.REMOVE, path, None)

    def discard(self, path: AttributePath[Any, Any], values: Any, /) -> UpdateClauses:
        """Take elements out of a set."""
        return self._with(ClauseKind.DISCARD, path, values)

    def append(self, path: AttributePath[Any, Any], values: Sequence[Any] | Operand[Any, Any], /) -> UpdateClauses:
        """Put elements at the end of a list. An absent list is created."""
        return self._with(ClauseKind.APPEND, path, values)

    def prepend(self, path: AttributePath[Any, Any], values: Sequence[Any] | Operand[Any, Any], /) -> UpdateClauses:
        """Put elements at the beginning of a list. An absent list is created."""
        return self._with(ClauseKind.PREPEND, path, values)

    def merge(self, other: UpdateClauses, /) -> UpdateClauses:
        """Return these clauses, then the others."""
        return UpdateClauses(self.clauses + other.clauses)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked for."""
        return not self.clauses

    @property
    def is_repeat_safe(self) -> bool:
        """Whether sending the update twice has the effect of sending it once, without another writer in between.

        That holds for SET of values, REMOVE of attributes, ADD to sets and DELETE from them. It does not hold for sums,
        appends and list positions.
        """
        return all(map(_IS_REPEAT_SAFE, self.clauses))

    @property
    def owners(self) -> tuple[Any, ...]:
        """The owners of all paths, operands' included, each once, in order of appearance."""
        return owners_of(self.places())

    @property
    def top_level_names(self) -> frozenset[str]:
        """The stored names of the attributes that are changed, wholly or in part."""
        return frozenset(str(clause.path.segments[0]) for clause in self.clauses)

    def places(self) -> Iterator[Place]:
        """Yield every path that the clauses write or read."""
        for clause in self.clauses:
            yield clause.path
            yield from clause.operands()

    def describe(self, show: Show = repr) -> str:
        """Return the clauses as text, values written by ``show``."""
        return ", ".join(clause.describe(show) for clause in self.clauses)

    def __str__(self) -> str:
        """Write structure and names, never values."""
        return self.describe(hidden)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.describe(hidden)}>"

    def _with(self, kind: ClauseKind, path: Any, value: Any) -> UpdateClauses:
        return UpdateClauses((*self.clauses, UpdateClause(kind, checked_path(kind, path), value)))


def is_set(value: Any) -> bool:
    """Tell whether a value, encoded or not, is a set."""
    if type(value) is Encoded:
        return value.value is None or not SET_CODES.isdisjoint(value.value)
    return isinstance(value, AbstractSet)


def checked_path(kind: ClauseKind, path: Any) -> AttributePath[Any, Any]:
    """Return the path of a clause.

    Raises:
        ExpressionError: It is no path, or a key, which no update can change.
    """
    if not isinstance(path, AttributePath):
        raise ExpressionError(
            f".{kind.value}() takes an attribute's path first, such as `Order.status`, not {type(path).__name__}"
        )
    if path.composite or (path.index is None and isinstance(path, PartitionKeyPath | SortKeyPath)):
        raise ExpressionError(f"{path} is a key: an update cannot change it. Write a new item, and delete this one")
    return path
