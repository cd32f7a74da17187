"""DeleteItem: remove an item, and return it as it was."""

from __future__ import annotations

from typing import Any, TypeVar

from attrs import field

from mizzle_async.operations.answers import check_item, check_results, parse_item_answer
from mizzle_async.operations.capacity import write_capacity
from mizzle_async.operations.explain import Capacity
from mizzle_async.operations.writes.failures import living, raise_unknown
from mizzle_async.operations.writes.write import Write
from mizzle_async.types import Item, RepeatSafety, WirePayload, WireResponse
from mizzle_async.values import transient

ModelT_co = TypeVar("ModelT_co", covariant=True)


@transient(eq=False, repr=False)
class DeleteItem(Write[ModelT_co, "ModelT_co | None", None]):
    """Delete an item. The result is the deleted instance, or None if there was none. Deleting nothing succeeds.

    Cost: one request, and a write unit for each KB of the deleted item, one if there was none.
    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html
    """

    api = "DeleteItem"
    _action = "Delete"

    _key: Item = field(alias="key")
    _returns_item: bool = field(default=True, kw_only=True, alias="returns_item")

    @property
    def key(self) -> Item:
        """The key, in DynamoDB's JSON."""
        return self._key

    @property
    def _safety(self) -> RepeatSafety:
        """Return that a repetition may find nothing, for having succeeded before."""
        return RepeatSafety.GUARDED

    def _compile(self) -> WirePayload:
        body: WirePayload = {"TableName": self._target.table, "Key": self._key}
        condition = self._condition()
        if condition is not None:
            body.update(self._target.statements.members(None, condition))
        return body

    def _finish(self, body: WirePayload) -> None:
        if self._returns_item:
            body["ReturnValues"] = "ALL_OLD"

    def _item_key(self) -> Item:
        """Return the key of the item."""
        return self._key

    def _transacted(self) -> None:
        """Return the result in a transaction, which hands no deleted item back."""

    def _json(self, body: bytes) -> Any:
        return parse_item_answer(self._target.codec, body)

    def _check(self, payload: WirePayload) -> None:
        item = payload.get("Attributes")
        if item:
            check_item(self._target.codec, self._key, item)
        elif payload:
            check_results(payload, "Attributes")

    def _from_wire(self, response: WireResponse, now: float, /) -> ModelT_co | None:
        """Return the deleted instance, or None if there was none, or none was asked for.

        Raises:
            OutcomeUnknownError: Nothing was there, but the answer to an earlier attempt was lost: that one may have
                deleted it.
            AppliedWriteError: The deleted item does not fit its class.
        """
        if not self._returns_item:
            return None
        item: Item | None = response.parsed.get("Attributes")
        if not item:
            if response.ambiguous:
                raise_unknown(
                    self._target,
                    response,
                    None,
                    "no item lies under this key now, and the answer to an earlier attempt was lost: "
                    "that attempt may have deleted the item, and it cannot be handed back",
                    operation=self.api,
                )
            return None
        found = living(self._target, item, now)
        return None if found is None else self._decode_answer(found)

    def _action_capacity(self) -> Capacity:
        """Return the cost of the write outside of a transaction."""
        return write_capacity(1, at_least=True, note="per KB of the deleted item; index writes come on top")
