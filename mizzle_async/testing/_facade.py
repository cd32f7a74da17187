"""The base of servers that stand before an engine: their life, and the log of the requests of clients."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from mizzle_async.testing._upstream import Upstream
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import Event, Request, ScriptedServer
from mizzle_async.wire.exchange import Endpoint


class Facade:
    """A server before an engine.

    Args:
        upstream: The engine's URL.
        answer: Answers each request.
    """

    def __init__(self, upstream: str, answer: Callable[[Request], Awaitable[Reply]]) -> None:
        self._upstream: Upstream = Upstream(upstream)
        self._server: ScriptedServer = ScriptedServer(answer)

    async def start(self) -> Self:
        """Listen on a free port of 127.0.0.1."""
        await self._server.start()
        return self

    async def stop(self) -> None:
        """Close every connection on both sides."""
        try:
            await self._server.stop()
        finally:
            await self._end_work()
            await self._upstream.aclose()

    async def _end_work(self) -> None:
        """End the facade's own work at the engine, before the connections to it close."""

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The URL to use as ``endpoint_url``."""
        return self._server.url

    @property
    def endpoint(self) -> Endpoint:
        """The port that it listens on."""
        return self._server.endpoint

    @property
    def server(self) -> ScriptedServer:
        """The server that clients connect to."""
        return self._server

    @property
    def requests(self) -> list[Request]:
        """Every request, in order."""
        return self._server.requests

    @property
    def log(self) -> list[Event]:
        """Every event of its connections with clients, in order."""
        return self._server.log
