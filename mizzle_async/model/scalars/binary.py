"""Bytes to base64 text and back, text that UTF-8 can carry, and truth values."""

from __future__ import annotations

from binascii import Error as BinasciiError
from binascii import a2b_base64, b2a_base64

from mizzle_async.limits import ATTRIBUTE_NAME_BYTES
from mizzle_async.model.scalars.misfit import LimitMisfit, Misfit, not_a


def write_bytes(value: object) -> str:
    """Return the base64 text of ``bytes``, ``bytearray`` or ``memoryview``."""
    if not isinstance(value, bytes | bytearray | memoryview):
        raise not_a("bytes", value)
    return b2a_base64(bytes(value), newline=False).decode("ascii")


def read_bytes(payload: object) -> bytes:
    """Return the bytes of a base64 text."""
    try:
        return a2b_base64(payload, strict_mode=True)  # type: ignore[arg-type]  # anything else than text fails as it should
    except (BinasciiError, TypeError, ValueError):
        raise Misfit("base64 text", "text that is none") from None


def write_str(value: object) -> str:
    """Return a ``str`` as it is, subclasses as plain text. UTF-8 cannot carry half of a surrogate pair."""
    if not isinstance(value, str):
        raise not_a("str", value)
    text = str.__str__(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Misfit("text", "half of a surrogate pair", "UTF-8 cannot carry it") from None
    return text


def read_str(payload: object) -> str:
    """Return a stored text."""
    if not isinstance(payload, str):
        raise Misfit("text", type(payload).__name__)
    return payload


def write_bool(value: object) -> bool:
    """Return a ``bool``, which no number is."""
    if not isinstance(value, bool):
        raise not_a("bool", value)
    return value


def read_bool(payload: object) -> bool:
    """Return a stored truth value."""
    if not isinstance(payload, bool):
        raise Misfit("true or false", "something else")
    return payload


def check_name(name: object) -> str:
    """Return the name of a map entry or attribute, checked.

    Raises:
        Misfit: It is no text.
        LimitMisfit: It is empty or too long.
    """
    try:
        text = write_str(name)
    except Misfit as misfit:
        misfit.expected = "a name that is text" if isinstance(name, str) else "a name of type str"
        raise
    size = len(text) if text.isascii() else len(text.encode())
    if not 1 <= size <= ATTRIBUTE_NAME_BYTES:
        raise LimitMisfit(f"a name of 1 to {ATTRIBUTE_NAME_BYTES:,} bytes", f"one of {size:,}")
    return text
