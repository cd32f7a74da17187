"""A proxy on loopback, before an engine, that shows the faults of networks and services.

It understands HTTP, so it can lose an answer, after the engine applied the request, or lose the request before that. It
counts the requests that reached the engine: a test compares its client's report with that count.

Example:
    async with FaultProxy(engine.endpoint_url, sometimes(Fault.drop_after(), 0.2, random.Random(7))) as proxy:
        ...
    assert proxy.forwarded["UpdateItem"] == applied
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeAlias

from attrs import evolve, frozen

from mizzle_async.errors import TransportError
from mizzle_async.testing._facade import Facade
from mizzle_async.testing.replies import Ending, Reply
from mizzle_async.testing.server import Request

_BAD_GATEWAY = 502


def _unchanged(reply: Reply) -> Reply:
    return reply


@frozen
class Fault:
    """A fault of one request.

    Attributes:
        name: The name in the counts.
        forwards: Whether the request reaches the engine, which may then apply it.
        change: Makes the client's answer out of the engine's, or out of an empty one if the engine was not asked.
    """

    name: str
    forwards: bool = True
    change: Callable[[Reply], Reply] = _unchanged

    @classmethod
    def drop_before(cls, ending: Ending = Ending.CLOSE) -> Fault:
        """Lose the request: the engine never sees it, and the connection is closed."""
        return cls("drop before", forwards=False, change=lambda _reply: Reply(cut=0, ending=ending))

    @classmethod
    def drop_after(cls, ending: Ending = Ending.CLOSE) -> Fault:
        """Lose the answer: the engine has applied the request, and the connection is closed."""
        return cls("drop after", change=lambda _reply: Reply(cut=0, ending=ending))

    @classmethod
    def reset(cls) -> Fault:
        """Lose the answer by resetting the connection."""
        return cls("reset", change=lambda _reply: Reply.reset())

    @classmethod
    def hang_before(cls) -> Fault:
        """Keep the request, and send nothing."""
        return cls("hang before", forwards=False, change=lambda _reply: Reply.hang())

    @classmethod
    def hang_after(cls) -> Fault:
        """Keep the answer, and send nothing."""
        return cls("hang after", change=lambda _reply: Reply.hang())

    @classmethod
    def delay(cls, seconds: float) -> Fault:
        """Delay the answer by so many seconds."""
        return cls("delay", change=lambda reply: evolve(reply, pause=seconds))

    @classmethod
    def cut(cls, count: int, ending: Ending = Ending.CLOSE) -> Fault:
        """Cut the answer after so many bytes of head and body."""
        return cls("cut", change=lambda reply: reply.cut_at(count, ending))

    @classmethod
    def corrupt(cls) -> Fault:
        """Change one byte of the body, but neither its checksum nor its length."""
        return cls("corrupt", change=_corrupted)

    @classmethod
    def drip(cls, count: int, seconds: float = 0.0) -> Fault:
        """Send the answer in small portions."""
        return cls("drip", change=lambda reply: evolve(reply, drip=count, pause=seconds))

    @classmethod
    def chunked(cls) -> Fault:
        """Send the answer in chunks: this is no fault, and clients must understand it."""
        return cls("chunked", change=lambda reply: evolve(reply, framing="chunked"))

    @classmethod
    def instead(cls, reply: Reply, *, forwards: bool = False, name: str = "instead") -> Fault:
        """Answer with another reply, such as `Reply.throttled`, `Reply.html` or `Reply.redirect`."""
        return cls(name, forwards=forwards, change=lambda _reply: reply)

    @classmethod
    def throttle(cls) -> Fault:
        """Answer that the request's rate is too high. The engine never sees it."""
        return cls.instead(Reply.throttled(), name="throttle")

    @classmethod
    def html(cls, status: int = 503) -> Fault:
        """Answer with a page of HTML. The engine never sees the request."""
        return cls.instead(Reply.html(status), name="html")

    @classmethod
    def redirect(cls, location: str, status: int = 307) -> Fault:
        """Answer that the request should be sent elsewhere. The engine never sees it."""
        return cls.instead(Reply.redirect(location, status), name="redirect")


Faults: TypeAlias = Iterable[Fault | None] | Callable[[Request], Fault | None]
"""Faults in the order of the requests (None: none), or a function that chooses one for each request."""


class FaultProxy(Facade):
    """Pass requests on to an engine, with faults.

    Args:
        upstream: The engine's URL.
        faults: The faults. After the end of a list there are no more.

    Attributes:
        forwarded: The number of requests of each operation that reached the engine.
        faulted: The number of uses of each fault, by name.
    """

    def __init__(self, upstream: str, faults: Faults = ()) -> None:
        super().__init__(upstream, self._answer)
        self._choose = faults if callable(faults) else _in_order(faults)
        self.forwarded: Counter[str] = Counter()
        self.faulted: Counter[str] = Counter()

    def __repr__(self) -> str:
        faults = ", ".join(f"{count} times {name}" for name, count in sorted(self.faulted.items())) or "no faults"
        return f"<FaultProxy {self.url}: {self.forwarded.total()} of {len(self.requests)} forwarded, {faults}>"

    async def _answer(self, request: Request) -> Reply:
        fault = self._choose(request)
        if fault is None:
            return await self._forward(request)
        self.faulted[fault.name] += 1
        return fault.change(await self._forward(request) if fault.forwards else Reply())

    async def _forward(self, request: Request) -> Reply:
        self.forwarded[request.operation] += 1
        try:
            return await self._upstream.forward(request)
        except TransportError:
            return Reply.html(_BAD_GATEWAY)


def sometimes(
    fault: Fault, share: float, generator: random.Random, *, operations: Iterable[str] = ()
) -> Callable[[Request], Fault | None]:
    """Choose a fault for a share of the requests.

    Args:
        fault: The fault.
        share: Between 0 and 1.
        generator: Chooses the requests. With the same seed it chooses the same ones.
        operations: The operations that may be chosen (none named: all).
    """
    chosen = frozenset(operations)

    def choose(request: Request) -> Fault | None:
        concerned = not chosen or request.operation in chosen
        return fault if concerned and generator.random() < share else None

    return choose


def at_reuse(fault: Fault) -> Callable[[Request], Fault | None]:
    """Choose a fault for every request but the first on its connection."""
    return lambda request: fault if request.number > 1 else None


def _in_order(faults: Iterable[Fault | None]) -> Callable[[Request], Fault | None]:
    script = iter(faults)
    return lambda _request: next(script, None)


def _corrupted(reply: Reply) -> Reply:
    body = reply.body()
    middle = len(body) // 2
    return evolve(reply, payload=body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]) if body else reply
