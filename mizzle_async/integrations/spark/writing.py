"""Spark data frames as items: only by verbs that a task may do twice, because Spark runs tasks again."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias, get_args

from attrs import evolve

from mizzle_async.errors import BatchError, ExpressionError, ItemExistsError, MizzleError, ModelError
from mizzle_async.flow.pace import rate_limiter
from mizzle_async.flow.report import BatchReport, UndoneWrite
from mizzle_async.handles.client import Client
from mizzle_async.handles.table import Table
from mizzle_async.handles.with_workers import connect_like
from mizzle_async.integrations.arrow.library import pa
from mizzle_async.integrations.arrow.writing import EntityRows, FrameRow, rows_maker, rows_of
from mizzle_async.integrations.spark.platform import arrow_schema_of, pickled, share_of, tasks_at_once
from mizzle_async.operations.batches import check_batchable
from mizzle_async.writing.table_part import target_of

Verb: TypeAlias = Literal["put", "insert", "delete"]

MOST_UNDONE: Final = 100
"""Items that a task's report names; of the others it counts how many there are."""

REPORT: Final = "report binary"


def write_frame(
    frame: Any,
    table: Table[Any],
    /,
    *,
    verb: Verb = "put",
    write_units_per_second: float | None = None,
    connect: Callable[[], Client] | None = None,
    tasks: int | None = None,
) -> BatchReport:
    """Write the rows of a Spark data frame, and return the report of all tasks. This is an action: it runs the job.

    Spark runs a task again that has failed, or that it finds slow. So there are only verbs that may be done twice:
    ``put`` writes the same item again, ``delete`` finds nothing left to do, and ``insert`` counts an item as written
    that is stored exactly as it would be. An update that adds would add twice: compute the value in Spark, and put it.

    Args:
        frame: A Spark data frame. Columns go by name, as for `Table.put_arrow`; ``delete`` needs those of the key and
            ignores others. Of two rows with one key in different tasks either may win.
        table: The table.
        verb: ``"put"``, ``"insert"`` or ``"delete"``.
        write_units_per_second: Consume no more than this with all tasks together, shared out between those that run at
            once.
        connect: Returns the client of a task, as for `read_query`.
        tasks: How many tasks run at once, for the share of each. None asks Spark, and Spark Connect does not say.

    Returns:
        The report. Of each task it names the first hundred items that were not written.

    Raises:
        ModelError: The columns are not those of the class.
        ExpressionError: There is no such verb, or the entity has a version or unique attributes.
        BatchError: Something was not written. ``error.report`` names it.
    """
    if verb not in get_args(Verb):
        raise ExpressionError(
            f"write_frame: verb= is put, insert or delete, not {verb!r}: tasks of Spark may run twice. DynamoDB has no "
            "truncate, so there is no overwrite: delete, then put"
        )
    target = target_of(table)
    check_batchable(target.schema, "delete" if verb == "delete" else "put")
    if target.schema.is_open:
        raise ModelError(f"{target.schema.entity}: Spark writes to tables that have a class: declare one")
    _check_columns(table, arrow_schema_of(frame.schema), verb)
    runtime = table._runtime  # noqa: SLF001  (data frames are another half of tables)
    connect = connect or connect_like(runtime.settings)  # type: ignore[attr-defined]  # a client's
    if write_units_per_second is not None and tasks is None:
        tasks = tasks_at_once(frame.sparkSession, 0)
        if not tasks:
            raise ExpressionError("write_units_per_second= needs tasks= here: Spark does not say how many run at once")
    share = share_of(write_units_per_second, tasks or 1, "write_frame")
    task = WriteTask(pickled((connect, table.scan())), verb, share)
    rows = frame.mapInArrow(task, REPORT).collect()
    report = sum((pickle.loads(row[0]) for row in rows), BatchReport())  # noqa: S301  (our own tasks made them)
    if not report.is_complete:
        raise report.to_error("write_frame")
    return report


def _check_columns(table: Table[Any], schema: Any, verb: Verb) -> None:
    target = target_of(table)
    if verb != "delete":
        EntityRows(target.codec).check(schema)
        return
    names = [attribute.field for attribute in target.schema.key_attributes]
    missing = [name for name in names if name not in schema.names]
    if missing:
        raise ModelError(f"{target.schema.entity}: the frame has no column {', '.join(missing)}, which is of its key")


