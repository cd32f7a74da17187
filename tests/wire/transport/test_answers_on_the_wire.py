"""One exchange at a time: what comes back, what is believed, and which connections survive it."""

import asyncio
import socket
import struct
from zlib import crc32

import pytest
from attrs import evolve

from mizzle_async.errors import CorruptResponseError, TransportError
from mizzle_async.testing.replies import Ending, Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import Outcome
from mizzle_async.wire.exchange import Endpoint
from mizzle_async.wire.framing import MAX_HEAD_BYTES
from mizzle_async.wire.pool.pool import ConnectionPool

ITEM = {"Item": {"pk": {"S": "a"}}}
ANSWER = Reply(ITEM)
BODY = ANSWER.body()
TRAILED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: x-amz-crc32\r\n\r\n"
    b"%x;name=value\r\n%b\r\n0\r\nContent-Type: text/html\r\nx-amz-crc32: 1\r\nContent-Encoding: gzip\r\n\r\n"
    % (len(BODY), BODY)
)
"""A trailer says nothing about an answer: it may have been put there by anybody on the way."""
HTTP10 = b"HTTP/1.0 200 OK\r\n%%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


def answer_of(start, *headers):
    """Return an answer with another start, and further headers."""
    own = (b"Content-Type: application/json", b"Content-Length: %d" % len(BODY))
    return Reply.raw(b"\r\n".join((start, *headers, *own, b"", BODY)), Ending.HANG)


ODD_CASE = {"x-aMZ-cRC32": ANSWER.parts()[1]["x-amz-crc32"], "cONTENT-lENGTH": str(len(BODY)), "cONTENT-tYPE": "x/JSON"}


class Impatient:
    """A server that answers as soon as it sees a request's first bytes, and reads no further."""

    def __init__(self, reply):
        self.reply = reply

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", limit=1024)
        self.endpoint = Endpoint("http", "127.0.0.1", self.server.sockets[0].getsockname()[1])
        self.done = asyncio.Event()
        return self

    async def __aexit__(self, *_):
        self.done.set()
        self.server.close()
        await self.server.wait_closed()

    async def serve(self, reader, writer):
        await reader.read(1)
        writer.write(self.reply.encode())
        if self.reply.ending is Ending.RESET:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        elif self.reply.ending is not Ending.CLOSE:
            await self.done.wait()
        writer.close()


async def play(to, *replies, pool=None, greeting=b""):
    """Send one exchange after another; return each outcome, and the server, everything being closed."""
    outcomes = []
    async with ScriptedServer(replies, greeting=greeting) as server:
        pool = pool or ConnectionPool()
        for _ in replies:
            exchange = to(server)
            try:
                outcome = await pool.exchange(exchange)
            except TransportError as error:
                outcome = error
            outcomes.append((outcome, exchange))
            statistics = pool.statistics()
            assert (statistics.in_use, statistics.waiting) == (0, 0)
        await pool.aclose()
        await server.until(lambda: server.open == 0)
    return outcomes, server


BELIEVED = {
    "an item": (ANSWER, 200, "", True),
    "in chunks": (Reply(ITEM, framing="chunked"), 200, "", True),
    "ended by closing": (Reply(ITEM, framing="close"), 200, "", False),
    "without a checksum": (Reply(ITEM, checksum="absent"), 200, "", True),
    "after an interim answer": (Reply(ITEM, prefix=b"HTTP/1.1 100 Continue\r\n\r\n"), 200, "", True),
    "after several interim answers": (
        Reply(ITEM, prefix=b"HTTP/1.1 103 Early\r\nx-amz-crc32: 1\r\n\r\n" * 9),
        200,
        "",
        True,
    ),
    "in chunks with trailers": (Reply.raw(TRAILED), 200, "", True),
    "in odd case": (Reply(ITEM, headers=ODD_CASE), 200, "", True),
    "kept by HTTP/1.0": (Reply.raw(HTTP10 % b"Connection: Keep-Alive\r\n"), 200, "", True),
    "closed by HTTP/1.0": (Reply.raw(HTTP10 % b""), 200, "", False),
    "byte by byte": (Reply(ITEM, drip=1), 200, "", True),
    "in two pieces": (Reply(ITEM, drip=150), 200, "", True),
    "and then closed": (Reply(ITEM, ending=Ending.CLOSE), 200, "", False),
    "with an announced close": (Reply(ITEM, headers={"Connection": "close"}), 200, "", False),
    "with garbage after it": (Reply(ITEM, trailing=b"garbage"), 200, "", False),
    "with a second answer after it": (Reply(ITEM, trailing=ANSWER.encode()), 200, "", False),
    "with half a second answer after it": (Reply(ITEM, trailing=b"HTTP/1.1 2"), 200, "", False),
    "a service error": (Reply.error("ValidationException"), 400, "ValidationException", True),
    "throttled": (Reply.throttled(), 400, "ProvisionedThroughputExceededException", True),
    "throttled with 500": (Reply.error("ThrottlingException", status=500), 500, "ThrottlingException", True),
    "throttled with 503": (Reply.error("RequestLimitExceeded", status=503), 503, "RequestLimitExceeded", True),
    "a server error": (Reply.error("InternalServerError", status=500), 500, "InternalServerError", False),
    "503 in HTML": (Reply.html(503), 503, "", False),
    "500 without a body": (Reply(b"", 500, {"Content-Type": None}, "absent"), 500, "", False),
    "413 in HTML": (Reply.html(413), 413, "", False),
    "413": (Reply.error("RequestEntityTooLarge", status=413), 413, "RequestEntityTooLarge", False),
}


