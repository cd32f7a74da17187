"""Files that are one JSON document: an array, or the output and the input of other tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import click
from attrs import define, field, frozen

from mizzle_async.cli.files.json_cursor import JsonCursor
from mizzle_async.cli.files.shapes import is_request

TABLES: Final = frozenset({"RequestItems", "Responses", "UnprocessedItems"})
"""Members that hold a list for each table: of BatchWriteItem and of BatchGetItem."""

ENVELOPE: Final = frozenset(
    {
        "ConsumedCapacity",
        "Count",
        "ItemCollectionMetrics",
        "LastEvaluatedKey",
        "ModelMetadata",
        "ModelName",
        "NextToken",
        "ResponseMetadata",
        "ScannedCount",
        "UnprocessedKeys",
    }
)
"""Members beside the items: of Query, Scan, GetItem, the batches, and NoSQL Workbench."""


@frozen
class Entry:
    """A value of a document that should be an item, and the table that the document names for it."""

    value: Any
    table: str | None = None


@define
class Document:
    """The values of a document.

    Attributes:
        cursor: The document.
        is_part: Whether it says that it is only a part of a table.
    """

    cursor: JsonCursor
    is_part: bool = field(default=False, init=False)

    def entries(self) -> Iterator[Entry]:
        """Yield each value that should be an item.

        Raises:
            DocumentError: If the document is not JSON.
        """
        while sign := self.cursor.peek():
            if sign == "[":
                yield from map(Entry, self.cursor.elements())
            elif sign == "{":
                yield from self._object()
            else:
                yield Entry(self.cursor.value())

    def _object(self) -> Iterator[Entry]:
        """Yield the items within an object, or the object itself if it has none."""
        cursor, item = self.cursor, dict[str, Any]()
        has_items = False
        for name in cursor.members():
            sign = cursor.peek()
            is_envelope = not item.keys() - ENVELOPE
            if is_envelope and sign == "[" and name in {"Items", "TableData"}:
                has_items = True
                yield from map(Entry, cursor.elements())
            elif is_envelope and sign == "{" and name in TABLES:
                has_items = True
                yield from self._tables()
            elif is_envelope and sign == "[" and name == "DataModel":
                has_items = True
                yield from self._models()
            elif is_envelope and sign == "[":
                elements = cursor.elements()
                first = next(elements, None)
                if is_request(first):
                    has_items = True
                    yield Entry(first, name)
                    yield from (Entry(element, name) for element in elements)
                else:
                    item[name] = [*([] if first is None else [first]), *elements]
            else:
                item[name] = cursor.value()
        if not has_items and item:
            yield Entry(item)
        self.is_part = self.is_part or (has_items and bool(item.get("NextToken") or item.get("LastEvaluatedKey")))

    def _tables(self) -> Iterator[Entry]:
        """Yield the elements of the lists of an object, each with the list's name."""
        for table in self.cursor.members():
            if self.cursor.peek() == "[":
                yield from (Entry(element, table) for element in self.cursor.elements())
            else:
                self.cursor.value()

    def _models(self) -> Iterator[Entry]:
        """Yield the sample data of the tables of NoSQL Workbench's data model."""
        for model in self.cursor.elements():
            if isinstance(model, dict):
                table = model.get("TableName")
                rows = model.get("TableData")
                yield from (Entry(row, str(table)) for row in (rows if isinstance(rows, list) else ()))


def holds_items(document: Mapping[str, Any]) -> bool:
    """Return whether an object on one line is a document with items in it, and not an item itself."""
    rest = document.keys() - ENVELOPE
    if rest in ({"Items"}, {"DataModel"}):
        return isinstance(document[min(rest)], list)
    if rest and rest <= TABLES:
        return all(isinstance(document[name], Mapping) for name in rest)
    lists = [document[name] for name in rest]
    return bool(lists) and all(isinstance(each, list) and each and is_request(each[0]) for each in lists)


def choose_table(name: str, tables: set[str], target: str, wanted: str | None) -> str | None:
    """Return the table to read, of those that a document names.

    Args:
        name: The file.
        tables: The tables that it names.
        target: The table that is loaded.
        wanted: The table that the user names, or None.

    Raises:
        click.UsageError: If the document does not have the one, or several and none of them is the target.
    """
    if wanted is not None:
        if wanted not in tables:
            raise click.UsageError(f"{name} has no table {wanted!r}; its tables: {', '.join(sorted(tables)) or 'none'}")
        return wanted
    if target in tables:
        return target
    if len(tables) > 1:
        raise several_tables(name, tables)
    return next(iter(tables), None)


def several_tables(name: str, tables: set[str]) -> click.UsageError:
    """Return the error of a document with items of several tables."""
    return click.UsageError(
        f"{name} has items of several tables, {', '.join(sorted(tables))}: name one with --source-table"
    )
