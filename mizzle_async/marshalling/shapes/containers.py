"""How lists, tuples and maps are stored."""

# ruff: noqa: D102  (Shape documents the methods of shapes)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from mizzle_async.limits import ATTRIBUTE_NAME_BYTES
from mizzle_async.marshalling.shapes.by_value import too_deep
from mizzle_async.marshalling.shapes.one_type import elements_source, entries_source, single
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.marshalling.shapes.scalars import STR, Scalar
from mizzle_async.marshalling.shapes.shape import Levels, Shape, deeper, deepest, guard
from mizzle_async.model.scalars.binary import check_name
from mizzle_async.model.scalars.misfit import Misfit, not_a, not_stored_as
from mizzle_async.types import AttributeValue


class ListShape(Shape):
    """A list, a tuple of any length, or a sequence.

    Attributes:
        python: The type as messages name it.
        build: Makes the value of a list of elements: ``list`` or ``tuple``.
        accepts: The classes of values that are encoded.
        of: How elements are stored.
    """

    tags: frozenset[str] = frozenset({"L"})

    def __init__(
        self, python: str, build: type[list[Any] | tuple[Any, ...]], accepts: tuple[type, ...], of: Shape
    ) -> None:
        self.python = python
        self.build = build
        self.accepts = accepts
        self.of = of

    def encode(self, value: Any, levels: int) -> AttributeValue:
        if not isinstance(value, self.accepts):
            raise not_a(self.python, value)
        if levels < 1:
            raise too_deep()
        encoded: list[AttributeValue] = []
        try:
            for element in cast("Sequence[Any]", value):
                encoded.append(self.of.encode(element, levels - 1))  # noqa: PERF401  (its length is the misfit's position)
        except Misfit as misfit:
            raise misfit.at_position(len(encoded)) from misfit.__cause__
        return {"L": encoded}

    def decode(self, stored: AttributeValue) -> Any:
        if "L" not in stored:
            raise not_stored_as("L", stored)
        decoded: list[Any] = []
        try:
            for element in stored["L"]:
                decoded.append(self.of.decode(single(element)))  # noqa: PERF401  (as above)
        except Misfit as misfit:
            raise misfit.at_position(len(decoded)) from misfit.__cause__
        return self.build(decoded)

    def encode_source(self, program: Program, value: str, levels: Levels) -> str:
        element = program.fresh()
        fast = f'{{"L": [{self.of.encode_source(program, element, deeper(levels))} for {element} in {value}]}}'
        test = " or ".join(f"type({value}) is {kind.__name__}" for kind in self.accepts)
        return guard(program, self, fast, value, levels, test=f"({test})")

    def decode_source(self, program: Program, stored: str) -> str:
        element, elements = program.fresh(), elements_source(program, f'{stored}["L"]')
        decoded = f"[{self.of.decode_source(program, element)} for {element} in {elements}]"
        return decoded if self.build is list else f"tuple({decoded})"

    def depth(self, above: tuple[Shape, ...] = ()) -> int | None:
        inner = self.of.depth(above)
        return None if inner is None else inner + 1

    def member(self, segment: str | int) -> Shape | None:
        return self.of if isinstance(segment, int) else None

    def element(self) -> Shape | None:
        return self.of


