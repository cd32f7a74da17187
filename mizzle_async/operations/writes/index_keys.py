"""Index keys of shared tables in updates: written in the request that changes a part, or the update is refused.

An index key is its format, filled with the values that the item has after the update, or absent. Known are the values
that clauses assign, the primary key's parts, values that conditions fix, and those of an instance, which the service
then checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import NOTHING, frozen

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import AttributePath, ClauseKind, Condition, Encoded, UpdateClause, UpdateClauses
from mizzle_async.marshalling import StoredValue
from mizzle_async.marshalling.shapes.fields import make_default
from mizzle_async.marshalling.shared_items import SharedItems
from mizzle_async.marshalling.written_keys import WrittenKey
from mizzle_async.model import EntitySchema
from mizzle_async.model.shared.conditions import fixed_values
from mizzle_async.operations.key import MISSING, Key, key_attributes
from mizzle_async.operations.target import Target
from mizzle_async.types import Item
from mizzle_async.values import Record, transient


@frozen(eq=False, repr=False)
class KnownValues(Record):
    """The values of an item that an update knows, by name in Python.

    Attributes:
        key: Those of the primary key.
        instance: Those of an instance, which the update must check. None without one.
        is_checked: Whether a version already checks the instance.
        renewed: The index keys that are written although no part of them changes.
    """

    key: Mapping[str, Any]
    instance: Mapping[str, Any] | None = None
    is_checked: bool = False
    renewed: frozenset[str] = frozenset()


@transient(eq=False, repr=False)
class IndexChanges(Record):
    """The clauses and conditions that an update adds for the keys of indexes.

    Attributes:
        clauses: Clauses that write or remove keys.
        conditions: Conditions under which these keys are right.
    """

    clauses: tuple[UpdateClause, ...] = ()
    conditions: tuple[Condition[Any], ...] = ()


NO_CHANGES: Final = IndexChanges()


def check_parts(target: Target[Any], clauses: UpdateClauses) -> None:
    """Check that no clause changes a part of the primary key, or a text that the library writes.

    Raises:
        ExpressionError: One does.
    """
    schema, shared = target.schema, target.codec.shared
    if shared is None:
        return
    for clause in clauses.clauses:
        name = str(clause.path.segments[0])
        attribute = schema.by_name.get(name)
        if attribute is not None and attribute.part is not None:
            raise ExpressionError(
                f"{schema.entity}.{attribute.field} is part of the key, which cannot change: insert the new item and"
                " delete the old one, in one transaction"
            )
        if name in shared.added_names:
            raise ExpressionError(f"{schema.entity}: {name!r} is written by the library, from the parts of its format")


def index_changes(
    target: Target[Any],
    clauses: UpdateClauses,
    conditions: Iterable[Condition[Any]],
    known: KnownValues,
    *,
    creates: bool,
) -> IndexChanges:
    """Return the changes that an update makes to the keys of indexes.

    Args:
        target: The table.
        clauses: All clauses of the update, those of roles included.
        conditions: The caller's conditions.
        known: Values that are known without them.
        creates: Whether the update may create the item.

    Raises:
        ExpressionError: A key changes, and a part of it is not known.
    """
    shared = target.codec.shared
    if shared is None or not shared.written:
        return IndexChanges()
    assigned = _assigned(shared, clauses)
    fixed: dict[str, Any] = {}
    for condition in conditions:
        for field, value in fixed_values(condition).items():
            fixed[field] = _decoded(shared, field, value) if isinstance(value, Encoded) else value
    added: list[UpdateClause] = []
    checks: dict[str, Condition[Any]] = {}
    for written in shared.written:
        parts = [field for field in written.fields if field not in known.key]
        touched = [field for field in parts if field in assigned]
        if creates and len(touched) < len(parts):
            defaults = _defaults(target, written, parts, touched, known)
            added += defaults.clauses
            checks.update((str(number), each) for number, each in enumerate(defaults.conditions, len(checks)))
            continue
        is_new = creates and not parts
        if not touched and not is_new and written.name not in known.renewed:
            continue
        given = {**known.key, **fixed, **assigned}
        possible = written.with_known({field: value for field, value in given.items() if value is not _UNKNOWN})
        values = _values(target, possible, given, known, checks)
        added.append(_clause(target, written.name, possible.text(target.schema.entity, values)))
    return IndexChanges(tuple(added), tuple(checks.values()))


def creating_clauses(target: Target[Any], values: Mapping[str, Any]) -> tuple[UpdateClause, ...]:
    """Return the clauses by which an update that may create an item writes its type and the parts of its key.

    Args:
        target: The table.
        values: The values of the key, by name in Python.

    Raises:
        ExpressionError: The key does not hold a part's whole value, and the caller gave none.
    """
    shared, schema = target.codec.shared, target.schema
    if shared is None:
        return ()
    missing = [field for field in shared.keys.fields if field not in values and not schema.by_field[field].key_only]
    if missing:
        raise ExpressionError(
            f"{schema.entity}: .upsert() may create the item, and a key does not hold the whole value of"
            f" {', '.join(missing)}: give the key by its attributes, not as a Key"
        )
    clauses = [
        UpdateClause(ClauseKind.SET, schema.path(schema.by_name[name].field), Encoded(stored))
        for name, stored in shared.parts_of(values).items()
    ]
    for name, stored in shared.type_item.items():
        clauses.append(UpdateClause(ClauseKind.SET, AttributePath(schema.owner, (name,)), Encoded(stored)))
    return tuple(clauses)


_UNKNOWN = object()


def _assigned(shared: SharedItems, clauses: UpdateClauses) -> dict[str, Any]:
    """Return the values that clauses assign, by name in Python, `_UNKNOWN` where only the stored item tells."""
    values: dict[str, Any] = {}
    for clause in clauses.clauses:
        attribute = shared.schema.by_name.get(str(clause.path.segments[0]))
        if attribute is None:
            continue
        value: Any = _UNKNOWN
        if len(clause.path.segments) == 1:
            if clause.kind is ClauseKind.REMOVE:
                value = None
            elif clause.kind is ClauseKind.SET and isinstance(clause.value, Encoded | StoredValue):
                value = _decoded(shared, attribute.field, clause.value)
        values[attribute.field] = value
    return values


def _decoded(shared: SharedItems, field: str, value: Encoded | StoredValue) -> Any:
    stored = value.value if isinstance(value, Encoded) else value.stored
    return None if stored is None else shared.decode_part(field, stored)


def _values(
    target: Target[Any],
    written: WrittenKey,
    given: Mapping[str, Any],
    known: KnownValues,
    checks: dict[str, Condition[Any]],
) -> dict[str, Any]:
    """Return the values that a key is made of, and add the conditions under which they are right.

    Raises:
        ExpressionError: One is not known.
    """
    schema = target.schema
    values: dict[str, Any] = {}
    for field in written.fields:
        if field in given:
            values[field] = given[field]
            if values[field] is _UNKNOWN:
                reads = ".modify(), which reads the item" if schema.version is not None else ".patch(old, to=new)"
                raise ExpressionError(
                    f"{schema.entity}.{field} is part of the index key {written.name!r}, and its value after this"
                    f" update is not known: .set() it, or use {reads}"
                )
        elif known.instance is not None:
            values[field] = known.instance[field]
            if not known.is_checked:
                checks[field] = _is_still(target, field, known.instance[field])
        else:
            reads = ".modify()" if schema.version is not None else ".patch() with an instance that was read"
            raise ExpressionError(
                f"{schema.entity}: the index key {written.name!r} is made of {', '.join(written.fields)}, and {field}"
                f" is not known here: .set() it too, update an instance, fix it by .when({schema.entity}.{field} == …),"
                f" or use {reads}"
            )
    return values


def _is_still(target: Target[Any], field: str, value: Any) -> Condition[Any]:
    """Return the condition that an attribute has the value of the instance."""
    path: Any = target.schema.path(field)
    if value is None:
        missing: Condition[Any] = path.not_exists()
        return missing
    same: Condition[Any] = path == Encoded(target.assign(value, path).value)
    return same


def _clause(target: Target[Any], name: str, text: str | None) -> UpdateClause:
    path: AttributePath[Any, Any] = AttributePath(target.schema.owner, (name,))
    if text is None:
        return UpdateClause(ClauseKind.REMOVE, path)
    return UpdateClause(ClauseKind.SET, path, Encoded({"S": text}))


def _defaults(
    target: Target[Any], written: WrittenKey, parts: list[str], touched: list[str], known: KnownValues
) -> IndexChanges:
    """Return the defaults that an upsert adds for a key of which it gives no part.

    Raises:
        ExpressionError: It gives some parts, or defaults alone would not tell the key.
    """
    schema = target.schema
    if touched:
        missing = [field for field in parts if field not in touched]
        raise ExpressionError(
            f"{schema.entity}: .upsert() gives {', '.join(touched)} of the index key {written.name!r}: give"
            f" {', '.join(missing)} too, or none of them"
        )
    defaults = {field: schema.by_field[field].default for field in parts}
    if all(default is None or default is NOTHING for default in defaults.values()):
        return IndexChanges()  # absent in a new item, and so is the key
    sparse = len(written.ways) > 1 or any(where is not None for _, where in written.ways)
    if sparse or any(schema.by_field[field].optional for field in parts):
        raise ExpressionError(
            f"{schema.entity}: whether an item has the index key {written.name!r} depends on {', '.join(parts)}:"
            " .upsert() gives all of them, by .set()"
        )
    values = {field: make_default(default, None) for field, default in defaults.items()}
    text = written.text(schema.entity, {**known.key, **values})
    key: AttributePath[Any, Any] = AttributePath(schema.owner, (written.name,))
    clauses = [
        UpdateClause(ClauseKind.SET_DEFAULT, schema.path(field), target.assign(value, schema.path(field)))
        for field, value in values.items()
    ]
    clauses.append(UpdateClause(ClauseKind.SET_DEFAULT, key, Encoded({"S": str(text)})))
    # An item from before the index has no key yet: defaults must not make one that its own values do not.
    is_right: Condition[Any] = key.exists() | schema.partition_key_path.not_exists()
    return IndexChanges(tuple(clauses), (is_right,))


def instance_values(schema: EntitySchema, key: object) -> dict[str, Any] | None:
    """Return the values of an instance, by name in Python, for an update of a shared table's item. Else None."""
    return vars(key) if isinstance(key, schema.cls) else None


