"""The context of a call in an error, for another error that says its meaning to the caller."""

from __future__ import annotations

from typing import Any, Final

from mizzle_async.errors import MizzleError, ServiceError

MISFITS: Final = ("document path", "incorrect data type")
"""Words of the service's refusals of an update for the stored item: a missing parent, or a value of another type."""


def call_context(error: MizzleError) -> dict[str, Any]:
    """Return the failed call, as the arguments of another error."""
    return {
        "operation": error.operation,
        "table": error.table,
        "attempts": error.attempts,
        "request_id": error.request_id,
    }


def answer_context(error: ServiceError) -> dict[str, Any]:
    """Return the failed call and the service's answer, as the arguments of another of the service's errors."""
    return {**call_context(error), "code": error.code, "status": error.status, "payload": error.payload}
