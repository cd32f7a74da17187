"""TransactWriteItems: several writes, all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import orjson
from attrs import field

from mizzle_async.errors import ExpressionError, TransactionCanceledError
from mizzle_async.operations.actions import Action, Transactable, WriteSending, check_actions, check_size
from mizzle_async.operations.answers import check_results
from mizzle_async.operations.base import Operation, derive, use, use_all
from mizzle_async.operations.explain import Capacity, Explanation
from mizzle_async.operations.guards import hand_over
from mizzle_async.operations.target import BindTarget, Target
from mizzle_async.operations.transactions.cancellations import canceled, raise_misfits
from mizzle_async.operations.transactions.exactly_once import ExactlyOnce
from mizzle_async.operations.transactions.request import (
    API,
    explain_transaction,
    names_of,
    raise_lost,
    tables_of,
    transaction_body,
    transaction_capacity,
    transaction_request,
)
from mizzle_async.operations.transactions.tokens import ClientRequestToken, request_token
from mizzle_async.types import RepeatSafety, WirePayload, WireRequest, WireResponse
from mizzle_async.values import transient

ResultT_co = TypeVar("ResultT_co", covariant=True)


@transient(eq=False, repr=False)
class TransactWrite(Operation[ResultT_co]):
    """Write several items, all or none.

    The result is a tuple: the stored instance for whole-item writes, None for others.

    Its token was made with it: awaiting it again within nine minutes of its first sending is the same transaction.

    Cost: one request; twice the write units of its writes.
    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """

    api = API

    operations: tuple[Transactable[Any], ...]
    _token: ClientRequestToken = field(kw_only=True, alias="token")
    _actions: tuple[tuple[Transactable[Any], Action], ...] = field(kw_only=True, alias="actions", repr=False)
    _encoded: bytes | None = field(default=None, kw_only=True, alias="encoded", repr=False)
    _sendings: tuple[WriteSending[Any, Any], ...] | None = field(default=None, init=False, repr=False)

    def _bound(self, bind: BindTarget) -> TransactWrite[ResultT_co]:
        """Return this with the targets of the client that sends it: those of its operations too."""
        bound = {id(each): each.sending.bound(bind) for each in self.operations}
        return derive(
            self,
            _target=bind(self._target),
            _encoded=None,
            operations=tuple(bound[id(each)] for each in self.operations),
            _actions=tuple((bound[id(each)], action) for each, action in self._actions),
        )

    @property
    def _entity_names(self) -> str:
        """Return the entities, each once."""
        return names_of(self.operations)

    @property
    def _safety(self) -> RepeatSafety:
        """Return that the service recognises a repetition."""
        return RepeatSafety.TOKEN

    @property
    def _settled(self) -> bool:
        """Tell whether there is nothing to write: then nothing is sent."""
        return not self._actions

    def _result(self) -> ResultT_co:
        """Return the results of the operations, once all are applied."""
        sendings = self._sendings or [operation.sending for operation in self.operations]
        return cast("ResultT_co", tuple([sending.transacted() for sending in sendings]))

    def _begin(self, now: float, /) -> None:
        """Note a sending.

        Raises:
            LimitError: Too long after the first one.
        """
        self._token.use(now)

    def _to_request(self) -> WireRequest:
        """Return the wire request, encoded."""
        use(self)
        encoded = self._encoded
        if encoded is None:
            encoded = orjson.dumps(self._body())
        tables = tables_of([action for _, action in self._actions])
        return transaction_request(encoded, tables, self._token, self._timeout, self._parse)

    def _check(self, payload: WirePayload) -> None:
        check_results(payload)

    def _from_wire(self, response: WireResponse, now: float, /) -> ResultT_co:  # noqa: ARG002  (all are asked alike)
        """Return the results of the operations."""
        return self._result()

    def _recover(self, error: Exception, now: float, /) -> ResultT_co:
        """Raise a cancellation with its reasons tied to the operations, or that the outcome is unknown.

        Raises:
            TransactionCanceledError: Nothing was written.
            OutcomeUnknownError: Every attempt's answer was lost.
        """
        if isinstance(error, TransactionCanceledError):
            raise canceled(error, self.operations, self._actions, now)
        raise_misfits(error, self.operations)
        raise_lost(error)

    def explain(self) -> Explanation:
        """Return the request in words, with its estimated cost and the values of attributes. Nothing is sent."""
        use(self)
        actions = [action for _, action in self._actions]
        return explain_transaction(self.to_wire(), tables_of(actions), self._capacity(), self._warnings())

    def _body(self) -> WirePayload:
        return transaction_body(
            [action for _, action in self._actions], self._token, report_capacity=self._target.report_capacity
        )

    def _capacity(self) -> Capacity:
        writing = {id(operation) for operation, _ in self._actions}
        parts = [operation.sending.capacity() for operation in self.operations if id(operation) in writing]
        return transaction_capacity(*parts)

    def _warnings(self) -> tuple[str, ...]:
        return ("it has no operation that writes: nothing is sent",) if self._settled else ()

    def __str__(self) -> str:
        if self._settled:
            return f"{self.api} without actions: nothing is sent"
        return f"{self.api} of {len(self.operations)}: " + "; ".join(map(str, self.operations))


def transact_write(
    target: Target[Any], operations: Sequence[Any], token: str | None, timeout: float | None
) -> TransactWrite[Any]:
    """Build a transaction of writes.

    Args:
        target: Who sends.
        operations: Operations that ``await`` would send one by one, and checks.
        token: The caller's own client request token, or None for a new one.
        timeout: Seconds for the whole call, or None for the client's.

    Raises:
        ExpressionError: Something that is not such a write, or two about one item.
        LimitError: More than 100 actions, more than 4 MB, or a token that is empty or too long.
    """
    use_all(operations)
    own = request_token(token, target.new_token, API)
    for operation in operations:
        if not isinstance(operation, Transactable):
            raise ExpressionError(_refusal(operation))
    given: tuple[Transactable[Any], ...] = tuple(operations)
    sendings = tuple([operation.sending for operation in given])
    parts: list[tuple[Transactable[Any], Action]] = []
    for operation, sending in zip(given, sendings, strict=True):
        if not sending.settled:
            parts += [(operation, action) for action in sending.to_actions()]
    actions = hand_over(parts)
    check_actions(given, actions)
    written = [action for _, action in actions]
    # Measured before it is an operation: that would count as its use, and hide a forgotten await.
    encoded = orjson.dumps(transaction_body(written, own, report_capacity=target.report_capacity))
    check_size(len(encoded), written)
    whole: TransactWrite[Any] = TransactWrite(
        target, given, token=own, actions=actions, timeout=timeout, encoded=encoded
    )
    whole._sendings = sendings  # type: ignore[misc]  # noqa: SLF001  # frozen for type checkers only
    return whole


def _refusal(operation: object) -> str:
    if isinstance(operation, TransactWrite):
        return "a transaction takes no other transaction: give its operations, or more of them, to one transact_write()"
    if isinstance(operation, ExactlyOnce):
        return f"{operation}: give the write itself, a transaction is applied once as a whole"
    if isinstance(operation, Operation):
        return (
            f"{operation} cannot be part of a transaction of writes: it takes insert, put, replace, update, upsert, "
            "patch, delete and check; gets go to transact_get()"
        )
    return (
        f"a transaction takes operations that write, such as `orders.insert(order)`, not {type(operation).__name__}: "
        "give an instance to a verb, and an operation before it is awaited"
    )
