"""Batches, as pure arithmetic: single writes packed into BatchWriteItem requests, keys into BatchGetItem requests.

Two writes to one item never share a request, and the second waits until the first is done: DynamoDB refuses the
former, and promises no order for requests under way at once. Writes that were not done come back as they were.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import orjson
from attrs import field

from mizzle_async.errors import ExpressionError
from mizzle_async.limits import (
    BATCH_GET_KEYS,
    BATCH_WRITE_ITEMS,
    ITEM_BYTES,
    REQUEST_BYTES,
    WRITE_UNIT_BYTES,
)
from mizzle_async.marshalling import ItemRecords, careful_serializer, check_item_size
from mizzle_async.model import EntitySchema
from mizzle_async.operations.answers import check_items, check_results, mismatch
from mizzle_async.operations.base import Operation
from mizzle_async.operations.target import Target
from mizzle_async.operations.writes.delete import DeleteItem
from mizzle_async.operations.writes.families import refuse_unique_below
from mizzle_async.operations.writes.put import PutItem
from mizzle_async.table_names import asked_table
from mizzle_async.types import MAX_ANSWER_BYTES, Item, RepeatSafety, WirePayload, WireRequest, WireResponse
from mizzle_async.values import transient

GET_CHUNK: Final = BATCH_GET_KEYS
WRITE_CHUNK: Final = BATCH_WRITE_ITEMS

ENVELOPE_BYTES: Final = 64 * 1024
"""The bytes of a request that are left for table names and brackets: 25 names of 255 bytes need a tenth of them."""

WriteKind: TypeAlias = Literal["put", "delete"]

_ITEMS: Final = "ItemsByKey"
_LEFT: Final = "KeysLeft"
"""Members of a checked answer that hold what the check has worked out: the service answers no such members."""


class BatchEntry:
    """One write of a batch, encoded.

    Attributes:
        target: The table.
        kind: Whether it puts or deletes.
        identity: The identity of the item: equal for two writes to one item.
        body: Its part of the request.
        given: The caller's argument: an instance, a key, an operation.
        position: Its place in the caller's input, from zero.
        run: The part of the input that it belongs to, where settled items are counted.
    """

    run: Any = None

    # One is made for each item of a load: a class without slots, whose parameters have no defaults, is made in half
    # the time.
    def __init__(  # noqa: PLR0917  (see above)
        self, target: Target[Any], kind: WriteKind, identity: Hashable, body: bytes, given: Any, position: int, /
    ) -> None:
        self.target = target
        self.kind: WriteKind = kind
        self.identity = identity
        self.body = body
        self.given = given
        self.position = position

    @property
    def units(self) -> int:
        """Estimate the write units it consumes. An item that is deleted or replaced may be larger."""
        return -(-len(self.body) // WRITE_UNIT_BYTES)


def put_request(item: Item) -> WirePayload:
    """Return the part of a request that puts an item."""
    return {"PutRequest": {"Item": item}}


def put_entry(target: Target[Any], item: Item, given: Any, position: int) -> BatchEntry:
    """Return the write that puts an item.

    Raises:
        LimitError: The item is larger than DynamoDB stores.
    """
    body = orjson.dumps(put_request(item))
    if len(body) > ITEM_BYTES:  # JSON is never shorter than what counts
        check_item_size(item, target.schema.entity)
    return BatchEntry(target, "put", (target.table, target.codec.identify(item)), body, given, position)


def put_maker(target: Target[Any], encode: Callable[[Any], Item] | None = None) -> Callable[[Any, int], BatchEntry]:
    """Return a function that makes the write of an instance at a position: as `put_entry`, for a million of them.

    It is for one load alone, because the codec's serializer is.

    Args:
        target: The table.
        encode: Makes an item of an instance, where the codec alone does not.
    """
    table, codec = target.table, target.codec
    serialize = (
        codec.serializer(put_request) if encode is None else careful_serializer(encode, codec.identify)(put_request)
    )

    def make(given: Any, position: int) -> BatchEntry:
        body, key = serialize(given)
        if len(body) > ITEM_BYTES:  # JSON is never shorter than what counts
            check_item_size(orjson.loads(body)["PutRequest"]["Item"], target.schema.entity)
        return BatchEntry(target, "put", (table, key), body, given, position)

    return make


def delete_entry(target: Target[Any], key: Item, given: Any, position: int) -> BatchEntry:
    """Return the write that deletes the item of a key."""
    body = b'{"DeleteRequest":{"Key":%b}}' % orjson.dumps(key)
    return BatchEntry(target, "delete", (target.table, target.codec.identify(key)), body, given, position)


def operation_entry(operation: object, position: int) -> BatchEntry:
    """Return a `put()` or a `delete()` as a batch takes it.

    Raises:
        ExpressionError: It is anything else, or has a condition, which BatchWriteItem cannot check.
    """
    if not isinstance(operation, PutItem | DeleteItem):
        raise ExpressionError(
            f"{operation}: BatchWriteItem knows puts and deletes only: send it by `client.send_all(operations)`, or in "
            "`client.transact_write(…)`"
        )
    sending = operation.sending
    target = sending.target
    if sending.is_conditional:
        raise ExpressionError(
            f"{operation}: BatchWriteItem checks no conditions: send it by `client.send_all(operations)`, or in "
            "`client.transact_write(…)`"
        )
    check_batchable(target.schema, "put" if isinstance(operation, PutItem) else "delete")
    if isinstance(operation, PutItem):
        return put_entry(target, operation.item, operation, position)
    return delete_entry(target, operation.key, operation, position)


def check_batchable(schema: EntitySchema, verb: str) -> None:
    """Refuse entities whose writes need conditions, which BatchWriteItem has not.

    Raises:
        ExpressionError: The entity has a version, unique attributes, or for a put immutable ones. A subclass has unique
            attributes. For a delete: the entity shares its key with other classes, whose items only a condition keeps.
    """
    one = "insert" if verb == "put" else "delete"
    if schema.version is not None:
        raise ExpressionError(
            f"{schema.entity} has a version, and BatchWriteItem takes no condition that could check it: a {verb} in a "
            f"batch could undo another writer's change. Use .{one}() for each item, several at once by "
            f"`client.send_all(orders.{one}(item) for item in items)`"
        )
    if schema.unique:
        names = ", ".join(attribute.field for attribute in schema.unique)
        raise ExpressionError(
            f"{schema.entity} has unique attributes ({names}), whose guard items only a transaction keeps right, and "
            f"BatchWriteItem is none: use .{one}() for each item, several at once by "
            f"`client.send_all(orders.{one}(item) for item in items)`"
        )
    refuse_unique_below(schema, f"{verb}_many()")
    if verb == "delete" and schema.shared is not None and schema.shared.parent is not None:
        raise ExpressionError(
            f"{schema.entity} shares its key with {schema.shared.parent.entity}, and BatchWriteItem takes no condition"
            " that could check the type: a delete in a batch could remove an item of another class. Use .delete() for"
            f" each item, several at once by `client.send_all(orders.{one}(item) for item in items)`"
        )
    if verb == "put" and schema.immutable:
        names = ", ".join(attribute.field for attribute in schema.immutable)
        raise ExpressionError(
            f"{schema.entity} has immutable attributes ({names}), and BatchWriteItem takes no condition that could "
            "keep them: use .put() or .insert() for each item, several at once by "
            "`client.send_all(orders.put(item) for item in items)`"
        )


class WritePacker:
    """Packs writes into requests: 25 at most, 16 MB at most, and one for each item at a time, in their order.

    A write to an item that has one before it, packed or under way, is held until `finish` says that that one is done.

    Args:
        most: Writes in one request.
        most_bytes: Bytes in one request.
    """

    __slots__ = ("_leaders", "_most", "_most_bytes", "_ready", "_ready_bytes", "held")

    def __init__(self, most: int = WRITE_CHUNK, most_bytes: int = REQUEST_BYTES - ENVELOPE_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._ready: deque[BatchEntry] = deque()
        self._ready_bytes = 0
        self._leaders: dict[Hashable, BatchEntry | deque[BatchEntry]] = {}
        self.held: int = 0

    @property
    def ready(self) -> int:
        """Return how many writes could be sent now."""
        return len(self._ready)

    @property
    def under_way(self) -> int:
        """Return how many items have a write that is packed or sent, and not finished."""
        return len(self._leaders) - len(self._ready)

    def add(self, entries: Iterable[BatchEntry]) -> None:
        """Take more writes, in their order."""
        lead, ready = self._leaders.setdefault, self._ready
        size = 0
        for entry in entries:
            leader = lead(entry.identity, entry)
            if leader is entry:
                ready.append(entry)
                size += len(entry.body) + 1
            else:
                self._hold(entry, leader)
        self._ready_bytes += size

    def _hold(self, entry: BatchEntry, leader: BatchEntry | deque[BatchEntry]) -> None:
        """Keep a write back until those to the same item that came before it are done."""
        if isinstance(leader, deque):
            leader.append(entry)
        else:
            self._leaders[entry.identity] = deque([entry])
        self.held += 1

    def take(self) -> list[BatchEntry]:
        """Return the writes of the next request, none where nothing may be sent now."""
        ready = self._ready
        if len(ready) <= self._most and self._ready_bytes <= self._most_bytes:
            taken = list(ready)
            ready.clear()
            self._ready_bytes = 0
            return taken
        taken = []
        size = 0
        while ready and len(taken) < self._most:
            bytes_more = len(ready[0].body) + 1
            if size + bytes_more > self._most_bytes and taken:
                break
            size += bytes_more
            taken.append(ready.popleft())
        self._ready_bytes -= size
        return taken

    def finish(self, entries: Iterable[BatchEntry]) -> None:
        """Mark writes as done, or given up: the writes that were held for them may go."""
        pop = self._leaders.pop
        for entry in entries:
            held = pop(entry.identity)
            if held is not entry:
                self._release(held)

    def _release(self, held: BatchEntry | deque[BatchEntry]) -> None:
        """Release the first of the writes that were held for one to the same item."""
        if isinstance(held, deque):
            follower = held.popleft()
            self.held -= 1
            self._leaders[follower.identity] = held or follower
            self._ready.append(follower)
            self._ready_bytes += len(follower.body) + 1

    def drain(self) -> list[BatchEntry]:
        """Give back, in the order of the input, every write that is not packed into a request."""
        left = list(self._ready)
        for held in self._leaders.values():
            if isinstance(held, deque):
                left += held
        self._ready.clear()
        self._ready_bytes = 0
        self._leaders.clear()
        self.held = 0
        return sorted(left, key=_position)


def _position(entry: BatchEntry) -> int:
    return entry.position


@transient(eq=False, repr=False)
class BatchAnswer:
    """The answer to one batch request.

    Attributes:
        items: The items read by the identities of their keys: dicts, or records where they were asked for.
        unprocessed: Keys with their identities, or writes, that must be sent again.
        units: Consumed capacity units, of all tables, or None where the engine does not say.
        ambiguous: Whether an earlier attempt may have been applied without our knowing.
    """

    items: dict[Hashable, Any]
    unprocessed: list[Any]
    units: float | None = None
    ambiguous: bool = False


def consumed_units(payload: WirePayload) -> float | None:
    """Return the capacity units that a batch consumed, of all its tables."""
    consumed: Any = payload.get("ConsumedCapacity")
    if not consumed:
        return None
    if len(consumed) == 1:  # as almost always
        return float(consumed[0].get("CapacityUnits") or 0.0)
    return float(sum(entry.get("CapacityUnits") or 0.0 for entry in consumed))


@transient(eq=False, repr=False)
class BatchGet(Operation[BatchAnswer]):
    """Read up to 100 items of one table by key.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
    """

    api = "BatchGetItem"
    _answer_bytes = MAX_ANSWER_BYTES

    asked: Mapping[Hashable, Item]
    """The keys by their identities, as the table's codec makes them."""

    consistent_read: bool = field(default=False, kw_only=True)
    report_capacity: bool = field(default=False, kw_only=True)
    records: ItemRecords | None = field(default=None, kw_only=True)
    projection: WirePayload | None = field(default=None, kw_only=True)

    def _json(self, body: bytes) -> Any:
        return super()._json(body) if self.records is None else self.records.parse(body)

    def _check(self, payload: WirePayload) -> None:
        """Check that every item, and every key that was left, was asked for: by name, and once."""
        responses, unprocessed = payload.get("Responses", {}), payload.get("UnprocessedKeys", {})
        if not responses and not unprocessed:
            check_results(payload, "Responses", "UnprocessedKeys")
        items = self._of_table(responses, [])
        check_items(items, None if self.records is None else self.records.cls)
        payload[_ITEMS] = self._asked_for(items, "an item")
        payload[_LEFT] = self._asked_for(self._of_table(unprocessed, {"Keys": []})["Keys"], "a key")

    def _of_table(self, member: Mapping[str, Any], absent: Any) -> Any:
        """Return the part of an answer's member that is about the table."""
        for answered in member:
            if len(member) > 1 or asked_table(answered, (self._target.table,)) is None:
                raise mismatch("it is about a table that was not asked for")
        return next(iter(member.values()), absent)

    def _asked_for(self, items: Sequence[Any], one: str) -> dict[Hashable, Any]:
        """Return items, or keys, by the identities of their keys: each was asked for, and comes once."""
        by_name = dict(zip(self._target.codec.identify_all(items), items, strict=True))
        if len(by_name) != len(items):
            raise mismatch(f"it holds {one} twice")
        if not self.asked.keys() >= by_name.keys():
            raise mismatch(f"it holds {one} that was not asked for")
        return by_name

    def _body(self) -> WirePayload:
        entry: WirePayload = {"Keys": list(self.asked.values())}
        if self.consistent_read:
            entry["ConsistentRead"] = True
        if self.projection is not None:
            entry.update(self.projection)
        body: WirePayload = {"RequestItems": {self._target.table: entry}}
        if self.report_capacity or self._target.report_capacity:
            body["ReturnConsumedCapacity"] = "TOTAL"
        return body

    def _from_wire(self, response: WireResponse, now: float, /) -> BatchAnswer:  # noqa: ARG002  (rows judge what is expired)
        """Return the items, in no order, and the keys that were not looked at."""
        payload, asked = response.parsed, self.asked
        left = [(name, asked[name]) for name in payload[_LEFT]]
        return BatchAnswer(payload[_ITEMS], left, consumed_units(payload))


