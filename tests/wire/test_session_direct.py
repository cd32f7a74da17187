"""Opening without botocore: the same credentials and destinations as it finds, and botocore where it is needed."""

import asyncio
import itertools
import os
from importlib import metadata

import pytest

from mizzle_async import errors
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import RepeatSafety, WireRequest
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.services import STREAM_OPERATIONS
from mizzle_async.wire.session import aiobotocore_session, container
from mizzle_async.wire.session.aiobotocore_session import AiobotocoreSession, open_aiobotocore_session
from mizzle_async.wire.session.direct import _DIRECT_OPERATIONS, DirectSession
from mizzle_async.wire.session.environment import VERSION
from mizzle_async.wire.session.session import open_session
from mizzle_async.wire.session.short_way import short_way
from mizzle_async.wire.settings import Credentials, WireSettings

ITEM = Reply({"Item": {"a": {"S": "b"}}})
GET = WireRequest("GetItem", b"{}", "orders", RepeatSafety.READ)
KEYS = {"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "secret"}
ARN = "arn:aws:dynamodb:{}:444455556666:table/orders"


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch):
    """Hide the machine's own proxies and bundles."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)


# ── the table ──

REGIONS = ("us-east-1", "us-east-2", "eu-west-1", "eu-central-2", "ap-southeast-7", "sa-east-1", "il-central-1")
REGIONS += ("ca-west-1", "me-south-1", "af-south-1", "mx-central-1", "us-nowhere-9")
PLACES = (
    *(({"AWS_DEFAULT_REGION": region}, {}) for region in REGIONS),
    ({"AWS_REGION": "eu-west-1"}, {}),
    ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, {}),
    ({"AWS_REGION": "eu-west-1"}, {"region_name": "eu-west-3"}),
    ({"AWS_REGION": "eu-west-1"}, {"endpoint_url": "http://127.0.0.1:8000"}),
    ({"AWS_REGION": "eu-west-1"}, {"endpoint_url": "https://vpce-1.example/path/"}),
    ({"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "https://all.example:8443"}, {}),
    ({"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL_DYNAMODB": "https://one.example"}, {}),
    (
        {
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": "https://all.example",
            "AWS_ENDPOINT_URL_DYNAMODB": "https://one.example",
        },
        {},
    ),
    (
        {
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": "https://all.example",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        },
        {},
    ),
    ({"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": "https://two.example"}, {}),
    ({"AWS_REGION": "eu-west-1", "AWS_CA_BUNDLE": "/one.pem"}, {"endpoint_url": "http://127.0.0.1:1"}),
    ({"AWS_REGION": "eu-west-1", "REQUESTS_CA_BUNDLE": "/two.pem"}, {"endpoint_url": "http://127.0.0.1:1"}),
    ({"AWS_REGION": "eu-west-1", "HTTP_PROXY": "http://127.0.0.1:9"}, {"endpoint_url": "http://127.0.0.1:1"}),
)
HOLDERS = (
    (KEYS, {}),
    (KEYS | {"AWS_SESSION_TOKEN": "token"}, {}),
    (KEYS | {"AWS_SESSION_TOKEN": "token", "AWS_SECURITY_TOKEN": "older"}, {}),
    (KEYS | {"AWS_SESSION_TOKEN": ""}, {}),
    (KEYS | {"AWS_ACCOUNT_ID": "111122223333"}, {}),
    (KEYS | {"AWS_ACCOUNT_ID": ""}, {}),
    (KEYS, {"credentials": ("AKGIVEN", "other")}),
    ({}, {"credentials": ("AKGIVEN", "other", "token")}),
    ({}, {"credentials": Credentials("AKGIVEN", "other", account_id="999988887777")}),
)
MODES = ({}, {"AWS_ACCOUNT_ID_ENDPOINT_MODE": "preferred"}, {"AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled"})
TABLES = ("orders", ARN.format("eu-west-1"), ARN.format("us-east-1"))


async def facts(session):
    """Return everything that a request depends on: credentials, destinations, authorities, proxies."""
    held = await session.credentials.current()
    operations = (*sorted(_DIRECT_OPERATIONS), *sorted(STREAM_OPERATIONS))
    found = [await session.destination(operation, table) for operation in operations for table in TABLES]
    verify = session._options["verify"] if isinstance(session, AiobotocoreSession) else session._way.ca_bundle
    return {
        "credentials": held,
        "account": held.account_id,
        "token": held.session_token or None,
        "region": session.region_name,
        "destinations": [(one.endpoint, one.region) for one in found],
        "authorities": verify if isinstance(verify, str) else None,
        "proxied": {session.is_proxied(one.endpoint) for one in found},
    }


def named(credentials):
    """Return credentials with no token where theirs is empty: neither is sent."""
    return (credentials.access_key_id, credentials.secret_access_key)


SCALE = float(os.environ.get("MIZZLE_TEST_SCALE", "1"))
COMBINATIONS = [(*holder, mode) for holder, mode in itertools.product(HOLDERS, MODES)]
EVERY = 9 if SCALE <= 1 else 1


@pytest.mark.parametrize("number", range(len(PLACES)))
def test_credentials_and_destinations_are_botocore_s(monkeypatch, number):
    """For every combination of settings that takes the short way, both ways know the same.

    Opening both takes long: each place has its share of the combinations, and all of them where the scale says so.
    """

    async def main(settings):
        short = await open_session(settings)
        long = await open_aiobotocore_session(settings)
        try:
            assert type(short) is DirectSession
            found, expected = await facts(short), await facts(long)
        finally:
            await short.aclose()
            await long.aclose()
        assert named(found.pop("credentials")) == named(expected.pop("credentials"))
        assert found == expected

    monkeypatch.setattr("mizzle_async.wire.session.trust._make", lambda bundle: bundle)
    environ, options = PLACES[number]
    for keys, more, mode in COMBINATIONS[number % EVERY :: EVERY]:
        with monkeypatch.context() as patch:
            for name, value in (environ | keys | mode).items():
                patch.setenv(name, value)
            run_virtual(main(WireSettings(**(options | more))))


LONG = [
    {"AWS_PROFILE": "default"},
    {"AWS_DEFAULT_PROFILE": "default"},
    {"AWS_CREDENTIAL_EXPIRATION": "2099-01-01T00:00:00Z"},
    {"AWS_DATA_PATH": "/nowhere"},
    {"AWS_DEFAULTS_MODE": "standard"},
    {"AWS_USE_FIPS_ENDPOINT": "true"},
    {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
    {"AWS_ACCOUNT_ID_ENDPOINT_MODE": "required"},
    {"BOTOCORE_EXPERIMENTAL__PLUGINS": "x"},
    {"HTTPS_PROXY": "http://127.0.0.1:9"},
    {"http_proxy": "http://127.0.0.1:9"},
    {"AWS_REGION": ""},
    {"AWS_REGION": "cn-north-1"},
    {"AWS_REGION": "us-gov-west-1"},
    {"AWS_REGION": "us-iso-east-1"},
    {"AWS_REGION": "local"},
    {"AWS_REGION": "aws-global"},
    {"AWS_SECRET_ACCESS_KEY": ""},
    {"AWS_ACCESS_KEY_ID": ""},
    {"AWS_ACCOUNT_ID": "not a label"},
    {"AWS_ENDPOINT_URL": "not a url"},
    {"AWS_ENDPOINT_URL": "http://elsewhere.example"},
    {"AWS_ENDPOINT_URL": "https://dynamodb.eu-west-1.api.aws"},
]


@pytest.mark.parametrize("environ", LONG, ids=str)
def test_whatever_else_is_set_is_left_to_botocore(environ):
    """A setting with rules of its own takes the long way."""
    settings = WireSettings()
    offline = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    base = KEYS | offline | {"AWS_REGION": "eu-west-1"}
    assert short_way(settings, base) is not None
    assert short_way(settings, base | environ) is None


@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_a_file_that_says_something_is_left_to_botocore(tmp_path, variable):
    """Both shared files may hold settings of the default profile; one that is empty or absent holds none."""
    base = KEYS | dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    base |= {"AWS_REGION": "eu-west-1", variable: str(tmp_path / "file")}
    assert short_way(WireSettings(), base) is not None
    (tmp_path / "file").write_text("")
    assert short_way(WireSettings(), base) is not None
    (tmp_path / "file").write_text("[default]\n")
    assert short_way(WireSettings(), base) is None


def test_a_profile_or_a_session_is_botocore_s():
    """What the caller names is looked up by botocore."""
    base = KEYS | dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    base |= {"AWS_REGION": "eu-west-1"}
    assert short_way(WireSettings(profile_name="x"), base) is None
    assert short_way(WireSettings(session=object()), base) is None
    assert short_way(WireSettings(credentials=Credentials("a", "b", account_id="no label")), base) is None


def test_the_version_is_the_package_s():
    """The version in the user agent is the one of the package's metadata."""
    assert metadata.version("mizzle-async") == VERSION


