"""The second service: where streams are asked, how their requests are signed and carried, what refusals mean."""

import asyncio

import pytest
from aiobotocore.session import AioSession

from mizzle_async import errors
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import RepeatSafety, WireRequest
from mizzle_async.wire.exchange import Endpoint
from mizzle_async.wire.hedge_policy import HedgePolicy
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.services import STREAM_OPERATIONS
from mizzle_async.wire.session import late_client
from mizzle_async.wire.session.aiobotocore_session import open_aiobotocore_session
from mizzle_async.wire.session.direct import DirectSession
from mizzle_async.wire.session.session import open_session
from mizzle_async.wire.session.short_way import short_way
from mizzle_async.wire.settings import Credentials, WireSettings

GET = WireRequest("GetItem", b"{}", "orders", RepeatSafety.READ)
RECORDS = WireRequest("GetRecords", b"{}", "orders", RepeatSafety.READ, "(stream)")
PAGE = Reply({"Records": []})
ACCOUNT = Credentials("AKID", "secret", account_id="111122223333")


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch):
    """Hide the machine's own proxies."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def configure(monkeypatch, tmp_path):
    """Write an AWS configuration file."""

    def write(text):
        path = tmp_path / "config"
        path.write_text(text)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(path))

    return write


def urls(**settings):
    """Return the URLs of streams and of tables, which both ways of opening a client must agree on."""

    async def resolved(session):
        await session.credentials.current()
        found = [await session.destination(operation, "orders") for operation in (*sorted(STREAM_OPERATIONS), "Scan")]
        await session.aclose()
        shown = [f"{one.endpoint.scheme}://{one.endpoint.authority}{one.endpoint.path}" for one in found]
        assert len(set(shown[:-1])) == 1, "all operations of the service have one host"
        return shown[0], shown[-1]

    async def main():
        wire = WireSettings(**{"credentials": ("AKID", "secret"), "region_name": "eu-west-1"} | settings)
        way = await open_session(wire)
        result = await resolved(way)
        if type(way) is DirectSession:
            assert result == await resolved(await open_aiobotocore_session(wire))
        return result

    return run_virtual(main())


# ── where to ──


def test_streams_have_a_host_of_their_own():
    """It is the region's, and never the account's."""
    assert urls() == ("https://streams.dynamodb.eu-west-1.amazonaws.com/", "https://dynamodb.eu-west-1.amazonaws.com/")
    assert urls(credentials=ACCOUNT)[0] == "https://streams.dynamodb.eu-west-1.amazonaws.com/"
    assert urls(region_name="cn-north-1")[0] == "https://streams.dynamodb.cn-north-1.amazonaws.com.cn/"


@pytest.mark.parametrize(
    ("fips", "dual", "host"),
    [
        ("true", "", "streams.dynamodb-fips.us-east-1.amazonaws.com"),
        ("", "true", "streams-dynamodb.us-east-1.api.aws"),
        ("true", "true", "streams-dynamodb-fips.us-east-1.api.aws"),
    ],
)
def test_fips_and_dual_stack_hosts_are_botocore_s(monkeypatch, fips, dual, host):
    """Its endpoint rules say them, as for tables."""
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", fips)
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", dual)
    assert urls(region_name="us-east-1")[0] == f"https://{host}/"


def test_endpoint_url_is_for_both_services(monkeypatch):
    """``endpoint_url=`` says where everything goes, whatever the environment says."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "http://127.0.0.1:2")
    assert urls(endpoint_url="http://127.0.0.1:1") == ("http://127.0.0.1:1/", "http://127.0.0.1:1/")


def test_the_environment_names_the_services_apart(monkeypatch):
    """Each has a variable; the general one counts where a service has none."""
    streams, tables = "https://streams.dynamodb.eu-west-1.amazonaws.com/", "https://dynamodb.eu-west-1.amazonaws.com/"
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "https://vpce.example")
    assert urls() == (streams, "https://vpce.example/")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "http://127.0.0.1:2/path")
    assert urls() == ("http://127.0.0.1:2/path", "http://127.0.0.1:1/")
    monkeypatch.delenv("AWS_ENDPOINT_URL_DYNAMODB")
    assert urls() == ("http://127.0.0.1:2/path", tables)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:3")
    assert urls() == ("http://127.0.0.1:2/path", "http://127.0.0.1:3/")
    monkeypatch.delenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS")
    assert urls() == ("http://127.0.0.1:3/", "http://127.0.0.1:3/")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert urls() == (streams, tables)


def test_the_configuration_file_names_the_services_apart(configure):
    """A section ``[services]`` has an entry for each."""
    configure(
        "[default]\nservices = mine\n[services mine]\n"
        "dynamodb =\n  endpoint_url = http://127.0.0.1:1\n"
        "dynamodb_streams =\n  endpoint_url = http://127.0.0.1:2\n"
    )
    assert urls() == ("http://127.0.0.1:2/", "http://127.0.0.1:1/")
    assert urls(session=AioSession(), credentials=("a", "b")) == ("http://127.0.0.1:2/", "http://127.0.0.1:1/")


