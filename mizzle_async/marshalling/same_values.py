"""Equality of stored values as the service sees it: numbers by value, sets without order."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from mizzle_async.model.scalars.numbers import canonical_number
from mizzle_async.types import AttributeValue

SET_TAGS = frozenset({"SS", "NS", "BS"})


def same_value(first: AttributeValue | None, second: AttributeValue | None) -> bool:
    """Tell whether two stored values are the same to the service. None is absence."""
    if first == second:
        return True
    if first is None or second is None or first.keys() != second.keys():
        return False
    ((tag, one),) = first.items()
    return _same_payload(tag, one, second[tag])


def _same_payload(tag: str, one: Any, two: Any) -> bool:
    if tag == "N":
        return canonical_number(one) == canonical_number(two)
    if tag in SET_TAGS:
        return set_elements({tag: one}, tag).keys() == set_elements({tag: two}, tag).keys()
    if tag == "L":
        return len(one) == len(two) and all(map(same_value, one, two))
    return tag == "M" and one.keys() == two.keys() and all(same_value(one[name], two[name]) for name in one)


def set_elements(value: AttributeValue | None, tag: str) -> dict[str, str]:
    """Return a set's elements as they are stored, each under the text that identifies it.

    Args:
        value: The set, or None for an empty one.
        tag: ``SS``, ``NS`` or ``BS``.
    """
    payload: list[str] = [] if value is None else value[tag]
    return {canonical_number(element) if tag == "NS" else element: element for element in payload}


def identity(value: AttributeValue) -> Hashable:
    """Return the identity of a stored value: equal for two exactly when they are the same to the service."""
    ((tag, payload),) = value.items()
    if tag == "N":
        return tag, canonical_number(payload)
    if tag in SET_TAGS:
        return tag, frozenset(set_elements(value, tag))
    if tag == "L":
        return tag, tuple(map(identity, payload))
    if tag == "M":
        return tag, frozenset((name, identity(inner)) for name, inner in payload.items())
    return tag, payload
