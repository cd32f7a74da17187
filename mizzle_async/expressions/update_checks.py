"""Checks of update clauses, whose values are encoded."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions.conditions import Condition
from mizzle_async.expressions.operand_checks import CheckContext, checked_raw
from mizzle_async.expressions.operands import Arithmetic, IfNotExists, ListAppend
from mizzle_async.expressions.paths import AttributePath
from mizzle_async.expressions.raw import Raw
from mizzle_async.expressions.terms import Encoded, Facet, Term
from mizzle_async.expressions.updates import (
    ADD,
    APPEND,
    DISCARD,
    PREPEND,
    REMOVE,
    SET,
    SET_CODES,
    ClauseKind,
    UpdateClause,
    is_set,
)
from mizzle_async.expressions.uses import Use
from mizzle_async.types import AttributeValue

AnyPath: TypeAlias = AttributePath[Any, Any]

ADDABLE_CODES: Final = SET_CODES | {"N"}


APPROVABLE: Final = frozenset({str, bytes, bool, int, float, Decimal, set, frozenset})
"""Types whose values can all be written where one of them can, as far as no encoder refuses them."""

SETS: Final = frozenset({set, frozenset})

WHOLE, DELTA = Facet.WHOLE, Facet.DELTA


def use_of_clause(clause: UpdateClause) -> tuple[Any, ...] | None:
    """Return the use that a clause makes of its path, None where the value decides whether that is right."""
    path, kind, value_type = clause.path, clause.kind, type(clause.value)
    if len(path.segments) != 1:
        return None
    is_written = value_type in APPROVABLE and kind is not APPEND and kind is not PREPEND
    is_approvable = is_written or (kind is REMOVE and value_type not in APPROVABLE)
    return (kind, path.owner, path.segments[0], value_type) if is_approvable else None


def rechecked_clause(context: CheckContext, clause: UpdateClause) -> UpdateClause | None:
    """Return a clause with its value encoded, where the use of its path was found right before.

    Returns:
        The clause, or None where the path must be checked with this value.
    """
    kind, path, value = clause.kind, clause.path, clause.value
    if kind is REMOVE:
        return clause
    is_number = kind is ADD and type(value) not in SETS
    encoded = context.encode(value, path, DELTA if is_number else WHOLE)
    if encoded is None and kind is SET:
        return None
    if kind is ADD:
        _check_code(clause, encoded, ADDABLE_CODES)
    elif kind is DISCARD:
        _check_code(clause, encoded, SET_CODES)
    return UpdateClause(kind, path, Encoded(encoded))


def checked_clause(context: CheckContext, clause: UpdateClause) -> UpdateClause:
    """Return a clause with its values encoded.

    Args:
        context: The walk's.
        clause: The clause.

    Raises:
        ExpressionError: The service would refuse it, or no read could decode the item that it leaves.
    """
    path, rules = clause.path, context.rules
    if clause.kind is ClauseKind.REMOVE:
        _check_removal(context, path)
        return clause
    if rules is not None:
        rules.change(path)
    return UpdateClause(clause.kind, path, _value(context, clause))


def _value(context: CheckContext, clause: UpdateClause) -> Any:
    path, value = clause.path, clause.value
    match clause.kind:
        case ClauseKind.SET | ClauseKind.SET_DEFAULT:
            context.use(path, Use.READ)
            if isinstance(value, Term | Condition):
                is_default = clause.kind is ClauseKind.SET_DEFAULT
                return _assigned(context, value, path, nested=is_default)
            encoded = _encoded(context, value, path, Facet.WHOLE)
            if encoded is None and clause.kind is ClauseKind.SET:
                _check_removal(context, path)
            return Encoded(encoded)
        case ClauseKind.APPEND | ClauseKind.PREPEND:
            _check_extension(context, path)
            return _listed(context, value, path)
        case ClauseKind.ADD:
            return _changed(context, clause, Facet.WHOLE if is_set(value) else Facet.DELTA, ADDABLE_CODES)
        case _:
            return _changed(context, clause, Facet.WHOLE, SET_CODES)


def _changed(context: CheckContext, clause: UpdateClause, facet: Facet, codes: frozenset[str]) -> Encoded:
    """Return the encoded value of ADD or DELETE, with None in it where there is nothing to do, for an empty set."""
    path = clause.path
    if isinstance(clause.value, Term | Condition):
        raise ExpressionError(
            f".{clause.kind.value}({path}, …) takes a value: DynamoDB adds and deletes no other attribute's. "
            "For a sum there is `.set(path, path + other)`"
        )
    context.use(path, Use.SUM if facet is Facet.DELTA else Use.ELEMENTS)
    if context.rules is not None:
        if facet is Facet.DELTA:
            context.rules.total(path, "+", path, clause.value)
        elif clause.kind is ClauseKind.DISCARD:
            context.rules.shrink(path)
    encoded = _encoded(context, clause.value, path, facet)
    _check_code(clause, encoded, codes)
    return Encoded(encoded)


def _check_code(clause: UpdateClause, encoded: AttributeValue | None, codes: frozenset[str]) -> None:
    if encoded is not None and not encoded.keys() <= codes:
        wanted = "a number or a set" if "N" in codes else "a set of elements"
        raise ExpressionError(f".{clause.kind.value}({clause.path}, …) takes {wanted}, not {next(iter(encoded))}")


def _assigned(context: CheckContext, operand: Any, path: Any, *, nested: bool = False, summed: bool = False) -> Any:
    """Return an operand of a SET clause with its values encoded; nothing nests but paths and ``if_not_exists``.

    Args:
        context: The walk's.
        operand: The operand.
        path: The path that it is assigned to, or whose type its values have.
        nested: Whether it stands inside another operand.
        summed: Whether that is a sum, whose sides are checked together.
    """
    match operand:
        case AttributePath() if not operand.composite:
            _check_source(context, path, operand, summed=summed)
            return operand
        case IfNotExists():
            _check_source(context, path, operand.path, summed=summed)
            return IfNotExists(operand.path, _default(context, operand.value, path))
        case Arithmetic() if not nested:
            context.use(path, Use.SUM)
            times = path
            if context.rules is not None:
                times = context.rules.total(path, operand.operator, operand.left, operand.right)
            sides = [_number(context, side, path, times) for side in (operand.left, operand.right)]
            return Arithmetic(operand.operator, *sides)
        case ListAppend() if not nested:
            _check_extension(context, path)
            return ListAppend(_listed(context, operand.first, path), _listed(context, operand.second, path))
        case Raw() if not nested:
            return checked_raw(context, operand)
        case _:
            raise ExpressionError(
                f"{path} cannot be set to {operand!r}: SET takes a value, a path, one `+` or `-`, `if_not_exists` or "
                "`list_append`; it neither chains sums nor computes a size"
            )


def _default(context: CheckContext, value: Any, path: AnyPath) -> Any:
    if isinstance(value, Term | Condition):
        return _assigned(context, value, path, nested=True)
    return Encoded(context.operand(value, path, Facet.WHOLE))


def _number(context: CheckContext, side: Any, path: Any, times: Any) -> Any:
    """Return one side of a sum: its values are of the path's type, its times are stored as those of ``times``."""
    if isinstance(side, IfNotExists):
        path = side.path
    if isinstance(side, Term | Condition):
        return _assigned(context, side, path, nested=True, summed=context.rules is not None)
    if isinstance(side, datetime):
        encoded = context.operand(side, times, Facet.WHOLE)
    else:
        encoded = context.operand(side, path, Facet.DELTA)
    if "N" not in encoded:
        raise ExpressionError(f"{path}: `+` and `-` take numbers, not {next(iter(encoded))}")
    return Encoded(encoded)


