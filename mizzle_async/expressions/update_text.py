"""Updates as text, in DynamoDB's grammar: SET, REMOVE, ADD and DELETE, each with its actions in the caller's order."""

from __future__ import annotations

from collections.abc import Container, Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions.conditions import Condition
from mizzle_async.expressions.operands import Arithmetic, IfNotExists, ListAppend
from mizzle_async.expressions.overlaps import OverlapCheck
from mizzle_async.expressions.paths import AttributePath
from mizzle_async.expressions.terms import Facet, Term
from mizzle_async.expressions.updates import ClauseKind, UpdateClause, UpdateClauses
from mizzle_async.expressions.uses import Use
from mizzle_async.expressions.writer import Writer
from mizzle_async.types import AttributeValue

Section: TypeAlias = Literal["SET", "REMOVE", "ADD", "DELETE"]
AnyPath: TypeAlias = AttributePath[Any, Any]

SET_CODES: Final = frozenset({"SS", "NS", "BS"})
ADDABLE_CODES: Final = SET_CODES | {"N"}
EMPTY_LIST: Final[AttributeValue] = {"L": []}


def update_text(writer: Writer, clauses: UpdateClauses, key_names: Container[str]) -> str:
    """Return the text of an update, empty if nothing remains of it.

    Raises:
        ExpressionError: If DynamoDB would refuse it.
    """
    sections: dict[Section, list[str]] = {"SET": [], "REMOVE": [], "ADD": [], "DELETE": []}
    overlaps = OverlapCheck()
    for clause in clauses.clauses:
        path = clause.path
        if str(path.segments[0]) in key_names:
            raise ExpressionError(f"{path} is a key: an update cannot change it. Write a new item, and delete this one")
        overlaps.add(path)
        action = _action(writer, clause)
        if action is not None:
            section, text = action
            sections[section].append(text)
    return " ".join([f"{section} {', '.join(texts)}" for section, texts in sections.items() if texts])


def _action(writer: Writer, clause: UpdateClause) -> tuple[Section, str] | None:
    """Return the section and the text of a clause, or None if it changes nothing."""
    path = clause.path
    if writer.rules is not None and clause.kind is not ClauseKind.REMOVE:
        writer.rules.change(path)
    match clause.kind:
        case ClauseKind.SET:
            return _set(writer, clause.value, path)
        case ClauseKind.SET_DEFAULT:
            return _set_default(writer, clause.value, path)
        case ClauseKind.REMOVE:
            _check(writer, path, Use.READ)
            return "REMOVE", _removed(writer, path)
        case ClauseKind.APPEND | ClauseKind.PREPEND:
            return "SET", _extended(writer, clause)
        case ClauseKind.ADD:
            facet = Facet.WHOLE if isinstance(clause.value, AbstractSet) else Facet.DELTA
            return _changed(writer, clause, facet, ADDABLE_CODES)
        case ClauseKind.DISCARD:
            return _changed(writer, clause, Facet.WHOLE, SET_CODES)


def _set(writer: Writer, value: Any, path: AnyPath) -> tuple[Section, str]:
    _check(writer, path, Use.READ)
    target = writer.path(path.segments)
    if isinstance(value, Term | Condition):
        return "SET", f"{target} = {_assigned(writer, value, path)}"
    encoded = writer.encode(value, path, Facet.WHOLE)
    if encoded is None:
        return "REMOVE", _removed(writer, path)
    return "SET", f"{target} = {writer.bind(encoded, path)}"


def _removed(writer: Writer, path: AnyPath) -> str:
    if writer.rules is not None:
        writer.rules.remove(path)
    return writer.path(path.segments)


def _set_default(writer: Writer, value: Any, path: AnyPath) -> tuple[Section, str] | None:
    """Write ``if_not_exists``; nothing is to be done for a value that is stored as absence."""
    if not isinstance(value, Term | Condition) and writer.encode(value, path, Facet.WHOLE) is None:
        _check(writer, path, Use.READ)
        return None
    target = writer.path(path.segments)
    return "SET", f"{target} = {_assigned(writer, IfNotExists(path, value), path)}"


def _changed(writer: Writer, clause: UpdateClause, facet: Facet, codes: frozenset[str]) -> tuple[Section, str] | None:
    """Write ADD or DELETE; nothing is to be done for an empty set."""
    path = clause.path
    if isinstance(clause.value, Term | Condition):
        raise ExpressionError(
            f".{clause.kind.value}({path}, …) takes a value: DynamoDB adds and deletes no other attribute's. "
            "For a sum there is `.set(path, path + other)`"
        )
    _check(writer, path, Use.SUM if facet is Facet.DELTA else Use.ELEMENTS)
    if writer.rules is not None:
        if facet is Facet.DELTA:
            writer.rules.total(path, "+", path, clause.value)
        elif clause.kind is ClauseKind.DISCARD:
            writer.rules.shrink(path)
    encoded = writer.encode(clause.value, path, facet)
    if encoded is None:
        # Its name must not be substituted either: DynamoDB refuses names that no expression uses.
        return None
    if not encoded.keys() <= codes:
        wanted = "a number or a set" if "N" in codes else "a set of elements"
        raise ExpressionError(f".{clause.kind.value}({path}, …) takes {wanted}, not {next(iter(encoded))}")
    section: Section = "ADD" if clause.kind is ClauseKind.ADD else "DELETE"
    return section, f"{writer.path(path.segments)} {writer.bind(encoded, path)}"


