"""Keys of several attributes: a comparison with a tuple is a comparison of each part.

All but the last part given are compared by equality, the last one by the operator: DynamoDB's rule, and not the order
of tuples.
"""

from __future__ import annotations

from typing import Any, Final

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions.conditions import Condition, Conjunction, PartitionKeyCondition, Predicate

KEY_OPERATORS: Final = frozenset({"=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"})
"""How a key can be compared in a query."""


def expanded(predicate: Predicate[Any]) -> Condition[Any]:
    """Return a predicate on a key of several attributes as predicates on each.

    Raises:
        ExpressionError: If it is not compared with tuples that fit.
    """
    path: Any = predicate.left
    operator = predicate.operator
    arguments = predicate.arguments
    parts = path.parts
    if operator not in KEY_OPERATORS:
        raise ExpressionError(
            f"{path} is a key of several attributes: it takes comparisons with tuples, not {operator}"
        )
    for argument in arguments:
        if not isinstance(argument, tuple):
            raise ExpressionError(f"{path} is a key of several attributes: compare it with a tuple")
        if not 1 <= len(argument) <= len(parts):
            raise ExpressionError(f"{path}: a tuple of {len(argument)} does not fit a key of {len(parts)} attributes")
    if isinstance(predicate, PartitionKeyCondition) and len(arguments[0]) != len(parts):
        raise ExpressionError(f"{path}: a query needs all {len(parts)} attributes of the partition key")
    leading = arguments[0][:-1]
    if any(argument[:-1] != leading for argument in arguments):
        raise ExpressionError(
            f"{path}.between(low, high): all but the last part are compared by equality, "
            "so they must be the same in both"
        )
    conditions: list[Condition[Any]] = [
        Predicate("=", part, (value,)) for part, value in zip(parts, leading, strict=False)
    ]
    conditions.append(Predicate(operator, parts[len(leading)], tuple(argument[-1] for argument in arguments)))
    return Conjunction(tuple(conditions)) if len(conditions) > 1 else conditions[0]
