"""Every provider of credentials, with loopback in the place of AWS: what it brings, and what is said where it fails."""

import asyncio
import contextlib
import hashlib
import json
import os
import pickle
import re
import shlex
import sys
import threading
import traceback

import pytest
from aiobotocore.session import AioSession
from aiobotocore.utils import AioContainerMetadataFetcher
from botocore.credentials import SSOProvider
from botocore.exceptions import CredentialRetrievalError
from botocore.tokens import SSOTokenProvider

from mizzle_async import errors
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import RepeatSafety, WireRequest
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.session import credentials
from mizzle_async.wire.settings import WireSettings

ITEM = Reply({"Item": {"a": {"S": "b"}}})
GET = WireRequest("GetItem", b"{}", "orders", RepeatSafety.READ)
LATER = "2099-01-01T00:00:00Z"
UNRECOGNIZED = Reply.error("UnrecognizedClientException", "The security token included in the request is invalid.")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    """Let what is tried again be tried again at once."""
    monkeypatch.setattr(credentials, "FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(AioContainerMetadataFetcher, "SLEEP_TIME", 0.0)


@pytest.fixture
def config(monkeypatch, tmp_path):
    """Write an AWS configuration file."""

    def write(text):
        path = tmp_path / "config"
        path.write_text(text)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(path))

    return write


@pytest.fixture
def shared(monkeypatch, tmp_path):
    """Write a shared credentials file with one profile."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))

    def write(key, *, profile="default"):
        text = f"[{profile}]\naws_access_key_id={key}\naws_secret_access_key=secret\n"
        (tmp_path / "credentials").write_text(text)

    return write


@contextlib.asynccontextmanager
async def opened(server, **options):
    """Open a pipeline to a server."""
    pipeline = await open_pipeline(WireSettings(endpoint_url=server.url, region_name="eu-west-1", **options))
    try:
        yield pipeline
    finally:
        await pipeline.aclose()


def keys_of(server):
    """Return the access keys that requests were signed with, in order."""
    return [sent.headers["authorization"].partition("Credential=")[2].partition("/")[0] for sent in server.requests]


async def called(*, script=(), **options):
    """Make one call; return the access keys of its requests, or its error."""
    async with ScriptedServer(list(script), then=ITEM) as server, opened(server, **options) as pipeline:
        try:
            await pipeline.call(GET)
        except errors.MizzleError as error:
            return error
        return keys_of(server)


def everything_about(error):
    """Write all that an error report could show of an error: text, repr, pickle, and every cause and context."""
    shown = [pickle.dumps(error).decode("latin-1")]
    while error is not None:
        shown += [str(error), repr(error), repr(error.args), repr(getattr(error, "__dict__", {}))]
        shown += traceback.format_exception(error)
        error = error.__cause__ or error.__context__
    return "\n".join(shown)


# ── environment and files ──


async def test_the_environment_brings_credentials(monkeypatch):
    """Keys of the environment sign, the session token included."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    async with ScriptedServer(then=ITEM) as server, opened(server) as pipeline:
        await pipeline.call(GET)
    assert keys_of(server) == ["AKENV"]
    assert server.requests[0].headers["x-amz-security-token"] == "token"


