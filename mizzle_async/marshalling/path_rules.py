"""The rules of update clauses: no clause leaves an item that its class cannot read.

The service knows only how a value is stored, `N` or `M`. These rules know the Python type at each path.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NoReturn

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import Facet, IfNotExists, Place
from mizzle_async.marshalling.assignable import is_assignable
from mizzle_async.marshalling.path_values import Operands
from mizzle_async.marshalling.path_walk import Step, flat, steps_to
from mizzle_async.marshalling.shapes.containers import TupleShape
from mizzle_async.marshalling.shapes.fields import Field
from mizzle_async.marshalling.shapes.open_values import AnyShape, HookShape
from mizzle_async.marshalling.shapes.scalars import DECIMAL, FLOAT, INT, Scalar, scalar_for
from mizzle_async.marshalling.shapes.sets import SetShape
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.marshalling.shapes.unions import NumberShape
from mizzle_async.model import EntitySchema

DURATION: Final = scalar_for(timedelta)
SECONDS: Final = scalar_for(datetime, "epoch")
MILLISECONDS: Final = scalar_for(datetime, "epoch_ms")
WHOLE_SECONDS: Final = scalar_for(datetime, "whole_seconds")
TEXT: Final = scalar_for(datetime)
NUMBERED_TIMES: Final = frozenset({SECONDS, MILLISECONDS, WHOLE_SECONDS})
TIMES: Final = NUMBERED_TIMES | {TEXT}
FREE_NUMBERS: Final = frozenset({INT, FLOAT, DECIMAL})
TEXTS: Final = frozenset({"S", "B"})


NEVER: Final = {
    Facet.WHOLE: "never equals",
    Facet.TEXT: "never begins with",
    Facet.ELEMENT: "never contains",
}


AT_MOST: Final = frozenset({"=", "<", "<=", "BETWEEN", "IN"})
"""The comparisons with numbers that a larger one never satisfies."""


class PathRules:
    """Refuses clauses whose result could not be read, for the entity of one table.

    Attributes:
        schema: The entity's schema.
        operands: Its attributes, and how they are stored.
    """

    __slots__ = ("operands", "schema")

    def __init__(self, schema: EntitySchema, operands: Operands) -> None:
        self.schema: Final = schema
        self.operands: Final = operands

    def change(self, path: Place) -> None:
        """Check that a value may be written at a path, with any class of a union on the way there.

        Raises:
            ExpressionError: A class that may be stored there could not read it.
        """
        if len(path.segments) == 1:
            return
        steps = steps_to(self.operands, path)
        self._refuse_tag(path, steps)
        written = self.operands.find(path.segments, path.documents)
        for step in steps:
            if step.target is None or not is_assignable(step.target, written):
                holder = "its holder" if step.holder is None else step.holder.python
                raise ExpressionError(
                    f"{path}: {holder}, which may be stored there, could not be read with such a member: assign the "
                    "whole value, or use .patch(old, to=new), which checks the class"
                )

    def remove(self, path: Place) -> None:
        """Check that an item can be read without the value at a path.

        Raises:
            ExpressionError: It is required, or an element of a tuple, or names the class of a union.
        """
        steps = steps_to(self.operands, path)
        self._refuse_tag(path, steps)
        for step in steps:
            if isinstance(step.holder, TupleShape):
                raise ExpressionError(
                    f"{path} is an element of a {step.holder.python}, which has a fixed length, so no read could make "
                    "one of the others: assign the whole value"
                )
            if isinstance(step.target, Field) and not step.target.may_be_absent and not self._is_kept(path):
                raise ExpressionError(
                    f"{path} is required, so no read could make an instance of what remained: give it another value, "
                    "or let its class declare it optional, with a default"
                )

    def assign(self, path: Place, source: Place) -> None:
        """Check that the value at one path may be assigned to another.

        Raises:
            ExpressionError: The type of the source is not the same as the target's, or narrower.
        """
        if path.segments == source.segments:
            return
        target, given = (self.operands.find(each.segments, each.documents) for each in (path, source))
        if not is_assignable(target, given):
            raise ExpressionError(
                f"{source} is of type {_name(given)}, which is not the same as {_name(target)} of {path}, or narrower: "
                "the item could not be read with it"
            )

    def extend(self, path: Place) -> None:
        """Check that a list may grow.

        Raises:
            ExpressionError: It is a tuple of a fixed length.
        """
        for shape in self._at(path):
            if isinstance(shape, TupleShape):
                raise ExpressionError(f"{path} is a {shape.python}, which has a fixed length: assign the whole value")

    def meet(self, left: Place, right: Place, facet: Facet) -> None:
        """Check that two paths hold values that can be compared.

        Args:
            left: A path.
            right: The path that it is compared with.
            facet: How the values of the second relate to those of the first.

        Raises:
            ExpressionError: They are stored as different types, or as points in time in different ways.
        """
        first, second = self._times(left), self._times(right)
        if facet is Facet.WHOLE and first and second and {_unit(each) for each in first}.isdisjoint(map(_unit, second)):
            raise ExpressionError(
                f"{left} and {right} hold times that are stored in different ways ({_way(first)} and {_way(second)}), "
                "so they never compare as times: give both the same datetime_format="
            )
        own = frozenset[str]().union(*(_tags(shape, facet) for shape in self._at(left)))
        other = frozenset[str]().union(*(shape.tags for shape in self._at(right)))
        if own.isdisjoint(other):
            raise ExpressionError(
                f"{left} {NEVER[facet]} {right}: that would be stored as {_or(own)}, and {right} is as {_or(other)}"
            )

    def shrink(self, path: Place) -> None:
        """Check that a set may lose its last element, and with it its place.

        Raises:
            ExpressionError: It is an element of a tuple.
        """
        for step in steps_to(self.operands, path):
            if isinstance(step.holder, TupleShape):
                raise ExpressionError(
                    f"{path} is an element of a {step.holder.python}, and a set without elements has no place in it: "
                    "assign the whole value"
                )

    def measure(self, path: Place, operator: str, numbers: Sequence[Decimal]) -> None:
        """Check that a set that is an attribute is not looked for by a size of 0: without elements it is absent.

        Args:
            path: What is measured.
            operator: The comparison.
            numbers: What the size is compared with.

        Raises:
            ExpressionError: Only a set without elements could have the size.
        """
        if operator not in AT_MOST or any(number > 1 or (number == 1 and operator != "<") for number in numbers):
            return
        targets = [step.target for step in steps_to(self.operands, path)]
        if all(isinstance(target, Field) and isinstance(target.shape, SetShape) for target in targets):
            raise ExpressionError(
                f"{path}.size() is never 0: a set without elements is stored as absence, which has no size: "
                "use .not_exists()"
            )

    def total(self, path: Place, operator: str, left: Any, right: Any) -> Place:
        """Check that a sum or a difference is a value of the path that it is assigned or added to.

        Args:
            path: The path.
            operator: ``+`` or ``-``.
            left: A term or a value.
            right: A term or a value.

        Returns:
            The path whose times the values in the sum are stored like.

        Raises:
            ExpressionError: If it is not, for some numbers.
        """
        shapes = [shape for shape in self._at(path) if "N" in shape.tags and not isinstance(shape, AnyShape)]
        for shape in shapes:
            if shape in FREE_NUMBERS or isinstance(shape, NumberShape):
                self._check_numbers(path, shape, left, right)
            elif shape is DURATION:
                self._check_duration(path, operator, left, right)
            elif shape in NUMBERED_TIMES:
                self._check_time(path, shape, operator, left, right)
            elif not isinstance(shape, HookShape):
                raise ExpressionError(
                    f"{path} is of type {shape.python}, and a sum need not be one of its values: declare a plain "
                    "number, or assign a value"
                )
        if shapes == [DURATION]:
            return next((place for place in map(_place, (left, right)) if place is not None), path)
        return path

    def _check_numbers(self, path: Place, target: Shape, left: Any, right: Any) -> None:
        for side in (left, right):
            place = _place(side)
            if place is not None and place.segments != path.segments:
                source = self.operands.find(place.segments, place.documents)
                if not is_assignable(target, source):
                    raise ExpressionError(
                        f"{path} is of type {target.python} and {place} of type {_name(source)}: their sum need not be "
                        f"{target.python}"
                    )
            elif place is None and isinstance(side, timedelta | datetime):
                raise ExpressionError(f"{path} is of type {target.python}: it takes no {type(side).__name__}")

    def _check_duration(self, path: Place, operator: str, left: Any, right: Any) -> None:
        kinds = [self._kind(side) for side in (left, right)]
        if kinds == [DURATION, DURATION]:
            return
        known: list[Shape] = [kind for kind in kinds if kind is not None]
        units = {_unit(kind) for kind in known if kind in TIMES}
        if operator == "-" and len(units) == 1 and all(kind in NUMBERED_TIMES for kind in kinds):
            if units == {SECONDS}:
                return
            raise ExpressionError(
                f"{path} is a timedelta, stored in seconds, and the times are stored in milliseconds: their difference "
                'would be a thousand times as long. Store them with datetime_format="epoch"'
            )
        self._refuse_sum(path, "timedelta, which takes durations, or the difference of two times that are stored alike")

    def _check_time(self, path: Place, target: Shape, operator: str, left: Any, right: Any) -> None:
        first, second = self._kind(left), self._kind(right)
        if operator == "+" and first is DURATION:
            first, second = second, first
            left, right = right, left
        if (
            not isinstance(left, datetime)
            and first is not target
            and not (target is SECONDS and first is WHOLE_SECONDS)
        ):
            self._refuse_sum(path, "datetime: it is the sum of a time that is stored as it is, and a timedelta")
        if second is not DURATION:
            self._refuse_sum(path, "datetime, which takes a timedelta: `+ timedelta(days=1)`")
        if isinstance(right, timedelta):
            if target is WHOLE_SECONDS and right % timedelta(seconds=1):
                self._refuse_sum(path, "time to live, which is stored in whole seconds: take a timedelta of whole ones")
        elif target is not SECONDS:
            self._refuse_sum(path, "datetime that is not stored in seconds with a fraction, as durations are")

    def _kind(self, side: Any) -> Any:
        """Return the scalar that a side of a sum is of, None for a plain number and for anything else."""
        if isinstance(side, timedelta):
            return DURATION
        if isinstance(side, datetime):
            return SECONDS
        place = _place(side)
        if place is None:
            return None
        shapes = list(self._at(place))
        return _root(shapes[0]) if len(shapes) == 1 else None

    def _times(self, path: Place) -> set[Shape]:
        return {root for root in map(_root, self._at(path)) if _is_time(root)}

    def _at(self, path: Place) -> tuple[Shape, ...]:
        return tuple(flat(self.operands.find(path.segments, path.documents)))

    def _is_kept(self, path: Place) -> bool:
        """Tell whether a top-level attribute is one that the library writes, or a key, which no clause may name."""
        attribute = self.schema.by_name.get(str(path.segments[0])) if len(path.segments) == 1 else None
        return attribute is not None and (attribute.key is not None or attribute.is_automatic)

    def _refuse_tag(self, path: Place, steps: list[Step]) -> None:
        if any(step.names_class for step in steps):
            raise ExpressionError(
                f"{path} names the class of the value that holds it, so it changes with the whole value only: assign "
                "that"
            )

    def _refuse_sum(self, path: Place, kind: str) -> NoReturn:
        raise ExpressionError(f"{path} is a {kind}")


def _tags(shape: Shape, facet: Facet) -> frozenset[str]:
    """Return the types of values, or of parts of them, as they are stored."""
    if facet is Facet.WHOLE or isinstance(shape, AnyShape):
        return shape.tags
    element = shape.element() if facet is Facet.ELEMENT else None
    if element is None:
        return shape.tags & TEXTS
    return frozenset[str]().union(*(each.tags for each in flat(element)))


def _or(tags: frozenset[str]) -> str:
    return " or ".join(sorted(tags))


def _place(side: Any) -> Place | None:
    if isinstance(side, IfNotExists):
        return side.path
    return side if isinstance(side, Place) else None


def _root(shape: Shape) -> Shape:
    while isinstance(shape, Scalar) and shape.base is not None:
        shape = shape.base
    return shape


def _is_time(shape: Shape) -> bool:
    return isinstance(shape, Scalar) and datetime in shape.exact_types


def _unit(shape: Shape) -> Shape | None:
    return SECONDS if shape is WHOLE_SECONDS else shape


def _way(shapes: set[Shape]) -> str:
    ways: dict[Shape | None, str] = {TEXT: "as text", SECONDS: "in seconds", MILLISECONDS: "in milliseconds"}
    return " or ".join(sorted(ways.get(_unit(shape), "in another form") for shape in shapes))


def _name(target: Field | Shape) -> str:
    shape = target.shape if isinstance(target, Field) else target
    if isinstance(shape, AnyShape):
        return "Any, which is not known"
    name = _described(shape)
    return f"{name} | None" if isinstance(target, Field) and target.optional else name


def _described(shape: Shape) -> str:
    return f"{shape.python}, stored {_way({shape})}" if _is_time(shape) else shape.python