def _listed(context: CheckContext, side: Any, path: AnyPath) -> Any:
    if isinstance(side, Term | Condition):
        return _assigned(context, side, path, nested=True)
    if type(side) is not Encoded:
        if isinstance(side, str | bytes | bytearray | AbstractSet | dict) or not isinstance(side, Iterable):
            raise ExpressionError(f"{path} takes a list of elements to append, not {type(side).__name__}")
        side = list(side)
    encoded = context.operand(side, path, Facet.WHOLE)
    if "L" not in encoded:
        raise ExpressionError(f"{path} is no list: nothing can be appended to it")
    return Encoded(encoded)


def _encoded(context: CheckContext, value: Any, path: AnyPath, facet: Facet) -> Any:
    return value.value if type(value) is Encoded else context.encode(value, path, facet)


def _check_removal(context: CheckContext, path: AnyPath) -> None:
    context.use(path, Use.READ)
    if context.rules is not None:
        context.rules.remove(path)


def _check_source(context: CheckContext, path: AnyPath, source: Any, *, summed: bool) -> None:
    context.use(source, Use.READ)
    if not summed:
        if context.check is not None:
            context.check.compare(path, source)
        if context.rules is not None:
            context.rules.assign(path, source)


def _check_extension(context: CheckContext, path: AnyPath) -> None:
    context.use(path, Use.EXTEND)
    if context.rules is not None:
        context.rules.extend(path)
