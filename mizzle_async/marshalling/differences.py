"""The smallest update that turns one item into another and loses no other writer's change.

Members of documents and entries of maps are changed one by one, elements of a top-level set are added and deleted, so
that changes of other places survive. A single value is assigned: of two writers of one place the later one wins.
Any other value with parts (a list, a nested set, a map that does not fit into an expression, a value that becomes
another kind of value) is written whole, under the *guard* that it still is what it was. A change inside a union of
classes is written under the guard that the class is still the same.

The guards compare with the values that the old instance encodes to. The stored ones may differ from them although
no other writer was there: in members that no class declares, in defaults that are not stored, in another form of a
number. Given the stored item, the difference is built from that: it keeps undeclared values, and raises `Overtaken`
where another writer did change a value that it would replace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from mizzle_async.errors import ExpressionError, LimitError
from mizzle_async.expressions import AttributePath, Compiler, Condition, Facet, ListAppend, Segments, UpdateClauses
from mizzle_async.limits import EXPRESSION_BYTES, EXPRESSION_OPERATORS
from mizzle_async.marshalling.codec import EntityCodec
from mizzle_async.marshalling.merging import check_unchanged, is_container, merged
from mizzle_async.marshalling.path_values import StoredSet, StoredValue
from mizzle_async.marshalling.same_values import SET_TAGS, same_value, set_elements
from mizzle_async.types import AttributeValue, Item
from mizzle_async.values import Value, transient

FEW_CLAUSES = 40
"""An update of so many clauses fits into an expression with any names. A larger one is compiled to see."""

RESERVED_BYTES = 200
"""The room that the rest of a request needs in each expression: times, versions, the presence of the item."""

GUARDS = EXPRESSION_OPERATORS // 5
"""A guard takes up to four operators: so many of them leave a fifth of the limit to the caller's conditions."""


SINGLE_TAGS = frozenset({"S", "N", "B", "BOOL"})
"""Of values without parts."""


UNCHANGED = UpdateClauses()


@transient(eq=False, repr=False)
class Difference(Value):
    """The update that turns one item into another.

    Attributes:
        clauses: The update, empty if the items are equal.
        guard: The condition under which it loses no other writer's change, or None.
        guards: The number of conditions in the guard.
    """

    clauses: UpdateClauses = UNCHANGED
    guard: Condition[Any] | None = None
    guards: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return self.clauses.is_empty

    def reaches_into(self, path: AttributePath[Any, Any]) -> bool:
        """Tell whether it takes a stored value at a path: it changes something inside, or appends."""
        return self.guard is not None or any(clause.path.segments != path.segments for clause in self.clauses.clauses)

    def also(self, other: Difference) -> Difference:
        """Return both together."""
        guards = [guard for guard in (self.guard, other.guard) if guard is not None]
        both = guards[0] & guards[1] if len(guards) > 1 else next(iter(guards), None)
        return Difference(self.clauses.merge(other.clauses), both, self.guards + other.guards)


def diff(codec: EntityCodec[Any], old_item: Item, new_item: Item, stored: Item | None = None) -> Difference:
    """Return the smallest update that turns one item into another.

    Args:
        codec: Of their entity.
        old_item: In DynamoDB's JSON, as ``codec.encode`` gives it.
        new_item: Likewise.
        stored: The stored item, where it is known: guards then compare with its values.

    Raises:
        ExpressionError: They have different keys: no update can change a key.
        Overtaken: Another writer changed a container that the update would replace, only with ``stored``.
    """
    schema = codec.schema
    for name in schema.key_names:
        if not same_value(old_item.get(name), new_item.get(name)):
            raise ExpressionError(
                f"{schema.entity}: the two differ in {name}, which is part of the key: an update cannot change it"
            )
    whole: set[Segments] = set()
    while True:
        difference = _Differ(codec, stored, frozenset(whole)).items(old_item, new_item)
        crowded = _most_crowded(codec, difference)
        if crowded is None:
            return difference
        whole.add(crowded)


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


