"""Lists of payloads and of values into Arrow arrays: exact, or an error."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from mizzle_async.integrations.arrow.library import pa, pc
from mizzle_async.marshalling.forms import TextForm

DIGITS: Final = b"0123456789.-"
EARLIEST: Final = -62_135_596_800_000_000
LATEST: Final = 253_402_300_799_999_999
"""Microseconds since 1970 of the years 1 and 9999, which Python's datetimes end with."""

EARLIEST_DAY: Final = EARLIEST // 86_400_000_000
LATEST_DAY: Final = LATEST // 86_400_000_000
SECONDS: Final = pa.decimal128(24, 6)
MILLISECONDS: Final = pa.decimal128(24, 3)
_IN_MICROSECONDS: Final = {
    "seconds": (SECONDS, pa.scalar(Decimal(1_000_000), pa.decimal128(7, 0))),
    "milliseconds": (MILLISECONDS, pa.scalar(Decimal(1_000), pa.decimal128(4, 0))),
}


class NotPlainError(ValueError):
    """A text is not of the form that Arrow reads as Python does."""


def array_of_texts(texts: Sequence[str | bool | None], form: TextForm, kind: Any) -> Any:
    """Return the array of payloads, which Arrow reads.

    Args:
        texts: The payloads, None for null.
        form: How they are read.
        kind: The type of the array.

    Raises:
        ArrowException: A payload has another form, or the type does not hold its value.
        NotPlainError: The same.
        TypeError: A payload is no text.
    """
    if form == "plain":
        return pa.array(texts, kind)
    array = pa.array(texts, pa.string())
    if form in {"iso", "iso_ms", "date"}:
        return in_calendar(array.cast(kind))
    if not _has_digits_only(array):
        raise NotPlainError
    if form == "number":
        return _decimals(array, kind) if pa.types.is_decimal(kind) else array.cast(kind)
    scaled, factor = _IN_MICROSECONDS[form]
    microseconds = pc.multiply(_decimals(array, scaled), factor).cast(pa.int64())
    if pa.types.is_duration(kind):
        return microseconds.cast(pa.duration("us")).cast(kind)
    return in_calendar(microseconds.cast(pa.timestamp("us", "UTC"))).cast(kind)


def _decimals(texts: Any, kind: Any) -> Any:
    """Return texts as decimals of a type.

    Arrow makes room for the digits behind the point without a look at those before it, and wraps.

    Raises:
        ArrowException: The type does not hold a value.
        NotPlainError: The same, or perhaps the same: a sign counts as a digit, and the careful way looks again.
    """
    room = kind.precision - kind.scale
    if _longest(pc.binary_length(texts)) > room:  # as numbers of usual length are not: the point need not be found
        point = pc.find_substring(texts, ".")
        if _longest(pc.if_else(pc.less(point, 0), pc.binary_length(texts), point)) > room:
            raise NotPlainError
    return texts.cast(kind)


def _longest(lengths: Any) -> int:
    found = pc.max(lengths).as_py()
    return 0 if found is None else int(found)


def _has_digits_only(array: Any) -> bool:
    """Return whether texts have digits, points and signs only: Arrow wraps large exponents, and reads ``0x10``."""
    content = array.buffers()[2]
    return content is None or not content.to_pybytes().translate(None, DIGITS)


def cast_to(array: Any, kind: Any) -> Any:
    """Return an array of another type.

    Raises:
        ArrowException: The type does not hold a value.
    """
    if pa.types.is_dictionary(kind) and not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()  # older versions cast no text to categories
    return array if array.type == kind else array.cast(kind)


def in_calendar(array: Any) -> Any:
    """Return an array of points in time or days, unless one is of a year that Python does not have."""
    is_day = pa.types.is_date(array.type)
    first, last = (EARLIEST_DAY, LATEST_DAY) if is_day else (EARLIEST, LATEST)
    limits = pc.min_max(array.view(pa.int32() if is_day else pa.int64()))
    earliest, latest = limits["min"].as_py(), limits["max"].as_py()
    if earliest is not None and (earliest < first or latest > last):
        raise NotPlainError
    return array
