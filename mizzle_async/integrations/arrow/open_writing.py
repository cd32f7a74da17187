"""Rows of frames into items of tables without a class: Arrow's types say how each value is stored."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from mizzle_async.errors import MizzleError
from mizzle_async.integrations.arrow.library import pa
from mizzle_async.marshalling import EntityCodec, parse_json
from mizzle_async.marshalling.wellformed import NO_ITEM, unreadable
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.model.scalars.temporal import write_date, write_datetime, write_timedelta
from mizzle_async.types import Item

_is = pa.types


class OpenRows:
    """Makes items of the rows of record batches.

    Args:
        codec: The table's.
    """

    def __init__(self, codec: EntityCodec[Any]) -> None:
        self._codec = codec

    def __call__(self, batch: Any) -> list[Item | MizzleError]:
        """Return the items of a batch, and errors in place of rows that cannot be stored."""
        converters = {field.name: field_converter(field) for field in batch.schema}
        columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}
        return [self._item(converters, columns, row) for row in range(batch.num_rows)]

    def _item(
        self, converters: dict[str, Callable[[Any], Any]], columns: dict[str, list[Any]], row: int
    ) -> Item | MizzleError:
        values: dict[str, Any] = {}
        name = ""
        try:
            for name, convert in converters.items():
                value = columns[name][row]
                if value is not None:
                    values[name] = convert(value)
            return self._codec.encode(values)
        except Misfit as misfit:
            return misfit.at_entry(name).to_error(self._codec.schema.entity)
        except NO_ITEM as error:
            return unreadable(self._codec.schema.entity, error)


def field_converter(field: Any) -> Callable[[Any], Any]:
    """Return the function that makes a value of Python's of a field's value, as it is stored by value."""
    mark = (field.metadata or {}).get(b"mizzle")
    if mark == b"json":
        return parse_json
    if mark == b"set":
        element = type_converter(field.type.value_type)
        return lambda values: {element(value) for value in values}
    return type_converter(field.type)


_SINGLE: list[tuple[Callable[[Any], bool], Callable[[Any], Any]]] = [
    (_is.is_timestamp, write_datetime),
    (_is.is_date, write_date),
    (_is.is_duration, lambda value: Decimal(write_timedelta(value))),
]


def type_converter(kind: Any) -> Callable[[Any], Any]:
    """Return the function that makes a value of Python's of a value of a type."""
    if _is.is_map(kind):
        inside = _nullable(kind.item_field)
        return lambda entries: {name: inside(value) for name, value in entries}
    if _is.is_struct(kind):
        fields = [kind.field(position) for position in range(kind.num_fields)]
        members = {field.name: _nullable(field) for field in fields}
        return lambda value: {name: make(value[name]) for name, make in members.items() if value[name] is not None}
    if _is.is_list(kind) or _is.is_large_list(kind) or _is.is_fixed_size_list(kind):
        element = _nullable(kind.value_field)
        return lambda values: [element(value) for value in values]
    return next((convert for test, convert in _SINGLE if test(kind)), _as_it_is)


def _as_it_is(value: Any) -> Any:
    return value


def _nullable(field: Any) -> Callable[[Any], Any]:
    convert = field_converter(field)
    return lambda value: None if value is None else convert(value)
