"""What lies around a call: credentials, trust, proxies, settings, files of state, and secrets."""

import asyncio
import contextlib
import logging
import os
import pickle
import shlex
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.httpsession
import certifi
import pytest

from mizzle_async import Attribute, Client, CredentialsError, MizzleError, PartitionKey, RetryPolicy, attribute, entity
from mizzle_async.testing import LocalAuthority, Reply, Request, ScriptedServer, StubCaller

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
ITEM = Reply({"Item": {"key": {"S": "a"}}})


@entity("notes")
class Note:
    key: PartitionKey[str]
    n: Attribute[int] = attribute(default=0)


@pytest.fixture(autouse=True)
def own_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the machine's proxies and bundles."""
    for name in (*PROXIES, "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def called(url: str, **options: Any) -> Any:
    """Make one call; return its result or its error."""
    settings: dict[str, Any] = {"region_name": "eu-west-1", **options}
    async with Client(endpoint_url=url, **settings) as client:
        try:
            return await client.table(Note).get("a")
        except Exception as error:  # noqa: BLE001  (what leaves a call is what is tested)
            return error


STATIC: dict[str, Any] = {"credentials": ("AKID", "secret")}


# ── trust ──


@pytest.fixture(scope="module")
def authority() -> Iterator[LocalAuthority]:
    """An authority of our own."""
    with LocalAuthority() as it:
        yield it


async def test_where_the_system_s_store_is_empty_botocore_s_bundle_is_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: LocalAuthority
) -> None:
    """An image without authorities works as with boto3."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setattr(certifi, "where", lambda: authority.ca_bundle)
    monkeypatch.setattr(botocore.httpsession, "where", lambda: authority.ca_bundle)
    monkeypatch.setattr(botocore.httpsession, "DEFAULT_CA_BUNDLE", authority.ca_bundle)
    async with ScriptedServer(then=ITEM, tls=authority.server_context(["localhost"])) as server:
        assert await called(server.url, **STATIC, retry=RetryPolicy.no_backoff(attempts=1)) == Note(key="a")


async def test_a_certificate_that_is_not_trusted_names_the_store_and_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: LocalAuthority
) -> None:
    """The error says whom the client trusts, and which setting names another file."""
    with LocalAuthority() as other:
        monkeypatch.setenv("SSL_CERT_FILE", other.ca_bundle)
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
        async with ScriptedServer(then=ITEM, tls=authority.server_context(["localhost"])) as server:
            error = await called(server.url, **STATIC, retry=RetryPolicy.no_backoff(attempts=1))
    assert isinstance(error, MizzleError)
    assert [word for word in (other.ca_bundle, "AWS_CA_BUNDLE") if word not in str(error)] == []


# ── credentials ──


def instance(request: Request) -> Reply:
    """Answer as the metadata service of an instance with a role."""
    if request.method == "PUT":
        return Reply(b"imds-token", checksum="absent")
    if request.target.endswith("/security-credentials/"):
        return Reply(b"reader", checksum="absent")
    issued = {"SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z", "Type": "AWS-HMAC"}
    return Reply({**issued, "Code": "Success", "AccessKeyId": "AKEC2", "LastUpdated": "2026-01-01T00:00:00Z"})


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Callable[[ScriptedServer], None]:
    """A function that names a server as the instance's metadata service."""

    def name(server: ScriptedServer) -> None:
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url)

    return name


async def test_a_first_load_that_fails_is_tried_again_within_the_call(
    metadata: Callable[[ScriptedServer], None],
) -> None:
    """An instance's metadata service that fails at first costs a pause, no error."""
    async with ScriptedServer(then=ITEM) as server:
        imds = ScriptedServer(lambda sent: Reply.html(500) if len(imds.requests) <= 2 else instance(sent))
        async with imds:
            metadata(imds)
            assert await called(server.url) == Note(key="a")


