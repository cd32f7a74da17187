"""Rows of files as items for a table, typed by a model or by their values. Bad ones go to the rejects."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from itertools import islice
from typing import Any, Protocol

import click
from attrs import define, field

from mizzle_async.cli.files.rows import ReadOptions, Row
from mizzle_async.cli.files.typed import cell_value, typed_value
from mizzle_async.cli.formats import Format
from mizzle_async.cli.handles import Opened, key_scalar
from mizzle_async.cli.keys import check_keys
from mizzle_async.cli.losses import loses_types
from mizzle_async.cli.rejects import Origins, Rejects
from mizzle_async.errors import LimitError, MarshallingError, MizzleError
from mizzle_async.flow.report import UndoneWrite
from mizzle_async.marshalling import check_item_size, item_from_plain, plain_item
from mizzle_async.types import Item


class RowSource(Protocol):
    """A source of rows: the files of a command, or the rows that a worker was dealt.

    Attributes:
        options: The options for reading files.
        needed: The columns that a CSV file must have, each with its other names.
        target: The table that is loaded.
    """

    options: ReadOptions
    needed: tuple[tuple[str, ...], ...]
    target: str

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows."""
        ...


@define
class Incoming:
    """The items of some files, for one table.

    Attributes:
        opened: The table.
        source: The files.
        rejects: The file of bad rows.
        origins: The files and lines of the good ones.
        limit: The number of rows to read, or None for all.
        deletions: The keys of items that the files say are deleted, to be deleted at the end.
        superseded: The number of changes that a later change of the same item has replaced.
        read: The number of rows that were read.
    """

    opened: Opened
    source: RowSource
    rejects: Rejects
    origins: Origins = field(factory=Origins)
    limit: int | None = None
    deletions: dict[Hashable, dict[str, Any]] = field(factory=dict, init=False)
    superseded: int = field(default=0, init=False)
    read: int = field(default=0, init=False)
    _times: dict[Hashable, int] = field(factory=dict, init=False)
    _warned: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        """Tell the files which table they are for.

        Raises:
            click.UsageError: If types are named, and the model declares them.
        """
        if self.opened.model is not None and (self.source.options.types or self.source.options.json_cells):
            raise click.UsageError("--types and --json-cells are for tables without --model, which declares the types")
        fields = self.opened.codec.schema.by_field
        self.source.target = self.opened.table.name
        self.source.needed = tuple(
            (name, *(each for each, attribute in fields.items() if attribute.name == name and each != name))
            for name in self.opened.key_names
        )

    def values(self) -> Iterator[Any]:
        """Yield the items for `put_many`: instances of the model, or dicts.

        Raises:
            StoppedError: If a row is bad, and the user wants to stop there.
        """
        for row, item in self._items():
            try:
                value = self.opened.codec.decode(item)
            except (MarshallingError, LimitError) as error:
                self._reject((row.file, row.line), error, row.values, row.format)
            else:
                self.origins.note(row.file, row.line)
                self.rejects.good += 1
                yield value

    def keys(self) -> Iterator[dict[str, Any]]:
        """Yield the keys of the items, for `delete_many` of the table with items as dicts. The rest is ignored."""
        for row, item in self._items():
            self.origins.note(row.file, row.line)
            self.rejects.good += 1
            yield self._key(item)

    def items(self) -> Iterator[Item]:
        """Yield the stored form of each item, checked as far as that is possible without the service."""
        encode = self.opened.codec.encode
        for position, value in enumerate(self.values()):
            try:
                item = encode(value)
                check_item_size(item, self.opened.codec.schema.entity)
            except (MarshallingError, LimitError) as error:
                self._reject(self.origins.of(position), error, None, Format.JSONL)
            else:
                yield item

    def undone(self, undone: UndoneWrite) -> None:
        """Reject an item that cannot be written."""
        kind = Format.JSONL
        try:
            item = self.opened.codec.encode(undone.item)
            content: Any = plain_item(self.opened.natural(item))
            if self.opened.model is None and loses_types(item):
                content, kind = item, Format.DYNAMODB
        except MizzleError:
            content = undone.item
        self._reject(self.origins.of(undone.position), undone.error, content, kind)

    def _items(self) -> Iterator[tuple[Row, Item]]:
        """Yield each row that can be an item, with its stored form. Deletions are set aside."""
        for row in islice(self.source, self.limit):
            self.read += 1
            if row.values is None:
                self.rejects.add(
                    (row.file, row.line),
                    row.problem,
                    attribute=row.attribute,
                    content=row.content,
                    format=row.format,
                    columns=row.columns,
                )
                continue
            try:
                item = self._item(row)
            except (MarshallingError, LimitError) as error:
                self._reject((row.file, row.line), error, row.values, row.format)
                continue
            if self._is_current(row, item):
                yield row, item

    def is_dealt(self, row: Row) -> bool:
        """Return whether a worker is to put a row. Deletions are set aside, and changes that a later one has replaced.

        A bad row is for a worker, too: it is rejected there.
        """
        if row.values is None or (row.written_at is None and not row.is_deletion and not self.deletions):
            return True
        try:
            item = self._item(row)
        except (MarshallingError, LimitError):
            return True
        return self._is_current(row, item)

    def _is_current(self, row: Row, item: Item) -> bool:
        """Return whether an item is to be put: the newest change of it, and no deletion."""
        if row.written_at is None and not row.is_deletion and not self.deletions:
            return True
        identity = tuple(repr(item[name]) for name in self.opened.key_names)
        if row.written_at is not None:
            if self._times.get(identity, row.written_at) > row.written_at:
                self.superseded += 1
                return False
            self._times[identity] = row.written_at
        if row.is_deletion:
            self.rejects.good += 1
            self.deletions[identity] = self._key(item)
            return False
        self.deletions.pop(identity, None)
        return True

    def _key(self, item: Item) -> dict[str, Any]:
        return {name: key_scalar(item[name]) for name in self.opened.key_names}

    def _item(self, row: Row) -> Item:
        item = self.stored(row)
        codec = self.opened.codec
        if self.opened.model is not None:
            unknown = item.keys() - codec.schema.by_name.keys()
            if unknown:
                name = min(unknown)
                raise MarshallingError(f"{codec.schema.entity} has no such attribute", path=f".{name}")
        self._check_keys(item, row)
        if codec.sharding is not None and row.format is not Format.DYNAMODB:
            codec.sharding.spread(item)
        return item

    def stored(self, row: Row) -> Item:
        """Return the stored form of a row, without any check of its key.

        Raises:
            MarshallingError: A value does not fit its attribute.
        """
        values = row.values or {}
        if row.format is Format.DYNAMODB:
            return dict(values)
        codec, options = self.opened.codec, self.source.options
        is_text = row.format is Format.CSV
        types = {} if self.opened.model is not None else {**row.types, **options.types}
        if is_text and options.json_cells:
            values, is_text = self._cells(values), False
        named: Item = {}
        for name in types.keys() & values.keys():
            if row.format is Format.CSV and values[name] == "":
                continue
            try:
                named[name] = typed_value(values[name], types[name], is_text=row.format is Format.CSV)
            except (ValueError, TypeError) as error:
                reason = error.message if isinstance(error, MizzleError) else str(error)
                raise MarshallingError(reason, path=f"{codec.schema.entity}.{name}") from None
        rest = {name: value for name, value in values.items() if name not in types}
        return {**item_from_plain(codec, rest, is_text=is_text), **named}

    def _cells(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return cells that are JSON as their values. Key attributes have the type of the table."""
        keys = self.opened.description.attribute_types
        return {
            name: text if name in keys or not isinstance(text, str) else cell_value(text)
            for name, text in values.items()
            if text != ""
        }

    def _check_keys(self, item: Item, row: Row) -> None:
        """Reject an item whose key is invalid, and say once that one is blank."""
        check_keys(self.opened, item, is_key=row.is_deletion)
        blank = [name for name in self.opened.key_names if not str(item[name].get("S", "x")).strip()]
        if blank and not self._warned and row.format is Format.CSV:
            self._warned = True
            self.rejects.say(f"{row.file}:{row.line}: the key {blank[0]} is blank; --strip leaves blanks out")

    def _reject(self, origin: tuple[str, int], error: BaseException, content: Any, kind: Format) -> None:
        path = getattr(error, "path", "")
        reason = error.message if isinstance(error, MizzleError) else type(error).__name__
        attribute = path.partition(".")[2]
        reason = reason.removeprefix(f"{path}: ")
        self.rejects.add(origin, reason, attribute=attribute, content=_shown(content), format=kind)


def _shown(content: Any) -> Any:
    return dict(content) if isinstance(content, dict) else content
