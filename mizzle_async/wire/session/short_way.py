"""Whether a client can be opened without botocore: the settings in which every answer of its rules is known.

Importing botocore and aiobotocore, and reading their rules, takes most of the time before a process' first answer. On
AWS Lambda and in containers credentials come from the environment or from one endpoint, the region is known, and no
file, profile, proxy or rule says more. Every other setting is left to botocore.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Final

from attrs import frozen

from mizzle_async.errors import ClientStateError
from mizzle_async.values import Value
from mizzle_async.wire.exchange import Endpoint
from mizzle_async.wire.session.container import is_plain_container
from mizzle_async.wire.session.endpoints import is_loopback, parse_endpoint
from mizzle_async.wire.session.environment import environment_region
from mizzle_async.wire.settings import Credentials, WireSettings

_KNOWN_REGION: Final = re.compile(r"(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d+")
"""Regions of the partition ``aws``, whose hosts end in ``amazonaws.com``."""

_ACCOUNT: Final = re.compile(r"\d{12}")
_ACCOUNT_MODES: Final = frozenset({"disabled", "preferred"})
_DUAL_STACK_SUFFIX: Final = ".api.aws"

_LEFT_TO_BOTOCORE: Final = (
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_DATA_PATH",
    "AWS_DEFAULTS_MODE",
    "AWS_DEFAULT_PROFILE",
    "AWS_PROFILE",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "BOTOCORE_EXPERIMENTAL__PLUGINS",
)
"""Variables with rules of their own. Where one is set, to any value, the long way is taken."""

_BEFORE_CONTAINERS: Final = ("AWS_CREDENTIAL_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "BOTO_CONFIG")
"""Variables whose credentials come before those of a container."""


class Holder(Enum):
    """Who holds the credentials."""

    CALLER = "caller"
    ENVIRONMENT = "environment"
    CONTAINER = "container"


@frozen(eq=False, repr=False, kw_only=True)
class ShortWay(Value):
    """Everything that a client needs to know about AWS, without botocore.

    Attributes:
        region: The region, for hosts and signatures.
        endpoint: Where everything goes but streams. None means the region's own hosts.
        streams: Where streams go. None means the region's own host.
        uses_accounts: Whether an account that is known has a host of its own.
        holder: Who holds the credentials.
        ca_bundle: The file of certificate authorities that the environment names.
    """

    region: str
    endpoint: Endpoint | None
    streams: Endpoint | None
    uses_accounts: bool
    holder: Holder
    ca_bundle: str | None


def short_way(settings: WireSettings, environ: Mapping[str, str]) -> ShortWay | None:
    """Return how a client is opened without botocore, or None where it takes botocore to know.

    Args:
        settings: The client's settings.
        environ: The environment.
    """
    if settings.session is not None or settings.profile_name is not None:
        return None
    if any(environ.get(name) for name in _LEFT_TO_BOTOCORE) or not _has_empty_files(environ):
        return None
    region = settings.region_name or environment_region(environ)
    mode = environ.get("AWS_ACCOUNT_ID_ENDPOINT_MODE", "preferred")
    holder = _holder(settings.credentials, environ)
    if holder is None or not region or not _KNOWN_REGION.fullmatch(region) or mode not in _ACCOUNT_MODES:
        return None
    try:
        endpoint = _configured_endpoint(settings, environ, "AWS_ENDPOINT_URL_DYNAMODB")
        streams = _configured_endpoint(settings, environ, "AWS_ENDPOINT_URL_DYNAMODB_STREAMS")
    except ClientStateError:
        return None  # said by the long way, as ever
    if _is_special(endpoint, environ) or _streams_are_special(endpoint, streams, environ):
        return None
    return ShortWay(
        region=region,
        endpoint=endpoint,
        streams=streams,
        uses_accounts=mode == "preferred",
        holder=holder,
        ca_bundle=environ.get("AWS_CA_BUNDLE") or environ.get("REQUESTS_CA_BUNDLE") or None,
    )


def _holder(static: Credentials | None, environ: Mapping[str, str]) -> Holder | None:
    """Return who holds the credentials, or None where a provider of botocore has to look."""
    if static is not None:
        return Holder.CALLER if _is_account(static.account_id) else None
    if environ.get("AWS_ACCESS_KEY_ID"):
        whole = environ.get("AWS_SECRET_ACCESS_KEY") and _is_account(environ.get("AWS_ACCOUNT_ID"))
        return Holder.ENVIRONMENT if whole else None
    if is_plain_container(environ) and not _comes_before_containers(environ):
        return Holder.CONTAINER
    return None


def _is_account(account: str | None) -> bool:
    return not account or _ACCOUNT.fullmatch(account) is not None


def _is_special(endpoint: Endpoint | None, environ: Mapping[str, str]) -> bool:
    """Return whether there are rules for an endpoint: a proxy, unless it is this machine, or a suffix of its host."""
    if endpoint is not None and endpoint.host.endswith(_DUAL_STACK_SUFFIX):
        return True
    return _has_proxies(environ) and not _is_here(endpoint)


def _streams_are_special(endpoint: Endpoint | None, streams: Endpoint | None, environ: Mapping[str, str]) -> bool:
    """Return whether streams may go through a proxy. Those of tables on this machine go nowhere else."""
    if _is_here(endpoint) and streams is None:
        return False
    return _has_proxies(environ) and not _is_here(streams)


def _is_here(endpoint: Endpoint | None) -> bool:
    return endpoint is not None and is_loopback(endpoint.host)


def environment_credentials(environ: Mapping[str, str]) -> Credentials | None:
    """Return the credentials of the environment, as botocore reads them, or None where they are gone."""
    key, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        return None
    token = environ.get("AWS_SECURITY_TOKEN", environ.get("AWS_SESSION_TOKEN"))
    return Credentials(key, secret, token, account_id=environ.get("AWS_ACCOUNT_ID") or None)


def _configured_endpoint(settings: WireSettings, environ: Mapping[str, str], variable: str) -> Endpoint | None:
    """Return the endpoint that is configured: by the caller, for a service by its variable, or for all.

    Raises:
        ClientStateError: The URL cannot be used.
    """
    url = settings.endpoint_url
    if url is None and environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
        url = environ.get(variable) or environ.get("AWS_ENDPOINT_URL") or None
    return None if url is None else parse_endpoint(url, allow_http=settings.allow_http)


def _has_proxies(environ: Mapping[str, str]) -> bool:
    """Return whether there may be a proxy. Windows and macOS have settings beside the environment."""
    if sys.platform in {"win32", "darwin"}:
        return True
    return any(value and name.lower() in {"http_proxy", "https_proxy"} for name, value in environ.items())


def _has_empty_files(environ: Mapping[str, str]) -> bool:
    """Return whether no file says anything: neither of the two shared files, nor service models of the user's."""
    home = Path(_expanded("~/.aws"))
    files = (
        environ.get("AWS_CONFIG_FILE") or str(home / "config"),
        environ.get("AWS_SHARED_CREDENTIALS_FILE") or str(home / "credentials"),
    )
    return not any(_says_something(_expanded(path)) for path in files) and not (home / "models").exists()


def _comes_before_containers(environ: Mapping[str, str]) -> bool:
    """Return whether a provider that botocore asks before the container's has credentials."""
    if any(environ.get(name) for name in _BEFORE_CONTAINERS):
        return True
    return any(_says_something(path) for path in ("/etc/boto.cfg", _expanded("~/.boto")))


def _says_something(path: str) -> bool:
    try:
        return Path(path).stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def _expanded(path: str) -> str:
    """Expand ``~`` and variables as botocore does."""
    return os.path.expandvars(os.path.expanduser(path))  # noqa: PTH111  (`Path.expanduser` raises without a home)
