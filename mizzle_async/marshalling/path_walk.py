"""The ways into stored values: where the steps of a path lead, in every class of a union."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import Place
from mizzle_async.marshalling.path_values import ANY, Operands
from mizzle_async.marshalling.shapes.aliases import AliasShape
from mizzle_async.marshalling.shapes.containers import ListShape, MapShape, TupleShape
from mizzle_async.marshalling.shapes.fields import Field
from mizzle_async.marshalling.shapes.generated_classes import ClassShape
from mizzle_async.marshalling.shapes.named import TypedDictShape
from mizzle_async.marshalling.shapes.open_values import AnyShape, HookShape, OptionalShape
from mizzle_async.marshalling.shapes.scalars import STR
from mizzle_async.marshalling.shapes.shape import Shape
from mizzle_async.marshalling.shapes.unions import TaggedUnionShape, UnionShape
from mizzle_async.model.scalars.misfit import Misfit


@frozen(eq=False, repr=False)
class Step:
    """Where the last step of a path leads, in one of the types that may hold it.

    Attributes:
        holder: The type that holds the value, None for an attribute of the item.
        target: How the value is stored, None where the holder is a class that refuses such a member.
        names_class: Whether the value names the class of the union that the holder belongs to.
    """

    holder: Shape | None
    target: Field | Shape | None
    names_class: bool = False


@frozen(eq=False, repr=False)
class _Holder:
    """A type that may hold the next step.

    Attributes:
        shape: The type.
        tag: The member that names the class, where it is one of a union.
    """

    shape: Shape
    tag: str | None = None


def steps_to(operands: Operands, path: Place) -> list[Step]:
    """Return where the last step of a path may lead.

    Args:
        operands: The attributes of the entity.
        path: The path.

    Raises:
        ExpressionError: A step is a key that the keys of a dict cannot be, or a member that its class calls otherwise.
    """
    first = path.segments[0]
    steps = [Step(None, operands.members.get(first, ANY) if isinstance(first, str) else ANY)]
    documents = dict(path.documents)
    for depth, segment in enumerate(path.segments[1:], start=1):
        holders = [holder for step in steps if step.target is not None for holder in _holders(step)]
        steps = [step for holder in holders for step in _into(path, holder, segment, documents.get(depth))]
    return steps


def flat(target: Field | Shape) -> Iterator[Shape]:
    """Yield the types of a union, without None, or another type itself. Classes of a union stay together."""
    shape = target.shape if isinstance(target, Field) else target
    if isinstance(shape, OptionalShape):
        yield from flat(shape.inner)
    elif isinstance(shape, AliasShape):
        yield from flat(shape.real)
    elif isinstance(shape, UnionShape):
        for member in shape.members:
            yield from flat(member)
    else:
        yield shape


def _holders(step: Step) -> Iterator[_Holder]:
    if step.target is None:
        return
    for shape in flat(step.target):
        if isinstance(shape, TaggedUnionShape):
            for member in shape.classes.values():
                yield _Holder(member, shape.attribute)
        else:
            yield _Holder(shape)


def _into(path: Place, holder: _Holder, segment: str | int, document: Any) -> Iterator[Step]:
    shape = holder.shape
    match shape:
        case AnyShape() | HookShape():
            yield Step(shape, ANY)
        case ClassShape() if isinstance(segment, str):
            if segment == holder.tag:
                yield Step(shape, shape.by_wire.get(segment, STR), names_class=True)
            else:
                yield Step(shape, _member(path, shape, segment))
        case TypedDictShape() if isinstance(segment, str) and segment in shape.members:
            yield Step(shape, shape.field(segment))
        case MapShape() if isinstance(segment, str) and document is None:
            _check_key(path, shape, segment)
            yield Step(shape, shape.of)
        case ListShape() if isinstance(segment, int):
            yield Step(shape, shape.of)
        case TupleShape() if isinstance(segment, int) and segment < len(shape.of):
            yield Step(shape, shape.of[segment])
        case _:
            return


def _member(path: Place, shape: ClassShape, name: str) -> Field | Shape | None:
    field = shape.by_wire.get(name)
    if field is not None:
        return field
    renamed = shape.by_name.get(name)
    if renamed is not None:
        raise ExpressionError(
            f"{path}: {shape.python}.{name} is stored as {renamed.wire!r}: write [{shape.python}.{name}], or "
            f"[{renamed.wire!r}]"
        )
    return None if shape.refuses_unknown else ANY


def _check_key(path: Place, shape: MapShape, name: str) -> None:
    if shape.key is STR:
        return
    try:
        fits = shape.key.write(shape.key.read(name)) == name
    except Misfit:
        fits = False
    if not fits:
        raise ExpressionError(f"{path}: {name!r} is no key of a {shape.python}: write a key, [{shape.key.python}…]")