def test_an_endpoint_in_clear_text_is_refused_when_streams_are_first_read(monkeypatch):
    """A client that reads no stream does not care; records do not go to another machine in clear text."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "http://elsewhere.example:8000")

    async def main():
        session = await open_session(WireSettings(region_name="eu-west-1", credentials=("a", "b")))
        try:
            assert (await session.destination("GetItem", "orders")).endpoint.host == "dynamodb.eu-west-1.amazonaws.com"
            await session.destination("GetRecords", "orders")
        finally:
            await session.aclose()

    with pytest.raises(errors.ClientStateError, match=r"refusing to send requests to elsewhere\.example unencrypted"):
        run_virtual(main())


@pytest.mark.parametrize("long", [False, True])
def test_streams_of_local_tables_are_not_asked_of_aws(monkeypatch, long):
    """One variable of two is a mistake, which is named before a request with local credentials leaves the machine."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:8000")
    if long:
        monkeypatch.setenv("AWS_DEFAULTS_MODE", "standard")

    async def main():
        session = await open_session(WireSettings(region_name="eu-west-1", credentials=("a", "b")))
        assert (type(session) is DirectSession) is not long
        try:
            await session.destination("GetRecords", "orders")
        finally:
            await session.aclose()

    with pytest.raises(errors.ClientStateError, match="set AWS_ENDPOINT_URL_DYNAMODB_STREAMS as well"):
        run_virtual(main())
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "http://localhost:8000")
    run_virtual(main())


