"""The changes of items, as records of a stream tell them.

Everything but the two images is read from the record when it is asked for: most handlers ask for little of it.
"""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, Literal, Protocol, Self, TypeAlias, TypeVar

from attrs import field

from mizzle_async.errors import ClientStateError, ExpressionError, MarshallingError
from mizzle_async.expressions import AttributePath
from mizzle_async.marshalling import value_at, whole_record
from mizzle_async.marshalling.same_values import same_value
from mizzle_async.model import type_at
from mizzle_async.operations.actions import Transactable
from mizzle_async.operations.key import Key, entity_identity
from mizzle_async.operations.streams.read import RawRecord
from mizzle_async.operations.target import Target
from mizzle_async.values import transient

ModelT = TypeVar("ModelT")
EntityT_co = TypeVar("EntityT_co", covariant=True)

ChangeKind: TypeAlias = Literal["inserted", "modified", "removed"]
"""The kind of a change of an item."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_TO_LIVE: Final = ("Service", "dynamodb.amazonaws.com")


class EntityPath(Protocol[EntityT_co]):
    """A path of an entity, or of one of several: type checkers take a path of an order for one of order or customer."""

    def __entity__(self) -> EntityT_co:
        """Exist for type checkers only."""
        ...


class Delivery(Protocol):
    """The consumer that delivered a change, which can be told what became of it."""

    def done(self, change: ChangeRecord[Any], /) -> None:
        """Note that a change is done, where the consumer is told of each."""
        ...

    def apply(
        self, change: ChangeRecord[Any], operations: tuple[Transactable[Any], ...], /
    ) -> Coroutine[Any, Any, bool]:
        """Send operations in one transaction with the mark that the change was applied."""
        ...


class ChangeSource:
    """Where changes come from.

    Args:
        target: The entity that they are about, in its table.
        scope: The same, or the collection that reads the entity beside others.

    Attributes:
        target: As above.
        scope: As above.
        identity: The entity that keys carry.
        key_names: The stored names of the key attributes.
    """

    __slots__ = ("identity", "key_names", "scope", "target")

    def __init__(self, target: Target[Any], scope: Target[Any]) -> None:
        self.target: Final[Target[Any]] = target
        self.scope: Final[Target[Any]] = scope
        self.identity: Final[Any] = entity_identity(target.schema)
        self.key_names: Final[tuple[str, ...]] = target.schema.key_names

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the client."""
        return ChangeSource, (self.target, self.scope)


