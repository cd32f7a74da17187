"""What a transaction is made of: the actions of its operations, checked together."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from attrs import frozen

from mizzle_async.errors import ExpressionError, LimitError
from mizzle_async.expressions.names import text_bytes
from mizzle_async.limits import TRANSACTION_ACTIONS, TRANSACTION_BYTES
from mizzle_async.marshalling import canonical_key, item_size, value_size
from mizzle_async.operations.explain import Capacity
from mizzle_async.operations.target import Target
from mizzle_async.types import AttributeValue, Item, WirePayload

StoredT_co = TypeVar("StoredT_co", covariant=True)


@frozen(eq=False, repr=False)
class Action:
    """One action of a transaction.

    Attributes:
        kind: ``Put``, ``Update``, ``Delete`` or ``ConditionCheck``.
        body: Its request.
        key: The item that it is about.
        unique: The attribute whose guard item this is; None for the item of the operation itself.
    """

    kind: str
    body: WirePayload
    key: Item
    unique: str | None = None

    @property
    def identity(self) -> tuple[str, Hashable]:
        """What two actions on one item have in common."""
        return self.body["TableName"], canonical_key(self.key)

    @property
    def payload_size(self) -> int:
        """What it counts towards the limit, as DynamoDB Local counts."""
        body = self.body
        values: dict[str, AttributeValue] = body.get("ExpressionAttributeValues", {})
        names: dict[str, str] = body.get("ExpressionAttributeNames", {})
        texts = [body.get("UpdateExpression", ""), body.get("ConditionExpression", ""), *names.values()]
        return (
            item_size(body.get("Item", self.key)) + sum(map(text_bytes, texts)) + sum(map(value_size, values.values()))
        )


@runtime_checkable
class Transactable(Protocol[StoredT_co]):
    """A write as `Client.transact_write` takes it; for type checkers, what it gives once the transaction is applied."""

    @property
    def target(self) -> Target[Any]:
        """The table it is about."""
        ...

    @property
    def settled(self) -> bool:
        """Whether there is nothing to write."""
        ...

    def to_actions(self) -> tuple[Action, ...]:
        """Return what it adds to a transaction, its own item first."""
        ...

    def action_capacity(self) -> Capacity:
        """Return what its actions cost outside of a transaction."""
        ...

    def transacted(self) -> StoredT_co:
        """Return what it gives once the transaction is applied."""
        ...

    def recover(self, error: Exception, now: float, /) -> Any:
        """Raise what the failure of its own action means for it."""
        ...


def check_actions(operations: Sequence[Transactable[Any]], actions: Sequence[tuple[Transactable[Any], Action]]) -> None:
    """Refuse what the service would refuse.

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
        size: The bytes of the encoded request, which is never shorter than what counts.
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
    """Return which of the operations one is, and what it does."""
    number = next(number for number, operation in enumerate(operations, start=1) if operation is wanted)
    return f"number {number}, {wanted}"


def _collision(table: str, first: Action, second: Action) -> str:
    if first.unique is not None and second.unique is not None:
        return f"two operations write the same value of the unique attribute {first.unique!r} in {table!r}"
    return f"two operations are about the same item of {table!r}, and DynamoDB takes one action for each item"
