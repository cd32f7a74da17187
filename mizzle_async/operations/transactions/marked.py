"""TransactWriteItems with a mark: several writes, applied once for each mark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import field

from mizzle_async.codes import RETRIED_CANCELLATION_CODES
from mizzle_async.errors import LimitError, MizzleError, OutcomeUnknownError, TransactionCanceledError
from mizzle_async.operations.actions import Transactable
from mizzle_async.operations.base import derive, promote
from mizzle_async.operations.error_context import call_context
from mizzle_async.operations.explain import Capacity
from mizzle_async.operations.target import BindTarget, Target
from mizzle_async.operations.transactions.cancellations import CONDITION_FAILED
from mizzle_async.operations.transactions.request import names_of, transaction_capacity
from mizzle_async.operations.transactions.write import TransactWrite, transact_write
from mizzle_async.types import Item
from mizzle_async.values import transient


@transient(eq=False, repr=False)
class MarkedWrite(TransactWrite[bool]):
    """Write several items and a mark, which must not be there. The result is False where it was there.

    The mark is the first action, so that an engine that stops at the first failed condition reports it.

    Attributes:
        mark: Writes the mark, on condition that there is none.
        proof: The attributes of the mark that no other transaction writes. A mark with them shows that this transaction
            was applied, although its answer was lost and the service has forgotten its token.
    """

    mark: Transactable[Any] = field(kw_only=True)
    proof: Item = field(kw_only=True)

    def _bound(self, bind: BindTarget) -> MarkedWrite:
        """Return this with the targets of the client that sends it: those of its operations too."""
        bound = {id(each): each.sending.bound(bind) for each in (self.mark, *self.operations)}
        return derive(
            self,
            _target=bind(self._target),
            mark=bound[id(self.mark)],
            operations=tuple(bound[id(each)] for each in self.operations),
            _actions=tuple((bound[id(each)], action) for each, action in self._actions),
        )

    @property
    def _entity_names(self) -> str:
        """Return the entities, each once, the mark's too."""
        return names_of((self.mark, *self.operations))

    def _result(self) -> bool:
        """Return that the operations are applied."""
        return True

    def _recover(self, error: Exception, now: float, /) -> bool:
        """Return whether the mark is this transaction's, where it is there already. Else raise as a transaction does.

        Raises:
            TransactionCanceledError: Nothing was written, and the mark is not there.
            OutcomeUnknownError: Every attempt's answer was lost, or one was, and the later ones met conflicts.
        """
        if isinstance(error, TransactionCanceledError) and error.reasons:
            marked = error.reasons[0]
            if marked.code is not None and marked.code.removesuffix("Exception") == CONDITION_FAILED:
                stored = marked.item or {}
                return self.proof.items() <= stored.items()
        try:
            return super()._recover(error, now)
        except OutcomeUnknownError as unknown:
            raise _unknown(unknown) from error
        except TransactionCanceledError as canceled:
            was_lost = isinstance(error, TransactionCanceledError) and error.ambiguous
            if was_lost and may_pass(canceled):  # a conflict says nothing about the attempt that was lost
                raise _unknown(canceled) from canceled
            raise

    def _capacity(self) -> Capacity:
        return transaction_capacity(*(each.sending.capacity() for each in (self.mark, *self.operations)))


def marked_write(
    target: Target[Any],
    mark: Transactable[Any],
    proof: Item,
    operations: Sequence[Any],
    *,
    token: str,
    timeout: float | None,
) -> MarkedWrite:
    """Build a transaction with a mark.

    Args:
        target: Who sends.
        mark: Writes the mark, on condition that there is none.
        proof: The attributes of the mark that no other transaction writes.
        operations: Operations as `transact_write` takes them.
        token: The client request token.
        timeout: Seconds for the whole call, or None for the client's.

    Raises:
        ExpressionError: Something that is not such a write, or two about one item.
        LimitError: More than 99 actions beside the mark, or more than 4 MB.
    """
    try:
        whole = transact_write(target, [mark, *operations], token, timeout)
    except LimitError as error:
        raise LimitError(f"{error.message}. The mark of the operations is one of its actions") from None
    return promote(whole, MarkedWrite, operations=tuple(operations), mark=mark, proof=proof)


def _unknown(error: MizzleError) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        "the operations may or may not have been applied. Ask again with the same key: they are applied once",
        **call_context(error),
    )


def may_pass(error: TransactionCanceledError) -> bool:
    """Return whether a marked write that was cancelled is sent again.

    It is where all reasons may pass by themselves. It also is where the mark was contended: then another transaction
    with the same mark may be the cause of every other reason.
    """
    codes = [str(reason.get("Code")) for reason in error.payload.get("CancellationReasons") or ()]
    contended = RETRIED_CANCELLATION_CODES.intersection(codes)
    return bool(contended) and (codes[0] in contended or contended.issuperset(set(codes) - {"None"}))
