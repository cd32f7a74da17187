"""Why credentials could not be loaded: errors of botocore's providers, in our words, without their secrets.

A provider's error may show the output of a process, an echo of the service, or a proxy's password. The reasons are made
of codes, statuses, names and settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from json import JSONDecodeError
from typing import Any, Final

from mizzle_async.wire.session.credentials import LoadError

_THROTTLING: Final = frozenset(
    {"IDPCommunicationError", "RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException"}
)
_TOO_MANY: Final = 429
_FIRST_SERVER_ERROR: Final = 500
_NON_200: Final = re.compile(r"non 200 response (\d{3})")
_CONFIGURATION: Final = (
    "ConfigNotFound",
    "ConfigParseError",
    "InfiniteLoopConfigError",
    "InvalidConfigError",
    "InvalidIMDSEndpointError",
    "InvalidIMDSEndpointModeError",
    "MissingDependencyException",
    "PartialCredentialsError",
    "ProfileNotFound",
    "UnknownCredentialError",
)
"""Errors whose text is made of names of settings, files and profiles."""


def explain(error: BaseException, profile: str) -> LoadError:
    """Translate a provider's error.

    Args:
        error: The error of the provider.
        profile: The profile in use.

    Returns:
        The failure: its reason, whether asking again may help, and a cause that shows no secret.
    """
    for kind in type(error).__mro__:
        translate = _KINDS.get(kind.__name__)
        if translate is not None and kind.__module__.startswith("botocore."):
            return translate(error, profile)
    if isinstance(error, JSONDecodeError | UnicodeDecodeError):
        # These hold the whole text.
        return _clean(error, f"a provider's answer for profile {profile!r} is not JSON", may_pass=False)
    if isinstance(error, OSError):
        return LoadError(f"{type(error).__name__}", may_pass=True, cause=error)
    return LoadError(type(error).__name__, may_pass=False, cause=error)


def _configuration(error: Any, profile: str) -> LoadError:
    del profile
    return LoadError(str(error), may_pass=False, cause=error)


def _sso(error: Any, profile: str) -> LoadError:
    reason = f"the SSO session of profile {profile!r} has expired or does not exist: run `aws sso login`"
    if profile != "default":
        reason = f"{reason[:-1]} --profile {profile}`"
    return LoadError(reason, may_pass=False, cause=error)


def _token(error: Any, profile: str) -> LoadError:
    if error.kwargs.get("provider") == "sso":
        return _sso(error, profile)
    return LoadError("no bearer token could be retrieved", may_pass=False, cause=error)


def _login(error: Any, profile: str) -> LoadError:
    return LoadError(f"{error} (profile {profile!r})", may_pass=False, cause=error)


def _mfa(error: Any, profile: str) -> LoadError:
    reason = f"profile {profile!r} needs a new MFA code, as its role's credentials have expired: start anew"
    return LoadError(reason, may_pass=False, cause=error)


def _metadata(error: Any, profile: str) -> LoadError:
    del profile
    status = _NON_200.search(str(error))
    said = f"answered HTTP {status[1]}" if status else "gave no usable answer"
    return _clean(error, f"the container's credential endpoint {said}", may_pass=True)


def _retrieval(error: Any, profile: str) -> LoadError:
    provider = error.kwargs.get("provider")
    if provider == "container-role":
        return _metadata(error, profile)
    if provider == "custom-process":
        reason = f"the credential_process of profile {profile!r} failed: run its command to see what it says"
        return _clean(error, reason, may_pass=False)
    return _clean(error, f"{provider} has none for profile {profile!r}", may_pass=False)


def _service(error: Any, profile: str) -> LoadError:
    """Give the code that STS or SSO answered, and the message where it repeats nothing of the request."""
    answer = error.response.get("Error") or {}
    code = str(answer.get("Code") or "an unknown error")
    status = (error.response.get("ResponseMetadata") or {}).get("HTTPStatusCode") or 0
    may_pass = status >= _FIRST_SERVER_ERROR or status == _TOO_MANY or code in _THROTTLING
    reason = f"{error.operation_name} was answered with {code}"
    if "Signature" not in code and "Token" not in code:
        reason += f": {str(answer.get('Message') or '').partition(chr(10))[0]}"
    return _clean(error, f"{reason} (profile {profile!r})", may_pass=may_pass)


def _http(error: Any, profile: str) -> LoadError:
    """Name the endpoint that was not reached. The error itself may show a proxy's URL."""
    del profile
    endpoint = error.kwargs.get("endpoint_url")
    return _clean(error, f"{type(error).__name__}{f' at {endpoint}' if endpoint else ''}", may_pass=True)


def _tls(error: Any, profile: str) -> LoadError:
    del profile
    endpoint = error.kwargs.get("endpoint_url")
    reason = f"no TLS connection to {endpoint} that is trusted: AWS_CA_BUNDLE names a file of the authorities to trust"
    return _clean(error, reason, may_pass=False)


def _clean(error: BaseException, reason: str, *, may_pass: bool) -> LoadError:
    """Leave the foreign error out of the chain of causes."""
    return LoadError(reason, may_pass=may_pass, cause=RuntimeError(f"{type(error).__name__} in botocore"))


_KINDS: Final[dict[str, Callable[[Any, str], LoadError]]] = {
    **dict.fromkeys(_CONFIGURATION, _configuration),
    "ClientError": _service,
    "ConnectionError": _http,
    "CredentialRetrievalError": _retrieval,
    "HTTPClientError": _http,
    "LoginError": _login,
    "MetadataRetrievalError": _metadata,
    "RefreshWithMFAUnsupportedError": _mfa,
    "SSLError": _tls,
    "SSOError": _sso,
    "TokenRetrievalError": _token,
}
"""The class of an error, by its name: not every supported botocore has each of them."""
