"""Settings of the environment that the client itself reads, or says that it does not."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import Final

logger: logging.Logger = logging.getLogger("mizzle_async.wire")

VERSION: Final = "0.1.0"
"""The package's version. Asking the package's metadata for it takes longer than a signed request."""

_RETRY_VARIABLES: Final = ("AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE")
_UNSAFE_IN_APP_ID: Final = re.compile(r"[^A-Za-z0-9!#$%&'*+.^_`|~-]")
_APP_ID_LENGTH: Final = 50


def environment_region(environ: Mapping[str, str]) -> str | None:
    """Return the region that the environment names.

    Botocore knows ``AWS_DEFAULT_REGION`` alone. The other SDKs know ``AWS_REGION``, which AWS Lambda and many tools
    set. It counts where the first one is absent, so that a process never has two regions.
    """
    return environ.get("AWS_DEFAULT_REGION") or environ.get("AWS_REGION") or None


def name_unused(profile: Mapping[str, object]) -> None:
    """Log the settings that are present and not used, once for each opening.

    Args:
        profile: The profile in use.
    """
    unused = unused_settings(os.environ, profile)
    if unused is not None:
        logger.info("%s", unused)


def unused_settings(environ: Mapping[str, str], profile: Mapping[str, object]) -> str | None:
    """Name the settings of retries that are present, and that this client does not use. Return None if there are none.

    They count attempts by botocore's rules. This client has one policy, with a deadline: `RetryPolicy`.

    Args:
        environ: The environment.
        profile: The profile in use.
    """
    named = [name for name in _RETRY_VARIABLES if environ.get(name)]
    named += [f"{name} of the profile" for name in ("max_attempts", "retry_mode") if profile.get(name)]
    if not named:
        return None
    return f"{', '.join(named)}: not used for DynamoDB calls, which Client(retry=RetryPolicy(…)) governs"


def user_agent(app_id: object, *libraries: str) -> str:
    """Return the user agent of every request.

    Args:
        app_id: The application's id, by ``AWS_SDK_UA_APP_ID`` or a profile. Anything but a text is none.
        libraries: Names and versions of the libraries that found the way.
    """
    python = ".".join(map(str, sys.version_info[:3]))
    return " ".join((f"mizzle_async/{VERSION}", *libraries, f"python/{python}")) + app_suffix(app_id)


def app_suffix(app_id: object) -> str:
    """Return how ``AWS_SDK_UA_APP_ID`` is added to the user agent."""
    if not isinstance(app_id, str) or not app_id:
        return ""
    return f" app/{_UNSAFE_IN_APP_ID.sub('-', app_id[:_APP_ID_LENGTH])}"
