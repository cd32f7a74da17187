"""Rows of Parquet as plain JSON: no type of it makes a file unreadable."""

from __future__ import annotations

import struct
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from math import isfinite, isnan
from typing import Any, BinaryIO, Final, TypeAlias

from mizzle_async.cli.files.rows import Nan, Row, unreadable
from mizzle_async.cli.formats import Format
from mizzle_async.marshalling import parse_json

ROWS: Final = 1_000
"""The number of rows that are read at a time."""

Convert: TypeAlias = Callable[[Any], Any]

UNITS: Final = {"s": 0, "ms": 3, "us": 6, "ns": 9}
"""The units of times, by the digits behind the second."""

FLOAT_FORMATS: Final = {32: ("f", 9), 16: ("e", 5)}
"""The format of floats of fewer bits than Python's, and the digits that tell any two of them apart."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def parquet_rows(name: str, stream: BinaryIO, nan: Nan = "reject") -> Iterator[Row]:
    """Yield the rows of a file. A cell without a value is an absent attribute.

    Args:
        name: The file.
        stream: Its contents.
        nan: The handling of a NaN.

    Raises:
        click.ClickException: If it is damaged, or not Parquet.
    """
    arrow = import_module("pyarrow")
    try:
        file = import_module("pyarrow.parquet").ParquetFile(stream)
        converters = Converters(arrow, has_nan=nan == "reject")
        fields = [
            (field.name, _readable(arrow, field.type), converters.of_field(field), mark_of(field))
            for field in _schema(arrow, file)
        ]
        number = 0
        for batch in file.iter_batches(batch_size=ROWS):
            columns = [batch.column(at).cast(kind).to_pylist() for at, (_, kind, _, _) in enumerate(fields)]
            for cells in zip(*columns, strict=True):
                number += 1
                values = {
                    column: convert(cell)
                    for (column, _, convert, mark), cell in zip(fields, cells, strict=True)
                    if is_present(cell, mark)
                }
                if nan == "omit":
                    values = {column: value for column, value in values.items() if value is not None}
                yield Row(file=name, line=number, values=values, format=Format.PARQUET)
    except (OSError, ValueError, NotImplementedError) as error:  # as the errors of pyarrow are
        raise unreadable(name, error) from error


def _schema(arrow: Any, file: Any) -> Any:
    """Return the schema of a file, as its writer left it there: older versions of pyarrow forget the marks in maps."""
    shown = file.schema_arrow
    left = (file.metadata.metadata or {}).get(b"ARROW:schema")
    if left is None:
        return shown
    stored = arrow.ipc.read_schema(arrow.BufferReader(b64decode(left)))
    return stored if stored.equals(shown) else shown


def mark_of(field: Any) -> str:
    """Return the word that a frame of this library has in the metadata of a field whose type does not say it all.

    A field of another type has no such word: a program that cast the column has left it there.
    """
    mark: bytes = (field.metadata or {}).get(b"mizzle", b"")
    is_right = _MARKED.get(mark)
    return mark.decode() if is_right is not None and is_right(import_module("pyarrow").types, field.type) else ""


def _is_text(types: Any, kind: Any) -> bool:
    if types.is_dictionary(kind):
        return _is_text(types, kind.value_type)
    return types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view"


def _is_set(types: Any, kind: Any) -> bool:
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return is_list and not types.is_nested(kind.value_type)


_MARKED: Final[dict[bytes, Callable[[Any, Any], bool]]] = {b"json": _is_text, b"set": _is_set}
"""The types of the fields that have a word."""


def is_present(value: Any, mark: str) -> bool:
    """Return whether a value is stored. An empty set is the absence of one."""
    return value is not None and (mark != "set" or bool(value))


def _readable(arrow: Any, kind: Any) -> Any:
    """Return a type with times as integers in it, because Python's have no nanoseconds."""
    types = arrow.types
    if types.is_timestamp(kind) or types.is_duration(kind) or types.is_time64(kind):
        return arrow.int64()
    if types.is_struct(kind):
        return arrow.struct([(field.name, _readable(arrow, field.type)) for field in kind])
    if types.is_map(kind):
        return arrow.map_(_readable(arrow, kind.key_type), _readable(arrow, kind.item_type))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return arrow.list_(_readable(arrow, kind.value_type))
    return kind


