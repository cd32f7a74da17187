"""Datetimes as text of another program's form: a strftime format, or a pair of functions.

A text must say its point in time exactly, so it is read again before it is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from mizzle_async.model.scalars.misfit import Misfit, not_a
from mizzle_async.model.scalars.scalar_type import LOOKS_LIKE_TEXT, USES_BY_TAG, DatetimeFormat, ScalarType
from mizzle_async.model.scalars.temporal import in_utc

PAIR: Final = 2
_DAY: Final = datetime(2009, 12, 31, 9, 59, 59, tzinfo=UTC)
ASCENDING: Final = (
    datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2000, 1, 1, tzinfo=UTC),
    datetime(2000, 2, 1, tzinfo=UTC),
    datetime(2000, 9, 2, tzinfo=UTC),
    datetime(2000, 10, 1, tzinfo=UTC),
    _DAY,
    *(_DAY + timedelta(seconds=seconds) for seconds in (1, 61, 3_601, 4 * 3_600, 12 * 3_600, 24 * 3_600)),
    datetime(2011, 4, 1, tzinfo=UTC),
    datetime(2011, 8, 1, tzinfo=UTC),
)
"""Points in time that show whether the order of texts is the order of time."""


def is_text_format(datetime_format: Any) -> bool:
    """Return whether a format is a strftime format or a pair of functions."""
    if isinstance(datetime_format, str):
        return "%" in datetime_format
    return isinstance(datetime_format, tuple) and len(datetime_format) == PAIR and all(map(callable, datetime_format))


class _TextForm:
    """Reads and writes datetimes in one form."""

    __slots__ = ("_read_text", "_write_text")

    def __init__(self, write_text: Callable[[datetime], str], read_text: Callable[[str], datetime]) -> None:
        self._write_text = write_text
        self._read_text = read_text

    def read(self, payload: object) -> datetime:
        """Return the point in time that a text means."""
        if not isinstance(payload, str):
            raise Misfit("a datetime as text", type(payload).__name__)
        try:
            value: Any = self._read_text(payload)
        except Exception as error:
            raise Misfit("a datetime in its datetime_format", "text that is none") from error
        if not isinstance(value, datetime):
            raise Misfit("a datetime from the function of its datetime_format", type(value).__name__)
        return in_utc(value)

    def stamp(self, value: object) -> str:
        """Return the text of a point in time, cut to the form's precision."""
        if not isinstance(value, datetime):
            raise not_a("datetime", value)
        moment = in_utc(value)
        try:
            text: Any = self._write_text(moment)
        except Exception as error:
            raise Misfit("a datetime that its datetime_format writes", type(error).__name__) from error
        if not isinstance(text, str):
            raise Misfit("text from the function of its datetime_format", type(text).__name__)
        return text

    def write(self, value: object) -> str:
        """Return the text of a point in time that the form says exactly."""
        text = self.stamp(value)
        if self.read(text) != value:
            raise Misfit("a datetime that its datetime_format says exactly", "a finer one", "cut it with .replace(…)")
        return text


@cache
def text_format(datetime_format: DatetimeFormat) -> ScalarType:
    """Return the row of datetimes that are stored in another program's form.

    Args:
        datetime_format: A strftime format, or a pair of functions: one writes a datetime in UTC, one reads a text.
    """
    if isinstance(datetime_format, str):
        write_text, read_text = _strftime(datetime_format)
    else:
        write_text, read_text = datetime_format
    form = _TextForm(write_text, read_text)
    uses = USES_BY_TAG["S"] if _is_ordered(write_text) else LOOKS_LIKE_TEXT
    return ScalarType(
        datetime, "S", form.write, form.read, uses=uses, datetime_format=datetime_format, stamp=form.stamp
    )


def _strftime(pattern: str) -> tuple[Callable[[datetime], str], Callable[[str], datetime]]:
    def read_text(text: str) -> datetime:
        value = datetime.strptime(text, pattern)  # noqa: DTZ007  (a zone is added in the next line)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value

    return lambda value: value.strftime(pattern), read_text


def _is_ordered(write_text: Callable[[datetime], str]) -> bool:
    """Return whether later times have texts that are not smaller."""
    try:
        texts = [write_text(moment).encode() for moment in ASCENDING]
    except Exception:  # noqa: BLE001  (a function that fails here may be one for later years)
        return False
    return texts == sorted(texts)
