"""Frames of items: an entity's items, or rows of some attributes, as Arrow record batches of one schema."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from mizzle_async.errors import MarshallingError, MizzleError, ModelError
from mizzle_async.integrations.arrow.arrays import array_of_texts, cast_to
from mizzle_async.integrations.arrow.library import MISFITS, pa
from mizzle_async.integrations.arrow.types import arrow_field, arrow_type, may_stand_for
from mizzle_async.marshalling import EntityCodec
from mizzle_async.marshalling.columns import AnyColumn, EntityColumns, columns_of


class Framer(Protocol):
    """Makes record batches of items."""

    @property
    def schema(self) -> Any:
        """The schema of every batch."""
        ...

    def batch(self, items: Sequence[Any]) -> Any:
        """Return the batch of some items, or raise `MarshallingError` for one that does not fit."""
        ...


class EntityFramer:
    """Makes record batches of an entity's items.

    Args:
        columns: The entity's columns.
        schema: The caller's own schema: some of the columns, in its order and of its types. None for all of them.

    Raises:
        ModelError: A field is no attribute, or has a type that cannot hold the attribute's values.
    """

    def __init__(self, columns: EntityColumns[Any], schema: Any = None) -> None:
        self._columns = columns
        self.schema: Any = entity_schema(columns) if schema is None else schema
        self._entity = columns.codec.schema.entity
        by_name = {column.name: (number, column) for number, column in enumerate(columns.columns)}
        self._chosen: list[tuple[int, AnyColumn, Any]] = []
        for field in self.schema:
            if field.name not in by_name:
                raise ModelError(
                    f"{self._entity}: the schema has a column {field.name!r}, and the class has no such attribute"
                )
            number, column = by_name[field.name]
            check_type(self._entity, field, column)
            self._chosen.append((number, column, field))

    def batch(self, items: Sequence[Any]) -> Any:
        """Return the batch of some items, records or dicts.

        Raises:
            MarshallingError: An item does not fit its class, or a value its column.
        """
        lists, has_texts = self._columns.lists(items)
        arrays = [
            self._array(column, field.type, lists[number], items, has_texts=has_texts)
            for number, column, field in self._chosen
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _array(self, column: AnyColumn, kind: Any, entries: list[Any], items: Sequence[Any], *, has_texts: bool) -> Any:
        own = kind if pa.types.is_decimal(kind) and column.form.type.kind == "decimal" else arrow_type(column.form.type)
        try:
            is_text = column.text and has_texts
            array = array_of_texts(entries, column.text, own) if is_text else pa.array(entries, own)
            return array if own == kind else cast_to(array, kind)
        except MISFITS:
            pass
        values = self._columns.careful(column, items) if has_texts else entries
        return exact_array(values, own, kind, lambda number: self._misfit(column, kind, items[number]))

    def _misfit(self, column: AnyColumn, kind: Any, item: Any) -> MizzleError:
        path = f"{self._entity}.{column.name}"
        error = self._columns.misread(KeyError(), item)
        return MarshallingError(
            f"{path}: a stored value does not fit its column, which is {kind}: read it as another type, schema=…",
            path=path,
            key=getattr(error, "key", None),
        )


def exact_array(values: list[Any], own: Any, kind: Any, misfit: Callable[[int], MizzleError]) -> Any:
    """Return the array of values that may not fit, or raise the error of the first that does not.

    Args:
        values: The values.
        own: The type that holds values of their Python types.
        kind: The type of the array.
        misfit: Returns the error of a value by its position.
    """
    try:
        return cast_to(pa.array(values, own), kind)
    except MISFITS as error:
        whole = error
    for number, value in enumerate(values):
        try:
            cast_to(pa.array([value], own), kind)
        except MISFITS as error:
            raise misfit(number) from error
    raise misfit(0) from whole


def check_type(entity: str, field: Any, column: AnyColumn) -> None:
    """Raise an error unless a field's type holds the values of a column.

    Raises:
        ModelError: It does not.
    """
    if not may_stand_for(field.type, column.form.type):
        raise ModelError(
            f"{entity}.{column.name}: a column of type {field.type} does not hold its values: its own type is "
            f"{arrow_type(column.form.type)}"
        )


def entity_schema(columns: EntityColumns[Any]) -> Any:
    """Return the Arrow schema of an entity."""
    return pa.schema(
        [arrow_field(column.name, column.form.type, is_nullable=column.is_nullable) for column in columns.columns]
    )


def entity_framer(codec: EntityCodec[Any], schema: Any = None) -> EntityFramer:
    """Return a framer of an entity's items."""
    return EntityFramer(columns_of(codec), schema)
