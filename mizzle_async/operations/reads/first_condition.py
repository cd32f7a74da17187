"""Errors for a query whose first argument is no comparison of the partition key."""

from __future__ import annotations

from typing import Any, NoReturn

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import Condition, PartitionChoice
from mizzle_async.model import EntitySchema


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
        " other conditions go to .filter(), and .scan() reads everything"
    )


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
