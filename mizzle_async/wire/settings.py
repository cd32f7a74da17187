"""The settings of the I/O stack: plain frozen values, gathered by the client."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeAlias

import attrs
from attrs import field, frozen
from attrs.validators import gt

from mizzle_async.types import Instrument
from mizzle_async.values import Value, is_seconds
from mizzle_async.wire.exchange import Transport
from mizzle_async.wire.hedge_policy import HedgePolicy
from mizzle_async.wire.pool.config import PoolConfig
from mizzle_async.wire.retry import RetryPolicy

_SHOWN = 4


def _masked(access_key_id: str) -> str:
    """Show enough of an access key's id to tell two apart."""
    return repr(f"…{access_key_id[-_SHOWN:]}") if len(access_key_id) > 2 * _SHOWN else "…"


@frozen(eq=False, repr=False)
class Credentials(Value):
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


_CREDENTIALS = "Credentials, or a tuple of access key id, secret access key and, if there is one, session token"
_TUPLE_LENGTHS = (2, 3)


def check_setting(name: str, value: object, kinds: type[Any] | tuple[type[Any], ...], takes: str) -> None:
    """Raise TypeError unless a setting has one of its types. Its value is not shown.

    Args:
        name: The setting's name.
        value: Its value.
        kinds: The types that it may have.
        takes: Their name in the message.

    Raises:
        TypeError: It has none of them.
    """
    if not isinstance(value, kinds):
        raise TypeError(f"{name}= takes {takes}, not {type(value).__name__}")


def _credentials(argument: CredentialsLike | None) -> Credentials | None:
    if argument is None:
        return None
    check_setting("credentials", argument, (Credentials, tuple), _CREDENTIALS)
    if isinstance(argument, Credentials):
        return argument
    if len(argument) not in _TUPLE_LENGTHS:
        raise TypeError(f"credentials= takes {_CREDENTIALS}, not a tuple of {len(argument)}")
    access_key_id, secret_access_key, *token = argument
    for part in (access_key_id, secret_access_key, *(one for one in token if one is not None)):
        check_setting("credentials", part, str, f"{_CREDENTIALS}, all of them str")
    return Credentials(access_key_id, secret_access_key, *token)


def _instruments(argument: Instrument | tuple[Instrument, ...] | list[Instrument]) -> tuple[Instrument, ...]:
    several = tuple(argument) if isinstance(argument, list | tuple) else (argument,)
    for one in several:
        check_setting("instrument", one, Instrument, "an object with a method call_finished, or several")
    return several


def _is(kinds: type[Any] | tuple[type[Any], ...], takes: str) -> Callable[[object, attrs.Attribute[Any], Any], None]:
    """Return a validator of a setting's type."""

    def check(_settings: object, attribute: attrs.Attribute[Any], value: object) -> None:
        check_setting(attribute.name, value, kinds, takes)

    return check


def _seconds(_settings: object, attribute: attrs.Attribute[Any], value: float) -> None:
    """Raise ValueError for a number that no clock can hold."""
    if not is_seconds(value):
        raise ValueError(f"{attribute.name}= is larger than any clock's number: math.inf waits for ever")


def _function(_settings: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Raise TypeError unless a setting is a function, or None."""
    if value is not None and not callable(value):
        raise TypeError(f"{attribute.name}= takes a function, not {type(value).__name__}")


_TEXT = _is((str, type(None)), "a str")


@frozen(eq=False, repr=False, kw_only=True)
class WireSettings(Value):
    """The arguments of `mizzle_async.wire.pipeline.open_pipeline`.

    Attributes:
        region_name: AWS region, or None for the AWS configuration's.
        profile_name: Profile of the AWS configuration.
        endpoint_url: Where to send everything, instead of the region's own endpoints.
        credentials: Static credentials, or None for the AWS chain.
        session: The user's own aiobotocore session.
        pool: Bounds and times of the connection pool.
        timeout: Seconds for a whole call: waiting, connecting, every attempt, every pause, a refresh of credentials.
        retry: How often and when a request is sent again.
        hedge: Whether late reads are sent twice.
        instrument: The instruments that are told of finished calls.
        allow_http: Permit ``http://`` to hosts other than this machine.
        mfa_prompt: Asks the user for an MFA code. None where there is no user to ask.
        transport: Carries every exchange in place of pool and session, for tests and simulations. Nothing else is
            opened.
        wall_clock: Epoch seconds, for signatures.
    """

    region_name: str | None = field(default=None, validator=_TEXT)
    profile_name: str | None = field(default=None, validator=_TEXT)
    endpoint_url: str | None = field(default=None, validator=_TEXT)
    credentials: Credentials | None = field(default=None, converter=_credentials)
    session: Any = field(default=None, repr=False)
    pool: PoolConfig = field(factory=PoolConfig, validator=_is(PoolConfig, "a PoolConfig"))
    timeout: float = field(default=10.0, validator=[_is((int, float), "seconds as a number"), gt(0), _seconds])
    retry: RetryPolicy = field(factory=RetryPolicy, validator=_is(RetryPolicy, "a RetryPolicy"))
    hedge: HedgePolicy | None = field(default=None, validator=_is((HedgePolicy, type(None)), "a HedgePolicy"))
    instrument: tuple[Instrument, ...] = field(default=(), converter=_instruments)
    allow_http: bool = False
    mfa_prompt: Callable[[str], str] | None = field(default=None, validator=_function)
    transport: Transport | None = None
    wall_clock: Callable[[], float] = time.time

    def __attrs_post_init__(self) -> None:
        """Raise ValueError for settings that contradict each other."""
        if self.session is not None and self.profile_name is not None:
            raise ValueError("give profile_name= or session=, not both: a session has its profile")
