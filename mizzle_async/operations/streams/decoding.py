"""From records of a stream to changes of an entity, or of the entities of a collection.

What is ours inside a table never shows: guard items, and attributes of the library. An item of another entity in a
shared table is left out, or refused, as reading does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

from attrs import evolve

from mizzle_async.errors import ExpressionError, MarshallingError, MizzleError
from mizzle_async.marshalling import CollectionCodec, EntityCodec, StreamForm, whole_record
from mizzle_async.model import WIRE_VIEWS, EntitySchema, StreamView, is_view, schema_of, view_advice, view_of
from mizzle_async.operations.guards import GUARD_PREFIX
from mizzle_async.operations.interpretation import UNREADABLE
from mizzle_async.operations.streams.changes import ChangeKind, ChangeSource, Inserted, Modified, PartialChange, Removed
from mizzle_async.operations.streams.read import RawRecord
from mizzle_async.operations.target import Target
from mizzle_async.types import Item

ModelT = TypeVar("ModelT")

_KINDS: Final[Mapping[str, ChangeKind]] = {"INSERT": "inserted", "MODIFY": "modified", "REMOVE": "removed"}
_REPLICATION: Final = "aws:rep:"
"""The beginning of the names of the attributes that the first version of global tables added to items."""


class ChangeDecoder(Generic[ModelT]):
    """Makes changes of records.

    Args:
        target: The entity, or the collection, in its table.
        view: The contents of the records.

    Attributes:
        target: As above.
        view: As above.
        form: The lighter form in which it takes records too, None where there is none.

    Raises:
        ExpressionError: There is no such view.
    """

    def __init__(self, target: Target[ModelT], view: StreamView = "new_and_old_images") -> None:
        if not is_view(view):
            raise ExpressionError(view_advice("view=", view))
        self.target: Final[Target[ModelT]] = target
        self.view: Final[StreamView] = view
        codec = target.codec
        self._codec = codec
        self._is_whole = view == "new_and_old_images"
        self._source = ChangeSource(target, target)
        self._members: dict[int, ChangeSource] = {}
        self._foreign = codec.foreign
        self._key_names = set(target.schema.key_names)
        self._partition = target.schema.partition_key.name
        self._has_guards = _has_guards(target.schema)
        self._strips = codec.schema.is_open or _refuses_unknown(codec)
        is_plain = self._is_whole and self._foreign is None and not (self._has_guards or self._strips)
        # Both images, of an entity that has its table for itself.
        self._plain: Final = _plain_decoder(codec, self._source) if is_plain else None
        records = codec.records if is_plain else None
        self.form: Final[StreamForm | None] = None if records is None else StreamForm(records)

    def decode(
        self, record: RawRecord, number: str, shard: str | None = None
    ) -> Inserted[ModelT] | Modified[ModelT] | Removed[ModelT] | PartialChange[ModelT] | None:
        """Return the change that a record tells of, or None where it is not about these entities.

        Args:
            record: The record, checked.
            number: Its sequence number as the service wrote it.
            shard: The shard that it was read from.

        Raises:
            MarshallingError: An image does not fit its class. ``error.key`` is the item's key; the text names the
                shard and the number, and no value.
            ExpressionError: The record does not hold the images of the view.
        """
        plain = self._plain
        if plain is not None:
            try:
                return plain(record, number, shard)
            except Exception:  # noqa: BLE001, S110  (it is done again carefully, which says what is wrong)
                pass
        return self._careful(whole_record(record), number, shard)

    def image(self, image: Item) -> ModelT:
        """Return the instance of an item's image.

        Raises:
            MarshallingError: It does not fit its class.
        """
        return self._codec.decode(self._stripped(image) if self._strips else image)

    # ── steps ──

    def _careful(
        self, record: RawRecord, number: str, shard: str | None
    ) -> Inserted[ModelT] | Modified[ModelT] | Removed[ModelT] | PartialChange[ModelT] | None:
        keys = record["dynamodb"]["Keys"]
        if keys.keys() != self._key_names:
            entity, names = self.target.schema.entity, ", ".join(self.target.schema.key_names)
            error = MarshallingError(f"{entity}: expected a record with the key {names}, found one with another")
            raise _unfit(self.target, error, keys, number, shard)
        if self._has_guards and keys[self._partition].get("S", "").startswith(GUARD_PREFIX):
            return None
        try:
            if not self._is_whole:
                return self._partial(record, number, shard)
            return self._whole(record, number, shard)
        except ExpressionError:
            raise
        except UNREADABLE as error:
            raise _unfit(self.target, error, keys, number, shard) from error

    def _whole(
        self, record: RawRecord, number: str, shard: str | None
    ) -> Inserted[ModelT] | Modified[ModelT] | Removed[ModelT] | None:
        body = record["dynamodb"]
        kind = record["eventName"]
        new: Item | None = None
        old: Item | None = None
        if kind != "REMOVE":
            new = self._wanted(body, "NewImage")
        if kind != "INSERT":
            old = self._wanted(body, "OldImage")
        foreign = self._foreign
        if foreign is not None:
            # A key may have changed hands: to this entity the item came into being then, or went.
            new = None if new is None or foreign(new) else new
            old = None if old is None or foreign(old) else old
        if new is None:
            if old is None:
                return None
            return Removed(self._source_of(old), record, number, shard, self.image(old))
        if old is None:
            return Inserted(self._source_of(new), record, number, shard, self.image(new))
        return Modified(self._source_of(new), record, number, shard, self.image(old), self.image(new))

    def _partial(self, record: RawRecord, number: str, shard: str | None) -> PartialChange[ModelT] | None:
        body = record["dynamodb"]
        kind = record["eventName"]
        new = old = None
        if self.view == "new_image" and kind != "REMOVE":
            new = self._wanted(body, "NewImage")
        if self.view == "old_image" and kind != "INSERT":
            old = self._wanted(body, "OldImage")
        seen = new or old or body["Keys"]
        if self._foreign is not None and self._foreign(seen):
            return None
        return PartialChange(
            self._source_of(seen),
            record,
            number,
            shard,
            _KINDS[kind],
            None if old is None else self.image(old),
            None if new is None else self.image(new),
        )

    def _wanted(self, body: Mapping[str, Any], name: str) -> Item:
        image: Item | None = body.get(name)
        if image is None:
            held = body.get("StreamViewType")
            if held in {None, WIRE_VIEWS[self.view]}:
                raise LookupError(name)
            entity = self.target.schema.entity
            raise ExpressionError(
                f"{entity}: the stream of table {self.target.table!r} holds {view_of(str(held))}, not {self.view}:"
                f" say view={view_of(str(held))!r}, or give the table another stream"
            )
        return image

    def _source_of(self, item: Item) -> ChangeSource:
        """Return the source of an item's changes: of a collection, the entity that the item is of."""
        codec = self._codec
        if not isinstance(codec, CollectionCodec):
            return self._source
        member = codec.member_of(item)
        if member is None:
            codec.decode(item)  # which says that it is foreign
            raise LookupError
        known = self._members.get(id(member))
        if known is None:
            target: Target[Any] = evolve(self.target, codec=member)
            known = self._members[id(member)] = ChangeSource(target, self.target)
        return known

    def _stripped(self, image: Item) -> Item:
        return {name: value for name, value in image.items() if not name.startswith(_REPLICATION)}


