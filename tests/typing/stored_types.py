# pyright: reportUnnecessaryTypeIgnoreComment=true
"""The newer types and options as type checkers see them: every line is accepted, or refused where an ignore says so."""

from __future__ import annotations

from datetime import UTC, datetime, time
from enum import IntEnum, StrEnum
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple, NotRequired, TypedDict, assert_type
from zoneinfo import ZoneInfo

import cattrs

from mizzle_async import (
    Attribute,
    Client,
    PartitionKey,
    SortKey,
    attribute,
    configure_converter,
    entity,
    make_converter,
)
from mizzle_async.expressions import AttributePath


class Status(StrEnum):
    OPEN = "open"


class Level(IntEnum):
    LOW = 1


class Size(TypedDict):
    width: int
    unit: NotRequired[str]


class Point(NamedTuple):
    x: int
    y: int


def write_day(value: datetime) -> str:
    return value.strftime("%d.%m.%Y")


def read_day(text: str) -> datetime:
    return datetime.strptime(text, "%d.%m.%Y").replace(tzinfo=UTC)


@entity("shifts")
class Shift:
    host: PartitionKey[IPv4Address]
    begins: SortKey[time]
    zone: Attribute[ZoneInfo]
    log: Attribute[Path] = attribute(default=Path("log.txt"))
    status: Attribute[Status | str] = attribute(default=Status.OPEN)
    by_level: Attribute[dict[Level, int]] = attribute(factory=dict)
    size: Attribute[Size | None] = attribute(default=None)
    point: Attribute[Point | None] = attribute(default=None)
    tags: Attribute[list[str]] = attribute(factory=list, null_as_default=True)
    share: Attribute[Fraction] = attribute(default=Fraction(1), encode=str, decode=Fraction, stored_as=str)
    day: Attribute[datetime | None] = attribute(default=None, datetime_format=(write_day, read_day))
    seen: Attribute[datetime | None] = attribute(default=None, datetime_format="%Y-%m-%d")


shift = Shift(host=IPv4Address("10.0.0.1"), begins=time(9), zone=ZoneInfo("UTC"))
assert_type(shift.status, Status | str)
assert_type(shift.point, Point | None)
assert_type(Shift.by_level, AttributePath[Shift, dict[Level, int]])
assert_type(Shift.by_level[Level.LOW], AttributePath[Shift, int])
Shift(host="10.0.0.1", begins=time(9), zone=ZoneInfo("UTC"))  # type: ignore[arg-type]
attribute(default=None, datetime_format=(write_day,))  # type: ignore[arg-type]
attribute(default=None, datetime_format=write_day)  # type: ignore[call-overload]
attribute(default=None, encode="str")  # type: ignore[call-overload]
attribute(default=None, null_as_default="yes")  # type: ignore[call-overload]

# A converter is one of cattrs', and its results are typed as cattrs types them.
converter = make_converter()
assert_type(converter, cattrs.Converter)
assert_type(converter.structure({"N": "1"}, int), int)
configure_converter(cattrs.Converter())
configure_converter("json")  # type: ignore[arg-type]
Client(converter=converter)
