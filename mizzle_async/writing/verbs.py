"""The verbs of a table handle that write one item."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from mizzle_async.errors import ExpressionError
from mizzle_async.marshalling import members_guard
from mizzle_async.operations import (
    MISSING,
    CheckItem,
    DeleteItem,
    KeyPart,
    OneKey,
    Presence,
    PutItem,
    ReplaceItem,
    UpdateItem,
    family_conditions,
    instance_values,
    key_values,
    refuse_unique_below,
    replacing,
    stamp_new,
    stamp_put,
    unchanged_conditions,
    use,
)
from mizzle_async.operations.guards import refuse_unique
from mizzle_async.operations.hints import write_hint
from mizzle_async.signatures import explained
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
        write_id = self._runtime.new_write_id() if self._is_versioned else None
        stamp_new(self._target.codec, encoded, now, write_id)
        plain: PutItem[ModelT] = PutItem(
            self._target, item=encoded, presence=Presence.ABSENT, now=now, timeout=timeout, write_id=write_id
        )
        if not self._schema.unique:
            return plain
        from mizzle_async.operations.writes.unique import unique_insert  # noqa: PLC0415  (few entities need it)

        return unique_insert(plain, self._runtime.new_token())

    @explained(write_hint)
    def put(self, item: ModelT, /, *, timeout: float | None = None) -> PutItem[ModelT]:
        """Write a whole item in place of any other under its key, undeclared attributes included. Return it as stored.

        Args:
            item: The instance. It is not changed.
            timeout: Seconds for the whole call, or None for the client's.

        Raises:
            ExpressionError: The entity has a version, which this could not check, or unique attributes.
            MarshallingError: The item does not fit its class.
            ConditionalCheckFailedError: Awaited: it would change an immutable attribute of the stored item.

        Cost: one request, and a write unit for each KB of the larger of the new item and the one it replaces.
        """
        schema = self._schema
        refuse_unique(schema, "put()", ".insert() for a new item, .patch(old, to=new) for one that was read")
        if schema.version is not None:
            raise ExpressionError(
                f"{schema.entity} has a version, and .put() would overwrite without checking it: use .insert() for a "
                "new item, .replace() for one that was read"
            )
        if self._is_shared:
            refuse_unique_below(schema, "put()")
        now = self._now()
        encoded = self._target.codec.encode_new(item)
        stamp_put(self._target.codec, encoded, now)
        kept = unchanged_conditions(self._target, encoded) if schema.immutable else ()
        return PutItem(self._target, item=encoded, conditions=kept, now=now, timeout=timeout)

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
        kept = unchanged_conditions(self._target, encoded) if schema.immutable else ()
        return ReplaceItem(
            self._target,
            self._target.codec.key_of(item),
            clauses=replacing(schema, encoded),
            conditions=(*(self._of_family("replace()") if self._is_shared else ()), *kept),
            guard=None if guard is None else guard.condition,
            guard_is_exact=guard is None or guard.is_exact,
            presence=Presence.PRESENT,
            version=self._version(item, "replace") if self._is_versioned else None,
            now=self._now(),
            timeout=timeout,
            write_id=self._runtime.new_write_id() if self._is_versioned else None,
            sent=encoded,
            known=instance_values(self._schema, item) if self._is_shared else None,
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
            conditions=self._of_family("update()") if self._is_shared else (),
            known=instance_values(self._schema, key) if self._is_shared else None,
            presence=Presence.PRESENT,
            version=self._version(key, "update") if self._is_versioned else None,
            now=self._now(),
            timeout=timeout,
            write_id=self._runtime.new_write_id() if self._is_versioned else None,
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
            conditions=self._of_family("upsert()") if self._is_shared else (),
            creates=True,
            known=key_values(self._schema, key, attributes, more),
            now=self._now(),
            timeout=timeout,
            write_id=self._runtime.new_write_id() if self._is_versioned else None,
            verb="upsert",
        )

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
        if self._is_shared:
            refuse_unique_below(schema, "delete()")
        plain: DeleteItem[ModelT] = DeleteItem(
            self._target,
            self._key(key, attributes, more),
            conditions=family_conditions(self._target) if self._inherits_key else (),
            version=self._version(key, "delete") if self._is_versioned else None,
            now=self._now(),
            timeout=timeout,
        )
        if not schema.unique:
            return plain
        if not isinstance(key, schema.cls):
            use(plain)
            refuse_unique(schema, "delete(key)", ".delete(instance), with the instance as it was read")
        from mizzle_async.operations.writes.unique import unique_delete  # noqa: PLC0415  (as above)

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
            self._target,
            self._key(key, attributes, more),
            conditions=family_conditions(self._target) if self._inherits_key else (),
            version=self._version(key, "check") if self._is_versioned else None,
            now=self._now(),
        )
