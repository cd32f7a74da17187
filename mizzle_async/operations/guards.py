"""Guard items: they keep the values of a unique attribute unique.

For every value there is one item in the same table, written in the same transaction as the item that has the value:

- Its partition key is ``_unique#<attribute>#<type>#<value>``: the stored name of the attribute (``%`` and ``#`` in it
  as ``%25`` and ``%23``), then ``S``, ``N`` or ``B``, then the text, the number as DynamoDB writes it, or the base64
  of the bytes. Where that is longer than a key may be, ``<type>`` ends in ``-sha256`` and the SHA-256 of the value
  follows, which no value can imitate.
- Its sort key, where the table has one, is the SHA-256 of that text in the key's type, so that no index gets one hot
  partition.
- ``_unique_owner`` is the key of the item that has the value, a map.
- The time to live, where the entity has one, is the item's: guards expire with the item that they guard.

They have no other attributes, so no index holds them whose key has an attribute that is not among these.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any, Final

from attrs import evolve

from mizzle_async.errors import ExpressionError, ModelError
from mizzle_async.expressions import Condition, Encoded, Predicate
from mizzle_async.expressions.names import text_bytes
from mizzle_async.limits import PARTITION_KEY_BYTES
from mizzle_async.model import AttributeSchema, EntitySchema, SecondaryIndex, scalar_code
from mizzle_async.model.scalars.numbers import canonical_number
from mizzle_async.operations.actions import Action, Transactable
from mizzle_async.operations.answers import mismatch
from mizzle_async.operations.expiry import expiry_bounds
from mizzle_async.operations.target import Target
from mizzle_async.types import WRITE_ID_ATTRIBUTE, AttributeValue, Item, WirePayload

GUARD_PREFIX: Final = "_unique#"
"""The beginning of the partition key of every guard item, and of no other item."""

GUARD_OWNER: Final = "_unique_owner"
"""The attribute of a guard item that holds the key of the item that it guards a value of."""


def check_reserved(schema: EntitySchema) -> None:
    """Refuse attributes whose stored names this library uses, and unique ones where no guard item can lie.

    Raises:
        ModelError: A name is taken, or the partition key is no text.
    """
    reserved = {WRITE_ID_ATTRIBUTE} if schema.version is not None else set[str]()
    for name in sorted(reserved | ({GUARD_OWNER} if schema.unique else set())):
        if name in schema.by_name:
            raise ModelError(
                f"{schema.entity}.{schema.by_name[name].field} is stored as {name!r}, which this library uses itself: "
                'give it another name, `attribute(name="…")`'
            )
    partition_key = schema.partition_key
    if schema.unique and scalar_code(partition_key.storage_type, partition_key.storage_format) not in {"S", None}:
        raise ModelError(
            f"{schema.entity}.{schema.unique[0].field} is unique: that takes guard items in the same table, whose keys "
            f"are text, but the partition key {partition_key.field} is not. Make it `PartitionKey[str]`, or take "
            "`unique=True` away"
        )


def guard_key(schema: EntitySchema, attribute: AttributeSchema, value: AttributeValue, owner: Item) -> Item:
    """Return the key of the guard item of a value.

    Args:
        schema: The entity's.
        attribute: The unique attribute.
        value: Its value, stored.
        owner: The key of an item of the table, for the type of the sort key.
    """
    ((tag, payload),) = value.items()
    content = canonical_number(payload) if tag == "N" else payload
    owned = attribute.name if schema.shared is None else f"{schema.shared.type_names[0]}.{attribute.name}"
    name = owned.replace("%", "%25").replace("#", "%23")
    text = f"{GUARD_PREFIX}{name}#{tag}#{content}"
    if text_bytes(text) > PARTITION_KEY_BYTES:
        text = f"{GUARD_PREFIX}{name}#{tag}-sha256#{hashlib.sha256(content.encode()).hexdigest()}"
    key: Item = {schema.partition_key.name: {"S": text}}
    if schema.sort_key is not None:
        digest = hashlib.sha256(text.encode()).digest()
        match next(iter(owner[schema.sort_key.name])):
            case "N":
                key[schema.sort_key.name] = {"N": str(int.from_bytes(digest[:12], "big"))}
            case "B":
                key[schema.sort_key.name] = {"B": base64.b64encode(digest).decode()}
            case _:
                key[schema.sort_key.name] = {"S": f"{GUARD_PREFIX}{digest.hex()}"}
    return key


def is_guard(schema: EntitySchema, item: Item) -> bool:
    """Tell whether an item is a guard.

    Raises:
        CorruptResponseError: What stands for its key is no attribute value.
    """
    try:
        text: Any = item.get(schema.partition_key.name, {}).get("S", "")
        return bool(text.startswith(GUARD_PREFIX))
    except (AttributeError, TypeError) as error:
        raise mismatch("what stands for a key is none") from error


def check_no_guard(schema: EntitySchema, key: Item) -> None:
    """Refuse a key that is a guard item's, which no item may have and no verb may touch.

    Args:
        schema: The entity's.
        key: The key, or a whole item.

    Raises:
        ExpressionError: It begins as guards' keys do.
    """
    if is_guard(schema, key):
        raise ExpressionError(
            f"{schema.entity}.{schema.partition_key.field}: keys that begin with {GUARD_PREFIX!r} are those of the "
            "guard items that keep its attributes unique"
        )


def may_hold_guards(schema: EntitySchema, index: SecondaryIndex[Any, Any, Any] | None) -> bool:
    """Tell whether a table or an index of it holds guard items."""
    if not schema.unique:
        return False
    if index is None:
        return True
    held = {*schema.key_names, GUARD_OWNER}
    if schema.time_to_live is not None:
        held.add(schema.time_to_live.name)
    return held.issuperset(index.key_names())


def guard_filter(schema: EntitySchema) -> Condition[Any]:
    """Return the condition that an item is no guard. The service evaluates it, so its counts are right."""
    return ~Predicate("begins_with", schema.partition_key_path, (Encoded({"S": GUARD_PREFIX}),))


def hand_over(actions: Sequence[tuple[Transactable[Any], Action]]) -> tuple[tuple[Transactable[Any], Action], ...]:
    """Join the action that gives a value up with the one that claims it for another item: each item takes one action.

    The guard is then written on condition that it still is the first one's, or that there is none.

    Args:
        actions: Of one transaction, each with its operation.
    """
    guards = [action for _, action in actions if action.unique is not None]
    if not guards:
        return tuple(actions)
    given_up = {action.identity: action for action in guards if action.kind == "Delete"}
    handed = given_up.keys() & {action.identity for action in guards if action.kind == "Put"}
    if not handed:
        return tuple(actions)
    joined: list[tuple[Transactable[Any], Action]] = []
    for operation, action in actions:
        if action.unique is None or action.identity not in handed:
            joined.append((operation, action))
        elif action.kind == "Put":
            condition = {**given_up[action.identity].body}
            del condition["Key"]
            joined.append((operation, evolve(action, body={**action.body, **condition})))
    return tuple(joined)


class Guards:
    """Builds the actions on guard items of one item.

    Attributes:
        target: The table.
        owner: The key of the item.
        now: The time when the operation was built.
    """

    __slots__ = ("now", "owner", "target")

    def __init__(self, target: Target[Any], owner: Item, now: float) -> None:
        self.target: Final[Target[Any]] = target
        self.owner: Final[Item] = owner
        self.now: Final[float] = now

    def added(self, item: Item) -> tuple[Action, ...]:
        """Return the actions that claim the values of a new item."""
        return tuple(self._claim(attribute, item, ours=False) for attribute in self._present(item))

    def removed(self, item: Item) -> tuple[Action, ...]:
        """Return the actions that give up the values of an item that is deleted."""
        return tuple(self._release(attribute, item) for attribute in self._present(item))

    def changed(self, old: Item, new: Item) -> tuple[Action, ...]:
        """Return the actions of a change: none, where neither unique values nor the time to live change."""
        schema = self.target.schema
        lifetime = schema.time_to_live
        moved = lifetime is not None and old.get(lifetime.name) != new.get(lifetime.name)
        actions: list[Action] = []
        for attribute in schema.unique:
            before, after = self._key(attribute, old), self._key(attribute, new)
            if before != after:
                if before is not None:
                    actions.append(self._release(attribute, old))
                if after is not None:
                    actions.append(self._claim(attribute, new, ours=False))
            elif moved and after is not None:
                actions.append(self._claim(attribute, new, ours=True))
        return tuple(actions)

    def held(self, item: Item) -> tuple[Condition[Any], ...]:
        """Return the conditions that the stored item has the unique values of an instance: guards follow them."""
        schema = self.target.schema
        conditions: list[Condition[Any]] = []
        for attribute in schema.unique:
            path = schema.path(attribute.field)
            value = item.get(attribute.name)
            conditions.append(path.not_exists() if value is None else path == Encoded(value))
        return tuple(conditions)

    def _present(self, item: Item) -> list[AttributeSchema]:
        return [attribute for attribute in self.target.schema.unique if self._key(attribute, item) is not None]

    def _key(self, attribute: AttributeSchema, item: Item) -> Item | None:
        value = item.get(attribute.name)
        return None if value is None or "NULL" in value else guard_key(self.target.schema, attribute, value, self.owner)

    def _claim(self, attribute: AttributeSchema, item: Item, *, ours: bool) -> Action:
        """Return the action that writes a guard: where there is none, or an expired one, or (``ours``) our own."""
        schema = self.target.schema
        key = guard_key(schema, attribute, item[attribute.name], self.owner)
        guard: Item = {**key, GUARD_OWNER: {"M": self.owner}}
        lifetime = schema.time_to_live
        if lifetime is not None and lifetime.name in item:
            guard[lifetime.name] = item[lifetime.name]
        body = {"TableName": self.target.table, "Item": guard, **self._condition(ours=ours)}
        return Action("Put", body, key, attribute.field)

    def _release(self, attribute: AttributeSchema, item: Item) -> Action:
        """Return the action that deletes a guard, if it is there, and ours."""
        key = guard_key(self.target.schema, attribute, item[attribute.name], self.owner)
        return Action(
            "Delete", {"TableName": self.target.table, "Key": key, **self._condition(ours=True)}, key, attribute.field
        )

    def _condition(self, *, ours: bool) -> WirePayload:
        schema = self.target.schema
        expression = "attribute_not_exists(#key)"
        names = {"#key": schema.partition_key.name}
        values: Item = {}
        if ours:
            expression += " OR #owner = :owner"
            names["#owner"] = GUARD_OWNER
            values[":owner"] = {"M": self.owner}
        lifetime = schema.time_to_live
        if lifetime is not None:
            expression += " OR #expires BETWEEN :earliest AND :latest"
            names["#expires"] = lifetime.name
            values[":earliest"], values[":latest"] = expiry_bounds(self.now)
        body: WirePayload = {"ConditionExpression": expression, "ExpressionAttributeNames": names}
        if values:
            body["ExpressionAttributeValues"] = values
        return body


def refuse_unique(schema: EntitySchema, verb: str, instead: str) -> None:
    """Refuse a verb that cannot know the old values of unique attributes.

    Args:
        schema: The entity's.
        verb: The verb that was called.
        instead: The verb to call.

    Raises:
        ExpressionError: The entity has unique attributes.
    """
    if schema.unique:
        names = ", ".join(attribute.field for attribute in schema.unique)
        raise ExpressionError(
            f"{schema.entity}: {names} must stay unique, and .{verb} does not know what is stored, so it cannot give up"
            f" the old value: use {instead}"
        )
