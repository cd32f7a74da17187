"""Conditions in the shell: ``--filter PATH OPERATOR VALUE``, ``--where``, and comparisons of a sort key."""

from __future__ import annotations

import re
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

SIZE_OPERATORS: Final = (*(name for name in COMPARISONS if name != "begins-with"), "between", "in")
"""Operators of the size of an attribute."""

NEGATED: Final = tuple(f"not-{name}" for name in ("begins-with", "contains", "between", "in"))
SIZE: Final = re.compile(r"size\((?P<path>.+)\)")

FILTER_HELP: Final = (
    "Only items of which this is true; may be given again. Operators: eq ne lt le gt ge, or = != '<' '<=' '>' '>=' in"
    f" quotes, {' '.join(name for name in OPERATORS if name.isalpha() or '-' in name)}, {' '.join(NEGATED)}. Between"
    " and in take JSON arrays, exists takes true or false, type a type such as N. A path can be 'size(PATH)'. Where no"
    " type is declared, a value is JSON if it can be: '\"5\"' is the text 5."
)


def filter_condition(
    opened: Opened, path: str, operator: str, text: str, *, handle: Table[Any] | None = None
) -> Condition[Any]:
    """Return the condition of three words.

    Args:
        opened: The table.
        path: The path of the attribute, or ``size(path)``.
        operator: The operator.
        text: The value.
        handle: The handle whose condition it is, or None for the one with items as dicts.

    Raises:
        click.UsageError: If they are no condition.
        MarshallingError: If the value does not fit the attribute.
    """
    operator = WORDS.get(operator, operator)
    if operator in NEGATED:
        return ~filter_condition(opened, path, operator.removeprefix("not-"), text, handle=handle)
    size = SIZE.fullmatch(path)
    if size is not None:
        if operator not in SIZE_OPERATORS:
            raise click.UsageError(f"a size takes no {operator}: use one of {' '.join(SIZE_OPERATORS)}")
        place, _ = place_of(opened, size["path"], handle)
        values = _numbers(text, many=operator in {"between", "in"})
        return condition_of(place.size(), operator, [*values])
    place, segments = place_of(opened, path, handle)
    match operator:
        case "between" | "in":
            return condition_of(place, operator, [*_values(opened, text, segments)])
        case "exists":
            if text not in {"true", "false"}:
                raise click.UsageError(f"{path} exists takes true or false")
            return condition_of(place, "exists" if text == "true" else "missing", [])
        case "type":
            return condition_of(place, operator, [text])
        case _:
            is_element = operator == "contains"
            return condition_of(place, operator, [StoredValue(opened.value(text, segments, of_element=is_element))])


def place_of(
    opened: Opened, path: str, handle: Table[Any] | None = None
) -> tuple[AttributePath[Any, Any], tuple[str | int, ...]]:
    """Return the path of an attribute, whose comparisons are filters also for a key attribute, and its segments.

    Raises:
        click.UsageError: If it is not a path.
    """
    try:
        first, *inside = parse_path(path)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    name = opened.stored_name(str(first))
    found = (handle or opened.table).attribute(name, *inside)
    return AttributePath[Any, Any](found.owner, found.segments), (name, *inside)


def condition_of(place: Any, operator: str, values: list[Any]) -> Condition[Any]:
    """Return the condition of an operator.

    Args:
        place: A path, or the size of one.
        operator: The operator, as a sign or a word.
        values: Its values.

    Raises:
        click.UsageError: If there is no such operator, or it takes other values.
    """
    made: Condition[Any]
    if operator in COMPARISONS:
        made = COMPARISONS[operator](place, values[0])
        return made
    match operator:
        case "contains":
            made = place.contains(values[0])
        case "between":
            if len(values) != 2:  # noqa: PLR2004  (both ends)
                raise click.UsageError("between takes a JSON array of two values, such as '[1, 5]'")
            made = place.between(*values)
        case "in":
            made = place.is_in(values)
        case "exists":
            made = place.exists()
        case "missing":
            made = place.not_exists()
        case "type":
            if values[0] not in TYPE_CODES:
                raise click.UsageError(f"type takes one of {' '.join(TYPE_CODES)}, not {values[0]!r}")
            made = place.attribute_type(values[0])
        case _:
            words = " ".join(name for name in (*OPERATORS, *NEGATED) if name[0].isalpha())
            raise click.UsageError(
                f"{operator!r} is not an operator: use one of eq ne lt le gt ge {words}, or = != < <= > >="
            )
    return made


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
        values = _values(opened, text, path.segments)
        if len(values) != 2:  # noqa: PLR2004  (both ends)
            raise click.UsageError("between takes a JSON array of two values, such as '[1, 5]'")
        return path.between(*values)
    if operator not in SORT_OPERATORS:
        raise click.UsageError(f"{operator!r} does not compare a sort key: use one of {' '.join(SORT_OPERATORS)}")
    compared = COMPARISONS[operator](path, StoredValue(opened.value(text, path.segments)))
    return cast("SortKeyCondition[Any]", compared)


def _values(opened: Opened, text: str, segments: tuple[str | int, ...]) -> list[StoredValue]:
    return [StoredValue(value_at(opened, value, segments)) for value in _array(text)]


def _array(text: str) -> list[Any]:
    try:
        values = parse_json(text)
    except ValueError:
        values = None
    if not isinstance(values, list):
        raise click.UsageError("this operator takes a JSON array of values, such as '[1, 5]'")
    return values


def _numbers(text: str, *, many: bool) -> list[int]:
    """Return the numbers that a size is compared with."""
    try:
        values = _array(text) if many else [parse_json(text)]
    except ValueError:
        values = [None]
    return [size_number(value) for value in values]


def size_number(value: Any) -> int:
    """Return a value as the number of a size.

    Raises:
        click.UsageError: If it is no whole number.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise click.UsageError("a size is a whole number: of characters, bytes, or elements")
    return value


def value_at(opened: Opened, value: Any, segments: tuple[str | int, ...], *, of_element: bool = False) -> Any:
    """Return the stored form of a value of JSON at a path, in the type that is declared there.

    Raises:
        MarshallingError: If it does not fit.
    """
    stored = encode_any(value)
    text = cell(stored)
    declared = opened.model is not None or (len(segments) == 1 and segments[0] in opened.description.attribute_types)
    if not declared:
        return stored
    try:
        return opened.value(text, segments, of_element=of_element)
    except MarshallingError as error:
        raise MarshallingError(f"{error.message}, in the array", path=error.path) from None
