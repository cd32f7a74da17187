"""Plans of collections: one query for several entities, over the smallest range that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from attrs import evolve

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import AttributePath, Condition, Encoded, Predicate
from mizzle_async.marshalling import CollectionSchema
from mizzle_async.model import EntitySchema, GlobalSecondaryIndex, SharedIndex, SharedKeys, SharedTable, mappings_of
from mizzle_async.model.shared.formats import KeyFormat, successor
from mizzle_async.model.shared.stored_index import StoredIndex
from mizzle_async.model.shared.texts import read_key
from mizzle_async.operations.reads.first_condition import shown
from mizzle_async.operations.reads.foreign_items import foreign_members, type_condition
from mizzle_async.operations.reads.key_ranges import KeyRange, covering_range, key_range
from mizzle_async.operations.reads.options import ReadOptions
from mizzle_async.operations.reads.plan import ReadPlan
from mizzle_async.operations.reads.shared_keys import (
    SharedSelection,
    select_shared,
    selection_conditions,
)
from mizzle_async.operations.target import Target

Formats = tuple[KeyFormat, ...]


def collection_query(target: Target[Any], options: ReadOptions, conditions: Sequence[Any]) -> ReadPlan[Any, Any]:
    """Return the plan of a query of a collection.

    Args:
        target: The collection, and its table.
        options: The options.
        conditions: Comparisons of the key of one of its entities, or of the stored texts.

    Raises:
        ExpressionError: The conditions are not those of one key.
        ModelError: An entity does not fill the index that is read.
    """
    schema = _schema(target)
    owner = _owner(schema, conditions)
    named = owner if isinstance(owner, EntitySchema) else schema.members[0]
    selection = select_shared(named, conditions)
    if isinstance(owner, EntitySchema):
        _check_partition(schema, owner, selection)
    index: Any = StoredIndex(selection.index) if isinstance(selection.index, SharedIndex) else selection.index
    whole_key = KeyRange("")
    if isinstance(owner, EntitySchema):
        whole_key = selection.sort if _compares_sort_key(owner, selection, conditions) else whole_key
        selection = evolve(selection, sort=_sort_range(schema, owner, selection, conditions))
    if selection.sort.operator == "empty":
        return ReadPlan(target, options, index=index, is_empty=True)
    names = schema.key_names if index is None else index.key_names()
    partition, sort = selection_conditions(schema.owner, names, selection)
    implied: tuple[Condition[Any], ...] = () if selection.excluded is None else (selection.excluded,)
    keys = [member.shared for member in schema.members if member.shared is not None]
    if foreign_members(keys, selection, registered=schema.shared_table.members.values()):
        implied += _types(schema, index, keys)
    return ReadPlan(
        target,
        options,
        partition=partition,
        sort=sort,
        index=index,
        implied=implied,
        subtree=_subtree(schema, whole_key, selection),
    )


def _check_partition(schema: CollectionSchema, owner: EntitySchema, selection: SharedSelection) -> None:
    """Refuse a partition in which items of a member can never be.

    Raises:
        ExpressionError: A member's partition key has another format.
    """
    asked = _formats_of(owner, selection.index)[0]
    for member in schema.named:
        partition = _formats_of(member, selection.index)[0]
        if not partition.may_equal(asked):  # by formats: a query must not fail for some values only
            raise ExpressionError(
                f"{schema.entity}: an item of {member.entity} is never in a partition of {owner.entity}, whose key is"
                f" {asked.text!r} and not {partition.text!r}: leave {member.entity} out"
            )


def _subtree(schema: CollectionSchema, asked: KeyRange, selection: SharedSelection) -> tuple[str, str] | None:
    """Return a whole sort key and the beginning of those below it, where the range was widened from that key."""
    if asked.operator != "=" or selection.sort.operator == "=":
        return None
    return asked.texts[0], asked.texts[0] + schema.shared_table.separator


def collection_scan(target: Target[Any], options: ReadOptions) -> ReadPlan[Any, Any]:
    """Return the plan of a scan of a collection."""
    schema = _schema(target)
    keys = [member.shared for member in schema.members if member.shared is not None]
    return ReadPlan(target, options, implied=_types(schema, None, keys))


def about_one(target: Target[Any], condition: Any) -> Condition[Any]:
    """Return a filter about one entity, which leaves the others' items in.

    Raises:
        ExpressionError: It is no condition, is about none or several of the entities, or the table has no types.
    """
    schema = _schema(target)
    if not isinstance(condition, Condition):
        raise ExpressionError(f"{schema.entity}: .filter() takes a condition, not {shown(condition)}")
    target.check_owners(condition.owners, condition)
    if all(owner is schema.shared_table for owner in condition.owners):
        return condition
    about = [member for member in schema.members if all(member.owns(owner) for owner in condition.owners)]
    if not about:
        raise ExpressionError(f"{schema.entity}: {condition} is about several entities: give each its own .filter()")
    table = schema.shared_table
    if table.type_attribute is None:
        raise ExpressionError(
            f"{schema.entity}: table {table.name!r} has no type attribute, so a filter cannot be about one entity only"
        )
    names = [name for member in about if member.shared is not None for name in member.shared.type_names]
    path: AttributePath[Any, Any] = AttributePath(table, (table.type_attribute,))
    others: list[Condition[Any]] = [Predicate("<>", path, (Encoded({"S": name}),)) for name in names]
    whole = others[0]
    for each in others[1:]:
        whole = whole & each
    return whole | condition


def _schema(target: Target[Any]) -> CollectionSchema:
    return cast("CollectionSchema", target.schema)


def _owner(schema: CollectionSchema, conditions: Sequence[Any]) -> EntitySchema | SharedTable:
    """Return the entity that key conditions are about, or the table.

    Raises:
        ExpressionError: They are about several, or about none of the collection.
    """
    owners = {owner for each in conditions if isinstance(each, Condition) for owner in each.owners}
    index_owners = {getattr(getattr(each, "index", None), "owner", None) for each in conditions} - {None}
    for owner in owners or index_owners:
        if isinstance(owner, SharedTable) and owner is schema.shared_table:
            return owner
        for member in schema.members:
            if member.owns(owner):
                return member
        name = getattr(owner, "__name__", owner)
        raise ExpressionError(f"{schema.entity}: a key condition is about {name}, which is not in this collection")
    return schema.members[0]  # no condition at all: `select_shared` says what is missing


def _sort_range(
    schema: CollectionSchema, owner: EntitySchema, selection: SharedSelection, conditions: Sequence[Any]
) -> KeyRange:
    """Return the range of sort keys of a selection by the comparisons of one entity.

    Comparisons of the partition key alone ask for all members. A comparison of the sort key narrows to the range of its
    entity. A whole key stands for its item and for everything that is stored below it.
    """
    formats = _formats_of(owner, selection.index)
    if len(formats) == 1:
        return KeyRange("")
    if not _compares_sort_key(owner, selection, conditions):
        ranges = [_whole_range(member, selection) for member in schema.members]
        return covering_range([each for each in ranges if each is not None])
    if selection.sort.operator != "=":
        return selection.sort
    (text,) = selection.sort.texts
    below = text + schema.shared_table.separator
    if any(_may_stand_below(member, selection, below) for member in schema.members):
        return KeyRange("BETWEEN", (text, successor(below)))
    return selection.sort


def _compares_sort_key(owner: EntitySchema, selection: SharedSelection, conditions: Sequence[Any]) -> bool:
    """Return whether a comparison is about more than the partition key."""
    compared = {str(path.labels[0]) for each in conditions for path in each.places() if path.labels}
    return not compared <= set(_formats_of(owner, selection.index)[0].fields)


def _whole_range(member: EntitySchema, selection: SharedSelection) -> KeyRange | None:
    """Return the range of one member in a partition, None where its items are never there."""
    formats = _formats_of(member, selection.index)
    if formats[0].pattern.fullmatch(selection.partition_text) is None:
        return None
    known = read_key(formats[0], selection.partition_text, member.entity)
    return key_range(member.entity, formats[1], known, None)


def _may_stand_below(member: EntitySchema, selection: SharedSelection, text: str) -> bool:
    return _formats_of(member, selection.index)[1].may_begin(text)


def _formats_of(member: EntitySchema, index: Any) -> Formats:
    """Return the key formats of a member: of the table, or of the index that is read.

    Raises:
        ExpressionError: The member does not fill the index, or in several ways.
    """
    shared = member.shared
    assert shared is not None  # noqa: S101  (collections hold entities of shared tables only)
    if index is None:
        return shared.formats
    if not isinstance(index, GlobalSecondaryIndex) or index.mapping is None:
        raise ExpressionError(f"{member.entity} does not fill index {index.name!r}")
    if index.owner is member.cls or issubclass(member.cls, index.owner):
        return index.mapping.formats
    filled = [each for each in mappings_of(member.cls) if each.index is index.mapping.index]
    if len(filled) != 1:
        raise ExpressionError(
            f"{member.entity} fills index {index.name!r} in {len(filled)} ways: a collection reads an index that each"
            " of its entities fills in one"
        )
    return filled[0].formats


def _types(schema: CollectionSchema, index: Any, keys: Sequence[SharedKeys]) -> tuple[Condition[Any], ...]:
    """Return the condition that an item is of one of the entities, where the table and the index have types."""
    table = schema.shared_table
    if table.type_attribute is None:
        return ()
    held = None if index is None else index.held_names(schema.members[0])
    if held is not None and table.type_attribute not in held:
        return ()
    names = dict.fromkeys(name for each in keys for name in each.family_names)
    return (type_condition(table, schema.owner, tuple(names)),)