@transient(eq=False, repr=False)
class BatchWrite(Operation[BatchAnswer]):
    """Put or delete up to 25 items, of one table or several.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
    """

    api = "BatchWriteItem"
    _answer_bytes = MAX_ANSWER_BYTES

    entries: Sequence[BatchEntry]

    @property
    def _safety(self) -> RepeatSafety:
        """Return that whole items can be written again."""
        return RepeatSafety.IDEMPOTENT

    def _to_request(self) -> WireRequest:
        """Return the wire request, put together from its encoded parts."""
        tables = self._tables()
        return WireRequest(
            self.api,
            _encoded(tables),
            ", ".join(sorted(tables)),
            self._safety,
            None,
            self._timeout,
            parse=self._parse,
            answer_bytes=self._answer_bytes,
        )

    def _check(self, payload: WirePayload) -> None:
        left = payload.get("UnprocessedItems")
        if left:
            self._matched(left)
        elif payload:
            check_results(payload, "UnprocessedItems")

    def _tables(self) -> dict[str, list[bytes]]:
        """Return the encoded writes of each table."""
        first = self.entries[0].target
        bodies = [entry.body for entry in self.entries if entry.target is first]
        if len(bodies) == len(self.entries):  # as almost always
            return {first.table: bodies}
        tables: dict[str, list[bytes]] = {}
        for entry in self.entries:
            tables.setdefault(entry.target.table, []).append(entry.body)
        return tables

    def _body(self) -> WirePayload:
        body: WirePayload = orjson.loads(_encoded(self._tables()))
        return body

    def _from_wire(self, response: WireResponse, now: float, /) -> BatchAnswer:  # noqa: ARG002  (nothing expires)
        """Return the writes that were not done, as they were given."""
        payload = response.parsed
        left = payload.get("UnprocessedItems")
        unprocessed = self._matched(left) if left else []
        return BatchAnswer({}, unprocessed, consumed_units(payload), response.ambiguous)

    def _matched(self, left: dict[str, list[WirePayload]]) -> list[BatchEntry]:
        """Find the writes that came back: the service answers them in an order of its own, numbers normalised.

        Raises:
            CorruptResponseError: The answer lists a write that was never asked for.
        """
        asked = {entry.identity: entry for entry in self.entries}
        tables: dict[str, Callable[[Item], Hashable]] = {
            entry.target.table: entry.target.codec.identify for entry in self.entries
        }
        found: list[BatchEntry] = []
        try:
            for answered, requests in left.items():
                table = asked_table(answered, tables)
                if table is None:
                    raise mismatch("it is about a table that was not asked for")
                identify = tables[table]
                for request in requests:
                    put: Any = request.get("PutRequest")
                    item: Item = request["DeleteRequest"]["Key"] if put is None else put["Item"]
                    found.append(asked.pop((table, identify(item))))
        except (KeyError, TypeError) as error:
            raise mismatch("it lists a write as unprocessed that was not asked for") from error
        return found


def _encoded(tables: Mapping[str, Iterable[bytes]]) -> bytes:
    """Return the JSON of a request, put together from its encoded writes."""
    pieces = [b'{"RequestItems":{']
    for table, bodies in tables.items():
        pieces += (orjson.dumps(table), b":[", b",".join(bodies), b"]", b",")
    pieces[-1] = b'},"ReturnConsumedCapacity":"TOTAL"}'
    return b"".join(pieces)
