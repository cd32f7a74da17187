"""Statements of one shape are compiled once: their texts and names are kept, and filled with other values.

A statement is the clauses and the condition of one write. Its shape is everything that the texts depend on: clause
kinds, operators, stored names, the order of values, and which values are equal, because equal ones share a
placeholder. It is walked into tokens and encoded values. The first statement of a shape is compiled, later ones fill
its placeholders.

A statement whose text depends on its values, such as IN, which sorts them, has no shape and is compiled each time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

from mizzle_async.expressions import (
    Arithmetic,
    AttributePath,
    ClauseKind,
    Compiler,
    Condition,
    Conjunction,
    Disjunction,
    Encoded,
    IfNotExists,
    ListAppend,
    Negation,
    Predicate,
    Size,
    UpdateClauses,
)
from mizzle_async.expressions.update_text import EMPTY_LIST
from mizzle_async.expressions.writer import check_substitutions, value_key
from mizzle_async.limits import EXPRESSION_SUBSTITUTION_BYTES
from mizzle_async.types import AttributeValue, WirePayload

SHAPES: Final = 512
"""Shapes that are kept for one table; the least recently used one goes first."""


CAREFREE_BYTES: Final = EXPRESSION_SUBSTITUTION_BYTES // 8
"""Values of so many characters are within the limit of names and values, however many bytes a character takes."""


class _NoShape(Exception):  # noqa: N818  (it leaves no function of this module)
    """A statement's text depends on its values."""


class Walk:
    """The walk over one statement.

    Attributes:
        tokens: Everything that the texts depend on, in the order of use.
        values: The values, each once, in the order of use.
        size: About the size of the values in bytes, or more.
    """

    __slots__ = ("_positions", "size", "tokens", "values")

    def __init__(self) -> None:
        self.tokens: list[Any] = []
        self.values: list[AttributeValue] = []
        self.size: int = 0
        self._positions: dict[tuple[str, str], int] = {}

    def position(self, value: AttributeValue) -> int | None:
        """Return the position of a value that was walked over, None for another one."""
        return self._positions.get(value_key(value))

    def update(self, clauses: UpdateClauses) -> None:
        """Walk over the clauses of an update."""
        tokens = self.tokens
        for clause in clauses.clauses:
            kind = clause.kind
            tokens.append(kind.value)
            tokens.append(clause.path.segments)
            if kind is not ClauseKind.REMOVE:
                if kind is ClauseKind.APPEND or kind is ClauseKind.PREPEND:
                    self._bound(EMPTY_LIST)
                self._operand(clause.value)

    def condition(self, condition: Condition[Any]) -> None:
        """Walk over a condition."""
        tokens = self.tokens
        match condition:
            case Predicate():
                if condition.left.composite or (condition.operator == "IN" and len(condition.arguments) > 1):
                    raise _NoShape
                tokens.append(condition.operator)
                self._operand(condition.left)
                for argument in condition.arguments:
                    if condition.operator == "attribute_type":
                        self._bound({"S": argument})
                    else:
                        self._operand(argument)
            case Conjunction() | Disjunction():
                tokens.append("&" if type(condition) is Conjunction else "|")
                tokens.append(len(condition.parts))
                for part in condition.parts:
                    self.condition(part)
            case Negation():
                tokens.append("~")
                self.condition(condition.part)
            case _:
                raise _NoShape

    def _operand(self, operand: Any) -> None:
        kind = type(operand)
        if kind is Encoded:
            if operand.value is None:
                self.tokens.append(None)
            else:
                self._bound(operand.value)
        elif isinstance(operand, AttributePath):
            self.tokens.append(operand.segments)
        elif kind is Size:
            self.tokens.append("size")
            self.tokens.append(operand.path.segments)
        elif kind is IfNotExists:
            self.tokens.append("if")
            self._operand(operand.path)
            self._operand(operand.value)
        elif kind is Arithmetic:
            self.tokens.append(operand.operator)
            self._operand(operand.left)
            self._operand(operand.right)
        elif kind is ListAppend:
            self.tokens.append("list")
            self._operand(operand.first)
            self._operand(operand.second)
        else:
            raise _NoShape

    def _bound(self, value: AttributeValue) -> None:
        key = value_key(value)
        position = self._positions.get(key)
        if position is None:
            position = self._positions[key] = len(self.values)
            self.values.append(value)
            self.size += len(key[1])
        self.tokens.append(position)


