"""Arrow arrays into payloads: exact, checked against the class, or an error with the row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import frozen

from mizzle_async.errors import ModelError
from mizzle_async.integrations.arrow.arrays import DIGITS, NotPlainError, in_calendar
from mizzle_async.integrations.arrow.library import MISFITS, pa, pc
from mizzle_async.integrations.arrow.types import INSTANT, arrow_type, is_zoned
from mizzle_async.marshalling.columns import Column
from mizzle_async.marshalling.forms import ColumnType, Kind
from mizzle_async.marshalling.shapes.scalars import Scalar
from mizzle_async.marshalling.wellformed import NO_ITEM

_is = pa.types


def _is_text(kind: Any) -> bool:
    is_string = bool(_is.is_string(kind) or _is.is_large_string(kind)) or str(kind) == "string_view"
    return is_string or (_is.is_dictionary(kind) and _is_text(kind.value_type))


def _is_bytes(kind: Any) -> bool:
    is_binary = bool(_is.is_binary(kind) or _is.is_large_binary(kind) or _is.is_fixed_size_binary(kind))
    return is_binary or str(kind) == "binary_view"


_TAKEN: Final[Mapping[Kind, Callable[[Any], bool]]] = {
    "string": _is_text,
    "json": _is_text,
    "int": lambda kind: _is.is_integer(kind) or _is.is_decimal(kind) or _is.is_floating(kind),
    "float": lambda kind: _is.is_floating(kind) or _is.is_integer(kind),
    "decimal": lambda kind: _is.is_decimal(kind) or _is.is_integer(kind),
    "bool": _is.is_boolean,
    "binary": _is_bytes,
    "instant": is_zoned,
    "date": _is.is_date,
    "time": _is.is_time,
    "duration": _is.is_duration,
}
"""The Arrow types of each kind whose values are written. A float is no decimal: it has other digits."""


def is_taken(chosen: Any, kind: ColumnType) -> bool:
    """Return whether values of an Arrow type are written as those of a column type."""
    if _is.is_null(chosen):
        return True
    if _is.is_dictionary(chosen) and kind.kind not in {"string", "json"}:
        return is_taken(chosen.value_type, kind)
    match kind.kind:
        case "list" | "set":
            is_list = _is.is_list(chosen) or _is.is_large_list(chosen) or _is.is_fixed_size_list(chosen)
            return is_list and is_taken(chosen.value_type, kind.members[0].type)
        case "map":
            is_map = _is.is_map(chosen) and _is_text(chosen.key_type)
            return is_map and is_taken(chosen.item_type, kind.members[0].type)
        case "struct":
            types = {member.name: member.type for member in kind.members}
            return _is.is_struct(chosen) and all(
                chosen.field(number).name in types
                and is_taken(chosen.field(number).type, types[chosen.field(number).name])
                for number in range(chosen.num_fields)
            )
        case single:
            return _TAKEN[single](chosen)


@frozen(eq=False, repr=False)
class BadCell:
    """A value that is not stored.

    Attributes:
        column: Its column.
        error: The reason.
    """

    column: Column
    error: Exception


def check_column(entity: str, column: Column, kind: Any) -> None:
    """Raise an error unless a column of a type can be written to an attribute.

    Raises:
        ModelError: It cannot.
    """
    if is_taken(kind, column.form.type):
        return
    advice = "give it a time zone" if _is.is_timestamp(kind) and column.form.type.kind == "instant" else "cast it"
    raise ModelError(
        f"{entity}.{column.name}: a column of type {kind} is not written to it: its own type is "
        f"{arrow_type(column.form.type)}; {advice}"
    )


def payloads(column: Column, array: Any) -> tuple[list[Any], dict[int, BadCell]]:
    """Return the entries of a column for `EntityColumns.items`, and the cells that cannot be stored, by their row.

    Args:
        column: The attribute.
        array: Its column, of a type that is taken.
    """
    try:
        entries = _fast(column, array)
    except MISFITS + NO_ITEM:
        return _careful(column, array)
    absent = _absent_rows(column, array, entries)
    return entries, absent


def _absent_rows(column: Column, array: Any, entries: list[Any]) -> dict[int, BadCell]:
    """Replace nulls by the attribute's default, and return those that must not be null."""
    field = column.field
    if not array.null_count or field.optional or field.is_set:
        return {}
    bad: dict[int, BadCell] = {}
    for row in pc.indices_nonzero(pc.is_null(array)).to_pylist():
        try:
            entries[row] = column.stored_payload(None)
        except NO_ITEM as error:
            bad[row] = BadCell(column, error)
    return bad


