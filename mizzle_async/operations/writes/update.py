"""UpdateItem: change attributes of one item and leave the others (`update`, `upsert`, `replace`, `patch`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Self, TypeVar, overload

from attrs import evolve, field

from mizzle_async.errors import ConditionalCheckFailedError, ExpressionError, ServiceError, ValidationError
from mizzle_async.expressions import AttributePath, Condition, Encoded, Operand, UpdateClause, UpdateClauses
from mizzle_async.expressions.checker import TERMS
from mizzle_async.expressions.paths import ListPath, SetPath, Summand
from mizzle_async.expressions.terms import Term, own_copy
from mizzle_async.expressions.update_checks import APPROVABLE
from mizzle_async.expressions.updates import (
    ADD,
    APPEND,
    DISCARD,
    PREPEND,
    REMOVE,
    SET,
    SET_DEFAULT,
    ClauseKind,
    checked_path,
)
from mizzle_async.marshalling import Overtaken, item_size, value_size
from mizzle_async.operations.actions import Action
from mizzle_async.operations.answers import check_item, parse_item_answer
from mizzle_async.operations.base import Operation, use
from mizzle_async.operations.capacity import write_capacity
from mizzle_async.operations.expiry import expired_condition
from mizzle_async.operations.explain import Capacity
from mizzle_async.operations.hints import set_hint
from mizzle_async.operations.key import MISSING
from mizzle_async.operations.reads.get import GetRaw
from mizzle_async.operations.writes.delete import DeleteItem
from mizzle_async.operations.writes.failures import (
    is_misfit,
    lacks_parent,
    living,
    misfit_places,
    raise_expired,
    raise_misfit,
    raise_unreachable,
)
from mizzle_async.operations.writes.from_nothing import CannotStart, defaults_guard, parents_of, started
from mizzle_async.operations.writes.index_keys import (
    NO_CHANGES,
    IndexChanges,
    KnownValues,
    check_parts,
    creating_clauses,
    index_changes,
    item_key_values,
)
from mizzle_async.operations.writes.patching import Patch, raise_overtaken, same_condition
from mizzle_async.operations.writes.stamps import check_maintained, item_version, stamp_update
from mizzle_async.operations.writes.write import Write
from mizzle_async.signatures import explained
from mizzle_async.types import Item, RepeatSafety, WirePayload, WireResponse
from mizzle_async.values import Copiers, transient

ModelT_co = TypeVar("ModelT_co", covariant=True)
StoredT_co = TypeVar("StoredT_co", covariant=True)
ValueT = TypeVar("ValueT")
ElementT = TypeVar("ElementT")
SummandT = TypeVar("SummandT", bound=Summand)

NO_CLAUSES = UpdateClauses()
WITH_CLAUSES = Copiers("_clauses")
_CREATING = frozenset({SET, SET_DEFAULT, ADD, APPEND, PREPEND})


@transient(eq=False, repr=False)
class ItemUpdate(Write[ModelT_co, ModelT_co, StoredT_co]):
    """The common part of the verbs that send an UpdateItem."""

    api = "UpdateItem"
    _action = "Update"

    _key: Item = field(alias="key")
    _clauses: UpdateClauses = field(default=NO_CLAUSES, kw_only=True, alias="clauses")
    _creates: bool = field(default=False, kw_only=True, alias="creates")
    _known: Mapping[str, Any] | None = field(default=None, kw_only=True, alias="known", repr=False)
    _renewed: frozenset[str] = field(default=frozenset(), kw_only=True, alias="renewed", repr=False)
    _guard: Condition[Any] | None = field(default=None, kw_only=True, alias="guard", repr=False)

    @property
    def key(self) -> Item:
        """The key, in DynamoDB's JSON."""
        return self._key

    @property
    def _asked(self) -> tuple[Condition[Any], ...]:
        guard, defaults = self._guard, self._defaults_guard()
        if guard is None and defaults is None:
            return self._conditions
        return (*(each for each in (guard, defaults) if each is not None), *self._conditions)

    def _defaults_guard(self) -> Condition[Any] | None:
        """Return the condition that clauses which start from nothing find nothing, None where they need none."""
        return None

    def _refused_item(self, error: Exception, now: float) -> Item | None:
        """Return the stored item that made the condition false, where this update may be built anew from it."""
        if not isinstance(error, ConditionalCheckFailedError) or error.ambiguous:
            return None
        item = living(self._target, error.item, now)
        if item is None or self._version is None:
            return item
        return item if item_version(self._target.schema, item) == str(self._version) else None

    @property
    def _safety(self) -> RepeatSafety:
        """Return whether this may be repeated after a lost answer.

        The version that is checked makes a second application fail; assignments of values can be repeated; sums,
        appends and list positions cannot. Advancing an unchecked version twice is harmless: it only has to differ.
        """
        if self._version is not None:
            return RepeatSafety.GUARDED
        if not self._clauses.is_repeat_safe:
            return RepeatSafety.UNSAFE
        return RepeatSafety.GUARDED if "ConditionExpression" in self._request() else RepeatSafety.IDEMPOTENT

    def _compile(self) -> WirePayload:
        target = self._target
        clauses = self._clauses
        if target.schema.role_attributes:
            clauses = stamp_update(
                target, clauses, self._now, creates=self._creates, version=self._version, write_id=self._write_id
            )
        derived = self._index_changes(clauses)
        clauses = clauses if not derived.clauses else clauses.merge(UpdateClauses(derived.clauses))
        condition = self._condition(creates=self._creates)
        for check in derived.conditions:
            condition = check if condition is None else condition & check
        return {"TableName": target.table, "Key": self._key, **target.statements.members(clauses, condition)}

    def _index_changes(self, clauses: UpdateClauses) -> IndexChanges:
        """Return the additions for the keys of a shared table: a new item's, and those of indexes."""
        target = self._target
        if target.codec.shared is None:
            return NO_CHANGES
        key = item_key_values(target, self._key)
        if self._creates:
            key = {**key, **(self._known or {})}
            created = creating_clauses(target, key)
            changes = index_changes(target, clauses, self._conditions, KnownValues(key), creates=True)
            return IndexChanges((*created, *changes.clauses), changes.conditions)
        known = KnownValues(key, self._known, is_checked=self._version is not None, renewed=self._renewed)
        return index_changes(target, clauses, self._conditions, known, creates=False)

    def _finish(self, body: WirePayload) -> None:
        if body:
            body["ReturnValues"] = "ALL_NEW"

    def _to_actions(self) -> tuple[Action, ...]:
        """Return the update as a transaction takes it: as a check where it changes nothing, which Update cannot say."""
        (action,) = super()._to_actions()
        return (action if "UpdateExpression" in action.body else evolve(action, kind="ConditionCheck"),)

    def _item_key(self) -> Item:
        """Return the key of the item."""
        return self._key

    def _applied(self, item: Item) -> ModelT_co:
        return self._decode_answer(item)

    def _json(self, body: bytes) -> Any:
        return parse_item_answer(self._target.codec, body)

    def _check(self, payload: WirePayload) -> None:
        check_item(self._target.codec, self._key, payload["Attributes"])

    def _misfit_places(self) -> tuple[str, ...]:
        return misfit_places(self._clauses)

    def _from_wire(self, response: WireResponse, now: float, /) -> ModelT_co:  # noqa: ARG002  (every operation is asked alike)
        """Return the instance as it is stored now."""
        return self._decode_answer(response.parsed["Attributes"])

    def _action_capacity(self) -> Capacity:
        """Return the cost of the write outside of a transaction."""
        size = item_size(self._key)
        size += sum(value_size(value) for value in self._request().get("ExpressionAttributeValues", {}).values())
        return write_capacity(
            size, at_least=True, note="per KB of the whole item, before or after; index writes come on top"
        )


