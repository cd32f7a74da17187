"""What the AWS configuration says about the way to the service, resolved by aiobotocore's own rules."""

import asyncio
import logging

import botocore.config
import botocore.session
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.model import OperationNotFoundError

from mizzle_async import errors
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import RepeatSafety, WireRequest
from mizzle_async.wire.exchange import Answer, Endpoint
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.session.adapter import control_safety
from mizzle_async.wire.session.aiobotocore_session import open_aiobotocore_session
from mizzle_async.wire.session.endpoints import is_loopback, parse_endpoint
from mizzle_async.wire.session.session import open_session
from mizzle_async.wire.settings import Credentials, WireSettings

ITEM = Reply({"Item": {"a": {"S": "b"}}})
ACCOUNT = Credentials("AKID", "secret", account_id="111122223333")


def destination_of(operation="GetItem", table="orders", **settings):
    """Resolve where an operation goes, with credentials at hand."""

    async def main():
        session = await open_session(WireSettings(credentials=settings.pop("credentials", ACCOUNT), **settings))
        await session.credentials.current()
        found = await session.destination(operation, table)
        await session.aclose()
        return found

    return run_virtual(main())


def url_of(operation="GetItem", table="orders", **settings):
    """Resolve the URL of an operation."""
    endpoint = destination_of(operation, table, **settings).endpoint
    return f"{endpoint.scheme}://{endpoint.authority}{endpoint.path}"


@pytest.fixture
def configure(monkeypatch, tmp_path):
    """Write an AWS configuration file."""

    def write(text):
        path = tmp_path / "config"
        path.write_text(text)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(path))

    return write


# ── endpoints ──


def test_account_based_endpoints_are_the_rule():
    """Where the account is known its own host is used; elsewhere the region's."""
    assert url_of(region_name="eu-west-1") == "https://111122223333.ddb.eu-west-1.amazonaws.com/"
    assert url_of(region_name="eu-west-1", credentials=("a", "b")) == "https://dynamodb.eu-west-1.amazonaws.com/"


def test_account_based_endpoints_can_be_turned_off(monkeypatch):
    """``AWS_ACCOUNT_ID_ENDPOINT_MODE=disabled`` is honoured."""
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
    assert url_of(region_name="eu-west-1") == "https://dynamodb.eu-west-1.amazonaws.com/"


def test_a_required_account_is_asked_for_when_it_is_needed(monkeypatch):
    """With ``required`` a client opens, as nobody knows the account yet, and says later that none is known."""
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "required")
    assert url_of(region_name="eu-west-1") == "https://111122223333.ddb.eu-west-1.amazonaws.com/"
    with pytest.raises(errors.ClientStateError, match="no endpoint for GetItem"):
        destination_of(region_name="eu-west-1", credentials=("a", "b"))


def test_the_account_of_a_table_named_by_arn_counts():
    """A table of another account is reached at that account's host, alone or in a batch or a transaction."""
    arn = "arn:aws:dynamodb:eu-west-1:444455556666:table/orders"
    operations = ("GetItem", "Query", "BatchGetItem", "BatchWriteItem", "TransactGetItems", "TransactWriteItems")
    for operation in operations:
        found = url_of(operation, arn, region_name="eu-west-1")
        assert found == "https://444455556666.ddb.eu-west-1.amazonaws.com/", operation


def test_tables_of_two_accounts_have_ways_of_their_own():
    """The way that one call found is another's only where the table's account is the same."""
    arn = "arn:aws:dynamodb:eu-west-1:{}:table/orders"
    tables = [arn.format(444455556666), arn.format(777788889999), "orders", arn.format(444455556666)]

    async def main():
        pipeline = await open_pipeline(WireSettings(region_name="eu-west-1", credentials=ACCOUNT))
        requests = [WireRequest("GetItem", b"{}", table, RepeatSafety.READ) for table in tables]
        routes = [await pipeline._route(request) for request in requests]
        await pipeline.aclose()
        return [route.endpoint.host.partition(".")[0] for route in routes]

    assert run_virtual(main()) == ["444455556666", "777788889999", "111122223333", "444455556666"]


