"""A caller that stands in for the I/O stack, with the instruments that would watch the stack."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

from mizzle_async.errors import MizzleError
from mizzle_async.types import Caller, CallRecord, Instrument, RepeatSafety, WireRequest, WireResponse
from mizzle_async.wire.observing import observe
from mizzle_async.wire.session.adapter import control_safety

AnswerT = TypeVar("AnswerT")


class ObservedCaller:
    """Passes calls to a caller, and tells instruments of them. All else is the caller's own.

    Args:
        caller: Answers the calls, such as `mizzle_async.testing.StubCaller`.
        instruments: The client's instruments.
    """

    def __init__(self, caller: Caller, instruments: Iterable[Instrument]) -> None:
        self._caller: Any = caller
        self._instruments = tuple(instruments)

    async def call(self, request: WireRequest, /) -> WireResponse:
        """Make one call."""
        response: WireResponse = await self._observed(request, lambda: self._caller.call(request))
        return response

    async def control(self, operation: str, parameters: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        """Make one call of the control plane."""
        request = WireRequest(operation, b"", str(parameters.get("TableName", "")), control_safety(operation))
        answer: dict[str, Any] = await self._observed(
            request, lambda: self._caller.control(operation, parameters, **options)
        )
        return answer

    def watch(self, instrument: Instrument) -> None:
        """Tell an instrument of calls that finish from now on."""
        self._instruments = (*self._instruments, instrument)

    def unwatch(self, instrument: Instrument) -> None:
        """Tell an instrument of no further call."""
        self._instruments = tuple(one for one in self._instruments if one is not instrument)

    async def distrust(self) -> None:
        """Do nothing: a stand-in has no connections of ours."""

    async def _observed(self, request: WireRequest, call: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
        """Make a call, and tell the instruments how it ended."""
        if not self._instruments:
            return await call()
        clock = asyncio.get_running_loop().time
        started = clock()
        answer: AnswerT | None = None
        error: BaseException | None = None
        try:
            answer = await call()
        except BaseException as failure:
            error = failure
            raise
        else:
            return answer
        finally:
            observe(_record(request, clock() - started, answer, error), len(request.body), self._instruments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._caller, name)

    def __repr__(self) -> str:
        return repr(self._caller)


def _record(request: WireRequest, seconds: float, answer: Any, error: BaseException | None) -> CallRecord:
    response = answer if isinstance(answer, WireResponse) else WireResponse({})
    attempts = error.attempts if isinstance(error, MizzleError) else response.attempts
    return CallRecord(
        request.operation,
        request.table,
        request.index,
        seconds,
        attempts or 1,
        response.request_id,
        error,
        response.parsed.get("ConsumedCapacity"),
        is_read=request.safety is RepeatSafety.READ,
    )
