"""Identifiers, addresses, time zones and paths to text and back."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path, PosixPath, PurePath, WindowsPath
from typing import Any, Final, TypeVar
from uuid import UUID, SafeUUID
from zoneinfo import ZoneInfo

import orjson

from mizzle_async.model.scalars.misfit import Misfit, not_a

AddressT = TypeVar("AddressT", IPv4Address, IPv6Address)

UUID_LENGTH: Final = 36
UUID_OCTETS: Final = 16
PATH_TYPES: Final = (Path, PosixPath, WindowsPath)

dumps: Callable[..., bytes] = orjson.dumps


def write_uuid(value: object) -> str:
    """Return the text of a UUID, in lower case with hyphens."""
    if not isinstance(value, UUID):
        raise not_a("UUID", value)
    return dumps(value)[1:-1].decode() if type(value) is UUID else str(value)


# `UUID.__init__` takes a microsecond to look at its arguments; these set the same two slots.
_new: Any = object.__new__
_set_int: Any = UUID.__dict__["int"].__set__
_set_is_safe: Any = UUID.__dict__["is_safe"].__set__
_unknown_safety: Final = SafeUUID.unknown


def read_uuid(payload: object) -> UUID:
    """Return the UUID of a text, in any form that `uuid.UUID` takes."""
    try:
        if len(payload) == UUID_LENGTH and len(octets := bytes.fromhex(payload.replace("-", ""))) == UUID_OCTETS:  # type: ignore[arg-type, attr-defined]  # anything else than text fails as it should
            value: UUID = _new(UUID)
            _set_int(value, int.from_bytes(octets))
            _set_is_safe(value, _unknown_safety)
            return value
        return UUID(payload)  # type: ignore[arg-type]  # as above
    except (AttributeError, TypeError, ValueError):
        raise Misfit("a UUID", "text that is none") from None


def write_ipv4(value: object) -> str:
    """Return the text of an IPv4 address: four decimal numbers."""
    return _address_text(IPv4Address, value)


def read_ipv4(payload: object) -> IPv4Address:
    """Return the IPv4 address of a text."""
    return _address(IPv4Address, payload)


def write_ipv6(value: object) -> str:
    """Return the text of an IPv6 address in its short form."""
    return _address_text(IPv6Address, value)


def read_ipv6(payload: object) -> IPv6Address:
    """Return the IPv6 address of a text, in any of its forms."""
    return _address(IPv6Address, payload)


def _address_text(kind: type[Any], value: object) -> str:
    # An interface is a subclass of an address, and its text has a network behind it.
    if type(value) is not kind:
        raise not_a(kind.__name__, value)
    return str(value)


def _address(kind: type[AddressT], payload: object) -> AddressT:
    if not isinstance(payload, str):  # from a number it would be another address
        raise Misfit(f"an {kind.__name__}", type(payload).__name__)
    try:
        return kind(payload)
    except ValueError:
        raise Misfit(f"an {kind.__name__}", "text that is none") from None


def write_zone(value: object) -> str:
    """Return the name of a time zone."""
    if not isinstance(value, ZoneInfo):
        raise not_a("ZoneInfo", value)
    name: Any = value.key
    if name is None:
        raise Misfit("a time zone with a name", "one that was read from a file")
    return str(name)


def read_zone(payload: object) -> ZoneInfo:
    """Return the time zone of a name."""
    try:
        return ZoneInfo(payload)  # type: ignore[arg-type]  # anything else than text fails as it should
    except (LookupError, OSError, TypeError, ValueError):
        raise Misfit("a time zone that is known here", "another name", "install a newer `tzdata`") from None


def write_path(value: object) -> str:
    """Return the text of a path with forward slashes, as every platform reads it."""
    if not isinstance(value, PurePath):
        raise not_a("Path", value)
    text = value.as_posix()
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Misfit("a path that is text", "one with bytes that are none") from None
    return text


def read_path(payload: object) -> Path:
    """Return the path of a text."""
    if not isinstance(payload, str):
        raise Misfit("a path", type(payload).__name__)
    return Path(payload)
