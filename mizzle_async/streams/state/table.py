"""The handle of one kind of row: its writes, and a consistent read of one row."""

from __future__ import annotations

from typing import TypeVar

from mizzle_async.operations import GetItem
from mizzle_async.writing.verbs import TableWrites

RowT = TypeVar("RowT")


class Rows(TableWrites[RowT]):
    """The rows of one class in a state table."""

    def at(self, scope: str, row: str) -> GetItem[RowT | None]:
        """Read a row as it is now.

        Args:
            scope: Its partition key.
            row: Its sort key.

        Cost: one request and a read unit for each 4 KB.
        """
        key = self._target.codec.encode_key({"scope": scope, "row": row})
        return GetItem(self._target, key, consistent_read=True)