def _fast(column: Column, array: Any) -> list[Any]:
    """Return the payloads of a column whose text Arrow itself writes as they are stored.

    Raises:
        NotPlainError: It does not.
    """
    kind, shape = column.form.type.kind, column.field.shape
    if isinstance(shape, Scalar) and kind == "string":
        return _texts(column, array)
    writer = _WRITERS.get("iso" if column.text == "iso" else kind)
    if writer is None or not isinstance(shape, Scalar) or not column.form.is_plain:
        raise NotPlainError
    return writer(array, shape)


def _texts(column: Column, array: Any) -> list[str | None]:
    texts: list[str | None] = array.cast(pa.string()).to_pylist()
    if column.form.is_plain:
        return texts
    known = {text: column.stored_payload(text) for text in set(texts) if text is not None}
    return [None if text is None else known[text] for text in texts]


def _written(array: Any, shape: Scalar, kind: Any) -> list[Any]:
    write, values = shape.write, array.cast(kind).to_pylist()
    return [None if value is None else write(value) for value in values]


def _points(array: Any) -> list[str | None]:
    """Return points in time as text in UTC, with microseconds and a T."""
    text = in_calendar(array.cast(INSTANT)).cast(pa.string())
    return list(pc.replace_substring(text, " ", "T").to_pylist())


_WRITERS: Final[Mapping[str, Callable[[Any, Scalar], list[Any]]]] = {
    "bool": lambda array, _: list(array.to_pylist()),
    "int": lambda array, _: _digits(array.cast(pa.int64())),
    "decimal": lambda array, _: _digits(array),
    "float": lambda array, shape: _written(array, shape, pa.float64()),
    "binary": lambda array, shape: _written(array, shape, pa.binary()),
    "iso": lambda array, _: _points(array),
    "date": lambda array, _: list(in_calendar(array.cast(pa.date32())).cast(pa.string()).to_pylist()),
}


def _digits(array: Any) -> list[str | None]:
    """Return numbers as their digits, without zeros behind a fraction.

    Raises:
        NotPlainError: One has an exponent.
    """
    text = array.cast(pa.string())
    content = text.buffers()[2]
    if content is not None and content.to_pybytes().translate(None, DIGITS):
        raise NotPlainError
    if _is.is_decimal(array.type) and array.type.scale > 0:
        text = pc.utf8_rtrim(pc.utf8_rtrim(text, "0"), ".")
    return list(text.to_pylist())


def _careful(column: Column, array: Any) -> tuple[list[Any], dict[int, BadCell]]:
    entries: list[Any] = []
    bad: dict[int, BadCell] = {}
    own = arrow_type(column.form.type)
    for row, value in enumerate(_values(array, own)):
        try:
            if isinstance(value, Exception):
                raise value
            entries.append(column.stored_payload(value))
        except NO_ITEM as error:
            entries.append(None)
            bad[row] = BadCell(column, error)
    return entries, bad


def _values(array: Any, own: Any) -> list[Any]:
    """Return the values of an array as Python has them, and errors in place of those that its column cannot hold."""
    if _is.is_decimal(own) and _is.is_decimal(array.type):
        return list(array.to_pylist())  # exact as they are: Arrow wraps where it makes room behind the point
    try:
        return list(array.cast(own).to_pylist())
    except MISFITS:
        pass
    values: list[Any] = []
    for row in range(len(array)):
        try:
            values += array.slice(row, 1).cast(own).to_pylist()
        except MISFITS as error:
            values.append(ValueError(str(error)))
    return values
