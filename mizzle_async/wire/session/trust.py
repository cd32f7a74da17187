"""The certificate authorities that a client trusts, for both transports by one rule.

The rule: the file that the AWS configuration names (``AWS_CA_BUNDLE``, ``ca_bundle`` of a profile,
``REQUESTS_CA_BUNDLE``), else the system's store, else, where that is empty, the bundle that botocore brings along.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from mizzle_async.errors import ClientStateError
from mizzle_async.wire.pool.tls import TlsContext, make_tls_context


def endpoint_tls(options: Mapping[str, Any]) -> ssl.SSLContext:
    """Make the TLS context for the service's endpoints.

    Args:
        options: The options of aiobotocore's HTTP session: ``verify``, ``client_cert`` and ``connector_args``.

    Raises:
        ClientStateError: A file cannot be read.
    """
    context = (options.get("connector_args") or {}).get("ssl_context")
    if isinstance(context, ssl.SSLContext):
        return context
    bundle = _bundle(options.get("verify"))
    certificate = options.get("client_cert")
    if not certificate:
        return _shared(bundle, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    return _with_certificate(_make(bundle), certificate)


def proxy_tls(options: Mapping[str, Any]) -> ssl.SSLContext:
    """Make the TLS context for ``https://`` proxies.

    Args:
        options: As for `endpoint_tls`. ``proxies_config`` may name a ``proxy_ca_bundle`` and a ``proxy_client_cert``.

    Raises:
        ClientStateError: A file cannot be read.
    """
    settings = options.get("proxies_config") or {}
    context = _make(_bundle(settings.get("proxy_ca_bundle") or options.get("verify")))
    certificate = settings.get("proxy_client_cert")
    return _with_certificate(context, certificate) if certificate else context


def _bundle(verify: object) -> str | None:
    return verify if isinstance(verify, str) and verify else None


@lru_cache(maxsize=4)
def _shared(bundle: str | None, *_store: str | None) -> TlsContext:
    """Share a context between clients: it is never changed once made, and takes tens of milliseconds to make.

    OpenSSL takes the place of the system's store from the environment, which is therefore part of the key.
    """
    return _make(bundle)


def _make(bundle: str | None) -> TlsContext:
    try:
        return make_tls_context(bundle, spare=_spare_bundle)
    except OSError as error:
        raise ClientStateError(
            f"the certificate authorities in {bundle} cannot be read ({error}): AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE and"
            " ca_bundle of a profile name a file of certificates in PEM"
        ) from error


def _with_certificate(context: TlsContext, certificate: str | tuple[str, str]) -> TlsContext:
    """Load a client's certificate, which the context presents to servers that ask for one."""
    certificate_file, key_file = (certificate, None) if isinstance(certificate, str) else certificate
    try:
        context.load_cert_chain(certificate_file, key_file)
    except OSError as error:
        raise ClientStateError(
            f"the client certificate in {certificate_file} cannot be read ({error}): it is a file in PEM"
        ) from error
    return context


def _spare_bundle() -> str:
    """Return the file that botocore itself verifies with: certifi's, or its own."""
    from botocore.httpsession import get_cert_path

    return str(get_cert_path(verify=True))