# ── containers ──

ISSUED = {"AccessKeyId": "AKBOX", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}


@pytest.fixture
def container_at(monkeypatch, tmp_path):
    """Name a server as the container's credential endpoint."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("HOME", str(tmp_path))

    def name(server, **environ):
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/role?id=1")
        for variable, value in environ.items():
            monkeypatch.setenv(variable, value)

    return name


@pytest.mark.parametrize("account", [{}, {"AccountId": "111122223333"}], ids=["alone", "account"])
@pytest.mark.parametrize("token", [{}, {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "secret word"}], ids=["open", "token"])
async def test_a_container_is_asked_as_botocore_asks(container_at, account, token):
    """The same request brings the same credentials and destination, whichever way is taken."""
    found = []
    async with ScriptedServer(then=Reply(ISSUED | account)) as box:
        container_at(box, **token)
        for open_way in (open_session, open_aiobotocore_session):
            session = await open_way(WireSettings())
            held = await session.credentials.current()
            destination = await session.destination("GetItem", "orders")
            found.append((held, held.account_id, held.session_token, destination.endpoint, type(session)))
            await session.aclose()
    assert found[0][:-1] == found[1][:-1]
    assert [one[-1] for one in found] == [DirectSession, AiobotocoreSession]
    short, long = box.requests
    assert (short.method, short.target) == (long.method, long.target)
    for name in ("host", "accept", "authorization"):
        assert short.headers.get(name) == long.headers.get(name)


async def test_a_container_s_credentials_are_renewed_before_they_expire(container_at, monkeypatch):
    """In their last quarter of an hour they are renewed beside the calls; a failure leaves the old ones in use."""
    now = [0.0]
    script = [
        Reply(ISSUED | {"Expiration": "1970-01-01T01:00:00Z"}),
        Reply.html(500),
        Reply(ISSUED | {"AccessKeyId": "AKNEXT", "Expiration": "1970-01-01T03:00:00Z"}),
    ]
    async with ScriptedServer(script) as box:
        container_at(box)
        source = container.ContainerSource(os.environ, clock=lambda: now[0])
        assert (await source.load(force=False)).access_key_id == "AKBOX"
        states = []
        for moment in (2699.0, 2701.0, 3601.0):
            now[0] = moment
            states.append((source.is_due(), source.is_expired()))
        with pytest.raises(container.LoadError, match="answered HTTP 500"):
            await source.load(force=False)
        assert (await source.load(force=False)).access_key_id == "AKNEXT"
        assert not source.is_due()
    assert states == [(False, False), (True, False), (True, True)]


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply.html(500), "answered HTTP 500"),
        (Reply(b"CANARY", checksum="absent"), "gave no usable answer (JSONDecodeError)"),
        (Reply(ISSUED | {"Expiration": "CANARY"}), "gave no usable answer (ValueError)"),
        (Reply({"Token": "CANARY"}), "gave no usable answer (KeyError)"),
        (Reply([]), "gave no usable answer (TypeError)"),
        (Reply.close(), "did not answer (ConnectionResetError)"),
        (Reply.raw(b"SSH-2.0\r\n"), "did not answer (FramingError)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_container_that_fails_is_named(container_at, reply, says):
    """The failure says how the endpoint answered, may pass, and holds nothing of the answer."""
    async with ScriptedServer(then=reply) as box:
        container_at(box)
        with pytest.raises(container.LoadError) as caught:
            await container.ContainerSource(os.environ).load(force=False)
    assert caught.value.may_pass
    assert caught.value.reason == f"the container's credential endpoint {says}"
    assert "CANARY" not in repr((caught.value, caught.value.__cause__, caught.value.__context__, caught.value.cause))


@pytest.mark.parametrize(
    ("environ", "plain"),
    [
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/1"}, True),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"}, True),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[fd00:ec2::23]/v1/credentials"}, True),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost:1338/creds"}, True),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "https://elsewhere.example/creds"}, False),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://elsewhere.example/creds"}, False),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:x/creds"}, False),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/a b"}, False),
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": ""}, True),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": ""}, False),
        ({}, False),
    ],
)
def test_which_containers_are_asked_without_botocore(environ, plain):
    """Endpoints of this machine, in plain HTTP; the rest, an unsupported host included, is botocore's to judge."""
    assert container.is_plain_container(environ) is plain


