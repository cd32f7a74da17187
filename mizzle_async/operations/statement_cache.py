"""Statements of one shape are compiled once: their texts and names are kept, and filled with other values.

A statement is the expressions of one request: clauses and condition of a write, or key condition, filter and projection
of a read. Its shape is everything that the texts depend on: clause kinds, operators, stored names, the order of values,
and which values are equal, because equal ones share a placeholder. It is walked into tokens and encoded values. The
first statement of a shape is compiled, later ones fill its placeholders.

A statement whose text depends on its values, such as IN, which sorts them, has no shape and is compiled each time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

from attrs import frozen

from mizzle_async.expressions import (
    Arithmetic,
    AttributePath,
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
from mizzle_async.expressions.updates import APPEND, PREPEND, REMOVE
from mizzle_async.expressions.writer import check_substitutions, value_key
from mizzle_async.limits import EXPRESSION_SUBSTITUTION_BYTES
from mizzle_async.marshalling import StoredSet, StoredValue
from mizzle_async.types import AttributeValue, WirePayload
from mizzle_async.values import transient

SHAPES: Final = 512
"""Shapes that are kept for one table; the least recently used one goes first."""


CAREFREE_BYTES: Final = EXPRESSION_SUBSTITUTION_BYTES // 8
"""Values of so many characters are within the limit of names and values, however many bytes a character takes."""


CONNECTIVES: Final = (Conjunction, Disjunction)

VALUE: Final = ":"
"""The token of a value. No operator and no name is one."""


class _NoShape(Exception):  # noqa: N818  (it leaves no function of this module)
    """A statement's text depends on its values."""


class Walk:
    """The walk over one statement.

    Attributes:
        tokens: Everything that the texts depend on, in the order of use, but which values are equal.
        values: The values, in the order of use.
    """

    __slots__ = ("tokens", "values")

    def __init__(self) -> None:
        self.tokens: list[Any] = []
        self.values: list[AttributeValue] = []

    def shape(self) -> tuple[tuple[Any, ...], int]:
        """Return the shape of the statement, and about the size of its values in characters."""
        texts: list[str] = []
        for value in self.values:
            (payload,) = value.values()
            texts.append(payload if type(payload) is str else str(payload))
        size = len("".join(texts))
        if len(texts) > 1 and len(set(texts)) < len(texts):
            first: dict[tuple[str, Any], int] = {}
            positions = [first.setdefault(value_key(value), number) for number, value in enumerate(self.values)]
            if len(first) < len(positions):
                self.tokens.append(tuple(positions))
        return tuple(self.tokens), size

    def update(self, clauses: UpdateClauses) -> None:
        """Walk over the clauses of an update."""
        tokens = self.tokens
        for clause in clauses.clauses:
            kind = clause.kind
            tokens.append(kind)
            tokens.append(clause.path.segments)
            if kind is not REMOVE:
                if kind is APPEND or kind is PREPEND:
                    self._bound(EMPTY_LIST)
                value = clause.value
                if type(value) is Encoded and value.value is not None:  # most are
                    tokens.append(VALUE)
                    self.values.append(value.value)
                else:
                    self._operand(value)

    def condition(self, condition: Condition[Any]) -> None:
        """Walk over a condition."""
        tokens = self.tokens
        if isinstance(condition, Predicate):
            left, operator, arguments = condition.left, condition.operator, condition.arguments
            if left.composite or (operator == "IN" and len(arguments) > 1):
                raise _NoShape
            tokens.append(operator)
            if isinstance(left, AttributePath):
                tokens.append(left.segments)
            else:
                self._operand(left)
            for argument in arguments:
                if type(argument) is Encoded and argument.value is not None:  # most are
                    tokens.append(VALUE)
                    self.values.append(argument.value)
                elif operator == "attribute_type":
                    self._bound({"S": argument})
                else:
                    self._operand(argument)
        elif isinstance(condition, CONNECTIVES):
            tokens.append("&" if type(condition) is Conjunction else "|")
            tokens.append(len(condition.parts))
            for part in condition.parts:
                self.condition(part)
        elif isinstance(condition, Negation):
            tokens.append("~")
            self.condition(condition.part)
        else:
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
        elif kind is StoredValue:
            self._bound(operand.stored)
        elif kind is StoredSet:
            self._bound(operand.value)
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
        self.tokens.append(VALUE)
        self.values.append(value)


