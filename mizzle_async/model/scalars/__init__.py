"""Scalar types: every type that is stored as one text, number, binary or truth value, registered once."""

from mizzle_async.model.scalars.registry import (
    DATETIME_FORMATS,
    SCALAR_TYPES,
    ScalarCode,
    datetime_type,
    is_datetime_format,
    registered,
    scalar_type,
)
from mizzle_async.model.scalars.scalar_type import DatetimeFormat, ScalarType, Sources

__all__ = [
    "DATETIME_FORMATS",
    "SCALAR_TYPES",
    "DatetimeFormat",
    "ScalarCode",
    "ScalarType",
    "Sources",
    "datetime_type",
    "is_datetime_format",
    "registered",
    "scalar_type",
]
