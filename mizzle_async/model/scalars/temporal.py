"""Points in time, days, times of day and durations to text and back.

Every point in time is stored in UTC, so that reading gives UTC for every zone. As text it has a fixed width
and microseconds, ``2026-01-31T09:05:00.000000Z``, so the order of the texts is the order of time. As a number it is
exact: a fraction of a second is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import orjson

from mizzle_async.model.scalars.misfit import Misfit, not_a
from mizzle_async.model.scalars.numbers import read_scaled, scaled_text

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
SECOND_PLACES: Final = 6
MILLISECOND_PLACES: Final = 3
UNITS: Final = "is it a number of milliseconds, or of a smaller unit? A time to live is in seconds"
AWARE: Final = "give it a time zone: datetime.now(UTC), or .replace(tzinfo=…)"

parse_datetime: Callable[[str], datetime] = datetime.fromisoformat
dumps: Callable[..., bytes] = orjson.dumps
"""orjson writes a datetime in half the time that `isoformat` takes, but leaves out microseconds that are 0."""
UTC_AS_Z: Final = orjson.OPT_UTC_Z


_FINER: Final = re.compile("[.,][0-9]{6}[0-9]*[1-9]")
"""A fraction of a second that Python cuts off without a word."""


def in_utc(value: datetime) -> datetime:
    """Return the same point in time in UTC.

    Raises:
        Misfit: It has no time zone, or lies outside the years 1 to 9999 there.
    """
    if value.utcoffset() is None:
        raise Misfit("a datetime with a time zone", "a naive one", AWARE)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise Misfit("a datetime between the years 1 and 9999 in UTC", "one outside") from None


def _exact_datetime(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise not_a("datetime", value)
    return in_utc(value)


def write_datetime(value: object) -> str:
    """Return the text of a point in time."""
    if type(value) is datetime and value.tzinfo is UTC:
        text = dumps(value, None, UTC_AS_Z).decode()
        return text[1:-1] if value.microsecond else f"{text[1:-2]}.000000Z"
    return f"{_exact_datetime(value).replace(tzinfo=None).isoformat('T', 'microseconds')}Z"


def read_datetime(payload: object) -> datetime:
    """Return the point in time that an ISO 8601 text with a time zone means."""
    try:
        value = datetime.fromisoformat(payload)  # type: ignore[arg-type]  # anything else than text fails as it should
    except (TypeError, ValueError):
        raise Misfit("a datetime in ISO 8601", "text that is none") from None
    if _FINER.search(str(payload)):
        raise Misfit("a datetime down to microseconds", "a finer one", "declare the attribute str")
    return in_utc(value)


def write_iso_ms(value: object) -> str:
    """Return the text of a point in time with milliseconds."""
    moment = _exact_datetime(value)
    if moment.microsecond % 1000:
        raise Misfit(
            "a datetime down to milliseconds",
            "a finer one",
            "cut it: .replace(microsecond=value.microsecond // 1000 * 1000)",
        )
    return stamp_iso_ms(moment)


def stamp_iso_ms(value: object) -> str:
    """Return the text of a point in time, cut to milliseconds."""
    return f"{_exact_datetime(value).replace(tzinfo=None).isoformat('T', 'milliseconds')}Z"


def write_epoch(value: object) -> str:
    """Return the seconds since 1970 as text, a fraction included."""
    return scaled_text((_exact_datetime(value) - EPOCH) // MICROSECOND, SECOND_PLACES)


def write_epoch_ms(value: object) -> str:
    """Return the milliseconds since 1970 as text, a fraction included."""
    return scaled_text((_exact_datetime(value) - EPOCH) // MICROSECOND, MILLISECOND_PLACES)


def write_whole_seconds(value: object) -> str:
    """Return the whole seconds since 1970 as text, as time to live wants it. A fraction is cut off."""
    return str((_exact_datetime(value) - EPOCH) // timedelta(seconds=1))


def read_epoch(payload: object) -> datetime:
    """Return the point in time that lies so many seconds after 1970."""
    return _since_epoch(read_scaled(payload, SECOND_PLACES))


def read_epoch_ms(payload: object) -> datetime:
    """Return the point in time that lies so many milliseconds after 1970."""
    return _since_epoch(read_scaled(payload, MILLISECOND_PLACES))


def _since_epoch(microseconds: int) -> datetime:
    try:
        return EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        raise Misfit("a point in time between the years 1 and 9999", "one outside", UNITS) from None


def write_date(value: object) -> str:
    """Return the text of a day. A datetime is more than a day."""
    if isinstance(value, datetime) or not isinstance(value, date):
        raise not_a("date", value)
    return value.isoformat()


def read_date(payload: object) -> date:
    """Return the day of an ISO 8601 text."""
    try:
        return date.fromisoformat(payload)  # type: ignore[arg-type]  # anything else than text fails as it should
    except (TypeError, ValueError):
        raise Misfit("a date in ISO 8601", "text that is none") from None


def write_time(value: object) -> str:
    """Return the text of a time of day, of a fixed width: the order of the texts is the order of the times."""
    if not isinstance(value, time):
        raise not_a("time", value)
    if value.tzinfo is not None:
        raise Misfit("a time without a time zone", "one with a time zone", "store a datetime, or .replace(tzinfo=None)")
    return value.isoformat("microseconds")


def read_time(payload: object) -> time:
    """Return the time of day that an ISO 8601 text without a time zone means."""
    try:
        value = time.fromisoformat(payload)  # type: ignore[arg-type]  # anything else than text fails as it should
    except (TypeError, ValueError):
        raise Misfit("a time in ISO 8601", "text that is none") from None
    if value.tzinfo is not None:
        raise Misfit("a time without a time zone", "one with a time zone", "declare the attribute str")
    if _FINER.search(str(payload)):
        raise Misfit("a time down to microseconds", "a finer one", "declare the attribute str")
    return value


def write_timedelta(value: object) -> str:
    """Return the seconds of a duration as text, exactly."""
    if not isinstance(value, timedelta):
        raise not_a("timedelta", value)
    return scaled_text(value // MICROSECOND, SECOND_PLACES)


def read_timedelta(payload: object) -> timedelta:
    """Return the duration of so many seconds."""
    try:
        return timedelta(microseconds=read_scaled(payload, SECOND_PLACES))
    except OverflowError:
        raise Misfit("a duration that a timedelta holds", "a longer one") from None


def from_epoch(epoch_seconds: float) -> datetime:
    """Return the point in time so many seconds after 1970, to the nearest microsecond."""
    return EPOCH + timedelta(microseconds=round(epoch_seconds * 10**SECOND_PLACES))