@transient(eq=False, repr=False, kw_only=True)
class ReadStatement:
    """The expressions of a query or a scan.

    Attributes:
        partition: The equality of the partition key, or None for a scan.
        sort: The comparison of the sort key, or None.
        filter: The whole filter, or None.
        projection: The paths that are asked for, or None for all.
        is_count: Whether numbers are wanted instead of items.
    """

    partition: Condition[Any] | None = None
    sort: Condition[Any] | None = None
    filter: Condition[Any] | None = None
    projection: Sequence[AttributePath[Any, Any]] | None = None
    is_count: bool = False

    def compiled(self, compiler: Compiler) -> WirePayload:
        """Return the members of the read, compiled."""
        members: WirePayload = {}
        if self.partition is not None:
            members["KeyConditionExpression"] = compiler.key_condition(self.partition, self.sort)
        if self.filter is not None:
            members["FilterExpression"] = compiler.condition(self.filter, "FilterExpression")
        if self.is_count:
            members["Select"] = "COUNT"
        elif self.projection is not None:
            members["ProjectionExpression"] = compiler.projection(self.projection)
        return {**members, **compiler.finish()}


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
        """Return the texts, names and values of a write, as members of its request.

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
        shape, size = walk.shape()
        filled = self._filled(shape, walk.values, size)
        return filled or self._first(shape, walk.values, self.compiled(clauses, condition))

    def read_members(self, read: ReadStatement) -> WirePayload:
        """Return the texts, names and values of a read, as members of its request.

        Raises:
            LimitError: A text, or the names and values, are too long.
        """
        walk = Walk()
        tokens = walk.tokens
        tokens.append(read.is_count)
        try:
            if read.partition is not None:
                tokens.append("key")
                walk.condition(read.partition)
                if read.sort is not None:
                    walk.condition(read.sort)
            if read.filter is not None:
                tokens.append("filter")
                walk.condition(read.filter)
        except (_NoShape, RecursionError):
            self.misses += 1
            return read.compiled(self._compiler())
        if read.projection is not None:
            tokens.append("project")
            tokens += [path.segments for path in read.projection]
        shape, size = walk.shape()
        filled = self._filled(shape, walk.values, size)
        return filled or self._first(shape, walk.values, read.compiled(self._compiler()))

    def _filled(self, shape: tuple[Any, ...], values: list[AttributeValue], size: int) -> WirePayload | None:
        """Return the members of a statement whose shape is known, None for another one."""
        template = self._templates.get(shape)
        if template is None:
            return None
        self.hits += 1
        self._templates.move_to_end(shape)
        members = dict(template.members)
        if template.slots:
            filled = {placeholder: values[position] for placeholder, position in template.slots}
            if size > CAREFREE_BYTES:
                check_substitutions(self._entity, members.get("ExpressionAttributeNames", {}), filled)
            members["ExpressionAttributeValues"] = filled
        return members

    def _first(self, shape: tuple[Any, ...], values: list[AttributeValue], members: WirePayload) -> WirePayload:
        """Return the members of the first statement of a shape, which is kept."""
        self.misses += 1
        self._keep(shape, values, members)
        return members

    def compiled(self, clauses: UpdateClauses | None, condition: Condition[Any] | None) -> WirePayload:
        """Return the members of a write, compiled.

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

    def _keep(self, shape: tuple[Any, ...], values: list[AttributeValue], members: WirePayload) -> None:
        """Keep a compiled statement for others of its shape."""
        positions: dict[tuple[str, Any], int] = {}
        for number, value in enumerate(values):
            positions.setdefault(value_key(value), number)
        slots: list[tuple[str, int]] = []
        for placeholder, value in members.get("ExpressionAttributeValues", {}).items():
            position = positions.get(value_key(value))
            if position is None:
                return
            slots.append((placeholder, position))
        if len(slots) == len(positions):
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
