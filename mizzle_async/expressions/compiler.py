"""The compiler: conditions, clauses and paths become DynamoDB's expression texts, names and values.

Pure and deterministic: the same expressions give the same request, whatever the hash seed. Values are encoded by a
function that the caller hands in; what the service would refuse is refused here, naming the expression.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

from mizzle_async.errors import ExpressionError, LimitError
from mizzle_async.expressions.condition_text import condition_text
from mizzle_async.expressions.conditions import Condition, PartitionKeyCondition, SortKeyCondition
from mizzle_async.expressions.overlaps import OverlapCheck
from mizzle_async.expressions.paths import AttributePath
from mizzle_async.expressions.update_text import update_text
from mizzle_async.expressions.updates import UpdateClauses
from mizzle_async.expressions.uses import ClauseRules, PathCheck, Use
from mizzle_async.expressions.writer import Encode, Writer
from mizzle_async.limits import EXPRESSION_OPERATORS
from mizzle_async.types import AttributeValue


class Compiler:
    """Compiles the expressions of one request, which share names and values.

    Args:
        encode: Encodes values.
        entity: What the messages call the entity or table.
        key_names: Stored names of the table's key attributes, which no update may change.
        check: Knows what paths can be used for; without one every path can be used for everything.
        rules: Knows which clauses leave a readable item; without them every clause does.

    Attributes:
        names: Placeholder to attribute name, so far.
        values: Placeholder to value, so far.
    """

    __slots__ = ("_key_names", "_writer", "names", "values")

    def __init__(
        self,
        encode: Encode,
        entity: str,
        *,
        key_names: Container[str] = (),
        check: PathCheck | None = None,
        rules: ClauseRules | None = None,
    ) -> None:
        self._writer = writer = Writer(encode, entity, check, rules)
        self._key_names = key_names
        self.names: dict[str, str] = writer.names
        self.values: dict[str, AttributeValue] = writer.values

    def condition(self, condition: Condition[Any], expression: str = "ConditionExpression") -> str:
        """Return the text of a condition.

        Args:
            condition: The tree.
            expression: The request member it is for, for messages: ``ConditionExpression`` or ``FilterExpression``.

        Raises:
            ExpressionError: If DynamoDB would refuse it.
            LimitError: If it is too long or has too many operators.
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
        """Return the text of a query's key condition.

        Raises:
            ExpressionError: If a condition is not one of the key it stands for, or they belong to different indexes.
        """
        writer = self._writer
        writer.begin("KeyConditionExpression")
        if not isinstance(partition, PartitionKeyCondition):
            raise ExpressionError(
                f"{writer.entity}: a query needs `partition key == value` first, not {partition!r}: "
                "other conditions go to .filter()"
            )
        text = condition_text(writer, partition)
        if sort is not None:
            if not isinstance(sort, SortKeyCondition):
                raise ExpressionError(
                    f"{writer.entity}: a query's second argument compares the sort key with a value, not {sort!r}: "
                    "other conditions go to .filter()"
                )
            if sort.index is not partition.index:
                self._check_indexes(partition, sort)
            text = f"{text} AND {condition_text(writer, sort)}"
        return writer.end(text)

    def update(self, clauses: UpdateClauses) -> str:
        """Return the text of an update; empty if nothing remains of it, as of adding an empty set.

        Raises:
            ExpressionError: If DynamoDB would refuse it: overlapping paths, a key, a chain of sums.
            LimitError: If it is too long or has too many operators.
        """
        writer = self._writer
        writer.begin("UpdateExpression")
        return writer.end(update_text(writer, clauses, self._key_names))

    def projection(self, paths: Iterable[AttributePath[Any, Any]]) -> str:
        """Return the text that asks for some attributes only.

        Raises:
            ExpressionError: If two paths overlap, or something else is given.
            LimitError: If it is too long.
        """
        writer = self._writer
        writer.begin("ProjectionExpression")
        overlaps = OverlapCheck()
        texts: list[str] = []
        for path in paths:
            _check_projected(path)
            overlaps.add(path)
            if writer.check is not None:
                writer.check.use(path, Use.READ)
            texts.append(writer.path(path.segments))
        return writer.end(", ".join(texts))

    def finish(self) -> dict[str, Any]:
        """Return ``ExpressionAttributeNames`` and ``ExpressionAttributeValues``, each only if it has something.

        Raises:
            LimitError: If they are too large.
        """
        self._writer.check_substitutions()
        members: dict[str, Any] = {}
        if self.names:
            members["ExpressionAttributeNames"] = self.names
        if self.values:
            members["ExpressionAttributeValues"] = self.values
        return members

    def _check_indexes(self, partition: PartitionKeyCondition[Any], sort: SortKeyCondition[Any]) -> None:
        # A local index has the table's partition key, so that one may be written either way.
        if partition.index is None and sort.index.is_local:
            return
        raise ExpressionError(
            f"{self._writer.entity}: the partition key condition is of {_index_name(partition.index)}, the sort key "
            f"condition of {_index_name(sort.index)}: a query reads one of them"
        )


def _index_name(index: Any) -> str:
    return "the table" if index is None else f"index {index.name!r}"


def _check_projected(path: Any) -> None:
    if not isinstance(path, AttributePath) or path.composite:
        raise ExpressionError(
            f"a projection is made of attributes' paths, such as Order.total, not of {type(path).__name__}"
        )
