"""Conditions in the shell: ``--filter PATH OPERATOR VALUE``, and comparisons of a sort key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, cast

import click

from mizzle_async.cli.handles import Opened
from mizzle_async.cli.values import cell, parse_path
from mizzle_async.errors import MarshallingError
from mizzle_async.expressions import AttributePath, Condition, SortKeyCondition, SortKeyPath
from mizzle_async.expressions.paths import TYPE_CODES
from mizzle_async.handles.table import Table
from mizzle_async.marshalling import StoredValue, encode_any, parse_json

COMPARISONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "=": lambda path, value: path == value,
    "!=": lambda path, value: path != value,
    "<": lambda path, value: path < value,
    "<=": lambda path, value: path <= value,
    ">": lambda path, value: path > value,
    ">=": lambda path, value: path >= value,
    "begins-with": lambda path, value: path.begins_with(value),
}

WORDS: Final = {"eq": "=", "==": "=", "ne": "!=", "<>": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
"""Operators in words, which a shell does not take for a redirection, and other signs."""

SORT_OPERATORS: Final = (*(name for name in COMPARISONS if name != "!="), "between")
OPERATORS: Final = (*COMPARISONS, "contains", "between", "in", "exists", "type")
"""Every operator of a filter."""

FILTER_HELP: Final = (
    f"Only items of which this is true; may be given again. Operators: {' '.join(OPERATORS)}. Between and in take"
    " JSON arrays, exists takes true or false, type a type such as N. Where no type is declared, a value is JSON if it"
    " can be: '\"5\"' is the text 5."
)


def filter_condition(
    opened: Opened, path: str, operator: str, text: str, *, handle: Table[Any] | None = None
) -> Condition[Any]:
    """Return the condition of three words.

    Args:
        opened: The table.
        path: The path of the attribute.
        operator: The operator.
        text: The value.
        handle: The handle whose condition it is, or None for the one with items as dicts.

    Raises:
        click.UsageError: If they are no condition.
        MarshallingError: If the value does not fit the attribute.
    """
    try:
        first, *inside = parse_path(path)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    name = opened.stored_name(str(first))
    segments = (name, *inside)
    place: Any = _plain((handle or opened.table).attribute(name, *inside))
    made: Condition[Any]
    operator = WORDS.get(operator, operator)
    if operator in COMPARISONS:
        made = COMPARISONS[operator](place, StoredValue(opened.value(text, segments)))
        return made
    match operator:
        case "contains":
            made = place.contains(StoredValue(opened.value(text, segments, of_element=True)))
        case "between":
            made = place.between(*_pair(opened, text, segments))
        case "in":
            made = place.is_in(_values(opened, text, segments))
        case "exists":
            if text not in {"true", "false"}:
                raise click.UsageError(f"{path} exists takes true or false")
            made = place.exists() if text == "true" else place.not_exists()
        case "type":
            if text not in TYPE_CODES:
                raise click.UsageError(f"{path} type takes one of {' '.join(TYPE_CODES)}")
            made = place.attribute_type(text)
        case _:
            raise click.UsageError(f"{operator!r} is not an operator: use one of {' '.join(OPERATORS)}")
    return made


def _plain(path: AttributePath[Any, Any]) -> AttributePath[Any, Any]:
    """Return a path whose comparisons are filters, also for a key attribute."""
    return AttributePath[Any, Any](path.owner, path.segments)


def filter_conditions(opened: Opened, filters: Iterable[tuple[str, str, str]]) -> list[Condition[Any]]:
    """Return the conditions of every ``--filter``."""
    return [filter_condition(opened, *words) for words in filters]


def sort_condition(opened: Opened, path: SortKeyPath[Any, Any], operator: str, text: str) -> SortKeyCondition[Any]:
    """Return the condition on a sort key of two words.

    Raises:
        click.UsageError: If they are no condition.
        MarshallingError: If the value does not fit the attribute.
    """
    operator = WORDS.get(operator, operator)
    if operator == "between":
        low, high = _pair(opened, text, path.segments)
        return path.between(low, high)
    if operator not in SORT_OPERATORS:
        raise click.UsageError(f"{operator!r} does not compare a sort key: use one of {' '.join(SORT_OPERATORS)}")
    compared = COMPARISONS[operator](path, StoredValue(opened.value(text, path.segments)))
    return cast("SortKeyCondition[Any]", compared)


def _pair(opened: Opened, text: str, segments: tuple[str | int, ...]) -> tuple[StoredValue, StoredValue]:
    values = _values(opened, text, segments)
    if len(values) != 2:  # noqa: PLR2004  (both ends)
        raise click.UsageError("between takes a JSON array of two values, such as '[1, 5]'")
    return values[0], values[1]


def _values(opened: Opened, text: str, segments: tuple[str | int, ...]) -> list[StoredValue]:
    try:
        values = parse_json(text)
    except ValueError:
        values = None
    if not isinstance(values, list):
        raise click.UsageError("this operator takes a JSON array of values, such as '[1, 5]'")
    return [StoredValue(_one(opened, value, segments)) for value in values]


def _one(opened: Opened, value: Any, segments: tuple[str | int, ...]) -> Any:
    stored = encode_any(value)
    text = cell(stored)
    declared = opened.model is not None or (len(segments) == 1 and segments[0] in opened.description.attribute_types)
    if not declared:
        return stored
    try:
        return opened.value(text, segments)
    except MarshallingError as error:
        raise MarshallingError(f"{error.message}, in the array", path=error.path) from None
