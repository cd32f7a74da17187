"""Rows of files as items for a table, typed by a model or by their values. Bad ones go to the rejects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import define, field

from mizzle_async.cli.formats import Format
from mizzle_async.cli.handles import Opened
from mizzle_async.cli.lines import Row, Source
from mizzle_async.cli.rejects import Origins, Rejects
from mizzle_async.errors import LimitError, MarshallingError, MizzleError
from mizzle_async.flow.report import UndoneWrite
from mizzle_async.marshalling import check_item_size, item_from_plain, plain_item
from mizzle_async.types import Item


@define
class Incoming:
    """The items of some files, for one table.

    Attributes:
        opened: The table.
        source: The files.
        rejects: The file of bad rows.
        origins: The files and lines of the good ones.
    """

    opened: Opened
    source: Source
    rejects: Rejects
    origins: Origins = field(factory=Origins)

    def values(self) -> Iterator[Any]:
        """Yield the items for `put_many`: instances of the model, or dicts.

        Raises:
            StoppedError: If a row is bad, and the user wants to stop there.
        """
        for row in self.source:
            if row.values is None:
                self.rejects.add((row.file, row.line), row.problem, attribute=row.attribute, content=row.text)
                continue
            try:
                value = self.opened.codec.decode(self._item(row))
            except (MarshallingError, LimitError) as error:
                self._reject((row.file, row.line), error, row.values)
            else:
                self.origins.note(row.file, row.line)
                yield value

    def items(self) -> Iterator[Item]:
        """Yield the stored form of each item, checked as far as that is possible without the service."""
        encode = self.opened.codec.encode
        for position, value in enumerate(self.values()):
            try:
                item = encode(value)
                check_item_size(item, self.opened.codec.schema.entity)
            except (MarshallingError, LimitError) as error:
                self._reject(self.origins.of(position), error, None)
            else:
                yield item

    def undone(self, undone: UndoneWrite) -> None:
        """Reject an item that cannot be written."""
        try:
            content = plain_item(self.opened.natural(self.opened.codec.encode(undone.item)))
        except MizzleError:
            content = undone.item
        self._reject(self.origins.of(undone.position), undone.error, content)

    def _item(self, row: Row) -> Item:
        values = row.values or {}
        codec = self.opened.codec
        if row.format is Format.DYNAMODB:
            item: Item = dict(values)
        else:
            item = item_from_plain(codec, values, is_text=row.format is Format.CSV)
        if self.opened.model is not None:
            unknown = item.keys() - codec.schema.by_name.keys()
            if unknown:
                name = min(unknown)
                raise MarshallingError(f"{codec.schema.entity} has no such attribute", path=f".{name}")
        self._check_keys(item)
        if codec.sharding is not None and row.format is not Format.DYNAMODB:
            codec.sharding.spread(item)
        return item

    def _check_keys(self, item: Item) -> None:
        """Reject an item whose index key is invalid: the service would reject its whole batch."""
        keys = self.opened.key_names
        for name, code in self.opened.description.attribute_types.items():
            stored = item.get(name)
            path = f"{self.opened.codec.schema.entity}.{name}"
            if stored is None:
                if name in keys:
                    raise MarshallingError(f"{path}: missing, but an item needs its whole key", path=path)
                continue
            if code not in stored:
                raise MarshallingError(f"{path}: the key has type {code}, got {next(iter(stored))}", path=path)
            if stored[code] == "":
                raise MarshallingError(f"{path}: a key of the table or of an index must not be empty", path=path)

    def _reject(self, origin: tuple[str, int], error: BaseException, content: Any) -> None:
        path = getattr(error, "path", "")
        reason = error.message if isinstance(error, MizzleError) else type(error).__name__
        attribute = path.partition(".")[2]
        reason = reason.removeprefix(f"{path}: ")
        self.rejects.add(origin, reason, attribute=attribute, content=_shown(content))


def _shown(content: Any) -> Any:
    return dict(content) if isinstance(content, dict) else content
