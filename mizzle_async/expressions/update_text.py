"""Updates as text, in DynamoDB's grammar: SET, REMOVE, ADD and DELETE, each with its actions in the caller's order.

Positions of a list are removed from its end on: the service means the positions from before the update in any order,
but an engine that removes one after the other does not. The clauses were checked before, see `Checker`.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

from mizzle_async.expressions.condition_text import raw_text
from mizzle_async.expressions.operands import Arithmetic, IfNotExists, ListAppend
from mizzle_async.expressions.overlaps import OverlapCheck
from mizzle_async.expressions.raw import Raw
from mizzle_async.expressions.terms import Facet, Segments, Term
from mizzle_async.expressions.updates import ClauseKind, UpdateClause, UpdateClauses
from mizzle_async.expressions.writer import Writer
from mizzle_async.types import AttributeValue

Section: TypeAlias = Literal["SET", "REMOVE", "ADD", "DELETE"]

EMPTY_LIST: Final[AttributeValue] = {"L": []}


def update_text(writer: Writer, clauses: UpdateClauses) -> str:
    """Return the text of an update, empty if nothing remains of it.

    Raises:
        ExpressionError: Two clauses overlap.
    """
    sections: dict[Section, list[str]] = {"SET": [], "REMOVE": [], "ADD": [], "DELETE": []}
    removed: list[tuple[Segments, str]] = []
    overlaps = OverlapCheck()
    for clause in clauses.clauses:
        overlaps.add(clause.path)
        action = _action(writer, clause)
        if action is not None:
            section, text = action
            sections[section].append(text)
            if section == "REMOVE":
                removed.append((clause.path.segments, text))
    if len(removed) > 1:
        sections["REMOVE"] = _from_the_end(removed)
    return " ".join([f"{section} {', '.join(texts)}" for section, texts in sections.items() if texts])


def _from_the_end(removed: list[tuple[Segments, str]]) -> list[str]:
    """Return the texts of removals: attributes in the caller's order, later positions of a list before earlier ones."""
    attributes = {segments[0]: number for number, (segments, _) in reversed([*enumerate(removed)])}

    def place(removal: tuple[Segments, str]) -> list[int]:
        first, *inside = removal[0]
        return [attributes[first], *(-segment if isinstance(segment, int) else 0 for segment in inside)]

    return [text for _, text in sorted(removed, key=place)]


def _action(writer: Writer, clause: UpdateClause) -> tuple[Section, str] | None:
    """Return the section and the text of a clause, or None if it changes nothing."""
    path = clause.path
    match clause.kind:
        case ClauseKind.SET:
            return _set(writer, clause.value, path)
        case ClauseKind.SET_DEFAULT:
            return _set_default(writer, clause.value, path)
        case ClauseKind.REMOVE:
            return "REMOVE", writer.path(path.segments)
        case ClauseKind.APPEND | ClauseKind.PREPEND:
            return "SET", _extended(writer, clause)
        case ClauseKind.ADD | ClauseKind.DISCARD:
            return _changed(writer, clause)


def _set(writer: Writer, value: Any, path: Any) -> tuple[Section, str]:
    target = writer.path(path.segments)
    if isinstance(value, Term):
        return "SET", f"{target} = {_assigned(writer, value, path)}"
    encoded = writer.encoded(value, path, Facet.WHOLE)
    if encoded is None:
        return "REMOVE", target
    return "SET", f"{target} = {writer.bind(encoded, path)}"


def _set_default(writer: Writer, value: Any, path: Any) -> tuple[Section, str] | None:
    """Write ``if_not_exists``. Nothing is to be done for a value that is stored as absence."""
    if not isinstance(value, Term) and writer.encoded(value, path, Facet.WHOLE) is None:
        return None
    target = writer.path(path.segments)
    return "SET", f"{target} = {_assigned(writer, IfNotExists(path, value), path)}"


def _changed(writer: Writer, clause: UpdateClause) -> tuple[Section, str] | None:
    """Write ADD or DELETE. Nothing is to be done for an empty set."""
    path = clause.path
    encoded = writer.encoded(clause.value, path, Facet.WHOLE)
    if encoded is None:
        # Its name must not be substituted either: DynamoDB refuses names that no expression uses.
        return None
    section: Section = "ADD" if clause.kind is ClauseKind.ADD else "DELETE"
    return section, f"{writer.path(path.segments)} {writer.bind(encoded, path)}"


def _extended(writer: Writer, clause: UpdateClause) -> str:
    """Assign the list with more at its end or its beginning, starting from an empty one where none is stored."""
    writer.operators += 2
    target = writer.path(clause.path.segments)
    stored = f"if_not_exists({target}, {writer.bind_as(EMPTY_LIST, 'empty')})"
    more = _side(writer, clause.value, clause.path)
    first, second = (stored, more) if clause.kind is ClauseKind.APPEND else (more, stored)
    return f"{target} = list_append({first}, {second})"


def _assigned(writer: Writer, operand: Any, path: Any) -> str:
    """Return the text of an operand of a SET clause."""
    match operand:
        case IfNotExists():
            writer.operators += 1
            return f"if_not_exists({writer.path(operand.path.segments)}, {_side(writer, operand.value, path)})"
        case Arithmetic():
            writer.operators += 1
            left = _side(writer, operand.left, path)
            return f"{left} {operand.operator} {_side(writer, operand.right, path)}"
        case ListAppend():
            writer.operators += 1
            return f"list_append({_side(writer, operand.first, path)}, {_side(writer, operand.second, path)})"
        case Raw():
            return raw_text(writer, operand)
        case _:
            return writer.path(operand.segments)


def _side(writer: Writer, side: Any, path: Any) -> str:
    if isinstance(side, Term):
        return _assigned(writer, side, path)
    return writer.bind(writer.operand(side, path, Facet.WHOLE), path)
