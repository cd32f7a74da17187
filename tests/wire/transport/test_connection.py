"""One connection against a plain socket, between two turns of the loop."""

import asyncio
import contextlib
import os
import select
import socket
import struct

import pytest

from mizzle_async.errors import TransportError
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.types import Outcome
from mizzle_async.wire.exchange import Endpoint, Exchange
from mizzle_async.wire.pool.connection import Connection
from mizzle_async.wire.pool.host import STALE_CHECK_SECONDS
from mizzle_async.wire.pool.opening import UNACKNOWLEDGED_SECONDS
from mizzle_async.wire.pool.pool import ConnectionPool


class Peer:
    """A connection, and the socket at its other end."""

    def __init__(self):
        self.lost = []
        self.listener = socket.create_server(("127.0.0.1", 0))

    async def connect(self):
        """Connect the two."""
        loop = asyncio.get_running_loop()
        port = self.listener.getsockname()[1]
        make = lambda: Connection(loop, on_lost=self.lost.append)  # noqa: E731  (a factory, once)
        _, self.connection = await loop.create_connection(make, "127.0.0.1", port)
        self.socket, _ = self.listener.accept()
        self.exchange = Exchange(Endpoint("http", "127.0.0.1", port), [("Host", "x")], b"{}")
        return self.connection

    def reset(self):
        """Reset the connection: RST is in the kernel when this returns."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    async def end(self):
        """Close everything."""
        self.connection.abort()
        while not self.lost:  # noqa: ASYNC110  (the loop's turn to report it has no event)
            await asyncio.sleep(0)
        self.socket.close()
        self.listener.close()


def arrive(connection, data):
    """Let bytes arrive, as the loop does."""
    connection.get_buffer(-1)[: len(data)] = data
    connection.buffer_updated(len(data))


def test_a_reset_that_the_loop_has_not_seen_yet_means_not_sent(run_real):
    """Where the kernel refuses the first byte, the request was provably not sent: whatever it is may be repeated."""

    async def main():
        peer = Peer()
        connection = await peer.connect()
        peer.reset()
        waiter = connection.send(peer.exchange)
        with pytest.raises(TransportError) as caught:
            await waiter
        await peer.end()
        return caught.value.outcome, peer.exchange.phase, connection.is_open

    outcome, phase, is_open = run_real(main())
    assert outcome is phase
    assert phase in {Outcome.NOT_SENT, Outcome.UNKNOWN}
    assert not is_open


def test_asyncio_tells_that_nothing_was_sent():
    """On asyncio's own transport the first send is tried at once, so that the phase is certain."""

    async def main():
        peer = Peer()
        connection = await peer.connect()
        peer.reset()
        waiter = connection.send(peer.exchange)
        phase = peer.exchange.phase
        with pytest.raises(TransportError, match="closed before the request was sent"):
            await waiter
        await peer.end()
        return phase

    assert asyncio.run(main()) is Outcome.NOT_SENT


@pytest.mark.parametrize("poll", [True, False], ids=["with poll", "without poll"])
@pytest.mark.parametrize("end", ["close", "bytes"])
def test_what_the_kernel_holds_makes_a_connection_stale(run_real, end, poll, monkeypatch):
    """An end, or bytes that were not asked for, are found before the loop has turned, on systems without poll too."""
    if not poll:
        monkeypatch.delattr(select, "poll")

    async def main():
        peer = Peer()
        connection = await peer.connect()
        before = connection.is_stale()
        if end == "close":
            peer.socket.close()
        else:
            peer.socket.sendall(b"HTTP/1.1 200 OK\r\n")
        after = connection.is_stale()
        await peer.end()
        return before, after, connection.is_stale()

    assert run_real(main()) == (False, True, False)


@pytest.mark.parametrize("end", ["close", "bytes"])
def test_a_stale_connection_is_not_used(run_real, to, end):
    """What the kernel holds for a connection that was idle is looked at before it is used again: nothing is sent."""

    async def main():
        async with ScriptedServer() as server:
            pool = ConnectionPool()
            await pool.exchange(to(server))
            (far,) = server._connections
            with socket.socket(fileno=os.dup(far._transport.get_extra_info("socket").fileno())) as copy:
                if end == "close":
                    copy.shutdown(socket.SHUT_WR)
                else:
                    copy.send(b"HTTP/1.1 200 OK\r\n")
            (host,) = pool._hosts.values()
            host._idle[0].idle_since -= 2 * STALE_CHECK_SECONDS  # as if the loop had not turned for so long
            await pool.exchange(to(server))
            await pool.aclose()
            return [sent.connection for sent in server.requests]

    assert run_real(main()) == [1, 2]


