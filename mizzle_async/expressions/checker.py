"""The checker: a walk over conditions and clauses that refuses those which the service would refuse, without text.

It runs where an expression is written, so that a mistake shows there. It returns the expression with its values
encoded. The text of a request is made from that once, when the request is shown or sent.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Any, Final, TypeAlias

from mizzle_async.errors import ExpressionError, LimitError
from mizzle_async.expressions.composite_keys import expanded
from mizzle_async.expressions.conditions import (
    Condition,
    Conjunction,
    Disjunction,
    Negation,
    PartitionKeyCondition,
    Predicate,
    SortKeyCondition,
    encoded_predicate,
)
from mizzle_async.expressions.operand_checks import (
    ORDERED,
    CheckContext,
    check_arguments,
    check_comparand,
    check_value,
    checked_raw,
)
from mizzle_async.expressions.operands import Size
from mizzle_async.expressions.overlaps import OverlapCheck
from mizzle_async.expressions.paths import AttributePath
from mizzle_async.expressions.raw import Raw
from mizzle_async.expressions.terms import Encoded, Facet, Term
from mizzle_async.expressions.update_checks import checked_clause, rechecked_clause, use_of_clause
from mizzle_async.expressions.updates import UpdateClause, UpdateClauses
from mizzle_async.expressions.uses import ClauseRules, PathCheck, Use
from mizzle_async.expressions.writer import Encode
from mizzle_async.limits import EXPRESSION_OPERATORS
from mizzle_async.types import AttributeValue

FACETS: Final[dict[str, tuple[Facet, Use]]] = {
    **dict.fromkeys(
        ("=", "<>", "IN", "attribute_exists", "attribute_not_exists", "attribute_type"), (Facet.WHOLE, Use.READ)
    ),
    **dict.fromkeys(("<", "<=", ">", ">=", "BETWEEN"), (Facet.WHOLE, Use.ORDER)),
    "begins_with": (Facet.TEXT, Use.PREFIX),
    "contains": (Facet.ELEMENT, Use.CONTAIN),
}
"""How the arguments of each operator relate to the path, and how it uses the path."""

APPROVABLE: Final = frozenset({"=", "<>", "<", "<=", ">", ">=", "contains"})
"""Operators of one argument: whether a path takes one does not depend on the value. The paths that do are kept."""

APPROVED: Final = 4_096
"""Uses of attributes that are kept."""

TERMS: Final = (Term, Condition)
"""Classes of arguments that stand for something stored, in place of a value."""

NO_VALUES: Final = (*TERMS, Encoded)
"""Classes of arguments that no encoder takes."""

FindWriter: TypeAlias = Callable[[str, Facet], "Callable[[Any], AttributeValue] | None"]
"""Returns the function that encodes an attribute's plain values, or None where a value decides how it is encoded."""


def _no_writer(_name: str, _facet: Facet) -> None:
    return None