def _most_crowded(codec: EntityCodec[Any], difference: Difference) -> Segments | None:
    """Return the map with most changes in it, to be replaced as a whole, None where everything fits into a request."""
    clauses = difference.clauses.clauses
    if len(clauses) <= FEW_CLAUSES or _fits(codec, difference):
        return None
    maps = Counter(clause.path.segments[:-1] for clause in clauses if len(clause.path.segments) > 1)
    return maps.most_common(1)[0][0] if maps else None


def _fits(codec: EntityCodec[Any], difference: Difference) -> bool:
    if difference.guards > GUARDS:
        return False
    compiler = Compiler(codec.encode_operand, codec.schema.entity)
    room = EXPRESSION_BYTES - RESERVED_BYTES
    try:
        if len(compiler.update(difference.clauses)) > room:
            return False
        return difference.guard is None or len(compiler.condition(difference.guard)) <= room
    except LimitError:
        return False


class _Differ:
    """Finds the difference of two items.

    Attributes:
        codec: Of their entity.
        stored: The stored item, where it is known.
        whole: The paths of maps that are replaced as a whole.
    """

    __slots__ = ("codec", "stored", "whole")

    def __init__(self, codec: EntityCodec[Any], stored: Item | None, whole: frozenset[Segments]) -> None:
        self.codec = codec
        self.stored = stored
        self.whole = whole

    def items(self, old: Item, new: Item) -> Difference:
        """Return the difference of two items, attribute by attribute."""
        schema = self.codec.schema
        changes: list[Difference] = []
        for name, before, after in _changes(old, new):
            attribute = schema.by_name.get(name)
            path = schema.path(name if attribute is None else attribute.field)
            changes.append(self.change(path, before, after))
        return _together(changes)

    def change(
        self, path: AttributePath[Any, Any], old: AttributeValue | None, new: AttributeValue | None
    ) -> Difference:
        """Return the smallest change of the value at a path, where the two differ."""
        if _is_single(old) and _is_single(new):
            return Difference(_assignment(path, new))
        change = self._inside(path, old, new)
        if change is None:
            return self._replacement(path, old, new)
        if self.stored is not None:
            there, kind = value_at(self.stored, path.segments), new or old or {}
            fits = not change.reaches_into(path) if there is None else there.keys() == kind.keys()
            return change if fits else self._replacement(path, old, new)
        if old is not None and new is not None and change.reaches_into(path) and self._is_default(path, old):
            # Perhaps nothing is stored, and reading gave the default: there is nothing to reach into then.
            return self._replacement(path, old, new)
        return change

    def _inside(
        self, path: AttributePath[Any, Any], old: AttributeValue | None, new: AttributeValue | None
    ) -> Difference | None:
        """Return the change of a value as changes inside it, or None where it is replaced."""
        tags = {tag for value in (old, new) if value is not None for tag in value}
        if len(tags) != 1 or not self.codec.changes_inside(path.segments, old or {}, new or {}):
            return None
        tag = tags.pop()
        if tag in SET_TAGS:
            return _change_of_set(path, tag, old, new)
        if old is None or new is None:
            return None
        if tag == "M":
            return None if path.segments in self.whole else self._map(path, old, new)
        return self._list(path, old, new) if tag == "L" else None

    def _map(self, path: AttributePath[Any, Any], old: AttributeValue, new: AttributeValue) -> Difference | None:
        if not old["M"] or self._is_default(path, old):
            if self.stored is None:
                return None  # it may not be stored, and then no entry can be written into it
            check_unchanged(self.codec.target_at(path.segments), old, value_at(self.stored, path.segments))
        changes = [self.change(path[name], before, after) for name, before, after in _changes(old["M"], new["M"])]
        difference = _together(changes)
        tag = self.codec.tag_at(path.segments, new)
        if tag is not None:
            name, value = tag
            difference = difference.also(Difference(guard=path[name] == StoredValue(value), guards=1))
        return difference

    def _list(self, path: AttributePath[Any, Any], old: AttributeValue, new: AttributeValue) -> Difference | None:
        """Return the elements that were appended to a list, None where it changed otherwise."""
        before, after = old["L"], new["L"]
        appended = [StoredValue(element) for element in after[len(before) :]]
        if not appended or not all(map(same_value, before, after)):
            return None
        if self.stored is not None:
            old = value_at(self.stored, path.segments) or old
            merged(self.codec.target_at(path.segments), {"L": before}, new, old)  # raises where it was overtaken
        elif not before:
            return None  # it may not be stored: a class may give an empty list where there is none
        return Difference(UpdateClauses().set(path, ListAppend(path, appended)), path == StoredValue(old), guards=1)

    def _replacement(
        self, path: AttributePath[Any, Any], old: AttributeValue | None, new: AttributeValue | None
    ) -> Difference:
        """Return the assignment of a whole value: under a guard, unless it is a single value on both sides."""
        if not is_container(old) and not is_container(new):
            return Difference(_assignment(path, new))
        if self.stored is not None:
            there = value_at(self.stored, path.segments)
            new = merged(self.codec.target_at(path.segments), old, new, there)
            guard = path.not_exists() if there is None else path == StoredValue(there)
            return Difference(_assignment(path, new), guard, guards=1)
        if old is None:
            return Difference(_assignment(path, new), path.not_exists(), guards=1)
        guard = path == StoredValue(old)
        if (is_container(old) and not any(old.values())) or self._is_default(path, old):
            guard = path.not_exists() | guard
        return Difference(_assignment(path, new), guard, guards=1)

    def _is_default(self, path: AttributePath[Any, Any], value: AttributeValue) -> bool:
        """Tell whether a read gives a value where nothing is stored."""
        assumed = self.codec.assumed_at(path.segments)
        return assumed is not None and same_value(self.codec.encode_operand(assumed, path, Facet.WHOLE), value)


