"""The scripted server, asked by plain streams."""

import asyncio

import pytest

from mizzle_async.testing.clock import run_virtual
from mizzle_async.testing.replies import Ending, Reply
from mizzle_async.testing.server import Event, ScriptedServer
from mizzle_async.testing.tls import LocalAuthority

REQUEST = (
    b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\nContent-Length: 17\r\n\r\n"
    b'{"TableName":"t"}'
)


async def ask(server, data=REQUEST, *, count=1):
    """Send bytes and read until the server closes; half-close after them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.endpoint.port)
    writer.write(data * count)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_requests_are_answered_in_order_and_noted():
    """Pipelined requests get the script's replies in order; the log holds connections, requests and bytes."""
    closing = Reply({"n": 2}, ending=Ending.CLOSE)
    async with ScriptedServer([Reply({"n": 1})], then=closing) as server:
        answer = await ask(server, count=2)
        await server.until(lambda: server.open == 0)
        assert answer.index(b'{"n":1}') < answer.index(b'{"n":2}')
        assert [(request.number, request.operation, request.target) for request in server.requests] == [
            (1, "GetItem", "/"),
            (2, "GetItem", "/"),
        ]
        assert server.operations == ["GetItem", "GetItem"]
        assert [event.kind for event in server.log if event.kind != "sent"] == [
            "opened",
            "request",
            "request",
            "closed",
        ]
        assert sum(event.count for event in server.log if event.kind == "sent") == len(answer)
        assert server.count("request") == 2
        assert repr(server) == f"<ScriptedServer {server.url}: 1 opened, 0 open, 2 requests>"
        assert "<17 bytes>" in repr(server.requests[0])
        server.forget()
        assert (server.log, server.requests, server.opened) == ([], [], 1)


async def test_a_script_may_be_a_coroutine_function():
    """A script that awaits is waited for; meanwhile its connection asks nothing else."""
    gate = asyncio.Event()

    async def script(request):
        await gate.wait()
        return Reply({"number": request.number}, ending=Ending.CLOSE if request.number == 2 else Ending.KEEP)

    async with ScriptedServer(script) as server:
        asking = asyncio.ensure_future(ask(server, count=2))
        await server.until(lambda: len(server.requests) == 1)
        gate.set()
        answer = await asking
        assert b'{"number":1}' in answer
        assert b'{"number":2}' in answer


async def mistaken(_request):
    """Raise, as a coroutine function of a script may."""
    raise LookupError("a mistake in the test")


@pytest.mark.parametrize(
    ("script", "mistake"),
    [
        (mistaken, LookupError),
        (lambda request: request.payload["Nothing"], KeyError),
        (lambda _request: {"Item": {}}, TypeError),
    ],
    ids=["coroutine", "function", "no reply"],
)
async def test_a_mistake_in_a_script_is_raised_at_the_end(script, mistake):
    """A script that raises, or gives no reply, ends its connection, and the test that wrote it."""
    server = await ScriptedServer(script).start()
    with pytest.raises(ConnectionResetError):
        await ask(server)
    with pytest.raises(mistake):
        await server.stop()


async def test_a_pending_script_ends_with_its_connection():
    """A script that still awaits when its client leaves is cancelled."""
    ended = []

    async def script(_request):
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(True)

    async with ScriptedServer(script) as server:
        asking = asyncio.ensure_future(ask(server))
        await server.until(lambda: len(server.requests) == 1)
        await asyncio.sleep(0)
        server.close_connections(reset=True)
        with pytest.raises(ConnectionResetError):
            await asking
    assert ended == [True]


async def test_what_is_not_http_is_hung_up_on():
    """Bytes that are no request close the connection, and are no request."""
    async with ScriptedServer() as server:
        assert await ask(server, b"\x16\x03\x01nonsense\r\n\r\n") == b""
        assert server.requests == []


async def test_bytes_may_be_sent_unasked():
    """A greeting precedes any request; more can be sent to whoever is connected."""
    async with ScriptedServer(greeting=b"hello ") as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.endpoint.port)
        await server.until(lambda: server.open == 1)
        server.send_unasked(b"world")
        assert await reader.readexactly(11) == b"hello world"
        server.close_connections()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        assert Event("sent", 1, 6) in server.log


async def test_a_stopped_server_comes_back_at_its_address():
    """Stopping refuses connections, starting again listens at the same port; stopping twice does nothing."""
    server = ScriptedServer(then=Reply(ending=Ending.CLOSE))
    async with server:
        url = server.url
        await ask(server)
    with pytest.raises(ConnectionRefusedError):
        await ask(server)
    await server.stop()
    async with server:
        assert server.url == url
        await ask(server)
    assert len(server.requests) == 2


async def test_another_script_may_follow():
    """A script can be replaced while the server runs."""
    async with ScriptedServer(then=Reply({"n": 1}, ending=Ending.CLOSE)) as server:
        assert b'{"n":1}' in await ask(server)
        server.answer_with(lambda _request: Reply({"n": 2}, ending=Ending.CLOSE))
        assert b'{"n":2}' in await ask(server)


def test_a_hanging_connection_stays_silent_for_ever():
    """After a reply that hangs, nothing more is answered on its connection, whatever is asked."""

    async def main():
        async with ScriptedServer([Reply.hang()]) as server:
            loop = asyncio.get_running_loop()
            received = []

            class Client(asyncio.Protocol):
                def data_received(self, data):
                    received.append(data)

            transport, _ = await loop.create_connection(Client, "127.0.0.1", server.endpoint.port)
            transport.write(REQUEST * 2)
            await asyncio.sleep(3600)
            transport.write(REQUEST)
            await asyncio.sleep(3600)
            return received, len(server.requests), server.open

    assert run_virtual(main()) == ([], 1, 1)


async def test_waiting_for_what_already_holds_returns_at_once():
    """A condition that holds is not waited for; a waiter that was cancelled is forgotten."""
    async with ScriptedServer() as server:
        await server.until(lambda: True)
        waiting = asyncio.ensure_future(server.until(lambda: False))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        server.record(Event("opened", 0))
        assert server._watchers == []


async def test_over_tls_the_server_is_called_localhost():
    """The certificates name localhost, so that is the host of the URL."""
    with LocalAuthority() as authority:
        async with ScriptedServer(tls=authority.server_context()) as server:
            assert server.url == f"https://localhost:{server.endpoint.port}"
