"""The compiler: conditions, clauses and paths become DynamoDB's expression texts, names and values.

Pure and deterministic: the same expressions give the same request with every hash seed. It writes expressions that a
`Checker` has checked. Values that are not encoded yet are encoded by a function that the caller hands in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mizzle_async.errors import LimitError
from mizzle_async.expressions.condition_text import condition_text
from mizzle_async.expressions.conditions import Condition
from mizzle_async.expressions.paths import AttributePath
from mizzle_async.expressions.update_text import update_text
from mizzle_async.expressions.updates import UpdateClauses
from mizzle_async.expressions.writer import Encode, Writer
from mizzle_async.limits import EXPRESSION_OPERATORS
from mizzle_async.types import AttributeValue


class Compiler:
    """Writes the expressions of one request, which share names and values.

    Args:
        encode: Encodes values.
        entity: The name of the entity or table in messages.

    Attributes:
        names: Placeholder to attribute name, so far.
        values: Placeholder to value, so far.
    """

    __slots__ = ("_writer", "names", "values")

    def __init__(self, encode: Encode, entity: str) -> None:
        self._writer = writer = Writer(encode, entity)
        self.names: dict[str, str] = writer.names
        self.values: dict[str, AttributeValue] = writer.values

    def condition(self, condition: Condition[Any], expression: str = "ConditionExpression") -> str:
        """Return the text of a condition.

        Args:
            condition: The tree.
            expression: The request member it is for, for messages: ``ConditionExpression`` or ``FilterExpression``.

        Raises:
            LimitError: It is too long or has too many operators.
        """
        writer = self._writer
        writer.begin(expression)
        try:
            text = condition_text(writer, condition)
        except RecursionError:
            raise LimitError(
                f"{writer.entity}: the {expression} is nested too deeply; "
                f"DynamoDB takes {EXPRESSION_OPERATORS} operators"
            ) from None
        return writer.end(text)

    def key_condition(self, partition: Condition[Any], sort: Condition[Any] | None = None) -> str:
        """Return the text of a query's key condition."""
        writer = self._writer
        writer.begin("KeyConditionExpression")
        text = condition_text(writer, partition)
        if sort is not None:
            text = f"{text} AND {condition_text(writer, sort)}"
        return writer.end(text)

    def update(self, clauses: UpdateClauses) -> str:
        """Return the text of an update, empty if nothing remains of it, as of adding an empty set.

        Raises:
            ExpressionError: Two clauses overlap.
            LimitError: It is too long or has too many operators.
        """
        writer = self._writer
        writer.begin("UpdateExpression")
        return writer.end(update_text(writer, clauses))

    def projection(self, paths: Iterable[AttributePath[Any, Any]]) -> str:
        """Return the text that asks for some attributes only.

        Raises:
            LimitError: It is too long.
        """
        writer = self._writer
        writer.begin("ProjectionExpression")
        return writer.end(", ".join([writer.path(path.segments) for path in paths]))

    def finish(self) -> dict[str, Any]:
        """Return ``ExpressionAttributeNames`` and ``ExpressionAttributeValues``, each only if it has something.

        Raises:
            LimitError: They are too large.
        """
        self._writer.check_substitutions()
        members: dict[str, Any] = {}
        if self.names:
            members["ExpressionAttributeNames"] = self.names
        if self.values:
            members["ExpressionAttributeValues"] = self.values
        return members
