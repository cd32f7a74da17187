"""Endpoints as URLs: which are refused, and the parameters that endpoint rules see of a request."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

from mizzle_async.errors import ClientStateError
from mizzle_async.values import Value
from mizzle_async.wire.exchange import Endpoint


@frozen(eq=False, repr=False)
class Destination(Value):
    """Where the requests of one operation go.

    Attributes:
        endpoint: Scheme, host, port and path.
        region: The region that signatures are scoped to.
    """

    endpoint: Endpoint
    region: str


def parse_endpoint(url: str, *, allow_http: bool) -> Endpoint:
    """Turn a URL into an endpoint, and refuse to send items in clear text to another machine.

    Raises:
        ClientStateError: The URL has no host, another scheme, an impossible port, or more than a place. Or it is
            ``http://`` to another machine without permission.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ClientStateError(
            "not an endpoint: the URL's port is no number from 1 to 65535, or its IPv6 address is none"
        ) from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        # They may hold a secret: the URL is not shown.
        raise ClientStateError("not an endpoint: a URL of nothing but scheme, host, port and path is asked for")
    host = parts.hostname
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise ClientStateError(f"not an endpoint: {url!r} is neither http:// nor https:// with a host")
    if not parts.path.isascii() or not parts.path.isprintable() or " " in parts.path:
        raise ClientStateError(f"not an endpoint: the path of {url!r} must be percent-encoded")
    if parts.scheme == "http" and not allow_http and not is_loopback(host):
        raise ClientStateError(
            f"refusing to send requests to {host} unencrypted: use https://, or say allow_http=True where the network"
            " is trusted"
        )
    return Endpoint(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), parts.path or "/")


def check_streams(tables: str, streams: Endpoint) -> Endpoint:
    """Return where streams go, unless they would be asked of another machine than tables that are on this one.

    That is the outcome of ``AWS_ENDPOINT_URL_DYNAMODB`` without its counterpart: AWS knows no stream of a local table.

    Args:
        tables: The host of tables.
        streams: Where streams go.

    Raises:
        ClientStateError: They would.
    """
    if is_loopback(tables) and not is_loopback(streams.host):
        raise ClientStateError(
            f"tables are at {tables}, and their streams would be asked for at {streams.host}: set"
            " AWS_ENDPOINT_URL_DYNAMODB_STREAMS as well, or give endpoint_url=, which is for both"
        )
    return streams


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, by its name or number alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def endpoint_arguments(operation: str, table: str) -> dict[str, Any]:
    """Return the parameters by which endpoint rules see an account: the tables, which may be named by ARN."""
    tables = table.split(", ")
    if operation.startswith("Batch"):
        return {"RequestItems": {name: {} for name in tables}}
    if operation.startswith("Transact"):
        member = "Get" if operation == "TransactGetItems" else "Put"
        return {"TransactItems": [{member: {"TableName": name}} for name in tables]}
    return {"TableName": tables[0]}
