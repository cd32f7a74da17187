"""The fault proxy: what the engine was given, and what the client saw."""

import asyncio
import random
from collections import Counter

import pytest

from mizzle_async.errors import CorruptResponseError, TransportError
from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.proxy import Fault, FaultProxy, at_reuse, sometimes
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.wire.exchange import Exchange
from mizzle_async.wire.pool.pool import ConnectionPool

ITEM = {"Item": {"pk": {"S": "a"}}}


async def ask(pool, proxy, operation="PutItem"):
    """Ask through the proxy; return the answer or the error."""
    headers = [("Host", proxy.endpoint.authority), ("X-Amz-Target", f"DynamoDB_20120810.{operation}")]
    try:
        return await pool.exchange(Exchange(proxy.endpoint, headers, b'{"TableName":"t"}'))
    except TransportError as error:
        return error


def play(faults, *, count=1):
    """Ask several times; return the outcomes, the proxy and the engine."""

    async def main():
        async with ScriptedServer(then=Reply(ITEM)) as engine, FaultProxy(engine.url, faults) as proxy:
            pool = ConnectionPool()
            outcomes = [await ask(pool, proxy) for _ in range(count)]
            await pool.aclose()
            return outcomes, proxy, engine

    return run_virtual(main())


def test_without_faults_everything_passes_as_it_is():
    """Requests and answers pass with their headers, checksum and request id."""
    (answer,), proxy, engine = play([])
    assert answer.payload == ITEM
    assert answer.headers["x-amzn-requestid"] == "REQUEST00000001"
    (request,) = engine.requests
    assert request.payload == {"TableName": "t"}
    assert request.operation == "PutItem"
    assert proxy.forwarded == Counter(PutItem=1)
    assert repr(proxy) == f"<FaultProxy {proxy.url}: 1 of 1 forwarded, no faults>"
    assert [event.kind for event in proxy.log] == ["opened", "request", "sent", "closed"]
    assert proxy.server.requests is proxy.requests


LOST = {
    "drop before": (Fault.drop_before(), 0),
    "drop after": (Fault.drop_after(), 1),
    "reset": (Fault.reset(), 1),
    "cut": (Fault.cut(50), 1),
    "corrupt": (Fault.corrupt(), 1),
    "html": (Fault.html(200), 0),
    "redirect": (Fault.redirect("http://127.0.0.1:1/"), 0),
}


@pytest.mark.parametrize("name", LOST)
def test_what_is_lost_before_or_after_is_told_apart(name):
    """The client sees a failure each time; the engine has seen the request only where the fault comes after it."""
    fault, forwarded = LOST[name]
    (error,), proxy, engine = play([fault])
    assert isinstance(error, TransportError)
    assert proxy.forwarded["PutItem"] == len(engine.requests) == forwarded
    assert proxy.faulted == Counter({name: 1})
    assert repr(proxy).endswith(f"{forwarded} of 1 forwarded, 1 times {name}>")


ANSWERED = {
    "delay": (Fault.delay(5), 200, 1),
    "drip": (Fault.drip(10, 1), 200, 1),
    "chunked": (Fault.chunked(), 200, 1),
    "throttle": (Fault.throttle(), 400, 0),
    "html": (Fault.html(), 503, 0),
    "afterwards": (Fault.instead(Reply.html(), forwards=True, name="afterwards"), 503, 1),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_what_is_changed_is_still_an_answer(name):
    """Late, in pieces or another: what a client is given is whole."""
    fault, status, forwarded = ANSWERED[name]
    (answer,), proxy, _ = play([fault])
    assert (answer.status, proxy.forwarded["PutItem"]) == (status, forwarded)


@pytest.mark.parametrize(("fault", "forwarded"), [(Fault.hang_before(), 0), (Fault.hang_after(), 1)])
def test_a_hanging_proxy_says_nothing(fault, forwarded):
    """Hanging before or after the engine, the client hears nothing at all."""

    async def main():
        async with ScriptedServer(then=Reply(ITEM)) as engine, FaultProxy(engine.url, [fault]) as proxy:
            pool = ConnectionPool()
            headers = [("Host", "x"), ("X-Amz-Target", "DynamoDB_20120810.PutItem")]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3600):
                    await pool.exchange(Exchange(proxy.endpoint, headers, b"{}"))
            await pool.aclose()
            return len(engine.requests)

    assert run_virtual(main()) == forwarded


def test_a_corrupted_body_keeps_its_length():
    """One byte differs, so that only the checksum can tell; an empty body has no byte to change."""
    (error,), _, _ = play([Fault.corrupt()])
    assert isinstance(error, CorruptResponseError)
    assert "x-amz-crc32" in str(error)
    assert Fault.corrupt().change(Reply(b"")).body() == b""


def test_faults_come_in_order_or_by_chance_or_at_reuse():
    """A list is used up; chance concerns a share of some operations; reuse is a connection's second request."""
    outcomes, _, _ = play([None, Fault.drop_before(), None], count=5)
    assert [isinstance(outcome, TransportError) for outcome in outcomes] == [False, True, False, False, False]
    outcomes, proxy, _ = play(sometimes(Fault.throttle(), 0.25, random.Random(1)), count=200)
    assert proxy.faulted["throttle"] == sum(outcome.status == 400 for outcome in outcomes)
    assert 25 < proxy.faulted["throttle"] < 75
    _, untouched, _ = play(sometimes(Fault.throttle(), 1.0, random.Random(1), operations=["GetItem"]), count=5)
    assert not untouched.faulted
    outcomes, proxy, _ = play(at_reuse(Fault.drop_before()), count=4)
    assert [isinstance(outcome, TransportError) for outcome in outcomes] == [False, True, False, True]


def test_an_engine_that_is_not_there_is_a_bad_gateway():
    """Where the engine cannot be reached, the client gets a page of HTML, as from any proxy."""

    async def main():
        async with FaultProxy("http://127.0.0.1:9") as proxy:
            pool = ConnectionPool()
            outcome = await ask(pool, proxy)
            await pool.aclose()
            return outcome.status

    assert run_virtual(main()) == 502


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8000", ("http", "localhost", 8000, "/")),
        ("https://dynamodb.test", ("https", "dynamodb.test", 443, "/")),
        ("http://dynamodb.test/path", ("http", "dynamodb.test", 80, "/path")),
    ],
)
def test_an_upstream_is_a_url(url, expected):
    """Scheme, host, port and path of the engine are those of its URL."""
    endpoint = FaultProxy(url)._upstream.endpoint
    assert (endpoint.scheme, endpoint.host, endpoint.port, endpoint.path) == expected


async def test_stopping_what_was_not_started_is_fine():
    """A proxy that was never started has nothing to stop."""
    await FaultProxy("http://127.0.0.1:9").stop()
