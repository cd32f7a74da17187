"""The smallest update that turns one item into another, safe beside other writers.

Only what differs is written, so concurrent changes of other attributes, of other entries of a map and of other
elements of a top-level set survive. A list that only grew is appended to, on condition that it still has the length it
had: so the same elements are never appended twice. A set that both grew and shrank is replaced, on condition that it
still has the elements it had. A value that an instance may have by default, an empty list or map among them, may not
be stored at all: it is written whole, on condition that nobody else did.

Any other change of a list replaces it: positions mean nothing when somebody else moves the elements.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import field, frozen

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import AttributePath, Condition, Facet, ListAppend, Segments, UpdateClauses
from mizzle_async.marshalling.codec import EntityCodec
from mizzle_async.marshalling.path_values import StoredSet, StoredValue
from mizzle_async.model.scalars.numbers import canonical_number
from mizzle_async.types import AttributeValue, Item
from mizzle_async.values import Value

SET_TAGS = frozenset({"SS", "NS", "BS"})
MAP_CLAUSES = 40
"""A map with more changes than this is replaced: an expression may have 4,096 bytes."""


@frozen(eq=False, repr=False)
class Difference(Value):
    """What turns one item into another.

    Attributes:
        clauses: The update; empty if the items are equal.
        guard: What must be true for it to be right, or None.
    """

    clauses: UpdateClauses = field(factory=UpdateClauses)
    guard: Condition[Any] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return self.clauses.is_empty

    def reaches_into(self, path: AttributePath[Any, Any]) -> bool:
        """Whether it needs what is stored at a path: it changes something inside, or appends."""
        return self.guard is not None or any(clause.path.segments != path.segments for clause in self.clauses.clauses)

    def also(self, other: Difference) -> Difference:
        """Return both together."""
        guards = [guard for guard in (self.guard, other.guard) if guard is not None]
        both = guards[0] & guards[1] if len(guards) > 1 else next(iter(guards), None)
        return Difference(self.clauses.merge(other.clauses), both)


def diff(codec: EntityCodec[Any], old_item: Item, new_item: Item, stored: Item | None = None) -> Difference:
    """Return the smallest update that turns one item into another.

    Args:
        codec: Of their entity.
        old_item: In DynamoDB's JSON, as ``codec.encode`` gives it.
        new_item: Likewise.
        stored: What is stored, where that is known: other than the old item it may lack what a class has by default.

    Raises:
        ExpressionError: They have different keys: that is no update.
    """
    schema = codec.schema
    for name in schema.key_names:
        if not same_value(old_item.get(name), new_item.get(name)):
            raise ExpressionError(
                f"{schema.entity}: the two differ in {name}, which is part of the key: an update cannot change it"
            )
    difference = Difference()
    for name, old, new in _changes(old_item, new_item):
        attribute = schema.by_name.get(name)
        path = schema.path(name if attribute is None else attribute.field)
        difference = difference.also(_change(codec, path, old, new, stored))
    return difference


def same_value(first: AttributeValue | None, second: AttributeValue | None) -> bool:
    """Whether two stored values are the same to the service: numbers by value, sets without order."""
    if first == second:
        return True
    if first is None or second is None or first.keys() != second.keys():
        return False
    ((tag, one),) = first.items()
    return _same_payload(tag, one, second[tag])


def _same_payload(tag: str, one: Any, two: Any) -> bool:
    if tag == "N":
        return canonical_number(one) == canonical_number(two)
    if tag in SET_TAGS:
        return _elements({tag: one}, tag).keys() == _elements({tag: two}, tag).keys()
    if tag == "L":
        return len(one) == len(two) and all(map(same_value, one, two))
    return tag == "M" and one.keys() == two.keys() and all(same_value(one[name], two[name]) for name in one)


def _changes(old: Item, new: Item) -> Iterator[tuple[str, AttributeValue | None, AttributeValue | None]]:
    """Yield the names whose values differ, with both values, in the order of the new item; what is gone comes last."""
    for name, value in new.items():
        if not same_value(old.get(name), value):
            yield name, old.get(name), value
    for name, value in old.items():
        if name not in new:
            yield name, value, None


def _change(
    codec: EntityCodec[Any],
    path: AttributePath[Any, Any],
    old: AttributeValue | None,
    new: AttributeValue | None,
    stored: Item | None,
) -> Difference:
    """Return the smallest change of the value at a path; the two differ."""
    change = _change_inside(codec, path, old, new, stored) or _replacement(path, new)
    if stored is not None and new is not None:
        there = value_at(stored, path.segments)
        fits = there.keys() == new.keys() if there is not None else not change.reaches_into(path)
        return change if fits else _replacement(path, new)
    if old is not None and new is not None and change.reaches_into(path):
        default = _default(codec, path)
        if default is not None and any(default.values()) and same_value(default, old):
            # Perhaps nothing is stored, and reading gave the default: there is nothing to reach into then.
            return Difference(_replacement(path, new).clauses, path.not_exists() | (path == StoredValue(old)))
    return change


def _change_inside(
    codec: EntityCodec[Any],
    path: AttributePath[Any, Any],
    old: AttributeValue | None,
    new: AttributeValue | None,
    stored: Item | None,
) -> Difference | None:
    """Return the change of a value as changes inside it, or None where it is replaced."""
    change: Difference | None = None
    tags = {tag for value in (old, new) if value is not None for tag in value}
    if len(tags) == 1 and codec.changes_inside(path.segments, old or {}, new or {}):
        tag = tags.pop()
        if tag in SET_TAGS:
            change = _change_of_set(path, tag, old, new)
        elif old is not None and new is not None and tag == "M":
            change = _change_of_map(codec, path, old["M"], new["M"], stored) if old["M"] else _first_entries(path, new)
        elif old is not None and new is not None and tag == "L":
            change = _change_of_list(path, old["L"], new["L"])
    return change


def _replacement(path: AttributePath[Any, Any], new: AttributeValue | None) -> Difference:
    clauses = UpdateClauses()
    return Difference(clauses.remove(path) if new is None else clauses.set(path, StoredValue(new)))


def _change_of_set(
    path: AttributePath[Any, Any], tag: str, old: AttributeValue | None, new: AttributeValue | None
) -> Difference | None:
    """Return elements to add or to take out, so that what others add or take out at the same time survives.

    Only for top-level attributes, as documented; an expression may name a path once, so a set that both grew and
    shrank is replaced, on condition that it still is what it was.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
    """
    before, after = _elements(old, tag), _elements(new, tag)
    added = [after[key] for key in after if key not in before]
    gone = [before[key] for key in before if key not in after]
    if len(path.segments) > 1:
        return None
    if old is not None and added and gone:
        return Difference(_replacement(path, new).clauses, path == StoredValue(old))
    clauses = UpdateClauses()
    if added:
        return Difference(clauses.add(path, StoredSet.of(tag, added)))
    return Difference(clauses.discard(path, StoredSet.of(tag, gone)))


def _elements(value: AttributeValue | None, tag: str) -> dict[str, str]:
    """Return a set's elements, by what tells them apart."""
    payload: list[str] = [] if value is None else value[tag]
    return {canonical_number(element) if tag == "NS" else element: element for element in payload}


