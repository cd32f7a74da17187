"""Requests after one that failed: sent before it is sent again, or in its place, within the time of one call."""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

from attrs import evolve

from mizzle_async.errors import MizzleError
from mizzle_async.flow.ports import SendingPort
from mizzle_async.operations import Metered, Operation, derive, use
from mizzle_async.types import Sendable, WireRequest

ResultT = TypeVar("ResultT")

FOLLOW_UPS: Final = 3
"""Requests that may be sent after one that failed, each judged by the answer to the one before."""


async def follow_up(
    port: SendingPort, operation: Sendable[ResultT], request: WireRequest, error: MizzleError, ends: float
) -> tuple[Sendable[ResultT], WireRequest] | None:
    """Return the operation to send after a failure with its request, or None where the failure stands.

    Args:
        port: Sends what must come first.
        operation: The operation that failed.
        request: Its request.
        error: The failure.
        ends: The end of the call's time, by the loop's clock.
    """
    clock = asyncio.get_running_loop().time
    sending = operation.sending
    first = sending.follow_up(error, port.now())
    if first is not None:
        await port.send(_within(first, ends - clock()))
        left = ends - clock()
        return None if left <= 0 else (operation, evolve(request, timeout=left))
    look = sending.look(error)
    item = None if look is None else await port.send(_within(look, ends - clock()))
    revised = sending.revised(error, item, port.now())
    if revised is None:
        return None
    left = ends - clock()
    revised = _within(revised, left)
    if left <= 0:
        return None
    revised.sending.begin(port.now())
    return revised, revised.sending.to_request()


def _within(operation: Sendable[ResultT], seconds: float) -> Sendable[ResultT]:
    """Return an operation that may take so many seconds."""
    if isinstance(operation, Metered):
        return Metered(_within(operation.operation, seconds), operation.meter)
    if not isinstance(operation, Operation):
        return operation
    limited = derive(operation, _timeout=max(seconds, 0.0))
    use(limited)
    return limited
