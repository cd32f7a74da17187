"""Proxies: another transport carries the same calls, with the same outcomes, and trusts the same authorities."""

import asyncio
import contextlib
import logging
import pickle
import traceback
from base64 import b64encode

import certifi
import orjson
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from mizzle_async import errors
from mizzle_async.testing.replies import Ending, Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.testing.tls import LocalAuthority
from mizzle_async.types import Outcome, RepeatSafety, WireRequest
from mizzle_async.wire.exchange import Endpoint, Exchange
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.pool.pool import ConnectionPool
from mizzle_async.wire.pool.tls import make_tls_context
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.session.fallback import FallbackTransport
from mizzle_async.wire.session.session import open_session
from mizzle_async.wire.settings import WireSettings

ITEM = Reply({"Item": {"a": {"S": "b"}}})
FAR = "http://dynamodb.example:8000"
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    """Hide the machine's own proxies."""
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)


def direct(options=None, *, tls=make_tls_context, **more):
    """Return the transport as it goes without a proxy."""
    return FallbackTransport(options or {}, tls=tls, proxy_tls=tls, **more)


def request(safety=RepeatSafety.READ, *, timeout=None):
    """Return a request of one kind."""
    return WireRequest("GetItem", b'{"TableName":"orders"}', "orders", safety, timeout=timeout)


@contextlib.asynccontextmanager
async def behind(proxy, monkeypatch, **options):
    """Open a pipeline to a far endpoint, behind a proxy."""
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    settings = WireSettings(
        endpoint_url=FAR,
        allow_http=True,
        region_name="eu-west-1",
        credentials=options.pop("credentials", ("AKID", "secret", "token")),
        retry=options.pop("retry", RetryPolicy.no_backoff()),
        **options,
    )
    pipeline = await open_pipeline(settings)
    try:
        yield pipeline
    finally:
        await pipeline.aclose()


async def test_a_proxy_of_the_environment_is_used(monkeypatch):
    """Requests go to the proxy, for the far endpoint, signed and shaped as always; its name is never looked up here."""
    async with ScriptedServer([ITEM]) as proxy, behind(proxy, monkeypatch) as pipeline:
        response = await pipeline.call(request())
        assert "FallbackTransport" in repr(pipeline._transports)
    (sent,) = proxy.requests
    assert response.payload == ITEM.payload
    assert (sent.method, sent.target) == ("POST", f"{FAR}/")
    assert sent.headers["host"] == "dynamodb.example:8000"
    assert sent.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert sent.headers["content-type"] == "application/x-amz-json-1.0"
    assert sent.headers["accept-encoding"] == "identity"
    assert sent.headers["user-agent"].startswith("mizzle_async/")
    assert sent.body == request().body


async def test_an_answer_is_read_as_its_operation_wants_it(monkeypatch):
    """What a request gives for it reads the JSON of its answer here too."""
    call = WireRequest("GetItem", b"{}", "orders", RepeatSafety.READ, parse=lambda body: {"bytes": len(body)})
    async with ScriptedServer([ITEM]) as proxy, behind(proxy, monkeypatch) as pipeline:
        assert (await pipeline.call(call)).payload == {"bytes": len(orjson.dumps(ITEM.payload))}


async def test_no_proxy_is_honoured(monkeypatch):
    """An endpoint that is exempted is reached by our own connections."""
    async with ScriptedServer([ITEM]) as server, ScriptedServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        pipeline = await open_pipeline(
            WireSettings(endpoint_url=server.url, region_name="eu-west-1", credentials=("AKID", "secret"))
        )
        await pipeline.call(request())
        assert isinstance(pipeline._routes["GetItem"].transport, ConnectionPool)
        await pipeline.aclose()
        assert (len(server.requests), len(proxy.requests)) == (1, 0)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "db.localhost"])
async def test_this_machine_is_never_asked_through_a_proxy(monkeypatch, host):
    """Clear text is permitted to this machine because it does not leave it: no proxy of the environment gets it."""
    async with ScriptedServer([ITEM]) as server, ScriptedServer(then=ITEM) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        settings = WireSettings(
            endpoint_url=f"http://{host}:{server.endpoint.port}",
            region_name="a",
            credentials=("AKID", "secret", "token"),
        )
        session = await open_session(settings)
        assert not session.is_proxied(Endpoint("http", host, server.endpoint.port))
        await session.aclose()
        if host == "127.0.0.1":
            pipeline = await open_pipeline(settings)
            await pipeline.call(request())
            await pipeline.aclose()
            assert len(server.requests) == 1
        assert proxy.log == []