async def test_half_of_the_credentials_is_said(monkeypatch):
    """A key id without a secret is an error of the configuration, and is told from no credentials at all."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKENV")
    error = await called()
    assert type(error) is errors.CredentialsError
    assert "could not be loaded: Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY" in str(error)


async def test_nothing_is_configured(monkeypatch):
    """Where there is nothing, the error says what to set, and asks nothing again."""
    async with ScriptedServer() as server, opened(server) as pipeline:
        with pytest.raises(errors.CredentialsError, match="no AWS credentials were found: set AWS_ACCESS_KEY_ID"):
            await pipeline.call(GET)
        assert pipeline.statistics().refreshes == 1


@pytest.mark.parametrize("refusal", [UNRECOGNIZED, Reply.error("ExpiredTokenException")], ids=lambda one: one.status)
async def test_rotated_files_are_read_again(shared, refusal):
    """A key that was replaced in the shared file is refused once, whichever way, and the new one is read."""
    shared("AKOLD")

    def script(sent):
        return refusal if "AKOLD" in sent.headers["authorization"] else ITEM

    async with ScriptedServer(script) as server, opened(server) as pipeline:
        with pytest.raises(errors.ServiceError):  # nothing has been rotated yet
            await pipeline.call(GET)
        shared("AKNEW")  # within the second in which no refused call asks again
        response = await pipeline.call(GET)
    assert response.attempts == 2
    assert keys_of(server) == ["AKOLD", "AKOLD", "AKNEW"]


async def test_a_key_that_is_not_replaced_is_refused_once(shared):
    """Where reading again brings the same key, the service's refusal is raised after one request."""
    shared("AKOLD")
    async with ScriptedServer(then=UNRECOGNIZED) as server, opened(server) as pipeline:
        with pytest.raises(errors.UnrecognizedClientError):
            await pipeline.call(GET)
    assert keys_of(server) == ["AKOLD"]


# ── credential_process ──

PRINTS = """import json; print(json.dumps({"Version": 1, "AccessKeyId": "AKPROCESS", "SecretAccessKey": "s"}))"""
FAILS = """import sys; print("CANARY", file=sys.stderr); sys.exit(3)"""
GARBAGE = """print("CANARY is no JSON")"""


@pytest.fixture
def process(tmp_path):
    """Write a profile whose credentials a Python program prints."""

    def write(program, *arguments):
        (tmp_path / "program.py").write_text(program)
        command = shlex.join([sys.executable, str(tmp_path / "program.py"), *arguments])
        return f"[default]\ncredential_process = {command}\n"

    return write


async def test_a_process_brings_credentials(config, process):
    """What a ``credential_process`` prints signs."""
    config(process(PRINTS))
    assert await called() == ["AKPROCESS"]


@pytest.mark.parametrize("program", [FAILS, GARBAGE])
async def test_a_process_that_fails_shows_nothing_of_its_output(config, process, program):
    """A process that fails or prints garbage may have printed a secret: the error says which, and what to do."""
    config(process(program))
    error = await called()
    assert type(error) is errors.CredentialsError
    assert "CANARY" not in everything_about(error)
    if program is GARBAGE:
        assert "a provider's answer for profile 'default' is not JSON" in str(error)
    else:
        assert "the credential_process of profile 'default' failed: run its command to see what it says" in str(error)


LATER_FAILS = """
import json, sys
from pathlib import Path
used = Path(sys.argv[1])
if used.exists():
    print("CANARY", file=sys.stderr)
    sys.exit(3)
used.touch()
keys = {"Version": 1, "AccessKeyId": "AKPROCESS", "SecretAccessKey": "s", "Expiration": "2099-01-01T00:00:00Z"}
print(json.dumps(keys))
"""


async def test_a_process_that_fails_later_logs_nothing_of_its_output(config, process, tmp_path, caplog):
    """Botocore logs refreshes that fail with all that it knows: it does not know what the process complained."""
    caplog.set_level("DEBUG")
    config(process(LATER_FAILS, str(tmp_path / "used")))
    script = [ITEM, Reply.error("ExpiredTokenException")]
    async with ScriptedServer(script, then=ITEM) as server, opened(server) as pipeline:
        await pipeline.call(GET)
        with pytest.raises(
            errors.CredentialsError, match="the credential_process of profile 'default' failed"
        ) as caught:
            await pipeline.call(GET)
    assert "CANARY" not in everything_about(caught.value)
    assert "Refreshing temporary credentials failed" in caplog.text
    assert "CANARY" not in "\n".join(caplog.handler.format(record) for record in caplog.records)


HANGS = """
import os, socket, sys, time
if sys.argv[2] == "parent" and os.fork():
    time.sleep(1000)
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    connection.sendall(str(os.getppid() if sys.argv[2] == "parent" else os.getpid()).encode() + b" ")
    connection.recv(1)
"""


@contextlib.asynccontextmanager
async def births():
    """Listen to processes that say who they are; yield a port and the queue of their ids and connections."""
    born = asyncio.Queue()

    async def hear(reader, writer):
        born.put_nowait((int(await reader.readuntil(b" ")), reader, writer))

    async with await asyncio.start_server(hear, "127.0.0.1") as server:
        yield server.sockets[0].getsockname()[1], born