def test_a_closed_connection_sends_nothing(run_real):
    """Sending on a connection that was closed raises at once; its repr says what it is."""

    async def main():
        peer = Peer()
        connection = await peer.connect()
        assert repr(connection) == "<Connection idle, 0 served>"
        waiter = connection.send(peer.exchange)
        assert repr(connection) == "<Connection busy, 1 served>"
        connection.abort("it was enough")
        with pytest.raises(TransportError, match="it was enough before the answer came"):
            await waiter
        connection.abort()
        with pytest.raises(TransportError, match="before the request was sent") as caught:
            connection.send(peer.exchange)
        await peer.end()
        return repr(connection), caught.value.outcome, len(peer.lost), connection.is_attached

    assert run_real(main()) == ("<Connection closed, 1 served>", Outcome.NOT_SENT, 1, False)


def test_an_answer_after_its_caller_left_is_dropped(run_real):
    """An answer whose caller was cancelled in that turn is given to nobody; what nobody asked for ends a connection."""

    async def main():
        peer = Peer()
        connection = await peer.connect()
        waiter = connection.send(peer.exchange)
        waiter.cancel()
        arrive(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        late = repr(connection)
        arrive(connection, b"HTTP/1.1 200 OK\r\n")
        later = repr(connection)
        await peer.end()
        return late, waiter.cancelled(), later

    assert run_real(main()) == ("<Connection idle, 1 served>", True, "<Connection closed, 1 served>")


def test_a_half_written_request_does_not_outlive_the_servers_end(run_real):
    """Where the server ends its side while a large request is still being written, the caller is told at once."""

    async def main():
        peer = Peer()
        connection = await peer.connect()
        peer.exchange.body = b"x" * 20_000_000
        waiter = connection.send(peer.exchange)
        peer.socket.shutdown(socket.SHUT_WR)
        with pytest.raises(TransportError, match="closed before an answer came") as caught:
            await waiter
        await peer.end()
        return caught.value.outcome

    assert run_real(main()) is Outcome.UNKNOWN


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_every_answer_is_read_into_one_buffer(run_real, to, secure, monkeypatch, authority):
    """All connections of a pool read into the same memory, which lives as long as the pool: no answer maps its own."""
    buffers = []
    original = Connection.get_buffer

    def noted(connection, sizehint):
        buffers.append(original(connection, sizehint))
        return buffers[-1]

    monkeypatch.setattr(Connection, "get_buffer", noted)

    async def main():
        tls = {"tls": authority.server_context()} if secure else {}
        async with ScriptedServer(lambda sent: Reply({"you": sent.body.decode()}), **tls) as server:
            pool = ConnectionPool(tls=authority.client_context)
            answers = await asyncio.gather(*(pool.exchange(to(server, b"%d" % number)) for number in range(20)))
            await pool.aclose()
            return [answer.payload["you"] for answer in answers], server.opened

    answers, opened = run_real(main())
    assert answers == [str(number) for number in range(20)]
    assert opened > 1
    assert len(buffers) >= 20
    assert {id(buffer.obj) for buffer in buffers} == {id(buffers[0].obj)}


def test_a_request_that_is_still_leaving_is_not_silent(run_real, until):
    """What the socket took since the last look is progress; a request that is stuck, or wholly sent, is silent."""

    async def main():
        peer = Peer()
        connection = await peer.connect()
        assert connection.is_silent(1.0)
        peer.exchange.body = b"x" * 20_000_000
        waiter = connection.send(peer.exchange)
        transport = connection._transport
        await until(lambda: 0 < transport.get_write_buffer_size() < 20_000_000)
        looks = [connection.is_silent(1.0), connection.is_silent(2.0)]
        left = transport.get_write_buffer_size()
        peer.socket.recv(1_000_000)
        peer.socket.settimeout(0)
        while transport.get_write_buffer_size() == left:
            with contextlib.suppress(BlockingIOError):
                peer.socket.recv(1_000_000)
            await asyncio.sleep(0)
        looks += [connection.is_silent(3.0), connection.silent_since]
        while transport.get_write_buffer_size():
            with contextlib.suppress(BlockingIOError):
                peer.socket.recv(1_000_000)
            await asyncio.sleep(0)
        looks += [connection.is_silent(4.0), connection.is_silent(5.0)]
        waiter.cancel()
        await peer.end()
        return looks

    assert run_real(main()) == [False, True, False, 3.0, False, True]


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no TCP_USER_TIMEOUT")
def test_the_kernel_ends_what_is_not_acknowledged(run_real, to):
    """Where the system can, a connection whose bytes stay unacknowledged is ended by the kernel."""

    async def main():
        async with ScriptedServer() as server:
            pool = ConnectionPool()
            await pool.exchange(to(server))
            (host,) = pool._hosts.values()
            near = host._idle[0]._transport.get_extra_info("socket")
            option = near.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            await pool.aclose()
            return option

    assert run_real(main()) == UNACKNOWLEDGED_SECONDS * 1000


def test_systems_without_that_option_connect_all_the_same(run_real, to, monkeypatch):
    """A system that does not know the option is not asked for it."""
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT", raising=False)

    async def main():
        async with ScriptedServer() as server:
            pool = ConnectionPool()
            answer = await pool.exchange(to(server))
            await pool.aclose()
            return answer.status

    assert run_real(main()) == 200
