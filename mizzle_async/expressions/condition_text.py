"""Conditions as text, in DynamoDB's grammar. The conditions were checked before, see `Checker`."""

from __future__ import annotations

from functools import partial
from typing import Any

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions.composite_keys import expanded
from mizzle_async.expressions.conditions import Condition, Conjunction, Disjunction, Negation, Predicate
from mizzle_async.expressions.operands import Size
from mizzle_async.expressions.raw import Raw
from mizzle_async.expressions.terms import Facet, Place, Term
from mizzle_async.expressions.writer import Writer, value_key
from mizzle_async.types import AttributeValue


def condition_text(writer: Writer, condition: Condition[Any]) -> str:
    """Return the text of a condition."""
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
    if isinstance(condition, Raw):
        return raw_text(writer, condition)
    raise ExpressionError(f"{writer.entity}: {condition!r} is no condition that this version knows")


def raw_text(writer: Writer, expression: Raw) -> str:
    """Return the text of a raw expression, with the placeholders of the request in place of its own."""
    writer.operators += expression.operators
    return expression.written(partial(_placeholder, writer))


def _placeholder(writer: Writer, name: str, argument: Any) -> str:
    return writer.path(argument.segments) if isinstance(argument, Place) else writer.bind_as(argument.value, name)


def _nested(writer: Writer, part: Condition[Any], level: int) -> str:
    """Return a part's text, in parentheses only where precedence needs them: DynamoDB refuses redundant ones."""
    if isinstance(part, Predicate) and part.left.composite:
        part = expanded(part)
    text = condition_text(writer, part)
    return f"({text})" if part.level < level else text


def _predicate_text(writer: Writer, predicate: Predicate[Any]) -> str:
    writer.operators += 1
    operator = predicate.operator
    left = _comparand_text(writer, predicate.left)
    match operator:
        case "attribute_exists" | "attribute_not_exists":
            return f"{operator}({left})"
        case "attribute_type":
            return f"attribute_type({left}, {writer.bind_as({'S': predicate.arguments[0]}, 'type')})"
        case "IN":
            return f"{left} IN ({', '.join(_choices(writer, predicate))})"
        case "BETWEEN":
            low, high = (_argument_text(writer, each, predicate) for each in predicate.arguments)
            return f"{left} BETWEEN {low} AND {high}"
        case "begins_with" | "contains":
            return f"{operator}({left}, {_argument_text(writer, predicate.arguments[0], predicate)})"
        case _:
            return f"{left} {operator} {_argument_text(writer, predicate.arguments[0], predicate)}"


def _comparand_text(writer: Writer, term: Any) -> str:
    if isinstance(term, Size):
        writer.operators += 1
        return f"size({writer.path(term.path.segments)})"
    return writer.path(term.segments)


def _argument_text(writer: Writer, argument: Any, predicate: Predicate[Any]) -> str:
    if isinstance(argument, Term):
        return _comparand_text(writer, argument)
    return writer.bind(_encoded(writer, argument, predicate), _path_of(predicate))


def _encoded(writer: Writer, argument: Any, predicate: Predicate[Any]) -> AttributeValue:
    facet = Facet.NUMBER if isinstance(predicate.left, Size) else Facet.WHOLE
    return writer.operand(argument, _path_of(predicate), facet)


def _path_of(predicate: Predicate[Any]) -> Any:
    left: Any = predicate.left
    return left.path if isinstance(left, Size) else left


def _choices(writer: Writer, predicate: Predicate[Any]) -> list[str]:
    """Write each operand once, values sorted: the caller's may come from a set, which has no order."""
    terms: dict[str, None] = {}
    values: dict[tuple[str, str], AttributeValue] = {}
    for argument in predicate.arguments:
        if isinstance(argument, Term):
            terms[_comparand_text(writer, argument)] = None
        else:
            encoded = _encoded(writer, argument, predicate)
            values[value_key(encoded)] = encoded
    return [*(writer.bind(values[key], _path_of(predicate)) for key in sorted(values)), *terms]
