import sys

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from mizzle_async import Attribute, Client, GlobalSecondaryIndex, PartitionKey, ResourceNotFoundError, entity
from mizzle_async.integrations.otel import OpenTelemetry
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.stub import StubTransport


@entity("rows")
class Row:
    name: PartitionKey[str]
    color: Attribute[str]


BY_COLOR = GlobalSecondaryIndex("by-color", partition_key=Row.color)


@pytest.fixture
def spans():
    """Where finished spans are kept."""
    return InMemorySpanExporter()


@pytest.fixture
def measurements():
    """Where measurements are kept."""
    return InMemoryMetricReader()


@pytest.fixture
def tracers(spans):
    """A provider that keeps its spans, apart from the process's own."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider


@pytest.fixture
def instrument(tracers, measurements):
    """The instrument, on providers of its own."""
    meters = MeterProvider([measurements], shutdown_on_exit=False)
    yield OpenTelemetry(tracer_provider=tracers, meter_provider=meters)
    meters.shutdown()


async def test_calls_are_spans_and_durations(instrument, spans, measurements, tracers):
    """A call is a span below the caller's, with the names of what it read and no value, and one measurement."""
    answers = [Reply({"Items": [{"name": {"S": "secret"}, "color": {"S": "red"}}]})]
    async with Client(transport=StubTransport(answers), instrument=instrument) as client:
        with tracers.get_tracer("test").start_as_current_span("handler") as parent:
            assert await client.table(Row).query(BY_COLOR.partition_key == "red").all()

    call, _ = spans.get_finished_spans()
    assert (call.name, call.kind) == ("Query rows", SpanKind.CLIENT)
    assert call.parent == parent.get_span_context()
    assert call.status.status_code is StatusCode.UNSET
    assert parent.start_time <= call.start_time <= call.end_time
    assert dict(call.attributes) == {
        "db.system.name": "aws.dynamodb",
        "db.operation.name": "Query",
        "db.collection.name": "rows",
        "aws.dynamodb.index_name": "by-color",
        "aws.request_id": "STUB0001",
    }
    [metric] = measurements.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    [point] = metric.data.data_points
    assert (metric.name, metric.unit, point.count) == ("db.client.operation.duration", "s", 1)
    assert set(point.attributes) == {"db.system.name", "db.operation.name", "db.collection.name"}


async def test_failures_have_their_code(instrument, spans):
    """A call that fails is an error with the service's code, and tells how often it was sent again."""
    answers = [
        Reply.error("InternalServerError", status=500),
        Reply.error("ResourceNotFoundException", "no such table"),
    ]
    async with Client(transport=StubTransport(answers), instrument=instrument) as client:
        with pytest.raises(ResourceNotFoundError):
            await client.table(Row).get("a")

    [call] = spans.get_finished_spans()
    assert call.status.status_code is StatusCode.ERROR
    assert "no such table" in call.status.description
    assert call.attributes["error.type"] == "ResourceNotFoundException"
    assert call.attributes["http.request.resend_count"] == 1


def test_missing_library_is_named(monkeypatch):
    """Without the extra, the error says what to install."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'mizzle-async\[otel\]'"):
        OpenTelemetry()
