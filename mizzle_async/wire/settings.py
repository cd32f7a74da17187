"""What opening the I/O stack needs: plain frozen values, gathered by the client."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeAlias

from attrs import field, frozen
from attrs.validators import gt

from mizzle_async.types import Instrument
from mizzle_async.wire.exchange import Transport
from mizzle_async.wire.hedge import HedgePolicy
from mizzle_async.wire.pool_config import PoolConfig
from mizzle_async.wire.retry import RetryPolicy

_SHOWN = 4


def _masked(access_key_id: str) -> str:
    """Show enough of an access key's id to tell two apart."""
    return repr(f"…{access_key_id[-_SHOWN:]}") if len(access_key_id) > 2 * _SHOWN else "…"


@frozen(slots=True)
class Credentials:
    """Static credentials. Neither the secret nor the token appears in its repr.

    Attributes:
        access_key_id: The access key's id.
        secret_access_key: The secret access key.
        session_token: The session token of temporary credentials.
        account_id: The account they belong to, where account-based endpoints are wanted.
    """

    access_key_id: str = field(repr=_masked)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    account_id: str | None = field(default=None, kw_only=True)


CredentialsLike: TypeAlias = Credentials | tuple[str, str] | tuple[str, str, str | None]
"""Static credentials, or a tuple of access key id, secret access key and, if there is one, session token."""


def _credentials(given: CredentialsLike | None) -> Credentials | None:
    if not isinstance(given, tuple):
        return given
    access_key_id, secret_access_key, *token = given
    return Credentials(access_key_id, secret_access_key, *token)


def _instruments(given: Instrument | tuple[Instrument, ...] | list[Instrument]) -> tuple[Instrument, ...]:
    return tuple(given) if isinstance(given, list | tuple) else (given,)


@frozen(kw_only=True)
class WireSettings:
    """Everything that `mizzle_async.wire.pipeline.open_pipeline` is told.

    Attributes:
        region_name: AWS region; None means what the AWS configuration says.
        profile_name: Profile of the AWS configuration.
        endpoint_url: Where to send everything, instead of the region's own endpoints.
        credentials: Static credentials; None means the AWS chain.
        session: The user's own aiobotocore session.
        pool: Bounds and times of the connection pool.
        timeout: Seconds for a whole call: waiting, connecting, every attempt, every pause, a refresh of credentials.
        retry: How often and when a request is sent again.
        hedge: Whether late reads are sent twice.
        instrument: Who hears of finished calls.
        allow_http: Permit ``http://`` to hosts other than this machine.
        transport: Carries every exchange in place of pool and session, for tests and simulations; nothing else is
            opened.
        wall_clock: Epoch seconds, for signatures.
    """

    region_name: str | None = None
    profile_name: str | None = None
    endpoint_url: str | None = None
    credentials: Credentials | None = field(default=None, converter=_credentials)
    session: Any = field(default=None, repr=False)
    pool: PoolConfig = field(factory=PoolConfig)
    timeout: float = field(default=10.0, validator=gt(0))
    retry: RetryPolicy = field(factory=RetryPolicy)
    hedge: HedgePolicy | None = None
    instrument: tuple[Instrument, ...] = field(default=(), converter=_instruments)
    allow_http: bool = False
    transport: Transport | None = None
    wall_clock: Callable[[], float] = time.time

    def __attrs_post_init__(self) -> None:
        """Refuse two answers to one question."""
        if self.session is not None and self.profile_name is not None:
            raise ValueError("give profile_name= or session=, not both: a session has its profile")
