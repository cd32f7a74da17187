"""The verbs of an entity with unique attributes: transactions that write the item together with its guard items.

Each looks and composes like the plain verb, and is one operation: a transaction takes its actions, a failure is the
verb's own.
"""

from __future__ import annotations

from typing import Any, NoReturn, Self, TypeVar

import orjson
from attrs import evolve, field

from mizzle_async.errors import ConditionalCheckFailedError, ExpressionError, TransactionCanceledError
from mizzle_async.expressions import Condition, UpdateClause, UpdateClauses
from mizzle_async.operations.actions import Action
from mizzle_async.operations.answers import check_results
from mizzle_async.operations.base import derive, promote, use
from mizzle_async.operations.explain import Capacity, Explanation, outline
from mizzle_async.operations.guards import Guards, check_no_guard
from mizzle_async.operations.transactions.exactly_once import raise_single
from mizzle_async.operations.transactions.request import (
    API,
    explain_transaction,
    transaction_body,
    transaction_capacity,
    transaction_request,
)
from mizzle_async.operations.transactions.tokens import ClientRequestToken, request_token
from mizzle_async.operations.writes.delete import DeleteItem
from mizzle_async.operations.writes.presence import Presence
from mizzle_async.operations.writes.put import PutItem
from mizzle_async.operations.writes.stamps import stamped
from mizzle_async.operations.writes.update import UpdateItem
from mizzle_async.operations.writes.write import Write
from mizzle_async.types import Item, RepeatSafety, WirePayload, WireRequest, WireResponse
from mizzle_async.values import transient

ModelT = TypeVar("ModelT")


class _Guarded(Write[Any, Any, Any]):
    """The common part of the three verbs. It has no slots, so that it can stand before any of them."""

    __slots__ = ()

    api = API
    _guards: tuple[Action, ...]
    _token: ClientRequestToken

    @property
    def _safety(self) -> RepeatSafety:
        """Return that the service recognises a repetition."""
        return RepeatSafety.TOKEN

    def _derived(self, **changes: Any) -> Self:
        # With another condition it is another transaction.
        return super()._derived(_token=request_token(None, self._target.new_token, self), **changes)

    def _with_conditions(self, conditions: tuple[Condition[Any], ...]) -> Self:
        return self._derived(_conditions=conditions)

    def _begin(self, now: float, /) -> None:
        """Note a sending.

        Raises:
            LimitError: Too long after the first one.
        """
        self._token.use(now)

    def _to_request(self) -> WireRequest:
        """Return the wire request, encoded.

        Raises:
            LimitError: The item is larger than DynamoDB stores.
        """
        use(self)
        request = transaction_request(
            orjson.dumps(self._body()), self._target.table, self._token, self._timeout, self._parse
        )
        self._check_size(len(request.body))
        return request

    def _check(self, payload: WirePayload) -> None:
        check_results(payload)

    def _to_actions(self) -> tuple[Action, ...]:
        """Return the item's action, then those of its guard items."""
        return (*super()._to_actions(), *self._guards)

    def _action_capacity(self) -> Capacity:
        """Return the cost of the item and its guards outside of a transaction. A guard is smaller than one KB."""
        item = super()._action_capacity()
        return evolve(item, write_units=item.write_units + len(self._guards))

    def _recover(self, error: Exception, now: float, /) -> Any:
        """Raise the meaning of a failure for this verb.

        Raises:
            UniqueConstraintError: Another item has the value of a unique attribute.
        """
        if isinstance(error, ConditionalCheckFailedError):
            return super()._recover(error, now)
        return raise_single(error, self, self._to_actions(), now)

    def explain(self) -> Explanation:
        """Explain the request and its estimated cost, with the values of attributes. Nothing is sent."""
        return explain_transaction(self.to_wire(), self._target.table, self._capacity(), ())

    def _body(self) -> WirePayload:
        return transaction_body(self._to_actions(), self._token, report_capacity=self._target.report_capacity)

    def _capacity(self) -> Capacity:
        return transaction_capacity(self._action_capacity())

    def _refused_item(self, error: Exception, now: float) -> Item | None:
        own = error.reasons[0] if isinstance(error, TransactionCanceledError) and error.reasons else None
        if own is not None and own.item is not None:
            error = ConditionalCheckFailedError(own.message, item=own.item)
        item: Item | None = super()._refused_item(error, now)  # type: ignore[misc]  # of the updates among its heirs
        return item

    def _guarded(self) -> str:
        """Name the unique attributes whose guards are written, each once."""
        return ", ".join(dict.fromkeys(guard.unique or "" for guard in self._guards))

    def __str__(self) -> str:
        return f"{self.api}: {outline(self._action, self._request())}, with guards of {self._guarded()}"


