"""The floor: the least that a client in Python can do and still talk to DynamoDB.

No retry, no deadline, no check, no class. ``bare``: an asyncio protocol, framing by hand, SigV4 with the day's key
cached, orjson, values decoded by type. ``aiohttp``: the same behind aiohttp. What a full client costs above these is
what it charges for its comfort.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import orjson
from harness import workload
from harness.measure import Settings

SCOPE = f"{workload.REGION}/dynamodb/aws4_request"


class Signer:
    """SigV4 for one host, with the day's key cached and the second's time stamp too."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.second = 0
        self.stamp = self.day = ""
        self.key: hmac.HMAC

    def headers(self, target: str, body: bytes) -> tuple[str, str]:
        """Sign one body.

        Returns:
            The time stamp, and the Authorization header.
        """
        second = int(time.time())
        if second != self.second:
            self.second = second
            self.stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
            if self.stamp[:8] != self.day:
                self.day = self.stamp[:8]
                key = f"AWS4{workload.SECRET_KEY}".encode()
                for part in (self.day, *SCOPE.split("/")):
                    key = hmac.digest(key, part.encode(), "sha256")
                self.key = hmac.new(key, digestmod="sha256")
        digest = hashlib.sha256(body).hexdigest()
        canonical = (
            f"POST\n/\n\ncontent-type:application/x-amz-json-1.0\nhost:{self.host}\nx-amz-date:{self.stamp}\n"
            f"x-amz-target:{target}\n\ncontent-type;host;x-amz-date;x-amz-target\n{digest}"
        )
        text = f"AWS4-HMAC-SHA256\n{self.stamp}\n{self.day}/{SCOPE}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signer = self.key.copy()
        signer.update(text.encode())
        return self.stamp, (
            f"AWS4-HMAC-SHA256 Credential={workload.ACCESS_KEY}/{self.day}/{SCOPE}, "
            f"SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={signer.hexdigest()}"
        )


