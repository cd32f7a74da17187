"""The compiler: conditions, clauses and paths become DynamoDB's expression texts, names and values.

Pure and deterministic: the same expressions give the same request, whatever the hash seed. Values are encoded by a function that
the caller hands in; what the service would refuse is refused here, naming the expression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from decimal import Decimal
from typing import Any, Final, TypeAlias

from mizzle_async.errors import ExpressionError, LimitError
from mizzle_async.expressions.conditions import (
    Condition,
    Conjunction,
    Disjunction,
    Negation,
    PartitionKeyCondition,
    Predicate,
    SortKeyCondition,
)
from mizzle_async.expressions.operands import Arithmetic, Comparand, IfNotExists, ListAppend, Operand, Size
from mizzle_async.expressions.overlaps import OverlapCheck
from mizzle_async.expressions.paths import AttributePath
from mizzle_async.expressions.placeholders import Placeholders, binary
from mizzle_async.expressions.terms import Facet, Place, Segments, Term
from mizzle_async.expressions.updates import ClauseKind, UpdateClause, UpdateClauses
from mizzle_async.limits import EXPRESSION_BYTES, EXPRESSION_IN_OPERANDS, EXPRESSION_OPERATORS
from mizzle_async.types import AttributeValue

Encode: TypeAlias = Callable[[Any, AttributePath[Any, Any] | None, Facet], AttributeValue | None]
"""Encodes a raw value for a path; returns None for what is stored as absence (None for an optional, an empty set)."""

COMPARATORS: Final = frozenset({"=", "<>", "<", "<=", ">", ">="})
ORDERED: Final = frozenset({"<", "<=", ">", ">=", "BETWEEN"})
KEY_OPERATORS: Final = frozenset({"=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"})
SET_CODES: Final = frozenset({"SS", "NS", "BS"})
EMPTY_LIST: Final[AttributeValue] = {"L": []}


class Compiler:
    """Compiles the expressions of one request, which share names and values.

    Attributes:
        entity: What the messages call the entity or table.
        names: Placeholder to name, so far.
        values: Placeholder to value, so far.
    """

    __slots__ = ("_encode", "_expression", "_key_names", "_operators", "_placeholders", "entity", "names", "values")

    def __init__(self, encode: Encode, entity: str, *, key_names: Iterable[str] = ()) -> None:
        """Start a request.

        Args:
            encode: Encodes values.
            entity: For messages.
            key_names: Stored names of the table's key attributes, which no update may change.
        """
        self._encode = encode
        self._key_names = key_names
        self._placeholders = Placeholders()
        self._operators = 0
        self._expression = ""
        self.entity = entity
        self.names = self._placeholders.names
        self.values = self._placeholders.values

    # ── the four expressions ──

    def condition(self, condition: Condition[Any], expression: str = "ConditionExpression") -> str:
        """Return the text of a condition.

        Args:
            condition: The tree.
            expression: The request member it is for, for messages: ``ConditionExpression`` or ``FilterExpression``.

        Raises:
            ExpressionError: If DynamoDB would refuse it.
            LimitError: If it is too long or has too many operators.
        """
        self._begin(expression)
        return self._end(self._condition(condition))

    def key_condition(self, partition: Condition[Any], sort: Condition[Any] | None = None) -> str:
        """Return the text of a query's key condition.

        Raises:
            ExpressionError: If a condition is not one of the key it stands for, or they belong to different indexes.
        """
        self._begin("KeyConditionExpression")
        if not isinstance(partition, PartitionKeyCondition):
            raise ExpressionError(
                f"{self.entity}: a query needs `partition key == value` first, not {partition!r}: "
                "other conditions go to .filter()"
            )
        text = self._condition(_expanded(partition))
        if sort is not None:
            if not isinstance(sort, SortKeyCondition):
                raise ExpressionError(
                    f"{self.entity}: a query's second argument is a comparison of the sort key with a value, "
                    f"not {sort!r}: other conditions go to .filter()"
                )
            self._check_same_index(partition, sort)
            text = f"{text} AND {self._condition(_expanded(sort))}"
        return self._end(text)

    def update(self, clauses: UpdateClauses) -> str:
        """Return the text of an update; empty if nothing remains of it, as of ``ADD`` of an empty set.

        Raises:
            ExpressionError: If DynamoDB would refuse it: overlapping paths, a key, a chain of sums.
            LimitError: If it is too long or has too many operators.
        """
        self._begin("UpdateExpression")
        sections: dict[str, list[str]] = {"SET": [], "REMOVE": [], "ADD": [], "DELETE": []}
        check = OverlapCheck(self.entity)
        for clause in clauses.clauses:
            if len(clause.path.segments) == 1 and clause.path.segments[0] in self._key_names:
                raise ExpressionError(
                    f"{clause.path} is a key: an update cannot change it. Write a new item, and delete this one"
                )
            check.add(clause.path)
            compiled = self._clause(clause)
            if compiled is not None:
                section, text = compiled
                sections[section].append(text)
        return self._end(" ".join(f"{section} {', '.join(texts)}" for section, texts in sections.items() if texts))

    def projection(self, paths: Iterable[AttributePath[Any, Any]]) -> str:
        """Return the text that asks for some attributes only.

        Raises:
            ExpressionError: If two paths overlap.
        """
        self._begin("ProjectionExpression")
        check = OverlapCheck(self.entity)
        texts: list[str] = []
        for path in paths:
            check.add(path)
            texts.append(self._path(path.segments))
        return self._end(", ".join(texts))

    def finish(self) -> dict[str, Any]:
        """Return ``ExpressionAttributeNames`` and ``ExpressionAttributeValues``, each only if it has something.

        Raises:
            LimitError: If they are too large.
        """
        self._placeholders.check(self.entity)
        members: dict[str, Any] = {}
        if self.names:
            members["ExpressionAttributeNames"] = self.names
        if self.values:
            members["ExpressionAttributeValues"] = self.values
        return members

    # ── limits ──

    def _begin(self, expression: str) -> None:
        self._expression = expression
        self._operators = 0

    def _end(self, text: str) -> str:
        # Placeholders are ASCII, so characters are bytes.
        if len(text) > EXPRESSION_BYTES:
            raise LimitError(
                f"{self.entity}: the {self._expression} has {len(text):,} bytes; DynamoDB takes {EXPRESSION_BYTES:,}"
            )
        if self._operators > EXPRESSION_OPERATORS:
            raise LimitError(
                f"{self.entity}: the {self._expression} has {self._operators} operators and functions; "
                f"DynamoDB takes {EXPRESSION_OPERATORS}"
            )
        return text

    # ── conditions ──

    def _condition(self, condition: Condition[Any]) -> str:
        if isinstance(condition, Predicate):
            if condition.left.composite:
                return self._condition(_expanded(condition))
            return self._predicate(condition)
        if isinstance(condition, Conjunction | Disjunction):
            self._operators += len(condition.parts) - 1
            connective = " AND " if isinstance(condition, Conjunction) else " OR "
            return connective.join(self._nested(part, condition.level) for part in condition.parts)
        if isinstance(condition, Negation):
            self._operators += 1
            return f"NOT {self._nested(condition.part, condition.level)}"
        raise ExpressionError(
            f"{self.entity}: the {self._expression} is made of conditions such as `Order.status == Status.OPEN`, "
            f"not of {type(condition).__name__}"
        )

    def _nested(self, part: Condition[Any], level: int) -> str:
        """Return a part's text, in parentheses only where precedence needs them: DynamoDB refuses redundant ones."""
        if isinstance(part, Predicate) and part.left.composite:
            part = _expanded(part)
        text = self._condition(part)
        return f"({text})" if part.level < level else text

    def _predicate(self, predicate: Predicate[Any]) -> str:
        self._operators += 1
        operator = predicate.operator
        left = predicate.left
        left_text = self._comparand(left)
        if not predicate.arguments:
            return f"{operator}({left_text})"
        if operator == "attribute_type":
            code = self._placeholders.value({"S": predicate.arguments[0]}, "type")
            return f"attribute_type({left_text}, {code})"
        path, facet = _facet(left, operator)
        if operator in COMPARATORS:
            right, encoded = self._argument(predicate.arguments[0], path, facet, left_text)
            if operator in ORDERED and encoded is not None:
                self._check_ordered(encoded, path, operator)
            return f"{left_text} {operator} {right}"
        if operator == "BETWEEN":
            low, low_encoded = self._argument(predicate.arguments[0], path, facet, left_text)
            high, high_encoded = self._argument(predicate.arguments[1], path, facet, left_text)
            for encoded in (low_encoded, high_encoded):
                if encoded is not None:
                    self._check_ordered(encoded, path, operator)
            if low_encoded is not None and high_encoded is not None:
                self._check_range(low_encoded, high_encoded, path)
            return f"{left_text} BETWEEN {low} AND {high}"
        if operator == "IN":
            return f"{left_text} IN ({', '.join(self._choices(predicate, path, facet, left_text))})"
        argument, encoded = self._argument(predicate.arguments[0], path, facet, left_text)
        if operator == "begins_with" and encoded is not None and not encoded.keys() <= {"S", "B"}:
            raise ExpressionError(f"{path}.begins_with() takes text or bytes")
        return f"{operator}({left_text}, {argument})"

    def _comparand(self, term: Any) -> str:
        if isinstance(term, Size):
            self._operators += 1
            return f"size({self._path(term.path.segments)})"
        if isinstance(term, Place):
            return self._path(term.segments)
        raise ExpressionError(f"{term!r} cannot stand in a condition: DynamoDB computes only in updates")

    def _argument(
        self, argument: Any, path: AttributePath[Any, Any], facet: Facet, left_text: str
    ) -> tuple[str, AttributeValue | None]:
        """Return an argument's text, and its value unless it is a term."""
        if isinstance(argument, Term | Condition):
            if isinstance(argument, Condition) or argument.composite:
                raise ExpressionError(f"{path}: {argument!r} cannot be compared with: it is neither a value nor an attribute")
            text = self._comparand(argument)
            if text == left_text:
                raise ExpressionError(f"{path} is compared with itself: DynamoDB refuses that")
            return text, None
        encoded = self._value(argument, path, facet)
        return self._placeholders.value(encoded, _hint(path)), encoded

    def _choices(
        self, predicate: Predicate[Any], path: AttributePath[Any, Any], facet: Facet, left_text: str
    ) -> Sequence[str]:
        """Return the operands of IN, each once; values sorted, because a set has no order of its own."""
        terms: dict[str, None] = {}
        values: dict[tuple[str, str], AttributeValue] = {}
        for argument in predicate.arguments:
            if isinstance(argument, Term | Condition):
                terms[self._argument(argument, path, facet, left_text)[0]] = None
            else:
                encoded = self._value(argument, path, facet)
                ((code, payload),) = encoded.items()
                values[code, payload if isinstance(payload, str) else repr(payload)] = encoded
        count = len(values) + len(terms)
        if not count:
            raise ExpressionError(f"{path}.is_in() needs at least one value: nothing is in an empty list")
        if count > EXPRESSION_IN_OPERANDS:
            raise LimitError(
                f"{path}.is_in() in the {self._expression} has {count} values; DynamoDB takes {EXPRESSION_IN_OPERANDS}. "
                "Combine several with |"
            )
        return [*(self._placeholders.value(values[key], _hint(path)) for key in sorted(values)), *terms]

    def _check_ordered(self, encoded: AttributeValue, path: AttributePath[Any, Any], operator: str) -> None:
        if not encoded.keys() <= {"S", "N", "B"}:
            raise ExpressionError(
                f"{path}: {operator} orders text, numbers and bytes only, not {next(iter(encoded))}; use == or contains()"
            )

    def _check_range(self, low: AttributeValue, high: AttributeValue, path: AttributePath[Any, Any]) -> None:
        ((low_code, low_payload),) = low.items()
        ((high_code, high_payload),) = high.items()
        if low_code != high_code:
            raise ExpressionError(f"{path}.between() takes two values of one type, not {low_code} and {high_code}")
        if _ordinal(low_code, low_payload) > _ordinal(high_code, high_payload):
            raise ExpressionError(f"{path}.between(low, high): low is greater than high, which DynamoDB refuses")

    def _check_same_index(self, partition: PartitionKeyCondition[Any], sort: SortKeyCondition[Any]) -> None:
        if partition.index is sort.index:
            return
        # A local index has the table's partition key, so that one may be written either way.
        if partition.index is None and sort.index.is_local:
            return
        raise ExpressionError(
            f"{self.entity}: the partition key condition is of {_index_name(partition.index)}, "
            f"the sort key condition of {_index_name(sort.index)}: a query reads one of them"
        )

    # ── updates ──

    def _clause(self, clause: UpdateClause) -> tuple[str, str] | None:
        """Return the section and the text of a clause, or None if it changes nothing."""
        path = clause.path
        target = self._path(path.segments)
        value = clause.value
        match clause.kind:
            case ClauseKind.REMOVE:
                return "REMOVE", target
            case ClauseKind.SET:
                if isinstance(value, Term | Condition):
                    return "SET", f"{target} = {self._assigned(value, path)}"
                encoded = self._encode(value, path, Facet.WHOLE)
                if encoded is None:
                    return "REMOVE", target
                return "SET", f"{target} = {self._placeholders.value(encoded, _hint(path))}"
            case ClauseKind.SET_DEFAULT:
                return "SET", f"{target} = {self._assigned(IfNotExists(path, value), path)}"
            case ClauseKind.APPEND | ClauseKind.PREPEND:
                return "SET", f"{target} = {self._extended(clause, target)}"
            case ClauseKind.ADD:
                return self._added(clause, target)
            case ClauseKind.DISCARD:
                encoded = self._encode(value, path, Facet.WHOLE)
                if encoded is None:
                    return None
                if not encoded.keys() <= SET_CODES:
                    raise ExpressionError(f".discard({path}, …) takes a set of elements, and {path} must be a set")
                return "DELETE", f"{target} {self._placeholders.value(encoded, _hint(path))}"

    def _added(self, clause: UpdateClause, target: str) -> tuple[str, str] | None:
        path = clause.path
        facet = Facet.WHOLE if isinstance(clause.value, Set) else Facet.DELTA
        encoded = self._encode(clause.value, path, facet)
        if encoded is None:
            return None
        if not encoded.keys() <= SET_CODES | {"N"}:
            raise ExpressionError(f".add({path}, …) takes a number or a set: for a list there is .append()")
        return "ADD", f"{target} {self._placeholders.value(encoded, _hint(path))}"

    def _extended(self, clause: UpdateClause, target: str) -> str:
        """Return the list with more at its end or beginning, starting from an empty one where none is stored."""
        self._operators += 2
        path = clause.path
        stored = f"if_not_exists({target}, {self._placeholders.value(EMPTY_LIST, 'empty')})"
        more = self._listed(clause.value, path)
        return f"list_append({stored}, {more})" if clause.kind is ClauseKind.APPEND else f"list_append({more}, {stored})"

    def _assigned(self, operand: Any, path: AttributePath[Any, Any], *, nested: bool = False) -> str:
        """Return the text of what a SET clause assigns."""
        match operand:
            case AttributePath() if not operand.composite:
                return self._path(operand.segments)
            case Arithmetic() if not nested:
                self._operators += 1
                left = self._number(operand.left, path)
                right = self._number(operand.right, path)
                return f"{left} {operand.operator} {right}"
            case IfNotExists():
                self._operators += 1
                stored = self._path(operand.path.segments)
                value = operand.value
                default = (
                    self._assigned(value, path, nested=True)
                    if isinstance(value, Term | Condition)
                    else self._placeholders.value(self._value(value, path, Facet.WHOLE), _hint(path))
                )
                return f"if_not_exists({stored}, {default})"
            case ListAppend() if not nested:
                self._operators += 1
                return f"list_append({self._listed(operand.first, path)}, {self._listed(operand.second, path)})"
            case _:
                raise ExpressionError(
                    f"{path} cannot be set to {operand!r}: SET takes a value, a path, one `+` or `-`, "
                    "`if_not_exists` or `list_append`, and neither chains sums nor computes a size"
                )

    def _number(self, side: Any, path: AttributePath[Any, Any]) -> str:
        if isinstance(side, Term | Condition):
            return self._assigned(side, path, nested=True)
        encoded = self._value(side, path, Facet.DELTA)
        if "N" not in encoded:
            raise ExpressionError(f"{path}: `+` and `-` take numbers")
        return self._placeholders.value(encoded, _hint(path))

    def _listed(self, side: Any, path: AttributePath[Any, Any]) -> str:
        if isinstance(side, Term | Condition):
            return self._assigned(side, path, nested=True)
        if isinstance(side, str | bytes | bytearray | Set | dict) or not isinstance(side, Iterable):
            raise ExpressionError(f"{path} takes a list of elements to append, not {type(side).__name__}")
        encoded = self._value(list(side), path, Facet.WHOLE)
        if "L" not in encoded:
            raise ExpressionError(f"{path} is no list: elements cannot be appended to it")
        return self._placeholders.value(encoded, _hint(path))

    # ── names and values ──

    def _path(self, segments: Segments) -> str:
        name = self._placeholders.name
        if len(segments) == 1:
            return name(segments[0])  # type: ignore[arg-type]  # the first segment is a name
        texts = [f"[{segment}]" if isinstance(segment, int) else f".{name(segment)}" for segment in segments]
        return "".join(texts)[1:]

    def _value(self, raw: Any, path: AttributePath[Any, Any], facet: Facet) -> AttributeValue:
        encoded = self._encode(raw, path, facet)
        if encoded is None:
            raise ExpressionError(
                f"{path}: this value is stored as absence, and absence equals nothing: use .exists() or .not_exists()"
            )
        return encoded


