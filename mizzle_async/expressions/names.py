"""Attribute names: what DynamoDB takes as one, and what one is called in an expression."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from mizzle_async.errors import ExpressionError, LimitError
from mizzle_async.limits import ATTRIBUTE_NAME_BYTES

READABLE_LENGTH: Final = 20


KEY_WRITERS: Final[dict[type[Any], Callable[[Any], str | None]]] = {}
"""Functions that write keys of dicts, by their type. The registry of scalar types, which stands above, fills it."""


def map_key(key: object) -> str | None:
    """Return the stored name of a key of a dict: of text, or of a type whose values are stored as text; else None."""
    if isinstance(key, Enum):
        key = key.value
        if isinstance(key, int) and not isinstance(key, bool):
            return str(int(key))
    write = next((KEY_WRITERS[kind] for kind in type(key).__mro__ if kind in KEY_WRITERS), None)
    return None if write is None else write(key)


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
