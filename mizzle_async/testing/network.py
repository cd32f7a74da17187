"""A network in memory, for the virtual clock: listeners, connections, names, latency, refusals and silence.

Bytes arrive in the order of sending, after the network's latency.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, cast

Address = tuple[str, int]

_FIRST_PORT = 49152
_READ_BYTES = 256 * 1024
"""The largest piece that arrives at once, as when asyncio reads a socket."""


class MemoryNetwork:
    """Listeners, their names and their distance.

    Attributes:
        names: Host names to addresses. An empty tuple is a name without an address. Addresses need no entry.
        latency: Returns the seconds that the next message takes one way. It is a function, so that it can vary.
        silent: Addresses that never answer: connecting to them never ends.
        look_ups: Every name that was looked up, in order.
    """

    def __init__(self) -> None:
        self.names: dict[str, tuple[str, ...]] = {"localhost": ("127.0.0.1",)}
        self.latency: Callable[[], float] = lambda: 0.0
        self.silent: set[str] = set()
        self.look_ups: list[str] = []
        self._servers: dict[Address, MemoryServer] = {}
        self._next_port = _FIRST_PORT

    def listen(self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int) -> MemoryServer:
        """Listen at an address. Port 0 takes a free one."""
        if not port:
            port, self._next_port = self._next_port, self._next_port + 1
        if (host, port) in self._servers:
            raise OSError(98, f"{host}:{port} is in use")
        server = self._servers[host, port] = MemoryServer(self, factory, (host, port))
        return server

    def listens(self, server: MemoryServer) -> bool:
        """Return whether a listener is open."""
        return self._servers.get(server.address) is server

    def forget(self, server: MemoryServer) -> None:
        """Remove a listener."""
        self._servers.pop(server.address, None)

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:  # noqa: ARG002  (as the pool's resolvers are called)
        """Look a name up.

        Raises:
            OSError: If it has no address.
        """
        self.look_ups.append(host)
        addresses = self.names.get(host, (host,) if host[:1].isdigit() else ())
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return addresses

    async def connect(
        self,
        loop: asyncio.AbstractEventLoop,
        factory: Callable[[], asyncio.BaseProtocol],
        host: str,
        port: int,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connect two protocols, after one round trip."""
        await asyncio.sleep(self.latency() * 2)
        if host in self.silent:
            await loop.create_future()
        server = self._servers.get((host, port))
        if server is None:
            raise ConnectionRefusedError(111, f"{host}:{port} refuses connections")
        near = MemoryTransport(loop, factory(), self, (host, port))
        far = MemoryTransport(loop, server.factory(), self, (host, port))
        near.peer, far.peer = far, near
        far.begin()
        near.begin()
        return near, near.get_protocol()


class MemoryServer(asyncio.AbstractServer):
    """A listener in memory."""

    def __init__(self, network: MemoryNetwork, factory: Callable[[], asyncio.BaseProtocol], address: Address) -> None:
        self.factory = factory
        self.address = address
        self._network = network

    @property
    def sockets(self) -> tuple[_MemorySocket, ...]:
        """A list of one object, which has the address as a socket does."""
        return (_MemorySocket(self.address),)

    def close(self) -> None:
        """Stop listening. Connections stay open."""
        self._network.forget(self)

    async def wait_closed(self) -> None:
        """Return at once: closing takes no time."""

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the running loop."""
        return asyncio.get_running_loop()

    def is_serving(self) -> bool:
        """Return whether it listens."""
        return self._network.listens(self)

    async def start_serving(self) -> None:
        """Do nothing: it has listened since it was made."""

    async def serve_forever(self) -> None:
        """Wait until cancelled, then close."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.close()


class _MemorySocket:
    """The few methods of a socket that its users call."""

    def __init__(self, address: Address, transport: MemoryTransport | None = None) -> None:
        self._address = address
        self._transport = transport

    def getsockname(self) -> Address:
        return self._address

    def getpeername(self) -> Address:
        return self._address

    def fileno(self) -> int:
        return -1

    def setsockopt(self, level: int, option: int, _value: object) -> None:
        """Record a lingering time of zero: closing then resets."""
        if self._transport is not None and (level, option) == (socket.SOL_SOCKET, socket.SO_LINGER):
            self._transport.resets = True


class MemoryTransport(asyncio.Transport):
    """One end of a connection in memory.

    Attributes:
        peer: The other end.
        resets: Whether aborting it resets the other end instead of ending the stream.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, protocol: asyncio.BaseProtocol, network: MemoryNetwork, address: Address
    ) -> None:
        super().__init__({"socket": _MemorySocket(address, self), "peername": address})
        self.peer: MemoryTransport | None = None
        self.resets = False
        self._loop = loop
        self._protocol = cast("asyncio.Protocol | asyncio.BufferedProtocol", protocol)
        self._network = network
        self._arriving: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._due = 0.0
        self._closing = False
        self._lost = False

    def begin(self) -> None:
        """Tell the protocol that it is connected."""
        self._protocol.connection_made(self)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Take another protocol."""
        self._protocol = cast("asyncio.Protocol | asyncio.BufferedProtocol", protocol)

    def is_closing(self) -> bool:
        """Return whether it was closed on this side."""
        return self._closing

    def is_reading(self) -> bool:
        """Return whether the protocol reads."""
        return not self._closing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes to the other end. After closing they are lost, as on a socket."""
        if self.peer is None or self._closing:
            return
        for start in range(0, len(data), _READ_BYTES):
            self.peer.arrive(self.peer.receive, bytes(data[start : start + _READ_BYTES]))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send all these bytes."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """Return False: one direction alone cannot be closed."""
        return False

    def get_write_buffer_size(self) -> int:
        """Return 0: there is no buffer."""
        return 0

    def close(self) -> None:
        """Close this end. The other end sees the end of the stream."""
        self._end(ended=True)

    def abort(self) -> None:
        """Close this end. The other end sees a reset if ``resets`` is set, else the end of the stream."""
        self._end(ended=not self.resets)

    def arrive(self, action: Callable[..., None], *arguments: Any) -> None:
        """Schedule a call after the network's latency, and after everything that was sent before."""
        self._due = max(self._due, self._loop.time() + self._network.latency())
        self._arriving.append((action, arguments))
        self._loop.call_at(self._due, self._take_next)

    def receive(self, data: bytes) -> None:
        """Pass bytes to the protocol, through its own buffer if it has one."""
        if self._closing:
            return
        protocol = self._protocol
        if not isinstance(protocol, asyncio.BufferedProtocol):
            protocol.data_received(data)
            return
        while data and not self._closing:
            buffer = memoryview(protocol.get_buffer(len(data)))
            taken = min(len(buffer), len(data))
            buffer[:taken] = data[:taken]
            protocol.buffer_updated(taken)
            data = data[taken:]

    def receive_end(self) -> None:
        """Report the end of the stream to the protocol, and close unless it asks to stay open."""
        if not self._closing and not self._protocol.eof_received():
            self.close()

    def receive_reset(self) -> None:
        """Report the reset to the protocol."""
        if not self._lost:
            self._closing = True
            self._lose(ConnectionResetError(104, "Connection reset by peer"))

    def _end(self, *, ended: bool) -> None:
        if self._closing:
            return
        self._closing = True
        if self.peer is not None:
            self.peer.arrive(self.peer.receive_end if ended else self.peer.receive_reset)
        self._loop.call_soon(self._lose, None)

    def _take_next(self) -> None:
        """Run the oldest call: timers that are due at the same moment may fire in any order."""
        action, arguments = self._arriving.popleft()
        action(*arguments)

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self._protocol.connection_lost(error)
