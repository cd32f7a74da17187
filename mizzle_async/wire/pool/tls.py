"""The TLS context for connections to the service: verified, with the host name checked, never older than TLS 1.2.

Making one reads the certificate authorities from disk, which takes milliseconds: do it off the loop.
"""

from __future__ import annotations

import os
import re
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

_HASHED_NAME: Final = re.compile(r"[0-9a-f]{8}\.\d+")
"""The name of an authority's file in a folder that OpenSSL reads on demand (``c_rehash``)."""

_UNKNOWN_AUTHORITY: Final = frozenset({2, 18, 19, 20, 21})
"""OpenSSL's codes for a chain that ends at no trusted authority."""


class TlsContext(ssl.SSLContext):
    """A TLS context that knows where its certificate authorities come from.

    Attributes:
        anchors: The trust store, in words, for error messages.
        remedy: How to have another authority trusted, in words.
    """

    anchors: str = "the authorities of the TLS context in use"
    remedy: str = "set AWS_CA_BUNDLE to a file of the authorities to trust"


def make_tls_context(ca_bundle: str | None = None, *, spare: Callable[[], str] | None = None) -> TlsContext:
    """Make a context that verifies the server's certificate and host name.

    Args:
        ca_bundle: A file of trusted authorities (``AWS_CA_BUNDLE``); None trusts the system's certificate store.
        spare: Names the file of authorities to trust where the system's store is empty.

    Returns:
        The context; it offers HTTP/1.1 only.

    Raises:
        OSError: The file cannot be read, or holds no certificate (`ssl.SSLError` is an `OSError`).
    """
    context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if sys.version_info >= (3, 13):
        # As `ssl.create_default_context` does from there on.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["http/1.1"])
    if (log := os.environ.get("SSLKEYLOGFILE")) and not sys.flags.ignore_environment:
        context.keylog_filename = log  # as `ssl.create_default_context` does, for debugging
    if ca_bundle is not None:
        context.load_verify_locations(cafile=ca_bundle)
        context.anchors = f"the authorities in {ca_bundle}"
        context.remedy = "add its authority to that file"
        return context
    context.load_default_certs()
    if _has_authorities(context):
        context.anchors = f"the system's certificate store ({_system_store()})"
    elif spare is not None:
        path = spare()
        context.load_verify_locations(cafile=path)
        context.anchors = f"the authorities in {path}, used because the system's certificate store is empty"
    else:
        context.anchors = f"the system's certificate store ({_system_store()}), which is empty"
    return context


def distrust(error: ssl.SSLCertVerificationError, context: ssl.SSLContext | None) -> str:
    """Return why a certificate was refused. Where its authority is unknown, name the trust store and the remedy.

    Args:
        error: The refusal.
        context: The context that verified.

    Returns:
        The text, for the end of an error message.
    """
    text = f"its certificate is not trusted: {error.verify_message}"
    if error.verify_code not in _UNKNOWN_AUTHORITY:
        return text
    anchors = context.anchors if isinstance(context, TlsContext) else TlsContext.anchors
    remedy = context.remedy if isinstance(context, TlsContext) else TlsContext.remedy
    return f"{text}. Trusted: {anchors}. If the server is the right one, {remedy}"


def _has_authorities(context: ssl.SSLContext) -> bool:
    """Return whether the system's store holds an authority, in its file or in its folder, which is read on demand."""
    if context.cert_store_stats()["x509_ca"]:
        return True
    folder = ssl.get_default_verify_paths().capath
    if not folder:
        return False
    return any(_HASHED_NAME.fullmatch(entry) for part in folder.split(os.pathsep) for entry in _names(part))


def _names(folder: str) -> list[str]:
    try:
        return [entry.name for entry in Path(folder).iterdir()]
    except OSError:
        return []


def _system_store() -> str:
    """Name the files of the system's store: those that exist, else those that OpenSSL looks for."""
    paths = ssl.get_default_verify_paths()
    present = [path for path in (paths.cafile, paths.capath) if path]
    return ", ".join(present or [paths.openssl_cafile, paths.openssl_capath])