def _plain_decoder(
    codec: EntityCodec[ModelT], source: ChangeSource
) -> Callable[[RawRecord, str, str | None], Inserted[ModelT] | Modified[ModelT] | Removed[ModelT]]:
    """Return a function that makes the change of a record with both images, or raises any exception.

    Changes are made without their ``__init__``, which only assigns: it would cost as much as a quarter of an image.
    """
    first, last, count = source.key_names[0], source.key_names[-1], len(source.key_names)
    decode, new = codec.decode_one, object.__new__

    def plain(record: RawRecord, number: str, shard: str | None) -> Any:
        body, kind = record["dynamodb"], record["eventName"]
        keys = body["Keys"]
        if len(keys) != count or first not in keys or last not in keys:
            raise LookupError
        change: Any
        if kind == "MODIFY":
            change = new(Modified)
            change.old = decode(body["OldImage"])
            change.new = decode(body["NewImage"])
        elif kind == "INSERT":
            change = new(Inserted)
            change.new = decode(body["NewImage"])
        else:
            change = new(Removed)
            change.old = decode(body["OldImage"])
        change._source = source  # noqa: SLF001  (as `__init__` does)
        change._record = record  # noqa: SLF001  (the same)
        change.number = number
        change.shard = shard
        change._delivery = None  # noqa: SLF001  (the same)
        return change

    return plain


def _has_guards(schema: EntitySchema) -> bool:
    """Return whether guard items may lie in a table: those of another entity of a shared table are guards as well."""
    shared_table = getattr(schema, "shared_table", None) or (None if schema.shared is None else schema.shared.table)
    if shared_table is None:
        return bool(schema.unique)
    return any(schema_of(cls).unique for cls in shared_table.members)


def _refuses_unknown(codec: Any) -> bool:
    members = codec.members if isinstance(codec, CollectionCodec) else (codec,)
    return any(member.schema.unknown == "raise" for member in members)


def _unfit(target: Target[Any], error: Exception, keys: Item, number: str, shard: str | None) -> MarshallingError:
    """Return the error of a record that cannot be decoded: where it stands, and whose it is."""
    entity = target.schema.entity
    if isinstance(error, LookupError) and not isinstance(error, MizzleError):
        what = f"{entity}: an image is missing, or lacks a part"
    else:
        what = error.message if isinstance(error, MizzleError) else f"{entity}: an image is no item"
    where = f"record {number}" if shard is None else f"record {number} of shard {shard}"
    return MarshallingError(
        f"{what} ({where})",
        path=getattr(error, "path", ""),
        key=dict(keys),
        operation="GetRecords",
        table=target.table,
        entity=entity,
    )
