"""Calls whose answers are kept as JSON, for instruments that look at them.

What an operation parses holds what it needs: records have the attributes of their class alone, and a page of a stream
is parsed in part. An instrument is promised the answer.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from mizzle_async.types import Caller, WireRequest, WireResponse


async def call_keeping(caller: Caller, request: WireRequest) -> WireResponse:
    """Make a call, and keep the JSON of its answer.

    Args:
        caller: Makes it.
        request: The request.
    """
    read = request.parse
    if read is None:
        return await caller.call(request)
    kept: dict[int, bytes] = {}

    def parse(body: bytes) -> Any:
        parsed = read(body)
        kept[id(parsed)] = body  # of a hedged read, two answers may be parsed, and either may be the answer
        return parsed

    response = await caller.call(evolve(request, parse=parse))
    return evolve(response, kept=kept.get(id(response.parsed)))