def _changes(old: Item, new: Item) -> Iterator[tuple[str, AttributeValue | None, AttributeValue | None]]:
    """Yield the names whose values differ, with both values, in the order of the new item, removed ones last."""
    for name, value in new.items():
        before = old.get(name)
        if before != value and not same_value(before, value):
            yield name, before, value
    for name, value in old.items():
        if name not in new:
            yield name, value, None


def _together(changes: Sequence[Difference]) -> Difference:
    """Return several changes as one."""
    if len(changes) == 1:
        return changes[0]
    guard: Condition[Any] | None = None
    for each in changes:
        if each.guard is not None:
            guard = each.guard if guard is None else guard & each.guard
    clauses = UpdateClauses(tuple(clause for each in changes for clause in each.clauses.clauses))
    return Difference(clauses, guard, sum(each.guards for each in changes))


def _is_single(value: AttributeValue | None) -> bool:
    """Tell whether a value is there, and is one that is changed by assigning another."""
    return value is not None and not SINGLE_TAGS.isdisjoint(value)


def _assignment(path: AttributePath[Any, Any], new: AttributeValue | None) -> UpdateClauses:
    if new is None:
        return UpdateClauses().remove(path)
    return UpdateClauses().set(path, StoredValue(new))


def _change_of_set(
    path: AttributePath[Any, Any], tag: str, old: AttributeValue | None, new: AttributeValue | None
) -> Difference | None:
    """Return elements to add or to delete, so that concurrent additions and deletions of others survive.

    Only for top-level attributes, as documented. An expression may name a path once, so a set that both grew and
    shrank is replaced.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
    """
    before, after = set_elements(old, tag), set_elements(new, tag)
    added = [after[key] for key in after if key not in before]
    gone = [before[key] for key in before if key not in after]
    if len(path.segments) > 1 or (added and gone):
        return None
    clauses = UpdateClauses()
    if added:
        return Difference(clauses.add(path, StoredSet.of(tag, added)))
    return Difference(clauses.discard(path, StoredSet.of(tag, gone)))
