"""Terms: the parts of expressions that are no values, such as places in an item.

They know names, raw values and opaque owners. They know neither entities nor the encoding of values.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, TypeAlias

from attrs import field, frozen

from mizzle_async.errors import ExpressionError
from mizzle_async.types import AttributeValue

Segments: TypeAlias = tuple[str | int, ...]
"""Attribute names as they are stored, and list positions."""

Documents: TypeAlias = tuple[tuple[int, Any], ...]
"""Which classes parts of a path came from, each with the number of segments before it."""

Show: TypeAlias = Callable[[Any], str]
"""How a value is written in a description."""


class Facet(Enum):
    """How a value relates to the path it is given with."""

    if TYPE_CHECKING:

        def __hash__(self) -> int: ...
    else:
        __hash__ = object.__hash__  # in C: members are keys, and equal themselves alone

    WHOLE = "whole"
    """It has the path's own type."""

    ELEMENT = "element"
    """It is an element of the path's set or list, or a part of its text."""

    TEXT = "text"
    """It is the beginning of the path's text or bytes."""

    NUMBER = "number"
    """It is a plain number for a path of any type: the size of something."""

    DELTA = "delta"
    """It is added to or subtracted from the path's number: any number that the path's type can hold."""


class Encoded:
    """A value that was encoded when its operation was built, so the value that is shown is sent. None is absence."""

    __slots__ = ("value",)

    def __init__(self, value: AttributeValue | None) -> None:
        self.value: Final[AttributeValue | None] = value

    def __repr__(self) -> str:
        return "…"


def refuse_combination(_left: object, _right: object, /) -> NoReturn:
    """Refuse ``&`` and ``|`` of anything but conditions: usually parentheses were forgotten."""
    raise TypeError(
        "& and | combine conditions, and bind more tightly than comparisons: put each comparison into parentheses, "
        "`(a > 1) & (b == 2)`, and write `path == True` for a path alone"
    )


def refuse_negation(term: object, /) -> NoReturn:
    """Refuse ``~`` of anything but a condition."""
    raise TypeError(f"~ negates a condition, and {term} is none: write `path == False` or `path.not_exists()`")


def refuse_arithmetic(term: object, *_: object) -> NoReturn:
    """Refuse arithmetic that DynamoDB has not: it adds or subtracts two operands of a SET clause, once."""
    raise ExpressionError(
        f"{term!r}: DynamoDB adds or subtracts two operands of a SET clause. It neither multiplies, divides, negates "
        "nor chains, and a condition computes nothing. Compute it in Python, `path + (first + second)`, `0 - path`"
    )


class Term:
    """A place in an item, or a function of places. What it can be added to, or compared with, its classes say."""

    __slots__ = ()
    composite: ClassVar[bool] = False

    if not TYPE_CHECKING:  # so that type checkers refuse these uses themselves
        __and__ = __rand__ = __or__ = __ror__ = refuse_combination
        __invert__ = refuse_negation
        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = refuse_arithmetic
        __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = refuse_arithmetic
        __mod__ = __rmod__ = __divmod__ = __rdivmod__ = __pow__ = __rpow__ = refuse_arithmetic
        __neg__ = __pos__ = __abs__ = __round__ = refuse_arithmetic

    @abstractmethod
    def places(self) -> Iterator[Place]:
        """Yield every place that this term reads."""
        raise NotImplementedError

    @abstractmethod
    def describe(self, show: Show) -> str:
        """Return this term as text, values written by ``show``."""
        raise NotImplementedError


@frozen(eq=False, repr=False)
class Place(Term):
    """One place in an item: an attribute, or something inside it.

    Attributes:
        owner: The owner of the attribute, opaque here: an entity class, or the stand-in of a table without one.
        segments: Names as they are stored, and list positions.
        index: The index that made this path, or None for one made by the entity.
        labels: The names of the segments in Python, for messages.
        documents: Which classes the paths of documents came from.
    """

    owner: Any
    segments: Segments
    index: Any = field(default=None, kw_only=True)
    labels: Segments = field(default=(), kw_only=True)
    documents: Documents = field(default=(), kw_only=True)

    def places(self) -> Iterator[Place]:
        """Yield every path that it reads, in its order."""
        yield self

    def describe(self, show: Show) -> str:
        """Return it as text, values written by ``show``."""
        del show
        return str(self)

    def __str__(self) -> str:
        """Write the path as it is written in Python, where it can be."""
        parts = [owner_name(self.owner)]
        for label in self.labels or self.segments:
            if isinstance(label, int):
                parts.append(f"[{label}]")
            elif label.isidentifier():
                parts.append(f".{label}")
            else:
                parts.append(f"[{label!r}]")
        return "".join(parts)


def owner_name(owner: Any) -> str:
    """Return the name of an owner, for messages."""
    if owner is None:
        return "item"
    name = getattr(owner, "__name__", None) or getattr(owner, "entity", None)
    return str(name or owner)


def owners_of(places: Iterable[Place]) -> tuple[Any, ...]:
    """Return the owners of places, each once, in order of appearance."""
    found: list[Any] = []
    for place in places:
        if not any(place.owner is owner for owner in found):
            found.append(place.owner)
    return tuple(found)


def hidden(value: Any) -> str:
    """Return the form of a value that may be logged: none of it."""
    del value
    return "…"


def describe_argument(argument: Any, show: Show) -> str:
    """Return a term or a value as text."""
    return argument.describe(show) if isinstance(argument, Term) else show(argument)


CHANGEABLE: Final = (set, list, dict, bytearray)


def own_copy(value: Any) -> Any:
    """Return a copy of a container that the caller may change later."""
    return value.copy() if isinstance(value, CHANGEABLE) else value
