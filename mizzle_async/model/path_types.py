"""The type at the end of a path, found by walking the schemas: type checkers' work, for code that is not checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

import attrs

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import Place
from mizzle_async.model.annotations import type_name, union_members
from mizzle_async.model.schema import SCHEMA_ATTRIBUTE, EntitySchema, document_schema_of


def type_at(schema: EntitySchema, path: Place) -> Any:
    """Return the resolved type of what lies at a path; ``Any`` where the class does not say.

    Args:
        schema: The schema of the table's items.
        path: A path of this entity, or of one it inherits from.

    Raises:
        ExpressionError: If the path belongs to another entity, or leads nowhere.
    """
    if not schema.owns(path.owner):
        raise ExpressionError(f"{path} is an attribute of another entity: this is about {schema.entity}")
    segments = path.segments
    attribute = schema.by_name.get(str(segments[0]))
    if attribute is None:
        if schema.is_open:
            return Any
        raise ExpressionError(f"{schema.entity} has no attribute stored as {segments[0]!r}")
    candidates: tuple[Any, ...] = (attribute.type,)
    documents = dict(path.documents)
    for depth, segment in enumerate(segments[1:], start=1):
        document = documents.get(depth)
        inner = [
            found
            for candidate in candidates
            for member in union_members(candidate)
            for found in _inside(member, segment, document)
        ]
        if not inner:
            _refuse(path, candidates, segment, document)
        if any(candidate is Any for candidate in inner):
            return Any
        candidates = tuple(inner)
    return candidates[0] if len(candidates) == 1 else _union(candidates)


def _inside(holder: Any, segment: str | int, document: Any) -> Iterator[Any]:
    """Yield the types that a segment may lead to inside one type: none if it leads nowhere."""
    if holder is Any or holder is object:
        yield Any
        return
    kind = get_origin(holder) or holder
    arguments = get_args(holder)
    if not isinstance(kind, type):
        return
    if attrs.has(kind):
        if isinstance(segment, str) and (document is None or issubclass(kind, document)):
            yield from _member(kind, segment)
    elif document is not None:
        return
    elif issubclass(kind, Mapping):
        if isinstance(segment, str):
            yield arguments[1] if len(arguments) > 1 else Any
    elif (
        issubclass(kind, Sequence)
        and not issubclass(kind, str | bytes | bytearray | memoryview)
        and isinstance(segment, int)
    ):
        if issubclass(kind, tuple) and arguments and arguments[-1] is not ...:
            yield from arguments[segment : segment + 1]
        else:
            yield arguments[0] if arguments else Any


def _member(kind: type[Any], name: str) -> Iterator[Any]:
    if SCHEMA_ATTRIBUTE in vars(kind):
        attribute = document_schema_of(kind).by_name.get(name)
        if attribute is not None:
            yield attribute.type
    elif name in {found.name for found in attrs.fields(kind)}:
        try:
            yield get_type_hints(kind, include_extras=True).get(name, Any)
        except NameError:
            # A class of somebody else's whose names cannot be found from outside.
            yield Any


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
    raise ExpressionError(f"{path}: a value of type {holder} has no {what}")
