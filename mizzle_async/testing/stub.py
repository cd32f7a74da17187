"""Doubles for unit tests, without a service, a server or a socket.

`StubCaller` replaces everything below a client: signing, pool, retries. `StubTransport` replaces the pool only, so that
signing and retries are the real ones.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import orjson

from mizzle_async.testing.replies import Reply
from mizzle_async.types import Outcome, RepeatSafety, WirePayload, WireRequest, WireResponse
from mizzle_async.wire.answers import check_answer
from mizzle_async.wire.exchange import Answer, Exchange

Scripted: TypeAlias = WirePayload | Exception
"""An answer's payload, or an error to raise."""

Replies: TypeAlias = Mapping[str, Scripted | Sequence[Scripted] | Callable[[WireRequest], Scripted]]
"""For each operation: the same answer always, answers in order, or a function of the request."""


class StubCaller:
    """Answer calls from a script.

    Args:
        replies: The answers, by operation. A request without an answer is an error of the test. Answers are checked as
            on the wire: one that cannot be the answer to its request, such as an item under another key, raises
            `CorruptResponseError`.

    Attributes:
        requests: Every request, in order.

    Example:
        caller = StubCaller({"GetItem": {"Item": {"pk": {"S": "a"}}}, "PutItem": [ThrottledError("too fast"), {}]})
    """

    def __init__(self, replies: Replies | None = None) -> None:
        self._replies: dict[str, Callable[[WireRequest], Scripted]] = {}
        self.requests: list[WireRequest] = []
        for operation, reply in (replies or {}).items():
            self.on(operation, reply)

    def __repr__(self) -> str:
        return f"<StubCaller {len(self.requests)} requests; answers {', '.join(sorted(self._replies)) or 'nothing'}>"

    def on(self, operation: str, reply: Scripted | Sequence[Scripted] | Callable[[WireRequest], Scripted]) -> None:
        """Set the answer of an operation from now on."""
        if callable(reply):
            self._replies[operation] = reply
        elif isinstance(reply, Sequence):
            self._replies[operation] = _in_order(iter(reply), operation)
        else:
            self._replies[operation] = lambda _request: reply

    @property
    def operations(self) -> list[str]:
        """The operations of the requests, in order."""
        return [request.operation for request in self.requests]

    @property
    def payloads(self) -> list[WirePayload]:
        """The requests' bodies as JSON, in order."""
        return [orjson.loads(request.body) for request in self.requests]

    async def call(self, request: WireRequest, /) -> WireResponse:
        """Answer from the script."""
        self.requests.append(request)
        reply = self._replies.get(request.operation)
        if reply is None:
            raise AssertionError(f"the stub has no answer for {request.operation}: name it in `StubCaller({{…}})`")
        answer = reply(request)
        if isinstance(answer, Exception):
            raise answer
        payload = answer if request.parse is None else request.parse(orjson.dumps(answer))
        return WireResponse(payload, f"STUB{len(self.requests):04}")

    async def control(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a call about tables from the same script, and record it with its parameters as the body."""
        table = str(parameters.get("TableName", ""))
        request = WireRequest(operation, orjson.dumps(dict(parameters), default=str), table, RepeatSafety.UNSAFE)
        return (await self.call(request)).payload

    async def aclose(self) -> None:
        """Do nothing: a stub holds nothing open."""


class StubTransport:
    """Answer exchanges from a script, with real bytes: every answer passes the same checks as one from a socket.

    Args:
        script: Replies in order, or a function (or coroutine function) of the exchange. An exception in place of a
            reply is raised. The fields of a `Reply` that need a connection (``cut``, ``drip``, ``pause``, ``ending``)
            have no effect.

    Attributes:
        exchanges: Every exchange, in order.
    """

    def __init__(
        self,
        script: Sequence[Reply | Exception] | Callable[[Exchange], Reply | Exception | Awaitable[Reply | Exception]],
    ) -> None:
        self._script = script if callable(script) else _replies_in_order(iter(script))
        self.exchanges: list[Exchange] = []

    async def exchange(self, exchange: Exchange, /) -> Answer:
        """Answer from the script."""
        self.exchanges.append(exchange)
        reply = self._script(exchange)
        exchange.phase = Outcome.UNKNOWN
        if isinstance(reply, Awaitable):
            reply = await reply
        if isinstance(reply, Exception):
            raise reply
        status, headers, body = reply.parts(f"STUB{len(self.exchanges):04}")
        answer = check_answer(status, headers, body, exchange.parse)
        exchange.phase = Outcome.ANSWERED
        return answer

    async def aclose(self) -> None:
        """Do nothing: a stub holds nothing open."""


def _in_order(replies: Iterator[Scripted], operation: str) -> Callable[[WireRequest], Scripted]:
    def following(_request: WireRequest) -> Scripted:
        for reply in replies:
            return reply
        raise AssertionError(f"the stub has no further answer for {operation}")

    return following


def _replies_in_order(replies: Iterator[Reply | Exception]) -> Callable[[Exchange], Reply | Exception]:
    def following(_exchange: Exchange) -> Reply | Exception:
        for reply in replies:
            return reply
        raise AssertionError("the stub has no further answer")

    return following
