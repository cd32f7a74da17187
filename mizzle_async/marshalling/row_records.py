"""Rows of projections from records: one expression for each attribute, compiled once for each row's attributes.

Of a projected item any attribute may be missing, so one class of records with every attribute absent by default serves
all projections of an entity. What differs is the function that makes rows of them::

    def rows(items):
        return [(item.a1.S if item.a1 is not UNSET else None, …) for item in items]

It does the common case. Where anything in it raises, the caller reads the items of those records value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from mizzle_async.marshalling.record_values import ItemRecord, record_class, slots_of, value_source
from mizzle_async.marshalling.records import RecordForm
from mizzle_async.marshalling.shapes.generated_classes import INDENT, ClassShape
from mizzle_async.marshalling.shapes.program import Program
from mizzle_async.model import EntitySchema

ReadRows: TypeAlias = Callable[[Sequence[ItemRecord]], list[Any]]
"""Returns the rows of records, as tuples."""

READERS: Final = 64
"""Functions for one entity at most; rows of further attributes are read value by value."""


class RowRecords(RecordForm):
    """The records of one entity's projected items.

    Args:
        schema: The entity's.
        shape: How its instances are stored.
    """

    __slots__ = ("_entity", "_readers", "_shape")

    def __init__(self, schema: EntitySchema, shape: ClassShape) -> None:
        slots = slots_of(shape)
        super().__init__(record_class(f"{schema.entity}Row", shape, slots, is_partial=True), slots)
        self._entity = schema.entity
        self._shape = shape
        self._readers: dict[tuple[str, ...], ReadRows] = {}

    def reader(self, names: tuple[str, ...]) -> ReadRows | None:
        """Return the function that makes rows of records, None where each value must be read by itself.

        Args:
            names: The attributes of a row, by stored names.
        """
        reader = self._readers.get(names)
        if reader is None and len(self._readers) < READERS and self._can_read(names):
            reader = self._readers[names] = self._compile(names)
        return reader

    def _can_read(self, names: tuple[str, ...]) -> bool:
        """Tell whether all are attributes of the class, and none has a converter."""
        members = self._shape.by_wire
        return all(name in members and members[name].converter is None for name in names)

    def _compile(self, names: tuple[str, ...]) -> ReadRows:
        program = Program(self._entity)
        fields = [self._shape.by_wire[name] for name in names]
        values = [value_source(program, field, self._slots[field.wire], is_partial=True) for field in fields]
        row = "".join(f"({value}), " for value in values)
        program.add(f"def read_rows(items):\n{INDENT}return [({row}) for item in items]\n")
        reader: ReadRows = program.compile()["read_rows"]
        return reader
