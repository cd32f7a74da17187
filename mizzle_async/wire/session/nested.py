"""How providers of credentials reach their services: STS, SSO and its OIDC, and a container's endpoint over TLS.

They send by aiobotocore's HTTP session. That one trusts botocore's bundle alone, for long verified no endpoint behind a
proxy (2.25 and 3.0 do not), and is not told of a configured bundle for containers. Sessions of ours give the providers
another, by the rule for DynamoDB.
"""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from typing import Any

from mizzle_async.wire.pool.tls import make_tls_context


def nested_config() -> Any:
    """Return the default client configuration of a session, whose HTTP session every client of it uses."""
    trusting, _, config = _classes()
    return config(http_session_cls=trusting)


def trust_containers(chain: Any, session: Any) -> None:
    """Make the container provider of a chain trust the configured bundle, or the system's store beside botocore's.

    Args:
        chain: The chain of providers.
        session: Its session, which knows the bundle.
    """
    _, counted, _ = _classes()
    bundle = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    for provider in chain.providers:
        fetcher = getattr(provider, "_fetcher", None)
        if fetcher is not None and hasattr(fetcher, "TIMEOUT_SECONDS"):
            fetcher._session = counted(timeout=fetcher.TIMEOUT_SECONDS, verify=bundle or True)  # noqa: SLF001  (no public way)


@lru_cache(maxsize=1)
def _classes() -> tuple[type[Any], type[Any], type[Any]]:
    """Make the subclasses of aiobotocore's classes, which is imported only where a client needs it."""
    from aiobotocore.config import AioConfig
    from aiobotocore.httpsession import AIOHTTPSession
    from aiobotocore.utils import _RefCountedSession

    class Trust:
        """Trusts the system's store beside botocore's bundle, and verifies behind proxies too."""

        _verify: Any

        def _get_ssl_context(self) -> ssl.SSLContext:
            # A file that is configured is loaded by the caller, and is all that is trusted then.
            return make_tls_context() if self._verify is True else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

        def _setup_proxy_ssl_context(self, proxy_url: str) -> Any:
            context: Any = super()._setup_proxy_ssl_context(proxy_url)  # type: ignore[misc]  # of the other base
            return context or self._get_ssl_context()

    class TrustingSession(Trust, AIOHTTPSession):  # type: ignore[misc]  # aiobotocore ships no types
        """An HTTP session of aiobotocore that trusts by our rule."""

    class TrustingCountedSession(Trust, _RefCountedSession):  # type: ignore[misc]  # as above
        """The same for a container's endpoint: it is open only while a request is under way."""

    class NestedConfig(AioConfig):  # type: ignore[misc]  # as above
        """A configuration whose HTTP session is not lost when a client's own is merged into it."""

        def merge(self, other_config: Any) -> Any:
            merged = super().merge(other_config)
            merged.http_session_cls = self.http_session_cls
            return merged

    return TrustingSession, TrustingCountedSession, NestedConfig
