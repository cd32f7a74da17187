"""The verbs of a query that lead beyond one process: its parts, its pickle, its frames."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, Generic, Self, TypeVar, overload

from attrs import evolve

from mizzle_async.errors import ExpressionError
from mizzle_async.flow.ports import TaskPort
from mizzle_async.handles.detached import LAYOUT, restored
from mizzle_async.handles.runtime import HasRuntime, Runtime
from mizzle_async.operations.reads.plan import ReadPlan
from mizzle_async.reading.page_source import RecordBatches
from mizzle_async.reading.rows import Rows
from mizzle_async.values import transient

ModelT = TypeVar("ModelT")
RowT_co = TypeVar("RowT_co", covariant=True)


@transient(eq=False, repr=False)
class Divided(Rows[RowT_co], Generic[ModelT, RowT_co]):
    """A query or a scan that can be divided, moved to another process, and read as frames."""

    _runtime: TaskPort
    _plan: ReadPlan[ModelT, RowT_co]
    _advised: set[Any]

    # ── frames ──

    def to_arrow(self, *, schema: Any = None) -> Coroutine[Any, Any, Any]:
        """Read all rows into one Arrow table: ``table = await query.to_arrow()``, then ``table.to_pandas()``.

        Columns are made of the answers themselves, without instances. Every value is exact, or an error: a number that
        its column does not hold is never rounded and never wrapped.

        Args:
            schema: A ``pyarrow.Schema`` in place of the entity's: some of its columns, in this order and of these
                types. A table without a class needs one.

        Returns:
            Awaited, a ``pyarrow.Table``.

        Raises:
            ModelError: The schema is not of this entity.
            MarshallingError: An item does not fit its class, or a value its column. The query's ``on_error=`` applies.

        Cost: read units as for reading the query.
        """
        from mizzle_async.integrations.arrow.batches import to_arrow

        return to_arrow(self._runtime, self._plan, schema=schema)

    def arrow_batches(self, *, rows: int = 10_000, schema: Any = None) -> RecordBatches:
        """Return an iterator over the rows as Arrow record batches, for more rows than fit into memory.

        Args:
            rows: Rows of a batch. The last one may have fewer.
            schema: As for `to_arrow`.

        Returns:
            ``async for batch in query.arrow_batches()``: each a ``pyarrow.RecordBatch``. Its ``schema`` is known before
            anything is read, and ``aclose`` ends it early.

        Raises:
            ModelError: The schema is not of this entity.
        """
        from mizzle_async.integrations.arrow.batches import ArrowBatches

        return ArrowBatches(self._runtime, self._plan, rows=rows, schema=schema)

    # ── more than one process ──

    @overload
    def split(self, parts: int, /) -> list[Self]: ...
    @overload
    def split(self, /, *, at: Sequence[Any]) -> list[Self]: ...
    def split(self, parts: int | None = None, /, *, at: Sequence[Any] | None = None) -> list[Self]:
        """Return queries that read each item of this one once, for workers of any kind. Nothing is sent.

        A part is a query like any other: it is iterated, exported, rewritten, and it pickles. `on` gives it the client
        of the process that it arrives in.

        Args:
            parts: How many: segments of a scan, or of a query of several partitions those. Parts of one split fit
                together, parts of different splits do not.
            at: Values of the sort key between which a query is divided, ascending, one less than there are parts. An
                item at a value belongs to the part that begins there.

        Returns:
            The parts. Those of a query come in the order of its rows.

        Raises:
            ExpressionError: It cannot be divided so: ``max_items`` and ``max_evaluated`` count over all parts, and a
                query of one partition is divided by values.
            MarshallingError: A value does not fit the sort key.

        Cost: all parts together cost as much as the query, and up to one read unit more for each part.
        """
        from mizzle_async.bulk.parts import split_at, split_plan

        if (parts is None) == (at is None):
            raise ExpressionError("split() takes a number of parts, or at=[…] with values of the sort key")
        plans = split_plan(self._plan, parts) if at is None else split_at(self._plan, at)  # type: ignore[arg-type]  # one of them is None
        return [evolve(self, plan=plan) for plan in plans]

    def part(self, number: int, /, *, of: int) -> Self:
        """Return one part of this query: the one that `split` has at this position.

        For workers that build the query themselves, of Celery, Step Functions or Lambda: nothing is pickled.

        Args:
            number: The number of the part, from zero.
            of: How many parts there are.

        Raises:
            ExpressionError: There is no such part, or the query cannot be divided.
        """
        from mizzle_async.bulk.parts import part_of

        return evolve(self, plan=part_of(self._plan, number, of))

    def on(self, client: HasRuntime, /) -> Self:
        """Return this query on another client, such as one that came out of a pickle, on the client of its process.

        The table is the one that the query was made for, with the prefix of the client that made it. Converter, clock
        and limits are those of the client that reads.

        Args:
            client: The client.
        """
        runtime: Any = getattr(client, "_runtime", None)
        if not isinstance(runtime, Runtime):
            raise ExpressionError(f"query.on() takes a Client, not {type(client).__name__}")
        plan = self._plan
        return evolve(self, runtime=runtime, plan=evolve(plan, target=runtime.bind(plan.target.detached())))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the query without its client."""
        plan = self._plan
        return restored, (type(self), LAYOUT, evolve(plan, target=plan.target.detached(), warned=set()))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any], /) -> Self:
        return self  # nothing of it changes, and its client is not copied
