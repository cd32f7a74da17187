"""The actions of a transaction, checked together, and the writes that bring them."""

# ruff: noqa: SLF001  (`WriteSending` is the other face of a write, as `Sending` is of every operation)

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from mizzle_async.errors import ExpressionError, LimitError
from mizzle_async.expressions import Condition
from mizzle_async.expressions.names import text_bytes
from mizzle_async.limits import TRANSACTION_ACTIONS, TRANSACTION_BYTES
from mizzle_async.marshalling import canonical_key, item_size, value_size
from mizzle_async.operations.explain import Capacity
from mizzle_async.operations.sending import Sending
from mizzle_async.types import AttributeValue, Item, WirePayload
from mizzle_async.values import transient

ResultT_co = TypeVar("ResultT_co", covariant=True)
StoredT_co = TypeVar("StoredT_co", covariant=True)


@transient(eq=False, repr=False)
class Action:
    """One action of a transaction.

    Attributes:
        kind: ``Put``, ``Update``, ``Delete`` or ``ConditionCheck``.
        body: Its request.
        key: The item that it is about.
        unique: The attribute whose guard item this is, or None for the item of the operation itself.
    """

    kind: str
    body: WirePayload
    key: Item
    unique: str | None = None

    @property
    def identity(self) -> tuple[str, Hashable]:
        """The identity of the action's item: equal for two actions on one item."""
        return self.body["TableName"], canonical_key(self.key)

    @property
    def payload_size(self) -> int:
        """The bytes that it counts towards the limit, by the rules of DynamoDB Local."""
        body = self.body
        values: dict[str, AttributeValue] = body.get("ExpressionAttributeValues", {})
        names: dict[str, str] = body.get("ExpressionAttributeNames", {})
        texts = [body.get("UpdateExpression", ""), body.get("ConditionExpression", ""), *names.values()]
        return (
            item_size(body.get("Item", self.key)) + sum(map(text_bytes, texts)) + sum(map(value_size, values.values()))
        )


class WriteSending(Sending[ResultT_co], Generic[ResultT_co, StoredT_co]):
    """How one write is sent: by itself, or as a part of a transaction."""

    __slots__ = ()

    @property
    def now(self) -> float:
        """The time when the write was built, in seconds since the epoch, 0 where its entity asks for none."""
        now: float = self._operation._now
        return now

    @property
    def conditions(self) -> tuple[Condition[Any], ...]:
        """The conditions of the caller, all of which must hold."""
        conditions: tuple[Condition[Any], ...] = self._operation._conditions
        return conditions

    @property
    def is_conditional(self) -> bool:
        """Whether the write asks anything of the stored item."""
        conditional: bool = self._operation._is_conditional
        return conditional

    def item_key(self) -> Item:
        """Return the key of the item."""
        key: Item = self._operation._item_key()
        return key

    def to_actions(self) -> tuple[Action, ...]:
        """Return the actions that the write adds to a transaction, its own item first."""
        actions: tuple[Action, ...] = self._operation._to_actions()
        return actions

    def capacity(self) -> Capacity:
        """Return the cost of the write outside of a transaction."""
        capacity: Capacity = self._operation._action_capacity()
        return capacity

    def misfit_places(self) -> tuple[str, ...]:
        """Return the places that may not fit the stored item, where a transaction is refused for one of them."""
        places: tuple[str, ...] = self._operation._misfit_places()
        return places

    def transacted(self) -> StoredT_co:
        """Return the result of the write in a transaction that was applied."""
        stored: StoredT_co = self._operation._transacted()
        return stored


class Transactable(Generic[StoredT_co]):
    """A write as `Client.transact_write` takes it. Its type parameter is the result in a transaction."""

    __slots__ = ()

    @property
    def sending(self) -> WriteSending[Any, StoredT_co]:
        """How the write is sent. Asking for it counts as using the operation."""
        raise NotImplementedError


def check_actions(operations: Sequence[Transactable[Any]], actions: Sequence[tuple[Transactable[Any], Action]]) -> None:
    """Raise the errors for which the service would refuse the request.

    Args:
        operations: As the caller gave them.
        actions: Each action with its operation, in order.

    Raises:
        LimitError: Too many actions.
        ExpressionError: Two of them are about one item.
    """
    if len(actions) > TRANSACTION_ACTIONS:
        raise LimitError(
            f"this transaction has {len(actions)} actions, DynamoDB takes {TRANSACTION_ACTIONS}; a unique attribute "
            "adds one for each of its guard items. Split it, if the parts need not succeed or fail together"
        )
    seen: dict[tuple[str, Hashable], tuple[Transactable[Any], Action]] = {}
    for operation, action in actions:
        identity = action.identity
        other = seen.setdefault(identity, (operation, action))
        if other[1] is not action:
            if other[0] is operation:
                raise ExpressionError(
                    f"one operation was given twice, and DynamoDB takes one action for each item: {operation}"
                )
            first, second = (_position(operations, each) for each in (other[0], operation))
            raise ExpressionError(f"{_collision(identity[0], other[1], action)}: {first}, and {second}")


def check_size(size: int, actions: Iterable[Action]) -> None:
    """Refuse a transaction that carries more than the service takes.

    Args:
        size: The bytes of the encoded request, which is never shorter than the bytes that count.
        actions: Its actions.

    Raises:
        LimitError: It is too large.
    """
    if size > TRANSACTION_BYTES:
        total = sum(action.payload_size for action in actions)
        if total > TRANSACTION_BYTES:
            raise LimitError(
                f"this transaction carries {total:,} bytes, DynamoDB takes {TRANSACTION_BYTES:,}. Split it, if the "
                "parts need not succeed or fail together"
            )


def _position(operations: Sequence[Transactable[Any]], wanted: Transactable[Any]) -> str:
    """Return the number of an operation among others, and its description."""
    number = next(number for number, operation in enumerate(operations, start=1) if operation is wanted)
    return f"number {number}, {wanted}"


def _collision(table: str, first: Action, second: Action) -> str:
    if first.unique is not None and second.unique is not None:
        return f"two operations write the same value of the unique attribute {first.unique!r} in {table!r}"
    return f"two operations are about the same item of {table!r}, and DynamoDB takes one action for each item"
