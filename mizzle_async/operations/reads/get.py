"""GetItem: one item by its key."""

from __future__ import annotations

from typing import Any, TypeVar, cast, overload

from attrs import field

from mizzle_async.errors import ExpressionError, ItemNotFoundError
from mizzle_async.expressions import AttributePath
from mizzle_async.limits import READ_UNIT_BYTES
from mizzle_async.marshalling import RecordForm
from mizzle_async.operations.answers import check_item, check_results
from mizzle_async.operations.base import Operation, promote, use
from mizzle_async.operations.capacity import read_capacity
from mizzle_async.operations.expiry import is_expired
from mizzle_async.operations.explain import Capacity
from mizzle_async.operations.reads.projected_keys import projected_row, projection_members
from mizzle_async.operations.reads.projection import Projection, projection_of
from mizzle_async.operations.sending import Sending
from mizzle_async.types import Item, WirePayload, WireResponse
from mizzle_async.values import transient

ModelT = TypeVar("ModelT")
ResultT_co = TypeVar("ResultT_co", covariant=True)
EntityT = TypeVar("EntityT")
V1 = TypeVar("V1")
V2 = TypeVar("V2")
V3 = TypeVar("V3")
V4 = TypeVar("V4")
V5 = TypeVar("V5")
V6 = TypeVar("V6")


class GetSending(Sending[ResultT_co]):
    """How a get is sent: by itself, or as a part of a transaction."""

    __slots__ = ()

    @property
    def action(self) -> WirePayload:
        """The get as a part of a transaction."""
        members: WirePayload = self._operation._read  # noqa: SLF001  (its other face)
        return members

    @property
    def form(self) -> RecordForm | None:
        """The lighter form in which the item is read, None where it is a dict."""
        form: RecordForm | None = self._operation._form()  # noqa: SLF001  (its other face)
        return form

    def check(self, item: Any) -> None:
        """Refuse an item that is not the one that was asked for.

        Args:
            item: The item, a dict or a record.
        """
        operation = self._operation
        check_item(operation._target.codec, operation._key, item)  # noqa: SLF001  (as above)

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

    @overload
    def project(
        self: GetItem[EntityT | None],
        first: AttributePath[EntityT, V1],
        /,
    ) -> GetItem[tuple[V1] | None]: ...
    @overload
    def project(
        self: GetItem[EntityT | None],
        first: AttributePath[EntityT, V1],
        second: AttributePath[EntityT, V2],
        /,
    ) -> GetItem[tuple[V1, V2] | None]: ...
    @overload
    def project(
        self: GetItem[EntityT | None],
        first: AttributePath[EntityT, V1],
        second: AttributePath[EntityT, V2],
        third: AttributePath[EntityT, V3],
        /,
    ) -> GetItem[tuple[V1, V2, V3] | None]: ...
    @overload
    def project(
        self: GetItem[EntityT | None],
        first: AttributePath[EntityT, V1],
        second: AttributePath[EntityT, V2],
        third: AttributePath[EntityT, V3],
        fourth: AttributePath[EntityT, V4],
        /,
    ) -> GetItem[tuple[V1, V2, V3, V4] | None]: ...
    @overload
    def project(
        self: GetItem[EntityT | None],
        first: AttributePath[EntityT, V1],
        second: AttributePath[EntityT, V2],
        third: AttributePath[EntityT, V3],
        fourth: AttributePath[EntityT, V4],
        fifth: AttributePath[EntityT, V5],
        /,
    ) -> GetItem[tuple[V1, V2, V3, V4, V5] | None]: ...
    @overload
    def project(
        self: GetItem[EntityT | None],
        first: AttributePath[EntityT, V1],
        second: AttributePath[EntityT, V2],
        third: AttributePath[EntityT, V3],
        fourth: AttributePath[EntityT, V4],
        fifth: AttributePath[EntityT, V5],
        sixth: AttributePath[EntityT, V6],
        /,
    ) -> GetItem[tuple[V1, V2, V3, V4, V5, V6] | None]: ...
    @overload
    def project(
        self: GetItem[EntityT | None], *paths: AttributePath[EntityT, Any]
    ) -> GetItem[tuple[Any, ...] | None]: ...
    def project(self, *paths: Any) -> Any:
        """Read some attributes only, as a tuple in the order of the paths.

        An absent attribute has the value that an instance would have: its default, an empty set, or None. It saves
        traffic and decoding, not read units. The key travels too.

        Args:
            *paths: The attributes, such as ``Order.total``.

        Raises:
            ExpressionError: A path is another entity's, or leads nowhere, or this is projected already.
        """
        use(self)
        projection = projection_of(self._target.schema, paths)
        return promote(self, ProjectedOne if self._required else ProjectedGet, projection=projection)

    @property
    def _read(self) -> WirePayload:
        """The members that the single request and a transaction share."""
        return {"TableName": self._target.table, "Key": self._key}

    def _body(self) -> WirePayload:
        target = self._target
        body: WirePayload = {"TableName": target.table, "Key": self._key}
        if self._consistent_read:
            body["ConsistentRead"] = True
        if target.report_capacity:
            body["ReturnConsumedCapacity"] = "TOTAL"
        return body

    def _form(self) -> RecordForm | None:
        """Return the lighter form in which the item is read, None where it is a dict."""
        return self._target.codec.records

    def _json(self, body: bytes) -> Any:
        form = self._form()
        return super()._json(body) if form is None else form.parse(body)

    def _check(self, payload: WirePayload) -> None:
        item = payload.get("Item")
        if item is not None:
            check_item(self._target.codec, self._key, item)
        elif payload:
            check_results(payload)

    def _from_wire(self, response: WireResponse, now: float, /) -> ResultT_co:
        """Return the instance, or the result for none."""
        return self._from_item(response.parsed.get("Item"), now, response)

    def _from_item(self, item: Item | None, now: float, response: WireResponse) -> ResultT_co:
        if item is None or self._is_hidden(item, now):
            return self._absent(response)
        result: ResultT_co = self._target.codec.decode_one(item)
        return result

    def _is_hidden(self, item: Item, now: float) -> bool:
        """Return whether an item is expired, and the caller did not ask for expired ones."""
        lifetime = None if self._include_expired else self._target.schema.time_to_live
        return lifetime is not None and is_expired(self._target.codec.stored(item, lifetime.name), now)

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