class Connection(asyncio.Protocol):
    """One connection with one request on it at most."""

    def __init__(self) -> None:
        self.buffer = b""
        self.waiter: asyncio.Future[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Resolve the waiter once the whole body is here."""
        self.buffer = data = self.buffer + data if self.buffer else data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return
        at = data.index(b"Content-Length: ") + 16
        length = int(data[at : data.index(b"\r", at)])
        if len(data) < end + 4 + length:
            return
        self.buffer = b""
        self.waiter.set_result(data[end + 4 :])


DECODERS: dict[str, Callable[[Any], Any]] = {
    "S": lambda value: value,
    "BOOL": lambda value: value,
    "NULL": lambda _: None,
    "N": Decimal,
    "B": base64.b64decode,
    "SS": set,
    "NS": lambda value: {Decimal(part) for part in value},
    "BS": lambda value: {base64.b64decode(part) for part in value},
    "L": lambda value: [decode(part) for part in value],
    "M": lambda value: decode_item(value),  # noqa: PLW0108  (defined below)
}


def decode(value: dict[str, Any]) -> Any:
    """Turn one AttributeValue into a Python value."""
    for kind, inner in value.items():
        return DECODERS[kind](inner)
    raise ValueError(value)


def decode_item(item: dict[str, Any]) -> dict[str, Any]:
    """Turn an item into Python values."""
    decoders = DECODERS
    decoded = {}
    for name, value in item.items():
        for kind, inner in value.items():
            decoded[name] = decoders[kind](inner)
    return decoded


def encode(value: Any) -> dict[str, Any]:
    """Turn one Python value of this workload into an AttributeValue."""
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | Decimal():
            return {"N": str(value)}
        case set():
            return {"SS": sorted(value)}
    raise TypeError(value)


def encode_item(item: dict[str, Any]) -> dict[str, Any]:
    """Turn Python values into an item."""
    return {name: encode(value) for name, value in item.items()}


Send = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


@asynccontextmanager
async def bare(settings: Settings, context: ssl.SSLContext | None) -> AsyncIterator[Send]:
    """Send over connections of our own."""
    loop = asyncio.get_running_loop()
    idle: list[Connection] = []
    signer = Signer(f"{settings.host}:{settings.port}")

    async def send(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        body = orjson.dumps(request)
        target = "DynamoDB_20120810." + operation
        stamp, authorization = signer.headers(target, body)
        if idle:
            connection = idle.pop()
        else:
            _, connection = await loop.create_connection(Connection, settings.host, settings.port, ssl=context)
        waiter = connection.waiter = loop.create_future()
        head = (
            f"POST / HTTP/1.1\r\nHost: {signer.host}\r\nContent-Type: application/x-amz-json-1.0\r\n"
            f"X-Amz-Target: {target}\r\nX-Amz-Date: {stamp}\r\n"
            f"Authorization: {authorization}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.transport.write(head.encode() + body)  # type: ignore[attr-defined]  # a Transport
        answer = await waiter
        idle.append(connection)
        parsed: dict[str, Any] = orjson.loads(answer)
        return parsed

    yield send
    for connection in idle:
        connection.transport.close()


@asynccontextmanager
async def behind_aiohttp(settings: Settings, context: ssl.SSLContext | None) -> AsyncIterator[Send]:
    """Send with aiohttp."""
    import aiohttp  # noqa: PLC0415  (only this variant)

    signer = Signer(f"{settings.host}:{settings.port}")
    connector = aiohttp.TCPConnector(limit=settings.connections, ssl=context or True)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def send(operation: str, request: dict[str, Any]) -> dict[str, Any]:
            body = orjson.dumps(request)
            target = "DynamoDB_20120810." + operation
            stamp, authorization = signer.headers(target, body)
            headers = {
                "Content-Type": "application/x-amz-json-1.0",
                "X-Amz-Target": target,
                "X-Amz-Date": stamp,
                "Authorization": authorization,
            }
            async with session.post(settings.endpoint, data=body, headers=headers) as response:
                parsed: dict[str, Any] = orjson.loads(await response.read())
                return parsed

        yield send


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[dict[str, Callable[[], Awaitable[Any]]]]:
    """Offer the five operations."""
    context = ssl.create_default_context(cafile=settings.certificates) if settings.certificates else None
    opener = behind_aiohttp if settings.variant == "aiohttp" else bare
    item = workload.text_native(0)
    batch = [workload.text_native(number) for number in range(workload.BATCH_WRITE_ITEMS)]
    keys = [workload.key(number) for number in range(workload.BATCH_GET_ITEMS)]
    async with opener(settings, context) as send:

        async def get_item() -> Any:
            answer = await send("GetItem", {"TableName": workload.TABLE, "Key": encode_item(workload.key(0))})
            return decode_item(answer["Item"])

        async def put_item() -> Any:
            await send("PutItem", {"TableName": workload.TABLE, "Item": encode_item(item)})

        async def query() -> Any:
            request = {
                "TableName": workload.TABLE,
                "KeyConditionExpression": "#0 = :0",
                "ExpressionAttributeNames": {"#0": "customer_id"},
                "ExpressionAttributeValues": {":0": encode(workload.PARTITION)},
            }
            answer = await send("Query", request)
            return [decode_item(found) for found in answer["Items"]]

        async def batch_get() -> Any:
            request = {"RequestItems": {workload.TABLE: {"Keys": [encode_item(key) for key in keys]}}}
            answer = await send("BatchGetItem", request)
            return [decode_item(found) for found in answer["Responses"][workload.TABLE]]

        async def batch_write() -> Any:
            writes = [{"PutRequest": {"Item": encode_item(order)}} for order in batch]
            await send("BatchWriteItem", {"RequestItems": {workload.TABLE: writes}})

        yield {
            "get_item": get_item,
            "put_item": put_item,
            "query": query,
            "batch_get": batch_get,
            "batch_write": batch_write,
        }
