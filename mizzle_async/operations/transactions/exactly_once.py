"""A write that is applied once, even if its answers are lost: a transaction of one action, with a token."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

import orjson
from attrs import field

from mizzle_async.errors import TransactionCanceledError
from mizzle_async.operations.actions import Action, Transactable, check_actions, check_size
from mizzle_async.operations.answers import check_results
from mizzle_async.operations.base import Operation, derive, use
from mizzle_async.operations.explain import Capacity, Explanation
from mizzle_async.operations.target import BindTarget
from mizzle_async.operations.transactions.cancellations import canceled, raise_misfits
from mizzle_async.operations.transactions.request import (
    API,
    explain_transaction,
    raise_lost,
    tables_of,
    transaction_body,
    transaction_capacity,
    transaction_request,
)
from mizzle_async.operations.transactions.tokens import ClientRequestToken
from mizzle_async.types import RepeatSafety, WirePayload, WireRequest, WireResponse
from mizzle_async.values import transient

ResultT_co = TypeVar("ResultT_co", covariant=True)


@transient(eq=False, repr=False)
class ExactlyOnce(Operation[ResultT_co]):
    """A single write sent as a transaction of its own, so that the service recognises a repetition.

    The result is the stored instance for whole-item writes, None for others: a transaction returns no item. It raises
    the errors that the write raises alone.

    Cost: one request; twice the write units of the write.
    """

    api = API

    operation: Transactable[ResultT_co]
    _token: ClientRequestToken = field(kw_only=True, alias="token")
    _actions: tuple[Action, ...] = field(kw_only=True, alias="actions", repr=False)

    def _bound(self, bind: BindTarget) -> ExactlyOnce[ResultT_co]:
        """Return this with the targets of the client that sends it: that of its write too."""
        return derive(self, _target=bind(self._target), operation=self.operation.sending.bound(bind))

    @property
    def _safety(self) -> RepeatSafety:
        """Return that the service recognises a repetition."""
        return RepeatSafety.TOKEN

    @property
    def _settled(self) -> bool:
        """Tell whether there is nothing to write: then nothing is sent."""
        return not self._actions

    def _result(self) -> ResultT_co:
        """Return the result of the write, once it is applied."""
        return self.operation.sending.transacted()

    def _begin(self, now: float, /) -> None:
        """Note a sending.

        Raises:
            LimitError: Too long after the first one.
        """
        self._token.use(now)

    def _to_request(self) -> WireRequest:
        """Return the wire request, encoded."""
        use(self)
        return transaction_request(
            orjson.dumps(self._body()), tables_of(self._actions), self._token, self._timeout, self._parse
        )

    def _check(self, payload: WirePayload) -> None:
        check_results(payload)

    def _from_wire(self, response: WireResponse, now: float, /) -> ResultT_co:  # noqa: ARG002  (all are asked alike)
        """Return the result of the write."""
        return self._result()

    def _recover(self, error: Exception, now: float, /) -> ResultT_co:
        """Raise the meaning of a failure for the write."""
        raise_single(error, self.operation, self._actions, now)

    def explain(self) -> Explanation:
        """Return the request in words, with its estimated cost and the values of attributes. Nothing is sent."""
        return explain_transaction(self.to_wire(), tables_of(self._actions), self._capacity(), ())

    def _body(self) -> WirePayload:
        return transaction_body(self._actions, self._token, report_capacity=self._target.report_capacity)

    def _capacity(self) -> Capacity:
        return transaction_capacity(self.operation.sending.capacity())

    def __str__(self) -> str:
        return f"{self.api}, exactly once: {self.operation}"


def exactly_once(
    operation: Transactable[ResultT_co], token: ClientRequestToken, timeout: float | None
) -> ExactlyOnce[ResultT_co]:
    """Build a transaction of one write.

    Args:
        operation: The write.
        token: The token that makes it one transaction.
        timeout: Seconds for the whole call, or None for the client's.

    Raises:
        LimitError: It carries more than a transaction may.
    """
    sending = operation.sending
    actions = () if sending.settled else sending.to_actions()
    check_actions([operation], [(operation, action) for action in actions])
    check_size(sum(action.payload_size for action in actions), actions)
    return ExactlyOnce(sending.target, operation, token=token, actions=actions, timeout=timeout)


def raise_single(error: Exception, operation: Transactable[Any], actions: tuple[Action, ...], now: float) -> NoReturn:
    """Raise the meaning of a transaction's failure for the one operation in it.

    Args:
        error: The service's or the pipeline's.
        operation: The write.
        actions: Its actions, as they were sent.
        now: The time by the client's clock.
    """
    if isinstance(error, TransactionCanceledError):
        translated = canceled(error, [operation], [(operation, action) for action in actions], now)
        raise translated.reasons[0].error or translated
    raise_misfits(error, [operation])
    raise_lost(error)
