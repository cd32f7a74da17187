"""The meaning of a cancelled transaction for its operations: the reason of each, and the error that it means alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from attrs import evolve

from mizzle_async.errors import (
    CancellationReason,
    ConditionalCheckFailedError,
    MizzleError,
    TransactionCanceledError,
    UniqueConstraintError,
    ValidationError,
)
from mizzle_async.operations.actions import Action, Transactable
from mizzle_async.operations.error_context import MISFITS, answer_context, call_context

NOTHING_WRITTEN: Final = "the transaction was cancelled and nothing of it was written"
NOTHING_READ: Final = "the transaction was cancelled and nothing was read"
CONDITION_FAILED: Final = "ConditionalCheckFailed"
INVALID: Final = "ValidationError"


def canceled(
    error: TransactionCanceledError,
    operations: Sequence[Transactable[Any]],
    actions: Sequence[tuple[Transactable[Any], Action]],
    now: float,
) -> TransactionCanceledError:
    """Return the service's cancellation in terms of the caller's operations.

    Args:
        error: The service's refusal.
        operations: As the caller gave them.
        actions: The actions that were sent, each with its operation.
        now: The time by the client's clock.
    """
    found = _reasons(error, actions, now)
    reasons = tuple(found.get(id(operation)) or CancellationReason(operation, None) for operation in operations)
    return cancellation(error, reasons, NOTHING_WRITTEN)


def cancellation(
    error: TransactionCanceledError, reasons: Sequence[CancellationReason], outcome: str
) -> TransactionCanceledError:
    """Return the service's cancellation with the reasons of the caller's operations.

    By its token a transaction that was cancelled was applied by no earlier attempt either: it is certain.

    Args:
        error: The service's refusal.
        reasons: One for each operation.
        outcome: The outcome, in words.
    """
    failed = [(number, reason) for number, reason in enumerate(reasons, start=1) if reason.code is not None]
    told = "; ".join(
        f"{f'operation {number} of {len(reasons)}, ' if len(reasons) > 1 else ''}{reason.operation}: {_told(reason)}"
        for number, reason in failed
    )
    text = f"{outcome}: {told or error.message}"
    translated = TransactionCanceledError(text, reasons=reasons, **answer_context(error))
    # One reason is the cause, and says more than the service's list of codes.
    translated.__cause__ = failed[0][1].error if len(failed) == 1 else None
    translated.__suppress_context__ = True
    return translated


def raise_misfits(error: Exception, operations: Sequence[Transactable[Any]]) -> None:
    """Raise an error that names the places of updates, where the service refused a transaction for the stored items.

    Args:
        error: The service's or the pipeline's.
        operations: The transaction's.

    Raises:
        ValidationError: It says the places.
    """
    if isinstance(error, ValidationError) and not error.ambiguous:
        named = _misfit(error, operations)
        if named is not None:
            raise named from error


def _misfit(error: ValidationError, operations: Sequence[Transactable[Any]]) -> ValidationError | None:
    places = [place for operation in operations for place in operation.sending.misfit_places()]
    if not places or not any(words in error.message for words in MISFITS):
        return None
    many = "one of " if len(places) > 1 else ""
    return ValidationError(
        f"{many}{', '.join(places)} does not fit what is stored: a map or a list on the way is missing, or another "
        "type is stored there, and a transaction cannot make it; nothing was written",
        **answer_context(error),
    )


def canceled_read(error: TransactionCanceledError, gets: Sequence[Any]) -> TransactionCanceledError:
    """Return the service's cancellation of a read, its reasons tied to the gets."""
    reasons = tuple(evolve(reason, operation=get) for get, reason in zip(gets, error.reasons, strict=False))
    return cancellation(error, reasons, NOTHING_READ)


def _told(reason: CancellationReason) -> str:
    if reason.error is not None:
        return reason.error.message
    return f"{reason.code} ({reason.message})" if reason.message else str(reason.code)


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
    """Return the error that an action's failed condition means for its operation, or None for every other outcome.

    An update that does not fit the stored item is one too: its error names the places.
    """
    sending = operation.sending
    context: dict[str, Any]
    if reason.code == INVALID:
        context = {**call_context(error), "code": "ValidationException", "table": action.body["TableName"]}
        return _misfit(ValidationError(reason.message, status=error.status, **context), [operation])
    if not _is_condition(reason):
        return None
    context = {
        **call_context(error),
        "code": f"{CONDITION_FAILED}Exception",
        "status": error.status,
        "table": action.body["TableName"],
    }
    if action.unique is not None:
        return unique_error(sending.target.schema.entity, action.unique, context)
    failed = ConditionalCheckFailedError(reason.message, item=reason.item, load=sending.target.load, **context)
    try:
        sending.recover(failed, now)
    except MizzleError as meant:
        return meant.with_traceback(None)
    return failed


def unique_error(entity: str, attribute: str, context: dict[str, Any]) -> UniqueConstraintError:
    """Build the error of a value that another item holds. It names the attribute, not the value."""
    error = UniqueConstraintError(
        f"{entity}: another item has this value of the unique attribute {attribute!r}; nothing was written", **context
    )
    error.attribute = attribute
    return error
