"""PutItem: a whole item, new (`insert`) or in place of the stored one (`put`)."""

from __future__ import annotations

from typing import TypeVar

import orjson
from attrs import field

from mizzle_async.limits import ITEM_BYTES
from mizzle_async.marshalling import check_item_size, item_size
from mizzle_async.operations.actions import Action
from mizzle_async.operations.answers import check_results
from mizzle_async.operations.capacity import write_capacity
from mizzle_async.operations.explain import Capacity
from mizzle_async.operations.writes.presence import Presence
from mizzle_async.operations.writes.write import Write
from mizzle_async.types import Item, WirePayload, WireResponse
from mizzle_async.values import transient

ModelT_co = TypeVar("ModelT_co", covariant=True)


@transient(eq=False, repr=False)
class PutItem(Write[ModelT_co, ModelT_co, ModelT_co]):
    """Write a whole item. The result is the instance as stored.

    Cost: one request, and a write unit for each KB of the larger of the new item and the one it replaces.
    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html
    """

    api = "PutItem"
    _action = "Put"

    _item: Item = field(kw_only=True, alias="item")

    @property
    def item(self) -> Item:
        """The item, in DynamoDB's JSON."""
        return self._item

    @property
    def _whole(self) -> Item | None:
        return self._item

    def _compile(self) -> WirePayload:
        body: WirePayload = {"TableName": self._target.table, "Item": self._item}
        condition = self._condition()
        if condition is not None:
            body.update(self._target.statements.members(None, condition))
        return body

    def _check_size(self, encoded: int) -> None:
        if encoded > ITEM_BYTES:
            check_item_size(self._item, self._target.schema.entity)

    def _to_actions(self) -> tuple[Action, ...]:
        """Return the put as a transaction takes it.

        Raises:
            LimitError: The item is larger than DynamoDB stores.
        """
        actions = super()._to_actions()
        self._check_size(len(orjson.dumps(self._item)))
        return actions

    def _item_key(self) -> Item:
        """Return the key of the item."""
        return self._target.codec.key_of_item(self._item)

    def _transacted(self) -> ModelT_co:
        """Return the result in a transaction."""
        return self.stored()

    def _check(self, payload: WirePayload) -> None:
        if payload:
            check_results(payload)

    def _from_wire(self, response: WireResponse, now: float, /) -> ModelT_co:  # noqa: ARG002  (every operation is asked alike)
        """Return the instance as it is stored now."""
        return self.stored()

    def stored(self) -> ModelT_co:
        """Return the instance as this write stores it: normalised, with its times and its version."""
        stored: ModelT_co = self._target.codec.decode_own(self._item)
        return stored

    def _applied(self, item: Item) -> ModelT_co:
        return self._decode_answer(item)

    def _action_capacity(self) -> Capacity:
        """Return the cost of the write outside of a transaction."""
        replaces = self._presence is not Presence.ABSENT
        note = "more if a larger item is replaced; index writes come on top" if replaces else "index writes come on top"
        return write_capacity(item_size(self._item), at_least=True, note=note)
