"""Entities of shared tables: from the formats at the decorator to the keys of a schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from mizzle_async.errors import ModelError
from mizzle_async.model.declarations import KEY_WORDS, Declaration
from mizzle_async.model.roles import TimeToLive, Version
from mizzle_async.model.schema import SCHEMA_ATTRIBUTE, AttributeSchema, KeyRole
from mizzle_async.model.shared.formats import KeyFormat
from mizzle_async.model.shared.parsing import parse_format
from mizzle_async.model.shared.parts import key_part
from mizzle_async.model.shared.tables import GUARD_PREFIX, SharedKeys, SharedTable
from mizzle_async.values import Record

ROLES: tuple[KeyRole, KeyRole] = ("partition", "sort")


@frozen(eq=False, repr=False)
class SharedDeclaration(Record):
    """How an entity was put into a shared table, as it was written.

    Attributes:
        table: The table.
        texts: The formats of its keys, partition key first. Empty for those of the class that it inherits from.
        type_names: The names of its type.
    """

    table: SharedTable
    texts: tuple[str, ...]
    type_names: tuple[str, ...]


def declare_shared(
    cls: Any, table: SharedTable, partition_key: Any, sort_key: Any, type_name: Any
) -> SharedDeclaration:
    """Return the declaration of an entity of a shared table.

    Raises:
        ModelError: A format is missing, or one too many.
    """
    name = getattr(cls, "__name__", str(cls))
    names = (type_name,) if isinstance(type_name, str) else tuple(type_name or (name,))
    if not all(isinstance(each, str) and each for each in names):
        raise ModelError(f"{name}: type_name= takes a text, or a tuple of texts of which the first is written")
    if partition_key is None and sort_key is None:
        if _parent(cls) is None:
            raise ModelError(
                f"{name}: an entity of a shared table takes partition_key=…, and sort_key=… where the table has one"
            )
        return SharedDeclaration(table, (), names)
    texts = tuple(text for text in (partition_key, sort_key) if text is not None)
    if partition_key is None or len(texts) != len(table.key_names):
        keys = " and ".join(f"{word.replace(' ', '_')}=" for word in list(KEY_WORDS.values())[: len(table.key_names)])
        raise ModelError(f"{name}: table {table.name!r} has the key {', '.join(table.key_names)}: give {keys}")
    return SharedDeclaration(table, texts, names)


def check_shared(model: str, declared: SharedDeclaration, declarations: Mapping[str, Declaration]) -> None:
    """Check annotated parts, options and stored names, before types are known.

    Raises:
        ModelError: A part or an option does not go with a shared table.
    """
    reserved = {*declared.table.key_names, declared.table.type_attribute}
    reserved |= {name for index in declared.table.indexes.values() for name in index.key_names}
    for declaration in declarations.values():
        if declaration.name in reserved:
            raise ModelError(
                f"{declaration.where}: table {declared.table.name!r} keeps {declaration.name!r} itself: "
                'give the attribute another stored name, `attribute(name="…")`'
            )
        if declaration.options.shards is not None:
            raise ModelError(f"{declaration.where}: shards= does not go with a shared table")
        if declaration.options.key_only and declaration.key is None:
            raise ModelError(f"{declaration.where}: key_only= is for parts of the key: annotate it as one of its keys")
    if not any(declaration.key == "partition" for declaration in declarations.values()) and declared.texts:
        for text in declared.texts[:1]:
            if "{" in text:
                raise ModelError(f"{model}: annotate the attributes of {text!r} with PartitionKey")


def shared_keys(
    cls: type[Any], declared: SharedDeclaration, attributes: Sequence[AttributeSchema]
) -> tuple[SharedKeys, tuple[AttributeSchema, ...]]:
    """Return the keys of an entity, and its attributes with their parts in them.

    Raises:
        ModelError: A format does not fit the attributes.
    """
    parent = _parent(cls) if not declared.texts else None
    formats = _formats(cls.__name__, declared, attributes) if parent is None else parent.formats
    if parent is not None and parent.table is not declared.table:
        raise ModelError(
            f"{cls.__name__} inherits the keys of {parent.entity}, which is in another table: give its own"
        )
    _check_parts(cls.__name__, formats, attributes)
    _check_roles(cls.__name__, declared.table, formats, attributes)
    keys = SharedKeys(cls, declared.table, declared.type_names, formats, parent)
    return keys, tuple(evolve(each, key=None, part=each.key) if each.key else each for each in attributes)


def stored_keys(table: SharedTable) -> tuple[AttributeSchema, ...]:
    """Return the key attributes of a shared table as they are stored: texts."""
    return tuple(
        AttributeSchema(field=name, name=name, type=str, key=role)
        for name, role in zip(table.key_names, ROLES, strict=False)
    )


def attribute_part(
    entity: str, by_field: Mapping[str, AttributeSchema], table: SharedTable, field: str, spec: str
) -> Any:
    """Return the part that an attribute makes in a format.

    Raises:
        ModelError: There is no such attribute, or it cannot be part of a key.
    """
    attribute = by_field.get(field)
    if attribute is None:
        raise ModelError(f"{entity} has no attribute {field!r} for a key; it has {', '.join(by_field)}")
    if isinstance(attribute.role, Version):
        raise ModelError(
            f"{entity}.{field}: every write changes a version, so it cannot be part of a key: use an int of your own"
        )
    return key_part(f"{entity}.{field}", field, attribute.type, spec, separator=table.separator, escape=table.escape)


def _formats(entity: str, declared: SharedDeclaration, attributes: Sequence[AttributeSchema]) -> tuple[KeyFormat, ...]:
    by_field = {attribute.field: attribute for attribute in attributes}
    table = declared.table
    return tuple(
        parse_format(
            f"{entity}.{name}",
            text,
            lambda field, spec: attribute_part(entity, by_field, table, field, spec),
            separator=table.separator,
        )
        for name, text in zip(table.key_names, declared.texts, strict=True)
    )


def _check_parts(entity: str, formats: Sequence[KeyFormat], attributes: Sequence[AttributeSchema]) -> None:
    """Check that annotations and formats say the same.

    Raises:
        ModelError: They differ.
    """
    partition, sort = formats[0], formats[-1]
    for attribute in attributes:
        place = f"{entity}.{attribute.field}"
        in_partition = attribute.field in partition.fields
        in_sort = len(formats) > 1 and attribute.field in sort.fields
        if attribute.key == "partition" and not in_partition:
            raise ModelError(f"{place} is annotated PartitionKey, and the format {partition.text!r} does not name it")
        if attribute.key == "sort" and (not in_sort or in_partition):
            raise ModelError(f"{place} is annotated SortKey: name it in the sort key's format, and there alone")
        if attribute.key is None and (in_partition or in_sort):
            word = "PartitionKey" if in_partition else "SortKey"
            raise ModelError(f"{place} is part of the key: annotate it {word}[…]")
        if attribute.key_only and not _is_lossless(attribute.field, formats):
            raise ModelError(f"{place}: the key does not hold its whole value, so key_only= would lose it")


def _is_lossless(field: str, formats: Sequence[KeyFormat]) -> bool:
    return any(part.field == field and part.lossless for each in formats for part in each.parts)


def _check_roles(
    entity: str, table: SharedTable, formats: Sequence[KeyFormat], attributes: Sequence[AttributeSchema]
) -> None:
    if formats[0].may_begin(GUARD_PREFIX) and formats[0].head:
        raise ModelError(f"{entity}: keys that begin with {GUARD_PREFIX!r} belong to guards of unique attributes")
    lifetimes = {name: other.entity for other in table.members.values() for name in (lifetime_name(other.cls),) if name}
    own = next((each.name for each in attributes if isinstance(each.role, TimeToLive)), None)
    for name, other in lifetimes.items():
        if own is not None and own != name and other != entity:
            raise ModelError(
                f"{entity}: a table has one time to live, and {other} stores it as {name!r}: "
                f'write `attribute(name="{name}", time_to_live=True)`'
            )


def lifetime_name(cls: type[Any]) -> str | None:
    """Return the stored name of an entity's time to live, None where it has none."""
    source: Any = vars(cls).get(SCHEMA_ATTRIBUTE)
    declarations = getattr(source, "declarations", {}).values()
    return next(
        (each.name for each in declarations if any(isinstance(role, TimeToLive) for role in each.options.roles)), None
    )


def _parent(cls: Any) -> SharedKeys | None:
    """Return the keys of the entity that a class inherits from, if any."""
    for base in getattr(cls, "__mro__", ())[1:]:
        source: Any = vars(base).get(SCHEMA_ATTRIBUTE)
        if getattr(source, "shared", None) is not None:
            keys: SharedKeys | None = source.schema().shared
            return keys
    return None
