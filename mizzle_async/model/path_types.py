"""The type at the end of a path, found by walking the schemas: type checkers' work, for code that is not checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any, Final, NoReturn, get_args, get_origin, get_type_hints, is_typeddict

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import Place
from mizzle_async.expressions.terms import owner_name
from mizzle_async.model.annotations import is_literal, type_name, without_none
from mizzle_async.model.foreign import field_types, has_fields
from mizzle_async.model.scalars import SCALAR_TYPES
from mizzle_async.model.scalars.misfit import DEFINED_TWICE
from mizzle_async.model.schema import SCHEMA_ATTRIBUTE, EntitySchema, document_schema_of

CLOSED: Final[tuple[type[Any], ...]] = (
    *dict.fromkeys(kind for row in SCALAR_TYPES for kind in (row.python, *row.exact_types)),
    Enum,
    AbstractSet,
)
"""Types with nothing inside that a path can name."""


def type_at(schema: EntitySchema, path: Place) -> Any:
    """Return the resolved type of the value at a path, ``Any`` where the class does not say.

    Members named by a string that a class does not declare may be stored all the same: they are ``Any``.

    Args:
        schema: The schema of the table's items.
        path: A path of this entity, or of one it inherits from.

    Raises:
        ExpressionError: If the path belongs to another entity, or leads nowhere.
    """
    if not schema.owns(path.owner):
        if owner_name(path.owner) == schema.entity:
            raise ExpressionError(f"{path} is an attribute of another class {schema.entity}: {DEFINED_TWICE}")
        raise ExpressionError(f"{path} is an attribute of another entity: this is about {schema.entity}")
    segments = path.segments
    declared = schema.by_field.get(str(path.labels[0])) if path.labels else None
    if declared is not None and declared.name != segments[0]:
        raise ExpressionError(
            f"{path} is stored as {segments[0]!r}, which {schema.entity} inherits and stores as {declared.name!r}: use "
            f"{schema.entity}.{declared.field}"
        )
    attribute = schema.by_name.get(str(segments[0]))
    if attribute is None:
        return Any
    candidates: tuple[Any, ...] = (attribute.storage_type,)
    documents = dict(path.documents)
    for depth, segment in enumerate(segments[1:], start=1):
        document = documents.get(depth)
        inner = [
            found
            for candidate in candidates
            for member in without_none(candidate)
            for found in _inside(member, segment, document)
        ]
        if not inner:
            _refuse(path, candidates, segment, document)
        if any(candidate is Any for candidate in inner):
            return Any
        candidates = tuple(inner)
    return candidates[0] if len(candidates) == 1 else _union(candidates)


def format_at(schema: EntitySchema, path: Place) -> Any:
    """Return how datetimes at a path are stored, None where its classes do not say.

    Args:
        schema: The schema of the table's items.
        path: A path of this entity.
    """
    attribute = schema.by_name.get(str(path.segments[0]))
    documents = dict(path.documents)
    for depth, segment in enumerate(path.segments[1:], start=1):
        document = documents.get(depth)
        if document is not None and SCHEMA_ATTRIBUTE in vars(document):
            attribute = document_schema_of(document).by_name.get(str(segment))
        elif isinstance(segment, str):
            attribute = None  # a class that is not named may say how it stores its own
    if attribute is None:
        return None
    return "iso" if attribute.storage_format is None else attribute.storage_format


def types_inside(candidates: Sequence[Any], segment: str | int) -> tuple[Any, ...]:
    """Return the types that a segment may lead to from a value of one of several types: none if it leads nowhere.

    Args:
        candidates: The types.
        segment: A stored name, or a position.
    """
    return tuple(
        found
        for candidate in candidates
        for member in without_none(candidate)
        for found in _inside(member, segment, None)
    )


def _inside(holder: Any, segment: str | int, document: Any) -> Iterator[Any]:
    """Yield the types that a segment may lead to inside one type: none if it leads nowhere."""
    kind = get_origin(holder) or holder
    if not isinstance(kind, type) or kind is object:
        if not is_literal(holder):
            yield Any
    elif has_fields(kind):
        if isinstance(segment, str):
            yield from _member(kind, segment, document)
    elif is_typeddict(kind) or (issubclass(kind, tuple) and hasattr(kind, "_fields")):
        if document is None:
            yield from _named(kind, segment)
    elif document is None and not issubclass(kind, CLOSED):
        yield from _element(kind, get_args(holder), segment)


def _named(kind: Any, segment: str | int) -> Iterator[Any]:
    """Yield the type of a key of a TypedDict, or of a position of a NamedTuple."""
    try:
        hints = get_type_hints(kind, include_extras=False)
    except NameError:
        yield Any
        return
    if is_typeddict(kind):
        if isinstance(segment, str) and segment in kind.__annotations__:
            yield hints.get(segment, Any)
    elif isinstance(segment, int) and segment < len(kind._fields):
        yield hints.get(kind._fields[segment], Any)


def _element(kind: type[Any], arguments: tuple[Any, ...], segment: str | int) -> Iterator[Any]:
    if issubclass(kind, Mapping):
        if isinstance(segment, str):
            yield arguments[1] if len(arguments) > 1 else Any
    elif not issubclass(kind, Sequence):
        # A class that only the user's converter knows.
        yield Any
    elif isinstance(segment, int):
        if issubclass(kind, tuple) and arguments and arguments[-1] is not ...:
            yield from arguments[segment : segment + 1]
        else:
            yield arguments[0] if arguments else Any


def _member(kind: type[Any], name: str, document: Any) -> Iterator[Any]:
    """Yield the type of a member. One named by a string may be stored although the class does not declare it."""
    if document is not None and not issubclass(kind, document):
        return
    if SCHEMA_ATTRIBUTE in vars(kind):
        attribute = document_schema_of(kind).by_name.get(name)
        if attribute is not None:
            yield attribute.storage_type
        elif document is None:
            yield Any
    else:
        yield field_types(kind).get(name, Any)


def _union(candidates: tuple[Any, ...]) -> Any:
    joined = candidates[0]
    for candidate in candidates[1:]:
        joined = joined | candidate
    return joined


def _refuse(path: Place, candidates: tuple[Any, ...], segment: str | int, document: Any) -> NoReturn:
    holder = " | ".join(map(type_name, candidates))
    if document is not None:
        raise ExpressionError(f"{path}: {document.__name__}'s attributes are not in a value of type {holder}")
    what = f"element {segment}" if isinstance(segment, int) else f"member {segment!r}"
    takes_names = any(issubclass(get_origin(one) or one, Mapping) for one in candidates if _is_class(one))
    hint = f": write the key as text, [{str(segment)!r}]" if isinstance(segment, int) and takes_names else ""
    raise ExpressionError(f"{path}: a value of type {holder} has no {what}{hint}")


def _is_class(annotation: Any) -> bool:
    return isinstance(get_origin(annotation) or annotation, type)
