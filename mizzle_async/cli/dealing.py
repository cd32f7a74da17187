"""Dealing the rows of files to workers: rows with one key go to one lane, in the order of the input."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Generator, Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final
from zlib import crc32

import orjson
from attrs import define, field

from mizzle_async.bulk.checkpoints import other_input, shorter_input
from mizzle_async.bulk.workers.decks import Block
from mizzle_async.cli.dealt_rows import DealtRow, packed, packed_size
from mizzle_async.cli.files.json_rows import RawLine, line_row, unwrapped
from mizzle_async.cli.files.rows import Row
from mizzle_async.cli.files.source import Source
from mizzle_async.cli.formats import Format
from mizzle_async.cli.incoming import Incoming
from mizzle_async.errors import LimitError, MarshallingError
from mizzle_async.marshalling import parse_json

PART_ROWS: Final = 4_000
PART_BYTES: Final = 4 * 1024 * 1024
"""The rows of a part, and their bytes. A worker that is killed leaves so many to be put again."""

NO_KEY: Final = b"?"
"""The identity of rows without a key that could be one. A worker rejects them."""

_MISFITS: Final = (LookupError, TypeError, ValueError, ArithmeticError)


class KeyReader:
    """Reads the identity of a row's key: equal for rows of one item.

    Args:
        incoming: The items of the files, which knows the table.
    """

    def __init__(self, incoming: Incoming) -> None:
        opened = incoming.opened
        self._incoming = incoming
        self._opened = opened
        self._key = [(name, opened.description.attribute_types[name]) for name in opened.key_names]
        self._columns = {name for names in incoming.source.needed for name in names}
        self._is_plain_exact = opened.model is None
        self._is_stored_exact = opened.codec.sharding is None

    def identity(self, row: RawLine | Row) -> bytes:
        """Return the identity of a row, or `NO_KEY`."""
        try:
            if isinstance(row, RawLine):
                values, is_stored = _read(row), row.is_stored
            else:
                values, is_stored = row.values or {}, row.format is Format.DYNAMODB
            if self._is_stored_exact if is_stored else self._is_plain_exact:
                try:
                    return self._exact(values, is_stored=is_stored)
                except _MISFITS:
                    pass
            return self._converted(row, values, is_stored=is_stored)
        except (*_MISFITS, MarshallingError, LimitError):
            return NO_KEY

    def _exact(self, values: Mapping[str, Any], *, is_stored: bool) -> bytes:
        """Return the identity of a key whose values need no conversion."""
        parts: list[str] = []
        for name, code in self._key:
            value = values[name][code] if is_stored else values[name]
            if code == "S" and isinstance(value, str):
                parts.append(value)
            elif code == "N" and isinstance(value, str | int | float | Decimal):
                parts.append(repr(float(value)))
            elif code == "B" and is_stored:
                parts.append(b64decode(value).hex())
            else:
                raise TypeError
        return "\0".join(parts).encode("utf-8", "surrogatepass")

    def _converted(self, row: RawLine | Row, values: Mapping[str, Any], *, is_stored: bool) -> bytes:
        """Return the identity of a key by its stored form."""
        key = {name: values[name] for name in self._columns & values.keys()}
        kind = row.format if isinstance(row, Row) else Format.DYNAMODB if is_stored else Format.JSONL
        types = row.types if isinstance(row, Row) else {}
        item = self._incoming.stored(Row(file=row.file, line=row.line, values=key, format=kind, types=types))
        return self._exact(self._opened.natural(item) if is_stored else item, is_stored=True)


def _read(line: RawLine) -> Mapping[str, Any]:
    try:
        values: Any = orjson.loads(line.content)
    except ValueError:  # it may be JSON that orjson does not take, such as a surrogate on its own
        values = parse_json(line.content)
    read: Any = unwrapped(values) if line.is_stored and isinstance(values, dict) else values
    if not isinstance(read, dict):
        raise TypeError
    return read


@define(eq=False)
class Dealing:
    """Divides the rows of files into blocks, and those into lanes.

    Attributes:
        incoming: The items of the files. It keeps the deletions, which no worker does.
        source: The files.
        lanes: How many lanes there are.
    """

    incoming: Incoming
    source: Source
    lanes: int
    _payloads: dict[int, list[DealtRow]] = field(factory=dict, init=False)
    _rows: int = field(default=0, init=False)
    _bytes: int = field(default=0, init=False)

    def blocks(self, done: int, digest: str) -> Generator[Block, None, None]:
        """Yield the blocks of the rows that are not done.

        Args:
            done: How many rows an earlier run has done.
            digest: Their digest.

        Raises:
            ResumeError: The first rows are not those of the earlier run.
        """
        seen, rows, keys = blake2b(digest_size=16), 0, KeyReader(self.incoming)
        for row in self.source.unread():
            identity = keys.identity(row)
            seen.update(b"%d:%b" % (len(identity), identity))
            rows += 1
            self.incoming.read = rows
            is_dealt = self._is_dealt(row)
            if rows <= done:
                if rows == done and seen.hexdigest() != digest:
                    raise other_input(done)
                continue
            self._add(row if is_dealt else None, identity)
            if self._rows >= PART_ROWS * self.lanes or self._bytes >= PART_BYTES * self.lanes:
                yield self._block(rows, seen.hexdigest())
        if rows < done:
            raise shorter_input(rows, done)
        if self._rows:
            yield self._block(rows, seen.hexdigest())

    def _is_dealt(self, row: RawLine | Row) -> bool:
        if isinstance(row, RawLine):
            return not self.incoming.deletions or self.incoming.is_dealt(line_row(row))
        return self.incoming.is_dealt(row)

    def _add(self, row: RawLine | Row | None, identity: bytes) -> None:
        self._rows += 1
        if row is None:
            return
        dealt = packed(row)
        self._bytes += packed_size(dealt)
        self._payloads.setdefault(crc32(identity) % self.lanes, []).append(dealt)

    def _block(self, rows: int, digest: str) -> Block:
        """Return the block of the rows so far, and begin the next one."""
        block = Block(self._payloads, rows, digest)
        self._payloads, self._rows, self._bytes = {}, 0, 0
        return block
