"""The handle of one kind of row: its writes, and consistent reads."""

from __future__ import annotations

from typing import Any, TypeVar

from mizzle_async.flow.pace import UNLIMITED
from mizzle_async.operations import GetItem
from mizzle_async.operations.reads.options import ReadOptions
from mizzle_async.operations.reads.selections import query_plan
from mizzle_async.reading.merged_source import open_source
from mizzle_async.writing.verbs import TableWrites

RowT = TypeVar("RowT")


class StateRows(TableWrites[RowT]):
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

    async def below(self, scope: str, prefix: str) -> list[RowT]:
        """Return the rows of a scope whose sort key begins with a text, as they are now.

        Args:
            scope: Their partition key.
            prefix: The beginning of their sort keys.

        Cost: a request for each MB, and a read unit for each 4 KB.
        """
        schema, codec = self._schema, self._target.codec
        conditions: list[Any] = [schema.partition_key_path == scope, schema.sort_key_path.begins_with(prefix)]
        plan = query_plan(self._target, ReadOptions(consistent_read=True), conditions)
        source = open_source(self._runtime, plan, limiters=UNLIMITED)
        rows: list[RowT] = []
        try:
            while (page := await source.next()) is not None:
                rows += map(codec.decode, page.items)
        finally:
            await source.aclose()
        return rows
