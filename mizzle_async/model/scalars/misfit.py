"""Misfits: raised inside marshalling when a value does not fit, they gather their path while the calls unwind.

The fast functions know nothing of paths. A value that fails in them is done again by the careful ones, which raise a
`Misfit`, to which each container on the way out adds its step. It never leaves the room: the codec turns it into a
`MarshallingError` or a `LimitError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mizzle_async.errors import LimitError, MarshallingError, MizzleError
from mizzle_async.types import Item

DEFINED_TWICE: Final = "was it defined twice, by a cell that ran again or a module that was reloaded?"


class Misfit(Exception):  # noqa: N818  (it is no error of the library's, only the way to one)
    """A value does not fit.

    Attributes:
        expected: The type or the value that would have fitted.
        found: The type that was there, never a value.
        advice: The way out, or nothing.
        steps: The path, innermost first. A field's step is spelled ``.name``, an entry's ``["name"]``.
    """

    def __init__(self, expected: str, found: str, advice: str = "") -> None:
        super().__init__(expected, found)
        self.expected = expected
        self.found = found
        self.advice = advice
        self.steps: list[str] = []

    def at_field(self, name: str) -> Misfit:
        """Add the step of a field, and return itself to be raised."""
        self.steps.append(f".{name}")
        return self

    def at_position(self, position: int) -> Misfit:
        """Add the step of a list element, and return itself to be raised."""
        self.steps.append(f"[{position}]")
        return self

    def at_entry(self, name: object) -> Misfit:
        """Add the step of a map entry, and return itself to be raised. A key that is no name is not shown."""
        if not isinstance(name, str):
            self.steps.append("[…]")
        else:
            # What cannot be printed is escaped.
            self.steps.append(f'["{name}"]' if name.isprintable() else f"[{name!a}]")
        return self

    def at_element(self) -> Misfit:
        """Add the step of a set's element, which has neither name nor position, and return itself to be raised."""
        self.steps.append("[…]")
        return self

    def sentence(self) -> str:
        """Return the sentence with expectation, finding and advice."""
        said = f"expected {self.expected}, found {self.found}"
        return f"{said}; {self.advice}" if self.advice else said

    def to_error(self, entity: str, key: Item | None = None) -> MizzleError:
        """Return the error that the caller gets."""
        path = entity + "".join(reversed(self.steps))
        return MarshallingError(f"{path}: {self.sentence()}", path=path, key=key)


class LimitMisfit(Misfit):
    """A value fits its type and breaks one of DynamoDB's limits."""

    def to_error(self, entity: str, key: Item | None = None) -> MizzleError:  # noqa: ARG002  (the same signature)
        """Return the error that the caller gets."""
        path = entity + "".join(reversed(self.steps))
        return LimitError(f"{path}: {self.sentence()}")


def python_name(value: object) -> str:
    """Name the type of a value as messages name it."""
    return "None" if value is None else type(value).__name__


def wire_name(stored: object) -> str:
    """Name the type of a stored value as DynamoDB does: ``S``, ``N``, ``NULL`` and so on."""
    if isinstance(stored, Mapping) and len(stored) == 1:
        tag: Any = next(iter(stored))
        return str(tag)
    return "no attribute value"


def not_a(expected: str, value: object, advice: str = "") -> Misfit:
    """Return the misfit of a Python value.

    Args:
        expected: The type that would have fitted, or a union of types.
        value: The value.
        advice: The way out, or nothing.
    """
    name = python_name(value)
    if name in expected.split(" | "):
        return Misfit(expected, f"another class {name}", DEFINED_TWICE)
    return Misfit(expected, name, advice)


def not_stored_as(expected: str, stored: object) -> Misfit:
    """Return the misfit of a stored value."""
    return Misfit(expected, wire_name(stored))
