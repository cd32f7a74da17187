"""Updates that start from nothing: entries of maps that are not stored, and clauses on a stored ``NULL``.

The service changes no entry of a map that is absent, and adds to no ``NULL``. Where it refused an update for that, the
stored item says which parents are missing: each is assigned as a whole, made of the clauses that lead into it, on
condition that it is still missing. The other clauses stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Context, Decimal
from typing import Any, Final, TypeAlias

from attrs import frozen

from mizzle_async.errors import MarshallingError
from mizzle_async.expressions import (
    Arithmetic,
    AttributePath,
    ClauseKind,
    Condition,
    Conjunction,
    Facet,
    IfNotExists,
    ListAppend,
    Segments,
    UpdateClause,
    UpdateClauses,
)
from mizzle_async.expressions.terms import Term
from mizzle_async.expressions.updates import SET_DEFAULT, is_set
from mizzle_async.marshalling import StoredValue, null_forms, value_at
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.model.scalars.numbers import plain_digits
from mizzle_async.operations.target import Target
from mizzle_async.types import AttributeValue, Item

AnyPath: TypeAlias = AttributePath[Any, Any]

EXACT: Final = Context(prec=400)
"""Enough digits for the exact sum of any two numbers of the service's range."""

STARTING: Final = frozenset({ClauseKind.SET_DEFAULT, ClauseKind.ADD, ClauseKind.APPEND, ClauseKind.PREPEND})
"""Clauses that start from nothing where nothing is stored."""

REMOVING: Final = frozenset({ClauseKind.REMOVE, ClauseKind.DISCARD})
"""Clauses that change nothing where nothing is stored."""


class CannotStart(Exception):  # noqa: N818  (no caller sees it: the service's refusal is raised, with this text)
    """The reason why an update cannot start from the stored item."""


@frozen(eq=False, repr=False)
class Start:
    """An update that fits the stored item.

    Attributes:
        clauses: The clauses.
        guard: The condition that the missing places are still missing.
    """

    clauses: UpdateClauses
    guard: Condition[Any] | None


def defaults_guard(target: Target[Any], clauses: UpdateClauses) -> Condition[Any] | None:
    """Return the condition that no ``NULL`` stands where a default is to be set: the service would leave it there.

    Args:
        target: The table.
        clauses: The caller's clauses.
    """
    conditions: list[Condition[Any]] = []
    for clause in clauses.clauses:
        if clause.kind is SET_DEFAULT:
            conditions += [
                ~clause.path.attribute_type(code)
                for code in null_forms(target.codec.target_at(clause.path.segments, clause.path.documents))
            ]
    return _joined(conditions)


def started(target: Target[Any], clauses: UpdateClauses, stored: Item) -> Start | None:
    """Return an update as one of the item that is stored, None where that is the same update.

    Args:
        target: The table.
        clauses: The caller's clauses.
        stored: The item, empty where there is none.

    Raises:
        CannotStart: A parent is missing that cannot be made of the clauses, or something else is stored there.
    """
    kept: list[UpdateClause] = []
    roots: dict[Segments, list[UpdateClause]] = {}
    conditions: list[Condition[Any]] = []
    for clause in clauses.clauses:
        depth = _missing_from(clause.path, stored)
        if depth is not None:
            roots.setdefault(clause.path.segments[:depth], []).append(clause)
        elif _is_null(target, clause, stored):
            conditions.append(_still(clause.path, stored))
            if clause.kind in STARTING:
                kept.append(UpdateClause(ClauseKind.SET, clause.path, StoredValue(_value(target, clause, stored))))
        else:
            kept.append(clause)
    for segments, inside in roots.items():
        root = _prefix(inside[0].path, len(segments))
        conditions.append(_still(root, stored))
        whole = _whole(target, root, inside, stored)
        if whole is not None:
            kept.append(UpdateClause(ClauseKind.SET, root, StoredValue(whole)))
    return Start(UpdateClauses(tuple(kept)), _joined(conditions)) if conditions else None


def parents_of(clauses: UpdateClauses) -> Iterator[AnyPath]:
    """Yield the attributes that clauses lead into by names, each once."""
    seen: set[str | int] = set()
    for clause in clauses.clauses:
        path = clause.path
        if len(path.segments) > 1 and isinstance(path.segments[1], str) and path.segments[0] not in seen:
            seen.add(path.segments[0])
            yield _prefix(path, 1)


