"""Queries as Spark data frames: each part is a task, which reads pages into Arrow batches."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any, Final

from mizzle_async.errors import ModelError
from mizzle_async.handles.client import Client
from mizzle_async.handles.query import Read
from mizzle_async.handles.with_workers import connect_like
from mizzle_async.integrations.arrow.batches import plan_framer
from mizzle_async.integrations.arrow.library import pa
from mizzle_async.integrations.arrow.reader import read_batches
from mizzle_async.integrations.spark.platform import (
    arrow_schema_of,
    pickled,
    run_aside,
    share_of,
    spark_schema,
    tasks_at_once,
)

PART_BYTES: Final = 128 * 1024 * 1024
"""The size of a part where the caller does not say how many there are."""

MOST_PARTS: Final = 10_000
ROWS: Final = 10_000


def read_query(
    spark: Any,
    query: Read[Any, Any],
    /,
    *,
    parts: int | None = None,
    read_units_per_second: float | None = None,
    connect: Callable[[], Client] | None = None,
    schema: Any = None,
) -> Any:
    """Return the rows of a query as a Spark data frame. Nothing is read before Spark needs it.

    What the query says is sent to the service: its filter, its projection, its index, its key condition. Every action
    reads anew; ``.cache()`` or ``.persist()`` keeps what was read.

    Args:
        spark: The session.
        query: A scan, a query, or a projected one. A query of one partition key value is one task.
        parts: In how many tasks it is read. None for one for each 128 MB of the table, by one DescribeTable.
        read_units_per_second: Consume no more than this with all tasks together. It is shared out between the tasks
            that run at once.
        connect: Returns the client of a task. Without it tasks have clients with the region, profile and endpoint of
            the query's own, and credentials of their machine.
        schema: As for `Query.to_arrow`. A table without a class needs one.

    Raises:
        ModelError: Spark has no type for a column, or the schema is not of this entity.
        ExpressionError: The query cannot be divided, or something does not travel to Spark's workers.

    Cost: read units as for reading the query, for each action.
    """
    plan = query._plan  # noqa: SLF001  (data frames are another half of queries)
    entity = plan.target.schema.entity
    columns = spark_schema(plan_framer(plan, schema).schema, entity)
    connect = connect or connect_like(query._runtime.settings)  # type: ignore[attr-defined]  # noqa: SLF001  # a client's
    queries = [query]
    if plan.partition is None:
        count = _parts_by_size(query, connect) if parts is None else parts
        queries = query.split(count)
    elif plan.partitions:
        queries = query.split(len(plan.partitions) if parts is None else parts)
    elif parts not in {None, 1}:
        raise ModelError(f"{entity}: a query of one partition key value is one part: leave parts= out")
    share = share_of(read_units_per_second, tasks_at_once(spark, len(queries)), "read_query")
    wanted = arrow_schema_of(columns).serialize().to_pybytes()
    task = ReadTask(pickled(connect), wanted, share)
    rows = [(number, bytearray(pickled(part))) for number, part in enumerate(queries)]
    dealt = spark.createDataFrame(rows, "number int, part binary")
    dealt = dealt.repartitionByRange(len(queries), "number") if len(queries) > 1 else dealt.coalesce(1)
    return dealt.mapInArrow(task, columns)


def _parts_by_size(query: Read[Any, Any], connect: Callable[[], Client]) -> int:
    table = query._plan.target.table  # noqa: SLF001  (as above)

    async def described() -> int:
        async with connect() as client:
            answer = await client.control("DescribeTable", {"TableName": table})
        return int(answer["Table"].get("TableSizeBytes", 0))

    return max(1, min(MOST_PARTS, -(-run_aside(described) // PART_BYTES)))


class ReadTask:
    """Reads the parts that a task of Spark is given.

    Args:
        connect: Returns the client, pickled.
        schema: The Arrow schema that Spark expects, serialized.
        share: The task's units a second, or None for no limit.
    """

    def __init__(self, connect: bytes, schema: bytes, share: float | None) -> None:
        self._connect = connect
        self._schema = schema
        self._share = share

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Yield the batches of the parts."""
        schema = pa.ipc.read_schema(pa.py_buffer(self._schema))
        connect = pickle.loads(self._connect)  # noqa: S301  (the driver made it)
        for batch in batches:
            for data in batch.column(1).to_pylist():
                part = pickle.loads(data)  # noqa: S301  (as above)
                yield from _checked(
                    read_batches(part, connect=connect, rows=ROWS, schema=schema, read_units_per_second=self._share),
                    schema,
                )


def _checked(batches: Iterator[Any], schema: Any) -> Iterator[Any]:
    """Yield batches whose schema is exactly the one that Spark expects: it checks none but the first itself."""
    for batch in batches:
        if not batch.schema.equals(schema):
            raise ModelError(f"a batch has other columns than the driver's: {batch.schema.names}, not {schema.names}")
        yield batch
