"""Writes the fast functions of a class: flat, without a path, a loop over attributes or a ``try``.

An encoder, for a required text, an optional number and a set::

    def encode_Order_0(self):
        v0 = self.customer_id
        v1 = self.rating
        v2 = self.tags
        item = {
            "customer_id": {"S": v0 if type(v0) is str and v0.isascii() else write_1(v0)},
        }
        if v1 is not None:
            item["rating"] = {"N": t2 if type(v1) is int and len(t2 := str(v1)) < 39 else write_3(v1)}
        if v2:
            item["tags"] = ({"SS": sorted(v2)} if type(v2) is set and "".join(v2).isascii() else encode_4(v2, 31))
        elif type(v2) is not set: is_empty_5(v2)
        return item
"""

# ruff: noqa: D102  (Shape documents the methods of shapes)

from __future__ import annotations

from collections.abc import Callable

from attrs import NOTHING

from mizzle_async.marshalling.shapes.classes import CarefulClassShape
from mizzle_async.marshalling.shapes.construct import Construction
from mizzle_async.marshalling.shapes.fields import Field, factory_of
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.marshalling.shapes.sets import ScalarSetShape, SetShape
from mizzle_async.marshalling.shapes.shape import Levels, deeper, guard
from mizzle_async.types import WRITE_ID_ATTRIBUTE

INDENT = "    "


class ClassShape(CarefulClassShape):
    """An attrs class or a dataclass, with functions of its own in the program."""

    @property
    def is_deep(self) -> bool:
        """Whether nesting has no bound, so that its encoder counts levels."""
        return self.depth() is None

    def encoder(self, program: Program) -> str:
        """Return the name of the function that encodes an instance.

        It takes a second argument, the levels that are left, if nesting has no bound.
        """
        return program.function_of(self, f"encode_{self.python}", lambda name: write_encoder(program, self, name))

    def decoder(self, program: Program) -> str:
        """Return the name of the function that decodes a map's entries."""
        return program.function_of(self, f"decode_{self.python}", lambda name: write_decoder(program, self, name))

    def encode_source(self, program: Program, value: str, levels: Levels) -> str:
        arguments = f"{value}, {deeper(levels)}" if self.is_deep else value
        fast = f'{{"M": {self.encoder(program)}({arguments})}}'
        return guard(program, self, fast, value, levels, test=f"type({value}) is {program.bind(self.cls, 'class')}")

    def decode_source(self, program: Program, stored: str) -> str:
        return f'{self.decoder(program)}({stored}["M"])'


def write_encoder(program: Program, shape: ClassShape, name: str) -> None:
    """Write the function that returns the attributes of an instance as they are stored.

    Where nesting has no bound it takes the number of levels that are left. Elsewhere its caller has made sure that they
    are enough.
    """
    depth = shape.depth()
    parameters, levels = ("self, levels", "levels") if depth is None else ("self", depth - 1)
    program.add(f"def {name}({parameters}):\n{indented(encoder_lines(program, shape, levels))}")


def encoder_lines(program: Program, shape: ClassShape, levels: Levels) -> list[str]:
    """Return the lines that make ``item`` of ``self``, and return it."""
    values = {field.name: f"v{position}" for position, field in enumerate(shape.fields)}
    lines = [f"{variable} = self.{name}" for name, variable in values.items()]
    first: list[str] = []
    later: list[str] = []
    for field in shape.fields:
        value = values[field.name]
        source = field.shape.encode_source(program, value, levels)
        if field.is_set:
            later += _set_lines(program, field, value, source)
        elif field.optional:
            later += [f"if {value} is not None:", f"{INDENT}item[{field.wire!r}] = {source}"]
        elif later:
            later.append(f"item[{field.wire!r}] = {source}")
        else:
            first.append(f"{field.wire!r}: {source}")
    entries = [f"{INDENT}{entry}," for entry in first]
    if not later:
        return [*lines, "return {", *entries, "}"]
    return [*lines, "item = {", *entries, "}", *later, "return item"]


def _set_lines(program: Program, field: Field, value: str, source: str) -> list[str]:
    """Return the lines for a set, which is absent when empty. Another empty value is looked at more closely."""
    assert isinstance(field.shape, SetShape)  # noqa: S101  (`is_set` says so)
    return [
        f"if {value}:",
        f"{INDENT}item[{field.wire!r}] = {source}",
        f"elif {no_set_test(field, value)}:",
        f"{INDENT}{program.bind(field.shape.is_empty, 'is_empty')}({value})",
    ]