def is_alive(process_id):
    """Tell whether a process exists, a zombie included."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("family", ["alone", "parent"])
@pytest.mark.parametrize("profile", ["default", "role"])
async def test_a_process_that_hangs_ends_with_its_client(config, process, family, profile):
    """A closed client leaves no ``credential_process`` behind, a source profile's included, nor waits for its pipes."""
    async with births() as (port, born):
        config(
            process(HANGS, str(port), family)
            + "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/orders\nsource_profile = default\n"
        )
        async with ScriptedServer(then=ITEM) as server:
            named = {} if profile == "default" else {"profile_name": profile}
            async with opened(server, **named) as pipeline:
                call = asyncio.ensure_future(pipeline.call(GET))
                child, reader, writer = await born.get()
                assert is_alive(child)
            with pytest.raises(errors.ClientStateError):
                await call
        if family == "parent":
            writer.write(b" ")  # the grandchild, which is no child of ours, may go
        assert await reader.read() == b""
        writer.close()
        assert not is_alive(child)


async def test_processes_that_hang_do_not_add_up(config, process):
    """A refresh that is given up, by the cancellation that a time limit is, takes its child with it."""
    async with births() as (port, born):
        config(process(HANGS, str(port), "alone"))
        async with ScriptedServer(then=ITEM) as server:
            for _ in range(3):
                async with opened(server) as pipeline:
                    call = asyncio.ensure_future(pipeline.call(GET))
                    child, _reader, writer = await born.get()
                    pipeline._keeper._task.cancel()
                    with pytest.raises(errors.CredentialsError, match="could not be loaded: CancelledError"):
                        await call
                    assert not is_alive(child)
                    writer.close()


# ── roles ──

ROLE = """<{0}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{0}Result><Credentials>
<AccessKeyId>{1}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></{0}Result></{0}Response>"""
REFUSED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>{}</Code><Message>{}</Message></Error><RequestId>1</RequestId></ErrorResponse>"""


def xml(text, status=200):
    """Return an answer of STS."""
    return Reply(text.encode(), status, {"Content-Type": "text/xml"}, checksum="absent")


def assumed(key="AKROLE", action="AssumeRole"):
    """Return the answer that issues a role's credentials."""
    return xml(ROLE.format(action, key))


ROLES = """
[profile base]
aws_access_key_id = AKBASE
aws_secret_access_key = s
[profile middle]
role_arn = arn:aws:iam::123456789012:role/middle
source_profile = base
[profile last]
role_arn = arn:aws:iam::123456789012:role/last
source_profile = middle
external_id = outside
role_session_name = orders
[profile secured]
role_arn = arn:aws:iam::123456789012:role/secured
source_profile = base
mfa_serial = arn:aws:iam::123456789012:mfa/user
"""


async def test_a_chain_of_roles_is_assumed(config, monkeypatch):
    """Each role of a chain is assumed with the credentials of the one before, with its own settings."""
    config(ROLES)
    async with ScriptedServer([assumed("AKMIDDLE"), assumed("AKLAST")]) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        assert await called(profile_name="last") == ["AKLAST"]
    assert keys_of(sts) == ["AKBASE", "AKMIDDLE"]
    assert b"ExternalId=outside" in sts.requests[1].body
    assert b"RoleSessionName=orders" in sts.requests[1].body


async def test_a_role_that_is_refused_says_who_may_not_do_what(config, monkeypatch):
    """The service's own reason is shown, as nothing of it is a secret, and the role is not asked for again."""
    config(ROLES)
    text = "User: arn:aws:iam::123456789012:user/x is not authorized to perform: sts:AssumeRole"
    async with ScriptedServer(then=xml(REFUSED.format("AccessDenied", text), 403)) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        error = await called(profile_name="middle")
    assert f"could not be loaded: AssumeRole was answered with AccessDenied: {text} (profile 'middle')" in str(error)
    assert len(sts.requests) == 1


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "InvalidClientTokenId", "ExpiredToken"])
async def test_what_sts_echoes_is_not_shown(config, monkeypatch, code):
    """STS repeats a request whose signature it refuses, the token included: no part of the error holds it."""
    config(ROLES)
    async with ScriptedServer(then=xml(REFUSED.format(code, "x-amz-security-token:CANARY"), 403)) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        error = await called(profile_name="middle")
    assert f"AssumeRole was answered with {code}" in str(error)
    assert "CANARY" not in everything_about(error)


