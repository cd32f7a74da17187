"""Conditions that the client evaluates itself: who is in a sparse index, and which values a condition fixes."""

from __future__ import annotations

import operator as operators
from collections.abc import Callable, Mapping
from typing import Any, Final

from mizzle_async.errors import ModelError
from mizzle_async.expressions import AttributePath, Condition, Conjunction, Disjunction, Negation, Predicate, Raw
from mizzle_async.expressions.terms import Term

ORDERED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}
COMPARED: Final[Mapping[str, Callable[[Any, tuple[Any, ...]], bool]]] = {
    "=": lambda value, arguments: value == arguments[0],
    "<>": lambda value, arguments: value != arguments[0],
    "IN": lambda value, arguments: value in arguments,
    "BETWEEN": lambda value, arguments: value is not None and arguments[0] <= value <= arguments[1],
    "attribute_exists": lambda value, _: value is not None,
    "attribute_not_exists": lambda value, _: value is None,
}
SUPPORTED: Final = frozenset({*COMPARED, *ORDERED})


def check_where(name: str, condition: Condition[Any]) -> None:
    """Check that the condition of a sparse index can be evaluated by the client.

    Raises:
        ModelError: It is not made of comparisons of attributes with values.
    """
    waiting = [condition]
    while waiting:
        each = waiting.pop()
        waiting.extend(each.inner())
        if isinstance(each, Raw):
            raise ModelError(f"index {name!r}: where= is evaluated by the client, which does not know {each}")
        if not isinstance(each, Predicate):
            continue
        left: Any = each.left
        plain = isinstance(left, AttributePath) and len(left.segments) == 1
        if not plain or each.operator not in SUPPORTED or any(isinstance(value, Term) for value in each.arguments):
            raise ModelError(
                f"index {name!r}: where= takes comparisons of attributes with values, is_in, exists and not_exists, and"
                f" &, | and ~ of them, not {each}"
            )


def fields_of(condition: Condition[Any] | None) -> tuple[str, ...]:
    """Return the attributes that a condition reads, by name in Python."""
    if condition is None:
        return ()
    return tuple(dict.fromkeys(str(place.labels[0]) for place in condition.places()))


def holds(condition: Condition[Any], values: Mapping[str, Any]) -> bool:
    """Return whether a condition is true of values by Python name. None stands for an absent attribute."""
    if isinstance(condition, Conjunction):
        return all(holds(part, values) for part in condition.parts)
    if isinstance(condition, Disjunction):
        return any(holds(part, values) for part in condition.parts)
    if isinstance(condition, Negation):
        return not holds(condition.part, values)
    assert isinstance(condition, Predicate)  # noqa: S101  (there are no other conditions)
    left: Any = condition.left
    return _compares(condition.operator, values[str(left.labels[0])], condition.arguments)


def is_ruled_out(condition: Condition[Any] | None, known: Mapping[str, Any]) -> bool:
    """Return whether known values alone make a condition false."""
    if condition is None:
        return False
    if isinstance(condition, Conjunction):
        return any(is_ruled_out(part, known) for part in condition.parts)
    return all(field in known for field in fields_of(condition)) and not holds(condition, known)


def _compares(operator: str, value: Any, arguments: tuple[Any, ...]) -> bool:
    if operator in ORDERED:
        return value is not None and ORDERED[operator](value, arguments[0])
    return bool(COMPARED[operator](value, arguments))


def fixed_values(condition: Condition[Any] | None) -> dict[str, Any]:
    """Return the values that a condition fixes by equality, by name in Python: those joined by ``&`` only."""
    if isinstance(condition, Conjunction):
        values: dict[str, Any] = {}
        for part in condition.parts:
            values.update(fixed_values(part))
        return values
    if isinstance(condition, Predicate) and condition.operator == "=":
        left: Any = condition.left
        argument = condition.arguments[0]
        if isinstance(left, AttributePath) and len(left.segments) == 1 and not isinstance(argument, Term):
            return {str(left.labels[0]): argument}
    return {}
