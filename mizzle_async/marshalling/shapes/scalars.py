"""How single values are stored: one type descriptor, one payload.

Each type is a `Scalar`: a careful function in each direction, and where it pays an expression for the common case. The
library's own types are rows of `mizzle_async.model.scalars.registry`.
"""

# ruff: noqa: D102  (Shape documents the methods of shapes)

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Final

from attrs import evolve, field, frozen

from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.marshalling.shapes.shape import Levels, Shape
from mizzle_async.model.scalars import SCALAR_TYPES, ScalarType, scalar_type
from mizzle_async.model.scalars.misfit import LimitMisfit, Misfit, not_stored_as
from mizzle_async.model.scalars.numbers import canonical_number, read_exact_float
from mizzle_async.types import AttributeValue

UTF8_BYTES = 4
"""A character takes no more."""

Write = Callable[[Any], Any]
Read = Callable[[Any], Any]


@frozen(eq=False, repr=False)
class Scalar(Shape):
    """A type that is stored as one payload under one descriptor.

    The expressions are written as `mizzle_async.model.scalars.Sources` says.

    Attributes:
        python: The type as messages name it.
        tag: Its descriptor.
        write: Returns the payload of a value, or raises a `Misfit`.
        read: Returns the value of a payload, or raises a `Misfit`.
        write_source: The expression for the payload of a value.
        read_source: The expression for the value of a payload.
        names: Values that the expressions use.
        json_source: The expression for a value that orjson writes as the payload, where that is less work.
        exact_types: The classes whose own instances are its values.
        base: The wider type that its values are of too, None where there is none.
        cls: The class that its values are instances of, where no registered type is that class.
        values: All its values, where they are listed.
    """

    python: str
    tag: str
    write: Write
    read: Read
    write_source: str = "{write}({v})"
    read_source: str = "{read}({p})"
    names: Mapping[str, Any] = field(factory=dict)
    json_source: str = ""
    exact_types: tuple[type[Any], ...] = field(default=(), kw_only=True)
    base: Scalar | None = field(default=None, kw_only=True)
    cls: type[Any] | None = field(default=None, kw_only=True)
    values: tuple[Any, ...] = field(default=(), kw_only=True)

    @property
    def tags(self) -> frozenset[str]:  # type: ignore[override]  # derived here
        return frozenset({self.tag})

    def encode(self, value: Any, levels: int) -> AttributeValue:
        del levels
        return {self.tag: self.write(value)}

    def decode(self, stored: AttributeValue) -> Any:
        payload = stored.get(self.tag)
        if payload is None:
            raise not_stored_as(self.tag, stored)
        return self.read(payload)

    def payload_source(self, program: Program, value: str, *, as_json: bool = False) -> str:
        """Return an expression for the payload of a variable, or for a value that orjson writes as it."""
        source = self.json_source if as_json and self.json_source else self.write_source
        return source.format(
            v=value, t=program.fresh(), write=program.bind(self.write, "write"), **self._bound(program)
        )

    def value_source(self, program: Program, payload: str) -> str:
        """Return an expression for the value of a payload's expression."""
        return self.read_source.format(
            p=payload, t=program.fresh(), read=program.bind(self.read, "read"), **self._bound(program)
        )

    def _bound(self, program: Program) -> dict[str, str]:
        return {name: program.bind(value, name) for name, value in self.names.items()}

    def encode_source(self, program: Program, value: str, levels: Levels) -> str:
        del levels
        return f'{{"{self.tag}": {self.payload_source(program, value)}}}'

    def payload_parts(self, program: Program, value: str, levels: Levels, *, as_json: bool) -> tuple[str, str] | None:
        del levels
        return self.tag, self.payload_source(program, value, as_json=as_json)

    def decode_source(self, program: Program, stored: str) -> str:
        return self.value_source(program, f'{stored}["{self.tag}"]')


@cache
def scalar_writer(scalar: Scalar) -> Callable[[Any], AttributeValue]:
    """Return a compiled function that encodes one value of a scalar, as the functions of classes do.

    It raises any exception for a value that `Scalar.encode` has to look at.
    """
    program = Program(scalar.python)
    source = scalar.encode_source(program, "value", 1)
    program.add(f"def write_value(value):\n    return {source}\n")
    write: Callable[[Any], AttributeValue] = program.compile()["write_value"]
    return write


