import gc
import sys

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from mizzle_async import (
    AccessDeniedError,
    Attribute,
    Client,
    GlobalSecondaryIndex,
    MemoryCheckpoints,
    PartitionKey,
    ResourceNotFoundError,
    RetryPolicy,
    entity,
)
from mizzle_async.integrations.otel import OpenTelemetry
from mizzle_async.operations.streams import GetRecords
from mizzle_async.testing import ScriptedServer
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.stub import StubCaller, StubTransport


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


def collected(measurements):
    """Return the metrics of one collection by name."""
    data = measurements.get_metrics_data()
    found = [] if data is None else data.resource_metrics[0].scope_metrics[0].metrics
    return {metric.name: metric for metric in found}


def points(measurements, name, *attributes):
    """Return the points of a metric: the values of these attributes, and the number."""
    metric = collected(measurements).get(name)
    found = [] if metric is None else metric.data.data_points
    return {tuple(point.attributes.get(attribute) for attribute in attributes): point.value for point in found}


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
    metric = collected(measurements)["db.client.operation.duration"]
    [point] = metric.data.data_points
    assert (metric.unit, point.count) == ("s", 1)
    assert set(point.attributes) == {"db.system.name", "db.operation.name", "db.collection.name"}


async def test_a_stream_is_no_index(instrument, spans):
    """A request for a table's stream names the table."""
    async with Client(transport=StubTransport([Reply({"Records": []})]), instrument=instrument) as client:
        await client.send(GetRecords("iterator", table_name="rows"))
    (call,) = spans.get_finished_spans()
    assert call.name == "GetRecords rows"
    assert "aws.dynamodb.index_name" not in call.attributes


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


async def test_attempts_throttles_and_units_are_counted(instrument, measurements):
    """Each request is counted with the reason of its failure, and each unit with its table and kind."""
    answers = [
        Reply.throttled(),
        Reply.error("InternalServerError", status=500),
        Reply({"ConsumedCapacity": {"TableName": "rows", "CapacityUnits": 0.5}}),
        Reply({"ConsumedCapacity": {"TableName": "rows", "CapacityUnits": 3.0}}),
        Reply.error("AccessDeniedException"),
    ]
    retry = RetryPolicy(base_delay=0.0, throttled_base_delay=0.0)
    async with Client(transport=StubTransport(answers), instrument=instrument, retry=retry) as client:
        await client.table(Row).get("a")
        await client.table(Row).put(Row(name="a", color="red"))
        with pytest.raises(AccessDeniedError):
            await client.table(Row).get("a")

    throttled = "ProvisionedThroughputExceededException"
    assert points(measurements, "mizzle_async.attempts", "db.operation.name", "error.type") == {
        ("GetItem", throttled): 1,
        ("GetItem", "InternalServerError"): 1,
        ("GetItem", None): 1,
        ("PutItem", None): 1,
        ("GetItem", "AccessDeniedException"): 1,
    }
    assert points(measurements, "mizzle_async.throttled", "error.type") == {(throttled,): 1}
    consumed = points(measurements, "mizzle_async.consumed_capacity", "db.collection.name", "mizzle_async.capacity")
    assert consumed == {("rows", "read"): 0.5, ("rows", "write"): 3.0}


async def test_connections_are_observed_while_a_client_is_open(instrument, measurements):
    """The pool's numbers are those of the moment, and gone with the client."""

    def connections():
        return points(measurements, "db.client.connection.count", "db.client.connection.state")

    async with ScriptedServer(then=Reply({})) as server:
        credentials = ("a", "b")
        client = Client(
            endpoint_url=server.url, region_name="eu-west-1", credentials=credentials, instrument=instrument
        )
        async with client:
            assert connections() == {}
            await client.table(Row).get("a")
            assert connections() == {("idle",): 1, ("used",): 0}
            waiting = points(measurements, "db.client.connection.pending_requests", "db.client.connection.pool.name")
            assert waiting == {(server.endpoint.authority,): 0}
        gc.collect()
        assert connections() == {}


def test_missing_library_is_named(monkeypatch):
    """Without the extra, the error says what to install."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'mizzle-async\[otel\]'"):
        OpenTelemetry()


def change(number):
    """Return a record of an insert."""
    item = {"name": {"S": f"secret {number}"}, "color": {"S": "red"}}
    body = {
        "Keys": {"name": item["name"]},
        "NewImage": item,
        "SequenceNumber": f"{number:021d}",
        "StreamViewType": "NEW_AND_OLD_IMAGES",
        "ApproximateCreationDateTime": 1_800_000_000,
    }
    return {"eventID": f"e{number}", "eventName": "INSERT", "dynamodb": body}


async def test_a_handler_of_changes_runs_in_a_span(instrument, spans, tracers):
    """Each attempt is a span of its own with the place of the change and no value, above all that the handler does."""
    arn = "arn:aws:dynamodb:eu-west-1:000000000000:table/rows/stream/1"
    view = "NEW_AND_OLD_IMAGES"
    stream = {"StreamEnabled": True, "StreamViewType": view}
    shards = [{"ShardId": "shard-1", "SequenceNumberRange": {"StartingSequenceNumber": "1"}}]
    described = {"StreamArn": arn, "StreamStatus": "DISABLED", "StreamViewType": view}
    answers = {
        "DescribeTable": {"Table": {"TableName": "rows", "LatestStreamArn": arn, "StreamSpecification": stream}},
        "DescribeStream": {"StreamDescription": {**described, "Shards": shards}},
        "GetShardIterator": {"ShardIterator": "it"},
        "GetRecords": {"Records": [change(1), change(2)]},
    }
    failing = iter([RuntimeError("once")])

    async def handle(_):
        with tracers.get_tracer("test").start_as_current_span("inside"):
            for error in failing:
                raise error

    async with Client(caller=StubCaller(answers), instrument=instrument) as client:
        changes = client.table(Row).changes(start="oldest", consumer="search", checkpoints=MemoryCheckpoints())
        await changes.for_each(handle, concurrency=1)
    handlers = [each for each in spans.get_finished_spans() if each.name == "process rows"]
    inner = [each for each in spans.get_finished_spans() if each.name == "inside"]
    assert [each.parent for each in inner] == [each.get_span_context() for each in handlers]
    assert {each.kind for each in handlers} == {SpanKind.CONSUMER}
    assert [each.status.status_code for each in handlers] == [StatusCode.ERROR, StatusCode.UNSET, StatusCode.UNSET]
    assert [each.attributes["messaging.message.id"][-1] for each in handlers] == ["1", "1", "2"]
    assert handlers[1].attributes["mizzle_async.attempt"] == 2
    assert dict(handlers[2].attributes) == {
        "messaging.system": "aws.dynamodb.streams",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "rows",
        "messaging.destination.partition.id": "shard-1",
        "messaging.message.id": f"{2:021d}",
        "messaging.consumer.group.name": "search",
    }
    assert "secret" not in "".join(each.to_json() for each in handlers)