@pytest.mark.parametrize("variable", ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CREDENTIAL_FILE", "BOTO_CONFIG"])
def test_what_comes_before_a_container_is_left_to_botocore(variable):
    """A provider that botocore asks earlier may have the credentials."""
    base = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    base |= {"AWS_REGION": "eu-west-1", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"}
    assert short_way(WireSettings(), base) is not None
    assert short_way(WireSettings(), base | {variable: "/x"}) is None


@pytest.mark.parametrize(("content", "may_pass"), [(None, True), ("two\nlines", False), ("ümlaut", False)])
async def test_a_container_s_token_is_a_header(container_at, tmp_path, content, may_pass):
    """A token file that is away may come; a token that no header can carry is said, and not sent."""
    async with ScriptedServer(then=Reply(ISSUED)) as box:
        path = tmp_path / "token"
        if content is not None:
            path.write_text(content, encoding="utf-8")
        container_at(box, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(path))
        with pytest.raises(container.LoadError, match="token") as caught:
            await container.ContainerSource(os.environ).load(force=False)
    assert caught.value.may_pass is may_pass
    assert box.requests == []


# ── botocore, where it is needed ──


@pytest.fixture
def lambda_like(monkeypatch):
    """Set what AWS Lambda sets."""
    for name, value in (KEYS | {"AWS_REGION": "eu-west-1"}).items():
        monkeypatch.setenv(name, value)


async def test_the_control_plane_opens_botocore_once(lambda_like):
    """Table operations go the same way as ever, signed with the same credentials; many at once open one session."""
    async with ScriptedServer(then=Reply({"TableNames": ["orders"]})) as server:
        pipeline = await open_pipeline(WireSettings(endpoint_url=server.url))
        session = pipeline._session
        assert (type(session), session._opening) == (DirectSession, None)
        calls = [pipeline.control("ListTables", {}) for _ in range(5)]
        assert await asyncio.gather(*calls) == [{"TableNames": ["orders"]}] * 5
        full = session._opening.result()
        assert full.credentials is session.credentials
        await pipeline.aclose()
    assert server.operations == ["ListTables"] * 5
    assert all("Credential=AKENV/" in sent.headers["authorization"] for sent in server.requests)


async def test_a_caller_that_leaves_does_not_stop_the_opening_of_botocore(lambda_like):
    """The session that a cancelled caller began to open is there for the next."""
    async with ScriptedServer(then=Reply({"TableNames": []})) as server:
        pipeline = await open_pipeline(WireSettings(endpoint_url=server.url))
        first = asyncio.ensure_future(pipeline.control("ListTables", {}))
        await asyncio.sleep(0)
        opening = pipeline._session._opening
        first.cancel()
        await asyncio.wait({first})
        assert await pipeline.control("ListTables", {}) == {"TableNames": []}
        assert pipeline._session._opening is opening
        await pipeline.aclose()


async def test_closing_ends_the_opening_of_botocore(lambda_like):
    """A client that is closed meanwhile leaves no task, and its caller gets an error of ours."""
    session = await open_session(WireSettings(endpoint_url="http://127.0.0.1:1"))
    call = asyncio.ensure_future(session.destination("ListTables", "orders"))
    await asyncio.sleep(0)
    await session.aclose()
    with pytest.raises(errors.ClientStateError, match="closed"):
        await call
    with pytest.raises(errors.ClientStateError, match="closed"):
        await session.destination("ListTables", "orders")
    with pytest.raises(errors.ClientStateError, match="no endpoint of this client"):
        session.proxied_transport()
    assert repr(session) == "<DirectSession in eu-west-1>"


async def test_an_opening_of_botocore_that_failed_is_tried_again(lambda_like, monkeypatch):
    """A failure is the error of the calls that waited for it, not of all later ones."""

    async def fail(settings, credentials, **streams):
        raise errors.ClientStateError("the AWS configuration cannot be used: a file was half written")

    session = await open_session(WireSettings(endpoint_url="http://127.0.0.1:1"))
    with monkeypatch.context() as patch:
        patch.setattr(aiobotocore_session, "open_aiobotocore_session", fail)
        calls = [session.destination("ListTables", "orders") for _ in range(3)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {errors.ClientStateError}
    assert (await session.destination("ListTables", "orders")).region == "eu-west-1"
    await session.aclose()


async def test_keys_that_are_rotated_in_the_environment_are_read_again(lambda_like, monkeypatch):
    """A key that the service refuses is looked for in the environment once more; where it is gone, that is said."""

    def script(sent):
        return ITEM if "AKNEXT" in sent.headers["authorization"] else Reply.error("ExpiredTokenException")

    async with ScriptedServer(script) as server:
        pipeline = await open_pipeline(WireSettings(endpoint_url=server.url))
        monkeypatch.setattr(pipeline._keeper, "_not_before", float("-inf"))
        await pipeline._keeper.current()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKNEXT")
        assert (await pipeline.call(GET)).attempts == 2
        await pipeline.aclose()
        pipeline = await open_pipeline(WireSettings(endpoint_url=server.url))
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        with pytest.raises(errors.CredentialsError, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are no longer"):
            await pipeline.call(GET)
        await pipeline.aclose()
