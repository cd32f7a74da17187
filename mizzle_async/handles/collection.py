"""Collections: several entities of one shared table, read together and told apart by type."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

from attrs import frozen

from mizzle_async.errors import ExpressionError
from mizzle_async.flow.ports import TaskPort, read_limiters, write_limiters
from mizzle_async.flow.work import BulkWork
from mizzle_async.handles.change_verbs import ChangeVerbs
from mizzle_async.handles.query import Query
from mizzle_async.handles.record_verbs import RecordVerbs
from mizzle_async.marshalling import CollectionCodec
from mizzle_async.model import EntitySchema
from mizzle_async.operations import Explanation, Key, Target, stamp_put
from mizzle_async.operations.arguments import check_at_least_one, check_many
from mizzle_async.operations.batches import BatchEntry, check_batchable, put_entry
from mizzle_async.operations.reads.by_key import instances_of
from mizzle_async.operations.reads.collections import about_one, collection_query, collection_scan
from mizzle_async.operations.reads.options import OnError, ReadOptions
from mizzle_async.operations.reads.plan import ReadPlan
from mizzle_async.reading.by_key import GetMany, ReadSettings
from mizzle_async.reading.plan_selection import PlanSelection
from mizzle_async.reading.rows import Rows
from mizzle_async.types import Item, WirePayload

if TYPE_CHECKING:
    from mizzle_async.bulk.exports import ExportTarget
    from mizzle_async.bulk.saved_state import ResumeFrom
    from mizzle_async.bulk.sweeps import ResumableItems
    from mizzle_async.bulk.write_engine import OnUndone, Progress

RowT_co = TypeVar("RowT_co", covariant=True)
PartitionT_contra = TypeVar("PartitionT_contra", contravariant=True)
SortT_contra = TypeVar("SortT_contra", contravariant=True)
FilterT_contra = TypeVar("FilterT_contra", contravariant=True)
ListsT_co = TypeVar("ListsT_co", covariant=True)


@frozen(eq=False, repr=False)
class CollectionQuery(Rows[RowT_co], Generic[RowT_co, FilterT_contra, ListsT_co]):
    """A query or a scan of several entities, whose rows are instances of them; made by a `Collection`.

    Cost: a read unit for each 4 KB that is evaluated, other entities' items in the range included. Eventually
        consistent reads cost half of it.
    """

    _query: Query[Any]
    _models: tuple[type[Any], ...]

    @property
    def _selection(self) -> PlanSelection[RowT_co]:
        return cast("PlanSelection[RowT_co]", self._query._selection)  # noqa: SLF001  (the query behind this one)

    @property
    def _plan(self) -> ReadPlan[Any, Any]:
        return self._query._plan  # noqa: SLF001  (as above)

    def filter(self, condition: FilterT_contra, /) -> Self:
        """Return only items of which a condition is true; it is about one entity, and the others' items stay.

        Args:
            condition: Made from the attributes of one entity.

        Raises:
            ExpressionError: DynamoDB would refuse it, it is about several entities, or the table has no type attribute.
        """
        plan = self._plan
        filtered = plan.filtered_by(about_one(plan.target, condition))
        return type(self)(_with_plan(self._query, filtered), self._models)

    async def grouped(self) -> ListsT_co:
        """Read everything, and return one list for each entity, in the order in which the collection names them."""
        lists: tuple[list[Any], ...] = tuple([] for _ in self._models)
        places: dict[type[Any], int] = {model: number for number, model in enumerate(self._models)}
        async for item in self:
            kind = next(cls for cls in type(item).__mro__ if cls in places)  # in a family, the nearest class
            lists[places[kind]].append(item)
        return cast("ListsT_co", lists)

    def resumable(self, path: ResumeFrom, *, checkpoint_pages: int = 1) -> ResumableItems[RowT_co]:
        """Return an iterator that keeps its position: begun again, it goes on from there.

        Args:
            path: The state file, or ``state.resume(key)`` of a state table.
            checkpoint_pages: Pages between writing it.

        Raises:
            ExpressionError: ``checkpoint_pages`` is no number of pages, or the query has ``max_items``.
            ResumeError: The file is about another query.
        """
        return self._query.resumable(path, checkpoint_pages=checkpoint_pages)

    def export(
        self,
        target: str | os.PathLike[str] | ExportTarget,
        /,
        *,
        resume: ResumeFrom | None = None,
        checkpoint_pages: int = 10,
        progress: Progress | None = None,
        read_units_per_second: float | None = None,
    ) -> BulkWork:
        """Write every item to a file, as `Query.export` does; items of other entities are left out.

        Args:
            target: A path, for lines of ``{"Item": {…}}`` in DynamoDB's JSON, or an `ExportTarget`.
            resume: A state file, or ``state.resume(key)`` of a state table: an export that was killed goes on from
                its last checkpoint.
            checkpoint_pages: Pages between checkpoints.
            progress: Called with the report as it grows, after every page.
            read_units_per_second: The most read units to consume, or None for the client's limit.

        Raises:
            ResumeError: The state is about another query.
        """
        return self._query.export(
            target,
            resume=resume,
            checkpoint_pages=checkpoint_pages,
            progress=progress,
            read_units_per_second=read_units_per_second,
        )

    def to_wire(self) -> WirePayload:
        """Return the first request's exact DynamoDB JSON; an empty dict where no item can be meant."""
        return self._query.to_wire()

    def explain(self) -> Explanation:
        """Return the request and its estimated cost, with the values of attributes. Nothing is sent."""
        return self._query.explain()

    def __repr__(self) -> str:
        return repr(self._query)