class Converters:
    """Makes the functions that turn values of Parquet into plain JSON.

    Args:
        arrow: The module of pyarrow.
        has_nan: Whether a NaN stays one, which no item can have. It becomes nothing else.
    """

    def __init__(self, arrow: Any, *, has_nan: bool) -> None:
        self._types = arrow.types
        self._has_nan = has_nan

    def of_field(self, field: Any) -> Convert:
        """Return the function for the values of a field. A frame of this library marks sets, and texts of JSON."""
        mark = mark_of(field)
        if mark == "json":
            return _parsed
        convert = self.of(field.type)
        return convert if mark != "set" else lambda value: set(convert(value))

    def of(self, kind: Any) -> Convert:
        """Return the function for the values of a type."""
        return self._collection(kind) or self._scalar(kind)

    def _scalar(self, kind: Any) -> Convert:
        types = self._types
        if types.is_timestamp(kind):
            digits, zone = UNITS[kind.unit], kind.tz is not None
            return lambda value: _moment(value, digits, has_zone=zone)
        if types.is_duration(kind):
            digits = UNITS[kind.unit]
            return lambda value: Decimal(value).scaleb(-digits)
        if types.is_time64(kind):
            digits = UNITS[kind.unit]
            return lambda value: _moment(value, digits, has_zone=False).partition("T")[2]
        if types.is_floating(kind):
            width = kind.bit_width
            return lambda value: _float(value, width) if self._has_nan or not isnan(value) else None
        return _scalar

    def _collection(self, kind: Any) -> Convert | None:
        types = self._types
        if types.is_struct(kind):
            members = {field.name: (self.of_field(field), mark_of(field)) for field in kind}
            return lambda value: {
                name: members[name][0](member) for name, member in value.items() if is_present(member, members[name][1])
            }
        if types.is_map(kind):
            key, item = self.of(kind.key_type), self.of_field(kind.item_field)
            return lambda pairs: _map([(_name(key(name)), _inner(item, member)) for name, member in pairs])
        if hasattr(kind, "value_type") and not types.is_dictionary(kind):
            element = self.of_field(kind.value_field)
            return lambda value: [_inner(element, each) for each in value]
        return None


def _parsed(text: Any) -> Any:
    """Return the value of a text of JSON; the text itself, if another program has put other text there."""
    try:
        return parse_json(text)
    except (TypeError, ValueError):
        return text


def _map(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return the map of its pairs, as which Arrow gives it.

    Raises:
        ValueError: A key comes twice, of which an item could keep one only.
    """
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a map has two values under one key")
    return made


def _inner(convert: Convert, value: Any) -> Any:
    return None if value is None else convert(value)


def _name(key: Any) -> str:
    return key if isinstance(key, str) else str(key)


def _moment(count: int, digits: int, *, has_zone: bool) -> str:
    """Return a time as text, with nine digits behind the second if fewer are not enough."""
    seconds, fraction = divmod(count, 10**digits)
    nanoseconds = fraction * 10 ** (9 - digits)
    moment = EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1_000)
    text = moment.replace(tzinfo=None).isoformat()
    if nanoseconds % 1_000:
        text = f"{text.partition('.')[0]}.{nanoseconds:09}"
    return f"{text}+00:00" if has_zone else text


def _float(value: float, width: int) -> Decimal:
    """Return the shortest number that is this float in its own width."""
    code, most_digits = FLOAT_FORMATS.get(width, ("d", 17))
    if not isfinite(value) or width not in FLOAT_FORMATS:
        return Decimal(repr(value))
    own = struct.pack(code, value)
    for digits in range(1, most_digits):
        text = f"{value:.{digits}g}"
        try:
            if struct.pack(code, float(text)) == own:
                return Decimal(text)
        except OverflowError:  # rounded up, the largest is beyond the range
            continue
    return Decimal(f"{value:.{most_digits}g}")


def _scalar(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
