"""Batches as pure chunks: BatchGetItem and BatchWriteItem requests of one table, and what they leave unprocessed.

Minimal: one table, fixed chunks.
"""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from mizzle_async.limits import BATCH_GET_KEYS, BATCH_WRITE_ITEMS
from mizzle_async.operations.base import Operation
from mizzle_async.types import Item, RepeatSafety, WirePayload, WireResponse

GET_CHUNK = BATCH_GET_KEYS
WRITE_CHUNK = BATCH_WRITE_ITEMS


@frozen(eq=False)
class BatchAnswer:
    """What one batch request did.

    Attributes:
        items: The items read.
        unprocessed: Keys, or write requests, that must be sent again.
    """

    items: list[Item]
    unprocessed: list[Any]


@frozen(eq=False, repr=False)
class BatchGet(Operation[BatchAnswer]):
    """Read up to 100 items of one table by key.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
    """

    api = "BatchGetItem"

    keys: tuple[Item, ...]
    consistent_read: bool = field(default=False, kw_only=True)

    def _body(self) -> WirePayload:
        entry: WirePayload = {"Keys": list(self.keys)}
        if self.consistent_read:
            entry["ConsistentRead"] = True
        return {"RequestItems": {self._target.table: entry}}

    def from_wire(self, response: WireResponse, now: float, /) -> BatchAnswer:  # noqa: ARG002  (rows judge what is expired)
        """Return the items, in no order, and the keys that were not looked at."""
        table = self._target.table
        payload = response.payload
        left = payload.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        return BatchAnswer(payload.get("Responses", {}).get(table, []), left)


@frozen(eq=False, repr=False)
class BatchWrite(Operation[BatchAnswer]):
    """Put or delete up to 25 items of one table.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
    """

    api = "BatchWriteItem"

    requests: tuple[WirePayload, ...]

    @property
    def safety(self) -> RepeatSafety:
        """Return that whole items can be written again."""
        return RepeatSafety.IDEMPOTENT

    def _body(self) -> WirePayload:
        return {"RequestItems": {self._target.table: list(self.requests)}}

    def from_wire(self, response: WireResponse, now: float, /) -> BatchAnswer:  # noqa: ARG002  (nothing expires)
        """Return the writes that were not done."""
        return BatchAnswer([], response.payload.get("UnprocessedItems", {}).get(self._target.table, []))