class GetOne(GetItem[ResultT_co]):
    """Read one item that must be there: `get_one` makes it. Awaited, it raises `ItemNotFoundError` where there is none.

    Cost: as for `GetItem`.
    """

    __slots__ = ()

    @overload
    def project(
        self: GetOne[EntityT],
        first: AttributePath[EntityT, V1],
        /,
    ) -> GetOne[tuple[V1]]: ...
    @overload
    def project(
        self: GetOne[EntityT],
        first: AttributePath[EntityT, V1],
        second: AttributePath[EntityT, V2],
        /,
    ) -> GetOne[tuple[V1, V2]]: ...
    @overload
    def project(
        self: GetOne[EntityT],
        first: AttributePath[EntityT, V1],
        second: AttributePath[EntityT, V2],
        third: AttributePath[EntityT, V3],
        /,
    ) -> GetOne[tuple[V1, V2, V3]]: ...
    @overload
    def project(
        self: GetOne[EntityT],
        first: AttributePath[EntityT, V1],
        second: AttributePath[EntityT, V2],
        third: AttributePath[EntityT, V3],
        fourth: AttributePath[EntityT, V4],
        /,
    ) -> GetOne[tuple[V1, V2, V3, V4]]: ...
    @overload
    def project(
        self: GetOne[EntityT],
        first: AttributePath[EntityT, V1],
        second: AttributePath[EntityT, V2],
        third: AttributePath[EntityT, V3],
        fourth: AttributePath[EntityT, V4],
        fifth: AttributePath[EntityT, V5],
        /,
    ) -> GetOne[tuple[V1, V2, V3, V4, V5]]: ...
    @overload
    def project(
        self: GetOne[EntityT],
        first: AttributePath[EntityT, V1],
        second: AttributePath[EntityT, V2],
        third: AttributePath[EntityT, V3],
        fourth: AttributePath[EntityT, V4],
        fifth: AttributePath[EntityT, V5],
        sixth: AttributePath[EntityT, V6],
        /,
    ) -> GetOne[tuple[V1, V2, V3, V4, V5, V6]]: ...
    @overload
    def project(self: GetOne[EntityT], *paths: AttributePath[EntityT, Any]) -> GetOne[tuple[Any, ...]]: ...
    def project(self, *paths: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # narrower for each
        """Read some attributes only: as `GetItem.project`.

        Args:
            *paths: The attributes, such as ``Order.total``.

        Raises:
            ExpressionError: As for `GetItem.project`.
        """
        return super().project(*paths)


@transient(eq=False, repr=False)
class ProjectedGet(GetItem[ResultT_co]):
    """Read some attributes of one item. The result is a tuple, or None or an error where there is no item."""

    _projection: Projection = field(kw_only=True, alias="projection")

    def project(self, *paths: Any) -> Any:
        """Refuse a second projection.

        Raises:
            ExpressionError: Always.
        """
        del paths
        use(self)
        raise ExpressionError(f"{self._target.schema.entity}: .project() is said twice: give all paths at once")

    def _form(self) -> None:
        pass

    @property
    def _read(self) -> WirePayload:
        return {**super()._read, **projection_members(self._target, self._projection)}

    def _body(self) -> WirePayload:
        return {**super()._body(), **projection_members(self._target, self._projection)}

    def _from_item(self, item: Item | None, now: float, response: WireResponse) -> ResultT_co:
        if item is None or self._is_hidden(item, now):
            return self._absent(response)
        row: Any = projected_row(self._target, self._projection, item)
        return cast("ResultT_co", row)


class ProjectedOne(ProjectedGet[ResultT_co], GetOne[ResultT_co]):
    """Read some attributes of one item that must be there."""

    __slots__ = ()


class GetRaw(GetItem[Item | None]):
    """Read one item as it is stored, expired or not. The result is None where there is none."""

    __slots__ = ()

    def _form(self) -> None:
        pass

    def _from_item(self, item: Item | None, now: float, response: WireResponse) -> Item | None:
        del now, response
        return item


class GetStored(GetItem[tuple[Item, ModelT]]):
    """Read one item that must be there. The result is the item as it is stored, and the instance."""

    __slots__ = ()

    def _form(self) -> None:
        pass

    def _from_item(self, item: Item | None, now: float, response: WireResponse) -> tuple[Item, ModelT]:
        instance: Any = super()._from_item(item, now, response)
        assert item is not None  # noqa: S101  (a required item that is missing has raised)
        return item, instance
