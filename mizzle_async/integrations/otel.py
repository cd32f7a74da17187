"""Traces and metrics for OpenTelemetry (extra ``otel``): spans, durations, attempts, capacity units, connections.

An instrument is given no value of an attribute, so that none can get into a trace.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakMethod

from mizzle_async.codes import CODES, RetryClass
from mizzle_async.types import STREAM_INDEX

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation
    from opentelemetry.trace import TracerProvider
    from opentelemetry.util.types import AttributeValue

    from mizzle_async.types import CallRecord, HandlerRecord
    from mizzle_async.wire.pool.config import HostStatistics

_SCOPE: Final = "mizzle_async"
_NANOSECONDS: Final = 1_000_000_000
_THROTTLING: Final = frozenset(code for code, (_, kind) in CODES.items() if kind is RetryClass.THROTTLED)


class OpenTelemetry:
    """An instrument that reports calls to OpenTelemetry: ``Client(instrument=OpenTelemetry())``.

    Each call is one client span, a child of the caller's current one and as long as the call with its pauses. The
    measurements are:

    - ``db.client.operation.duration``, in seconds: a histogram of calls, with their pauses and repetitions.
    - ``mizzle_async.attempts``: requests sent. A failed one has the ``error.type``.
    - ``mizzle_async.throttled``: those that the service refused for their rate.
    - ``mizzle_async.consumed_capacity``: capacity units, by ``mizzle_async.capacity``, ``read`` or ``write``.
    - ``db.client.connection.count``: open connections, by ``db.client.connection.state``, ``idle`` or ``used``.
    - ``db.client.connection.pending_requests``: calls that wait for a connection.

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
        self._handler_kind = trace.SpanKind.CONSUMER
        self._failed = trace.StatusCode.ERROR
        self._tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
        meter = metrics.get_meter(_SCOPE, meter_provider=meter_provider)
        self._observation = metrics.Observation
        self._pools: list[WeakMethod[Callable[[], Any]]] = []
        self._durations = meter.create_histogram(
            "db.client.operation.duration", "s", "Duration of DynamoDB calls, with their pauses and repetitions"
        )
        self._attempts = meter.create_counter("mizzle_async.attempts", "{request}", "Requests sent to DynamoDB")
        self._throttled = meter.create_counter(
            "mizzle_async.throttled", "{request}", "Requests that DynamoDB refused for their rate"
        )
        self._capacity = meter.create_counter(
            "mizzle_async.consumed_capacity", "{unit}", "Capacity units, as DynamoDB reports them"
        )
        self._watch_pools(meter)

    def client_opened(self, statistics: Callable[[], Any]) -> None:
        """Observe the connections of a client that has opened, for as long as they exist."""
        self._pools = [pool for pool in self._pools if pool() is not None]
        self._pools.append(WeakMethod(statistics))

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
        self._count(call, attributes)

        end = time.time_ns()
        span = self._tracer.start_span(
            f"{call.operation} {call.table}".rstrip(),
            kind=self._kind,
            attributes=attributes,
            start_time=end - int(call.seconds * _NANOSECONDS),
        )
        if call.index not in {None, STREAM_INDEX}:
            span.set_attribute("aws.dynamodb.index_name", call.index)
        if call.request_id:
            span.set_attribute("aws.request_id", call.request_id)
        if call.attempts > 1:
            span.set_attribute("http.request.resend_count", call.attempts - 1)
        if call.error is not None:
            span.set_status(self._failed, str(call.error))
        span.end(end)

    def handler_span(self, handler: HandlerRecord) -> AbstractContextManager[object]:
        """Open a span around a handler of changes: calls that it makes are its children.

        Source: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
        """
        attributes: dict[str, AttributeValue] = {
            "messaging.system": "aws.dynamodb.streams",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": handler.table,
            "messaging.destination.partition.id": handler.shard,
            "messaging.message.id": handler.number,
        }
        if handler.consumer is not None:
            attributes["messaging.consumer.group.name"] = handler.consumer
        if handler.changes > 1:
            attributes["messaging.batch.message_count"] = handler.changes
        if handler.attempt > 1:
            attributes["mizzle_async.attempt"] = handler.attempt
        return self._tracer.start_as_current_span(
            f"process {handler.table}", kind=self._handler_kind, attributes=attributes
        )

    def _count(self, call: CallRecord, attributes: dict[str, AttributeValue]) -> None:
        """Count the attempts of a call, and the units that it consumed."""
        place = {name: value for name, value in attributes.items() if name != "error.type"}
        last = attributes.get("error.type")
        failed = [*call.failures, *([str(last)] if last is not None else [])][: call.attempts]
        for reason in failed:
            self._attempts.add(1, {**place, "error.type": reason})
            if reason in _THROTTLING:
                self._throttled.add(1, {**place, "error.type": reason})
        if call.attempts > len(failed):
            self._attempts.add(call.attempts - len(failed), place)
        for table, units in call.units.items():
            kind = "read" if call.is_read else "write"
            self._capacity.add(units, {**place, "db.collection.name": table, "mizzle_async.capacity": kind})

    def _watch_pools(self, meter: Meter) -> None:
        """Have the pools observed whenever measurements are collected."""
        state, pool = "db.client.connection.state", "db.client.connection.pool.name"

        def connections(_: CallbackOptions) -> Iterable[Observation]:
            for host in self._hosts():
                yield self._observation(host.idle, {pool: host.host, state: "idle"})
                yield self._observation(host.in_use, {pool: host.host, state: "used"})

        def pending(_: CallbackOptions) -> Iterable[Observation]:
            for host in self._hosts():
                yield self._observation(host.waiting, {pool: host.host})

        meter.create_observable_up_down_counter(
            "db.client.connection.count", [connections], "{connection}", "Connections to DynamoDB"
        )
        meter.create_observable_up_down_counter(
            "db.client.connection.pending_requests", [pending], "{request}", "Calls that wait for a connection"
        )

    def _hosts(self) -> Iterator[HostStatistics]:
        """Yield the numbers of every host of every open client."""
        for pool in self._pools:
            statistics = pool()
            if statistics is not None:
                yield from statistics().pool.hosts

    def __repr__(self) -> str:
        return "<OpenTelemetry>"
