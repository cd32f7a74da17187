"""A private certificate authority for TLS on loopback: good certificates, and every kind of bad one.

Needs the ``trustme`` package (``pip install trustme``).
"""

from __future__ import annotations

import datetime as dt
import ssl
import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    import trustme

_DAY: Final = dt.timedelta(days=1)

NAME: Final = "mizzle test authority"


class LocalAuthority:
    """Issues certificates that only a client trusts which is given its `ca_bundle`.

    Use it as a context manager: its files are temporary.

    Attributes:
        ca_bundle: The path of its own certificate, for ``AWS_CA_BUNDLE`` or `ssl.create_default_context`.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mizzle-authority-")
        self._numbers = count()
        self._authority = _new_authority()
        self.ca_bundle: str = self._write("authority", self._authority.cert_pem)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the files."""
        self._folder.cleanup()

    def server_context(
        self, names: Sequence[str] = ("localhost", "127.0.0.1"), *, expired: bool = False, self_signed: bool = False
    ) -> ssl.SSLContext:
        """Make a context for a server, with a new certificate.

        Args:
            names: Host names and addresses that it is valid for.
            expired: Whether the certificate ended yesterday.
            self_signed: Whether the certificate is signed by itself, not by this authority; it names no host then.
        """
        if self_signed:
            own = _new_authority()
            parts = [own.private_key_pem, own.cert_pem]
        else:
            now = dt.datetime.now(dt.UTC)
            ends = now - _DAY if expired else now + 30 * _DAY
            issued = self._authority.issue_cert(*names, not_before=now - 30 * _DAY, not_after=ends)
            parts = [issued.private_key_pem, *issued.cert_chain_pems]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._write("server", *parts))
        return context

    def client_context(self) -> ssl.SSLContext:
        """Make a context for a client that trusts this authority, and no other one."""
        return ssl.create_default_context(cafile=self.ca_bundle)

    def _write(self, name: str, *parts: trustme.Blob) -> str:
        path = Path(self._folder.name) / f"{name}-{next(self._numbers)}.pem"
        path.write_bytes(b"".join(part.bytes() for part in parts))
        return str(path)


def _new_authority() -> trustme.CA:
    import trustme  # noqa: PLC0415  (optional: only tests of TLS need it)

    return trustme.CA(organization_name=NAME)