def no_set_test(field: Field, value: str) -> str:
    """Return a test of a variable that is false, empty or None: whether a set's attribute must look at it closely."""
    assert isinstance(field.shape, SetShape)  # noqa: S101  (its callers have seen to it)
    no_set = f"type({value}) is not {field.shape.build.__name__}"
    return f"{value} is not None and {no_set}" if field.optional else no_set


def write_decoder(program: Program, shape: ClassShape, name: str) -> None:
    """Write the function that returns the instance of stored attributes."""
    program.add(f"def {name}(item):\n{indented(decoder_lines(program, shape))}")


def decoder_lines(program: Program, shape: ClassShape) -> list[str]:
    """Return the lines that make an instance of ``item``, and return it."""
    lines: list[str] = []
    if not program.is_own:  # a value of two types has two descriptors: the careful way names its attribute
        lines += ["if sum(map(len, item.values())) != len(item):", f"{INDENT}raise TypeError"]
    if shape.refuses_unknown:
        names = program.bind(frozenset({*shape.by_wire, WRITE_ID_ATTRIBUTE}), "names")
        lines += [f"if not item.keys() <= {names}:", f"{INDENT}raise KeyError"]
    if any(field.takes_null for field in shape.fields):
        lines.append("get = item.get")
    return lines + instance_lines(program, shape, _value_source)


def instance_lines(program: Program, shape: ClassShape, value_source: Callable[[Program, Field], str]) -> list[str]:
    """Return the lines that make an instance of ``item``, and return it.

    Args:
        program: The program that is written.
        shape: The class's.
        value_source: Returns an expression for an attribute's value, there or absent.
    """
    cls = program.bind(shape.cls, "class")
    if shape.construction is Construction.CALL:
        return _call_lines(program, shape, cls, value_source)
    lines = [f"self = new({cls})"]
    target = "self.{}"
    if shape.construction is Construction.FILL:
        lines.append("attributes = self.__dict__")
        target = "attributes[{!r}]"
    lines += [f"{target.format(field.name)} = {value_source(program, field)}" for field in shape.fields]
    return [*lines, "return self"]


def _call_lines(
    program: Program, shape: ClassShape, cls: str, value_source: Callable[[Program, Field], str]
) -> list[str]:
    """Return the lines that call the class. A default that is made of the instance is left to it."""
    always: list[str] = []
    where_stored: list[str] = []
    for field in shape.fields:
        alias = shape.aliases[field.name]
        if is_made_of_instance(field):
            value = _present_source(program, field)
            found = f'get({field.wire!r}, {{"NULL": True}})' if field.null_as_default else ""
            test = f'if "NULL" not in {found}:' if found else f"if {field.wire!r} in item:"
            where_stored += [test, f"{INDENT}arguments[{alias!r}] = {value}"]
        else:
            always.append(f"{alias}={value_source(program, field)}")
    lines = [f"{INDENT}{argument}," for argument in always]
    if not where_stored:
        return [f"return {cls}(", *lines, ")"]
    return ["arguments = dict(", *lines, ")", *where_stored, f"return {cls}(**arguments)"]


def is_made_of_instance(field: Field) -> bool:
    """Tell whether the value of an absent attribute is made of the instance's other ones."""
    factory = factory_of(field.default)
    return factory is not None and factory.takes_self and not field.optional and not field.is_set


def _value_source(program: Program, field: Field) -> str:
    """Return an expression for an attribute's value, there or absent."""
    if field.takes_null:
        stored = program.fresh()
        present = field.shape.decode_source(program, stored)
        absent = "None" if field.optional else absent_source(program, field)
        return f'{absent} if ({stored} := get({field.wire!r})) is None or "NULL" in {stored} else {present}'
    if field.is_set or field.default is not NOTHING:
        absent = absent_source(program, field)
        return f"({_present_source(program, field)}) if {field.wire!r} in item else {absent}"
    return _present_source(program, field)


def _present_source(program: Program, field: Field) -> str:
    if isinstance(field.shape, ScalarSetShape):
        return field.shape.value_source(program, f'item[{field.wire!r}]["{field.shape.tag}"]')
    return field.shape.decode_source(program, f"item[{field.wire!r}]")


def absent_source(program: Program, field: Field) -> str:
    """Return an expression for the value of an attribute that is absent."""
    if isinstance(field.shape, SetShape):
        return f"{field.shape.build.__name__}()"
    factory = factory_of(field.default)
    if factory is None:
        return program.bind(field.default, "default")
    if factory.make is list or factory.make is dict:
        return "[]" if factory.make is list else "{}"
    return f"{program.bind(factory.make, 'factory')}({'self' if factory.takes_self else ''})"


def indented(lines: list[str]) -> str:
    """Return the lines of a function's body."""
    return "".join(f"{INDENT}{line}\n" for line in lines)