@pytest.mark.parametrize("name", BELIEVED)
def test_an_answer_is_believed(run, to, name):
    """A whole answer is returned, and its connection used again if it is healthy: errors of the server close it."""
    reply, status, code, kept = BELIEVED[name]
    ((answer, exchange), (second, _)), server = run(play(to, reply, ANSWER))
    assert (answer.status, answer.code, exchange.phase) == (status, code, Outcome.ANSWERED)
    assert second.payload == ITEM
    assert server.opened == (1 if kept else 2)
    assert not exchange.stale


REFUSED = {
    "HTML with 200": Reply.html(200),
    "an empty 200": Reply(b"", headers={"Content-Type": None}, checksum="absent"),
    "no JSON": Reply(b"{", checksum="absent"),
    "JSON that is no object": Reply(b"[]"),
    "a wrong checksum": Reply(ITEM, checksum="wrong"),
    "a wrong checksum of an error": Reply({"__type": "x"}, 400, checksum="wrong"),
    "a wrong checksum with 500": Reply({"__type": "x"}, 500, checksum="wrong"),
    "cut JSON ended by closing": Reply(b'{"Item": {', framing="close", checksum="absent"),
    "301": Reply.redirect("http://127.0.0.1:9/", 301),
    "304": Reply.redirect("http://127.0.0.1:9/", 304),
    "compressed": Reply(ITEM, headers={"Content-Encoding": "gzip"}),
    "204": Reply(b"", 204, checksum="absent"),
    "not HTTP": Reply.raw(b"SSH-2.0-OpenSSH_9.6\r\n", Ending.HANG),
    "another protocol": Reply.raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    "two lengths": Reply(ITEM, headers={"Transfer-Encoding": "chunked"}),
    "a length and another": Reply.raw(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", Ending.HANG
    ),
    "compressed chunks": Reply(ITEM, framing="chunked", headers={"Transfer-Encoding": "gzip, chunked"}),
    "a broken chunk": Reply.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Ending.HANG),
    "too many headers": Reply(ITEM, headers={f"x-{n}": "y" * 1000 for n in range(200)}, drip=MAX_HEAD_BYTES // 2),
    "interim answers without end": Reply.raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 3000, Ending.HANG),
    "a status below 100": answer_of(b"HTTP/1.1 099 Low"),
    "the answer of another protocol": answer_of(b"RTSP/1.0 200 OK"),
    "HTTP/2.0": answer_of(b"HTTP/2.0 200 OK"),
    "HTTP/0.9": answer_of(b"HTTP/0.9 200 OK"),
    "compression behind a second header": answer_of(
        b"HTTP/1.1 200 OK", b"Content-Encoding: gzip", b"Content-Encoding: identity"
    ),
    "a wrong checksum before a right one": answer_of(
        b"HTTP/1.1 200 OK", b"x-amz-crc32: 1", b"x-amz-crc32: %d" % crc32(BODY)
    ),
    "headers without end": Reply.raw(b"HTTP/1.1 200 OK\r\nx: " + b"y" * (MAX_HEAD_BYTES + 100), Ending.HANG),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_answer_is_refused(run, to, name):
    """What is not DynamoDB's answer is an error that leaves the outcome unknown, and closes its connection."""
    ((error, exchange), (second, _)), server = run(play(to, REFUSED[name], ANSWER))
    assert isinstance(error, CorruptResponseError)
    assert (error.outcome, exchange.phase, exchange.stale) == (Outcome.UNKNOWN, Outcome.UNKNOWN, False)
    assert second.payload == ITEM
    assert server.opened == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(run, to, status):
    """No redirect makes a request to where it points."""

    async def main():
        async with ScriptedServer() as target, ScriptedServer([Reply.redirect(target.url, status)]) as server:
            pool = ConnectionPool()
            with pytest.raises(CorruptResponseError, match=f"{status} is a redirect, which is never followed"):
                await pool.exchange(to(server))
            await pool.aclose()
            return target.log, len(server.requests)

    assert run(main()) == ([], 1)