@pytest.mark.parametrize(
    ("variable", "host"),
    [
        ("AWS_USE_FIPS_ENDPOINT", "dynamodb-fips.us-east-1.amazonaws.com"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "dynamodb.us-east-1.api.aws"),
    ],
)
def test_fips_and_dual_stack(monkeypatch, variable, host):
    """The switches of the AWS configuration choose the host."""
    monkeypatch.setenv(variable, "true")
    assert url_of(region_name="us-east-1", credentials=("a", "b")) == f"https://{host}/"


def test_vector_searches_have_a_host_of_their_own():
    """``SearchVectors`` does not go where item operations go; a botocore that is older than it is named."""
    item = url_of("GetItem", region_name="us-east-1", credentials=("a", "b"))
    if "SearchVectors" not in botocore.session.get_session().get_service_model("dynamodb").operation_names:
        with pytest.raises(
            errors.ClientStateError, match=r"SearchVectors is unknown to botocore .* 1\.43\.64 or newer"
        ):
            url_of("SearchVectors", region_name="us-east-1", credentials=("a", "b"))
        return
    search = url_of("SearchVectors", region_name="us-east-1", credentials=("a", "b"))
    assert search != item
    assert "search" in search


def test_an_operation_that_botocore_does_not_know_names_the_version_needed():
    """An older service model lacks newer operations: the error names the version in use and the one that is needed."""

    def lacks(name):
        raise OperationNotFoundError(name)

    async def main():
        settings = WireSettings(endpoint_url="http://127.0.0.1:1", region_name="us-east-1", credentials=ACCOUNT)
        session = await open_aiobotocore_session(settings)
        session._client.meta.service_model.operation_model = lacks
        texts = []
        for operation in ("SearchVectors", "Later"):
            with pytest.raises(errors.ClientStateError) as caught:
                await session.destination(operation, "orders")
            texts.append(str(caught.value))
        await session.aclose()
        return texts

    version = botocore.__version__
    remedy = "install botocore 1.43.64 or newer, which comes with aiobotocore 3.10"
    assert run_virtual(main()) == [
        f"SearchVectors is unknown to botocore {version}: {remedy} [SearchVectors, table 'orders']",
        f"Later is unknown to botocore {version}: install a newer aiobotocore [Later, table 'orders']",
    ]


def test_a_control_operation_that_botocore_does_not_know_is_named():
    """The control plane says the same about an operation that the installed botocore has no method for."""
    error, server = controlled([], "DescribeTomorrow", {})
    assert type(error) is errors.ClientStateError
    assert f"DescribeTomorrow is unknown to botocore {botocore.__version__}" in str(error)
    assert server.requests == []


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"])
def test_configured_endpoints_are_honoured(monkeypatch, variable):
    """An endpoint of the environment is used, unless another is given, or all are to be ignored."""
    monkeypatch.setenv(variable, "http://127.0.0.1:4566/path")
    assert url_of(region_name="us-east-1") == "http://127.0.0.1:4566/path"
    assert url_of(region_name="us-east-1", endpoint_url="http://127.0.0.1:1") == "http://127.0.0.1:1/"
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert url_of(region_name="us-east-1", credentials=("a", "b")) == "https://dynamodb.us-east-1.amazonaws.com/"


def test_the_region_comes_from_argument_environment_or_profile(monkeypatch, configure):
    """The nearest one wins, and a named profile has its own."""
    configure("[default]\nregion = eu-north-1\n[profile other]\nregion = ap-south-1\n")
    assert destination_of().region == "eu-north-1"
    assert destination_of(profile_name="other").region == "ap-south-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert destination_of().region == "eu-west-2"
    assert destination_of(region_name="eu-west-3").region == "eu-west-3"


def test_the_other_sdks_variable_for_the_region_counts(monkeypatch, configure):
    """``AWS_REGION`` is before the profile and after botocore's own variable; a user's session is left as it is."""
    configure("[default]\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_REGION", "eu-south-1")
    assert destination_of().region == "eu-south-1"
    assert destination_of(session=AioSession()).region == "eu-north-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert destination_of().region == "eu-west-2"
    assert destination_of(region_name="eu-west-3").region == "eu-west-3"