@pytest.mark.parametrize(
    "environ",
    [
        {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:9"},
        {"AWS_ENDPOINT_URL_DYNAMODB_STREAMS": "https://streams-dynamodb.eu-west-1.api.aws"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:9"},
    ],
)
def test_a_client_that_reads_no_stream_opens_as_fast(environ):
    """No setting of streams alone takes botocore to open a client."""
    settings = WireSettings(region_name="eu-west-1", credentials=("a", "b"))
    assert short_way(settings, environ) is not None
    elsewhere = environ | {"AWS_ENDPOINT_URL_DYNAMODB_STREAMS": "https://streams.example", "HTTPS_PROXY": "http://p:9"}
    assert short_way(settings, elsewhere) is None


def test_a_reader_of_a_stream_needs_no_botocore():
    """Where the environment says everything, neither the table's stream nor its records take its rules."""

    async def main():
        session = await open_session(WireSettings(region_name="eu-west-1", credentials=("a", "b")))
        assert type(session) is DirectSession
        for operation in ("DescribeTable", *STREAM_OPERATIONS):
            await session.destination(operation, "orders")
        assert session._opening is None
        await session.aclose()

    run_virtual(main())


def test_a_proxy_counts_for_streams(monkeypatch):
    """Tables are at a host without a proxy, and streams are not: those go through it, as every other host does."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    async def main(**more):
        settings = WireSettings(region_name="eu-west-1", credentials=("a", "b"), **more)
        session = await open_session(settings)
        found = [(await session.destination(each, "orders")).endpoint for each in ("GetItem", "GetRecords")]
        proxied = [session.is_proxied(each) for each in found]
        await session.aclose()
        return proxied

    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "https://vpce.example")
    monkeypatch.setenv("NO_PROXY", "vpce.example")
    assert run_virtual(main()) == [False, True]
    assert run_virtual(main(endpoint_url="http://127.0.0.1:1")) == [False, False]


def test_a_client_that_reads_no_stream_pays_nothing(monkeypatch):
    """The second service's model is read when it is first asked for, and once, by however many callers."""
    made = []

    async def main():
        session = await open_aiobotocore_session(WireSettings(region_name="eu-west-1", credentials=("a", "b")))
        await session.destination("GetItem", "orders")
        assert made == []
        await asyncio.gather(*(session.destination("GetRecords", "orders") for _ in range(10)))
        await session.destination("ListStreams", "")
        await session.aclose()
        with pytest.raises(errors.ClientStateError, match="closed"):
            await session.destination("GetRecords", "orders")
        assert asyncio.all_tasks() == {asyncio.current_task()}

    original = late_client.load_model
    monkeypatch.setattr(late_client, "load_model", lambda *arguments: (made.append(arguments[1]), original(*arguments)))
    run_virtual(main())
    assert made == ["dynamodbstreams"]


def test_the_end_of_one_caller_does_not_end_the_opening(monkeypatch):
    """The caller that asked first is cancelled; the others, and later ones, have their answer."""

    async def main():
        session = await open_aiobotocore_session(WireSettings(region_name="eu-west-1", credentials=("a", "b")))
        first, second = (asyncio.ensure_future(session.destination("GetRecords", "")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        found = await second
        assert first.cancelled()
        await session.aclose()
        return found.endpoint

    assert run_virtual(main()) == Endpoint("https", "streams.dynamodb.eu-west-1.amazonaws.com", 443)


# ── how ──


def called(script, *requests, then=None, **options):
    """Send requests one after another; return the last answer or error, the server, and the numbers."""

    async def main():
        async with ScriptedServer(script, then=then) as server:
            settings = WireSettings(
                endpoint_url=server.url,
                region_name="eu-west-1",
                credentials=("AKID", "secret"),
                retry=options.pop("retry", RetryPolicy.no_backoff()),
                **options,
            )
            pipeline = await open_pipeline(settings)
            result = None
            for request in requests:
                try:
                    result = await pipeline.call(request)
                except errors.MizzleError as error:
                    result = error
            statistics = pipeline.statistics()
            await pipeline.aclose()
            return result, server, statistics

    return run_virtual(main())


def test_requests_name_the_service_and_are_signed_as_for_tables():
    """The target has the other prefix; the signing name is the tables'."""
    _, server, _ = called([Reply({}), PAGE], GET, RECORDS)
    targets = [sent.headers["x-amz-target"] for sent in server.requests]
    assert targets == ["DynamoDB_20120810.GetItem", "DynamoDBStreams_20120810.GetRecords"]
    assert all("/eu-west-1/dynamodb/aws4_request" in sent.headers["authorization"] for sent in server.requests)


def test_streams_have_a_pool_of_their_own_even_at_one_endpoint():
    """Readers of shards never take the connections of reads and writes; until one reads there is no second pool."""
    _, server, statistics = called([Reply({})], GET)
    assert len(statistics.pool.hosts) == 1
    _, server, statistics = called([Reply({}), PAGE, PAGE], GET, RECORDS, RECORDS)
    assert len(statistics.pool.hosts) == 2
    assert [sent.connection for sent in server.requests] == [1, 2, 2]


def test_a_late_page_is_not_asked_for_twice():
    """A shard has two readers at most: pages are never hedged, late reads of items are."""
    slow = Reply({"Records": []}, pause=1.0)
    _, server, statistics = called([slow], RECORDS, then=PAGE, hedge=HedgePolicy(after=0.01))
    assert (len(server.requests), statistics.hedges) == (1, 0)
    _, server, statistics = called([Reply({}, pause=1.0)], GET, then=Reply({}), hedge=HedgePolicy(after=0.01))
    assert (len(server.requests), statistics.hedges) == (2, 1)


@pytest.mark.parametrize(
    ("code", "error", "attempts"),
    [
        ("ExpiredIteratorException", errors.ExpiredIteratorError, 1),
        ("TrimmedDataAccessException", errors.TrimmedDataAccessError, 1),
        ("ResourceNotFoundException", errors.ResourceNotFoundError, 1),
        ("ValidationException", errors.ValidationError, 1),
        ("LimitExceededException", errors.LimitExceededError, 4),
        ("ThrottlingException", errors.ThrottledError, 4),
    ],
)
def test_refusals_of_the_service_have_their_classes(code, error, attempts):
    """A position that is too old is not asked for again as it is; a refusal for the rate is."""
    result, server, statistics = called([], RECORDS, then=Reply.error(code))
    assert type(result) is error
    assert len(server.requests) == attempts
    assert statistics.throttled == ({} if attempts == 1 else {"orders/(stream)": 4})


def test_a_failure_of_an_engine_is_asked_for_again_and_then_ends():
    """DynamoDB Local answers 500 for some positions: that is no reason to go on for ever."""
    result, server, _ = called([], RECORDS, then=Reply.error("InternalFailure", status=500))
    assert (type(result), len(server.requests)) == (errors.InternalServerError, 4)


def test_the_control_plane_reaches_both_services():
    """`control` asks the service that has the operation, and names one that no service has."""

    async def main():
        script = [Reply({"Streams": []}), Reply({"TableNames": []})]
        async with ScriptedServer(script) as server:
            settings = WireSettings(endpoint_url=server.url, region_name="eu-west-1", credentials=("AKID", "secret"))
            pipeline = await open_pipeline(settings)
            answers = [
                await pipeline.control("ListStreams", {"TableName": "orders"}),
                await pipeline.control("ListTables", {}),
            ]
            with pytest.raises(errors.ClientStateError, match="ListTomorrow is unknown to botocore"):
                await pipeline.control("ListTomorrow", {})
            await pipeline.aclose()
            return answers, [sent.headers["x-amz-target"] for sent in server.requests]

    answers, targets = run_virtual(main())
    assert answers == [{"Streams": []}, {"TableNames": []}]
    assert targets == ["DynamoDBStreams_20120810.ListStreams", "DynamoDB_20120810.ListTables"]
