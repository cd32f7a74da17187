"""Exports to S3 as Spark data frames, and data frames as files for ImportTable. Spark reads and writes the bytes."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any, Literal

from mizzle_async.errors import ModelError
from mizzle_async.integrations.arrow.framing import entity_schema
from mizzle_async.integrations.arrow.library import pa
from mizzle_async.integrations.arrow.lines import ChangesReader, FullReader, import_lines
from mizzle_async.integrations.arrow.schemas import codec_of
from mizzle_async.integrations.arrow.writing import EntityRows
from mizzle_async.integrations.spark.platform import arrow_schema_of, pickled, spark_schema
from mizzle_async.marshalling.columns import columns_of


def read_export(
    spark: Any,
    path: str | list[str],
    entity: type[Any],
    /,
    *,
    incremental: bool = False,
    on_error: Literal["raise", "skip"] = "raise",
) -> Any:
    """Return a DynamoDB export to S3 as a Spark data frame. It costs no read units.

    Args:
        spark: The session.
        path: The export's files, such as ``s3://bucket/AWSDynamoDB/0170…/data/*.json.gz``.
        entity: The class.
        incremental: Whether the export is incremental: its columns are then the key's, ``change``, ``old``, ``new`` and
            ``written_at``, as for `arrow_batches_from_lines`.
        on_error: The fate of an item that does not fit its class.

    Raises:
        ModelError: The class is no entity, or Spark has no type for a column.
    """
    codec = codec_of(entity)
    schema = ChangesReader(codec, on_error).schema if incremental else entity_schema(columns_of(codec))
    columns = spark_schema(schema, codec.schema.entity)
    wanted = arrow_schema_of(columns).serialize().to_pybytes()
    task = ExportTask(pickled(entity), wanted, incremental=incremental, on_error=on_error)
    return spark.read.text(path).mapInArrow(task, columns)


class ExportTask:
    """Reads the lines that a task of Spark is given.

    Args:
        entity: The class, pickled.
        schema: The Arrow schema that Spark expects, serialized.
        incremental: Whether the export is incremental.
        on_error: The fate of an item that does not fit.
    """

    def __init__(self, entity: bytes, schema: bytes, *, incremental: bool, on_error: Literal["raise", "skip"]) -> None:
        self._entity = entity
        self._schema = schema
        self._incremental = incremental
        self._on_error: Literal["raise", "skip"] = on_error

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Yield the batches of the lines."""
        schema = pa.ipc.read_schema(pa.py_buffer(self._schema))
        codec = codec_of(pickle.loads(self._entity))  # noqa: S301  (the driver made it)
        reader: Any = (
            ChangesReader(codec, self._on_error) if self._incremental else FullReader(codec, None, self._on_error)
        )
        for batch in batches:
            made = reader.batch(batch.column(0).to_pylist())
            columns = [
                column if column.type.equals(field.type) else column.cast(field.type)
                for column, field in zip(made.columns, schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def write_import(frame: Any, entity: type[Any], path: str, /) -> None:
    """Write a data frame as gzipped files for ImportTable, of the format ``DYNAMODB_JSON``.

    An import writes a table of terabytes for the price of its files' size, without write units.

    Args:
        frame: A Spark data frame. Columns go by name, as for `Table.put_arrow`.
        entity: The class.
        path: A folder that does not exist, such as ``s3://bucket/import/``.

    Raises:
        ModelError: The columns are not those of the class.
    """
    codec = codec_of(entity)
    EntityRows(codec).check(arrow_schema_of(frame.schema))
    if codec.schema.unique or codec.schema.version is not None:
        raise ModelError(
            f"{codec.schema.entity}: an import checks neither a version nor unique attributes: write through a client"
        )
    lines = frame.mapInArrow(ImportTask(pickled(entity)), "value string")
    lines.write.option("compression", "gzip").text(path)


class ImportTask:
    """Makes the lines of an import of the rows that a task of Spark is given.

    Args:
        entity: The class, pickled.
    """

    def __init__(self, entity: bytes) -> None:
        self._entity = entity

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Yield batches of lines."""
        entity = pickle.loads(self._entity)  # noqa: S301  (the driver made it)
        for batch in batches:
            lines = [line[:-1].decode() for line in import_lines(batch, entity)]
            yield pa.RecordBatch.from_arrays([pa.array(lines, pa.string())], names=["value"])