@frozen(eq=False, repr=False)
class Template:
    """A compiled statement without its values.

    Attributes:
        members: Its texts and names, as members of a request.
        slots: Its placeholders, each with the position of its value.
    """

    members: WirePayload
    slots: tuple[tuple[str, int], ...]


class StatementCache:
    """The statements of one table, by shape.

    Args:
        compiler: Makes a compiler.
        entity: The name of the entity in messages.

    Attributes:
        hits: Statements that were filled.
        misses: Statements that were compiled.
    """

    __slots__ = ("_compiler", "_entity", "_templates", "hits", "misses")

    def __init__(self, compiler: Callable[[], Compiler], entity: str) -> None:
        self._compiler = compiler
        self._entity = entity
        self._templates: OrderedDict[tuple[Any, ...], Template] = OrderedDict()
        self.hits: int = 0
        self.misses: int = 0

    def members(self, clauses: UpdateClauses | None, condition: Condition[Any] | None) -> WirePayload:
        """Return the texts, names and values of a statement, as members of its request.

        Args:
            clauses: The clauses of an update, or None.
            condition: The condition, or None.

        Raises:
            ExpressionError: Two clauses overlap.
            LimitError: A text, or the names and values, are too long.
        """
        walk = Walk()
        try:
            if clauses is not None:
                walk.update(clauses)
            if condition is not None:
                walk.tokens.append("when")
                walk.condition(condition)
        except (_NoShape, RecursionError):
            self.misses += 1
            return self.compiled(clauses, condition)
        shape = tuple(walk.tokens)
        template = self._templates.get(shape)
        if template is None:
            self.misses += 1
            members = self.compiled(clauses, condition)
            self._keep(shape, members, walk)
            return members
        self.hits += 1
        self._templates.move_to_end(shape)
        members = dict(template.members)
        if template.slots:
            values = walk.values
            filled = {placeholder: values[position] for placeholder, position in template.slots}
            if walk.size > CAREFREE_BYTES:
                check_substitutions(self._entity, members.get("ExpressionAttributeNames", {}), filled)
            members["ExpressionAttributeValues"] = filled
        return members

    def compiled(self, clauses: UpdateClauses | None, condition: Condition[Any] | None) -> WirePayload:
        """Return the members of a statement, compiled.

        Args:
            clauses: The clauses of an update, or None.
            condition: The condition, or None.
        """
        compiler = self._compiler()
        members: WirePayload = {}
        update = "" if clauses is None else compiler.update(clauses)
        if update:
            members["UpdateExpression"] = update
        if condition is not None:
            members["ConditionExpression"] = compiler.condition(condition)
            members["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return {**members, **compiler.finish()}

    def _keep(self, shape: tuple[Any, ...], members: WirePayload, walk: Walk) -> None:
        """Keep a compiled statement for others of its shape."""
        slots: list[tuple[str, int]] = []
        for placeholder, value in members.get("ExpressionAttributeValues", {}).items():
            position = walk.position(value)
            if position is None:
                return
            slots.append((placeholder, position))
        if len(slots) == len(walk.values):
            texts = {name: member for name, member in members.items() if name != "ExpressionAttributeValues"}
            self._templates[shape] = Template(texts, tuple(slots))
            if len(self._templates) > SHAPES:
                self._templates.popitem(last=False)

    def __len__(self) -> int:
        return len(self._templates)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} of {self._entity}, {len(self)} shapes, {self.hits} filled, {self.misses} compiled>"
        )
