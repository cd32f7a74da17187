"""The functions of a type that stands alone, outside of any entity: values to attribute values and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mizzle_async.errors import MizzleError
from mizzle_async.marshalling.places import Place
from mizzle_async.marshalling.resolve import Resolver
from mizzle_async.marshalling.shapes.by_value import ATTRIBUTE_LEVELS, PLAIN_ADVICE, EncodedValue
from mizzle_async.marshalling.shapes.generated_classes import INDENT, indented
from mizzle_async.marshalling.shapes.open_values import AnyShape, OptionalShape
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.model.annotations import type_name
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.types import AttributeValue


class Standalone:
    """Encodes and decodes values of one type.

    Attributes:
        encode: Returns the attribute value of a value.
        decode: Returns the value of an attribute value. It takes, and ignores, the type as well, as cattrs gives it.
    """

    __slots__ = ("_name", "_shape", "decode", "encode")

    encode: Callable[[Any], AttributeValue]
    decode: Callable[..., Any]

    def __init__(self, target: Any, resolver: Resolver) -> None:
        """Find out how a type is stored, and compile its functions.

        Args:
            target: The type.
            resolver: Finds out how types are stored.

        Raises:
            ModelError: If it cannot be mapped.
        """
        self._name: Final[str] = type_name(target)
        is_none = target is None or target is type(None)
        shape: Shape = OptionalShape(AnyShape()) if is_none else resolver.shape(target, Place(self._name))
        self._shape: Final[Shape] = shape
        program = Program(self._name)
        wrap = program.bind(EncodedValue, "encoded")
        functions = {
            "encode": ("self", f"{wrap}({shape.encode_source(program, 'self', ATTRIBUTE_LEVELS)})", self._encode),
            "decode": ("stored", shape.decode_source(program, "stored"), self._decode),
        }
        for name, (parameter, source, carefully) in functions.items():
            # The careful call stands outside the `except`, so that the first failure is not shown as its context.
            body = ["try:", f"{INDENT}return {source}", "except Exception:", f"{INDENT}pass"]
            body.append(f"return {program.bind(carefully, 'carefully')}({parameter})")
            program.add(f"def {name}({parameter}, _target=None):\n{indented(body)}")
        compiled = program.compile()
        self.encode, self.decode = compiled["encode"], compiled["decode"]

    def _encode(self, value: Any) -> AttributeValue:
        """Return the attribute value of a value, or raise the error that names the misfit."""
        try:
            return EncodedValue(self._shape.encode(value, ATTRIBUTE_LEVELS))
        except Misfit as misfit:
            found = misfit
        raise self._error(found) from found.__cause__

    def _decode(self, stored: Any) -> Any:
        """Return the value of an attribute value, or raise the error that names the misfit."""
        if not isinstance(stored, dict) or len(stored) != 1:
            raise self._error(Misfit("an attribute value", type(stored).__name__, PLAIN_ADVICE))
        try:
            return self._shape.decode(stored)
        except Misfit as misfit:
            found = misfit
        raise self._error(found) from found.__cause__

    def _error(self, misfit: Misfit) -> MizzleError:
        return misfit.to_error(self._name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._name}>"
