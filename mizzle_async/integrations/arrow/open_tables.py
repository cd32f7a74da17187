"""Frames of tables without a class: the caller's schema says how each stored value is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeAlias

from mizzle_async.errors import MarshallingError, MizzleError
from mizzle_async.integrations.arrow.framing import exact_array
from mizzle_async.integrations.arrow.library import MISFITS, pa
from mizzle_async.integrations.arrow.types import is_zoned
from mizzle_async.marshalling import EntityCodec
from mizzle_async.marshalling.forms import json_text
from mizzle_async.marshalling.wellformed import NO_ITEM, unreadable
from mizzle_async.model.scalars.binary import read_bool, read_bytes, read_str
from mizzle_async.model.scalars.misfit import Misfit, wire_name
from mizzle_async.model.scalars.numbers import read_decimal, read_float, read_int
from mizzle_async.model.scalars.temporal import read_date, read_datetime, read_timedelta
from mizzle_async.types import AttributeValue, Item

Reader: TypeAlias = Callable[[AttributeValue], Any]

_is = pa.types
_SINGLE: list[tuple[Callable[[Any], bool], str, Callable[[Any], Any]]] = [
    (lambda kind: bool(_is.is_string(kind) or _is.is_large_string(kind)), "S", read_str),
    (_is.is_integer, "N", read_int),
    (_is.is_float64, "N", read_float),
    (_is.is_decimal, "N", read_decimal),
    (_is.is_boolean, "BOOL", read_bool),
    (lambda kind: bool(_is.is_binary(kind) or _is.is_large_binary(kind)), "B", read_bytes),
    (is_zoned, "S", read_datetime),
    (_is.is_date, "S", read_date),
    (_is.is_duration, "N", read_timedelta),
]
"""The types that a value of one descriptor can be read as."""


class OpenFramer:
    """Makes record batches of items that are dicts.

    Args:
        codec: The table's.
        schema: The caller's: columns by stored name.
    """

    def __init__(self, codec: EntityCodec[Any], schema: Any) -> None:
        self.schema: Any = schema
        self._codec = codec
        self._entity = codec.schema.entity
        self._readers = [(field, field_reader(field)) for field in schema]

    def batch(self, items: Sequence[Item]) -> Any:
        """Return the batch of some items.

        Raises:
            MarshallingError: A stored value is not of its column's type.
        """
        arrays = [self._array(field, reader, items) for field, reader in self._readers]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _array(self, field: Any, reader: Reader, items: Sequence[Item]) -> Any:
        values = [self._value(field, reader, item) for item in items]
        try:
            return pa.array(values, field.type)
        except MISFITS:
            return exact_array(values, field.type, field.type, lambda number: self._misfit(field, items[number]))

    def _value(self, field: Any, reader: Reader, item: Item) -> Any:
        stored = item.get(field.name, {"NULL": True})
        try:
            if "NULL" not in stored:
                return reader(stored)
            return None if field.nullable else _refuse_null(field)
        except Misfit as misfit:
            raise misfit.at_entry(field.name).to_error(self._entity, self._key(item)) from misfit.__cause__
        except NO_ITEM as error:
            raise unreadable(self._entity, error, self._key(item)) from error

    def _misfit(self, field: Any, item: Item) -> MizzleError:
        path = f'{self._entity}["{field.name}"]'
        message = f"{path}: a stored value does not fit its column, which is {field.type}: read it as another type"
        return MarshallingError(message, path=path, key=self._key(item))

    def _key(self, item: Item) -> Item:
        return {name: item[name] for name in self._codec.schema.key_names if name in item}


def field_reader(field: Any) -> Reader:
    """Return the function that reads stored values as those of a field."""
    if field.metadata and field.metadata.get(b"mizzle") == b"json":
        return json_text
    return type_reader(field.type)


def type_reader(kind: Any) -> Reader:
    """Return the function that reads stored values as those of a type.

    Raises:
        MarshallingError: Nothing that is stored can be read as this type.
    """
    if _is.is_null(kind):
        return _refuse_value
    if _is.is_list(kind) or _is.is_large_list(kind):
        return _list_reader(kind.value_field)
    if _is.is_map(kind):
        return _map_reader(kind.item_field)
    if _is.is_struct(kind):
        return _struct_reader(kind)
    for test, tag, read in _SINGLE:
        if test(kind):
            return _single_reader(tag, read)
    raise MarshallingError(f"a stored value cannot be read as {kind}: choose another type for the column")


def _refuse_null(field: Any) -> NoReturn:
    raise Misfit(f"a value, as the column is {field.type} and not null", "NULL, or no such attribute")


def _refuse_value(stored: AttributeValue) -> Any:
    raise Misfit("nothing, as the column is null", wire_name(stored))


def _single_reader(tag: str, read: Callable[[Any], Any]) -> Reader:
    def read_stored(stored: AttributeValue) -> Any:
        if tag not in stored:
            raise Misfit(tag, wire_name(stored))
        return read(stored[tag])

    return read_stored


def _nullable(field: Any) -> Reader:
    reader = field_reader(field)
    return lambda stored: None if "NULL" in stored else reader(stored)


def _list_reader(field: Any) -> Reader:
    element = _nullable(field)

    def read(stored: AttributeValue) -> list[Any]:
        ((tag, payload),) = stored.items()
        if tag == "L":
            return [element(value) for value in payload]
        if tag in {"SS", "NS", "BS"}:
            return sorted(element({tag[0]: value}) for value in payload)
        raise Misfit("L or a set", tag)

    return read


def _map_reader(field: Any) -> Reader:
    value = _nullable(field)

    def read(stored: AttributeValue) -> list[tuple[str, Any]]:
        if "M" not in stored:
            raise Misfit("M", wire_name(stored))
        return [(name, value(inner)) for name, inner in stored["M"].items()]

    return read


def _struct_reader(kind: Any) -> Reader:
    fields = [kind.field(position) for position in range(kind.num_fields)]
    members = [(field.name, _nullable(field)) for field in fields]

    def read(stored: AttributeValue) -> dict[str, Any]:
        if "M" not in stored:
            raise Misfit("M", wire_name(stored))
        inside = stored["M"]
        return {name: reader(inside[name]) if name in inside else None for name, reader in members}

    return read
