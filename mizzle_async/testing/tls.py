"""A private certificate authority for TLS on loopback: good certificates, and every kind of bad one.

Needs the ``cryptography`` package (``pip install mizzle-async[cursors]``).
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

_DAY = dt.timedelta(days=1)


class LocalAuthority:
    """Issue certificates that only a client with `ca_bundle` trusts.

    Use it as a context manager: its files are temporary.

    Attributes:
        ca_bundle: The path of its own certificate, for ``AWS_CA_BUNDLE`` or `ssl.create_default_context`.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mizzle-authority-")
        self._key = _new_key()
        self._certificate = _issue("mizzle test authority", self._key, authority=True)
        self.ca_bundle: str = str(self._write("authority", self._certificate))

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
            expired: Whether it expired yesterday.
            self_signed: Whether it signs itself, instead of this authority.
        """
        key = _new_key()
        signer = None if self_signed else (self._certificate, self._key)
        certificate = _issue(names[0], key, names=names, signer=signer, expired=expired)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._write("server", certificate, key))
        return context

    def client_context(self) -> ssl.SSLContext:
        """Make a context for a client that trusts this authority only."""
        return ssl.create_default_context(cafile=self.ca_bundle)

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey | None = None) -> Path:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  (optional: only TLS tests need it)

        pem = certificate.public_bytes(serialization.Encoding.PEM)
        if key is not None:
            pem += key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        path = Path(self._folder.name) / f"{name}-{certificate.serial_number}.pem"
        path.write_bytes(pem)
        return path


def _new_key() -> ec.EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415  (as above)

    return ec.generate_private_key(ec.SECP256R1())


def _issue(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    names: Sequence[str] = (),
    signer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None,
    authority: bool = False,
    expired: bool = False,
) -> x509.Certificate:
    """Issue a certificate, signed by itself where there is no signer."""
    from cryptography import x509  # noqa: PLC0415  (as above)
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415  (as above)
    from cryptography.x509.oid import NameOID  # noqa: PLC0415  (as above)

    now = dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    issuer_key = key if signer is None else signer[1]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if signer is None else signer[0].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 30 * _DAY)
        .not_valid_after(now - _DAY if expired else now + 30 * _DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if authority:
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(entry) for entry in names]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(entry: str) -> x509.GeneralName:
    from cryptography import x509  # noqa: PLC0415  (as above)

    try:
        return x509.IPAddress(ipaddress.ip_address(entry))
    except ValueError:
        return x509.DNSName(entry)
