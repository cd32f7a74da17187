"""Items of other entities in a selection of a shared table: whether there may be some, and how they are left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mizzle_async.expressions import AttributePath, Condition, Encoded, Predicate
from mizzle_async.model import EntitySchema, GlobalSecondaryIndex, SecondaryIndex, SharedKeys, SharedTable, mappings_of
from mizzle_async.model.shared.formats import KeyFormat

if TYPE_CHECKING:
    from mizzle_async.operations.reads.shared_keys import SharedSelection


def foreign_members(
    keys: Sequence[SharedKeys], selection: SharedSelection, *, registered: Iterable[SharedKeys]
) -> list[SharedKeys]:
    """Return the other entities of a table whose items a selection may read.

    Args:
        keys: The entities that are wanted.
        selection: The selection.
        registered: All entities of the table.
    """
    wanted = {each.cls for each in keys}
    return [other for other in registered if other.cls not in wanted and _may_hold(other, selection)]


def type_names_in(schema: EntitySchema, index: SecondaryIndex[Any, Any, Any] | None) -> tuple[str, ...]:
    """Return the stored name of the type attribute, where it says whose an item of a read is. Else nothing."""
    name = None if schema.shared is None else schema.shared.table.type_attribute
    held = None if index is None else index.held_names(schema)
    return () if name is None or (held is not None and name not in held) else (name,)


def _may_hold(other: SharedKeys, selection: SharedSelection) -> bool:
    index = selection.index
    if index is None:
        return _meets(other.formats, selection)
    if not isinstance(index, GlobalSecondaryIndex) or index.mapping is None:
        return True  # an index of an entity's own attributes holds every item that has them
    filled = [each.formats for each in mappings_of(other.cls) if each.index is index.mapping.index]
    return any(_meets(formats, selection) for formats in filled)


def _meets(formats: Sequence[KeyFormat], selection: SharedSelection) -> bool:
    """Return whether a key of these formats can be in a selection."""
    partition, *sort = formats
    if partition.pattern.fullmatch(selection.partition_text) is None:
        return False
    if not sort or not selection.sort.operator:
        return True
    match selection.sort.operator:
        case "=":
            return sort[0].pattern.fullmatch(selection.sort.texts[0]) is not None
        case "begins_with":
            return sort[0].may_begin(selection.sort.texts[0])
        case _:
            return sort[0].may_lie_between(selection.sort.low, selection.sort.high)


def type_condition(table: SharedTable, owner: Any, type_names: Sequence[str]) -> Condition[Any]:
    """Return the condition that an item has one of these types, or none, so that its key decides.

    Args:
        table: The table, which has a type attribute.
        owner: Whose the path is.
        type_names: The names of the types.
    """
    path: AttributePath[Any, Any] = AttributePath(owner, (str(table.type_attribute),))
    names = tuple(Encoded({"S": name}) for name in type_names)
    typed: Condition[Any] = Predicate("=", path, names) if len(names) == 1 else Predicate("IN", path, names)
    return path.not_exists() | typed
