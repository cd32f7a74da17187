"""Traces and metrics for OpenTelemetry (extra ``otel``): a span and a duration for every call.

An instrument is given no value of an attribute, so that none can get into a trace.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider
    from opentelemetry.util.types import AttributeValue

    from mizzle_async.types import CallRecord

_SCOPE: Final = "mizzle_async"
_NANOSECONDS: Final = 1_000_000_000


class OpenTelemetry:
    """An instrument that reports calls to OpenTelemetry: ``Client(instrument=OpenTelemetry())``.

    Each call is one client span, a child of the caller's current one and as long as the call with its pauses, and one
    measurement of ``db.client.operation.duration``, in seconds.

    Args:
        tracer_provider: Where spans go. None means the global one.
        meter_provider: Where measurements go. None means the global one.

    Raises:
        ModuleNotFoundError: The extra ``otel`` is not installed.

    Source:
        https://opentelemetry.io/docs/specs/semconv/database/dynamodb/
    """

    def __init__(
        self, *, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
    ) -> None:
        try:
            from opentelemetry import metrics, trace
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "OpenTelemetry() needs opentelemetry-api, of the extra `otel`: pip install 'mizzle-async[otel]'"
            ) from error
        self._kind = trace.SpanKind.CLIENT
        self._failed = trace.StatusCode.ERROR
        self._tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
        self._durations = metrics.get_meter(_SCOPE, meter_provider=meter_provider).create_histogram(
            "db.client.operation.duration", "s", "Duration of DynamoDB calls, with their pauses and repetitions"
        )

    def call_finished(self, call: CallRecord) -> None:
        """Report a finished call."""
        attributes: dict[str, AttributeValue] = {
            "db.system.name": "aws.dynamodb",
            "db.operation.name": call.operation,
        }
        if call.table:
            attributes["db.collection.name"] = call.table
        if call.error is not None:
            attributes["error.type"] = getattr(call.error, "code", "") or type(call.error).__name__
        self._durations.record(call.seconds, attributes)

        end = time.time_ns()
        span = self._tracer.start_span(
            f"{call.operation} {call.table}".rstrip(),
            kind=self._kind,
            attributes=attributes,
            start_time=end - int(call.seconds * _NANOSECONDS),
        )
        if call.index is not None:
            span.set_attribute("aws.dynamodb.index_name", call.index)
        if call.request_id:
            span.set_attribute("aws.request_id", call.request_id)
        if call.attempts > 1:
            span.set_attribute("http.request.resend_count", call.attempts - 1)
        if call.error is not None:
            span.set_status(self._failed, str(call.error))
        span.end(end)

    def __repr__(self) -> str:
        return "<OpenTelemetry>"