@transient(eq=False, repr=False, match_args=False)
class ChangeRecord(Generic[ModelT]):
    """The common part of all changes.

    Attributes:
        number: Its sequence number as the service wrote it, leading zeros included.
        shard: The shard that it was read from, or None where it came in an event, which names none.
    """

    _source: ChangeSource
    _record: RawRecord = field(alias="raw")
    number: str
    shard: str | None
    _delivery: Delivery | None = field(default=None, init=False)

    @property
    def raw(self) -> RawRecord:
        """The record in the service's JSON."""
        whole = whole_record(self._record)
        self._record = whole  # type: ignore[misc]  # frozen for type checkers only
        return whole

    @property
    def key(self) -> Key[ModelT]:
        """The key of the item, as `Table.key` makes it."""
        source, keys = self._source, self._record["dynamodb"]["Keys"]
        return Key(source.identity, {name: keys[name] for name in source.key_names})

    @property
    def sequence_number(self) -> int:
        """The position of the change in its shard: later changes of a key have greater numbers."""
        return int(self.number)

    @property
    def event_id(self) -> str:
        """The identity of the event: the same whenever the record is delivered again."""
        return self._text("eventID")

    @property
    def at(self) -> datetime:
        """The time of the change, aware, rounded down to the second. DynamoDB Local rounds down to the minute."""
        body = self._body
        try:
            stamp = body["ApproximateCreationDateTime"]
            if "recordFormat" not in self.raw:
                return _EPOCH + timedelta(seconds=stamp)
            is_fine = body.get("ApproximateCreationDateTimePrecision") == "MICROSECOND"
            return _EPOCH + (timedelta(microseconds=stamp) if is_fine else timedelta(milliseconds=stamp))
        except (LookupError, TypeError, OverflowError) as error:
            raise self._lacks("ApproximateCreationDateTime") from error

    @property
    def size(self) -> int:
        """The size of the record in bytes, as the service counts it. The embedded engine counts none."""
        size = self._body.get("SizeBytes", 0)
        if not isinstance(size, int):
            raise self._lacks("SizeBytes")
        return size

    @property
    def region(self) -> str:
        """The region in which the change was made. DynamoDB Local says ``ddblocal``."""
        return self._text("awsRegion")

    def done(self) -> None:
        """Note that this change is done, for a consumer with ``acknowledge="explicit"``.

        Raises:
            ClientStateError: No such consumer delivered it.
        """
        self._delivered("done()").done(self)

    def apply(self, *operations: Transactable[Any]) -> Coroutine[Any, Any, bool]:
        """Send operations in one transaction with a mark, so that this change is applied once, however often it comes.

        Args:
            *operations: Writes and checks, as `Client.transact_write` takes them.

        Returns:
            Awaited, whether they were applied now: False where an earlier delivery of this change applied them.

        Raises:
            ClientStateError: No consumer with a place for marks delivered it.
        """
        return self._delivered("apply()").apply(self, operations)

    def deliver(self, delivery: Delivery) -> Self:
        """Note the consumer that delivers this change, and return the change."""
        self._delivery = delivery  # type: ignore[misc]  # frozen for type checkers only
        return self

    @property
    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = self.raw["dynamodb"]
        return body

    def _text(self, name: str) -> str:
        text = self.raw.get(name)
        if not isinstance(text, str):
            raise self._lacks(name)
        return text

    def _lacks(self, name: str) -> MarshallingError:
        entity = self._source.target.schema.entity
        return MarshallingError(f"{entity}: record {self.number} of its stream has no usable {name}", key=self.key.item)

    def _delivered(self, verb: str) -> Delivery:
        if self._delivery is None:
            raise ClientStateError(
                f"{verb} is for changes that a consumer delivers: this one was only decoded. handle_records() takes"
                " consumer= and state= for change.apply()"
            )
        return self._delivery

    def _parts(self) -> tuple[Any, ...]:
        return self._source, self.raw, self.number, self.shard

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ChangeRecord) or type(other) is not type(self):
            return NotImplemented
        return (self.number, self.shard, self.raw) == (other.number, other.shard, other.raw)

    def __hash__(self) -> int:
        return hash((self.number, self.shard))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the consumer."""
        return type(self), self._parts()

    def __repr__(self) -> str:
        where = "" if self.shard is None else f" of {self.shard}"
        return f"<{type(self).__name__} {self._source.target.schema.entity}, record {self.number}{where}>"


@transient(eq=False, repr=False, match_args=False)
class Inserted(ChangeRecord[ModelT]):
    """An item came into being.

    Attributes:
        new: The item.
    """

    __match_args__ = ("new",)

    new: ModelT

    def _parts(self) -> tuple[Any, ...]:
        return (*super()._parts(), self.new)


@transient(eq=False, repr=False, match_args=False)
class Modified(ChangeRecord[ModelT]):
    """An item was changed.

    Attributes:
        old: The item before.
        new: The item after.
    """

    __match_args__ = ("old", "new")

    old: ModelT
    new: ModelT

    def changed(self, path: EntityPath[ModelT], /, *more: EntityPath[ModelT]) -> bool:
        """Return whether the value at a path, or at one of several, is another one than before.

        Values are compared as the class reads them: an attribute that is not stored has its default.

        Args:
            path: ``Order.status``, or a place inside an attribute. Of a collection, a path of another entity than the
                change's has not changed.
            *more: Further paths.

        Raises:
            ExpressionError: This is no path, or it is of another entity, or it leads nowhere.
        """
        changes = [self._has_changed(each) for each in (path, *more)]  # so that every path is checked
        return any(changes)

    def _has_changed(self, path: Any) -> bool:
        source = self._source
        target = source.target
        if not isinstance(path, AttributePath) or path.composite:
            name = target.schema.entity
            raise ExpressionError(f"{name}: .changed() takes paths, such as {name}.status, not {type(path).__name__}")
        old, new = (value_at(self._body[image], path.segments) for image in ("OldImage", "NewImage"))
        if not target.schema.owns(path.owner):
            if isinstance(path.owner, type) and issubclass(path.owner, target.schema.cls):
                return not same_value(old, new)  # of an entity that inherits from this one, as the item may be
            if source.scope.schema.owns(path.owner):
                return False
        target.check_owners((path.owner,), path)
        type_at(target.schema, path)  # refuses a path that leads nowhere
        if same_value(old, new):
            return False
        codec, segments, documents = target.codec, path.segments, path.documents
        before, after = (
            codec.assumed_at(segments, documents) if stored is None else codec.decode_at(segments, stored, documents)
            for stored in (old, new)
        )
        return bool(before != after)

    def _parts(self) -> tuple[Any, ...]:
        return (*super()._parts(), self.old, self.new)


@transient(eq=False, repr=False, match_args=False)
class Removed(ChangeRecord[ModelT]):
    """An item was deleted.

    Attributes:
        old: The item before.
    """

    __match_args__ = ("old",)

    old: ModelT

    @property
    def expired(self) -> bool:
        """Whether the time to live removed the item, and no delete did."""
        return is_expiry(self.raw)

    def _parts(self) -> tuple[Any, ...]:
        return (*super()._parts(), self.old)


@transient(eq=False, repr=False, match_args=False)
class PartialChange(ChangeRecord[ModelT]):
    """A change of an item, from a stream whose records do not hold both images.

    Attributes:
        kind: ``"inserted"``, ``"modified"`` or ``"removed"``.
        old: The item before, where the stream's view holds it and there was one.
        new: The item after, where the stream's view holds it and there is one.
    """

    __match_args__ = ("kind", "old", "new")

    kind: ChangeKind
    old: ModelT | None
    new: ModelT | None

    @property
    def expired(self) -> bool:
        """Whether the time to live removed the item, and no delete did."""
        return is_expiry(self.raw)

    def _parts(self) -> tuple[Any, ...]:
        return (*super()._parts(), self.kind, self.old, self.new)


Change: TypeAlias = Inserted[ModelT] | Modified[ModelT] | Removed[ModelT]
"""A change of an item, from a stream whose records hold both images."""


def is_expiry(record: RawRecord) -> bool:
    """Return whether a record tells of an item that the time to live removed.

    The service spells the members in one way in its answers and in another in events.
    """
    identity: Any = record.get("userIdentity") or {}
    kind = identity.get("Type") or identity.get("type")
    principal = identity.get("PrincipalId") or identity.get("principalId")
    return (kind, principal) == _TIME_TO_LIVE
