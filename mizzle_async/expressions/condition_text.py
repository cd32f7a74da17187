"""Conditions as text, in DynamoDB's grammar.

What the service would refuse at any value of the item is refused here, naming the path.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

from mizzle_async.errors import ExpressionError, LimitError
from mizzle_async.expressions.composite_keys import expanded
from mizzle_async.expressions.conditions import Condition, Conjunction, Disjunction, Negation, Predicate
from mizzle_async.expressions.operands import Size
from mizzle_async.expressions.terms import Facet, Place, Term
from mizzle_async.expressions.uses import Use
from mizzle_async.expressions.writer import Writer
from mizzle_async.limits import EXPRESSION_IN_OPERANDS
from mizzle_async.types import AttributeValue

WritePredicate: TypeAlias = Callable[[Writer, Predicate[Any], str, Any, Facet], str]


def condition_text(writer: Writer, condition: Condition[Any]) -> str:
    """Return the text of a condition.

    Raises:
        ExpressionError: If DynamoDB would refuse it.
        LimitError: If IN has too many operands.
    """
    if isinstance(condition, Predicate):
        if condition.left.composite:
            return condition_text(writer, expanded(condition))
        return _predicate_text(writer, condition)
    if isinstance(condition, Conjunction):
        writer.operators += len(condition.parts) - 1
        return " AND ".join([_nested(writer, part, condition.level) for part in condition.parts])
    if isinstance(condition, Disjunction):
        writer.operators += len(condition.parts) - 1
        return " OR ".join([_nested(writer, part, condition.level) for part in condition.parts])
    if isinstance(condition, Negation):
        writer.operators += 1
        return f"NOT {_nested(writer, condition.part, condition.level)}"
    raise ExpressionError(
        f"{writer.entity}: the {writer.expression} is made of conditions such as `Order.status == Status.OPEN`, "
        f"not of {type(condition).__name__}"
    )


def _nested(writer: Writer, part: Condition[Any], level: int) -> str:
    """Return a part's text, in parentheses only where precedence needs them: DynamoDB refuses redundant ones."""
    if isinstance(part, Predicate) and part.left.composite:
        part = expanded(part)
    text = condition_text(writer, part)
    return f"({text})" if part.level < level else text


def _predicate_text(writer: Writer, predicate: Predicate[Any]) -> str:
    writer.operators += 1
    left = predicate.left
    operator = predicate.operator
    write, facet, use = _WRITERS[operator]
    if isinstance(left, Size):
        return write(writer, predicate, _comparand_text(writer, left, use), left.path, Facet.NUMBER)
    return write(writer, predicate, _comparand_text(writer, left, use), left, facet)


def _comparand_text(writer: Writer, term: Any, use: Use) -> str:
    if isinstance(term, Place):
        if writer.check is not None:
            writer.check.use(term, use)
        return writer.path(term.segments)
    if isinstance(term, Size):
        writer.operators += 1
        if writer.check is not None:
            writer.check.use(term.path, Use.SIZE)
        return f"size({writer.path(term.path.segments)})"
    raise ExpressionError(f"{term!r} cannot stand in a condition: DynamoDB computes in updates only")


def _argument(
    writer: Writer, argument: Any, left_text: str, path: Any, facet: Facet
) -> tuple[str, AttributeValue | None]:
    """Return an argument's text, and its value unless it is a term."""
    if isinstance(argument, Term | Condition):
        if isinstance(argument, Condition) or argument.composite:
            raise ExpressionError(
                f"{path} cannot be compared with {argument!r}: it is neither a value nor an attribute"
            )
        text = _comparand_text(writer, argument, Use.READ)
        if text == left_text:
            raise ExpressionError(f"{path} is compared with itself, which DynamoDB refuses")
        if writer.check is not None and facet is Facet.WHOLE and isinstance(argument, Place):
            writer.check.compare(path, argument)
        if writer.rules is not None and facet is Facet.WHOLE and isinstance(argument, Place):
            writer.rules.meet(path, argument)
        return text, None
    encoded = writer.operand(argument, path, facet)
    return writer.bind(encoded, path), encoded


def _equality(writer: Writer, predicate: Predicate[Any], left: str, path: Any, facet: Facet) -> str:
    right, _ = _argument(writer, predicate.arguments[0], left, path, facet)
    return f"{left} {predicate.operator} {right}"


def _inequality(writer: Writer, predicate: Predicate[Any], left: str, path: Any, facet: Facet) -> str:
    right, encoded = _argument(writer, predicate.arguments[0], left, path, facet)
    _check_ordered(encoded, path, predicate.operator)
    return f"{left} {predicate.operator} {right}"