class TupleShape(Shape):
    """A tuple of a fixed length, each element of its own type.

    Attributes:
        python: The type as messages name it.
        of: How each element is stored.
        build: The class of the values.
    """

    tags: frozenset[str] = frozenset({"L"})
    build: type[Any] = tuple

    def __init__(self, python: str, of: tuple[Shape, ...]) -> None:
        self.python = python
        self.of = of

    def encode(self, value: Any, levels: int) -> AttributeValue:
        if not isinstance(value, tuple):
            raise not_a(self.python, value)
        if len(value) != len(self.of):
            raise Misfit(f"a tuple of {len(self.of)}", f"one of {len(value)}")
        if levels < 1:
            raise too_deep()
        return {"L": self._each(lambda shape, element: shape.encode(element, levels - 1), value)}

    def decode(self, stored: AttributeValue) -> Any:
        if "L" not in stored:
            raise not_stored_as("L", stored)
        payload: list[AttributeValue] = stored["L"]
        if len(payload) != len(self.of):
            raise Misfit(f"L of {len(self.of)}", f"L of {len(payload)}")
        return tuple(self._each(lambda shape, element: shape.decode(single(element)), payload))

    def encode_source(self, program: Program, value: str, levels: Levels) -> str:
        names = [program.fresh() for _ in self.of]
        taken = "".join(f"({name} := {value}[{position}]), " for position, name in enumerate(names))
        inner = ", ".join(
            shape.encode_source(program, name, deeper(levels)) for shape, name in zip(self.of, names, strict=True)
        )
        test = f"type({value}) is {program.bind(self.build, 'class')} and len({value}) == {len(names)}"
        return guard(program, self, f'({taken}{{"L": [{inner}]}})[-1]', value, levels, test=test)

    def decode_source(self, program: Program, stored: str) -> str:
        found, elements = program.fresh(), elements_source(program, f'{stored}["L"]')
        inner = "".join(
            f"{shape.decode_source(program, f'{found}[{position}]')}, " for position, shape in enumerate(self.of)
        )
        value = f"({inner})" if self.build is tuple else f"{program.bind(self.build, 'class')}({inner})"
        careful = f'{program.bind(self.decode, "decode")}({{"L": {found}}})'
        return f"({value} if len({found} := {elements}) == {len(self.of)} else {careful})"

    def _each(self, convert: Callable[[Shape, Any], Any], values: Sequence[Any]) -> list[Any]:
        converted: list[Any] = []
        try:
            for shape, value in zip(self.of, values, strict=True):
                converted.append(convert(shape, value))
        except Misfit as misfit:
            raise misfit.at_position(len(converted)) from misfit.__cause__
        return converted

    def depth(self, above: tuple[Shape, ...] = ()) -> int | None:
        inner = deepest([*self.of], above)
        return None if inner is None else inner + 1

    def member(self, segment: str | int) -> Shape | None:
        return self.of[segment] if isinstance(segment, int) and segment < len(self.of) else None


class MapShape(Shape):
    """A dict whose keys are text, or something that is stored as text.

    Attributes:
        python: The type as messages name it.
        key: How keys are stored: a scalar of type ``S``.
        of: How values are stored.
    """

    tags: frozenset[str] = frozenset({"M"})

    def __init__(self, python: str, key: Scalar, of: Shape) -> None:
        self.python = python
        self.key = key
        self.of = of

    def encode(self, value: Any, levels: int) -> AttributeValue:
        if not isinstance(value, Mapping):
            raise not_a(self.python, value)
        if levels < 1:
            raise too_deep()
        encoded: dict[str, AttributeValue] = {}
        key: object = None
        try:
            for key, element in value.items():
                name = check_name(key if self.key is STR else self.key.write(key))
                encoded[name] = self.of.encode(element, levels - 1)
        except Misfit as misfit:
            raise misfit.at_entry(key) from misfit.__cause__
        return {"M": encoded}

    def decode(self, stored: AttributeValue) -> Any:
        if "M" not in stored:
            raise not_stored_as("M", stored)
        decoded: dict[Any, Any] = {}
        name: str = ""
        try:
            for name, element in stored["M"].items():
                decoded[self.key.read(name)] = self.of.decode(single(element))
        except Misfit as misfit:
            raise misfit.at_entry(name) from misfit.__cause__
        return decoded

    def encode_source(self, program: Program, value: str, levels: Levels) -> str:
        if self.key is not STR:
            return super().encode_source(program, value, levels)
        key, element = program.fresh(), program.fresh()
        inner = self.of.encode_source(program, element, deeper(levels))
        # The JSON encoder takes no subclass of str as a name.
        is_plain = f"type({key}) is str and {key} and {key}.isascii() and len({key}) <= {ATTRIBUTE_NAME_BYTES}"
        name = f"{key} if {is_plain} else {program.bind(check_name, 'check_name')}({key})"
        fast = f'{{"M": {{{name}: {inner} for {key}, {element} in {value}.items()}}}}'
        return guard(program, self, fast, value, levels, test=f"type({value}) is dict")

    def decode_source(self, program: Program, stored: str) -> str:
        key, element = program.fresh(), program.fresh()
        inner = self.of.decode_source(program, element)
        entries = entries_source(program, f'{stored}["M"]')
        return f"{{{self.key.value_source(program, key)}: {inner} for {key}, {element} in {entries}.items()}}"

    def depth(self, above: tuple[Shape, ...] = ()) -> int | None:
        inner = self.of.depth(above)
        return None if inner is None else inner + 1

    def member(self, segment: str | int) -> Shape | None:
        return self.of if isinstance(segment, str) else None
