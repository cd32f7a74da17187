"""The table handle: an entity in a table of a client, and the verbs on it.

It gives operations the time and their sender, and builds them. It sends nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mizzle_async.expressions import (
    AttributePath,
    PartitionChoice,
    PartitionKeyCondition,
    PartitionKeyPath,
    SortKeyCondition,
    SortKeyPath,
)
from mizzle_async.flow.ports import TaskPort
from mizzle_async.handles.change_verbs import ChangeVerbs
from mizzle_async.handles.record_verbs import RecordVerbs
from mizzle_async.handles.table_bulk import TableBulk
from mizzle_async.model import SecondaryIndex
from mizzle_async.operations import (
    MISSING,
    Exists,
    GetItem,
    GetOne,
    Key,
    KeyPart,
    KeyScalar,
    Missing,
    OneKey,
    Target,
    entity_identity,
    resolve_key,
)
from mizzle_async.operations.hints import query_hint
from mizzle_async.signatures import explained
from mizzle_async.types import Item
from mizzle_async.writing.patches import TablePatches
from mizzle_async.writing.verbs import TableWrites

if TYPE_CHECKING:
    from mizzle_async.handles.query import Query
    from mizzle_async.operations.reads.options import OnError, ReadOptions
    from mizzle_async.operations.reads.plan import ReadPlan

ModelT = TypeVar("ModelT")


class _Reading(NamedTuple):
    """The parts of queries and scans."""

    query: type[Query[Any]]
    options: type[ReadOptions]
    query_plan: Callable[..., Any]
    scan_plan: Callable[..., Any]


@cache
def _reading() -> _Reading:
    """Import the parts with the first query: a statement in the verb would look for them at each one."""
    from mizzle_async.handles.query import Query
    from mizzle_async.operations.reads.options import ReadOptions
    from mizzle_async.operations.reads.selections import query_plan, scan_plan

    return _Reading(Query, ReadOptions, query_plan, scan_plan)


class Table(TableWrites[ModelT], TablePatches[ModelT], TableBulk[ModelT], ChangeVerbs[ModelT], RecordVerbs[ModelT]):
    """The items of one entity in one table, made by `Client.table`.

    Verbs return operations, which are sent by ``await``. Queries and scans are read by ``async for``. A key is given by
    name (``customer_id="c1", order_id="7"``), as one value where the key has one attribute, as a `Key`, or as an
    instance.
    """

    def __init__(self, runtime: TaskPort, target: Target[ModelT]) -> None:
        super().__init__(runtime, target)
        self._advised: set[Any] = set()
        self._identity = entity_identity(target.schema)

    # ── paths, for tables whose class has none ──

    @property
    def partition_key(self) -> PartitionKeyPath[ModelT, Any]:
        """Return the path of the partition key, to be compared in a query."""
        return self._schema.partition_key_path

    @property
    def sort_key(self) -> SortKeyPath[ModelT, Any]:
        """Return the path of the sort key, to be compared in a query."""
        return self._schema.sort_key_path

    def attribute(self, name: str, /, *inside: str | int) -> AttributePath[ModelT, Any]:
        """Return the path of an attribute, or of something inside it, by stored names and list positions.

        Args:
            name: The attribute. A dot is part of the name.
            *inside: Members of maps and positions in lists, outermost first.
        """
        path: AttributePath[ModelT, Any] = self._schema.path(name)
        for segment in inside:
            path = path[segment]
        return path

    # ── the service's JSON ──

    def encode(self, item: ModelT, /) -> Item:
        """Return an instance as an item in DynamoDB's JSON, as it is stored. Nothing is sent.

        Roles of attributes, such as a version, are left as the instance has them.

        Args:
            item: The instance.

        Raises:
            MarshallingError: A value does not fit its attribute.
            LimitError: The item breaks one of DynamoDB's limits.
        """
        return self._target.codec.encode(item)

    # ── keys ──

    @explained()
    def key(
        self,
        value: PartitionKeyCondition[ModelT] | ModelT | KeyScalar | Missing = MISSING,
        /,
        *more: KeyPart[ModelT],
        **attributes: Any,
    ) -> Key[ModelT]:
        """Return a key: typed, hashable, picklable.

        Args:
            value: An instance, or the value of a key of one attribute.
            *more: The equalities of the other key attributes, where the first is one, ``Order.order_id == "7"``.
            **attributes: The key attributes by name.

        Raises:
            ExpressionError: A key attribute is missing, or the argument is no key.
            MarshallingError: A value does not fit its key attribute.
        """
        codec = self._target.codec
        item = codec.encode_key(attributes) if value is MISSING else resolve_key(codec, value, attributes, more)
        return Key(self._identity, item)

    # ── reading one ──

    @explained()
    def get(
        self,
        key: OneKey[ModelT] = MISSING,
        /,
        *more: KeyPart[ModelT],
        consistent_read: bool = False,
        include_expired: bool = False,
        timeout: float | None = None,
        **attributes: Any,
    ) -> GetItem[ModelT | None]:
        """Read an item, or None where there is none.

        Args:
            key: A `Key`, an instance, or the value of a key of one attribute.
            consistent_read: Whether every write that was finished before is seen. It costs twice as much.
            include_expired: Whether an expired item is shown.
            timeout: Seconds for the whole call, or None for the client's.
            *more: The equalities of the other key attributes, where the first is one, ``Order.order_id == "7"``.
            **attributes: The key attributes by name.

        Raises:
            ExpressionError: This is no key of the table.
            MarshallingError: A value does not fit its key attribute.

        Cost: one request, and a read unit for each 4 KB of the item when consistent, half of it otherwise.
        """
        item = self._key(key, attributes, more)
        return GetItem(
            self._target, item, timeout=timeout, consistent_read=consistent_read, include_expired=include_expired
        )

    @explained()
    def get_one(
        self,
        key: OneKey[ModelT] = MISSING,
        /,
        *more: KeyPart[ModelT],
        consistent_read: bool = False,
        include_expired: bool = False,
        timeout: float | None = None,
        **attributes: Any,
    ) -> GetOne[ModelT]:
        """Read an item that must be there: as `get`, but for the missing one.

        Raises:
            ItemNotFoundError: Awaited: there is no such item.
        """
        return GetOne(
            self._target,
            self._key(key, attributes, more),
            timeout=timeout,
            consistent_read=consistent_read,
            include_expired=include_expired,
            required=True,
        )

    @explained()
    def exists(
        self,
        key: OneKey[ModelT] = MISSING,
        /,
        *more: KeyPart[ModelT],
        consistent_read: bool = False,
        include_expired: bool = False,
        timeout: float | None = None,
        **attributes: Any,
    ) -> GetItem[bool]:
        """Read whether there is an item under a key, without its attributes.

        Args:
            key: A `Key`, an instance, or the value of a key of one attribute.
            consistent_read: Whether every write that was finished before is seen. It costs twice as much.
            include_expired: Whether an expired item counts.
            timeout: Seconds for the whole call, or None for the client's.
            *more: The equalities of the other key attributes, where the first is one, ``Order.order_id == "7"``.
            **attributes: The key attributes by name.

        Raises:
            ExpressionError: This is no key of the table.
            MarshallingError: A value does not fit its key attribute.

        Cost: as `get`: the service counts the whole item, and returns its key alone.
        """
        item = self._key(key, attributes, more)
        return Exists(
            self._target, item, timeout=timeout, consistent_read=consistent_read, include_expired=include_expired
        )

    # ── reading many ──

    @explained(query_hint)
    def query(
        self,
        partition: PartitionKeyCondition[ModelT] | PartitionChoice[ModelT],
        /,
        *more: PartitionKeyCondition[ModelT] | SortKeyCondition[ModelT],
        reverse: bool = False,
        merged: bool = True,
        max_items: int | None = None,
        page_size: int | None = None,
        max_evaluated: int | None = None,
        consistent_read: bool = False,
        include_expired: bool = False,
        on_error: OnError = "raise",
        timeout: float | None = None,
    ) -> Query[ModelT]:
        """Read the items of one partition key value, of the table or of an index, in the order of the sort key.

        Args:
            partition: ``Order.customer_id == "c1"``, or the same of an index: ``BY_STATUS.partition_key ==
                Status.OPEN``.
            *more: A comparison of the sort key, of the table or of the same index. Of a key that is made of several
                attributes, a comparison of each part, from the left: equalities, and one range at the end.
            reverse: Whether the order is descending.
            merged: Whether the items of several partitions, ``Order.customer_id.is_in([…])``, are merged in the order
                of the sort key, or come one partition after the other. Several partitions have no cursors.
            max_items: How many are returned in all.
            page_size: How many are evaluated per request, before the filter.
            max_evaluated: How many are evaluated in all.
            consistent_read: Whether every write that was finished before is seen. It costs twice as much, and is not
                possible on a global index.
            include_expired: Whether expired items are shown.
            on_error: The fate of an item that does not fit its class: it raises, is skipped, or goes to a function.
            timeout: Seconds for each page, or None for the client's.

        Raises:
            ExpressionError: The conditions are not those of one key, or DynamoDB would refuse them.

        Cost: a read unit for each 4 KB that is evaluated when consistent, half of it otherwise.
        """
        reading = _reading()
        options = reading.options(
            reverse=reverse,
            merged=merged,
            max_items=max_items,
            page_size=page_size,
            max_evaluated=max_evaluated,
            consistent_read=consistent_read,
            include_expired=include_expired,
            on_error=on_error,
            timeout=timeout,
        )
        plan: ReadPlan[ModelT, ModelT] = reading.query_plan(self._target, options, (partition, *more))
        return reading.query(self._runtime, plan, self._advised)

    @explained()
    def scan(
        self,
        *,
        segments: int = 1,
        index: SecondaryIndex[ModelT, Any, Any] | None = None,
        max_items: int | None = None,
        page_size: int | None = None,
        max_evaluated: int | None = None,
        consistent_read: bool = False,
        include_expired: bool = False,
        on_error: OnError = "raise",
        timeout: float | None = None,
    ) -> Query[ModelT]:
        """Read every item of the table, or of an index, in no particular order.

        Args:
            segments: How many parts are read at once.
            index: Read this index instead of the table.
            max_items: How many are returned in all.
            page_size: How many are evaluated per request, before the filter.
            max_evaluated: How many are evaluated in all.
            consistent_read: Whether every write that was finished before is seen. It costs twice as much, and is not
                possible on a global index.
            include_expired: Whether expired items are shown.
            on_error: The fate of an item that does not fit its class: it raises, is skipped, or goes to a function.
            timeout: Seconds for each page, or None for the client's.

        Raises:
            ExpressionError: An option is out of range, or DynamoDB would refuse it here.

        Cost: a read unit for each 8 KB of the whole table, for each 4 KB when consistent.
        """
        reading = _reading()
        options = reading.options(
            segments=segments,
            max_items=max_items,
            page_size=page_size,
            max_evaluated=max_evaluated,
            consistent_read=consistent_read,
            include_expired=include_expired,
            on_error=on_error,
            timeout=timeout,
        )
        plan: ReadPlan[ModelT, ModelT] = reading.scan_plan(self._target, options, index)
        return reading.query(self._runtime, plan, self._advised)

    def __repr__(self) -> str:
        return f"<Table {self._schema.entity} in {self.name!r}>"
