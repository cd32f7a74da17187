"""Rows of some attributes only: the paths that are asked for, and the reading of each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, cast

from attrs import frozen

from mizzle_async.errors import ExpressionError
from mizzle_async.expressions import AttributePath, Segments
from mizzle_async.marshalling import EntityCodec, ItemRecord, RowRecords, item_of, value_at
from mizzle_async.model import EntitySchema, type_at
from mizzle_async.types import Item
from mizzle_async.values import Record


@frozen(eq=False, repr=False)
class Projection(Record):
    """The paths of a row, in order.

    Attributes:
        paths: Where its values lie.
    """

    paths: tuple[AttributePath[Any, Any], ...] = ()

    @property
    def names(self) -> tuple[str, ...] | None:
        """Return the stored names of the attributes that a row is made of, None where a path leads inside of one."""
        if any(len(path.segments) > 1 for path in self.paths):
            return None
        return tuple(str(path.segments[0]) for path in self.paths)

    def records(self, codec: EntityCodec[Any]) -> RowRecords | None:
        """Return the form of items from which `rows` are made at once, None where there is none."""
        names, records = self.names, codec.row_records
        return None if records is None or names is None or records.reader(names) is None else records

    def rows(self, codec: EntityCodec[Any], items: Sequence[Item | ItemRecord]) -> list[tuple[Any, ...]]:
        """Return the rows of many items, all dicts or all records.

        Raises:
            MarshallingError: A value does not fit its attribute.
        """
        names, records = self.names, codec.row_records
        are_records = bool(items) and not isinstance(items[0], dict)
        read = records.reader(names) if are_records and names is not None and records is not None else None
        if read is not None:
            with suppress(Exception):  # a value is not of the common kind: it is read by itself
                return read(cast("Sequence[ItemRecord]", items))
        return [self.row(codec, item_of(item)) for item in items]

    def wire_paths(self, also: Iterable[AttributePath[Any, Any]]) -> list[AttributePath[Any, Any]]:
        """Return the paths to ask the service for: these and the others, none inside another.

        A list is asked for as a whole: of ``lines[2]`` the service returns a list of one, and two of those cannot be
        told apart where the list is shorter. Projecting saves no read units either way.

        Args:
            also: Paths that paging needs.
        """
        wanted: dict[Segments, AttributePath[Any, Any]] = {}
        for path in (*self.paths, *also):
            segments = _up_to_list(path.segments)
            wanted.setdefault(segments, path if segments == path.segments else AttributePath(path.owner, segments))
        return [
            path
            for segments, path in wanted.items()
            if not any(segments[:length] in wanted for length in range(1, len(segments)))
        ]

    def row(self, codec: EntityCodec[Any], item: Item) -> tuple[Any, ...]:
        """Return one row.

        An absent attribute has the value of an instance: its default, an empty set, or None.

        Raises:
            MarshallingError: A value does not fit its attribute.
        """
        values: list[Any] = []
        for path in self.paths:
            segments = path.segments
            if len(segments) > 1:
                _check_way(codec, item, path)
            stored = value_at(item, segments)
            if stored is not None:
                values.append(codec.decode_at(segments, stored, path.documents))
            elif (field := _part(codec, segments)) is not None and codec.shared is not None:
                values.append(codec.shared.values_of_key(item)[field])
            else:
                held = value_at(item, segments[:-1]) is not None
                values.append(codec.assumed_at(segments, path.documents, held=held))
        return tuple(values)


def _check_way(codec: EntityCodec[Any], item: Item, path: AttributePath[Any, Any]) -> None:
    """Refuse a path through a value of two types: what stands at its end is one of them.

    Raises:
        MarshallingError: There is one.
    """
    for length in range(1, len(path.segments)):
        way = path.segments[:length]
        held = value_at(item, way)
        if held is not None and len(held) > 1:
            codec.decode_at(way, held, path.documents)


def projection_of(schema: EntitySchema, paths: Sequence[Any]) -> Projection:
    """Check the paths of ``.project()``.

    Raises:
        ExpressionError: None was given, or one is no path, is another entity's, or leads nowhere.
    """
    entity = schema.entity
    if not paths:
        raise ExpressionError(
            f"{entity}: .project() takes the attributes of a row, such as .project(Order.status, Order.total)"
        )
    for path in paths:
        if not isinstance(path, AttributePath) or path.composite:
            raise ExpressionError(
                f"{entity}: .project() takes attributes' paths, such as Order.status, not {type(path).__name__}"
            )
        type_at(schema, path)  # refuses what leads nowhere
    return Projection(tuple(paths))


def _part(codec: EntityCodec[Any], segments: Segments) -> str | None:
    """Return the name in Python of a part that the key of a shared table holds whole, None for everything else."""
    shared = codec.shared
    attribute = None if shared is None or len(segments) != 1 else codec.schema.by_name.get(str(segments[0]))
    return attribute.field if attribute and shared and attribute.field in shared.keys.whole_fields else None


def _up_to_list(segments: Segments) -> Segments:
    for position, segment in enumerate(segments):
        if isinstance(segment, int):
            return segments[:position]
    return segments
