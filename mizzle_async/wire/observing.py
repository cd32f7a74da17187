"""Finished calls, as instruments and the log are told of them. Neither gets a value, a key or a token."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from mizzle_async.types import CallRecord, Instrument, RepeatSafety
from mizzle_async.wire.calls import Call
from mizzle_async.wire.exchange import Answer
from mizzle_async.wire.failures import request_id

logger: logging.Logger = logging.getLogger("mizzle_async.wire")


def record_of(call: Call, seconds: float, error: BaseException | None, answer: Answer | None) -> CallRecord:
    """Return the record of a finished call.

    Args:
        call: The call.
        seconds: Its duration.
        error: The error that it raised, or None.
        answer: The answer, or None where there is none.
    """
    request = call.request
    if answer is None:
        capacity, identity = None, getattr(error, "request_id", None) or ""
    else:
        capacity, identity = answer.payload.get("ConsumedCapacity"), request_id(answer.headers)
    return CallRecord(
        request.operation,
        request.table,
        request.index,
        seconds,
        call.attempts,
        identity,
        error,
        capacity,
        is_read=request.safety is RepeatSafety.READ,
        failures=() if call.failures is None else tuple(call.failures),
    )


def observe(record: CallRecord, size: int, instruments: Iterable[Instrument]) -> None:
    """Write a finished call to the log, and pass it to the instruments. One that fails is logged, and fails no call.

    Args:
        record: The call.
        size: Bytes of its request.
        instruments: The instruments.
    """
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug(
            "%s %s: %s after %.4f s and %d attempts, %d bytes sent, request %s",
            record.operation,
            record.table,
            "answered" if record.error is None else error_name(record.error),
            record.seconds,
            record.attempts,
            size,
            record.request_id or "unknown",
            extra=call_fields(record),
        )
    for instrument in instruments:
        try:
            instrument.call_finished(record)
        except Exception:
            logger.exception("an instrument failed: %s", type(instrument).__name__)


def call_fields(record: CallRecord) -> dict[str, Any]:
    """Return the fields of a finished call for structured logs, each with a prefix that no other library has."""
    fields: dict[str, Any] = {
        "dynamodb_operation": record.operation,
        "dynamodb_table": record.table,
        "dynamodb_index": record.index,
        "dynamodb_seconds": record.seconds,
        "dynamodb_attempts": record.attempts,
        "dynamodb_failures": list(record.failures),
        "dynamodb_request_id": record.request_id,
        "dynamodb_error": None if record.error is None else error_name(record.error),
    }
    if record.consumed_capacity is not None:
        fields["dynamodb_read_units"] = record.read_units
        fields["dynamodb_write_units"] = record.write_units
    return fields


def attempt_fields(call: Call, reason: str, delay: float) -> dict[str, Any]:
    """Return the fields of a failed attempt that is followed by another one, for structured logs.

    Args:
        call: The call.
        reason: The service's code, or the error's class.
        delay: Seconds until the next attempt.
    """
    request = call.request
    return {
        "dynamodb_operation": request.operation,
        "dynamodb_table": request.table,
        "dynamodb_index": request.index,
        "dynamodb_attempts": call.attempts,
        "dynamodb_error": reason,
        "dynamodb_pause": delay,
    }


def error_name(error: BaseException) -> str:
    """Return the service's code for an error, or its class."""
    return getattr(error, "code", "") or type(error).__name__
