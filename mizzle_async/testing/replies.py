"""The replies of a scripted server: complete answers and every kind of broken one.

They are plain values. `mizzle_async.testing.server` sends them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal
from zlib import crc32

import orjson
from attrs import evolve, field, frozen

_REASONS = {
    200: "OK",
    400: "Bad Request",
    413: "Payload Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_NAMESPACE = "com.amazonaws.dynamodb.v20120810#"
_CONTENT_TYPE = "application/x-amz-json-1.0"
_PAGE = b"<html><body><h1>Service Unavailable</h1></body></html>"


class Ending(Enum):
    """The state of the connection after the last byte of a `Reply`."""

    KEEP = "keep"
    """It waits for the next request."""

    CLOSE = "close"
    """The server closes it (FIN)."""

    RESET = "reset"
    """The server resets it (RST)."""

    HANG = "hang"
    """It stays open and answers nothing more."""


@frozen
class Reply:
    """One answer as it goes onto the wire.

    Attributes:
        payload: The body: bytes as they are, anything else as JSON.
        status: The HTTP status.
        headers: Added to DynamoDB's headers or put in their place. A value of None leaves a header out.
        checksum: ``x-amz-crc32``: right, wrong, or absent.
        framing: How the body ends: by ``Content-Length``, in chunks, or by closing the connection.
        prefix: Bytes before the status line, such as an interim answer.
        trailing: Bytes after the answer that belong to nothing.
        cut: Send only so many bytes of the whole, then end as ``ending`` says.
        drip: Send so many bytes at a time.
        pause: Seconds before the first byte and, with ``drip``, before each further portion.
        ending: The state of the connection afterwards.
        own_headers: Whether the headers that DynamoDB always sends are added.
    """

    payload: Any = field(factory=dict)
    status: int = 200
    headers: Mapping[str, str | None] = field(factory=dict)
    checksum: Literal["right", "wrong", "absent"] = "right"
    framing: Literal["length", "chunked", "close"] = "length"
    prefix: bytes = b""
    trailing: bytes = b""
    cut: int | None = None
    drip: int | None = None
    pause: float = 0.0
    ending: Ending = Ending.KEEP
    own_headers: bool = True

    @classmethod
    def error(cls, code: str, message: str = "", *, status: int = 400, **members: Any) -> Reply:
        """Answer with an error of the service, such as ``ValidationException``, with further members as they are."""
        return cls({"__type": _NAMESPACE + code, "message": message or f"scripted {code}", **members}, status)

    @classmethod
    def throttled(
        cls, reason: str = "TableReadKeyRangeThroughputExceeded", resource: str = "arn:aws:dynamodb"
    ) -> Reply:
        """Answer that the request's rate is too high, with a reason in the service's form."""
        message = "The level of configured provisioned throughput for the table was exceeded."
        reasons = [{"reason": reason, "resource": resource}]
        return cls.error("ProvisionedThroughputExceededException", message, ThrottlingReasons=reasons)

    @classmethod
    def html(cls, status: int = 503) -> Reply:
        """Answer with a page of HTML, as load balancers and captive portals do: no checksum, no request id."""
        return cls(_PAGE, status, {"Content-Type": "text/html", "x-amzn-RequestId": None}, "absent")

    @classmethod
    def redirect(cls, location: str, status: int = 307) -> Reply:
        """Answer that the request should be sent elsewhere."""
        return cls(b"", status, {"Location": location}, "absent")

    @classmethod
    def hang(cls) -> Reply:
        """Read the request and never answer."""
        return cls(cut=0, ending=Ending.HANG)

    @classmethod
    def close(cls) -> Reply:
        """Read the request and close the connection without a byte, as a stale keep-alive connection does."""
        return cls(cut=0, ending=Ending.CLOSE)

    @classmethod
    def reset(cls) -> Reply:
        """Read the request and reset the connection without a byte."""
        return cls(cut=0, ending=Ending.RESET)

    @classmethod
    def raw(cls, data: bytes, ending: Ending = Ending.KEEP) -> Reply:
        """Send these bytes and nothing else."""
        return cls(prefix=data, cut=len(data), ending=ending)

    def body(self) -> bytes:
        """Return the body before any transfer encoding."""
        return self.payload if isinstance(self.payload, bytes) else orjson.dumps(self.payload)

    def encode(self, request_id: str = "", date: str = "") -> bytes:
        """Return the whole answer as bytes, ``cut`` not applied."""
        body = self.body()
        lines = [f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in self._head(body, request_id, date).values()]
        framed = _chunked(body) if self.framing == "chunked" else body
        return b"".join((self.prefix, "\r\n".join(lines).encode("latin-1"), b"\r\n\r\n", framed, self.trailing))

    def parts(self, request_id: str = "", date: str = "") -> tuple[int, dict[str, str], bytes]:
        """Return status, headers (lower-case names to values) and body, as a client reads them."""
        body = self.body()
        return self.status, {name: entry[1] for name, entry in self._head(body, request_id, date).items()}, body

    def _head(self, body: bytes, request_id: str, date: str) -> dict[str, tuple[str, str]]:
        """Return the headers: lower-case names to the name as sent, and its value."""
        closing = self.framing == "close" or self.ending is Ending.CLOSE
        own: dict[str, str | None] = {
            "Server": "Server" if self.own_headers else None,
            "Date": date if self.own_headers and date else None,
            "Content-Type": _CONTENT_TYPE if self.own_headers else None,
            "Content-Length": str(len(body)) if self.framing == "length" else None,
            "Transfer-Encoding": "chunked" if self.framing == "chunked" else None,
            "Connection": "close" if closing else "keep-alive",
            "x-amzn-RequestId": request_id if self.own_headers and request_id else None,
            "x-amz-crc32": str(crc32(body) ^ (self.checksum == "wrong")) if self.checksum != "absent" else None,
        }
        head = {name.lower(): (name, value) for name, value in (*own.items(), *self.headers.items())}
        return {name: (spelled, value) for name, (spelled, value) in head.items() if value is not None}

    def cut_at(self, count: int, ending: Ending = Ending.CLOSE) -> Reply:
        """Return the same answer, cut after ``count`` bytes of the whole."""
        return evolve(self, cut=count, ending=ending)


def _chunked(body: bytes) -> bytes:
    """Split a body into three chunks, so that a client must join them."""
    size = max(1, -(-len(body) // 3))
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join([b"%x\r\n%b\r\n" % (len(part), part) for part in parts]) + b"0\r\n\r\n"