class Collection(
    RecordVerbs[RowT_co],
    ChangeVerbs[RowT_co],
    Generic[RowT_co, PartitionT_contra, SortT_contra, FilterT_contra, ListsT_co],
):
    """Several entities of one shared table, read together; made by `Client.collection`."""

    def __init__(
        self, owner: TaskPort, members: Sequence[EntitySchema], target: Target[Any], models: Sequence[Any]
    ) -> None:
        self._owner = self._runtime = owner
        self._target = target
        self._members = {schema.cls: schema for schema in members}
        self._models: tuple[type[Any], ...] = tuple(models)

    @property
    def name(self) -> str:
        """Return the table's name at the service, prefix included."""
        return self._target.table

    def query(
        self,
        partition: PartitionT_contra,
        /,
        *more: PartitionT_contra | SortT_contra,
        reverse: bool = False,
        max_items: int | None = None,
        page_size: int | None = None,
        max_evaluated: int | None = None,
        consistent_read: bool = False,
        include_expired: bool = False,
        on_error: OnError = "raise",
        timeout: float | None = None,
    ) -> CollectionQuery[RowT_co, FilterT_contra, ListsT_co]:
        """Read the items of all entities in one partition, in the order of the sort key.

        The smallest range of sort keys that holds the entities is read. A comparison of one entity's sort key narrows
        to its range. A whole key stands for its item and for all items that are stored below it.

        Args:
            partition: ``Customer.customer_id == "c1"``, of any of the entities, or of an index that all of them fill.
            *more: Comparisons of the same entity's key, from the left: equalities, and one range at the end.
            reverse: Whether the order is descending.
            max_items: Items returned in all, of any entity.
            page_size: Items evaluated per request.
            max_evaluated: Items evaluated in all.
            consistent_read: Whether every write that was finished before is seen. It costs twice as much.
            include_expired: Whether expired items are shown.
            on_error: ``"raise"``, ``"skip"`` or a function, for an item that does not fit its class.
            timeout: Seconds for each page, or None for the client's.

        Raises:
            ExpressionError: The conditions are not those of one key, or an entity does not fill the index.
        """
        options = ReadOptions(
            reverse=reverse,
            max_items=max_items,
            page_size=page_size,
            max_evaluated=max_evaluated,
            consistent_read=consistent_read,
            include_expired=include_expired,
            on_error=on_error,
            timeout=timeout,
        )
        return self._query(collection_query(self._target, options, (partition, *more)))

    def scan(
        self,
        *,
        segments: int = 1,
        max_items: int | None = None,
        page_size: int | None = None,
        max_evaluated: int | None = None,
        consistent_read: bool = False,
        include_expired: bool = False,
        on_error: OnError = "raise",
        timeout: float | None = None,
    ) -> CollectionQuery[RowT_co, FilterT_contra, ListsT_co]:
        """Read every item of the entities, in no particular order; the whole table is evaluated.

        Args:
            segments: Segments read at once.
            max_items: Items returned in all.
            page_size: Items evaluated per request.
            max_evaluated: Items evaluated in all.
            consistent_read: Whether every write that was finished before is seen. It costs twice as much.
            include_expired: Whether expired items are shown.
            on_error: As for `query`.
            timeout: Seconds for each page, or None for the client's.

        Raises:
            ExpressionError: An option is out of range.
        """
        options = ReadOptions(
            segments=segments,
            max_items=max_items,
            page_size=page_size,
            max_evaluated=max_evaluated,
            consistent_read=consistent_read,
            include_expired=include_expired,
            on_error=on_error,
            timeout=timeout,
        )
        return self._query(collection_scan(self._target, options))

    def get_many(
        self,
        keys: Iterable[Key[RowT_co]],
        /,
        *,
        consistent_read: bool = False,
        include_expired: bool = False,
        concurrency: int = 8,
        read_units_per_second: float | None = None,
        timeout: float | None = None,
    ) -> GetMany[Key[RowT_co], RowT_co]:
        """Read items of any of the entities by key; a key that comes twice is read once.

        Args:
            keys: Keys from `Table.key` of the entities' tables.
            consistent_read: Whether every write that was finished before is seen. It costs twice as much.
            include_expired: Whether expired items are shown.
            concurrency: Requests under way at most.
            read_units_per_second: The most read units to consume, or None for the client's limit.
            timeout: Seconds for each batch of 100, or None for the client's.

        Returns:
            Awaited, a list in the order of the keys, None where there is no item.

        Raises:
            ExpressionError: A key is of another entity, or an option means nothing.
            BatchError: Keys were left unprocessed until the time was up.

        Cost: one request for each 100 keys, and read units as for `Table.get`.
        """
        check_many("get_many", keys)
        check_at_least_one("get_many", concurrency=concurrency)
        wanted = [(key, self._key(key)) for key in keys]
        settings = ReadSettings(
            consistent_read=consistent_read,
            concurrency=concurrency,
            timeout=timeout,
            limiters=read_limiters(self._owner, read_units_per_second),
        )

        def decoded(items: Sequence[Item | None]) -> list[Any]:
            return instances_of(self._target, items, None if include_expired else self._owner.now())

        return GetMany(self._owner, self._target, wanted, decoded, settings)

    def put_many(
        self,
        items: Iterable[Any] | AsyncIterable[Any],
        /,
        *,
        concurrency: int = 8,
        write_units_per_second: float | None = None,
        timeout: float | None = None,
        on_error: OnUndone = "raise",
        progress: Progress | None = None,
        resume: ResumeFrom | None = None,
        checkpoint_batches: int = 100,
    ) -> BulkWork:
        """Put any number of items of the entities, 25 to a request; as `Table.put_many`.

        Args:
            items: Instances of any of the entities, as they come.
            concurrency: As for `Table.put_many`.
            write_units_per_second: As for `Table.put_many`.
            timeout: As for `Table.put_many`.
            on_error: As for `Table.put_many`.
            progress: As for `Table.put_many`.
            resume: As for `Table.put_many`.
            checkpoint_batches: As for `Table.put_many`.

        Raises:
            ExpressionError: An entity has a version or unique attributes, which a batch cannot check.
            BatchError: An item was not written: ``error.report`` lists it with the reason.
        """
        from mizzle_async.bulk.loads import LoadOptions, load

        for schema in self._members.values():
            check_batchable(schema, "put")
        codec = cast("CollectionCodec", self._target.codec)

        def make(item: Any, position: int) -> BatchEntry:
            member = codec.codec_of(item)
            encoded = member.encode_new(item)
            stamp_put(member, encoded, self._owner.now())
            return put_entry(self._target, encoded, item, position)

        options = LoadOptions(
            concurrency=concurrency,
            limiters=write_limiters(self._owner, write_units_per_second),
            timeout=timeout,
            on_error=on_error,
            progress=progress,
            resume=resume,
            checkpoint_batches=checkpoint_batches,
        )
        return load(self._owner, items, make, options, verb="put_many", kind="put", table=self.name)

    def encode(self, item: Any, /) -> Item:
        """Return an instance of one of the entities as an item in DynamoDB's JSON. Nothing is sent.

        Args:
            item: The instance.

        Raises:
            ModelError: It is of none of the entities.
            MarshallingError: A value does not fit its attribute.
        """
        return cast("CollectionCodec", self._target.codec).codec_of(item).encode(item)

    def _key(self, key: object) -> Item:
        if isinstance(key, Key) and key.entity in self._members:
            item: Item = key.item
            return item
        names = ", ".join(model.__name__ for model in self._members)
        shown = getattr(key.entity, "__name__", key.entity) if isinstance(key, Key) else type(key).__name__
        raise ExpressionError(f"get_many() of a collection of {names} takes keys of these entities, not of {shown}")

    def _query(self, plan: ReadPlan[Any, Any]) -> CollectionQuery[RowT_co, FilterT_contra, ListsT_co]:
        return CollectionQuery(Query(self._owner, plan, set()), self._models)

    def __repr__(self) -> str:
        return f"<Collection of {self._target.schema.entity} in {self.name!r}>"


def _with_plan(query: Query[Any], plan: ReadPlan[Any, Any]) -> Query[Any]:
    return Query(query._runtime, plan, query._advised)  # noqa: SLF001  (the same query with another plan)
