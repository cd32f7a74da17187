"""A stored value has one type descriptor: one with two would be read as either.

Values are counted many at once: a container whose values have as many descriptors as it has values is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.types import AttributeValue


def single(stored: AttributeValue) -> AttributeValue:
    """Return a stored value.

    Raises:
        Misfit: It has several. Of one that has none, its decoder says what is expected.
    """
    if len(stored) > 1:
        raise Misfit("a value of one type", f"one of {len(stored)}")
    return stored


def single_elements(elements: Sequence[AttributeValue]) -> Sequence[AttributeValue]:
    """Return the elements of a stored list.

    Raises:
        Misfit: One has several type descriptors.
    """
    if sum(map(len, elements)) != len(elements):
        for element in elements:
            single(element)
    return elements


def single_entries(entries: Mapping[str, AttributeValue]) -> Mapping[str, AttributeValue]:
    """Return the entries of a stored map.

    Raises:
        Misfit: One has several type descriptors.
    """
    if sum(map(len, entries.values())) != len(entries):
        for entry in entries.values():
            single(entry)
    return entries


def elements_source(program: Program, payload: str) -> str:
    """Return an expression for the elements of a stored list, which checks them unless they are the program's own."""
    return payload if program.is_own else f"{program.bind(single_elements, 'elements')}({payload})"


def entries_source(program: Program, payload: str) -> str:
    """Return an expression for the entries of a stored map, which checks them as above."""
    return payload if program.is_own else f"{program.bind(single_entries, 'entries')}({payload})"
