"""GetItem: one item by its key."""

from __future__ import annotations

from typing import Any, TypeVar

from attrs import field

from mizzle_async.errors import ItemNotFoundError
from mizzle_async.limits import READ_UNIT_BYTES
from mizzle_async.operations.answers import check_key, check_results
from mizzle_async.operations.base import Operation
from mizzle_async.operations.capacity import read_capacity
from mizzle_async.operations.expiry import is_expired
from mizzle_async.operations.explain import Capacity
from mizzle_async.operations.sending import Sending
from mizzle_async.types import Item, WirePayload, WireResponse
from mizzle_async.values import transient

ModelT = TypeVar("ModelT")
ResultT_co = TypeVar("ResultT_co", covariant=True)


class GetSending(Sending[ResultT_co]):
    """How a get is sent: by itself, or as a part of a transaction."""

    __slots__ = ()

    def from_item(self, item: Item | None, now: float, response: WireResponse) -> ResultT_co:
        """Return the result for an item that a transaction returned.

        Args:
            item: The item, or None if there was none.
            now: The time by the client's clock.
            response: The answer, for an error's context.

        Raises:
            ItemNotFoundError: From `get_one`, where there is no item.
            MarshallingError: The item does not fit its class.
        """
        result: ResultT_co = self._operation._from_item(item, now, response)  # noqa: SLF001  (its other face)
        return result


@transient(eq=False, repr=False)
class GetItem(Operation[ResultT_co]):
    """Read one item. The result is the instance, or None (`get`) or an error (`get_one`) where there is none.

    Cost: one request; a read unit for each 4 KB of the item when consistent, half of it otherwise.
    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html
    """

    api = "GetItem"

    _key: Item = field(alias="key")
    _consistent_read: bool = field(default=False, kw_only=True, alias="consistent_read")
    _include_expired: bool = field(default=False, kw_only=True, alias="include_expired")
    _required: bool = field(default=False, kw_only=True, alias="required")

    @property
    def key(self) -> Item:
        """The key, in DynamoDB's JSON."""
        return self._key

    @property
    def consistent_read(self) -> bool:
        """Whether every write that was finished before is seen."""
        return self._consistent_read

    @property
    def include_expired(self) -> bool:
        """Whether an expired item is shown."""
        return self._include_expired

    @property
    def sending(self) -> GetSending[ResultT_co]:
        """How the client sends this operation. Asking for it counts as using the operation."""
        return GetSending(self)

    def _body(self) -> WirePayload:
        target = self._target
        body: WirePayload = {"TableName": target.table, "Key": self._key}
        if self._consistent_read:
            body["ConsistentRead"] = True
        if target.report_capacity:
            body["ReturnConsumedCapacity"] = "TOTAL"
        return body

    def _check(self, payload: WirePayload) -> None:
        item = payload.get("Item")
        if item is not None:
            check_key(self._key, item)
        elif payload:
            check_results(payload)

    def _from_wire(self, response: WireResponse, now: float, /) -> ResultT_co:
        """Return the instance, or the result for none."""
        return self._from_item(response.payload.get("Item"), now, response)

    def _from_item(self, item: Item | None, now: float, response: WireResponse) -> ResultT_co:
        if item is None or self._is_hidden(item, now):
            return self._absent(response)
        result: ResultT_co = self._target.codec.decode(item)
        return result

    def _is_hidden(self, item: Item, now: float) -> bool:
        """Return whether an item is expired, and the caller did not ask for expired ones."""
        lifetime = None if self._include_expired else self._target.schema.time_to_live
        return lifetime is not None and is_expired(item.get(lifetime.name), now)

    def _absent(self, response: WireResponse) -> ResultT_co:
        if self._required:
            raise ItemNotFoundError(
                f"no {self._target.schema.entity} lies under this key",
                operation=self.api,
                table=self._target.table,
                attempts=response.attempts,
                request_id=response.request_id,
            )
        absent: ResultT_co = None  # type: ignore[assignment]  # `get` makes ResultT_co include None
        return absent

    def _capacity(self) -> Capacity:
        each = f"per {READ_UNIT_BYTES // 1024} KB of the item"
        return read_capacity(1, consistent=self._consistent_read, at_least=True, note=each)


class GetRaw(GetItem[Item | None]):
    """Read one item as it is stored, expired or not. The result is None where there is none."""

    __slots__ = ()

    def _from_item(self, item: Item | None, now: float, response: WireResponse) -> Item | None:
        del now, response
        return item


class GetStored(GetItem[tuple[Item, ModelT]]):
    """Read one item that must be there. The result is the item as it is stored, and the instance."""

    __slots__ = ()

    def _from_item(self, item: Item | None, now: float, response: WireResponse) -> tuple[Item, ModelT]:
        instance: Any = super()._from_item(item, now, response)
        assert item is not None  # noqa: S101  (a required item that is missing has raised)
        return item, instance
