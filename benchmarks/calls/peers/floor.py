"""The floor: the least that a client in Python can do and still talk to DynamoDB.

No retry, no deadline, no check, no class. ``bare``: an asyncio protocol with one buffer, framing by hand, SigV4 with
everything cached that stays the same for a second, orjson, values decoded by type. ``aiohttp``: the same over aiohttp.
The rest of a full client's cost is the price of its comfort.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from calls.peers.floor_verbs import Codec, Send, verbs
from harness import workload
from harness.measure import Settings

SCOPE = f"{workload.REGION}/dynamodb/aws4_request"
SIGNED = "content-type;host;x-amz-date;x-amz-target"
BUFFER = bytearray(256 * 1024)
VIEW = memoryview(BUFFER)


class Signer:
    """SigV4 for one host: the day's key, and each target's part of this second, are made once."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.second = 0
        self.targets: dict[str, tuple[Any, bytes]] = {}
        self.prefix: Any

    def begin_second(self, second: int) -> None:
        """Make the parts that stay the same for a second."""
        self.second = second
        self.stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        day = self.stamp[:8]
        key = f"AWS4{workload.SECRET_KEY}".encode()
        for part in (day, *SCOPE.split("/")):
            key = hmac.digest(key, part.encode(), "sha256")
        self.prefix = hmac.new(key, f"AWS4-HMAC-SHA256\n{self.stamp}\n{day}/{SCOPE}\n".encode(), "sha256")
        self.credential = f"AWS4-HMAC-SHA256 Credential={workload.ACCESS_KEY}/{day}/{SCOPE}, SignedHeaders={SIGNED}"
        self.targets.clear()

    def begin_target(self, operation: str) -> tuple[Any, bytes]:
        """Make the parts of an operation that stay the same for a second: the hash begun, and the head."""
        target = f"DynamoDB_20120810.{operation}"
        canonical = (
            f"POST\n/\n\ncontent-type:application/x-amz-json-1.0\nhost:{self.host}\nx-amz-date:{self.stamp}\n"
            f"x-amz-target:{target}\n\n{SIGNED}\n"
        )
        head = (
            f"POST / HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/x-amz-json-1.0\r\n"
            f"X-Amz-Target: {target}\r\nX-Amz-Date: {self.stamp}\r\n"
            f"Authorization: {self.credential}, Signature="
        )
        made = self.targets[operation] = (hashlib.sha256(canonical.encode()), head.encode())
        return made

    def request(self, operation: str, body: bytes) -> bytes:
        """Return the signed request."""
        second = int(time.time())
        if second != self.second:
            self.begin_second(second)
        begun, head = self.targets.get(operation) or self.begin_target(operation)
        canonical = begun.copy()
        canonical.update(hashlib.sha256(body).hexdigest().encode())
        signature = self.prefix.copy()
        signature.update(canonical.hexdigest().encode())
        return b"%b%b\r\nContent-Length: %d\r\n\r\n%b" % (head, signature.hexdigest().encode(), len(body), body)


class Connection(asyncio.BufferedProtocol):
    """One connection with one request on it at most; all of them read into one buffer."""

    def __init__(self) -> None:
        self.rest = b""
        self.waiter: asyncio.Future[Any]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport's method."""
        self.transport = transport
        self.write = transport.write  # type: ignore[attr-defined]  # a Transport

    def get_buffer(self, _hint: int) -> memoryview:
        """Return the buffer: its view, because TLS reads into slices, and a slice of a bytearray is a copy."""
        return VIEW

    def buffer_updated(self, count: int) -> None:
        """Resolve the waiter once the whole body is here."""
        if self.rest:
            self.long_answer(self.rest + VIEW[:count])
            return
        end = BUFFER.find(b"\r\n\r\n", 0, count) + 4
        at = BUFFER.find(b"Content-Length: ", 0, end) + 16
        if end >= 4 and end + int(BUFFER[at : BUFFER.find(b"\r", at, end)]) == count:  # noqa: PLR2004  (it was found)
            self.waiter.set_result(orjson.loads(VIEW[end:count]))
        else:
            self.long_answer(bytes(VIEW[:count]))

    def long_answer(self, data: bytes) -> None:
        """Keep an answer that did not come in one piece, and resolve the waiter with its last one."""
        self.rest = data
        end = data.find(b"\r\n\r\n") + 4
        at = data.find(b"Content-Length: ") + 16
        if end >= 4 and len(data) == end + int(data[at : data.index(b"\r", at)]):  # noqa: PLR2004  (it was found)
            self.rest = b""
            self.waiter.set_result(orjson.loads(data[end:]))


@asynccontextmanager
async def bare(settings: Settings, context: ssl.SSLContext | None) -> AsyncIterator[Send]:
    """Send over connections of our own."""
    loop = asyncio.get_running_loop()
    idle: list[Connection] = []
    signer = Signer(f"{settings.host}:{settings.port}")

    async def send(operation: str, request: dict[str, Any]) -> Any:
        data = signer.request(operation, orjson.dumps(request))
        if idle:
            connection = idle.pop()
        else:
            _, connection = await loop.create_connection(Connection, settings.host, settings.port, ssl=context)
        waiter = connection.waiter = loop.create_future()
        connection.write(data)
        answer = await waiter
        idle.append(connection)
        return answer

    yield send
    for connection in idle:
        connection.transport.close()  # type: ignore[attr-defined]  # a Transport


@asynccontextmanager
async def behind_aiohttp(settings: Settings, context: ssl.SSLContext | None) -> AsyncIterator[Send]:
    """Send with aiohttp."""
    import aiohttp  # noqa: PLC0415  (only this variant)

    signer = Signer(f"{settings.host}:{settings.port}")
    connector = aiohttp.TCPConnector(limit=settings.connections, ssl=context or True)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def send(operation: str, request: dict[str, Any]) -> Any:
            body = orjson.dumps(request)
            head, _, _ = signer.request(operation, body).partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[2:])
            async with session.post(settings.endpoint, data=body, headers=headers) as response:
                return orjson.loads(await response.read())

        yield send


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[dict[str, Callable[[], Awaitable[Any]]]]:
    """Offer every verb."""
    context = ssl.create_default_context(cafile=settings.certificates) if settings.certificates else None
    opener = behind_aiohttp if settings.variant == "aiohttp" else bare
    async with opener(settings, context) as send:
        yield verbs(send, Codec())