async def test_a_proxy_for_another_scheme_is_not_used(monkeypatch):
    """``HTTPS_PROXY`` says nothing about ``http://``."""
    async with ScriptedServer([ITEM]) as server:
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        pipeline = await open_pipeline(
            WireSettings(endpoint_url=server.url, region_name="eu-west-1", credentials=("AKID", "secret"))
        )
        assert (await pipeline.call(request())).payload == ITEM.payload
        await pipeline.aclose()


async def test_proxies_of_a_users_session_are_used():
    """A proxy in a session's default configuration counts like one of the environment."""
    async with ScriptedServer([ITEM]) as proxy:
        session = AioSession()
        session.set_default_client_config(AioConfig(proxies={"http": proxy.url}))
        session.set_credentials("AKID", "secret")
        pipeline = await open_pipeline(
            WireSettings(endpoint_url=FAR, allow_http=True, region_name="eu-west-1", session=session)
        )
        await pipeline.call(request())
        await pipeline.aclose()
        assert [sent.target for sent in proxy.requests] == [f"{FAR}/"]


@pytest.mark.parametrize("safety", RepeatSafety)
@pytest.mark.parametrize(
    "failure",
    [Reply.error("InternalServerError", status=500), Reply.html(503), Reply.html(200), Reply.close(), Reply.reset()],
    ids=["500", "html 503", "html 200", "close", "reset"],
)
async def test_failures_end_as_they_do_without_a_proxy(monkeypatch, safety, failure):
    """What is repeated, and what is unknown, does not depend on who carries the request."""
    async with ScriptedServer([failure], then=ITEM) as proxy, behind(proxy, monkeypatch) as pipeline:
        if safety is RepeatSafety.UNSAFE:
            with pytest.raises(errors.OutcomeUnknownError):
                await pipeline.call(request(safety))
            assert len(proxy.requests) == 1
        else:
            response = await pipeline.call(request(safety))
            assert (response.attempts, response.ambiguous) == (2, safety is not RepeatSafety.READ)
            assert len(proxy.requests) == 2


@pytest.mark.parametrize(
    "corrupt",
    [
        Reply(ITEM.payload, checksum="wrong"),
        Reply(b"", checksum="absent"),
        ITEM.cut_at(len(ITEM.encode()) - 3),
        Reply({}, 201),
        Reply.raw(b"HTTP/2.0 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 2\r\n\r\n{}"),
        Reply.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-amz-crc32: 1\r\nx-amz-crc32: 2745614147\r\n\r\n{}"),
        Reply.raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    ],
    ids=["checksum", "empty", "cut", "created", "another version", "two checksums", "another protocol"],
)
async def test_a_corrupt_answer_is_never_a_result(monkeypatch, corrupt):
    """Answers are checked behind proxies too."""
    async with ScriptedServer(then=corrupt) as proxy, behind(proxy, monkeypatch) as pipeline:
        with pytest.raises(errors.TransportError) as caught:
            await pipeline.call(request())
        assert (caught.value.outcome, caught.value.attempts) == (Outcome.UNKNOWN, 4)


async def test_an_answer_that_is_too_large_is_refused():
    """No more is read of an answer than one may have, and its connection is closed."""
    endless = Reply({"a": "x" * 100_000}).cut_at(60_000, Ending.HANG)
    async with ScriptedServer([endless], then=ITEM) as server:
        transport = direct(max_answer_bytes=50_000)
        exchange = Exchange(server.endpoint, [("host", server.endpoint.authority)], b"{}")
        with pytest.raises(errors.CorruptResponseError, match="more than this answer may have") as caught:
            await transport.exchange(exchange)
        assert caught.value.outcome is exchange.phase is Outcome.UNKNOWN
        await server.until(lambda: server.open == 0)
        assert (await transport.exchange(exchange)).payload == ITEM.payload
        await transport.aclose()


