"""Make an aiobotocore client that neither signs nor sends, from a session of ours or the user's."""

from __future__ import annotations

import os
from copy import copy
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from mizzle_async.errors import ClientStateError
from mizzle_async.wire.session.adapter import HttpSessionAdapter
from mizzle_async.wire.session.environment import environment_region, user_agent
from mizzle_async.wire.session.loader import shared_loader
from mizzle_async.wire.session.nested import nested_config
from mizzle_async.wire.settings import WireSettings, check_setting

TABLES: Final = "dynamodb"
STREAMS: Final = "dynamodbstreams"
"""The two services, as botocore names them."""


class Prepared:
    """A session of aiobotocore with everything loaded that making a client reads.

    Attributes:
        session: The session.
        user_agent: The header of every request.
    """

    __slots__ = ("session", "user_agent")

    def __init__(self, session: Any, user_agent: str) -> None:
        self.session: Any = session
        self.user_agent: str = user_agent


def prepare(own: Any, profile: str | None) -> Prepared:
    """Import aiobotocore, read the AWS configuration and load the service model: in a thread, as these take long."""
    import aiobotocore
    import botocore
    from aiobotocore.session import AioSession

    for name in ("aiobotocore.config", "aiobotocore.httpsession", "botocore.utils"):
        import_module(name)
    session = own
    if session is None:
        handlers = copy(_builtin_handlers())
        session = AioSession(event_hooks=handlers, include_builtin_handlers=False, profile=profile)
        session.register_component("data_loader", shared_loader(session.get_config_variable("data_path")))
        session.set_default_client_config(nested_config())
    else:
        check_setting("session", session, AioSession, "a session of aiobotocore.session")
    # Making a client reads these, and no more: aiobotocore's own warm-up looks for five kinds of files of each service.
    loader = session.get_component("data_loader")
    for name in ("endpoints", "partitions", "sdk-default-configuration"):
        loader.load_data_with_path(name)
    load_model(session, TABLES)
    versions = (f"aiobotocore/{aiobotocore.__version__}", f"botocore/{botocore.__version__}")
    return Prepared(session, user_agent(_app_id(session), *versions))


def load_model(session: Any, service: str) -> None:
    """Read the model and the endpoint rules of a service: in a thread, as it takes long."""
    loader = session.get_component("data_loader")
    for kind in ("service-2", "endpoint-rule-set-1"):
        loader.load_service_model(service, kind)


def _app_id(session: Any) -> Any:
    """Return the application's id: of the default configuration, else of the environment or the profile."""
    default = session.get_default_client_config()
    return getattr(default, "user_agent_appid", None) or session.get_config_variable("user_agent_appid")


@lru_cache(maxsize=1)
def _builtin_handlers() -> Any:
    """Keep botocore's event handlers registered once: each session gets a copy, which takes a tenth of the time."""
    from aiobotocore.hooks import AioHierarchicalEmitter
    from aiobotocore.session import AioSession

    handlers = AioHierarchicalEmitter()
    AioSession(event_hooks=handlers)
    return handlers


async def make_client(prepared: Prepared, settings: WireSettings, service: str = TABLES) -> Any:
    """Make the aiobotocore client of a service. It suspends nowhere: it has no credentials and opens no connections."""
    session = copy(prepared.session)
    config = _client_config(session.get_default_client_config(), settings)
    # A session that has a default configuration merges it with ours, and aiobotocore before 3.9 loses the class of the
    # HTTP session as it does. The copy has none, and shares everything else with the session.
    session.set_default_client_config(None)
    creating = session.create_client(
        service,
        # A user's session finds its region by itself.
        region_name=settings.region_name or (environment_region(os.environ) if settings.session is None else None),
        endpoint_url=settings.endpoint_url,
        config=config,
        # It never signs. Without these it would look for credentials now, and in places that take seconds.
        aws_access_key_id="unused",
        aws_secret_access_key="unused",  # noqa: S106  (no secret)
    )
    client = await creating.__aenter__()  # closed by `AiobotocoreSession.aclose`
    # Providers that assume roles ask the original session in which region to do so.
    prepared.session._last_client_region_used = client.meta.region_name  # noqa: SLF001  (`create_client` sets it)
    return client


def _client_config(default: Any, settings: WireSettings) -> Any:
    """Merge a session's default client configuration with ours, which wins.

    Args:
        default: An ``AioConfig``, botocore's ``Config``, or None.
        settings: The client's settings.

    Returns:
        An ``AioConfig``.
    """
    from aiobotocore.config import AioConfig

    options: dict[str, Any] = {}
    if default is not None:
        options.update(default._user_provided_options)  # noqa: SLF001  (what `merge` itself reads)
        # aiobotocore before 3.9 does not count it among the options that were provided.
        if connector_args := getattr(default, "connector_args", None):
            options["connector_args"] = connector_args
    options |= {
        "http_session_cls": HttpSessionAdapter,
        "retries": {"total_max_attempts": 1, "mode": "standard"},
        "endpoint_discovery_enabled": False,
        "max_pool_connections": settings.pool.max_connections,
        "connect_timeout": settings.pool.connect_timeout,
        "read_timeout": None,
    }
    return AioConfig(**options)


def configuration_error(error: Exception, profile: str | None) -> ClientStateError | None:
    """Return the error of an unusable AWS configuration, or None for an error that is not about it."""
    from botocore.exceptions import BotoCoreError, NoRegionError, ProfileNotFound

    if isinstance(error, NoRegionError):
        return ClientStateError("no AWS region: pass region_name=, set AWS_REGION, or name one in a profile")
    if isinstance(error, ProfileNotFound):
        return ClientStateError(f"no AWS profile named {profile or error.kwargs.get('profile')!r}")
    url = str(error).removeprefix("Invalid endpoint: ")
    if url != str(error) and "://" not in url:
        # It may hold a secret before an at sign.
        shown = f" {url!r}" if "@" not in url else ""
        return ClientStateError(f"the endpoint{shown} has no scheme: write http:// or https:// before its host")
    if isinstance(error, BotoCoreError | ValueError):
        return ClientStateError(f"the AWS configuration cannot be used: {error}")
    return None
