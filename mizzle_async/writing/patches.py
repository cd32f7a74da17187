"""The verbs of a table handle that turn one state of an item into another."""

from __future__ import annotations

from typing import Any, TypeVar

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import AttributePath, Condition
from mizzle_async.marshalling import Difference, EntityCodec, Overtaken, diff
from mizzle_async.operations import (
    MISSING,
    Encoded,
    GetStored,
    KeyPart,
    Missing,
    OneKey,
    Patch,
    Presence,
    UpdateItem,
    check_difference,
    check_timeout,
    instance_values,
    stale_keys,
)
from mizzle_async.operations.hints import write_hint
from mizzle_async.signatures import explained
from mizzle_async.types import Item
from mizzle_async.writing.modify import Change, Modification, check_attempts
from mizzle_async.writing.table_part import TablePart

ModelT = TypeVar("ModelT")


class TablePatches(TablePart[ModelT]):
    """The part of a table handle that changes items by their difference."""

    @explained(write_hint)
    def patch(self, old: ModelT, /, *, to: ModelT, timeout: float | None = None) -> UpdateItem[ModelT]:
        """Turn one state of an item into another by the smallest update. Where they are equal, nothing is sent.

        No other writer's change is lost in silence. Other attributes, entries of maps, members of documents and
        elements of a top-level set keep the changes of others. A list, a nested set or another value with parts that
        must be written whole is written only if it is still as it was read, and a change inside a union of classes only
        if the class still is the same. Single values are assigned: of two writers of one the later one wins. Members
        that no class declares survive, in lists of documents too. Where the entity has a version, that is checked.

        Args:
            old: The instance as it was read.
            to: The new state.
            timeout: Seconds for the whole call, or None for the client's.

        Raises:
            ExpressionError: Both are the same object, their keys differ, or the entity has a version and the first was
                never stored.
            MarshallingError: One of them does not fit its class.
            ItemNotFoundError: Awaited: there is no such item.
            VersionConflictError: Awaited: another writer changed the item since it was read.
            UniqueConstraintError: Awaited: another item has the value of a unique attribute.
            ConditionalCheckFailedError: Awaited: another writer changed a value that the patch would overwrite.

        Cost: one request, and a write unit for each KB of the larger of the item before and after. With unique
            attributes twice that, and up to four units for each one that changes. Where a value that is written whole
            is stored in another form than the class gives it (undeclared members, a default that is not stored), one
            more request.
        """
        schema, codec = self._schema, self._target.codec
        if old is to:
            raise ExpressionError(
                f"{schema.entity}: .patch(old, to=new) was given one object twice, so what changed cannot be seen: "
                "change a copy, `evolve(old, …)`"
            )
        return self._patch(codec.encode(old), self._version(old, "patch") if self._is_versioned else None, to, timeout)

    @explained()
    async def modify(
        self,
        key: OneKey[ModelT] = MISSING,
        /,
        *more: KeyPart[ModelT] | Change[ModelT],
        change: Change[ModelT] | Missing = MISSING,
        attempts: int | None = None,
        timeout: float | None = None,
        **attributes: Any,
    ) -> ModelT:
        """Read an item, change it and write it under its version. When another writer was faster, do it again.

        Args:
            key: A `Key`, an instance, of which the key alone counts, or the value of a key of one attribute.
            change: The change, also accepted after the key. It takes the instance and returns the new one,
                ``lambda order: evolve(order, status=…)``, and may be asynchronous. It is called again after a conflict,
                with the item as it is stored then. Without a difference nothing is written.
            attempts: Writes tried at most, or None for as many as fit the time.
            timeout: Seconds for everything, or None for the client's.
            *more: The equalities of the other key attributes, where the first is one, ``Order.order_id == "7"``.
            **attributes: The key attributes by name.

        Returns:
            The instance as stored.

        Raises:
            ExpressionError: The entity has no version, there is no change, or this is no key of the table.
            ItemNotFoundError: There is no such item.
            VersionConflictError: Other writers were faster, as often as ``attempts`` or the time allow.
            DeadlineExceededError: The time is up.
            OutcomeUnknownError: The answer to a write was lost, and the stored item does not show whether it was
                applied.

        Cost: a consistent read and an update. After the first conflict another update, after each further one both.
        """
        schema = self._schema
        if schema.version is None:
            raise ExpressionError(
                f"{schema.entity}: .modify() finds out by the version whether another writer was faster: declare one, "
                "`version: Attribute[int] = attribute(default=0, version=True)`"
            )
        conditions = [each for each in more if isinstance(each, Condition)]
        change = next((each for each in more if not isinstance(each, Condition)), change)
        if not callable(change):
            raise ExpressionError(
                f"{schema.entity}: .modify(key, change) needs a function that returns the changed instance"
            )
        check_attempts(attempts, schema.entity)
        check_timeout(timeout)
        item = self._key(key, attributes, conditions)
        return await Modification(
            self._target,
            self._runtime,
            lambda left: GetStored(self._target, item, timeout=left, consistent_read=True, required=True),
            self._patch,
            change,
            attempts=attempts,
            timeout=timeout,
        ).run()

    def _patch(
        self,
        old: Item,
        version: int | None,
        to: ModelT,
        timeout: float | None,
        stored: Item | None = None,
        *,
        as_read: bool = False,
    ) -> UpdateItem[ModelT]:
        """Return the smallest update from an encoded item to an instance.

        Args:
            old: The instance as it was read, encoded.
            version: The version to check, or None to check none.
            to: The new state.
            timeout: Seconds for the whole call, or None for the client's.
            stored: The item as it was read, with all that its class does not declare.
            as_read: Whether every attribute that changes must still be as ``stored`` has it.
        """
        schema, codec = self._schema, self._target.codec
        new = codec.encode(to)
        key = codec.key_of_item(old)
        if key != codec.key_of_item(new):
            raise ExpressionError(
                f"{schema.entity}: the key cannot change: insert the new item and delete the old one, in one "
                "transaction"
            )
        if schema.immutable:
            check_difference(schema, old, new)
        automatic = schema.automatic_names
        if codec.shared is not None:
            automatic |= codec.shared.added_names
        before, after = old, new
        if automatic:
            before, after = ({name: item[name] for name in item if name not in automatic} for item in (old, new))
        if codec.has_limits:
            for name, value in after.items():
                if before.get(name) != value:
                    codec.check_assigned(name, value)
        difference = _difference(codec, before, after, stored)
        conditions = self._of_family("patch()") if self._is_shared else ()
        if as_read and stored is not None:
            conditions += tuple(self._as_read(name, stored) for name in difference.clauses.top_level_names)
        guarded = stored is None  # else the version, or the values of whole attributes, are checked
        plain: UpdateItem[ModelT] = UpdateItem(
            self._target,
            key,
            clauses=difference.clauses,
            conditions=conditions,
            guard=difference.guard if guarded else None,
            patch=Patch(before, after, difference) if guarded else None,
            presence=Presence.PRESENT,
            version=version,
            now=self._now(),
            timeout=timeout,
            write_id=self._runtime.new_write_id() if self._is_versioned else None,
            verb="patch",
            known=instance_values(self._schema, to) if self._is_shared else None,
            renewed=frozenset() if stored is None else stale_keys(self._target, stored, to),
            unchanged=to,
        )
        if not schema.unique:
            return plain
        from mizzle_async.operations.writes.unique import unique_patch  # noqa: PLC0415  (few entities need it)

        return unique_patch(plain, old, new, self._runtime.new_token())

    def _patch_stored(self, item: Item, old: ModelT, to: ModelT, timeout: float | None) -> UpdateItem[ModelT]:
        schema = self._schema
        # An item from before the entity had a version reads as version 0, and is given one.
        version = None if schema.version is None else getattr(old, schema.version.field)
        return self._patch(self._target.codec.encode(old), version, to, timeout, item, as_read=version is None)

    def _as_read(self, name: str, stored: Item) -> Condition[ModelT]:
        """Return the condition that an attribute is still as it was read."""
        schema = self._schema
        attribute = schema.by_name.get(name)
        path: AttributePath[ModelT, Any] = schema.path(name if attribute is None else attribute.field)
        return path == Encoded(stored[name]) if name in stored else path.not_exists()


def patch_stored(
    table: TablePatches[ModelT], item: Item, old: ModelT, /, *, to: ModelT, timeout: float | None = None
) -> UpdateItem[ModelT]:
    """Turn an item as it is stored into a new state, unless another writer changes meanwhile what this changes.

    Attributes that are equal in both instances stay as they are stored, and so do all that their class does not
    declare.

    Args:
        table: The handle of the table.
        item: The item in DynamoDB's JSON, as it was read.
        old: The same, decoded.
        to: The new state.
        timeout: Seconds for the whole call, or None for the client's.
    """
    # A user patches from an instance, never from a stored item.
    return table._patch_stored(item, old, to, timeout)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def _difference(codec: EntityCodec[Any], before: Item, after: Item, stored: Item | None) -> Difference:
    """Return the difference of two items: from the stored item, where that encodes to the first one."""
    try:
        return diff(codec, before, after, stored)
    except Overtaken:  # a default or a hook of the caller's gives another value each time
        return diff(codec, before, after)
