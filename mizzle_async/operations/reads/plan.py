"""The plan of a query or a scan: conditions, filters and options, checked when built, compiled into page requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from attrs import evolve, field

from mizzle_async.errors import (
    ExpressionError,
    MarshallingError,
    MizzleError,
)
from mizzle_async.expressions import (
    AttributePath,
    Condition,
    Conjunction,
)
from mizzle_async.marshalling import ItemRecord, RecordForm, item_of
from mizzle_async.model import SecondaryIndex
from mizzle_async.operations.answers import key_in
from mizzle_async.operations.capacity import read_capacity
from mizzle_async.operations.expiry import expired_condition, is_expired
from mizzle_async.operations.explain import Capacity
from mizzle_async.operations.guards import guard_filter, may_hold_guards
from mizzle_async.operations.interpretation import UNREADABLE, misread
from mizzle_async.operations.reads.advice import Advice, filter_advice
from mizzle_async.operations.reads.foreign_items import type_names_in
from mizzle_async.operations.reads.held import check_held, held_paths, row_names
from mizzle_async.operations.reads.hidden import at_ends, hidden_items, outside
from mizzle_async.operations.reads.identity import identity_of
from mizzle_async.operations.reads.key_conditions import AnyIndex, PartitionRead
from mizzle_async.operations.reads.options import ReadOptions
from mizzle_async.operations.reads.page import QueryPage, ReadPage, ScanPage
from mizzle_async.operations.reads.positions import check_start_key
from mizzle_async.operations.reads.projection import Projection
from mizzle_async.operations.statement_cache import ReadStatement
from mizzle_async.operations.target import Target
from mizzle_async.types import AttributeValue, Item, WirePayload
from mizzle_async.values import Copiers, altered, transient

ModelT = TypeVar("ModelT")
RowT_co = TypeVar("RowT_co", covariant=True)

WITH_FILTERS = Copiers("filters", "warned")


@transient(eq=False, repr=False)
class ReadPlan(Generic[ModelT, RowT_co]):
    """Everything about a query (with a partition key condition) or a scan (without), as a value.

    ``warned`` holds the warnings that reading it has given: each comes once for a query.

    Of a partition key that is spread over several partitions, ``partitions`` are all of them, and ``partition`` is the
    first. Of a shared table, ``implied`` are the filters that the keys' texts and the entity's type ask for, and
    ``is_empty`` says that no item can be meant, so that nothing is sent. ``subtree`` are the text of one sort key and
    the beginning of those below it, where the range holds others too. ``ends`` are the values at the ends of a range of
    the sort key that do not belong to it.
    """

    target: Target[ModelT]
    options: ReadOptions
    partition: Condition[Any] | None = field(default=None, kw_only=True)
    partitions: tuple[PartitionRead, ...] = field(default=(), kw_only=True)
    is_choice: bool = field(default=False, kw_only=True)
    sort: Condition[Any] | None = field(default=None, kw_only=True)
    index: AnyIndex | None = field(default=None, kw_only=True)
    filters: tuple[Condition[Any], ...] = field(default=(), kw_only=True)
    implied: tuple[Condition[Any], ...] = field(default=(), kw_only=True)
    is_empty: bool = field(default=False, kw_only=True)
    subtree: tuple[str, str] | None = field(default=None, kw_only=True)
    ends: tuple[AttributeValue, ...] = field(default=(), kw_only=True)
    projection: Projection | None = field(default=None, kw_only=True)
    hydrated: bool = field(default=False, kw_only=True)
    hydrated_consistently: bool = field(default=False, kw_only=True)
    warned: set[str] = field(factory=set, kw_only=True)
    _is_checked: bool = field(default=False, kw_only=True, alias="is_checked")
    _compiled: WirePayload | None = field(init=False, default=None)
    _digest: bytes | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        """Check everything that can be known before a request."""
        self.options.check(self.target.schema.entity)
        self.check_index()
        if self.partitions and self.options.max_evaluated is not None:
            raise ExpressionError(
                f"{self.target.schema.entity}: max_evaluated= has no meaning for {len(self.partitions)} partitions "
                "that are read at once and merged: use max_items= or page_size="
            )
        if not self._is_checked:
            self._check_key_condition()

    def _check_key_condition(self) -> None:
        """Check the key condition, and keep it with its values encoded. Plans that derive from this need not do it."""
        if self.partition is not None:
            checked = self.target.checked_key(self.partition, self.sort)
            self.partition, self.sort = checked  # type: ignore[misc]  # frozen for type checkers only
        self._is_checked = True  # type: ignore[misc]  # the same

    # ── builders ──

    def filtered_by(self, condition: Condition[Any]) -> ReadPlan[ModelT, RowT_co]:
        """Return the plan with one more filter, which is checked."""
        entity = self.target.schema.entity
        if not isinstance(condition, Condition):  # pyright: ignore[reportUnnecessaryIsInstance]  # types may be unchecked
            raise ExpressionError(
                f"{entity}: .filter() takes a condition, such as Order.status == Status.OPEN, not"
                f" {type(condition).__name__}"
            )
        checked = self.target.checked(condition, "FilterExpression")
        if self.partition is not None:
            self._check_filter(condition)
        filtered: ReadPlan[ModelT, RowT_co] = WITH_FILTERS[type(self)](self, (*self.filters, checked), set())
        if self.index is not None:
            filtered.check_index()  # it must hold what is filtered by
        return filtered

    def split(self) -> tuple[ReadPlan[ModelT, RowT_co], ...]:
        """Return a plan for each partition that is read, or this one where the key is not spread."""
        if self.is_empty:
            return ()
        if not self.partitions:
            return (self,)
        return tuple(
            evolve(self, partition=each.partition, sort=each.sort, implied=each.implied, partitions=())
            for each in self.partitions
        )

    @property
    def parts(self) -> int:
        """Return how many parts are read at once: segments of a scan, or partitions of a key that is spread."""
        return len(self.partitions) or self.options.segments

    def with_capacity(self) -> ReadPlan[ModelT, RowT_co]:
        """Return the plan with requests that ask for the capacity that they consume."""
        target = self.target
        return self if target.report_capacity else altered(self, target=target.reporting)

    def _check_filter(self, condition: Condition[Any]) -> None:
        keys = self._read_key_names()
        for place in condition.places():
            if place.segments and place.segments[0] in keys:
                raise ExpressionError(
                    f"{place} is a key of {self.source()}, and DynamoDB filters a query by other attributes only: "
                    "put it into the key condition, as the second argument of .query()"
                )

    # ── what is read ──

    def source(self) -> str:
        """Return the name of the table or the index that is read, for messages."""
        return f"table {self.target.table!r}" if self.index is None else f"index {self.index.name!r}"

    def _read_key_names(self) -> tuple[str, ...]:
        return self.target.schema.key_names if self.index is None else self.index.key_names()

    def _position_names(self) -> tuple[str, ...]:
        """Return the names of a start key's attributes: the table's key, and the index's."""
        keys = self.target.schema.key_names
        return keys if self.index is None else tuple(dict.fromkeys((*self.index.key_names(), *keys)))

    def check_index(self) -> None:
        """Raise an error for an index that is none, or does not hold what the plan needs of it."""
        index, schema = self.index, self.target.schema
        if index is None:
            if self.hydrated:
                raise ExpressionError(
                    f"{schema.entity}: .hydrate() reads what an index lacks: a query of the table lacks nothing"
                )
            return
        if not isinstance(index, SecondaryIndex):  # pyright: ignore[reportUnnecessaryIsInstance]  # it may be a name
            raise ExpressionError(
                f"{schema.entity}: index= takes a GlobalSecondaryIndex or a LocalSecondaryIndex, not"
                f" {type(index).__name__}"
            )
        self.target.check_owners((index.owner,), f"index {index.name!r}")
        if self.options.consistent_read and not index.is_local:
            raise ExpressionError(
                f"{schema.entity}: index {index.name!r} is global, and DynamoDB reads it with eventual consistency"
                " only: leave consistent_read out, or use .hydrate(consistent_read=True) to read the items from the"
                " table"
            )
        filtered = {str(place.segments[0]): str(place) for each in self.filters for place in each.places()}
        check_held(schema, index, filtered, hydrated=self.hydrated)

    # ── requests ──

    def _compile(self, now: float | None, *, count_only: bool) -> WirePayload:
        target = self.target
        body: WirePayload = {"TableName": target.table}
        if self.index is not None:
            body["IndexName"] = self.index.name
        filters = (*self.filters, *self.implied)
        if now is not None and self.expiry_filtered and (expired := expired_condition(target, now)) is not None:
            filters = (*filters, ~expired)
        if (no_guard := self._guard_filter()) is not None:
            filters = (*filters, no_guard)
        whole = None if not filters else filters[0] if len(filters) == 1 else Conjunction(filters)
        paths = None
        if not count_only and (self.projection is not None or self.hydrated):
            projection = Projection(()) if self.projection is None or self.hydrated else self.projection
            paths = held_paths(target.schema, self.index, projection.wire_paths(self._paging_paths()))
        statement = ReadStatement(
            partition=self.partition, sort=self.sort, filter=whole, projection=paths, is_count=count_only
        )
        body.update(target.statements.read_members(statement))
        self.options.add_flags(body, report_capacity=target.report_capacity)
        return body

    def _guard_filter(self) -> Condition[Any] | None:
        """Return the condition that leaves out guard items of unique attributes, where some may come."""
        schema = self.target.schema
        if not may_hold_guards(schema, self.index) or self._guards_slip_through:
            return None
        # A query of the table itself would have to ask for the key of a guard to meet one.
        return guard_filter(schema) if self.partition is None or self.index is not None else None

    @property
    def _guards_slip_through(self) -> bool:
        """Tell whether guard items may come: a query cannot filter by a key of the index that it reads."""
        schema, index = self.target.schema, self.index
        if self.partition is None or not may_hold_guards(schema, index):
            return False
        return index is not None and schema.partition_key.name in index.key_names()

    def _paging_paths(self) -> list[AttributePath[Any, Any]]:
        """Return the paths that must come back with every projection: for cursors, and to see expired items."""
        schema = self.target.schema
        names = list(self._position_names())
        if self.hides_expired and not self.hydrated and schema.time_to_live is not None:
            names.append(schema.time_to_live.name)
        if not self.hydrated:
            names += type_names_in(schema, self.index)
        return [AttributePath(schema.owner, (name,)) for name in dict.fromkeys(names)]

    @property
    def hides_expired(self) -> bool:
        """Tell whether expired items may come and must not be shown."""
        return self.target.schema.time_to_live is not None and not self.options.include_expired

    @property
    def expiry_filtered(self) -> bool:
        """Tell whether the service leaves out expired items: not where it cannot filter by the attribute."""
        lifetime = self.target.schema.time_to_live
        if lifetime is None or self.options.include_expired:
            return False
        if self.partition is not None and lifetime.name in self._read_key_names():
            return False
        held = None if self.index is None else self.index.held_names(self.target.schema)
        return held is None or lifetime.name in held

    @property
    def countable(self) -> bool:
        """Tell whether the service's own count is right."""
        shown = (not self.hides_expired or self.expiry_filtered) and not self._guards_slip_through and not self.ends
        return shown and self.target.codec.foreign is None  # only reading tells whose an item of a shared table is

    @property
    def counting(self) -> ReadPlan[Any, Any]:
        """The plan whose items are counted: where the service's own count is not right, by what decides alone."""
        return self if self.countable or self.hydrated else evolve(self, projection=Projection(()))

    def _plain(self) -> WirePayload:
        """Return the part that all page requests share where nothing expires, compiled once."""
        if self._compiled is None:
            self._compiled = self._compile(None, count_only=False)  # type: ignore[misc]  # frozen for type checkers
        return self._compiled

    def compile(self, now: float, *, count_only: bool = False) -> WirePayload:
        """Return the part that all page requests share.

        Args:
            now: The time by the client's clock: items that are expired now are not asked for.
            count_only: Whether numbers are wanted instead of items.

        Raises:
            ExpressionError: The index does not hold all attributes of a row.
        """
        schema = self.target.schema
        if self.index is not None and not count_only and not self.hydrated:
            expired = self.options.include_expired
            check_held(schema, self.index, row_names(schema, self.projection, expired=expired), hydrated=False)
        if count_only or self.expiry_filtered:
            return self._compile(now, count_only=count_only)
        return self._plain()

    def page(
        self,
        compiled: WirePayload,
        *,
        start_key: Item | None = None,
        limit: int | None = None,
        segment: tuple[int, int] | None = None,
        records: RecordForm | None = None,
    ) -> ReadPage:
        """Return the request of one page."""
        kind = ScanPage if self.partition is None else QueryPage
        return kind(
            self.target,
            compiled,
            start_key=start_key,
            limit=limit,
            segment=segment,
            timeout=self.options.timeout,
            plan=self,
            records=records,
        )

    @property
    def records(self) -> RecordForm | None:
        """Return the form that items may come in, where nothing is asked of them but to be decoded."""
        whole = self.hydrated or self.partitions or self._guards_slip_through
        if whole or not self.decodes_all:
            return None
        codec = self.target.codec
        if self.projection is not None:
            return self.projection.records(codec)
        records = codec.records
        if codec.shared is None or records is None or self.subtree is not None:
            return records if codec.shared is None else None
        return records if records.holds(self._position_names()) else None

    # ── rows ──

    @property
    def decodes_all(self) -> bool:
        """Tell whether an item that does not fit raises, so that `decode_all` can make many rows at once."""
        return self.options.on_error == "raise"

    def row(self, item: Item | ItemRecord) -> RowT_co:
        """Return the row of an item.

        Raises:
            MarshallingError: It does not fit its class.
        """
        (row,) = self.decode_all((item,))
        return row

    def decode_all(self, items: Sequence[Item | ItemRecord]) -> list[RowT_co]:
        """Return the rows of many items.

        Raises:
            MarshallingError: One does not fit its class.
        """
        codec, projection = self.target.codec, self.projection
        try:
            rows: list[Any] = codec.decode_all(items) if projection is None else projection.rows(codec, items)
        except UNREADABLE as error:
            failure = self.misread(error, items)
            raise failure from failure.__cause__
        return rows

    def misread(self, error: Exception, items: Iterable[Item | ItemRecord]) -> MizzleError:
        """Return the error of items that cannot be read: which call read them, and whether they are values at all."""
        dicts = (item_of(item) for item in items)
        target, operation = self.target, "Scan" if self.partition is None else "Query"
        return misread(error, dicts, operation, target.table, target.schema.entity)

    def judge(self, error: MarshallingError) -> None:
        """Treat an item that does not fit as the caller wants: return to leave it out, or raise."""
        on_error = self.options.on_error
        if on_error == "raise":
            raise error
        if callable(on_error):
            on_error(error)

    @property
    def may_drop(self) -> bool:
        """Whether the service may leave out items that it has evaluated."""
        return bool(self.filters or self.implied)

    def expired(self, now: float) -> Callable[[Any], bool] | None:
        """Return a function that says whether an item is hidden, expired or a guard, or None where all may be shown."""
        beside = None if self.subtree is None else outside(self._read_key_names()[-1], *self.subtree)
        codec = self.target.codec
        at_end = at_ends(codec.stored, self.sort_names()[0], self.ends) if self.ends else None
        checks = [check for check in (codec.foreign, beside, at_end, self._expired(now)) if check]
        if len(checks) > 1:
            return lambda item: any(check(item) for check in checks)
        return checks[0] if checks else None

    def shown(self, items: list[Any], now: float) -> list[Any]:
        """Return the items of a page that are not `expired`."""
        codec, hidden = self.target.codec, self.expired(now)
        if hidden is None or (hidden is codec.foreign and codec.are_own(items)):
            return items
        return [item for item in items if not hidden(item)]

    def _expired(self, now: float) -> Callable[[Any], bool] | None:
        schema = self.target.schema
        lifetime = schema.time_to_live
        if self._guards_slip_through:
            hidden = hidden_items(schema, include_expired=self.options.include_expired)
            return None if hidden is None else lambda item: hidden(item, now)
        if lifetime is None or self.options.include_expired:
            return None
        name, stored = lifetime.name, self.target.codec.stored
        return lambda item: is_expired(stored(item, name), now)

    # ── positions ──

    @property
    def digest(self) -> bytes:
        """Return the identity of this query, for cursors: options that do not move positions do not count."""
        found = self._digest
        if found is None:
            found = identity_of(
                self.target,
                (self.index, self.partition, self.sort, len(self.partitions)),
                (self.filters, self.implied),
                reverse=self.options.reverse,
                part=self.options.segment or self.ends or None,
            )
            object.__setattr__(self, "_digest", found)
        return found

    def position(self, item: Item | ItemRecord) -> Item:
        """Return the start key that stands for "after this item"."""
        stored = item_of(item)
        return key_in(stored, self._position_names())

    @property
    def has_position(self) -> bool:
        """Tell whether one key says how far it was read."""
        several = self.partitions and (self.index is not None or self.is_choice)
        return self.options.segments == 1 and not several

    def partition_key(self) -> Item:
        """Return the key attribute that a partition of a spread key is asked for by, as it is stored."""
        condition: Any = self.partition
        return {condition.left.segments[0]: condition.arguments[0].value}

    def sort_names(self) -> tuple[str, ...]:
        """Return the stored names of the sort key that rows of one partition are ordered by."""
        index = self.index
        is_single = index is None or index.is_local or index.mapping is not None
        partition_keys = 1 if is_single or index is None else len(index.partition_paths)
        return self._read_key_names()[partition_keys:]

    def check_position(self, key: Item) -> Item:
        """Return a cursor's key if it can be a start key here.

        Raises:
            InvalidCursorError: It has other attributes, values of another type, or another partition.
        """
        queried = self._plain() if self.partition is not None and not self.partitions else None
        return check_start_key(key, self._position_names(), self.target.codec, queried)

    # ── what it says about itself ──

    def capacity(self) -> Capacity:
        """Estimate one page."""
        note = "per 4 KB evaluated, up to 1 MB a page"
        if self.hydrated:
            note += ", and a read of each item from the table"
        if self.partitions:
            note += f", from each of {len(self.partitions)} partitions"
        return read_capacity(1, consistent=self.options.consistent_read, at_least=True, note=note)

    def advice(self) -> Advice | None:
        """Return the advice about its filters, or None where there are none."""
        partition = frozenset[str]()
        sort = frozenset[str]()
        if self.partition is not None:
            keys, sort_keys = self._read_key_names(), self.sort_names()
            partition = frozenset(keys[: len(keys) - len(sort_keys)])
            sort = partition if self.sort is None else frozenset(sort_keys[:1])
        return filter_advice(
            self.target.schema, self.filters, partition_names=partition, sort_names=sort, used=self.index
        )

    def __repr__(self) -> str:
        return f"<{'scan' if self.partition is None else 'query'} of {self.target.schema.entity}, {self.source()}>"
