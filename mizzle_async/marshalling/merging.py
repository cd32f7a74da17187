"""Three-way merges: a change of a value, applied to the value that is stored.

The stored value may hold more than its class declares, at any depth, and entries that other writers added: they are
kept. A merge raises `Overtaken` where another writer changed the same container in a way that it cannot combine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping, Sequence

from mizzle_async.marshalling.path_values import concrete_shape, inner_target, stored_form
from mizzle_async.marshalling.same_values import identity, same_value
from mizzle_async.marshalling.shapes.fields import Field
from mizzle_async.marshalling.shapes.open_values import HookShape
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.types import AttributeValue

SCALAR_TAGS = frozenset({"S", "N", "B", "BOOL", "NULL"})


class Overtaken(Exception):  # noqa: N818  (no caller sees it: the update is built anew, or the conflict is raised)
    """Another writer changed a container that a merge would replace."""


def is_container(value: AttributeValue | None) -> bool:
    """Tell whether a stored value has parts that another writer may change: whether it is a map, a list or a set."""
    return value is not None and SCALAR_TAGS.isdisjoint(value)


def merged(
    target: Field | Shape,
    old: AttributeValue | None,
    new: AttributeValue | None,
    stored: AttributeValue | None,
) -> AttributeValue | None:
    """Return the stored value with the change from old to new applied, None where nothing is to be stored.

    Args:
        target: How the value is stored.
        old: The value as the instance that was read encodes it, None for absence.
        new: Likewise, as it shall be.
        stored: The value that is stored.

    Raises:
        Overtaken: Another writer changed a container that the change replaces.
    """
    if same_value(old, new):
        return stored
    if not is_container(old) and not is_container(new):
        return new
    if old is not None and new is not None and stored is not None and old.keys() == new.keys() == stored.keys():
        shapes = [concrete_shape(target, value) for value in (old, new, stored)]
        shape = shapes[0]
        if shape is not None and all(each is shape for each in shapes) and not isinstance(shape, HookShape):
            if "M" in stored:
                return _merged_map(shape, old["M"], new["M"], stored["M"])
            if "L" in stored:
                check_unchanged(target, old, stored)
                return {"L": _merged_list(shape, old["L"], new["L"], stored["L"])}
    check_unchanged(target, old, stored)
    return new


def check_unchanged(target: Field | Shape, old: AttributeValue | None, stored: AttributeValue | None) -> None:
    """Check that a stored value is the one that was read, in any form.

    Raises:
        Overtaken: Another writer changed it.
    """
    try:
        unchanged = same_value(stored_form(target, stored), old)
    except Misfit:
        unchanged = False
    if not unchanged:
        raise Overtaken


def _merged_map(
    shape: Shape,
    old: Mapping[str, AttributeValue],
    new: Mapping[str, AttributeValue],
    stored: Mapping[str, AttributeValue],
) -> AttributeValue:
    entries: dict[str, AttributeValue] = {}
    for name in dict.fromkeys((*stored, *new)):
        value = merged(inner_target(shape, name), old.get(name), new.get(name), stored.get(name))
        if value is not None:
            entries[name] = value
    return {"M": entries}


def _merged_list(
    shape: Shape, old: Sequence[AttributeValue], new: Sequence[AttributeValue], stored: Sequence[AttributeValue]
) -> list[AttributeValue]:
    """Return the new elements, each with the undeclared members of the stored element that it comes from."""
    elements: list[AttributeValue] = []
    for position, (value, source) in enumerate(zip(new, _sources(old, new), strict=True)):
        if source is None:
            elements.append(value)
        else:
            element = merged(inner_target(shape, position), old[source], value, stored[source])
            elements.append(value if element is None else element)
    return elements


def _sources(old: Sequence[AttributeValue], new: Sequence[AttributeValue]) -> list[int | None]:
    """Return the old position that each new element comes from, None for one that is new.

    An element comes from an old one that equals it, from the one at its own position first. One that equals none comes
    from the old element at its own position, if no other element does.
    """
    positions: dict[Hashable, deque[int]] = {}
    for position, value in enumerate(old):
        positions.setdefault(identity(value), deque()).append(position)
    sources: list[int | None] = [None] * len(new)
    moved: list[int] = []
    identities = list(map(identity, new))
    for position, each in enumerate(identities):
        equal = positions.get(each)
        if equal and position in equal:
            equal.remove(position)
            sources[position] = position
        else:
            moved.append(position)
    for position in moved:
        equal = positions.get(identities[position])
        sources[position] = equal.popleft() if equal else None
    taken = {source for source in sources if source is not None}
    for position in moved:
        if sources[position] is None and position < len(old) and position not in taken:
            sources[position] = position
    return sources
