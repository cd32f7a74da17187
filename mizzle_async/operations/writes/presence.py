"""The condition of a write: the caller's, the verb's own, and the rule that an expired item does not exist."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, TypeVar

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import Condition, Conjunction, Disjunction, Negation, Predicate, Raw
from mizzle_async.operations.expiry import expired_condition
from mizzle_async.operations.target import Target

ModelT = TypeVar("ModelT")


class Presence(Enum):
    """The presence that a verb asks of the item under its key."""

    ANY = "any"
    ABSENT = "absent"
    PRESENT = "present"


ANY, PRESENT = Presence.ANY, Presence.PRESENT


def write_condition(
    target: Target[Any], presence: Presence, conditions: Sequence[Condition[Any]], now: float
) -> Condition[Any] | None:
    """Return the whole condition of a write, or None where it has none.

    Args:
        target: The table.
        presence: The presence that the verb asks.
        conditions: The conditions of the caller and of the version, which must all hold.
        now: The time when the operation was built.
    """
    parts = list(conditions)
    if presence is not ANY:
        parts.insert(0, target.present if presence is PRESENT else target.absent)
    if not parts:
        return None
    whole = parts[0] if len(parts) == 1 else Conjunction(tuple(parts))
    expired = None if target.schema.time_to_live is None else expired_condition(target, now)
    if expired is None:
        return whole
    return expired | whole if holds_without_item(whole) else ~expired & whole


def holds_without_item(condition: Condition[Any]) -> bool:
    """Tell whether DynamoDB finds a condition true where there is no item.

    Of an absent attribute ``attribute_not_exists`` is true, and so is ``<>``. All else is false.
    """
    match condition:
        case Predicate(operator=operator):
            return operator in {"attribute_not_exists", "<>"}
        case Conjunction(parts=parts):
            return all(map(holds_without_item, parts))
        case Disjunction(parts=parts):
            return any(map(holds_without_item, parts))
        case Negation(part=part):
            return not holds_without_item(part)
        case Raw():
            return False  # a function of an absent attribute is false, as all of the service's are
        case _:
            raise ExpressionError(f"{condition!r} is no condition that this version knows")
