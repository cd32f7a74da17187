"""aiohttp's connections, held to the framing rules of our own.

aiohttp parses leniently: bare line feeds, spaces before colons, folded headers, endless interim answers. A lenient
parser and a strict one on the same way may disagree about where an answer ends. So every byte is read by our own reader
first, and an answer that it refuses never reaches aiohttp's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from mizzle_async.errors import CorruptResponseError
from mizzle_async.types import Outcome
from mizzle_async.wire.framing import AnswerReader, FramingError


class FramingGuard(AnswerReader):
    """Reads an answer for its framing alone; aiohttp keeps the body."""

    __slots__ = ()

    def on_body(self, body: bytes) -> None:
        """Keep nothing."""
        del body


def frame_strictly(connector: Any, loop: asyncio.AbstractEventLoop) -> None:
    """Have a connector of aiohttp make connections that refuse what our own connections refuse.

    Args:
        connector: The connector, which has no connection yet.
        loop: Its event loop.
    """
    handler_class: Callable[..., Any] = _handler_class()
    connector._factory = partial(handler_class, loop=loop)  # noqa: SLF001  (there is no public way to give one)


@lru_cache(maxsize=1)
def _handler_class() -> type[Any]:
    """Make the connection's class; aiohttp is imported only where a client needs it."""
    from aiohttp.client_proto import ResponseHandler

    class FramedHandler(ResponseHandler):
        """A connection of aiohttp that reads each answer by our rules before aiohttp does."""

        _guard: FramingGuard | None = None

        def set_response_params(self, **options: Any) -> None:
            """Begin an answer."""
            self._guard = FramingGuard()
            super().set_response_params(**options)

        def data_received(self, data: bytes) -> None:
            """Read on, or fail the answer and close the connection."""
            if self._guard is not None and data:
                try:
                    if self._guard.feed(data) is not None:
                        if not self._guard.keeps_alive:
                            self.force_close()
                        self._guard = None
                except FramingError as error:
                    self._refuse(str(error))
                    return
            super().data_received(data)

        def _refuse(self, reason: str) -> None:
            error = CorruptResponseError(f"corrupt answer: {reason}", outcome=Outcome.UNKNOWN)
            self._guard = None
            payload = self._payload
            self.set_exception(error)
            if payload is not None and payload.exception() is None:
                payload.set_exception(error)
            if self.transport is not None:
                self.transport.abort()

    return FramedHandler