@transient(eq=False, repr=False)
class UpdateItem(ItemUpdate[ModelT_co, None]):
    """Change one item. The result is the instance as stored afterwards.

    Every clause returns a new operation.

    An entry of a map, or a member of a document, may be set where the map or the document is not stored: it is
    stored as the clauses make it. `add`, `append`, `prepend`, `set_default` and `discard` take a stored ``NULL``,
    and an empty list where a set belongs, for nothing.

    Cost: one request, and a write unit for each KB of the larger of the item before and after. Where a parent is not
    stored, or ``NULL`` is, a GetItem and one more UpdateItem.
    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
    """

    _verb: str = field(default="update", kw_only=True, alias="verb")
    _unchanged: ModelT_co | None = field(default=None, kw_only=True, alias="unchanged")
    _patch: Patch | None = field(default=None, kw_only=True, alias="patch", repr=False)
    _asked_clauses: UpdateClauses | None = field(default=None, kw_only=True, alias="asked_clauses", repr=False)

    @property
    def _is_whole(self) -> bool:
        """Return whether there is a clause, or nothing was to be changed."""
        return bool(self._clauses.clauses) or self._patch is not None or self._unchanged is not None

    # ── clauses ──

    @overload
    def set(self, path: AttributePath[ModelT_co, ValueT], value: ValueT | Operand[ModelT_co, ValueT], /) -> Self: ...
    @overload
    def set(self, values: Mapping[str, Any], /) -> Self: ...
    @explained(set_hint)
    def set(self, path: Any, value: Any = MISSING, /) -> Self:
        """Assign values.

        Args:
            path: An attribute's path, or a mapping of attribute names to values, such as the body of an HTTP PATCH.
            value: A value, or an operand such as ``Order.total + 5``. None for an optional attribute removes it.

        Raises:
            ExpressionError: The path is a key, is another entity's, or overlaps with another clause's.
            MarshallingError: The value does not fit the attribute.
        """
        clause = self._target.known.clause(SET, path, value)
        if clause is not None:
            return self._and(clause)
        use(self)
        if value is not MISSING and isinstance(path, AttributePath):
            return self._assigned(SET, path, value)
        if (value is MISSING) is not isinstance(path, Mapping):
            raise ExpressionError(
                f"{self._target.schema.entity}: .set() takes a path and a value, or a mapping of names to values alone"
            )
        if not isinstance(path, Mapping):
            return self._assigned(SET, path, value)
        schema = self._target.schema
        return self._with(*[self._assignment(SET, schema.path(name), each) for name, each in path.items()])

    def set_default(self, path: AttributePath[ModelT_co, ValueT], value: ValueT, /) -> Self:
        """Assign a value where nothing is stored (``if_not_exists``)."""
        clause = self._target.known.clause(SET_DEFAULT, path, value)
        if clause is not None:
            return self._and(clause)
        use(self)
        return self._assigned(SET_DEFAULT, path, value)

    @overload
    def add(self, path: SetPath[ModelT_co, ElementT], value: AbstractSet[ElementT], /) -> Self: ...
    @overload
    def add(self, path: AttributePath[ModelT_co, SummandT], value: SummandT | int, /) -> Self: ...
    def add(self, path: Any, value: Any, /) -> Self:
        """Add to a number, or add elements to a set. An absent number counts as 0, an absent set as empty."""
        clause = self._target.known.clause(ADD, path, value)
        if clause is not None:
            return self._and(clause)
        use(self)
        added = self._with(UpdateClause(ADD, checked_path(ADD, path), own_copy(value)))
        if type(value) in APPROVABLE:
            self._target.known.keep(ADD, path, value)
        return added

    def remove(self, path: AttributePath[ModelT_co, Any], /, *more: AttributePath[ModelT_co, Any]) -> Self:
        """Remove attributes, map entries or list elements.

        Raises:
            ExpressionError: The attribute is required, or an element of a tuple: the rest could not be read.
        """
        use(self)
        kind = REMOVE
        return self._with(*[UpdateClause(kind, checked_path(kind, each)) for each in (path, *more)])

    def discard(self, path: SetPath[ModelT_co, ElementT], values: AbstractSet[ElementT], /) -> Self:
        """Take elements out of a set."""
        use(self)
        return self._with(UpdateClause(DISCARD, checked_path(DISCARD, path), own_copy(values)))

    def append(self, path: ListPath[ModelT_co, ElementT], values: Sequence[ElementT], /) -> Self:
        """Put elements at the end of a list. An absent list is created."""
        use(self)
        return self._with(UpdateClause(APPEND, checked_path(APPEND, path), own_copy(values)))

    def prepend(self, path: ListPath[ModelT_co, ElementT], values: Sequence[ElementT], /) -> Self:
        """Put elements at the beginning of a list. An absent list is created."""
        use(self)
        return self._with(UpdateClause(PREPEND, checked_path(PREPEND, path), own_copy(values)))

    def _assigned(self, kind: ClauseKind, path: Any, value: Any) -> Self:
        """Return this update with an assignment, whose kind, path and type of value are known from now on."""
        assigned = self._with(self._assignment(kind, path, value))
        self._target.known.keep(kind, path, value)
        return assigned

    def _assignment(self, kind: ClauseKind, path: Any, value: Any) -> UpdateClause:
        checked_path(kind, path)
        assigned = value if isinstance(value, TERMS) else self._target.assign(value, path)
        return UpdateClause(kind, path, assigned)

    def _and(self, clause: UpdateClause) -> Self:
        """Return this update with one more clause, which is checked."""
        self._used = True  # type: ignore[misc]  # frozen for type checkers only
        more: Self = WITH_CLAUSES[type(self)](self, UpdateClauses((*self._clauses.clauses, clause)))
        return more

    def _with(self, *clauses: UpdateClause) -> Self:
        """Return this update with more clauses, each checked now, so that a mistake shows where it was written."""
        target = self._target
        schema, owner = target.schema, target.owner
        added = UpdateClauses(clauses)
        is_checked = True
        for clause in clauses:
            if clause.path.owner is not owner or isinstance(clause.value, Term):
                target.check_owners(added.owners, added)
            is_checked = is_checked and self._is_checked(clause)
        if schema.has_rules:
            check_maintained(schema, added)
        if schema.shared is not None:
            check_parts(target, added)
        if not is_checked:
            added = target.checker.update(added)
        return self._derived(_clauses=self._clauses.merge(added))

    def _is_checked(self, clause: UpdateClause) -> bool:
        """Tell whether a clause assigns an encoded value to an own attribute, no key: nothing else can be wrong."""
        kind, path = clause.kind, clause.path
        if type(clause.value) is not Encoded or (kind is not SET and kind is not SET_DEFAULT):
            return False
        segments, target = path.segments, self._target
        return len(segments) == 1 and segments[0] not in target.schema.key_names and path.owner is target.owner

    # ── sending ──

    @property
    def _settled(self) -> bool:
        """Tell whether there is nothing to change and nothing to check: then nothing is sent."""
        if self._unchanged is None:
            return False
        return self._clauses.is_empty and not self._renewed and not self._conditions

    def _result(self) -> ModelT_co:
        """Return the instance that needs no change."""
        if self._unchanged is None:
            return super()._result()
        return self._unchanged

    def _compile(self) -> WirePayload:
        if not self._clauses.clauses and self._unchanged is None and self._asked_clauses is None:
            raise ExpressionError(
                f"{self._target.schema.entity}: .{self._verb}() needs a clause: .set(), .set_default(), .add(),"
                " .remove(), .discard(), .append() or .prepend()"
            )
        if self._creates:
            self._check_complete()
        return super()._compile()

    def _check_complete(self) -> None:
        """Refuse an upsert that could create an item which no read could decode."""
        schema = self._target.schema
        given = {clause.path.segments[0] for clause in self._clauses.clauses if _gives(clause)}
        missing = [name for name in schema.required_fields if schema.by_field[name].name not in given]
        if missing:
            raise ExpressionError(
                f"{schema.entity}: .upsert() may create the item, so its clauses must give every required attribute; "
                f"missing: {', '.join(missing)}. Give them with .set() or .set_default(), or use .update()"
            )

    def _transacted(self) -> None:
        """Return the result in a transaction, which returns no item."""

    def _follow_up(self, error: Exception, now: float, /) -> Operation[Any] | None:
        """Return the deletion of an expired item that stands in the way of an upsert, which is then sent again."""
        if self._met_expired(error, now):
            return PurgeExpired(self._target, self._key, timeout=self._timeout, now=now)
        return None

    def _look(self, error: Exception, /) -> Operation[Any] | None:
        """Return the read of the stored item, where the service says only that an update does not fit it."""
        if isinstance(error, ValidationError) and not error.ambiguous and is_misfit(error):
            return GetRaw(self._target, self._key, consistent_read=True)
        return None

    def _revised(self, error: Exception, item: Any, now: float, /) -> Operation[ModelT_co] | None:
        """Return the update that fits the stored item, where this one does not.

        Raises:
            ConditionalCheckFailedError: Another writer changed a value that a patch would overwrite.
            ValidationError: A parent is not stored, and cannot be made of the clauses.
        """
        if not isinstance(error, ServiceError) or error.ambiguous:
            return None
        refused = isinstance(error, ValidationError) and is_misfit(error)
        stored = living(self._target, item, now) if refused else self._refused_item(error, now)
        if self._patch is not None:
            return None if stored is None else self._patched(self._patch, stored, error)
        if stored is None and not (refused and self._creates):
            return None
        return self._started(stored or {}, error)

    def _defaults_guard(self) -> Condition[Any] | None:
        return None if self._patch is not None else defaults_guard(self._target, self._clauses)

    def _started(self, stored: Item, error: ServiceError) -> Self | None:
        """Return this update as one that starts from the stored item, None where that is this update."""
        clauses = self._asked_clauses or self._clauses
        try:
            start = started(self._target, clauses, stored)
        except CannotStart as reason:
            if isinstance(error, ValidationError):
                raise_misfit(self._target, error, str(reason))
            return None
        if start is None:
            # Another writer made the parent meanwhile, so the caller's own clauses have their way.
            is_made = self._asked_clauses is not None or lacks_parent(error)
            return self._derived(_clauses=clauses, _asked_clauses=None, _guard=None) if is_made else None
        if self._asked_clauses is not None and same_condition(start.guard, self._guard):
            return None
        return self._derived(_clauses=start.clauses, _guard=start.guard, _asked_clauses=clauses)

    def _then(self) -> tuple[str, ...]:
        return tuple(
            f"where {parent} is not stored, a GetItem, then this update with {parent} assigned as a whole, on "
            "condition that it is still not stored"
            for parent in (() if self._patch is not None else parents_of(self._clauses))
        )

    def _patched(self, patch: Patch, stored: Item, error: ServiceError) -> Self | None:
        """Return this patch as an update of the item that is stored, None where it is that already."""
        try:
            other = patch.against(self._target, stored)
        except Overtaken:
            raise_overtaken(self._target, error, stored, self._verb)
        if other is None:
            return None
        own = self._clauses.clauses[len(patch.difference.clauses.clauses) :]
        clauses = other.difference.clauses.merge(UpdateClauses(own))
        return self._derived(_clauses=clauses, _guard=other.difference.guard, _patch=other)

    def _recover(self, error: Exception, now: float, /) -> ModelT_co:
        """Raise the meaning of a failure. In a transaction, an upsert cannot remove an expired item first."""
        if self._met_expired(error, now) and isinstance(error, ConditionalCheckFailedError) and not error.ambiguous:
            raise_expired(self._target, error)
        if isinstance(error, ValidationError) and not error.ambiguous:
            if self._patch is not None and is_misfit(error):
                raise_overtaken(self._target, error, None, self._verb)
            raise_unreachable(self._target, error, self._clauses)
        return super()._recover(error, now)

    def _met_expired(self, error: Exception, now: float) -> bool:
        return (
            self._creates
            and isinstance(error, ConditionalCheckFailedError)
            and error.item is not None
            and living(self._target, error.item, now) is None
        )


class PurgeExpired(DeleteItem[ModelT_co]):
    """Delete an item if it is expired: no read shows it, so this changes nothing that can be seen."""

    __slots__ = ()

    def _condition(self, *, creates: bool = False) -> Condition[Any] | None:
        del creates
        return expired_condition(self._target, self._now)

    def _recover(self, error: Exception, now: float, /) -> ModelT_co | None:
        """Return None where the item is no longer the expired one: another writer changed it, or it is gone."""
        if isinstance(error, ConditionalCheckFailedError):
            return None
        return super()._recover(error, now)


def _gives(clause: UpdateClause) -> bool:
    """Tell whether a clause makes sure that a top-level attribute exists."""
    absent = isinstance(clause.value, Encoded) and clause.value.value is None
    return clause.kind in _CREATING and len(clause.path.segments) == 1 and not absent