@pytest.mark.parametrize("ending", [Ending.CLOSE, Ending.RESET])
def test_an_answer_cut_anywhere_is_refused(run, to, ending):
    """Closed or reset after any number of bytes, an answer is never half believed; the outcome is unknown each time."""
    whole = len(Reply(ITEM, ending=ending).encode("REQUEST00000001", "Sun, 22 Nov 2026 10:00:00 GMT"))
    cuts = [Reply(ITEM).cut_at(count, ending) for count in range(whole)]
    outcomes, server = run(play(to, *cuts, ANSWER))
    *cut, (last, _) = outcomes
    assert [(count, repr(error)) for count, (error, _) in enumerate(cut) if error.outcome is not Outcome.UNKNOWN] == []
    assert {type(error) for error, _ in cut} <= {TransportError, CorruptResponseError}
    assert not any(exchange.stale for _, exchange in cut)
    assert last.payload == ITEM
    assert server.opened == whole + 1
    assert len(server.requests) == whole + 1


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_a_framed_answer_cut_anywhere_is_refused(run_virtual, to, framing):
    """The same holds for an answer in chunks, and for one that only the connection's end ends."""
    reply = Reply(ITEM, framing=framing, checksum="absent", ending=Ending.CLOSE)
    whole = len(reply.encode("REQUEST00000001", "Sun, 22 Nov 2026 10:00:00 GMT"))
    outcomes, _ = run_virtual(play(to, *(reply.cut_at(count) for count in range(whole))))
    assert all(isinstance(error, TransportError) for error, _ in outcomes)


@pytest.mark.parametrize("count", [0, 30, 235])
def test_a_server_that_falls_silent_costs_its_connection_only(run_virtual, to, count):
    """Before, within or after the headers: giving up frees the slot, and the outcome is unknown."""

    async def main():
        async with ScriptedServer([Reply(ITEM, cut=count, ending=Ending.HANG), ANSWER]) as server:
            pool = ConnectionPool()
            exchange = to(server)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(5):
                    await pool.exchange(exchange)
            assert exchange.phase is Outcome.UNKNOWN
            answer = await pool.exchange(to(server))
            await pool.aclose()
            return answer.payload, server.opened

    assert run_virtual(main()) == (ITEM, 2)


def test_a_dripping_answer_is_taken_until_its_caller_gives_up(run_virtual, to):
    """A byte a minute is an answer for who has the time; a deadline ends it in the middle, not a byte later."""

    async def main():
        async with ScriptedServer([Reply(ITEM, drip=1, pause=60)] * 2) as server:
            pool = ConnectionPool()
            assert (await pool.exchange(to(server))).payload == ITEM
            loop = asyncio.get_running_loop()
            began = loop.time()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(100):
                    await pool.exchange(to(server))
            seconds = loop.time() - began
            await pool.aclose()
            return seconds

    assert run_virtual(main()) == pytest.approx(100)


LARGE = Reply({"Items": [{"a": {"S": "x" * 700_000}}]})


@pytest.mark.parametrize(
    "large",
    [LARGE, evolve(LARGE, framing="chunked"), LARGE.cut_at(500, Ending.HANG)],
    ids=["length", "chunked", "announced"],
)
def test_an_answer_that_is_too_large_is_refused(run, to, large):
    """An answer over the limit is refused as soon as it is known to be: by its announced length, or by what came."""
    pool = ConnectionPool(max_answer_bytes=100_000)
    ((error, _), (second, _)), server = run(play(to, large, ANSWER, pool=pool))
    assert isinstance(error, CorruptResponseError)
    assert "more than this answer may have (100000)" in str(error)
    assert second.payload == ITEM
    assert server.opened == 2


def test_a_large_answer_arrives_whole(run, to):
    """Four megabytes in thousands of portions are joined to one answer."""
    page = {"Items": [{"a": {"S": "x" * 1000}} for _ in range(4000)]}
    ((answer, _),), _ = run(play(to, Reply(page, drip=65_000)))
    assert answer.payload == page


def test_a_large_request_arrives_whole(run, to):
    """A request larger than every buffer on its way is sent whole."""

    async def main():
        async with ScriptedServer([ANSWER]) as server:
            pool = ConnectionPool()
            await pool.exchange(to(server, body=b'"' + b"x" * 5_000_000 + b'"'))
            await pool.aclose()
            return len(server.requests[0].body)

    assert run(main()) == 5_000_002