async def test_a_role_s_source_that_was_rotated_is_read_again(config, shared, monkeypatch):
    """A role's refresh that fails with old keys of a file succeeds with the new ones, without a new client."""
    config(ROLES.replace("[profile base]\naws_access_key_id = AKBASE\naws_secret_access_key = s\n", "[profile base]\n"))
    shared("AKOLD", profile="base")

    def issue(sent):
        if "AKOLD" in sent.headers["authorization"] and len(sts.requests) > 1:
            return xml(REFUSED.format("InvalidClientTokenId", "gone"), 403)
        return assumed(f"AKROLE{len(sts.requests)}")

    async with (
        ScriptedServer(issue) as sts,
        ScriptedServer([ITEM, Reply.error("ExpiredTokenException")], then=ITEM) as server,
    ):
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        async with opened(server, profile_name="middle") as pipeline:
            await pipeline.call(GET)
            shared("AKNEW", profile="base")
            assert (await pipeline.call(GET)).attempts == 2
    assert keys_of(sts) == ["AKOLD", "AKNEW"]
    assert keys_of(server) == ["AKROLE1", "AKROLE1", "AKROLE2"]


async def test_a_throttled_sts_is_asked_again_within_the_call(config, monkeypatch):
    """A first load that STS throttles, after botocore's own attempts, is tried again while the call has time."""
    config(ROLES.replace("[profile middle]", "[profile middle]\nmax_attempts = 1\nretry_mode = standard"))
    script = [xml(REFUSED.format("Throttling", "Rate exceeded"), 400)] * 2
    async with ScriptedServer(script, then=assumed()) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        assert await called(profile_name="middle") == ["AKROLE"]
    assert len(sts.requests) == 3


async def test_a_web_identity_is_exchanged(config, monkeypatch, tmp_path):
    """A token in a file becomes the credentials of a role, and a rotated token is read for the next exchange."""
    token = tmp_path / "token"
    token.write_text("first")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pod")

    def issue(sent):
        return assumed(f"AKWEB{len(sts.requests)}", "AssumeRoleWithWebIdentity")

    async with (
        ScriptedServer(issue) as sts,
        ScriptedServer([ITEM, Reply.error("ExpiredTokenException")], then=ITEM) as server,
    ):
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        async with opened(server) as pipeline:
            await pipeline.call(GET)
            token.write_text("second")
            await pipeline.call(GET)
    assert [re.search(rb"WebIdentityToken=(\w+)", sent.body)[1] for sent in sts.requests] == [b"first", b"second"]
    assert keys_of(server) == ["AKWEB1", "AKWEB1", "AKWEB2"]


# ── MFA ──


async def test_a_program_is_never_asked_for_an_mfa_code(config):
    """A role that needs a code is an error that says so: no terminal is read on the loop's thread."""
    config(ROLES)
    error = await called(profile_name="secured")
    assert type(error) is errors.CredentialsError
    assert "an MFA code is needed (Enter MFA code for arn:aws:iam::123456789012:mfa/user)" in str(error)
    assert "only the command line asks for one" in str(error)


async def test_an_mfa_code_is_asked_for_in_a_thread(config, monkeypatch):
    """With a prompt, the user is asked beside the loop, and the code is used for one exchange."""
    config(ROLES)
    asked, threads, go = [], [], threading.Event()
    loop = asyncio.get_running_loop()

    def prompt(question):
        asked.append(question)
        threads.append(threading.current_thread())
        loop.call_soon_threadsafe(go.set)  # only a loop that runs can let the user answer
        go.wait()
        return "123456"

    async with ScriptedServer([assumed()]) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        assert await called(profile_name="secured", mfa_prompt=prompt) == ["AKROLE"]
    assert len(asked) == 1
    assert threads[0] is not threading.main_thread()
    assert threads[0].daemon
    assert b"TokenCode=123456" in sts.requests[0].body


