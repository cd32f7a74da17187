"""The second transport frames, waits and gives up by the rules of our own connections."""

import asyncio

import pytest

from mizzle_async import errors
from mizzle_async.testing.replies import Ending, Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import Outcome, RepeatSafety, WireRequest
from mizzle_async.wire.exchange import Exchange
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.pool.pool import ConnectionPool
from mizzle_async.wire.pool.tls import make_tls_context
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.session.fallback import FallbackTransport
from mizzle_async.wire.settings import WireSettings

ITEM = Reply({"Item": {"a": {"S": "b"}}})
FAR = "http://dynamodb.example:8000"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"

REFUSED = {
    "line feeds alone": HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 2\n\n{}",
    "a space before the colon": HEAD + b"Content-Length : 2\r\n\r\n{}",
    "a folded header": HEAD + b"X-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}",
    "no transfer encoding": HEAD + b"Transfer-Encoding: \r\nContent-Length: 2\r\n\r\n{}",
    "a line feed in a chunk's extension": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;a\n\r\n{}\r\n0\r\n\r\n",
    "line feeds between chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
    "interim answers without end": b"HTTP/1.1 103 Early\r\nX: y\r\n\r\n" * 8000,
    "an announcement beyond all limits": HEAD + b"Content-Length: 1000000000000000000\r\n\r\n{}",
    "a status below 100": b"HTTP/1.1 099 Low\r\nContent-Length: 2\r\n\r\n{}",
    "the answer of another protocol": HEAD.replace(b"HTTP/1.1", b"RTSP/1.0") + b"Content-Length: 2\r\n\r\n{}",
    "HTTP/2.0": HEAD.replace(b"1.1", b"2.0") + b"Content-Length: 2\r\n\r\n{}",
    "lower case": HEAD.replace(b"HTTP", b"http") + b"Content-Length: 2\r\n\r\n{}",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a length and chunks": HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a signed length": HEAD + b"Content-Length: +2\r\n\r\n{}",
    "a NUL in a header": HEAD + b"X: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "a space within a name": HEAD + b"X Y: z\r\nContent-Length: 2\r\n\r\n{}",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "hidden compression": HEAD + b"Content-Encoding: gzip\r\nContent-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
    "a hidden checksum": HEAD + b"x-amz-crc32: 1\r\nx-amz-crc32: 2745614147\r\nContent-Length: 2\r\n\r\n{}",
}
BELIEVED = {
    "an item": ITEM.encode("REQUEST00000001", "Sun, 22 Nov 2026 10:00:00 GMT"),
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
    "an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\n{}",
    "HTTP/1.0": HEAD.replace(b"1.1", b"1.0") + b"Content-Length: 2\r\n\r\n{}",
}


def fallback(**options):
    """Return the second transport as it goes without a proxy."""
    return FallbackTransport({}, tls=make_tls_context, proxy_tls=make_tls_context, **options)


def to(server, **options):
    """Return an exchange with a server."""
    return Exchange(server.endpoint, [("host", server.endpoint.authority)], b"{}", **options)


async def verdict(transport, raw):
    """Play bytes to one exchange; return what came of it, its phase, and the answer of the next exchange."""
    async with ScriptedServer([Reply.raw(raw)], then=ITEM) as server:
        exchange = to(server)
        try:
            outcome = (await transport.exchange(exchange)).status
        except errors.TransportError as error:
            outcome = (type(error), error.outcome)
        following = (await transport.exchange(to(server))).payload
        await transport.aclose()
        return outcome, exchange.phase, following


@pytest.mark.parametrize("name", [*REFUSED, *BELIEVED])
async def test_both_transports_frame_by_the_same_rules(name):
    """An answer is believed by both transports or refused by both, and the next call gets its own."""
    raw = REFUSED.get(name) or BELIEVED[name]
    directly, otherwise = await verdict(ConnectionPool(), raw), await verdict(fallback(), raw)
    assert directly == otherwise
    expected = (errors.CorruptResponseError, Outcome.UNKNOWN) if name in REFUSED else 200
    assert otherwise[0] == expected
    assert otherwise[2] == ITEM.payload


