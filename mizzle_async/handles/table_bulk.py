"""The verbs of a table handle that read and write many items by key."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from mizzle_async.flow.ports import read_limiters, write_limiters
from mizzle_async.operations import Key, KeyLike, check_at_least_one, check_many, entity_identity, stamp_put
from mizzle_async.signatures import explained
from mizzle_async.types import Item
from mizzle_async.writing.table_part import TablePart

if TYPE_CHECKING:
    from mizzle_async.bulk.saved_state import ResumeFrom
    from mizzle_async.bulk.write_engine import OnUndone, Progress
    from mizzle_async.flow.work import BulkWork
    from mizzle_async.operations.batches import BatchEntry
    from mizzle_async.operations.reads.projection import Projection
    from mizzle_async.reading.by_key import GetMany, ReadSettings
    from mizzle_async.reading.coalescing import CoalescedReads

ModelT = TypeVar("ModelT")


def _many(_table: object, values: Sequence[Any], _named: object) -> str:
    """Say how several items are given."""
    return "give them as one collection, `[…]`" if len(values) > 1 else ""


class _ByKey(NamedTuple):
    """The parts of reading by key."""

    get_many: type[GetMany[Any, Any]]
    settings: type[ReadSettings]
    instances_of: Callable[..., list[Any]]
    rows_of: Callable[..., list[Any]]


@cache
def _by_key() -> _ByKey:
    """Import the parts with the first use: a statement in the verb would look for them at each one."""
    from mizzle_async.operations.reads.by_key import instances_of, rows_of
    from mizzle_async.reading.by_key import GetMany, ReadSettings

    return _ByKey(GetMany, ReadSettings, instances_of, rows_of)


class TableBulk(TablePart[ModelT]):
    """The part of a table handle that reads and writes many items by key."""

    @explained(_many)
    def get_many(
        self,
        keys: Iterable[KeyLike[ModelT]],
        /,
        *,
        consistent_read: bool = False,
        include_expired: bool = False,
        concurrency: int = 8,
        read_units_per_second: float | None = None,
        timeout: float | None = None,
    ) -> GetMany[KeyLike[ModelT], ModelT]:
        """Read items by key, any number of them. A key that comes twice is read once.

        Args:
            keys: Keys, instances, or the values of a key of one attribute.
            consistent_read: Whether every write that was finished before is seen. It costs twice as much.
            include_expired: Whether expired items are shown.
            concurrency: Requests under way at most. It adapts downwards while the service throttles.
            read_units_per_second: Consume no more than this. None for no limit but the client's.
            timeout: Seconds until the next item of a batch of 100 is read, or None for the client's.

        Returns:
            Awaited, a list in the order of the keys, None where there is no item. ``async for key, item in …`` gives
            them as they arrive, each with its key as it was given.

        Raises:
            ExpressionError: This is one key, not many, or an option means nothing.
            BatchError: Keys were left unprocessed until the time was up. ``error.report.failed`` names them.

        Cost: one request for each 100 keys, and read units as for `get`.
        """
        by_key = _by_key()
        check_many("get_many", keys)
        check_at_least_one("get_many", concurrency=concurrency)
        identity = entity_identity(self._schema)
        wanted = [
            (key, key._item if type(key) is Key and key._entity is identity else self._key(key, {}))  # noqa: SLF001  (many)
            for key in keys
        ]
        settings = by_key.settings(
            consistent_read=consistent_read,
            concurrency=concurrency,
            timeout=timeout,
            limiters=read_limiters(self._runtime, read_units_per_second),
            records=self._target.codec.records,
        )

        def decoded(items: Sequence[Item | None]) -> list[ModelT | None]:
            return by_key.instances_of(self._target, items, self._moment(include_expired=include_expired))

        def decode_rows(projection: Projection) -> Callable[[Sequence[Item | None]], list[Any]]:
            return lambda items: by_key.rows_of(
                self._target, projection, items, self._moment(include_expired=include_expired)
            )

        return by_key.get_many(self._runtime, self._target, wanted, decoded, settings, decode_rows=decode_rows)

    def coalesced(
        self, *, consistent_read: bool = False, include_expired: bool = False, timeout: float | None = None
    ) -> CoalescedReads[ModelT]:
        """Return a context whose gets, asked for within one tick of the loop, become one BatchGetItem.

        For callers that do not know of each other, such as the resolvers of a GraphQL query::

            async with orders.coalesced() as reads:
                first, second = await asyncio.gather(reads.get(one_key), reads.get(another_key))

        Args:
            consistent_read: Whether every write that was finished before is seen. It costs twice as much.
            include_expired: Whether expired items are shown.
            timeout: Seconds until the next item of a batch of 100 is read, or None for the client's.
        """
        from mizzle_async.reading.coalescing import CoalescedReads

        by_key = _by_key()
        limiters = read_limiters(self._runtime, None)
        settings = by_key.settings(consistent_read=consistent_read, concurrency=1, timeout=timeout, limiters=limiters)

        def decode(item: Item | None) -> ModelT | None:
            moment = self._moment(include_expired=include_expired)
            found: ModelT | None = by_key.instances_of(self._target, [item], moment)[0]
            return found

        return CoalescedReads(self._runtime, self._target, self._key, decode, settings)

    def _moment(self, *, include_expired: bool) -> float | None:
        """Return the time for which items are shown, None where expired ones are."""
        return None if include_expired or self._schema.time_to_live is None else self._runtime.now()

    @explained(_many)
    def put_many(
        self,
        items: Iterable[ModelT] | AsyncIterable[ModelT],
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
        """Put any number of items, 25 to a request, several requests at once, as `put` without conditions.

        Items under one key are written in the order in which they come. Items that the service leaves unprocessed are
        sent again, with growing pauses. While it throttles, fewer requests of fewer items go out. When an item can
        never be written, no more of the input is read, the items that were taken are written, and `BatchError` lists
        exactly the rest.

        Args:
            items: Any number of instances. The input is read as it is written: no more are held than are under way.
            concurrency: Requests under way at most. It adapts downwards while the service throttles.
            write_units_per_second: Consume no more than this. None for no limit but the client's.
            timeout: Seconds until the next item of a batch of 25 is accepted, or None for the client's. A slow table is
                waited for while it makes progress.
            on_error: ``"raise"``, or a function that takes each item that can never be written, an `UndoneWrite`. The
                load goes on then.
            progress: Called with the report as it grows, after every request.
            resume: A state file, or ``state.resume(key)`` of a state table. A load that was killed goes on from its
                last checkpoint when it is begun again with the same input in the same order, which is checked by the
                items' keys. At most the work since that checkpoint is done again, and items that failed.
            checkpoint_batches: Requests between checkpoints.

        Returns:
            Awaited, the `BatchReport`. Held in a variable, its ``report`` can be read at any time, after a cancellation
            too.

        Raises:
            ExpressionError: The entity has a version or unique attributes, which a batch cannot check.
            BatchError: Something was not written. ``error.report`` lists it, each with its error.
            ResumeError: The input, or the table, is not the one that the state is about.

        Cost: one request for each 25 items, and write units as for `put`.
        """
        from mizzle_async.bulk.loads import LoadOptions, load
        from mizzle_async.operations.batches import check_batchable, put_maker

        check_batchable(self._schema, "put")
        target, schema, runtime = self._target, self._schema, self._runtime
        codec = target.codec

        def stamped(item: Any) -> Item:
            encoded = codec.encode_new(item)
            stamp_put(codec, encoded, runtime.now())
            return encoded

        make = put_maker(target, stamped if schema.role_attributes else None)
        options = LoadOptions(
            concurrency=concurrency,
            limiters=write_limiters(runtime, write_units_per_second),
            timeout=timeout,
            on_error=on_error,
            progress=progress,
            resume=resume,
            checkpoint_batches=checkpoint_batches,
        )
        return load(runtime, items, make, options, verb="put_many", kind="put", table=self.name)

    def put_arrow(
        self,
        data: Any,
        /,
        *,
        extra: Literal["raise", "drop"] = "raise",
        concurrency: int = 8,
        write_units_per_second: float | None = None,
        timeout: float | None = None,
        on_error: OnUndone = "raise",
        progress: Progress | None = None,
        resume: ResumeFrom | None = None,
        checkpoint_batches: int = 100,
    ) -> BulkWork:
        """Put the rows of a frame, as `put_many` puts instances. No instances are made.

        A column goes to the attribute of its name in Python. Their order is no matter. Every value is checked as the
        class declares it, validators and converters of attrs aside. Null is absence, or the default of an attribute
        that has one.

        Args:
            data: A ``pyarrow.Table``, a record batch or a reader, an iterable of batches, asynchronous or not, or a
                frame of polars or pandas.
            extra: The fate of columns that the class does not declare: ``"raise"`` or ``"drop"``.
            concurrency: As for `put_many`.
            write_units_per_second: As for `put_many`.
            timeout: As for `put_many`.
            on_error: As for `put_many`. An `UndoneWrite` has the row's number in all as its ``position``, and
                ``item.to_dict()`` gives the row.
            progress: As for `put_many`.
            resume: As for `put_many`.
            checkpoint_batches: As for `put_many`.

        Returns:
            As for `put_many`.

        Raises:
            ExpressionError: The entity has a version or unique attributes, or ``data`` is no frame.
            ModelError: Awaited: the columns are not those of the class.
            BatchError: Something was not written. ``error.report`` lists it, each with its error.
            ResumeError: The input, or the table, is not the one that the state is about.

        Cost: as for `put_many`.
        """
        from mizzle_async.bulk.loads import LoadOptions
        from mizzle_async.integrations.arrow.writing import put_arrow
        from mizzle_async.operations.batches import check_batchable

        check_batchable(self._schema, "put")
        options = LoadOptions(
            concurrency=concurrency,
            limiters=write_limiters(self._runtime, write_units_per_second),
            timeout=timeout,
            on_error=on_error,
            progress=progress,
            resume=resume,
            checkpoint_batches=checkpoint_batches,
        )
        return put_arrow(self._runtime, self._target, data, options, extra=extra)

    @explained(_many)
    def delete_many(
        self,
        keys: Iterable[KeyLike[ModelT]] | AsyncIterable[KeyLike[ModelT]],
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
        """Delete any number of items by key, 25 to a request. One that is missing counts as deleted.

        Args:
            keys: Keys, instances, of which the key alone counts, or the values of a key of one attribute.
            concurrency: As for `put_many`.
            write_units_per_second: As for `put_many`.
            timeout: As for `put_many`.
            on_error: As for `put_many`.
            progress: As for `put_many`.
            resume: As for `put_many`.
            checkpoint_batches: As for `put_many`.

        Returns:
            As for `put_many`.

        Raises:
            ExpressionError: The entity has a version or unique attributes, which a batch cannot check.
            BatchError: Something was not deleted. ``error.report`` lists it, each with its error.
            ResumeError: The input, or the table, is not the one that the state is about.

        Cost: one request for each 25 items, and a write unit for each KB of the deleted items.
        """
        from mizzle_async.bulk.loads import LoadOptions, load
        from mizzle_async.operations.batches import check_batchable, delete_entry

        check_batchable(self._schema, "delete")
        target = self._target

        def make(key: Any, position: int) -> BatchEntry:
            return delete_entry(target, self._key(key, {}), key, position)

        options = LoadOptions(
            concurrency=concurrency,
            limiters=write_limiters(self._runtime, write_units_per_second),
            timeout=timeout,
            on_error=on_error,
            progress=progress,
            resume=resume,
            checkpoint_batches=checkpoint_batches,
        )
        return load(self._runtime, keys, make, options, verb="delete_many", kind="delete", table=self.name)
