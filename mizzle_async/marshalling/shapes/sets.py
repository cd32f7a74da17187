"""How sets are stored: as ``SS``, ``NS`` or ``BS``, whose elements the service keeps apart by value.

No set is empty at the service. An attribute whose set is empty is absent (its class sees to that), and read back as an
empty set. Inside a list, a tuple or a map, where absence has no place, an empty set is an empty list, which is read
back as an empty set as well.
"""

# ruff: noqa: D102  (Shape documents the methods of shapes)

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

from mizzle_async.marshalling.shapes.by_value import gather_set
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.marshalling.shapes.scalars import STR, Scalar
from mizzle_async.marshalling.shapes.shape import Levels, Shape
from mizzle_async.model.scalars.misfit import Misfit, not_a, not_stored_as
from mizzle_async.types import AttributeValue

ELEMENT_TAGS = frozenset({"S", "N", "B"})
"""The descriptors that elements of a set may have."""


class SetShape(Shape):
    """A set of anything: the base of sets of scalars and of sets whose elements the user's hooks convert."""

    build: type[set[Any] | frozenset[Any]]

    def is_empty(self, value: Any) -> bool:
        """Whether a value is a set without elements.

        Raises:
            Misfit: It is no set.
        """
        if not isinstance(value, AbstractSet):
            raise not_a(self.python, value)
        return not value


class ScalarSetShape(SetShape):
    """A set of text, numbers or bytes, or of values that are stored as one of them.

    Attributes:
        python: The type as messages name it.
        build: ``set`` or ``frozenset``.
        of: How elements are stored.
    """

    def __init__(self, python: str, build: type[set[Any] | frozenset[Any]], of: Scalar) -> None:
        self.python = python
        self.build = build
        self.of = of

    @property
    def tag(self) -> str:
        """``SS``, ``NS`` or ``BS``."""
        return f"{self.of.tag}S"

    @property
    def tags(self) -> frozenset[str]:  # type: ignore[override]  # derived here
        return frozenset({self.tag, "L"})

    @property
    def stored_as(self) -> str:
        return self.tag

    def encode(self, value: Any, levels: int) -> AttributeValue:
        del levels
        if self.is_empty(value):
            return {"L": []}
        try:
            return {self.tag: sorted({self.of.write(element) for element in value})}
        except Misfit as misfit:
            raise misfit.at_element() from None

    def decode(self, stored: AttributeValue) -> Any:
        payload = stored.get(self.tag)
        if payload is None:
            if stored == {"L": []}:
                return self.build()
            raise not_stored_as(self.tag, stored)
        try:
            return self.build([self.of.read(element) for element in payload])
        except Misfit as misfit:
            raise misfit.at_element() from None

    def encode_source(self, program: Program, value: str, levels: Levels) -> str:
        careful = f"{program.bind(self.encode, 'encode')}({value}, {levels})"
        payload, test = self._payload_source(program, value)
        return f'({{"{self.tag}": {payload}}} if {value} and {test} else {careful})'

    def payload_parts(self, program: Program, value: str, levels: Levels, *, as_json: bool) -> tuple[str, str] | None:
        del as_json
        careful = f"{program.bind(self.encode, 'encode')}({value}, {levels})"
        payload, test = self._payload_source(program, value)
        # Callers ask for no payload of an empty set, which would be stored as a list.
        return self.tag, f'({payload} if {test} else {careful}["{self.tag}"])'

    def _payload_source(self, program: Program, value: str) -> tuple[str, str]:
        """Return an expression for the payload of a set that is not empty, and the test that must hold before."""
        is_set = f"type({value}) is {self.build.__name__}"
        if self.of is STR:
            # Joining fails for anything but text; a list is joined in half the time of a set.
            elements = program.fresh()
            texts = f'not ({elements} := [*{value}]).sort() and "".join({elements}).isascii()'
            return elements, f"{is_set} and {texts}"
        element = program.fresh()
        return f"sorted({{{self.of.payload_source(program, element)} for {element} in {value}}})", is_set

    def decode_source(self, program: Program, stored: str) -> str:
        # In a list or a map, an empty set is an empty list.
        found = program.fresh()
        value = self.value_source(program, f'{found}["{self.tag}"]')
        careful = f"{program.bind(self.decode, 'decode')}({found})"
        return f'({value} if "{self.tag}" in ({found} := {stored}) else {careful})'

    def value_source(self, program: Program, payload: str) -> str:
        """Return an expression for the value of a payload's expression."""
        name = self.build.__name__
        if self.of is STR:
            return f"{name}({payload})"
        element = program.fresh()
        value = self.of.value_source(program, element)
        inner = f"{{{value} for {element} in {payload}}}"
        return inner if self.build is set else f"frozenset({inner})"

    def element(self) -> Shape | None:
        return self.of


class OpenSetShape(SetShape):
    """A set whose elements are stored by value, or by the user's hooks: all as text, all as numbers or all as bytes.

    Attributes:
        python: The type as messages name it.
        build: ``set`` or ``frozenset``.
        of: How elements are stored.
    """

    tags: frozenset[str] = frozenset({"SS", "NS", "BS", "L"})

    def __init__(self, python: str, build: type[set[Any] | frozenset[Any]], of: Shape) -> None:
        self.python = python
        self.build = build
        self.of = of

    def encode(self, value: Any, levels: int) -> AttributeValue:
        if self.is_empty(value):
            return {"L": []}
        try:
            encoded = [self.of.encode(element, levels) for element in value]
        except Misfit as misfit:
            raise misfit.at_element() from misfit.__cause__
        return gather_set(encoded)

    def decode(self, stored: AttributeValue) -> Any:
        if stored == {"L": []}:
            return self.build()
        for tag in ELEMENT_TAGS:
            payload = stored.get(f"{tag}S")
            if payload is not None:
                try:
                    return self.build([self.of.decode({tag: element}) for element in payload])
                except Misfit as misfit:
                    raise misfit.at_element() from misfit.__cause__
        raise not_stored_as("SS, NS or BS", stored)

    def element(self) -> Shape | None:
        return self.of