@cache
def scalar_of(row: ScalarType) -> Scalar:
    """Return how values of a registered type are stored: one shape for each row.

    Args:
        row: The type's.
    """
    sources = row.sources
    return Scalar(
        row.python.__name__,
        row.tag,
        row.write,
        row.read,
        sources.write,
        sources.read,
        sources.names,
        sources.json,
        exact_types=row.exact_types,
    )


def scalar_for(annotation: Any, datetime_format: Any = None) -> Scalar | None:
    """Return how values of exactly a type are stored, None where it is not registered.

    Args:
        annotation: A class.
        datetime_format: How datetimes are stored where it stands.
    """
    row = scalar_type(annotation, datetime_format)
    return None if row is None else scalar_of(row)


PLAIN: Final[Mapping[type[Any], Scalar]] = {row.python: scalar_of(row) for row in SCALAR_TYPES if row.is_plain}
"""The types whose values an Enum or a Literal may list, and whose subclasses are stored as they are."""

STR: Final = PLAIN[str]
BYTES: Final = PLAIN[bytes]
INT: Final = PLAIN[int]
FLOAT: Final = PLAIN[float]
DECIMAL: Final = PLAIN[Decimal]


def as_name(scalar: Scalar) -> Scalar | None:
    """Return how values of a scalar are stored as names of a map, None where they cannot be.

    Names are text: a number is its digits. Another text for the same value would be a second entry, and is not read.
    """
    if scalar.tag == "S":
        return scalar
    if scalar.tag != "N":
        return None

    def read(name: Any) -> Any:
        value = scalar.read(name)
        if scalar.write(value) != name:
            raise Misfit(f"a name as {scalar.python} is written", "another text for it")
        return value

    return evolve(
        scalar, tag="S", read=read, write_source="{write}({v})", read_source="{read}({p})", json_source="", base=None
    )


def root(scalar: Scalar) -> Scalar:
    """Return the widest type that the values of a scalar are of."""
    return scalar if scalar.base is None else root(scalar.base)


def exact_reader(scalar: Scalar) -> Read:
    """Return the reader of a scalar whose values are listed: a float that is only near to one of them is none."""
    return read_exact_float if scalar is FLOAT else scalar.read


def _exact(scalar: Scalar, role: str) -> Scalar:
    """Return a scalar of floats that reads only its own texts: a key that is near to another one is another key."""

    def read(payload: Any) -> Any:
        value = scalar.read(payload)
        if scalar.write(value) != canonical_number(payload):
            raise Misfit(f"{role} as a float is written", "a number with more digits", "declare the attribute Decimal")
        return value

    return evolve(scalar, read=read, read_source="{read}({p})", base=scalar)


def sized(scalar: Scalar, limit: int, role: str) -> Scalar:
    """Return a scalar that refuses a key that is empty, or has too many bytes.

    Nor does it read a text that it would write otherwise: under its own text there is another item, or none.

    Args:
        scalar: The type's.
        limit: How many bytes it may have.
        role: The role's name in messages, such as ``a partition key``.
    """
    if scalar.tag == "N":
        return _exact(scalar, role) if root(scalar) is FLOAT else scalar

    def write(value: Any) -> Any:
        payload: str = scalar.write(value)
        size = len(payload.encode()) if scalar.tag == "S" else len(a2b_base64(payload))
        if not 1 <= size <= limit:
            raise LimitMisfit(f"{role} of 1 to {limit:,} bytes", f"one of {size:,}")
        return payload

    def read(payload: Any) -> Any:
        value = scalar.read(payload)
        if scalar.write(value) != payload:
            raise Misfit(f"{role} as {scalar.python} is written", "another text for it", "declare the attribute str")
        return value

    source, json_source = "{write}({v})", ""
    # The payloads of an Enum are what it writes.
    read_source = scalar.read_source if scalar.tag == "B" or "by_payload" in scalar.names else "{read}({p})"
    if scalar is STR:
        read_source = scalar.read_source
        fits = f"{{v}} and len({{v}}) <= {limit}"
        source = f"{{v}} if type({{v}}) is str and {{v}}.isascii() and {fits} else {{write}}({{v}})"
        # Without a look at its characters, a text is short enough where each may take four bytes.
        fits = f"{{v}} and len({{v}}) <= {limit // UTF8_BYTES}"
        json_source = f"{{v}} if type({{v}}) is str and {fits} else {{write}}({{v}})"
    return Scalar(scalar.python, scalar.tag, write, read, source, read_source, scalar.names, json_source, base=scalar)
