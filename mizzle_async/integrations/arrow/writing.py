"""Frames into items: record batches are put as a load puts instances, without instances in between."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

from mizzle_async.bulk.loads import LoadOptions, load
from mizzle_async.errors import ExpressionError, MarshallingError, MizzleError, ModelError
from mizzle_async.flow.ports import PacingPort
from mizzle_async.flow.work import BulkWork
from mizzle_async.integrations.arrow.cells import BadCell, check_column, payloads
from mizzle_async.integrations.arrow.library import pa
from mizzle_async.integrations.arrow.open_writing import OpenRows
from mizzle_async.integrations.arrow.types import arrow_type
from mizzle_async.marshalling import EntityCodec
from mizzle_async.marshalling.columns import Column, columns_of
from mizzle_async.marshalling.wellformed import unreadable
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.operations import Target
from mizzle_async.operations.batches import BatchEntry
from mizzle_async.operations.batches.requests import put_entry
from mizzle_async.operations.writes.stamps import stamp_put
from mizzle_async.types import Item

Extra: TypeAlias = Literal["raise", "drop"]
"""The fate of a column that the class does not declare."""

_CHUNK = 2_500
"""Rows that are made items at a time."""


class FrameRow:
    """One row of a frame, for reports: its values are taken out of the frame when they are asked for."""

    __slots__ = ("_batch", "number", "stored")

    def __init__(self, batch: Any, number: int, stored: Item | MizzleError) -> None:
        self._batch = batch
        self.number: int = number
        """Its position in its batch, from zero."""
        self.stored: Item | MizzleError = stored
        """Its item, or the reason why there is none."""

    def to_dict(self) -> dict[str, Any]:
        """Return its values by column."""
        row: dict[str, Any] = self._batch.slice(self.number, 1).to_pylist()[0]
        return row

    def __repr__(self) -> str:
        return f"<row {self.number} of a batch of {self._batch.num_rows}>"


MakeItems: TypeAlias = Callable[[Any], list[Item | MizzleError]]


def put_arrow(
    owner: PacingPort, target: Target[Any], data: Any, options: LoadOptions, *, extra: Extra = "raise"
) -> BulkWork:
    """Return the work of putting the rows of a frame. `Table.put_arrow` explains the arguments."""
    if extra not in {"raise", "drop"}:
        raise ExpressionError(f"put_arrow: extra= is 'raise' or 'drop', not {extra!r}")
    codec = target.codec
    make_items = rows_maker(codec, extra)

    def make(row: FrameRow, position: int) -> BatchEntry:
        item = row.stored
        if isinstance(item, Exception):
            raise item
        if codec.schema.role_attributes:
            stamp_put(codec, item, owner.now())
        codec.check_new(item)
        return put_entry(target, item, row, position)

    source = _AsyncRows(data, make_items) if isinstance(data, AsyncIterable) else rows_of(data, make_items)
    return load(owner, source, make, options, verb="put_arrow", kind="put", table=target.table)


def rows_of(data: Any, make_items: MakeItems) -> Iterator[FrameRow]:
    """Yield the rows of a frame, as items or the errors of those that are none."""
    for batch in batches_of(data):
        yield from _rows(batch, make_items)


def _rows(batch: Any, make_items: MakeItems) -> Iterator[FrameRow]:
    for start in range(0, batch.num_rows, _CHUNK):
        chunk = batch.slice(start, _CHUNK)
        for number, item in enumerate(make_items(chunk)):
            yield FrameRow(chunk, number, item)


class _AsyncRows(AsyncIterator[FrameRow]):
    """The rows of record batches that come from an asynchronous iterable."""

    def __init__(self, batches: AsyncIterable[Any], make_items: MakeItems) -> None:
        self._batches = aiter(batches)
        self._make_items = make_items
        self._rows: Iterator[FrameRow] = iter(())

    async def __anext__(self) -> FrameRow:
        while (row := next(self._rows, None)) is None:
            self._rows = rows_of(await anext(self._batches), self._make_items)
        return row


def batches_of(data: Any) -> Iterable[Any]:
    """Return the record batches of a frame.

    Args:
        data: A table, a record batch, a reader, an iterable of batches, or a frame of any library that offers
            Arrow's stream: polars, pandas, DuckDB.

    Raises:
        ExpressionError: It is none of them.
    """
    frame = data
    if type(data).__module__.partition(".")[0] == "pandas":
        frame = pa.Table.from_pandas(data, preserve_index=False)
    elif hasattr(data, "__arrow_c_stream__") and not isinstance(data, pa.Table | pa.RecordBatchReader):
        frame = _imported(data)
    if isinstance(frame, pa.RecordBatch):
        return [frame]
    if isinstance(frame, pa.Table | pa.RecordBatchReader):
        stream: Iterable[Any] = frame if isinstance(frame, pa.RecordBatchReader) else frame.to_batches()
        return stream
    if isinstance(data, Iterable) and not isinstance(data, str | bytes | dict):
        return _each(data)
    raise ExpressionError(
        f"put_arrow() takes a pyarrow.Table, record batches, or a frame of polars or pandas, not {type(data).__name__}"
    )


def _imported(data: Any) -> Any:
    """Return a frame that offers Arrow's stream as a table. An older pyarrow does not know each type of polars."""
    try:
        return pa.table(data)
    except pa.ArrowException:
        if not hasattr(data, "to_arrow"):
            raise
        return data.to_arrow()


