"""Schemas made from outside: for classes that others decorated, and for plain dicts."""

from __future__ import annotations

from typing import Any

import attrs

from mizzle_async.errors import ExpressionError, LimitError, ModelError
from mizzle_async.expressions.names import check_name
from mizzle_async.model.annotations import Namespace, annotating_class
from mizzle_async.model.declarations import KEY_WORDS, declare_plain
from mizzle_async.model.foreign import fields_of, has_fields
from mizzle_async.model.key_types import check_key_type
from mizzle_async.model.schema import (
    SCHEMA_ATTRIBUTE,
    AttributeSchema,
    EntitySchema,
    KeyRole,
    UnknownAttributes,
)
from mizzle_async.model.structure import check_keys, check_names, check_options, check_shards


def map_class(
    cls: type[Any],
    *,
    name: str,
    partition_key: str,
    sort_key: str | None = None,
    unknown: UnknownAttributes = "ignore",
) -> EntitySchema:
    """Return a schema for a class with attributes as its owner wrote it, without a change of the class.

    Args:
        cls: The class.
        name: The table's name.
        partition_key: The attribute that is the partition key, by its name in Python.
        sort_key: The attribute that is the sort key.
        unknown: Whether reading ignores stored attributes that the class does not declare, or raises.

    Raises:
        ModelError: If it is no class with attributes, lacks such an attribute, or the attribute cannot be a key.
    """
    if not has_fields(cls):
        raise ModelError(
            f"{getattr(cls, '__name__', cls)} has no attributes that can be listed: decorate it with @entity or "
            "@dataclass, or make it a model of Pydantic's, a struct or an attrs class"
        )
    if SCHEMA_ATTRIBUTE in vars(cls):
        raise ModelError(
            f"{cls.__name__} says itself how it is stored, by its decorator: leave partition_key= and sort_key= out"
        )
    keys: dict[str, KeyRole] = {partition_key: "partition"}
    if sort_key is not None:
        if sort_key == partition_key:
            raise ModelError(f"{cls.__name__}: {sort_key} cannot be partition key and sort key at once")
        keys[sort_key] = "sort"
    fields = [each for each in fields_of(cls) if each.argument is not None]
    known = [attribute.name for attribute in fields]
    for key in keys:
        if key not in known:
            raise ModelError(f"{cls.__name__} has no attribute {key!r} to be a key; it has {', '.join(known)}")
    declarations = [
        declare_plain(cls, attribute, Namespace(annotating_class(cls, attribute.name)), keys.get(attribute.name))
        for attribute in fields
    ]
    check_names(cls.__name__, declarations)
    check_options(cls.__name__, declarations)
    check_keys(cls.__name__, declarations)
    attributes = tuple(declaration.schema() for declaration in declarations)
    by_key = {attribute.key: attribute for attribute in attributes if attribute.key is not None}
    return EntitySchema(
        cls,
        cls.__name__,
        attributes,
        unknown=unknown,
        table=name,
        partition_key=by_key["partition"],
        sort_key=by_key.get("sort"),
    )


def dict_schema(
    name: str,
    *,
    partition_key: str,
    sort_key: str | None = None,
    partition_key_type: type[Any] | None = None,
    sort_key_type: type[Any] | None = None,
    shards: int | None = None,
) -> EntitySchema:
    """Return a schema for a table whose items are plain dicts, with any attributes beside the key.

    Args:
        name: The table's name.
        partition_key: The stored name of the partition key.
        sort_key: The stored name of the sort key.
        partition_key_type: Its type. None encodes by value.
        sort_key_type: As for the partition key.
        shards: Over how many partitions the partition key is spread. None for one.

    Raises:
        ModelError: If a name or a type cannot be a key's.
    """
    if sort_key == partition_key:
        raise ModelError(f"table {name!r}: {sort_key} cannot be partition key and sort key at once")
    if shards is not None:
        check_shards(f"table {name!r}", shards)
    partition = attrs.evolve(_key(name, partition_key, "partition", partition_key_type), shards=shards)
    sort = None if sort_key is None else _key(name, sort_key, "sort", sort_key_type)
    attributes = (partition,) if sort is None else (partition, sort)
    return EntitySchema(dict, name, attributes, table=name, partition_key=partition, sort_key=sort)


def _key(table: str, name: str, role: KeyRole, annotation: Any) -> AttributeSchema:
    try:
        check_name(name)
    except (ExpressionError, LimitError) as error:
        raise ModelError(f"table {table!r}: {error.message}") from None
    if annotation is None:
        annotation = Any
    else:
        check_key_type(f"table {table!r}", annotation, KEY_WORDS[role])
    return AttributeSchema(field=name, name=name, type=annotation, key=role)
