"""Lists of floats, such as embeddings: read and written as one JSON array, which orjson does in C.

Texts that JSON and Python read alike are joined, and parsed at once. Shorter lists, and lists with a text of any other
kind, are read and written float by float, with the same results.
"""

# ruff: noqa: D102  (Shape documents the methods of shapes)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from mizzle_async.marshalling.shapes.containers import ListShape
from mizzle_async.marshalling.shapes.one_type import elements_source
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.marshalling.shapes.scalars import FLOAT
from mizzle_async.marshalling.shapes.shape import Levels, Shape, guard
from mizzle_async.model.scalars.numbers import float_in, float_text, write_float
from mizzle_async.types import AttributeValue

BULK: Final = 16
"""Shorter lists are converted float by float."""

_FLOATS: Final = frozenset({float})
_NUMBERS: Final = frozenset({float, int})
_JSON_SPACE: Final = " \t\n\r"


class FloatListShape(ListShape):
    """A list, a tuple or a sequence of floats."""

    def encode_source(self, program: Program, value: str, levels: Levels) -> str:
        fast = f'{{"L": {program.bind(write_floats, "write_floats")}({value})}}'
        test = " or ".join(f"type({value}) is {kind.__name__}" for kind in self.accepts)
        return guard(program, self, fast, value, levels, test=f"({test})")

    def decode_source(self, program: Program, stored: str) -> str:
        elements = elements_source(program, f'{stored}["L"]')
        decoded = f"{program.bind(read_floats, 'read_floats')}({elements})"
        return decoded if self.build is list else f"tuple({decoded})"


def list_shape(
    python: str, build: type[list[Any] | tuple[Any, ...]], accepts: tuple[type, ...], of: Shape
) -> ListShape:
    """Return how a list is stored, by how its elements are.

    Args:
        python: The type as messages name it.
        build: Makes the value of a list of elements.
        accepts: The classes of values that are encoded.
        of: How elements are stored.
    """
    kind = FloatListShape if of is FLOAT else ListShape
    return kind(python, build, accepts, of)


def read_floats(elements: Sequence[AttributeValue]) -> list[float]:
    """Return the floats of stored numbers.

    Raises:
        KeyError: One is no number.
        Misfit: A text is no number.
    """
    return read_float_texts([element["N"] for element in elements])


def read_float_texts(texts: list[str]) -> list[float]:
    """Return the floats of the texts of stored numbers.

    Raises:
        Misfit: A text is no number.
    """
    if len(texts) >= BULK:
        joined = ",".join(texts)
        if not any(space in joined for space in _JSON_SPACE):  # JSON allows them
            try:
                numbers: list[Any] = orjson.loads(f"[{joined}]")
            except ValueError:
                numbers = []
            if len(numbers) == len(texts) and _NUMBERS.issuperset(map(type, numbers)):
                return list(map(float, numbers))
    return list(map(float_in, texts))


def write_floats(values: Sequence[Any]) -> list[AttributeValue]:
    """Return floats as they are stored.

    Raises:
        Misfit: One is no float, or none that the service can hold.
    """
    if len(values) >= BULK and _FLOATS.issuperset(map(type, values)):
        joined = orjson.dumps(values)[1:-1].decode() + ","
        # An exponent, or the null that stands for NaN and infinity; and zero has no sign.
        is_common = "e" not in joined and "n" not in joined and "-0.0," not in joined
        if ".0," in joined:
            joined = joined.replace(".0,", ",")
        texts = joined.split(",")
        texts.pop()
        if is_common:
            return [{"N": text} for text in texts]
        return [
            {"N": text if "e" not in text and "n" not in text and value else float_text(value)}
            for text, value in zip(texts, values, strict=True)
        ]
    return [{"N": write_float(value)} for value in values]
