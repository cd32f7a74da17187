"""Cursors: where a page ended, as text that is safe in a URL, and means something to the same query only.

A cursor holds the key of the last item, a digest of the query that made it, and perhaps the time until which it is
good. Without a key it is checked for belonging to the query. With `Client(cursor_key=…)` it is authenticated as well,
and encrypted where a cipher is at hand (extra ``cursors``).

The layout, before base64: one byte for the kind, then the body. The digest of the query is not in the text. It is
recomputed: it authenticates (with a key), or is compared with its first bytes (without).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any, Final, Protocol

import orjson
from attrs import field, frozen

from mizzle_async.errors import InvalidCursorError
from mizzle_async.types import Item
from mizzle_async.values import Value

PLAIN: Final = b"\x01"
SIGNED: Final = b"\x02"
SEALED: Final = b"\x03"

_DIGEST_BYTES: Final = 12
_TAG_BYTES: Final = 16
_EXPIRY_BYTES: Final = 6
_MIN_KEY_BYTES: Final = 16


class Cipher(Protocol):
    """Authenticated encryption, with a nonce of its own making in front of the sealed bytes."""

    def seal(self, plain: bytes, associated: bytes, /) -> bytes:
        """Return the sealed bytes."""
        ...

    def open(self, sealed: bytes, associated: bytes, /) -> bytes | None:
        """Return the plain bytes, or None where they were tampered with."""


@frozen(eq=False, repr=False)
class CursorCodec(Value):
    """Writes and reads cursors. It is made once per client.

    Attributes:
        secret: Authenticates cursors. At least 16 bytes, or none.
        cipher: Encrypts them as well.
        max_age: Seconds for which a cursor is good, or None for ever.
    """

    secret: bytes = b""
    cipher: Cipher | None = None
    max_age: float | None = None
    _mac_key: bytes = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(
            self, "_mac_key", derived_key(self.secret, b"mizzle_async cursor mac") if self.secret else b""
        )

    @property
    def _kind(self) -> bytes:
        return PLAIN if not self.secret else SEALED if self.cipher is not None else SIGNED

    def write(self, key: Item | None, query: bytes, now: float, *, backwards: bool = False) -> str:
        """Return a cursor for the item under ``key``.

        Args:
            key: The key attributes of table and index, in DynamoDB's JSON, or None for the query's own beginning, or
                backwards for its end.
            query: The digest of the query.
            now: The time in seconds since the epoch.
            backwards: Whether it leads to the rows before the item, in place of those after it.
        """
        expires = 0 if self.max_age is None else int(now + self.max_age)
        position: Any = key
        if backwards or key is None:
            position = [int(backwards)] if key is None else [int(backwards), key]
        body = expires.to_bytes(_EXPIRY_BYTES, "big") + orjson.dumps(position)
        kind = self._kind
        if self.cipher is not None and kind == SEALED:
            raw = kind + self.cipher.seal(body, kind + query)
        elif kind == SIGNED:
            raw = kind + body + self._tag(kind + query + body)
        else:
            raw = kind + query[:_DIGEST_BYTES] + body
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    def read(self, cursor: str, query: bytes, now: float) -> Item:
        """Return the key that a cursor holds, of a query that is read forwards only.

        Raises:
            InvalidCursorError: It is not a cursor, belongs to another query, was tampered with, or has expired.
        """
        key, backwards = self.read_position(cursor, query, now)
        if key is None or backwards:
            raise _malformed()
        return key

    def read_position(self, cursor: str, query: bytes, now: float) -> tuple[Item | None, bool]:
        """Return the key that a cursor holds, None for the beginning or the end, and whether it leads backwards.

        Raises:
            InvalidCursorError: It is not a cursor, belongs to another query, was tampered with, or has expired.
        """
        raw = _unpack(cursor)
        kind, rest = raw[:1], raw[1:]
        if kind != self._kind:
            raise InvalidCursorError(_wrong_kind(kind, self._kind))
        body = self._opened(kind, rest, query)
        if body is None:
            made = "or was changed, or was made with another cursor_key" if self.secret else "or was changed"
            raise InvalidCursorError(f"this cursor belongs to another query, {made}")
        expires = int.from_bytes(body[:_EXPIRY_BYTES], "big")
        if expires and expires < now:
            raise InvalidCursorError("this cursor has expired: start from the first page")
        try:
            position = orjson.loads(body[_EXPIRY_BYTES:])
        except orjson.JSONDecodeError:
            raise _malformed() from None
        backwards, key = False, position
        if isinstance(position, list):
            if len(position) not in {1, 2} or position[0] not in {0, 1}:
                raise _malformed()
            backwards, key = bool(position[0]), position[1] if len(position) > 1 else None
            if key is None and len(position) == 1:
                return None, backwards
        if not _is_key(key):
            raise _malformed()
        return key, backwards

    def _opened(self, kind: bytes, rest: bytes, query: bytes) -> bytes | None:
        if self.cipher is not None and kind == SEALED:
            return self.cipher.open(rest, kind + query)
        if kind == SIGNED:
            body, tag = rest[:-_TAG_BYTES], rest[-_TAG_BYTES:]
            return body if hmac.compare_digest(tag, self._tag(kind + query + body)) else None
        digest, body = rest[:_DIGEST_BYTES], rest[_DIGEST_BYTES:]
        return body if hmac.compare_digest(digest, query[:_DIGEST_BYTES]) else None

    def _tag(self, content: bytes) -> bytes:
        return hmac.digest(self._mac_key, content, "sha256")[:_TAG_BYTES]

    def __repr__(self) -> str:
        kind = {PLAIN: "unauthenticated", SIGNED: "authenticated", SEALED: "encrypted"}[self._kind]
        return f"<CursorCodec {kind}>"


def cursor_secret(given: str | bytes | None) -> bytes:
    """Check the user's ``cursor_key``.

    Raises:
        ValueError: It is too short to be a secret.
    """
    if given is None:
        return b""
    secret = given.encode() if isinstance(given, str) else bytes(given)
    if len(secret) < _MIN_KEY_BYTES:
        raise ValueError(
            f"cursor_key has {len(secret)} bytes, and needs {_MIN_KEY_BYTES} or more: secrets.token_bytes(32) makes one"
        )
    return secret


def derived_key(secret: bytes, purpose: bytes) -> bytes:
    """Return a key of 32 bytes for one purpose only."""
    return hmac.digest(secret, purpose, "sha256")


def query_digest(body: dict[str, Any]) -> bytes:
    """Return the identity of a query: a digest of its wire form."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()


def _unpack(cursor: str) -> bytes:
    try:
        text = cursor.encode("ascii")
        return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (AttributeError, UnicodeEncodeError, binascii.Error):
        raise _malformed() from None


def _is_key(key: Any) -> bool:
    return isinstance(key, dict) and bool(key) and all(map(_is_key_value, key.values()))


def _is_key_value(value: Any) -> bool:
    if not isinstance(value, dict) or len(value) != 1:
        return False
    ((kind, content),) = value.items()
    return kind in {"S", "N", "B"} and isinstance(content, str)


def _wrong_kind(kind: bytes, expected: bytes) -> str:
    if kind not in {PLAIN, SIGNED, SEALED}:
        return "this is not a cursor of `.page()`"
    if expected == PLAIN:
        return "this cursor was made with a cursor_key, and this client has none"
    if kind == PLAIN:
        return "this cursor was made without a cursor_key: it is not authenticated"
    if expected == SIGNED:
        return "this cursor is encrypted: install the extra `mizzle-async[cursors]`"
    return "this cursor is not encrypted: it was made where the extra `mizzle-async[cursors]` is not installed"


def _malformed() -> InvalidCursorError:
    return InvalidCursorError("this is not a cursor of `.page()`")
