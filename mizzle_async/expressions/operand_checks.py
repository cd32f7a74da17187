"""Checks of the terms and arguments of conditions. Arguments come out encoded."""

from __future__ import annotations

from base64 import b64decode
from decimal import Decimal
from typing import Any, Final

from mizzle_async.errors import ExpressionError, LimitError
from mizzle_async.expressions.conditions import Condition, Predicate
from mizzle_async.expressions.operands import Size
from mizzle_async.expressions.raw import Raw
from mizzle_async.expressions.terms import Encoded, Facet, Place, Term
from mizzle_async.expressions.uses import ClauseRules, PathCheck, Use
from mizzle_async.expressions.writer import Encode, value_key
from mizzle_async.limits import EXPRESSION_IN_OPERANDS
from mizzle_async.types import AttributeValue

ORDERED: Final = frozenset({"<", "<=", ">", ">=", "BETWEEN"})


class CheckContext:
    """The knowledge of a walk over one expression.

    Attributes:
        encode: Encodes values.
        entity: The name of the entity or table in messages.
        check: Knows the uses of paths, or None.
        rules: Knows which clauses leave a readable item, or None.
        expression: The request member that is being checked, for messages.
    """

    __slots__ = ("check", "encode", "entity", "expression", "rules")

    def __init__(self, encode: Encode, entity: str, check: PathCheck | None, rules: ClauseRules | None) -> None:
        self.encode: Encode = encode
        self.entity: str = entity
        self.check: PathCheck | None = check
        self.rules: ClauseRules | None = rules
        self.expression: str = ""

    def use(self, path: Place, use: Use) -> None:
        """Check that a path can be used in a way."""
        if self.check is not None:
            self.check.use(path, use)

    def operand(self, raw: Any, path: Any, facet: Facet) -> AttributeValue:
        """Encode a value that must be there.

        Raises:
            ExpressionError: It is stored as absence.
        """
        encoded = raw.value if type(raw) is Encoded else self.encode(raw, path, facet)
        if encoded is None:
            raise ExpressionError(
                f"{path}: this value is stored as absence, which equals nothing: use .exists() or .not_exists()"
            )
        return encoded


def checked_raw(context: CheckContext, expression: Raw) -> Raw:
    """Return a raw expression with its values encoded, each by its own type.

    Raises:
        ExpressionError: A path leads nowhere, or a value is stored as absence.
    """
    encoded: dict[str, Any] = {}
    for name, argument in expression.arguments.items():
        if isinstance(argument, Term):
            encoded[name] = argument
        else:
            value = argument.value if type(argument) is Encoded else context.encode(argument, None, Facet.WHOLE)
            if value is None:
                raise ExpressionError(f"raw({expression.text!r}): {name}= is stored as absence, which equals nothing")
            encoded[name] = Encoded(value)
    for place in expression.places():
        context.use(place, Use.READ)
    return expression.with_arguments(encoded)


def check_comparand(context: CheckContext, term: Any, use: Use) -> None:
    """Check a term on either side of a comparison.

    Raises:
        ExpressionError: It cannot stand in a condition, or its path cannot be used so.
    """
    if isinstance(term, Place):
        context.use(term, use)
    elif isinstance(term, Size):
        context.use(term.path, Use.SIZE)
    else:
        raise ExpressionError(f"{term!r} cannot stand in a condition: DynamoDB computes in updates only")


def check_arguments(context: CheckContext, predicate: Predicate[Any], path: Any, facet: Facet) -> tuple[Any, ...]:
    """Return the arguments of a predicate, values encoded.

    Args:
        context: The walk's.
        predicate: The comparison or function.
        path: The path whose type the values have.
        facet: How they relate to it.

    Raises:
        ExpressionError: The service would refuse one.
        LimitError: IN has too many.
    """
    operator = predicate.operator
    if operator == "attribute_type":
        return predicate.arguments
    arguments = tuple(_argument(context, each, predicate.left, path, facet) for each in predicate.arguments)
    values: list[Any] = [each.value for each in arguments if type(each) is Encoded]
    if isinstance(predicate.left, Size) and context.rules is not None and len(values) == len(arguments):
        context.rules.measure(path, operator, [Decimal(value["N"]) for value in values])
    if operator in ORDERED:
        name = "between()" if operator == "BETWEEN" else operator
        for value in values:
            _check_ordered(value, path, name)
        if operator == "BETWEEN" and len(values) > 1:
            _check_range(values[0], values[1], path)
    elif operator == "IN":
        _check_choices(context, path, arguments, values)
    elif facet is Facet.TEXT and any(not value.keys() <= {"S", "B"} for value in values):
        raise ExpressionError(f"{path}.begins_with() takes text or bytes")
    return arguments


def check_value(value: AttributeValue, path: Any, operator: str) -> None:
    """Check a value that an operator of one argument compares a path with.

    Raises:
        ExpressionError: The operator orders, and this has no order.
    """
    if operator in ORDERED:
        _check_ordered(value, path, operator)


def _argument(context: CheckContext, argument: Any, left: Term, path: Any, facet: Facet) -> Any:
    """Return a term that was checked, or an encoded value."""
    if not isinstance(argument, Term | Condition):
        return Encoded(context.operand(argument, path, facet))
    if isinstance(argument, Condition) or argument.composite:
        raise ExpressionError(f"{path} cannot be compared with {argument!r}: it is neither a value nor an attribute")
    check_comparand(context, argument, Use.READ)
    if _same_term(argument, left):
        raise ExpressionError(f"{path} is compared with itself, which DynamoDB refuses")
    if isinstance(argument, Place) and facet is not Facet.NUMBER:
        if context.check is not None and facet is Facet.WHOLE:
            context.check.compare(path, argument)
        if context.rules is not None:
            context.rules.meet(path, argument, facet)
    return argument


def _same_term(first: Term, second: Term) -> bool:
    if isinstance(first, Size) and isinstance(second, Size):
        return first.path.segments == second.path.segments
    return isinstance(first, Place) and isinstance(second, Place) and first.segments == second.segments


def _check_choices(context: CheckContext, path: Any, arguments: tuple[Any, ...], encoded: list[Any]) -> None:
    """Check the number of IN's operands, each counted once."""
    values = set(map(value_key, encoded))
    terms = {each.describe(repr) for each in arguments if type(each) is not Encoded}
    count = len(values) + len(terms)
    if not count:
        raise ExpressionError(f"{path}.is_in() needs at least one value: nothing is in an empty list")
    if count > EXPRESSION_IN_OPERANDS:
        raise LimitError(
            f"{path}.is_in() in the {context.expression} has {count} values; DynamoDB takes {EXPRESSION_IN_OPERANDS}: "
            "combine several with |"
        )


def _check_ordered(encoded: AttributeValue, path: Any, operator: str) -> None:
    if not encoded.keys() <= {"S", "N", "B"}:
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
    """Return the key by which DynamoDB orders a value."""
    if code == "N":
        return Decimal(payload)
    return b64decode(payload) if code == "B" else payload.encode()
