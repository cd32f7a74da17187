"""Connections in memory behave as sockets do."""

import asyncio
import socket
import struct

import pytest

from mizzle_async.testing.clock import run_virtual


class Recorder(asyncio.Protocol):
    """Notes what happens to it, and when."""

    def __init__(self, *, stays=False):
        self.events = []
        self.stays = stays

    def note(self, *event):
        """Note an event with its time."""
        self.events.append((asyncio.get_running_loop().time(), *event))

    def connection_made(self, transport):
        self.transport = transport
        self.note("made")

    def data_received(self, data):
        self.note("data", data)

    def eof_received(self):
        self.note("end")
        return self.stays

    def connection_lost(self, error):
        self.note("lost", type(error))


async def pair(*, near=None, far=None):
    """Connect two recorders."""
    loop = asyncio.get_running_loop()
    near, far = near or Recorder(), far or Recorder()
    server = await loop.create_server(lambda: far, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await loop.create_connection(lambda: near, "127.0.0.1", port)
    return near, far, server


def kinds(recorder):
    """Return what happened, without when."""
    return [event[1:] for event in recorder.events]


def test_bytes_arrive_in_order_after_their_latency():
    """What was sent first arrives first, even where a later message would have been faster."""

    async def main():
        near, far, _ = await pair()
        delays = iter([3.0, 1.0, 0.5])
        asyncio.get_running_loop().network.latency = lambda: next(delays)
        near.transport.write(b"one")
        near.transport.writelines([b"tw", b"o"])
        await asyncio.sleep(1)
        near.transport.write(b"three")
        near.transport.write(b"")
        await asyncio.sleep(10)
        return far.events[1:]

    assert run_virtual(main()) == [(3.0, "data", b"one"), (3.0, "data", b"two"), (3.0, "data", b"three")]


def test_closing_ends_both_sides():
    """Closing tells the other side that the stream has ended; what is sent or closed afterwards is lost."""

    async def main():
        near, far, _ = await pair()
        near.transport.write(b"last words")
        near.transport.close()
        near.transport.write(b"too late")
        near.transport.close()
        assert near.transport.is_closing()
        assert not near.transport.is_reading()
        await asyncio.sleep(1)
        far.transport.write(b"nobody there")
        await asyncio.sleep(1)
        return kinds(near), kinds(far)

    near, far = run_virtual(main())
    assert near == [("made",), ("lost", type(None))]
    assert far == [("made",), ("data", b"last words"), ("end",), ("lost", type(None))]


def test_a_protocol_may_stay_after_the_other_sides_end():
    """Where eof_received returns true, this side stays open until it closes itself."""

    async def main():
        near, far, _ = await pair(far=Recorder(stays=True))
        near.transport.abort()
        await asyncio.sleep(1)
        before = kinds(far)
        far.transport.close()
        await asyncio.sleep(1)
        return before, kinds(far)

    before, after = run_virtual(main())
    assert before == [("made",), ("end",)]
    assert after == [("made",), ("end",), ("lost", type(None))]


def test_a_reset_is_a_reset():
    """Aborting after a lingering time of zero resets the other side, whatever it was doing."""

    async def main():
        near, far, _ = await pair()
        near.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        near.transport.abort()
        far.transport.close()
        await asyncio.sleep(1)
        return kinds(near), kinds(far)

    near, far = run_virtual(main())
    assert near == [("made",), ("lost", type(None))]
    assert far[0] == ("made",)
    assert len(far) == 2
    assert far[1][0] == "lost"


def test_a_reset_reaches_who_listens():
    """A side that was reset learns it as an error."""

    async def main():
        near, far, _ = await pair()
        near.transport.resets = True
        near.transport.abort()
        await asyncio.sleep(1)
        return kinds(far)

    assert run_virtual(main()) == [("made",), ("lost", ConnectionResetError)]


def test_where_nobody_listens_connecting_is_refused():
    """A closed listener refuses connections, keeps those it has, and frees its port."""

    async def main():
        near, _, server = await pair()
        loop = asyncio.get_running_loop()
        address = server.address
        assert server.is_serving()
        assert server.get_loop() is loop
        await server.start_serving()
        with pytest.raises(OSError, match="in use"):
            await loop.create_server(Recorder, *address)
        server.close()
        await server.wait_closed()
        assert not server.is_serving()
        with pytest.raises(ConnectionRefusedError):
            await loop.create_connection(Recorder, *address)
        assert kinds(near) == [("made",)]
        again = await loop.create_server(Recorder, *address)
        serving = asyncio.ensure_future(again.serve_forever())
        await asyncio.sleep(0)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        assert not again.is_serving()

    run_virtual(main())


def test_a_silent_address_never_answers():
    """Connecting to a silent address ends only when the caller gives up."""

    async def main():
        loop = asyncio.get_running_loop()
        loop.network.silent.add("10.0.0.1")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await loop.create_connection(Recorder, "10.0.0.1", 80)
        return loop.time()

    assert run_virtual(main()) == 60


def test_connecting_takes_a_round_trip():
    """The latency counts twice before a connection is made."""

    async def main():
        asyncio.get_running_loop().network.latency = lambda: 0.25
        near, _, _ = await pair()
        return near.events

    assert run_virtual(main()) == [(0.5, "made")]


def test_a_transport_tells_what_it_is():
    """It names its peer, has no file descriptor, and can take another protocol."""

    async def main():
        near, far, server = await pair()
        transport = near.transport
        assert transport.get_extra_info("peername") == server.address
        assert transport.get_extra_info("socket").getpeername() == server.address
        assert transport.get_extra_info("socket").fileno() == -1
        assert transport.get_write_buffer_size() == 0
        assert not transport.can_write_eof()
        assert transport.get_protocol() is near
        other = Recorder()
        transport.set_protocol(other)
        far.transport.write(b"hello")
        await asyncio.sleep(1)
        return kinds(other)

    assert run_virtual(main()) == [("data", b"hello")]