def agent_of(**settings):
    """Return the user agent of a session."""

    async def main():
        session = await open_session(WireSettings(region_name="a", endpoint_url="http://127.0.0.1:1", **settings))
        await session.aclose()
        return session.user_agent

    return run_virtual(main())


def test_the_application_s_id_is_part_of_the_user_agent(monkeypatch, configure):
    """The id of the environment, of the profile, or of a session's configuration is sent."""
    assert "app/" not in agent_of()
    configure("[default]\nsdk_ua_app_id = of-profile\n")
    assert agent_of().endswith(" app/of-profile")
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", "of-environment")
    assert agent_of().endswith(" app/of-environment")
    session = AioSession()
    session.set_default_client_config(AioConfig(user_agent_appid="of-session"))
    assert agent_of(session=session).endswith(" app/of-session")


def test_retry_settings_that_are_not_used_are_said(monkeypatch, configure, caplog):
    """``AWS_MAX_ATTEMPTS``, ``AWS_RETRY_MODE`` and their like in a profile are named when the client opens."""
    caplog.set_level(logging.INFO, "mizzle_async.wire")
    destination_of(region_name="eu-west-1")
    assert caplog.messages == []
    monkeypatch.setenv("AWS_RETRY_MODE", "bogus")
    destination_of(region_name="eu-west-1")
    (message,) = caplog.messages
    assert message.startswith("AWS_RETRY_MODE: not used for DynamoDB calls")
    caplog.clear()
    configure("[default]\nmax_attempts = many\n")
    destination_of(region_name="eu-west-1")
    (message,) = caplog.messages
    assert message.startswith("AWS_RETRY_MODE, max_attempts of the profile: not used for DynamoDB calls")


def test_the_rules_say_which_region_signatures_are_for():
    """Botocore's region ``local`` is an engine on this machine, which is signed for as for ``us-east-1``."""
    found = destination_of(region_name="local", credentials=("a", "b"))
    assert (found.endpoint, found.region) == (Endpoint("http", "localhost", 8000), "us-east-1")


def test_what_cannot_be_used_is_said_when_the_client_opens(configure):
    """No region, no such profile, no such URL, no scheme: each says what to do, in our own error."""
    with pytest.raises(errors.ClientStateError, match="no AWS region: pass region_name="):
        destination_of()
    with pytest.raises(errors.ClientStateError, match="no AWS profile named 'nobody'"):
        destination_of(profile_name="nobody", region_name="us-east-1")
    with pytest.raises(
        errors.ClientStateError, match="'localhost:8000' has no scheme: write http:// or https:// before"
    ):
        destination_of(region_name="us-east-1", endpoint_url="localhost:8000")
    with pytest.raises(errors.ClientStateError, match=r"^the endpoint has no scheme"):
        destination_of(region_name="us-east-1", endpoint_url="user:secret@localhost:8000")
    with pytest.raises(errors.ClientStateError, match="the AWS configuration cannot be used"):
        destination_of(region_name="us-east-1", endpoint_url="http://no host")


def test_a_host_without_proxy_is_told_from_its_neighbour(monkeypatch):
    """``NO_PROXY`` counts for each host that requests go to, not only for the one that the client was opened for."""
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", ".ddb.eu-west-1.amazonaws.com")

    async def main():
        session = await open_session(WireSettings(region_name="eu-west-1", credentials=ACCOUNT))
        hosts = ("111122223333.ddb.eu-west-1.amazonaws.com", "dynamodb.eu-west-1.amazonaws.com")
        proxied = [session.is_proxied(Endpoint("https", host, 443)) for host in hosts]
        await session.aclose()
        return proxied

    assert run_virtual(main()) == [False, True]
    # And the other way round: the host that the client was opened for has no proxy, its neighbour has.
    monkeypatch.setenv("NO_PROXY", "dynamodb.eu-west-1.amazonaws.com")
    assert run_virtual(main()) == [True, False]


# ── clear text ──


