"""Which stored values a type can read, so that they may be assigned from one path to another.

A value may go where its type is the same or narrower, as a type checker sees it: an ``int`` into a ``Decimal``, a
member of a ``StrEnum`` into a ``str``. That DynamoDB stores both alike is not enough: ``str`` into a ``StrEnum`` would
leave an item that no read can decode. The type of a value under ``Any`` is not known, so it goes into ``Any`` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import zip_longest
from typing import Final

from mizzle_async.marshalling.shapes.aliases import AliasShape
from mizzle_async.marshalling.shapes.containers import ListShape, MapShape, TupleShape
from mizzle_async.marshalling.shapes.fields import Field
from mizzle_async.marshalling.shapes.generated_classes import ClassShape
from mizzle_async.marshalling.shapes.open_values import AnyShape, HookShape, OptionalShape
from mizzle_async.marshalling.shapes.scalars import DECIMAL, FLOAT, INT, Scalar, scalar_for
from mizzle_async.marshalling.shapes.sets import OpenSetShape, ScalarSetShape
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.marshalling.shapes.unions import NumberShape, TaggedUnionShape, UnionShape

Pairs = frozenset[tuple[int, int]]

WIDER: Final[Mapping[Shape | None, frozenset[Shape | None]]] = {
    INT: frozenset({FLOAT, DECIMAL}),
    scalar_for(datetime, "whole_seconds"): frozenset({scalar_for(datetime, "epoch")}),
}
"""Other types that a registered type may be assigned to: a time to live has whole seconds, other times parts."""


def is_assignable(target: Field | Shape, source: Field | Shape) -> bool:
    """Tell whether every value that is stored by a source can be read by a target.

    Args:
        target: How values are stored where they are assigned.
        source: How values are stored where they come from.
    """
    return _fits(*_plain(target), *_plain(source), frozenset())


def _plain(target: Field | Shape) -> tuple[Shape, bool]:
    """Return a shape without None, and whether None is one of its values."""
    if isinstance(target, Field):
        shape, takes_none = _plain(target.shape)
        return shape, takes_none or target.optional
    if isinstance(target, OptionalShape):
        return _plain(target.inner)[0], True
    if isinstance(target, AliasShape):
        return _plain(target.real)
    return target, isinstance(target, AnyShape)


def _fits_inside(target: Field | Shape, source: Field | Shape, above: Pairs) -> bool:
    return _fits(*_plain(target), *_plain(source), above)


def _fits(target: Shape, takes_none: bool, source: Shape, gives_none: bool, above: Pairs) -> bool:  # noqa: FBT001  (private)
    if isinstance(target, AnyShape):
        return True
    if gives_none and not takes_none:
        return False
    return target is source or _fits_shape(target, source, above)


def _fits_shape(target: Shape, source: Shape, above: Pairs) -> bool:  # noqa: PLR0911  (one return for each kind)
    if isinstance(source, UnionShape):
        return all(_fits_inside(target, member, above) for member in source.members)
    if isinstance(source, NumberShape):
        return _fits_inside(target, source.whole, above) and _fits_inside(target, source.other, above)
    match target:
        case UnionShape():
            return any(_fits_inside(member, source, above) for member in target.members)
        case NumberShape():
            return _fits_inside(target.whole, source, above) or _fits_inside(target.other, source, above)
        case Scalar():
            return isinstance(source, Scalar) and _fits_scalar(target, source)
        case HookShape():
            return isinstance(source, HookShape) and source.target == target.target
        case TaggedUnionShape() | ClassShape():
            return _fits_class(target, source, above)
        case _:
            return _fits_container(target, source, above)


def _fits_scalar(target: Scalar, source: Scalar) -> bool:
    if target.values and source.values:
        return {(type(value), value) for value in source.values} <= {(type(value), value) for value in target.values}
    if target.cls is not None and source.cls is not None and issubclass(source.cls, target.cls):
        return True
    if target in WIDER.get(source, ()):
        return True
    return source.base is not None and (source.base is target or _fits_scalar(target, source.base))


def _fits_class(target: TaggedUnionShape | ClassShape, source: Shape, above: Pairs) -> bool:
    if isinstance(target, ClassShape):
        if not isinstance(source, ClassShape) or source.cls is not target.cls:
            return False
        pair = (id(target), id(source))
        return pair in above or all(
            mine is not None and theirs is not None and _fits_inside(mine, theirs, above | {pair})
            for mine, theirs in zip_longest(target.fields, source.fields)
        )
    if isinstance(source, ClassShape):
        tagged = {name: source for name, shape in target.classes.items() if shape.cls is source.cls}
        return target.is_declared and bool(tagged) and _fits_class(target.classes[next(iter(tagged))], source, above)
    return (
        isinstance(source, TaggedUnionShape)
        and source.attribute == target.attribute
        and all(
            name in target.classes and _fits_class(target.classes[name], shape, above)
            for name, shape in source.classes.items()
        )
    )


def _fits_container(target: Shape, source: Shape, above: Pairs) -> bool:  # noqa: PLR0911  (one return for each kind)
    match target, source:
        case ListShape(), ListShape():
            return _fits_inside(target.of, source.of, above)
        case OpenSetShape(), ScalarSetShape() | OpenSetShape():
            return _fits_inside(target.of, source.of, above)
        case ListShape(), TupleShape():
            return all(_fits_inside(target.of, of, above) for of in source.of)
        case TupleShape(), TupleShape():
            return len(target.of) == len(source.of) and all(
                _fits_inside(mine, theirs, above) for mine, theirs in zip(target.of, source.of, strict=True)
            )
        case ScalarSetShape(), ScalarSetShape():
            return _fits_inside(target.of, source.of, above)
        case MapShape(), MapShape():
            return _fits_inside(target.key, source.key, above) and _fits_inside(target.of, source.of, above)
        case _:
            return False
