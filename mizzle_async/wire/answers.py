"""The check that every transport makes of an answer, before it is believed and its connection used again.

It knows bytes and headers. It does not know operations, attempts or connections.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

import orjson

from mizzle_async.errors import CorruptResponseError, MizzleError
from mizzle_async.types import Outcome, ParseAnswer
from mizzle_async.wire.exchange import Answer

_OK = 200
_FIRST_ERROR = 400
_FIRST_REDIRECT = 300
_LAST_STATUS = 599


def check_answer(status: int, headers: Mapping[str, str], body: bytes, parse: ParseAnswer | None = None) -> Answer:
    """Parse an answer, or refuse it.

    A 200 must be a JSON object. An error status may come without JSON (a load balancer's HTML), and is then judged by
    its status.

    Args:
        status: The HTTP status.
        headers: Lower-case names to values.
        body: The whole body, with transfer encoding removed.
        parse: Reads the JSON of a 200, and checks that it can be the answer to its request. None for orjson alone.

    Returns:
        The answer, its error code extracted.

    Raises:
        CorruptResponseError: A redirect, compressed data that was not asked for, a wrong ``x-amz-crc32``, or a 200 that
            is not a JSON object, or not the answer to its request. Its outcome is ``UNKNOWN``: wherever it comes from,
            the request may have been applied.
    """
    checksum = headers.get("x-amz-crc32")
    if checksum is not None and checksum != (right := str(crc32(body))) and checksum.strip() != right:
        raise _refusal(f"x-amz-crc32 is not the checksum of the {len(body)} bytes that came")
    if status == _OK:
        if "content-encoding" in headers or "transfer-encoding" in headers:
            _refuse_compression(headers)
        if checksum is None and "json" not in headers.get("content-type", "").lower():
            raise _refusal("a 200 that is neither checksummed nor JSON: something in between answered for the service")
        if not body and checksum is not None:
            # TagResource and UntagResource answer with no body at all, and with its checksum.
            return Answer(status, headers, {})
        try:
            payload = orjson.loads(body) if parse is None else parse(body)
        except MizzleError:
            raise
        except ValueError:
            raise _refusal(f"a 200 whose {len(body)} bytes are not JSON") from None
        if type(payload) is not dict:
            raise _refusal("a 200 whose JSON is not an object")
        return Answer(status, headers, payload)
    if not _FIRST_ERROR <= status <= _LAST_STATUS:
        kind = (
            "a redirect, which is never followed"
            if _FIRST_REDIRECT <= status < _FIRST_ERROR
            else "a status that DynamoDB never sends"
        )
        raise _refusal(f"HTTP {status} is {kind}")
    _refuse_compression(headers)
    payload = _error_payload(body)
    return Answer(status, headers, payload, _error_code(payload, headers))


def is_bodiless(answer: Answer) -> bool:
    """Return whether a 200 had no body at all: tagging a table answers so, item operations send at least ``{}``."""
    return not answer.payload and answer.headers.get("x-amz-crc32") == "0"


def error_message(payload: Mapping[str, Any]) -> str:
    """Return the service's own words, which are spelled ``message`` or ``Message`` depending on the error."""
    text = payload.get("message") or payload.get("Message")
    return text if isinstance(text, str) else ""


def _error_payload(body: bytes) -> dict[str, Any]:
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return payload if type(payload) is dict else {}


def _error_code(payload: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """Return the code: the header's, as in every SDK of AWS, else the body's. Another nested ``__type`` is none."""
    output = payload.get("Output")
    bodys = (payload.get("__type"), payload.get("code"), payload.get("Code"))
    for found in (headers.get("x-amzn-errortype"), *bodys, output.get("__type") if type(output) is dict else None):
        if isinstance(found, str) and found:
            # From the colon on stands a URL, which may hold a number sign of its own.
            return found.partition(":")[0].rpartition("#")[2].strip()
    return ""


def _refuse_compression(headers: Mapping[str, str]) -> None:
    encodings = {headers.get(name, "").strip().lower() for name in ("content-encoding", "transfer-encoding")}
    if not encodings <= {"", "identity", "chunked"}:
        raise _refusal("the answer is compressed, though only identity was accepted")


def _refusal(reason: str) -> CorruptResponseError:
    return CorruptResponseError(f"corrupt answer: {reason}", outcome=Outcome.UNKNOWN)