async def test_a_prompt_that_is_interrupted_ends_the_call(config):
    """Where the user gives no code, the error says so, and is not asked for at once again."""
    config(ROLES)

    def prompt(question):
        raise KeyboardInterrupt

    error = await called(profile_name="secured", mfa_prompt=prompt)
    assert "no MFA code was given (KeyboardInterrupt)" in str(error)


async def test_a_role_whose_code_was_used_asks_for_another(config, monkeypatch):
    """When the credentials of such a role are refused as expired, the user is asked again."""
    config(ROLES)
    codes = iter(["111111", "222222"])
    expired = [ITEM, Reply.error("ExpiredTokenException")]
    async with ScriptedServer(then=assumed()) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        async with (
            ScriptedServer(expired, then=ITEM) as server,
            opened(server, profile_name="secured", mfa_prompt=lambda _: next(codes)) as pipeline,
        ):
            await pipeline.call(GET)
            with pytest.raises(errors.ExpiredTokenError):  # the same credentials again, of this answer of STS
                await pipeline.call(GET)
    assert [re.search(rb"TokenCode=(\d+)", sent.body)[1] for sent in sts.requests] == [b"111111", b"222222"]


async def test_a_user_s_own_prompt_is_left_alone(config, monkeypatch):
    """A session whose user has set a prompt of their own keeps it."""
    config(ROLES)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    session = AioSession(profile="secured")
    provider = session.get_component("credential_provider").get_provider("assume-role")
    provider._prompter = lambda question: "654321"
    async with ScriptedServer([assumed()]) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        assert await called(session=session) == ["AKROLE"]
    assert b"TokenCode=654321" in sts.requests[0].body


