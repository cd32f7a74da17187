"""Estimates of a load's consumption, from its items, before any of them is written."""

from __future__ import annotations

from math import ceil
from typing import Any

from attrs import define

from mizzle_async.cli.values import counted
from mizzle_async.limits import READ_UNIT_BYTES, WRITE_UNIT_BYTES
from mizzle_async.marshalling import item_size
from mizzle_async.operations.tables.definition import IndexDescription, TableDescription
from mizzle_async.types import Item


@define
class Estimate:
    """Items, their bytes and the write units of putting them, indexes included.

    Attributes:
        table: The target table.
        items: The number of items.
        size_bytes: Their size.
        write_units: The write units, if every item is new.
    """

    table: TableDescription
    items: int = 0
    size_bytes: int = 0
    write_units: int = 0

    def add(self, item: Item) -> None:
        """Count an item."""
        size = item_size(item)
        self.items += 1
        self.size_bytes += size
        self.write_units += _units(size) + sum(_index_units(item, size, index) for index in self.table.indexes.values())

    def scaled(self, factor: float) -> Estimate:
        """Return the estimate times a factor."""
        return Estimate(
            self.table, round(self.items * factor), round(self.size_bytes * factor), round(self.write_units * factor)
        )

    def as_json(self) -> dict[str, Any]:
        """Return the estimate as JSON."""
        return {"items": self.items, "size_bytes": self.size_bytes, "write_units": self.write_units}

    def __str__(self) -> str:
        count = len(self.table.indexes)
        indexes = "" if not count else f", {count} index{'es' if count > 1 else ''} included"
        return (
            f"{counted(self.items, 'item')}, {self.size_bytes / 1e6:,.1f} MB, {counted(self.write_units, 'write unit')}"
            f" (each item new{indexes})"
        )


def _units(size: int) -> int:
    return max(1, ceil(size / WRITE_UNIT_BYTES))


def _index_units(item: Item, size: int, index: IndexDescription) -> int:
    """Return the write units of an index for an item, 0 if the index has no entry for it."""
    keys = [name for name, _ in index.key]
    if not all(name in item for name in keys):
        return 0
    if index.projection == "ALL":
        return _units(size)
    held = {*keys, *index.included}
    return _units(item_size({name: value for name, value in item.items() if name in held}))


def read_units(size_bytes: int, *, consistent: bool = False) -> float:
    """Return the read units of so many bytes."""
    units = ceil(size_bytes / READ_UNIT_BYTES)
    return float(units) if consistent else units / 2