def _change_of_map(
    codec: EntityCodec[Any], path: AttributePath[Any, Any], old: Item, new: Item, stored: Item | None
) -> Difference | None:
    """Return the changes of a map's entries; None where they are too many."""
    difference = Difference()
    for name, before, after in _changes(old, new):
        difference = difference.also(_change(codec, path[name], before, after, stored))
    return difference if len(difference.clauses.clauses) <= MAP_CLAUSES else None


def _first_entries(path: AttributePath[Any, Any], new: AttributeValue) -> Difference:
    """Return the whole of a map that was empty: it may not be stored, and then no entry can be written into it."""
    return Difference(_replacement(path, new).clauses, path.not_exists() | (path.size() == 0))


def _default(codec: EntityCodec[Any], path: AttributePath[Any, Any]) -> AttributeValue | None:
    """Return what reading gives where nothing is stored, encoded; None for absence, and where nobody can know."""
    value = codec.assumed_at(path.segments)
    return None if value is None else codec.encode_operand(value, path, Facet.WHOLE)


def _change_of_list(
    path: AttributePath[Any, Any], old: list[AttributeValue], new: list[AttributeValue]
) -> Difference | None:
    """Return what was appended to a list; None where it changed otherwise."""
    appended = [StoredValue(element) for element in new[len(old) :]]
    if not appended or not all(map(same_value, old, new)):
        return None
    if not old:  # perhaps it is not stored: a class may give an empty list where there is none
        return Difference(UpdateClauses().append(path, appended), path.not_exists() | (path.size() == 0))
    return Difference(UpdateClauses().set(path, ListAppend(path, appended)), path.size() == len(old))


def value_at(item: Item, segments: Segments) -> AttributeValue | None:
    """Return the value at a path of an item, or None."""
    found: AttributeValue | None = {"M": item}
    for segment in segments:
        if found is None:
            return None
        if isinstance(segment, str):
            found = found.get("M", {}).get(segment)
        else:
            elements = found.get("L", ())
            found = elements[segment] if segment < len(elements) else None
    return found
