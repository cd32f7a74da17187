"""How key attributes are stored: as one text, number or binary, within the limits of keys."""

# ruff: noqa: D102  (Shape documents the methods of shapes)

from __future__ import annotations

from typing import Any

from mizzle_async.errors import ModelError
from mizzle_async.limits import PARTITION_KEY_BYTES, SORT_KEY_BYTES
from mizzle_async.marshalling.shapes.open_values import AnyShape, HookShape
from mizzle_async.marshalling.shapes.scalars import Scalar, sized
from mizzle_async.marshalling.shapes.sets import ELEMENT_TAGS
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.marshalling.sizes import value_size
from mizzle_async.model import AttributeSchema
from mizzle_async.model.scalars.misfit import LimitMisfit, Misfit, wire_name
from mizzle_async.types import AttributeValue


class OpenKeyShape(Shape):
    """A key whose stored type only its value tells: of a table without a class, or of a type with hooks of the user's.

    Attributes:
        inner: How the value is stored.
        role: The name of the role in messages.
        limit: How many bytes it may have.
    """

    tags: frozenset[str] = ELEMENT_TAGS

    def __init__(self, inner: Shape, role: str, limit: int) -> None:
        self.inner = inner
        self.role = role
        self.limit = limit

    @property
    def python(self) -> str:  # type: ignore[override]  # derived here
        return self.inner.python

    def encode(self, value: Any, levels: int) -> AttributeValue:
        stored = self.inner.encode(value, levels)
        if ELEMENT_TAGS.isdisjoint(stored):
            raise Misfit(f"{self.role} stored as S, N or B", f"{type(value).__name__}, stored as {wire_name(stored)}")
        size = value_size(stored)
        if "N" not in stored and not 1 <= size <= self.limit:
            raise LimitMisfit(f"{self.role} of 1 to {self.limit:,} bytes", f"one of {size:,}")
        return stored

    def decode(self, stored: AttributeValue) -> Any:
        return self.inner.decode(stored)


def key_limit(attribute: AttributeSchema) -> int:
    """Return how many bytes a key attribute may have."""
    return PARTITION_KEY_BYTES if attribute.key == "partition" else SORT_KEY_BYTES


def key_shape(attribute: AttributeSchema, shape: Shape, where: str) -> Shape:
    """Return how an attribute is stored, its part in the table's key considered.

    Args:
        attribute: The attribute.
        shape: How its type is stored.
        where: Class and attribute, for messages.

    Raises:
        ModelError: It is a key, and its type cannot be one.
    """
    if attribute.key is None:
        return shape
    role, limit = f"a {attribute.key} key", key_limit(attribute)
    if isinstance(shape, Scalar) and shape.tag in ELEMENT_TAGS:
        return sized(shape, limit, role)
    if isinstance(shape, HookShape) and isinstance(shape.of, Scalar) and shape.of.tag in ELEMENT_TAGS:
        return HookShape(shape.python, shape.target, shape.hooks, None, of=sized(shape.of, limit, role))
    if isinstance(shape, AnyShape) or (isinstance(shape, HookShape) and isinstance(shape.of, AnyShape)):
        return OpenKeyShape(shape, role, limit)
    raise ModelError(
        f"{where}: {role} is one text, number or binary, not {shape.python}: write str, int, Decimal or bytes"
    )
