"""UpdateItem of every declared attribute (`replace`)."""

from __future__ import annotations

from typing import Any, TypeVar

import orjson
from attrs import field

from mizzle_async.expressions import Encoded, UpdateClauses
from mizzle_async.expressions.paths import Summand
from mizzle_async.limits import ITEM_BYTES
from mizzle_async.marshalling import check_item_size, keep_undeclared
from mizzle_async.model import EntitySchema
from mizzle_async.operations.actions import Action
from mizzle_async.operations.base import Operation, derive
from mizzle_async.operations.writes.patching import same_condition
from mizzle_async.operations.writes.stamps import stamped
from mizzle_async.operations.writes.update import ItemUpdate
from mizzle_async.types import Item
from mizzle_async.values import transient

ModelT_co = TypeVar("ModelT_co", covariant=True)
StoredT_co = TypeVar("StoredT_co", covariant=True)
ValueT = TypeVar("ValueT")
ElementT = TypeVar("ElementT")
SummandT = TypeVar("SummandT", bound=Summand)


@transient(eq=False, repr=False)
class ReplaceItem(ItemUpdate[ModelT_co, ModelT_co]):
    """Write every declared attribute of an item that must exist. The result is the instance as stored afterwards.

    Cost: one request, and a write unit for each KB of the larger of the item before and after.
    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
    """

    _sent: Item = field(kw_only=True, alias="sent")
    _guard_is_exact: bool = field(default=True, kw_only=True, alias="guard_is_exact", repr=False)

    @property
    def _whole(self) -> Item | None:
        return self._sent

    def _revised(self, error: Exception, item: Any, now: float, /) -> Operation[ModelT_co] | None:
        """Return the replacement that keeps the undeclared members of the stored documents."""
        del item
        stored = None if self._guard is None else self._refused_item(error, now)
        if stored is None:
            return None
        kept, guard = keep_undeclared(self._target.codec, self._sent, stored)
        if same_condition(guard, self._guard):
            return None
        return self._derived(_clauses=replacing(self._target.schema, kept), _guard=guard)

    def _to_actions(self) -> tuple[Action, ...]:
        """Return the replacement as a transaction takes it.

        A transaction cannot be built anew from the stored item: its condition is the one that an item without
        undeclared members fulfils, where that is not too long.
        """
        if self._guard is not None and not self._guard_is_exact:
            return derive(self, _guard=None, _guard_is_exact=True).sending.to_actions()
        self._check_size(len(orjson.dumps(self._sent)))
        return super()._to_actions()

    def _check_size(self, encoded: int) -> None:
        if encoded > ITEM_BYTES:
            schema = self._target.schema
            sure = {name: value for name, value in self._sent.items() if name not in schema.automatic_names}
            check_item_size(sure, schema.entity)

    def _transacted(self) -> ModelT_co:
        """Return the result in a transaction: the instance as it was sent, with its times and its version."""
        codec = self._target.codec
        own: ModelT_co = codec.decode_own(stamped(codec, self._sent, self._now, self._version))
        return own


def replacing(schema: EntitySchema, item: Item) -> UpdateClauses:
    """Return the clauses that assign every declared attribute of an item, or remove it.

    Args:
        schema: The entity's.
        item: The new item, encoded.
    """
    clauses = UpdateClauses()
    for attribute in schema.attributes:
        is_fixed = schema.shared is not None and attribute.field in schema.shared.whole_fields
        if attribute.key is None and not is_fixed and not attribute.is_automatic:
            clauses = clauses.set(schema.path(attribute.field), Encoded(item.get(attribute.name)))
    return clauses