def _each(batches: Iterable[Any]) -> Iterator[Any]:
    for batch in batches:
        if not isinstance(batch, pa.RecordBatch | pa.Table):
            raise ExpressionError(f"put_arrow() takes record batches, and the iterable has a {type(batch).__name__}")
        yield from batches_of(batch)


def rows_maker(codec: EntityCodec[Any], extra: Extra = "raise") -> MakeItems:
    """Return the function that makes items of the rows of record batches."""
    return OpenRows(codec) if codec.schema.is_open else EntityRows(codec, extra)


class EntityRows:
    """Makes items of the rows of record batches.

    Args:
        codec: The entity's.
        extra: The fate of a column that the class does not declare.
    """

    def __init__(self, codec: EntityCodec[Any], extra: Extra = "raise") -> None:
        self._codec = codec
        self._extra = extra
        self._columns = columns_of(codec)
        self._checked: Any = None

    def __call__(self, batch: Any) -> list[Item | MizzleError]:
        """Return the items of a batch, and errors in place of rows that cannot be stored.

        Raises:
            ModelError: The columns are not those of the class.
        """
        if self._checked is None or not self._checked.equals(batch.schema):
            self.check(batch.schema)
            self._checked = batch.schema
        lists: list[list[Any]] = []
        bad: dict[int, BadCell] = {}
        for column in self._columns.columns:
            assert isinstance(column, Column)  # noqa: S101  (no paths were given)
            position = batch.schema.get_field_index(column.name)
            array = pa.nulls(batch.num_rows) if position < 0 else batch.column(position)
            entries, cells = payloads(column, array)
            lists.append(entries)
            bad = {**cells, **bad}
        items: list[Item | MizzleError] = [*self._columns.items(lists)]
        for row, cell in bad.items():
            items[row] = self._error(cell)
        return self._whole(items) if self._is_partial else items

    def check(self, schema: Any) -> None:
        """Check the columns of a frame.

        Raises:
            ModelError: They are not those of the class.
        """
        entity = self._codec.schema.entity
        known = {column.name: column for column in self._columns.columns}
        names = schema.names
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ModelError(f"{entity}: the frame has two columns {', '.join(map(repr, twice))}: rename one")
        unknown = [name for name in names if name not in known]
        if unknown and self._extra == "raise":
            raise ModelError(
                f"{entity}: the frame has columns that the class does not declare: {', '.join(map(repr, unknown))}; "
                'leave them out, or extra="drop" does'
            )
        needed = {name for name, each in known.items() if isinstance(each, Column) and not each.field.may_be_absent}
        lacking = sorted(needed - set(names))
        if lacking:
            raise ModelError(
                f"{entity}: the frame has no column {', '.join(map(repr, lacking))}, which the class needs"
            )
        for field in schema:
            column = known.get(field.name)
            if isinstance(column, Column):
                check_column(entity, column, field.type)

    @property
    def _is_partial(self) -> bool:
        """Whether the stored item has more than the class's attributes as they are."""
        return self._codec.sharding is not None or self._codec.shared is not None

    def _whole(self, items: Sequence[Item | MizzleError]) -> list[Item | MizzleError]:
        whole: list[Item | MizzleError] = []
        for item in items:
            try:
                whole.append(item if isinstance(item, Exception) else self._completed(item))
            except MizzleError as error:
                whole.append(error)
        return whole

    def _completed(self, item: Item) -> Item:
        codec = self._codec
        if codec.sharding is not None:
            return codec.sharding.spread(item)
        return codec.encode(codec.class_shape.decode_fields(item))

    def _error(self, cell: BadCell) -> MizzleError:
        """Return the error of a row for one of its cells."""
        entity = self._codec.schema.entity
        if isinstance(cell.error, Misfit | MizzleError):
            return unreadable(entity, cell.error)
        path = f"{entity}.{cell.column.name}"
        kind = arrow_type(cell.column.form.type)
        return MarshallingError(f"{path}: expected a value that {kind} holds exactly, found another one", path=path)
