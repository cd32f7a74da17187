"""The way from a facade to its engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import Request
from mizzle_async.wire.exchange import Endpoint, Exchange
from mizzle_async.wire.pool.pool import ConnectionPool
from mizzle_async.wire.services import target_of
from mizzle_async.wire.session.endpoints import parse_endpoint

_HOP_HEADERS: Final = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding", "expect"})
_OK: Final = 200
_ANYBODY: Final = (
    "AWS4-HMAC-SHA256 Credential=mizzle/20250101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"
)


class UpstreamError(Exception):
    """The engine refused a request of the facade's own.

    Attributes:
        reply: Its answer.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"the engine answered {reply.status}: {reply.body().decode(errors='replace')}")
        self.reply = reply


class Upstream:
    """Sends to an engine: requests of clients as they are, and requests of the facade's own.

    Args:
        url: The engine's URL.

    Attributes:
        endpoint: The same, in its parts.
    """

    def __init__(self, url: str) -> None:
        self.endpoint: Final[Endpoint] = parse_endpoint(url, allow_http=True)
        self._pool: ConnectionPool | None = None

    async def forward(self, request: Request) -> Reply:
        """Send a client's request, and return the answer unchanged."""
        headers = [entry for entry in request.headers.items() if entry[0] not in _HOP_HEADERS]
        return await self._send(headers, request.body)

    async def call(self, request: Request | None, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request of the facade's own.

        Args:
            request: A client's, whose credentials are used: an engine may keep their tables apart.
            operation: The API's name.
            asked: The request's JSON.

        Raises:
            UpstreamError: The engine refuses it.
        """
        signed = _ANYBODY if request is None else request.headers.get("authorization", _ANYBODY)
        headers = [
            ("host", self.endpoint.authority),
            ("x-amz-target", target_of(operation)),
            ("content-type", "application/x-amz-json-1.0"),
            ("authorization", signed),
        ]
        if request is not None and "x-amz-date" in request.headers:
            headers.append(("x-amz-date", request.headers["x-amz-date"]))
        reply = await self._send(headers, orjson.dumps(asked))
        if reply.status != _OK:
            raise UpstreamError(reply)
        answer: dict[str, Any] = orjson.loads(reply.body())
        return answer

    async def aclose(self) -> None:
        """Close every connection to the engine."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()

    async def _send(self, headers: list[tuple[str, str]], body: bytes) -> Reply:
        if self._pool is None:
            self._pool = ConnectionPool()
        return await self._pool.exchange(Exchange(self.endpoint, headers, body), _as_reply)


def _as_reply(status: int, headers: Mapping[str, str], body: bytes) -> Reply:
    """Return the engine's answer unchanged: with its own checksum, or without one."""
    passed = {name: value for name, value in headers.items() if name not in _HOP_HEADERS}
    return Reply(body, status, passed, "absent", own_headers=False)
