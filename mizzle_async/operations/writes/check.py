"""ConditionCheck: a condition on an item that a transaction does not write."""

from __future__ import annotations

from typing import TypeVar

from attrs import field

from mizzle_async.errors import ExpressionError
from mizzle_async.operations.base import use
from mizzle_async.operations.capacity import write_capacity
from mizzle_async.operations.explain import Capacity
from mizzle_async.operations.writes.write import Write
from mizzle_async.types import Item, WirePayload, WireRequest
from mizzle_async.values import transient

ModelT_co = TypeVar("ModelT_co", covariant=True)


@transient(eq=False, repr=False)
class CheckItem(Write[ModelT_co, None, None]):
    """Hold a transaction to a condition on one more item. Only `Client.transact_write` can send it.

    Cost: as a transactional write of the item: two write units for each KB.
    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ConditionCheck.html
    """

    api = "ConditionCheck"
    _action = "ConditionCheck"

    _key: Item = field(alias="key")

    @property
    def key(self) -> Item:
        """The key, in DynamoDB's JSON."""
        return self._key

    def _compile(self) -> WirePayload:
        condition = self._condition()
        if condition is None:
            raise ExpressionError(
                f"{self._target.schema.entity}: a check needs a condition: `.check(…).when(…)`, or `.at_version(…)`"
            )
        statement = self._target.statements.members(None, condition)
        return {"TableName": self._target.table, "Key": self._key, **statement}

    def _item_key(self) -> Item:
        """Return the key of the item."""
        return self._key

    def _transacted(self) -> None:
        """Return the result in a transaction."""

    def _to_request(self) -> WireRequest:
        """Refuse to be sent alone.

        Raises:
            ExpressionError: Always.
        """
        use(self)
        raise ExpressionError(
            f"{self._target.schema.entity}: a check is part of a transaction: `await client.transact_write(check, …)`"
        )

    def _action_capacity(self) -> Capacity:
        """Return the cost of the write outside of a transaction."""
        return write_capacity(1, at_least=True, note="per KB of the item")