def _missing_from(path: AnyPath, stored: Item) -> int | None:
    """Return how many segments lead to the outermost parent that is not stored, None where all are."""
    for depth in range(1, len(path.segments)):
        there = value_at(stored, path.segments[:depth])
        if there is None or "NULL" in there:
            return depth
        if isinstance(path.segments[depth], int) is not ("L" in there):
            raise CannotStart(f"{path}: {_prefix(path, depth)} is stored as {next(iter(there))}")
    return None


def _is_null(target: Target[Any], clause: UpdateClause, stored: Item) -> bool:
    """Tell whether a place holds ``NULL``, or an empty list where a set belongs, that a clause cannot change."""
    there = value_at(stored, clause.path.segments)
    if there is None or clause.kind not in STARTING | {ClauseKind.DISCARD}:
        return False
    if there == {"L": []}:
        path = clause.path
        return is_set(clause.value) or "L" in null_forms(target.codec.target_at(path.segments, path.documents))
    return "NULL" in there


def _still(path: AnyPath, stored: Item) -> Condition[Any]:
    there = value_at(stored, path.segments)
    return path.not_exists() if there is None else path == StoredValue(there)


def _whole(target: Target[Any], root: AnyPath, inside: Iterable[UpdateClause], stored: Item) -> AttributeValue | None:
    """Return a missing map as the clauses that lead into it make it, None where they only remove."""
    whole: AttributeValue = {"M": {}}
    written = False
    for clause in inside:
        if clause.kind in REMOVING:
            continue
        value = _value(target, clause, stored)
        names = clause.path.segments[len(root.segments) :]
        if not all(isinstance(name, str) for name in names):
            raise CannotStart(f"{clause.path}: nothing is stored at {root}, and a list grows by .append() only")
        written = True
        holder = whole["M"]
        for name in names[:-1]:
            holder = holder.setdefault(name, {"M": {}})["M"]
        if value is not None:
            holder[names[-1]] = value
    if not written:
        return None
    try:
        target.codec.decode_at(root.segments, whole, root.documents)
    except MarshallingError as error:
        places = ", ".join(str(clause.path) for clause in inside)
        raise CannotStart(
            f"{places}: nothing is stored at {root}, and a value of these alone could not be read "
            f"({error.message}): assign it as a whole"
        ) from None
    return whole


def _value(target: Target[Any], clause: UpdateClause, stored: Item) -> Any:
    """Return the value that a clause leaves where nothing is stored, None for absence."""
    path, value = clause.path, clause.value
    if isinstance(value, Term):
        return _operand(target, path, value, stored)
    return target.encode(value, path, Facet.WHOLE)


def _operand(target: Target[Any], path: AnyPath, operand: Term, stored: Item) -> AttributeValue:
    """Return the value of an operand that reads nothing that is stored.

    Raises:
        CannotStart: It reads a stored value, which may change before the update is sent again.
    """
    match operand:
        case IfNotExists() if value_at(stored, operand.path.segments) is None:
            default: AttributeValue = _side(target, path, operand.value, stored)
            return default
        case Arithmetic():
            left, right = (_side(target, path, side, stored) for side in (operand.left, operand.right))
            return _sum(path, left, right, operand.operator)
        case ListAppend():
            sides = [_side(target, path, side, stored) for side in (operand.first, operand.second)]
            return {"L": [element for side in sides for element in side["L"]]}
        case _:
            raise CannotStart(f"{path}: a parent is not stored, and its value is read from the item: set that first")


def _side(target: Target[Any], path: AnyPath, side: Any, stored: Item) -> Any:
    if isinstance(side, Term):
        return _operand(target, path, side, stored)
    encoded = target.encode(side, path, Facet.WHOLE)  # it was encoded when it was checked
    if encoded is None:
        raise CannotStart(f"{path}: nothing is stored there")
    return encoded


def _sum(path: AnyPath, left: AttributeValue, right: AttributeValue, operator: str) -> AttributeValue:
    if "N" not in left or "N" not in right:
        raise CannotStart(f"{path}: `+` and `-` take numbers")
    combine = EXACT.add if operator == "+" else EXACT.subtract
    try:
        return {"N": plain_digits(combine(Decimal(left["N"]), Decimal(right["N"])))}
    except Misfit:
        raise CannotStart(f"{path}: the sum is out of range") from None


def _prefix(path: AnyPath, length: int) -> AnyPath:
    labels = path.labels or path.segments
    documents = tuple((depth, document) for depth, document in path.documents if depth < length)
    return AttributePath(path.owner, path.segments[:length], labels=labels[:length], documents=documents)


def _joined(conditions: list[Condition[Any]]) -> Condition[Any] | None:
    if not conditions:
        return None
    return conditions[0] if len(conditions) == 1 else Conjunction(tuple(conditions))