def key_values(
    schema: EntitySchema, key: object, attributes: dict[str, Any], more: Sequence[Any] = ()
) -> dict[str, Any] | None:
    """Return the values of a key, by name in Python, for an update that may create a shared table's item. Else None.

    Args:
        schema: The entity's.
        key: The key as the caller gave it.
        attributes: The key attributes by name, where the caller gave them so.
        more: Further equalities, where the key is one.
    """
    if schema.shared is not None and isinstance(key, Condition):
        return key_attributes(schema, (key, *more), {})
    if schema.shared is None or attributes or key is MISSING or isinstance(key, Key):
        return attributes or None
    fields = schema.key_attributes
    instance = instance_values(schema, key)
    return {fields[0].field: key} if instance is None else {each.field: instance[each.field] for each in fields}


def stale_keys(target: Target[Any], stored: Item, instance: Any) -> frozenset[str]:
    """Return the index keys that a stored item has otherwise than its values say, as before its entity had an index.

    Args:
        target: The table.
        stored: The item.
        instance: The instance that it reads as.
    """
    shared = target.codec.shared
    if shared is None:
        return frozenset()
    right = shared.index_keys(vars(instance))
    return frozenset(each.name for each in shared.written if stored.get(each.name) != right.get(each.name))


def item_key_values(target: Target[Any], key: Item) -> Mapping[str, Any]:
    """Return the values that a key holds whole, by name in Python. None outside of shared tables."""
    shared = target.codec.shared
    return {} if shared is None else shared.values_of_key(key)
