"""TransactWriteItems as a request: its encoding, its price, and what its failures mean to the operations in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import orjson
from attrs import evolve

from mizzle_async.errors import (
    CancellationReason,
    ConditionalCheckFailedError,
    MizzleError,
    OutcomeUnknownError,
    ServiceError,
    TransactionCanceledError,
    TransportError,
    UniqueConstraintError,
)
from mizzle_async.operations.actions import Action, Transactable
from mizzle_async.operations.explain import Capacity, Explanation, explain_request, show_item
from mizzle_async.operations.tokens import ClientRequestToken
from mizzle_async.types import Outcome, RepeatSafety, WirePayload, WireRequest

API = "TransactWriteItems"
CONDITION_FAILED = "ConditionalCheckFailed"


def transaction_body(actions: Sequence[Action], token: ClientRequestToken, *, report_capacity: bool) -> WirePayload:
    """Return the request.

    Args:
        actions: In order.
        token: What makes it one transaction.
        report_capacity: Whether to ask for what it consumed.
    """
    body: WirePayload = {
        "TransactItems": [{action.kind: action.body} for action in actions],
        "ClientRequestToken": token.value,
    }
    if report_capacity:
        body["ReturnConsumedCapacity"] = "TOTAL"
    return body


def transaction_request(body: WirePayload, table: str, token: ClientRequestToken, timeout: float | None) -> WireRequest:
    """Return the wire request."""
    return WireRequest(API, orjson.dumps(body), table, RepeatSafety.TOKEN, None, timeout, token.age)


def tables_of(actions: Sequence[Action]) -> str:
    """Return the tables for messages, each once."""
    return ", ".join(dict.fromkeys(action.body["TableName"] for action in actions))


def transaction_capacity(*parts: Capacity) -> Capacity:
    """Return what single writes cost together in a transaction: twice as much."""
    return Capacity(
        write_units=2 * sum(part.write_units for part in parts),
        at_least=any(part.at_least for part in parts),
        note="a transaction costs twice what its writes cost alone" if parts else "",
    )


def explain_transaction(body: WirePayload, table: str, capacity: Capacity, warnings: tuple[str, ...]) -> Explanation:
    """Explain a transaction: every expression, numbered by its action."""
    expressions: dict[str, str] = {}
    for number, action in enumerate(body.get("TransactItems", ()), start=1):
        ((kind, request),) = action.items()
        explanation = explain_request(kind, request)
        expressions[f"{number}. {kind}"] = str(explanation.table)
        for part, values in (("key", explanation.key), ("item", request.get("Item"))):
            if values is not None:
                expressions[f"{number}. {kind} {part}"] = show_item(values)
        for name, text in explanation.expressions.items():
            expressions[f"{number}. {kind} {name}"] = text
    return Explanation(
        operation=API,
        table=table,
        index=None,
        key=None,
        expressions=expressions,
        capacity=capacity,
        warnings=warnings,
        request=body,
    )


def raise_lost(error: Exception) -> NoReturn:
    """Raise that a transaction's outcome is unknown, where it is; else the error itself."""
    lost = (isinstance(error, TransportError) and error.outcome is Outcome.UNKNOWN) or (
        isinstance(error, ServiceError) and error.ambiguous and not isinstance(error, TransactionCanceledError)
    )
    if not lost or not isinstance(error, MizzleError):
        raise error
    raise OutcomeUnknownError(
        "the transaction may or may not have been applied. Await the same operation again: within nine minutes of its "
        "first sending that is the same transaction, which is applied once",
        operation=error.operation,
        table=error.table,
        attempts=error.attempts,
        request_id=error.request_id,
    ) from error


