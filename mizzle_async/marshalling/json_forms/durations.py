"""Durations as ISO 8601 writes them: ``P1DT2H3M4.5S``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from mizzle_async.model.scalars.misfit import Misfit

_DURATION: Final = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<years>\d{1,9})Y)?(?:(?P<months>\d{1,9})M)?(?:(?P<weeks>\d{1,9})W)?(?:(?P<days>\d{1,9})D)?"
    r"(?:T(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,9})(?:[.,](?P<fraction>\d{1,6}))?S)?)?",
    re.ASCII,
)
_PLACES: Final = 6
_YEAR: Final = 365
_MONTH: Final = 30


def write_duration(value: timedelta) -> str:
    """Return the ISO 8601 text of a duration."""
    sign, value = ("-", -value) if value < timedelta() else ("", value)
    hours, rest = divmod(value.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    fraction = f".{value.microseconds:0{_PLACES}}".rstrip("0") if value.microseconds else ""
    parts = [(hours, "H", ""), (minutes, "M", ""), (seconds, "S", fraction)]
    time = "".join(f"{count}{more}{unit}" for count, unit, more in parts if count or more)
    days = f"{value.days}D" if value.days else ""
    return f"{sign}P{days}{'T' if time else ''}{time}" if days or time else "PT0S"


def read_duration(text: str) -> timedelta:
    """Return the duration of an ISO 8601 text. A year counts 365 days and a month 30, as other programs write them.

    Raises:
        Misfit: The text is none, or a timedelta cannot hold it.
    """
    match = _DURATION.fullmatch(text)
    parts = {} if match is None else {name: part for name, part in match.groupdict().items() if part and name != "sign"}
    if match is None or not parts or text.endswith("T"):
        raise Misfit("a duration in ISO 8601, such as PT1H30M", "text that is none")
    fraction = parts.pop("fraction", "")
    counts = {name: int(part) for name, part in parts.items()}
    counts["days"] = counts.get("days", 0) + _YEAR * counts.pop("years", 0) + _MONTH * counts.pop("months", 0)
    try:
        value = timedelta(**counts, microseconds=int(fraction.ljust(_PLACES, "0")))
    except OverflowError:
        raise Misfit("a duration that a timedelta holds", "a longer one") from None
    return -value if match["sign"] == "-" else value
