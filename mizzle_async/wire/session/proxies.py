"""HTTP proxies: which endpoint goes through which one, by the AWS configuration and the environment."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit

from attrs import field, frozen

from mizzle_async.errors import ClientStateError
from mizzle_async.values import Value
from mizzle_async.wire.exchange import Endpoint
from mizzle_async.wire.session.endpoints import is_loopback


@frozen(repr=False)
class Proxy(Value):
    """An HTTP proxy. Its name holds neither user nor password, and so does nothing that is made of it.

    Attributes:
        url: Scheme, host and port.
        authorization: The value of ``Proxy-Authorization``, where the URL held a user.
    """

    url: str
    authorization: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Host and port, for messages."""
        return self.url.partition("://")[2]


def proxy_for(endpoint: Endpoint, proxies: Mapping[str, str] | None) -> Proxy | None:
    """Return the proxy of an endpoint, or None where it is reached directly.

    An endpoint on this machine is always reached directly. A proxy is on another machine, as a rule, and requests that
    are sent in clear text because they do not leave this machine would leave it.

    Args:
        endpoint: Where requests go.
        proxies: Scheme to the URL of its proxy.

    Raises:
        ClientStateError: The proxy's URL cannot be used.
    """
    from botocore.utils import should_bypass_proxies

    url = (proxies or {}).get(endpoint.scheme)
    if not url or is_loopback(endpoint.host) or should_bypass_proxies(f"{endpoint.scheme}://{endpoint.authority}"):
        return None
    return parse_proxy(url)


def parse_proxy(url: str) -> Proxy:
    """Take a proxy's URL apart. ``http://`` may be missing.

    Raises:
        ClientStateError: It has no host, an impossible port, or another scheme than ``http`` and ``https``. User and
            password are not shown.
    """
    parts = _split(url if "://" in url else f"http://{url.removeprefix('//')}")
    if parts is None:
        raise ClientStateError("the URL of the HTTP proxy cannot be read: it is http://host:port")
    scheme, host = parts.scheme, parts.hostname
    if scheme not in {"http", "https"} or not host:
        raise ClientStateError(
            f"the proxy {scheme}://{host or ''} cannot be used: proxies are http:// or https://, with a host"
        )
    authority = f"[{host}]" if ":" in host else host
    authorization = None
    if parts.username is not None:
        plain = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {b64encode(plain.encode()).decode()}"
    default = 443 if scheme == "https" else 80
    return Proxy(f"{scheme}://{authority}:{parts.port or default}", authorization)


def _split(url: str) -> SplitResult | None:
    """Split a URL. Return None for one that cannot be: the error that says why shows parts of it."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts
