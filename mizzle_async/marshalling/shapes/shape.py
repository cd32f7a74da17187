"""Shapes: the interface of each stored form of a type, and the source that is generated from it.

A `Shape` does each thing twice. Its ``encode`` and ``decode`` are careful: they check everything, accept every form
that means the value, and raise a `Misfit` that names the fault. Its ``encode_source`` and ``decode_source`` return
a Python *expression* for the common case, which becomes part of one flat function per class. A value that the
expression does not recognise goes to the careful method, and an instance that raises inside is done again carefully, to
name the fault. So the two agree by construction, and the common case pays for no path, no call and no ``try``.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, TypeAlias

from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.types import AttributeValue

ALL_TAGS = frozenset({"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"})
"""DynamoDB's type descriptors."""

Levels: TypeAlias = int | str
"""How many levels of nesting are left where an expression stands: a number, or the source of one."""


class Shape:
    """How one Python type is stored.

    Attributes:
        python: The type as messages name it.
        tags: The type descriptors that it may be stored as.
    """

    python: str = ""
    tags: frozenset[str] = ALL_TAGS

    @property
    def stored_as(self) -> str:
        """The descriptors, as messages name them."""
        return " or ".join(sorted(self.tags))

    @abstractmethod
    def encode(self, value: Any, levels: int) -> AttributeValue:
        """Return a value as it is stored.

        Args:
            value: The value.
            levels: How many levels of nesting are left.

        Raises:
            Misfit: It is not of this type.
        """

    @abstractmethod
    def decode(self, stored: AttributeValue) -> Any:
        """Return the value of a stored one.

        Raises:
            Misfit: If the stored value is not of this type.
        """

    def encode_source(self, program: Program, value: str, levels: Levels) -> str:
        """Return an expression that encodes the local variable ``value``."""
        return f"{program.bind(self.encode, 'encode')}({value}, {levels})"

    def payload_parts(self, program: Program, value: str, levels: Levels, *, as_json: bool) -> tuple[str, str] | None:
        """Return the one descriptor that values have, and an expression that makes a payload of a local variable.

        Args:
            program: The program that is written.
            value: The local variable.
            levels: How many levels are left.
            as_json: Whether the payload is for orjson alone, which writes some types as we store them.

        Returns:
            Both, or None where the descriptor depends on the value.
        """
        del program, value, levels, as_json
        return None

    def decode_source(self, program: Program, stored: str) -> str:
        """Return an expression that decodes the expression ``stored``, which it evaluates once."""
        return f"{program.bind(self.decode, 'decode')}({stored})"

    def depth(self, above: tuple[Shape, ...] = ()) -> int | None:
        """Return how many levels of nesting values may have at most, or None if there is no bound.

        Args:
            above: The shapes that led here: one that contains itself has no bound.
        """
        del above
        return 0

    def member(self, segment: str | int) -> Shape | None:
        """Return how the value at one step inside is stored, or None if there can be none."""
        del segment
        return None

    def element(self) -> Shape | None:
        """Return how the elements of this collection are stored, or None if it has none."""
        return None


def deeper(levels: Levels) -> Levels:
    """Return how many levels are left one level further in."""
    return levels - 1 if isinstance(levels, int) else f"{levels} - 1"


def deepest(shapes: list[Shape], above: tuple[Shape, ...]) -> int | None:
    """Return the depth of the deepest, or None if one has no bound."""
    depths = [shape.depth(above) for shape in shapes]
    bounded = [depth for depth in depths if depth is not None]
    return max(bounded, default=0) if len(bounded) == len(depths) else None


def guard(program: Program, shape: Shape, fast: str, value: str, levels: Levels, *, test: str) -> str:
    """Return an expression that takes the fast way where a test holds and the nesting is certain to be allowed.

    Args:
        program: The program that is written.
        shape: Whose expression it is.
        fast: The fast expression.
        value: The local variable that it encodes.
        levels: How many levels are left.
        test: The condition on ``value``.
    """
    need = shape.depth() or 1
    careful = f"{program.bind(shape.encode, 'encode')}({value}, {levels})"
    if isinstance(levels, int):
        return f"({fast} if {test} else {careful})" if levels >= need else careful
    return f"({fast} if {test} and {levels} >= {need} else {careful})"
