"""The TLS context for connections to the service: verified, with the host name checked, never older than TLS 1.2.

Making one reads the certificate authorities from disk, which takes milliseconds: do it off the loop.
"""

from __future__ import annotations

import ssl


def make_tls_context(ca_bundle: str | None = None) -> ssl.SSLContext:
    """Make a context that verifies the server's certificate and host name.

    Args:
        ca_bundle: A file of trusted authorities (``AWS_CA_BUNDLE``); None trusts what the machine trusts.

    Returns:
        The context; it offers HTTP/1.1 only.

    Raises:
        OSError: The file cannot be read, or holds no certificate (`ssl.SSLError` is an `OSError`).
    """
    context = ssl.create_default_context(cafile=ca_bundle)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
