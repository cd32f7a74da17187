"""Checks of an index's keys and projection, when the index is made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from mizzle_async.errors import ModelError
from mizzle_async.expressions import AttributePath
from mizzle_async.limits import INDEX_KEY_ATTRIBUTES, KEY_ATTRIBUTE_NAME_BYTES, TABLE_NAME_PATTERN
from mizzle_async.model.key_types import check_scalar_type
from mizzle_async.model.schema import SCHEMA_ATTRIBUTE, DocumentSchema, EntitySchema, SchemaSource

Projection: TypeAlias = Literal["all", "keys_only"] | Sequence[AttributePath[Any, Any]]
"""The attributes that an index holds beside keys: all, none, or those that are named."""

KeyPaths: TypeAlias = tuple[AttributePath[Any, Any], ...]


def check_index_name(name: Any) -> None:
    """Check an index's name.

    Raises:
        ModelError: If DynamoDB would refuse it.
    """
    if not isinstance(name, str) or re.fullmatch(TABLE_NAME_PATTERN, name) is None:
        raise ModelError(f"an index is named by 3 to 255 letters, digits, '_', '-' and '.', not {name!r}")


def key_paths(name: str, keyword: str, given: Any) -> KeyPaths:
    """Return the paths of a key, given one or a tuple.

    Raises:
        ModelError: If they are not one to four paths of attributes.
    """
    paths: tuple[Any, ...] = given if isinstance(given, tuple) else (given,)
    for path in paths:
        if not isinstance(path, AttributePath) or path.composite:
            raise ModelError(
                f"index {name!r}: {keyword}= takes an attribute's path, such as Order.status, or a tuple of paths, "
                f"not {type(path).__name__}"
            )
        if len(path.segments) != 1:
            raise ModelError(f"index {name!r}: {path} is inside an attribute: an index key is an attribute of the item")
    if not 1 <= len(paths) <= INDEX_KEY_ATTRIBUTES:
        raise ModelError(f"index {name!r}: {keyword}= takes 1 to {INDEX_KEY_ATTRIBUTES} attributes, not {len(paths)}")
    return paths


def common_owner(name: str, paths: KeyPaths) -> Any:
    """Return whose attributes the paths are: of several classes, the one that inherits from all others.

    Raises:
        ModelError: If they belong to different entities.
    """
    owner = paths[0].owner
    for path in paths[1:]:
        other = path.owner
        if other is owner or _inherits(owner, other):
            continue
        if not _inherits(other, owner):
            raise ModelError(f"index {name!r}: {paths[0]} and {path} belong to different entities")
        owner = other
    return owner


def check_key_paths(name: str, owner: Any, paths: KeyPaths) -> None:
    """Check the attributes that make an index's key.

    Raises:
        ModelError: If one is named twice, has too long a name, or a type that cannot be a key.
    """
    seen: set[Any] = set()
    schema = resolved_schema(owner)
    for path in paths:
        stored = str(path.segments[0])
        if stored in seen:
            raise ModelError(f"index {name!r}: {path} is in its key twice")
        seen.add(stored)
        if len(stored.encode(errors="surrogatepass")) > KEY_ATTRIBUTE_NAME_BYTES:
            raise ModelError(f"index {name!r}: the name of {path} is longer than {KEY_ATTRIBUTE_NAME_BYTES} bytes")
        attribute = None if schema is None else schema.by_name.get(stored)
        if attribute is not None:
            check_scalar_type(str(path), attribute.storage_type, f"key of index {name!r}")


def projected_names(name: str, owner: Any, projection: Any) -> Literal["all", "keys_only"] | tuple[str, ...]:
    """Return the stored names of the attributes that an index holds beside keys.

    Raises:
        ModelError: If it is neither a word nor paths of the entity's attributes.
    """
    if projection == "all":
        return "all"
    if projection == "keys_only":
        return "keys_only"
    names: list[str] = []
    for path in () if isinstance(projection, str) else projection:
        if not isinstance(path, AttributePath) or len(path.segments) != 1:
            break
        if not (path.owner is owner or _inherits(owner, path.owner)):
            raise ModelError(f"index {name!r}: its projection names {path}, an attribute of another entity")
        names.append(str(path.segments[0]))
    else:
        if names:
            return tuple(dict.fromkeys(names))
    raise ModelError(f'index {name!r}: projection= is "all", "keys_only" or paths of attributes, such as [Order.total]')


def resolved_schema(owner: Any) -> DocumentSchema | None:
    """Return an owner's schema, None where its types are not all known yet or it has none."""
    if isinstance(owner, EntitySchema):
        return owner
    source: SchemaSource | None = vars(owner).get(SCHEMA_ATTRIBUTE) if isinstance(owner, type) else None
    if source is None:
        return None
    try:
        return source.schema()
    except ModelError:
        return None


def _inherits(owner: Any, other: Any) -> bool:
    return isinstance(owner, type) and isinstance(other, type) and issubclass(owner, other)
