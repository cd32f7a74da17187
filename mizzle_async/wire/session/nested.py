"""How the clients reach their services that providers of credentials make: STS, SSO and its OIDC.

They are aiobotocore's own, and send by its HTTP session. That one trusts botocore's bundle alone, and for long verified
no endpoint behind a proxy (2.25 and 3.0 do not). Sessions of ours give them another, by the rule for DynamoDB.
"""

from __future__ import annotations

import ssl
from typing import Any

from mizzle_async.wire.pool.tls import make_tls_context


def nested_config() -> Any:
    """Return the default client configuration of a session, whose HTTP session every client of it uses."""
    from aiobotocore.config import AioConfig
    from aiobotocore.httpsession import AIOHTTPSession

    class TrustingSession(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore ships no types
        """An HTTP session that trusts the system's store beside botocore's bundle, and verifies behind proxies too."""

        def _get_ssl_context(self) -> ssl.SSLContext:
            # A file that is configured is loaded by the caller, and is all that is trusted then.
            return make_tls_context() if self._verify is True else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

        def _setup_proxy_ssl_context(self, proxy_url: str) -> Any:
            return super()._setup_proxy_ssl_context(proxy_url) or self._get_ssl_context()

    class NestedConfig(AioConfig):  # type: ignore[misc]  # as above
        """A configuration whose HTTP session is not lost when a client's own is merged into it."""

        def merge(self, other_config: Any) -> Any:
            merged = super().merge(other_config)
            merged.http_session_cls = self.http_session_cls
            return merged

    return NestedConfig(http_session_cls=TrustingSession)
