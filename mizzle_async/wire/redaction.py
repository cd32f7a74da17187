"""The parts of a service's words that may be kept: a refusal of credentials repeats secrets of its request.

Source:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from mizzle_async.errors import (
    ExpiredTokenError,
    IncompleteSignatureError,
    InvalidSignatureError,
    MissingAuthenticationTokenError,
    ServiceError,
    UnrecognizedClientError,
)
from mizzle_async.types import WirePayload
from mizzle_async.wire.settings import Credentials

_ABOUT_CREDENTIALS: Final = (
    ExpiredTokenError,
    IncompleteSignatureError,
    InvalidSignatureError,
    MissingAuthenticationTokenError,
    UnrecognizedClientError,
)
_WORDS: Final = re.compile("Auth|Credential|Signature|Token")
"""Parts of the codes, known or not, whose text may repeat headers."""

_HEADER: Final = re.compile(r"(?i)(?:authorization(?: header)?|credential|signature|x-amz-security-token)\s*[:=]")
"""Where, within a line, such a text begins to repeat them."""

_MASK: Final = "…"
_LEVELS: Final = 40
"""Levels of nesting that an error of the service may have, a stored item aside."""

_SHORTEST: Final = 8
"""Test engines take any key. One of a few letters would be found in words."""


def is_about_credentials(error: type[ServiceError], code: str) -> bool:
    """Return whether an error is about the request's credentials or signature, by its class or its code."""
    return issubclass(error, _ABOUT_CREDENTIALS) or (error is ServiceError and _WORDS.search(code) is not None)


def first_sentence(message: str) -> str:
    """Return the beginning of a message, up to the first line or word that repeats a request."""
    line = message.partition("\n")[0]
    header = _HEADER.search(line)
    return line[: header.start()].rstrip() if header is not None else line


def mask(payload: WirePayload, credentials: Credentials | None) -> WirePayload:
    """Return an error's payload without the credentials of its request, wherever the service repeated them.

    Args:
        payload: The answer's JSON.
        credentials: The credentials of the request.

    Returns:
        The same payload where it holds none of them, else a copy.
    """
    if credentials is None:
        return payload
    parts = (credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    masked = _mask(payload, tuple(part for part in parts if part and len(part) >= _SHORTEST))
    return masked if isinstance(masked, dict) else payload


def _mask(value: Any, secrets: Iterable[str], levels: int = _LEVELS) -> Any:
    """Mask secrets in every text of some JSON. Parts without any are returned as they are, parts too deep as None."""
    if levels == 0:
        return None
    if isinstance(value, str):
        for secret in secrets:
            if secret in value:
                value = value.replace(secret, _MASK)
        return value
    if isinstance(value, Mapping):
        # A stored item is the caller's own.
        items = {key: member if key == "Item" else _mask(member, secrets, levels - 1) for key, member in value.items()}
        return items if any(items[key] is not member for key, member in value.items()) else value
    if isinstance(value, list):
        members = [_mask(member, secrets, levels - 1) for member in value]
        return members if any(new is not old for new, old in zip(members, value, strict=True)) else value
    return value
