"""The verbs of a table handle that write one item."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import AttributePath, Condition
from mizzle_async.marshalling import Difference, EntityCodec, Overtaken, diff, members_guard
from mizzle_async.operations import (
    MISSING,
    CheckItem,
    DeleteItem,
    Encoded,
    GetStored,
    KeyPart,
    Missing,
    OneKey,
    Patch,
    Presence,
    PutItem,
    ReplaceItem,
    UpdateItem,
    check_timeout,
    instance_values,
    key_values,
    refuse_unique,
    replacing,
    stale_keys,
    stamp_new,
    stamp_put,
    stored_version,
    unique_delete,
    unique_insert,
    unique_patch,
    use,
)
from mizzle_async.operations.hints import write_hint
from mizzle_async.signatures import explained
from mizzle_async.types import Item
from mizzle_async.writing.modify import Change, Modification, check_attempts
from mizzle_async.writing.table_part import TablePart

ModelT = TypeVar("ModelT")


class TableWrites(TablePart[ModelT]):
    """The part of a table handle that writes single items.

    It gives operations the time, tokens and write ids, and builds them. Nothing is sent here, except by `modify`.
    """

    # ── whole items ──

    @explained(write_hint)
    def insert(self, item: ModelT, /, *, timeout: float | None = None) -> PutItem[ModelT]:
        """Write a new item, and return it as stored.

        Args:
            item: The instance. It is not changed.
            timeout: Seconds for the whole call, or None for the client's.

        Raises:
            MarshallingError: It does not fit its class.
            ItemExistsError: Awaited: an item exists under its key.
            UniqueConstraintError: Awaited: another item has the value of a unique attribute.

        Cost: one request, and a write unit for each KB of the item. With unique attributes twice that, and two units
            for each of them.
        """
        now = self._now()
        encoded = self._target.codec.encode_new(item)
        write_id = self._write_id()
        stamp_new(self._target.codec, encoded, now, write_id)
        plain: PutItem[ModelT] = PutItem(
            self._target, item=encoded, presence=Presence.ABSENT, now=now, timeout=timeout, write_id=write_id
        )
        return unique_insert(plain, self._runtime.new_token()) if self._schema.unique else plain

    @explained(write_hint)
    def put(self, item: ModelT, /, *, timeout: float | None = None) -> PutItem[ModelT]:
        """Write a whole item in place of any other under its key, undeclared attributes included. Return it as stored.

        Args:
            item: The instance. It is not changed.
            timeout: Seconds for the whole call, or None for the client's.

        Raises:
            ExpressionError: The entity has a version, which this could not check, or unique attributes.
            MarshallingError: The item does not fit its class.

        Cost: one request, and a write unit for each KB of the larger of the new item and the one it replaces.
        """
        schema = self._schema
        refuse_unique(schema, "put()", ".insert() for a new item, .patch(old, to=new) for one that was read")
        if schema.version is not None:
            raise ExpressionError(
                f"{schema.entity} has a version, and .put() would overwrite without checking it: use .insert() for a "
                "new item, .replace() for one that was read"
            )
        now = self._now()
        encoded = self._target.codec.encode_new(item)
        stamp_put(self._target.codec, encoded, now)
        return PutItem(self._target, item=encoded, now=now, timeout=timeout)

    @explained(write_hint)
    def replace(self, item: ModelT, /, *, timeout: float | None = None) -> ReplaceItem[ModelT]:
        """Write every declared attribute of an item that must exist. All others survive.

        Undeclared members of documents inside it survive too: in maps and documents those under the same name, in lists
        those of the element that is equal, or else at the same position.

        Args:
            item: The instance. It is not changed.
            timeout: Seconds for the whole call, or None for the client's.

        Raises:
            ExpressionError: The entity has unique attributes or declares none, or the instance was never stored.
            MarshallingError: The item does not fit its class.
            ItemNotFoundError: Awaited: there is no such item.
            VersionConflictError: Awaited: another writer changed the item since the instance was read.

        Cost: one request, and a write unit for each KB of the larger of the item before and after. One more where
            stored documents have other members than the new ones.
        """
        schema = self._schema
        refuse_unique(schema, "replace()", ".patch(old, to=new)")
        if schema.is_open:
            raise ExpressionError(f"{schema.entity} declares no attributes to replace: use .put() for whole items")
        encoded = self._target.codec.encode_new(item)
        guard = members_guard(self._target.codec, encoded)
        return ReplaceItem(
            self._target,
            self._target.codec.key_of(item),
            clauses=replacing(schema, encoded),
            guard=None if guard is None else guard.condition,
            guard_is_exact=guard is None or guard.is_exact,
            presence=Presence.PRESENT,
            version=self._version(item, "replace"),
            now=self._now(),
            timeout=timeout,
            write_id=self._write_id(),
            sent=encoded,
            known=instance_values(self._schema, item),
        )

    # ── changes ──

    @explained()
    def update(
        self,
        key: OneKey[ModelT] = MISSING,
        /,
        *more: KeyPart[ModelT],
        timeout: float | None = None,
        **attributes: Any,
    ) -> UpdateItem[ModelT]:
        """Change attributes of an item that must exist, by the clauses that follow, and return it as stored.

        Args:
            key: A `Key`, an instance, whose version is checked, or the value of a key of one attribute.
            timeout: Seconds for the whole call, or None for the client's.
            *more: The equalities of the other key attributes, where the first is one, ``Order.order_id == "7"``.
            **attributes: The key attributes by name.

        Raises:
            ExpressionError: This is no key of the table, or an instance that was never stored.
            MarshallingError: A value does not fit its key attribute.
            ItemNotFoundError: Awaited: there is no such item.
            VersionConflictError: Awaited: another writer changed the item since the instance was read.

        Cost: one request, and a write unit for each KB of the larger of the item before and after.
        """
        return UpdateItem(
            self._target,
            self._key(key, attributes, more),
            known=instance_values(self._schema, key),
            presence=Presence.PRESENT,
            version=self._version(key, "update"),
            now=self._now(),
            timeout=timeout,
            write_id=self._write_id(),
        )

    @explained()
    def upsert(
        self,
        key: OneKey[ModelT] = MISSING,
        /,
        *more: KeyPart[ModelT],
        timeout: float | None = None,
        **attributes: Any,
    ) -> UpdateItem[ModelT]:
        """Change attributes of an item, creating it if it is missing. The clauses must give every required attribute.

        Args:
            key: A `Key`, an instance, of which the key alone counts, or the value of a key of one attribute.
            timeout: Seconds for the whole call, or None for the client's.
            *more: The equalities of the other key attributes, where the first is one, ``Order.order_id == "7"``.
            **attributes: The key attributes by name.

        Raises:
            ExpressionError: This is no key of the table.
            MarshallingError: A value does not fit its key attribute.

        Cost: one request, and a write unit for each KB of the larger of the item before and after. Two more requests
            where an expired item is in the way.
        """
        return UpdateItem(
            self._target,
            self._key(key, attributes, more),
            creates=True,
            known=key_values(self._schema, key, attributes, more),
            now=self._now(),
            timeout=timeout,
            write_id=self._write_id(),
            verb="upsert",
        )

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
        return self._patch(codec.encode(old), self._version(old, "patch"), to, timeout)

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
        automatic = {attribute.name for attribute in schema.attributes if attribute.is_automatic}
        if codec.shared is not None:
            automatic |= codec.shared.added_names
        before, after = ({name: item[name] for name in item if name not in automatic} for item in (old, new))
        for name, value in after.items():
            if before.get(name) != value:
                codec.check_assigned(name, value)
        difference = _difference(codec, before, after, stored)
        conditions: tuple[Condition[Any], ...] = ()
        if as_read and stored is not None:
            conditions = tuple(self._as_read(name, stored) for name in difference.clauses.top_level_names)
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
            write_id=self._write_id(),
            verb="patch",
            known=instance_values(self._schema, to),
            renewed=frozenset() if stored is None else stale_keys(self._target, stored, to),
            unchanged=to,
        )
        return unique_patch(plain, old, new, self._runtime.new_token()) if schema.unique else plain

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

    @explained()
    def delete(
        self,
        key: OneKey[ModelT] = MISSING,
        /,
        *more: KeyPart[ModelT],
        timeout: float | None = None,
        **attributes: Any,
    ) -> DeleteItem[ModelT]:
        """Delete an item and return it, or None if there was none.

        With unique attributes it takes the instance as it was read, and a missing item raises `ItemNotFoundError`.

        Args:
            key: A `Key`, an instance, whose version is checked, or the value of a key of one attribute.
            timeout: Seconds for the whole call, or None for the client's.
            *more: The equalities of the other key attributes, where the first is one, ``Order.order_id == "7"``.
            **attributes: The key attributes by name.

        Raises:
            ExpressionError: This is no key of the table, or an instance that was never stored. With unique attributes:
                this is not an instance.
            MarshallingError: A value does not fit its key attribute.
            VersionConflictError: Awaited: another writer changed or deleted the item since the instance was read.

        Cost: one request, and a write unit for each KB of the item. With unique attributes twice that, and two units
            for each of them.
        """
        schema = self._schema
        plain: DeleteItem[ModelT] = DeleteItem(
            self._target,
            self._key(key, attributes, more),
            version=self._version(key, "delete"),
            now=self._now(),
            timeout=timeout,
        )
        if not schema.unique:
            return plain
        if not isinstance(key, schema.cls):
            use(plain)
            refuse_unique(schema, "delete(key)", ".delete(instance), with the instance as it was read")
        return unique_delete(plain, self._target.codec.encode(cast("ModelT", key)), self._runtime.new_token())

    @explained()
    def check(self, key: OneKey[ModelT] = MISSING, /, *more: KeyPart[ModelT], **attributes: Any) -> CheckItem[ModelT]:
        """Hold a transaction to a condition on an item that it does not write: ``check(key).when(…)``.

        Args:
            key: A `Key`, an instance, whose version is checked, or the value of a key of one attribute.
            *more: The equalities of the other key attributes, where the first is one, ``Order.order_id == "7"``.
            **attributes: The key attributes by name.

        Raises:
            ExpressionError: This is no key of the table, or an instance that was never stored.
            MarshallingError: A value does not fit its key attribute.

        Cost: two write units for each KB of the item.
        """
        return CheckItem(
            self._target, self._key(key, attributes, more), version=self._version(key, "check"), now=self._now()
        )

    def _version(self, key: object, verb: str) -> int | None:
        """Return the version of an instance, or None where this is no instance, or its entity counts no versions."""
        schema = self._schema
        if schema.version is None or not isinstance(key, schema.cls):
            return None
        return stored_version(schema, key, verb)

    def _write_id(self) -> str | None:
        """Return the id that a versioned item stores beside its version, or None without versions."""
        return None if self._schema.version is None else self._runtime.new_write_id()


def patch_stored(
    table: TableWrites[ModelT], item: Item, old: ModelT, /, *, to: ModelT, timeout: float | None = None
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
    return table._patch_stored(item, old, to, timeout)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def _difference(codec: EntityCodec[Any], before: Item, after: Item, stored: Item | None) -> Difference:
    """Return the difference of two items: from the stored item, where that encodes to the first one."""
    try:
        return diff(codec, before, after, stored)
    except Overtaken:  # a default or a hook of the caller's gives another value each time
        return diff(codec, before, after)