async def test_another_user_of_a_session_is_asked_and_told_as_ever(config, process, monkeypatch):
    """A session that a client was made with still prompts, and shows a process's complaint, for everybody else."""
    config(ROLES + process(FAILS).replace("[default]", "[profile broken]"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr("getpass.getpass", lambda question: "777777")
    session = AioSession(profile="secured")
    error = await called(session=session)
    assert "an MFA code is needed" in str(error)
    async with ScriptedServer([assumed()]) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        held = await (await session.get_credentials()).get_frozen_credentials()
    assert held.access_key == "AKROLE"
    assert b"TokenCode=777777" in sts.requests[0].body
    session = AioSession(profile="broken")
    assert "failed: run its command" in str(await called(session=session))
    with pytest.raises(CredentialRetrievalError, match="CANARY"):
        await session.get_component("credential_provider").load_credentials()


# ── SSO ──

REFRESHABLE = {
    "clientId": "id",
    "clientSecret": "CANARYSECRET",
    "refreshToken": "CANARYREFRESH",
    "registrationExpiresAt": LATER,
}

SSO = """
[profile dev]
sso_session = company
sso_account_id = 123456789012
sso_role_name = reader
[sso-session company]
sso_region = eu-west-1
sso_start_url = https://company.example/start
sso_registration_scopes = sso:account:access
"""


@pytest.fixture
def sso_cache(monkeypatch, tmp_path):
    """Write the token of an SSO session where ``aws sso login`` does."""
    for owner in (SSOProvider, SSOTokenProvider):
        monkeypatch.setattr(owner, "_SSO_TOKEN_CACHE_DIR", str(tmp_path))

    def write(expires, **more):
        name = hashlib.sha1(b"company", usedforsecurity=False).hexdigest()
        token = {"accessToken": "CANARY", "expiresAt": expires, "region": "eu-west-1", "startUrl": "https://x"} | more
        (tmp_path / f"{name}.json").write_text(json.dumps(token))

    return write


async def test_an_sso_session_brings_credentials(config, monkeypatch, sso_cache):
    """The token of ``aws sso login`` is exchanged for the credentials of a role."""
    config(SSO)
    sso_cache(LATER)
    answer = {"accessKeyId": "AKSSO", "secretAccessKey": "s", "sessionToken": "t", "expiration": 4070908800000}
    async with ScriptedServer([Reply({"roleCredentials": answer})]) as sso:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", sso.url)
        assert await called(profile_name="dev") == ["AKSSO"]
    assert sso.requests[0].headers["x-amz-sso_bearer_token"] == "CANARY"


@pytest.mark.parametrize("state", ["absent", "expired", "refused"])
async def test_an_sso_session_that_has_ended_says_to_log_in(config, monkeypatch, sso_cache, state):
    """Whatever is wrong with the session, the text names the command, and no part of the error holds the token."""
    config(SSO)
    if state != "absent":
        sso_cache("2020-01-01T00:00:00Z" if state == "expired" else LATER)
    refusal = Reply(
        {"message": "Session token not found or invalid"}, 401, {"x-amzn-ErrorType": "UnauthorizedException"}
    )
    async with ScriptedServer(then=refusal) as sso:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", sso.url)
        error = await called(profile_name="dev")
    assert type(error) is errors.CredentialsError
    assert "the SSO session of profile 'dev' has expired or does not exist: run `aws sso login --profile dev`" in str(
        error
    )
    assert "CANARY" not in everything_about(error)


@pytest.mark.parametrize("refusal", ["InvalidGrantException", "ExpiredTokenException"])
async def test_an_sso_session_whose_refresh_token_ended_says_to_log_in(config, monkeypatch, sso_cache, caplog, refusal):
    """The session of a browser ends although its token could be refreshed until then: the text is the same."""
    caplog.set_level("INFO")
    config(SSO)
    sso_cache("2020-01-01T00:00:00Z", **REFRESHABLE)
    answer = Reply({"error": "invalid_grant"}, 400, {"x-amzn-ErrorType": refusal})
    async with ScriptedServer(then=answer) as oidc:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSO_OIDC", oidc.url)
        error = await called(profile_name="dev")
    assert "has expired or does not exist: run `aws sso login --profile dev`" in str(error)
    assert oidc.requests[0].payload["refreshToken"] == "CANARYREFRESH"
    assert "CANARY" not in everything_about(error) + caplog.text


# ── containers ──

ISSUED = {"AccessKeyId": "AKBOX", "SecretAccessKey": "s", "Token": "t", "Expiration": LATER}


@pytest.fixture
def container(monkeypatch, tmp_path):
    """Name a server as the container's credential endpoint, with a token in a file."""
    (tmp_path / "token").write_text("one")

    def name(server):
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/role")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
        return tmp_path / "token"

    return name


async def test_a_container_brings_credentials(container):
    """The endpoint of a container, ECS's or EKS's, is asked with the token of the file as it is at that moment."""
    script = [Reply(ISSUED), Reply(ISSUED | {"AccessKeyId": "AKBOX2"})]
    async with (
        ScriptedServer(script) as box,
        ScriptedServer([ITEM, Reply.error("ExpiredTokenException")], then=ITEM) as server,
    ):
        token = container(box)
        async with opened(server) as pipeline:
            await pipeline.call(GET)
            token.write_text("two")
            await pipeline.call(GET)
    assert [(sent.target, sent.headers["authorization"]) for sent in box.requests] == [
        ("/role", "one"),
        ("/role", "two"),
    ]
    assert keys_of(server) == ["AKBOX", "AKBOX", "AKBOX2"]


@pytest.mark.parametrize(
    "failure",
    [Reply.html(500), Reply.html(429), Reply({"code": "InvalidIdInRequest"}, 400), Reply.close()],
    ids=["500", "429", "400", "closed"],
)
@pytest.mark.parametrize("way", ["short", "long"])
async def test_a_container_that_starts_slowly_is_asked_again(monkeypatch, container, failure, way):
    """An endpoint that is not ready yet, or limits its rate, is asked again while the call has time."""
    if way == "long":
        monkeypatch.setenv("AWS_DEFAULTS_MODE", "legacy")
    async with ScriptedServer([failure] * 4, then=Reply(ISSUED)) as box:
        container(box)
        assert await called() == ["AKBOX"]
    assert len(box.requests) == 5


async def test_a_container_that_never_answers_is_named(container, monkeypatch):
    """Where time is up, the error says what failed and how, not that nothing was found, and shows no body."""
    monkeypatch.setattr(credentials, "FIRST_PAUSE_SECONDS", 5.0)
    monkeypatch.setattr(credentials, "LOOK_SECONDS", 5.0)
    async with ScriptedServer(then=Reply({"Token": "CANARY"}, 503)) as box:
        container(box)
        error = await called(timeout=4.0)
    assert type(error) is errors.CredentialsError
    assert "could not be loaded: the container's credential endpoint answered HTTP 503" in str(error)
    assert "CANARY" not in everything_about(error)


# ── the instance metadata service ──


@pytest.fixture
def instance(monkeypatch):
    """Name a server as the instance metadata service."""

    def name(server):
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    return name


def instance_script(sent):
    """Answer as the metadata service of an instance with a role."""
    if sent.method == "PUT":
        return Reply(b"imds-token", checksum="absent")
    if sent.target.endswith("/security-credentials/"):
        return Reply(b"reader", checksum="absent")
    return Reply(ISSUED | {"Code": "Success", "AccessKeyId": "AKEC2"})


async def test_an_instance_brings_credentials(instance):
    """An instance's role signs; its metadata is asked with a token (IMDSv2)."""
    async with ScriptedServer(instance_script) as imds:
        instance(imds)
        assert await called() == ["AKEC2"]
    assert [sent.method for sent in imds.requests] == ["PUT", "GET", "GET"]
    assert imds.requests[1].headers["x-aws-ec2-metadata-token"] == "imds-token"


@pytest.mark.parametrize("failure", [Reply.html(500), Reply.html(429), Reply.close()], ids=["500", "429", "closed"])
async def test_an_instance_that_starts_slowly_is_asked_again(instance, failure):
    """A metadata service that fails at first is asked again while the call has time, and the call succeeds."""

    def script(sent):
        return failure if len(imds.requests) <= 4 else instance_script(sent)

    async with ScriptedServer(script) as imds:
        instance(imds)
        assert await called() == ["AKEC2"]


async def test_an_instance_that_fails_is_told_from_none(instance, monkeypatch):
    """The text names the service and its answer: advice to set variables would be wrong on an instance."""
    monkeypatch.setattr(credentials, "FIRST_PAUSE_SECONDS", 5.0)
    monkeypatch.setattr(credentials, "LOOK_SECONDS", 5.0)
    async with ScriptedServer(then=Reply.html(500)) as imds:
        instance(imds)
        error = await called(timeout=4.0)
    assert "could not be loaded: the instance metadata service gave no usable answer (HTTP 500)" in str(error)
    assert "AWS_ACCESS_KEY_ID" not in str(error)


@pytest.mark.parametrize(
    ("status", "text"),
    [(404, "no AWS credentials were found"), (403, "the instance metadata service refuses (HTTP 403)")],
)
async def test_an_instance_without_a_role_is_not_asked_again(instance, status, text):
    """No role, or a service that is switched off, is final: one look, and what it means."""
    async with ScriptedServer(then=Reply.html(status)) as imds:
        instance(imds)
        error = await called()
    assert text in str(error)
    assert len(imds.requests) == 2


async def test_a_machine_that_is_no_instance_has_none(instance):
    """Where nothing answers at all, nothing is configured: the call fails at once."""
    async with ScriptedServer() as imds:
        pass
    instance(imds)
    error = await called()
    assert "no AWS credentials were found" in str(error)


async def test_clients_of_one_session_watch_it_once(instance):
    """Any number of clients leave one watch on a session that they share."""
    session = AioSession()
    async with ScriptedServer(then=Reply.html(500)) as imds:
        instance(imds)
        async with ScriptedServer() as server:
            for _ in range(3):
                async with opened(server, session=session, timeout=0.001) as pipeline:
                    with pytest.raises(errors.MizzleError):
                        await pipeline.call(GET)
    provider = session.get_component("credential_provider").get_provider("iam-role")
    send = provider._role_fetcher._session.send
    assert send.__self__._send.__self__ is provider._role_fetcher._session