class WriteTask:
    """Writes the rows that a task of Spark is given, and returns its report as a row.

    Args:
        target: The function that returns the client, and a scan of the table, pickled.
        verb: The verb.
        share: The task's units a second, or None for no limit.
    """

    def __init__(self, target: bytes, verb: Verb, share: float | None) -> None:
        self._target = target
        self._verb: Verb = verb
        self._share = share

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Write the batches, and yield the report."""
        report = asyncio.run(self._written(batches))
        yield pa.RecordBatch.from_arrays([pa.array([pickle.dumps(_travelling(report))], pa.binary())], names=["report"])

    async def _written(self, batches: Iterator[Any]) -> BatchReport:
        connect, scan = pickle.loads(self._target)  # noqa: S301  (the driver made it)
        async with connect() as client:
            runtime = client._runtime  # noqa: SLF001  (the limit of one task)
            if self._share is not None:
                runtime.write_limiter = rate_limiter(self._share, runtime.pause)
            target = scan.on(client)._plan.target  # noqa: SLF001  (a table's own target, as the driver named it)
            table: Table[Any] = Table(runtime, target)
            work: Any
            match self._verb:
                case "put":
                    work = table.put_arrow(batches)
                case "delete":
                    work = table.delete_many(_keys(batches, table))
                case _:
                    return await _insert_all(client, table, batches)
            try:
                await work
            except BatchError as error:
                if not isinstance(error.__cause__, MizzleError):
                    raise
            return work.report  # type: ignore[no-any-return]  # a BulkWork's


def _keys(batches: Iterator[Any], table: Table[Any]) -> Iterator[Any]:
    names = [attribute.field for attribute in target_of(table).schema.key_attributes]
    for batch in batches:
        for row in batch.select(names).to_pylist():
            yield table.key(**row)


async def _insert_all(client: Client, table: Table[Any], batches: Iterator[Any]) -> BatchReport:
    """Insert rows; an item that is stored exactly as it would be was written by an earlier attempt."""
    report = BatchReport()
    codec = target_of(table).codec
    make_items = rows_maker(codec)
    for batch in batches:
        rows = list(rows_of(batch, make_items))
        instances: list[tuple[FrameRow, Any]] = []
        for row in rows:
            report.taken += 1
            if isinstance(row.stored, Exception):
                report.note(UndoneWrite("put", table.name, None, row.stored, report.taken - 1))
            else:
                instances.append((row, codec.decode(row.stored)))
        operations = [table.insert(instance) for _, instance in instances]
        outcomes = {id(operation): outcome async for operation, outcome in client.send_all(operations)}
        for operation, (_, instance) in zip(operations, instances, strict=True):
            error = outcomes[id(operation)].error
            if error is None or (isinstance(error, ItemExistsError) and await _is_stored(table, instance)):
                report.written += 1
            else:
                key = table.key(instance)
                report.note(UndoneWrite("put", table.name, key, error))
    return report


async def _is_stored(table: Table[Any], instance: Any) -> bool:
    stored = await table.get(table.key(instance), consistent_read=True)
    return bool(stored == instance)


def _travelling(report: BatchReport) -> BatchReport:
    """Return a report that fits into a row: its first items by key, and errors in words."""
    return evolve(report, failed=_named(report.failed), unknown=_named(report.unknown))


def _named(undone: Sequence[UndoneWrite]) -> list[UndoneWrite]:
    shown = [_without_values(each) for each in undone[:MOST_UNDONE]]
    rest = len(undone) - len(shown)
    if rest:
        last = shown[-1]
        error = MizzleError(f"{rest:,} more items of one task were not written")
        shown.append(evolve(last, item=None, error=error, position=-1))
    return shown


def _without_values(undone: UndoneWrite) -> UndoneWrite:
    item = undone.item
    if isinstance(item, FrameRow):
        item = item.number
    try:
        pickle.dumps(undone.error)
    except Exception:  # noqa: BLE001  (an error of another library)
        return evolve(undone, item=item, error=MizzleError(f"{type(undone.error).__name__}: {undone.error}"))
    return evolve(undone, item=item)