def canceled(
    error: TransactionCanceledError,
    operations: Sequence[Transactable[Any]],
    actions: Sequence[tuple[Transactable[Any], Action]],
    now: float,
) -> TransactionCanceledError:
    """Return the service's cancellation in terms of the caller's operations.

    Args:
        error: What the service said.
        operations: As the caller gave them.
        actions: What was sent, each action with its operation.
        now: The time by the client's clock.
    """
    found = _reasons(error, actions, now)
    reasons = tuple(found.get(id(operation)) or CancellationReason(operation, None) for operation in operations)
    failed = [(number, reason) for number, reason in enumerate(reasons, start=1) if reason.code is not None]
    told = "; ".join(
        f"{f'operation {number} of {len(reasons)}, ' if len(reasons) > 1 else ''}{reason.operation}: {_told(reason)}"
        for number, reason in failed
    )
    translated = TransactionCanceledError(
        f"the transaction was cancelled and nothing of it was written: {told or error.message}",
        reasons=reasons,
        code=error.code,
        status=error.status,
        payload=error.payload,
        operation=error.operation,
        table=error.table,
        attempts=error.attempts,
        request_id=error.request_id,
    )
    # One reason is the cause, and says more than the service's list of codes.
    translated.__cause__ = failed[0][1].error if len(failed) == 1 else None
    translated.__suppress_context__ = True
    return translated


def _told(reason: CancellationReason) -> str:
    return (
        reason.error.message
        if reason.error is not None
        else f"{reason.code} ({reason.message})"
        if reason.message
        else str(reason.code)
    )


def _reasons(
    error: TransactionCanceledError, actions: Sequence[tuple[Transactable[Any], Action]], now: float
) -> dict[int, CancellationReason]:
    """Return one reason for each operation that has actions, by the operation's identity.

    Of an operation with guard items a condition that failed counts before a conflict: the latter would pass.
    """
    chosen: dict[int, CancellationReason] = {}
    reasons = [*error.reasons, *(CancellationReason(None, None),) * (len(actions) - len(error.reasons))]
    for (operation, action), reason in zip(actions, reasons, strict=False):
        known = chosen.get(id(operation))
        if known is None or _weight(reason) > _weight(known):
            chosen[id(operation)] = evolve(
                reason, operation=operation, error=_alone(error, operation, action, reason, now)
            )
    return chosen


def _weight(reason: CancellationReason) -> int:
    return 0 if reason.code is None else 2 if _is_condition(reason) else 1


def _is_condition(reason: CancellationReason) -> bool:
    return reason.code is not None and reason.code.removesuffix("Exception") == CONDITION_FAILED


def _alone(
    error: TransactionCanceledError,
    operation: Transactable[Any],
    action: Action,
    reason: CancellationReason,
    now: float,
) -> MizzleError | None:
    """Return what an action's failed condition is as an error of its operation; None for every other outcome."""
    if not _is_condition(reason):
        return None
    context: dict[str, Any] = {
        "code": f"{CONDITION_FAILED}Exception",
        "status": error.status,
        "operation": error.operation,
        "table": action.body["TableName"],
        "attempts": error.attempts,
        "request_id": error.request_id,
    }
    if action.unique is not None:
        return unique_error(operation.target.schema.entity, action.unique, context)
    failed = ConditionalCheckFailedError(reason.message, item=reason.item, load=operation.target.load, **context)
    try:
        operation.recover(failed, now)
    except MizzleError as meant:
        return meant.with_traceback(None)
    return failed


def unique_error(entity: str, attribute: str, context: dict[str, Any]) -> UniqueConstraintError:
    """Build the error of a value that another item holds; it names the attribute, not the value."""
    error = UniqueConstraintError(
        f"{entity}: another item has this value of the unique attribute {attribute!r}; nothing was written", **context
    )
    error.attribute = attribute
    return error


def canceled_read(error: TransactionCanceledError, gets: Sequence[Any]) -> TransactionCanceledError:
    """Return the service's cancellation of a read, its reasons tied to the gets."""
    reasons = tuple(evolve(reason, operation=get) for get, reason in zip(gets, error.reasons, strict=False))
    translated = TransactionCanceledError(
        error.message,
        reasons=reasons,
        code=error.code,
        status=error.status,
        payload=error.payload,
        operation=error.operation,
        table=error.table,
        attempts=error.attempts,
        request_id=error.request_id,
    )
    translated.__suppress_context__ = True
    return translated
