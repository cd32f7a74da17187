"""Errors for a query whose first argument is no comparison of the partition key."""

from __future__ import annotations

from typing import Any, NoReturn

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import AttributePath, Condition, PartitionChoice
from mizzle_async.model import EntitySchema, indexes_of


def shown(argument: object) -> str:
    """Return a condition as text without values, or the type of another argument, whose text may have values."""
    return str(argument) if isinstance(argument, Condition) else type(argument).__name__


def partition_example(schema: EntitySchema) -> str:
    """Return a comparison of the partition key, as a caller of this entity writes it."""
    if schema.shared is None and schema.is_open:
        return "table.partition_key == value"
    if schema.shared is None:
        return f"{schema.entity}.{schema.partition_key.field} == value"
    fields = schema.shared.formats[0].fields
    return ", ".join(f"{schema.entity}.{field} == value" for field in fields) or "table.partition_key == value"


def refuse_first(schema: EntitySchema, condition: Any) -> NoReturn:
    """Raise the error for the first argument of a query, with the line to write.

    Args:
        schema: The schema of the entity that is asked for.
        condition: The argument.

    Raises:
        ExpressionError: Always.
    """
    example = partition_example(schema)
    if isinstance(condition, PartitionChoice):
        raise ExpressionError(
            f"{schema.entity}: this query reads one partition, and {shown(condition)} names several: read one after the"
            f" other, each by `{example}`"
        )
    raise ExpressionError(
        f"{schema.entity}: a query needs `partition key == value` first, such as `{example}`, not {shown(condition)}:"
        f" {_by_index(schema, condition)}other conditions go to .filter(), and .scan() reads everything"
    )


def _by_index(schema: EntitySchema, condition: Any) -> str:
    """Return how an index is queried by an attribute that a condition compares, or nothing where none has it as key."""
    path: Any = getattr(condition, "left", None)
    if schema.is_open or not isinstance(path, AttributePath):
        return ""
    names = [
        index.name
        for index in indexes_of(schema.cls)
        if not index.is_local and path.segments[:1] in {each.segments[:1] for each in index.partition_paths}
    ]
    if not names:
        return ""
    return f"index {names[0]!r} is queried by its own `.partition_key == value`, "


def refuse_further(schema: EntitySchema, condition: Any) -> NoReturn:
    """Raise the error for a further argument of a query that compares no key.

    Args:
        schema: The schema of the entity that is asked for.
        condition: The argument.

    Raises:
        ExpressionError: Always.
    """
    if getattr(condition, "operator", None) == "IN":
        raise ExpressionError(
            f"{schema.entity}: the sort key of a query takes one range, not {shown(condition)}: send one query for each"
            " value, or read each item by its key with .get_many()"
        )
    raise ExpressionError(
        f"{schema.entity}: a query takes comparisons of the key, not {shown(condition)}: other conditions go to"
        " .filter()"
    )