@pytest.mark.parametrize(
    "reply", [Reply.error("RequestEntityTooLarge", status=413), Reply.html(413), Reply.error("ValidationException")]
)
@pytest.mark.parametrize("ending", Ending)
def test_an_answer_before_the_request_was_sent(run_real, to, reply, ending):
    """An answer that comes while the request is still being written is told, and its connection not used again."""

    async def main():
        async with Impatient(evolve(reply, ending=ending)) as server:
            pool = ConnectionPool()
            exchange = to(server, body=b"x" * 16_000_000)
            answer = await pool.exchange(exchange)
            statistics = pool.statistics()
            await pool.aclose()
            return answer, exchange.phase, statistics.open

    answer, phase, still_open = run_real(main())
    assert (answer.status, phase, still_open) == (reply.status, Outcome.ANSWERED, 0)


def test_what_is_sent_before_any_request_is_no_answer(run, to):
    """An answer that comes before the request it could belong to is not given to the first caller."""

    async def main():
        unasked = Reply({"Item": {"pk": {"S": "of somebody else"}}}).encode()
        async with ScriptedServer(greeting=unasked) as server:
            pool = ConnectionPool()
            outcomes = []
            for _ in range(5):
                try:
                    outcomes.append((await pool.exchange(to(server))).payload)
                except TransportError as error:
                    outcomes.append(error.outcome)
            await pool.aclose()
            return outcomes

    assert {"Item": {"pk": {"S": "of somebody else"}}} not in run(main())


def test_bytes_that_nobody_asked_for_close_an_idle_connection(run, to):
    """What an idle connection receives belongs to nobody: the next caller gets another one, and its own answer."""

    async def main():
        async with ScriptedServer([ANSWER, Reply({"Item": {"pk": {"S": "mine"}}})]) as server:
            pool = ConnectionPool()
            await pool.exchange(to(server))
            server.send_unasked(ANSWER.encode())
            await server.until(lambda: server.open == 0)
            answer = await pool.exchange(to(server))
            await pool.aclose()
            return answer.payload, server.opened

    assert run(main()) == ({"Item": {"pk": {"S": "mine"}}}, 2)


@pytest.mark.parametrize("reply", [Reply.close(), Reply.reset()])
def test_a_connection_closed_at_reuse_is_called_stale(run, to, reply):
    """Only a connection that carried something before is stale; a fresh one that is closed failed otherwise."""
    ((_, _), (stale, exchange), (fresh, first)), server = run(play(to, ANSWER, reply, reply))
    assert (exchange.stale, exchange.phase, type(stale)) == (True, Outcome.UNKNOWN, TransportError)
    assert (first.stale, first.phase, type(fresh)) == (False, Outcome.UNKNOWN, TransportError)
    assert server.opened == 2


def test_an_idle_connection_that_was_closed_is_never_used(run, to, until):
    """When the server closes idle connections, the next call opens another and notices nothing."""

    async def main():
        async with ScriptedServer() as server:
            pool = ConnectionPool()
            await asyncio.gather(*(pool.exchange(to(server)) for _ in range(10)))
            server.close_connections()
            await server.until(lambda: server.open == 0)
            await until(lambda: pool.statistics().open == 0)
            await pool.exchange(to(server))
            await pool.aclose()
            return server.opened, len(server.requests)

    assert run(main()) == (11, 11)


@pytest.mark.parametrize("value", ["a\r\nX-Injected: b", "a\nb", "\N{SNOWMAN}"])
def test_a_header_that_cannot_be_sent_is_refused(run_virtual, to, value):
    """A line break in a header would make two of it: nothing is sent, and the value is not shown."""

    async def main():
        async with ScriptedServer() as server:
            pool = ConnectionPool()
            exchange = to(server)
            exchange.headers = [*exchange.headers, ("X-Amz-Security-Token", value)]
            with pytest.raises(TransportError, match="line break") as caught:
                await pool.exchange(exchange)
            assert (caught.value.outcome, exchange.phase) == (Outcome.NOT_SENT, Outcome.NOT_SENT)
            assert value not in str(caught.value)
            await pool.aclose()
            return server.requests

    assert run_virtual(main()) == []


def test_the_request_is_sent_as_signed(run, to):
    """Headers go out in their order and spelling, with the body's length, in one request to the endpoint's path."""

    async def main():
        async with ScriptedServer() as server:
            pool = ConnectionPool()
            await pool.exchange(to(server, body=b'{"TableName":"orders"}'))
            await pool.aclose()
            return server.requests[0]

    request = run(main())
    assert (request.method, request.target, request.operation) == ("POST", "/", "GetItem")
    assert list(request.headers) == ["host", "x-amz-target", "content-length"]
    assert request.payload == {"TableName": "orders"}