async def test_connections_that_are_closed_at_reuse(monkeypatch):
    """However many connections the proxy closes as they are used again, a read is repeated once, on a fresh one."""
    pauses = []
    policy = RetryPolicy(randomness=lambda: pauses.append(1) or 0.0)

    def script(sent):
        return Reply.close() if sent.number > 1 else ITEM

    async with ScriptedServer(script) as proxy, behind(proxy, monkeypatch, retry=policy) as pipeline:
        responses = await asyncio.gather(*(pipeline.call(request()) for _ in range(30)))
        responses += [await pipeline.call(request()) for _ in range(30)]
        assert {response.payload == ITEM.payload for response in responses} == {True}
        assert max(response.attempts for response in responses) == 2
        assert pauses == []


async def test_nonsense_on_a_connection_that_has_served_is_no_stale_connection(monkeypatch):
    """Only an end without an answer is repeated for free: whatever else fails on a used connection is paused for."""
    pauses = []
    policy = RetryPolicy(randomness=lambda: pauses.append(1) or 0.0)
    script = [ITEM, Reply.raw(b"SSH-2.0-OpenSSH_9.6\r\n")]
    async with ScriptedServer(script, then=ITEM) as proxy, behind(proxy, monkeypatch, retry=policy) as pipeline:
        attempts = [(await pipeline.call(request())).attempts for _ in range(2)]
    assert (attempts, len(pauses)) == ([1, 2], 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(monkeypatch, status):
    """A proxy that points elsewhere gets no second request, and neither does the place it points to."""
    async with ScriptedServer() as target:
        script = Reply.redirect(f"{target.url}/", status)
        async with ScriptedServer(then=script) as proxy, behind(proxy, monkeypatch) as pipeline:
            with pytest.raises(errors.CorruptResponseError, match="redirect"):
                await pipeline.call(request(RepeatSafety.READ))
            assert len(proxy.requests) == 4
            assert {sent.target for sent in proxy.requests} == {f"{FAR}/"}
    assert target.log == []


async def test_deadlines_hold(monkeypatch):
    """A proxy that hangs holds a call for its timeout, and the outcome is known to be unknown."""
    async with ScriptedServer([ITEM], then=Reply.hang()) as proxy, behind(proxy, monkeypatch) as pipeline:
        await pipeline.call(request())
        with pytest.raises(errors.OutcomeUnknownError) as caught:
            await pipeline.call(request(RepeatSafety.UNSAFE, timeout=0.05))
        assert type(caught.value.__cause__) is errors.DeadlineExceededError
        assert caught.value.__cause__.outcome is Outcome.UNKNOWN


async def test_cancelled_calls_mix_no_answers(monkeypatch):
    """After a storm of cancellations every call still gets its own answer."""
    started = asyncio.Event()

    async def script(sent):
        started.set()
        await asyncio.sleep(0)
        return Reply({"Echo": {"S": sent.payload["number"]}})

    async with ScriptedServer(script) as proxy, behind(proxy, monkeypatch) as pipeline:

        def call(number):
            return pipeline.call(WireRequest("GetItem", b'{"number":"%d"}' % number, "orders", RepeatSafety.READ))

        for round_number in range(20):
            started.clear()
            tasks = [asyncio.ensure_future(call(number)) for number in range(10)]
            await started.wait()
            for task in tasks[round_number % 3 :: 3]:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            for number, outcome in enumerate(outcomes):
                if not isinstance(outcome, BaseException):
                    assert outcome.payload == {"Echo": {"S": str(number)}}


REFUSED = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
AUTHORIZATION = f"Basic {b64encode(b'user:CANARY word').decode()}"
FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"


def everything_about(error):
    """Write all that an error report could show of an error: text, repr, pickle, and every cause and context."""
    shown, seen = [], []
    while error is not None and error not in seen:
        seen.append(error)
        attributes = getattr(error, "__dict__", {})
        shown += [
            str(error),
            repr(error),
            repr(error.args),
            repr(attributes),
            "".join(traceback.format_exception(error)),
        ]
        if isinstance(error, errors.MizzleError):
            shown.append(pickle.dumps(error).decode("latin-1"))
        error = error.__cause__ or error.__context__
    return "\n".join(shown)


@pytest.mark.parametrize(
    ("scheme", "answer", "says"),
    [
        ("http", REFUSED, "it refuses its user and password"),
        ("https", REFUSED, "it refuses its user and password"),
        ("https", FORBIDDEN, "refused to pass the request on (HTTP 403)"),
    ],
    ids=["http", "https", "forbidden"],
)
async def test_a_proxy_that_refuses_is_named_and_not_asked_again(monkeypatch, scheme, answer, says):
    """A proxy's refusal is about its settings: one attempt, an error that names it, and no password in any part."""
    heads = []

    async def refuse(reader, writer):
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1") as server:
        name = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        monkeypatch.setenv("AWS_CA_BUNDLE", certifi.where())
        monkeypatch.setenv(f"{scheme}_proxy".upper(), f"http://user:CANARY%20word@{name}")
        settings = WireSettings(
            endpoint_url=f"{scheme}://dynamodb.example:8000",
            allow_http=True,
            region_name="a",
            credentials=("AKCANARY", "CANARY", "CANARYTOKEN"),
        )
        pipeline = await open_pipeline(settings)
        with pytest.raises(errors.ProxyError) as caught:
            await pipeline.call(request(RepeatSafety.UNSAFE))
        await pipeline.aclose()
    error = caught.value
    assert (error.attempts, error.outcome, error.is_refusal) == (0, Outcome.NOT_SENT, True)
    assert f"the proxy {name} refused" in str(error)
    assert says in str(error)
    (head,) = heads
    assert f"Proxy-Authorization: {AUTHORIZATION}\r\n" in head
    shown = everything_about(error)
    assert "CANARY" not in shown
    assert AUTHORIZATION.partition(" ")[2] not in shown


@pytest.mark.parametrize("failure", ["away", "cut", "nonsense", "certificate"])
async def test_no_failure_behind_a_proxy_shows_its_password(monkeypatch, failure):
    """Whatever fails, neither the proxy's password nor the request's token is in the error or its causes."""
    replies = {"cut": Reply.close(), "nonsense": Reply.raw(b"SSH-2.0-CANARY\r\n")}
    async with ScriptedServer(then=replies.get(failure, ITEM)) as proxy:
        url = proxy.url
        if failure == "certificate":
            url = url.replace("http://", "https://")
        if failure == "away":
            await proxy.__aexit__(None, None, None)
        monkeypatch.setenv("HTTP_PROXY", url.replace("://", "://user:CANARY@"))
        settings = WireSettings(
            endpoint_url=FAR,
            allow_http=True,
            region_name="a",
            credentials=("AKCANARY", "CANARY", "CANARYTOKEN"),
            retry=RetryPolicy.no_backoff(),
            timeout=1.5 if failure in {"away", "certificate"} else 10.0,  # a proxy that is away is waited for
        )
        pipeline = await open_pipeline(settings)
        with pytest.raises(errors.TransportError) as caught:
            await pipeline.call(request())
        await pipeline.aclose()
    assert "CANARY" not in everything_about(caught.value)
    assert url.partition("://")[2] in str(caught.value)


@pytest.mark.parametrize("url", ["socks5://user:CANARY@127.0.0.1:9", "http://127.0.0.1:CANARY", "http://user:CANARY@"])
async def test_a_proxy_that_cannot_be_used_is_said_at_opening(monkeypatch, url):
    """A proxy of another kind, or a URL that is none, is an error of the configuration, without its password."""
    monkeypatch.setenv("HTTP_PROXY", url)
    with pytest.raises(errors.ClientStateError, match="proxy") as caught:
        await open_pipeline(
            WireSettings(endpoint_url=FAR, allow_http=True, region_name="a", credentials=("AKID", "secret"))
        )
    assert "CANARY" not in everything_about(caught.value)


async def test_table_operations_use_the_proxy_too(monkeypatch):
    """The control plane goes the same way."""
    async with ScriptedServer([Reply({"TableNames": ["orders"]})]) as proxy, behind(proxy, monkeypatch) as pipeline:
        assert await pipeline.control("ListTables", {}) == {"TableNames": ["orders"]}
        await pipeline.call(request())
    assert proxy.operations == ["ListTables", "GetItem"]
    assert proxy.opened == 1


async def test_tls_is_verified():
    """A certificate of an unknown authority is refused before anything is sent; a known one is accepted."""
    with LocalAuthority() as authority:
        async with ScriptedServer(then=ITEM, tls=authority.server_context()) as server:
            exchange = Exchange(server.endpoint, [("host", server.endpoint.authority)], b"{}")
            trusting = direct(tls=lambda: make_tls_context(authority.ca_bundle))
            assert (await trusting.exchange(exchange)).payload == ITEM.payload
            assert exchange.phase is Outcome.ANSWERED
            await trusting.aclose()
            doubting = direct()
            exchange = Exchange(server.endpoint, [("host", server.endpoint.authority)], b"{}")
            with pytest.raises(
                errors.TransportError, match=r"not trusted: .*Trusted: the system's .*AWS_CA_BUNDLE"
            ) as caught:
                await doubting.exchange(exchange)
            await doubting.aclose()
            assert caught.value.outcome is exchange.phase is Outcome.NOT_SENT
            assert len(server.requests) == 1


async def relay(reader, writer):
    """Pass bytes on until there are no more."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_a_tunnel_to_an_encrypted_endpoint(monkeypatch):
    """Through a proxy's tunnel the endpoint's certificate is verified, and the proxy sees neither items nor tokens."""
    tunnels, seen = [], []

    async def tunnel(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head)
        port = int(head.split()[1].rpartition(b":")[2])
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        tunnels.append(asyncio.gather(relay(reader, far_writer), relay(far_reader, writer), return_exceptions=True))

    script = [ITEM, Reply.error("InternalServerError", status=500)]
    with LocalAuthority() as authority:
        monkeypatch.setenv("AWS_CA_BUNDLE", authority.ca_bundle)
        context = authority.server_context(["dynamodb.example"])
        async with (
            await asyncio.start_server(tunnel, "127.0.0.1") as proxy,
            ScriptedServer(script, then=ITEM, tls=context) as server,
        ):
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
            settings = WireSettings(
                endpoint_url=f"https://dynamodb.example:{server.endpoint.port}",
                region_name="eu-west-1",
                credentials=("AKID", "secret", "token"),
                retry=RetryPolicy.no_backoff(),
            )
            pipeline = await open_pipeline(settings)
            responses = [await pipeline.call(request()) for _ in range(3)]
            await pipeline.aclose()
            await asyncio.gather(*tunnels)
        assert [response.payload for response in responses] == [ITEM.payload] * 3
        assert [response.attempts for response in responses] == [1, 2, 1]
        assert len(server.requests) == 4
        assert all(head.startswith(b"CONNECT dynamodb.example:") for head in seen)
        assert not any(b"token" in head or b"orders" in head for head in seen)


async def test_secrets_stay_out_of_every_log(monkeypatch, caplog):
    """Behind a proxy, and through the control plane, canaries appear in no line of any logger at DEBUG."""
    caplog.set_level(logging.DEBUG)
    script = [Reply({"Item": {"a": {"S": "CANARY"}}}), Reply.close(), Reply.reset(), Reply.html(200)]
    async with ScriptedServer(script, then=Reply({"Table": {"TableName": "orders"}})) as proxy:
        credentials = ("AKCANARY", "CANARY", "CANARY")
        async with behind(proxy, monkeypatch, credentials=credentials) as pipeline:
            for safety in (RepeatSafety.READ, RepeatSafety.UNSAFE):
                with contextlib.suppress(errors.OutcomeUnknownError):
                    await pipeline.call(WireRequest("GetItem", b'{"Key":"CANARY"}', "orders", safety))
            await pipeline.control("DescribeTable", {"TableName": "orders"})
            shown = repr(pipeline) + repr(pipeline._transports)
    lines = [caplog.handler.format(record) for record in caplog.records]
    assert len(lines) > 10
    assert not [line for line in (*lines, shown) if "CANARY" in line]


async def test_closing_refuses_what_comes_later():
    """A closed transport says so, and its repr names it."""
    transport = direct()
    assert repr(transport) == "<FallbackTransport over aiohttp>"
    await transport.aclose()
    with pytest.raises(errors.ClientStateError, match="closed"):
        await transport.exchange(Exchange(Endpoint("http", "127.0.0.1", 9), [], b""))
