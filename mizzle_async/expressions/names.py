"""Attribute names: what DynamoDB takes as one, and what one is called in an expression."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from mizzle_async.errors import ExpressionError, LimitError
from mizzle_async.limits import ATTRIBUTE_NAME_BYTES

READABLE_LENGTH: Final = 20


def _moment_text(key: datetime) -> str:
    return f"{key.astimezone(UTC).replace(tzinfo=None).isoformat('T', 'microseconds')}Z"


_KEY_TEXTS: Final[tuple[tuple[Any, Callable[[Any], str]], ...]] = (
    (str, str.__str__),
    (datetime, _moment_text),
    (time, lambda key: key.isoformat("microseconds")),
    (date, date.isoformat),
    (PurePath, lambda key: key.as_posix()),
    ((UUID, IPv4Address, IPv6Address, ZoneInfo), str),
)
"""How keys of dicts are stored, by type; a datetime is a date, so it comes first."""


def map_key(key: object) -> str | None:
    """Return the stored name of a key of a dict: of text, or of a type whose values are stored as text; else None."""
    if isinstance(key, Enum):
        key = key.value
        if isinstance(key, int) and not isinstance(key, bool):
            return str(int(key))
    return next((text(key) for kinds, text in _KEY_TEXTS if isinstance(key, kinds)), None)


@lru_cache(maxsize=1024)
def readable_name(name: str) -> str | None:
    """Return a name that can be its own placeholder: a short ASCII identifier that starts with a letter; else None."""
    return name if len(name) <= READABLE_LENGTH and name.isascii() and name.isidentifier() and name[0] != "_" else None


def check_name(name: str) -> None:
    """Check an attribute name.

    Raises:
        ExpressionError: If it is empty, or has no UTF-8 form (a lone surrogate).
        LimitError: If it is too long.
    """
    if not name:
        raise ExpressionError("an attribute name cannot be empty")
    try:
        size = text_bytes(name)
    except UnicodeEncodeError:
        raise ExpressionError("an attribute name has a lone surrogate: it cannot be encoded as UTF-8") from None
    if size > ATTRIBUTE_NAME_BYTES:
        raise LimitError(f"an attribute name has {size:,} bytes; DynamoDB takes {ATTRIBUTE_NAME_BYTES:,}")


def text_bytes(text: str) -> int:
    """Return how many bytes a text has in UTF-8.

    Raises:
        UnicodeEncodeError: If it has a lone surrogate.
    """
    return len(text) if text.isascii() else len(text.encode())
