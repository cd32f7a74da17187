"""Encrypted cursors, by AES-256-GCM of the library ``cryptography`` (extra ``cursors``)."""

from __future__ import annotations

import os
from typing import Any, Final

from mizzle_async.operations.reads.cursors import derived_key

_NONCE_BYTES: Final = 12


class CursorCipher:
    """Seals cursors, so that only a holder of the key can read or change one.

    Args:
        secret: The client's ``cursor_key``, of which a key for this purpose alone is derived.
    """

    def __init__(self, secret: bytes) -> None:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._invalid: Any = InvalidTag
        self._aead = AESGCM(derived_key(secret, b"mizzle_async cursor encryption"))

    def seal(self, plain: bytes, associated: bytes, /) -> bytes:
        """Return nonce and ciphertext."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plain, associated)

    def open(self, sealed: bytes, associated: bytes, /) -> bytes | None:
        """Return the plain bytes, or None where key, query or text are not the ones they were sealed with."""
        try:
            return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], associated)
        except (self._invalid, ValueError):
            return None

    def __repr__(self) -> str:
        return "<CursorCipher AES-256-GCM>"