class Checker:
    """Checks the expressions of one entity.

    Args:
        encode: Encodes values.
        entity: The name of the entity or table in messages.
        key_names: Stored names of the table's key attributes, which no update may change.
        check: Knows the uses of paths. Without one every path can be used for everything.
        rules: Knows which clauses leave a readable item. Without them every clause does.
        writer: Finds the encoders of attributes, for comparisons whose use was found right before.
    """

    __slots__ = ("_approved", "_context", "_key_names", "_writer")

    def __init__(
        self,
        encode: Encode,
        entity: str,
        *,
        key_names: Container[str] = (),
        check: PathCheck | None = None,
        rules: ClauseRules | None = None,
        writer: FindWriter = _no_writer,
    ) -> None:
        self._context = CheckContext(encode, entity, check, rules)
        self._key_names = key_names
        self._writer = writer
        self._approved: dict[tuple[Any, ...], Callable[[Any], AttributeValue] | None] = {}

    def known(self, condition: Condition[Any]) -> Predicate[Any] | None:
        """Return a comparison of a use that was found right before, with its value encoded. None for all others.

        Nothing but the value is looked at. None is returned too where it does not fit: `condition` says why.
        """
        if not isinstance(condition, Predicate) or len(condition.arguments) != 1:
            return None
        left, operator = condition.left, condition.operator
        (value,) = condition.arguments
        if not isinstance(left, AttributePath) or isinstance(value, NO_VALUES) or len(left.segments) != 1:
            return None
        write = self._approved.get((operator, left.owner, left.segments[0]))
        if write is None:
            return None
        try:
            encoded = write(value)
        except Exception:  # noqa: BLE001  (a value of another kind, or none that fits: see above)
            return None
        if operator in ORDERED:
            check_value(encoded, left, operator)
        return encoded_predicate(type(condition), operator, left, Encoded(encoded))

    def condition(self, condition: Condition[Any], expression: str = "ConditionExpression") -> Condition[Any]:
        """Return a condition with its values encoded.

        Args:
            condition: The tree.
            expression: The request member it is for, for messages: ``ConditionExpression`` or ``FilterExpression``.

        Raises:
            ExpressionError: DynamoDB would refuse it.
            LimitError: It is nested too deeply, or IN has too many operands.
        """
        self._context.expression = expression
        try:
            return self._condition(condition)
        except RecursionError:
            raise LimitError(
                f"{self._context.entity}: the {expression} is nested too deeply; DynamoDB takes {EXPRESSION_OPERATORS} "
                "operators"
            ) from None

    def key_condition(
        self, partition: Condition[Any], sort: Condition[Any] | None = None
    ) -> tuple[Condition[Any], Condition[Any] | None]:
        """Return the parts of a query's key condition, with their values encoded.

        Raises:
            ExpressionError: A condition is not one of the key it stands for, or they belong to different indexes.
        """
        entity = self._context.entity
        self._context.expression = "KeyConditionExpression"
        if not isinstance(partition, PartitionKeyCondition):
            raise ExpressionError(
                f"{entity}: a query needs `partition key == value` first, not {partition!r}: other conditions go to "
                ".filter()"
            )
        if sort is None:
            return self._condition(partition), None
        if not isinstance(sort, SortKeyCondition):
            raise ExpressionError(
                f"{entity}: a query's second argument compares the sort key with a value, not {sort!r}: other "
                "conditions go to .filter()"
            )
        # A local index has the table's partition key, so that one may be written either way.
        if sort.index is not partition.index and not (partition.index is None and sort.index.is_local):
            raise ExpressionError(
                f"{entity}: the partition key condition is of {_index_name(partition.index)}, the sort key condition "
                f"of {_index_name(sort.index)}: a query reads one of them"
            )
        return self._condition(partition), self._condition(sort)

    def update(self, clauses: UpdateClauses) -> UpdateClauses:
        """Return the clauses of an update with their values encoded.

        Raises:
            ExpressionError: DynamoDB would refuse them, or could store an item that no read decodes.
        """
        self._context.expression = "UpdateExpression"
        if len(clauses.clauses) == 1:
            return UpdateClauses((self._clause(clauses.clauses[0]),))
        overlaps = OverlapCheck()
        checked = []
        for clause in clauses.clauses:
            overlaps.add(clause.path)
            checked.append(self._clause(clause))
        return UpdateClauses(tuple(checked))

    def _clause(self, clause: UpdateClause) -> UpdateClause:
        """Return a clause with its values encoded: of a use that was approved before, only the value is looked at."""
        use = use_of_clause(clause)
        if use in self._approved:
            rechecked = rechecked_clause(self._context, clause)
            if rechecked is not None:
                return rechecked
        path = clause.path
        if str(path.segments[0]) in self._key_names:
            raise ExpressionError(f"{path} is a key: an update cannot change it. Write a new item, and delete this one")
        checked = checked_clause(self._context, clause)
        self._approve(use, None)
        return checked

    def _approve(self, use: tuple[Any, ...] | None, write: Callable[[Any], AttributeValue] | None) -> None:
        """Keep the use of an attribute, which was found right. Of names without end only some are kept."""
        if use is not None and len(self._approved) < APPROVED:
            self._approved[use] = write

    def projection(self, paths: Iterable[Any]) -> None:
        """Check the paths of a projection.

        Raises:
            ExpressionError: Two paths overlap, or one is no path.
        """
        overlaps = OverlapCheck()
        for path in paths:
            if not isinstance(path, AttributePath) or path.composite:
                raise ExpressionError(
                    f"a projection is made of attributes' paths, such as Order.total, not of {type(path).__name__}"
                )
            overlaps.add(path)
            self._context.use(path, Use.READ)

    def _condition(self, condition: Condition[Any]) -> Condition[Any]:
        match condition:
            case Predicate():
                return self._condition(expanded(condition)) if condition.left.composite else self._predicate(condition)
            case Conjunction():
                return Conjunction(tuple(map(self._condition, condition.parts)))
            case Disjunction():
                return Disjunction(tuple(map(self._condition, condition.parts)))
            case Negation():
                return Negation(self._condition(condition.part))
            case Raw():
                return checked_raw(self._context, condition)
            case _:
                raise ExpressionError(
                    f"{self._context.entity}: the {self._context.expression} is made of conditions such as "
                    f"`Order.status == Status.OPEN`, not of {type(condition).__name__}"
                )

    def _predicate(self, predicate: Predicate[Any]) -> Predicate[Any]:
        left: Any = predicate.left
        operator, arguments = predicate.operator, predicate.arguments
        facet, use = FACETS[operator]
        known = None
        if operator in APPROVABLE and type(left) is not Size and not isinstance(arguments[0], TERMS):
            segments = left.segments
            known = (operator, left.owner, segments[0]) if len(segments) == 1 else None
            if known in self._approved:
                encoded = self._context.operand(arguments[0], left, facet)
                check_value(encoded, left, operator)
                return encoded_predicate(type(predicate), operator, left, Encoded(encoded))
        check_comparand(self._context, left, use)
        path = left
        if isinstance(left, Size):
            path, facet = left.path, Facet.NUMBER
        checked = type(predicate)(operator, left, check_arguments(self._context, predicate, path, facet))
        self._approve(known, None if known is None else self._writer(known[2], facet))
        return checked


def _index_name(index: Any) -> str:
    return "the table" if index is None else f"index {index.name!r}"