def _facet(left: Term, operator: str) -> tuple[AttributePath[Any, Any], Facet]:
    """Return whose type an argument has, and how it relates to it."""
    if isinstance(left, Size):
        return left.path, Facet.NUMBER  # type: ignore[return-value]  # made by AttributePath.size()
    facet = {"contains": Facet.ELEMENT, "begins_with": Facet.TEXT}.get(operator, Facet.WHOLE)
    return left, facet  # type: ignore[return-value]  # a predicate's left side is a path or a size


def _hint(path: AttributePath[Any, Any]) -> str:
    for segment in reversed(path.segments):
        if isinstance(segment, str):
            return segment
    return ""


def _ordinal(code: str, payload: str) -> Any:
    """Return what DynamoDB orders a value by."""
    if code == "N":
        return Decimal(payload)
    return binary(payload) if code == "B" else payload.encode()


def _index_name(index: Any) -> str:
    return "the table" if index is None else f"index {index.name!r}"


def _expanded(predicate: Predicate[Any]) -> Condition[Any]:
    """Return a predicate on a key of several attributes as predicates on each; any other as it is."""
    if not predicate.left.composite:
        return predicate
    path: Any = predicate.left
    operator = predicate.operator
    if operator not in KEY_OPERATORS:
        raise ExpressionError(f"{path} is a key of several attributes: it takes comparisons with tuples, not {operator}")
    arguments = predicate.arguments
    for argument in arguments:
        if not isinstance(argument, tuple):
            raise ExpressionError(f"{path} is a key of several attributes: compare it with a tuple")
        if not 1 <= len(argument) <= len(path.parts):
            raise ExpressionError(f"{path}: a tuple of {len(argument)} does not fit a key of {len(path.parts)} attributes")
    if isinstance(predicate, PartitionKeyCondition) and len(arguments[0]) != len(path.parts):
        raise ExpressionError(f"{path}: a query needs all {len(path.parts)} attributes of the partition key")
    leading = arguments[0][:-1]
    if any(argument[:-1] != leading for argument in arguments):
        raise ExpressionError(
            f"{path}.between(low, high): all but the last part are compared by equality, so they must be the same in both"
        )
    last = len(leading)
    parts: list[Condition[Any]] = [Predicate("=", part, (value,)) for part, value in zip(path.parts, leading, strict=False)]
    parts.append(Predicate(operator, path.parts[last], tuple(argument[-1] for argument in arguments)))
    return Conjunction(tuple(parts)) if len(parts) > 1 else parts[0]