async def test_a_provider_that_failed_is_told_from_none(
    metadata: Callable[[ScriptedServer], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Advice to set variables would be wrong on an instance: the error says who failed, and with what."""
    if (keeper := sys.modules.get("mizzle_async.wire.session.credentials")) is not None:
        for name in ("FIRST_PAUSE_SECONDS", "LOOK_SECONDS"):  # it gives up at once, as no other look fits into the time
            monkeypatch.setattr(keeper, name, 5.0)
    async with ScriptedServer(then=ITEM) as server, ScriptedServer(then=Reply.html(500)) as imds:
        metadata(imds)
        error = await called(server.url, timeout=4.0)
    assert isinstance(error, CredentialsError)
    assert "AWS_ACCESS_KEY_ID" not in str(error)
    assert "500" in str(error)


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """A function that writes an AWS configuration file."""

    def write(text: str) -> None:
        path = tmp_path / "config"
        path.write_text(text)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(path))

    return write


async def test_an_sso_session_that_has_ended_says_to_log_in(config: Callable[[str], None]) -> None:
    """The reason stands in the text, not only its class."""
    config(
        "[sso-session s]\nsso_start_url = https://example.invalid/start\nsso_region = eu-west-1\n"
        "[default]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = reader\n"
    )
    async with ScriptedServer(then=ITEM) as server:
        error = await called(server.url)
    assert isinstance(error, CredentialsError)
    assert "aws sso login" in str(error)


HANGS = """
import os, socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    connection.sendall(str(os.getpid()).encode() + b" ")
    connection.recv(1)
"""


@contextlib.asynccontextmanager
async def births() -> AsyncIterator[tuple[int, asyncio.Queue[Any]]]:
    """Listen to processes that say who they are; yield a port and the queue of their ids and readers."""
    born: asyncio.Queue[Any] = asyncio.Queue()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        born.put_nowait((int(await reader.readuntil(b" ")), reader, writer))

    async with await asyncio.start_server(hear, "127.0.0.1") as server:
        yield server.sockets[0].getsockname()[1], born


async def test_a_credential_process_that_hangs_ends_with_its_client(
    config: Callable[[str], None], tmp_path: Path
) -> None:
    """A closed client leaves no child behind."""
    program = tmp_path / "program.py"
    program.write_text(HANGS)
    async with births() as (port, born), ScriptedServer(then=ITEM) as server:
        config(f"[default]\ncredential_process = {shlex.join([sys.executable, str(program), str(port)])}\n")
        client = Client(endpoint_url=server.url, region_name="eu-west-1")
        await client.open()
        call = asyncio.ensure_future(client.table(Note).get("a").send())
        child, reader, writer = await born.get()
        await client.aclose()
        await asyncio.gather(call, return_exceptions=True)
        end = asyncio.ensure_future(reader.read())
        _, left = await asyncio.wait([end], timeout=10)  # it comes at once where the promise is kept
        if left:
            os.kill(child, signal.SIGKILL)
        await end
        writer.close()
    assert not left, "the program outlived its client"


async def test_a_program_is_never_asked_for_an_mfa_code(
    config: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role that needs a code is an error that says so, and not what became of a prompt."""
    config(
        "[profile base]\naws_access_key_id = AK\naws_secret_access_key = s\n"
        "[profile secured]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n"
        "mfa_serial = arn:aws:iam::123456789012:mfa/user\n"
    )
    async with ScriptedServer(then=ITEM) as server, ScriptedServer(then=Reply.html(500)) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        error = await called(server.url, profile_name="secured")
    assert isinstance(error, CredentialsError)
    assert "MFA" in str(error)
    assert sts.requests == []


async def test_a_key_that_was_replaced_in_its_file_is_read_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An access key that was deleted is refused once, and the file is read."""

    def write(key: str) -> None:
        (tmp_path / "credentials").write_text(f"[default]\naws_access_key_id={key}\naws_secret_access_key=s\n")

    def script(request: Request) -> Reply:
        old = "AKOLD" in request.headers["authorization"]
        return Reply.error("UnrecognizedClientException", "invalid") if old and rotated else ITEM

    rotated = False
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    write("AKOLD")
    async with ScriptedServer(script) as server, Client(endpoint_url=server.url, region_name="eu-west-1") as client:
        await client.table(Note).get("a")
        write("AKNEW")
        rotated = True
        assert await client.table(Note).get("a") == Note(key="a")


# ── proxies ──


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_this_machine_is_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """Items and tokens for a loopback endpoint do not travel to the machine that `HTTP_PROXY` names."""
    async with ScriptedServer(then=ITEM) as server, ScriptedServer(then=ITEM) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        url = server.url.replace("127.0.0.1", host)
        assert await called(url, **STATIC, retry=RetryPolicy.no_backoff(attempts=1)) == Note(key="a")
    assert (len(server.requests), len(proxy.requests)) == (1, 0)


async def test_a_proxy_that_refuses_is_named_and_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong password is no failure of the network: it is not retried, and the error is about the proxy."""
    async with ScriptedServer(then=Reply(b"denied", 407, checksum="absent")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        error = await called("http://dynamodb.example", allow_http=True, **STATIC)
    assert isinstance(error, MizzleError)
    assert "proxy" in str(error)
    assert "407" in str(error)
    assert len(proxy.requests) == 1


async def test_a_proxy_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SOCKS proxy is an error that says so."""
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:9")
    try:
        error: Any = await called("http://dynamodb.example", allow_http=True, **STATIC)
    except MizzleError as refusal:
        error = refusal
    assert isinstance(error, MizzleError)
    assert "socks5" in str(error)


FRAMES: dict[str, bytes] = {
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: 2\n\n{}",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length : 2\r\n\r\n{}",
    "a folded header": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Type: a/json\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("way", ["direct", "proxy"])
async def test_both_ways_frame_by_the_same_rules(monkeypatch: pytest.MonkeyPatch, name: str, way: str) -> None:
    """What our own connections refuse, a connection through a proxy refuses too."""
    async with ScriptedServer(then=Reply.raw(FRAMES[name])) as server:
        if way == "proxy":
            monkeypatch.setenv("HTTP_PROXY", server.url)
        url = server.url if way == "direct" else "http://dynamodb.example"
        error = await called(url, allow_http=True, **STATIC, retry=RetryPolicy.no_backoff(attempts=1), timeout=5.0)
    assert isinstance(error, MizzleError), repr(error)


# ── settings ──


async def test_the_region_of_the_other_sdks_variable_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """`AWS_REGION` is honoured."""
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", "ap-southeast-2")
    async with ScriptedServer(then=ITEM) as server, Client(endpoint_url=server.url, **STATIC) as client:
        await client.table(Note).get("a")
    assert "/ap-southeast-2/dynamodb/" in server.requests[0].headers["authorization"]


async def test_an_application_s_id_is_part_of_the_user_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    """`AWS_SDK_UA_APP_ID` is honoured."""
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", "checkout")
    async with ScriptedServer(then=ITEM) as server:
        await called(server.url, **STATIC)
    assert "checkout" in server.requests[0].headers["user-agent"]


@pytest.mark.parametrize("name", ["AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"])
async def test_a_setting_that_is_not_used_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """A variable of retries that this library does not read is named once."""
    monkeypatch.setenv(name, "7" if name == "AWS_MAX_ATTEMPTS" else "adaptive")
    with caplog.at_level(logging.DEBUG, "mizzle_async"):
        async with ScriptedServer(then=ITEM) as server:
            await called(server.url, **STATIC)
    assert name in caplog.text


@pytest.mark.parametrize("timeout", [10**400, float("nan"), -1], ids=["too long", "no number", "negative"])
async def test_a_timeout_that_no_clock_can_hold_is_refused_where_it_is_set(timeout: Any) -> None:
    """The error names the setting, and comes before the first call."""
    with pytest.raises((ValueError, TypeError, MizzleError), match="timeout"):
        Client(timeout=timeout)


# ── files of state ──


async def load(path: Path) -> None:
    """Run a load that keeps its state in a file."""
    async with Client(caller=StubCaller({"BatchWriteItem": {"UnprocessedItems": {}}})) as client:
        await client.table(Note).put_many([Note(key=str(number)) for number in range(60)], resume=path)


async def test_a_state_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    """Keys of items are in it."""
    before = os.umask(0o022)
    try:
        await load(tmp_path / "state.json")
    finally:
        os.umask(before)
    assert (tmp_path / "state.json").stat().st_mode & 0o077 == 0


async def test_a_state_file_is_never_written_through_a_link(tmp_path: Path) -> None:
    """A link that lies where the new file would be made leads nowhere."""
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / "state.json.new").symlink_to(target)
    with contextlib.suppress(MizzleError, OSError):
        await load(tmp_path / "state.json")
    assert target.read_text() == "precious"


# ── secrets ──

TOKEN, KEY, PASSWORD = "CANARYTOKEN/x+y==", "AKCANARYKEY00001", "CANARYPASSWORD"
CODES = (
    "InvalidSignatureException",
    "IncompleteSignatureException",
    "UnrecognizedClientException",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "AccessDeniedException",
)


def everything_about(error: BaseException | None) -> str:
    """Return all that an error report could show of an error and its causes."""
    shown = []
    while error is not None:
        shown += [str(error), repr(error), repr(error.args), repr(vars(error)), *traceback.format_exception(error)]
        if isinstance(error, MizzleError):
            shown.append(pickle.dumps(error).decode("latin-1"))
        error = error.__cause__ or error.__context__
    return "\n".join(shown)


def echo(code: str) -> Callable[[Request], Reply]:
    """Return a script that answers with an error that repeats the request's headers."""

    def answer(request: Request) -> Reply:
        text = "\n".join(f"{name}:{value}" for name, value in request.headers.items())
        return Reply.error(code, f"Refused.\n{text}", Headers=dict(request.headers))

    return answer


@pytest.mark.parametrize("code", CODES)
async def test_no_secret_of_a_request_leaves_by_an_error(code: str) -> None:
    """A service that repeats every header makes neither text, payload nor pickle of an error show them."""
    async with ScriptedServer(echo(code)) as server:
        error = await called(server.url, credentials=(KEY, "CANARYSECRET", TOKEN))
    assert isinstance(error, MizzleError)
    assert [canary for canary in (KEY, TOKEN, "CANARYSECRET") if canary in everything_about(error)] == []


async def test_no_password_of_a_proxy_leaves_by_a_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The causes of an error are printed by loggers: none has the URL of a proxy that refused a tunnel."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1") as proxy:
        port = proxy.sockets[0].getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{PASSWORD}@127.0.0.1:{port}")
        error = await called("https://dynamodb.example", **STATIC, retry=RetryPolicy.no_backoff(attempts=1))
    assert isinstance(error, MizzleError)
    assert PASSWORD not in everything_about(error)
