"""Doubles that answer from a script."""

import pytest

from mizzle_async.errors import CorruptResponseError, ThrottledError, TransportError
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.stub import StubCaller, StubTransport
from mizzle_async.types import Outcome, RepeatSafety, WireRequest
from mizzle_async.wire.exchange import Endpoint, Exchange

HERE = Endpoint("http", "127.0.0.1", 1)


def request(operation="GetItem", body=b'{"TableName":"t"}'):
    """Make a request."""
    return WireRequest(operation, body, "t", RepeatSafety.READ)


async def test_a_stub_answers_by_operation():
    """One answer always, answers in order, errors among them, or what a function says; every request is noted."""
    caller = StubCaller({"GetItem": {"Item": {}}, "PutItem": [ThrottledError("too fast"), {}]})
    caller.on("Query", lambda asked: {"Count": len(asked.body)})
    assert (await caller.call(request())).payload == {"Item": {}}
    assert (await caller.call(request())).request_id == "STUB0002"
    with pytest.raises(ThrottledError, match="too fast"):
        await caller.call(request("PutItem"))
    assert (await caller.call(request("PutItem"))).payload == {}
    assert (await caller.call(request("Query"))).payload == {"Count": 17}
    assert caller.operations == ["GetItem", "GetItem", "PutItem", "PutItem", "Query"]
    assert caller.payloads == [{"TableName": "t"}] * 5
    assert repr(caller) == "<StubCaller 5 requests; answers GetItem, PutItem, Query>"
    await caller.aclose()


async def test_what_is_not_scripted_is_a_mistake_of_the_test():
    """An operation without an answer, or with too few, says what to write."""
    caller = StubCaller({"PutItem": [{}]})
    await caller.call(request("PutItem"))
    with pytest.raises(AssertionError, match="no further answer for PutItem"):
        await caller.call(request("PutItem"))
    with pytest.raises(AssertionError, match=r"no answer for GetItem: name it in `StubCaller\(\{…\}\)`"):
        await caller.call(request())
    assert repr(StubCaller()) == "<StubCaller 0 requests; answers nothing>"


async def test_a_stub_answers_about_tables_too():
    """Calls of the control plane are answered from the same script, and noted with their parameters."""
    caller = StubCaller({"DescribeTable": {"Table": {"TableStatus": "ACTIVE"}}})
    answer = await caller.control("DescribeTable", {"TableName": "t"})
    assert answer == {"Table": {"TableStatus": "ACTIVE"}}
    assert caller.payloads == [{"TableName": "t"}]
    assert caller.requests[0].table == "t"


async def test_a_stub_transport_checks_what_it_answers():
    """Answers pass the checks of real ones; the phase is right; errors are raised as they are."""
    transport = StubTransport([Reply({"Item": {}}), Reply(checksum="wrong"), TransportError("gone")])
    exchanges = [Exchange(HERE, [], b"{}") for _ in range(4)]
    answer = await transport.exchange(exchanges[0])
    assert (answer.payload, answer.headers["x-amzn-requestid"]) == ({"Item": {}}, "STUB0001")
    with pytest.raises(CorruptResponseError):
        await transport.exchange(exchanges[1])
    with pytest.raises(TransportError, match="gone"):
        await transport.exchange(exchanges[2])
    with pytest.raises(AssertionError, match="no further answer"):
        await transport.exchange(exchanges[3])
    assert [exchange.phase for exchange in exchanges[:3]] == [Outcome.ANSWERED, Outcome.UNKNOWN, Outcome.UNKNOWN]
    assert transport.exchanges == exchanges
    await transport.aclose()


async def test_a_stub_transport_may_be_a_function():
    """A function, or a coroutine function, of the exchange decides."""

    async def later(exchange):
        return Reply({"bytes": len(exchange.body)})

    for script in (later, lambda exchange: Reply({"bytes": len(exchange.body)})):
        answer = await StubTransport(script).exchange(Exchange(HERE, [], b"12345"))
        assert answer.payload == {"bytes": 5}