@transient(eq=False, repr=False)
class UniquePut(_Guarded, PutItem[ModelT]):
    """`insert` of an item with unique attributes.

    Cost: one request, twice the write units of the item, and two for each unique attribute that it has.
    """

    _guards: tuple[Action, ...] = field(kw_only=True, alias="guards")
    _token: ClientRequestToken = field(kw_only=True, alias="token")


@transient(eq=False, repr=False)
class UniqueUpdate(_Guarded, UpdateItem[ModelT]):
    """`patch` of an item whose unique attributes change. The result is the instance that was sent.

    Cost: one request, twice the write units of the item, and up to four for each unique attribute that changes.
    """

    _guards: tuple[Action, ...] = field(kw_only=True, alias="guards")
    _token: ClientRequestToken = field(kw_only=True, alias="token")
    _sent: Item = field(kw_only=True, alias="sent")

    def _with(self, *clauses: UpdateClause) -> NoReturn:
        use(self)
        added = UpdateClauses(clauses)
        raise ExpressionError(
            f"{self._target.schema.entity}: this patch changes the guard items of {self._guarded()}, and its result is "
            f"what was sent, to which {added} could not be added: let the instance that is given as to=… say everything"
        )

    def _and(self, clause: UpdateClause) -> NoReturn:
        self._with(clause)

    def _from_wire(self, response: WireResponse, now: float, /) -> ModelT:  # noqa: ARG002  (all are asked alike)
        """Return the instance as it was sent, with its times and its version: a transaction returns no item."""
        codec = self._target.codec
        given: ModelT = codec.decode_own(stamped(codec, self._sent, self._now, self._version))
        return given


@transient(eq=False, repr=False)
class UniqueDelete(_Guarded, DeleteItem[ModelT]):
    """`delete` of an instance with unique attributes. The result is the instance that was sent.

    Cost: one request, twice the write units of the item, and two for each unique attribute that it has.
    """

    _guards: tuple[Action, ...] = field(kw_only=True, alias="guards")
    _token: ClientRequestToken = field(kw_only=True, alias="token")
    _sent: Item = field(kw_only=True, alias="sent")

    def _from_wire(self, response: WireResponse, now: float, /) -> ModelT | None:  # noqa: ARG002  (all are asked alike)
        """Return the instance that was sent, if one was asked for: a transaction returns no item."""
        return self._decode_answer(self._sent) if self._returns_item else None


def unique_insert(plain: PutItem[ModelT], token: str) -> PutItem[ModelT]:
    """Return an insertion that claims the values of unique attributes, or the plain one where it has none.

    Args:
        plain: The insertion of the item alone.
        token: The transaction's client request token.
    """
    sending = plain.sending
    target = sending.target
    check_no_guard(target.schema, plain.item)
    guards = Guards(target, target.codec.key_of_item(plain.item), sending.now).added(plain.item)
    if not guards:
        return derive(plain)
    return promote(plain, UniquePut[ModelT], guards=guards, token=ClientRequestToken(token))


def unique_patch(plain: UpdateItem[ModelT], old: Item, new: Item, token: str) -> UpdateItem[ModelT]:
    """Return a patch that moves guard items along, or the plain one where no guard changes.

    Args:
        plain: The patch of the item alone.
        old: The item as it was read.
        new: The item as it shall be.
        token: The transaction's client request token.
    """
    sending = plain.sending
    guards = Guards(sending.target, plain.key, sending.now)
    actions = guards.changed(old, new)
    if not actions:
        return derive(plain)
    return promote(
        plain,
        UniqueUpdate[ModelT],
        conditions=(*guards.held(old), *sending.conditions),
        guards=actions,
        token=ClientRequestToken(token),
        sent=new,
    )


def unique_delete(plain: DeleteItem[ModelT], item: Item, token: str) -> DeleteItem[ModelT]:
    """Return a deletion that gives up the values of unique attributes.

    Args:
        plain: The deletion of the item alone.
        item: The instance, encoded.
        token: The transaction's client request token.
    """
    sending = plain.sending
    guards = Guards(sending.target, plain.key, sending.now)
    return promote(
        plain,
        UniqueDelete[ModelT],
        presence=Presence.PRESENT,
        conditions=guards.held(item),
        guards=guards.removed(item),
        token=ClientRequestToken(token),
        sent=item,
    )