def _extended(writer: Writer, clause: UpdateClause) -> str:
    """Assign the list with more at its end or its beginning, starting from an empty one where none is stored."""
    writer.operators += 2
    _check_extension(writer, clause.path)
    target = writer.path(clause.path.segments)
    stored = f"if_not_exists({target}, {writer.bind_as(EMPTY_LIST, 'empty')})"
    more = _listed(writer, clause.value, clause.path)
    first, second = (stored, more) if clause.kind is ClauseKind.APPEND else (more, stored)
    return f"{target} = list_append({first}, {second})"


def _assigned(writer: Writer, operand: Any, path: AnyPath, *, nested: bool = False, summed: bool = False) -> str:
    """Return the text of what a SET clause assigns; nothing nests in DynamoDB but paths and ``if_not_exists``.

    Args:
        writer: What is being written.
        operand: The operand.
        path: The path that it is assigned to, or whose type its values have.
        nested: Whether it stands inside another operand.
        summed: Whether that is a sum, whose sides are checked together.
    """
    match operand:
        case AttributePath() if not operand.composite:
            _check_source(writer, path, operand, summed=summed)
            return writer.path(operand.segments)
        case IfNotExists():
            writer.operators += 1
            _check_source(writer, path, operand.path, summed=summed)
            return f"if_not_exists({writer.path(operand.path.segments)}, {_default(writer, operand.value, path)})"
        case Arithmetic() if not nested:
            writer.operators += 1
            _check(writer, path, Use.SUM)
            times: Any = path
            if writer.rules is not None:
                times = writer.rules.total(path, operand.operator, operand.left, operand.right)
            left = _number(writer, operand.left, path, times)
            return f"{left} {operand.operator} {_number(writer, operand.right, path, times)}"
        case ListAppend() if not nested:
            writer.operators += 1
            _check_extension(writer, path)
            return f"list_append({_listed(writer, operand.first, path)}, {_listed(writer, operand.second, path)})"
        case _:
            raise ExpressionError(
                f"{path} cannot be set to {operand!r}: SET takes a value, a path, one `+` or `-`, `if_not_exists` or "
                "`list_append`; it neither chains sums nor computes a size"
            )


def _check_source(writer: Writer, path: AnyPath, source: Any, *, summed: bool) -> None:
    if writer.check is not None:
        writer.check.use(source, Use.READ)
        if not summed:
            writer.check.compare(path, source)
    if writer.rules is not None and not summed:
        writer.rules.assign(path, source)


def _check_extension(writer: Writer, path: AnyPath) -> None:
    _check(writer, path, Use.EXTEND)
    if writer.rules is not None:
        writer.rules.extend(path)


def _check(writer: Writer, path: AnyPath, use: Use) -> None:
    if writer.check is not None:
        writer.check.use(path, use)


def _default(writer: Writer, value: Any, path: AnyPath) -> str:
    if isinstance(value, Term | Condition):
        return _assigned(writer, value, path, nested=True)
    return writer.bind(writer.operand(value, path, Facet.WHOLE), path)


def _number(writer: Writer, side: Any, path: Any, times: AnyPath) -> str:
    """Return one side of a sum: its values are of the path's type, its times are stored as those of ``times``."""
    if isinstance(side, IfNotExists):
        path = side.path
    if isinstance(side, Term | Condition):
        return _assigned(writer, side, path, nested=True, summed=writer.rules is not None)
    if isinstance(side, datetime):
        encoded = writer.operand(side, times, Facet.WHOLE)
    else:
        encoded = writer.operand(side, path, Facet.DELTA)
    if "N" not in encoded:
        raise ExpressionError(f"{path}: `+` and `-` take numbers, not {next(iter(encoded))}")
    return writer.bind(encoded, path)


def _listed(writer: Writer, side: Any, path: AnyPath) -> str:
    if isinstance(side, Term | Condition):
        return _assigned(writer, side, path, nested=True)
    if isinstance(side, str | bytes | bytearray | AbstractSet | dict) or not isinstance(side, Iterable):
        raise ExpressionError(f"{path} takes a list of elements to append, not {type(side).__name__}")
    encoded = writer.operand(list(side), path, Facet.WHOLE)
    if "L" not in encoded:
        raise ExpressionError(f"{path} is no list: nothing can be appended to it")
    return writer.bind(encoded, path)
