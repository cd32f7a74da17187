"""The boundary at which answers are interpreted: a result leaves it, or an error that says where it happened.

An operation has refused every answer that cannot be the one to its request. The rest are values inside
items: they are read here, or later with the rows. Where one is no attribute value, the answer is corrupt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

from mizzle_async.errors import CorruptResponseError, MarshallingError, MizzleError, OutcomeUnknownError
from mizzle_async.marshalling import item_of, malformed_path
from mizzle_async.model.scalars.misfit import Misfit
from mizzle_async.operations.answers import mismatch
from mizzle_async.operations.missing import explain_missing
from mizzle_async.types import RepeatSafety, SendingSteps, WirePayload, WireRequest, WireResponse

ResultT = TypeVar("ResultT")

UNREADABLE: Final = (
    MizzleError,
    ArithmeticError,
    AttributeError,
    LookupError,
    Misfit,
    RecursionError,
    TypeError,
    ValueError,
)
"""The exceptions of reading a row: the library's own, and those of JSON that is no item."""


def result_of(sending: SendingSteps[ResultT], request: WireRequest, response: WireResponse, now: float) -> ResultT:
    """Return the result of an operation that was answered.

    Args:
        sending: The operation that was sent.
        request: As it was sent.
        response: The answer.
        now: The time by the client's clock.

    Raises:
        CorruptResponseError: The answer holds something else than attribute values. Its connection is closed.
        OutcomeUnknownError: The same, of a write that must not simply be sent again.
        MizzleError: As the operation says.
    """
    try:
        return sending.from_wire(response, now)
    except Exception as error:
        meant: MizzleError = as_corrupt(error, malformed_in(response.parsed))
        if isinstance(meant, CorruptResponseError):
            if response.distrust is not None:
                response.distrust()
            if request.safety in {RepeatSafety.UNSAFE, RepeatSafety.GUARDED}:
                unknown = OutcomeUnknownError(
                    f"{request.operation} may or may not have been applied: its answer is corrupt. Read the item before"
                    " deciding"
                )
                unknown.__cause__ = meant
                meant = unknown
        locate(meant, sending, request)
        meant.attempts = meant.attempts or response.attempts
        meant.request_id = meant.request_id or response.request_id or None
        if meant is error:
            raise
        raise meant from meant.__cause__


def raise_failure(sending: SendingSteps[ResultT], request: WireRequest, error: MizzleError, now: float) -> ResultT:
    """Raise the error that a failed call means for its operation, or return the result where it means success.

    Args:
        sending: The operation that was sent.
        request: As it was sent.
        error: How the call ended.
        now: The time by the client's clock.

    Raises:
        MizzleError: As the operation says.
    """
    try:
        return sending.recover(error, now)
    except MizzleError as meant:
        locate(meant, sending, request)
        explain_missing(meant, sending.entity_names)
        raise
    except Exception as foreign:
        corrupt = as_corrupt(foreign, None)
        locate(corrupt, sending, request)
        corrupt.attempts, corrupt.request_id = error.attempts, error.request_id
        raise corrupt from foreign


def as_corrupt(error: Exception, malformed: str | None) -> MizzleError:
    """Return the error that an answer's interpretation ends in.

    Args:
        error: The exception.
        malformed: The path of a value that is no attribute value, or None where all are.
    """
    if isinstance(error, MarshallingError) and malformed is not None:
        corrupt = mismatch(f"{error.path.partition('.')[0]}{malformed} holds something that is no attribute value")
        corrupt.__cause__ = error
        return corrupt
    if isinstance(error, MizzleError):
        return error
    corrupt = mismatch(f"it cannot be read ({type(error).__name__})")
    corrupt.__cause__ = error
    return corrupt


def misread(
    error: Exception, items: Iterable[Any], operation: str, table: str, entity: str | None = None
) -> MizzleError:
    """Return the error of a row that cannot be made: where it happened, and whether the answer is to blame.

    Args:
        error: The exception.
        items: The items, one of which is meant.
        operation: The API's name.
        table: The table.
        entity: The entity, or None where none is known.
    """
    malformed = (malformed_path(item) for item in items if isinstance(item, dict))
    meant = as_corrupt(error, next((path for path in malformed if path is not None), None))
    meant.operation, meant.table, meant.entity = operation, table, entity
    return meant


def malformed_in(payload: WirePayload) -> str | None:
    """Return the path of the first value in an answer's items that is no attribute value, or None where all are."""
    return next((path for path in map(malformed_path, map(item_of, _items(payload))) if path is not None), None)


def _items(payload: WirePayload) -> Iterator[Any]:
    """Yield the parts of an answer that stand where items do."""
    for name in ("Item", "Attributes"):
        if payload.get(name) is not None:
            yield payload[name]
    yield from payload.get("Items") or ()
    responses: Any = payload.get("Responses") or ()
    for each in responses if isinstance(responses, list) else ():
        if isinstance(each, dict) and each.get("Item") is not None:
            yield each["Item"]


def locate(error: MizzleError, sending: SendingSteps[Any], request: WireRequest) -> None:
    """Say in an error which call it is about, as far as it does not say so itself."""
    error.operation = error.operation or request.operation
    error.table = error.table or request.table
    error.entity = error.entity or sending.entity_names
