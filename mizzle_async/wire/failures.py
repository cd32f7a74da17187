"""From an answer or a transport's error to the error that a caller sees: its class, its words, and the outcome.

It builds errors and raises none. Whether a request is sent again is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mizzle_async.errors import (
    CancellationReason,
    ConditionalCheckFailedError,
    DeadlineExceededError,
    InternalServerError,
    MizzleError,
    OutcomeUnknownError,
    ServiceError,
    ServiceUnavailableError,
    TransactionCanceledError,
    TransportError,
)
from mizzle_async.types import Item, Outcome, RepeatSafety, WireRequest
from mizzle_async.wire.answers import error_message
from mizzle_async.wire.exchange import Answer
from mizzle_async.wire.redaction import first_sentence, is_about_credentials, mask
from mizzle_async.wire.retry import cancellation_reasons
from mizzle_async.wire.settings import Credentials

_REQUEST_TIMEOUT = 408
_UNRESOLVED = frozenset({RepeatSafety.UNSAFE, RepeatSafety.GUARDED})
"""Sent again by hand, these could be applied twice, or be refused for their own success."""


def request_id(headers: Mapping[str, str]) -> str:
    """Return the service's own id of a request, for AWS support."""
    return headers.get("x-amzn-requestid", "")


def service_error(
    error: type[ServiceError],
    answer: Answer,
    request: WireRequest,
    attempts: int,
    credentials: Credentials | None = None,
) -> ServiceError:
    """Build the error of a service's answer.

    Args:
        error: Its class.
        answer: The answer.
        request: The request.
        attempts: Requests sent so far.
        credentials: The request's credentials, which the service may have repeated.

    Returns:
        The error, with the service's words and everything it answered, but for credentials.
    """
    payload = mask(answer.payload, credentials)
    message = error_message(payload)
    special: dict[str, Any] = {}
    if is_about_credentials(error, answer.code):
        # After its first sentence the service repeats the request, the session token included.
        message = first_sentence(message)
        payload = {name: first_sentence(part) if isinstance(part, str) else part for name, part in payload.items()}
    elif issubclass(error, TransactionCanceledError):
        special["reasons"] = tuple(_reason(reason) for reason in cancellation_reasons(payload))
    elif issubclass(error, ConditionalCheckFailedError):
        special["item"] = _item(payload.get("Item"))
    named = answer.code or f"HTTP {answer.status}"
    return error(
        f"{named}: {message}" if message else named,
        code=answer.code,
        status=answer.status,
        payload=payload,
        operation=request.operation,
        table=request.table,
        attempts=attempts,
        request_id=request_id(answer.headers),
        **special,
    )


def final_error(error: MizzleError, request: WireRequest, attempts: int, *, ambiguous: bool) -> MizzleError:
    """Say everything that is known at the end of a call that failed.

    A write that may have been applied, and that may not simply be sent again, always ends in `OutcomeUnknownError`. Its
    cause is the error that ended the call. Where sending it again does no harm the error itself is raised, and says
    that the outcome is unknown.

    Args:
        error: The error that ended the call.
        request: The request.
        attempts: Requests sent.
        ambiguous: Whether any of them may have been applied.

    Returns:
        The error to raise.
    """
    _locate(error, request, attempts)
    if isinstance(error, TransportError):
        if ambiguous or error.outcome is Outcome.UNKNOWN:
            error.outcome = Outcome.UNKNOWN
            ambiguous = True
    elif isinstance(error, ServiceError):
        # A code that says "not applied" still says it of its own attempt only.
        error.ambiguous = ambiguous and request.safety is not RepeatSafety.READ
        if not _may_have_applied(error):
            return error
    if not ambiguous or request.safety not in _UNRESOLVED:
        return error
    unknown = OutcomeUnknownError(
        f"{request.operation} may or may not have been applied, and sending it again could apply it twice, or be"
        " refused for its own success: read the item before deciding",
    )
    _locate(unknown, request, attempts)
    unknown.request_id = error.request_id
    unknown.__cause__ = error
    return unknown


def deadline_error(
    request: WireRequest, timeout: float, obstacle: TransportError | None = None
) -> DeadlineExceededError:
    """Build the error of a call whose time is up. `final_error` adds its outcome.

    Args:
        request: The request.
        timeout: The caller's own number, in seconds.
        obstacle: Why the call waited for a connection until then, where it did.

    Returns:
        The error, whose cause is the obstacle.
    """
    reason = f": {obstacle.message}" if obstacle is not None else ""
    error = DeadlineExceededError(
        f"timeout of {timeout:g} seconds exceeded{reason}", timeout=timeout, operation=request.operation
    )
    error.__cause__ = obstacle
    return error


def _may_have_applied(error: ServiceError) -> bool:
    """Return whether an error is a failure of the service: its refusals say that this attempt was not applied."""
    return isinstance(error, InternalServerError | ServiceUnavailableError) or error.status == _REQUEST_TIMEOUT


def _locate(error: MizzleError, request: WireRequest, attempts: int) -> None:
    error.operation = request.operation
    error.table = request.table
    error.attempts = attempts


def _reason(reason: Mapping[str, Any]) -> CancellationReason:
    code = str(reason.get("Code"))
    return CancellationReason(
        operation=None,
        code=None if code == "None" else code,
        message=str(reason.get("Message") or ""),
        item=_item(reason.get("Item")),
    )


def _item(stored: Any) -> Item | None:
    return stored if isinstance(stored, dict) and stored else None
