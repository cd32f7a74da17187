"""How a type alias that contains itself is stored, such as the usual type of JSON."""

# ruff: noqa: D102  (Shape documents the methods of shapes)

from __future__ import annotations

from typing import Any

from mizzle_async.errors import ModelError
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.types import AttributeValue


class AliasShape(Shape):
    """An alias where it stands inside itself: its own shape is known when the alias is resolved.

    Attributes:
        python: The alias as messages name it.
        is_used: Whether the alias contains itself.
    """

    def __init__(self, python: str, where: str) -> None:
        self.python = python
        self.is_used: bool = False
        self._where = where
        self._real: Shape | None = None

    def define(self, real: Shape) -> None:
        """Set the shape that the alias stands for."""
        self._real = real

    @property
    def real(self) -> Shape:
        """The shape that the alias stands for.

        Raises:
            ModelError: If the alias is nothing but itself.
        """
        if self._real is None:
            raise ModelError(f"{self._where}: the alias {self.python} contains itself outside of a list or a dict")
        return self._real

    @property
    def tags(self) -> frozenset[str]:  # type: ignore[override]  # derived here
        return self.real.tags

    def encode(self, value: Any, levels: int) -> AttributeValue:
        return self.real.encode(value, levels)

    def decode(self, stored: AttributeValue) -> Any:
        return self.real.decode(stored)

    def depth(self, above: tuple[Shape, ...] = ()) -> int | None:
        return None if self in above or self._real is None else self.real.depth((*above, self))

    def member(self, segment: str | int) -> Shape | None:
        return self.real.member(segment)

    def element(self) -> Shape | None:
        return self.real.element()
