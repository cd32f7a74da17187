"""Scalars that are made of others: subclasses of plain types, and names of maps."""

from __future__ import annotations

from typing import Any

from mizzle_async.marshalling.shapes.open_values import HookShape, hooked_name
from mizzle_async.marshalling.shapes.scalars import Scalar, as_name
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.model.scalars.misfit import Misfit, not_a


def name_shape(shape: Shape) -> Scalar | None:
    """Return how values of a type are stored as names of a map, None where they cannot be."""
    if isinstance(shape, Scalar):
        return as_name(shape)
    return hooked_name(shape) if isinstance(shape, HookShape) else None


def derived(cls: type[Any], scalar: Scalar) -> Scalar:
    """Return how a subclass of str, bytes or a number is stored: as its base, and made of it when read."""

    def write(value: Any) -> Any:
        if not isinstance(value, cls):
            raise not_a(cls.__name__, value)
        return scalar.write(value)

    def read(payload: Any) -> Any:
        value = scalar.read(payload)
        try:
            return cls(value)
        except Exception as error:
            raise Misfit(f"what {cls.__name__} accepts", type(error).__name__) from error

    return Scalar(cls.__name__, scalar.tag, write, read, base=scalar, cls=cls)