async def test_an_answer_is_refused_in_its_middle_too():
    """Bytes that break the framing after the head has been read fail the answer, and close its connection."""
    raw = HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\nzz\r\n"
    async with ScriptedServer([Reply(cut=len(raw), prefix=raw, drip=len(raw) - 4, ending=Ending.HANG)]) as server:
        transport = fallback()
        with pytest.raises(errors.CorruptResponseError, match="not HTTP"):
            await transport.exchange(to(server))
        await server.until(lambda: server.open == 0)
        await transport.aclose()


def request(safety=RepeatSafety.READ, *, timeout=None):
    """Return a request of one kind."""
    return WireRequest("GetItem", b"{}", "orders", safety, timeout=timeout)


async def behind(proxy, monkeypatch, **options):
    """Open a pipeline to a far endpoint, behind a proxy."""
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    return await open_pipeline(
        WireSettings(
            endpoint_url=FAR,
            allow_http=True,
            region_name="eu-west-1",
            credentials=("AKID", "secret"),
            retry=RetryPolicy(**options),
        )
    )


@pytest.mark.parametrize("safety", RepeatSafety)
async def test_a_silent_connection_is_given_up_behind_a_proxy_too(monkeypatch, safety):
    """A proxy that forgets its connections costs an attempt, not a timeout; its idle connections are not trusted."""
    silent = set()

    def script(sent):
        return Reply.hang() if sent.connection in silent else ITEM

    async with ScriptedServer(script) as proxy:
        pipeline = await behind(proxy, monkeypatch, attempt_timeout=0.05)
        await asyncio.gather(*(pipeline.call(request()) for _ in range(3)))
        silent.update(range(1, proxy.opened + 1))
        warmed = proxy.opened
        if safety is RepeatSafety.UNSAFE:
            with pytest.raises(errors.OutcomeUnknownError) as caught:
                await pipeline.call(request(safety))
            assert "not a byte came within 0.05 s" in str(caught.value.__cause__)
        else:
            assert (await pipeline.call(request(safety))).attempts == 2
        assert (await pipeline.call(request())).attempts == 1
        assert not silent & {sent.connection for sent in proxy.requests[-1:]}
        # Besides the connection that fell silent, the others were closed, unused.
        await proxy.until(lambda: proxy.count("closed") >= warmed)
        await pipeline.aclose()


async def test_a_proxy_that_restarts_is_waited_for(monkeypatch):
    """While a proxy refuses connections nothing is sent: calls of every kind wait for it, and then succeed."""
    async with ScriptedServer() as proxy:
        pipeline = await behind(proxy, monkeypatch)
    transport = None
    calls = [asyncio.ensure_future(pipeline.call(request(safety))) for safety in RepeatSafety]
    while transport is None or not transport._reconnects:
        await asyncio.sleep(0)
        transport = pipeline._transports._fallback
    assert not any(call.done() for call in calls)
    proxy.answer_with([], then=ITEM)
    await proxy.start()
    responses = await asyncio.gather(*calls)
    assert {(response.attempts, response.ambiguous) for response in responses} == {(1, False)}
    assert len(proxy.requests) == len(calls)
    await pipeline.aclose()
    await proxy.stop()


async def test_a_proxy_that_stays_away_is_named(monkeypatch):
    """A call whose time is up while its proxy refuses says so, and that nothing was sent."""
    async with ScriptedServer() as proxy:
        pipeline = await behind(proxy, monkeypatch)
    with pytest.raises(errors.DeadlineExceededError, match=r"its proxy .* cannot be reached") as caught:
        await pipeline.call(request(RepeatSafety.UNSAFE, timeout=0.05))
    assert (caught.value.outcome, caught.value.attempts) == (Outcome.NOT_SENT, 0)
    assert type(caught.value.__cause__) is errors.ProxyError
    await pipeline.aclose()
