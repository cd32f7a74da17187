"""DynamoDB's exports to S3 as frames, and frames as files that ImportTable reads: lines of DynamoDB's JSON.

The bytes come from where they are: a file, fsspec, Spark. A full export has one item a line, ``{"Item": {…}}``. An
incremental one has a line for each key that was written, with the item before and after::

    {"Metadata": {"WriteTimestampMicros": {"N": "…"}}, "Keys": {…}, "OldImage": {…}, "NewImage": {…}}
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Final, Literal, TypeAlias

import msgspec
import orjson

from mizzle_async.errors import MarshallingError, MizzleError
from mizzle_async.integrations.arrow.framing import EntityFramer
from mizzle_async.integrations.arrow.library import pa
from mizzle_async.integrations.arrow.schemas import codec_of
from mizzle_async.integrations.arrow.types import INSTANT
from mizzle_async.integrations.arrow.writing import rows_maker, rows_of
from mizzle_async.marshalling import EntityCodec
from mizzle_async.marshalling.columns import columns_of
from mizzle_async.operations import check_at_least_one
from mizzle_async.operations.guards import is_guard
from mizzle_async.types import Item

CHUNK: Final = 1_000
"""Lines that are made columns at a time: their records fit into the caches of a processor."""

Line: TypeAlias = bytes | str
OnError: TypeAlias = Literal["raise", "skip"] | Callable[[MarshallingError], object]


def arrow_batches_from_lines(
    lines: Iterable[Line],
    entity: type[Any],
    /,
    *,
    rows: int = 10_000,
    schema: Any = None,
    on_error: OnError = "raise",
) -> Iterator[Any]:
    """Yield the record batches of a DynamoDB export to S3, full or incremental, as its first line says.

    Of a full export the columns are the entity's. Of an incremental one they are the key's attributes, ``change``
    (``put``, ``update``, or ``delete``), ``old`` and ``new`` (structs of the entity's columns, or null), and
    ``written_at``: what a MERGE into a table of Delta or Iceberg takes. An export of new images has ``put`` for updates
    too, and no ``old``.

    Args:
        lines: The lines, decompressed: an open file, for one.
        entity: The class.
        rows: Rows of a batch.
        schema: As for `Query.to_arrow`, of full exports.
        on_error: The fate of an item that does not fit its class: it raises, is skipped, or goes to a function.

    Raises:
        MarshallingError: A line is none of an export, or an item does not fit.

    Cost: no read units: an export is paid for by its size.
    """
    check_at_least_one("arrow_batches_from_lines", rows=rows)
    source = iter(lines)
    codec = codec_of(entity)
    first = next(source, None)
    if first is None:
        yield EntityFramer(columns_of(codec), schema).batch([])
        return
    is_full = b'"Item"' in _bytes(first)[:64]
    reader = FullReader(codec, schema, on_error) if is_full else ChangesReader(codec, on_error)
    source = chain([first], source)
    while chunks := list(_chunks(islice(source, rows))):
        yield from _joined([reader.batch(chunk) for chunk in chunks])


def _chunks(lines: Iterator[Line]) -> Iterator[list[Line]]:
    while chunk := list(islice(lines, CHUNK)):
        yield chunk


def _joined(batches: list[Any]) -> list[Any]:
    """Return the rows of some batches of one schema as one batch; as more only if a column has gigabytes of text."""
    if len(batches) == 1:
        return batches
    joined: list[Any] = pa.Table.from_batches(batches).combine_chunks().to_batches()
    return joined or batches[:1]


def _bytes(line: Line) -> bytes:
    return line.encode() if isinstance(line, str) else line


def _each(lines: list[Line], entity: str) -> Iterator[dict[str, Any]]:
    for line in lines:
        content = _bytes(line).strip()
        if not content:
            continue
        try:
            parsed: Any = orjson.loads(content)
        except ValueError:
            raise MarshallingError(f"{entity}: a line of the export is no JSON", path=entity) from None
        if not isinstance(parsed, dict):
            raise MarshallingError(f"{entity}: a line of the export is no object", path=entity)
        yield parsed


class FullReader:
    """Reads lines of a full export.

    Args:
        codec: The entity's.
        schema: The caller's own schema, or None.
        on_error: The fate of an item that does not fit.
    """

    def __init__(self, codec: EntityCodec[Any], schema: Any, on_error: OnError) -> None:
        self._framer = EntityFramer(columns_of(codec), schema)
        self._codec = codec
        self._on_error = on_error
        self._decoder: msgspec.json.Decoder[Any] | None = None
        if codec.records is not None:
            line = msgspec.defstruct("ExportLine", [("Item", codec.records.cls)], gc=False)
            self._decoder = msgspec.json.Decoder(list[line])  # type: ignore[valid-type]  # made at run time

    def batch(self, lines: list[Line]) -> Any:
        """Return the batch of some lines.

        Raises:
            MarshallingError: A line is none of a full export, or an item does not fit.
        """
        items = self._items(lines)
        try:
            return self._framer.batch(items)
        except MarshallingError:
            if self._on_error == "raise":
                raise
        return self._framer.batch([item for item in items if self._fits(item)])

    def _items(self, lines: list[Line]) -> list[Any]:
        has_guards = bool(self._codec.schema.unique)
        if self._decoder is not None and lines and not has_guards:
            try:
                # Line feeds are white space to JSON. An empty line is no JSON: then each line is read alone.
                return [line.Item for line in self._decoder.decode(_as_list(lines))]
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError):
                pass
        schema = self._codec.schema
        items = [_image(line, "Item", schema.entity) for line in _each(lines, schema.entity)]
        foreign = self._codec.foreign
        return [
            item for item in items if not is_guard(schema, item) and (foreign is None or not foreign(item))
        ]  # fmt: skip

    def _fits(self, item: Any) -> bool:
        try:
            self._framer.batch([item])
        except MarshallingError as error:
            if callable(self._on_error):
                self._on_error(error)
            return False
        return True


def _as_list(lines: list[Line]) -> Line:
    """Return the JSON of a list of lines of one kind, in one copy of their content."""
    signs: list[Any] = [b"[", b",", b"]"] if isinstance(lines[0], bytes) else ["[", ",", "]"]
    left, comma, right = signs
    ends: list[Any] = [left + lines[0], *lines[1:]]
    ends[-1] += right
    joined: Line = comma.join(ends)
    return joined


def _image(line: dict[str, Any], name: str, entity: str) -> Item:
    image = line.get(name)
    if not isinstance(image, dict):
        raise MarshallingError(f"{entity}: a line of the export has no {name}", path=entity)
    return image


class ChangesReader:
    """Reads lines of an incremental export.

    Args:
        codec: The entity's.
        on_error: The fate of an item that does not fit.

    Attributes:
        schema: The schema of every batch.
    """

    def __init__(self, codec: EntityCodec[Any], on_error: OnError) -> None:
        self._codec = codec
        self._entity = codec.schema.entity
        self._on_error = on_error
        self._whole = EntityFramer(columns_of(codec))
        keys = pa.schema([self._whole.schema.field(attribute.field) for attribute in codec.schema.key_attributes])
        self._key_names = keys.names
        image = pa.struct(list(self._whole.schema))
        self.schema: Any = pa.schema(
            [
                *keys,
                pa.field("change", pa.string(), nullable=False),
                pa.field("old", image),
                pa.field("new", image),
                pa.field("written_at", INSTANT, nullable=False),
            ]
        )

    def batch(self, lines: list[Line]) -> Any:
        """Return the batch of some lines.

        Raises:
            MarshallingError: A line is none of an incremental export, or an item does not fit.
        """
        parsed = [line for line in _each(lines, self._entity) if self._is_own(line)]
        try:
            return self._batch(parsed)
        except MarshallingError:
            if self._on_error == "raise":
                raise
        return self._batch([line for line in parsed if self._fits(line)])

    def _is_own(self, line: dict[str, Any]) -> bool:
        keys = _image(line, "Keys", self._entity)
        item = line.get("NewImage") or line.get("OldImage") or keys
        foreign = self._codec.foreign
        return not is_guard(self._codec.schema, keys) and (foreign is None or not foreign(item))

    def _fits(self, line: dict[str, Any]) -> bool:
        try:
            self._batch([line])
        except MarshallingError as error:
            if callable(self._on_error):
                self._on_error(error)
            return False
        return True

    def _batch(self, lines: list[dict[str, Any]]) -> Any:
        old, new = (self._images(lines, name) for name in ("OldImage", "NewImage"))
        changes = [_change(line) for line in lines]
        times = [self._written_at(line) for line in lines]
        arrays = [
            *(self._keys(lines)),
            pa.array(changes, pa.string()),
            old,
            new,
            pa.array(times, pa.int64()).cast(INSTANT),
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _keys(self, lines: list[dict[str, Any]]) -> list[Any]:
        columns = {column.name: column for column in columns_of(self._codec).columns}
        sharding = self._codec.sharding
        arrays: list[Any] = []
        for name in self._key_names:
            values: list[Any] = []
            for line in lines:
                key = line["Keys"] if sharding is None else sharding.collect(line["Keys"])
                try:
                    values.append(columns[name].value(key))
                except Exception as error:
                    raise columns_of(self._codec).misread(error, key) from error
            arrays.append(pa.array(values, self.schema.field(name).type))
        return arrays

    def _images(self, lines: list[dict[str, Any]], name: str) -> Any:
        """Return the structs of items before or after, null where there is none."""
        items = [line[name] for line in lines if line.get(name) is not None]
        kind = self.schema.field("old").type
        if not items:
            return pa.nulls(len(lines), kind)
        positions = iter(range(len(items)))
        is_null = [line.get(name) is None for line in lines]
        places = pa.array([0 if null else next(positions) for null in is_null], pa.int64())
        batch = self._whole.batch(items)
        columns = [column.take(places) for column in batch.columns]
        return pa.StructArray.from_arrays(columns, fields=list(self._whole.schema), mask=pa.array(is_null))

    def _written_at(self, line: dict[str, Any]) -> int:
        try:
            return int(line["Metadata"]["WriteTimestampMicros"]["N"])
        except (LookupError, TypeError, ValueError):
            raise MarshallingError(
                f"{self._entity}: a line of the export does not say when it was written", path=self._entity
            ) from None


def _change(line: dict[str, Any]) -> str:
    if line.get("NewImage") is None:
        return "delete"
    return "put" if line.get("OldImage") is None else "update"


# ── for ImportTable ──


def import_lines(frame: Any, entity: type[Any], /) -> Iterator[bytes]:
    """Yield the lines that ImportTable reads of the rows of a frame: DynamoDB's JSON, each with its line feed.

    Args:
        frame: As for `Table.put_arrow`.
        entity: The class.

    Raises:
        ModelError: The columns are not those of the class.
        MarshallingError: A row does not fit. Nothing of an import is checked later, so nothing is left out.
    """
    for row in rows_of(frame, rows_maker(codec_of(entity))):
        item = row.stored
        if isinstance(item, MizzleError):
            item.add_note(f"row {row.number:,} of its batch")
            raise item
        yield b'{"Item":%b}\n' % orjson.dumps(item)


def write_import_file(frame: Any, entity: type[Any], target: str | os.PathLike[str] | IO[bytes], /) -> int:
    """Write the rows of a frame as a gzipped file for ImportTable, of the format ``DYNAMODB_JSON``.

    Args:
        frame: As for `Table.put_arrow`.
        entity: The class.
        target: A path, which should end in ``.json.gz``, or a file that is open for writing bytes.

    Returns:
        The number of items.
    """
    lines = import_lines(frame, entity)
    if isinstance(target, str | os.PathLike):
        with Path(target).open("wb") as file:
            return _write_gzipped(lines, file)
    return _write_gzipped(lines, target)


def _write_gzipped(lines: Iterator[bytes], file: IO[bytes]) -> int:
    count = 0
    with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
        for line in lines:
            packed.write(line)
            count += 1
    return count
