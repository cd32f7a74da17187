"""The ``http_session_cls`` that makes an aiobotocore client send through our pipeline.

aiobotocore serialises the parameters of a table operation and parses the answer. In between, our pipeline signs, sends,
checks and retries as for every other call. The aiobotocore client neither signs nor retries.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, Self

import orjson
from attrs import field, frozen

from mizzle_async.types import ParseAnswer, RepeatSafety, WireRequest, WireResponse
from mizzle_async.values import Value

_READS: Final = ("Describe", "List", "Get")
_REPEATABLE: Final = frozenset({"TagResource", "UntagResource", "PutResourcePolicy"})


@frozen(eq=False, repr=False)
class ControlCall(Value):
    """One call of the control plane, on its way through aiobotocore.

    Attributes:
        send: Sends the request that aiobotocore made.
        table: The table that it is about.
        timeout: Seconds for the whole call. None means the client's.
        parse: Reads the JSON of the answer, and checks its shape; None for orjson alone.
        answers: The answer, once it has come: errors from then on are about it.
    """

    send: Callable[[WireRequest], Awaitable[WireResponse]]
    table: str
    timeout: float | None
    parse: ParseAnswer | None = None
    answers: list[WireResponse] = field(factory=list)


control_call: ContextVar[ControlCall] = ContextVar("mizzle_async_control_call")
"""The call in this context: an HTTP request of aiobotocore shows neither the table nor the timeout."""


def control_safety(operation: str) -> RepeatSafety:
    """Return the effect of sending a table operation twice. Most are refused once the first one worked."""
    if operation.startswith(_READS):
        return RepeatSafety.READ
    return RepeatSafety.IDEMPOTENT if operation in _REPEATABLE else RepeatSafety.GUARDED


class HttpSessionAdapter:
    """An HTTP session of aiobotocore that sends through the pipeline.

    Args:
        options: The way to the service, as aiobotocore resolved it: ``proxies``, ``verify``, ``client_cert`` and more.

    Attributes:
        options: The same, for the transports.
    """

    def __init__(self, **options: Any) -> None:
        self.options = options

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Do nothing: the pipeline closes its own connections."""

    async def send(self, request: Any) -> Any:
        """Send a request of aiobotocore. Errors of ours pass through aiobotocore unchanged.

        Args:
            request: An ``AWSPreparedRequest`` of botocore.

        Returns:
            An ``AioAWSResponse`` of aiobotocore.
        """
        from aiobotocore.awsrequest import AioAWSResponse

        call = control_call.get()
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        body = request.body or b"{}"
        response = await call.send(
            WireRequest(
                operation=operation,
                body=body if isinstance(body, bytes) else body.encode(),
                table=call.table,
                safety=control_safety(operation),
                timeout=call.timeout,
                parse=call.parse,
            )
        )
        call.answers.append(response)
        headers = {"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": response.request_id}
        return AioAWSResponse(request.url, 200, headers, _Content(orjson.dumps(response.parsed)))


class _Content:
    """An answer's body as aiobotocore reads it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self) -> bytes:
        return self._content