def _between(writer: Writer, predicate: Predicate[Any], left: str, path: Any, facet: Facet) -> str:
    low, low_value = _argument(writer, predicate.arguments[0], left, path, facet)
    high, high_value = _argument(writer, predicate.arguments[1], left, path, facet)
    _check_ordered(low_value, path, "between()")
    _check_ordered(high_value, path, "between()")
    if low_value is not None and high_value is not None:
        _check_range(low_value, high_value, path)
    return f"{left} BETWEEN {low} AND {high}"


def _membership(writer: Writer, predicate: Predicate[Any], left: str, path: Any, facet: Facet) -> str:
    """Write IN with each operand once, values sorted: the caller's may come from a set, which has no order."""
    terms: dict[str, None] = {}
    values: dict[tuple[str, str], AttributeValue] = {}
    for argument in predicate.arguments:
        if isinstance(argument, Term | Condition):
            terms[_argument(writer, argument, left, path, facet)[0]] = None
        else:
            encoded = writer.operand(argument, path, facet)
            ((code, payload),) = encoded.items()
            values[code, payload if isinstance(payload, str) else repr(payload)] = encoded
    count = len(values) + len(terms)
    if not count:
        raise ExpressionError(f"{path}.is_in() needs at least one value: nothing is in an empty list")
    if count > EXPRESSION_IN_OPERANDS:
        raise LimitError(
            f"{path}.is_in() in the {writer.expression} has {count} values; DynamoDB takes {EXPRESSION_IN_OPERANDS}: "
            "combine several with |"
        )
    choices = [*(writer.bind(values[key], path) for key in sorted(values)), *terms]
    return f"{left} IN ({', '.join(choices)})"


def _existence(writer: Writer, predicate: Predicate[Any], left: str, path: Any, facet: Facet) -> str:
    del writer, path, facet
    return f"{predicate.operator}({left})"


def _attribute_type(writer: Writer, predicate: Predicate[Any], left: str, path: Any, facet: Facet) -> str:
    del path, facet
    return f"attribute_type({left}, {writer.bind_as({'S': predicate.arguments[0]}, 'type')})"


def _function(writer: Writer, predicate: Predicate[Any], left: str, path: Any, facet: Facet) -> str:
    argument, encoded = _argument(writer, predicate.arguments[0], left, path, facet)
    if facet is Facet.TEXT and encoded is not None and not encoded.keys() <= {"S", "B"}:
        raise ExpressionError(f"{path}.begins_with() takes text or bytes")
    return f"{predicate.operator}({left}, {argument})"


_WRITERS: Final[Mapping[str, tuple[WritePredicate, Facet, Use]]] = {
    "=": (_equality, Facet.WHOLE, Use.READ),
    "<>": (_equality, Facet.WHOLE, Use.READ),
    "<": (_inequality, Facet.WHOLE, Use.ORDER),
    "<=": (_inequality, Facet.WHOLE, Use.ORDER),
    ">": (_inequality, Facet.WHOLE, Use.ORDER),
    ">=": (_inequality, Facet.WHOLE, Use.ORDER),
    "BETWEEN": (_between, Facet.WHOLE, Use.ORDER),
    "IN": (_membership, Facet.WHOLE, Use.READ),
    "attribute_exists": (_existence, Facet.WHOLE, Use.READ),
    "attribute_not_exists": (_existence, Facet.WHOLE, Use.READ),
    "attribute_type": (_attribute_type, Facet.WHOLE, Use.READ),
    "begins_with": (_function, Facet.TEXT, Use.PREFIX),
    "contains": (_function, Facet.ELEMENT, Use.CONTAIN),
}


def _check_ordered(encoded: AttributeValue | None, path: Any, operator: str) -> None:
    if encoded is not None and not encoded.keys() <= {"S", "N", "B"}:
        raise ExpressionError(
            f"{path}: {operator} orders text, numbers and bytes, not {next(iter(encoded))}; use == or contains()"
        )


def _check_range(low: AttributeValue, high: AttributeValue, path: Any) -> None:
    ((low_code, low_payload),) = low.items()
    ((high_code, high_payload),) = high.items()
    if low_code != high_code:
        raise ExpressionError(f"{path}.between() takes two values of one type, not {low_code} and {high_code}")
    if _ordinal(low_code, low_payload) > _ordinal(high_code, high_payload):
        raise ExpressionError(f"{path}.between(low, high): low is greater than high, which DynamoDB refuses")


def _ordinal(code: str, payload: str) -> Any:
    """Return what DynamoDB orders a value by."""
    if code == "N":
        return Decimal(payload)
    return b64decode(payload) if code == "B" else payload.encode()