@pytest.mark.parametrize("host", ["localhost", "db.localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_this_machine_may_be_asked_in_clear_text(host):
    """Loopback by name or number needs no encryption."""
    assert is_loopback(host)
    shown = f"[{host}]" if ":" in host else host
    assert parse_endpoint(f"http://{shown}:8000", allow_http=False) == Endpoint("http", host, 8000)


@pytest.mark.parametrize("host", ["dynamodb-local", "10.0.0.1", "127.0.0.1.example", "localhost.example", "1.2.3.4"])
def test_other_machines_are_not_asked_in_clear_text(host):
    """Items go to other machines encrypted, unless the caller says otherwise."""
    assert not is_loopback(host)
    with pytest.raises(errors.ClientStateError, match=f"refusing to send requests to {host} unencrypted"):
        parse_endpoint(f"http://{host}", allow_http=False)
    assert parse_endpoint(f"http://{host}", allow_http=True) == Endpoint("http", host, 80)
    assert parse_endpoint(f"https://{host}/x", allow_http=False) == Endpoint("https", host, 443, "/x")


def test_a_configured_endpoint_in_clear_text_is_refused_at_opening(monkeypatch):
    """An endpoint that slipped into the environment does not get items in clear text."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://elsewhere.example:8000")
    with pytest.raises(errors.ClientStateError, match="allow_http=True"):
        destination_of(region_name="us-east-1")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1",
        "https://",
        "127.0.0.1:8000",
        "",
        "http://[::1]/ü",
        "http://[::1]/a b",
        "http://[::1",
        "http://127.0.0.1:0",
        "http://127.0.0.1:65536",
        "http://127.0.0.1:http",
    ],
)
def test_what_is_no_endpoint(url):
    """Only http and https with a host, and a port that exists, are endpoints."""
    with pytest.raises(errors.ClientStateError, match="not an endpoint"):
        parse_endpoint(url, allow_http=True)


@pytest.mark.parametrize(
    "url", ["https://u:CANARY@[::1]", "https://CANARY@[::1]", "https://[::1]/?CANARY", "https://[::1]/#CANARY"]
)
def test_an_endpoint_is_a_place_alone(url):
    """A user, a query or a fragment would be dropped without a word: it is refused, and what it says is not shown."""
    with pytest.raises(errors.ClientStateError, match="nothing but scheme, host, port and path") as caught:
        parse_endpoint(url, allow_http=True)
    assert "CANARY" not in str(caught.value)


def test_an_impossible_port_is_said_when_the_client_opens():
    """What botocore takes for an endpoint, and no machine can have, is an error of the configuration."""
    with pytest.raises(errors.ClientStateError, match="not an endpoint"):
        destination_of(region_name="us-east-1", endpoint_url="http://127.0.0.1:99999")


def test_the_endpoint_is_logged_once(caplog):
    """Where items go is said when the client opens."""
    caplog.set_level(logging.DEBUG, "mizzle_async.wire")
    destination_of(region_name="eu-west-1", credentials=("a", "b"))
    lines = [record.getMessage() for record in caplog.records if record.name == "mizzle_async.wire"]
    assert lines.count("DynamoDB in eu-west-1, at dynamodb.eu-west-1.amazonaws.com") == 1


# ── a user's own session ──


def test_a_users_session_is_used_as_it_is():
    """Region, credentials and default configuration of a session are its own; retries and signing are ours."""

    async def main():
        session = AioSession()
        session.set_config_variable("region", "eu-central-1")
        session.set_credentials("AKIDUSER", "secret", "token")
        session.set_default_client_config(AioConfig(retries={"total_max_attempts": 9}, user_agent_extra="mine"))
        async with ScriptedServer([ITEM]) as server:
            pipeline = await open_pipeline(WireSettings(session=session, endpoint_url=server.url))
            assert pipeline.region_name == "eu-central-1"
            await pipeline.call(WireRequest("GetItem", b"{}", "orders", RepeatSafety.READ))
            await pipeline.aclose()
            return server.requests[0].headers

    headers = run_virtual(main())
    assert "Credential=AKIDUSER/" in headers["authorization"]
    assert "/eu-central-1/dynamodb/" in headers["authorization"]
    assert headers["x-amz-security-token"] == "token"


@pytest.mark.parametrize("config", [AioConfig, botocore.config.Config])
def test_a_users_default_configuration_keeps_its_options_and_our_http_session(config):
    """Whatever kind it is, merging loses neither what the user configured nor how requests are sent."""

    async def main():
        session = AioSession()
        more = {"connector_args": {"keepalive_timeout": 5}} if config is AioConfig else {}
        default = config(s3={"addressing_style": "path"}, read_timeout=7, retries={"mode": "legacy"}, **more)
        session.set_default_client_config(default)
        session.set_credentials("AKID", "secret")
        opened = await open_aiobotocore_session(
            WireSettings(session=session, endpoint_url="http://127.0.0.1:1", region_name="eu-west-1")
        )
        merged = opened._client.meta.config
        options = opened._client._endpoint.http_session.options
        await opened.aclose()
        assert session.get_default_client_config() is default
        assert session._last_client_region_used == "eu-west-1"
        return merged.s3, merged.read_timeout, merged.retries["mode"], options["connector_args"]

    s3, read_timeout, mode, connector_args = run_virtual(main())
    assert (s3["addressing_style"], read_timeout, mode) == ("path", None, "standard")
    assert connector_args["keepalive_timeout"] == (5 if config is AioConfig else 12)


@pytest.mark.parametrize("session", [botocore.session.Session(), AioSession])
def test_a_session_of_another_library_is_refused(session):
    """The session is aiobotocore's: botocore's, boto3's, or a function that makes one, is none."""
    with pytest.raises(TypeError, match=r"^session= takes a session of aiobotocore\.session, not (Session|type)$"):
        destination_of(session=session, region_name="eu-west-1")


def test_a_foreign_error_at_opening_stays_what_it_is():
    """What is not about the configuration is not called so."""

    class Broken(AioSession):
        def get_component(self, name):
            raise LookupError(name)

    with pytest.raises(LookupError):
        destination_of(session=Broken(), region_name="eu-west-1")


# ── the control plane ──


def controlled(script, operation, parameters, **options):
    """Send one operation of the control plane; return its result, and the server."""

    async def main():
        async with ScriptedServer(script) as server:
            settings = WireSettings(
                endpoint_url=server.url,
                region_name="eu-west-1",
                credentials=("AKID", "secret", "token"),
                retry=RetryPolicy.no_backoff(),
            )
            pipeline = await open_pipeline(settings)
            try:
                result = await pipeline.control(operation, parameters, **options)
            except errors.MizzleError as error:
                result = error
            finally:
                await pipeline.aclose()
            return result, server

    return run_virtual(main())


DESCRIBED = Reply({"Table": {"TableName": "orders", "CreationDateTime": 1767225600.0, "TableStatus": "ACTIVE"}})


def test_table_operations_go_through_aiobotocore_and_our_pool():
    """Our client of aiobotocore serialises and parses; signing, checking and retrying are the pipeline's."""
    result, server = controlled([Reply.throttled(), DESCRIBED], "DescribeTable", {"TableName": "orders"})
    assert result["Table"]["CreationDateTime"].year == 2026
    assert "ResponseMetadata" not in result
    assert server.operations == ["DescribeTable"] * 2
    assert {sent.connection for sent in server.requests} == {1}
    for sent in server.requests:
        assert sent.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
        assert sent.headers["user-agent"].startswith("mizzle_async/")
        assert sent.payload == {"TableName": "orders"}


def test_errors_of_the_control_plane_are_ours():
    """The service's error arrives as its class, with the table and the attempts."""
    error, server = controlled([Reply.error("ResourceInUseException")], "DeleteTable", {"TableName": "orders"})
    assert type(error) is errors.ResourceInUseError
    assert (error.operation, error.table, error.attempts, len(server.requests)) == ("DeleteTable", "orders", 1, 1)


def test_wrong_parameters_are_found_before_sending():
    """What aiobotocore's own validation refuses is a `ValidationError`, and nothing is sent."""
    error, server = controlled([], "DescribeTable", {"TableName": 5})
    assert type(error) is errors.ValidationError
    assert server.requests == []


def test_a_lost_answer_of_the_control_plane():
    """A description is asked for again; a deletion is too, and its refusal says that it may be our own doing."""
    result, server = controlled([Reply.close(), DESCRIBED], "DescribeTable", {"TableName": "orders"})
    assert result["Table"]["TableStatus"] == "ACTIVE"
    script = [Reply.close(), Reply.error("ResourceInUseException")]
    error, server = controlled(script, "DeleteTable", {"TableName": "orders"})
    assert (type(error), error.ambiguous, len(server.requests)) == (errors.ResourceInUseError, True, 2)


def test_tagging_has_no_answer():
    """The operation whose answer has no body works through aiobotocore as well."""
    parameters = {"ResourceArn": "arn:aws:dynamodb:eu-west-1:1:table/orders", "Tags": [{"Key": "a", "Value": "b"}]}
    assert controlled([Reply(b"", 200)], "TagResource", parameters)[0] == {}


def test_the_control_plane_has_deadlines():
    """A description that never comes ends at the caller's timeout."""
    error, _ = controlled([Reply.hang(), Reply.hang()], "DescribeTable", {"TableName": "orders"}, timeout=2.0)
    assert (type(error), error.timeout) == (errors.DeadlineExceededError, 2.0)


@pytest.mark.parametrize(
    ("operation", "safety"),
    [
        ("DescribeTable", RepeatSafety.READ),
        ("ListTables", RepeatSafety.READ),
        ("CreateTable", RepeatSafety.GUARDED),
        ("UpdateTimeToLive", RepeatSafety.GUARDED),
        ("UntagResource", RepeatSafety.IDEMPOTENT),
        ("PutResourcePolicy", RepeatSafety.IDEMPOTENT),
    ],
)
def test_what_repeating_a_table_operation_does(operation, safety):
    """Descriptions are reads, tags are as repeatable as sets, and most of the others are refused the second time."""
    assert control_safety(operation) is safety


# ── a transport of the user's ──


class Recorder:
    """A transport that remembers what it carried."""

    def __init__(self):
        self.exchanges = []
        self.closed = 0

    async def exchange(self, exchange):
        self.exchanges.append(exchange)
        return Answer(200, {}, {"Item": {}})

    async def aclose(self):
        self.closed += 1


def test_a_given_transport_carries_everything():
    """With a transport of its own a client opens nothing else: no aiobotocore, no pool, no configuration."""

    async def main():
        transport = Recorder()
        pipeline = await open_pipeline(WireSettings(transport=transport, endpoint_url="https://simulated.example/x"))
        await pipeline.call(WireRequest("GetItem", b"{}", "orders", RepeatSafety.READ))
        with pytest.raises(errors.ClientStateError, match="ListTables is sent through aiobotocore"):
            await pipeline.control("ListTables", {})
        assert pipeline.region_name == "us-east-1"
        assert "Recorder" in repr(pipeline._transports)
        with pytest.raises(errors.ClientStateError, match="opens no TLS"):
            pipeline._session.tls()
        with pytest.raises(errors.ClientStateError, match="uses no proxy"):
            pipeline._session.proxied_transport()
        assert not pipeline._session.is_proxied(transport.exchanges[0].endpoint)
        await pipeline.warm_up()
        await pipeline.aclose()
        return transport

    transport = run_virtual(main())
    assert [exchange.endpoint for exchange in transport.exchanges] == [
        Endpoint("https", "simulated.example", 443, "/x")
    ]
    assert transport.closed == 1


def test_what_cannot_be_closed_keeps_nothing_else_open():
    """Where closing a transport fails, or is given up, everything else is closed all the same."""

    class Stuck(Recorder):
        def __init__(self, ending):
            super().__init__()
            self.ending = ending

        async def aclose(self):
            await self.ending()

    async def fail():
        raise LookupError("a transport's own trouble")

    async def main(ending, expected):
        settings = WireSettings(transport=Stuck(ending))
        pipeline = await open_pipeline(settings)
        with pytest.raises(expected):
            async with asyncio.timeout(1):
                await pipeline.aclose()
        with pytest.raises(errors.ClientStateError, match="closed"):
            await pipeline._keeper.renew(await pipeline._keeper.current())
        return repr(pipeline._transports._pool)

    assert run_virtual(main(fail, LookupError)) == "<ConnectionPool closed>"
    assert run_virtual(main(asyncio.Event().wait, TimeoutError)) == "<ConnectionPool closed>"
