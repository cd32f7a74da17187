"""The client's verbs for many operations at once, in any tables: batches, a writer, and any mix."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from mizzle_async.flow.ports import write_limiters
from mizzle_async.handles.client_part import ClientPart
from mizzle_async.operations import Operation, Target, check_at_least_one
from mizzle_async.writing.table_part import target_of

if TYPE_CHECKING:
    from mizzle_async.bulk.saved_state import ResumeFrom
    from mizzle_async.bulk.send_all import SendAll
    from mizzle_async.bulk.write_engine import OnUndone, Progress
    from mizzle_async.bulk.writer import Writer
    from mizzle_async.flow.work import BulkWork

ResultT = TypeVar("ResultT")


class ClientBulk(ClientPart):
    """The part of a client that sends many operations at once."""

    def batch_write(
        self,
        *operations: Operation[Any],
        concurrency: int = 8,
        write_units_per_second: float | None = None,
        timeout: float | None = None,
        on_error: OnUndone = "raise",
        progress: Progress | None = None,
        resume: ResumeFrom | None = None,
    ) -> BulkWork:
        """Put and delete items of several tables, 25 to a request. Nothing about it is atomic.

        Args:
            *operations: ``orders.put(order)``, ``customers.delete("c1")`` and the like, without conditions. Two about
                one item are done in their order.
            concurrency: As for `Table.put_many`.
            write_units_per_second: As for `Table.put_many`.
            timeout: As for `Table.put_many`.
            on_error: As for `Table.put_many`.
            progress: As for `Table.put_many`.
            resume: As for `Table.put_many`.

        Returns:
            As for `Table.put_many`. An item that was not written is listed by its operation.

        Raises:
            ExpressionError: One of them is neither a put nor a delete, or has a condition.
            BatchError: Something was not written. ``error.report`` lists it, each with its error.
        """
        from mizzle_async.bulk.loads import LoadOptions, load
        from mizzle_async.operations.batches import operation_entry

        entries = [operation_entry(operation, position) for position, operation in enumerate(operations)]
        options = LoadOptions(
            concurrency=concurrency,
            limiters=write_limiters(self._runtime, write_units_per_second),
            timeout=timeout,
            on_error=on_error,
            progress=progress,
            resume=resume,
        )
        tables = ", ".join(sorted({entry.target.table for entry in entries}))
        return load(
            self._runtime,
            entries,
            lambda entry, _position: _given(entry),
            options,
            verb="batch_write",
            kind="put",
            table=tables,
        )

    def writer(
        self,
        *,
        concurrency: int = 8,
        write_units_per_second: float | None = None,
        timeout: float | None = None,
        on_error: OnUndone = "raise",
        progress: Progress | None = None,
    ) -> Writer:
        """Return a context that accepts items and writes them in batches: ``async with client.writer() as writer``.

        Args:
            concurrency: As for `Table.put_many`.
            write_units_per_second: As for `Table.put_many`.
            timeout: As for `Table.put_many`.
            on_error: As for `Table.put_many`, for items that the service refuses.
            progress: As for `Table.put_many`.
        """
        from mizzle_async.bulk.loads import LoadOptions
        from mizzle_async.bulk.writer import Writer

        options = LoadOptions(
            concurrency=concurrency,
            limiters=write_limiters(self._runtime, write_units_per_second),
            timeout=timeout,
            on_error=on_error,
            progress=progress,
        )
        return Writer(self._runtime, options, self._target)

    def send_all(
        self,
        operations: Iterable[Operation[ResultT]] | AsyncIterable[Operation[ResultT]],
        /,
        *,
        concurrency: int = 32,
    ) -> SendAll[ResultT]:
        """Send any operations, several at once: ``async for operation, outcome in client.send_all(updates)``.

        Args:
            operations: Any number of them, of any kinds and tables. The input is read as it is sent: no more are held
                than are under way, or wait for the caller. They are in no order.
            concurrency: Requests under way at most. It adapts downwards while the service throttles.

        Returns:
            An asynchronous iterator of each operation with its `OperationOutcome`, in the order in which they end. An
            operation that fails does not stop the others. Leaving the loop cancels what is under way.
        """
        from mizzle_async.bulk.send_all import SendAll

        check_at_least_one("send_all", concurrency=concurrency)
        return SendAll(self._runtime, operations, concurrency)

    def _target(self, model: type[Any]) -> Target[Any]:
        """Return the target of an entity's own table."""
        return target_of(self._catalog.table(model))


def _given(entry: Any) -> Any:
    return entry
